//! Every row of `tests/cases/extract.jsonl`.

use std::path::Path;

use assay_core::answer::{Profile, Source, extract};

#[derive(serde::Deserialize)]
struct Row {
    id: String,
    why: String,
    profile: Profile,
    completion: String,
    expected: Option<Expected>,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Expected {
    text: String,
    source: Source,
}

#[test]
fn extraction_finds_what_the_cases_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/extract.jsonl");
    let rows = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    for line in rows.lines() {
        let row: Row = serde_json::from_str(line).unwrap();
        let found = extract(&row.completion, row.profile);
        if let Some(found) = &found {
            assert!(
                row.completion.get(found.span.clone()).is_some(),
                "{}: the span {:?} is not in the completion",
                row.id,
                found.span
            );
        }
        let found = found.map(|found| Expected {
            text: found.text,
            source: found.source,
        });
        if found != row.expected {
            wrong.push(format!(
                "{} ({}): found {found:?}, expected {:?}",
                row.id, row.why, row.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
