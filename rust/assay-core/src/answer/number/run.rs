//! How far a number reaches: the run of formula characters round a digit.

use std::ops::Range;

use super::has_prose;

/// How far the partner of a bracket is looked for, in bytes.
const BRACKET_REACH: usize = 256;

/// How many brackets are followed to their partners before a formula counts as unreadable.
const BRACKET_DEPTH: usize = 16;

/// The part of a line in which a run may grow.
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    pub(super) end: usize,
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
    pub(super) fn expand(&self, digit: usize) -> (Range<usize>, bool) {
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
pub(super) fn unmatched(bytes: &[u8]) -> (usize, usize) {
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
