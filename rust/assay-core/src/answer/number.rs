//! The last number of running text, taken whole: never a piece of a formula, a word or a label.

use std::ops::Range;

use super::formula::{self, Formula};
use super::trim;

/// A number, or the plain-text formula around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it stands.
    pub(crate) span: Range<usize>,
    /// A number with its sign, separators, percent sign and unit; otherwise a formula with operators or brackets.
    pub(crate) pure: bool,
}

/// How far the partner of a bracket is looked for, in bytes.
const BRACKET_REACH: usize = 256;

/// How much of a sentence is searched for a calculation, in bytes.
const SENTENCE: usize = 512;

/// How many brackets are followed to their partners before a formula counts as unreadable.
const BRACKET_DEPTH: usize = 16;

/// How much text after a number is looked at to see whether it is part of something larger, in bytes.
const REST: usize = 64;

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

/// The part of a line in which a run may grow.
struct Line<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

/// What was found on the other side of an unmatched bracket.
enum Partner {
    /// The run, widened to the partner.
    Run(Range<usize>),
    /// No partner, or prose between the two: the bracket is punctuation.
    None,
    /// Too far to look: the number is part of something large.
    Far,
}

impl Line<'_> {
    /// The run of formula characters round `digit`, over spaced operators and to the partners of its brackets, and
    /// whether it is known to be all of the formula.
    fn expand(&self, digit: usize) -> (Range<usize>, bool) {
        let mut run = self.word_start(digit)..self.word_end(digit);
        for _ in 0..BRACKET_DEPTH {
            while let Some(end) = self.operand_after(run.end) {
                run.end = end;
            }
            while let Some(start) = self.operand_before(run.start) {
                run.start = start;
            }
            match self.bracket(&run) {
                Partner::Run(wider) => {
                    run = self.word_start(wider.start)..self.word_end(wider.end);
                }
                Partner::Far => return (run, false),
                Partner::None => {
                    while let Some(start) = self.thousands_before(&run) {
                        run.start = start;
                    }
                    for mark in [" %", " \\%"] {
                        if self.text[run.end..self.end].starts_with(mark) {
                            run.end += mark.len();
                        }
                    }
                    return (run, true);
                }
            }
        }
        (run, false)
    }

    fn word_start(&self, from: usize) -> usize {
        let mut start = from;
        let mut next = self.text[start..self.end].chars().next();
        let mut after_next = None;
        for character in self.text[self.start..from].chars().rev() {
            if !is_inline(character, next, after_next) {
                break;
            }
            start -= character.len_utf8();
            (after_next, next) = (next, Some(character));
        }
        start
    }

    fn word_end(&self, from: usize) -> usize {
        let mut characters = self.text[from..self.end].chars();
        let mut end = from;
        while let Some(character) = characters.next() {
            let mut ahead = characters.clone();
            if !is_inline(character, ahead.next(), ahead.next()) {
                break;
            }
            end += character.len_utf8();
        }
        end
    }

    /// The end of the operand in ` + x`; `at` is the end of the operand before it.
    fn operand_after(&self, at: usize) -> Option<usize> {
        let rest = &self.text[at..self.end];
        let operation = rest.trim_start_matches(' ');
        let operator = operation
            .chars()
            .next()
            .filter(|&found| is_operator(found))?;
        let after = &operation[operator.len_utf8()..];
        let operand = after.trim_start_matches(' ');
        if operation.len() == rest.len() || operand.len() == after.len() {
            return None;
        }
        let start = self.end - operand.len();
        let end = self.word_end(start);
        is_operand(&self.text[start..end]).then_some(end)
    }

    /// The start of the operand in `x + `; `at` is the start of the operand after it.
    fn operand_before(&self, at: usize) -> Option<usize> {
        let rest = &self.text[self.start..at];
        let operation = rest.trim_end_matches(' ');
        let operator = operation
            .chars()
            .next_back()
            .filter(|&found| is_operator(found))?;
        let before = &operation[..operation.len() - operator.len_utf8()];
        let operand = before.trim_end_matches(' ');
        if operation.len() == rest.len() || operand.len() == before.len() {
            return None;
        }
        let end = self.start + operand.len();
        let start = self.word_start(end);
        is_operand(&self.text[start..end]).then_some(start)
    }

    /// The start of the group before, where `run` is the rest of a number like `12 345`.
    fn thousands_before(&self, run: &Range<usize>) -> Option<usize> {
        let group = &self.text.as_bytes()[run.clone()];
        let three = group.len() == 3 || matches!(group.get(3), Some(b'.' | b' '));
        if !three || !group[..3].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let before = self.text[self.start..run.start].strip_suffix(' ')?;
        let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
        let sign = before[..before.len() - digits].chars().next_back();
        let alone = sign.is_none_or(|sign| sign == ' ' || "$€£¥-".contains(sign));
        ((1..=3).contains(&digits) && alone).then_some(run.start - 1 - digits)
    }

    /// `run` widened to the partner of its first unmatched bracket.
    fn bracket(&self, run: &Range<usize>) -> Partner {
        let bytes = self.text.as_bytes();
        let (opened, closed) = unmatched(&bytes[run.clone()]);
        let mut depth = 0_usize;
        if closed > 0 {
            let floor = self.start.max(run.start.saturating_sub(BRACKET_REACH));
            for at in (floor..run.start).rev() {
                match bytes[at] {
                    b')' | b']' | b'}' => depth += 1,
                    b'(' | b'[' | b'{' if depth == 0 => {
                        return between(&self.text[at..run.start], at..run.end);
                    }
                    b'(' | b'[' | b'{' => depth -= 1,
                    _ => {}
                }
            }
            return if floor > self.start {
                Partner::Far
            } else {
                Partner::None
            };
        }
        if opened > 0 {
            let ceiling = self.end.min(run.end.saturating_add(BRACKET_REACH));
            for (at, byte) in bytes[..ceiling].iter().enumerate().skip(run.end) {
                match byte {
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' | b'}' if depth == 0 => {
                        return between(&self.text[run.end..at], run.start..at + 1);
                    }
                    b')' | b']' | b'}' => depth -= 1,
                    _ => {}
                }
            }
            return if ceiling < self.end {
                Partner::Far
            } else {
                Partner::None
            };
        }
        Partner::None
    }
}

/// `wider`, unless what stands between the brackets is prose.
fn between(text: &str, wider: Range<usize>) -> Partner {
    if has_prose(text) {
        Partner::None
    } else {
        Partner::Run(wider)
    }
}

/// How many brackets of `bytes` open without a close, and close without an opening. The kinds are not told apart:
/// `[0, 1)` is an interval.
fn unmatched(bytes: &[u8]) -> (usize, usize) {
    let (mut opened, mut closed) = (0, 0);
    for byte in bytes {
        match byte {
            b'(' | b'[' | b'{' => opened += 1,
            b')' | b']' | b'}' if opened > 0 => opened -= 1,
            b')' | b']' | b'}' => closed += 1,
            _ => {}
        }
    }
    (opened, closed)
}

/// Whether `character` goes on with a word when `next` and `after` follow it. The equals sign does not: what stands
/// right of it is a value.
fn is_inline(character: char, next: Option<char>, after: Option<char>) -> bool {
    let digit = |found: Option<char>| found.is_some_and(|found| found.is_ascii_digit());
    match character {
        '.' | ':' => digit(next),
        ',' => {
            let word =
                next.is_some_and(char::is_alphabetic) && after.is_some_and(char::is_alphabetic);
            next.is_some_and(|next| !next.is_whitespace()) && !word
        }
        '!' => next.is_some_and(|next| ")*/+-^!".contains(next)),
        _ => {
            character.is_ascii_alphanumeric()
                || "+-*/^_(){}[]\\|<>%$€£¥×÷·−–±√π∞°²³¹⁰⁴⁵⁶⁷⁸⁹½¼¾⅓⅔⅛∪∩≤≥≠".contains(character)
        }
    }
}

/// Operators that join two operands across spaces.
fn is_operator(character: char) -> bool {
    "+-*/^×÷·−±<>≤≥≠∪∩".contains(character)
}

/// Whether `word` may stand beside an operator: a number, a letter, a command or a function, no English word.
fn is_operand(word: &str) -> bool {
    word.chars()
        .any(|character| character.is_alphanumeric() || "π∞)]}".contains(character))
        && !has_prose(word)
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

/// The answer in `run`, or nothing if the number is part of a word, a label, a list marker or a denied statement.
fn accept(text: &str, line_start: usize, run: &Range<usize>) -> Option<Found> {
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
