//! Results of items that took long, by their content: a request that is sent again does not cost twice.
//!
//! Most items are scored in less time than it takes to hash them, so only those that took much longer are kept. Results of
//! deterministic components alone are: what a reward model or a plug-in says may change.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::kept::Kept;
use crate::pb;
use crate::wire::{Completion, Item};

/// An item that took less is not kept.
pub(crate) const WORTH: Duration = Duration::from_micros(50);
/// Bytes of a completion that the first look takes from each end.
const ENDS: usize = 32;

/// The hash of everything that an item's result depends on beside the item.
pub(crate) type SpecHash = [u8; 32];

/// Results, at most so many bytes of them.
pub(crate) struct Results {
    limit: usize,
    /// Keyed, so that a caller cannot make items that look alike at first.
    looks: RandomState,
    kept: Kept<u64, ([u8; 32], pb::ItemResult)>,
}

impl Results {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            looks: RandomState::new(),
            kept: Kept::new(limit),
        }
    }

    /// Whether anything may be kept.
    pub(crate) fn is_on(&self) -> bool {
        self.limit > 0
    }

    /// Places of items that look like ones whose results are kept.
    pub(crate) fn alike(&self, spec: &SpecHash, items: &[Item]) -> Vec<usize> {
        if self.kept.is_empty() {
            return Vec::new();
        }
        let keys: Vec<u64> = items.iter().map(|item| self.look(spec, item)).collect();
        self.kept.known(&keys)
    }

    /// The result of an item with this content, under this item's id. Hashes the content in full, and not under the lock:
    /// worth it for an item that is [`Results::alike`].
    pub(crate) fn get(&self, spec: &SpecHash, item: &Item) -> Option<pb::ItemResult> {
        let digest = digest(spec, item);
        let copied = |(known, result): &([u8; 32], pb::ItemResult)| {
            (*known == digest).then(|| result.clone())
        };
        let result = self.kept.get(&self.look(spec, item), copied)?;
        Some(pb::ItemResult {
            id: item.id.to_string(),
            ..result
        })
    }

    /// Keeps a result.
    pub(crate) fn keep(&self, spec: &SpecHash, item: &Item, result: &pb::ItemResult) {
        let result = pb::ItemResult {
            id: String::new(),
            ..result.clone()
        };
        let size = size(&result);
        let value = (digest(spec, item), result);
        self.kept.keep(self.look(spec, item), value, size);
    }

    /// Equal for items that are equal, and for few others.
    fn look(&self, spec: &SpecHash, item: &Item) -> u64 {
        let (kind, bytes) = written(item);
        let ends = (
            &bytes[..bytes.len().min(ENDS)],
            &bytes[bytes.len().saturating_sub(ENDS)..],
        );
        self.looks.hash_one((
            &spec[..8],
            kind,
            bytes.len(),
            ends,
            item.reference.as_deref().unwrap_or_default(),
        ))
    }
}

fn written(item: &Item) -> (u8, &[u8]) {
    match &item.completion {
        Some(Completion::Text(text)) => (1, text.as_bytes()),
        Some(Completion::TokenIds(ids)) => (2, ids),
        None => (0, &[]),
    }
}

/// Of the content; the id and the prompt change no result of the core.
fn digest(spec: &SpecHash, item: &Item) -> [u8; 32] {
    let (kind, bytes) = written(item);
    let mut hash = Sha256::new();
    hash.update(spec);
    hash.update([kind, u8::from(item.reference.is_some())]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
    hash.update(item.reference.as_deref().unwrap_or_default());
    // Left only where nothing was found under it.
    hash.update(item.reference_sha256.as_bytes());
    hash.finalize().into()
}

/// What a result takes, in bytes.
fn size(result: &pb::ItemResult) -> usize {
    use pb::item_result::Outcome;
    let reason = match &result.outcome {
        Some(Outcome::Scored(scored)) => &scored.reason,
        Some(Outcome::Error(error)) => &error.reason,
        None => &None,
    };
    let texts = [reason, &result.answer];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    texts + 16 * result.components.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str, reference: Option<&str>) -> Item {
        Item {
            id: "x".into(),
            completion: Some(Completion::Text(text.into())),
            reference: reference.map(Into::into),
            ..Item::default()
        }
    }

    fn result(total: f64) -> pb::ItemResult {
        pb::ItemResult {
            id: "first".to_owned(),
            outcome: Some(pb::item_result::Outcome::Scored(pb::Scored {
                total,
                reason: None,
            })),
            ..pb::ItemResult::default()
        }
    }

    #[test]
    fn equal_content_has_its_result_under_its_own_id_and_nothing_else_has() {
        let results = Results::new(1 << 20);
        let (spec, other_spec) = ([1; 32], [2; 32]);
        let long = "a".repeat(1000);
        let kept = item(&long, Some("7"));
        assert_eq!(results.get(&spec, &kept), None);
        assert!(results.alike(&spec, std::slice::from_ref(&kept)).is_empty());
        results.keep(&spec, &kept, &result(1.0));
        let some = [item("b", None), kept.clone(), item(&long, Some("8"))];
        assert_eq!(results.alike(&spec, &some), [1]);
        let again = Item {
            id: "again".into(),
            prompt: Some("?".into()),
            ..kept.clone()
        };
        let found = results.get(&spec, &again).unwrap();
        assert_eq!(
            (found.id.as_str(), found.outcome),
            ("again", result(1.0).outcome)
        );
        // It differs in the middle only, where the first look does not look.
        let middle = format!("{}b{}", &long[..500], &long[501..]);
        let ids = Item {
            completion: Some(Completion::TokenIds(long.clone().into_bytes().into())),
            ..kept.clone()
        };
        let unknown = Item {
            reference_sha256: "ab".repeat(32).into(),
            ..item(&long, None)
        };
        results.keep(&spec, &unknown, &result(0.0));
        for other in [
            item(&middle, Some("7")),
            item(&long, Some("8")),
            item(&long, None),
            ids,
        ] {
            assert_eq!(results.get(&spec, &other), None);
        }
        assert_eq!(results.get(&other_spec, &kept), None);
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let results = Results::new(4000);
        let (spec, long) = ([0; 32], item("1", Some("1")));
        let huge = pb::ItemResult {
            answer: Some("x".repeat(1000)),
            ..result(1.0)
        };
        results.keep(&spec, &long, &huge);
        assert_eq!(results.get(&spec, &long), None);
        let off = Results::new(0);
        assert!(!off.is_on());
        off.keep(&spec, &long, &result(1.0));
        assert_eq!(off.get(&spec, &long), None);
    }
}
