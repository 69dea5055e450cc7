//! Whether a run is an answer, and what of it.

use std::ops::Range;

use super::super::trim;
use super::run::unmatched;
use super::{Found, has_prose};

/// How much text after a number is looked at to see whether it is part of something larger, in bytes.
const REST: usize = 64;

/// The answer in `run`, or nothing if the number is part of a word, a label, a list marker or a denied statement.
pub(super) fn accept(text: &str, line_start: usize, run: &Range<usize>) -> Option<Found> {
    let span = bare(text, run.clone());
    let word = &text[span.clone()];
    let head = &text[line_start.min(span.start)..span.start];
    let rest = &text[span.end..text.floor_char_boundary(span.end + REST)];
    let rest = rest.split('\n').next().unwrap_or(rest);
    if !word.bytes().any(|byte| byte.is_ascii_digit())
        || is_label(head)
        || is_marker(head, word, rest)
        || is_cut(head, rest)
        || trim::denies(head)
    {
        return None;
    }
    if let Some(length) = number_length(word) {
        return Some(Found {
            span: span.start..span.start + length,
            pure: true,
        });
    }
    let identifier = word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!identifier && !has_prose(word)).then_some(Found { span, pure: false })
}

/// `span` without Markdown, end punctuation and brackets whose partner is elsewhere.
fn bare(text: &str, span: Range<usize>) -> Range<usize> {
    const OPEN: [char; 3] = ['(', '[', '{'];
    const CLOSE: [char; 3] = [')', ']', '}'];
    let mut span = span;
    // A few layers are all that honest text has; the bound keeps a run of a thousand brackets cheap.
    for _ in 0..4 {
        span = trim::clean(text, span);
        let word = &text[span.clone()];
        let kept =
            word.trim_end_matches(['_', '|', '/', '-', '<', '>', '+', '\\', '$', '(', '[', '{']);
        span.end = span.start + kept.len();
        let kept = kept.trim_start_matches(['_', '|', '/', '<', '>', ',', '~', ')', ']', '}']);
        span.start = span.end - kept.len();
        let (opened, closed) = unmatched(kept.as_bytes());
        let leading = kept
            .chars()
            .take_while(|first| OPEN.contains(first))
            .count();
        let trailing = kept
            .chars()
            .rev()
            .take_while(|last| CLOSE.contains(last))
            .count();
        span.start += opened.min(leading);
        span.end = (span.end - closed.min(trailing)).max(span.start);
    }
    trim::clean(text, span)
}

/// Whether `head` ends in a word that makes the number after it a label: "Step 3", "Figure 2".
fn is_label(head: &str) -> bool {
    const LABELS: [&str; 16] = [
        "step", "steps", "question", "problem", "part", "case", "figure", "equation", "example",
        "chapter", "section", "method", "table", "eq", "no", "page",
    ];
    let head = head.trim_end_matches([' ', '(', '#', '.', '*']);
    let start = head
        .rfind(|character: char| !character.is_ascii_alphabetic())
        .map_or(0, |at| {
            at + head[at..].chars().next().map_or(0, char::len_utf8)
        });
    let word = &head[start..];
    LABELS.iter().any(|label| label.eq_ignore_ascii_case(word))
}

/// Whether the number is the marker of a list entry: `3. Then ..`, `2) ..`.
fn is_marker(head: &str, word: &str, rest: &str) -> bool {
    head.len() <= REST
        && head
            .trim_matches([' ', '\t', '*', '#', '-', '>', '('])
            .is_empty()
        && word.len() <= 3
        && word.bytes().all(|byte| byte.is_ascii_digit())
        && rest.strip_prefix(['.', ')', ':']).is_some_and(|rest| {
            rest.starts_with([' ', '*']) && !rest.trim_matches([' ', '*']).is_empty()
        })
}

/// Whether an operator joins the number to something that is not read as an operand. A dash may be punctuation.
fn is_cut(head: &str, rest: &str) -> bool {
    const JOINING: [char; 6] = ['+', '×', '÷', '·', '^', '±'];
    let before = head.trim_end();
    let bullet = before.trim_start().len() <= 1;
    (!bullet && before.ends_with(JOINING)) || rest.trim_start().starts_with(JOINING)
}

/// The length of the number at the start of `word`, if all of `word` is one number with an optional unit.
fn number_length(word: &str) -> Option<usize> {
    let body = word.trim_start_matches(['+', '-', '−', '–', '$', '€', '£', '¥', '\\']);
    let signs = word.len() - body.len();
    if signs > 6 {
        return None;
    }
    let digits = body
        .find(|character: char| !(character.is_ascii_digit() || ".,:/ ".contains(character)))
        .unwrap_or(body.len());
    let digits = body[..digits].trim_end().len();
    let number = &body[..digits];
    if !number.bytes().any(|byte| byte.is_ascii_digit()) || number.contains("//") {
        return None;
    }
    let unit = &body[digits..];
    if ["st", "nd", "rd", "th"].contains(&unit) {
        return Some(signs + digits);
    }
    let percent = ["", "%", "\\%", " %", " \\%", "°", "$", "€", "£", "\\$"].contains(&unit);
    let letters = unit.trim_end_matches(['²', '³', '2', '3', '^']);
    let named = letters.len() > 1
        && letters
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    (percent || named).then_some(word.len())
}
