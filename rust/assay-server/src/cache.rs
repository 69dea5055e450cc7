//! A small map that forgets what was used longest ago.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// At most `capacity` values, each shared with whoever uses it.
///
/// Finding the oldest is a scan: entries are few, and a scan happens only when a new key meets a full map.
pub(crate) struct Cache<K, V> {
    capacity: usize,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    /// Counts uses; the value beside an entry is the count of its last use.
    clock: u64,
    entries: HashMap<K, (u64, V)>,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::new(State {
                clock: 0,
                entries: HashMap::new(),
            }),
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        // No code that can panic runs under the lock, so a poisoned state is still whole.
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        state.clock += 1;
        let (used, value) = state.entries.get_mut(key)?;
        *used = state.clock;
        Some(value.clone())
    }

    /// Of what is kept now, in order.
    pub(crate) fn keys(&self) -> Vec<K>
    where
        K: Ord,
    {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Vec<K> = state.entries.keys().cloned().collect();
        keys.sort();
        keys
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        state.clock += 1;
        if state.entries.len() >= self.capacity && !state.entries.contains_key(&key) {
            let oldest = state
                .entries
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                state.entries.remove(&oldest);
            }
        }
        state.entries.insert(key, (state.clock, value));
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn forgets_what_was_used_longest_ago() {
        let cache = Cache::new(2);
        cache.insert("a", 1);
        cache.insert("b", 2);
        assert_eq!(cache.get(&"a"), Some(1));
        cache.insert("c", 3);
        assert_eq!(cache.keys(), ["a", "c"]);
        assert_eq!(
            (cache.get(&"a"), cache.get(&"b"), cache.get(&"c")),
            (Some(1), None, Some(3))
        );
    }

    #[test]
    fn replacing_a_value_evicts_nothing() {
        let cache = Cache::new(2);
        cache.insert("a", 1);
        cache.insert("b", 2);
        cache.insert("b", 3);
        assert_eq!((cache.get(&"a"), cache.get(&"b")), (Some(1), Some(3)));
    }
}
