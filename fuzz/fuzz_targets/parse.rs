//! Any text parses or is refused, and so does what each reading renders to; neither panics.
#![no_main]
use assay_core::math::{parse, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let options = parse::ParseOptions::default();
    if let Ok(parsed) = parse::parse(&text, &options) {
        assert!((1..=8).contains(&parsed.readings.len()), "{} readings", parsed.readings.len());
        for value in &parsed.readings {
            let _ = parse::parse(&render::render(value), &options);
        }
    }
});
