//! "The answer is ..", "Answer: ..", 答案是...

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::{choice, formula, number, trim};

/// What the last anchor of a text introduces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anchored {
    /// The value, if an anchor introduces one.
    pub(crate) value: Option<Range<usize>>,
    /// Statements of what the answer is *not*; no number is taken from them.
    pub(crate) denied: Vec<Range<usize>>,
}

/// How far "answer" may stand from its "is", in bytes: "the answer to the second question is 5".
const REACH: usize = 120;

static WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "two constant patterns")]
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(["answer", "答案"])
        .expect("constant patterns compile")
});

/// The value of the last anchor in `text` that introduces one. Linear: a value never reaches past the next anchor.
pub(crate) fn last(text: &str) -> Anchored {
    let mut anchored = Anchored::default();
    let anchors: Vec<Range<usize>> = WORDS.find_iter(text).map(|found| found.range()).collect();
    let mut limit = text.len();
    for anchor in anchors.into_iter().rev() {
        match introduced(text, &anchor, limit) {
            Introduced::Value(value) => {
                anchored.value = Some(value);
                return anchored;
            }
            Introduced::Denied(range) => anchored.denied.push(range),
            Introduced::Nothing => {}
        }
        limit = anchor.start;
    }
    anchored
}

enum Introduced {
    Value(Range<usize>),
    Denied(Range<usize>),
    Nothing,
}

fn introduced(text: &str, anchor: &Range<usize>, limit: usize) -> Introduced {
    let chinese = text.as_bytes()[anchor.start] >= 0x80;
    let inside_word = text[..anchor.start].ends_with(|before: char| before.is_ascii_alphanumeric());
    if !chinese && inside_word {
        return Introduced::Nothing;
    }
    let connected = if chinese {
        after_chinese(text, anchor.end, limit)
    } else {
        after_english(text, anchor, limit)
    };
    let Some(start) = connected else {
        return Introduced::Nothing;
    };
    let start = skip_filler(text, start, limit);
    let end = sentence_end(text, start, limit);
    if is_denial(&text[start..end]) || trim::denies(&text[..start]) {
        return match text[start..end].find(" but ") {
            Some(but) => value(text, skip_filler(text, start + but + 5, end), end),
            None => Introduced::Denied(anchor.start..end),
        };
    }
    value(text, start, limit)
}

/// Where the value starts after "answer", or nothing if no "is", colon or line break introduces one.
fn after_english(text: &str, anchor: &Range<usize>, limit: usize) -> Option<usize> {
    const VERBS: [&str; 9] = [
        "is", "are", "was", "be", "equals", "becomes", "isn't", "isn’t", "aren't",
    ];
    let rest = &text[anchor.end..limit];
    let rest = rest.strip_prefix(['s', 'S']).unwrap_or(rest);
    if rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '>') {
        // "answered", and the "answer" of a stray tag.
        return None;
    }
    let begin = limit - rest.len();
    let line_end = rest.find('\n').unwrap_or(rest.len());
    let near = &rest[..rest.floor_char_boundary(line_end.min(REACH))];
    if near
        .trim_matches([' ', '*', '_', ':', '：', '\r'])
        .is_empty()
        && line_end < rest.len()
    {
        // A heading: the value stands on the next line that is not empty.
        let head = text[..anchor.start].rsplit('\n').next().unwrap_or("");
        let heading = head.split_whitespace().count() <= 3;
        return (heading || near.contains([':', '：'])).then_some(begin + line_end);
    }
    let mut at = 0;
    for word in near.split_inclusive(' ') {
        let bare = word.trim_matches([' ', '*', '_', ',']);
        let colon = word.find([':', '：', '=']);
        if let Some(colon) = colon {
            let width = word[colon..].chars().next().map_or(1, char::len_utf8);
            return Some(begin + at + colon + width);
        }
        if VERBS.iter().any(|verb| verb.eq_ignore_ascii_case(bare)) {
            return Some(begin + at + word.len());
        }
        if bare.ends_with(['.', '?', '!']) && at > 0 {
            return None;
        }
        at += word.len();
    }
    None
}

/// Where the value starts after 答案.
fn after_chinese(text: &str, end: usize, limit: usize) -> Option<usize> {
    let rest = &text[end..limit];
    let near = &rest[..rest.floor_char_boundary(36.min(rest.len()))];
    let near = near.split(['。', '，', '\n']).next().unwrap_or(near);
    let (at, mark) = near
        .char_indices()
        .find(|&(_, character)| "是为為：:=".contains(character))?;
    let mut start = end + at + mark.len_utf8();
    for mark in ["是", "为", "為", "：", ":", "="] {
        start += if text[start..limit].starts_with(mark) {
            mark.len()
        } else {
            0
        };
    }
    Some(start)
}

/// Skips white space, emphasis, colons, and words that say nothing: "simply", "equal to", "option".
fn skip_filler(text: &str, start: usize, limit: usize) -> usize {
    const FILLER: [&str; 17] = [
        "simply ",
        "just ",
        "therefore ",
        "therefore, ",
        "thus ",
        "then ",
        "hence ",
        "indeed ",
        "exactly ",
        "approximately ",
        "about ",
        "also ",
        "equal to ",
        "given by ",
        "option ",
        "choice ",
        "选项",
    ];
    let mut rest = &text[start..limit];
    loop {
        let before = rest.len();
        rest = rest
            .trim_start_matches(|next: char| next.is_whitespace() || "*_:：`\"“".contains(next));
        for word in FILLER {
            if rest
                .get(..word.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(word))
            {
                rest = &rest[word.len()..];
            }
        }
        if rest.len() == before {
            return limit - rest.len();
        }
    }
}

fn is_denial(segment: &str) -> bool {
    const DENIALS: [&str; 8] = [
        "not ",
        "never ",
        "neither ",
        "no longer ",
        "definitely not ",
        "certainly not ",
        "clearly not ",
        "surely not ",
    ];
    let denied = |word: &&str| {
        segment
            .get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    DENIALS.iter().any(denied) || segment.starts_with("不是") || segment.starts_with("并非")
}

/// The end of the sentence that holds `start`: a line break, a full stop before white space, a tag.
pub(crate) fn sentence_end(text: &str, start: usize, limit: usize) -> usize {
    let segment = &text[start..limit];
    let mut characters = segment.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|&(_, next)| next);
        let open = next.is_none_or(|next| next.is_whitespace() || "*\"”')_<`".contains(next));
        let ends = match character {
            '\n' | '。' | '！' | '？' | '；' => true,
            '.' | '!' | '?' | ';' => open,
            '<' => next.is_some_and(|next| next == '/' || next == '|'),
            _ => false,
        };
        if ends {
            return start + at;
        }
    }
    limit
}

/// The value that starts at `start`: a formula or a list of formulas, an expression, an option, or a few words.
fn value(text: &str, start: usize, limit: usize) -> Introduced {
    let opens_formula = ["$", "\\(", "\\["]
        .iter()
        .any(|open| text[start..limit].starts_with(open));
    if opens_formula && let Some(found) = leading_formulas(text, start, limit) {
        return Introduced::Value(found);
    }
    let end = sentence_end(text, start, limit);
    let sentence = trim::clean(text, start..end);
    if sentence.is_empty() {
        return Introduced::Nothing;
    }
    let clause = trim::clean(text, clause(text, sentence.clone()));
    if clause.is_empty() {
        return Introduced::Nothing;
    }
    let words = &text[clause.clone()];
    let expression = words
        .starts_with(|first: char| first.is_numeric() || "+-−–.([{\\$€£¥√π∞±|".contains(first));
    if expression || choice::leads(words) || !number::has_prose(words) {
        return Introduced::Value(result(text, clause));
    }
    let inner = &text[sentence.clone()];
    let formulas = formula::all(inner);
    let last_formula = formulas
        .iter()
        .rev()
        .filter(|formula| formula.closed)
        .map(|found| {
            let span = sentence.start + found.inner.start..sentence.start + found.inner.end;
            trim::clean(text, span)
        })
        .find(|span| !span.is_empty());
    let number = number::last(inner, &formulas, &[])
        .map(|found| sentence.start + found.span.start..sentence.start + found.span.end);
    match (last_formula, number) {
        // "the largest $n$ is 34": the formula names what the number is.
        (Some(formula), Some(number))
            if number.start >= formula.end
                && text[formula.clone()].chars().all(char::is_alphabetic) =>
        {
            return Introduced::Value(number);
        }
        (Some(span), _) | (None, Some(span)) => return Introduced::Value(span),
        (None, None) => {}
    }
    let short = words.split_whitespace().take(13).count() <= 12;
    if short && !words.bytes().any(|byte| byte.is_ascii_digit()) {
        Introduced::Value(clause)
    } else {
        Introduced::Nothing
    }
}

/// The right side of a calculation: `60 spools / 150 spools * 100% = 40%` states 40%. `x = 5` stays whole.
fn result(text: &str, span: Range<usize>) -> Range<usize> {
    let words = &text[span.clone()];
    // A lone letter is a variable: `2x + 3y = 7` is an equation, not a calculation.
    let mut letters = words.split(|next: char| !next.is_alphabetic());
    let calculation = words.starts_with(|first: char| first.is_ascii_digit() || first == '$')
        && !words.contains(['{', '\\'])
        && letters.all(|word| word.chars().count() != 1);
    match words.rfind('=') {
        Some(at) if calculation => {
            let right = trim::clean(text, span.start + at + 1..span.end);
            if right.is_empty() { span } else { right }
        }
        _ => span,
    }
}

/// The formula that starts at `start`, with those joined to it by a comma, "and" or "or". One formula alone comes
/// without its delimiters.
fn leading_formulas(text: &str, start: usize, limit: usize) -> Option<Range<usize>> {
    let segment = &text[start..limit];
    let formulas = formula::all(segment);
    let first = formulas
        .first()
        .filter(|first| first.closed && first.outer.start == 0)?;
    let mut end = first.outer.end;
    let mut count = 1;
    for next in &formulas[1..] {
        let between = segment[end..next.outer.start]
            .trim()
            .trim_matches([',', '，'])
            .trim();
        let joined = ["", "and", "or", "和", "或", "、", "及"].contains(&between);
        if !joined || !next.closed || next.outer.start == end {
            break;
        }
        end = next.outer.end;
        count += 1;
    }
    let after = segment[end..].trim_start_matches(' ');
    if after.starts_with(['=', '+', '-', '/', '^', '<', '>', '≈']) {
        return None;
    }
    let span = if count == 1 {
        first.inner.clone()
    } else {
        0..end
    };
    let found = trim::clean(text, start + span.start..start + span.end);
    (!found.is_empty()).then_some(found)
}

/// `span` up to the first word that starts an explanation: "5 because ..", "5, which ..".
fn clause(text: &str, span: Range<usize>) -> Range<usize> {
    const EXPLAINING: [&str; 14] = [
        "because", "since", "which", "where", "when", "if", "so", "as", "given", "after", "due",
        "based", "assuming", "for",
    ];
    const JOINING: [&str; 4] = ["and", "or", "mod", "pi"];
    let segment = &text[span.clone()];
    let mut at = 0;
    for piece in segment.split_inclusive(' ') {
        let word = piece.trim_matches([' ', '(', ',', '.', ')', ':']);
        let lower = word.to_ascii_lowercase();
        let prose = number::has_prose(word);
        let before = segment[..at].trim_end();
        let opened = piece.starts_with('(') && prose && !lower.starts_with("mod");
        let comma = before.ends_with([',', ';']) && prose && !JOINING.contains(&lower.as_str());
        let dash = ["—", "--", "->", "→", "⇒"].contains(&word);
        if at > 0 && (EXPLAINING.contains(&lower.as_str()) || opened || comma || dash) {
            return span.start..span.start + before.len();
        }
        if let Some(stop) = piece.find('，').filter(|&stop| at + stop > 0) {
            return span.start..span.start + at + stop;
        }
        at += piece.len();
    }
    span
}
