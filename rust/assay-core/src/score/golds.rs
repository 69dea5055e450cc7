//! References, read once however many completions are judged by them.

use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::{MAX_ANSWER_BYTES, SEQUENTIAL};
use crate::math::cache::{Generations, LONGEST_CACHED, locked};
use crate::math::{Gold, Options, Verdict, plain};

/// Longer numbers are kept like any other reference.
const LONGEST_NUMBER: usize = 24;

/// The references of one batch: which gold each item has.
pub(super) struct BatchGolds<'a> {
    of_item: Vec<Reference<'a>>,
    /// For each comparison, one gold per distinct reference.
    golds: Vec<Vec<Arc<Gold>>>,
    comparisons: &'a [Options],
}

/// The reference of one item.
#[derive(Clone, Copy)]
enum Reference<'a> {
    Missing,
    /// A plain number: to read it costs no more than to find it.
    Number(&'a str),
    Distinct(u32),
}

impl BatchGolds<'_> {
    /// The reference of an item under a comparison; `None` without one.
    pub(super) fn get(&self, item: usize, comparison: usize) -> Option<Against<'_>> {
        match self.of_item[item] {
            Reference::Missing => None,
            Reference::Number(text) => Some(Against::Number(text, &self.comparisons[comparison])),
            Reference::Distinct(distinct) => {
                Some(Against::Gold(&self.golds[comparison][distinct as usize]))
            }
        }
    }
}

/// What an answer is compared with.
#[derive(Clone, Copy)]
pub(super) enum Against<'a> {
    Number(&'a str, &'a Options),
    Gold(&'a Gold),
}

impl Against<'_> {
    /// Whether the reference could be read.
    pub(super) fn is_readable(self) -> bool {
        match self {
            Self::Number(..) => true,
            Self::Gold(gold) => gold.is_readable(),
        }
    }

    /// The verdict on an answer, and the fuel it took.
    pub(super) fn compare(self, answer: &str) -> (Verdict, u64) {
        match self {
            Self::Number(text, options) => match plain::verify(text, answer, options) {
                Some(verdict) => (verdict, 0),
                None => Gold::new(text, options).compare_metered(answer),
            },
            Self::Gold(gold) => gold.compare_metered(answer),
        }
    }
}

/// Golds of past batches, for each comparison.
pub(super) struct GoldCache {
    comparisons: Vec<Options>,
    generations: Mutex<Vec<Generations>>,
}

impl GoldCache {
    pub(super) fn new(comparisons: Vec<Options>) -> Self {
        let generations = comparisons.iter().map(|_| Generations::default()).collect();
        Self {
            comparisons,
            generations: Mutex::new(generations),
        }
    }

    /// Reads the references of a batch, in parallel if `parallel`.
    pub(super) fn batch<'a>(
        &'a self,
        references: impl Iterator<Item = Option<&'a str>>,
        parallel: bool,
    ) -> BatchGolds<'a> {
        let comparisons = self.comparisons.as_slice();
        if comparisons.is_empty() {
            return BatchGolds {
                of_item: references.map(|_| Reference::Missing).collect(),
                golds: Vec::new(),
                comparisons,
            };
        }
        let (distinct, of_item) = number(references);
        let golds = comparisons.iter().enumerate().map(|(comparison, options)| {
            let known = self.known(comparison, &distinct);
            let read = |(known, &reference): (Option<Arc<Gold>>, &&str)| {
                known.unwrap_or_else(|| {
                    let readable = reference.len() <= MAX_ANSWER_BYTES;
                    Arc::new(Gold::new(if readable { reference } else { "" }, options))
                })
            };
            let golds: Vec<Arc<Gold>> = if parallel && distinct.len() > SEQUENTIAL {
                known
                    .into_par_iter()
                    .zip(&distinct)
                    .with_min_len(16)
                    .map(read)
                    .collect()
            } else {
                known.into_iter().zip(&distinct).map(read).collect()
            };
            self.keep(comparison, &distinct, &golds);
            golds
        });
        BatchGolds {
            golds: golds.collect(),
            of_item,
            comparisons,
        }
    }

    fn known(&self, comparison: usize, distinct: &[&str]) -> Vec<Option<Arc<Gold>>> {
        let mut known = vec![None; distinct.len()];
        locked(&self.generations, |generations| {
            let generations = &generations[comparison];
            if generations.is_empty() {
                return;
            }
            for (slot, reference) in known.iter_mut().zip(distinct) {
                *slot = generations.get(reference).cloned();
            }
        });
        known
    }

    fn keep(&self, comparison: usize, distinct: &[&str], golds: &[Arc<Gold>]) {
        locked(&self.generations, |generations| {
            for (reference, gold) in distinct.iter().zip(golds) {
                if reference.len() <= LONGEST_CACHED {
                    generations[comparison].keep(reference, gold);
                }
            }
        });
    }
}

/// The distinct references that are no plain numbers, and the reference of each item.
fn number<'a>(
    references: impl Iterator<Item = Option<&'a str>>,
) -> (Vec<&'a str>, Vec<Reference<'a>>) {
    let mut numbers: FxHashMap<&str, u32> = FxHashMap::default();
    let mut distinct: Vec<&str> = Vec::new();
    let mut previous: Option<(&str, Reference<'_>)> = None;
    let of_item = references
        .map(|reference| {
            let Some(reference) = reference else {
                return Reference::Missing;
            };
            // The completions of a group lie together.
            if let Some((text, same)) = previous
                && text == reference
            {
                return same;
            }
            let found = if reference.len() <= LONGEST_NUMBER && plain::is_number(reference) {
                Reference::Number(reference)
            } else {
                Reference::Distinct(*numbers.entry(reference).or_insert_with(|| {
                    distinct.push(reference);
                    distinct.len() as u32 - 1
                }))
            };
            previous = Some((reference, found));
            found
        })
        .collect();
    (distinct, of_item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_can_be_read() {
        for text in [
            "7", "-7", "+7", "007", "1,234.50", "$3$", " 12 ", "0.5", "-0",
        ] {
            assert!(plain::is_number(text), "{text}");
            assert!(Gold::new(text, &Options::default()).is_readable(), "{text}");
        }
        for text in ["", "7.", "1,23", "\\frac12", "x", "$", "3 cm"] {
            assert!(!plain::is_number(text), "{text}");
        }
    }
}
