//! Logs of a server process.

use std::io::stderr;

use tracing_subscriber::EnvFilter;

/// Logs to standard error from now on, filtered by the variable `ASSAY_LOG` (default `info`); with `ASSAY_LOG_FORMAT=json`, each
/// line is a JSON object. Does nothing in a process that logs already. No line holds model text.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("ASSAY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let json = std::env::var("ASSAY_LOG_FORMAT").is_ok_and(|format| format == "json");
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(false);
    let _ = if json {
        log.json().flatten_event(true).try_init()
    } else {
        log.try_init()
    };
}
