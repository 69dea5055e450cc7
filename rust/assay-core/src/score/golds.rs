//! References, read once however many completions are judged by them.

use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::{MAX_ANSWER_BYTES, SEQUENTIAL};
use crate::math::cache::{Generations, LONGEST_CACHED, locked};
use crate::math::{Gold, Options};

/// The references of one batch: which gold each item has.
pub(super) struct BatchGolds {
    /// Distinct reference of each item, if it has one.
    of_item: Vec<Option<u32>>,
    /// For each comparison, one gold per distinct reference.
    golds: Vec<Vec<Kept>>,
}

impl BatchGolds {
    /// The gold of an item under a comparison; `None` without a reference.
    pub(super) fn get(&self, item: usize, comparison: usize) -> Option<&Gold> {
        self.of_item[item].map(
            |distinct| match &self.golds[comparison][distinct as usize] {
                Kept::Here(gold) => gold,
                Kept::Shared(gold) => gold,
            },
        )
    }
}

/// A gold of this batch alone, or one that later batches may use again.
#[derive(Clone)]
enum Kept {
    Here(Gold),
    Shared(Arc<Gold>),
}

/// Whether reading a reference afresh costs no more than finding it: a short plain number.
fn is_cheap(reference: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_digit() || b".,-+ $".contains(&byte);
    reference.len() <= 24 && reference.bytes().all(plain)
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
        &self,
        references: impl Iterator<Item = Option<&'a str>>,
        parallel: bool,
    ) -> BatchGolds {
        if self.comparisons.is_empty() {
            let of_item = references.map(|_| None).collect();
            return BatchGolds {
                of_item,
                golds: Vec::new(),
            };
        }
        let (distinct, of_item) = number(references);
        let golds = self
            .comparisons
            .iter()
            .enumerate()
            .map(|(comparison, options)| {
                let known = self.known(comparison, &distinct);
                let read = |(known, &reference): (Option<Arc<Gold>>, &&str)| match known {
                    Some(gold) => Kept::Shared(gold),
                    None if reference.len() > MAX_ANSWER_BYTES => {
                        Kept::Here(Gold::new("", options))
                    }
                    None if is_cheap(reference) || reference.len() > LONGEST_CACHED => {
                        Kept::Here(Gold::new(reference, options))
                    }
                    None => Kept::Shared(Arc::new(Gold::new(reference, options))),
                };
                let golds: Vec<Kept> = if parallel && distinct.len() > SEQUENTIAL {
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
                if !is_cheap(reference) {
                    *slot = generations.get(reference).cloned();
                }
            }
        });
        known
    }

    fn keep(&self, comparison: usize, distinct: &[&str], golds: &[Kept]) {
        locked(&self.generations, |generations| {
            for (reference, gold) in distinct.iter().zip(golds) {
                if let Kept::Shared(gold) = gold {
                    generations[comparison].keep(reference, gold);
                }
            }
        });
    }
}

/// The distinct references, and which one each item has.
fn number<'a>(
    references: impl Iterator<Item = Option<&'a str>>,
) -> (Vec<&'a str>, Vec<Option<u32>>) {
    let mut numbers: FxHashMap<&str, u32> = FxHashMap::default();
    let mut distinct: Vec<&str> = Vec::new();
    let mut previous: Option<(&str, u32)> = None;
    let of_item = references
        .map(|reference| {
            let reference = reference?;
            // The completions of a group lie together.
            if let Some((text, number)) = previous
                && text == reference
            {
                return Some(number);
            }
            let number = *numbers.entry(reference).or_insert_with(|| {
                distinct.push(reference);
                distinct.len() as u32 - 1
            });
            previous = Some((reference, number));
            Some(number)
        })
        .collect();
    (distinct, of_item)
}
