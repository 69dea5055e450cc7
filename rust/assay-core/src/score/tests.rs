//! What a batch promises; what an item is worth stands in `tests/cases/score.jsonl`.

use super::*;

fn scorer(spec: &str) -> Scorer {
    Scorer::new(RewardSpec::from_json(spec).expect("a valid spec")).expect("a valid spec")
}

const SPEC: &str = r#"{"component": [
    {"kind": "accuracy"}, {"kind": "accuracy", "name": "text", "answer": "text", "weight": 0.1},
    {"kind": "format"}, {"kind": "repetition"},
    {"kind": "length", "mode": "cosine", "unit": "words", "max_length": 9}
]}"#;

/// NaN equal to NaN.
fn bits(scores: &Scores) -> Vec<u64> {
    let columns = scores.components.iter().flat_map(|(_, values)| values);
    scores
        .total
        .iter()
        .chain(columns)
        .map(|value| value.to_bits())
        .collect()
}

fn batch(count: usize) -> Vec<(String, String)> {
    let text = |index: usize| format!("<think>a a a a</think> the answer is {}", index % 7);
    (0..count)
        .map(|index| (text(index), format!("{}.0", index % 5)))
        .collect()
}

fn items(texts: &[(String, String)]) -> Vec<Item<'_>> {
    texts
        .iter()
        .map(|(completion, reference)| Item {
            completion,
            reference: Some(reference),
            prompt: None,
        })
        .collect()
}

#[test]
fn a_pool_changes_nothing() {
    let texts = batch(300);
    let items = items(&texts);
    let alone = scorer(SPEC).score(&items).expect("scores");
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        let pooled = pool.install(|| scorer(SPEC).score(&items)).expect("scores");
        assert_eq!(bits(&pooled), bits(&alone));
        assert_eq!(
            (pooled.status, pooled.reasons),
            (alone.status.clone(), alone.reasons.clone())
        );
    }
}

#[test]
fn what_is_cached_changes_nothing() {
    let warm = scorer(r#"{"component": [{"kind": "accuracy", "answer": "text"}]}"#);
    let reference = |index: usize| format!("word{index}");
    // More references than the cache holds, twice.
    for _ in 0..2 {
        for start in (0..20_000).step_by(5_000) {
            let texts: Vec<_> = (start..start + 5_000)
                .map(|index| {
                    (
                        format!("\\boxed{{{}}}", reference(index)),
                        reference(index + index % 2),
                    )
                })
                .collect();
            let cold = scorer(r#"{"component": [{"kind": "accuracy", "answer": "text"}]}"#);
            let items = items(&texts);
            let (first, second) = (
                warm.score(&items).expect("scores"),
                cold.score(&items).expect("scores"),
            );
            assert_eq!(bits(&first), bits(&second));
        }
    }
}

#[test]
fn too_long_is_a_status() {
    let scorer = scorer(SPEC);
    let long = "a".repeat(MAX_COMPLETION_BYTES + 1);
    let answer = format!("\\boxed{{{}}}", "7".repeat(MAX_ANSWER_BYTES + 1));
    let item = |completion| Item {
        completion,
        reference: Some("4"),
        prompt: None,
    };
    let scores = scorer
        .score(&[item(&long), item(&answer), item("4")])
        .expect("scores");
    assert_eq!(
        scores.status,
        [Status::Limit, Status::Limit, Status::Scored]
    );
    assert!(scores.total[0].is_nan() && scores.total[1].is_nan());
    assert!(
        scores
            .components
            .iter()
            .all(|(_, values)| values[0].is_nan())
    );
    let long_reference = "7".repeat(MAX_ANSWER_BYTES + 1);
    let item = Item {
        completion: "7",
        reference: Some(&long_reference),
        prompt: None,
    };
    let scores = scorer.score(&[item]).expect("scores");
    assert_eq!(scores.status, [Status::InvalidReference]);
}

#[test]
fn offsets_are_checked() {
    let scorer = scorer(r#"{"component": [{"kind": "repetition", "unit": "tokens", "ngram": 1}]}"#);
    let score = |offsets: &[i64]| scorer.score_tokens(&[1, 1, 2], offsets, &[None, None]);
    assert_eq!(score(&[0, 2, 3]).expect("scores").total, [-0.5, 0.0]);
    assert_eq!(
        score(&[0, 0, 3]).expect("scores").total,
        [0.0, -(1.0 - 2.0 / 3.0)]
    );
    for (offsets, words) in [
        (&[0, 3][..], "one more than references"),
        (&[1, 2, 3], "offsets[0] is 1"),
        (&[0, 3, 2], "offsets[2] is 2, less than the 3"),
        (&[0, -1, 3], "offsets[1] is -1"),
        (&[0, 1, 2], "offsets ends at 2"),
        (&[0, 1, i64::MAX], "offsets ends at"),
    ] {
        let error = score(offsets).expect_err("bad offsets").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_tokenizer_is_asked_for_by_name() {
    let counts = scorer(r#"{"component": [{"kind": "repetition", "unit": "tokens"}]}"#);
    let error = counts
        .score(&[Item::default()])
        .expect_err("no tokenizer")
        .to_string();
    assert!(
        error.contains("component `repetition` counts tokens"),
        "{error}"
    );
    let reads = scorer(r#""format""#).score_tokens(&[], &[0], &[]);
    let error = reads.expect_err("no tokenizer").to_string();
    assert!(error.contains("component `format` reads text"), "{error}");
    let error = scorer(r#""format""#)
        .with_tokenizer(b"{}")
        .expect_err("no tokenizer")
        .to_string();
    assert!(
        error.starts_with("tokenizer: not a tokenizer.json"),
        "{error}"
    );
}
