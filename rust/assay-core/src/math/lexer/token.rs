//! What the lexer hands to the parser: small, `Copy`, pointing into the text.

use super::super::ast::{Constant, Function, Relation};

/// A bracket's shape. `Reversed` is `]a, b[`, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bracket {
    Paren,
    Square,
    Reversed,
    /// `\{ \}`, and `{ }` where a set may stand.
    Brace,
    Angle,
    /// `{ }`: LaTeX grouping.
    Group,
    Bar,
    DoubleBar,
    Floor,
    Ceil,
}

/// An operator that binds a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Big {
    Sum,
    Product,
    Integral,
    Limit,
}

/// The sort of a token. What it says in detail is its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    End,
    /// A run of ASCII digits.
    Digits,
    /// One ASCII letter.
    Letter,
    /// Two or more ASCII letters that name nothing assay knows.
    Word,
    /// A letter or a word that must be read as one name: `\mathit{e}`, `\operatorname{f}`.
    Name,
    /// A run of other letters, or what stands in `\text{..}`.
    Text,
    /// `\alpha` and other letters written as a command.
    Named,
    Open(Bracket),
    Close(Bracket),
    /// `|`, which opens or closes.
    Bar,
    /// `\|`, likewise.
    DoubleBar,
    Mid,
    Plus,
    Minus,
    /// `\pm` (`true`) or `\mp`.
    PlusMinus(bool),
    Times,
    /// `x` or `*` between vectors is not told apart: see `Times`.
    Slash,
    Caret,
    Underscore,
    Bang,
    Percent,
    Permille,
    /// `^\circ`, `°`.
    Degree,
    Prime,
    /// `"`.
    DoublePrime,
    Comma,
    /// `{,}`: groups digits or marks decimals, never a list.
    GroupComma,
    Semicolon,
    Colon,
    Dot,
    Ellipsis,
    Ampersand,
    /// `\\`.
    NewRow,
    Relation(Relation),
    /// `\equiv`.
    Congruent,
    In,
    NotIn,
    Union,
    Intersection,
    Setminus,
    And,
    Or,
    /// `\land`, `\lor`: logic, not a list.
    Both,
    Either,
    /// `\to`.
    To,
    Function(Function),
    Constant(Constant),
    Log,
    Lg,
    Frac,
    /// `a / b` written `{a \over b}`.
    Over,
    Choose,
    Sqrt,
    /// `cbrt`.
    Cbrt,
    Binom,
    Cis,
    Angle,
    Big(Big),
    /// `\partial`.
    Partial,
    /// `d` written upright.
    Differential,
    Mod,
    Pmod,
    Emptyset,
    /// `\mathbb{R}` and the like; the letter is the token's text.
    Blackboard,
    /// `\vec`, `\hat`, `\bar`, `\angle`, ..: part of a name.
    Accent,
    Overline,
    DotAccent,
    /// A currency sign or code in front of a number.
    Currency,
    /// `\degC`, `\degF`.
    DegreeUnit,
    Begin,
    EndEnvironment,
    /// What assay does not know.
    Unknown,
}

/// White space before a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    None,
    /// A blank.
    Blank,
    /// `\,` and its kind, which may group digits.
    Thin,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// White space before it.
    pub(crate) gap: Gap,
    /// Offset of its text in the folded text.
    pub(crate) start: u32,
    /// Where its text ends.
    pub(crate) end: u32,
    /// For a bracket with its partner: the index of the closing one; else 0.
    pub(crate) partner: u32,
    /// For an opening bracket: what stands directly inside.
    pub(crate) inside: Inside,
}

/// What stands directly inside a pair of brackets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inside {
    /// A comma or a semicolon.
    pub(crate) separator: bool,
    /// A set operator.
    pub(crate) set: bool,
    /// A relation.
    pub(crate) relation: bool,
}

impl Token {
    pub(super) fn new(kind: Kind, gap: Gap, start: usize, end: usize) -> Self {
        Self {
            kind,
            gap,
            start: start as u32,
            end: end as u32,
            partner: 0,
            inside: Inside::default(),
        }
    }

    /// The end of an empty text.
    pub(crate) fn end() -> Self {
        Self::new(Kind::End, Gap::None, 0, 0)
    }

    pub(crate) fn text(self, source: &str) -> &str {
        source
            .get(self.start as usize..self.end as usize)
            .unwrap_or("")
    }
}
