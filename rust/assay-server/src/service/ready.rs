//! Specs made ready to score with, and what has to be found out elsewhere first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use assay_core::score::{Given, Scorer};
use assay_core::{Error, ErrorKind};
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Status;
use tonic::metadata::MetadataValue;

use super::{Call, Shared};
use crate::outside::Question;
use crate::pb;
use crate::pb::{score_request, stream_open};
use crate::results::SpecHash;
use crate::wire::{
    Item, KIND_KEY, UNKNOWN_SPEC, UNKNOWN_TOKENIZER, question, spec_from_wire, status,
};
use crate::work::cost;

/// What is kept of a call's time for scoring what was found out elsewhere, at most.
const LAST_MOMENT: Duration = Duration::from_millis(100);
/// Largest spec; those of trainers have some hundred bytes, those with a rubric some thousand.
const LARGEST_SPEC: usize = 256 << 10;
/// About what it takes to make a scorer, in tokens.
pub(super) const MAKING: u64 = 10_000;

/// What a caller says its items are worth.
pub(super) struct Spec {
    spec: Option<Source>,
    tokenizer_sha256: String,
}

enum Source {
    Whole(pb::RewardSpec),
    Hash(String),
}

impl Spec {
    pub(super) fn of_request(
        spec: Option<score_request::SpecSource>,
        tokenizer_sha256: String,
    ) -> Self {
        let source = |spec| match spec {
            score_request::SpecSource::Spec(spec) => Source::Whole(spec),
            score_request::SpecSource::SpecSha256(sha256) => Source::Hash(sha256),
        };
        Self {
            spec: spec.map(source),
            tokenizer_sha256,
        }
    }

    pub(super) fn of_stream(open: pb::StreamOpen) -> Self {
        let source = |spec| match spec {
            stream_open::SpecSource::Spec(spec) => Source::Whole(spec),
            stream_open::SpecSource::SpecSha256(sha256) => Source::Hash(sha256),
        };
        Self {
            spec: open.spec_source.map(source),
            tokenizer_sha256: open.tokenizer_sha256,
        }
    }
}

/// A spec made ready.
pub(super) struct Ready {
    pub(super) scorer: Scorer,
    /// Of the spec and the tokenizer; `None` when results may differ from call to call.
    pub(super) hash: Option<SpecHash>,
}

impl Ready {
    pub(super) fn components(&self) -> Vec<String> {
        self.scorer.component_names().map(str::to_owned).collect()
    }
}

impl Shared {
    /// The spec of a call, made ready on a scoring thread unless it is already.
    pub(super) async fn ready(
        self: &Arc<Self>,
        call: &Call,
        spec: Spec,
    ) -> Result<Arc<Ready>, Status> {
        let message = match spec.spec {
            Some(Source::Whole(message)) => Arc::new(message),
            Some(Source::Hash(sha256)) => {
                let registered = self.registered_specs.get(&sha256);
                self.metrics.cache("spec", registered.is_some());
                registered.ok_or_else(|| unknown("spec", &sha256))?
            }
            None => return Err(status(&Error::spec("the request has no spec"))),
        };
        check_size(&message)?;
        let key = (message.encode_to_vec(), spec.tokenizer_sha256);
        let kept = self.scorers.get(&key);
        self.metrics.cache("scorer", kept.is_some());
        if let Some(ready) = kept {
            return Ok(ready);
        }
        let make = move |shared: &Self| {
            let ready = Arc::new(shared.make(&message, &key)?);
            shared.scorers.insert(key, Arc::clone(&ready));
            Ok(ready)
        };
        self.run(call, MAKING, make).await
    }

    fn make(&self, message: &pb::RewardSpec, key: &(Vec<u8>, String)) -> Result<Ready, Status> {
        let mut scorer = spec_from_wire(message)
            .and_then(Scorer::new)
            .map_err(|error| status(&error))?;
        let (spec, tokenizer_sha256) = key;
        if !tokenizer_sha256.is_empty() {
            let configured = self
                .tokenizers
                .iter()
                .find(|tokenizer| tokenizer.sha256 == *tokenizer_sha256);
            let registered = self.registered_tokenizers.get(tokenizer_sha256);
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
        self.outside
            .check(scorer.spec())
            .map_err(|error| status(&error))?;
        let hash = || {
            let mut hash = Sha256::new();
            hash.update((spec.len() as u64).to_le_bytes());
            hash.update(spec);
            hash.update(tokenizer_sha256);
            hash.finalize().into()
        };
        let is_pure = scorer.outside().next().is_none();
        Ok(Ready {
            hash: is_pure.then(hash),
            scorer,
        })
    }

    /// What the outside components of a spec say of items; empty for a spec without.
    pub(super) async fn found_out(
        self: &Arc<Self>,
        call: &Call,
        ready: &Arc<Ready>,
        items: &Arc<Vec<Item>>,
    ) -> Result<Vec<Vec<Given>>, Status> {
        if ready.scorer.outside().next().is_none() || items.is_empty() {
            return Ok(Vec::new());
        }
        let (asking, about) = (Arc::clone(ready), Arc::clone(items));
        let questions = move |_: &Self| -> Result<Vec<Question>, Status> {
            let questions = about.iter().map(|item| question(item, &asking.scorer));
            Ok(questions.collect())
        };
        let questions = self.run(call, cost::of_items(items), questions).await?;
        // A little early, so that what is known by then can still be scored and sent.
        let until = call.deadline.map(|deadline: Instant| {
            let left = deadline.saturating_duration_since(Instant::now());
            (Instant::now() + left.saturating_sub((left / 10).min(LAST_MOMENT))).into()
        });
        let spec = ready.scorer.spec();
        Ok(self.outside.answer(spec, &questions, until).await)
    }
}

/// Many specs are kept, so none may be large.
pub(super) fn check_size(spec: &pb::RewardSpec) -> Result<(), Status> {
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
