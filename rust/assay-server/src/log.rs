//! Logs of a server process.

use std::io::stderr;

use tracing_subscriber::EnvFilter;

use crate::pb;
use crate::pb::item_result::Outcome;
use crate::wire::{Completion, Item};

/// Characters of a text that are logged.
const LONGEST_TEXT: usize = 2000;

/// Logs to standard error from now on, filtered by the variable `ASSAY_LOG` (default `info`); with `ASSAY_LOG_FORMAT=json`, each
/// line is a JSON object. Does nothing in a process that logs already. No line holds model text unless
/// [`Config::log_texts`](crate::Config::log_texts) is true.
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

/// A line for each item, with what was scored and what it got. Only where the configuration asks for it.
pub(crate) fn log_texts(request_id: &str, items: &[Item], results: &[pb::ItemResult]) {
    for (item, result) in items.iter().zip(results) {
        let total = match &result.outcome {
            Some(Outcome::Scored(scored)) => scored.total,
            _ => f64::NAN,
        };
        let completion = match &item.completion {
            Some(Completion::Text(text)) => cut(text),
            Some(Completion::TokenIds(ids)) => format!("{} token ids", ids.len() / 4),
            None => String::new(),
        };
        let reference = item.reference.as_deref().map(cut);
        // As Rust writes strings, so that a text cannot look like a line of the log.
        tracing::info!(
            target: "assay_server::texts",
            request_id = ?cut(request_id), id = ?cut(&item.id), ?completion, ?reference, total
        );
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
