//! Items from the wire, results to the wire.

use assay_core::Result;
use assay_core::score::{Item, Scorer, Scores, Status};

use crate::pb;
use crate::pb::item::Completion;
use crate::pb::item_result::Outcome;

/// The items of a request, sorted by form; the numbers are positions in the request.
pub(crate) struct Batch<'a> {
    items: &'a [pb::Item],
    text: Vec<(usize, &'a str)>,
    tokens: Vec<(usize, &'a [u8])>,
    malformed: Vec<(usize, &'static str)>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(items: &'a [pb::Item]) -> Self {
        let mut batch = Self {
            items,
            text: Vec::new(),
            tokens: Vec::new(),
            malformed: Vec::new(),
        };
        for (position, item) in items.iter().enumerate() {
            match &item.completion {
                Some(Completion::Text(text)) => batch.text.push((position, text)),
                Some(Completion::TokenIds(ids)) if ids.len() % 4 == 0 => {
                    batch.tokens.push((position, ids));
                }
                Some(Completion::TokenIds(_)) => {
                    batch.malformed.push((
                        position,
                        "token_ids: the length in bytes has to be a multiple of 4",
                    ));
                }
                None => batch
                    .malformed
                    .push((position, "the item has neither text nor token_ids")),
            }
        }
        batch
    }

    /// Scores every item and puts the results in the order of the request.
    pub(crate) fn score(&self, scorer: &Scorer, request_id: String) -> Result<pb::ScoreResponse> {
        let mut results = vec![pb::ItemResult::default(); self.items.len()];
        for &(position, reason) in &self.malformed {
            results[position] = malformed(reason);
        }
        if !self.text.is_empty() {
            let items: Vec<Item<'_>> = self
                .text
                .iter()
                .map(|&(position, text)| self.item(position, text))
                .collect();
            place(
                &scorer.score(&items)?,
                self.text.iter().map(|&(position, _)| position),
                &mut results,
            );
        }
        if !self.tokens.is_empty() {
            place(
                &self.score_tokens(scorer)?,
                self.tokens.iter().map(|&(position, _)| position),
                &mut results,
            );
        }
        for (result, item) in results.iter_mut().zip(self.items) {
            result.id.clone_from(&item.id);
        }
        let components = scorer.component_names().map(str::to_owned).collect();
        Ok(pb::ScoreResponse {
            request_id,
            components,
            results,
        })
    }

    fn item(&self, position: usize, completion: &'a str) -> Item<'a> {
        let item = &self.items[position];
        Item {
            completion,
            reference: item.reference.as_deref(),
            prompt: item.prompt.as_deref(),
        }
    }

    fn score_tokens(&self, scorer: &Scorer) -> Result<Scores> {
        let mut ids =
            Vec::with_capacity(self.tokens.iter().map(|(_, bytes)| bytes.len() / 4).sum());
        let mut offsets = vec![0];
        for (_, bytes) in &self.tokens {
            let (chunks, _) = bytes.as_chunks::<4>();
            ids.extend(chunks.iter().map(|chunk| u32::from_le_bytes(*chunk)));
            offsets.push(i64::try_from(ids.len()).unwrap_or(i64::MAX));
        }
        let references: Vec<Option<&str>> = self
            .tokens
            .iter()
            .map(|&(position, _)| self.items[position].reference.as_deref())
            .collect();
        scorer.score_tokens(&ids, &offsets, &references)
    }
}

fn malformed(reason: &str) -> pb::ItemResult {
    let error = pb::ItemError {
        code: pb::ErrorCode::InvalidItem as i32,
        retryable: false,
        reason: Some(reason.to_owned()),
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
