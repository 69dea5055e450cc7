//! A reward model or judge behind an endpoint.

use std::sync::Arc;
use std::time::Duration;

use assay_core::score::Given;
use assay_core::spec::{RewardModel, RewardModelMode};
use prost::bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::config::{Api, EndpointConfig};
use super::http::{Failure, Next, Poster};
use super::judge::grade;
use super::template::fill;
use super::{Asked, batches};
use crate::ServeError;
use crate::client::Budget;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const CHAT: &str = "/v1/chat/completions";

/// One configured endpoint. Its connections, its places and its budget of retries are shared by all that use it.
#[derive(Debug)]
pub(super) struct Endpoint {
    name: String,
    poster: Poster,
    api: Api,
    model: String,
    timeout: Duration,
    batch: usize,
    retries: u32,
    places: Semaphore,
    budget: Budget,
}

impl Endpoint {
    pub(super) fn new(name: &str, settings: &EndpointConfig) -> Result<Self, ServeError> {
        let wrong = |field: &str, why: &str| {
            ServeError::Config(format!("reward_model.{name}: `{field}`: {why}"))
        };
        for (field, value) in [
            ("batch", settings.batch),
            ("concurrency", settings.concurrency),
            ("timeout_seconds", settings.timeout_seconds as usize),
        ] {
            if !(1..=1_000_000).contains(&value) {
                return Err(wrong(field, "must be 1 to 1000000"));
            }
        }
        let key = match &settings.api_key_env {
            None => None,
            Some(variable) => match std::env::var(variable) {
                Ok(key) if !key.is_empty() => Some(key),
                _ => {
                    let why = format!("the environment variable {variable} is not set");
                    return Err(wrong("api_key_env", &why));
                }
            },
        };
        Ok(Self {
            name: name.to_owned(),
            poster: Poster::new(&settings.url, key.as_deref()).map_err(|why| wrong("url", &why))?,
            api: settings.api,
            model: settings.model.clone(),
            timeout: Duration::from_secs(settings.timeout_seconds),
            batch: settings.batch,
            retries: settings.retries,
            places: Semaphore::new(settings.concurrency),
            budget: Budget::new(),
        })
    }

    /// A value or a reason for each text.
    pub(super) async fn values(
        endpoint: &Arc<Self>,
        options: &RewardModel,
        asked: Vec<Asked>,
        until: Option<Instant>,
    ) -> Vec<(usize, Given)> {
        let options = Arc::new(options.clone());
        let size = match options.mode {
            RewardModelMode::Classify => endpoint.batch,
            RewardModelMode::Judge => 1,
        };
        let mut parts = Vec::new();
        let mut waiting = asked.into_iter().peekable();
        while waiting.peek().is_some() {
            parts.push(waiting.by_ref().take(size).collect());
        }
        batches(parts, until, |part| {
            let (endpoint, options) = (Arc::clone(endpoint), Arc::clone(&options));
            async move { endpoint.part(&options, part).await }
        })
        .await
    }

    async fn part(&self, options: &RewardModel, part: Vec<Asked>) -> Vec<(usize, Given)> {
        let mut values = Vec::with_capacity(part.len());
        let mut texts = Vec::with_capacity(part.len());
        for asked in &part {
            match fill(options, asked) {
                Ok(text) => texts.push((asked.row, text)),
                Err(reason) => values.push((asked.row, Err(self.named(&reason)))),
            }
        }
        let found = match options.mode {
            RewardModelMode::Classify => self.classified(options, &texts).await,
            RewardModelMode::Judge => self.judged(options, &texts).await,
        };
        let rows = texts.iter().map(|(row, _)| *row);
        values.extend(
            rows.zip(
                found
                    .into_iter()
                    .map(|value| value.map_err(|reason| self.named(&reason))),
            ),
        );
        values
    }

    fn named(&self, reason: &str) -> String {
        format!("reward model `{}`: {reason}", self.name)
    }

    async fn classified(&self, options: &RewardModel, texts: &[(usize, String)]) -> Vec<Given> {
        if texts.is_empty() {
            return Vec::new();
        }
        let all: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        let failure = match self.classify(options, &all).await {
            Ok(values) => return values,
            Err(failure) => failure,
        };
        if failure.next != Next::Split || all.len() == 1 {
            return vec![Err(failure.reason); all.len()];
        }
        // One text that the server cannot take must not cost the others their values.
        let mut values = Vec::with_capacity(all.len());
        for text in all {
            values.push(match self.classify(options, &[text]).await {
                Ok(mut one) => one
                    .pop()
                    .unwrap_or_else(|| Err("it gave no result".to_owned())),
                Err(failure) => Err(failure.reason),
            });
        }
        values
    }

    async fn classify(&self, options: &RewardModel, texts: &[&str]) -> Result<Vec<Given>, Failure> {
        let body = self.api.request(&self.model, texts).to_string();
        let response = self.send(self.api.path(), body.into()).await?;
        self.api
            .outputs(&response, texts.len(), options.class)
            .map_err(|reason| Failure::new(reason, Next::GiveUp))
    }

    async fn judged(&self, options: &RewardModel, texts: &[(usize, String)]) -> Vec<Given> {
        let mut values = Vec::with_capacity(texts.len());
        for (_, text) in texts {
            values.push(self.judge(options, text).await);
        }
        values
    }

    async fn judge(&self, options: &RewardModel, text: &str) -> Given {
        let mut messages = Vec::new();
        if let Some(system) = &options.system {
            messages.push(json!({"role": "system", "content": system}));
        }
        messages.push(json!({"role": "user", "content": text}));
        let body = json!({
            "model": self.model,
            "messages": messages,
            "temperature": 0,
            "seed": 0,
            "max_tokens": options.max_tokens,
            "stream": false,
        });
        let sent = self.send(CHAT, body.to_string().into()).await;
        let response = sent.map_err(|failure| failure.reason)?;
        let choice = response
            .pointer("/choices/0")
            .ok_or("its response has no choice")?;
        if choice.get("finish_reason").and_then(Value::as_str) == Some("length") {
            return Err(format!(
                "the judge's reply was cut after {} tokens: raise max_tokens",
                options.max_tokens
            ));
        }
        let reply = choice.pointer("/message/content").and_then(Value::as_str);
        grade(reply.ok_or("the judge's reply has no text")?, options)
    }

    /// Posts, again as far as the failure, the budget and the time allow, and reads the JSON of the response.
    async fn send(&self, path: &str, body: Bytes) -> Result<Value, Failure> {
        let Ok(_place) = self.places.acquire().await else {
            return Err(Failure::new("it is closed", Next::GiveUp));
        };
        // The clock of an item starts when it is its turn, so that a long queue is no reason to give up.
        let Ok(deadline) = tokio::time::timeout(self.timeout, self.attempts(path, body)).await
        else {
            let reason = format!("no answer within {} s", self.timeout.as_secs());
            return Err(Failure::new(reason, Next::GiveUp));
        };
        let response = deadline?;
        // A number that JSON has no word for spoils the whole response; alone, the others are fine.
        serde_json::from_slice(&response)
            .map_err(|_| Failure::new("its response is not JSON", Next::Split))
    }

    async fn attempts(&self, path: &str, body: Bytes) -> Result<Bytes, Failure> {
        let mut failed = 0;
        loop {
            let failure = match self.poster.post(path, body.clone()).await {
                Ok(response) => {
                    self.budget.success();
                    return Ok(response);
                }
                Err(failure) => failure,
            };
            let Next::Retry(pause) = failure.next else {
                return Err(failure);
            };
            if failed >= self.retries || !self.budget.failure() {
                return Err(failure);
            }
            let doubled = (FIRST_PAUSE * 2_u32.pow(failed.min(8))).min(LONGEST_PAUSE);
            tokio::time::sleep(pause.unwrap_or(doubled)).await;
            failed += 1;
        }
    }
}
