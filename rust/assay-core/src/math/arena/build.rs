//! From the parser's expressions to the arena.

use super::matrix::Matrix;
use super::{Arena, Id, Node};
use crate::math::ast::{Constant, Expr, Function};
use crate::math::fuel::{Step, Stop};

/// What the odd root of a negative number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Real: `(-8)^(1/3) = -2`.
    Real,
    /// The principal value: `(-8)^(1/3) = 1 + sqrt(3) i`.
    Principal,
}

/// An expression in the arena: one node, or a matrix of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Built {
    Scalar(Id),
    Matrix(Matrix),
}

impl Built {
    pub(crate) fn scalar(self) -> Step<Id> {
        match self {
            Self::Scalar(id) => Ok(id),
            Self::Matrix(matrix) => match matrix.cells[..] {
                [one] => Ok(one),
                _ => Err(Stop::Unsupported("a matrix where a number is needed")),
            },
        }
    }
}

impl Arena {
    /// Brings `expr` into the arena's form.
    pub(crate) fn build(&mut self, expr: &Expr) -> Step<Built> {
        self.fuel.spend(10)?;
        let id = match expr {
            Expr::Number(number) => self.rational(number.value.clone())?,
            Expr::Constant(Constant::Pi) => Self::PI,
            Expr::Constant(Constant::E) => Self::E,
            Expr::Constant(Constant::I) => Self::I,
            Expr::Constant(Constant::Infinity) => {
                return Err(Stop::Undefined("infinity inside a formula"));
            }
            Expr::Symbol(name) => self.symbol(name)?,
            Expr::Add(terms) => return self.build_sum(terms),
            Expr::Mul(factors) => return self.build_product(factors),
            Expr::Div(a, b) => {
                let divisor = self.build_scalar(b)?;
                let inverse = self.pow(divisor, Self::MINUS_ONE)?;
                return match self.build(a)? {
                    Built::Scalar(a) => Ok(Built::Scalar(self.mul(&[a, inverse])?)),
                    Built::Matrix(matrix) => self.scale_matrix(&matrix, inverse).map(Built::Matrix),
                };
            }
            Expr::Pow(base, exponent) => return self.build_power(base, exponent),
            Expr::Neg(inner) => match self.build(inner)? {
                Built::Scalar(id) => self.neg(id)?,
                Built::Matrix(matrix) => {
                    return self
                        .scale_matrix(&matrix, Self::MINUS_ONE)
                        .map(Built::Matrix);
                }
            },
            Expr::Percent(inner) => {
                let (value, hundredth) = (self.build_scalar(inner)?, self.ratio(1, 100)?);
                self.mul(&[value, hundredth])?
            }
            Expr::Degrees(inner) => {
                let (value, degree) = (self.build_scalar(inner)?, self.ratio(1, 180)?);
                self.mul(&[value, degree, Self::PI])?
            }
            Expr::PlusMinus(plus, inner) => {
                let value = self.build_scalar(inner)?;
                if (self.sign > 0) == *plus {
                    value
                } else {
                    self.neg(value)?
                }
            }
            Expr::Call(function, arguments) => return self.build_call(*function, arguments),
            Expr::Apply(name, arguments) => {
                let arguments = self.build_all(arguments)?;
                self.intern(Node::Apply(name.clone(), arguments.into()))?
            }
            Expr::Bind {
                binder,
                variable,
                lower,
                upper,
                body,
            } => self.build_bind(binder, variable, lower.as_deref(), upper.as_deref(), body)?,
            Expr::Matrix(rows) => return self.build_matrix(rows).map(Built::Matrix),
        };
        Ok(Built::Scalar(id))
    }

    pub(crate) fn build_scalar(&mut self, expr: &Expr) -> Step<Id> {
        self.build(expr)?.scalar()
    }

    fn build_all(&mut self, exprs: &[Expr]) -> Step<Vec<Id>> {
        exprs.iter().map(|expr| self.build_scalar(expr)).collect()
    }

    fn build_sum(&mut self, terms: &[Expr]) -> Step<Built> {
        let mut scalars = Vec::with_capacity(terms.len());
        let mut matrices: Option<Matrix> = None;
        for term in terms {
            match self.build(term)? {
                Built::Scalar(id) => scalars.push(id),
                Built::Matrix(matrix) => {
                    matrices = Some(match matrices {
                        Some(sum) => self.add_matrices(&sum, &matrix)?,
                        None => matrix,
                    });
                }
            }
        }
        match matrices {
            None => self.add(&scalars).map(Built::Scalar),
            Some(sum) if scalars.is_empty() => Ok(Built::Matrix(sum)),
            Some(_) => Err(Stop::Undefined("a number added to a matrix")),
        }
    }

    fn build_product(&mut self, factors: &[Expr]) -> Step<Built> {
        let mut scalars = Vec::with_capacity(factors.len());
        let mut matrices: Option<Matrix> = None;
        for factor in factors {
            match self.build(factor)? {
                Built::Scalar(id) => scalars.push(id),
                Built::Matrix(matrix) => {
                    matrices = Some(match matrices {
                        Some(product) => self.multiply_matrices(&product, &matrix)?,
                        None => matrix,
                    });
                }
            }
        }
        let scalar = self.mul(&scalars)?;
        match matrices {
            None => Ok(Built::Scalar(scalar)),
            Some(product) => self.scale_matrix(&product, scalar).map(Built::Matrix),
        }
    }

    fn build_power(&mut self, base: &Expr, exponent: &Expr) -> Step<Built> {
        if let Built::Matrix(matrix) = self.build(base)? {
            // A transpose may be written as a power.
            if matches!(exponent, Expr::Symbol(name) if matches!(&**name, "T" | "\\top")) {
                return Ok(Built::Matrix(matrix.transposed()));
            }
            let exponent = self.build_scalar(exponent)?;
            return match self.small(exponent) {
                Some(count) => self.matrix_power(&matrix, count).map(Built::Matrix),
                None => Err(Stop::Unsupported("a matrix to a power that is no integer")),
            };
        }
        let base = self.build_scalar(base)?;
        let exponent = self.build_scalar(exponent)?;
        self.pow(base, exponent).map(Built::Scalar)
    }

    fn build_call(&mut self, function: Function, arguments: &[Expr]) -> Step<Built> {
        if let [one] = arguments
            && let Built::Matrix(matrix) = self.build(one)?
        {
            return match function {
                Function::Det | Function::Abs => self.determinant(&matrix).map(Built::Scalar),
                Function::Trace => self.trace(&matrix).map(Built::Scalar),
                Function::Transpose => Ok(Built::Matrix(matrix.transposed())),
                _ => Err(Stop::Unsupported("a function of a matrix")),
            };
        }
        let arguments = self.build_all(arguments)?;
        self.call(function, &arguments).map(Built::Scalar)
    }
}
