//! `Score` from its bytes to those of its answer, and `ScoreStream` from the bytes of its requests. What is large is read and
//! written on threads that may block, and what cannot be done in time is turned away before it is read.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::Message;
use prost::bytes::Bytes;
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tower::Service;

use super::gather::passed;
use super::join::{Answer, Answered, Entered};
use super::once::broken;
use super::ready::Spec;
use super::{Call, RewardServer, Shared, stream};
use crate::observe::Counts;
use crate::pb;
use crate::pb::item_result::Outcome;
use crate::pb::reward_service_server::RewardServiceServer;
use crate::wire::{BytesCodec, RequestBytes, ScoreRequest, stream_request};
use crate::work::{SCORE, cost, too_late};

/// A longer request is read, and an answer of more items written and what they name looked up, where it may block: that takes a quarter
/// of a millisecond and more.
const LONG_REQUEST: usize = 256 << 10;
const LONG_ANSWER: usize = 4096;

const STREAM: &str = "/assay.v1.RewardService/ScoreStream";

/// The whole service: `Score` and `ScoreStream` by their bytes, everything else by the generated code.
#[derive(Clone)]
pub(crate) struct Rewards {
    server: RewardServer,
    others: RewardServiceServer<RewardServer>,
    longest: usize,
}

impl Rewards {
    /// With messages of at most so many bytes in either direction.
    pub(crate) fn new(server: RewardServer, max_message_bytes: usize) -> Self {
        Self {
            others: RewardServiceServer::new(server.clone())
                .max_decoding_message_size(max_message_bytes)
                .max_encoding_message_size(max_message_bytes),
            server,
            longest: max_message_bytes,
        }
    }
}

impl NamedService for Rewards {
    const NAME: &'static str = <RewardServiceServer<RewardServer> as NamedService>::NAME;
}

type Coming<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Service<http::Request<Body>> for Rewards {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Coming<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.server.shared);
        match request.uri().path() {
            SCORE => {}
            STREAM => {
                let mut grpc = Grpc::new(RequestBytes::default())
                    .max_decoding_message_size(self.longest)
                    .max_encoding_message_size(self.longest);
                let streams = Streams(shared);
                return Box::pin(async move { Ok(grpc.streaming(streams, request).await) });
            }
            _ => return self.others.call(request),
        }
        let mut grpc = Grpc::new(BytesCodec)
            .max_decoding_message_size(self.longest)
            .max_encoding_message_size(self.longest);
        let score = Score(shared);
        Box::pin(async move { Ok(grpc.unary(score, request).await) })
    }
}

struct Score(Arc<Shared>);

impl UnaryService<Bytes> for Score {
    type Response = Bytes;
    type Future = Coming<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        let call = Call::of(&request);
        Box::pin(async move {
            let answer = shared.score_bytes(call, request.into_inner()).await?;
            Ok(Response::new(answer))
        })
    }
}

struct Streams(Arc<Shared>);

impl StreamingService<Bytes> for Streams {
    type Response = pb::ScoreStreamResponse;
    type ResponseStream = stream::Results;
    type Future = Coming<Result<Response<stream::Results>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        let call = Call::of(&request);
        let asked = request.into_inner().then(|message| async move {
            let message = message?;
            let is_short = message.len() < LONG_REQUEST;
            reading(is_short, move || stream_request(message)).await
        });
        Box::pin(async move {
            let results = stream::open(&shared, call, Box::pin(asked)).await?;
            Ok(Response::new(results))
        })
    }
}

/// Reads a message, or what its items name, here if it is short.
async fn reading<T: Send + 'static>(
    is_short: bool,
    read: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    if is_short {
        return read();
    }
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|_| Err(broken()))
}

impl Shared {
    /// Answers a `ScoreRequest` with a `ScoreResponse`.
    async fn score_bytes(self: &Arc<Self>, call: Call, message: Bytes) -> Result<Bytes, Status> {
        // It costs at least this much, and reading it is work, too.
        self.gate
            .in_time(&call.tenant, cost::of_bytes(message.len()), call.deadline)?;
        let request = self.read(message.clone()).await?;
        call.seen
            .asked(&request.head.request_id, request.items.len());
        let seen = Arc::clone(&call.seen);
        let answered = self.joined(call, request, &message).await?;
        seen.answered(&answered.counts);
        Ok(answered.bytes)
    }

    async fn read(&self, message: Bytes) -> Result<ScoreRequest, Status> {
        let max_items = self.config.max_items;
        let is_short = message.len() < LONG_REQUEST;
        reading(is_short, move || ScoreRequest::decode(message, max_items)).await
    }

    /// The answer to a request; to one that is worked on already, the same as whoever sent it first gets.
    async fn joined(
        self: &Arc<Self>,
        call: Call,
        request: ScoreRequest,
        message: &Bytes,
    ) -> Answer {
        let name = &request.head.request_id;
        if name.is_empty() {
            return self.written(&call, request).await;
        }
        let entered = self.joins.enter(&call.tenant, name, message);
        let is_again = matches!(entered, Entered::Again(_));
        self.metrics.cache("request", is_again);
        match entered {
            Entered::Alone => self.written(&call, request).await,
            Entered::First(waiter, lead) => {
                let shared = Arc::clone(self);
                // A task of its own: the first caller may go while a second one waits.
                tokio::spawn(async move {
                    let work = shared.written(&call, request);
                    shared.joins.lead(lead, work).await;
                });
                waiter.answer().await.unwrap_or_else(|| Err(broken()))
            }
            Entered::Again(waiter) => {
                let first = tokio::select! {
                    answer = waiter.answer() => answer,
                    () = passed(call.deadline) => return Err(too_late()),
                };
                match first {
                    Some(Ok(answered)) if answered.is_whole => Ok(answered),
                    // The first had less time, or no luck; that says nothing of this one.
                    _ => self.written(&call, request).await,
                }
            }
        }
    }

    /// The answer as bytes.
    async fn written(self: &Arc<Self>, call: &Call, request: ScoreRequest) -> Answer {
        let response = self.answer(call, request).await?;
        let is_long = response.results.len() > LONG_ANSWER;
        let write = move || Answered {
            counts: Counts::of(&response.results),
            is_whole: response.results.iter().all(is_looked_at),
            bytes: response.encode_to_vec().into(),
        };
        if !is_long {
            return Ok(write());
        }
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|_| broken())
    }

    /// Scores a request.
    pub(super) async fn answer(
        self: &Arc<Self>,
        call: &Call,
        request: ScoreRequest,
    ) -> Result<pb::ScoreResponse, Status> {
        let ScoreRequest { head, mut items } = request;
        let is_short = items.len() <= LONG_ANSWER;
        let shared = Arc::clone(self);
        let fill = move || {
            let found = shared.fill(&mut items)?;
            Ok((items, found))
        };
        let (items, references_found) = reading(is_short, fill).await?;
        let room = self.admit(call, cost::of_items(&items))?;
        let spec = Spec::of_request(head.spec_source, head.tokenizer_sha256);
        let ready = self.ready(call, spec).await?;
        let items = Arc::new(items);
        let results = self.score(call, &ready, &items, room).await?;
        Ok(pb::ScoreResponse {
            request_id: head.request_id,
            components: ready.components(),
            results,
            references_found,
        })
    }
}

/// Whether a request that is sent again may get this, too.
fn is_looked_at(result: &pb::ItemResult) -> bool {
    match &result.outcome {
        Some(Outcome::Error(error)) => {
            use pb::ErrorCode::{Deadline, UnknownReference};
            !matches!(error.code(), Deadline | UnknownReference)
        }
        _ => true,
    }
}
