//! Every row of `tests/cases/score.jsonl`.

use std::path::Path;

use assay_core::ErrorKind;
use assay_core::score::{Item, Scorer};
use assay_core::spec::RewardSpec;
use serde_json::Value;

fn number(value: f64) -> Value {
    // JSON null is what the rows have for NaN.
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// What is wrong with a scored row, if anything.
fn check(row: &Value) -> Option<String> {
    let spec = RewardSpec::from_json(&row["spec"].to_string()).unwrap();
    let scorer = Scorer::new(spec).unwrap();
    let item = Item {
        completion: row["completion"].as_str().unwrap(),
        reference: row["reference"].as_str(),
        prompt: None,
    };
    let scores = scorer.score(&[item]).unwrap();
    let components = scores
        .components
        .iter()
        .map(|(name, values)| (name.clone(), number(values[0])));
    let mut got = serde_json::json!({
        "total": number(scores.total[0]),
        "components": Value::Object(components.collect()),
        "status": scores.status[0].as_str(),
        "reason": scores.reasons[0],
        "answer": scores.answers[0],
    });
    let got = got.as_object_mut().unwrap();
    // A row without a reason leaves its wording to the verifier.
    got.retain(|key, _| row.get(key).is_some());
    let wrong = got
        .iter()
        .find(|(key, value)| **value != row[key.as_str()])?;
    Some(format!(
        "{} ({}): {} is {}, expected {}",
        row["id"],
        row["why"],
        wrong.0,
        wrong.1,
        row[wrong.0.as_str()]
    ))
}

#[test]
fn scores_are_what_the_cases_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/score.jsonl");
    let rows = std::fs::read_to_string(path).unwrap();
    let rows = rows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (refused, scored): (Vec<_>, Vec<_>) = rows.partition(|row| row.get("error").is_some());
    let wrong: Vec<String> = scored.iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for row in &refused {
        let error = RewardSpec::from_json(&row["spec"].to_string()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{row}");
        let message = row["message"].as_str().unwrap();
        assert!(
            error.to_string().contains(message),
            "{}: {error}",
            row["id"]
        );
    }
}
