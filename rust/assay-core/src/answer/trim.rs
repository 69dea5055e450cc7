//! Taking Markdown, quotes and end-of-sentence punctuation off an answer.

use std::ops::Range;

/// Punctuation that ends a sentence or a clause and is no part of an answer.
const PUNCTUATION: [char; 10] = ['.', ',', ';', ':', '。', '，', '；', '：', '、', '！'];

/// `span` of `text` without surrounding white space.
pub(crate) fn blank(text: &str, span: Range<usize>) -> Range<usize> {
    let inner = &text[span.clone()];
    let start = span.start + (inner.len() - inner.trim_start().len());
    start..start + inner.trim().len()
}

/// `span` of `text` without white space, Markdown emphasis, code quotes, quotation marks and final punctuation.
///
/// Emphasis is taken off in pairs, or alone where its partner is outside the span (`**Answer: 5**` leaves `5**`).
pub(crate) fn clean(text: &str, span: Range<usize>) -> Range<usize> {
    let mut span = span;
    loop {
        let before = span.clone();
        span = blank(text, span);
        let inner = &text[span.clone()];
        let ended = inner.trim_end_matches(PUNCTUATION).len();
        // An ellipsis belongs to a sequence.
        if ended < inner.len() && !inner.ends_with("...") {
            span.end = span.start + ended;
            continue;
        }
        for mark in ["**", "__", "`", "\"", "*", "~~"] {
            let inner = &text[span.clone()];
            if let Some(rest) = inner.strip_prefix(mark) {
                // `*` alone in front may be a bullet, never a sign.
                span.start = span.end - rest.len();
            }
            let inner = &text[span.clone()];
            if let Some(rest) = inner.strip_suffix(mark) {
                span.end = span.start + rest.len();
            }
        }
        for (open, close) in [("“", "”"), ("「", "」"), ("'", "'"), ("‘", "’")] {
            let inner = &text[span.clone()];
            if let Some(rest) = inner
                .strip_prefix(open)
                .and_then(|rest| rest.strip_suffix(close))
            {
                span.start += open.len();
                span.end = span.start + rest.len();
            }
        }
        if span == before {
            return span;
        }
    }
}

/// Whether `head` ends in a word that denies what follows: "not", "isn't", "不是", an unequal sign.
pub(crate) fn denies(head: &str) -> bool {
    let head = head.trim_end_matches([' ', '*', '_', '$']);
    if ["不是", "并非", "不为", "≠", "!=", "\\neq", "\\ne"]
        .iter()
        .any(|mark| head.ends_with(mark))
    {
        return true;
    }
    // The longest word asked for has seven bytes; a bound keeps scripts without spaces linear.
    let near = &head[head.ceil_char_boundary(head.len().saturating_sub(12))..];
    let word = near
        .rsplit(|character: char| !(character.is_alphabetic() || "'’".contains(character)))
        .next()
        .unwrap_or(near);
    let word = word.to_ascii_lowercase();
    word == "not" || word == "never" || word.ends_with("n't") || word.ends_with("n’t")
}
