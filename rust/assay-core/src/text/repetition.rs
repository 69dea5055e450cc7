//! The share of repeated n-grams.

use std::hash::Hash;
use std::num::NonZeroUsize;

use rustc_hash::{FxHashMap, FxHashSet};

/// Options of the repetition penalty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repetition {
    /// Length of the n-grams.
    pub ngram: NonZeroUsize,
    /// The value if (nearly) all n-grams are repeats; finite, at most 0.
    pub max_penalty: f64,
}

/// `(1 - distinct / total) * max_penalty` over the n-grams of words (arXiv 2502.03373, C.2; open-r1's
/// `get_repetition_penalty_reward`). 0 if there are fewer words than `ngram`.
///
/// Words are those of Python's `text.lower().split()`.
pub fn repetition_words(text: &str, options: &Repetition) -> f64 {
    // Python lowers the whole text: the final sigma of a word depends on what stands around it.
    let lower = text.to_lowercase();
    let mut interned: FxHashMap<&str, u32> = FxHashMap::default();
    let mut ids = Vec::new();
    for word in split(&lower) {
        let next = interned.len() as u32;
        ids.push(*interned.entry(word).or_insert(next));
    }
    repetition_tokens(&ids, options)
}

/// As [`repetition_words`], over token ids (TRL's `get_repetition_penalty_reward`).
pub fn repetition_tokens(ids: &[u32], options: &Repetition) -> f64 {
    let size = options.ngram.get();
    if ids.len() < size {
        return 0.0;
    }
    let total = ids.len() - size + 1;
    let scaling = 1.0 - distinct(ids, size) as f64 / total as f64;
    if scaling == 0.0 {
        // Not -0.0.
        return 0.0;
    }
    scaling * options.max_penalty
}

/// The number of distinct n-grams. Exact.
///
/// Pairs are renamed: after step k every position holds a number that stands for its n-gram of length k, so an n-gram
/// of length k + 1 is the pair (name, next id), eight bytes whatever n. Memory is two words per position.
fn distinct(ids: &[u32], size: usize) -> usize {
    if size == 1 {
        return count(ids.iter().copied());
    }
    let mut names = ids.to_vec();
    for step in 1..size - 1 {
        let mut seen: FxHashMap<u64, u32> = FxHashMap::default();
        for at in 0..ids.len() - step {
            let next = seen.len() as u32;
            names[at] = *seen.entry(pair(names[at], ids[at + step])).or_insert(next);
        }
    }
    let last = size - 1;
    count((0..ids.len() - last).map(|at| pair(names[at], ids[at + last])))
}

fn pair(name: u32, id: u32) -> u64 {
    u64::from(name) << 32 | u64::from(id)
}

fn count<T: Eq + Hash>(items: impl ExactSizeIterator<Item = T>) -> usize {
    let mut seen = FxHashSet::with_capacity_and_hasher(items.len(), rustc_hash::FxBuildHasher);
    seen.extend(items);
    seen.len()
}

/// The words of Python's `str.split()`: besides Unicode white space, Python splits at the separators U+001C to U+001F.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| {
        character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
    })
    .filter(|word| !word.is_empty())
}
