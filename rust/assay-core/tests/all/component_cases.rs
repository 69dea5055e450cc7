//! Every row of the case files that are named after a component.

use std::path::Path;

use assay_core::score::{Item, Scorer};
use assay_core::spec::RewardSpec;
use serde_json::{Value, json};

const FILES: [&str; 6] = [
    "format",
    "tags",
    "length",
    "repetition",
    "language",
    "readability",
];

/// What is wrong with a row, if anything. Values have to agree to the last bit.
fn check(row: &Value) -> Option<String> {
    let mut components = vec![row["component"].clone()];
    if row["component"]["mode"] == "cosine" {
        // It goes by the verdict of an accuracy; this one adds nothing.
        components.push(json!({"kind": "accuracy", "weight": 0.0}));
    }
    let spec = RewardSpec::from_json(&json!({ "component": components }).to_string()).unwrap();
    let item = Item {
        completion: row["completion"].as_str().unwrap(),
        reference: row["reference"].as_str(),
        prompt: None,
    };
    let scores = Scorer::new(spec).unwrap().score(&[item]).unwrap();
    let value = scores.components[0].1[0];
    let status = scores.status[0].as_str();
    let expected = &row["expected"];
    let same = match expected["value"].as_f64() {
        None => value.is_nan(),
        Some(expected) => value == expected,
    };
    (!same || expected["status"] != status).then(|| {
        format!(
            "{} ({}): {value} {status}, expected {expected}",
            row["id"], row["why"]
        )
    })
}

#[test]
fn components_are_worth_what_the_cases_say() {
    let mut wrong = Vec::new();
    for file in FILES {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/cases/{file}.jsonl"));
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            wrong.extend(check(&row).map(|what| format!("{file}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
