//! When a failed request is sent again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tonic::{Code, Status};

use super::error::is_transport;
use crate::wire::KIND_KEY;

/// Sends of one request, unless there are more servers to ask.
const ATTEMPTS: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// However full the servers are, they are asked again this often.
const LONGEST_PUSH: Duration = Duration::from_secs(5);
const PUSH_BACK: &str = "grpc-retry-pushback-ms";

/// A full budget, what a success earns, and what a failure costs. As in gRPC's retry throttling, below half of it nothing is
/// sent again, so that retries cannot keep a sick server down.
const FULL: f64 = 100.0;
const EARNED: f64 = 0.2;
const COST: f64 = 1.0;

/// The retries that all requests of a client share.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: Mutex<f64>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            tokens: Mutex::new(FULL),
        }
    }

    pub(crate) fn success(&self) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens + EARNED).min(FULL);
    }

    /// Notes a failure; true if another attempt is within the budget.
    pub(crate) fn failure(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens - COST).max(0.0);
        *tokens > FULL / 2.0
    }
}

/// Whether a server that is well has turned the request away for now. It has begun nothing and says when to come again, so that is
/// no failure, and only the deadline ends it.
pub(super) fn is_pushed_back(status: &Status) -> bool {
    let kind = status.metadata().get(KIND_KEY);
    status.code() == Code::ResourceExhausted
        && kind.is_some_and(|kind| kind == "overloaded")
        && status.metadata().contains_key(PUSH_BACK)
}

/// How long to wait after being pushed back for the `times`th time: what the server says, longer each time, and not at the same
/// moment as all the others. `None` when the server says never; a server that was not asked yet is asked at once.
pub(super) fn pushed_back(status: &Status, times: usize, servers: usize) -> Option<Duration> {
    let text = status.metadata().get(PUSH_BACK)?.to_str().ok()?;
    let pause = Duration::from_millis(text.parse().ok()?);
    if times < servers {
        return Some(Duration::ZERO);
    }
    let rounds = (times / servers.max(1)).clamp(1, 8) as f64;
    let spread = 0.75 + RandomState::new().hash_one(times) as f64 / u64::MAX as f64 / 2.0;
    Some(pause.mul_f64(rounds.sqrt() * spread).min(LONGEST_PUSH))
}

/// How long to wait before the attempt after `attempts` failed ones, or `None` to give up.
///
/// A server that was not asked yet is asked at once; a server may set the pause itself, by `grpc-retry-pushback-ms`.
pub(super) fn pause(status: &Status, attempts: usize, servers: usize) -> Option<Duration> {
    if attempts >= ATTEMPTS.max(servers) {
        return None;
    }
    if let Some(text) = status.metadata().get(PUSH_BACK) {
        // What is not a number says never.
        let milliseconds = text.to_str().ok().and_then(|text| text.parse().ok());
        return milliseconds.map(Duration::from_millis);
    }
    if status.code() != Code::Unavailable && !is_transport(status) {
        return None;
    }
    if attempts < servers {
        return Some(Duration::ZERO);
    }
    let doublings = (attempts - servers).min(16) as u32;
    Some((FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_servers_first_then_growing_pauses_then_an_end() {
        let gone = Status::unavailable("gone");
        let pauses: Vec<_> = (1..6).map(|attempts| pause(&gone, attempts, 2)).collect();
        let milliseconds = |count| Some(Duration::from_millis(count));
        assert_eq!(
            pauses,
            [
                milliseconds(0),
                milliseconds(50),
                milliseconds(100),
                None,
                None
            ]
        );
        assert_eq!(pause(&gone, 5, 6), milliseconds(0));
        assert_eq!(pause(&Status::invalid_argument(""), 1, 2), None);
    }

    #[test]
    fn the_server_may_set_the_pause() {
        let mut busy = Status::resource_exhausted("busy");
        assert_eq!(pause(&busy, 1, 1), None);
        busy.metadata_mut()
            .insert("grpc-retry-pushback-ms", "70".parse().unwrap());
        assert_eq!(pause(&busy, 1, 1), Some(Duration::from_millis(70)));
        busy.metadata_mut()
            .insert("grpc-retry-pushback-ms", "-1".parse().unwrap());
        assert_eq!(pause(&busy, 1, 1), None);
    }

    #[test]
    fn who_is_pushed_back_waits_longer_each_time_and_asks_other_servers_first() {
        let mut busy = Status::resource_exhausted("busy");
        busy.metadata_mut()
            .insert(PUSH_BACK, "100".parse().unwrap());
        assert!(!is_pushed_back(&busy));
        busy.metadata_mut()
            .insert(KIND_KEY, "overloaded".parse().unwrap());
        assert!(is_pushed_back(&busy));
        assert_eq!(pushed_back(&busy, 1, 3), Some(Duration::ZERO));
        let milliseconds = |times, servers| pushed_back(&busy, times, servers).unwrap().as_millis();
        assert!((75..=125).contains(&milliseconds(1, 1)));
        assert!((150..=250).contains(&milliseconds(4, 1)));
        assert!((212..=354).contains(&milliseconds(1000, 1)));
        assert!((75..=125).contains(&milliseconds(3, 3)));
        busy.metadata_mut().insert(PUSH_BACK, "-1".parse().unwrap());
        assert_eq!(pushed_back(&busy, 1, 1), None);
    }

    #[test]
    fn the_budget_ends_and_recovers() {
        let budget = Budget::new();
        let granted = (0..200).filter(|_| budget.failure()).count();
        assert_eq!(granted, 49);
        for _ in 0..300 {
            budget.success();
        }
        assert!(budget.failure());
    }
}
