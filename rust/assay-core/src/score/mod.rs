//! `Scorer` and `Scores`: a [`RewardSpec`] applied to batches of completions.
//!
//! The scores of an item depend on its completion, its reference and the spec, and on nothing else: not on the batch it
//! came in, its place there, or the number of threads.
//!
//! ```
//! use assay_core::score::{Item, Scorer, Status};
//! use assay_core::spec::RewardSpec;
//! let scorer = Scorer::new(RewardSpec::from_json(r#""accuracy""#)?)?;
//! let item = |completion, reference| Item { completion, reference, prompt: None };
//! let scores = scorer.score(&[item("It is 4.", Some("4")), item("It is 5.", Some("4")), item("It is 5.", None)])?;
//! assert_eq!(scores.total[..2], [1.0, 0.0]);
//! assert!(scores.total[2].is_nan());
//! assert_eq!(scores.status[2], Status::InvalidReference);
//! # Ok::<(), assay_core::Error>(())
//! ```

mod golds;
mod judge;
mod outside;
mod view;
mod watch;

use rayon::prelude::*;
use tokenizers::Tokenizer;

use crate::answer::TokenDecoder;
use crate::math::Options;
use crate::spec::{ComponentKind, RewardSpec};
use crate::{Error, Result};
use golds::{BatchGolds, GoldCache};
use judge::{Known, Row};
use view::View;
use watch::Timer;
pub use watch::Watch;

pub use outside::{Ask, Completion, Given};

/// Batches up to this size are scored on the calling thread; waking others costs more than it saves.
pub const SEQUENTIAL: usize = 32;
/// A longer completion has the status `limit`: 4 MiB.
pub const MAX_COMPLETION_BYTES: usize = 4 << 20;
/// A completion of more tokens has the status `limit`.
pub const MAX_COMPLETION_TOKENS: usize = 1 << 20;
/// A longer answer has the status `limit`, a longer reference `invalid_reference`: 64 KiB.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;

/// One completion to score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item<'a> {
    /// What the model wrote.
    pub completion: &'a str,
    /// What the dataset knows; `None` gives the status `invalid_reference` to components that need it.
    pub reference: Option<&'a str>,
    /// What the model was asked. Only components that are computed outside look at it.
    pub prompt: Option<&'a str>,
}

/// What became of an item. Only `Scored` carries a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Every component with a weight has a value.
    Scored,
    /// The answer could be neither confirmed nor refuted.
    Undecided,
    /// The completion or its answer is larger than assay reads.
    Limit,
    /// The reference is missing or cannot be read: the dataset is at fault, not the completion.
    InvalidReference,
    /// A machine that was needed did not answer.
    Unavailable,
}

impl Status {
    /// The name in Python, JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::Undecided => "undecided",
            Self::Limit => "limit",
            Self::InvalidReference => "invalid_reference",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The scores of a batch, as columns of its length in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// The weighted sum of the components; NaN for every status but `Scored`.
    pub total: Vec<f64>,
    /// Name and values of each component in the order of the spec; NaN where it has none.
    pub components: Vec<(String, Vec<f64>)>,
    /// What became of each item.
    pub status: Vec<Status>,
    /// Why an item has no number, or why its answer is worth nothing.
    pub reasons: Vec<Option<String>>,
    /// What the first accuracy component judged.
    pub answers: Vec<Option<String>>,
}

/// A spec made ready, to be used from many threads.
pub struct Scorer {
    spec: RewardSpec,
    /// For each component, the index of its comparison among those of `golds`; 0 and unused if it is no accuracy.
    comparison_of: Vec<usize>,
    golds: GoldCache,
    decoder: Option<TokenDecoder>,
    /// Kept only if a component counts the tokens of texts.
    encoder: Option<Tokenizer>,
}

impl std::fmt::Debug for Scorer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Scorer")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl Scorer {
    /// A scorer of texts; [`with_tokenizer`](Self::with_tokenizer) makes it one of token ids as well.
    ///
    /// # Errors
    ///
    /// `InvalidSpec` when the spec does not [validate](RewardSpec::validate).
    pub fn new(spec: RewardSpec) -> Result<Self> {
        spec.validate()?;
        let mut comparisons: Vec<Options> = Vec::new();
        let mut comparison_of = vec![0; spec.components.len()];
        for (index, component) in spec.components.iter().enumerate() {
            if let ComponentKind::Accuracy(options) = &component.kind {
                let wanted = options.comparison();
                let known = comparisons.iter().position(|known| *known == wanted);
                comparison_of[index] = known.unwrap_or_else(|| {
                    comparisons.push(wanted);
                    comparisons.len() - 1
                });
            }
        }
        Ok(Self {
            spec,
            comparison_of,
            golds: GoldCache::new(comparisons),
            decoder: None,
            encoder: None,
        })
    }

    /// Adds the tokenizer of the token ids: the bytes of a Hugging Face `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the bytes are not one.
    pub fn with_tokenizer(mut self, tokenizer_json: &[u8]) -> Result<Self> {
        let tokenizer = Tokenizer::from_bytes(tokenizer_json)
            .map_err(|error| Error::input(format!("tokenizer: not a tokenizer.json: {error}")))?;
        self.decoder = Some(TokenDecoder::new(&tokenizer)?);
        if self
            .spec
            .components
            .iter()
            .any(|component| component.kind.needs_tokens())
        {
            self.encoder = Some(tokenizer);
        }
        Ok(self)
    }

    /// The spec.
    pub fn spec(&self) -> &RewardSpec {
        &self.spec
    }

    /// The names of the components, in the order of [`Scores::components`].
    pub fn component_names(&self) -> impl Iterator<Item = &str> {
        self.spec
            .components
            .iter()
            .map(|component| component.name.as_str())
    }

    /// Scores texts: on the rayon pool it is called in, and outside of one, or for up to [`SEQUENTIAL`] items, on the
    /// calling thread.
    ///
    /// # Errors
    ///
    /// `InvalidSpec` when a component counts tokens and there is no tokenizer. No completion and no reference is an error.
    pub fn score(&self, items: &[Item<'_>]) -> Result<Scores> {
        self.score_with(items, &[])
    }

    /// [`score`](Self::score), with what was found out elsewhere: for each item one [`Given`] for each of the
    /// [`outside`](Self::outside) components, in their order. A value fills its column and counts in the total like any
    /// other; what is not given is `unavailable`.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn score_with(&self, items: &[Item<'_>], given: &[Vec<Given>]) -> Result<Scores> {
        self.score_watched(items, given, None)
    }

    /// [`score_with`](Self::score_with), with someone watching.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn score_watched(
        &self,
        items: &[Item<'_>],
        given: &[Vec<Given>],
        watch: Option<&dyn Watch>,
    ) -> Result<Scores> {
        if let Some(name) = self
            .first_that(ComponentKind::needs_tokens)
            .filter(|_| self.encoder.is_none())
        {
            return Err(Error::spec(format!(
                "component `{name}` counts tokens: give the scorer a tokenizer, or score token ids"
            )));
        }
        let golds = self.golds.batch(
            items.iter().map(|item| item.reference),
            parallel(items.len()),
        );
        let view = |index: usize| View::of_text(items[index].completion, self.encoder.as_ref());
        self.run(items.len(), &golds, (given, watch), view)
    }

    /// Scores token ids: completion `i` is `token_ids[offsets[i]..offsets[i + 1]]`, so `offsets` has one entry more than
    /// `references`, starts at 0, never falls and ends at `token_ids.len()`. Only the part of a completion that the spec
    /// needs is decoded.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the offsets are not so or a token id is not in the vocabulary; `InvalidSpec` when a component
    /// reads text and there is no tokenizer.
    pub fn score_tokens(
        &self,
        token_ids: &[u32],
        offsets: &[i64],
        references: &[Option<&str>],
    ) -> Result<Scores> {
        self.score_tokens_with(token_ids, offsets, references, &[])
    }

    /// [`score_tokens`](Self::score_tokens), with what was found out elsewhere, as [`score_with`](Self::score_with) takes it.
    ///
    /// # Errors
    ///
    /// As [`score_tokens`](Self::score_tokens).
    pub fn score_tokens_with(
        &self,
        token_ids: &[u32],
        offsets: &[i64],
        references: &[Option<&str>],
        given: &[Vec<Given>],
    ) -> Result<Scores> {
        self.score_tokens_watched(token_ids, offsets, references, given, None)
    }

    /// [`score_tokens_with`](Self::score_tokens_with), with someone watching.
    ///
    /// # Errors
    ///
    /// As [`score_tokens`](Self::score_tokens).
    pub fn score_tokens_watched(
        &self,
        token_ids: &[u32],
        offsets: &[i64],
        references: &[Option<&str>],
        given: &[Vec<Given>],
        watch: Option<&dyn Watch>,
    ) -> Result<Scores> {
        if let Some(name) = self
            .first_that(ComponentKind::needs_text)
            .filter(|_| self.decoder.is_none())
        {
            return Err(Error::spec(format!(
                "component `{name}` reads text: give the scorer the tokenizer.json of the token ids"
            )));
        }
        check_offsets(token_ids.len(), offsets, references.len())?;
        let golds = self
            .golds
            .batch(references.iter().copied(), parallel(references.len()));
        let view = |index: usize| {
            let (start, end) = (offsets[index] as usize, offsets[index + 1] as usize);
            View::of_tokens(&token_ids[start..end], self.decoder.as_ref())
        };
        self.run(references.len(), &golds, (given, watch), view)
    }

    /// The name of the first component of such a kind.
    fn first_that(&self, is_such: impl Fn(&ComponentKind) -> bool) -> Option<&str> {
        let found = self
            .spec
            .components
            .iter()
            .find(|component| is_such(&component.kind));
        found.map(|component| component.name.as_str())
    }

    fn run<'a>(
        &'a self,
        count: usize,
        golds: &BatchGolds<'_>,
        (given, watch): (&[Vec<Given>], Option<&dyn Watch>),
        view: impl Fn(usize) -> View<'a> + Sync,
    ) -> Result<Scores> {
        let width = self.spec.components.len();
        let mut values = vec![f64::NAN; count * width];
        let judge = |(index, values): (usize, &mut [f64])| {
            let known = Known {
                index,
                golds,
                timer: Timer::new(watch, index),
                given: given.get(index).map_or(&[], Vec::as_slice),
            };
            self.judge(&view(index), &known, values)
        };
        let rows: Vec<Result<Row>> = if parallel(count) {
            values
                .par_chunks_exact_mut(width)
                .enumerate()
                .with_min_len(8)
                .map(judge)
                .collect()
        } else {
            values
                .chunks_exact_mut(width)
                .enumerate()
                .map(judge)
                .collect()
        };
        let column = |index: usize| values.iter().skip(index).step_by(width).copied().collect();
        let names = self.component_names().map(str::to_owned);
        let mut scores = Scores {
            components: names
                .enumerate()
                .map(|(index, name)| (name, column(index)))
                .collect(),
            total: Vec::with_capacity(count),
            status: Vec::with_capacity(count),
            reasons: Vec::with_capacity(count),
            answers: Vec::with_capacity(count),
        };
        for (index, row) in rows.into_iter().enumerate() {
            let row = row.map_err(|error| {
                Error::new(error.kind(), format!("completion {index}: {error}"))
            })?;
            scores.total.push(row.total);
            scores.status.push(row.status);
            scores.reasons.push(row.reason);
            scores.answers.push(row.answer);
        }
        Ok(scores)
    }
}

fn parallel(count: usize) -> bool {
    count > SEQUENTIAL && rayon::current_thread_index().is_some()
}

/// Checks that `offsets` cuts `tokens` token ids into `items` completions: one entry more than items, from 0 to `tokens`, never
/// falling.
///
/// # Errors
///
/// `InvalidInput`, naming the first entry that is not so.
pub fn check_offsets(tokens: usize, offsets: &[i64], items: usize) -> Result<()> {
    if offsets.len() != items + 1 {
        return Err(Error::input(format!(
            "offsets has {} entries for {items} references; it must have one more than references",
            offsets.len()
        )));
    }
    if offsets[0] != 0 {
        return Err(Error::input(format!(
            "offsets[0] is {}; it must be 0",
            offsets[0]
        )));
    }
    if let Some(index) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
        return Err(Error::input(format!(
            "offsets[{}] is {}, less than the {} before it; offsets must never fall",
            index + 1,
            offsets[index + 1],
            offsets[index]
        )));
    }
    if usize::try_from(offsets[items]) != Ok(tokens) {
        return Err(Error::input(format!(
            "offsets ends at {}, but token_ids has {tokens} entries; the last offset must be that number",
            offsets[items]
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
