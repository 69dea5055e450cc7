//! Option letters: `(B)` at the end, `option B`.

use std::ops::Range;

use super::trim;

/// How much of the last line is looked at, in bytes.
const REACH: usize = 512;

/// The option letter that `text` ends with, or that its last "option X" or "choice X" names.
pub(crate) fn last(text: &str) -> Option<Range<usize>> {
    let end = text.trim_end().len();
    let reach = text.floor_char_boundary(end.saturating_sub(REACH));
    let start =
        memchr::memrchr(b'\n', &text.as_bytes()[reach..end]).map_or(reach, |at| reach + at + 1);
    let line = trim::clean(text, start..end);
    if let Some(letter) = whole(text, line.clone()) {
        return Some(letter);
    }
    if let Some(letter) = parenthesised_end(text, line.clone()) {
        return Some(letter);
    }
    named(text, line)
}

/// The letter of a span that is an option and nothing else: `B`, `(B)`, `B)`, `[B]`.
pub(crate) fn whole(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let inner = &text[span.clone()];
    let letter = inner.trim_matches(['(', ')', '[', ']', '.', '*']);
    let start = span.start + inner.find(letter)?;
    is_option(letter).then(|| start..start + 1)
}

/// Whether `text` starts with an option letter dressed as one: `(B)`, `B.`, `B) 12`, or is the letter alone.
pub(crate) fn leads(text: &str) -> bool {
    let rest = text.trim_start_matches(['(', '[', '*']);
    let mut characters = rest.chars();
    let letter = characters
        .next()
        .is_some_and(|first| ('A'..='J').contains(&first));
    letter && characters.next().is_none_or(|next| ".):],*".contains(next))
}

fn is_option(letter: &str) -> bool {
    matches!(letter.as_bytes(), [b'A'..=b'J'])
}

/// `.. is (B)` or `.. (B).`, where the letter stands alone in its parentheses after a space.
fn parenthesised_end(text: &str, line: Range<usize>) -> Option<Range<usize>> {
    let inner = &text[line.clone()];
    let head = inner.strip_suffix(')')?;
    let letter = head.get(head.len().checked_sub(1)?..)?;
    let before = head[..head.len() - 1].strip_suffix('(')?;
    let at = line.start + head.len() - 1;
    (is_option(letter) && before.ends_with([' ', '*', '：', ':'])).then(|| at..at + 1)
}

/// "Option B is right": the last such mention in the last line.
fn named(text: &str, line: Range<usize>) -> Option<Range<usize>> {
    let inner = &text[line.clone()];
    let lower = inner.to_ascii_lowercase();
    let mut end = lower.len();
    loop {
        let (at, word) = ["option", "choice", "选项", "选"]
            .iter()
            .filter_map(|word| lower[..end].rfind(word).map(|at| (at, *word)))
            .max_by_key(|&(at, word)| (at, word.len()))?;
        let after = at + word.len();
        let rest = inner[after..].trim_start_matches([' ', '(', '*', '[', ':', '：']);
        let start = inner.len() - rest.len();
        let alone = |rest: &str| {
            rest.chars()
                .nth(1)
                .is_none_or(|next| !next.is_ascii_alphanumeric())
        };
        if rest.get(..1).is_some_and(is_option) && alone(rest) && !trim::denies(&inner[..at]) {
            return Some(line.start + start..line.start + start + 1);
        }
        end = at;
    }
}
