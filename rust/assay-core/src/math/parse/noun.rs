//! Counted nouns: `5 apples`.

use super::super::ast::{Expr, Function};
use super::super::lexer::Kind;
use super::cursor::Parser;
use super::name::is_variables;
use super::unit::{Ahead, ends_unit};

/// Most words a counted noun may have.
const MAX_WORDS: usize = 3;

/// Words that make a phrase more than a count: it must not be read as one.
const SAYS_MORE: &str = "not no or and if is are was than least most more less fewer about but isn't wrong incorrect when where for \
    with because since so to from by minus plus times over divided squared cubed base mod modulo of half percent otherwise only \
    never true false remainder until factorial degrees hundred thousand million billion";

impl Parser<'_> {
    /// `apples` of `5 apples`: words up to the end of the item that say nothing else.
    pub(super) fn counted_noun(&self) -> Option<Ahead> {
        let mut name = String::new();
        let mut tokens = 0;
        loop {
            let token = self.look(tokens);
            let piece = self.text_of(token).trim();
            let noun = match token.kind {
                Kind::Text => true,
                Kind::Word => !is_variables(piece),
                _ => false,
            };
            if !noun {
                break;
            }
            for word in piece.split_whitespace() {
                if !name.is_empty() {
                    name.push(' ');
                }
                name.push_str(&word.to_lowercase());
            }
            tokens += 1;
            if tokens > MAX_WORDS {
                return None;
            }
        }
        if tokens == 0 || !ends_unit(self.look(tokens)) {
            return None;
        }
        let name = noun(&name)?.into();
        Some(Ahead {
            name,
            tokens,
            noun: true,
        })
    }
}

/// Whether an expression counts something.
pub(super) fn is_amount(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::Constant(_) => true,
        Expr::Neg(inner) | Expr::Percent(inner) | Expr::PlusMinus(_, inner) => is_amount(inner),
        Expr::Div(one, other) | Expr::Pow(one, other) => is_amount(one) && is_amount(other),
        Expr::Mul(parts)
        | Expr::Add(parts)
        | Expr::Call(Function::Sqrt | Function::Root, parts) => parts.iter().all(is_amount),
        _ => false,
    }
}

/// The canonical form of a counting noun of one to three words in lower case.
pub(super) fn noun(name: &str) -> Option<String> {
    let words = name.split(' ').count();
    let letters = name
        .chars()
        .all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\''));
    let long = name.chars().count() > 1 && name.starts_with(char::is_alphabetic);
    let more = name
        .split(' ')
        .any(|word| SAYS_MORE.split(' ').any(|known| known == word))
        || name.contains(['不', '非', '没', '如', '当', '至', '或', '约', '余', '第']);
    (words <= MAX_WORDS && letters && long && !more).then(|| singular(name))
}

/// A noun without its plural ending, so that one apple and five apples are counted in the same unit.
fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    if ["sses", "shes", "ches", "xes"]
        .iter()
        .any(|ending| name.ends_with(ending))
    {
        return name.get(..name.len() - 2).unwrap_or(name).to_owned();
    }
    match name.strip_suffix('s') {
        Some(stem) if !stem.ends_with(['s', 'u', 'i']) && stem.len() > 1 => stem.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_many_are_counted_in_the_same_noun() {
        for (many, one) in [
            ("apples", "apple"),
            ("boxes", "box"),
            ("berries", "berry"),
            ("glasses", "glass"),
            ("bus", "bus"),
            ("red balls", "red ball"),
        ] {
            assert_eq!(noun(many).as_deref(), Some(one));
            assert_eq!(noun(one).as_deref(), Some(one));
        }
        for phrase in [
            "or more",
            "not",
            "of them all",
            "one two three four",
            "x",
            "不对",
        ] {
            assert_eq!(noun(phrase), None, "{phrase}");
        }
    }
}
