//! What each LaTeX command means.

use super::super::ast::{Constant, Function, Relation};
use super::token::{Big, Bracket, Kind};

/// How the lexer treats a command.
#[derive(Clone, Copy)]
pub(super) enum Command {
    /// One token.
    Token(Kind),
    /// Nothing at all: `\displaystyle`, `\big`.
    Skip,
    /// A blank that may group digits.
    Thin,
    /// A blank.
    Blank,
    /// `\left`: what follows opens.
    Left,
    /// `\right`: what follows closes.
    Right,
    /// `\text{..}` and other commands that say how letters look.
    Style,
    /// `\mathit{..}`: letters that are one name, and never a constant.
    Italic,
    /// `\operatorname{..}`.
    Operator,
    /// `\mathbb{..}`.
    Blackboard,
    /// `\begin{..}`, `\end{..}`.
    Environment(Kind),
    /// `\boxed{..}`, `\phantom`-free wrappers: the group alone counts.
    Wrapper,
    /// `\hspace{..}`, `\color{..}`, `\label{..}`: the group does not count.
    Discard,
    /// `\not`: negates the relation that follows.
    Not,
}

/// The meaning of `\name`; the name without its backslash.
pub(super) fn command(name: &str) -> Option<Command> {
    common(name).or_else(|| any(name))
}

/// What most formulas are made of, so that it is found before the long table is searched from the top.
fn common(name: &str) -> Option<Command> {
    use Command::{Left, Right, Token};
    Some(match name {
        "frac" | "dfrac" => Token(Kind::Frac),
        "sqrt" => Token(Kind::Sqrt),
        "pi" => Token(Kind::Constant(Constant::Pi)),
        "left" => Left,
        "right" => Right,
        "text" => Command::Style,
        "cdot" | "times" => Token(Kind::Times),
        "infty" => Token(Kind::Constant(Constant::Infinity)),
        "le" => Token(Kind::Relation(Relation::LessEqual)),
        "cup" => Token(Kind::Union),
        "in" => Token(Kind::In),
        "sin" => Token(Kind::Function(Function::Sin)),
        "cos" => Token(Kind::Function(Function::Cos)),
        "ln" => Token(Kind::Function(Function::Ln)),
        "log" => Token(Kind::Log),
        _ => return None,
    })
}

#[expect(clippy::too_many_lines, reason = "one table")]
fn any(name: &str) -> Option<Command> {
    use Command::{Blank, Discard, Skip, Style, Thin, Token, Wrapper};
    Some(match name {
        "tfrac" | "cfrac" => Token(Kind::Frac),
        "over" => Token(Kind::Over),
        "ast" | "cdotp" | "star" | "bullet" => Token(Kind::Times),
        "div" => Token(Kind::Slash),
        "pm" => Token(Kind::PlusMinus(true)),
        "mp" => Token(Kind::PlusMinus(false)),
        "textbf" | "textit" | "textrm" | "textsf" | "texttt" | "mbox" | "hbox" | "mathrm"
        | "mathbf" | "mathsf" | "mathtt" | "boldsymbol" | "bm" | "rm" | "bf" | "it" | "emph"
        | "textnormal" | "mathnormal" | "pmb" | "mathcal" | "mathscr" | "mathfrak" | "symbf"
        | "textup" | "symup" | "textsc" | "underline" => Style,
        "mathit" => Command::Italic,
        "operatorname" | "mathop" => Command::Operator,
        "mathbb" | "Bbb" => Command::Blackboard,
        "boxed" | "fbox" | "framebox" | "cancel" | "mathrel" | "mathbin" | "ensuremath"
        | "smash" | "displaylimits" => Wrapper,
        "hspace" | "vspace" | "color" | "label" | "tag" | "phantom" | "hphantom" | "vphantom"
        | "textcolor" => Discard,
        "," | "thinspace" | "!" => {
            if name == "!" {
                Skip
            } else {
                Thin
            }
        }
        ";" | ":" | " " | "quad" | "qquad" | "enspace" | ">" | "space" | "\n" | "nobreakspace" => {
            Blank
        }
        "displaystyle" | "textstyle" | "scriptstyle" | "limits" | "nolimits" | "big" | "Big"
        | "bigg" | "Bigg" | "bigl" | "Bigl" | "biggl" | "Biggl" | "bigr" | "Bigr" | "biggr"
        | "Biggr" | "middle" | "relax" | "strut" | "hfill" | "noindent" | "centering" | "par"
        | "/" | "large" | "Large" | "small" => Skip,
        "begin" => Command::Environment(Kind::Begin),
        "end" => Command::Environment(Kind::EndEnvironment),
        "not" => Command::Not,
        "\\" | "newline" | "cr" => Token(Kind::NewRow),
        "{" | "lbrace" => Token(Kind::Open(Bracket::Brace)),
        "}" | "rbrace" => Token(Kind::Close(Bracket::Brace)),
        "lbrack" => Token(Kind::Open(Bracket::Square)),
        "rbrack" => Token(Kind::Close(Bracket::Square)),
        "langle" => Token(Kind::Open(Bracket::Angle)),
        "rangle" => Token(Kind::Close(Bracket::Angle)),
        "lfloor" => Token(Kind::Open(Bracket::Floor)),
        "rfloor" => Token(Kind::Close(Bracket::Floor)),
        "lceil" => Token(Kind::Open(Bracket::Ceil)),
        "rceil" => Token(Kind::Close(Bracket::Ceil)),
        "lvert" => Token(Kind::Open(Bracket::Bar)),
        "rvert" => Token(Kind::Close(Bracket::Bar)),
        "lVert" => Token(Kind::Open(Bracket::DoubleBar)),
        "rVert" => Token(Kind::Close(Bracket::DoubleBar)),
        "vert" => Token(Kind::Bar),
        "|" | "Vert" => Token(Kind::DoubleBar),
        "mid" => Token(Kind::Mid),
        "colon" => Token(Kind::Colon),
        "%" => Token(Kind::Percent),
        "permille" | "permil" => Token(Kind::Permille),
        "circ" | "degree" => Token(Kind::Degree),
        "degC" | "degF" => Token(Kind::DegreeUnit),
        "prime" => Token(Kind::Prime),
        "ldots" | "dots" | "cdots" | "dotsc" | "dotsb" | "dotso" | "vdots" | "ddots" | "hdots" => {
            Token(Kind::Ellipsis)
        }
        "leq" | "leqslant" | "leqq" => Token(Kind::Relation(Relation::LessEqual)),
        "ge" | "geq" | "geqslant" | "geqq" => Token(Kind::Relation(Relation::GreaterEqual)),
        "lt" => Token(Kind::Relation(Relation::Less)),
        "gt" => Token(Kind::Relation(Relation::Greater)),
        "ne" | "neq" => Token(Kind::Relation(Relation::NotEqual)),
        "approx" | "simeq" | "cong" | "approxeq" | "doteq" => {
            Token(Kind::Relation(Relation::Approx))
        }
        "equiv" => Token(Kind::Congruent),
        "notin" => Token(Kind::NotIn),
        "bigcup" => Token(Kind::Union),
        "cap" | "bigcap" => Token(Kind::Intersection),
        "setminus" | "backslash" | "smallsetminus" => Token(Kind::Setminus),
        "land" | "wedge" | "And" => Token(Kind::Both),
        "lor" | "vee" => Token(Kind::Either),
        "to" | "rightarrow" | "longrightarrow" => Token(Kind::To),
        "emptyset" | "varnothing" | "O" => Token(Kind::Emptyset),
        "infin" => Token(Kind::Constant(Constant::Infinity)),
        "imath" => Token(Kind::Constant(Constant::I)),
        "jmath" => Token(Kind::Letter),
        "lg" => Token(Kind::Lg),
        "sum" => Token(Kind::Big(Big::Sum)),
        "prod" => Token(Kind::Big(Big::Product)),
        "int" | "intop" => Token(Kind::Big(Big::Integral)),
        "lim" => Token(Kind::Big(Big::Limit)),
        "partial" => Token(Kind::Partial),
        "binom" | "dbinom" | "tbinom" => Token(Kind::Binom),
        "choose" => Token(Kind::Choose),
        "cis" => Token(Kind::Cis),
        "bmod" | "mod" => Token(Kind::Mod),
        "pmod" | "pod" => Token(Kind::Pmod),
        "angle" | "measuredangle" => Token(Kind::Angle),
        "triangle" | "vec" | "hat" | "widehat" | "tilde" | "widetilde" | "overrightarrow"
        | "overleftarrow" | "check" | "ddot" | "overleftrightarrow" | "mathring" | "odot"
        | "square" => Token(Kind::Accent),
        "overline" | "bar" => Token(Kind::Overline),
        "dot" => Token(Kind::DotAccent),
        "$" | "pounds" | "euro" | "yen" | "texteuro" | "textdollar" | "cent" => {
            Token(Kind::Currency)
        }
        "alpha" | "beta" | "gamma" | "delta" | "epsilon" | "varepsilon" | "eta" | "theta"
        | "vartheta" | "iota" | "kappa" | "lambda" | "mu" | "nu" | "xi" | "rho" | "varrho"
        | "sigma" | "varsigma" | "tau" | "upsilon" | "phi" | "varphi" | "chi" | "psi" | "omega"
        | "Gamma" | "Delta" | "Theta" | "Lambda" | "Xi" | "Pi" | "Sigma" | "Upsilon" | "Phi"
        | "Psi" | "Omega" | "ell" | "hbar" | "aleph" | "nabla" | "zeta" => Token(Kind::Named),
        "Re" => Token(Kind::Function(Function::Re)),
        "Im" => Token(Kind::Function(Function::Im)),
        _ => Token(Kind::Function(function(name)?)),
    })
}

/// A function by its name, in LaTeX or plain text.
pub(super) fn function(name: &str) -> Option<Function> {
    Some(match name {
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "tan" | "tg" => Function::Tan,
        "cot" | "ctg" | "cotan" => Function::Cot,
        "sec" => Function::Sec,
        "csc" | "cosec" => Function::Csc,
        "arcsin" | "asin" => Function::Arcsin,
        "arccos" | "acos" => Function::Arccos,
        "arctan" | "atan" | "arctg" => Function::Arctan,
        "arccot" | "acot" | "arcctg" => Function::Arccot,
        "arcsec" | "asec" => Function::Arcsec,
        "arccsc" | "acsc" => Function::Arccsc,
        "sinh" | "sh" => Function::Sinh,
        "cosh" | "ch" => Function::Cosh,
        "tanh" | "th" => Function::Tanh,
        "coth" => Function::Coth,
        "sech" => Function::Sech,
        "csch" => Function::Csch,
        "arsinh" | "arcsinh" | "asinh" => Function::Arsinh,
        "arcosh" | "arccosh" | "acosh" => Function::Arcosh,
        "artanh" | "arctanh" | "atanh" => Function::Artanh,
        "ln" => Function::Ln,
        "exp" => Function::Exp,
        "gcd" | "hcf" | "GCD" => Function::Gcd,
        "lcm" | "LCM" => Function::Lcm,
        "min" => Function::Min,
        "max" => Function::Max,
        "abs" | "Abs" => Function::Abs,
        "floor" => Function::Floor,
        "ceil" | "ceiling" => Function::Ceil,
        "arg" | "Arg" => Function::Arg,
        "det" => Function::Det,
        "tr" | "trace" => Function::Trace,
        "transpose" => Function::Transpose,
        "sgn" | "sign" => Function::Sign,
        "conj" | "conjugate" => Function::Conjugate,
        "factorial" => Function::Factorial,
        _ => return None,
    })
}
