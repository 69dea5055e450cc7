//! Commands that take a group: styles, names, number sets.

use super::Lexer;
use super::command::Command;
use super::token::{Gap, Kind};
use super::word;

impl Lexer<'_> {
    /// Skips blanks, then takes a group `{..}` without groups inside; its content's span.
    pub(super) fn group(&mut self) -> Option<(usize, usize)> {
        let open = self.span(|byte| byte == b' ');
        if self.bytes.get(open) != Some(&b'{') {
            return None;
        }
        let inside = self.bytes.get(open + 1..)?;
        let length = memchr::memchr2(b'}', b'{', inside)?;
        if inside.get(length) != Some(&b'}') {
            return None;
        }
        self.at = open + 1 + length + 1;
        Some((open + 1, open + 1 + length))
    }

    /// `\text{..}` of words is one token; of anything else it is transparent.
    pub(super) fn style(&mut self, command: Command, name: &str) {
        let before = self.at;
        let Some((from, to)) = self.group() else {
            return;
        };
        let content = self.source.get(from..to).unwrap_or("");
        let trimmed = content.trim_matches(|c: char| c.is_whitespace() || c == '~');
        let start = from
            + (content.len()
                - content
                    .trim_start_matches(|c: char| c.is_whitespace() || c == '~')
                    .len());
        let end = start + trimmed.len();
        if trimmed.is_empty() {
            self.blank(Gap::Blank);
            return;
        }
        if content.starts_with([' ', '~']) {
            self.blank(Gap::Blank);
        }
        let kind = match command {
            Command::Italic => trimmed
                .chars()
                .all(char::is_alphabetic)
                .then_some(Kind::Name),
            Command::Operator => word::operator(trimmed),
            _ => word::styled(name, trimmed),
        };
        match kind {
            Some(kind) => self.push_span(kind, start, end),
            None => self.at = before,
        }
        if kind.is_some() && content.ends_with([' ', '~']) {
            self.blank(Gap::Blank);
        }
    }

    /// Turns a comma between digits into a mark of grouping.
    pub(super) fn groups_digits(&mut self) -> bool {
        let next = self.span(|byte| byte == b' ');
        let rest = self.bytes.get(next..).unwrap_or(&[]);
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count() == 3;
        let [.., number, comma] = self.tokens.as_mut_slice() else {
            return false;
        };
        if !digits || (number.kind, comma.kind) != (Kind::Digits, Kind::Comma) {
            return false;
        }
        comma.kind = Kind::GroupComma;
        self.at = next;
        true
    }

    pub(super) fn blackboard(&mut self) {
        let start = self.at;
        if let Some((from, to)) = self.group() {
            self.push_span(Kind::Blackboard, from, to);
        } else {
            let letter = self.span(|byte| byte == b' ');
            if self.bytes.get(letter).is_some_and(u8::is_ascii_alphabetic) {
                self.at = letter + 1;
                self.push_span(Kind::Blackboard, letter, letter + 1);
            } else {
                self.push_span(Kind::Unknown, start, self.at);
            }
        }
    }
}
