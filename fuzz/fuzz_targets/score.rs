//! A whole spec over any completion and reference: a number exactly when the status is `scored`.
#![no_main]
use std::sync::LazyLock;

use assay_core::score::{Item, Scorer, Status};
use assay_core::spec::RewardSpec;
use libfuzzer_sys::fuzz_target;

static SCORER: LazyLock<Scorer> = LazyLock::new(|| {
    let spec = r#"{"component": [{"kind": "accuracy"}, {"kind": "format"}, {"kind": "tags"},
        {"kind": "repetition"}, {"kind": "length", "mode": "soft_overlong", "max_length": 64, "buffer": 8, "unit": "words"}]}"#;
    Scorer::new(RewardSpec::from_json(spec).expect("the spec is valid")).expect("the spec needs no tokenizer")
});

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (reference, completion) = text.split_once('\n').unwrap_or(("42", &text));
    let item = Item { completion, reference: Some(reference), prompt: None };
    let scores = SCORER.score(&[item]).expect("one item of any text is a valid batch");
    assert_eq!(scores.total[0].is_nan(), scores.status[0] != Status::Scored);
});
