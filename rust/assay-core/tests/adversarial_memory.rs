//! No hostile pair of `tests/cases/adversarial.jsonl` takes more than 16 MB, whatever it says.

use std::path::Path;

use assay_core::math::{Options, explain, verify};

/// What one comparison may hold at any moment, in bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Repeated(Vec<(String, usize)>),
}

#[derive(serde::Deserialize)]
struct Row {
    id: String,
    gold: Text,
    answer: Text,
}

fn whole(text: &Text) -> String {
    match text {
        Text::Plain(text) => text.clone(),
        Text::Repeated(pieces) => pieces
            .iter()
            .map(|(piece, count)| piece.repeat(*count))
            .collect(),
    }
}

#[test]
fn hostile_pairs_stay_within_sixteen_megabytes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/adversarial.jsonl");
    let rows = std::fs::read_to_string(path).unwrap();
    let options = Options::default();
    // Tables that are made once belong to no row.
    let _ = verify("5 km", "\\sin 1", &options);
    let (mut most, mut hungriest) = (0, String::new());
    let mut dearest = (0, String::new());
    for line in rows.lines() {
        let row: Row = serde_json::from_str(line).unwrap();
        let (gold, answer) = (whole(&row.gold), whole(&row.answer));
        let used = allocation_counter::measure(|| {
            let _ = verify(&gold, &answer, &options);
        });
        assert!(
            used.bytes_max <= LIMIT,
            "{} held {} bytes",
            row.id,
            used.bytes_max
        );
        if used.bytes_max > most {
            (most, hungriest) = (used.bytes_max, row.id.clone());
        }
        let fuel = explain(&gold, &answer, &options).fuel;
        if fuel > dearest.0 {
            dearest = (fuel, row.id);
        }
    }
    println!("most memory: {most} bytes, {hungriest}; most fuel: {dearest:?}");
}
