//! What holds of the text rewards for every text.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use assay_core::text::{
    Cosine, Language, Repetition, SoftOverlong, cosine, language, mixing, readability,
    readability_report, repetition_tokens, repetition_words, soft_overlong,
};
use proptest::prelude::*;

fn options(ngram: usize) -> Repetition {
    Repetition {
        ngram: NonZeroUsize::new(ngram).unwrap_or(NonZeroUsize::MIN),
        max_penalty: -1.0,
    }
}

/// Text with much repetition, in several scripts, with markup.
fn prose() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "the ", "answer ", "is ", "THE ", "número ", "es ", "die ", "Zahl ", "等一下", "答案", "です", "слово ", "كلمة ", "한국어 ",
            "คำ", "λέξη ", ". ", ", ", "\n", "\n\n", "$", "$x$ ", "$$", "\\(", "\\)", "\\[", "\\frac{1}{2} ", "`", "```", "<think>", "<",
            "http://a.b/ ", "--flag ", "x_1 ", "H2O ", "l'eau ", "don’t ", "ΑΣ ", "İ ", "\u{85}", "\u{1c}", "\u{3000}", "\u{fffd}", "\0",
            "a\u{301}\u{301}", "12 ", "NASA ", "Tom ", "\u{200c}", "ー",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn values_are_in_range(text in prop_oneof![4 => prose(), 1 => any::<String>()], target in prop::sample::select(Language::ALL.to_vec())) {
        let share = language(&text, target);
        prop_assert!((0.0..=1.0).contains(&share));
        let report = mixing(&text, target);
        prop_assert_eq!(report.share(), share);
        let mut end = 0;
        for mixed in &report.spans {
            prop_assert!(text.get(mixed.span.clone()).is_some_and(|words| !words.is_empty()));
            prop_assert!(mixed.span.start >= end && mixed.language != Some(target));
            end = mixed.span.end;
        }
        prop_assert_eq!(report.spans.iter().map(|mixed| mixed.words).sum::<u64>(), report.other);
        let report = readability_report(&text);
        for fault in [report.looping, report.garbled, report.endless, report.value()] {
            prop_assert!((0.0..=1.0).contains(&fault), "{report:?}");
        }
        prop_assert_eq!(report.value(), readability(&text));
        for ngram in 1..5 {
            prop_assert!((-1.0..=0.0).contains(&repetition_words(&text, &options(ngram))));
        }
    }

    /// Code, formulas, links and numbers after the prose change nothing.
    #[test]
    fn what_is_no_prose_does_not_mix(text in "([A-Za-z]{1,9}[ .,]){0,30}", target in prop::sample::select(Language::ALL.to_vec())) {
        let alone = language(&text, target);
        for markup in ["```\n数字 слово words\n```", "`слово 数字`", "$数字$", "\\[ слово \\]", "12 34", "https://数字.слово/words"] {
            prop_assert_eq!(language(&format!("{text}\n\n{markup}\n"), target), alone, "{}", markup);
        }
    }

    #[test]
    fn repetition_counts_what_sets_count(ids in prop::collection::vec(0_u32..6, 0..60), ngram in 1_usize..9) {
        let windows: Vec<&[u32]> = ids.windows(ngram).collect();
        let distinct: HashSet<&[u32]> = windows.iter().copied().collect();
        let expected = if windows.is_empty() || distinct.len() == windows.len() {
            0.0
        } else {
            distinct.len() as f64 / windows.len() as f64 - 1.0
        };
        prop_assert_eq!(repetition_tokens(&ids, &options(ngram)), expected);
        let words: Vec<String> = ids.iter().map(|id| format!("w{id}")).collect();
        prop_assert_eq!(repetition_words(&words.join(" "), &options(ngram)), expected);
        // Names do not matter, only which are the same.
        let renamed: Vec<u32> = ids.iter().map(|id| u32::MAX - id * 1_000).collect();
        prop_assert_eq!(repetition_tokens(&renamed, &options(ngram)), expected);
    }

    #[test]
    fn case_and_spacing_do_not_matter_to_words(words in prop::collection::vec("[a-c]{1,2}", 0..40), ngram in 1_usize..5) {
        let plain = repetition_words(&words.join(" "), &options(ngram));
        prop_assert_eq!(repetition_words(&words.join("\u{3000}\n\u{1d}").to_uppercase(), &options(ngram)), plain);
    }

    #[test]
    fn lengths_fall_and_rise(length in 0_usize..4_000, max_length in 1_usize..2_000, buffer in 1_usize..2_000) {
        let options = Cosine { max_length, min_correct: 0.5, max_correct: 1.0, min_wrong: -1.0, max_wrong: -0.5 };
        let (right, wrong) = (cosine(length, true, &options), cosine(length, false, &options));
        prop_assert!((0.5..=1.0).contains(&right) && (-1.0..=-0.5).contains(&wrong));
        prop_assert!(cosine(length + 1, true, &options) <= right && cosine(length + 1, false, &options) >= wrong);
        prop_assert_eq!(cosine(max_length, true, &options), cosine(max_length + length, true, &options));
        let options = SoftOverlong { max_length, buffer: buffer.min(max_length) };
        let value = soft_overlong(length, options);
        prop_assert!((-1.0..=0.0).contains(&value) && soft_overlong(length + 1, options) <= value);
    }
}

/// Cost is linear: inputs that make naive readers quadratic stay quick enough to run here at all.
#[test]
fn long_hostile_texts_end() {
    let units = [
        "$",
        "$$",
        "$$ ",
        "`",
        "` ",
        "```",
        "\\(",
        "\\(\n\n",
        "\\[ ",
        "\\[x\\] ",
        "\\frac{",
        "{",
        "<",
        "<a",
        "--",
        "--a",
        "http://",
        "w",
        "a",
        "á",
        "数",
        "か",
        "数か",
        "a b ",
        "ab ",
        "the ",
        "the, ",
        "'",
        "a'",
        "\u{301}",
        "\u{200c}",
        "a\n",
        "\n",
        "abcdefgh",
        "abcdefghi ",
        "слово ",
        "คำ",
    ];
    for unit in units {
        let text = unit.repeat(1_000_000 / unit.len());
        for target in [Language::En, Language::Zh, Language::Ja, Language::Ru] {
            let _ = language(&text, target);
        }
        let _ = readability(&text);
        let _ = repetition_words(&text, &options(3));
    }
}
