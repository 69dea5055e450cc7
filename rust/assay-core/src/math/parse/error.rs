//! Why an answer was not read. Data about the answer, never a fault of the machine.

use std::fmt;

/// What stopped the parser.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParseErrorKind {
    /// Nothing but white space and wrappers.
    Empty,
    /// More bytes than [`super::MAX_BYTES`].
    TooLong,
    /// Nested deeper than [`super::MAX_DEPTH`], or a tree taller than [`super::MAX_HEIGHT`].
    TooDeep,
    /// More nodes than [`super::MAX_NODES`].
    TooLarge,
    /// A command or a character that means nothing here.
    Unknown,
    /// A known sign where it cannot stand.
    Unexpected,
    /// The text ended inside a formula.
    UnexpectedEnd,
    /// A bracket without its partner.
    Unbalanced,
    /// Digits that are not a number: a malformed exponent, doubled percent signs, digits not of the base.
    MalformedNumber,
}

/// Why an answer was not read, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParseError {
    kind: ParseErrorKind,
    at: usize,
}

impl ParseError {
    pub(crate) fn new(kind: ParseErrorKind, at: usize) -> Self {
        Self { kind, at }
    }

    pub(crate) fn moved(self, to: impl Fn(usize) -> usize) -> Self {
        Self {
            kind: self.kind,
            at: to(self.at),
        }
    }

    /// What stopped the parser.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Where, as a byte offset into the text that was given.
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ParseErrorKind::Empty => "nothing to read",
            ParseErrorKind::TooLong => "longer than 64 KiB",
            ParseErrorKind::TooDeep => "nested too deeply",
            ParseErrorKind::TooLarge => "too many parts",
            ParseErrorKind::Unknown => "unknown command or character",
            ParseErrorKind::Unexpected => "cannot stand here",
            ParseErrorKind::UnexpectedEnd => "ends inside a formula",
            ParseErrorKind::Unbalanced => "bracket without its partner",
            ParseErrorKind::MalformedNumber => "malformed number",
        };
        write!(formatter, "{what} at byte {}", self.at)
    }
}

impl std::error::Error for ParseError {}
