//! Results against what they have to be.

use assay_core::score::{Scores, Status};
use serde::Serialize;

use super::workload::{Expected, Workload};
use crate::pb;
use crate::pb::item_result::Outcome;

/// Wrong results that are told in full.
const EXAMPLES: usize = 5;

/// What became of items.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Items with the right result.
    pub items: u64,
    /// Items that the response does not mention.
    pub lost: u64,
    /// Results for an item that had one already.
    pub duplicated: u64,
    /// Results that are not the right one, or stand in the wrong place.
    pub different: u64,
    /// Items that the server could not score now and says so.
    pub unavailable: u64,
    /// The first few wrong results.
    pub examples: Vec<String>,
}

impl Findings {
    /// Whether every item has its right result.
    pub fn is_clean(&self) -> bool {
        [self.lost, self.duplicated, self.different, self.unavailable] == [0; 4]
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.items += other.items;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.different += other.different;
        self.unavailable += other.unavailable;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text());
        }
    }

    fn judge(&mut self, n: u64, found: &Found<'_>, expected: &Expected) {
        if found.unavailable {
            self.unavailable += 1;
            self.example(|| format!("item {n} is unavailable"));
        } else if found.total.map(f64::to_bits) == expected.total.map(f64::to_bits)
            && found.answer == expected.answer.as_deref()
            && found.invalid_reference == expected.total.is_none()
        {
            self.items += 1;
        } else {
            self.different += 1;
            self.example(|| format!("item {n}: {found:?}, not {expected:?}"));
        }
    }
}

/// A result, whichever client it came through.
#[derive(Debug)]
struct Found<'a> {
    total: Option<f64>,
    answer: Option<&'a str>,
    invalid_reference: bool,
    unavailable: bool,
}

/// Looks at the response to the request for items `first..first + count`.
pub(crate) fn response(
    workload: &Workload,
    first: u64,
    count: usize,
    response: &pb::ScoreResponse,
) -> Findings {
    let mut findings = Findings::default();
    let mut seen = vec![false; count];
    for (place, result) in response.results.iter().enumerate() {
        let n: Option<u64> = result.id.parse().ok();
        let slot = n.and_then(|n| seen.get_mut(n.checked_sub(first)? as usize));
        let (Some(n), Some(slot)) = (n, slot) else {
            findings.different += 1;
            findings.example(|| format!("a result for {:?}, which was not sent", result.id));
            continue;
        };
        if std::mem::replace(slot, true) {
            findings.duplicated += 1;
            findings.example(|| format!("a second result for item {n}"));
        } else if n != first + place as u64 {
            findings.different += 1;
            findings.example(|| format!("the result of item {n} at place {place}"));
        } else {
            findings.judge(n, &of_wire(result), &workload.item(n).expected);
        }
    }
    findings.lost = seen.iter().filter(|seen| !**seen).count() as u64;
    findings
}

fn of_wire(result: &pb::ItemResult) -> Found<'_> {
    let (total, code) = match &result.outcome {
        Some(Outcome::Scored(scored)) => (Some(scored.total), None),
        Some(Outcome::Error(error)) => (None, Some(error.code())),
        None => (None, None),
    };
    Found {
        total,
        answer: result.answer.as_deref(),
        invalid_reference: code == Some(pb::ErrorCode::InvalidReference),
        unavailable: code == Some(pb::ErrorCode::Unavailable),
    }
}

/// Looks at the scores of items `first..first + count`.
pub(crate) fn scores(workload: &Workload, first: u64, count: usize, scores: &Scores) -> Findings {
    let mut findings = Findings {
        lost: count.saturating_sub(scores.status.len()) as u64,
        duplicated: scores.status.len().saturating_sub(count) as u64,
        ..Findings::default()
    };
    for (row, status) in scores.status.iter().take(count).enumerate() {
        let found = Found {
            total: (*status == Status::Scored).then_some(scores.total[row]),
            answer: scores.answers[row].as_deref(),
            invalid_reference: *status == Status::InvalidReference,
            unavailable: *status == Status::Unavailable,
        };
        let n = first + row as u64;
        findings.judge(n, &found, &workload.item(n).expected);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::workload::Kind;
    use super::*;

    /// The right response for items 8 to 15.
    fn right(workload: &Workload) -> pb::ScoreResponse {
        let result = |n: u64| {
            let expected = workload.item(n).expected;
            let missing = pb::ItemError {
                code: pb::ErrorCode::InvalidReference as i32,
                ..Default::default()
            };
            let scored = |total| {
                Outcome::Scored(pb::Scored {
                    total,
                    reason: None,
                })
            };
            pb::ItemResult {
                id: n.to_string(),
                outcome: Some(expected.total.map_or(Outcome::Error(missing), scored)),
                answer: expected.answer,
                components: Vec::new(),
            }
        };
        pb::ScoreResponse {
            results: (8..16).map(result).collect(),
            ..Default::default()
        }
    }

    fn look(change: impl FnOnce(&mut Vec<pb::ItemResult>)) -> [u64; 5] {
        let workload = Workload::new(Kind::Short);
        let mut answer = right(&workload);
        change(&mut answer.results);
        let found = response(&workload, 8, 8, &answer);
        assert_eq!(
            found.is_clean(),
            found.examples.is_empty() && found.lost == 0
        );
        [
            found.items,
            found.lost,
            found.duplicated,
            found.different,
            found.unavailable,
        ]
    }

    #[test]
    fn right_results_are_clean() {
        assert_eq!(look(|_| ()), [8, 0, 0, 0, 0]);
    }

    #[test]
    fn every_kind_of_fault_is_seen() {
        assert_eq!(look(|results| drop(results.pop())), [7, 1, 0, 0, 0]);
        let twice = |results: &mut Vec<pb::ItemResult>| results.push(results[0].clone());
        assert_eq!(look(twice), [8, 0, 1, 0, 0]);
        assert_eq!(look(|results| results.swap(0, 1)), [6, 0, 0, 2, 0]);
        assert_eq!(
            look(|results| results[0].id = "99".to_owned()),
            [7, 1, 0, 1, 0]
        );
        assert_eq!(look(|results| results[0].answer = None), [7, 0, 0, 1, 0]);
        let zero = Outcome::Scored(pb::Scored::default());
        assert_eq!(
            look(|results| results[0].outcome = Some(zero.clone())),
            [7, 0, 0, 1, 0]
        );
        // A missing number that became 0 is the worst of them.
        assert_eq!(
            look(|results| results[5].outcome = Some(zero)),
            [7, 0, 0, 1, 0]
        );
        assert_eq!(look(|results| results[0].outcome = None), [7, 0, 0, 1, 0]);
        let gone = pb::ItemError {
            code: pb::ErrorCode::Unavailable as i32,
            ..Default::default()
        };
        assert_eq!(
            look(|results| results[0].outcome = Some(Outcome::Error(gone))),
            [7, 0, 0, 0, 1]
        );
    }
}
