//! Users' functions, in worker processes of their own.
//!
//! A worker runs `python -m assay.plugin.worker`. It is killed, with whatever it started, when an item takes too long, and
//! replaced when it ends, grows too large or has done enough. A call that fails is made again for each of its items alone, so
//! that one item costs no other its value.

mod frame;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_core::score::Given;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::config::PluginConfig;
use super::{Asked, batches};
use crate::ServeError;
use worker::{Limits, Worker};

/// The workers of one function.
#[derive(Debug)]
pub(super) struct Pool {
    name: String,
    python: PathBuf,
    function: String,
    limits: Limits,
    batch: usize,
    workers: usize,
    places: Semaphore,
    idle: Mutex<Vec<Worker>>,
}

impl Pool {
    pub(super) fn new(
        name: &str,
        settings: &PluginConfig,
        python: Option<&Path>,
    ) -> Result<Self, ServeError> {
        let wrong = |why: &str| Err(ServeError::Config(format!("plugin.{name}: {why}")));
        let form = settings.function.split_once(':');
        if form.is_none_or(|(module, function)| module.is_empty() || function.is_empty()) {
            return wrong("`function` has to be package.module:function");
        }
        let large = settings.workers.max(settings.batch);
        if settings.workers.min(settings.batch) == 0 || large > 100_000 {
            return wrong("`workers` and `batch` must be 1 to 100000");
        }
        if settings.timeout_seconds == 0 || settings.max_rss_mb == 0 || settings.max_items == 0 {
            return wrong("`timeout_seconds`, `max_rss_mb` and `max_items` must be at least 1");
        }
        Ok(Self {
            name: name.to_owned(),
            python: python.unwrap_or(Path::new("python3")).to_owned(),
            function: settings.function.clone(),
            limits: Limits {
                timeout: Duration::from_secs(settings.timeout_seconds),
                rss_mb: settings.max_rss_mb,
                items: settings.max_items,
            },
            batch: settings.batch,
            workers: settings.workers,
            places: Semaphore::new(settings.workers),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Starts one worker, to see whether it can be.
    pub(super) async fn warm_up(&self) -> Result<(), String> {
        let worker = Worker::start(&self.python, &self.function).await?;
        self.keep(worker);
        Ok(())
    }

    /// A value or a reason for each text.
    pub(super) async fn values(
        pool: &Arc<Self>,
        asked: Vec<Asked>,
        until: Option<Instant>,
    ) -> Vec<(usize, Given)> {
        // Small enough for all workers to have a part in it.
        let size = asked.len().div_ceil(pool.workers).clamp(1, pool.batch);
        let mut parts = Vec::new();
        let mut waiting = asked.into_iter().peekable();
        while waiting.peek().is_some() {
            parts.push(waiting.by_ref().take(size).collect());
        }
        batches(parts, until, |part| {
            let pool = Arc::clone(pool);
            async move { pool.part(&part).await }
        })
        .await
    }

    async fn part(&self, part: &[Asked]) -> Vec<(usize, Given)> {
        let rows = part.iter().map(|asked| asked.row);
        let named = |reason: String| format!("plug-in `{}`: {reason}", self.name);
        let found = match self.call(part).await {
            Ok(values) => values,
            Err(reason) if part.len() == 1 => vec![Err(reason)],
            Err(_) => {
                let mut values = Vec::with_capacity(part.len());
                for asked in part.chunks(1) {
                    let one = self.call(asked).await;
                    values.push(one.and_then(|mut one| {
                        one.pop()
                            .unwrap_or_else(|| Err("it gave no value".to_owned()))
                    }));
                }
                values
            }
        };
        rows.zip(found.into_iter().map(|value| value.map_err(named)))
            .collect()
    }

    /// One call of the function; a worker that fails it is gone.
    async fn call(&self, part: &[Asked]) -> Result<Vec<Given>, String> {
        let Ok(_place) = self.places.acquire().await else {
            return Err("it is closed".to_owned());
        };
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut worker = match idle {
            Some(worker) if worker.is_alive() => worker,
            _ => Worker::start(&self.python, &self.function).await?,
        };
        // Dropped with this future, which kills the worker: it may be in the middle of a call.
        let reply = worker.call(part, &self.limits).await?;
        if !worker.is_worn(&self.limits) {
            self.keep(worker);
        }
        reply
    }

    fn keep(&self, worker: Worker) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(worker);
    }
}
