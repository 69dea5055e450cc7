//! Conversions between the wire and the core. They are total and silent: no I/O, no log, no panic.

mod codec;
mod error;
mod item;
mod items;
mod spec;

pub(crate) use codec::{AnswerCodec, BytesCodec, MessageCodec, RequestBytes};
pub(crate) use error::{KIND_KEY, UNKNOWN_SPEC, UNKNOWN_TOKENIZER, status};
pub(crate) use item::{Completion, Item, ScoreRequest, stream_request};
pub(crate) use items::{Batch, question};
pub use spec::{spec_from_wire, spec_to_wire};
