//! Several items: lists, solution lists, systems, alternatives.

use super::super::ast::{Expr, Relation, Value};
use super::super::lexer::Kind;
use super::ParseError;
use super::ParseErrorKind;
use super::cursor::Parser;

/// How an item is joined to the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    Comma,
    Semicolon,
    And,
    Or,
    Both,
    Either,
}

impl Parser<'_> {
    /// The whole answer.
    pub(super) fn answer(&mut self) -> Result<Value, ParseError> {
        if self.peek() == Kind::End {
            return Err(self.error(ParseErrorKind::Empty));
        }
        let value = self.list()?;
        if self.peek() != Kind::End {
            return Err(self.unexpected());
        }
        Ok(value)
    }

    /// Items up to the bracket that encloses them.
    pub(super) fn list_until_close(&mut self) -> Result<Value, ParseError> {
        let bar = std::mem::replace(&mut self.bar, false);
        let value = self.list();
        self.bar = bar;
        value
    }

    fn list(&mut self) -> Result<Value, ParseError> {
        let mut items = vec![self.item()?];
        let mut joints = Vec::new();
        while let Some(joint) = self.joint() {
            joints.push(joint);
            items.push(self.item()?);
        }
        if items.len() == 1 {
            return items.pop().ok_or_else(|| self.unexpected());
        }
        self.count()?;
        Ok(combine(items, &joints))
    }

    /// Consumes `,`, `or`, `, and`, ..
    fn joint(&mut self) -> Option<Joint> {
        let joint = match self.peek() {
            Kind::Comma => Joint::Comma,
            Kind::Semicolon => Joint::Semicolon,
            Kind::And => Joint::And,
            Kind::NewRow if !self.environment => Joint::And,
            Kind::Or => Joint::Or,
            Kind::Both => Joint::Both,
            Kind::Either => Joint::Either,
            _ => return None,
        };
        self.bump();
        // `, or` and `; and`.
        match (joint, self.peek()) {
            (Joint::Comma | Joint::Semicolon, Kind::Or) => {
                self.bump();
                Some(Joint::Or)
            }
            (Joint::Comma | Joint::Semicolon, Kind::And) => {
                self.bump();
                Some(Joint::And)
            }
            _ => Some(joint),
        }
    }
}

/// Items and the joints between them to one value.
fn combine(items: Vec<Value>, joints: &[Joint]) -> Value {
    if joints
        .iter()
        .any(|joint| matches!(joint, Joint::Either | Joint::Both))
    {
        return logic(items, joints);
    }
    let flat = joints.iter().all(|joint| *joint == Joint::Semicolon);
    if joints.contains(&Joint::Semicolon) && !flat {
        return solutions(split(items, joints, Joint::Semicolon), false);
    }
    let or = joints.contains(&Joint::Or);
    // `x = 1 and y = 2, or x = 3 and y = 4`: alternatives of systems.
    if or && joints.iter().any(|joint| *joint != Joint::Or) {
        let assigned = items.iter().filter_map(assigned_name).collect::<Vec<_>>();
        let systems =
            assigned.len() == items.len() && assigned.iter().any(|name| *name != assigned[0]);
        if systems {
            return one_or(split(items, joints, Joint::Or), Value::Any);
        }
    }
    solutions(items, or)
}

/// Items joined by `\land` and `\lor`, where a comma is an and, too: alternatives of what holds together.
fn logic(items: Vec<Value>, joints: &[Joint]) -> Value {
    let mut alternatives = Vec::new();
    let mut together = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let joint = index.checked_sub(1).and_then(|before| joints.get(before));
        if matches!(joint, Some(Joint::Either | Joint::Or)) {
            alternatives.push(one_or(std::mem::take(&mut together), Value::All));
        }
        together.push(item);
    }
    alternatives.push(one_or(together, Value::All));
    one_or(alternatives, Value::Any)
}

/// The only item, or all of them wrapped; what is wrapped alike is flattened.
fn one_or(mut items: Vec<Value>, wrap: fn(Vec<Value>) -> Value) -> Value {
    if items.len() == 1 {
        return items.swap_remove(0);
    }
    let mut flat = Vec::with_capacity(items.len());
    let outer = std::mem::discriminant(&wrap(Vec::new()));
    for item in items {
        let alike = std::mem::discriminant(&item) == outer;
        match item {
            Value::All(parts) | Value::Any(parts) if alike => flat.extend(parts),
            item => flat.push(item),
        }
    }
    wrap(flat)
}

/// Splits at one joint and combines the pieces.
fn split(items: Vec<Value>, joints: &[Joint], at: Joint) -> Vec<Value> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut inner = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match index.checked_sub(1).and_then(|before| joints.get(before)) {
            Some(joint) if *joint == at => {
                pieces.push(one_or_combined(
                    std::mem::take(&mut piece),
                    &std::mem::take(&mut inner),
                ));
            }
            Some(joint) => inner.push(*joint),
            None => {}
        }
        piece.push(item);
    }
    pieces.push(one_or_combined(piece, &inner));
    pieces
}

fn one_or_combined(mut items: Vec<Value>, joints: &[Joint]) -> Value {
    if items.len() == 1 {
        items.swap_remove(0)
    } else {
        combine(items, joints)
    }
}

/// Items side by side: solutions of one unknown, a system, conditions, or a plain list.
fn solutions(mut items: Vec<Value>, or: bool) -> Value {
    distribute(&mut items);
    if items.iter().all(|item| matches!(item, Value::Interval(..))) && or {
        return Value::Union(items);
    }
    // Several solutions of a system: `(x, y) = (1, 2), (x, y) = (3, 4)`.
    if items.iter().all(|item| matches!(item, Value::All(_))) {
        return one_or(items, Value::Any);
    }
    let nested = items.iter().any(|item| matches!(item, Value::List(_)));
    if nested || !items.iter().any(is_statement) {
        return Value::List(items);
    }
    let names: Vec<&str> = items.iter().filter_map(assigned_name).collect();
    if names.len() == items.len() && names.iter().all(|name| names.first() == Some(name)) {
        return Value::List(items);
    }
    one_or(items, if or { Value::Any } else { Value::All })
}

/// `x = 1, 2` means `x = 1, x = 2`; `x \ne 1, 2` likewise.
fn distribute(items: &mut [Value]) {
    if let Some((Value::All(equations), rest)) = items.split_first_mut() {
        distribute_tuple(equations, rest);
        return;
    }
    let Some((Value::Chain(terms, relations), rest)) = items.split_first_mut() else {
        return;
    };
    let ([Expr::Symbol(name), _], [relation @ (Relation::Equal | Relation::NotEqual)]) =
        (terms.as_slice(), relations.as_slice())
    else {
        return;
    };
    if !rest.iter().all(|item| matches!(item, Value::Expr(_))) {
        return;
    }
    for item in rest {
        if let Value::Expr(expr) = item {
            let value = std::mem::replace(expr, Expr::integer(0.into()));
            *item = Value::Chain(vec![Expr::Symbol(name.clone()), value], vec![*relation]);
        }
    }
}

/// `(x, y) = (1, 2), (3, 4)` means `(x, y) = (1, 2)` or `(x, y) = (3, 4)`.
fn distribute_tuple(equations: &[Value], rest: &mut [Value]) {
    let unknowns: Option<Vec<&str>> = equations.iter().map(assigned_name).collect();
    let Some(unknowns) = unknowns else {
        return;
    };
    for item in rest {
        let Value::Tuple(parts) = &*item else {
            continue;
        };
        let equation = |(name, part): (&&str, &Value)| match part {
            Value::Expr(value) => Some(Value::Chain(
                vec![Expr::symbol(name), value.clone()],
                vec![Relation::Equal],
            )),
            _ => None,
        };
        let equations: Option<Vec<Value>> = unknowns.iter().zip(parts).map(equation).collect();
        if let Some(equations) = equations.filter(|_| parts.len() == unknowns.len()) {
            *item = Value::All(equations);
        }
    }
}

/// The unknown of `x = a`.
pub(super) fn assigned_name(value: &Value) -> Option<&str> {
    match value {
        Value::Chain(terms, relations) => match (terms.as_slice(), relations.as_slice()) {
            ([Expr::Symbol(name), _], [Relation::Equal | Relation::Approx]) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn is_statement(value: &Value) -> bool {
    matches!(
        value,
        Value::Chain(..) | Value::Element(..) | Value::All(_) | Value::Any(_)
    )
}
