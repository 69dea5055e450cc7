//! The grade in a judge's reply.

use assay_core::spec::RewardModel;
use serde_json::Value;

/// Words that a grade stands behind.
const WORDS: [&str; 3] = ["score", "rating", "grade"];

/// The grade of a reply, scaled so that `low` is 0 and `high` is 1.
///
/// Thoughts of the judge do not count. A grade is, in this order: the member `score`, `rating` or `grade` of a JSON object; the
/// last number behind one of those words; the last number in double brackets; the whole reply. Anything else is no grade: a
/// number that merely occurs in the text could be anything.
///
/// # Errors
///
/// A sentence, when there is no grade or it is outside `low..=high`.
pub(super) fn grade(reply: &str, options: &RewardModel) -> Result<f64, String> {
    let text = match (reply.rfind("</think>"), reply.contains("<think>")) {
        (Some(at), _) => &reply[at + "</think>".len()..],
        (None, true) => return Err("the judge never stopped thinking".to_owned()),
        (None, false) => reply,
    }
    .trim();
    let found = in_object(text)
        .or_else(|| behind_word(text, options.high))
        .or_else(|| in_brackets(text))
        .or_else(|| whole(text, options.high));
    let Some(number) = found else {
        return Err(format!(
            "the judge's reply has no grade: {:?}",
            start_of(text)
        ));
    };
    if !(options.low..=options.high).contains(&number) {
        return Err(format!(
            "the judge's grade {number} is not within {} to {}",
            options.low, options.high
        ));
    }
    Ok((number - options.low) / (options.high - options.low))
}

/// Enough of a text to recognise it.
pub(super) fn start_of(text: &str) -> String {
    let mut start: String = text.chars().take(80).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start.replace('\n', " ")
}

fn in_object(text: &str) -> Option<f64> {
    let body = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"));
    let body = body.map_or(text, |body| body.trim_end().trim_end_matches("```"));
    let object: Value = serde_json::from_str(body.trim()).ok()?;
    WORDS
        .iter()
        .find_map(|word| object.get(word))
        .and_then(Value::as_f64)
}

/// `Score: 7`, `**Rating** = 7/10`, `the score is 7`.
fn behind_word(text: &str, high: f64) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let mut last: Option<(usize, f64)> = None;
    for word in WORDS {
        for (at, _) in lower.match_indices(word) {
            let rest = &text[at + word.len()..];
            let value = rest.trim_start_matches([' ', ':', '=', '*', '_', '"', '`', '[', '(']);
            let value = value
                .strip_prefix("is ")
                .unwrap_or(value)
                .trim_start_matches([' ', '*', '[']);
            if let Some(number) = leading(value, high)
                && last.is_none_or(|(before, _)| before < at)
            {
                last = Some((at, number));
            }
        }
    }
    last.map(|(_, number)| number)
}

fn in_brackets(text: &str) -> Option<f64> {
    let start = text.rfind("[[")? + 2;
    let end = start + text[start..].find("]]")?;
    number(text[start..end].trim())
}

fn whole(text: &str, high: f64) -> Option<f64> {
    let (value, of) = text.split_once('/').unwrap_or((text, ""));
    let fits = of.is_empty() || number(of.trim().trim_end_matches('.')) == Some(high);
    number(value.trim().trim_end_matches('.')).filter(|_| fits)
}

/// The number at the start of a text, unless it is part of a word or of a fraction of anything but `high`.
fn leading(text: &str, high: f64) -> Option<f64> {
    let (value, after) = split_number(text)?;
    let mut rest = after.chars();
    match rest.next() {
        Some(letter) if letter.is_alphanumeric() || letter == '%' => None,
        Some('/') => {
            let (of, _) = split_number(after[1..].trim_start())?;
            (of == high).then_some(value)
        }
        // A range such as `1-10` is the scale and no grade.
        Some('-' | '–') if rest.next().is_some_and(|letter| letter.is_ascii_digit()) => None,
        _ => Some(value),
    }
}

fn split_number(text: &str) -> Option<(f64, &str)> {
    let bytes = text.as_bytes();
    let mut end = usize::from(bytes.first().is_some_and(|byte| b"+-".contains(byte)));
    while bytes.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1;
        while bytes.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
    }
    number(&text[..end]).map(|value| (value, &text[end..]))
}

/// Digits with a sign and a point; not `inf`, `nan` or an exponent, which Rust would read too.
fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
    if !plain {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades() {
        let options = RewardModel::default();
        for (reply, expected) in [
            ("10", 10.0),
            (" 1. ", 1.0),
            ("7/10", 7.0),
            ("It is fine.\nScore: 8", 8.0),
            ("**Score:** 7.5/10.", 7.5),
            ("Rating: [[6]]", 6.0),
            ("I say [[3]], no: [[4]]", 4.0),
            ("{\"score\": 9, \"why\": \"2 errors\"}", 9.0),
            ("```json\n{\"grade\": 2}\n```", 2.0),
            ("<think>Score: 1</think>The score is 5.", 5.0),
            ("Score: 3\nScore: 4", 4.0),
        ] {
            assert_eq!(
                grade(reply, &options),
                Ok((expected - 1.0) / 9.0),
                "{reply}"
            );
        }
    }

    #[test]
    fn what_is_no_grade_is_never_a_number() {
        let options = RewardModel::default();
        for reply in [
            "",
            "I cannot grade this.",
            "There are 2 errors.",
            "Score: N",
            "Score: 11",
            "Score: -3",
            "Score: 7/5",
            "Score: 70%",
            "score from 1-10",
            "Score: NaN",
            "inf",
            "{\"score\": null}",
            "{\"score\": \"high\"}",
            "<think>Score: 5",
            "[[x]]",
            "1e1",
            "8th",
        ] {
            assert!(grade(reply, &options).is_err(), "{reply}");
        }
    }
}
