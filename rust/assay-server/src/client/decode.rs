//! Responses as the columns of `Scores`.

use std::ops::Range;

use assay_core::score::{Scores, Status};

use super::error::{ClientError, ClientErrorKind};
use crate::pb;
use crate::pb::item_result::Outcome;

/// Columns of `count` items, to be filled by responses in any order.
pub(super) fn empty(names: &[String], count: usize) -> Scores {
    Scores {
        total: vec![f64::NAN; count],
        components: names
            .iter()
            .map(|name| (name.clone(), vec![f64::NAN; count]))
            .collect(),
        status: vec![Status::Unavailable; count],
        reasons: vec![None; count],
        answers: vec![None; count],
    }
}

/// Writes the results of the request that carried `rows`.
///
/// # Errors
///
/// `Internal` when the response does not answer the request; `InvalidInput` when an item was malformed, as the same
/// item is in process.
pub(super) fn place(
    response: pb::ScoreResponse,
    rows: &Range<usize>,
    scores: &mut Scores,
) -> Result<(), ClientError> {
    let names = scores.components.iter().map(|(name, _)| name);
    if !response.components.iter().eq(names) || response.results.len() != rows.len() {
        return Err(foreign());
    }
    for (row, result) in rows.clone().zip(response.results) {
        place_one(result, row, row, scores)?;
    }
    Ok(())
}

/// Writes one result to a place of `scores`; `row` is its name in messages.
///
/// # Errors
///
/// As [`place`].
pub(super) fn place_one(
    result: pb::ItemResult,
    place: usize,
    row: usize,
    scores: &mut Scores,
) -> Result<(), ClientError> {
    for value in &result.components {
        let column = scores.components.get_mut(value.component as usize);
        column.ok_or_else(foreign)?.1[place] = value.value;
    }
    scores.answers[place] = result.answer;
    (scores.status[place], scores.reasons[place]) = match result.outcome {
        Some(Outcome::Scored(found)) => {
            scores.total[place] = found.total;
            (Status::Scored, found.reason)
        }
        Some(Outcome::Error(error)) => (status(&error, row)?, error.reason),
        // An outcome that this version does not know is never a number.
        None => (Status::Unavailable, None),
    };
    Ok(())
}

fn status(error: &pb::ItemError, row: usize) -> Result<Status, ClientError> {
    Ok(match error.code() {
        pb::ErrorCode::Undecided => Status::Undecided,
        pb::ErrorCode::Limit => Status::Limit,
        pb::ErrorCode::InvalidReference => Status::InvalidReference,
        pb::ErrorCode::InvalidItem => {
            let reason = error.reason.as_deref().unwrap_or("malformed");
            return Err(ClientError::input(format!("completion {row}: {reason}")));
        }
        _ => Status::Unavailable,
    })
}

/// The response is not one to the request.
pub(super) fn foreign() -> ClientError {
    ClientError::new(
        ClientErrorKind::Internal,
        "the reward server's response does not fit the request: client and server versions differ",
    )
}
