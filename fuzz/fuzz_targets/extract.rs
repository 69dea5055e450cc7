//! Every profile returns an answer that is not blank, from a span inside the text, on character boundaries.
#![no_main]
use assay_core::answer::{Profile, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for profile in Profile::ALL {
        if let Some(found) = extract(&text, profile) {
            assert!(text.get(found.span).is_some(), "the span is not inside the text");
            assert!(!found.text.trim().is_empty(), "{profile:?}: a blank answer");
        }
    }
});
