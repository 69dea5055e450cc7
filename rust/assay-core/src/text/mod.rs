//! Rewards that look at the text alone.
//!
//! Pure functions of a completion, its [`Sections`](crate::answer::Sections) or its token ids. All are linear in the
//! input, and none fails: the options are checked where a spec is read.

mod language;
mod layout;
mod length;
mod readability;
mod repetition;

pub use language::{Language, Mixed, Mixing, language, mixing};
pub use layout::{format, tags};
pub use length::{Cosine, SoftOverlong, characters, cosine, soft_overlong, words};
pub use readability::{LONGEST_LINE, LONGEST_WORD, Readability, readability, readability_report};
pub use repetition::{Repetition, repetition_tokens, repetition_words};
