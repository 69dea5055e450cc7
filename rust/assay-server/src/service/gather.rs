//! Results of the items of a request, as they are delivered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;
use tonic::Status;

use super::job::Deliver;
use crate::pb;
use crate::pb::item_result::Outcome;
use crate::wire::Item;
use crate::work::too_late;

/// Resolves at the deadline.
pub(super) async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// The result of an item that was not finished by the deadline.
pub(super) fn unfinished(id: &str) -> pb::ItemResult {
    pb::ItemResult {
        id: id.to_owned(),
        outcome: Some(Outcome::Error(pb::ItemError {
            code: pb::ErrorCode::Deadline as i32,
            retryable: true,
            reason: Some("the deadline of the call came before its turn".to_owned()),
        })),
        ..pb::ItemResult::default()
    }
}

/// Results of parts of a request, each with the place of its first item.
type Parts = Vec<(usize, Vec<pb::ItemResult>)>;

/// Collects what the scoring threads deliver of the items of one request.
pub(super) struct Gathering {
    count: usize,
    parts: Arc<Mutex<Parts>>,
    end: oneshot::Receiver<Result<(), Status>>,
}

impl Gathering {
    /// For so many items. The second half takes the results in; dropped before the last one, no more will come.
    pub(super) fn new(count: usize) -> (Self, Deliver) {
        let (done, end) = oneshot::channel();
        let parts = Arc::new(Mutex::new(Parts::new()));
        let gathering = Self {
            count,
            parts: Arc::clone(&parts),
            end,
        };
        let left = Mutex::new((count, Some(done)));
        // Nobody is woken before the last part: a request is answered once.
        let deliver = move |start, results: Result<Vec<pb::ItemResult>, Status>| {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            let end = match results {
                Ok(results) => {
                    left.0 = left.0.saturating_sub(results.len());
                    let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
                    parts.push((start, results));
                    (left.0 == 0).then_some(Ok(()))
                }
                Err(status) => Some(Err(status)),
            };
            if let Some(end) = end
                && let Some(done) = left.1.take()
            {
                // It fails when nobody waits any more.
                let _ = done.send(end);
            }
        };
        (gathering, Box::new(deliver))
    }

    /// The results of all items, in their order; at the deadline those that are there, and an error for each of the others.
    ///
    /// # Errors
    ///
    /// `DEADLINE_EXCEEDED` when not one is there; whatever scoring failed with.
    pub(super) async fn results(
        mut self,
        items: &[Item],
        deadline: Option<Instant>,
    ) -> Result<Vec<pb::ItemResult>, Status> {
        if self.count > 0 {
            tokio::select! {
                biased;
                // The work is gone before it is done only when its deadline is over.
                end = &mut self.end => if let Ok(end) = end { end? },
                () = passed(deadline) => {}
            }
        }
        let mut parts =
            std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        if parts.is_empty() && self.count > 0 {
            return Err(too_late());
        }
        parts.sort_unstable_by_key(|(start, _)| *start);
        let mut results = Vec::with_capacity(self.count);
        for (start, part) in parts {
            fill(&mut results, items, start);
            results.extend(part);
        }
        fill(&mut results, items, self.count);
        Ok(results)
    }
}

/// Says of the items up to `end` that have no result that they were not finished.
fn fill(results: &mut Vec<pb::ItemResult>, items: &[Item], end: usize) {
    let missing = items.iter().take(end).skip(results.len());
    results.extend(missing.map(|item| unfinished(&item.id)));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::once::broken;
    use super::*;

    fn items(count: usize) -> Vec<Item> {
        let item = |n: usize| Item {
            id: n.to_string().into(),
            ..Item::default()
        };
        (0..count).map(item).collect()
    }

    fn scored(items: &[Item]) -> Vec<pb::ItemResult> {
        let result = |item: &Item| pb::ItemResult {
            id: item.id.to_string(),
            outcome: Some(Outcome::Scored(pb::Scored {
                total: 1.0,
                reason: None,
            })),
            ..pb::ItemResult::default()
        };
        items.iter().map(result).collect()
    }

    #[tokio::test]
    async fn what_is_finished_by_the_deadline_comes_back_and_what_comes_later_changes_nothing() {
        let items = items(6);
        let (gathering, deliver) = Gathering::new(items.len());
        deliver(2, Ok(scored(&items[2..4])));
        let soon = Instant::now() + Duration::from_millis(30);
        let results = gathering.results(&items, Some(soon)).await.unwrap();
        // A thread that was still at it finds nobody who listens.
        deliver(0, Ok(scored(&items[..2])));
        let codes: Vec<_> = results
            .iter()
            .map(|result| match result.outcome.as_ref().unwrap() {
                Outcome::Scored(_) => None,
                Outcome::Error(error) => {
                    assert!(error.retryable && error.reason.as_ref().unwrap().contains("deadline"));
                    Some(error.code())
                }
            })
            .collect();
        let late = Some(pb::ErrorCode::Deadline);
        assert_eq!(codes, [late, late, None, None, late, late]);
        assert!(
            results
                .iter()
                .zip(&items)
                .all(|(result, item)| result.id == *item.id)
        );
    }

    #[tokio::test]
    async fn nothing_by_the_deadline_is_an_error_and_so_is_a_failure() {
        let items = items(2);
        let (gathering, _deliver) = Gathering::new(2);
        let late = gathering.results(&items, Some(Instant::now())).await;
        assert_eq!(late.unwrap_err().code(), tonic::Code::DeadlineExceeded);
        let (gathering, deliver) = Gathering::new(2);
        deliver(0, Ok(scored(&items[..1])));
        deliver(1, Err(broken()));
        let failed = gathering.results(&items, None).await;
        assert_eq!(failed.unwrap_err().code(), tonic::Code::Internal);
    }

    #[tokio::test]
    async fn parts_in_any_order_are_results_in_the_order_of_the_items() {
        let items = items(5);
        let (gathering, deliver) = Gathering::new(5);
        for part in [3..5, 0..1, 1..3] {
            deliver(part.start, Ok(scored(&items[part])));
        }
        let results = gathering.results(&items, None).await.unwrap();
        assert_eq!(results, scored(&items));
        // Work that is gone delivers no more.
        let (gathering, deliver) = Gathering::new(5);
        deliver(0, Ok(scored(&items[..1])));
        drop(deliver);
        let results = gathering.results(&items, None).await.unwrap();
        assert_eq!(results[0], scored(&items)[0]);
        assert_eq!(results[4], unfinished("4"));
        let (gathering, _) = Gathering::new(0);
        assert_eq!(gathering.results(&[], None).await.unwrap(), []);
    }
}
