//! Which bracket closes which, and which way a square bracket faces.

use super::token::{Bracket, Kind, Token};

/// Sets `partner` and `inside` of every opening bracket, and turns `]a, b[` the right way round. Linear.
pub(super) fn pair(tokens: &mut [Token]) {
    let mut open: Vec<usize> = Vec::new();
    let mut operand = false;
    for at in 0..tokens.len() {
        let Some(mut kind) = tokens.get(at).map(|token| token.kind) else {
            return;
        };
        let top = open
            .last()
            .and_then(|&index| tokens.get(index))
            .map(|token| (token.kind, token.inside));
        kind = match (kind, top) {
            (
                Kind::Open(Bracket::Square),
                Some((Kind::Open(Bracket::Paren | Bracket::Square | Bracket::Reversed), inside)),
            ) if operand && inside.separator => Kind::Close(Bracket::Reversed),
            (Kind::Close(Bracket::Square), top)
                if !operand && top.is_none_or(|top| top.0 != Kind::Open(Bracket::Square)) =>
            {
                Kind::Open(Bracket::Reversed)
            }
            (kind, _) => kind,
        };
        if let Some(token) = tokens.get_mut(at) {
            token.kind = kind;
        }
        match kind {
            Kind::Open(_) | Kind::Begin => open.push(at),
            Kind::Close(_) | Kind::EndEnvironment => {
                if let (Some(&from), Some((opener, _))) = (open.last(), top)
                    && closes(opener, kind)
                {
                    open.pop();
                    if let Some(token) = tokens.get_mut(from) {
                        token.partner = at as u32;
                    }
                    if let Some(token) = tokens.get_mut(at) {
                        token.partner = at as u32;
                    }
                }
            }
            Kind::Comma
            | Kind::Semicolon
            | Kind::Union
            | Kind::Intersection
            | Kind::Setminus
            | Kind::In
            | Kind::NotIn
            | Kind::Relation(_)
            | Kind::Colon
            | Kind::Mid => {
                if let Some(token) = open.last().and_then(|&index| tokens.get_mut(index)) {
                    match kind {
                        Kind::Comma | Kind::Semicolon => token.inside.separator = true,
                        Kind::Union | Kind::Intersection | Kind::Setminus => {
                            token.inside.set = true;
                        }
                        _ => token.inside.relation = true,
                    }
                }
            }
            _ => {}
        }
        operand = ends_operand(kind);
    }
}

fn closes(open: Kind, close: Kind) -> bool {
    use Bracket::{Paren, Reversed, Square};
    match (open, close) {
        (Kind::Begin, Kind::EndEnvironment)
        | (Kind::Open(Paren | Square | Reversed), Kind::Close(Paren | Square | Reversed)) => true,
        (Kind::Open(open), Kind::Close(close)) => open == close,
        _ => false,
    }
}

/// Whether an operand may end with a token of this kind.
fn ends_operand(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Digits
            | Kind::Letter
            | Kind::Word
            | Kind::Name
            | Kind::Text
            | Kind::Named
            | Kind::Close(_)
            | Kind::Bang
            | Kind::Percent
            | Kind::Permille
            | Kind::Degree
            | Kind::Prime
            | Kind::Constant(_)
            | Kind::Emptyset
            | Kind::Blackboard
            | Kind::Ellipsis
            | Kind::Bar
            | Kind::EndEnvironment
    )
}
