//! `ScoreStream`: items as they come, results as they are finished.
//!
//! A reader takes items in and a writer sends results out, each a task of its own, so that a caller that does not read never
//! keeps one that does from being heard. What a stream holds is bounded by its window: an item is unanswered from its arrival
//! until its result was handed to the connection.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use assay_core::Error;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::gather::{passed, unfinished};
use super::job::{Deliver, Job, Parts};
use super::ready::{Ready, Spec};
use super::{Call, Shared};
use crate::observe::Counts;
use crate::pb;
use crate::pb::score_stream_request::Message as Asked;
use crate::pb::score_stream_response::Message as Told;
use crate::wire::{Item, status};
use crate::work::{GiveUp, Wanted, cost, too_late};

/// Items that a stream may hold.
const WINDOW: usize = 1024;
/// Messages between the writer and the connection.
const BUFFERED: usize = 2;

type Answer = Result<pb::ScoreStreamResponse, Status>;

/// The server's half of a stream. Dropped, because the caller has gone or has it all, it ends the tasks and gives the work up.
pub(crate) struct Results {
    answers: mpsc::Receiver<Answer>,
    _tasks: JoinSet<()>,
    _given_up_with_this: GiveUp,
}

impl Stream for Results {
    type Item = Answer;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Answer>> {
        self.answers.poll_recv(context)
    }
}

/// What the caller sends, message by message.
pub(super) trait Asks:
    Stream<Item = Result<pb::ScoreStreamRequest, Status>> + Send + Unpin + 'static
{
}

impl<S> Asks for S where
    S: Stream<Item = Result<pb::ScoreStreamRequest, Status>> + Send + Unpin + 'static
{
}

/// Reads what the items are worth, and starts the stream.
pub(super) async fn open(
    shared: &Arc<Shared>,
    call: Call,
    mut asked: impl Asks,
) -> Result<Results, Status> {
    let first = tokio::select! {
        first = asked.next() => first.transpose()?,
        () = passed(call.deadline) => return Err(too_late()),
    };
    let Some(Asked::Open(open)) = first.and_then(|first| first.message) else {
        return Err(wrong("the first message of a stream has to be `open`"));
    };
    call.seen.asked(&open.request_id, 0);
    let request_id = open.request_id.clone();
    let ready = shared.ready(&call, Spec::of_stream(open)).await?;
    let opened = pb::StreamOpened {
        request_id,
        components: ready.components(),
        window: WINDOW.min(shared.config.max_items) as u32,
    };
    let (out, answers) = mpsc::channel(BUFFERED);
    let (send, events) = mpsc::unbounded_channel();
    let wanted = Wanted::until(call.deadline);
    let given_up = wanted.guard();
    let stream = Arc::new(Open {
        shared: Arc::clone(shared),
        call,
        ready,
        window: opened.window as usize,
        wanted,
        send,
        unanswered: Mutex::default(),
    });
    let mut tasks = JoinSet::new();
    let reader = Arc::clone(&stream);
    tasks.spawn(async move { reader.read(asked).await });
    tasks.spawn(async move {
        // It fails only when the caller has gone.
        let _ = out.send(Ok(told(Told::Opened(opened)))).await;
        stream.write(events, &out).await;
    });
    Ok(Results {
        answers,
        _tasks: tasks,
        _given_up_with_this: given_up,
    })
}

fn told(message: Told) -> pb::ScoreStreamResponse {
    pb::ScoreStreamResponse {
        message: Some(message),
    }
}

fn wrong(message: impl Into<String>) -> Status {
    status(&Error::input(message.into()))
}

/// What the writer is told.
enum Event {
    /// Results of a message of items.
    Done(u64, Result<Vec<pb::ItemResult>, Status>),
    /// A message of items that has to be answered by then.
    Until(Instant, u64, Vec<String>),
    /// No more items will come. With a status the stream ends with it: at once, or when what was taken is answered.
    End(Option<Status>, When),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    Answered,
}

struct Open {
    shared: Arc<Shared>,
    call: Call,
    ready: Arc<Ready>,
    window: usize,
    /// By the caller of the stream.
    wanted: Wanted,
    send: UnboundedSender<Event>,
    /// The ids of unanswered items, and the number of the message that each came in.
    unanswered: Mutex<HashMap<String, u64>>,
}

impl Open {
    fn unanswered(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Event) {
        // It fails only when the writer has ended, and then nobody wants to know.
        let _ = self.send.send(event);
    }

    /// Takes items until there are no more, then waits for what is on its way.
    async fn read(self: Arc<Self>, mut asked: impl Asks) {
        let mut stopping = self.shared.stopping.subscribe();
        let mut found_out = JoinSet::new();
        let mut number = 0;
        let end = loop {
            let message = tokio::select! {
                message = asked.next() => message.transpose(),
                _ = stopping.wait_for(|stopping| *stopping) => {
                    let stopping = Status::unavailable("the server is stopping");
                    break Event::End(Some(stopping), When::Answered);
                }
            };
            let items = match message {
                Ok(Some(message)) => message.message,
                Ok(None) => break Event::End(None, When::Answered),
                Err(status) => break Event::End(Some(status), When::Now),
            };
            let Some(Asked::Items(items)) = items else {
                let status = wrong("after the first, each message of a stream has to be `items`");
                break Event::End(Some(status), When::Now);
            };
            number += 1;
            if let Err(status) = self.take(items, number, &mut found_out).await {
                break Event::End(Some(status), When::Now);
            }
            while found_out.try_join_next().is_some() {}
        };
        self.tell(end);
        while found_out.join_next().await.is_some() {}
    }

    /// Takes the items of message `number` and starts their work as soon as there is room.
    async fn take(
        self: &Arc<Self>,
        message: pb::StreamItems,
        number: u64,
        found_out: &mut JoinSet<()>,
    ) -> Result<(), Status> {
        let mut items: Vec<Item> = message.items.into_iter().map(Item::from).collect();
        self.shared.fill(&mut items)?;
        self.note(&items, number)?;
        self.call.seen.asked("", items.len());
        let own = (message.timeout_ms > 0)
            .then(|| Instant::now() + Duration::from_millis(message.timeout_ms.into()));
        let mut call = self.call.clone();
        call.deadline = [own, call.deadline].into_iter().flatten().min();
        if let Some(until) = call.deadline {
            let ids = items.iter().map(|item| item.id.to_string()).collect();
            self.tell(Event::Until(until, number, ids));
        }
        let admission = &self.shared.admission;
        let room = admission.wait(cost::of_items(&items), call.deadline).await;
        // Without room the deadline is over, and the writer answers.
        let Some(room) = room else {
            return Ok(());
        };
        let stream = Arc::clone(self);
        let items = Arc::new(items);
        let start = async move {
            let given = stream.shared.found_out(&call, &stream.ready, &items).await;
            match given {
                Ok(given) => {
                    let parts = Parts {
                        ready: Arc::clone(&stream.ready),
                        items,
                        given,
                        wanted: stream.wanted.by(call.deadline),
                        room,
                    };
                    stream.start(&call, number, parts);
                }
                Err(status) => stream.tell(Event::Done(number, Err(status))),
            }
        };
        if self.ready.scorer.outside().next().is_some() {
            found_out.spawn(start);
        } else {
            start.await;
        }
        Ok(())
    }

    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for an id that could be mistaken, or more items than the window has room for.
    fn note(&self, items: &[Item], number: u64) -> Result<(), Status> {
        if items.is_empty() {
            return Err(wrong("a message of a stream has no items"));
        }
        let mut unanswered = self.unanswered();
        if unanswered.len() + items.len() > self.window {
            return Err(wrong(format!(
                "{} items after {} unanswered ones: the window of the stream is {}",
                items.len(),
                unanswered.len(),
                self.window
            )));
        }
        for item in items {
            if item.id.is_empty() {
                return Err(wrong("an item of a stream has to have an id"));
            }
            if unanswered.insert(item.id.to_string(), number).is_some() {
                return Err(wrong(format!(
                    "the id {:?} belongs to an item that has no result yet",
                    item.id.chars().take(64).collect::<String>()
                )));
            }
        }
        Ok(())
    }

    fn start(&self, call: &Call, number: u64, parts: Parts) {
        let send = self.send.clone();
        let deliver: Deliver = Box::new(move |_, results| {
            let _ = send.send(Event::Done(number, results));
        });
        let job = Job::new(&self.shared, &call.seen, parts, deliver);
        self.shared.queue.push(&call.tenant, Arc::new(job));
    }

    /// Sends results until all items are answered and no more will come.
    async fn write(&self, mut events: UnboundedReceiver<Event>, out: &mpsc::Sender<Answer>) {
        let mut end = None;
        let mut due = Due::default();
        loop {
            if let Some(status) = &end
                && self.unanswered().is_empty()
            {
                if let Some(status) = status {
                    let _ = out.send(Err(Status::clone(status))).await;
                }
                return;
            }
            let event = tokio::select! {
                biased;
                event = events.recv() => event,
                () = passed(due.next()) => due.pop(),
                () = out.closed() => return,
            };
            let results = match event {
                Some(Event::Done(number, Ok(results))) => {
                    let first = self.answered(number, results);
                    due.answered(number, first.len());
                    first
                }
                Some(Event::Done(_, Err(status)) | Event::End(Some(status), When::Now)) => {
                    let _ = out.send(Err(status)).await;
                    return;
                }
                Some(Event::Until(until, number, ids)) => {
                    due.add(until, number, ids);
                    continue;
                }
                Some(Event::End(status, When::Answered)) => {
                    end = Some(status);
                    continue;
                }
                Some(Event::End(None, When::Now)) | None => return,
            };
            if results.is_empty() {
                continue;
            }
            // A reader that does not read keeps its items unanswered; it fails when the caller has gone.
            let Ok(room) = out.reserve().await else {
                return;
            };
            self.call.seen.answered(&Counts::of(&results));
            // Before they leave: the caller may send as many more as soon as it has them.
            let mut unanswered = self.unanswered();
            for result in &results {
                unanswered.remove(&result.id);
            }
            drop(unanswered);
            room.send(Ok(told(Told::Results(pb::StreamResults { results }))));
        }
    }

    /// Those of the results that are the first for their items.
    fn answered(&self, number: u64, results: Vec<pb::ItemResult>) -> Vec<pb::ItemResult> {
        let mut unanswered = self.unanswered();
        let mut first = results;
        // From now on the id belongs to no message, so that a second result, after the deadline, is none of anybody's.
        first.retain(|result| match unanswered.get_mut(&result.id) {
            Some(owner) if *owner == number => {
                *owner = 0;
                true
            }
            _ => false,
        });
        first
    }
}

/// Messages of items that have to be answered by a deadline.
#[derive(Default)]
struct Due {
    times: BTreeSet<(Instant, u64)>,
    /// For each message its deadline, its ids and how many are unanswered.
    messages: HashMap<u64, (Instant, Vec<String>, usize)>,
}

impl Due {
    fn add(&mut self, until: Instant, number: u64, ids: Vec<String>) {
        self.times.insert((until, number));
        let count = ids.len();
        self.messages.insert(number, (until, ids, count));
    }

    fn next(&self) -> Option<Instant> {
        self.times.first().map(|(until, _)| *until)
    }

    /// What the deadline that comes first says of its items.
    fn pop(&mut self) -> Option<Event> {
        let (_, number) = self.times.pop_first()?;
        let (_, ids, _) = self.messages.remove(&number)?;
        let results = ids.iter().map(|id| unfinished(id)).collect();
        Some(Event::Done(number, Ok(results)))
    }

    fn answered(&mut self, number: u64, count: usize) {
        let Some((until, _, left)) = self.messages.get_mut(&number) else {
            return;
        };
        *left = left.saturating_sub(count);
        if *left == 0 {
            let until = *until;
            self.times.remove(&(until, number));
            self.messages.remove(&number);
        }
    }
}
