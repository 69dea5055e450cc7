//! Which sequences to generate next under a budget of key-value cache tokens.

use rustc_hash::FxHashSet;

use crate::{Error, Result};

/// What generation may use at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplingLimits {
    /// Completions per prompt, at least 1.
    pub group_size: usize,
    /// The longest completion, in tokens; what each running sequence reserves.
    pub max_new_tokens: u64,
    /// Tokens of cache: prompts in use, each once, plus `max_new_tokens` for each running sequence.
    pub token_budget: u64,
    /// Most sequences at one time (the decode batch); `None` leaves it to the budget.
    pub max_sequences: Option<usize>,
}

/// One completion to generate: the `sample`-th of the group of prompt `prompt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence {
    /// Index into the prompt lengths.
    pub prompt: usize,
    /// `0..group_size`.
    pub sample: usize,
}

/// Hands out the sequences of `prompts x group_size` in order, as many at a time as the budget holds.
///
/// The members of a group share their prompt's cache, so a prompt is counted once, from its first sample's admission to
/// its last sample's end: it is prefilled once. As sequences finish, [`admit`](Self::admit) refills the batch.
/// Prompts go first come, first served; the budget is never exceeded and, while work is left, never idle.
///
/// ```
/// use assay_core::batch::{SamplingBatcher, SamplingLimits};
/// let limits = SamplingLimits { group_size: 2, max_new_tokens: 10, token_budget: 40, max_sequences: None };
/// let mut batcher = SamplingBatcher::new(vec![15, 5], limits)?;
/// let first = batcher.admit();            // 15 + 2 x 10 = 35 tokens; prompt 1 would need 15 more
/// assert_eq!(first.len(), 2);
/// batcher.finish(first[0])?;              // frees 10
/// assert_eq!(batcher.admit().len(), 1);   // 5 + 10
/// assert_eq!(batcher.reserved_tokens(), 40);
/// # Ok::<(), assay_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SamplingBatcher {
    prompt_lengths: Vec<u64>,
    limits: SamplingLimits,
    /// The sequence to admit next; `prompt == prompt_lengths.len()` when all are out.
    next: Sequence,
    running: FxHashSet<Sequence>,
    /// Samples of each prompt that have finished.
    finished: Vec<usize>,
    reserved: u64,
    done: usize,
}

impl SamplingBatcher {
    /// A batcher over prompts of the given lengths in tokens.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when a limit is 0, or a prompt with one completion is over the budget by itself.
    pub fn new(prompt_lengths: Vec<u64>, limits: SamplingLimits) -> Result<Self> {
        let zero = [
            ("group_size", limits.group_size == 0),
            ("max_new_tokens", limits.max_new_tokens == 0),
            ("max_sequences", limits.max_sequences == Some(0)),
        ];
        if let Some((name, _)) = zero.iter().find(|(_, is_zero)| *is_zero) {
            return Err(Error::input(format!("{name} is 0; it must be at least 1")));
        }
        let room = limits.token_budget.saturating_sub(limits.max_new_tokens);
        let fits = |length: u64| length <= room && limits.max_new_tokens <= limits.token_budget;
        if let Some(index) = prompt_lengths.iter().position(|&length| !fits(length)) {
            return Err(Error::input(format!(
                "prompt_lengths[{index}] is {}: with max_new_tokens {} it is over token_budget {}",
                prompt_lengths[index], limits.max_new_tokens, limits.token_budget
            )));
        }
        Ok(Self {
            finished: vec![0; prompt_lengths.len()],
            prompt_lengths,
            limits,
            next: Sequence {
                prompt: 0,
                sample: 0,
            },
            running: FxHashSet::default(),
            reserved: 0,
            done: 0,
        })
    }

    /// The sequences to start now, in order; empty when nothing more fits or nothing is left.
    pub fn admit(&mut self) -> Vec<Sequence> {
        let mut admitted = Vec::new();
        let most = self.limits.max_sequences.unwrap_or(usize::MAX);
        while let Some(&prompt_length) = self.prompt_lengths.get(self.next.prompt) {
            let shared = if self.next.sample == 0 {
                prompt_length
            } else {
                0
            };
            let cost = shared + self.limits.max_new_tokens;
            if self.running.len() == most || cost > self.limits.token_budget - self.reserved {
                break;
            }
            self.reserved += cost;
            self.running.insert(self.next);
            admitted.push(self.next);
            self.next.sample += 1;
            if self.next.sample == self.limits.group_size {
                self.next = Sequence {
                    prompt: self.next.prompt + 1,
                    sample: 0,
                };
            }
        }
        admitted
    }

    /// Gives back what `sequence` reserved; with the last of its group, its prompt's tokens too.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the sequence is not running.
    pub fn finish(&mut self, sequence: Sequence) -> Result<()> {
        let Sequence { prompt, sample } = sequence;
        if !self.running.remove(&sequence) {
            return Err(Error::input(format!(
                "sample {sample} of prompt {prompt} is not running; finish each admitted sequence once"
            )));
        }
        self.reserved -= self.limits.max_new_tokens;
        self.done += 1;
        self.finished[prompt] += 1;
        if self.finished[prompt] == self.limits.group_size {
            self.reserved -= self.prompt_lengths[prompt];
        }
        Ok(())
    }

    /// Tokens reserved now; never more than the budget.
    pub fn reserved_tokens(&self) -> u64 {
        self.reserved
    }

    /// Sequences admitted and not finished.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Sequences not finished, running ones included.
    pub fn remaining(&self) -> usize {
        self.prompt_lengths.len() * self.limits.group_size - self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is reserved, counted afresh from the definition.
    fn reserved(
        lengths: &[u64],
        limits: SamplingLimits,
        admitted: &[Sequence],
        finished: &[Sequence],
    ) -> u64 {
        let of = |list: &[Sequence], prompt| {
            list.iter()
                .filter(|sequence| sequence.prompt == prompt)
                .count()
        };
        let prompts = (0..lengths.len())
            .filter(|&prompt| of(admitted, prompt) > 0 && of(finished, prompt) < limits.group_size)
            .map(|prompt| lengths[prompt]);
        prompts.sum::<u64>() + (admitted.len() - finished.len()) as u64 * limits.max_new_tokens
    }

    proptest! {
        #[test]
        fn the_budget_holds_and_all_sequences_come_out_once(
            lengths in prop::collection::vec(0u64..20, 0..12),
            group_size in 1usize..5, max_new_tokens in 1u64..10, spare in 0u64..60,
            max_sequences in prop::option::of(1usize..6), picks in prop::collection::vec(any::<prop::sample::Index>(), 64),
        ) {
            let limits = SamplingLimits { group_size, max_new_tokens, token_budget: 30 + spare, max_sequences };
            let mut batcher = SamplingBatcher::new(lengths.clone(), limits).expect("every prompt fits");
            let (mut admitted, mut finished, mut running) = (Vec::new(), Vec::new(), Vec::new());
            for pick in &picks {
                let fresh = batcher.admit();
                admitted.extend(&fresh);
                running.extend(fresh);
                let held = reserved(&lengths, limits, &admitted, &finished);
                prop_assert_eq!(batcher.reserved_tokens(), held);
                prop_assert!(held <= limits.token_budget && running.len() <= max_sequences.unwrap_or(usize::MAX));
                prop_assert_eq!(batcher.remaining() == 0, running.is_empty());
                if running.is_empty() {
                    break;
                }
                let sequence = running.swap_remove(pick.index(running.len()));
                batcher.finish(sequence).expect("it runs");
                finished.push(sequence);
            }
            let expected: Vec<Sequence> = (0..lengths.len())
                .flat_map(|prompt| (0..group_size).map(move |sample| Sequence { prompt, sample }))
                .collect();
            prop_assert!(expected.starts_with(&admitted));
        }
    }

    #[test]
    fn bad_input_names_the_argument() {
        let limits = SamplingLimits {
            group_size: 1,
            max_new_tokens: 4,
            token_budget: 8,
            max_sequences: None,
        };
        let error = SamplingBatcher::new(vec![1, 5], limits)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("prompt_lengths[1] is 5"), "{error}");
        assert!(
            SamplingBatcher::new(
                vec![],
                SamplingLimits {
                    group_size: 0,
                    ..limits
                }
            )
            .is_err()
        );
        let mut batcher = SamplingBatcher::new(vec![1], limits).expect("fits");
        let sequence = batcher.admit()[0];
        batcher.finish(sequence).expect("runs");
        assert!(batcher.finish(sequence).is_err());
    }
}
