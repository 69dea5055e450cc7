//! Where the parser stands, and what it may still spend.

use super::super::ast::Expr;
use super::super::lexer::{Kind, Token};
use super::literal::{Based, Run};
use super::policy::Policy;
use super::unit::Ahead;
use super::{MAX_DEPTH, MAX_HEIGHT, MAX_NODES, ParseError, ParseErrorKind};

/// An expression and the height of its tree.
pub(super) struct Term {
    pub(super) expr: Expr,
    pub(super) height: u16,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each says where the parser stands; they change one by one"
)]
pub(super) struct Parser<'a> {
    pub(super) source: &'a str,
    tokens: &'a [Token],
    index: usize,
    /// Bytes of the current token already consumed: digits and words are split by `\frac12` and `ab`.
    offset: u32,
    depth: u16,
    nodes: u16,
    /// The ambiguities read the second way.
    pub(super) policy: Policy,
    /// The ambiguities met.
    pub(super) seen: Policy,
    /// A `|` closes here instead of opening.
    pub(super) bar: bool,
    /// Inside brackets of any kind.
    pub(super) bracketed: bool,
    /// The text has a letter `j`, so that `i` may be a unit vector.
    pub(super) vectors: bool,
    /// `e` or `i` is bound by a sum or a relation.
    pub(super) bound: Vec<&'a str>,
    /// Inside an integral: the variable of the differential once it was read.
    pub(super) integral: bool,
    pub(super) differential: Option<Box<str>>,
    /// The unit found ahead of a token, so that it is looked for once.
    pub(super) unit: Option<((usize, bool), Option<Ahead>)>,
    /// Reading the sides of a congruence, whose modulus stands after them.
    pub(super) congruent: bool,
    /// After `\equiv`, where `\mod` ends a side, too.
    pub(super) residue: bool,
    /// Between `\begin` and `\end`.
    pub(super) environment: bool,
    /// Reading an amount of money.
    pub(super) money: bool,
    /// A scale word ended before this token.
    pub(super) unit_after_word: Option<usize>,
    /// The last literal with a base.
    pub(super) base: Option<Based>,
    /// The groups of digits looked at last.
    pub(super) run: Option<Run>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(source: &'a str, tokens: &'a [Token], policy: Policy) -> Self {
        Self {
            source,
            tokens,
            index: 0,
            offset: 0,
            depth: 0,
            nodes: 0,
            policy,
            seen: Policy::NONE,
            bar: false,
            bracketed: false,
            vectors: tokens
                .iter()
                .any(|token| token.kind == Kind::Letter && token.text(source) == "j"),
            bound: Vec::new(),
            integral: false,
            differential: None,
            unit: None,
            congruent: false,
            residue: false,
            environment: false,
            money: false,
            unit_after_word: None,
            base: None,
            run: None,
        }
    }

    /// The current token, less what was consumed of it.
    pub(super) fn token(&self) -> Token {
        let mut token = self.look(0);
        token.start += self.offset;
        token
    }

    /// The token `ahead` places on; the last one is `End`.
    pub(super) fn look(&self, ahead: usize) -> Token {
        self.at(self.index + ahead)
    }

    /// The token at an absolute index.
    pub(super) fn at(&self, index: usize) -> Token {
        let last = self.tokens.len().saturating_sub(1);
        self.tokens
            .get(index.min(last))
            .copied()
            .unwrap_or_else(Token::end)
    }

    pub(super) fn peek(&self) -> Kind {
        self.look(0).kind
    }

    pub(super) fn text(&self) -> &'a str {
        self.token().text(self.source)
    }

    pub(super) fn text_of(&self, token: Token) -> &'a str {
        token.text(self.source)
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Whether part of the current token was consumed.
    pub(super) fn is_split(&self) -> bool {
        self.offset > 0
    }

    /// The kind of the token before the current one.
    pub(super) fn before(&self) -> Kind {
        match self.index.checked_sub(1) {
            Some(index) => self.at(index).kind,
            None => Kind::End,
        }
    }

    pub(super) fn bump(&mut self) {
        self.skip(1);
    }

    pub(super) fn skip(&mut self, tokens: usize) {
        self.index = (self.index + tokens).min(self.tokens.len().saturating_sub(1));
        self.offset = 0;
    }

    /// Goes back, or on, to a token.
    pub(super) fn seek(&mut self, index: usize) {
        self.index = index;
        self.offset = 0;
    }

    /// Consumes `bytes` of the current token.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.offset += bytes as u32;
        let token = self.look(0);
        if token.start + self.offset >= token.end {
            self.bump();
        }
    }

    pub(super) fn eat(&mut self, kind: Kind) -> bool {
        let found = self.peek() == kind;
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn expect(&mut self, kind: Kind) -> Result<(), ParseError> {
        if self.eat(kind) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub(super) fn error(&self, kind: ParseErrorKind) -> ParseError {
        ParseError::new(kind, self.token().start as usize)
    }

    /// The current token cannot stand here.
    pub(super) fn unexpected(&self) -> ParseError {
        self.error(match self.peek() {
            Kind::End => ParseErrorKind::UnexpectedEnd,
            Kind::Unknown => ParseErrorKind::Unknown,
            Kind::Open(_) | Kind::Close(_) if self.look(0).partner == 0 => {
                ParseErrorKind::Unbalanced
            }
            _ => ParseErrorKind::Unexpected,
        })
    }

    /// Whether the ambiguity is read the second way; notes that it was met.
    pub(super) fn second(&mut self, ambiguity: Policy) -> bool {
        self.seen.add(ambiguity);
        self.policy.has(ambiguity)
    }

    /// Runs `parse` one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(ParseErrorKind::TooDeep));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Counts a leaf or a new node.
    pub(super) fn count(&mut self) -> Result<(), ParseError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.error(ParseErrorKind::TooLarge));
        }
        Ok(())
    }

    pub(super) fn leaf(&mut self, expr: Expr) -> Result<Term, ParseError> {
        self.count()?;
        Ok(Term { expr, height: 1 })
    }

    /// A node over children of at most this height.
    pub(super) fn node(&mut self, expr: Expr, children: u16) -> Result<Term, ParseError> {
        self.count()?;
        if children >= MAX_HEIGHT {
            return Err(self.error(ParseErrorKind::TooDeep));
        }
        Ok(Term {
            expr,
            height: children + 1,
        })
    }
}
