//! The one error table. An answer, however wrong, malformed or costly, never becomes one of these.

use std::fmt;

/// What went wrong, by who has to act on it.
///
/// | kind | Python | gRPC |
/// |---|---|---|
/// | `InvalidSpec` | `InvalidSpecError` | `INVALID_ARGUMENT` |
/// | `InvalidInput` | `InvalidInputError` | `INVALID_ARGUMENT` |
/// | `TooLarge` | `LimitError` | `RESOURCE_EXHAUSTED` |
/// | `Internal` | `AssayError` | `INTERNAL` |
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The reward spec, or another option the caller wrote, is not valid.
    InvalidSpec,
    /// An argument is not of the documented shape, type or range.
    InvalidInput,
    /// A caller-sized thing is larger than the documented limit.
    TooLarge,
    /// A bug in assay.
    Internal,
}

/// A caller's mistake or a fault of the machine: a kind, and a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// `std::result::Result` with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` whose `message` names the field or argument and the remedy.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// An [`ErrorKind::InvalidSpec`].
    pub fn spec(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidSpec, message)
    }

    /// An [`ErrorKind::InvalidInput`].
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Who has to act.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}
