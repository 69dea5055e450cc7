//! A comparison ends, says the same twice, and says the same the other way round when it is sure.
#![no_main]
use assay_core::math::{Options, Outcome, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (gold, answer) = text.split_once('\n').unwrap_or((&text, &text));
    let options = Options::default();
    let verdict = verify(gold, answer, &options);
    assert_eq!(verdict, verify(gold, answer, &options), "not deterministic");
    if gold == answer {
        assert_ne!(verdict.outcome, Outcome::Different, "an answer differs from itself");
    }
});
