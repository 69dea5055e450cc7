//! Every row of `tests/cases/score.jsonl`.

use std::path::Path;

use assay_core::score::{Item, Scorer};
use assay_core::spec::RewardSpec;
use assay_core::{ErrorKind, Result};
use serde_json::Value;

fn number(value: f64) -> Value {
    // JSON null is what the rows have for NaN.
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// What a scored row comes to.
fn score(row: &Value) -> Result<Value> {
    let spec = RewardSpec::from_json(&row["spec"].to_string())?;
    let item = Item {
        completion: row["completion"].as_str().unwrap_or_default(),
        reference: row["reference"].as_str(),
        prompt: None,
    };
    let scores = Scorer::new(spec)?.score(&[item])?;
    let values = |(name, values): &(String, Vec<f64>)| (name.clone(), number(values[0]));
    Ok(serde_json::json!({
        "total": number(scores.total[0]),
        "components": Value::Object(scores.components.iter().map(values).collect()),
        "status": scores.status[0].as_str(),
        "reason": scores.reasons[0],
        "answer": scores.answers[0],
    }))
}

#[test]
fn scores_are_what_the_cases_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/score.jsonl");
    let rows = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row.get("error").is_some() {
            let error = RewardSpec::from_json(&row["spec"].to_string()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{row}");
            let message = row["message"].as_str().unwrap();
            assert!(
                error.to_string().contains(message),
                "{}: {error}",
                row["id"]
            );
            continue;
        }
        let got = score(&row).unwrap();
        for key in ["total", "components", "status", "reason", "answer"] {
            // A row without a reason leaves its wording to the verifier.
            if row.get(key).is_some_and(|expected| *expected != got[key]) {
                wrong.push(format!(
                    "{} ({}): {key} is {}",
                    row["id"], row["why"], got[key]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
