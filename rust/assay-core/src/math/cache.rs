//! References that were read before.

use std::sync::{Arc, Mutex, TryLockError};

use rustc_hash::FxHashMap;

use super::{Gold, Options, Verdict, plain};

/// Entries of a generation.
const GENERATION: usize = 8192;
/// Longer references are read afresh, so that a cache stays within tens of megabytes.
pub(crate) const LONGEST_CACHED: usize = 1024;

/// Golds in two generations: when the young one is full it becomes the old one, and the old one is dropped. A reference in
/// use survives, memory is bounded, and no verdict depends on what is cached.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    young: FxHashMap<Box<str>, Arc<Gold>>,
    old: FxHashMap<Box<str>, Arc<Gold>>,
}

impl Generations {
    pub(crate) fn is_empty(&self) -> bool {
        self.young.is_empty()
    }

    pub(crate) fn get(&self, reference: &str) -> Option<&Arc<Gold>> {
        self.young
            .get(reference)
            .or_else(|| self.old.get(reference))
    }

    pub(crate) fn keep(&mut self, reference: &str, gold: &Arc<Gold>) {
        if self.young.contains_key(reference) {
            return;
        }
        if self.young.len() == GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(reference.into(), Arc::clone(gold));
    }
}

/// Does `work` with what a lock guards. Never waits: a lock held by another thread, even one that a `fork` left behind, is a
/// cache miss.
pub(crate) fn locked<T, R>(lock: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> Option<R> {
    match lock.try_lock() {
        Ok(mut guarded) => Some(work(&mut guarded)),
        Err(TryLockError::Poisoned(poisoned)) => Some(work(&mut poisoned.into_inner())),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A bounded cache of references for callers that compare one pair at a time: a group of answers shares its reference.
#[derive(Debug, Default)]
pub struct Golds {
    generations: Mutex<Generations>,
}

impl Golds {
    /// [`super::verify`], which reads the reference only if it was not read lately under the same options.
    ///
    /// ```
    /// use assay_core::math::{Golds, Options};
    ///
    /// let golds = Golds::default();
    /// for answer in ["0.5", "\\frac12", "2^{-1}"] {
    ///     assert!(golds.verify("1/2", answer, &Options::default()).is_equal());
    /// }
    /// ```
    pub fn verify(&self, gold: &str, answer: &str, options: &Options) -> Verdict {
        if let Some(verdict) = plain::verify(gold, answer, options) {
            return verdict;
        }
        if gold.len() > LONGEST_CACHED {
            return Gold::new(gold, options).decide(answer).0;
        }
        let known = locked(&self.generations, |generations| {
            generations.get(gold).cloned()
        });
        if let Some(known) = known.flatten()
            && known.options == *options
        {
            return known.decide(answer).0;
        }
        let fresh = Arc::new(Gold::new(gold, options));
        locked(&self.generations, |generations| {
            generations.keep(gold, &fresh);
        });
        fresh.decide(answer).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Outcome, Tolerance, verify};

    #[test]
    fn what_is_cached_changes_no_verdict() {
        let golds = Golds::default();
        let exact = Options {
            tolerance: Tolerance::Exact,
            ..Options::default()
        };
        for options in [Options::default(), exact, Options::default()] {
            for (gold, answer) in [("\\pi", "3.14"), ("\\pi", "\\pi"), ("1/3", "0.3333")] {
                let cached = golds.verify(gold, answer, &options);
                assert_eq!(cached, verify(gold, answer, &options), "{gold} {answer}");
            }
        }
    }

    #[test]
    fn old_references_are_dropped() {
        let mut generations = Generations::default();
        let gold = Arc::new(Gold::new("1", &Options::default()));
        for index in 0..2 * GENERATION + 1 {
            generations.keep(&index.to_string(), &gold);
        }
        assert!(generations.get("0").is_none());
        assert!(generations.get(&GENERATION.to_string()).is_some());
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
        assert_eq!(gold.compare("1").outcome, Outcome::Equal);
    }
}
