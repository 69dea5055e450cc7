//! The error table of the core as gRPC statuses.

use assay_core::{Error, ErrorKind};
use tonic::{Code, Status};

/// Metadata key of a failed call that says which row of the core's error table it is.
pub(crate) const KIND_KEY: &str = "assay-error";

/// Values of that key for what a request names by hash and nobody registered.
pub(crate) const UNKNOWN_TOKENIZER: &str = "unknown_tokenizer";
pub(crate) const UNKNOWN_SPEC: &str = "unknown_spec";

/// The name of a row of the error table on the wire.
fn error_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSpec => "invalid_spec",
        ErrorKind::InvalidInput => "invalid_input",
        ErrorKind::TooLarge => "too_large",
        _ => "internal",
    }
}

/// The gRPC status of a failed request.
pub(crate) fn status(error: &Error) -> Status {
    let code = match error.kind() {
        ErrorKind::InvalidSpec | ErrorKind::InvalidInput => Code::InvalidArgument,
        ErrorKind::TooLarge => Code::ResourceExhausted,
        _ => Code::Internal,
    };
    let mut status = Status::new(code, error.to_string());
    status.metadata_mut().insert(
        KIND_KEY,
        tonic::metadata::MetadataValue::from_static(error_kind(error.kind())),
    );
    status
}
