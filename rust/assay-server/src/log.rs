//! Logs of a server process.

use std::io::stderr;

use tracing_subscriber::EnvFilter;

/// Logs to standard error from now on, filtered by the variable `ASSAY_LOG` (default `info`). Does nothing in a process
/// that logs already.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("ASSAY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(false)
        .try_init();
}
