//! What runs of letters mean outside commands.

use super::super::ast::{Constant, Function};
use super::command::function;
use super::token::{Big, Kind};

/// The meaning of a whole run of two or more ASCII letters, if it has one.
pub(super) fn keyword(run: &str) -> Option<Kind> {
    Some(match run {
        "or" | "OR" => Kind::Or,
        "and" | "AND" => Kind::And,
        "pi" | "PI" | "Pi" => Kind::Constant(Constant::Pi),
        "inf" | "infinity" | "Infinity" | "infty" | "oo" => Kind::Constant(Constant::Infinity),
        "log" => Kind::Log,
        "lg" => Kind::Lg,
        "sqrt" => Kind::Sqrt,
        "cbrt" => Kind::Cbrt,
        "frac" | "dfrac" => Kind::Frac,
        "binom" | "binomial" | "nCr" => Kind::Binom,
        "cis" => Kind::Cis,
        "sum" => Kind::Big(Big::Sum),
        "lim" => Kind::Big(Big::Limit),
        "mod" => Kind::Mod,
        "times" | "cdot" => Kind::Times,
        "union" => Kind::Union,
        "intersect" | "intersection" => Kind::Intersection,
        "percent" | "percents" | "pct" => Kind::Percent,
        "alpha" | "beta" | "gamma" | "delta" | "epsilon" | "theta" | "lambda" | "mu" | "rho"
        | "sigma" | "tau" | "phi" | "psi" | "omega" => Kind::Named,
        // As LaTeX commands these are functions; in running text they are ends of words and units.
        "sh" | "ch" | "th" | "tr" => return None,
        _ => Kind::Function(function(run)?),
    })
}

/// Names that are functions only where a bracket follows.
pub(super) fn before_bracket(run: &str) -> Option<Kind> {
    Some(Kind::Function(match run {
        "re" | "Re" | "real" => Function::Re,
        "im" | "Im" | "imag" => Function::Im,
        "conjugate" => Function::Conjugate,
        "gamma" | "Gamma" => Function::Gamma,
        "zeta" => Function::Zeta,
        _ => return None,
    }))
}

/// The longest known name at the start of `rest`, else one letter.
pub(super) fn segment(rest: &str) -> (Kind, usize) {
    for length in (2..=rest.len().min(6)).rev() {
        // Two-letter names other than these would tear variables apart.
        if let Some(head) = rest.get(..length)
            && (length > 2 || matches!(head, "pi" | "ln" | "lg"))
            && let Some(kind) = keyword(head)
            && is_cut(kind)
        {
            return (kind, length);
        }
    }
    (Kind::Letter, 1)
}

/// Names that may be glued to a variable: `sinx`, `2pir`.
fn is_cut(kind: Kind) -> bool {
    match kind {
        Kind::Constant(Constant::Pi) | Kind::Log | Kind::Lg | Kind::Sqrt => true,
        Kind::Function(function) => !matches!(
            function,
            Function::Min
                | Function::Max
                | Function::Abs
                | Function::Det
                | Function::Arg
                | Function::Sign
                | Function::Floor
                | Function::Ceil
        ),
        _ => false,
    }
}

/// Whether a run of letters is a known name and at most two variables, rather than a word.
pub(super) fn is_segmentable(run: &str) -> bool {
    if run.len() > 16 {
        return false;
    }
    let (mut at, mut names, mut letters) = (0, 0, 0);
    while let Some(rest) = run.get(at..).filter(|rest| !rest.is_empty()) {
        let (kind, length) = segment(rest);
        if kind == Kind::Letter {
            letters += 1;
            if !matches!(
                rest.as_bytes().first(),
                Some(b'x'..=b'z' | b'r' | b't' | b'n' | b'k' | b'a' | b'b' | b'A' | b'B')
            ) {
                return false;
            }
        } else {
            names += 1;
        }
        at += length;
    }
    names >= 1 && letters <= 2
}

/// The Chinese conjunction at the start of `rest`, and its length in bytes.
pub(super) fn conjunction(rest: &str) -> Option<(Kind, usize)> {
    const TABLE: &[(&str, Kind)] = &[
        ("或者", Kind::Or),
        ("或", Kind::Or),
        ("以及", Kind::And),
        ("和", Kind::And),
        ("与", Kind::And),
        ("且", Kind::And),
        ("及", Kind::And),
    ];
    TABLE
        .iter()
        .find(|(word, _)| rest.starts_with(word))
        .map(|&(word, kind)| (kind, word.len()))
}

/// What `\operatorname{name}` is: a function, or a name of its own.
pub(super) fn operator(name: &str) -> Option<Kind> {
    if !name.chars().all(char::is_alphanumeric) {
        return None;
    }
    Some(
        keyword(name)
            .or_else(|| function(name).map(Kind::Function))
            .or_else(|| {
                before_bracket(name).filter(|_| !matches!(name, "gamma" | "Gamma" | "zeta"))
            })
            .filter(|kind| !matches!(kind, Kind::Or | Kind::And | Kind::Named))
            .unwrap_or(Kind::Name),
    )
}

/// What a styled group is, or nothing if it is not made of words only and must be read as if unstyled.
pub(super) fn styled(style: &str, content: &str) -> Option<Kind> {
    let upright = matches!(
        style,
        "mathrm" | "text" | "textrm" | "rm" | "textup" | "symup" | "mathnormal" | "textnormal"
    );
    if content.len() == 1 && content.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Some(match content {
            "e" if upright => Kind::Constant(Constant::E),
            "i" if upright => Kind::Constant(Constant::I),
            "d" if upright => Kind::Differential,
            _ if upright || style.starts_with("text") => Kind::Text,
            _ => Kind::Name,
        });
    }
    let wordy = content
        .chars()
        .all(|c| c.is_alphabetic() || matches!(c, ' ' | '.' | '\'' | '-' | '/' | '~'));
    if !wordy || !content.chars().any(char::is_alphabetic) {
        return None;
    }
    if let Some((kind, length)) = conjunction(content)
        && length == content.len()
    {
        return Some(kind);
    }
    let lower = content.to_ascii_lowercase();
    Some(match lower.as_str() {
        "or" => Kind::Or,
        "and" => Kind::And,
        "mod" => Kind::Mod,
        "percent" | "percents" | "pct" => Kind::Percent,
        "lcm" | "gcd" | "max" | "min" | "sin" | "cos" | "tan" | "cot" | "sec" | "csc"
        | "arcsin" | "arccos" | "arctan" | "ln" | "log" | "lg" | "det" | "tr" | "exp" | "cis"
        | "sgn" | "arg" | "pi" => keyword(&lower).unwrap_or(Kind::Text),
        _ => Kind::Text,
    })
}
