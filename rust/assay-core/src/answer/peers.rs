//! What peers extract, rule by rule, written from their published behaviour.

use std::ops::Range;

use super::formula::{self, Formula};
use super::{Extraction, NoAnswer, Profile, Sections, Source, Think, boxed, number, trim};

type Outcome = Result<Extraction, NoAnswer>;

pub(super) fn extract(completion: &str, sections: &Sections, profile: Profile) -> Outcome {
    let found = match profile {
        Profile::R1 => return super::r1::extract(completion, sections),
        Profile::Dapo => dapo(completion),
        Profile::PrimeMath => prime_math(completion),
        Profile::Gsm8kStrict => gsm8k(completion, true),
        Profile::Gsm8kFlexible => gsm8k(completion, false),
        Profile::Hendrycks => hendrycks(completion),
        Profile::MathRubric => return math_rubric(completion, sections),
        Profile::Trl | Profile::OpenR1 => math_verify(completion, false),
        Profile::MathVerify => math_verify(completion, true),
    };
    found.ok_or(NoAnswer::NothingFound)
}

fn found(completion: &str, span: Range<usize>, source: Source) -> Option<Extraction> {
    let span = trim::blank(completion, span);
    (!span.is_empty()).then(|| Extraction {
        text: completion[span.clone()].to_owned(),
        span,
        source,
    })
}

/// Where the last `count` characters of `text` begin.
fn last_characters(text: &str, count: usize) -> usize {
    text.char_indices()
        .rev()
        .take(count)
        .last()
        .map_or(text.len(), |(at, _)| at)
}

/// The rest of the line after the last `answer :` of the last 300 characters, white space allowed on either side of the
/// colon.
fn dapo(completion: &str) -> Option<Extraction> {
    let from = last_characters(completion, 300);
    let lower = completion[from..].to_ascii_lowercase();
    let mut value = None;
    let mut at = 0;
    while let Some(skip) = lower[at..].find("answer") {
        at += skip + "answer".len();
        let Some(rest) = lower[at..].trim_start().strip_prefix(':') else {
            continue;
        };
        let rest = rest.trim_start();
        let start = lower.len() - rest.len();
        let end = rest.find('\n').map_or(lower.len(), |length| start + length);
        if end > start {
            value = Some(from + start..from + end);
            at = end;
        }
    }
    found(completion, value?, Source::Anchor)
}

/// verl's `match_answer`: narrows the completion by marker after marker. Without any marker it is the completion.
fn prime_math(completion: &str) -> Option<Extraction> {
    let lower = completion.to_ascii_lowercase();
    let mut span = 0..completion.len();
    let mut source = Source::Whole;
    for marker in ["answer:", "answer is", "answers are"] {
        if let Some(at) = lower[span.clone()].rfind(marker) {
            span = trim::blank(completion, span.start + at + marker.len()..span.end);
            source = Source::Anchor;
        }
    }
    for marker in [
        "is answer",
        "is the answer",
        "are answers",
        "are the answers",
    ] {
        if let Some(at) = lower[span.clone()].rfind(marker) {
            span = trim::blank(completion, span.start..span.start + at);
            source = Source::Anchor;
        }
    }
    if let Some(inner) = raw_box(&completion[span.clone()]) {
        let inner = trim::blank(completion, span.start + inner.start..span.start + inner.end);
        if !inner.is_empty() {
            (span, source) = (inner, Source::Boxed);
        }
    }
    if let Some(at) = lower[span.clone()].rfind(". ") {
        span = trim::blank(completion, span.start..span.start + at);
    }
    let verbs = [
        "be ", "is ", "are ", "=", ": ", "get ", "be\n", "is\n", "are\n", ":\n", "get\n",
    ];
    for verb in verbs {
        if let Some(at) = lower[span.clone()].rfind(verb) {
            span = trim::blank(completion, span.start + at + verb.len()..span.end);
        }
    }
    found(completion, span, source)
}

/// The braces after the last `\boxed`, or after the last `\fbox` if there is no box. Escaped braces count as braces.
fn raw_box(text: &str) -> Option<Range<usize>> {
    let at = text.rfind("\\boxed").or_else(|| text.rfind("\\fbox"))?;
    braces(text, at)
}

/// The inside of the first braced group at or after `at`.
fn braces(text: &str, at: usize) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    let mut start = None;
    for (index, byte) in text.bytes().enumerate().skip(at) {
        match byte {
            b'{' => {
                depth += 1;
                start.get_or_insert(index + 1);
            }
            b'}' => {
                // A close before any opening never balances in the original either.
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(start?..index);
                }
            }
            _ => {}
        }
    }
    None
}

/// `#### number` (strict) or the last number, of the last 300 characters. Commas are dropped, as there.
fn gsm8k(completion: &str, strict: bool) -> Option<Extraction> {
    let from = last_characters(completion, 300);
    let text = &completion[from..];
    let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.' || *byte == b',';
    let bytes = text.as_bytes();
    let mut last = None;
    let mut at = 0;
    while at < bytes.len() {
        let begin = if strict {
            match text[at..].find("#### ") {
                None => break,
                Some(skip) => at + skip + "#### ".len(),
            }
        } else {
            at
        };
        let digits = begin + usize::from(bytes.get(begin) == Some(&b'-'));
        let length = bytes[digits.min(bytes.len())..]
            .iter()
            .take_while(|byte| is_number(byte))
            .count();
        let end = digits + length;
        if length > 0 && (strict || &text[begin..end] != ".") {
            last = Some(begin..end);
        }
        at = if length > 0 { end } else { begin.max(at + 1) };
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    let span = last?;
    let source = if strict {
        Source::Hashes
    } else {
        Source::Number
    };
    let mut extraction = found(completion, from + span.start..from + span.end, source)?;
    extraction.text.retain(|character| character != ',');
    (!extraction.text.is_empty()).then_some(extraction)
}

/// The last `\boxed ..` up to a dollar sign if the brace-less form occurs at all, else the last `\boxed{..}`. An
/// `\fbox` is found there too, but then fails to be unwrapped, so it is no answer.
fn hendrycks(completion: &str) -> Option<Extraction> {
    if let Some(at) = completion.rfind("\\boxed ") {
        let start = at + "\\boxed ".len();
        let end = completion[start..]
            .find('$')
            .map_or(completion.len(), |length| start + length);
        return found(completion, start..end, Source::Boxed);
    }
    let at = completion.rfind("\\boxed")?;
    let inner = braces(completion, at)?;
    let directly = inner.start == at + "\\boxed{".len();
    directly.then(|| found(completion, inner, Source::Boxed))?
}

/// The last balanced `\boxed{..}` after the last `</think>`; thinking that is never closed counts as text.
fn math_rubric(completion: &str, sections: &Sections) -> Outcome {
    let from = completion
        .rfind("</think>")
        .map_or(0, |at| at + "</think>".len());
    let text = &completion[from..];
    let inner = text
        .rfind("\\boxed{")
        .and_then(|at| braces(text, at))
        .map(|inner| from + inner.start..from + inner.end);
    let extraction = inner.and_then(|inner| found(completion, inner, Source::Boxed));
    extraction.ok_or(if sections.state == Think::Unclosed {
        NoAnswer::ThinkUnclosed
    } else {
        NoAnswer::NothingFound
    })
}

/// math-verify's order of preference: boxes (as a set when joined), then LaTeX or a plain number after "answer", then,
/// `without_anchor`, whichever of LaTeX and plain numbers ends last.
fn math_verify(completion: &str, without_anchor: bool) -> Option<Extraction> {
    if let Ok(boxes) = boxed::last_list(completion) {
        let (first, last) = (boxes.first()?, boxes.last()?);
        let span = if boxes.len() == 1 {
            last.inner.clone()
        } else {
            first.outer.start..last.outer.end
        };
        let mut extraction = found(completion, span, Source::Boxed)?;
        if boxes.len() > 1 {
            let parts: Vec<&str> = boxes
                .iter()
                .map(|found| completion[found.inner.clone()].trim())
                .collect();
            extraction.text = parts.join(", ");
        }
        return Some(extraction);
    }
    let formulas = formula::all(completion);
    let lower = completion.to_ascii_lowercase();
    if let Some(at) = lower.rfind("answer") {
        let after = at + "answer".len();
        let near = formulas
            .iter()
            .find(|formula| formula.closed && formula.outer.start >= after)
            .filter(|formula| lower[after..formula.outer.start].chars().count() <= 50);
        if let Some(formula) = near {
            return found(completion, formula.inner.clone(), Source::Anchor);
        }
        if without_anchor && let Some(number) = number::last(&completion[after..], &[], &[]) {
            let span = after + number.span.start..after + number.span.end;
            return found(completion, span, Source::Anchor);
        }
    }
    if !without_anchor {
        return None;
    }
    let number = number::last(completion, &formulas, &[]);
    let formula = formulas.iter().rev().find(|formula| formula.closed);
    let ends_later =
        |formula: &Formula, number: &number::Found| number.span.end > formula.outer.end;
    match (formula, number) {
        (Some(formula), Some(number)) if ends_later(formula, &number) => {
            found(completion, number.span, Source::Number)
        }
        (Some(formula), _) => found(completion, formula.inner.clone(), Source::Formula),
        (None, Some(number)) => found(completion, number.span, Source::Number),
        (None, None) => None,
    }
}
