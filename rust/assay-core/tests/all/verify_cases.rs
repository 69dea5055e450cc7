//! Every row of `tests/cases/verify.jsonl`, `verify_wide.jsonl` and `adversarial.jsonl`.

use std::path::Path;

use assay_core::math::{
    Explanation, Gold, Kind, Options, Outcome, Tolerance, Units, explain, verify,
};

#[derive(serde::Deserialize)]
struct Row {
    id: String,
    why: String,
    gold: String,
    answer: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    tolerance: Tolerance,
    #[serde(default)]
    units: Units,
    expected: String,
}

/// A text, or pieces with how often each is repeated.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Repeated(Vec<(String, usize)>),
}

impl Text {
    fn whole(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Repeated(pieces) => pieces
                .iter()
                .map(|(piece, count)| piece.repeat(*count))
                .collect(),
        }
    }
}

#[derive(serde::Deserialize)]
struct Hostile {
    id: String,
    why: String,
    gold: Text,
    answer: Text,
    allowed: Vec<String>,
}

fn rows<T: serde::de::DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/cases")
        .join(name);
    let text = std::fs::read_to_string(path).expect("the case file is there");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("every row is as declared"))
        .collect()
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Equal => "equal",
        Outcome::Different => "different",
        Outcome::Undecided => "undecided",
    }
}

/// The rows with their options: of everything that is read, with what is near it.
fn comparisons() -> Vec<Row> {
    let mut all = rows::<Row>("verify.jsonl");
    all.extend(rows::<Row>("verify_wide.jsonl"));
    all
}

/// Whether an outcome is what a row expects: `not equal` allows that nothing was decided.
fn is_expected(outcome: Outcome, expected: &str) -> bool {
    name(outcome) == expected || expected == "not equal" && outcome != Outcome::Equal
}

#[test]
fn verdicts_are_what_the_cases_say() {
    let mut wrong = Vec::new();
    for row in comparisons() {
        let options = Options {
            kind: row.kind,
            tolerance: row.tolerance,
            units: row.units,
        };
        let verdict = verify(&row.gold, &row.answer, &options);
        if !is_expected(verdict.outcome, &row.expected) {
            wrong.push(format!(
                "{} ({}): {} against {}: {verdict:?}, expected {}",
                row.id, row.why, row.gold, row.answer, row.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cases_hold_the_other_way_round() {
    let mut wrong = Vec::new();
    for row in comparisons() {
        // A relative tolerance is relative to the reference.
        if matches!(row.tolerance, Tolerance::Within { .. }) {
            continue;
        }
        let options = Options {
            kind: row.kind,
            tolerance: row.tolerance,
            units: row.units,
        };
        let verdict = verify(&row.answer, &row.gold, &options);
        if !is_expected(verdict.outcome, &row.expected) {
            wrong.push(format!("{} ({}): {verdict:?}", row.id, row.why));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn readable_references_equal_themselves() {
    let mut wrong = Vec::new();
    for row in rows::<Row>("verify.jsonl") {
        let options = Options {
            kind: row.kind,
            ..Options::default()
        };
        for text in [&row.gold, &row.answer] {
            let gold = Gold::new(text, &options);
            let verdict = gold.compare(text);
            let undefined = verdict.reason.contains("defined");
            if gold.is_readable() && !verdict.is_equal() && !undefined {
                wrong.push(format!("{}: {text}: {verdict:?}", row.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn hostile_pairs_end_in_an_allowed_verdict_twice() {
    let options = Options::default();
    let mut wrong = Vec::new();
    for row in rows::<Hostile>("adversarial.jsonl") {
        let (gold, answer) = (row.gold.whole(), row.answer.whole());
        let verdict = verify(&gold, &answer, &options);
        assert_eq!(
            verdict,
            verify(&gold, &answer, &options),
            "{} is not deterministic",
            row.id
        );
        if !row
            .allowed
            .iter()
            .any(|allowed| allowed == name(verdict.outcome))
        {
            wrong.push(format!(
                "{} ({}): {verdict:?}, allowed {:?}",
                row.id, row.why, row.allowed
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_comparison_spends_more_than_its_budget() {
    let options = Options::default();
    for row in rows::<Hostile>("adversarial.jsonl") {
        let explanation = explain(&row.gold.whole(), &row.answer.whole(), &options);
        let pairs = explanation.compared.len().max(1) as u64;
        assert!(
            explanation.fuel <= pairs * Explanation::BUDGET,
            "{}: {}",
            row.id,
            explanation.fuel
        );
    }
}

#[test]
fn threads_do_not_change_verdicts() {
    let rows = rows::<Row>("verify.jsonl");
    let all = || -> Vec<_> {
        rows.iter()
            .map(|row| verify(&row.gold, &row.answer, &Options::default()))
            .collect()
    };
    let alone = all();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..4).map(|_| scope.spawn(all)).collect();
        for handle in handles {
            assert_eq!(handle.join().unwrap(), alone);
        }
    });
}
