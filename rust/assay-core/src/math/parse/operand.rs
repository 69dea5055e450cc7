//! Atoms: what an operator can apply to.

use super::super::ast::{Constant, Expr, Function};
use super::super::lexer::{Bracket, Kind};
use super::cursor::{Parser, Term};
use super::expr::{PRODUCT, SUM, is_numeral};
use super::policy::Policy;
use super::{ParseError, ParseErrorKind};

impl Parser<'_> {
    pub(super) fn atom(&mut self) -> Result<Term, ParseError> {
        match self.peek() {
            Kind::Digits | Kind::Dot => self.number(),
            Kind::Letter | Kind::Word | Kind::Name | Kind::Text | Kind::Named => self.name(),
            Kind::Accent | Kind::Angle => self.accented(),
            Kind::Overline => self.overlined(),
            Kind::Constant(constant) => {
                self.bump();
                self.leaf(Expr::Constant(constant))
            }
            Kind::Ellipsis => {
                self.bump();
                self.leaf(Expr::symbol("\\ldots"))
            }
            Kind::Underscore | Kind::Caret => {
                let at = self.unexpected();
                self.prescripted()?.ok_or(at)
            }
            Kind::Open(Bracket::Group) if self.look(1).kind == Kind::Close(Bracket::Group) => {
                match self.prescripted()? {
                    Some(term) => Ok(term),
                    None => self.bracket(),
                }
            }
            Kind::Open(_) | Kind::Bar | Kind::DoubleBar => self.bracket(),
            Kind::Frac => self.fraction(),
            Kind::Sqrt => self.root(),
            Kind::Cbrt => {
                self.bump();
                let argument = self.argument()?;
                let index = self.leaf(Expr::integer(3.into()))?;
                self.call2(Function::Root, argument, index)
            }
            Kind::Binom => {
                self.bump();
                if self.peek() == Kind::Open(Bracket::Paren) {
                    return self.call_with_list(Function::Binomial, 2);
                }
                let above = self.small_argument()?;
                let below = self.small_argument()?;
                self.call2(Function::Binomial, above, below)
            }
            Kind::Function(function) => self.function(function),
            Kind::Log | Kind::Lg => self.logarithm(),
            Kind::Cis => {
                self.bump();
                let angle = self.argument()?;
                self.unit_vector(angle)
            }
            Kind::Big(big) => self.big(big),
            Kind::Begin => self.matrix(),
            Kind::Differential => {
                self.bump();
                self.leaf(Expr::symbol("d"))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `e^{i angle}`.
    pub(super) fn unit_vector(&mut self, angle: Term) -> Result<Term, ParseError> {
        let product = self.node(
            Expr::Mul(vec![Expr::Constant(Constant::I), angle.expr]),
            angle.height,
        )?;
        self.call1(Function::Exp, product)
    }

    fn fraction(&mut self) -> Result<Term, ParseError> {
        if let Some(derivative) = self.derivative()? {
            return Ok(derivative);
        }
        self.bump();
        let above = self.small_argument()?;
        let below = self.small_argument()?;
        let height = above.height.max(below.height);
        self.node(
            Expr::Div(Box::new(above.expr), Box::new(below.expr)),
            height,
        )
    }

    /// What a LaTeX command takes: a group, one digit, one letter or one symbol.
    pub(super) fn small_argument(&mut self) -> Result<Term, ParseError> {
        self.nested(|parser| match parser.peek() {
            Kind::Open(Bracket::Group) => parser.grouped(),
            Kind::Digits => {
                let digit = parser
                    .text()
                    .get(..1)
                    .and_then(|digit| digit.parse::<u8>().ok())
                    .unwrap_or(0);
                parser.consume(1);
                parser.leaf(Expr::integer(digit.into()))
            }
            Kind::Open(Bracket::Paren) => parser.bracket(),
            Kind::Letter | Kind::Named | Kind::Name | Kind::Word => {
                let name = parser.bare_letter();
                parser.leaf(name)
            }
            Kind::Constant(_) | Kind::Frac | Kind::Sqrt | Kind::Binom => parser.atom(),
            _ => Err(parser.unexpected()),
        })
    }

    fn root(&mut self) -> Result<Term, ParseError> {
        let command = self.text().starts_with('\\');
        self.bump();
        let mut index = None;
        if self.peek() == Kind::Open(Bracket::Square) && self.look(0).partner != 0 {
            // `\sqrt[3]{8}`; but `sqrt[5]` alone is a bracketed argument.
            let after = self.at(self.look(0).partner as usize + 1).kind;
            if command
                && matches!(
                    after,
                    Kind::Open(_)
                        | Kind::Digits
                        | Kind::Letter
                        | Kind::Word
                        | Kind::Named
                        | Kind::Constant(_)
                        | Kind::Frac
                )
            {
                index = Some(self.between(Bracket::Square)?);
            }
        }
        let argument = self.nested(|parser| {
            if parser.peek() != Kind::Digits {
                return if matches!(parser.peek(), Kind::Minus | Kind::Plus) {
                    parser.operand()
                } else {
                    parser.atom_or_letter()
                };
            }
            // `\sqrt23` is typeset as the root of two times three, and mostly meant as the root of 23.
            if command && parser.text().len() > 1 && parser.second(Policy::ONE_DIGIT) {
                return parser.small_argument();
            }
            parser.number()
        })?;
        match index {
            None => self.call1(Function::Sqrt, argument),
            Some(index) => self.call2(Function::Root, argument, index),
        }
    }

    /// An atom; of a run of letters only the first.
    fn atom_or_letter(&mut self) -> Result<Term, ParseError> {
        if matches!(self.peek(), Kind::Letter | Kind::Word) {
            self.small_argument()
        } else {
            self.atom()
        }
    }

    /// A function with its power, its index and its arguments.
    fn function(&mut self, function: Function) -> Result<Term, ParseError> {
        self.bump();
        let mut power = None;
        let mut function = function;
        if self.peek() == Kind::Caret {
            let exponent = self.exponent_term()?;
            let inverse = matches!(&exponent.expr, Expr::Number(number) if number.value == dashu::rational::RBig::NEG_ONE);
            match inverse_of(function) {
                Some(inverse_function) if inverse => function = inverse_function,
                _ => power = Some(exponent),
            }
        }
        let call = match function {
            Function::Gcd | Function::Lcm | Function::Min | Function::Max => {
                self.call_with_list(function, usize::MAX)?
            }
            _ => {
                let argument = self.argument()?;
                self.call1(function, argument)?
            }
        };
        match power {
            None => Ok(call),
            Some(exponent) => {
                let height = call.height.max(exponent.height);
                self.node(
                    Expr::Pow(Box::new(call.expr), Box::new(exponent.expr)),
                    height,
                )
            }
        }
    }

    /// `\log_2 8`, `\ln`, `\lg`, `log2(8)`, `\log^2 x`.
    fn logarithm(&mut self) -> Result<Term, ParseError> {
        let decimal = self.peek() == Kind::Lg;
        self.bump();
        let mut base = None;
        let mut power = None;
        loop {
            match self.peek() {
                Kind::Underscore if base.is_none() => {
                    self.bump();
                    base = Some(self.log_base()?);
                }
                Kind::Digits
                    if base.is_none()
                        && self.look(1).kind == Kind::Open(Bracket::Paren)
                        && matches!(self.text(), "2" | "10") =>
                {
                    base = Some(self.number()?);
                }
                Kind::Caret if power.is_none() => power = Some(self.exponent_term()?),
                _ => break,
            }
        }
        let argument = self.argument()?;
        let call = match base {
            Some(base) => self.call2(Function::Log, argument, base)?,
            None if decimal || self.second(Policy::DECIMAL_LOG) => {
                let ten = self.leaf(Expr::integer(10.into()))?;
                self.call2(Function::Log, argument, ten)?
            }
            None => self.call1(Function::Ln, argument)?,
        };
        match power {
            None => Ok(call),
            Some(exponent) => {
                let height = call.height.max(exponent.height);
                self.node(
                    Expr::Pow(Box::new(call.expr), Box::new(exponent.expr)),
                    height,
                )
            }
        }
    }

    /// `\log_28`: LaTeX puts one digit below the line; `\log_10 5`: plain text means both.
    fn log_base(&mut self) -> Result<Term, ParseError> {
        if self.peek() == Kind::Digits && self.text().len() > 1 {
            let follows = matches!(
                self.look(1).kind,
                Kind::Digits
                    | Kind::Letter
                    | Kind::Word
                    | Kind::Open(_)
                    | Kind::Frac
                    | Kind::Sqrt
                    | Kind::Constant(_)
                    | Kind::Named
                    | Kind::Bar
            );
            if follows {
                return self.number();
            }
        }
        self.small_argument()
    }

    /// The argument of a function: what stands in brackets or in a group, or a juxtaposed product.
    pub(super) fn argument(&mut self) -> Result<Term, ParseError> {
        self.nested(|parser| match parser.peek() {
            Kind::Open(Bracket::Paren | Bracket::Square | Bracket::Group) => parser.bracket(),
            _ => parser.implicit(),
        })
    }

    /// `2x` of `\sin 2x`: factors side by side, up to another function or a bracket.
    fn implicit(&mut self) -> Result<Term, ParseError> {
        let first = self.operand()?;
        let mut height = first.height;
        let mut factors = vec![first.expr];
        loop {
            let continues = match self.peek() {
                Kind::Letter | Kind::Named | Kind::Word | Kind::Name | Kind::Text => {
                    self.starts_factor(factors.last().is_some_and(is_numeral))
                }
                Kind::Constant(_) | Kind::Frac | Kind::Sqrt => true,
                _ => false,
            };
            if !continues {
                break;
            }
            let factor = self.operand()?;
            height = height.max(factor.height);
            factors.push(factor.expr);
        }
        let angle = matches!(factors.last(), Some(Expr::Constant(Constant::Pi)));
        let mut term = match factors.pop() {
            Some(only) if factors.is_empty() => Term { expr: only, height },
            Some(last) => {
                factors.push(last);
                self.node(Expr::Mul(factors), height)?
            }
            None => return Err(self.unexpected()),
        };
        // `\sin \pi/6` is the sine of a sixth of pi.
        if angle && self.peek() == Kind::Slash && self.look(1).kind == Kind::Digits {
            self.bump();
            let below = self.number()?;
            let height = term.height.max(below.height);
            term = self.node(Expr::Div(Box::new(term.expr), Box::new(below.expr)), height)?;
        }
        Ok(term)
    }

    /// `\gcd(a, b)`, `\max\{a, b\}`: a bracketed list of up to `most` arguments, at least one.
    pub(super) fn call_with_list(
        &mut self,
        function: Function,
        most: usize,
    ) -> Result<Term, ParseError> {
        let Kind::Open(bracket) = self.peek() else {
            return Err(self.unexpected());
        };
        let (arguments, height) = self.arguments(bracket)?;
        if arguments.len() > most || (most == 2 && arguments.len() != 2) {
            return Err(self.error(ParseErrorKind::Unexpected));
        }
        self.node(Expr::Call(function, arguments), height)
    }

    /// A bracketed list of expressions, and their height.
    pub(super) fn arguments(&mut self, bracket: Bracket) -> Result<(Vec<Expr>, u16), ParseError> {
        self.inside(bracket, |parser| {
            let mut height = 0;
            let mut arguments = Vec::new();
            loop {
                let argument = parser.expr(SUM)?;
                height = height.max(argument.height);
                arguments.push(argument.expr);
                if !parser.eat(Kind::Comma) && !parser.eat(Kind::Semicolon) {
                    return Ok((arguments, height));
                }
            }
        })
    }

    /// A product, for the body of a sum and the like.
    pub(super) fn product(&mut self) -> Result<Term, ParseError> {
        self.expr(PRODUCT)
    }
}

/// What `f^{-1}` means for the functions where it is not a power.
fn inverse_of(function: Function) -> Option<Function> {
    Some(match function {
        Function::Sin => Function::Arcsin,
        Function::Cos => Function::Arccos,
        Function::Tan => Function::Arctan,
        Function::Cot => Function::Arccot,
        Function::Sec => Function::Arcsec,
        Function::Csc => Function::Arccsc,
        Function::Sinh => Function::Arsinh,
        Function::Cosh => Function::Arcosh,
        Function::Tanh => Function::Artanh,
        _ => return None,
    })
}
