//! Brackets inside expressions.

use super::super::ast::{Expr, Function};
use super::super::lexer::{Bracket, Kind};
use super::cursor::{Parser, Term};
use super::expr::SUM;
use super::{ParseError, ParseErrorKind};

impl Parser<'_> {
    /// Runs `parse` between the current bracket and its partner; commas and bars inside are its own.
    pub(super) fn inside<T>(
        &mut self,
        bracket: Bracket,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let open = self.look(0);
        if open.kind != Kind::Open(bracket) {
            return Err(self.unexpected());
        }
        if open.partner == 0 {
            return Err(self.error(ParseErrorKind::Unbalanced));
        }
        self.bump();
        let bar = std::mem::replace(&mut self.bar, false);
        let bracketed = self.bracketed;
        self.bracketed |= bracket != Bracket::Group;
        let result = self.nested(parse);
        self.bar = bar;
        self.bracketed = bracketed;
        let result = result?;
        if self.index() != open.partner as usize {
            return Err(self.unexpected());
        }
        self.bump();
        Ok(result)
    }

    /// One expression between brackets.
    pub(super) fn between(&mut self, bracket: Bracket) -> Result<Term, ParseError> {
        self.inside(bracket, |parser| parser.expr(SUM))
    }

    /// `{..}`; `{a \over b}` and `{n \choose k}` too.
    pub(super) fn grouped(&mut self) -> Result<Term, ParseError> {
        self.inside(Bracket::Group, |parser| {
            if matches!(parser.peek(), Kind::Close(_)) {
                return Err(parser.unexpected());
            }
            let above = if parser.at_differential() {
                parser.leaf(Expr::integer(1.into()))?
            } else {
                parser.expr(SUM)?
            };
            if parser.at_differential() {
                parser.differential()?;
            }
            match parser.peek() {
                Kind::Over => {
                    parser.bump();
                    let below = parser.expr(SUM)?;
                    let height = above.height.max(below.height);
                    parser.node(
                        Expr::Div(Box::new(above.expr), Box::new(below.expr)),
                        height,
                    )
                }
                Kind::Choose => {
                    parser.bump();
                    let below = parser.expr(SUM)?;
                    parser.call2(Function::Binomial, above, below)
                }
                _ => Ok(above),
            }
        })
    }

    /// Any bracket that stands where an operand may.
    pub(super) fn bracket(&mut self) -> Result<Term, ParseError> {
        let token = self.look(0);
        match token.kind {
            Kind::Open(Bracket::Group) => self.grouped(),
            Kind::Open(bracket @ (Bracket::Paren | Bracket::Square)) => {
                if token.inside.separator {
                    return self.row(bracket);
                }
                let close = self.at(token.partner as usize).kind;
                if token.partner != 0 && close != Kind::Close(bracket) {
                    return Err(self.error(ParseErrorKind::Unbalanced));
                }
                self.between(bracket)
            }
            Kind::Open(Bracket::Angle) => self.row(Bracket::Angle),
            // `\{x + 1\}^2`: braces as brackets.
            Kind::Open(Bracket::Brace) if !token.inside.separator => self.between(Bracket::Brace),
            Kind::Open(Bracket::Floor) => {
                let argument = self.between(Bracket::Floor)?;
                self.call1(Function::Floor, argument)
            }
            Kind::Open(Bracket::Ceil) => {
                let argument = self.between(Bracket::Ceil)?;
                self.call1(Function::Ceil, argument)
            }
            Kind::Open(bracket @ (Bracket::Bar | Bracket::DoubleBar)) => {
                let argument = self.between(bracket)?;
                self.modulus(argument)
            }
            // Where an operand may start, a bar opens.
            Kind::Bar | Kind::DoubleBar => {
                self.bump();
                let bracketed = std::mem::replace(&mut self.bracketed, true);
                let bar = std::mem::replace(&mut self.bar, true);
                let argument = self.nested(|parser| parser.expr(SUM));
                self.bar = bar;
                self.bracketed = bracketed;
                let argument = argument?;
                self.expect(token.kind)?;
                self.modulus(argument)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `|a|`; of a matrix, its determinant.
    fn modulus(&mut self, argument: Term) -> Result<Term, ParseError> {
        let function = if matches!(argument.expr, Expr::Matrix(_)) {
            Function::Det
        } else {
            Function::Abs
        };
        self.call1(function, argument)
    }

    /// `(1, 2)` where a number could stand: a row vector, for `(1, 2) + t(3, 4)`.
    fn row(&mut self, bracket: Bracket) -> Result<Term, ParseError> {
        let (row, height) = self.arguments(bracket)?;
        self.node(Expr::Matrix(vec![row]), height)
    }
}
