//! What is kept until its room is needed.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an entry takes beside its texts.
const ENTRY: usize = 200;
/// No entry may take more than this part of the room.
const LARGEST: usize = 8;

/// Values by key, at most so many bytes of them. What is used stays longest.
pub(crate) struct Kept<K, V> {
    limit: usize,
    count: AtomicUsize,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    bytes: usize,
    entries: HashMap<K, Entry<V>>,
    /// Each key once, in the order in which they are looked at when room is needed.
    order: VecDeque<K>,
}

struct Entry<V> {
    value: V,
    size: usize,
    used: bool,
}

impl<K: Eq + Hash + Copy, V> Kept<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            count: AtomicUsize::new(0),
            state: Mutex::new(State {
                bytes: 0,
                entries: HashMap::new(),
                order: VecDeque::new(),
            }),
        }
    }

    /// Bytes of text of the largest value that is kept.
    pub(crate) fn largest(&self) -> usize {
        (self.limit / LARGEST).saturating_sub(ENTRY)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// The places of those of the keys that have a value.
    pub(crate) fn known(&self, keys: &[K]) -> Vec<usize> {
        let state = self.lock();
        let known = |place: &usize| state.entries.contains_key(&keys[*place]);
        (0..keys.len()).filter(known).collect()
    }

    /// What `take` makes of the value of a key. The value counts as used if that is something.
    pub(crate) fn get<T>(&self, key: &K, take: impl FnOnce(&V) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        let entry = state.entries.get_mut(key)?;
        let taken = take(&entry.value)?;
        entry.used = true;
        Some(taken)
    }

    /// Keeps a value with so many bytes of text. Says whether it is not too large for that.
    pub(crate) fn keep(&self, key: K, value: V, text: usize) -> bool {
        let size = ENTRY + text;
        if size > self.limit / LARGEST {
            return false;
        }
        let entry = Entry {
            value,
            size,
            used: false,
        };
        let mut guard = self.lock();
        let state = &mut *guard;
        match state.entries.insert(key, entry) {
            Some(old) => state.bytes -= old.size,
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
                state.bytes -= entry.size;
            }
        }
        self.count.store(state.entries.len(), Ordering::Relaxed);
        true
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        // No code that can panic runs under the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_is_used() {
        let kept = Kept::new(10 * ENTRY);
        let copied = |&value: &usize| Some(value);
        for n in 0..1000_usize {
            assert!(kept.keep(n, n, 0));
            assert!(kept.lock().bytes <= kept.limit);
            assert_eq!(kept.get(&0, copied), Some(0), "{n}");
            assert_eq!(kept.known(&[n]), [0]);
        }
        assert_eq!(kept.lock().entries.len(), 10);
        assert_eq!(kept.lock().order.len(), 10);
        assert_eq!(kept.known(&[5, 999, 0]), [1, 2]);
        assert!(!kept.keep(5000, 0, kept.largest() + 1));
        assert_eq!(kept.get(&5000, copied), None);
    }

    #[test]
    fn what_comes_again_counts_once() {
        let kept = Kept::new(100 * ENTRY);
        for _ in 0..1000 {
            assert!(kept.keep(1, "x", ENTRY));
        }
        assert_eq!(kept.lock().bytes, 2 * ENTRY);
        assert_eq!(kept.lock().order.len(), 1);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let kept = Kept::new(0);
        assert!(!kept.keep(1, (), 0));
        assert!(kept.is_empty());
        assert_eq!(kept.largest(), 0);
    }
}
