//! Items from the wire, results to the wire.

use assay_core::score::{
    Ask, Completion as Written, Given, Item as Scored, Scorer, Scores, Status, Watch,
};
use assay_core::{ErrorKind, Result};

use super::item::{Completion, Item};
use crate::digest;
use crate::outside::Question;
use crate::pb;
use crate::pb::item_result::Outcome;

/// The items of a request, sorted by form; the numbers are positions in the request.
pub(crate) struct Batch<'a> {
    items: &'a [Item],
    text: Vec<(usize, &'a str)>,
    tokens: Vec<(usize, &'a [u8])>,
    /// They are not scored.
    refused: Vec<(usize, pb::ErrorCode, &'static str)>,
}

const UNKNOWN: &str =
    "nothing is kept under reference_sha256: put it (PutTests) and send the item again";

impl<'a> Batch<'a> {
    pub(crate) fn new(items: &'a [Item]) -> Self {
        let mut batch = Self {
            items,
            text: Vec::new(),
            tokens: Vec::new(),
            refused: Vec::new(),
        };
        for (position, item) in items.iter().enumerate() {
            if let Some((code, reason)) = unnamed(item) {
                batch.refused.push((position, code, reason));
                continue;
            }
            match &item.completion {
                Some(Completion::Text(text)) => batch.text.push((position, text)),
                Some(Completion::TokenIds(ids)) if ids.len() % 4 == 0 => {
                    batch.tokens.push((position, ids));
                }
                Some(Completion::TokenIds(_)) => batch.refused.push((
                    position,
                    pb::ErrorCode::InvalidItem,
                    "token_ids: the length in bytes has to be a multiple of 4",
                )),
                None => batch.refused.push((
                    position,
                    pb::ErrorCode::InvalidItem,
                    "the item has neither text nor token_ids",
                )),
            }
        }
        batch
    }

    /// Scores every item; the results are in the order of the request. `given` is what was found out elsewhere, for each item
    /// of the request, or empty.
    pub(crate) fn score(
        &self,
        scorer: &Scorer,
        given: &[Vec<Given>],
        watch: &dyn Watch,
    ) -> Result<Vec<pb::ItemResult>> {
        let known = |positions: &mut dyn Iterator<Item = usize>| -> Vec<Vec<Given>> {
            if given.is_empty() {
                return Vec::new();
            }
            positions.map(|position| given[position].clone()).collect()
        };
        let mut results = vec![pb::ItemResult::default(); self.items.len()];
        for &(position, code, reason) in &self.refused {
            results[position] = refused(code, reason.to_owned());
        }
        if !self.text.is_empty() {
            let items: Vec<Scored<'_>> = self
                .text
                .iter()
                .map(|&(position, text)| self.item(position, text))
                .collect();
            place(
                &scorer.score_watched(
                    &items,
                    &known(&mut self.text.iter().map(|pair| pair.0)),
                    Some(watch),
                )?,
                self.text.iter().map(|&(position, _)| position),
                &mut results,
            );
        }
        if !self.tokens.is_empty() {
            let known = known(&mut self.tokens.iter().map(|pair| pair.0));
            self.place_tokens((scorer, watch), &self.tokens, &known, &mut results)?;
        }
        for (result, item) in results.iter_mut().zip(self.items) {
            result.id = item.id.to_string();
        }
        Ok(results)
    }

    fn item(&self, position: usize, completion: &'a str) -> Scored<'a> {
        let item = &self.items[position];
        Scored {
            completion,
            reference: item.reference.as_deref(),
            prompt: item.prompt.as_deref(),
        }
    }

    /// Scores items of token ids. The core refuses a whole batch for one id that is not in the vocabulary; halving finds the
    /// items that have one, and only they are errors.
    fn place_tokens(
        &self,
        scorer: (&Scorer, &dyn Watch),
        tokens: &[(usize, &[u8])],
        given: &[Vec<Given>],
        results: &mut [pb::ItemResult],
    ) -> Result<()> {
        match (self.score_tokens(scorer, tokens, given), tokens) {
            (Ok(columns), _) => place(
                &columns,
                tokens.iter().map(|&(position, _)| position),
                results,
            ),
            (Err(error), &[(position, _)]) if error.kind() == ErrorKind::InvalidInput => {
                let message = error.to_string();
                let reason = message.strip_prefix("completion 0: ").unwrap_or(&message);
                results[position] = refused(pb::ErrorCode::InvalidItem, reason.to_owned());
            }
            (Err(error), _) if error.kind() == ErrorKind::InvalidInput => {
                let (left, right) = tokens.split_at(tokens.len() / 2);
                let (first, second) = given.split_at(left.len().min(given.len()));
                self.place_tokens(scorer, left, first, results)?;
                self.place_tokens(scorer, right, second, results)?;
            }
            (Err(error), _) => return Err(error),
        }
        Ok(())
    }

    fn score_tokens(
        &self,
        (scorer, watch): (&Scorer, &dyn Watch),
        tokens: &[(usize, &[u8])],
        given: &[Vec<Given>],
    ) -> Result<Scores> {
        let mut ids = Vec::with_capacity(tokens.iter().map(|(_, bytes)| bytes.len() / 4).sum());
        let mut offsets = vec![0];
        for (_, bytes) in tokens {
            let (chunks, _) = bytes.as_chunks::<4>();
            ids.extend(chunks.iter().map(|chunk| u32::from_le_bytes(*chunk)));
            offsets.push(i64::try_from(ids.len()).unwrap_or(i64::MAX));
        }
        let references: Vec<Option<&str>> = tokens
            .iter()
            .map(|&(position, _)| self.items[position].reference.as_deref())
            .collect();
        scorer.score_tokens_watched(&ids, &offsets, &references, given, Some(watch))
    }
}

/// What the outside components of the scorer's spec have to be told about an item; nothing about one that is not scored.
pub(crate) fn question(item: &Item, scorer: &Scorer) -> Question {
    let completion = item.completion.as_ref().filter(|_| unnamed(item).is_none());
    let asks = match completion {
        Some(Completion::Text(text)) => scorer.asks(Written::Text(text)),
        Some(Completion::TokenIds(bytes)) => {
            let (chunks, _) = bytes.as_chunks::<4>();
            let ids: Vec<u32> = chunks
                .iter()
                .map(|chunk| u32::from_le_bytes(*chunk))
                .collect();
            scorer.asks(Written::Tokens(&ids))
        }
        None => Ok(Vec::new()),
    };
    Question {
        asks: asks.unwrap_or_else(|_| vec![Ask::Nothing; scorer.outside().count()]),
        prompt: item.prompt.as_deref().map(str::to_owned),
        reference: item.reference.clone(),
    }
}

/// What is wrong with an item that still names its reference after it was looked up.
fn unnamed(item: &Item) -> Option<(pb::ErrorCode, &'static str)> {
    use pb::ErrorCode::{InvalidItem, UnknownReference};
    if item.reference_sha256.is_empty() {
        return None;
    }
    Some(
        match (&item.reference, digest::parse(&item.reference_sha256)) {
            (Some(_), _) => (
                InvalidItem,
                "the item has both reference and reference_sha256",
            ),
            (None, None) => (
                InvalidItem,
                "reference_sha256: it has to be 64 lower-case hex digits",
            ),
            (None, Some(_)) => (UnknownReference, UNKNOWN),
        },
    )
}

fn refused(code: pb::ErrorCode, reason: String) -> pb::ItemResult {
    let error = pb::ItemError {
        code: code as i32,
        retryable: code == pb::ErrorCode::UnknownReference,
        reason: Some(reason),
    };
    pb::ItemResult {
        outcome: Some(Outcome::Error(error)),
        ..Default::default()
    }
}

/// Writes the scores of some items to their positions in the response.
fn place(scores: &Scores, positions: impl Iterator<Item = usize>, results: &mut [pb::ItemResult]) {
    for (row, position) in positions.enumerate() {
        results[position] = result(scores, row);
    }
}

fn result(scores: &Scores, row: usize) -> pb::ItemResult {
    let reason = scores.reasons[row].clone();
    let error = |code: pb::ErrorCode, retryable| {
        Outcome::Error(pb::ItemError {
            code: code as i32,
            retryable,
            reason: reason.clone(),
        })
    };
    let outcome = match scores.status[row] {
        Status::Scored => Outcome::Scored(pb::Scored {
            total: scores.total[row],
            reason,
        }),
        Status::Undecided => error(pb::ErrorCode::Undecided, false),
        Status::Limit => error(pb::ErrorCode::Limit, false),
        Status::InvalidReference => error(pb::ErrorCode::InvalidReference, false),
        Status::Unavailable => error(pb::ErrorCode::Unavailable, true),
    };
    let components = scores
        .components
        .iter()
        .enumerate()
        .filter(|(_, (_, values))| !values[row].is_nan());
    pb::ItemResult {
        id: String::new(),
        outcome: Some(outcome),
        components: components
            .map(|(index, (_, values))| pb::ComponentValue {
                component: index as u32,
                value: values[row],
            })
            .collect(),
        answer: scores.answers[row].clone(),
    }
}
