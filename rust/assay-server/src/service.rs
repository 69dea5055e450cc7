//! The methods of `RewardService`: checks, the hand-over to the scoring pool, and back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use assay_core::score::Scorer;
use assay_core::spec::ComponentKind;
use assay_core::{Error, ErrorKind};
use prost::Message;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

use crate::cache::Cache;
use crate::pb::reward_service_server::RewardService;
use crate::pb::score_request::SpecSource;
use crate::tokenizer::Tokenizer;
use crate::wire::{Batch, spec_from_wire, status};
use crate::{Config, ServeError, pb};

/// Scorers kept ready. A trainer uses a handful of specs; a scorer with a tokenizer is tens of megabytes.
const CACHED_SCORERS: usize = 64;

/// The service. Cheap to clone; clones share the pool and the scorers.
#[derive(Clone)]
pub(crate) struct RewardServer {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    pool: rayon::ThreadPool,
    tokenizers: Vec<Tokenizer>,
    /// By the bytes of the spec message and the hash of the tokenizer.
    scorers: Cache<(Vec<u8>, String), Arc<Scorer>>,
}

impl RewardServer {
    pub(crate) fn new(config: Config) -> Result<Self, ServeError> {
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
                config,
                pool,
                tokenizers,
                scorers: Cache::new(CACHED_SCORERS),
            }),
        })
    }
}

impl Shared {
    fn scorer(&self, spec: &pb::RewardSpec, tokenizer_sha256: &str) -> Result<Arc<Scorer>, Status> {
        let key = (spec.encode_to_vec(), tokenizer_sha256.to_owned());
        if let Some(scorer) = self.scorers.get(&key) {
            return Ok(scorer);
        }
        let mut scorer = spec_from_wire(spec)
            .and_then(Scorer::new)
            .map_err(|error| status(&error))?;
        if !tokenizer_sha256.is_empty() {
            let tokenizer = self
                .tokenizers
                .iter()
                .find(|tokenizer| tokenizer.sha256 == tokenizer_sha256)
                .ok_or_else(|| unknown_tokenizer(tokenizer_sha256))?;
            scorer = scorer
                .with_tokenizer(&tokenizer.json)
                .map_err(|error| status(&error))?;
        }
        let scorer = Arc::new(scorer);
        self.scorers.insert(key, Arc::clone(&scorer));
        Ok(scorer)
    }

    fn score(&self, request: pb::ScoreRequest) -> Result<pb::ScoreResponse, Status> {
        let Some(SpecSource::Spec(spec)) = &request.spec_source else {
            return Err(status(&Error::spec("the request has no spec")));
        };
        let scorer = self.scorer(spec, &request.tokenizer_sha256)?;
        Batch::new(&request.items)
            .score(&scorer, request.request_id)
            .map_err(|error| status(&error))
    }
}

fn unknown_tokenizer(sha256: &str) -> Status {
    Status::failed_precondition(format!(
        "tokenizer {sha256} is not loaded here: start the server with --tokenizer and the same tokenizer.json"
    ))
}

#[tonic::async_trait]
impl RewardService for RewardServer {
    async fn score(
        &self,
        request: Request<pb::ScoreRequest>,
    ) -> Result<Response<pb::ScoreResponse>, Status> {
        let request = request.into_inner();
        let max_items = self.shared.config.max_items;
        if request.items.len() > max_items {
            let message = format!(
                "{} items in one request: send at most {max_items}",
                request.items.len()
            );
            return Err(status(&Error::new(ErrorKind::TooLarge, message)));
        }
        let (send, receive) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.pool.spawn(move || {
            // Scoring has no panics that we know of; one that we do not must cost one request and not the process.
            let result = catch_unwind(AssertUnwindSafe(|| shared.score(request)));
            // The caller may have gone; then nobody wants the result.
            let _ = send.send(result);
        });
        match receive.await {
            Ok(Ok(result)) => result.map(Response::new),
            _ => Err(status(&Error::new(
                ErrorKind::Internal,
                "scoring failed; the server's log has the place",
            ))),
        }
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
        }))
    }
}
