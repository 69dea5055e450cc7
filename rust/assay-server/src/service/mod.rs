//! The methods of `RewardService`: checks, the hand-over to the scoring threads, and back.

mod gather;
mod job;
mod join;
mod once;
mod ready;
mod score;
mod stream;
mod threads;

use std::sync::Arc;
use std::time::Instant;

use assay_core::score::Scorer;
use assay_core::spec::ComponentKind;
use assay_core::{Error, ErrorKind};
use prost::Message;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::cache::Cache;
use crate::digest::sha256;
use crate::observe::{Metrics, Seen};
use crate::outside::Outside;
use crate::pb::reward_service_server::RewardService;
use crate::results::Results;
use crate::suites::Suites;
use crate::tokenizer::{Tokenizer, check_tokenizer};
use crate::wire::{Item, ScoreRequest, spec_from_wire, status};
use crate::work::{Admission, Admitted, Arrival, FULL, Gate, Queue, cost, deadline, overloaded};
use crate::{Config, ServeError, pb, tenant};
use join::Joins;
use ready::{MAKING, Ready, check_size};
pub(crate) use score::Rewards;
use threads::Threads;

/// Scorers kept ready. A trainer uses a handful of specs; a scorer with a tokenizer is tens of megabytes.
const CACHED_SCORERS: usize = 64;
/// Registered tokenizers kept; each is up to a message long, and a run has one.
const REGISTERED_TOKENIZERS: usize = 8;
/// Registered specs kept.
const REGISTERED_SPECS: usize = 1024;

/// The service. Cheap to clone; clones share the threads and the scorers.
#[derive(Clone)]
pub(crate) struct RewardServer {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    queue: Arc<Queue>,
    /// Ends the threads when the last request is done.
    threads: Threads,
    tokenizers: Vec<Tokenizer>,
    /// By the bytes of the spec message and the hash of the tokenizer.
    scorers: Cache<(Vec<u8>, String), Arc<Ready>>,
    /// What callers registered, by hash.
    registered_tokenizers: Cache<String, Arc<Vec<u8>>>,
    registered_specs: Cache<String, Arc<pb::RewardSpec>>,
    suites: Suites,
    admission: Arc<Admission>,
    gate: Gate,
    results: Results,
    joins: Joins,
    metrics: Metrics,
    outside: Outside,
    /// Turns true when the server stops: streams then take no more items.
    stopping: watch::Sender<bool>,
}

/// What is known of a call from its headers.
#[derive(Clone)]
struct Call {
    deadline: Option<Instant>,
    tenant: Arc<str>,
    seen: Arc<Seen>,
}

impl Call {
    fn of<T>(request: &Request<T>) -> Self {
        let headers = request.metadata().as_ref();
        let arrival = request.extensions().get::<Arc<Arrival>>();
        let arrived = arrival.map(|arrival| {
            arrival.complete();
            arrival.at()
        });
        Self {
            deadline: deadline(headers, arrived.unwrap_or_else(Instant::now)),
            tenant: tenant::of(request.extensions(), headers),
            seen: Seen::of(request),
        }
    }
}

impl RewardServer {
    pub(crate) fn new(config: Config, metrics: Metrics) -> Result<Self, ServeError> {
        let tokenizers = config
            .tokenizers
            .iter()
            .map(|path| Tokenizer::load(path))
            .collect::<Result<_, _>>()?;
        let weights = config.tenant_weights()?;
        let queue = Arc::new(Queue::new(config.scoring_threads(), weights));
        let held = metrics.held_tokens.clone();
        let admission = Arc::new(Admission::new(config.max_queued_tokens, held));
        let gate = Gate::new(
            Arc::clone(&admission),
            Arc::clone(&queue),
            config.max_wait(),
            metrics.clone(),
        );
        Ok(Self {
            shared: Arc::new(Shared {
                threads: Threads::start(config.scoring_threads(), &queue)?,
                queue,
                admission,
                gate,
                metrics,
                results: Results::new(config.result_cache_bytes),
                suites: Suites::new(config.tests_cache_bytes),
                joins: Joins::default(),
                outside: Outside::new(&config.outside())?,
                config,
                tokenizers,
                scorers: Cache::new(CACHED_SCORERS),
                registered_tokenizers: Cache::new(REGISTERED_TOKENIZERS),
                registered_specs: Cache::new(REGISTERED_SPECS),
                stopping: watch::Sender::new(false),
            }),
        })
    }

    /// Starts a worker of each plug-in, so that one that cannot be imported is known before anybody calls.
    pub(crate) async fn start_plugins(&self) -> Result<(), ServeError> {
        self.shared.outside.start().await
    }

    /// The layer that turns requests away before they are read.
    pub(crate) fn gate(&self) -> Gate {
        self.shared.gate.clone()
    }

    /// Tells streams that the server stops once this is called.
    pub(crate) fn stopper(&self) -> impl FnOnce() + Send + use<> {
        let stopping = self.shared.stopping.clone();
        move || {
            stopping.send_replace(true);
        }
    }
}

impl Shared {
    /// Room for work of this cost, or the reason why there is none.
    fn admit(&self, call: &Call, cost: u64) -> Result<Admitted, Status> {
        self.gate.in_time(&call.tenant, cost, call.deadline)?;
        self.admission.admit(cost).ok_or_else(|| {
            self.metrics.shed("overloaded");
            overloaded(FULL)
        })
    }

    /// Gives items the references that they name. Returns how many got one.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` when they are more than the server may hold at all: a name is short, whatever it stands for.
    fn fill(&self, items: &mut [Item]) -> Result<u64, Status> {
        let found = self.suites.fill(items);
        self.metrics.cache_many("tests", found.hits, found.misses);
        let most = self.config.max_queued_tokens;
        if found.hits > 0 && cost::of_items(items) > most {
            let message = format!(
                "the items and what they name are more than {most} tokens: send fewer at a time"
            );
            return Err(status(&Error::new(ErrorKind::TooLarge, message)));
        }
        Ok(found.hits)
    }

    fn register_tokenizer(&self, json: Vec<u8>) -> Result<String, Status> {
        check_tokenizer(&json).map_err(|error| status(&error))?;
        let sha256 = sha256(&json);
        self.registered_tokenizers
            .insert(sha256.clone(), Arc::new(json));
        Ok(sha256)
    }
}

#[tonic::async_trait]
impl RewardService for RewardServer {
    type ScoreStreamStream = stream::Results;

    async fn score(
        &self,
        request: Request<pb::ScoreRequest>,
    ) -> Result<Response<pb::ScoreResponse>, Status> {
        // Over the network `Rewards` answers this method by its bytes; the trait wants it whole, too.
        let call = Call::of(&request);
        let request = ScoreRequest::from(request.into_inner());
        let response = self.shared.answer(&call, request).await?;
        Ok(Response::new(response))
    }

    async fn score_stream(
        &self,
        request: Request<tonic::Streaming<pb::ScoreStreamRequest>>,
    ) -> Result<Response<stream::Results>, Status> {
        let call = Call::of(&request);
        let results = stream::open(&self.shared, call, request.into_inner()).await?;
        Ok(Response::new(results))
    }

    async fn register_tokenizer(
        &self,
        request: Request<pb::RegisterTokenizerRequest>,
    ) -> Result<Response<pb::RegisterTokenizerResponse>, Status> {
        let call = Call::of(&request);
        let json = request.into_inner().tokenizer_json;
        let cost = json.len() as u64;
        let work = move |shared: &Shared| shared.register_tokenizer(json);
        let sha256 = self.shared.run(&call, cost, work).await?;
        Ok(Response::new(pb::RegisterTokenizerResponse { sha256 }))
    }

    async fn register_spec(
        &self,
        request: Request<pb::RegisterSpecRequest>,
    ) -> Result<Response<pb::RegisterSpecResponse>, Status> {
        let call = Call::of(&request);
        let spec = request.into_inner().spec.unwrap_or_default();
        check_size(&spec)?;
        let work = move |shared: &Shared| {
            spec_from_wire(&spec)
                .and_then(Scorer::new)
                .map_err(|error| status(&error))?;
            let sha256 = sha256(&spec.encode_to_vec());
            shared
                .registered_specs
                .insert(sha256.clone(), Arc::new(spec));
            Ok(sha256)
        };
        let sha256 = self.shared.run(&call, MAKING, work).await?;
        Ok(Response::new(pb::RegisterSpecResponse { sha256 }))
    }

    async fn put_tests(
        &self,
        request: Request<pb::PutTestsRequest>,
    ) -> Result<Response<pb::PutTestsResponse>, Status> {
        let call = Call::of(&request);
        let tests = request.into_inner().tests;
        let cost = cost::of_bytes(tests.len());
        let work = move |shared: &Shared| shared.suites.put(tests).map_err(|error| status(&error));
        let sha256 = self.shared.run(&call, cost, work).await?;
        Ok(Response::new(pb::PutTestsResponse { sha256 }))
    }

    async fn get_server_info(
        &self,
        _request: Request<pb::GetServerInfoRequest>,
    ) -> Result<Response<pb::GetServerInfoResponse>, Status> {
        let shared = &self.shared;
        let tokenizer = |tokenizer: &Tokenizer| pb::TokenizerInfo {
            sha256: tokenizer.sha256.clone(),
            name: tokenizer.name.clone(),
        };
        let registered = shared.registered_tokenizers.keys().into_iter();
        let registered = registered.map(|sha256| pb::TokenizerInfo {
            sha256,
            name: String::new(),
        });
        Ok(Response::new(pb::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            component_kinds: ComponentKind::NAMES
                .iter()
                .map(|&kind| kind.to_owned())
                .collect(),
            limits: Some(pb::Limits {
                max_message_bytes: shared.config.max_message_bytes as u64,
                max_items: shared.config.max_items as u64,
                max_tests_bytes: shared.suites.longest() as u64,
            }),
            tokenizers: shared
                .tokenizers
                .iter()
                .map(tokenizer)
                .chain(registered)
                .collect(),
            threads: shared.threads.count() as u32,
            spec_schema_sha256: pb::SPEC_SCHEMA_SHA256.to_owned(),
            sandbox: "none".to_owned(),
            reward_models: shared.outside.reward_models(),
            plugins: shared.outside.plugins(),
        }))
    }
}
