//! What holds for every completion and every profile.

use assay_core::answer::{Profile, Source, Think, extract, extract_explained, sections};
use assay_core::text;
use proptest::prelude::*;

/// Text made of what the rules look for, cut and joined at random.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "<think>", "</think>", "<answer>", "</answer>", "\\boxed", "\\fbox", "\\framebox[", "{", "}", "(", ")", "[", "]", "$", "$$",
            "\\(", "\\)", "\\[", "\\]", "\\", "####", "#", "\n", " ", "answer", "Answer:", " is ", "not ", "答案", "是", "：", "。", "，", "**",
            "*", "_", "`", "\"", "“", ".", ",", ":", "=", "+", "-", "/", "^", "1", "23", "4.5", "x", "B", "option ", "or", "and", "Step ",
            "%", "€", "é", "√", "²", "\u{3000}", "\u{fffd}", "\0", "，因为", "isn't ", "but ", "\\%", "１", "st", "km",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_profile_answers_every_string(completion in prop_oneof![3 => hostile(), 1 => any::<String>()]) {
        for profile in Profile::ALL {
            let found = extract(&completion, profile);
            prop_assert_eq!(&found, &extract(&completion, profile));
            if let Some(found) = found {
                prop_assert!(!found.text.trim().is_empty(), "{profile:?} of {completion:?}: blank");
                let there = completion.get(found.span.clone());
                prop_assert!(there.is_some(), "{profile:?} of {completion:?}: span {:?}", found.span);
                if found.source != Source::Boxed && profile != Profile::Gsm8kStrict && profile != Profile::Gsm8kFlexible {
                    prop_assert_eq!(there.unwrap_or_default(), found.text);
                }
            }
        }
    }

    #[test]
    fn sections_are_spans_in_order(completion in hostile(), in_prompt: bool) {
        let found = sections(&completion, in_prompt);
        prop_assert!(completion.get(found.tail.clone()).is_some());
        prop_assert_eq!(found.tail.end, completion.len());
        if let Some(think) = &found.think {
            prop_assert!(completion.get(think.clone()).is_some());
            prop_assert!(think.end <= found.tail.start);
        }
        if let Some(answer) = &found.answer {
            prop_assert!(completion.get(answer.clone()).is_some());
            prop_assert!(answer.start >= found.tail.start);
        }
        let (format, tags) = (text::format(&found), text::tags(&found));
        prop_assert!(format == 0.0 || format == 1.0);
        prop_assert!((0.0..=1.0).contains(&tags));
        prop_assert!(format == 0.0 || tags == 1.0, "a well-formed completion has every tag once");
    }

    /// Thoughts never change the answer.
    #[test]
    fn thoughts_do_not_count(thoughts in hostile(), rest in hostile()) {
        let rest = rest.replace("think>", "");
        let completion = format!("<think>{thoughts}</think>{rest}");
        prop_assert_eq!(sections(&completion, false).state, Think::Closed);
        let with = extract_explained(&completion, Profile::R1).map(|found| (found.text, found.source));
        let without = extract_explained(&format!("</think>{rest}"), Profile::R1).map(|found| (found.text, found.source));
        prop_assert_eq!(with, without);
    }
}

/// Cost is linear: inputs that make naive rules quadratic stay quick enough to run here at all.
#[test]
fn long_hostile_completions_end() {
    let units = [
        "\\boxed{",
        "{",
        "}",
        "\\",
        "$",
        "$ ",
        "\\(",
        "\\[\n\n",
        "(",
        "1) ",
        "(1 ",
        "answer is ",
        "Answer:",
        "答案",
        "答案是",
        "#### ",
        "####",
        "<",
        "<think>",
        "<answer>",
        "option ",
        "1 + ",
        "1+",
        "x1 ",
        "Step 1 ",
        "not 5 ",
        ". ",
        "* ",
        "` ",
        "\\boxed{1}, ",
        "$1$ and ",
        "1,",
        "-",
        "the answer is not 5. ",
        "é",
        "\\boxed 5 ",
        "{\\boxed{1} ",
        "answer\n",
        "because ",
        "B) ",
        "\\text{ or } ",
    ];
    for unit in units {
        let completion = unit.repeat(100_000 / unit.len());
        for profile in Profile::ALL {
            let _ = extract(&completion, profile);
        }
    }
}
