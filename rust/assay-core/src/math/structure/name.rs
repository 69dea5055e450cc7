//! The names on the left of assignments.

use crate::math::ast::{Expr, Function};
use crate::math::decide::all_symbols;

/// The name on the left of an assignment: a symbol, or an unknown function of symbols.
pub(super) fn name_of(expr: &Expr) -> Option<Box<str>> {
    match expr {
        Expr::Symbol(name) => Some(name.clone()),
        Expr::Apply(name, arguments) => {
            let mut whole = String::from(&**name);
            whole.push('(');
            for argument in arguments {
                let Expr::Symbol(argument) = argument else {
                    return None;
                };
                whole.push_str(argument);
                whole.push(',');
            }
            whole.push(')');
            Some(whole.into())
        }
        _ => None,
    }
}

/// `AB`, `|AB|`, `AB / CD` with points as capital letters, as a name; the two points in either order.
pub(super) fn lengths(expr: &Expr) -> Option<Box<str>> {
    match expr {
        Expr::Mul(points) if points.len() == 2 => {
            let mut letters: Vec<&str> = Vec::with_capacity(2);
            for point in points {
                match point {
                    Expr::Symbol(name) if is_capital(name) => letters.push(name),
                    _ => return None,
                }
            }
            letters.sort_unstable();
            Some(letters.concat().into())
        }
        Expr::Call(Function::Abs, parts) => match &parts[..] {
            [inner] => lengths(inner).filter(|name| !name.contains('/')),
            _ => None,
        },
        Expr::Div(above, below) => {
            let (above, below) = (lengths(above)?, lengths(below)?);
            (!above.contains('/') && !below.contains('/'))
                .then(|| format!("{above}/{below}").into())
        }
        _ => None,
    }
}

fn is_capital(name: &str) -> bool {
    name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The left side of an assignment to `name`: a symbol, or what [`lengths`] took it from.
pub(super) fn left_side(name: &str) -> Expr {
    if let Some((above, below)) = name.split_once('/') {
        return Expr::Div(Box::new(left_side(above)), Box::new(left_side(below)));
    }
    let points = name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_uppercase());
    if !points {
        return Expr::symbol(name);
    }
    let point = |at: usize| Expr::symbol(name.get(at..=at).unwrap_or(""));
    Expr::Mul(vec![point(0), point(1)])
}

/// Whether an expression has no symbols at all.
pub(super) fn is_free(expr: &Expr) -> bool {
    let mut names = Vec::new();
    all_symbols(expr, &mut names);
    names.is_empty()
}

pub(super) fn contains(expr: &Expr, name: &str) -> bool {
    let mut names = Vec::new();
    all_symbols(expr, &mut names);
    names.iter().any(|other| **other == *name)
}
