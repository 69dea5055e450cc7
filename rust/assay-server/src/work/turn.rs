//! Whether a request should be taken, by what is known of its turn.

use std::time::Duration;

/// The estimate has to leave this share of the time that is left: it may be wrong, and work that ends too late is wasted.
const SHARE: f64 = 0.75;

/// What is expected of a request that comes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Until a thread takes it.
    pub(crate) wait: Duration,
    /// From then until it is done.
    pub(crate) work: Duration,
    /// Nothing waits at all.
    pub(crate) is_free: bool,
}

impl Turn {
    /// Why a request should not be taken that may wait for so long and has so much time left; `None` for one that should.
    ///
    /// A queue that is always long does no more than a short one, and all of its answers are late: by then, callers have gone,
    /// or sent the same again. So the wait is bounded, whatever deadlines say, and what is over the bound is turned away when
    /// that is still cheap.
    pub(crate) fn refusal(
        &self,
        longest: Duration,
        left: Option<Duration>,
    ) -> Option<&'static str> {
        // An idle server takes anything, whatever the estimates say: they are learned from work that was taken.
        if self.is_free {
            return None;
        }
        if self.wait > longest {
            return Some("wait");
        }
        // A deadline that is over already is not the server's fault, and is told otherwise.
        let left = left.filter(|left| *left > Duration::ZERO)?;
        (self.wait.saturating_add(self.work) > left.mul_f64(SHARE)).then_some("deadline")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::{Queue, Slice, Work};
    use super::*;

    fn turn(wait: u64, work: u64) -> Turn {
        Turn {
            wait: Duration::from_millis(wait),
            work: Duration::from_millis(work),
            is_free: wait == 0,
        }
    }

    #[test]
    fn who_would_wait_long_or_end_late_is_refused_unless_nobody_waits() {
        let longest = Duration::from_millis(500);
        let told = |wait, work, left: Option<u64>| {
            turn(wait, work).refusal(longest, left.map(Duration::from_millis))
        };
        assert_eq!(told(499, 10_000, None), None);
        assert_eq!(told(501, 0, None), Some("wait"));
        assert_eq!(told(100, 100, Some(300)), None);
        assert_eq!(told(100, 200, Some(300)), Some("deadline"));
        // Nobody waits, so it may as well be begun.
        assert_eq!(told(0, 10_000, Some(1)), None);
        // Too late already.
        assert_eq!(told(100, 100, Some(0)), None);
    }

    /// A request of one slice.
    struct One {
        taken: AtomicBool,
        cost: u64,
    }

    impl Work for One {
        fn claim(&self) -> Option<Slice> {
            let is_first = !self.taken.swap(true, Ordering::Relaxed);
            is_first.then_some(Slice {
                items: 0..1,
                cost: self.cost,
            })
        }

        fn left(&self) -> u64 {
            if self.taken.load(Ordering::Relaxed) {
                0
            } else {
                self.cost
            }
        }

        fn run(&self, _: Slice) {}
    }

    /// What became of a load of `over` times what a server can do, in its own time.
    #[derive(Debug, Default)]
    struct Outcome {
        done: u64,
        late: u64,
        refused: u64,
        longest: u64,
    }

    /// A request takes 1,000 ticks of a microsecond, and `rejecting` when it is turned away.
    fn overload(over: u64, rejecting: u64, timeout: u64) -> Outcome {
        const TAKES: u64 = 1000;
        const COST: u64 = 110_000;
        let queue = Queue::new(1, std::collections::HashMap::default());
        let tenant: Arc<str> = "a".into();
        let mut arrived: VecDeque<u64> = VecDeque::new();
        let (mut now, mut next, mut outcome) = (0, 0, Outcome::default());
        while now < 20_000_000 {
            while next <= now {
                let turn = queue.estimate(&tenant, COST);
                let left = (next + timeout).saturating_sub(now);
                let longest = Duration::from_millis(500);
                let refusal = turn.refusal(longest, Some(Duration::from_micros(left)));
                if refusal.is_some() {
                    outcome.refused += 1;
                    now += rejecting;
                } else {
                    let one = One {
                        taken: AtomicBool::new(false),
                        cost: COST,
                    };
                    queue.push(&tenant, Arc::new(one));
                    arrived.push_back(next);
                }
                next += TAKES / over;
            }
            let Some(came) = arrived.pop_front() else {
                now = next;
                continue;
            };
            let (tenant, _, slice) = queue.next().unwrap();
            now += TAKES;
            queue.settle(&tenant, slice.cost, Duration::from_micros(TAKES));
            outcome.longest = outcome.longest.max(now - came);
            if now - came <= timeout {
                outcome.done += 1;
            } else {
                outcome.late += 1;
            }
        }
        outcome
    }

    #[test]
    fn beyond_its_limit_a_server_does_what_it_can_and_nothing_late() {
        let at_most = 20_000;
        for over in [2, 10] {
            // Turning away takes a twentieth of a request.
            let outcome = overload(over, 50, 2_000_000);
            assert_eq!(outcome.late, 0, "{over}: {outcome:?}");
            let wasted = (outcome.refused * 50).div_ceil(1000);
            assert!(outcome.done + wasted >= at_most * 98 / 100, "{outcome:?}");
            // Twice the longest wait where half of the time goes into turning away.
            assert!(outcome.longest <= 1_000_000, "{outcome:?}");
        }
        assert!(overload(2, 50, 2_000_000).done >= at_most * 9 / 10);
        // Deadlines that are shorter than the longest wait are kept, too.
        let outcome = overload(2, 50, 100_000);
        assert_eq!(outcome.late, 0, "{outcome:?}");
        assert!(outcome.done >= at_most * 9 / 10, "{outcome:?}");
    }
}
