//! Work that waits for a scoring thread. Tenants take turns, so that each gets the same share while it has work.
//!
//! Fair queueing by start times: each tenant has a clock that runs by the cost of what is done for it, the slower the more
//! weight it has, and the tenant whose clock is furthest behind comes next. Within a tenant the order is that of arrival.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Turn;

/// Tenants that are told apart; further ones share a place. Callers may choose their names.
const TENANTS: usize = 1024;
const OTHERS: &str = "\0others";
/// The rate is measured over about so many tokens.
const MEASURED: f64 = 4e6;
/// What a token takes before anything was measured.
const FIRST_GUESS: f64 = 5e-9;

/// Work that is done in slices, by one thread or several.
pub(crate) trait Work: Send + Sync {
    /// Takes the next slice for the calling thread; `None` when all are taken or nobody wants the result any more.
    fn claim(&self) -> Option<Slice>;
    /// The cost of what was not claimed.
    fn left(&self) -> u64;
    /// Does a slice that was claimed.
    fn run(&self, slice: Slice);
}

/// Some items of some work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) items: Range<usize>,
    /// In tokens.
    pub(crate) cost: u64,
}

/// The queue of a server.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    threads: f64,
    /// Of tenants by name; all others have 1.
    weights: HashMap<Arc<str>, f64>,
}

#[derive(Default)]
struct State {
    tenants: Vec<Tenant>,
    /// The clock of the tenant that was served last; new ones start here.
    now: f64,
    /// The cost of what nobody has claimed.
    waiting: u64,
    closed: bool,
    measured: Measured,
}

struct Tenant {
    name: Arc<str>,
    weight: f64,
    /// The cost of what was done for it, by its weight.
    clock: f64,
    waiting: u64,
    work: VecDeque<Arc<dyn Work>>,
}

/// Time and tokens of late.
#[derive(Default)]
struct Measured {
    seconds: f64,
    tokens: f64,
}

impl Measured {
    fn add(&mut self, cost: u64, took: Duration) {
        let cost = cost as f64;
        let kept = MEASURED / (MEASURED + cost);
        self.seconds = (self.seconds + took.as_secs_f64()) * kept;
        self.tokens = (self.tokens + cost) * kept;
    }

    /// Of one token on one thread.
    fn seconds_per_token(&self) -> f64 {
        // The guess counts for a little, so that the first slice is not all there is to go by.
        let doubt = MEASURED / 64.0;
        (self.seconds + FIRST_GUESS * doubt) / (self.tokens + doubt)
    }
}

impl Queue {
    pub(crate) fn new(threads: usize, weights: HashMap<Arc<str>, f64>) -> Self {
        Self {
            weights,
            state: Mutex::default(),
            filled: Condvar::new(),
            threads: threads.max(1) as f64,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work at the end of a tenant's.
    pub(crate) fn push(&self, tenant: &Arc<str>, work: Arc<dyn Work>) {
        let cost = work.left();
        let mut state = self.lock();
        state.waiting += cost;
        let now = state.now;
        let tenant = state.tenant(tenant, &self.weights);
        tenant.waiting += cost;
        if tenant.work.is_empty() {
            // What it did not use while it had no work is gone; what it owes is not.
            tenant.clock = tenant.clock.max(now);
        }
        tenant.work.push_back(work);
        drop(state);
        // Work of several slices is for several threads.
        self.filled.notify_all();
    }

    /// The next slice and what it belongs to. Blocks while there is none; `None` when the queue is closed.
    pub(crate) fn next(&self) -> Option<(Arc<str>, Arc<dyn Work>, Slice)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(next) = state.next() {
                return Some(next);
            }
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes what a slice of a tenant's really took: one that took longer than its cost says is charged for that.
    pub(crate) fn settle(&self, tenant: &Arc<str>, cost: u64, took: Duration) {
        let mut state = self.lock();
        let expected = state.measured.seconds_per_token() * cost as f64;
        state.measured.add(cost, took);
        let extra = (took.as_secs_f64() / expected.max(1e-9) - 1.0).max(0.0) * cost as f64;
        if let Some(tenant) = state.tenants.iter_mut().find(|known| known.name == *tenant) {
            tenant.clock += extra / tenant.weight;
        }
    }

    /// How long work of this cost would wait, and take from then on, if it came now.
    pub(crate) fn estimate(&self, tenant: &Arc<str>, cost: u64) -> Turn {
        let state = self.lock();
        let busy = state.tenants.iter().filter(|known| known.waiting > 0);
        let (mut own, mut others) = (0, 0.0);
        for known in busy {
            if known.name == *tenant {
                own = known.waiting;
            } else {
                others += known.weight;
            }
        }
        let share = self.weight(tenant) / (self.weight(tenant) + others);
        let all = state.waiting as f64;
        // While this tenant's work is done, the others get their shares, but no more than they have.
        let until = |own: f64, all: f64| {
            let seconds = (own / share).min(all) * state.measured.seconds_per_token();
            Duration::try_from_secs_f64(seconds / self.threads).unwrap_or(Duration::MAX)
        };
        let (own, cost) = (own as f64, cost as f64);
        let wait = until(own, all);
        Turn {
            wait,
            work: until(own + cost, all + cost).saturating_sub(wait),
            is_free: state.waiting == 0,
        }
    }

    fn weight(&self, tenant: &str) -> f64 {
        self.weights.get(tenant).copied().unwrap_or(1.0)
    }

    /// Lets go of all who wait for work.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }
}

impl State {
    fn tenant(&mut self, name: &Arc<str>, weights: &HashMap<Arc<str>, f64>) -> &mut Tenant {
        let known = |tenants: &[Tenant], name: &str| {
            tenants
                .iter()
                .position(|tenant| tenant.name.as_ref() == name)
        };
        let place = known(&self.tenants, name);
        let others = (place.is_none() && self.tenants.len() >= TENANTS).then_some(OTHERS);
        let place = place.or_else(|| known(&self.tenants, others?));
        let place = place.unwrap_or_else(|| {
            let name = others.map_or_else(|| Arc::clone(name), Arc::from);
            self.tenants.push(Tenant {
                weight: weights.get(&name).copied().unwrap_or(1.0),
                name,
                clock: self.now,
                waiting: 0,
                work: VecDeque::new(),
            });
            self.tenants.len() - 1
        });
        &mut self.tenants[place]
    }

    fn next(&mut self) -> Option<(Arc<str>, Arc<dyn Work>, Slice)> {
        loop {
            let now = self.now;
            // Whoever has no work and owes nothing need not be remembered.
            self.tenants
                .retain(|tenant| !tenant.work.is_empty() || tenant.clock > now);
            let busy = self
                .tenants
                .iter_mut()
                .filter(|tenant| !tenant.work.is_empty());
            // Of equals the first.
            let tenant = busy.min_by(|a, b| a.clock.total_cmp(&b.clock))?;
            let work = Arc::clone(tenant.work.front()?);
            self.now = self.now.max(tenant.clock);
            let before = work.left();
            let claimed = work.claim();
            let gone = match &claimed {
                Some(slice) => slice.cost,
                None => before,
            };
            tenant.waiting = tenant.waiting.saturating_sub(gone);
            self.waiting = self.waiting.saturating_sub(gone);
            let Some(slice) = claimed else {
                tenant.work.pop_front();
                continue;
            };
            tenant.clock += slice.cost as f64 / tenant.weight;
            if work.left() == 0 {
                tenant.work.pop_front();
            }
            return Some((Arc::clone(&tenant.name), work, slice));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// So many slices of the same cost.
    struct Slices {
        left: AtomicUsize,
        cost: u64,
    }

    impl Work for Slices {
        fn claim(&self) -> Option<Slice> {
            let take = |left: usize| left.checked_sub(1);
            let left = self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .ok()?;
            Some(Slice {
                items: left - 1..left,
                cost: self.cost,
            })
        }

        fn left(&self) -> u64 {
            self.left.load(Ordering::Relaxed) as u64 * self.cost
        }

        fn run(&self, _: Slice) {}
    }

    fn of_threads(threads: usize) -> Queue {
        Queue::new(threads, HashMap::new())
    }

    fn whole(turn: Turn) -> Duration {
        turn.wait + turn.work
    }

    fn push(queue: &Queue, tenant: &str, slices: usize, cost: u64) -> Arc<Slices> {
        let work = Arc::new(Slices {
            left: slices.into(),
            cost,
        });
        queue.push(&tenant.into(), Arc::clone(&work) as Arc<dyn Work>);
        work
    }

    /// Whose the next slices are.
    fn turns(queue: &Queue, count: usize) -> String {
        (0..count)
            .map(|_| queue.next().unwrap().0.to_string())
            .collect()
    }

    #[test]
    fn a_backlog_starves_nobody() {
        let queue = of_threads(1);
        push(&queue, "a", 1000, 10);
        assert_eq!(turns(&queue, 3), "aaa");
        push(&queue, "b", 3, 10);
        // One more of `a` may come first, and never two.
        let next = turns(&queue, 7);
        assert!(["abababa", "bababaa"].contains(&next.as_str()), "{next}");
    }

    #[test]
    fn shares_are_of_cost_and_not_of_slices() {
        let queue = of_threads(1);
        push(&queue, "a", 100, 30);
        push(&queue, "b", 100, 10);
        let next = turns(&queue, 40);
        assert_eq!(next.matches('a').count(), 10);
    }

    #[test]
    fn shares_are_by_weight() {
        let weights = HashMap::from([("a".into(), 3.0), ("c".into(), 0.5)]);
        let queue = Queue::new(1, weights);
        for tenant in ["a", "b", "c"] {
            push(&queue, tenant, 1000, 10);
        }
        // The waits that are told are those that there will be.
        let wait = |tenant: &str| queue.estimate(&tenant.into(), 0).wait.as_secs_f64();
        let slices = |tenant: &str| (wait(tenant) / (10.0 * FIRST_GUESS)).round();
        assert_eq!(["a", "b", "c"].map(slices), [1500.0, 3000.0, 3000.0]);
        let next = turns(&queue, 900);
        let of = |tenant| next.matches(tenant).count();
        assert!((599..=601).contains(&of('a')), "{}", of('a'));
        assert!((199..=201).contains(&of('b')), "{}", of('b'));
    }

    #[test]
    fn of_one_tenant_the_first_comes_first() {
        let queue = of_threads(1);
        let first = push(&queue, "a", 2, 10);
        let second = push(&queue, "a", 2, 10);
        turns(&queue, 2);
        assert_eq!((first.left(), second.left()), (0, 20));
        turns(&queue, 2);
        assert_eq!(second.left(), 0);
    }

    #[test]
    fn idle_time_is_not_saved_up_and_debt_is_not_forgotten() {
        let queue = of_threads(1);
        push(&queue, "a", 100, 10);
        push(&queue, "b", 1, 10);
        turns(&queue, 20);
        push(&queue, "b", 100, 10);
        let next = turns(&queue, 20);
        assert!((9..=11).contains(&next.matches('b').count()), "{next}");
        // A slice of `b` took ten times what it was taken for, at the rate that is guessed at first.
        queue.settle(
            &"b".into(),
            10,
            Duration::from_secs_f64(100.0 * FIRST_GUESS),
        );
        let next = turns(&queue, 8);
        assert_eq!(next, "a".repeat(8));
    }

    #[test]
    fn what_waits_is_counted_and_what_is_unwanted_is_not() {
        let queue = of_threads(2);
        let tenant: Arc<str> = "a".into();
        assert_eq!(
            whole(queue.estimate(&tenant, 1000)),
            Duration::from_secs_f64(1000.0 * FIRST_GUESS / 2.0)
        );
        let unwanted = push(&queue, "a", 10, 1_000_000);
        let backlog = queue.estimate(&tenant, 0).wait;
        assert_eq!(backlog, Duration::from_secs_f64(1e7 * FIRST_GUESS / 2.0));
        // Another tenant would wait for as much as its own.
        assert_eq!(
            whole(queue.estimate(&"b".into(), 1000)),
            Duration::from_secs_f64(2000.0 * FIRST_GUESS / 2.0)
        );
        push(&queue, "b", 1, 7);
        unwanted.left.store(0, Ordering::Relaxed);
        assert_eq!(turns(&queue, 1), "b");
    }

    #[test]
    fn the_rate_follows_what_is_measured() {
        let queue = of_threads(1);
        for _ in 0..200 {
            queue.settle(&"a".into(), 1_000_000, Duration::from_secs(1));
        }
        let seconds = queue.estimate(&"a".into(), 1_000_000).work.as_secs_f64();
        assert!((0.9..1.1).contains(&seconds), "{seconds}");
    }

    #[test]
    fn tenants_without_number_share_a_place() {
        let queue = of_threads(1);
        for number in 0..TENANTS + 50 {
            push(&queue, &number.to_string(), 1, 10);
        }
        assert_eq!(queue.lock().tenants.len(), TENANTS + 1);
        for _ in 0..TENANTS + 50 {
            queue.next().unwrap();
        }
        queue.close();
        assert!(queue.next().is_none());
    }
}
