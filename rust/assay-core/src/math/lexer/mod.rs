//! Folded text to tokens, in one pass; then one pass that pairs the brackets.

mod command;
mod pair;
mod style;
mod token;
mod word;

pub(crate) use token::{Big, Bracket, Gap, Kind, Token};

use super::ast::Relation;
use command::Command;

/// The tokens of `source`, ended by one `Kind::End`. Never more than two tokens a byte.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        source,
        bytes: source.as_bytes(),
        at: 0,
        gap: Gap::None,
        left: false,
        right: false,
        negate: false,
        aligned: 0,
        dollars: Dollars::Unknown,
        tokens: Vec::with_capacity(source.len() / 2 + 2),
    };
    lexer.run();
    let mut tokens = lexer.tokens;
    pair::pair(&mut tokens);
    tokens
}

/// Whether `\name` means anything.
pub(crate) fn is_command(name: &str) -> bool {
    command::command(name).is_some()
}

/// What an unescaped `$` means in this text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dollars {
    Unknown,
    Delimiter,
    Currency,
}

struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    gap: Gap,
    /// `\left` was read.
    left: bool,
    /// `\right` was read.
    right: bool,
    /// `\not` was read.
    negate: bool,
    /// Depth of environments in which `&` aligns.
    aligned: i32,
    dollars: Dollars,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'0'..=b'9' => {
                    let end = self.span(|byte| byte.is_ascii_digit());
                    self.push(Kind::Digits, end);
                }
                b'a'..=b'z' | b'A'..=b'Z' => self.word(),
                b' ' | b'\t' | b'\n' | b'\r' | b'~' => {
                    self.at += 1;
                    self.blank(Gap::Blank);
                }
                b'\\' => self.command(),
                b'$' => self.dollar(),
                0x80.. => self.other(),
                _ => self.punctuation(byte),
            }
        }
        self.push(Kind::End, self.at);
    }

    /// The end of the run of bytes from here that satisfy `keep`.
    fn span(&self, keep: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        self.at
            + rest
                .iter()
                .position(|&byte| !keep(byte))
                .unwrap_or(rest.len())
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn blank(&mut self, gap: Gap) {
        // A blank beside a thin space is a blank.
        self.gap = if self.gap == Gap::None {
            gap
        } else {
            Gap::Blank
        };
    }

    fn push(&mut self, kind: Kind, end: usize) {
        self.push_span(kind, self.at, end);
        self.at = end;
    }

    fn push_span(&mut self, kind: Kind, start: usize, end: usize) {
        let kind = if std::mem::take(&mut self.negate) {
            negated(kind)
        } else {
            kind
        };
        let kind = match (
            kind,
            std::mem::take(&mut self.left),
            std::mem::take(&mut self.right),
        ) {
            (Kind::Bar, true, _) => Kind::Open(Bracket::Bar),
            (Kind::Bar, _, true) => Kind::Close(Bracket::Bar),
            (Kind::DoubleBar, true, _) => Kind::Open(Bracket::DoubleBar),
            (Kind::DoubleBar, _, true) => Kind::Close(Bracket::DoubleBar),
            (Kind::Close(Bracket::Square), true, _) => Kind::Open(Bracket::Reversed),
            (Kind::Open(Bracket::Square), _, true) => Kind::Close(Bracket::Reversed),
            (Kind::Relation(Relation::Less), true, _) => Kind::Open(Bracket::Angle),
            (Kind::Relation(Relation::Greater), _, true) => Kind::Close(Bracket::Angle),
            (kind, ..) => kind,
        };
        self.tokens.push(Token::new(kind, self.gap, start, end));
        self.gap = Gap::None;
    }

    fn punctuation(&mut self, byte: u8) {
        let (kind, length) = match (byte, self.peek(1)) {
            (b'.', b'.') if self.peek(2) == b'.' => {
                (Kind::Ellipsis, self.span(|byte| byte == b'.') - self.at)
            }
            // `\left.` and `\right.` are empty.
            (b'.', _) if self.left || self.right => {
                self.left = false;
                self.right = false;
                self.at += 1;
                return;
            }
            (b'.', _) => (Kind::Dot, 1),
            (b'+', b'-') if self.peek(2) != b'-' => (Kind::PlusMinus(true), 2),
            (b'+', b'/') if self.peek(2) == b'-' => (Kind::PlusMinus(true), 3),
            (b'+', _) => (Kind::Plus, 1),
            (b'-', b'>') => (Kind::To, 2),
            (b'-', _) => (Kind::Minus, 1),
            (b'*', b'*') => (Kind::Caret, 2),
            (b'*', _) => (Kind::Times, 1),
            (b'/', _) => (Kind::Slash, 1),
            (b'^', b'{')
                if self
                    .bytes
                    .get(self.at..)
                    .is_some_and(|rest| rest.starts_with(b"^{\\circ}")) =>
            {
                (Kind::Degree, 8)
            }
            (b'^', b'\\')
                if self
                    .bytes
                    .get(self.at..)
                    .is_some_and(|rest| rest.starts_with(b"^\\circ")) =>
            {
                (Kind::Degree, 6)
            }
            (b'^', _) => (Kind::Caret, 1),
            (b'_', _) => (Kind::Underscore, 1),
            (b'=', b'<') | (b'<', b'=') => (Kind::Relation(Relation::LessEqual), 2),
            (b'=' | b':', b'=') => (Kind::Relation(Relation::Equal), 2),
            (b'=', b'>') => (Kind::Unknown, 2),
            (b'=', _) => (Kind::Relation(Relation::Equal), 1),
            (b'<', b'>') | (b'!', b'=') => (Kind::Relation(Relation::NotEqual), 2),
            (b'<', _) => (Kind::Relation(Relation::Less), 1),
            (b'>', b'=') => (Kind::Relation(Relation::GreaterEqual), 2),
            (b'>', _) => (Kind::Relation(Relation::Greater), 1),
            (b'!', _) => (Kind::Bang, 1),
            (b'%', _) => (Kind::Percent, 1),
            (b'(', _) => (Kind::Open(Bracket::Paren), 1),
            (b')', _) => (Kind::Close(Bracket::Paren), 1),
            (b'[', _) => (Kind::Open(Bracket::Square), 1),
            (b']', _) => (Kind::Close(Bracket::Square), 1),
            (b'{', b',') if self.peek(2) == b'}' => (Kind::GroupComma, 3),
            (b'{', _) => (Kind::Open(Bracket::Group), 1),
            (b'}', _) => (Kind::Close(Bracket::Group), 1),
            (b'|', _) => (Kind::Bar, 1),
            (b',', _) => (Kind::Comma, 1),
            (b';', _) => (Kind::Semicolon, 1),
            (b':', _) => (Kind::Colon, 1),
            (b'\'', b'\'') => (Kind::DoublePrime, 2),
            (b'\'', _) => (Kind::Prime, 1),
            (b'"', _) => (Kind::DoublePrime, 1),
            // Before a relation it only aligns.
            (b'&', _) if self.aligned > 0 || self.before_relation() => {
                self.at += 1;
                return;
            }
            (b'&', _) => (Kind::Ampersand, 1),
            _ => (Kind::Unknown, 1),
        };
        self.push(kind, self.at + length);
    }

    fn before_relation(&self) -> bool {
        let rest = self.source.get(self.at + 1..).unwrap_or("").trim_start();
        rest.starts_with(['=', '<', '>'])
            || (rest.starts_with("\\le") && !rest.starts_with("\\left"))
            || rest.starts_with("\\ge")
            || rest.starts_with("\\ne")
    }

    fn word(&mut self) {
        let end = self.span(|byte| byte.is_ascii_alphabetic());
        let run = self.source.get(self.at..end).unwrap_or("");
        if matches!(run, "x" | "X") && self.is_scientific(end) {
            self.push(Kind::Times, end);
        } else if run.len() == 1 {
            self.push(Kind::Letter, end);
        } else if self.bytes.get(end) == Some(&b'(')
            && let Some(kind) = word::before_bracket(run)
        {
            self.push(kind, end);
        } else if let Some(kind) = word::keyword(run) {
            self.push(kind, end);
        } else if word::is_segmentable(run) {
            while self.at < end {
                let rest = self.source.get(self.at..end).unwrap_or("");
                let (kind, length) = word::segment(rest);
                self.push(kind, self.at + length);
            }
        } else {
            self.push(Kind::Word, end);
        }
    }

    /// `1.2 x 10^5`: the letter is a times sign.
    fn is_scientific(&self, end: usize) -> bool {
        let after = self.source.get(end..).unwrap_or("").trim_start_matches(' ');
        after.starts_with("10^")
            && self
                .tokens
                .last()
                .is_some_and(|last| last.kind == Kind::Digits)
    }

    /// A run of letters beyond ASCII, cut at the Chinese conjunctions; or one sign.
    fn other(&mut self) {
        let rest = self.source.get(self.at..).unwrap_or("");
        let first = rest.chars().next().unwrap_or(' ');
        if matches!(first, '€' | '£' | '¥' | '₹' | '¢' | '₽' | '₩') {
            self.push(Kind::Currency, self.at + first.len_utf8());
        } else if let Some((kind, length)) = word::conjunction(rest) {
            self.push(kind, self.at + length);
        } else if first.is_alphabetic() {
            let mut end = self.at;
            for c in rest.chars() {
                let here = self.source.get(end..).unwrap_or("");
                if c.is_ascii() || !c.is_alphanumeric() || word::conjunction(here).is_some() {
                    break;
                }
                end += c.len_utf8();
            }
            self.push(Kind::Text, end);
        } else if first == '\u{305}' {
            self.push(Kind::Overline, self.at + first.len_utf8());
        } else {
            self.push(Kind::Unknown, self.at + first.len_utf8());
        }
    }

    fn dollar(&mut self) {
        if self.dollars == Dollars::Unknown {
            self.dollars = dollars(self.bytes);
        }
        if self.dollars == Dollars::Currency {
            self.push(Kind::Currency, self.at + 1);
        } else {
            self.at += 1;
        }
    }

    fn command(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut end = self.span(|byte| byte.is_ascii_alphabetic());
        if end == self.at {
            // A control symbol: one character, which may be more than one byte.
            let rest = self.source.get(self.at..).unwrap_or("");
            end += rest.chars().next().map_or(0, char::len_utf8);
        }
        let name = self.source.get(self.at..end).unwrap_or("");
        if matches!(name, "(" | ")" | "[" | "]") {
            self.at = end;
            return;
        }
        if let Some(command) = command::command(name) {
            self.at = end;
            self.apply(command, name, start);
        } else if name.starts_with("quad") || name.starts_with("qquad") {
            // `\quadx`: a space that a missing blank glued to what follows.
            self.at += if name.starts_with("qq") { 5 } else { 4 };
            self.blank(Gap::Blank);
        } else {
            self.push_span(Kind::Unknown, start, end);
            self.at = end;
        }
    }

    fn apply(&mut self, command: Command, name: &str, start: usize) {
        match command {
            Command::Token(kind) => {
                self.push_span(kind, start, self.at);
            }
            // `1,\!000` closes the gap after a comma: the digits are one number.
            Command::Skip if name == "!" && self.groups_digits() => {}
            Command::Skip | Command::Wrapper => {}
            Command::Thin => self.blank(Gap::Thin),
            Command::Blank => self.blank(Gap::Blank),
            Command::Left => self.left = true,
            Command::Right => self.right = true,
            Command::Not => self.negate = true,
            Command::Style | Command::Italic | Command::Operator => self.style(command, name),
            Command::Blackboard => self.blackboard(),
            Command::Discard => {
                let _ = self.group();
            }
            Command::Environment(kind) => match self.group() {
                Some((from, to)) => {
                    self.push_span(kind, from, to);
                    let environment = self.source.get(from..to).unwrap_or("");
                    if environment.starts_with("align") || environment == "split" {
                        let change = if kind == Kind::Begin { 1 } else { -1 };
                        self.aligned = self.aligned.saturating_add(change).max(0);
                    }
                    if kind == Kind::Begin && matches!(environment, "array" | "tabular") {
                        let _ = self.group();
                    }
                }
                None => self.push_span(Kind::Unknown, start, self.at),
            },
        }
    }
}

fn negated(kind: Kind) -> Kind {
    match kind {
        Kind::Relation(Relation::Equal) => Kind::Relation(Relation::NotEqual),
        Kind::Relation(Relation::Less) => Kind::Relation(Relation::GreaterEqual),
        Kind::Relation(Relation::Greater) => Kind::Relation(Relation::LessEqual),
        Kind::In => Kind::NotIn,
        _ => Kind::Unknown,
    }
}

/// `$` delimits formulas when it comes in pairs, unless each stands before a digit and none ends the text.
fn dollars(bytes: &[u8]) -> Dollars {
    let mut count = 0_usize;
    let mut before_digit = true;
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'$' && !escaped {
            count += 1;
            before_digit &= bytes
                .get(at + 1)
                .is_some_and(|next| next.is_ascii_digit() || *next == b'.');
        }
        escaped = byte == b'\\' && !escaped;
    }
    if count % 2 == 1 || before_digit {
        Dollars::Currency
    } else {
        Dollars::Delimiter
    }
}
