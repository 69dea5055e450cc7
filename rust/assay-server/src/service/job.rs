//! Items on the scoring threads, and what came of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assay_core::score::Given;
use tonic::Status;

use super::gather::Gathering;
use super::once::broken;
use super::ready::Ready;
use super::{Call, Shared};
use crate::log::log_texts;
use crate::observe::{BatchWatch, Seen, Waiting, Working};
use crate::pb;
use crate::results::{SpecHash, WORTH};
use crate::wire::{Batch, Item, status};
use crate::work::{Admitted, Slice, Wanted, Work, cost};

/// Items of the first slice of some work, and of any. A thread looks at the deadline, and at whose turn it is, between slices,
/// so they grow and shrink until one takes from [`SHORT`] to [`LONG`].
const FIRST: usize = 8;
const LARGEST: usize = 256;
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(4);

/// Where the results of a slice go: the place of its first item, and a result for each, in their order.
pub(super) type Deliver =
    Box<dyn Fn(usize, Result<Vec<pb::ItemResult>, Status>) + Send + Sync + 'static>;

/// Items to score.
pub(super) struct Job {
    pub(super) shared: Arc<Shared>,
    pub(super) ready: Arc<Ready>,
    pub(super) items: Arc<Vec<Item>>,
    /// For each item, or empty.
    pub(super) given: Vec<Vec<Given>>,
    pub(super) wanted: Wanted,
    pub(super) deliver: Deliver,
    seen: Arc<Seen>,
    watch: BatchWatch,
    progress: Mutex<Progress>,
}

struct Progress {
    next: usize,
    left: u64,
    /// Items of the next slice.
    step: usize,
    /// Items that are not done.
    undone: usize,
    stage: Stage,
    /// Given back when the last item is done.
    room: Option<Admitted>,
}

enum Stage {
    Waits(Option<Waiting>),
    Runs { _working: Working },
    Done,
}

/// What a job is made of.
pub(super) struct Parts {
    pub(super) ready: Arc<Ready>,
    pub(super) items: Arc<Vec<Item>>,
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
                undone: parts.items.len(),
                stage: Stage::Waits(Some(waiting)),
                room: Some(parts.room),
            }),
            watch: BatchWatch::new(&shared.metrics, &parts.ready.scorer),
            seen: Arc::clone(seen),
            ready: parts.ready,
            items: parts.items,
            given: parts.given,
            wanted: parts.wanted,
            deliver,
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn score(&self, slice: &Slice) -> Result<Vec<pb::ItemResult>, Status> {
        let (start, end) = (slice.items.start, slice.items.end);
        let Some(hash) = self.ready.hash.filter(|_| self.shared.results.is_on()) else {
            return self.fresh(start, end);
        };
        let kept = &self.shared.results;
        // The few that look like an item whose result is kept; the others are scored between them.
        let alike = kept.alike(&hash, &self.items[start..end]);
        let mut results = Vec::with_capacity(end - start);
        let (mut next, mut hits) = (start, 0);
        for place in alike.into_iter().map(|place| start + place) {
            let Some(known) = kept.get(&hash, &self.items[place]) else {
                continue;
            };
            results.extend(self.scored(&hash, next, place)?);
            results.push(known);
            next = place + 1;
            hits += 1;
        }
        results.extend(self.scored(&hash, next, end)?);
        let misses = (end - start) as u64 - hits;
        self.shared.metrics.cache_many("result", hits, misses);
        Ok(results)
    }

    /// Scores items and keeps results that took long.
    fn scored(
        &self,
        hash: &SpecHash,
        start: usize,
        end: usize,
    ) -> Result<Vec<pb::ItemResult>, Status> {
        if start == end {
            return Ok(Vec::new());
        }
        let began = Instant::now();
        let fresh = self.fresh(start, end)?;
        if began.elapsed() >= WORTH * (end - start) as u32 {
            for (item, result) in self.items[start..end].iter().zip(&fresh) {
                self.shared.results.keep(hash, item, result);
            }
        }
        Ok(fresh)
    }

    fn fresh(&self, start: usize, end: usize) -> Result<Vec<pb::ItemResult>, Status> {
        let given = self.given.get(start..).unwrap_or_default();
        Batch::new(&self.items[start..end])
            .score(&self.ready.scorer, given, &self.watch)
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
        progress.undone -= slice.items.len();
        if progress.undone == 0 {
            // Before the last results go out: whoever has them finds the work counted and its room free.
            progress.stage = Stage::Done;
            progress.room = None;
        }
        drop(progress);
        let results = results.unwrap_or_else(|_| Err(broken()));
        if self.shared.config.log_texts
            && let Ok(results) = &results
        {
            let request_id = self.seen.request_id.get().map_or("", String::as_str);
            log_texts(request_id, &self.items[slice.items.clone()], results);
        }
        (self.deliver)(slice.items.start, results);
    }
}

impl Shared {
    /// Scores items on the scoring threads, until the deadline.
    pub(super) async fn score(
        self: &Arc<Self>,
        call: &Call,
        ready: &Arc<Ready>,
        items: &Arc<Vec<Item>>,
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
        let (gathering, deliver) = Gathering::new(items.len());
        let job = Job::new(self, &call.seen, parts, deliver);
        self.queue.push(&call.tenant, Arc::new(job));
        gathering.results(items, call.deadline).await
    }
}
