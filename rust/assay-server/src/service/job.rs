//! Items on the scoring threads, and what came of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assay_core::score::Given;
use assay_core::{Error, ErrorKind};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tonic::Status;

use super::ready::Ready;
use super::{Call, Shared};
use crate::observe::{BatchWatch, Seen, Waiting, Working};
use crate::pb::item_result::Outcome;
use crate::results::WORTH;
use crate::wire::{Batch, status};
use crate::work::{Admitted, Queue, Slice, Wanted, Work, cost, too_late};
use crate::{ServeError, pb};

/// Items of the first slice of some work, and of any. A thread looks at the deadline, and at whose turn it is, between slices,
/// so they grow and shrink until one takes from [`SHORT`] to [`LONG`].
const FIRST: usize = 8;
const LARGEST: usize = 256;
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(4);

/// The threads that score; they end when this is dropped.
pub(super) struct Threads {
    count: usize,
    queue: Arc<Queue>,
}

impl Threads {
    pub(super) fn start(count: usize, queue: &Arc<Queue>) -> Result<Self, ServeError> {
        let threads = Self {
            count,
            queue: Arc::clone(queue),
        };
        for index in 0..count {
            let queue = Arc::clone(queue);
            std::thread::Builder::new()
                .name(format!("assay-score-{index}"))
                .spawn(move || work(&queue))
                .map_err(|error| ServeError::Io(error.to_string()))?;
        }
        Ok(threads)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(queue: &Queue) {
    while let Some((tenant, work, slice)) = queue.next() {
        let (cost, began) = (slice.cost, Instant::now());
        work.run(slice);
        queue.settle(&tenant, cost, began.elapsed());
    }
}

/// Where the results of a slice go: the place of its first item, and a result for each, in their order.
pub(super) type Deliver =
    Box<dyn Fn(usize, Result<Vec<pb::ItemResult>, Status>) + Send + Sync + 'static>;

/// Items to score.
pub(super) struct Job {
    pub(super) shared: Arc<Shared>,
    pub(super) ready: Arc<Ready>,
    pub(super) items: Arc<Vec<pb::Item>>,
    /// For each item, or empty.
    pub(super) given: Vec<Vec<Given>>,
    pub(super) wanted: Wanted,
    pub(super) deliver: Deliver,
    progress: Mutex<Progress>,
    /// Given back when the last slice is done.
    _room: Admitted,
}

struct Progress {
    next: usize,
    left: u64,
    /// Items of the next slice.
    step: usize,
    stage: Stage,
}

enum Stage {
    Waits(Option<Waiting>),
    Runs { _working: Working },
}

/// What a job is made of.
pub(super) struct Parts {
    pub(super) ready: Arc<Ready>,
    pub(super) items: Arc<Vec<pb::Item>>,
    pub(super) given: Vec<Vec<Given>>,
    pub(super) wanted: Wanted,
    pub(super) room: Admitted,
}

impl Job {
    pub(super) fn new(
        shared: &Arc<Shared>,
        seen: &Arc<Seen>,
        parts: Parts,
        deliver: Deliver,
    ) -> Self {
        let waiting = shared.metrics.waiting(Arc::clone(seen));
        Self {
            shared: Arc::clone(shared),
            progress: Mutex::new(Progress {
                next: 0,
                left: cost::of_items(&parts.items),
                step: FIRST,
                stage: Stage::Waits(Some(waiting)),
            }),
            ready: parts.ready,
            items: parts.items,
            given: parts.given,
            wanted: parts.wanted,
            deliver,
            _room: parts.room,
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn score(&self, slice: &Slice) -> Result<Vec<pb::ItemResult>, Status> {
        let watch = BatchWatch::new(&self.shared.metrics, &self.ready.scorer);
        let (start, end) = (slice.items.start, slice.items.end);
        let Some(hash) = self.ready.hash.filter(|_| self.shared.results.is_on()) else {
            return self.fresh(start, end, &watch);
        };
        let kept = &self.shared.results;
        let mut results = Vec::with_capacity(end - start);
        let (mut next, mut hits) = (start, 0);
        while next < end {
            // Up to the next item whose result is known.
            let mut known = None;
            let mut stop = next;
            while stop < end && known.is_none() {
                known = kept.get(&hash, &self.items[stop]);
                stop += usize::from(known.is_none());
            }
            if stop > next {
                let began = Instant::now();
                let fresh = self.fresh(next, stop, &watch)?;
                if began.elapsed() >= WORTH * (stop - next) as u32 {
                    for (item, result) in self.items[next..stop].iter().zip(&fresh) {
                        kept.keep(&hash, item, result);
                    }
                }
                results.extend(fresh);
            }
            hits += u64::from(known.is_some());
            next = stop + usize::from(known.is_some());
            results.extend(known);
        }
        let misses = (end - start) as u64 - hits;
        self.shared.metrics.cache_many("result", hits, misses);
        Ok(results)
    }

    fn fresh(
        &self,
        start: usize,
        end: usize,
        watch: &BatchWatch,
    ) -> Result<Vec<pb::ItemResult>, Status> {
        let given = self.given.get(start..).unwrap_or_default();
        Batch::new(&self.items[start..end])
            .score(&self.ready.scorer, given, watch)
            .map_err(|error| status(&error))
    }
}

impl Work for Job {
    fn claim(&self) -> Option<Slice> {
        let mut guard = self.progress();
        let progress = &mut *guard;
        let items = self.items.get(progress.next..)?;
        if items.is_empty() || self.wanted.check().is_err() {
            return None;
        }
        if let Stage::Waits(waiting) = &mut progress.stage
            && let Some(waiting) = waiting.take()
        {
            progress.stage = Stage::Runs {
                _working: waiting.start(),
            };
        }
        let count = progress.step.min(items.len());
        let cost = cost::of_items(&items[..count]);
        let start = progress.next;
        progress.next += count;
        progress.left = progress.left.saturating_sub(cost);
        Some(Slice {
            items: start..start + count,
            cost,
        })
    }

    fn left(&self) -> u64 {
        self.progress().left
    }

    fn run(&self, slice: Slice) {
        let began = Instant::now();
        // Scoring has no panics that we know of; one that we do not must cost one request and not the process.
        let results = catch_unwind(AssertUnwindSafe(|| self.score(&slice)));
        let took = began.elapsed();
        let mut progress = self.progress();
        if took < SHORT {
            progress.step = (progress.step * 2).min(LARGEST);
        } else if took > LONG {
            progress.step = (progress.step / 2).max(1);
        }
        drop(progress);
        (self.deliver)(slice.items.start, results.unwrap_or_else(|_| Err(broken())));
    }
}

pub(super) fn broken() -> Status {
    status(&Error::new(
        ErrorKind::Internal,
        "scoring failed; the server's log has the place",
    ))
}

/// Work that is done at once.
struct Once<F> {
    shared: Arc<Shared>,
    cost: u64,
    wanted: Wanted,
    work: Mutex<Option<F>>,
    claimed: Mutex<bool>,
}

impl<F: FnOnce(&Shared) + Send> Work for Once<F> {
    fn claim(&self) -> Option<Slice> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if *claimed || self.wanted.check().is_err() {
            return None;
        }
        *claimed = true;
        Some(Slice {
            items: 0..1,
            cost: self.cost,
        })
    }

    fn left(&self) -> u64 {
        let claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if *claimed { 0 } else { self.cost }
    }

    fn run(&self, _: Slice) {
        let work = self
            .work
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(work) = work {
            // A panic costs one request: its answer never comes, which it is told.
            let _ = catch_unwind(AssertUnwindSafe(|| work(&self.shared)));
        }
    }
}

impl Shared {
    /// Runs `work` on a scoring thread when it is the caller's turn. Dropping the future gives it up if it has not begun.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        call: &Call,
        cost: u64,
        work: impl FnOnce(&Self) -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let (send, receive) = oneshot::channel();
        let wanted = Wanted::until(call.deadline);
        let _given_up_with_this_future = wanted.guard();
        let once = Once {
            shared: Arc::clone(self),
            cost,
            wanted,
            work: Mutex::new(Some(move |shared: &Self| {
                // The caller may have gone; then nobody wants the result.
                let _ = send.send(work(shared));
            })),
            claimed: Mutex::new(false),
        };
        self.queue.push(&call.tenant, Arc::new(once));
        tokio::select! {
            result = receive => result.unwrap_or_else(|_| Err(call.late_or(broken))),
            () = passed(call.deadline) => Err(too_late()),
        }
    }

    /// Scores items on the scoring threads, until the deadline.
    pub(super) async fn score(
        self: &Arc<Self>,
        call: &Call,
        ready: &Arc<Ready>,
        items: &Arc<Vec<pb::Item>>,
        room: Admitted,
    ) -> Result<Vec<pb::ItemResult>, Status> {
        let given = self.found_out(call, ready, items).await?;
        let wanted = Wanted::until(call.deadline);
        let _given_up_with_this_future = wanted.guard();
        let parts = Parts {
            ready: Arc::clone(ready),
            items: Arc::clone(items),
            given,
            wanted,
            room,
        };
        let (send, receive) = unbounded_channel();
        let deliver: Deliver = Box::new(move |start, results| {
            let _ = send.send((start, results));
        });
        let job = Job::new(self, &call.seen, parts, deliver);
        self.queue.push(&call.tenant, Arc::new(job));
        gather(items, receive, call.deadline).await
    }
}

impl Call {
    /// What to say when no answer came: that it is too late, if it is.
    fn late_or(&self, otherwise: impl FnOnce() -> Status) -> Status {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => too_late(),
            _ => otherwise(),
        }
    }
}

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

type Delivered = (usize, Result<Vec<pb::ItemResult>, Status>);

/// The results of all items, in their order; at the deadline those that are there, and an error for each of the others.
///
/// # Errors
///
/// `DEADLINE_EXCEEDED` when not one is there; whatever scoring failed with.
async fn gather(
    items: &[pb::Item],
    mut delivered: UnboundedReceiver<Delivered>,
    deadline: Option<Instant>,
) -> Result<Vec<pb::ItemResult>, Status> {
    let mut results: Vec<Option<pb::ItemResult>> = vec![None; items.len()];
    let mut missing = items.len();
    let mut over = std::pin::pin!(passed(deadline));
    while missing > 0 {
        let part = tokio::select! {
            biased;
            part = delivered.recv() => part,
            () = &mut over => break,
        };
        // The job is gone before it is done only when its deadline is over.
        let Some((start, part)) = part else {
            break;
        };
        let part = part?;
        missing -= part.len();
        for (slot, result) in results[start..].iter_mut().zip(part) {
            *slot = Some(result);
        }
    }
    if missing == items.len() && !items.is_empty() {
        return Err(too_late());
    }
    let finished = results.into_iter().zip(items);
    Ok(finished
        .map(|(result, item)| result.unwrap_or_else(|| unfinished(&item.id)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: usize) -> Vec<pb::Item> {
        let item = |n: usize| pb::Item {
            id: n.to_string(),
            ..pb::Item::default()
        };
        (0..count).map(item).collect()
    }

    fn scored(items: &[pb::Item]) -> Vec<pb::ItemResult> {
        let result = |item: &pb::Item| pb::ItemResult {
            id: item.id.clone(),
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
        let (send, receive) = unbounded_channel();
        send.send((2, Ok(scored(&items[2..4])))).unwrap();
        let soon = Instant::now() + Duration::from_millis(30);
        let results = gather(&items, receive, Some(soon)).await.unwrap();
        // A thread that was still at it finds nobody who listens.
        assert!(send.send((0, Ok(scored(&items[..2])))).is_err());
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
                .all(|(result, item)| result.id == item.id)
        );
    }

    #[tokio::test]
    async fn nothing_by_the_deadline_is_an_error_and_so_is_a_failure() {
        let items = items(2);
        let (_send, receive) = unbounded_channel();
        let late = gather(&items, receive, Some(Instant::now())).await;
        assert_eq!(late.unwrap_err().code(), tonic::Code::DeadlineExceeded);
        let (send, receive) = unbounded_channel();
        send.send((0, Ok(scored(&items[..1])))).unwrap();
        send.send((1, Err(broken()))).unwrap();
        let failed = gather(&items, receive, None).await;
        assert_eq!(failed.unwrap_err().code(), tonic::Code::Internal);
    }
}
