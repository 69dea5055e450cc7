//! A request that is sent again while the first is worked on waits for it, instead of being worked on beside it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::bytes::Bytes;
use tokio::sync::watch;
use tonic::Status;

use crate::observe::Counts;

/// What a request got. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    /// A `ScoreResponse`.
    pub(super) bytes: Bytes,
    pub(super) counts: Counts,
    /// Whether every item was looked at; the deadline of whoever asked first may have come before.
    pub(super) is_whole: bool,
}

pub(super) type Answer = Result<Answered, Status>;

/// Who sent it, the sender's name for it, and its length.
type Key = (Arc<str>, String, usize);

/// The requests that are worked on and have a name.
#[derive(Default)]
pub(super) struct Joins {
    running: Mutex<HashMap<Key, Running>>,
}

struct Running {
    message: Bytes,
    answer: Arc<watch::Sender<Option<Answer>>>,
}

/// A part in a request that is worked on. When the last is dropped, so is the work.
pub(super) struct Waiter(watch::Receiver<Option<Answer>>);

impl Waiter {
    /// `None` when the work ended without an answer.
    pub(super) async fn answer(mut self) -> Option<Answer> {
        let answer = self.0.wait_for(Option::is_some).await.ok()?;
        answer.clone()
    }
}

/// What [`Joins::enter`] says.
pub(super) enum Entered {
    /// The same bytes are worked on for the same tenant.
    Again(Waiter),
    /// They are not, and whoever got this works on them: [`Joins::lead`].
    First(Waiter, Lead),
    /// Other bytes are, under the same name.
    Alone,
}

/// The duty to work on a request.
pub(super) struct Lead {
    key: Key,
    answer: Arc<watch::Sender<Option<Answer>>>,
}

impl Joins {
    fn running(&self) -> MutexGuard<'_, HashMap<Key, Running>> {
        // No code that can panic runs under the lock, so a poisoned map is still whole.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, tenant: &Arc<str>, name: &str, message: &Bytes) -> Entered {
        let key = (Arc::clone(tenant), name.to_owned(), message.len());
        let mut running = self.running();
        if let Some(first) = running.get(&key) {
            return if first.message == *message {
                Entered::Again(Waiter(first.answer.subscribe()))
            } else {
                Entered::Alone
            };
        }
        let (answer, waiter) = watch::channel(None);
        let answer = Arc::new(answer);
        let message = message.clone();
        let entry = Running {
            message,
            answer: Arc::clone(&answer),
        };
        running.insert(key.clone(), entry);
        Entered::First(Waiter(waiter), Lead { key, answer })
    }

    /// Works until there is an answer, which all who wait get, or until nobody waits.
    pub(super) async fn lead(&self, lead: Lead, work: impl Future<Output = Answer>) {
        let ending = Ending {
            joins: self,
            lead: &lead,
        };
        let answer = tokio::select! {
            answer = work => answer,
            () = self.nobody(&lead) => return,
        };
        drop(ending);
        lead.answer.send_replace(Some(answer));
    }

    /// Resolves when nobody waits; from then on nobody can join.
    async fn nobody(&self, lead: &Lead) {
        loop {
            lead.answer.closed().await;
            let mut running = self.running();
            if lead.answer.receiver_count() == 0 {
                lead.leave(&mut running);
                return;
            }
        }
    }
}

impl Lead {
    /// Takes its own entry out; by then another request of the name may have one.
    fn leave(&self, running: &mut HashMap<Key, Running>) {
        if let Some(entry) = running.get(&self.key)
            && Arc::ptr_eq(&entry.answer, &self.answer)
        {
            running.remove(&self.key);
        }
    }
}

/// Takes the entry out, however the work ends.
struct Ending<'a> {
    joins: &'a Joins,
    lead: &'a Lead,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.lead.leave(&mut self.joins.running());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &'static str) -> Answered {
        Answered {
            bytes: Bytes::from_static(text.as_bytes()),
            counts: Counts::default(),
            is_whole: true,
        }
    }

    fn enter(joins: &Joins, tenant: &str, name: &str, message: &'static str) -> Entered {
        joins.enter(
            &tenant.into(),
            name,
            &Bytes::from_static(message.as_bytes()),
        )
    }

    fn first(joins: &Joins) -> (Waiter, Lead) {
        match enter(joins, "a", "r", "12") {
            Entered::First(waiter, lead) => (waiter, lead),
            _ => panic!("it runs already"),
        }
    }

    #[tokio::test]
    async fn the_same_request_waits_for_the_first_and_others_do_not() {
        let joins = Joins::default();
        let (waiter, lead) = first(&joins);
        let Entered::Again(second) = enter(&joins, "a", "r", "12") else {
            panic!("it is the same")
        };
        // Another tenant, another name, another length: each a request of its own. Other bytes under the name: alone.
        for (tenant, name, message) in [("b", "r", "12"), ("a", "s", "12"), ("a", "r", "123")] {
            let other = enter(&joins, tenant, name, message);
            assert!(
                matches!(other, Entered::First(..)),
                "{tenant} {name} {message}"
            );
        }
        assert!(matches!(enter(&joins, "a", "r", "34"), Entered::Alone));
        joins.lead(lead, async { Ok(answered("done")) }).await;
        for waiter in [waiter, second] {
            assert_eq!(waiter.answer().await.unwrap().unwrap().bytes, "done");
        }
        // It is over, so the next one is a first again.
        first(&joins);
    }

    #[tokio::test]
    async fn when_the_first_goes_the_second_still_gets_its_answer_and_when_all_go_the_work_stops() {
        let joins = Arc::new(Joins::default());
        let lead = |lead, work: tokio::sync::oneshot::Receiver<()>| {
            let joins = Arc::clone(&joins);
            tokio::spawn(async move {
                let work = async {
                    let _ = work.await;
                    Ok(answered("done"))
                };
                joins.lead(lead, work).await;
            })
        };
        let (waiter, leading) = first(&joins);
        let Entered::Again(second) = enter(&joins, "a", "r", "12") else {
            panic!("it is the same")
        };
        let (go, gone) = tokio::sync::oneshot::channel();
        let task = lead(leading, gone);
        drop(waiter);
        tokio::task::yield_now().await;
        go.send(()).unwrap();
        assert_eq!(second.answer().await.unwrap().unwrap().bytes, "done");
        task.await.unwrap();
        let (waiter, leading) = first(&joins);
        let (go, gone) = tokio::sync::oneshot::channel();
        let task = lead(leading, gone);
        tokio::task::yield_now().await;
        drop(waiter);
        task.await.unwrap();
        // What the work waited for is gone with it.
        assert!(go.send(()).is_err());
        assert!(joins.running().is_empty());
    }
}
