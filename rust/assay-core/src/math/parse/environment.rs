//! `\begin{..} .. \end{..}`: matrices, determinants, systems, cases.

use super::super::ast::{Expr, Function, Value};
use super::super::lexer::{Bracket, Kind};
use super::cursor::{Parser, Term};
use super::expr::SUM;
use super::{ParseError, ParseErrorKind};

impl Parser<'_> {
    /// A matrix environment as an operand.
    pub(super) fn matrix(&mut self) -> Result<Term, ParseError> {
        let begin = self.look(0);
        let name = self.text();
        if begin.partner == 0 {
            return Err(self.error(ParseErrorKind::Unbalanced));
        }
        let function = match name {
            "vmatrix" => Some(Function::Det),
            "Vmatrix" => Some(Function::Abs),
            "matrix" | "pmatrix" | "bmatrix" | "Bmatrix" | "smallmatrix" | "psmallmatrix"
            | "bsmallmatrix" | "array" => None,
            _ => return Err(self.error(ParseErrorKind::Unknown)),
        };
        let (rows, height) = self.environment(Self::cells)?;
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 || rows.iter().any(|row| row.len() != width) {
            return Err(self.error(ParseErrorKind::Unexpected));
        }
        let matrix = self.node(Expr::Matrix(rows), height)?;
        match function {
            None => Ok(matrix),
            Some(function) => self.call1(function, matrix),
        }
    }

    /// Runs `parse` between `\begin` and `\end`.
    fn environment<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let begin = self.look(0);
        let end = self.at(begin.partner as usize);
        if begin.partner == 0 || self.text_of(end) != self.text() {
            return Err(self.error(ParseErrorKind::Unbalanced));
        }
        self.bump();
        let outer = (
            std::mem::replace(&mut self.bar, false),
            std::mem::replace(&mut self.bracketed, true),
        );
        let environment = std::mem::replace(&mut self.environment, true);
        let result = self.nested(parse);
        self.environment = environment;
        (self.bar, self.bracketed) = outer;
        let result = result?;
        if self.index() != begin.partner as usize {
            return Err(self.unexpected());
        }
        self.bump();
        Ok(result)
    }

    fn cells(&mut self) -> Result<(Vec<Vec<Expr>>, u16), ParseError> {
        let mut rows = Vec::new();
        let mut height = 0;
        while self.peek() != Kind::EndEnvironment {
            let mut row = Vec::new();
            loop {
                let cell = self.expr(SUM)?;
                height = height.max(cell.height);
                row.push(cell.expr);
                if !self.eat(Kind::Ampersand) {
                    break;
                }
            }
            rows.push(row);
            if !self.eat(Kind::NewRow) {
                break;
            }
        }
        Ok((rows, height))
    }

    /// Whether a system or a definition by cases starts here.
    pub(super) fn at_system(&self) -> bool {
        let brace =
            usize::from(self.peek() == Kind::Open(Bracket::Brace) && self.look(0).partner == 0);
        let begin = self.look(brace);
        begin.kind == Kind::Begin
            && match self.text_of(begin) {
                "cases" | "dcases" | "rcases" | "aligned" | "align" | "align*" | "gathered"
                | "split" | "equation" | "equation*" | "gather" | "gather*" => true,
                _ => begin.inside.relation,
            }
    }

    /// Rows that hold together, or pairs of a value and its condition.
    pub(super) fn system(&mut self) -> Result<Value, ParseError> {
        self.eat(Kind::Open(Bracket::Brace));
        let (rows, cases) = self.environment(|parser| {
            let mut rows = Vec::new();
            let mut cases = false;
            while parser.peek() != Kind::EndEnvironment {
                let value = parser.item()?;
                let comma = parser.eat(Kind::Comma);
                if parser.eat(Kind::Ampersand) {
                    cases = true;
                    let condition = parser.condition()?;
                    rows.push(Value::Tuple(vec![value, condition]));
                } else if comma
                    && parser.peek() != Kind::NewRow
                    && parser.peek() != Kind::EndEnvironment
                {
                    rows.push(value);
                    continue;
                } else {
                    rows.push(value);
                }
                if !parser.eat(Kind::NewRow) {
                    break;
                }
            }
            Ok((rows, cases))
        })?;
        self.count()?;
        let mut rows = rows;
        if cases {
            return Ok(Value::Set(rows));
        }
        match rows.len() {
            0 => Err(self.error(ParseErrorKind::Empty)),
            1 => Ok(rows.swap_remove(0)),
            _ => Ok(Value::All(rows)),
        }
    }

    /// `if x > 0`, `\text{otherwise}`.
    fn condition(&mut self) -> Result<Value, ParseError> {
        if matches!(self.peek(), Kind::Text | Kind::Word) {
            match self.text().to_ascii_lowercase().as_str() {
                "if" | "when" | "for" | "where" | "当" => self.bump(),
                "otherwise" | "else" | "其他" | "其它" => {
                    self.bump();
                    return Ok(Value::Text("otherwise".into()));
                }
                _ => {}
            }
        }
        self.list_until_close()
    }
}
