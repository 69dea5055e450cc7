//! A comparison ends within its fuel, says the same twice, and never the opposite the other way round.
#![no_main]
use assay_core::math::{Explanation, Gold, Options, Outcome, explain, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (gold, answer) = text.split_once('\n').unwrap_or((&text, &text));
    let options = Options::default();
    let verdict = verify(gold, answer, &options);
    assert_eq!(verdict, verify(gold, answer, &options), "not deterministic");
    // What is undefined, 1/0 or a number plus a matrix, equals nothing, not even itself.
    if gold == answer && !verdict.reason.starts_with("undefined") {
        assert_ne!(verdict.outcome, Outcome::Different, "an answer differs from itself");
    }
    if Gold::new(gold, &options).is_readable() && Gold::new(answer, &options).is_readable() {
        let back = verify(answer, gold, &options).outcome;
        let opposite = verdict.outcome != back && verdict.outcome != Outcome::Undecided && back != Outcome::Undecided;
        assert!(!opposite, "{:?} one way, {back:?} the other", verdict.outcome);
    }
    let explanation = explain(gold, answer, &options);
    let pairs = explanation.compared.len().max(1) as u64;
    assert!(explanation.fuel <= pairs * Explanation::BUDGET, "{} spent", explanation.fuel);
});
