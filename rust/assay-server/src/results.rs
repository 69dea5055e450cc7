//! Results of items that took long, by their content: a request that is sent again does not cost twice.
//!
//! Most items are scored in less time than it takes to hash them, so only those that took much longer are kept. Results of
//! deterministic components alone are: what a reward model or a plug-in says may change.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::pb;
use crate::wire::{Completion, Item};

/// An item that took less is not kept.
pub(crate) const WORTH: Duration = Duration::from_micros(50);
/// Bytes of a completion that the first look takes from each end.
const ENDS: usize = 32;
/// What an entry takes beside the texts of its result.
const ENTRY: usize = 200;

/// The hash of everything that an item's result depends on beside the item.
pub(crate) type SpecHash = [u8; 32];

/// Results, at most so many bytes of them.
pub(crate) struct Results {
    limit: usize,
    /// Keyed, so that a caller cannot make items that look alike at first.
    looks: RandomState,
    count: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: usize,
    entries: HashMap<u64, Entry>,
    /// Each key once, in the order in which they are looked at when room is needed.
    order: VecDeque<u64>,
}

struct Entry {
    digest: [u8; 32],
    result: pb::ItemResult,
    used: bool,
}

impl Results {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            looks: RandomState::new(),
            count: AtomicUsize::new(0),
            state: Mutex::default(),
        }
    }

    /// Whether anything may be kept.
    pub(crate) fn is_on(&self) -> bool {
        self.limit > 0
    }

    /// Places of items that look like ones whose results are kept.
    pub(crate) fn alike(&self, spec: &SpecHash, items: &[Item]) -> Vec<usize> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let keys: Vec<u64> = items.iter().map(|item| self.look(spec, item)).collect();
        let state = self.lock();
        let known = |place: &usize| state.entries.contains_key(&keys[*place]);
        (0..items.len()).filter(known).collect()
    }

    /// The result of an item with this content, under this item's id. Hashes the content in full, and not under the lock:
    /// worth it for an item that is [`Results::alike`].
    pub(crate) fn get(&self, spec: &SpecHash, item: &Item) -> Option<pb::ItemResult> {
        let key = self.look(spec, item);
        let digest = digest(spec, item);
        let mut state = self.lock();
        let entry = state
            .entries
            .get_mut(&key)
            .filter(|entry| entry.digest == digest)?;
        entry.used = true;
        Some(pb::ItemResult {
            id: item.id.to_string(),
            ..entry.result.clone()
        })
    }

    /// Keeps a result.
    pub(crate) fn keep(&self, spec: &SpecHash, item: &Item, result: &pb::ItemResult) {
        let result = pb::ItemResult {
            id: String::new(),
            ..result.clone()
        };
        let size = size(&result);
        if size > self.limit / 8 {
            return;
        }
        let (key, digest) = (self.look(spec, item), digest(spec, item));
        let mut guard = self.lock();
        let state = &mut *guard;
        let entry = Entry {
            digest,
            result,
            used: false,
        };
        match state.entries.insert(key, entry) {
            Some(old) => state.bytes -= self::size(&old.result),
            None => state.order.push_back(key),
        }
        state.bytes += size;
        while state.bytes > self.limit {
            let Some(key) = state.order.pop_front() else {
                break;
            };
            if let Some(entry) = state.entries.get_mut(&key).filter(|entry| entry.used) {
                // A second chance.
                entry.used = false;
                state.order.push_back(key);
            } else if let Some(entry) = state.entries.remove(&key) {
                state.bytes -= self::size(&entry.result);
            }
        }
        self.count.store(state.entries.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
    hash.finalize().into()
}

fn size(result: &pb::ItemResult) -> usize {
    use pb::item_result::Outcome;
    let reason = match &result.outcome {
        Some(Outcome::Scored(scored)) => &scored.reason,
        Some(Outcome::Error(error)) => &error.reason,
        None => &None,
    };
    let texts = [reason, &result.answer];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    ENTRY + texts + 16 * result.components.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str, reference: Option<&str>) -> Item {
        Item {
            id: "x".into(),
            completion: Some(Completion::Text(text.into())),
            reference: reference.map(Into::into),
            prompt: None,
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
    fn it_stays_within_its_bound_and_keeps_what_is_used() {
        let results = Results::new(10 * ENTRY);
        let spec = [0; 32];
        let nth = |n: usize| item(&n.to_string(), Some("1"));
        for n in 0..1000 {
            results.keep(&spec, &nth(n), &result(n as f64));
            assert!(results.lock().bytes <= results.limit);
            assert!(n == 0 || results.get(&spec, &nth(0)).is_some(), "{n}");
        }
        assert_eq!(results.lock().entries.len(), 10);
        assert_eq!(results.lock().order.len(), 10);
        let huge = pb::ItemResult {
            answer: Some("x".repeat(10 * ENTRY)),
            ..result(1.0)
        };
        results.keep(&spec, &nth(5000), &huge);
        assert_eq!(results.get(&spec, &nth(5000)), None);
        let off = Results::new(0);
        off.keep(&spec, &nth(1), &result(1.0));
        assert_eq!(off.get(&spec, &nth(1)), None);
    }
}
