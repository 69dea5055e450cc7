//! One item of an answer: an expression, a collection, or a relation between them.

use super::super::ast::{End, Expr, Function, Relation, Value};
use super::super::lexer::{Bracket, Kind};
use super::cursor::{Parser, Term};
use super::expr::SUM;
use super::policy::Policy;
use super::{ParseError, ParseErrorKind};

impl Parser<'_> {
    pub(super) fn item(&mut self) -> Result<Value, ParseError> {
        self.nested(|parser| {
            let start = parser.index();
            let first = parser.side(false)?;
            match parser.relation_here() {
                None => parser.ratio(first, start),
                Some(_) => parser.relations(first),
            }
        })
    }

    fn relation_here(&self) -> Option<Sign> {
        Some(match self.peek() {
            Kind::Relation(relation) => Sign::Relation(relation),
            Kind::Congruent => Sign::Congruent,
            Kind::In => Sign::In,
            Kind::NotIn => Sign::NotIn,
            Kind::Word if self.text() == "in" && self.is_word_operator() => Sign::In,
            _ => return None,
        })
    }

    /// One side of a relation, with its unit if it has one.
    pub(super) fn side(&mut self, element: bool) -> Result<Value, ParseError> {
        if self.at_system() {
            return self.system();
        }
        if self.at_set() {
            return self.set(element);
        }
        if self.at_statement() {
            return self.inside(Bracket::Paren, Self::list_until_close);
        }
        if let Some(value) = self.currency_amount()? {
            return Ok(value);
        }
        if let Some(value) = self.alphanumeric() {
            return Ok(value);
        }
        if let Some(value) = self.chinese_amount()? {
            return Ok(value);
        }
        let start = self.index();
        let term = self.expr(SUM)?;
        if let (Some(based), Expr::Number(number)) = (self.base, &term.expr)
            && (based.start, based.end) == (start, self.index())
        {
            return Ok(Value::Base(number.value.clone(), based.base));
        }
        if self.set_follows() {
            // A named set before a set operator.
            self.seek(start);
            return self.set(true);
        }
        self.with_unit(term)
    }

    /// Whether a bracketed relation is this whole side: `(x < 1 \lor x > 3)`.
    fn at_statement(&self) -> bool {
        let token = self.look(0);
        token.kind == Kind::Open(Bracket::Paren)
            && token.partner != 0
            && token.inside.relation
            && self.ends_side(token.partner as usize + 1)
    }

    fn set_follows(&self) -> bool {
        matches!(
            self.peek(),
            Kind::Union | Kind::Intersection | Kind::Setminus
        )
    }

    /// `a : b : c` after `a`.
    fn ratio(&mut self, first: Value, start: usize) -> Result<Value, ParseError> {
        let to = self.is_to();
        if !to && (self.peek() != Kind::Colon || self.bar) {
            return Ok(first);
        }
        if !to && let Some(time) = self.clock(start) {
            return Ok(time);
        }
        let Value::Expr(first) = first else {
            return Err(self.unexpected());
        };
        let mut parts = vec![first];
        while self.peek() == Kind::Colon || self.is_to() {
            self.bump();
            parts.push(self.expr(SUM)?.expr);
        }
        Ok(Value::Ratio(parts))
    }

    /// `3 to 4`.
    fn is_to(&self) -> bool {
        matches!(self.peek(), Kind::Word | Kind::Text)
            && self.text().trim() == "to"
            && self.before() == Kind::Digits
            && self.look(1).kind == Kind::Digits
    }

    fn relations(&mut self, first: Value) -> Result<Value, ParseError> {
        let mut terms = vec![first];
        let mut signs = Vec::new();
        while let Some(sign) = self.relation_here() {
            self.bump();
            signs.push(sign);
            let outer = (self.congruent, self.residue);
            (self.congruent, self.residue) = (true, matches!(sign, Sign::Congruent));
            let side = self.side(matches!(sign, Sign::In | Sign::NotIn));
            (self.congruent, self.residue) = outer;
            terms.push(side?);
            self.count()?;
        }
        let modulus = self.look(1).kind;
        let modular = self.peek() == Kind::Pmod
            || self.peek() == Kind::Open(Bracket::Paren)
                && matches!(modulus, Kind::Mod | Kind::Pmod);
        if matches!(signs.as_slice(), [Sign::Congruent])
            || modular && matches!(signs.as_slice(), [Sign::Relation(Relation::Equal)])
        {
            return self.congruence(terms);
        }
        if let [sign @ (Sign::In | Sign::NotIn)] = signs.as_slice() {
            let set = terms.pop();
            let element = terms.pop();
            return match (element, set) {
                (Some(Value::Expr(element)), Some(set)) => Ok(membership(element, set, *sign)),
                _ => Err(self.error(ParseErrorKind::Unexpected)),
            };
        }
        self.chain(terms, &signs)
    }

    /// `a < b <= c`, `x = 5`, `A = \{1, 2\}`, `(x, y) = (1, 2)`.
    fn chain(&mut self, terms: Vec<Value>, signs: &[Sign]) -> Result<Value, ParseError> {
        let mut relations = Vec::with_capacity(signs.len());
        for sign in signs {
            relations.push(match sign {
                Sign::Relation(relation) => *relation,
                Sign::Congruent => Relation::Equal,
                Sign::In | Sign::NotIn => return Err(self.error(ParseErrorKind::Unexpected)),
            });
        }
        if terms.iter().all(|term| matches!(term, Value::Expr(_))) {
            let terms = terms.into_iter().filter_map(expression).collect();
            return Ok(Value::Chain(terms, relations));
        }
        let equalities = relations
            .iter()
            .all(|relation| matches!(relation, Relation::Equal | Relation::Approx));
        if let ([Value::Tuple(left), Value::Tuple(right)], true) = (terms.as_slice(), equalities) {
            return self.assigned(left, right);
        }
        let named = terms.iter().rev().skip(1).all(is_name);
        if equalities && named {
            // `A = \{1, 2\}`, `v = 5 m/s`: the name says nothing.
            return terms
                .into_iter()
                .next_back()
                .ok_or_else(|| self.unexpected());
        }
        if terms
            .iter()
            .any(|term| !matches!(term, Value::Expr(_) | Value::Quantity(..)))
        {
            return Err(self.error(ParseErrorKind::Unexpected));
        }
        let terms: Option<Vec<Expr>> = terms.into_iter().map(expression).collect();
        let terms = terms.ok_or_else(|| self.error(ParseErrorKind::Unexpected))?;
        Ok(Value::Chain(terms, relations))
    }

    /// `(x, y) = (1, 2)`: two equations, or the right side alone.
    fn assigned(&mut self, left: &[Value], right: &[Value]) -> Result<Value, ParseError> {
        if left.len() != right.len() {
            return Err(self.error(ParseErrorKind::Unexpected));
        }
        if self.second(Policy::ASSIGNED) {
            return Ok(Value::Tuple(right.to_vec()));
        }
        let pairs: Option<Vec<Value>> = left
            .iter()
            .zip(right)
            .map(|pair| match pair {
                (Value::Expr(left), Value::Expr(right)) => Some(Value::Chain(
                    vec![left.clone(), right.clone()],
                    vec![Relation::Equal],
                )),
                _ => None,
            })
            .collect();
        pairs
            .map(Value::All)
            .ok_or_else(|| self.error(ParseErrorKind::Unexpected))
    }

    /// `(mod m)`.
    pub(super) fn parenthesised_modulus(&mut self) -> Result<Term, ParseError> {
        self.inside(Bracket::Paren, |parser| {
            parser.bump();
            parser.expr(SUM)
        })
    }

    /// `a \equiv b \pmod m`: `a mod m = b mod m`.
    fn congruence(&mut self, mut terms: Vec<Value>) -> Result<Value, ParseError> {
        let (Some(Value::Expr(right)), Some(Value::Expr(left))) = (terms.pop(), terms.pop()) else {
            return Err(self.error(ParseErrorKind::Unexpected));
        };
        let modulus = match self.peek() {
            Kind::Pmod => {
                self.bump();
                Some(self.small_argument()?.expr)
            }
            Kind::Mod => {
                self.bump();
                Some(self.expr(SUM)?.expr)
            }
            Kind::Open(Bracket::Paren) => Some(self.parenthesised_modulus()?.expr),
            _ => None,
        };
        let sides = match modulus {
            None => vec![left, right],
            Some(modulus) => [left, right]
                .map(|side| Expr::Call(Function::Mod, vec![side, modulus.clone()]))
                .to_vec(),
        };
        Ok(Value::Chain(sides, vec![Relation::Equal]))
    }
}

#[derive(Clone, Copy)]
enum Sign {
    Relation(Relation),
    Congruent,
    In,
    NotIn,
}

fn expression(value: Value) -> Option<Expr> {
    match value {
        Value::Expr(expr) => Some(expr),
        // In an inequality a unit is a factor.
        Value::Quantity(expr, unit) => {
            let named = unit
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '*' | '/' | '^'));
            named.then(|| Expr::Mul(vec![expr, unit_factor(&unit)]))
        }
        _ => None,
    }
}

/// The symbols of a canonical unit name: `m/s^2`.
fn unit_factor(unit: &str) -> Expr {
    let power = |factor: &str| match factor.split_once('^') {
        Some((name, power)) => Expr::Pow(
            Box::new(Expr::symbol(name)),
            Box::new(Expr::integer(power.parse::<i64>().unwrap_or(1).into())),
        ),
        None => Expr::symbol(factor),
    };
    let product = |text: &str| {
        let mut factors: Vec<Expr> = text.split('*').map(power).collect();
        if factors.len() == 1 {
            factors.swap_remove(0)
        } else {
            Expr::Mul(factors)
        }
    };
    let mut parts = unit.split('/');
    let first = match parts.next() {
        None | Some("") => Expr::integer(1.into()),
        Some(above) => product(above),
    };
    parts.fold(first, |above, below| {
        Expr::Div(Box::new(above), Box::new(product(below)))
    })
}

fn is_name(value: &Value) -> bool {
    match value {
        Value::Expr(Expr::Symbol(_) | Expr::Apply(..) | Expr::Constant(_)) => true,
        Value::Expr(Expr::Mul(parts) | Expr::Call(_, parts)) => {
            parts.iter().all(|part| matches!(part, Expr::Symbol(_)))
        }
        _ => false,
    }
}

/// `x \in A`; `x \notin \{a, b\}` excludes points, `x \notin A` a set.
fn membership(element: Expr, set: Value, sign: Sign) -> Value {
    let set = match set {
        Value::Expr(Expr::Symbol(name)) if &*name == "R" => real_line(),
        set => set,
    };
    if !matches!(sign, Sign::NotIn) {
        return Value::Element(element, Box::new(set));
    }
    if let Value::Set(points) = &set {
        let excluded: Option<Vec<Value>> = points
            .iter()
            .map(|point| match point {
                Value::Expr(point) => Some(Value::Chain(
                    vec![element.clone(), point.clone()],
                    vec![Relation::NotEqual],
                )),
                _ => None,
            })
            .collect();
        match excluded {
            Some(mut one) if one.len() == 1 => return one.swap_remove(0),
            Some(all) if !all.is_empty() => return Value::All(all),
            _ => {}
        }
    }
    Value::Element(
        element,
        Box::new(Value::Difference(Box::new(real_line()), Box::new(set))),
    )
}

/// `(-\infty, \infty)`.
pub(super) fn real_line() -> Value {
    Value::Interval(End::infinite(true), End::infinite(false))
}
