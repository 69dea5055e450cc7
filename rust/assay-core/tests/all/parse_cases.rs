//! Every row of `tests/cases/parse.jsonl`: a text, and either its readings in LaTeX or why and where it is refused.

use std::path::Path;

use assay_core::math::parse::{ParseOptions, parse};
use assay_core::math::render::render;
use serde_json::{Value, json};

/// What is wrong with a row, if anything.
fn check(row: &Value) -> Option<String> {
    let Some(input) = row["input"].as_str() else {
        return Some(format!("{} has no input", row["id"]));
    };
    let (got, expected) = match parse(input, &ParseOptions::default()) {
        Ok(parsed) => {
            let readings: Vec<String> = parsed.readings.iter().map(render).collect();
            (json!(readings), row["readings"].clone())
        }
        Err(error) => (
            json!([format!("{:?}", error.kind()), error.at()]),
            json!([row["error"], row["at"]]),
        ),
    };
    (got != expected).then(|| {
        format!(
            "{} ({}): {input:?} is {got}, expected {expected}",
            row["id"], row["why"]
        )
    })
}

#[test]
fn texts_are_read_as_the_cases_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/parse.jsonl");
    let rows = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(rows.len() > 300);
    let wrong: Vec<String> = rows.iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ids_are_unique() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/parse.jsonl");
    let rows = std::fs::read_to_string(path).unwrap();
    let mut ids: Vec<String> = rows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
