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
    let result = scorer
        .score(&[item(&long), item(&answer), item("4")])
        .expect("result");
    assert_eq!(
        result.status,
        [Status::Limit, Status::Limit, Status::Scored]
    );
    assert!(result.total[0].is_nan() && result.total[1].is_nan());
    assert!(
        result
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
    let result = scorer.score(&[item]).expect("result");
    assert_eq!(result.status, [Status::InvalidReference]);
}

#[test]
fn offsets_are_checked() {
    let scorer = scorer(r#"{"component": [{"kind": "repetition", "unit": "tokens", "ngram": 1}]}"#);
    let score = |offsets: &[i64]| scorer.score_tokens(&[1, 1, 2], offsets, &[None, None]);
    assert_eq!(score(&[0, 2, 3]).expect("result").total, [-0.5, 0.0]);
    assert_eq!(
        score(&[0, 0, 3]).expect("result").total,
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

#[test]
fn values_from_outside_count_like_any_other_and_what_is_missing_is_unavailable() {
    let spec = r#"{"component": [{"kind": "accuracy"}, {"kind": "reward_model", "endpoint": "helpful", "weight": 0.5},
        {"kind": "plugin", "function": "mine", "weight": 0}]}"#;
    let scorer = Scorer::new(RewardSpec::from_json(spec).unwrap()).unwrap();
    let items = [Item {
        completion: "It is 4.",
        reference: Some("4"),
        prompt: None,
    }; 5];
    let no = |reason: &str| Err(reason.to_owned());
    let given = [
        vec![Ok(3.0), Ok(7.0)],
        vec![Ok(3.0), no("it hung")],
        vec![no("HTTP 503"), Ok(7.0)],
        vec![Ok(f64::NAN), Ok(7.0)],
    ];
    let result = scorer.score_with(&items, &given).unwrap();
    assert_eq!(result.total[..2], [2.5, 2.5]);
    assert_eq!(result.components[2].1[0], 7.0);
    assert!(result.components[2].1[1].is_nan());
    for row in 2..5 {
        assert!(result.total[row].is_nan());
        assert_eq!(result.status[row], Status::Unavailable);
        assert_eq!(result.components[0].1[row], 1.0);
    }
    let reason = |row: usize| result.reasons[row].as_deref().unwrap_or_default();
    assert_eq!(reason(2), "HTTP 503");
    assert!(reason(3).contains("finite"), "{}", reason(3));
    assert!(reason(4).contains("reward_models"), "{}", reason(4));
}

#[test]
fn a_reward_model_is_asked_about_the_part_that_the_spec_says() {
    let asks = |completion: &str, options: &str| {
        let spec =
            format!(r#"{{"component": [{{"kind": "reward_model", "endpoint": "a"{options}}}]}}"#);
        let scorer = Scorer::new(RewardSpec::from_json(&spec).unwrap()).unwrap();
        scorer.asks(Completion::Text(completion)).unwrap().remove(0)
    };
    let about = |text: &str| Ask::About(text.to_owned());
    let whole = "<think>a</think> b <answer> c </answer>";
    assert_eq!(asks(whole, ""), about(whole));
    let (summary, answer) = (r#", "input": "summary""#, r#", "input": "answer""#);
    assert_eq!(asks(whole, summary), about("b <answer> c </answer>"));
    assert_eq!(asks(whole, answer), about("c"));
    assert_eq!(asks("<think>a</think> b ", answer), about("b"));
    assert_eq!(asks("no tags", summary), about("no tags"));
    assert_eq!(asks("<think>a", summary), about(""));
    let missing = r#", "input": "summary", "missing": -3"#;
    assert_eq!(asks("<think>a", missing), Ask::Value(-3.0));
    assert_eq!(asks("a</think> ", missing), Ask::Value(-3.0));
    let opened = r#", "input": "summary", "think_in_prompt": true"#;
    assert_eq!(asks("a", opened), about(""));
    let long = "x".repeat(MAX_COMPLETION_BYTES + 1);
    assert_eq!(asks(&long, ""), Ask::Nothing);
}

/// Counts ticks of its own, one for each look at the clock.
#[derive(Default)]
struct Counting {
    clock: std::sync::atomic::AtomicU64,
    timed: std::sync::Mutex<Vec<(usize, u64)>>,
    fuel: std::sync::Mutex<Vec<(usize, u64)>>,
}

impl Watch for Counting {
    fn is_timed(&self, item: usize) -> bool {
        item == 1
    }

    fn now(&self) -> u64 {
        self.clock
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    fn component(&self, place: usize, ticks: u64) {
        self.timed.lock().expect("no panic").push((place, ticks));
    }

    fn fuel(&self, place: usize, units: u64) {
        self.fuel.lock().expect("no panic").push((place, units));
    }
}

#[test]
fn watching_sees_components_and_fuel_and_changes_no_score() {
    let (scorer, watch) = (scorer(SPEC), Counting::default());
    let item = |completion, reference| Item {
        completion,
        reference: Some(reference),
        prompt: None,
    };
    let items = [
        item("it is 4", "4"),
        item(r"\boxed{\sin(x)^2 + \cos(x)^2}", "1"),
    ];
    let watched = scorer
        .score_watched(&items, &[], Some(&watch))
        .expect("scores");
    assert_eq!(bits(&watched), bits(&scorer.score(&items).expect("scores")));
    // Both accuracies first, then the others, of the one item that is timed.
    let timed = watch.timed.into_inner().expect("no panic");
    assert_eq!(timed, [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
    let fuel = watch.fuel.into_inner().expect("no panic");
    let places: Vec<usize> = fuel.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [0, 1, 0, 1]);
    assert_eq!((fuel[0].1, fuel[1].1), (0, 0));
    assert!(fuel[2].1 > 0 && fuel[2].1 <= crate::math::Explanation::BUDGET);
}
