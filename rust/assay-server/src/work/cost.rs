//! What scoring takes, in tokens of a long completion.

use crate::wire::{Completion, Item};

/// What an item takes beside its text: a one-line item is scored in about the time of 400 tokens of a long one.
const ITEM: u64 = 400;
/// Bytes of text, and of ids, that are one token.
const TOKEN_BYTES: u64 = 4;

/// Estimated cost of one item.
pub(crate) fn of_item(item: &Item) -> u64 {
    let completion = match &item.completion {
        Some(Completion::Text(text)) => text.len(),
        Some(Completion::TokenIds(ids)) => ids.len(),
        None => 0,
    };
    let beside = [&item.reference, &item.prompt];
    let beside: usize = beside.into_iter().flatten().map(|text| text.len()).sum();
    ITEM + (completion + beside + item.id.len()) as u64 / TOKEN_BYTES
}

/// The least that a message of so many bytes can cost, before it is known how many items are in it.
pub(crate) fn of_bytes(bytes: usize) -> u64 {
    bytes as u64 / TOKEN_BYTES
}

/// Estimated cost of some items.
pub(crate) fn of_items(items: &[Item]) -> u64 {
    items.iter().map(of_item).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_are_a_token_whatever_they_are() {
        let text = Item {
            completion: Some(Completion::Text("x".repeat(4000).into())),
            ..Item::default()
        };
        let ids = Item {
            completion: Some(Completion::TokenIds(vec![0; 4000].into())),
            ..Item::default()
        };
        assert_eq!(of_item(&text), ITEM + 1000);
        assert_eq!(of_item(&ids), of_item(&text));
        assert_eq!(of_items(&[text, Item::default()]), 2 * ITEM + 1000);
    }
}
