//! Symbols that stand for whole numbers: in factorials, as bounds of sums, in exponents of negative numbers.

use crate::math::ast::{Binder, Constant, Expr, Function};

/// The names of the symbols in `expr` that can only be meant as whole numbers, added to `names`.
pub(super) fn discrete_symbols(expr: &Expr, names: &mut Vec<Box<str>>) {
    match expr {
        Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => {}
        Expr::Add(parts) | Expr::Mul(parts) | Expr::Apply(_, parts) => {
            parts.iter().for_each(|part| discrete_symbols(part, names));
        }
        Expr::Div(a, b) => {
            discrete_symbols(a, names);
            discrete_symbols(b, names);
        }
        Expr::Pow(base, exponent) => {
            if is_negative_number(base) {
                all_symbols(exponent, names);
            }
            discrete_symbols(base, names);
            discrete_symbols(exponent, names);
        }
        Expr::Neg(inner)
        | Expr::Percent(inner)
        | Expr::Degrees(inner)
        | Expr::PlusMinus(_, inner) => {
            discrete_symbols(inner, names);
        }
        Expr::Call(function, arguments) => {
            let whole = matches!(
                function,
                Function::Factorial
                    | Function::DoubleFactorial
                    | Function::Binomial
                    | Function::Permutations
                    | Function::Gcd
                    | Function::Lcm
                    | Function::Mod
            );
            let turns = matches!(function, Function::Sin | Function::Cos | Function::Tan);
            for argument in arguments {
                if whole || turns && is_multiple_of_pi(argument) {
                    all_symbols(argument, names);
                }
                discrete_symbols(argument, names);
            }
        }
        Expr::Bind {
            binder,
            variable,
            lower,
            upper,
            body,
        } => {
            let mut inner = Vec::new();
            if matches!(binder, Binder::Sum | Binder::Product) {
                lower
                    .iter()
                    .chain(upper)
                    .for_each(|bound| all_symbols(bound, &mut inner));
            }
            discrete_symbols(body, &mut inner);
            inner.retain(|name| name != variable);
            names.append(&mut inner);
        }
        Expr::Matrix(rows) => rows
            .iter()
            .flatten()
            .for_each(|cell| discrete_symbols(cell, names)),
    }
}

fn is_negative_number(expr: &Expr) -> bool {
    match expr {
        Expr::Neg(inner) => matches!(**inner, Expr::Number(_)),
        Expr::Number(number) => crate::math::exact::is_negative(&number.value),
        _ => false,
    }
}

/// A product of pi, numbers and symbols: in `sin(n pi / 2)`, `n` counts.
fn is_multiple_of_pi(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(Constant::Pi) => true,
        Expr::Mul(parts) => {
            parts.iter().any(is_multiple_of_pi)
                && parts.iter().all(|part| {
                    matches!(part, Expr::Number(_) | Expr::Symbol(_)) || is_multiple_of_pi(part)
                })
        }
        Expr::Div(top, bottom) => is_multiple_of_pi(top) && matches!(**bottom, Expr::Number(_)),
        Expr::Neg(inner) => is_multiple_of_pi(inner),
        _ => false,
    }
}

pub(in crate::math) fn all_symbols(expr: &Expr, names: &mut Vec<Box<str>>) {
    match expr {
        Expr::Symbol(name) => names.push(name.clone()),
        Expr::Number(_) | Expr::Constant(_) => {}
        Expr::Add(parts) | Expr::Mul(parts) | Expr::Apply(_, parts) | Expr::Call(_, parts) => {
            parts.iter().for_each(|part| all_symbols(part, names));
        }
        Expr::Div(a, b) | Expr::Pow(a, b) => {
            all_symbols(a, names);
            all_symbols(b, names);
        }
        Expr::Neg(inner)
        | Expr::Percent(inner)
        | Expr::Degrees(inner)
        | Expr::PlusMinus(_, inner) => {
            all_symbols(inner, names);
        }
        Expr::Bind {
            variable,
            lower,
            upper,
            body,
            ..
        } => {
            let mut inner = Vec::new();
            lower
                .iter()
                .chain(upper)
                .for_each(|bound| all_symbols(bound, &mut inner));
            all_symbols(body, &mut inner);
            inner.retain(|name| name != variable);
            names.append(&mut inner);
        }
        Expr::Matrix(rows) => rows
            .iter()
            .flatten()
            .for_each(|cell| all_symbols(cell, names)),
    }
}
