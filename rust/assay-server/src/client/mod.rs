//! Scoring on reward servers, with the results of `assay_core::score::Scorer`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use assay_core::{score::Item, spec::RewardSpec};
//! use assay_server::client::{Client, ClientOptions};
//! let spec = RewardSpec::from_json(r#"{"accuracy": 1.0, "format": 0.5}"#)?;
//! let client = Client::new("10.0.0.1:50051,10.0.0.2:50051", &spec, &ClientOptions::default())?;
//! let item = Item { completion: "It is 4.", reference: Some("4"), prompt: None };
//! let scores = client.run(client.texts(&[item])).await?;
//! assert_eq!(scores.total.len(), 1);
//! # Ok(())
//! # }
//! ```

mod decode;
mod encode;
mod error;
mod fleet;
mod given;
mod options;
mod retry;
mod stream;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use assay_core::score::{Item, Scores};
use assay_core::spec::RewardSpec;
use assay_core::{Error, Result as CoreResult};
use prost::bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};

use crate::pb;
use crate::pb::reward_service_client::RewardServiceClient;
use crate::wire::{AnswerCodec, UNKNOWN_TOKENIZER, spec_to_wire};
use encode::{Encoded, Template};
use error::translate;
pub use error::{ClientError, ClientErrorKind};
use fleet::{Fleet, Server, Target};
use options::Connection;
pub(crate) use options::Signature;
pub use options::{Balance, ClientOptions, Tls};
pub(crate) use retry::Budget;
pub use stream::{PartStream, Parts};
pub use trace::Trace;

/// Requests in flight for one batch: enough to keep the cores of a few servers busy while answers travel.
const WINDOW: usize = 16;
/// So near its deadline, a call that was cancelled was cancelled by it.
const CLOSE: Duration = Duration::from_millis(50);
/// The server's own limit has the last word; the advised request is below 8 MiB.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// A batch, cut into requests and encoded; [`Client::run`] sends it.
#[derive(Debug)]
pub struct Requests {
    encoded: Vec<Encoded>,
    count: usize,
    trace: Option<Trace>,
}

impl Requests {
    /// The trace that the requests belong to, instead of that of the thread that [runs](Client::run) them.
    #[must_use]
    pub fn traced(mut self, trace: Option<Trace>) -> Self {
        self.trace = trace.or(self.trace);
        self
    }
}

/// Scores on reward servers under one spec. Cheap to clone; clones share the connections.
///
/// A reference of 16 KiB or more, as a test-suite, is put on each server once and named from then on ([`Client::stream`] sends it
/// with every item).
///
/// Nothing is contacted before the first call. With several servers, requests take turns among them. A request that meets no
/// server is sent to another one, then again after a pause, within a budget; scoring is pure, so that is always safe.
/// Dropping the future of a call cancels it, on the servers too.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    fleet: Fleet,
    caller: Signature,
    budget: Budget,
    names: Vec<String>,
    template: Template,
    tokenizer_json: Option<Vec<u8>>,
    timeout: Duration,
    /// Whether calls without a trace begin one.
    traces: bool,
}

impl Client {
    /// A client of the servers at `target`: `HOST:PORT`, several of them separated by commas, or a gRPC target as in
    /// `dns:///rewards:50051` or `ipv4:10.0.0.1:50051,10.0.0.2:50051`. All addresses of a name are used.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a target that is none; `InvalidSpec` for a spec that the wire has no words for.
    pub fn new(
        target: &str,
        spec: &RewardSpec,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        let tokenizer_sha256 = options
            .tokenizer_json
            .as_deref()
            .map_or_else(String::new, crate::digest::sha256);
        let names = spec
            .components
            .iter()
            .map(|component| component.name.clone());
        Ok(Self {
            shared: Arc::new(Shared {
                fleet: Fleet::new(
                    Target::parse(target)?,
                    Connection {
                        tls: options.tls.clone(),
                        channels: options.channels.clamp(1, 64),
                        balance: options.balance,
                    },
                ),
                caller: Signature::new(options)?,
                budget: Budget::new(),
                names: names.collect(),
                template: Template::new(
                    spec_to_wire(spec)?,
                    &tokenizer_sha256,
                    spec.components
                        .iter()
                        .any(|component| component.kind.is_outside()),
                ),
                tokenizer_json: options.tokenizer_json.clone(),
                timeout: options.timeout,
                traces: options.trace,
            }),
        })
    }

    /// A batch of texts.
    pub fn texts(&self, items: &[Item<'_>]) -> Requests {
        Requests {
            encoded: self.shared.template.texts(items),
            count: items.len(),
            trace: None,
        }
    }

    /// A batch of token ids: completion `i` is `token_ids[offsets[i]..offsets[i + 1]]`. `prompts` may be empty; they travel if a
    /// component of the spec looks at them.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the client has no tokenizer, or the offsets are not as `Scorer::score_tokens` wants them.
    pub fn tokens(
        &self,
        token_ids: &[u32],
        offsets: &[i64],
        references: &[Option<&str>],
        prompts: &[Option<&str>],
    ) -> CoreResult<Requests> {
        if self.shared.tokenizer_json.is_none() {
            return Err(Error::input(
                "score_tokens: give the client the tokenizer that the ids belong to",
            ));
        }
        assay_core::score::check_offsets(token_ids.len(), offsets, references.len())?;
        let template = &self.shared.template;
        Ok(Requests {
            encoded: template.tokens(token_ids, offsets, references, prompts),
            count: references.len(),
            trace: None,
        })
    }

    /// Scores a batch, in its order.
    ///
    /// # Errors
    ///
    /// `Unavailable` when no server answers, `Deadline` after the timeout, `TooLarge`, `InvalidInput` or `InvalidSpec` when the
    /// server says so. There are either scores for all items or none.
    pub async fn run(&self, requests: Requests) -> Result<Scores, ClientError> {
        let mut scores = decode::empty(&self.shared.names, requests.count);
        let deadline = Instant::now() + self.shared.timeout;
        // Before the tasks below: they run on other threads.
        let trace = requests.trace.or_else(|| self.shared.trace());
        let mut waiting = requests.encoded.into_iter();
        if waiting.len() == 1 {
            // The usual batch needs no task of its own.
            for request in waiting {
                let response = self
                    .shared
                    .score(&request, deadline, trace.as_ref())
                    .await?;
                decode::place(response, &request.rows, &mut scores)?;
            }
            return Ok(scores);
        }
        // Dropped with this future, which cancels what is in flight.
        let mut running = JoinSet::new();
        let send = |running: &mut JoinSet<_>, request: Encoded| {
            let (shared, trace) = (Arc::clone(&self.shared), trace.clone());
            running.spawn(async move {
                let response = shared.score(&request, deadline, trace.as_ref()).await?;
                Ok::<_, ClientError>((response, request.rows))
            });
        };
        for request in waiting.by_ref().take(WINDOW) {
            send(&mut running, request);
        }
        while let Some(finished) = running.join_next().await {
            let (response, rows) = finished.map_err(|error| {
                ClientError::new(
                    ClientErrorKind::Internal,
                    format!("a request broke off: {error}"),
                )
            })??;
            decode::place(response, &rows, &mut scores)?;
            if let Some(request) = waiting.next() {
                send(&mut running, request);
            }
        }
        Ok(scores)
    }

    /// What the next server in turn is and can do.
    ///
    /// # Errors
    ///
    /// As [`Client::run`].
    pub async fn server_info(&self) -> Result<pb::GetServerInfoResponse, ClientError> {
        let deadline = Instant::now() + self.shared.timeout;
        let ask = |server: Arc<Server>, timeout| {
            let mut request = Request::new(pb::GetServerInfoRequest {});
            request.set_timeout(timeout);
            self.shared.caller.sign(request.metadata_mut());
            async move {
                let mut client = RewardServiceClient::new(server.channel());
                let response = client.get_server_info(request).await?;
                Ok(response.into_inner())
            }
        };
        self.shared.attempts(deadline, ask).await
    }
}

impl Shared {
    /// The trace of the thread that calls, or a new one if calls are to begin them.
    fn trace(&self) -> Option<Trace> {
        Trace::current().or_else(|| self.traces.then(Trace::fresh).flatten())
    }

    async fn score(
        &self,
        request: &Encoded,
        deadline: Instant,
        trace: Option<&Trace>,
    ) -> Result<pb::ScoreResponse, ClientError> {
        let send = |server: Arc<Server>, _| async move {
            let _unanswered = server.begin();
            self.send(&server, request, deadline, trace).await
        };
        self.attempts(deadline, send).await
    }

    /// One call of `Score`.
    async fn call(
        &self,
        server: &Server,
        bytes: Bytes,
        deadline: Instant,
        trace: Option<&Trace>,
    ) -> Result<pb::ScoreResponse, Status> {
        let mut message = Request::new(bytes);
        message.set_timeout(deadline.saturating_duration_since(Instant::now()));
        self.caller.sign(message.metadata_mut());
        if let Some(trace) = trace {
            trace.sign(message.metadata_mut());
        }
        let mut grpc = Grpc::new(server.channel())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::from_error(error.into()))?;
        let path = PathAndQuery::from_static("/assay.v1.RewardService/Score");
        let response = grpc
            .unary(message, path, AnswerCodec::<pb::ScoreResponse>::default())
            .await?;
        Ok(response.into_inner())
    }

    /// Makes a call, again and elsewhere as far as the status, the budget and the deadline allow.
    async fn attempts<T, F>(
        &self,
        deadline: Instant,
        call: impl Fn(Arc<Server>, Duration) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut tried = Vec::new();
        let mut reasons: Vec<String> = Vec::new();
        let (mut registered, mut pushed) = (0, 0);
        loop {
            let step = async {
                let servers = self.fleet.servers().await?;
                let server = self.fleet.pick(&servers, &tried);
                let server = server
                    .ok_or_else(|| error::no_server(&self.fleet.target.text, "no address"))?;
                let left = deadline.saturating_duration_since(Instant::now());
                let result = call(Arc::clone(&server), left).await;
                Ok::<_, ClientError>((server, servers.len(), result))
            };
            let Ok(outcome) = tokio::time::timeout_at(deadline, step).await else {
                return Err(self.too_late());
            };
            let (server, servers, result) = outcome?;
            let status = match result {
                Ok(response) => {
                    server.succeeded();
                    self.budget.success();
                    return Ok(response);
                }
                Err(status) => status,
            };
            // tonic's own clock, on either side, says CANCELLED, and so does a connection that breaks in its handshake.
            let broke = error::is_transport(&status) && Instant::now() + CLOSE < deadline;
            if matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded) && !broke {
                return Err(self.too_late());
            }
            if error::named_kind(&status) == Some(UNKNOWN_TOKENIZER) && registered < servers {
                registered += 1;
                self.register(&server, deadline).await?;
                continue;
            }
            if retry::is_pushed_back(&status) {
                pushed += 1;
                let pause = retry::pushed_back(&status, pushed, servers);
                match pause.filter(|pause| Instant::now() + *pause < deadline) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(translate(&status, &self.fleet.target.text)),
                }
                continue;
            }
            tried.push(server.address());
            let failure = self.failure(&status, &server, &mut reasons);
            let Some(pause) = retry::pause(&status, tried.len(), servers) else {
                return Err(failure);
            };
            server.failed();
            if !self.budget.failure() || Instant::now() + pause >= deadline {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// A status as an error; where no server answers, with what each of them said last.
    fn failure(&self, status: &Status, server: &Server, reasons: &mut Vec<String>) -> ClientError {
        let target = &self.fleet.target.text;
        let failure = translate(status, target);
        if failure.kind() != ClientErrorKind::Unavailable {
            return failure;
        }
        let address = format!("{}: ", server.address());
        reasons.retain(|reason| !reason.starts_with(&address));
        reasons.push(address + &error::innermost(status));
        if reasons.len() == 1 {
            return failure;
        }
        error::no_server(target, &reasons.join("; "))
    }

    /// Gives a server the tokenizer that it does not know, or has forgotten.
    async fn register(&self, server: &Server, deadline: Instant) -> Result<(), ClientError> {
        let tokenizer_json = self.tokenizer_json.clone().unwrap_or_default();
        let mut request = Request::new(pb::RegisterTokenizerRequest { tokenizer_json });
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        self.caller.sign(request.metadata_mut());
        let mut client =
            RewardServiceClient::new(server.channel()).max_encoding_message_size(MAX_MESSAGE_BYTES);
        match tokio::time::timeout_at(deadline, client.register_tokenizer(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(translate(&status, &self.fleet.target.text)),
            Err(_) => Err(self.too_late()),
        }
    }

    fn too_late(&self) -> ClientError {
        ClientError::new(
            ClientErrorKind::Deadline,
            format!(
                "the reward server at {} did not finish within {} s; raise timeout= or send less",
                self.fleet.target.text,
                self.timeout.as_secs_f64()
            ),
        )
    }
}
