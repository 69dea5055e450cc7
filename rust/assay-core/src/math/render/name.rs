//! Names of variables and functions.

use std::fmt::Write as _;

use super::super::ast::Function;

/// One letter, a Greek letter, or a name in `\mathit`; subscripts and primes after it.
pub(super) fn symbol(out: &mut String, name: &str) {
    named(out, name, false);
}

/// A variable's name, or a function's, which always stands in `\operatorname`.
pub(super) fn named(out: &mut String, name: &str, function: bool) {
    if name.starts_with('\\') {
        out.push_str(name);
        return;
    }
    if let Some(inverted) = name.strip_suffix("^{-1}") {
        named(out, inverted, false);
        out.push_str("^{-1}");
        return;
    }
    let primes = name.len() - name.trim_end_matches('\'').len();
    let plain = name.get(..name.len() - primes).unwrap_or(name);
    let (base, subscript) = match plain.split_once('_') {
        Some((base, subscript)) => (base, Some(subscript)),
        None => (plain, None),
    };
    if function {
        let _ = write!(out, "\\operatorname{{{base}}}");
    } else if is_greek(base) {
        let _ = write!(out, "\\{base}");
    } else if base.len() == 1 && !matches!(base, "e" | "i") {
        out.push_str(base);
    } else {
        let _ = write!(out, "\\mathit{{{base}}}");
    }
    if let Some(subscript) = subscript {
        let _ = write!(out, "_{{{subscript}}}");
    }
    out.extend(std::iter::repeat_n('\'', primes));
}

/// Whether a name is a letter that LaTeX writes as a command.
pub(in crate::math) fn is_greek(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "varrho",
        "sigma",
        "varsigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
        "aleph",
        "nabla",
        "zeta",
    ];
    NAMES.contains(&name)
}

/// The command or operator that names a function.
pub(super) fn name_of(function: Function) -> &'static str {
    match function {
        Function::Sqrt => "\\operatorname{sqrt}",
        Function::Root => "\\operatorname{root}",
        Function::Abs => "\\operatorname{abs}",
        Function::Floor => "\\operatorname{floor}",
        Function::Ceil => "\\operatorname{ceil}",
        Function::Factorial => "\\operatorname{factorial}",
        Function::DoubleFactorial => "\\operatorname{doublefactorial}",
        Function::Binomial => "\\operatorname{binomial}",
        Function::Permutations => "\\operatorname{permutations}",
        Function::Gcd => "\\gcd",
        Function::Lcm => "\\operatorname{lcm}",
        Function::Mod => "\\operatorname{mod}",
        Function::Min => "\\min",
        Function::Max => "\\max",
        Function::Exp => "\\exp",
        Function::Ln => "\\ln",
        Function::Log => "\\log",
        Function::Sin => "\\sin",
        Function::Cos => "\\cos",
        Function::Tan => "\\tan",
        Function::Cot => "\\cot",
        Function::Sec => "\\sec",
        Function::Csc => "\\csc",
        Function::Arcsin => "\\arcsin",
        Function::Arccos => "\\arccos",
        Function::Arctan => "\\arctan",
        Function::Arccot => "\\operatorname{arccot}",
        Function::Arcsec => "\\operatorname{arcsec}",
        Function::Arccsc => "\\operatorname{arccsc}",
        Function::Sinh => "\\sinh",
        Function::Cosh => "\\cosh",
        Function::Tanh => "\\tanh",
        Function::Coth => "\\coth",
        Function::Sech => "\\operatorname{sech}",
        Function::Csch => "\\operatorname{csch}",
        Function::Arsinh => "\\operatorname{arsinh}",
        Function::Arcosh => "\\operatorname{arcosh}",
        Function::Artanh => "\\operatorname{artanh}",
        Function::Re => "\\Re",
        Function::Im => "\\Im",
        Function::Arg => "\\arg",
        Function::Conjugate => "\\operatorname{conj}",
        Function::Sign => "\\operatorname{sgn}",
        Function::Zeta => "\\zeta",
        Function::Gamma => "\\Gamma",
        Function::Det => "\\det",
        Function::Trace => "\\operatorname{tr}",
        Function::Transpose => "\\operatorname{transpose}",
    }
}
