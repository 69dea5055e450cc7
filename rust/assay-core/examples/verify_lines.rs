//! Compares pairs from standard input, one JSON object with `gold` and `answer` a line, and prints one verdict a line.
//!
//! `cargo run --example verify_lines < pairs.jsonl`. With `--time` every pair is compared five times, `ns` is
//! the fastest, and the last line is the distribution of that.

use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use assay_core::math::{Kind, Options, Tolerance, Units, verify};

#[derive(serde::Deserialize)]
struct Row {
    gold: String,
    answer: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    tolerance: Tolerance,
    #[serde(default)]
    units: Units,
}

fn main() -> std::io::Result<()> {
    let timed = std::env::args().any(|argument| argument == "--time");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut times = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let row: Row = serde_json::from_str(&line).map_err(std::io::Error::other)?;
        let options = Options {
            kind: row.kind,
            tolerance: row.tolerance,
            units: row.units,
        };
        let rounds = if timed { 5 } else { 1 };
        let mut nanoseconds = u64::MAX;
        let mut verdict = None;
        for _ in 0..rounds {
            let start = Instant::now();
            verdict = Some(verify(&row.gold, &row.answer, &options));
            nanoseconds = nanoseconds.min(start.elapsed().as_nanos() as u64);
        }
        let Some(verdict) = verdict else { continue };
        times.push(nanoseconds);
        let result = serde_json::json!({
            "outcome": format!("{:?}", verdict.outcome).to_lowercase(),
            "stage": format!("{:?}", verdict.stage).to_lowercase(),
            "reason": verdict.reason,
            "probable": verdict.probable,
            "ns": nanoseconds,
        });
        writeln!(out, "{result}")?;
    }
    if timed && !times.is_empty() {
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        writeln!(
            out,
            "{}",
            serde_json::json!({"n": times.len(), "p50_ns": at(0.5), "p90_ns": at(0.9), "p99_ns": at(0.99), "max_ns": at(1.0)})
        )?;
    }
    out.flush()
}
