//! Binary operators, juxtaposition and postfix operators.

use super::super::ast::{Expr, Function, Number};
use super::super::lexer::{Bracket, Gap, Kind};
use super::ParseError;
use super::cursor::{Parser, Term};
use super::policy::Policy;

/// Binding power of `+` and `-`.
pub(super) const SUM: u8 = 10;
/// Of `*`, `/`, `mod` and juxtaposition.
pub(super) const PRODUCT: u8 = 20;
/// Of juxtaposition where a division must not reach into it.
const TIGHT: u8 = 30;

impl Parser<'_> {
    /// A scalar or matrix expression up to the first token that cannot continue it.
    pub(super) fn expr(&mut self, power: u8) -> Result<Term, ParseError> {
        self.nested(|parser| parser.expr_inner(power))
    }

    fn expr_inner(&mut self, power: u8) -> Result<Term, ParseError> {
        let mut left = self.operand()?;
        // Whether `left` is a sum or a product built here, to which another term may be added.
        let mut open = Open::None;
        loop {
            let kind = self.peek();
            match kind {
                Kind::Plus | Kind::Minus | Kind::PlusMinus(_) if power <= SUM => {
                    // After a differential the integral is over; `0+` is a one-sided limit.
                    if self.differential.is_some() || matches!(self.look(1).kind, Kind::Close(_)) {
                        return Ok(left);
                    }
                    self.bump();
                    let right = self.expr(SUM + 1)?;
                    let right = match kind {
                        Kind::Minus => self.negate(right)?,
                        Kind::PlusMinus(sign) => {
                            self.node(Expr::PlusMinus(sign, Box::new(right.expr)), right.height)?
                        }
                        _ => right,
                    };
                    left = self.join(left, right, &mut open, Open::Sum)?;
                }
                Kind::Times if power <= PRODUCT => {
                    self.bump();
                    let right = self.expr(PRODUCT + 1)?;
                    left = self.join(left, right, &mut open, Open::Product)?;
                }
                // `\$5/hour`
                Kind::Slash if self.at_rate() => return Ok(left),
                Kind::Slash if power <= PRODUCT => {
                    self.bump();
                    let right = self.divisor()?;
                    let height = left.height.max(right.height);
                    left =
                        self.node(Expr::Div(Box::new(left.expr), Box::new(right.expr)), height)?;
                    open = Open::None;
                }
                Kind::Mod if power <= PRODUCT && !self.residue => {
                    self.bump();
                    let right = self.expr(PRODUCT + 1)?;
                    left = self.call2(Function::Mod, left, right)?;
                    open = Open::None;
                }
                Kind::Pmod if power <= SUM && !self.congruent => {
                    self.bump();
                    let modulus = self.small_argument()?;
                    left = self.call2(Function::Mod, left, modulus)?;
                    open = Open::None;
                }
                Kind::Open(Bracket::Paren)
                    if power <= SUM && !self.congruent && self.look(1).kind == Kind::Mod =>
                {
                    let modulus = self.parenthesised_modulus()?;
                    left = self.call2(Function::Mod, left, modulus)?;
                    open = Open::None;
                }
                _ if power <= TIGHT && self.starts_factor(is_numeral(&left.expr)) => {
                    let right = self.operand()?;
                    left = self.join(left, right, &mut open, Open::Product)?;
                }
                _ => return Ok(left),
            }
        }
    }

    /// What a `/` divides by: one operand, or a juxtaposed product where that is the reading.
    fn divisor(&mut self) -> Result<Term, ParseError> {
        if self.policy.has(Policy::JUXTAPOSED) {
            return self.expr(TIGHT);
        }
        let right = self.operand()?;
        if is_numeral(&right.expr) && self.starts_factor(true) {
            self.seen.add(Policy::JUXTAPOSED);
        }
        Ok(right)
    }

    /// Whether the next token multiplies what stands before it, a numeral or not, by standing beside it.
    pub(super) fn starts_factor(&mut self, numeral: bool) -> bool {
        match self.peek() {
            Kind::Digits => !numeral && !self.is_beside_word(),
            Kind::Letter | Kind::Word | Kind::Text | Kind::Named | Kind::Name => {
                !self.at_differential()
                    && !self.is_word_operator()
                    && !self.is_beside_word()
                    && self.degree_words().is_none()
                    && !self.at_unit()
            }
            Kind::Open(Bracket::Paren) => {
                self.look(1).kind != Kind::Mod && self.look(1).kind != Kind::Pmod
            }
            Kind::Bar | Kind::DoubleBar => !self.bar,
            Kind::Open(Bracket::Group) | Kind::Function(Function::Min | Function::Sec) => {
                !self.at_unit()
            }
            Kind::Open(
                Bracket::Square
                | Bracket::Floor
                | Bracket::Ceil
                | Bracket::Bar
                | Bracket::DoubleBar,
            )
            | Kind::Constant(_)
            | Kind::Log
            | Kind::Lg
            | Kind::Frac
            | Kind::Sqrt
            | Kind::Cbrt
            | Kind::Binom
            | Kind::Cis
            | Kind::Big(_)
            | Kind::Accent
            | Kind::Overline
            | Kind::Begin
            | Kind::Function(_)
            | Kind::Partial => true,
            Kind::Angle => !numeral,
            _ => false,
        }
    }

    /// Adds a term or factor to `left`.
    fn join(
        &mut self,
        left: Term,
        right: Term,
        open: &mut Open,
        wanted: Open,
    ) -> Result<Term, ParseError> {
        let height = left.height.max(right.height + 1);
        if *open == wanted {
            let mut expr = left.expr;
            if let Expr::Add(parts) | Expr::Mul(parts) = &mut expr {
                parts.push(right.expr);
            }
            let grown = self.node(Expr::Add(Vec::new()), height - 1)?;
            return Ok(Term {
                expr,
                height: grown.height,
            });
        }
        *open = wanted;
        let height = left.height.max(right.height);
        let parts = vec![left.expr, right.expr];
        let expr = if wanted == Open::Sum {
            Expr::Add(parts)
        } else {
            Expr::Mul(parts)
        };
        self.node(expr, height)
    }

    /// `-a`; of a literal, the negative literal.
    pub(super) fn negate(&mut self, term: Term) -> Result<Term, ParseError> {
        match term.expr {
            Expr::Number(Number { value, written }) => {
                let expr = Expr::Number(Number {
                    value: -value,
                    written,
                });
                Ok(Term {
                    expr,
                    height: term.height,
                })
            }
            expr => self.node(Expr::Neg(Box::new(expr)), term.height),
        }
    }

    pub(super) fn call1(&mut self, function: Function, argument: Term) -> Result<Term, ParseError> {
        self.node(Expr::Call(function, vec![argument.expr]), argument.height)
    }

    pub(super) fn call2(
        &mut self,
        function: Function,
        first: Term,
        second: Term,
    ) -> Result<Term, ParseError> {
        let height = first.height.max(second.height);
        self.node(Expr::Call(function, vec![first.expr, second.expr]), height)
    }

    /// One operand with its signs, powers and postfix operators.
    pub(super) fn operand(&mut self) -> Result<Term, ParseError> {
        match self.peek() {
            Kind::Minus => {
                self.bump();
                // `--5` is a slip, not a number.
                if self.peek() == Kind::Minus && self.look(0).gap == Gap::None {
                    return Err(self.unexpected());
                }
                let term = self.nested(Self::operand)?;
                self.negate(term)
            }
            Kind::Plus => {
                self.bump();
                self.nested(Self::operand)
            }
            Kind::PlusMinus(sign) => {
                self.bump();
                let term = self.expr(PRODUCT)?;
                self.node(Expr::PlusMinus(sign, Box::new(term.expr)), term.height)
            }
            _ => {
                let atom = self.atom()?;
                self.postfix(atom)
            }
        }
    }

    /// Powers, factorials, percent signs and degrees after an atom.
    pub(super) fn postfix(&mut self, mut term: Term) -> Result<Term, ParseError> {
        let mut percent = false;
        loop {
            match self.peek() {
                Kind::Caret => {
                    if self.one_sided().is_some() {
                        return Ok(term);
                    }
                    let exponent = self.exponent_term()?;
                    term = self.power(term, exponent)?;
                }
                Kind::Bang => {
                    self.bump();
                    let double = self.peek() == Kind::Bang && self.look(0).gap == Gap::None;
                    if double {
                        self.bump();
                    }
                    let function = if double {
                        Function::DoubleFactorial
                    } else {
                        Function::Factorial
                    };
                    term = self.call1(function, term)?;
                }
                Kind::Percent if !percent => {
                    // `7 % 3` is a remainder.
                    if self.look(1).kind == Kind::Digits && self.look(1).gap == self.look(0).gap {
                        self.bump();
                        let divisor = self.nested(Self::operand)?;
                        return self.call2(Function::Mod, term, divisor);
                    }
                    self.bump();
                    percent = true;
                    term = self.node(Expr::Percent(Box::new(term.expr)), term.height)?;
                }
                Kind::Permille if !percent => {
                    self.bump();
                    percent = true;
                    let thousand = self.leaf(Expr::integer(1000.into()))?;
                    let height = term.height;
                    term = self.node(
                        Expr::Div(Box::new(term.expr), Box::new(thousand.expr)),
                        height,
                    )?;
                }
                Kind::Degree if !self.at_temperature() => term = self.degrees(term)?,
                Kind::Angle if matches!(term.expr, Expr::Number(_)) => return self.polar(term),
                _ => return Ok(term),
            }
        }
    }

    /// `base ^ exponent`; of a matrix to `T`, the transpose.
    fn power(&mut self, base: Term, exponent: Term) -> Result<Term, ParseError> {
        let transposes = matches!(&exponent.expr, Expr::Symbol(name) if &**name == "T");
        if transposes && matches!(base.expr, Expr::Matrix(_)) {
            return self.call1(Function::Transpose, base);
        }
        let height = base.height.max(exponent.height);
        self.node(
            Expr::Pow(Box::new(base.expr), Box::new(exponent.expr)),
            height,
        )
    }

    /// The exponent after a caret at the current token; powers group to the right.
    pub(super) fn exponent_term(&mut self) -> Result<Term, ParseError> {
        self.bump();
        self.nested(|parser| {
            match parser.peek() {
                Kind::Open(Bracket::Group) => {
                    let inside = parser.grouped()?;
                    // `2^{3}^2` is not LaTeX; `2^3^2` as plain text groups to the right.
                    Ok(inside)
                }
                Kind::Minus | Kind::Plus => {
                    let negative = parser.peek() == Kind::Minus;
                    parser.bump();
                    let term = parser.nested(Self::exponent_atom)?;
                    if negative {
                        parser.negate(term)
                    } else {
                        Ok(term)
                    }
                }
                _ => parser.exponent_atom(),
            }
        })
    }

    fn exponent_atom(&mut self) -> Result<Term, ParseError> {
        let atom = if self.peek() == Kind::Digits && self.look(1).kind != Kind::Dot {
            // No mixed numbers, groups or exponents up here.
            let mut digits = super::literal::Digits::default();
            digits.push(self.text());
            self.bump();
            self.leaf(Expr::integer(digits.integer().into()))?
        } else {
            self.atom()?
        };
        if self.peek() == Kind::Caret {
            let exponent = self.exponent_term()?;
            return self.power(atom, exponent);
        }
        Ok(atom)
    }

    /// `30°`, with minutes and seconds of arc if written.
    fn degrees(&mut self, term: Term) -> Result<Term, ParseError> {
        self.bump();
        let mut height = term.height;
        let mut expr = term.expr;
        for (mark, parts) in [(Kind::Prime, 60), (Kind::DoublePrime, 3600)] {
            if self.peek() == Kind::Digits && self.look(1).kind == mark {
                let mut digits = super::literal::Digits::default();
                digits.push(self.text());
                self.skip(2);
                let part = Expr::Div(
                    Box::new(Expr::integer(digits.integer().into())),
                    Box::new(Expr::integer(parts.into())),
                );
                let sum = self.node(Expr::Add(vec![expr, part]), height.max(2))?;
                (expr, height) = (sum.expr, sum.height);
            }
        }
        self.node(Expr::Degrees(Box::new(expr)), height)
    }

    /// `r \angle \theta`: `r e^{i \theta}`.
    fn polar(&mut self, radius: Term) -> Result<Term, ParseError> {
        self.bump();
        let angle = self.nested(Self::operand)?;
        let turn = self.unit_vector(angle)?;
        let height = radius.height.max(turn.height);
        self.node(Expr::Mul(vec![radius.expr, turn.expr]), height)
    }
}

/// Which list the left operand is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    Sum,
    Product,
}

/// Digits beside this would run together.
pub(super) fn is_numeral(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(_) | Expr::Percent(_) | Expr::Degrees(_))
}
