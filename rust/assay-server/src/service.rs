//! The methods of `RewardService`: checks, the hand-over to the scoring pool, and back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use assay_core::score::{Given, Scorer};
use assay_core::spec::ComponentKind;
use assay_core::{Error, ErrorKind};
use prost::Message;
use tokio::sync::oneshot;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use crate::cache::Cache;
use crate::log::log_texts;
use crate::observe::{BatchWatch, Metrics, Seen};
use crate::outside::{Outside, Question};
use crate::pb::reward_service_server::RewardService;
use crate::pb::score_request::SpecSource;
use crate::tokenizer::{Tokenizer, check_tokenizer, sha256};
use crate::wire::{
    Batch, KIND_KEY, UNKNOWN_SPEC, UNKNOWN_TOKENIZER, question, spec_from_wire, status,
};
use crate::work::{Admission, Wanted, deadline, too_late};
use crate::{Config, ServeError, pb};

/// Scorers kept ready. A trainer uses a handful of specs; a scorer with a tokenizer is tens of megabytes.
const CACHED_SCORERS: usize = 64;
/// What is kept of a call's time for scoring what was found out elsewhere, at most.
const LAST_MOMENT: Duration = Duration::from_millis(100);
/// Items scored between two looks at whether the result is still wanted.
const PART: usize = 256;
/// Registered tokenizers kept; each is up to a message long, and a run has one.
const REGISTERED_TOKENIZERS: usize = 8;
/// Registered specs kept.
const REGISTERED_SPECS: usize = 1024;
/// Largest spec; those of trainers have some hundred bytes, those with a rubric some thousand.
const LARGEST_SPEC: usize = 256 << 10;

/// The service. Cheap to clone; clones share the pool and the scorers.
#[derive(Clone)]
pub(crate) struct RewardServer {
    shared: Arc<Shared>,
}

/// A spec made ready, and what has to be found out for it.
type Inquiry = (Arc<Scorer>, Vec<Question>);

struct Shared {
    config: Config,
    pool: rayon::ThreadPool,
    tokenizers: Vec<Tokenizer>,
    /// By the bytes of the spec message and the hash of the tokenizer.
    scorers: Cache<(Vec<u8>, String), Arc<Scorer>>,
    /// What callers registered, by hash.
    registered_tokenizers: Cache<String, Arc<Vec<u8>>>,
    registered_specs: Cache<String, Arc<pb::RewardSpec>>,
    admission: Arc<Admission>,
    metrics: Metrics,
    outside: Outside,
}

impl RewardServer {
    pub(crate) fn new(config: Config, metrics: Metrics) -> Result<Self, ServeError> {
        let tokenizers = config
            .tokenizers
            .iter()
            .map(|path| Tokenizer::load(path))
            .collect::<Result<_, _>>()?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(config.scoring_threads())
            .thread_name(|index| format!("assay-score-{index}"))
            .build()
            .map_err(|error| ServeError::Io(error.to_string()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                admission: Arc::new(Admission::new(
                    config.max_held_bytes,
                    metrics.held_bytes.clone(),
                )),
                metrics,
                outside: Outside::new(&config.outside())?,
                config,
                pool,
                tokenizers,
                scorers: Cache::new(CACHED_SCORERS),
                registered_tokenizers: Cache::new(REGISTERED_TOKENIZERS),
                registered_specs: Cache::new(REGISTERED_SPECS),
            }),
        })
    }

    /// Starts a worker of each plug-in, so that one that cannot be imported is known before anybody calls.
    pub(crate) async fn start_plugins(&self) -> Result<(), ServeError> {
        self.shared.outside.start().await
    }
}

impl Shared {
    fn scorer(&self, spec: &pb::RewardSpec, tokenizer_sha256: &str) -> Result<Arc<Scorer>, Status> {
        check_size(spec)?;
        let key = (spec.encode_to_vec(), tokenizer_sha256.to_owned());
        let kept = self.scorers.get(&key);
        self.metrics.cache("scorer", kept.is_some());
        if let Some(scorer) = kept {
            return Ok(scorer);
        }
        let mut scorer = spec_from_wire(spec)
            .and_then(Scorer::new)
            .map_err(|error| status(&error))?;
        if !tokenizer_sha256.is_empty() {
            let configured = self
                .tokenizers
                .iter()
                .find(|tokenizer| tokenizer.sha256 == tokenizer_sha256);
            let registered = self.registered_tokenizers.get(&key.1);
            if configured.is_none() {
                self.metrics.cache("tokenizer", registered.is_some());
            }
            let json = configured
                .map(|tokenizer| tokenizer.json.as_slice())
                .or(registered.as_ref().map(|json| json.as_slice()))
                .ok_or_else(|| unknown("tokenizer", tokenizer_sha256))?;
            scorer = scorer
                .with_tokenizer(json)
                .map_err(|error| status(&error))?;
        }
        let scorer = Arc::new(scorer);
        self.scorers.insert(key, Arc::clone(&scorer));
        Ok(scorer)
    }

    /// The scorer of a request.
    fn scorer_of(&self, request: &pb::ScoreRequest) -> Result<Arc<Scorer>, Status> {
        let registered;
        let spec = match &request.spec_source {
            Some(SpecSource::Spec(spec)) => spec,
            Some(SpecSource::SpecSha256(sha256)) => {
                registered = self.registered_specs.get(sha256);
                self.metrics.cache("spec", registered.is_some());
                registered
                    .as_deref()
                    .ok_or_else(|| unknown("spec", sha256))?
            }
            None => return Err(status(&Error::spec("the request has no spec"))),
        };
        self.scorer(spec, &request.tokenizer_sha256)
    }

    /// What has to be found out before a request can be scored; nothing for a spec that the core computes alone.
    fn questions(
        &self,
        request: &pb::ScoreRequest,
        wanted: &Wanted,
    ) -> Result<Option<Inquiry>, Status> {
        wanted.check()?;
        let scorer = self.scorer_of(request)?;
        if scorer.outside().next().is_none() {
            return Ok(None);
        }
        self.outside
            .check(scorer.spec())
            .map_err(|error| status(&error))?;
        let questions = request.items.iter().map(|item| question(item, &scorer));
        let questions = questions.collect();
        Ok(Some((scorer, questions)))
    }

    /// Whether the spec of a request has a component that the core cannot compute; what is wrong with it shows later.
    fn asks_outside(&self, request: &pb::ScoreRequest) -> bool {
        let outside = |spec: &pb::RewardSpec| {
            let kinds = spec.components.iter().map(|component| &component.kind);
            kinds.flatten().any(|kind| {
                matches!(
                    kind,
                    pb::component::Kind::RewardModel(_) | pb::component::Kind::Plugin(_)
                )
            })
        };
        match &request.spec_source {
            Some(SpecSource::Spec(spec)) => outside(spec),
            Some(SpecSource::SpecSha256(sha256)) => self
                .registered_specs
                .get(sha256)
                .is_some_and(|spec| outside(&spec)),
            None => false,
        }
    }

    /// What the outside components of a request's spec say of its items; empty for a spec without.
    async fn found_out(
        self: &Arc<Self>,
        request: &Arc<pb::ScoreRequest>,
        deadline: Option<Instant>,
        seen: &Arc<Seen>,
    ) -> Result<Vec<Vec<Given>>, Status> {
        if !self.asks_outside(request) {
            return Ok(Vec::new());
        }
        let asking = Arc::clone(request);
        let work = move |shared: &Self, wanted: &Wanted| shared.questions(&asking, wanted);
        let Some((scorer, questions)) = self.run(deadline, seen, work).await?.into_inner() else {
            return Ok(Vec::new());
        };
        // A little early, so that what is known by then can still be scored and sent.
        let until = deadline.map(|deadline: Instant| {
            let left = deadline.saturating_duration_since(Instant::now());
            (Instant::now() + left.saturating_sub((left / 10).min(LAST_MOMENT))).into()
        });
        Ok(self.outside.answer(scorer.spec(), &questions, until).await)
    }

    fn score(
        &self,
        request: &pb::ScoreRequest,
        given: &[Vec<Given>],
        wanted: &Wanted,
        seen: &Seen,
    ) -> Result<pb::ScoreResponse, Status> {
        let scorer = self.scorer_of(request)?;
        let watch = BatchWatch::new(&self.metrics, &scorer);
        let mut results = Vec::with_capacity(request.items.len());
        for (index, part) in request.items.chunks(PART).enumerate() {
            wanted.check()?;
            let given = given.get(index * PART..).unwrap_or_default();
            let done = Batch::new(part).score(&scorer, given, &watch);
            results.extend(done.map_err(|error| status(&error))?);
        }
        if self.config.log_texts {
            log_texts(request, &results);
        }
        seen.answered(&results);
        Ok(pb::ScoreResponse {
            request_id: request.request_id.clone(),
            components: scorer.component_names().map(str::to_owned).collect(),
            results,
        })
    }

    /// Runs `work` on the scoring pool. Dropping the future gives the work up.
    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        deadline: Option<Instant>,
        seen: &Arc<Seen>,
        work: impl FnOnce(&Self, &Wanted) -> Result<T, Status> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        let (send, receive) = oneshot::channel();
        let (shared, wanted) = (Arc::clone(self), Wanted::until(deadline));
        let _given_up_with_this_future = wanted.guard();
        let waiting = self.metrics.waiting(Arc::clone(seen));
        self.pool.spawn_fifo(move || {
            let working = waiting.start();
            // Scoring has no panics that we know of; one that we do not must cost one request and not the process.
            let result = catch_unwind(AssertUnwindSafe(|| work(&shared, &wanted)));
            drop(working);
            // The caller may have gone; then nobody wants the result.
            let _ = send.send(result);
        });
        let never = std::future::pending();
        let over = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => never.await,
            }
        };
        let result = tokio::select! {
            result = receive => result,
            () = over => return Err(too_late()),
        };
        match result {
            Ok(Ok(result)) => result.map(Response::new),
            _ => Err(status(&Error::new(
                ErrorKind::Internal,
                "scoring failed; the server's log has the place",
            ))),
        }
    }
}

/// Many specs are kept, so none may be large.
fn check_size(spec: &pb::RewardSpec) -> Result<(), Status> {
    let size = spec.encoded_len();
    if size > LARGEST_SPEC {
        let message = format!("the spec has {size} bytes; at most {LARGEST_SPEC} are allowed");
        return Err(status(&Error::new(ErrorKind::TooLarge, message)));
    }
    Ok(())
}

/// The status for a hash that nothing is registered under; `what` is `tokenizer` or `spec`.
fn unknown(what: &'static str, sha256: &str) -> Status {
    let mut status = Status::failed_precondition(format!(
        "{what} {sha256} is not known here: register it, and send the request again"
    ));
    let kind = if what == "spec" {
        UNKNOWN_SPEC
    } else {
        UNKNOWN_TOKENIZER
    };
    status
        .metadata_mut()
        .insert(KIND_KEY, MetadataValue::from_static(kind));
    status
}

#[tonic::async_trait]
impl RewardService for RewardServer {
    async fn score(
        &self,
        request: Request<pb::ScoreRequest>,
    ) -> Result<Response<pb::ScoreResponse>, Status> {
        let deadline = deadline(request.metadata());
        let seen = Seen::of(&request);
        let request = request.into_inner();
        seen.asked(&request.request_id, request.items.len());
        let max_items = self.shared.config.max_items;
        if request.items.len() > max_items {
            let message = format!(
                "{} items in one request: send at most {max_items}",
                request.items.len()
            );
            return Err(status(&Error::new(ErrorKind::TooLarge, message)));
        }
        let room = self
            .shared
            .admission
            .admit(request.encoded_len(), request.items.len())
            .inspect_err(|_| self.shared.metrics.shed("overloaded"))?;
        let request = Arc::new(request);
        let given = self.shared.found_out(&request, deadline, &seen).await?;
        let told = Arc::clone(&seen);
        let work = move |shared: &Shared, wanted: &Wanted| {
            let _held_until_the_work_ends = room;
            shared.score(&request, &given, wanted, &told)
        };
        self.shared.run(deadline, &seen, work).await
    }

    async fn register_tokenizer(
        &self,
        request: Request<pb::RegisterTokenizerRequest>,
    ) -> Result<Response<pb::RegisterTokenizerResponse>, Status> {
        let deadline = deadline(request.metadata());
        let seen = Seen::of(&request);
        let json = request.into_inner().tokenizer_json;
        let work = move |shared: &Shared, _: &Wanted| {
            check_tokenizer(&json).map_err(|error| status(&error))?;
            let sha256 = sha256(&json);
            shared
                .registered_tokenizers
                .insert(sha256.clone(), Arc::new(json));
            Ok(pb::RegisterTokenizerResponse { sha256 })
        };
        self.shared.run(deadline, &seen, work).await
    }

    async fn register_spec(
        &self,
        request: Request<pb::RegisterSpecRequest>,
    ) -> Result<Response<pb::RegisterSpecResponse>, Status> {
        let spec = request.into_inner().spec.unwrap_or_default();
        check_size(&spec)?;
        spec_from_wire(&spec)
            .and_then(Scorer::new)
            .map_err(|error| status(&error))?;
        let sha256 = sha256(&spec.encode_to_vec());
        self.shared
            .registered_specs
            .insert(sha256.clone(), Arc::new(spec));
        Ok(Response::new(pb::RegisterSpecResponse { sha256 }))
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
        Ok(Response::new(pb::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            component_kinds: ComponentKind::NAMES
                .iter()
                .map(|&kind| kind.to_owned())
                .collect(),
            limits: Some(pb::Limits {
                max_message_bytes: shared.config.max_message_bytes as u64,
                max_items: shared.config.max_items as u64,
            }),
            tokenizers: shared.tokenizers.iter().map(tokenizer).collect(),
            threads: shared.pool.current_num_threads() as u32,
            reward_models: shared.outside.reward_models(),
            plugins: shared.outside.plugins(),
        }))
    }
}
