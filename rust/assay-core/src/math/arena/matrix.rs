//! Matrices of nodes.

use super::{Arena, Id};
use crate::math::ast::Expr;
use crate::math::fuel::{Step, Stop};

/// Symbolic determinants and inverses up to this size are expanded.
const MAX_SYMBOLIC: usize = 6;

/// `cells` row by row; `cells.len() == rows * columns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) cells: Vec<Id>,
}

impl Matrix {
    fn at(&self, row: usize, column: usize) -> Id {
        self.cells[row * self.columns + column]
    }

    pub(super) fn transposed(&self) -> Self {
        let cells = (0..self.columns)
            .flat_map(|column| (0..self.rows).map(move |row| (row, column)))
            .map(|(row, column)| self.at(row, column))
            .collect();
        Self {
            rows: self.columns,
            columns: self.rows,
            cells,
        }
    }

    /// The matrix without one row and one column.
    fn minor(&self, row: usize, column: usize) -> Self {
        let cells = (0..self.rows)
            .filter(|&r| r != row)
            .flat_map(|r| {
                (0..self.columns)
                    .filter(move |&c| c != column)
                    .map(move |c| (r, c))
            })
            .map(|(r, c)| self.at(r, c))
            .collect();
        Self {
            rows: self.rows - 1,
            columns: self.columns - 1,
            cells,
        }
    }
}

impl Arena {
    pub(super) fn build_matrix(&mut self, rows: &[Vec<Expr>]) -> Step<Matrix> {
        let columns = rows.first().map_or(0, Vec::len);
        if columns == 0 || rows.iter().any(|row| row.len() != columns) {
            return Err(Stop::Unsupported("a matrix with rows of different lengths"));
        }
        let mut cells = Vec::with_capacity(rows.len() * columns);
        for cell in rows.iter().flatten() {
            cells.push(self.build_scalar(cell)?);
        }
        Ok(Matrix {
            rows: rows.len(),
            columns,
            cells,
        })
    }

    pub(super) fn add_matrices(&mut self, a: &Matrix, b: &Matrix) -> Step<Matrix> {
        if (a.rows, a.columns) != (b.rows, b.columns) {
            return Err(Stop::Undefined("matrices of different shapes added"));
        }
        let mut cells = Vec::with_capacity(a.cells.len());
        for (&x, &y) in a.cells.iter().zip(&b.cells) {
            cells.push(self.add(&[x, y])?);
        }
        Ok(Matrix { cells, ..*a })
    }

    pub(super) fn scale_matrix(&mut self, matrix: &Matrix, by: Id) -> Step<Matrix> {
        let mut cells = Vec::with_capacity(matrix.cells.len());
        for &cell in &matrix.cells {
            cells.push(self.mul(&[by, cell])?);
        }
        Ok(Matrix { cells, ..*matrix })
    }

    pub(super) fn multiply_matrices(&mut self, a: &Matrix, b: &Matrix) -> Step<Matrix> {
        if a.columns != b.rows {
            return Err(Stop::Undefined("matrices of unfitting shapes multiplied"));
        }
        let mut cells = Vec::with_capacity(a.rows * b.columns);
        let mut terms = Vec::with_capacity(a.columns);
        for row in 0..a.rows {
            for column in 0..b.columns {
                terms.clear();
                for inner in 0..a.columns {
                    terms.push(self.mul(&[a.at(row, inner), b.at(inner, column)])?);
                }
                cells.push(self.add(&terms)?);
            }
        }
        Ok(Matrix {
            rows: a.rows,
            columns: b.columns,
            cells,
        })
    }

    pub(super) fn matrix_power(&mut self, matrix: &Matrix, count: i64) -> Step<Matrix> {
        if matrix.rows != matrix.columns {
            return Err(Stop::Undefined("a power of a matrix that is not square"));
        }
        let mut square = if count < 0 {
            self.inverse(matrix)?
        } else {
            matrix.clone()
        };
        let mut result = self.identity(matrix.rows);
        let mut left = count.unsigned_abs();
        while left > 0 {
            if left & 1 == 1 {
                result = self.multiply_matrices(&result, &square)?;
            }
            left >>= 1;
            if left > 0 {
                square = self.multiply_matrices(&square, &square)?;
            }
        }
        Ok(result)
    }

    fn identity(&self, size: usize) -> Matrix {
        let cells = (0..size * size)
            .map(|index| {
                if index / size == index % size {
                    Self::ONE
                } else {
                    Self::ZERO
                }
            })
            .collect();
        Matrix {
            rows: size,
            columns: size,
            cells,
        }
    }

    /// By the adjugate: no pivots to tell from zero.
    fn inverse(&mut self, matrix: &Matrix) -> Step<Matrix> {
        let determinant = self.determinant(matrix)?;
        let scale = self.pow(determinant, Self::MINUS_ONE)?;
        if matrix.rows == 1 {
            return Ok(Matrix {
                rows: 1,
                columns: 1,
                cells: vec![scale],
            });
        }
        let mut cells = Vec::with_capacity(matrix.cells.len());
        for row in 0..matrix.rows {
            for column in 0..matrix.columns {
                let minor = self.determinant(&matrix.minor(column, row))?;
                let minor = if (row + column) % 2 == 1 {
                    self.neg(minor)?
                } else {
                    minor
                };
                cells.push(self.mul(&[scale, minor])?);
            }
        }
        Ok(Matrix { cells, ..*matrix })
    }

    pub(super) fn trace(&mut self, matrix: &Matrix) -> Step<Id> {
        if matrix.rows != matrix.columns {
            return Err(Stop::Undefined("the trace of a matrix that is not square"));
        }
        let diagonal: Vec<Id> = (0..matrix.rows)
            .map(|index| matrix.at(index, index))
            .collect();
        self.add(&diagonal)
    }

    pub(super) fn determinant(&mut self, matrix: &Matrix) -> Step<Id> {
        if matrix.rows != matrix.columns {
            return Err(Stop::Undefined(
                "the determinant of a matrix that is not square",
            ));
        }
        if matrix.cells.iter().all(|&cell| self.number(cell).is_some()) {
            return self.eliminate(matrix.clone());
        }
        if matrix.rows > MAX_SYMBOLIC {
            return Err(Stop::Fuel);
        }
        self.expand(matrix)
    }

    /// Along the first row.
    fn expand(&mut self, matrix: &Matrix) -> Step<Id> {
        if matrix.rows == 1 {
            return Ok(matrix.cells[0]);
        }
        let mut terms = Vec::with_capacity(matrix.columns);
        for column in 0..matrix.columns {
            let cell = matrix.at(0, column);
            if cell == Self::ZERO {
                continue;
            }
            let minor = self.expand(&matrix.minor(0, column))?;
            let term = self.mul(&[cell, minor])?;
            terms.push(if column % 2 == 1 {
                self.neg(term)?
            } else {
                term
            });
        }
        self.add(&terms)
    }

    /// Gaussian elimination over the rationals.
    fn eliminate(&mut self, mut matrix: Matrix) -> Step<Id> {
        let size = matrix.rows;
        let mut determinant = Self::ONE;
        for step in 0..size {
            let Some(pivot_row) = (step..size).find(|&row| matrix.at(row, step) != Self::ZERO)
            else {
                return Ok(Self::ZERO);
            };
            if pivot_row != step {
                for column in 0..size {
                    matrix
                        .cells
                        .swap(pivot_row * size + column, step * size + column);
                }
                determinant = self.neg(determinant)?;
            }
            let pivot = matrix.at(step, step);
            determinant = self.mul(&[determinant, pivot])?;
            for row in step + 1..size {
                let head = matrix.at(row, step);
                if head == Self::ZERO {
                    continue;
                }
                let factor = self.div(head, pivot)?;
                for column in step + 1..size {
                    let change = self.mul(&[factor, matrix.at(step, column)])?;
                    matrix.cells[row * size + column] = self.sub(matrix.at(row, column), change)?;
                }
            }
        }
        Ok(determinant)
    }
}
