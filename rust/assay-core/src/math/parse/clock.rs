//! Times of day.

use super::super::ast::Value;
use super::super::lexer::{Gap, Kind};
use super::cursor::Parser;
use super::policy::Policy;

impl Parser<'_> {
    /// `12:30`, `3:45 p.m.`: after the hours, at the colon. Without `am` or `pm` a ratio is the other reading.
    pub(super) fn clock(&mut self, start: usize) -> Option<Value> {
        let minutes = self.look(1);
        let glued =
            self.index() == start + 1 && self.look(0).gap == Gap::None && minutes.gap == Gap::None;
        let text = self.text_of(minutes);
        if !glued
            || self.before() != Kind::Digits
            || minutes.kind != Kind::Digits
            || text.len() != 2
        {
            return None;
        }
        let hours: u32 = self
            .text_of(self.at(start))
            .parse()
            .ok()
            .filter(|hours| *hours < 24)?;
        let minutes: u32 = text.parse().ok().filter(|minutes| *minutes < 60)?;
        let half = self.half_of_day(2);
        if let Some((afternoon, tokens)) = half {
            if !(1..=12).contains(&hours) {
                return None;
            }
            self.skip(2 + tokens);
            return Some(Value::Time(
                (hours % 12 + if afternoon { 12 } else { 0 }) * 60 + minutes,
            ));
        }
        if matches!(self.look(2).kind, Kind::Colon | Kind::Dot) || self.second(Policy::TIME) {
            return None;
        }
        self.skip(2);
        Some(Value::Time(hours * 60 + minutes))
    }

    /// `am`, `p.m.` after so many tokens: whether afternoon, and how many tokens it takes.
    fn half_of_day(&self, ahead: usize) -> Option<(bool, usize)> {
        let token = self.look(ahead);
        let text = self.text_of(token).to_ascii_lowercase();
        match (token.kind, text.as_str()) {
            (Kind::Word | Kind::Text, "am" | "a.m." | "a.m") => Some((false, 1)),
            (Kind::Word | Kind::Text, "pm" | "p.m." | "p.m") => Some((true, 1)),
            (Kind::Letter, "a" | "p")
                if self.look(ahead + 1).kind == Kind::Dot
                    && self.text_of(self.look(ahead + 2)).eq_ignore_ascii_case("m") =>
            {
                let dot = usize::from(self.look(ahead + 3).kind == Kind::Dot);
                Some((text == "p", 3 + dot))
            }
            _ => None,
        }
    }
}
