//! Expressions to LaTeX, with brackets only where the parser needs them.

use dashu::base::Signed as _;

use super::super::ast::{Binder, Constant, Expr, Function, Number, Written};
use super::name::{name_of, named, symbol};
use super::number::number;

/// Where an expression stands; a looser one is bracketed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Anything.
    Sum,
    /// A term after `+` or `-`: no sum, no sign in front.
    Term,
    /// A factor: no product either.
    Factor,
    /// What a power or a postfix operator applies to.
    Atom,
}

pub(super) fn expr(out: &mut String, inner: &Expr, level: Level) {
    if needs_brackets(inner, level) {
        out.push('(');
        bare(out, inner);
        out.push(')');
    } else {
        bare(out, inner);
    }
}

fn is_negative(inner: &Expr) -> bool {
    matches!(inner, Expr::Number(Number { value, .. }) if value.is_negative())
}

fn needs_brackets(inner: &Expr, level: Level) -> bool {
    match inner {
        Expr::Add(_) | Expr::PlusMinus(..) | Expr::Neg(_) | Expr::Bind { .. } => level > Level::Sum,
        Expr::Mul(_) => level > Level::Term || (level > Level::Sum && leads_with_sign(inner)),
        Expr::Number(_) if is_negative(inner) => level > Level::Sum,
        Expr::Number(Number { written, .. }) => {
            let plain = matches!(
                written,
                Written::Integer | Written::Decimal { places: 1..=32 }
            );
            level == Level::Atom && !plain
        }
        Expr::Call(Function::Mod, _) => true,
        Expr::Symbol(name) => {
            level == Level::Atom && (name.contains('_') || name.starts_with('\\'))
        }
        Expr::Constant(_) => false,
        _ => level == Level::Atom,
    }
}

/// Whether the text of a product would start with a minus sign.
fn leads_with_sign(inner: &Expr) -> bool {
    match inner {
        Expr::Mul(factors) => factors.first().is_some_and(is_negative),
        _ => false,
    }
}

fn bare(out: &mut String, inner: &Expr) {
    match inner {
        Expr::Number(value) => number(out, value),
        Expr::Constant(constant) => out.push_str(match constant {
            Constant::Pi => "\\pi",
            Constant::E => "\\mathrm{e}",
            Constant::I => "\\mathrm{i}",
            Constant::Infinity => "\\infty",
        }),
        Expr::Symbol(name) => symbol(out, name),
        Expr::Add(terms) => sum(out, terms),
        Expr::Mul(factors) => product(out, factors),
        Expr::Div(above, below) => {
            out.push_str("\\frac{");
            expr(out, above, Level::Sum);
            out.push_str("}{");
            expr(out, below, Level::Sum);
            out.push('}');
        }
        Expr::Pow(base, exponent) => {
            expr(out, base, Level::Atom);
            out.push_str("^{");
            expr(out, exponent, Level::Sum);
            out.push('}');
        }
        Expr::Neg(term) => {
            out.push('-');
            expr(out, term, Level::Factor);
        }
        Expr::Percent(amount) => {
            expr(out, amount, Level::Atom);
            out.push_str("\\%");
        }
        Expr::Degrees(angle) => {
            expr(out, angle, Level::Atom);
            out.push_str("^{\\circ}");
        }
        Expr::PlusMinus(plus, term) => {
            out.push_str(if *plus { "\\pm " } else { "\\mp " });
            expr(out, term, Level::Term);
        }
        Expr::Call(function, arguments) => call(out, *function, arguments),
        Expr::Apply(name, arguments) => {
            named(out, name, true);
            bracketed(out, arguments);
        }
        Expr::Bind { .. } => bind(out, inner),
        Expr::Matrix(rows) => matrix(out, rows),
    }
}

fn sum(out: &mut String, terms: &[Expr]) {
    for (index, term) in terms.iter().enumerate() {
        if index == 0 {
            // A leading minus sign is read as this term's alone.
            let signed = matches!(term, Expr::Neg(_)) || is_negative(term);
            expr(out, term, if signed { Level::Sum } else { Level::Term });
            continue;
        }
        match term {
            Expr::Neg(term) => {
                out.push_str(" - ");
                expr(out, term, Level::Term);
            }
            Expr::Number(value) if is_negative(term) => {
                out.push_str(" - ");
                let value = Number {
                    value: -value.value.clone(),
                    written: value.written,
                };
                number(out, &value);
            }
            Expr::PlusMinus(plus, term) => {
                out.push_str(if *plus { " \\pm " } else { " \\mp " });
                expr(out, term, Level::Term);
            }
            term => {
                out.push_str(" + ");
                expr(out, term, Level::Term);
            }
        }
    }
}

fn product(out: &mut String, factors: &[Expr]) {
    for (index, factor) in factors.iter().enumerate() {
        if index > 0 {
            out.push_str(" \\cdot ");
        }
        // `2.5 \cdot 10^{3}` would be one literal.
        let decimal = matches!(
            factor,
            Expr::Number(Number {
                written: Written::Decimal { .. },
                ..
            })
        );
        let power = matches!(factors.get(index + 1), Some(Expr::Pow(..)));
        if index == 0 && is_negative(factor) {
            expr(out, factor, Level::Sum);
        } else if decimal && power {
            expr(out, factor, Level::Atom);
        } else {
            expr(out, factor, Level::Factor);
        }
    }
}

fn bracketed(out: &mut String, arguments: &[Expr]) {
    out.push_str("\\left(");
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        expr(out, argument, Level::Sum);
    }
    out.push_str("\\right)");
}

fn between(out: &mut String, open: &str, argument: &Expr, close: &str) {
    out.push_str(open);
    expr(out, argument, Level::Sum);
    out.push_str(close);
}

fn call(out: &mut String, function: Function, arguments: &[Expr]) {
    match (function, arguments) {
        (Function::Sqrt, [x]) => between(out, "\\sqrt{", x, "}"),
        (Function::Root, [x, index]) => {
            between(out, "\\sqrt[", index, "]{");
            expr(out, x, Level::Sum);
            out.push('}');
        }
        (Function::Abs, [x]) => between(out, "\\left|", x, "\\right|"),
        (Function::Floor, [x]) => between(out, "\\lfloor ", x, " \\rfloor"),
        (Function::Ceil, [x]) => between(out, "\\lceil ", x, " \\rceil"),
        (Function::Conjugate, [x]) => between(out, "\\overline{", x, "}"),
        (Function::Factorial, [x]) => {
            expr(out, x, Level::Atom);
            out.push('!');
        }
        (Function::DoubleFactorial, [x]) => {
            expr(out, x, Level::Atom);
            out.push_str("!!");
        }
        (Function::Binomial, [above, below]) => {
            between(out, "\\binom{", above, "}{");
            expr(out, below, Level::Sum);
            out.push('}');
        }
        (Function::Log, [x, base]) => {
            between(out, "\\log_{", base, "}");
            bracketed(out, std::slice::from_ref(x));
        }
        (Function::Mod, [x, modulus]) => {
            expr(out, x, Level::Factor);
            out.push_str(" \\bmod ");
            expr(out, modulus, Level::Factor);
        }
        _ => {
            out.push_str(name_of(function));
            bracketed(out, arguments);
        }
    }
}

fn bind(out: &mut String, bound: &Expr) {
    let Expr::Bind {
        binder,
        variable,
        lower,
        upper,
        body,
    } = bound
    else {
        return;
    };
    let (lower, upper) = (lower.as_deref(), upper.as_deref());
    match binder {
        Binder::Sum | Binder::Product => {
            out.push_str(if *binder == Binder::Sum {
                "\\sum_{"
            } else {
                "\\prod_{"
            });
            symbol(out, variable);
            if let Some(lower) = lower {
                out.push_str(" = ");
                expr(out, lower, Level::Sum);
            }
            out.push('}');
            if let Some(upper) = upper {
                between(out, "^{", upper, "}");
            }
        }
        Binder::Integral => {
            out.push_str("\\int");
            if let Some(lower) = lower {
                between(out, "_{", lower, "}");
            }
            if let Some(upper) = upper {
                between(out, "^{", upper, "}");
            }
        }
        Binder::Limit => {
            out.push_str("\\lim_{");
            symbol(out, variable);
            out.push_str(" \\to ");
            if let Some(lower) = lower {
                expr(out, lower, Level::Sum);
            }
            // One-sided limits carry the side in the upper bound.
            if let Some(side) = upper {
                out.push_str(if is_negative(side) { "^-" } else { "^+" });
            }
            out.push('}');
        }
        Binder::Derivative => {
            let power = |out: &mut String| {
                if let Some(order) = upper {
                    between(out, "^{", order, "}");
                }
            };
            out.push_str("\\frac{d");
            power(out);
            out.push_str("}{d ");
            symbol(out, variable);
            power(out);
            out.push('}');
        }
    }
    between(out, "\\left(", body, "\\right)");
    if *binder == Binder::Integral {
        out.push_str(" \\, d ");
        symbol(out, variable);
    }
}

fn matrix(out: &mut String, rows: &[Vec<Expr>]) {
    out.push_str("\\begin{pmatrix}");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push_str(" \\\\ ");
        }
        for (column, cell) in row.iter().enumerate() {
            if column > 0 {
                out.push_str(" & ");
            }
            expr(out, cell, Level::Sum);
        }
    }
    out.push_str("\\end{pmatrix}");
}
