//! Numbers in words, English and Chinese.

mod chinese;
mod english;

use dashu::integer::UBig;

use super::ast::{Expr, Number};

pub(crate) use chinese::chinese;
pub(crate) use english::english;

/// Most words a number may have.
const MAX_WORDS: usize = 40;

/// `above / below`, as the parser spells a fraction.
fn divide(above: UBig, below: u64) -> Expr {
    Expr::Div(
        Box::new(Expr::integer(above.into())),
        Box::new(Expr::integer(below.into())),
    )
}

/// Negation as the parser spells it: inside a literal, outside anything else.
fn signed(expr: Expr, negative: bool) -> Expr {
    match expr {
        expr if !negative => expr,
        Expr::Number(Number { value, written }) => Expr::Number(Number {
            value: -value,
            written,
        }),
        expr => Expr::Neg(Box::new(expr)),
    }
}
