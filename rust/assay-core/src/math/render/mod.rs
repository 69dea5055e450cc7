//! Values to LaTeX, so that reading the LaTeX gives the value back.

mod expr;
mod name;
mod number;

use std::fmt::Write as _;

use super::ast::{Constant, End, Expr, Relation, Value};
use expr::{Level, expr};
pub(in crate::math) use name::is_greek;

/// LaTeX for a value.
///
/// For every value the parser produces, `parse(render(value))` has `value` among its readings.
pub fn render(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Expr(inner) => expr(out, inner, Level::Sum),
        Value::Quantity(amount, unit) => {
            expr(out, amount, Level::Sum);
            write_unit(out, unit);
        }
        Value::Tuple(parts) => tuple(out, parts),
        Value::List(parts) => {
            let nested = parts.iter().any(|part| matches!(part, Value::List(_)));
            join(out, parts, if nested { "; " } else { ", " });
        }
        Value::Set(parts) if parts.is_empty() => out.push_str("\\emptyset"),
        Value::Set(parts) => {
            out.push_str("\\{");
            join(out, parts, ", ");
            out.push_str("\\}");
        }
        Value::Interval(low, high) => interval(out, low, high),
        Value::Union(parts) => operated(out, parts, " \\cup "),
        Value::Intersection(parts) => operated(out, parts, " \\cap "),
        Value::Difference(left, right) => {
            operand(out, left);
            out.push_str(" \\setminus ");
            operand(out, right);
        }
        Value::Element(element, set) => {
            expr(out, element, Level::Sum);
            out.push_str(" \\in ");
            write_value(out, set);
        }
        Value::Chain(terms, relations) => chain(out, terms, relations),
        Value::All(parts) => {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    out.push_str(" \\land ");
                }
                let any = matches!(part, Value::Any(_));
                out.push_str(if any { "(" } else { "" });
                write_value(out, part);
                out.push_str(if any { ")" } else { "" });
            }
        }
        Value::Any(parts) => join(out, parts, " \\lor "),
        Value::Ratio(parts) => {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    out.push_str(" : ");
                }
                expr(out, part, Level::Sum);
            }
        }
        Value::Base(value, base) => number::in_base(out, value.numerator(), *base),
        Value::Time(minutes) => {
            let _ = write!(out, "{:02}:{:02}", minutes / 60, minutes % 60);
        }
        Value::Choice(letters, rest) => choice(out, letters, rest.as_deref()),
        Value::Truth(truth) => {
            let _ = write!(out, "\\text{{{truth}}}");
        }
        Value::Text(text) => {
            let _ = write!(out, "\\text{{{text}}}");
        }
    }
}

/// `cm^2/s` as `\text{ cm}^{2}/\text{s}`: what is not letters stands outside.
fn write_unit(out: &mut String, unit: &str) {
    if let Some(rate) = unit.strip_prefix('/') {
        out.push_str("\\text{ per}");
        return write_unit(out, rate);
    }
    let mut head = " ";
    for (index, factor) in unit.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        for (index, factor) in factor.split('*').enumerate() {
            if index > 0 {
                out.push_str(" \\cdot ");
            }
            let (name, power) = factor
                .split_once('^')
                .map_or((factor, None), |(name, power)| (name, Some(power)));
            if !name.is_empty() {
                let _ = write!(out, "\\text{{{head}{name}}}");
            }
            head = "";
            if let Some(power) = power {
                let _ = write!(out, "^{{{power}}}");
            }
        }
    }
}

fn join(out: &mut String, parts: &[Value], separator: &str) {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        write_value(out, part);
    }
}

/// Round brackets; angle brackets where round ones would be an interval.
fn tuple(out: &mut String, parts: &[Value]) {
    // In round brackets an infinite end makes an interval, and one part is only a part.
    let angled = match parts {
        [_] => true,
        [Value::Expr(low), Value::Expr(high)] => is_infinite(low) || is_infinite(high),
        _ => false,
    };
    out.push_str(if angled { "\\langle " } else { "(" });
    join(out, parts, ", ");
    out.push_str(if angled { " \\rangle" } else { ")" });
}

fn is_infinite(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(Constant::Infinity) => true,
        Expr::Neg(inner) => is_infinite(inner),
        _ => false,
    }
}

/// An open interval is `]a, b[` unless an infinite end or another bracket tells it from a pair.
fn interval(out: &mut String, low: &End, high: &End) {
    let clear = low.closed != high.closed || is_infinite(&low.at) || is_infinite(&high.at);
    out.push(match (low.closed, clear) {
        (true, _) => '[',
        (false, true) => '(',
        (false, false) => ']',
    });
    expr(out, &low.at, Level::Sum);
    out.push_str(", ");
    expr(out, &high.at, Level::Sum);
    out.push(match (high.closed, clear) {
        (true, _) => ']',
        (false, true) => ')',
        (false, false) => '[',
    });
}

fn operated(out: &mut String, parts: &[Value], operator: &str) {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(operator);
        }
        operand(out, part);
    }
}

/// A set beside a set operator.
fn operand(out: &mut String, value: &Value) {
    let compound = matches!(
        value,
        Value::Union(_) | Value::Intersection(_) | Value::Difference(..)
    );
    if compound {
        out.push_str("\\left(");
    }
    write_value(out, value);
    if compound {
        out.push_str("\\right)");
    }
}

fn chain(out: &mut String, terms: &[Expr], relations: &[Relation]) {
    for (index, term) in terms.iter().enumerate() {
        if let Some(relation) = index
            .checked_sub(1)
            .and_then(|before| relations.get(before))
        {
            out.push_str(match relation {
                Relation::Equal => " = ",
                Relation::NotEqual => " \\ne ",
                Relation::Less => " < ",
                Relation::LessEqual => " \\le ",
                Relation::Greater => " > ",
                Relation::GreaterEqual => " \\ge ",
                Relation::Approx => " \\approx ",
            });
        }
        expr(out, term, Level::Sum);
    }
}

/// `(B)`, `(B) 12`, `A, C`.
fn choice(out: &mut String, letters: &str, rest: Option<&str>) {
    out.push_str("\\text{");
    match letters.len() {
        0 | 1 => {
            let _ = write!(out, "({letters})");
        }
        _ => {
            for (index, letter) in letters.chars().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push(letter);
            }
        }
    }
    if let Some(rest) = rest {
        let _ = write!(out, " {rest}");
    }
    out.push('}');
}
