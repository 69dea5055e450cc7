//! Turning requests away by their headers, before their bodies are read and decoded: what a server cannot do in time must
//! cost it next to nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use tower::{Layer, Service};

use super::{Admission, FULL, Queue, Turn, deadline, overloaded, would_be_late};
use crate::guard::{Peer, Underway};
use crate::observe::Metrics;
use crate::refusable::Refusable;
use crate::tenant;

/// The method that is looked at; the others are rare and small.
pub(crate) const SCORE: &str = "/assay.v1.RewardService/Score";
/// Fewer bodies on their way are no crowd: what they take is up to their senders.
const CROWD: u32 = 8;

/// Who may come in now.
#[derive(Clone)]
pub(crate) struct Gate {
    admission: Arc<Admission>,
    queue: Arc<Queue>,
    /// That a request may be expected to wait for its turn.
    longest: Duration,
    metrics: Metrics,
    way: Arc<Way>,
}

impl Gate {
    pub(crate) fn new(
        admission: Arc<Admission>,
        queue: Arc<Queue>,
        longest: Duration,
        metrics: Metrics,
    ) -> Self {
        Self {
            admission,
            queue,
            longest,
            metrics,
            way: Arc::default(),
        }
    }

    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` with a push-back when work of this cost would wait too long, or end after the deadline.
    pub(crate) fn in_time(
        &self,
        tenant: &Arc<str>,
        cost: u64,
        deadline: Option<Instant>,
    ) -> Result<(), tonic::Status> {
        self.within(self.queue.estimate(tenant, cost), deadline)
    }

    fn within(&self, turn: Turn, deadline: Option<Instant>) -> Result<(), tonic::Status> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let Some(reason) = turn.refusal(self.longest, left) else {
            return Ok(());
        };
        self.metrics.shed(reason);
        Err(would_be_late(turn.wait.saturating_add(turn.work)))
    }

    fn check<B>(&self, request: &Request<B>) -> Result<(), tonic::Status> {
        if request.uri().path() != SCORE {
            return Ok(());
        }
        if self.admission.is_full() {
            self.metrics.shed("overloaded");
            return Err(overloaded(FULL));
        }
        let tenant = tenant::of(request.extensions(), request.headers());
        let mut turn = self.queue.estimate(&tenant, 0);
        let now = Instant::now();
        // While nothing waits, bodies that are slow are not slow because of this server.
        let peer = request.extensions().get::<Peer>().filter(|_| !turn.is_free);
        let crowd = peer.map_or(Duration::ZERO, |peer| peer.crowd(now));
        let way = self.way.estimate().max(crowd);
        turn.wait = turn.wait.saturating_add(way);
        turn.is_free &= way == Duration::ZERO;
        self.within(turn, deadline(request.headers(), now))
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            inner,
            gate: self.clone(),
        }
    }
}

/// Requests whose headers are here and whose bodies are on their way. Bodies share the connection and the threads that read and
/// decode them, so where there are many, each takes as long as all of them.
#[derive(Default)]
struct Way {
    state: Mutex<Coming>,
}

#[derive(Default)]
struct Coming {
    count: u32,
    last: Option<Instant>,
    /// Seconds from one body that is complete to the next, while there is a crowd, of late.
    interval: f64,
}

impl Way {
    fn lock(&self) -> MutexGuard<'_, Coming> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long one more body would take.
    fn estimate(&self) -> Duration {
        let coming = self.lock();
        if coming.count < CROWD {
            return Duration::ZERO;
        }
        let seconds = f64::from(coming.count) * coming.interval;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    fn begin(self: &Arc<Self>, at: Instant, underway: Option<Underway>) -> Arrival {
        self.lock().count += 1;
        Arrival {
            at,
            way: Some(Arc::clone(self)),
            _underway: underway,
            is_complete: AtomicBool::new(false),
        }
    }

    fn end(&self, began: Instant, is_complete: bool) {
        let now = Instant::now();
        let mut coming = self.lock();
        let is_crowd = coming.count >= CROWD;
        coming.count = coming.count.saturating_sub(1);
        if is_complete && is_crowd {
            // Time before this body was on its way says nothing.
            let since = coming.last.map_or(began, |last| last.max(began));
            let interval = now.saturating_duration_since(since).as_secs_f64();
            coming.interval += (interval - coming.interval) / 16.0;
        }
        coming.last = Some(now);
    }
}

/// A request from its headers to the end of its body, in its extensions.
pub(crate) struct Arrival {
    at: Instant,
    way: Option<Arc<Way>>,
    _underway: Option<Underway>,
    is_complete: AtomicBool,
}

impl Arrival {
    /// When the headers came. The deadline of a request counts from then; its body may come much later.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// The body is here.
    pub(crate) fn complete(&self) {
        self.is_complete.store(true, Ordering::Relaxed);
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Some(way) = &self.way {
            way.end(self.at, self.is_complete.load(Ordering::Relaxed));
        }
    }
}

/// A service behind the gate.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl<S, A, B> Service<Request<A>> for Gated<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Refusable<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let now = Instant::now();
        match self.gate.check(&request) {
            Ok(()) => {
                let is_read = request.uri().path() == SCORE;
                let arrival = if is_read {
                    let peer = request.extensions().get::<Peer>();
                    let underway = peer.map(|peer| peer.body(now));
                    self.gate.way.begin(now, underway)
                } else {
                    Arrival {
                        at: now,
                        way: None,
                        _underway: None,
                        is_complete: AtomicBool::new(false),
                    }
                };
                request.extensions_mut().insert(Arc::new(arrival));
                Refusable::passed(self.inner.call(request))
            }
            Err(status) => Refusable::refused(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bodies_on_their_way_take_long_and_those_that_break_off_teach_nothing() {
        let way = Arc::new(Way::default());
        let long_ago = Instant::now().checked_sub(Duration::from_secs(16));
        let began = long_ago.unwrap_or_else(Instant::now);
        // One slow sender alone is no crowd.
        way.begin(began, None).complete();
        assert_eq!(way.lock().interval, 0.0);
        *way.lock() = Coming::default();
        let crowd: Vec<_> = (0..CROWD).map(|_| way.begin(began, None)).collect();
        crowd[0].complete();
        drop(crowd);
        let each = way.lock().interval;
        assert!(each > 0.9, "{each}");
        let few: Vec<_> = (1..CROWD)
            .map(|_| way.begin(Instant::now(), None))
            .collect();
        assert_eq!(way.estimate(), Duration::ZERO);
        let more: Vec<_> = (0..3).map(|_| way.begin(Instant::now(), None)).collect();
        let count = f64::from(CROWD + 2);
        assert_eq!(way.estimate(), Duration::from_secs_f64(count * each));
        drop((few, more));
        assert_eq!(way.estimate(), Duration::ZERO);
        assert_eq!(way.lock().interval, each);
    }
}
