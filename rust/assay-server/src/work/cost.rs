//! What scoring takes, in tokens of a long completion.

use crate::pb;
use crate::pb::item::Completion;

/// What an item takes beside its text: a one-line item is scored in about the time of 400 tokens of a long one.
const ITEM: u64 = 400;
/// Bytes of text, and of ids, that are one token.
const TOKEN_BYTES: u64 = 4;

/// Estimated cost of one item.
pub(crate) fn of_item(item: &pb::Item) -> u64 {
    let completion = match &item.completion {
        Some(Completion::Text(text)) => text.len(),
        Some(Completion::TokenIds(ids)) => ids.len(),
        None => 0,
    };
    let beside = [&item.reference, &item.prompt];
    let beside: usize = beside.into_iter().flatten().map(String::len).sum();
    ITEM + (completion + beside + item.id.len()) as u64 / TOKEN_BYTES
}

/// Estimated cost of some items.
pub(crate) fn of_items(items: &[pb::Item]) -> u64 {
    items.iter().map(of_item).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_are_a_token_whatever_they_are() {
        let text = pb::Item {
            completion: Some(Completion::Text("x".repeat(4000))),
            ..pb::Item::default()
        };
        let ids = pb::Item {
            completion: Some(Completion::TokenIds(vec![0; 4000].into())),
            ..pb::Item::default()
        };
        assert_eq!(of_item(&text), ITEM + 1000);
        assert_eq!(of_item(&ids), of_item(&text));
        assert_eq!(of_items(&[text, pb::Item::default()]), 2 * ITEM + 1000);
    }
}
