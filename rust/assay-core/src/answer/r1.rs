//! The R1 profile.

use std::ops::Range;

use super::formula::Formula;
use super::{
    Extraction, NoAnswer, Sections, Source, Think, anchor, boxed, choice, formula, number, trim,
};

/// The rules that need no marker (choice, formula, number) read this many bytes at the end of the completion.
const WINDOW: usize = 32 * 1024;

type Outcome = Result<Extraction, NoAnswer>;

pub(super) fn extract(completion: &str, sections: &Sections) -> Outcome {
    if sections.state == Think::Unclosed {
        return Err(NoAnswer::ThinkUnclosed);
    }
    if completion[sections.tail.clone()].trim().is_empty() {
        return Err(NoAnswer::Empty);
    }
    if let Some(body) = &sections.answer {
        return in_answer_tag(completion, body.clone());
    }
    let tail = Slice::new(completion, sections.tail.clone());
    if let Some(outcome) = tail.boxes() {
        return outcome;
    }
    if let Some(span) = hashes(tail.text) {
        return Ok(tail.found(span, Source::Hashes));
    }
    let anchored = anchor::last(tail.text);
    if let Some(span) = anchored.value {
        return Ok(tail.found(span, Source::Anchor));
    }
    without_marker(&tail, &anchored.denied)
}

/// A part of the completion; what is found in it is reported in the completion's offsets.
struct Slice<'a> {
    completion: &'a str,
    base: usize,
    text: &'a str,
}

impl<'a> Slice<'a> {
    fn new(completion: &'a str, span: Range<usize>) -> Self {
        Self {
            completion,
            base: span.start,
            text: &completion[span],
        }
    }

    fn found(&self, span: Range<usize>, source: Source) -> Extraction {
        let span = self.base + span.start..self.base + span.end;
        Extraction {
            text: self.completion[span.clone()].to_owned(),
            span,
            source,
        }
    }

    /// The last box, or the list of boxes at the end; nothing if there is no box at all.
    fn boxes(&self) -> Option<Outcome> {
        let boxes = match boxed::last_list(self.text) {
            Ok(boxes) => boxes,
            Err(boxed::Search::Unclosed) => return Some(Err(NoAnswer::BoxUnclosed)),
            Err(_) => return None,
        };
        if let [one] = boxes.as_slice() {
            let span = trim::blank(self.text, one.inner.clone());
            return Some(if span.is_empty() {
                Err(NoAnswer::Empty)
            } else {
                Ok(self.found(span, Source::Boxed))
            });
        }
        let (first, last) = (boxes.first()?, boxes.last()?);
        let mut extraction = self.found(first.outer.start..last.outer.end, Source::Boxed);
        let parts: Vec<&str> = boxes
            .iter()
            .map(|found| self.text[found.inner.clone()].trim())
            .collect();
        if parts.iter().all(|part| part.is_empty()) {
            return Some(Err(NoAnswer::Empty));
        }
        extraction.text = parts.join(", ");
        Some(Ok(extraction))
    }
}

fn in_answer_tag(completion: &str, body: Range<usize>) -> Outcome {
    let body = Slice::new(completion, body);
    if body.text.trim().is_empty() {
        return Err(NoAnswer::Empty);
    }
    if let Some(outcome) = body.boxes() {
        return outcome;
    }
    if let Some(span) = hashes(body.text) {
        return Ok(body.found(span, Source::AnswerTag));
    }
    let anchored = anchor::last(body.text);
    if let Some(span) = anchored.value {
        return Ok(body.found(span, Source::AnswerTag));
    }
    if !anchored.denied.is_empty() {
        return Err(NoAnswer::Denied);
    }
    if is_statement(body.text)
        && let Ok(mut found) = without_marker(&body, &[])
    {
        found.source = Source::AnswerTag;
        return Ok(found);
    }
    let whole = whole(body.text);
    if whole.is_empty() {
        return Err(NoAnswer::Empty);
    }
    Ok(body.found(whole, Source::AnswerTag))
}

/// Whether `text` is a sentence that states a value, so that the value and not the sentence is the answer.
fn is_statement(text: &str) -> bool {
    let words = text.split_whitespace().take(64);
    let (mut prose, mut verb) = (0, false);
    for word in words {
        prose += usize::from(number::has_prose(word));
        verb |= ["is", "are", "was", "equals", "has", "have"].contains(&word);
    }
    prose >= 3 && verb
}

/// All of `text` without Markdown and final punctuation; one formula comes without its delimiters.
fn whole(text: &str) -> Range<usize> {
    let span = trim::clean(text, 0..text.len());
    let inner = &text[span.clone()];
    if !inner.starts_with(['$', '\\']) {
        return span;
    }
    match formula::all(inner).as_slice() {
        [only] if only.closed && only.outer == (0..inner.len()) => trim::clean(
            text,
            span.start + only.inner.start..span.start + only.inner.end,
        ),
        _ => span,
    }
}

/// `#### 42`: a line that starts with four hashes and holds a value, as GSM8K has it. A Markdown heading of level four
/// is told apart by being followed by text, unless a bare value is all it holds.
fn hashes(text: &str) -> Option<Range<usize>> {
    let mut end = text.len();
    while let Some(at) = memchr::memmem::rfind(&text.as_bytes()[..end], b"####") {
        end = at;
        if text[..at].ends_with('#') {
            end = text[..at].trim_end_matches('#').len();
            continue;
        }
        let after = at + 4;
        let stop = memchr::memchr(b'\n', &text.as_bytes()[after..])
            .map_or(text.len(), |length| after + length);
        let value = after + whole(&text[after..stop]).start..after + whole(&text[after..stop]).end;
        if value.is_empty() {
            continue;
        }
        let words = &text[value.clone()];
        let prose = number::has_prose(words);
        let closing = text[stop..].trim().is_empty();
        if !prose || closing && words.split_whitespace().take(5).count() <= 4 {
            return Some(value);
        }
    }
    None
}

/// Choice letter, bare expression, last formula, last number.
fn without_marker(slice: &Slice<'_>, denied: &[Range<usize>]) -> Outcome {
    let text = slice.text;
    if let Some(span) = choice::last(text) {
        return Ok(slice.found(span, Source::Choice));
    }
    if denied.is_empty()
        && let Some(span) = bare(text)
    {
        let plain =
            number::last(text, &[], &[]).is_some_and(|found| found.pure && found.span == span);
        let source = if plain { Source::Number } else { Source::Whole };
        return Ok(slice.found(span, source));
    }
    let from = window_start(text);
    let window = &text[from..];
    let denied: Vec<Range<usize>> = denied
        .iter()
        .filter(|range| range.end > from)
        .map(|range| range.start.max(from) - from..range.end - from)
        .collect();
    let formulas = formula::all(window);
    let number = number::last(window, &formulas, &denied);
    let number = number.map(|last| number::result_before(window, &last, &formulas).unwrap_or(last));
    let formula = last_formula(window, &formulas, &denied);
    let local = |span: Range<usize>| from + span.start..from + span.end;
    match (formula, number) {
        (Some(formula), Some(number)) if number_wins(window, formula, &number) => {
            Ok(slice.found(local(number.span), source_of(number.pure)))
        }
        (Some(formula), _) => {
            let span = trim::clean(window, formula.inner.clone());
            Ok(slice.found(local(span), Source::Formula))
        }
        (None, Some(number)) => Ok(slice.found(local(number.span), source_of(number.pure))),
        (None, None) if !denied.is_empty() => Err(NoAnswer::Denied),
        (None, None) => Err(NoAnswer::NothingFound),
    }
}

fn source_of(pure: bool) -> Source {
    if pure {
        Source::Number
    } else {
        Source::Formula
    }
}

/// A completion that is nothing but a short answer: one line without prose, or at most three words.
fn bare(text: &str) -> Option<Range<usize>> {
    let trimmed = text.trim();
    if trimmed.len() > 256 || trimmed.contains('\n') {
        return None;
    }
    let span = whole(text);
    let words = &text[span.clone()];
    let short =
        words.split_whitespace().count() <= 3 && !words.bytes().any(|byte| byte.is_ascii_digit());
    // `2 + 3 = 5` is a calculation whose result is the answer; `x = 5` is one.
    let calculation = words.contains('=') && !words.contains(char::is_alphabetic);
    let expression = !number::has_prose(words) && !calculation;
    (!span.is_empty() && (expression || short)).then_some(span)
}

/// Where the last [`WINDOW`] bytes begin, moved to the next line.
fn window_start(text: &str) -> usize {
    let Some(from) = text.len().checked_sub(WINDOW).filter(|&from| from > 0) else {
        return 0;
    };
    let from = text.floor_char_boundary(from);
    memchr::memchr(b'\n', &text.as_bytes()[from..]).map_or(from, |length| from + length + 1)
}

/// The last closed formula that says more than one letter, else the last one at all; none that is denied.
fn last_formula<'a>(
    text: &str,
    formulas: &'a [Formula],
    denied: &[Range<usize>],
) -> Option<&'a Formula> {
    let usable = |formula: &&Formula| {
        formula.closed
            && !trim::clean(text, formula.inner.clone()).is_empty()
            && !denied
                .iter()
                .any(|range| range.contains(&formula.outer.start))
            && !trim::denies(
                &text[text.floor_char_boundary(formula.outer.start.saturating_sub(32))
                    ..formula.outer.start],
            )
    };
    formulas
        .iter()
        .rev()
        .filter(usable)
        .find(|formula| !is_letter(text, formula))
        .or_else(|| formulas.iter().rev().find(usable))
}

fn is_letter(text: &str, formula: &Formula) -> bool {
    text[formula.inner.clone()].trim().chars().count() == 1
        && text[formula.inner.clone()]
            .trim()
            .chars()
            .all(char::is_alphabetic)
}

/// Whether a number after the last formula is the answer: it stands in a later sentence, or the formula is one letter.
fn number_wins(text: &str, formula: &Formula, number: &number::Found) -> bool {
    if number.span.start < formula.outer.end {
        return false;
    }
    let end = anchor::sentence_end(text, formula.outer.end, number.span.start);
    end < number.span.start || is_letter(text, formula)
}
