//! Formulas between `$..$`, `$$..$$`, `\(..\)` and `\[..\]`.

use std::ops::Range;

use memchr::memchr2;

/// A formula in running text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Formula {
    /// With its delimiters.
    pub(crate) outer: Range<usize>,
    /// Without them.
    pub(crate) inner: Range<usize>,
    /// The closing delimiter was found. An open formula runs to the end of its paragraph and is never an answer.
    pub(crate) closed: bool,
}

/// All formulas of `text`, in order. One forward pass: a dollar sign can be paired only from the left.
///
/// A single `$` opens a formula as Markdown readers have it: `costs $15 and $20` holds none, because the second dollar
/// sign follows a space and precedes a digit. `$ x $`, with spaces on both sides, is one.
pub(crate) fn all(text: &str) -> Vec<Formula> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    // A close that was once not found is not there later either: without this, unclosed openers cost quadratic time.
    let mut exhausted = [false; KINDS.len()];
    let mut at = 0;
    while let Some(skip) = bytes.get(at..).and_then(|rest| memchr2(b'$', b'\\', rest)) {
        at += skip;
        let rest = &bytes[at..];
        let kind = KINDS
            .iter()
            .position(|(open, _)| rest.starts_with(open.as_bytes()));
        if let Some(kind) = kind {
            let close = if exhausted[kind] {
                None
            } else {
                find(bytes, at + 2, KINDS[kind].1.as_bytes())
            };
            exhausted[kind] = close.is_none();
            let end = close.map_or_else(|| paragraph_end(bytes, at), |close| close + 2);
            found.push(Formula {
                outer: at..end,
                inner: at + 2..close.unwrap_or(end).max(at + 2),
                closed: close.is_some(),
            });
            at = end.max(at + 2);
        } else if rest[0] == b'\\' {
            at += 2;
        } else if let Some(close) = inline_close(bytes, at) {
            found.push(Formula {
                outer: at..close + 1,
                inner: at + 1..close,
                closed: true,
            });
            at = close + 1;
        } else {
            at += 1;
        }
    }
    found
}

/// Delimiters of two bytes, opening and closing.
const KINDS: [(&str, &str); 3] = [("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$")];

/// The next empty line after `from`, or the end.
fn paragraph_end(bytes: &[u8], from: usize) -> usize {
    memchr::memmem::find(&bytes[from..], b"\n\n").map_or(bytes.len(), |length| from + length)
}

/// The next unescaped `needle` from `from` on.
fn find(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let mut at = from;
    while let Some(skip) = memchr2(b'\\', needle[0], bytes.get(at..)?) {
        at += skip;
        if bytes[at..].starts_with(needle) {
            return Some(at);
        }
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    None
}

/// The dollar sign that closes the inline formula opened at `open`. It must be the next one, in the same line.
fn inline_close(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    let close = loop {
        at += memchr2(b'$', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'$' {
            break at;
        }
        at += 2;
    };
    let inner = &bytes[open + 1..close];
    let (first, last) = (inner.first()?, inner.last()?);
    let spaced = (first.is_ascii_whitespace(), last.is_ascii_whitespace());
    let digit_after = bytes.get(close + 1).is_some_and(u8::is_ascii_digit);
    let paired = match spaced {
        (false, false) => true,
        (true, true) => inner.iter().any(|byte| !byte.is_ascii_whitespace()),
        _ => false,
    };
    let one_line = !inner.contains(&b'\n');
    (paired && one_line && !digit_after).then_some(close)
}

/// The formula that contains the byte at `at`, by binary search.
pub(crate) fn containing(formulas: &[Formula], at: usize) -> Option<&Formula> {
    let index = formulas.partition_point(|formula| formula.outer.end <= at);
    formulas
        .get(index)
        .filter(|formula| formula.outer.start <= at)
}
