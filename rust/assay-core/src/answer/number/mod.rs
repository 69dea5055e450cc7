//! The last number of running text, taken whole: never a piece of a formula, a word or a label.

mod accept;
mod run;

use std::ops::Range;

use super::formula::{self, Formula};
use accept::accept;
use run::Line;

/// How much of a sentence is searched for a calculation, in bytes.
const SENTENCE: usize = 512;

/// A number, or the plain-text formula around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it stands.
    pub(crate) span: Range<usize>,
    /// A number with its sign, separators, percent sign and unit; otherwise a formula with operators or brackets.
    pub(crate) pure: bool,
}

/// The last number of `text` outside `formulas` (sorted) and `blocked`.
///
/// Linear: every candidate is looked at once, none reads past the one to its right, and a line is measured once.
pub(crate) fn last(text: &str, formulas: &[Formula], blocked: &[Range<usize>]) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut limit = bytes.len();
    let mut line_start = limit + 1;
    while let Some(digit) = bytes[..limit].iter().rposition(u8::is_ascii_digit) {
        if let Some(formula) = formula::containing(formulas, digit) {
            limit = formula.outer.start;
            continue;
        }
        if let Some(range) = blocked.iter().find(|range| range.contains(&digit)) {
            limit = range.start;
            continue;
        }
        if digit < line_start {
            line_start = memchr::memrchr(b'\n', &bytes[..digit]).map_or(0, |at| at + 1);
        }
        let before = formulas.partition_point(|formula| formula.outer.end <= digit);
        let floor = before
            .checked_sub(1)
            .map_or(0, |index| formulas[index].outer.end);
        let line = Line {
            text,
            start: line_start.max(floor),
            end: memchr::memchr(b'\n', &bytes[digit..limit]).map_or(limit, |length| digit + length),
        };
        let (run, complete) = line.expand(digit);
        if complete && let Some(found) = accept(text, line_start, &run) {
            return Some(found);
        }
        limit = run.start.min(digit);
    }
    None
}

/// The result of the last calculation before `found` in its sentence: in "3 + 4 = 7 apples in 2 boxes" it is 7.
pub(crate) fn result_before(text: &str, found: &Found, formulas: &[Formula]) -> Option<Found> {
    let bytes = text.as_bytes();
    let near = text.ceil_char_boundary(found.span.start.saturating_sub(SENTENCE));
    let head = &text[near..found.span.start];
    let equals = near + head.rfind('=')?;
    let between = &text[equals + 1..found.span.start];
    if between.contains(['\n', '。']) || between.contains(". ") || between.contains("? ") {
        return None;
    }
    let digit = equals + 1 + between.bytes().position(|byte| byte.is_ascii_digit())?;
    let plain = |range: Range<usize>| text[range].chars().all(|next| " $€£¥-−*".contains(next));
    if formula::containing(formulas, digit).is_some() || !plain(equals + 1..digit) {
        return None;
    }
    let line_start = memchr::memrchr(b'\n', &bytes[..digit]).map_or(0, |at| at + 1);
    let line = Line {
        text,
        start: equals + 1,
        end: found.span.start,
    };
    let (run, complete) = line.expand(digit);
    complete.then(|| accept(text, line_start, &run)).flatten()
}

/// Names that stand in formulas.
const NAMES: [&str; 18] = [
    "sqrt", "pi", "sin", "cos", "tan", "log", "ln", "exp", "inf", "infty", "oo", "frac", "gcd",
    "lcm", "min", "max", "abs", "mod",
];

/// Whether `text` holds a word of two or more letters that is no command and no function.
pub(crate) fn has_prose(text: &str) -> bool {
    let mut before = None;
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphabetic) {
        before = rest[..start].chars().next_back().or(before);
        let word = &rest[start..];
        let length = word
            .find(|character: char| !character.is_alphabetic())
            .unwrap_or(word.len());
        let word = &word[..length];
        let letters = word.chars().take(2).count();
        if letters > 1 && before != Some('\\') && !NAMES.contains(&word) {
            return true;
        }
        before = None;
        rest = &rest[start + length..];
    }
    false
}
