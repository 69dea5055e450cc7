//! A batch in parts over one stream, each part as soon as it is finished.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use assay_core::score::{Item, Scores};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

use super::encode::{Encoded, REQUEST_BYTES, REQUEST_ITEMS};
use super::error::translate;
use super::fleet::Server;
use super::{Client, ClientError, ClientErrorKind, MAX_MESSAGE_BYTES, Shared, Trace};
use super::{decode, retry};
use crate::pb;
use crate::pb::item::Completion;
use crate::pb::reward_service_client::RewardServiceClient;
use crate::pb::score_stream_request::Message as Ask;
use crate::pb::score_stream_response::Message as Tell;

/// A batch, cut into parts; [`Client::stream`] sends it.
#[derive(Debug)]
pub struct Parts {
    parts: VecDeque<Part>,
    trace: Option<Trace>,
}

impl Parts {
    /// The trace that the stream belongs to, instead of that of the thread that starts it.
    #[must_use]
    pub fn traced(mut self, trace: Option<Trace>) -> Self {
        self.trace = trace.or(self.trace);
        self
    }
}

#[derive(Clone, Debug)]
struct Part {
    rows: Range<usize>,
    /// Each with its row as its id.
    items: Vec<pb::Item>,
}

/// Finished parts, in the order in which they finish. Dropping it gives up the others, on the servers too.
#[derive(Debug)]
pub struct PartStream {
    finished: mpsc::Receiver<Finished>,
    task: JoinHandle<()>,
}

type Finished = Result<(Range<usize>, Scores), ClientError>;

impl PartStream {
    /// The rows of the next part, and their scores; `None` after the last, and after an error.
    pub async fn next(&mut self) -> Option<Finished> {
        self.finished.recv().await
    }
}

impl Drop for PartStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// A batch of texts in parts of `size` items.
    pub fn parts(&self, items: &[Item<'_>], size: usize) -> Parts {
        let prompts = self.shared.template.prompts;
        let item = |(row, item): (usize, &Item<'_>)| pb::Item {
            id: row.to_string(),
            completion: Some(Completion::Text(item.completion.to_owned())),
            reference: item.reference.map(str::to_owned),
            prompt: item.prompt.filter(|_| prompts).map(str::to_owned),
            ..pb::Item::default()
        };
        let size = size.max(1);
        let part = |(index, part): (usize, &[Item<'_>])| {
            let first = index * size;
            let items = part.iter().enumerate();
            Part {
                rows: first..first + part.len(),
                items: items.map(|(row, one)| item((first + row, one))).collect(),
            }
        };
        Parts {
            parts: items.chunks(size).enumerate().map(part).collect(),
            trace: None,
        }
    }

    /// Scores the parts, at most `window` of them on their way at a time, over one stream of one server after the other. A
    /// stream that breaks goes on elsewhere with what has no result yet. Each part has the timeout of a call. To be called in
    /// a tokio runtime.
    pub fn stream(&self, parts: Parts, window: usize) -> PartStream {
        let (out, finished) = mpsc::channel(1);
        let trace = parts.trace.or_else(|| self.shared.trace());
        let mut driver = Driver {
            shared: Arc::clone(&self.shared),
            waiting: parts.parts,
            running: HashMap::new(),
            window: window.max(1),
            trace,
            out,
        };
        let task = tokio::spawn(async move {
            if let Err(error) = driver.drive().await {
                let _ = driver.out.send(Err(error)).await;
            }
        });
        PartStream { finished, task }
    }
}

/// A part that was sent or is about to be.
struct Running {
    part: Part,
    scores: Scores,
    /// For each row of it, whether its result is here.
    done: Vec<bool>,
    missing: usize,
    deadline: Instant,
}

/// An open stream.
struct Open {
    server: Arc<Server>,
    asks: mpsc::Sender<pb::ScoreStreamRequest>,
    tells: Streaming<pb::ScoreStreamResponse>,
    components: Vec<String>,
    /// Items that may still be sent.
    credit: usize,
}

/// Why an open stream is used no more.
enum Broke {
    /// By its server or on the way.
    Server(Status),
    /// For good.
    Here(ClientError),
}

struct Driver {
    shared: Arc<Shared>,
    waiting: VecDeque<Part>,
    /// By the number of their first row.
    running: HashMap<usize, Running>,
    window: usize,
    trace: Option<Trace>,
    out: mpsc::Sender<Finished>,
}

impl Driver {
    async fn drive(&mut self) -> Result<(), ClientError> {
        let mut failures = 0;
        while !(self.waiting.is_empty() && self.running.is_empty()) {
            self.fill();
            let Some(mut open) = self.open().await? else {
                return self.one_by_one().await;
            };
            let before = self.left();
            let status = match self.exchange(&mut open).await {
                Ok(()) => return Ok(()),
                Err(Broke::Here(error)) => return Err(error),
                Err(Broke::Server(status)) => status,
            };
            failures = if self.left() < before {
                1
            } else {
                failures + 1
            };
            let failure = translate(&status, &self.shared.fleet.target.text);
            let Some(pause) = retry::pause(&status, failures, 1) else {
                return Err(failure);
            };
            open.server.failed();
            if !self.shared.budget.failure() {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Results that are still to come.
    fn left(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|part| part.items.len()).sum();
        let running: usize = self.running.values().map(|running| running.missing).sum();
        waiting + running
    }

    /// Starts parts while the window has room. Returns the rows that are to be sent for it.
    fn fill(&mut self) -> Vec<usize> {
        let mut rows = Vec::new();
        while self.running.len() < self.window
            && let Some(part) = self.waiting.pop_front()
        {
            rows.extend(part.rows.clone());
            let count = part.items.len();
            let running = Running {
                scores: decode::empty(&self.shared.names, count),
                done: vec![false; count],
                missing: count,
                deadline: Instant::now() + self.shared.timeout,
                part,
            };
            self.running.insert(running.part.rows.start, running);
        }
        rows
    }

    /// A stream on the next server that takes one; `None` from servers that know no streams.
    async fn open(&self) -> Result<Option<Open>, ClientError> {
        let call = |server: Arc<Server>, _| {
            let open = pb::StreamOpen {
                spec_source: Some(pb::stream_open::SpecSource::Spec(
                    self.shared.template.spec.clone(),
                )),
                tokenizer_sha256: self.shared.template.tokenizer_sha256.clone(),
                ..pb::StreamOpen::default()
            };
            async move { self.open_on(server, open).await }
        };
        let deadline = Instant::now() + self.shared.timeout;
        self.shared.attempts(deadline, call).await
    }

    async fn open_on(
        &self,
        server: Arc<Server>,
        open: pb::StreamOpen,
    ) -> Result<Option<Open>, Status> {
        let (asks, asked) = mpsc::channel(1);
        let mut request = Request::new(ReceiverStream::new(asked));
        self.shared.caller.sign(request.metadata_mut());
        if let Some(trace) = &self.trace {
            trace.sign(request.metadata_mut());
        }
        // The channel has room for one.
        let _ = asks.try_send(ask(Ask::Open(open)));
        let mut client = RewardServiceClient::new(server.channel())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let mut tells = match client.score_stream(request).await {
            Ok(response) => response.into_inner(),
            Err(status) if status.code() == Code::Unimplemented => return Ok(None),
            Err(status) => return Err(status),
        };
        let first = match tells.message().await {
            Ok(first) => first.and_then(|first| first.message),
            Err(status) if status.code() == Code::Unimplemented => return Ok(None),
            Err(status) => return Err(status),
        };
        let Some(Tell::Opened(opened)) = first else {
            return Err(Status::internal("a stream did not begin with `opened`"));
        };
        Ok(Some(Open {
            server,
            asks,
            tells,
            components: opened.components,
            credit: (opened.window as usize).max(1),
        }))
    }

    /// Sends what is missing and takes results until nothing is.
    async fn exchange(&mut self, open: &mut Open) -> Result<(), Broke> {
        if !open.components.iter().eq(&self.shared.names) {
            return Err(Broke::Here(decode::foreign()));
        }
        let mut rows: VecDeque<usize> = self.unanswered();
        let Open {
            server,
            asks,
            tells,
            credit,
            ..
        } = open;
        loop {
            rows.extend(self.fill());
            if self.running.is_empty() {
                return Ok(());
            }
            let deadlines = self.running.values().map(|running| running.deadline);
            let until = deadlines.min().unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                told = tells.message() => {
                    let told = told.map_err(Broke::Server)?;
                    let early = || Status::unavailable("the stream ended before its results");
                    let told = told.ok_or_else(|| Broke::Server(early()))?;
                    *credit += self.told(told, server).await?;
                }
                room = asks.reserve(), if *credit > 0 && !rows.is_empty() => {
                    let Ok(room) = room else {
                        // The server has ended the stream; its reason is the next message.
                        rows.clear();
                        continue;
                    };
                    let items = self.next_items(&mut rows, *credit);
                    *credit -= items.items.len();
                    room.send(ask(Ask::Items(items)));
                }
                () = tokio::time::sleep_until(until) => {
                    return Err(Broke::Here(self.shared.too_late()));
                }
            }
        }
    }

    /// The rows of running parts that have no result.
    fn unanswered(&self) -> VecDeque<usize> {
        let mut rows: Vec<usize> = Vec::new();
        for running in self.running.values() {
            let all = running.part.rows.clone().zip(&running.done);
            rows.extend(all.filter(|(_, done)| !**done).map(|(row, _)| row));
        }
        rows.sort_unstable();
        rows.into()
    }

    fn place_of(&mut self, row: usize) -> Option<&mut Running> {
        let mut running = self.running.values_mut();
        running.find(|running| running.part.rows.contains(&row))
    }

    /// The first of these rows, as many as one message may have.
    fn next_items(&mut self, rows: &mut VecDeque<usize>, credit: usize) -> pb::StreamItems {
        let (mut items, mut bytes) = (Vec::new(), 0);
        let mut until: Option<Instant> = None;
        while items.len() < credit.min(REQUEST_ITEMS)
            && bytes < REQUEST_BYTES
            && let Some(row) = rows.pop_front()
        {
            let Some(running) = self.place_of(row) else {
                continue;
            };
            let item = running.part.items[row - running.part.rows.start].clone();
            bytes += prost::Message::encoded_len(&item);
            until = until.map_or(Some(running.deadline), |until| {
                Some(until.max(running.deadline))
            });
            items.push(item);
        }
        let left = until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        });
        // A little early, as the server is with the deadlines of calls: what is finished by then still comes back in time.
        let left = left.saturating_sub((left / 20).min(Duration::from_millis(50)));
        pb::StreamItems {
            items,
            timeout_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1),
        }
    }

    /// Takes results, and hands out the parts that they complete. Returns how many there were.
    async fn told(
        &mut self,
        told: pb::ScoreStreamResponse,
        server: &Server,
    ) -> Result<usize, Broke> {
        let Some(Tell::Results(results)) = told.message else {
            return Err(Broke::Here(decode::foreign()));
        };
        let count = results.results.len();
        self.shared.budget.success();
        server.succeeded();
        for result in results.results {
            let row: Option<usize> = result.id.parse().ok();
            let running = row.and_then(|row| Some((row, self.place_of(row)?)));
            let Some((row, running)) = running else {
                return Err(Broke::Here(decode::foreign()));
            };
            let (first, place) = (running.part.rows.start, row - running.part.rows.start);
            if std::mem::replace(&mut running.done[place], true) {
                return Err(Broke::Here(decode::foreign()));
            }
            decode::place_one(result, place, row, &mut running.scores).map_err(Broke::Here)?;
            running.missing -= 1;
            if running.missing == 0
                && let Some(running) = self.running.remove(&first)
            {
                let began = Instant::now();
                let part = (running.part.rows, running.scores);
                if self.out.send(Ok(part)).await.is_err() {
                    // Nobody listens; this task is about to be aborted.
                    std::future::pending::<()>().await;
                }
                // The time that the reader takes is not the server's.
                let took = began.elapsed();
                for running in self.running.values_mut() {
                    running.deadline += took;
                }
            }
        }
        Ok(count)
    }

    /// For servers without streams: each part is a request of its own.
    async fn one_by_one(&mut self) -> Result<(), ClientError> {
        let started = std::mem::take(&mut self.running);
        let mut parts: Vec<Part> = started.into_values().map(|running| running.part).collect();
        parts.sort_unstable_by_key(|part| part.rows.start);
        let mut parts = parts.into_iter().chain(std::mem::take(&mut self.waiting));
        let mut running = JoinSet::new();
        let send = |part: Part, running: &mut JoinSet<Finished>| {
            let (shared, trace) = (Arc::clone(&self.shared), self.trace.clone());
            running.spawn(async move {
                let bytes = shared.template.encoded(&part.items);
                let request = Encoded {
                    bytes,
                    rows: 0..part.items.len(),
                    ..Encoded::default()
                };
                let deadline = Instant::now() + shared.timeout;
                let response = shared.score(&request, deadline, trace.as_ref()).await?;
                let mut scores = decode::empty(&shared.names, part.items.len());
                decode::place(response, &request.rows, &mut scores)?;
                Ok((part.rows, scores))
            });
        };
        for part in parts.by_ref().take(self.window) {
            send(part, &mut running);
        }
        while let Some(finished) = running.join_next().await {
            let finished = finished.map_err(|error| {
                let message = format!("a request broke off: {error}");
                ClientError::new(ClientErrorKind::Internal, message)
            })??;
            if let Some(part) = parts.next() {
                send(part, &mut running);
            }
            if self.out.send(Ok(finished)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn ask(message: Ask) -> pb::ScoreStreamRequest {
    pb::ScoreStreamRequest {
        message: Some(message),
    }
}
