//! What the parser hands to the decision: typed values, exact numbers, nothing evaluated.

use dashu::integer::IBig;
use dashu::rational::RBig;

/// How a number was written. Decides whether a decimal tolerance may apply and how it is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// Digits only: `42`, `1,000`, `forty-two`.
    Integer,
    /// With a decimal point or an exponent; `places` counts the digits after the point, less the exponent
    /// (`1.25e1` has one), so half a unit in the last place is `10^-places / 2`.
    Decimal {
        /// Digits after the point once the exponent is applied; negative for `1.2e5`.
        places: i32,
    },
    /// With a repetend: `0.\overline{3}`. Exact.
    Repeating,
    /// A vulgar fraction or a mixed number written as one token: `½`, `2\frac13`. Exact.
    Fraction,
}

/// An exact number as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    /// The exact value; `0.1` is one tenth.
    pub value: RBig,
    /// How it was written.
    pub written: Written,
}

/// A named number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Constant {
    /// The circle's ratio.
    Pi,
    /// Euler's number.
    E,
    /// The imaginary unit.
    I,
    /// Positive infinity; only as a bound, a limit or a whole answer.
    Infinity,
}

/// A function or a postfix operator with numbers in and a number out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "each is the mathematical function of that name"
)]
pub enum Function {
    Sqrt, // `Root(x, n)` when the index is written
    Root,
    Abs, // modulus of a complex number, too
    Floor,
    Ceil,
    Factorial,
    DoubleFactorial,
    Binomial,
    Permutations,
    Gcd,
    Lcm,
    Mod,
    Min,
    Max,
    Exp,
    Ln,
    Log, // Log(x, base)
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Arccot,
    Arcsec,
    Arccsc,
    Sinh,
    Cosh,
    Tanh,
    Coth,
    Sech,
    Csch,
    Arsinh,
    Arcosh,
    Artanh,
    Re,
    Im,
    Arg,
    Conjugate,
    Sign,
    Zeta,
    Gamma,
    Det,
    Trace,
    Transpose,
}

/// An operator that binds a variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Binder {
    /// `\sum_{v=lower}^{upper}`
    Sum,
    /// `\prod_{v=lower}^{upper}`
    Product,
    /// `\int_lower^upper .. dv`; without bounds, an antiderivative up to a constant.
    Integral,
    /// `\lim_{v \to lower}`; `upper` unused.
    Limit,
    /// `d^n/dv^n`, `upper` holding the order when it is not 1; `lower` unused.
    Derivative,
}

/// A scalar or matrix expression. Nothing is simplified by the parser beyond what the notation itself says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// An exact number.
    Number(Number),
    /// A named number.
    Constant(Constant),
    /// A free variable or an unknown function's name: `x`, `x_1`, `alpha`, `theta'`.
    Symbol(Box<str>),
    /// `a + b + ..`; subtraction is `Neg` inside.
    Add(Vec<Expr>),
    /// `a * b * ..`, juxtaposition too.
    Mul(Vec<Expr>),
    /// `a / b`, `\frac{a}{b}`.
    Div(Box<Expr>, Box<Expr>),
    /// `base ^ exponent`.
    Pow(Box<Expr>, Box<Expr>),
    /// `-a`.
    Neg(Box<Expr>),
    /// `a%`: a hundredth of `a`, tagged so that a policy may also read it as `a`.
    Percent(Box<Expr>),
    /// `a°`: `a * pi / 180`, tagged likewise.
    Degrees(Box<Expr>),
    /// `\pm a` (`true`) or `\mp a` (`false`); signs are chosen jointly across one expression.
    PlusMinus(bool, Box<Expr>),
    /// `f(args)`.
    Call(Function, Vec<Expr>),
    /// `f(args)` of a function assay does not know, `f(x)`: equal only by structure.
    Apply(Box<str>, Vec<Expr>),
    /// A sum, product, integral, limit or derivative.
    Bind {
        /// Which operator.
        binder: Binder,
        /// The bound variable.
        variable: Box<str>,
        /// The lower bound or the point.
        lower: Option<Box<Expr>>,
        /// The upper bound or the order.
        upper: Option<Box<Expr>>,
        /// What it is applied to.
        body: Box<Expr>,
    },
    /// Rows of a matrix or vector; every row has the same length.
    Matrix(Vec<Vec<Expr>>),
}

/// `=`, `<`, ..
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the relation of that name")]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Approx,
}

/// One end of an interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// Where it ends; may be infinite.
    pub at: Expr,
    /// Whether the end belongs to the interval.
    pub closed: bool,
}

impl End {
    /// Infinity, which belongs to no interval.
    pub(crate) fn infinite(negative: bool) -> Self {
        let at = Expr::Constant(Constant::Infinity);
        Self {
            at: if negative {
                Expr::Neg(Box::new(at))
            } else {
                at
            },
            closed: false,
        }
    }
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A number, a formula or a matrix.
    Expr(Expr),
    /// A number with a unit or a currency, as its canonical name (`cm`, `USD`, `cm^2`, `km/h`).
    Quantity(Expr, Box<str>),
    /// `(a, b)`: ordered.
    Tuple(Vec<Value>),
    /// `a, b` without brackets, `x=1 \text{ or } x=2`: unordered when every part is a solution.
    List(Vec<Value>),
    /// `\{a, b\}`: unordered, repeats ignored; `\emptyset` is the empty one.
    Set(Vec<Value>),
    /// An interval.
    Interval(End, End),
    /// `A \cup B`.
    Union(Vec<Value>),
    /// `A \cap B`.
    Intersection(Vec<Value>),
    /// `A \setminus B`.
    Difference(Box<Value>, Box<Value>),
    /// `x \in A`; `variable` is empty for a bare set.
    Element(Expr, Box<Value>),
    /// `a < b <= c`: `terms.len() == relations.len() + 1`.
    Chain(Vec<Expr>, Vec<Relation>),
    /// `a and b`: all hold.
    All(Vec<Value>),
    /// `a or b`: one holds.
    Any(Vec<Value>),
    /// `a : b : c`.
    Ratio(Vec<Expr>),
    /// Digits in a base: `101_2`; the value is exact.
    Base(RBig, u32),
    /// `12:30`, as minutes after midnight.
    Time(u32),
    /// `(B)`, `\textbf{B.}`, `B) 12`: letters in order, upper case; the rest of the option's text if written.
    Choice(Box<str>, Option<Box<str>>),
    /// `true`, `yes`.
    Truth(bool),
    /// Anything else, folded for comparison (case, spacing, text commands).
    Text(Box<str>),
}

impl Written {
    /// A decimal of so many places.
    pub fn decimal(places: usize) -> Self {
        Self::Decimal {
            places: i32::try_from(places).unwrap_or(i32::MAX),
        }
    }
}

impl Number {
    /// A number written with digits only.
    pub fn integer(value: IBig) -> Self {
        Self {
            value: value.into(),
            written: Written::Integer,
        }
    }
}

impl Expr {
    /// A number written with digits only.
    pub fn integer(value: IBig) -> Self {
        Self::Number(Number::integer(value))
    }

    /// A variable.
    pub fn symbol(name: &str) -> Self {
        Self::Symbol(name.into())
    }
}
