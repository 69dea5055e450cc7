//! Variables, named numbers, unknown functions, and words.

use super::super::ast::{Constant, Expr, Function, Relation};
use super::super::lexer::{Bracket, Gap, Kind, Token};
use super::cursor::{Parser, Term};
use super::literal::small_integer;
use super::policy::Policy;
use super::{ParseError, ParseErrorKind};

/// Letters that by convention name functions, so that `f(x)` is first of all an application.
const FUNCTION_LETTERS: &str = "fghFGHPpqTS";

impl Parser<'_> {
    /// A variable, `e`, `i`, a word, or an application `f(x)`.
    pub(super) fn name(&mut self) -> Result<Term, ParseError> {
        let token = self.look(0);
        if token.kind == Kind::Word && !is_variables(self.text()) {
            return self.word();
        }
        if token.kind == Kind::Text {
            return self.word();
        }
        let first = self.bare_letter();
        self.named(first, token.kind)
    }

    /// A whole run of letters as one name.
    fn word(&mut self) -> Result<Term, ParseError> {
        let text = self.text();
        let letters = text.chars().count();
        if text.contains(char::is_whitespace)
            || !text.chars().all(|c| c.is_alphanumeric() || c == '\'')
        {
            return Err(self.unexpected());
        }
        if letters > 24 {
            return Err(self.error(ParseErrorKind::Unexpected));
        }
        let kind = self.look(0).kind;
        self.bump();
        self.named(Expr::symbol(text), kind)
    }

    /// One letter, without what may hang on it.
    pub(super) fn bare_letter(&mut self) -> Expr {
        let token = self.look(0);
        let text = self.text();
        match token.kind {
            Kind::Named => {
                self.bump();
                Expr::symbol(text.trim_start_matches('\\'))
            }
            Kind::Letter | Kind::Word => {
                let letter = text.get(..1).unwrap_or("");
                self.consume(1);
                match letter {
                    "e" | "i" if self.is_variable(letter) => Expr::symbol(letter),
                    "e" => Expr::Constant(Constant::E),
                    "i" => Expr::Constant(Constant::I),
                    letter => Expr::symbol(letter),
                }
            }
            _ => {
                self.bump();
                Expr::symbol(text)
            }
        }
    }

    fn is_variable(&mut self, letter: &str) -> bool {
        if self.bound.contains(&letter) {
            return true;
        }
        // `e = ..` gives a variable its value; beside `j`, `i` is a vector.
        let assigned = self.index() == 1 && self.peek() == Kind::Relation(Relation::Equal);
        let vector = letter == "i" && self.vectors;
        if assigned || vector {
            self.second(Policy::LETTER)
        } else {
            self.policy.has(Policy::LETTER)
        }
    }

    /// Subscript, primes, arguments.
    fn named(&mut self, first: Expr, kind: Kind) -> Result<Term, ParseError> {
        if let Some(name) = self.inverse(&first) {
            return self.applied(Expr::Symbol(name.into()), Kind::Name);
        }
        let glued =
            kind == Kind::Letter && self.peek() == Kind::Digits && self.look(0).gap == Gap::None;
        let marked = matches!(
            self.peek(),
            Kind::Underscore | Kind::Prime | Kind::DoublePrime
        );
        if !glued && !marked {
            return self.applied(first, kind);
        }
        let mut name = match &first {
            Expr::Constant(Constant::E) => "e".to_owned(),
            Expr::Constant(_) => "i".to_owned(),
            Expr::Symbol(name) => name.to_string(),
            _ => String::new(),
        };
        if glued {
            name.push('_');
            name.push_str(self.text());
            self.bump();
        } else if self.peek() == Kind::Underscore {
            self.bump();
            if let Some(term) = self.combinations(&name)? {
                return Ok(term);
            }
            name.push('_');
            let subscript = self.subscript()?;
            name.push_str(&subscript);
        }
        loop {
            match self.peek() {
                Kind::Prime => name.push('\''),
                Kind::DoublePrime => name.push_str("''"),
                _ => break,
            }
            self.bump();
        }
        self.applied(Expr::Symbol(name.into()), kind)
    }

    /// `f^{-1}(`: the name of the inverse of a function, if that stands here.
    fn inverse(&mut self, first: &Expr) -> Option<String> {
        let Expr::Symbol(name) = first else {
            return None;
        };
        let spelled = self.peek() == Kind::Caret
            && self.look(1).kind == Kind::Open(Bracket::Group)
            && self.look(2).kind == Kind::Minus
            && self.text_of(self.look(3)) == "1"
            && self.look(4).kind == Kind::Close(Bracket::Group)
            && self.look(5).kind == Kind::Open(Bracket::Paren);
        if !spelled || !is_function_letter(name) {
            return None;
        }
        self.skip(5);
        Some(format!("{name}^{{-1}}"))
    }

    /// `C_5^2`, `A_n^k`: with whole numbers or letters above and below, numbers of combinations or permutations.
    fn combinations(&mut self, name: &str) -> Result<Option<Term>, ParseError> {
        let function = match name {
            "C" => Function::Binomial,
            "A" | "P" => Function::Permutations,
            _ => return Ok(None),
        };
        let start = self.index();
        let after = match self.look(0) {
            Token {
                kind: Kind::Open(Bracket::Group),
                partner,
                ..
            } if partner != 0 => partner as usize + 1,
            Token {
                kind: Kind::Digits | Kind::Letter,
                ..
            } => start + 1,
            _ => return Ok(None),
        };
        if self.at(after).kind != Kind::Caret || self.policy.has(Policy::COMBINATIONS) {
            return Ok(None);
        }
        let below = self.small_argument()?;
        if small_integer(&below.expr).is_none() || self.peek() != Kind::Caret {
            self.seek(start);
            return Ok(None);
        }
        let above = self.exponent_term()?;
        if small_integer(&above.expr).is_none() {
            self.seek(start);
            return Ok(None);
        }
        self.seen.add(Policy::COMBINATIONS);
        Ok(Some(self.call2(function, below, above)?))
    }

    /// `_5C_2`, `{}_5P_2`, `^5C_2`: the number of combinations or permutations with its first number in front.
    pub(super) fn prescripted(&mut self) -> Result<Option<Term>, ParseError> {
        let start = self.index();
        if self.peek() == Kind::Open(Bracket::Group) {
            self.skip(2);
        }
        let script = matches!(self.peek(), Kind::Underscore | Kind::Caret);
        if script {
            self.bump();
            if matches!(
                self.peek(),
                Kind::Digits | Kind::Letter | Kind::Open(Bracket::Group)
            ) {
                let from = self.small_argument()?;
                let function = match (self.peek(), self.text()) {
                    (Kind::Letter, "C") => Some(Function::Binomial),
                    (Kind::Letter, "A" | "P") => Some(Function::Permutations),
                    _ => None,
                };
                if let Some(function) = function
                    && self.look(1).kind == Kind::Underscore
                {
                    self.skip(2);
                    let take = self.small_argument()?;
                    return Ok(Some(self.call2(function, from, take)?));
                }
            }
        }
        self.seek(start);
        Ok(None)
    }

    /// What stands below the line after `_`, as text.
    pub(super) fn subscript(&mut self) -> Result<String, ParseError> {
        match self.peek() {
            Kind::Open(Bracket::Group) => {
                let token = self.look(0);
                if token.partner == 0 {
                    return Err(self.unexpected());
                }
                let mut text = String::new();
                self.bump();
                while self.index() < token.partner as usize {
                    text.push_str(self.text());
                    self.bump();
                }
                self.bump();
                if text.is_empty() || text.len() > 64 {
                    return Err(self.unexpected());
                }
                Ok(text)
            }
            Kind::Digits
            | Kind::Letter
            | Kind::Word
            | Kind::Text
            | Kind::Name
            | Kind::Named
            | Kind::Constant(_)
            | Kind::Function(_) => {
                let text = self.text().to_owned();
                self.bump();
                Ok(text)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `f(x)`: an application or a product.
    fn applied(&mut self, name: Expr, kind: Kind) -> Result<Term, ParseError> {
        let open = self.look(0);
        let Expr::Symbol(symbol) = &name else {
            return self.leaf(name);
        };
        if open.kind != Kind::Open(Bracket::Paren)
            || open.partner == 0
            || self.look(1).kind == Kind::Mod
        {
            return self.leaf(name);
        }
        if let Some(function) = match &**symbol {
            "Gamma" => Some(Function::Gamma),
            "zeta" => Some(Function::Zeta),
            _ => None,
        } {
            return self.call_with_list(function, 1);
        }
        let letter = symbol.split(['_', '\'']).next().unwrap_or("");
        let conventional = is_function_letter(letter);
        // A primed letter, a word, or a capital with several arguments cannot be a factor.
        let several = open.inside.separator
            && (conventional || letter.starts_with(|c: char| c.is_ascii_uppercase()));
        let certain = symbol.contains('\'')
            || matches!(kind, Kind::Word | Kind::Name | Kind::Text)
            || several;
        let defines = self.at(open.partner as usize + 1).kind == Kind::Relation(Relation::Equal)
            && self.index() <= 2;
        let apply = if certain {
            true
        } else if conventional {
            !self.second(Policy::APPLY)
        } else {
            defines && self.second(Policy::APPLY)
        };
        if !apply {
            return self.leaf(name);
        }
        let Expr::Symbol(symbol) = name else {
            return Err(self.unexpected());
        };
        if &*symbol == "C" && open.inside.separator && kind != Kind::Name {
            return self.call_with_list(Function::Binomial, 2);
        }
        let (arguments, height) = self.arguments(Bracket::Paren)?;
        self.node(Expr::Apply(symbol, arguments), height)
    }

    /// `\vec{a}`, `\angle ABC`: the mark is part of the name.
    pub(super) fn accented(&mut self) -> Result<Term, ParseError> {
        let mut name = self.text().to_owned();
        self.bump();
        let inside = self.subscript()?;
        name.push('{');
        name.push_str(&inside);
        name.push('}');
        self.leaf(Expr::Symbol(name.into()))
    }

    /// `\overline{z}`: the conjugate; of two capitals a segment's name, of digits a numeral's.
    pub(super) fn overlined(&mut self) -> Result<Term, ParseError> {
        self.bump();
        let inside = self.look(1);
        let text = self.text_of(inside);
        let name = self.look(0).kind == Kind::Open(Bracket::Group)
            && self.look(2).kind == Kind::Close(Bracket::Group)
            && matches!(inside.kind, Kind::Word | Kind::Text)
            && text.len() > 1;
        if name {
            self.skip(3);
            return self.leaf(Expr::Symbol(format!("\\overline{{{text}}}").into()));
        }
        let argument = self.small_argument()?;
        self.call1(Function::Conjugate, argument)
    }

    /// Words that are not operands: `in`, `U` between sets.
    pub(super) fn is_word_operator(&self) -> bool {
        let token = self.look(0);
        match (token.kind, self.text()) {
            (Kind::Word | Kind::Text, "to") => self.before() == Kind::Digits,
            (Kind::Word, "in") => matches!(
                self.look(1).kind,
                Kind::Open(_) | Kind::Blackboard | Kind::Emptyset
            ),
            (Kind::Letter, "U" | "u") => {
                self.before_is_set() && matches!(self.look(1).kind, Kind::Open(_))
            }
            _ => false,
        }
    }

    /// Whether this token and the one before it are words of running text rather than factors.
    pub(super) fn is_beside_word(&self) -> bool {
        let token = self.look(0);
        if self.is_split() {
            return false;
        }
        let word = |kind: Kind, text: &str| match kind {
            Kind::Word => true,
            Kind::Text => text.chars().count() > 1,
            _ => false,
        };
        let before = self.before();
        let last = self.index().checked_sub(1).map(|index| self.at(index));
        let after_word = last.is_some_and(|last| word(last.kind, self.text_of(last)));
        let here = word(token.kind, self.text());
        let letters = |kind| matches!(kind, Kind::Letter | Kind::Word | Kind::Text);
        // Chinese words need no blank.
        let foreign = last.is_some_and(|last| after_word && !self.text_of(last).is_ascii());
        (token.gap != Gap::None && (after_word || here && letters(before)))
            || (here && after_word)
            || foreign
    }

    fn before_is_set(&self) -> bool {
        matches!(
            self.before(),
            Kind::Close(Bracket::Paren | Bracket::Square | Bracket::Reversed | Bracket::Brace)
        )
    }
}

fn is_function_letter(name: &str) -> bool {
    (name.len() == 1 && FUNCTION_LETTERS.contains(name))
        || matches!(name, "phi" | "varphi" | "psi" | "Phi")
}

/// Whether a run of letters is a product of variables rather than a word.
pub(super) fn is_variables(run: &str) -> bool {
    let bytes = run.as_bytes();
    if bytes.len() <= 3 {
        return true;
    }
    let within = |low: u8, high: u8| {
        bytes
            .iter()
            .all(|byte| (low..=high).contains(&byte.to_ascii_lowercase()))
    };
    let rising = bytes.windows(2).all(|pair| pair.first() < pair.last());
    bytes.len() <= 6 && (rising || within(b'a', b'd') || within(b'u', b'z') || within(b'p', b's'))
}
