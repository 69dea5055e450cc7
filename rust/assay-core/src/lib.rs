//! What a completion is worth.
//!
//! Pure: no I/O, clock, outside randomness, process or Python. Given the same bytes, every function here
//! returns the same value on every machine, whatever the number of threads.
//!
//! * [`answer`]: where the answer stands in a completion;
//! * [`math`]: whether two answers are the same;
//! * [`text`]: format, tags, length and repetition;
//! * [`spec`] and [`score`]: `RewardSpec` -> `Scorer` -> `Scores`;
//! * [`group`]: group advantages; [`batch`]: packing, balancing and sampling batches.
//!
//! A bad answer is data ([`score::Status`], [`math::Outcome`]); a caller's mistake is an [`Error`].

pub mod answer;
pub mod batch;
mod error;
pub mod group;
pub mod math;
pub mod score;
pub mod spec;
pub mod text;

pub use error::{Error, ErrorKind, Result};
