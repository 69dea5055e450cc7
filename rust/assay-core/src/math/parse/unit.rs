//! Units and currencies after or before an expression.

use super::super::ast::{Expr, Value};
use super::super::lexer::Kind;
use super::ParseError;
use super::cursor::{Parser, Term};

impl Parser<'_> {
    pub(super) fn unit_length(&self) -> Option<usize> {
        let _ = self.peek();
        None
    }

    pub(super) fn currency_amount(&mut self) -> Result<Option<Value>, ParseError> {
        Ok(None)
    }

    pub(super) fn at_temperature(&self) -> bool {
        false
    }

    pub(super) fn with_unit(&mut self, term: Term, _start: usize) -> Result<Value, ParseError> {
        Ok(Value::Expr(term.expr))
    }

    pub(super) fn clock(&mut self, _start: usize) -> Option<Value> {
        let _: Option<Expr> = None;
        let _ = Kind::End;
        None
    }
}
