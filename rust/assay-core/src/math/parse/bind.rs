//! Operators that bind a variable: sums, products, limits, integrals, derivatives.

use super::super::ast::{Binder, Expr, Relation};
use super::super::lexer::{Big, Bracket, Kind};
use super::cursor::{Parser, Term};
use super::expr::SUM;
use super::{ParseError, ParseErrorKind};

impl Parser<'_> {
    pub(super) fn big(&mut self, big: Big) -> Result<Term, ParseError> {
        self.bump();
        self.nested(|parser| match big {
            Big::Sum => parser.series(Binder::Sum),
            Big::Product => parser.series(Binder::Product),
            Big::Limit => parser.limit(),
            Big::Integral => parser.integral_sign(),
        })
    }

    /// `\sum_{k=1}^{n} a_k`; the body is a product.
    fn series(&mut self, binder: Binder) -> Result<Term, ParseError> {
        self.expect(Kind::Underscore)?;
        let (variable, name, lower) = self.inside(Bracket::Group, |parser| {
            let name = parser.text();
            let variable = parser.variable()?;
            parser.expect(Kind::Relation(Relation::Equal))?;
            Ok((variable, name, parser.expr(SUM)?))
        })?;
        if self.peek() != Kind::Caret {
            return Err(self.unexpected());
        }
        let upper = self.exponent_term()?;
        self.bound.push(name);
        let body = self.product();
        self.bound.pop();
        let body = body?;
        let height = lower.height.max(upper.height).max(body.height);
        let expr = Expr::Bind {
            binder,
            variable,
            lower: Some(Box::new(lower.expr)),
            upper: Some(Box::new(upper.expr)),
            body: Box::new(body.expr),
        };
        self.node(expr, height)
    }

    /// A letter that names a bound variable.
    fn variable(&mut self) -> Result<Box<str>, ParseError> {
        let text = self.text();
        match self.peek() {
            Kind::Letter | Kind::Name => {}
            Kind::Named => {
                self.bump();
                return Ok(text.trim_start_matches('\\').into());
            }
            Kind::Word => {
                self.consume(1);
                return Ok(text.get(..1).unwrap_or("").into());
            }
            _ => return Err(self.unexpected()),
        }
        self.bump();
        Ok(text.into())
    }

    /// `\lim_{x \to a} f`; a one-sided limit has the side, 1 or -1, as its upper bound.
    fn limit(&mut self) -> Result<Term, ParseError> {
        self.expect(Kind::Underscore)?;
        let (variable, point, side) = self.inside(Bracket::Group, |parser| {
            let variable = parser.variable()?;
            parser.expect(Kind::To)?;
            let point = parser.expr(SUM)?;
            let mut side = None;
            if let Some((above, tokens)) = parser.one_sided() {
                parser.skip(tokens);
                side = Some(above);
            } else if matches!(parser.peek(), Kind::Plus | Kind::Minus) {
                side = Some(parser.peek() == Kind::Plus);
                parser.bump();
            }
            Ok((variable, point, side))
        })?;
        let body = self.product()?;
        let height = point.height.max(body.height);
        let expr = Expr::Bind {
            binder: Binder::Limit,
            variable,
            lower: Some(Box::new(point.expr)),
            upper: side.map(|above| Box::new(Expr::integer(if above { 1 } else { -1 }.into()))),
            body: Box::new(body.expr),
        };
        self.node(expr, height)
    }

    /// `^+`, `^{-}` at the end of a group: whether from above, and how many tokens it takes.
    pub(super) fn one_sided(&self) -> Option<(bool, usize)> {
        let grouped = usize::from(self.look(1).kind == Kind::Open(Bracket::Group));
        let sign = self.look(1 + grouped).kind;
        if self.peek() != Kind::Caret || !matches!(sign, Kind::Plus | Kind::Minus) {
            return None;
        }
        let closed = matches!(self.look(2 + grouped).kind, Kind::Close(_));
        closed.then_some((sign == Kind::Plus, 2 + 2 * grouped))
    }

    /// `\int_a^b f \, dx`, or with the differential in a numerator.
    fn integral_sign(&mut self) -> Result<Term, ParseError> {
        let mut lower = None;
        let mut upper = None;
        loop {
            match self.peek() {
                Kind::Underscore if lower.is_none() => {
                    self.bump();
                    lower = Some(if self.peek() == Kind::Minus {
                        self.operand()?
                    } else {
                        self.small_argument()?
                    });
                }
                Kind::Caret if upper.is_none() => upper = Some(self.exponent_term()?),
                _ => break,
            }
        }
        if lower.is_some() != upper.is_some() {
            return Err(self.unexpected());
        }
        let outer = (
            std::mem::replace(&mut self.integral, true),
            self.differential.take(),
        );
        let body = if self.at_differential() {
            self.leaf(Expr::integer(1.into()))
        } else {
            self.expr(SUM)
        };
        let body = body.and_then(|body| {
            if self.differential.is_none() {
                self.differential()?;
            }
            Ok(body)
        });
        let variable = self.differential.take();
        (self.integral, self.differential) = outer;
        let body = body?;
        let variable = variable.ok_or_else(|| self.error(ParseErrorKind::Unexpected))?;
        let mut height = body.height;
        for bound in [&lower, &upper].into_iter().flatten() {
            height = height.max(bound.height);
        }
        let expr = Expr::Bind {
            binder: Binder::Integral,
            variable,
            lower: lower.map(|term| Box::new(term.expr)),
            upper: upper.map(|term| Box::new(term.expr)),
            body: Box::new(body.expr),
        };
        self.node(expr, height)
    }

    /// Whether `dx` stands here, inside an integral.
    pub(super) fn at_differential(&self) -> bool {
        if !self.integral {
            return false;
        }
        match self.peek() {
            Kind::Differential => true,
            Kind::Letter => {
                self.text() == "d"
                    && matches!(self.look(1).kind, Kind::Letter | Kind::Named | Kind::Name)
            }
            Kind::Word => self.text().len() == 2 && self.text().starts_with('d'),
            _ => false,
        }
    }

    /// Consumes `dx` and keeps its variable.
    pub(super) fn differential(&mut self) -> Result<(), ParseError> {
        if !self.at_differential() {
            return Err(self.unexpected());
        }
        self.consume_d();
        self.differential = Some(self.variable()?);
        Ok(())
    }

    fn consume_d(&mut self) {
        if self.peek() == Kind::Word {
            self.consume(1);
        } else {
            self.bump();
        }
    }

    /// `\frac{d}{dx} f`, `\frac{d^2 f}{dx^2}`; nothing if the fraction at the current token is not one.
    pub(super) fn derivative(&mut self) -> Result<Option<Term>, ParseError> {
        let start = self.index();
        let Some((order, numerator)) = self.derivative_head() else {
            self.seek(start);
            return Ok(None);
        };
        // Here: after `d^n` in the numerator.
        self.nested(|parser| {
            let body = if numerator {
                None
            } else {
                Some(parser.expr(SUM)?)
            };
            parser.expect(Kind::Close(Bracket::Group))?;
            parser.expect(Kind::Open(Bracket::Group))?;
            if !parser.at_d() {
                return Err(parser.unexpected());
            }
            parser.consume_d();
            let variable = parser.variable()?;
            if parser.peek() == Kind::Caret {
                parser.exponent_term()?;
            }
            parser.expect(Kind::Close(Bracket::Group))?;
            let body = match body {
                None => parser.product()?,
                Some(body) => body,
            };
            // `dy/dx` of an unnamed function is a name.
            if let Expr::Symbol(name) = &body.expr
                && !numerator
                && !name.starts_with('\\')
            {
                let (power, below) = match &order {
                    Some((text, _)) => (format!("^{{{text}}}"), format!("^{{{text}}}")),
                    None => (String::new(), String::new()),
                };
                let name = format!("\\frac{{d{power} {name}}}{{d {variable}{below}}}");
                return parser.leaf(Expr::Symbol(name.into()));
            }
            let height = body.height;
            let expr = Expr::Bind {
                binder: Binder::Derivative,
                variable,
                lower: None,
                upper: order.map(|(_, order)| Box::new(order)),
                body: Box::new(body.expr),
            };
            parser.node(expr, height)
        })
        .map(Some)
    }

    /// Consumes `\frac{d^n`: the order, and whether the numerator ends there.
    fn derivative_head(&mut self) -> Option<(Option<(String, Expr)>, bool)> {
        let above = self.look(1);
        if above.kind != Kind::Open(Bracket::Group) || above.partner == 0 {
            return None;
        }
        let below = above.partner as usize + 1;
        let inner = self.at(below + 1);
        let differential = match inner.kind {
            Kind::Letter => {
                self.text_of(inner) == "d"
                    && matches!(self.at(below + 2).kind, Kind::Letter | Kind::Named)
            }
            Kind::Word => self.text_of(inner).len() == 2 && self.text_of(inner).starts_with('d'),
            Kind::Differential | Kind::Partial => true,
            _ => false,
        };
        if self.at(below).kind != Kind::Open(Bracket::Group) || !differential {
            return None;
        }
        self.skip(2);
        if !self.at_d() {
            return None;
        }
        self.consume_d();
        let mut order = None;
        if self.peek() == Kind::Caret {
            let number = self.look(if self.look(1).kind == Kind::Open(Bracket::Group) {
                2
            } else {
                1
            });
            let text = self.text_of(number).to_owned();
            let term = self.exponent_term().ok()?;
            order = Some((text, term.expr));
        }
        Some((order, matches!(self.peek(), Kind::Close(_))))
    }

    /// Whether `d` stands here as a differential operator.
    fn at_d(&self) -> bool {
        match self.peek() {
            Kind::Differential | Kind::Partial => true,
            Kind::Letter => self.text() == "d",
            Kind::Word => self.text().starts_with('d'),
            _ => false,
        }
    }
}
