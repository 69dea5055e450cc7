//! Failed calls as errors with a remedy.

use std::error::Error as _;

use assay_core::{Error, ErrorKind};
use tonic::{Code, Status};

use crate::wire::KIND_KEY;

/// Who has to act on a failed call.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientErrorKind {
    /// The server finds the spec wrong.
    InvalidSpec,
    /// An argument is wrong, or the server lacks what it refers to.
    InvalidInput,
    /// Larger than the server takes.
    TooLarge,
    /// No server answers, none of them takes more work, or none lets the caller in.
    Unavailable,
    /// The call took longer than its timeout.
    Deadline,
    /// A bug in assay, or a server of another version.
    Internal,
}

/// A call that gave no scores. The message is one line: which server, what happened, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClientError {
    kind: ClientErrorKind,
    message: String,
}

impl ClientError {
    pub(super) fn new(kind: ClientErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::new(ClientErrorKind::InvalidInput, message)
    }

    /// Who has to act.
    pub fn kind(&self) -> ClientErrorKind {
        self.kind
    }
}

impl From<Error> for ClientError {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::InvalidSpec => ClientErrorKind::InvalidSpec,
            ErrorKind::InvalidInput => ClientErrorKind::InvalidInput,
            ErrorKind::TooLarge => ClientErrorKind::TooLarge,
            _ => ClientErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

/// The row of the error table that a status names, if it names one.
pub(super) fn named_kind(status: &Status) -> Option<&str> {
    status.metadata().get(KIND_KEY)?.to_str().ok()
}

/// The connection failed, as opposed to a server's answer: only statuses made here have a source.
pub(super) fn is_transport(status: &Status) -> bool {
    status.source().is_some()
}

/// `status` of the server at `target` as an error.
pub(super) fn translate(status: &Status, target: &str) -> ClientError {
    use ClientErrorKind as Kind;
    let detail = innermost(status);
    let kind = match (named_kind(status), status.code()) {
        _ if is_transport(status) => Kind::Unavailable,
        (Some("invalid_spec"), _) => Kind::InvalidSpec,
        (Some("invalid_input"), _) | (_, Code::InvalidArgument | Code::FailedPrecondition) => {
            Kind::InvalidInput
        }
        (Some("overloaded"), _)
        | (
            _,
            Code::Unavailable
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::Unimplemented,
        ) => Kind::Unavailable,
        (Some("too_large"), _) | (_, Code::ResourceExhausted | Code::OutOfRange) => Kind::TooLarge,
        (_, Code::DeadlineExceeded) => Kind::Deadline,
        _ => Kind::Internal,
    };
    let message = match (kind, status.code()) {
        (Kind::Unavailable, Code::Unimplemented) => {
            format!("{target} is not a reward server of this version: {detail}")
        }
        (Kind::Unavailable, Code::Unavailable) => return no_server(target, &detail),
        (Kind::Unavailable, _) if is_transport(status) => return no_server(target, &detail),
        (Kind::Internal, code) => {
            format!("the reward server at {target} failed with {code:?}: {detail}")
        }
        _ => format!("{detail} (reward server at {target})"),
    };
    ClientError::new(kind, message)
}

pub(super) fn no_server(target: &str, detail: &str) -> ClientError {
    ClientError::new(
        ClientErrorKind::Unavailable,
        format!(
            "no reward server answers at {target} ({detail}); \
             start one with `assay serve --bind HOST:PORT`, or correct the address"
        ),
    )
}

/// The first cause of a transport error, which names the fault, or else the server's words; always one line.
pub(super) fn innermost(status: &Status) -> String {
    let mut detail = status.message().to_owned();
    let mut cause = status.source();
    while let Some(error) = cause {
        detail = error.to_string();
        cause = error.source();
    }
    if detail.is_empty() {
        "no detail".clone_into(&mut detail);
    }
    detail.replace('\n', " ")
}
