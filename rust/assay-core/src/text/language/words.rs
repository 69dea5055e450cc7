//! The words of the prose in a text: no code, formulas, numbers, links or tags.

use std::ops::Range;

use memchr::{memchr, memchr2, memmem};
use unicode_script::{Script, UnicodeScript};

/// A run of letters of one script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) span: Range<usize>,
    /// Hiragana stands for both kana.
    pub(super) script: Script,
    /// Letters, without combining marks and apostrophes.
    pub(super) letters: usize,
    /// Part of an identifier or a label such as `x_1` or `H2O`.
    pub(super) attached: bool,
    /// The first word of a sentence, where a capital says nothing.
    pub(super) initial: bool,
}

/// What a text is made of, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Word(Word),
    /// Punctuation that ends a clause.
    Clause,
}

/// Reads `text` once, front to back; looks ahead no further than the construct that begins, each at most once.
pub(super) struct Pieces<'a> {
    text: &'a str,
    at: usize,
    initial: bool,
}

/// How far a command's argument, a tag or a link may reach, in bytes.
const REACH: usize = 256;

impl<'a> Pieces<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            initial: true,
        }
    }

    /// The word whose first letter stands at the current place.
    fn word(&mut self, script: Script) -> Word {
        let start = self.at;
        let rest = &self.text[start..];
        let mut letters = 0;
        let mut end = rest.len();
        let mut characters = rest.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if letter_script(character) == Some(script) {
                letters += 1;
                continue;
            }
            let next = characters.peek().and_then(|&(_, next)| letter_script(next));
            let joins = match character {
                '\'' | '’' | '\u{200c}' => next == Some(script),
                _ => !character.is_ascii() && character.script() == Script::Inherited,
            };
            if !joins {
                end = at;
                break;
            }
        }
        let span = start..start + end;
        let before = self.text[..start].chars().next_back();
        let mut after = self.text[span.end..].chars();
        let attaches = |near: Option<char>| {
            near.is_some_and(|near| near.is_ascii_digit() || "_^\\@".contains(near))
        };
        let next = after.next();
        let dotted = next == Some('.') && after.next().is_some_and(char::is_alphanumeric);
        let spaced = !matches!(
            script,
            Script::Han | Script::Hiragana | Script::Hangul | Script::Thai
        );
        let initial = std::mem::take(&mut self.initial);
        self.at = span.end;
        Word {
            span,
            script,
            letters,
            attached: spaced && (attaches(before) || attaches(next) || dotted),
            initial,
        }
    }

    /// Just after the code, formula, command, tag or link that begins at the current place.
    fn markup(&self, first: char) -> Option<usize> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = match first {
            '`' => code(rest),
            '$' => dollars(rest),
            '\\' => command(rest),
            '<' => tag(rest),
            '-' => option(rest),
            'h' | 'w' => link(rest),
            _ => None,
        }?;
        Some(self.at + length)
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            let character = self.text[self.at..].chars().next()?;
            if let Some(end) = self.markup(character) {
                self.at = self.text.ceil_char_boundary(end);
                continue;
            }
            if let Some(script) = letter_script(character) {
                return Some(Piece::Word(self.word(script)));
            }
            self.at += character.len_utf8();
            if ends_clause(character) {
                // A capital after a comma is a name; after a full stop or a line break it is not.
                self.initial |=
                    !matches!(character, ',' | '，' | '、' | '،' | '(' | ')' | '（' | '）');
                return Some(Piece::Clause);
            }
            if character == '-' || character == '*' || character == '"' || character == '“' {
                // Bullets and quotations begin sentences.
                self.initial = true;
            }
        }
    }
}

fn ends_clause(character: char) -> bool {
    ".,:;!?()\n\"—…。，、；：！？（）「」،؛؟।".contains(character)
}

/// The script of a letter; none for anything else. Both kana are one.
fn letter_script(character: char) -> Option<Script> {
    if character.is_ascii() {
        return character.is_ascii_alphabetic().then_some(Script::Latin);
    }
    if character == 'ー' {
        return Some(Script::Hiragana);
    }
    if !character.is_alphabetic() {
        return None;
    }
    match character.script() {
        Script::Katakana => Some(Script::Hiragana),
        Script::Common | Script::Inherited | Script::Unknown => None,
        script => Some(script),
    }
}

/// A fenced block, or code between back quotes on one line. An unclosed fence runs to the end.
fn code(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"```") {
        return Some(memmem::find(&rest[3..], b"```").map_or(rest.len(), |length| length + 6));
    }
    let close = 1 + memchr(b'`', &rest[1..])?;
    let one_line = memchr(b'\n', &rest[..close]).is_none();
    one_line.then_some(close + 1)
}

/// `$..$` on one line, or `$$..$$` within a paragraph.
fn dollars(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"$$") {
        return Some(display(rest, b"$$").unwrap_or(2));
    }
    let close = 1 + memchr2(b'$', b'\n', &rest[1..])?;
    let inner = &rest[1..close];
    let blank = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
    let paired = rest[close] == b'$'
        && blank(inner.first()) == blank(inner.last())
        && !rest.get(close + 1).is_some_and(u8::is_ascii_digit);
    (paired && !inner.is_empty()).then_some(close + 1)
}

/// `\(..\)`, `\[..\]` (to the end of the paragraph if they are not closed), or a command with its braced arguments.
fn command(rest: &[u8]) -> Option<usize> {
    match rest.get(1)? {
        b'(' => Some(display(rest, b"\\)").unwrap_or_else(|| paragraph(rest))),
        b'[' => Some(display(rest, b"\\]").unwrap_or_else(|| paragraph(rest))),
        next if next.is_ascii_alphabetic() => {
            let letters = rest[1..]
                .iter()
                .take_while(|byte| byte.is_ascii_alphabetic());
            let mut end = 1 + letters.count();
            while let Some(length) = braces(&rest[end..]) {
                end += length;
            }
            Some(end)
        }
        _ => Some(2),
    }
}

/// Just after the `close` that ends the formula at the start of `rest`, if it comes before the paragraph ends.
fn display(rest: &[u8], close: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        at += memchr2(close[0], b'\n', rest.get(at..)?)?;
        if rest[at..].starts_with(close) {
            return Some(at + 2);
        }
        if rest[at..].starts_with(b"\n\n") {
            return None;
        }
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
}

fn paragraph(rest: &[u8]) -> usize {
    memmem::find(rest, b"\n\n").unwrap_or(rest.len())
}

/// The length of the braced group at the start of `rest`.
fn braces(rest: &[u8]) -> Option<usize> {
    if rest.first() != Some(&b'{') {
        return None;
    }
    let mut depth = 0_usize;
    for (at, byte) in rest.iter().enumerate().take(REACH) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// `<think>`, `</answer>`, `<br/>`: a name between angle brackets.
fn tag(rest: &[u8]) -> Option<usize> {
    let named = match rest.get(1)? {
        b'/' | b'|' | b'!' => true,
        next => next.is_ascii_alphabetic(),
    };
    if !named {
        return None;
    }
    let close = memchr2(b'>', b'\n', &rest[..rest.len().min(REACH)])?;
    (rest[close] == b'>').then_some(close + 1)
}

/// A command-line option: `--dry-run`.
fn option(rest: &[u8]) -> Option<usize> {
    let name = rest.strip_prefix(b"--")?;
    let length = name
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    name.first()?.is_ascii_alphabetic().then_some(length + 2)
}

/// A link, to the next white space.
fn link(rest: &[u8]) -> Option<usize> {
    let schemes: [&[u8]; 3] = [b"http://", b"https://", b"www."];
    schemes
        .iter()
        .any(|scheme| rest.starts_with(scheme))
        .then(|| {
            rest.iter()
                .position(u8::is_ascii_whitespace)
                .unwrap_or(rest.len())
        })
}
