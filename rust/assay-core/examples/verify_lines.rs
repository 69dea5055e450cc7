//! Compares pairs from standard input, one JSON object with `gold` and `answer` a line, and prints one verdict a line.
//!
//! `cargo run --example verify_lines < pairs.jsonl`. With `--time` the last line is the latency distribution.

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
        let start = Instant::now();
        let verdict = verify(&row.gold, &row.answer, &options);
        let nanoseconds = start.elapsed().as_nanos() as u64;
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
