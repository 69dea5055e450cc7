//! `\pm` and `\mp`: both values of an expression.

use super::form::{Form, Repeats};
use crate::math::ast::Expr;

/// An expression; with `\pm` in it, both of its values.
pub(super) fn scalar(expr: &Expr) -> Form {
    if !has_plus_minus(expr) {
        return Form::Scalar(expr.clone());
    }
    let values = [true, false].map(|upper| Form::Scalar(with_signs(expr, upper)));
    Form::Unordered(values.into(), Repeats::Ignored)
}

pub(super) fn has_plus_minus(expr: &Expr) -> bool {
    match expr {
        Expr::PlusMinus(..) => true,
        Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => false,
        Expr::Add(parts) | Expr::Mul(parts) | Expr::Call(_, parts) | Expr::Apply(_, parts) => {
            parts.iter().any(has_plus_minus)
        }
        Expr::Div(a, b) | Expr::Pow(a, b) => has_plus_minus(a) || has_plus_minus(b),
        Expr::Neg(inner) | Expr::Percent(inner) | Expr::Degrees(inner) => has_plus_minus(inner),
        Expr::Bind { body, .. } => has_plus_minus(body),
        Expr::Matrix(rows) => rows.iter().flatten().any(has_plus_minus),
    }
}

/// The expression with the upper signs, or the lower ones.
fn with_signs(expr: &Expr, upper: bool) -> Expr {
    mapped(expr, &mut |inner| match inner {
        Expr::PlusMinus(plus, inner) => {
            let inner = with_signs(inner, upper);
            Some(if *plus == upper {
                inner
            } else {
                Expr::Neg(Box::new(inner))
            })
        }
        _ => None,
    })
}

/// The expression with each part that `change` gives another one for replaced by it, from the top; bounds are kept.
pub(super) fn mapped(expr: &Expr, change: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Expr {
    if let Some(changed) = change(expr) {
        return changed;
    }
    let mut one = |inner: &Expr| Box::new(mapped(inner, change));
    match expr {
        Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => expr.clone(),
        Expr::PlusMinus(plus, inner) => Expr::PlusMinus(*plus, one(inner)),
        Expr::Div(a, b) => Expr::Div(one(a), one(b)),
        Expr::Pow(a, b) => Expr::Pow(one(a), one(b)),
        Expr::Neg(inner) => Expr::Neg(one(inner)),
        Expr::Percent(inner) => Expr::Percent(one(inner)),
        Expr::Degrees(inner) => Expr::Degrees(one(inner)),
        Expr::Bind {
            binder,
            variable,
            lower,
            upper,
            body,
        } => Expr::Bind {
            binder: binder.clone(),
            variable: variable.clone(),
            lower: lower.clone(),
            upper: upper.clone(),
            body: one(body),
        },
        Expr::Add(parts) => Expr::Add(all_mapped(parts, change)),
        Expr::Mul(parts) => Expr::Mul(all_mapped(parts, change)),
        Expr::Call(function, parts) => Expr::Call(*function, all_mapped(parts, change)),
        Expr::Apply(name, parts) => Expr::Apply(name.clone(), all_mapped(parts, change)),
        Expr::Matrix(rows) => {
            Expr::Matrix(rows.iter().map(|row| all_mapped(row, change)).collect())
        }
    }
}

fn all_mapped(parts: &[Expr], change: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Vec<Expr> {
    parts.iter().map(|part| mapped(part, change)).collect()
}
