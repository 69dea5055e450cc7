//! Any text parses or is refused, and what parses renders to something that parses.
#![no_main]
use assay_core::math::{parse, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(parsed) = parse::parse(&text, &parse::ParseOptions::default()) {
        for value in &parsed.readings {
            let _ = parse::parse(&render::render(value), &parse::ParseOptions::default());
        }
    }
});
