//! Sets, tuples, intervals and what is built from them.

use super::super::ast::{Constant, End, Expr, Value};
use super::super::lexer::{Bracket, Kind};
use super::cursor::Parser;
use super::item::real_line;
use super::policy::Policy;
use super::{ParseError, ParseErrorKind};

impl Parser<'_> {
    /// Whether a collection starts here, rather than an expression.
    pub(super) fn at_set(&self) -> bool {
        let token = self.look(0);
        match token.kind {
            Kind::Emptyset | Kind::Blackboard | Kind::Open(Bracket::Brace) => true,
            Kind::Open(Bracket::Group) => {
                token.inside.separator || token.inside.set || token.inside.relation
            }
            Kind::Open(Bracket::Reversed) => token.partner != 0,
            Kind::Open(Bracket::Paren | Bracket::Square | Bracket::Angle) => {
                let empty = token.partner as usize == self.index() + 1;
                // Angle brackets round one part are a tuple of one.
                let angle = token.kind == Kind::Open(Bracket::Angle);
                (token.inside.separator || token.inside.set || empty || angle)
                    && token.partner != 0
                    && self.ends_side(token.partner as usize + 1)
            }
            _ => false,
        }
    }

    /// Whether a side of a relation may end before the token at `index`.
    pub(super) fn ends_side(&self, index: usize) -> bool {
        let token = self.at(index);
        match token.kind {
            Kind::End
            | Kind::Comma
            | Kind::Semicolon
            | Kind::Or
            | Kind::And
            | Kind::Both
            | Kind::Either
            | Kind::Close(_)
            | Kind::NewRow
            | Kind::Ampersand
            | Kind::Relation(_)
            | Kind::Congruent
            | Kind::In
            | Kind::NotIn
            | Kind::Mid
            | Kind::Colon
            | Kind::Bar
            | Kind::Text
            | Kind::Word => true,
            _ => self.set_operator_at(index).is_some(),
        }
    }

    /// The set operator at `index`: `\cup`, `U` between brackets, `-` before a brace.
    fn set_operator_at(&self, index: usize) -> Option<Kind> {
        let token = self.at(index);
        match token.kind {
            Kind::Union | Kind::Intersection | Kind::Setminus => Some(token.kind),
            Kind::Letter
                if matches!(self.text_of(token), "U" | "u")
                    && matches!(self.at(index + 1).kind, Kind::Open(_)) =>
            {
                Some(Kind::Union)
            }
            Kind::Minus if self.at(index + 1).kind == Kind::Open(Bracket::Brace) => {
                Some(Kind::Setminus)
            }
            _ => None,
        }
    }

    /// Collections joined by set operators. `interval`: a pair in round brackets can only be an interval.
    pub(super) fn set(&mut self, interval: bool) -> Result<Value, ParseError> {
        let mut left = self.nested(|parser| parser.set_operand(interval))?;
        let mut open = None;
        while let Some(operator) = self.set_operator_at(self.index()) {
            self.bump();
            let right = self.nested(|parser| parser.set_operand(true))?;
            self.count()?;
            left = match (operator, left) {
                (Kind::Union, Value::Union(mut parts)) if open == Some(Kind::Union) => {
                    parts.push(right);
                    Value::Union(parts)
                }
                (Kind::Intersection, Value::Intersection(mut parts))
                    if open == Some(Kind::Intersection) =>
                {
                    parts.push(right);
                    Value::Intersection(parts)
                }
                (Kind::Union, left) => Value::Union(vec![left, right]),
                (Kind::Intersection, left) => Value::Intersection(vec![left, right]),
                (_, left) => {
                    self.nested(|_| Ok(Value::Difference(Box::new(left), Box::new(right))))?
                }
            };
            open = Some(operator);
        }
        Ok(left)
    }

    fn set_operand(&mut self, interval: bool) -> Result<Value, ParseError> {
        let token = self.look(0);
        match token.kind {
            Kind::Emptyset => {
                self.bump();
                self.count()?;
                Ok(Value::Set(Vec::new()))
            }
            Kind::Blackboard => self.number_set(),
            Kind::Open(bracket) if self.at_set() => {
                if token.partner == 0 {
                    return Err(self.unexpected());
                }
                if token.inside.set && !token.inside.separator && !matches!(bracket, Bracket::Brace)
                {
                    return self.inside(bracket, |parser| parser.set(true));
                }
                let interval =
                    interval || self.set_operator_at(token.partner as usize + 1).is_some();
                self.collection(bracket, interval)
            }
            // A named set.
            _ => {
                let at = self.unexpected();
                match self.operand()?.expr {
                    name @ (Expr::Symbol(_) | Expr::Apply(..)) => Ok(Value::Expr(name)),
                    _ => Err(at),
                }
            }
        }
    }

    /// `\mathbb{R}`, `\mathbb{R}^+`; other number sets are names.
    fn number_set(&mut self) -> Result<Value, ParseError> {
        let letter = self.text();
        self.bump();
        self.count()?;
        let mut sign = None;
        if matches!(self.peek(), Kind::Caret | Kind::Underscore) {
            let grouped = usize::from(self.look(1).kind == Kind::Open(Bracket::Group));
            let mark = self.look(1 + grouped).kind;
            if matches!(mark, Kind::Plus | Kind::Minus) {
                sign = Some(mark == Kind::Minus);
            } else if mark != Kind::Times {
                return Err(self.unexpected());
            }
            self.skip(2 + 2 * grouped);
        }
        Ok(match (letter, sign) {
            ("R", None) => real_line(),
            ("R", Some(negative)) => {
                let zero = End {
                    at: Expr::integer(0.into()),
                    closed: false,
                };
                if negative {
                    Value::Interval(End::infinite(true), zero)
                } else {
                    Value::Interval(zero, End::infinite(false))
                }
            }
            (letter, sign) => {
                let mark = match sign {
                    None => "",
                    Some(false) => "^+",
                    Some(true) => "^-",
                };
                Value::Expr(Expr::Symbol(format!("\\mathbb{{{letter}}}{mark}").into()))
            }
        })
    }

    /// What stands between brackets, separated by commas or semicolons.
    fn collection(&mut self, bracket: Bracket, interval: bool) -> Result<Value, ParseError> {
        let open = self.look(0);
        let close = self.at(open.partner as usize).kind;
        let set = matches!(bracket, Bracket::Brace | Bracket::Group);
        let builder = set && open.inside.relation;
        let outer = self.bracketed;
        let parts = self.inside(bracket, |parser| {
            parser.bar = builder;
            parser.collected()
        })?;
        self.count()?;
        match parts {
            // What stands for the elements has no name outside of the braces.
            Collected::Such(value @ (Value::Chain(..) | Value::All(_) | Value::Any(_))) if set => {
                Ok(Value::Set(vec![value]))
            }
            Collected::Such(value) if set => Ok(value),
            Collected::Such(_) => Err(self.unexpected()),
            Collected::Rows(rows) if bracket == Bracket::Square => {
                let rows: Vec<Value> = rows.into_iter().map(Value::Tuple).collect();
                Ok(matrix(&rows).map_or(Value::Tuple(rows), Value::Expr))
            }
            Collected::Rows(_) => Err(self.error(ParseErrorKind::Unexpected)),
            Collected::Items(items) if set => Ok(Value::Set(items)),
            Collected::Items(items) if bracket == Bracket::Angle => Ok(Value::Tuple(items)),
            Collected::Items(items) => self.pair_or_tuple(items, bracket, close, interval, outer),
        }
    }

    fn collected(&mut self) -> Result<Collected, ParseError> {
        if matches!(self.peek(), Kind::Close(_)) {
            return Ok(Collected::Items(Vec::new()));
        }
        let mut rows = Vec::new();
        let start = self.index();
        let mut row = vec![self.item()?];
        // `\{x > 1 \land x < 3\}`: one condition.
        if matches!(self.peek(), Kind::Both | Kind::Either) {
            self.seek(start);
            return Ok(Collected::Items(vec![self.list_until_close()?]));
        }
        let mut mixed = (false, false);
        loop {
            match self.peek() {
                Kind::Comma => mixed.0 = true,
                Kind::Semicolon => {
                    mixed.1 = true;
                    rows.push(std::mem::take(&mut row));
                }
                Kind::Bar | Kind::Mid | Kind::Colon if !mixed.0 && !mixed.1 => {
                    self.bump();
                    let element = row.pop().unwrap_or(Value::Set(Vec::new()));
                    let condition = self.list_until_close()?;
                    return Ok(Collected::Such(such_that(element, condition)));
                }
                _ => break,
            }
            self.bump();
            row.push(self.item()?);
        }
        if !mixed.1 {
            return Ok(Collected::Items(row));
        }
        rows.push(row);
        if mixed.0 {
            return Ok(Collected::Rows(rows));
        }
        Ok(Collected::Items(rows.into_iter().flatten().collect()))
    }

    /// `(a, b)`: ordered pair or interval.
    fn pair_or_tuple(
        &mut self,
        items: Vec<Value>,
        open: Bracket,
        close: Kind,
        forced: bool,
        outer: bool,
    ) -> Result<Value, ParseError> {
        let mut items = items;
        // `(1,234)` read as one number.
        if items.len() == 1 {
            if forced {
                return Err(self.error(ParseErrorKind::Unexpected));
            }
            return Ok(items.swap_remove(0));
        }
        let mixed = close != Kind::Close(open) || open == Bracket::Reversed;
        let [Value::Expr(low), Value::Expr(high)] = items.as_slice() else {
            return if mixed {
                Err(self.error(ParseErrorKind::Unbalanced))
            } else {
                Ok(Value::Tuple(items))
            };
        };
        let infinite = is_infinite(low) || is_infinite(high);
        let falling = matches!((low, high), (Expr::Number(low), Expr::Number(high)) if low.value > high.value);
        let interval = if mixed || infinite || forced {
            true
        } else if falling {
            false
        } else if open == Bracket::Square && !outer {
            !self.second(Policy::INTERVAL)
        } else {
            self.second(Policy::INTERVAL)
        };
        if !interval {
            return Ok(Value::Tuple(items));
        }
        let low = End {
            at: low.clone(),
            closed: open == Bracket::Square,
        };
        let high = End {
            at: high.clone(),
            closed: close == Kind::Close(Bracket::Square),
        };
        Ok(Value::Interval(low, high))
    }
}

/// What brackets hold.
enum Collected {
    Items(Vec<Value>),
    /// `1, 2; 3, 4`.
    Rows(Vec<Vec<Value>>),
    /// `x | x > 1`: the condition.
    Such(Value),
}

/// `\{x | p\}` says `p` of `x`; of anything but a variable it is a pair of pattern and condition.
fn such_that(element: Value, condition: Value) -> Value {
    match element {
        Value::Expr(Expr::Symbol(_)) => condition,
        Value::Element(variable, set) => {
            if matches!(&*set, Value::Interval(low, high) if is_infinite(&low.at) && is_infinite(&high.at))
            {
                condition
            } else {
                Value::All(vec![Value::Element(variable, set), condition])
            }
        }
        pattern => Value::Tuple(vec![pattern, condition]),
    }
}

pub(super) fn is_infinite(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(Constant::Infinity) => true,
        Expr::Neg(inner) => is_infinite(inner),
        _ => false,
    }
}

/// The matrix that nested tuples of one length spell.
pub(super) fn matrix(rows: &[Value]) -> Option<Expr> {
    let mut matrix: Vec<Vec<Expr>> = Vec::with_capacity(rows.len());
    for row in rows {
        let Value::Tuple(cells) = row else {
            return None;
        };
        let cells: Option<Vec<Expr>> = cells
            .iter()
            .map(|cell| match cell {
                Value::Expr(expr) => Some(expr.clone()),
                _ => None,
            })
            .collect();
        matrix.push(cells?);
    }
    let width = matrix.first()?.len();
    (width > 0 && matrix.iter().all(|row| row.len() == width)).then_some(Expr::Matrix(matrix))
}
