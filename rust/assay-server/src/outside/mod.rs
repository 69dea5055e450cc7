//! What the core cannot compute: reward models behind endpoints, and users' functions in worker processes.
//!
//! Everything that goes wrong here is an item without a value and with a reason, never a number.

mod config;
mod endpoint;
mod http;
mod judge;
mod output;
mod plugin;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_core::score::{Ask, Given};
use assay_core::spec::{ComponentKind, RewardSpec, did_you_mean};
use assay_core::{Error, Result as CoreResult};
use bytestring::ByteString;
use tokio::time::Instant;

use crate::ServeError;
pub use config::{Api, EndpointConfig, OutsideConfig, PluginConfig};
use endpoint::Endpoint;
use plugin::Pool;

/// One completion, as the outside components of a spec see it.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// What `Scorer::asks` says, one for each outside component.
    pub asks: Vec<Ask>,
    /// What the model was asked.
    pub prompt: Option<String>,
    /// What the dataset knows.
    pub reference: Option<ByteString>,
}

/// One text that a component wants the value of, and the row of the batch it belongs to.
#[derive(Clone, Debug)]
struct Asked {
    row: usize,
    text: String,
    prompt: Option<String>,
    reference: Option<ByteString>,
}

/// The configured endpoints and functions. Made inside a tokio runtime or not; used inside one.
#[derive(Debug)]
pub struct Outside {
    endpoints: BTreeMap<String, Arc<Endpoint>>,
    plugins: BTreeMap<String, Arc<Pool>>,
}

impl Outside {
    /// Reads the settings; nothing is contacted or started yet.
    ///
    /// # Errors
    ///
    /// [`ServeError::Config`], naming the setting.
    pub fn new(config: &OutsideConfig) -> Result<Self, ServeError> {
        let mut endpoints = BTreeMap::new();
        for (name, settings) in &config.reward_model {
            endpoints.insert(name.clone(), Arc::new(Endpoint::new(name, settings)?));
        }
        let mut plugins = BTreeMap::new();
        for (name, settings) in &config.plugin {
            let pool = Pool::new(name, settings, config.plugin_python.as_deref())?;
            plugins.insert(name.clone(), Arc::new(pool));
        }
        Ok(Self { endpoints, plugins })
    }

    /// Starts one worker of each function, so that a function that cannot be imported is known at once.
    ///
    /// # Errors
    ///
    /// [`ServeError::Config`] with what the worker said.
    pub async fn start(&self) -> Result<(), ServeError> {
        for (name, pool) in &self.plugins {
            pool.warm_up()
                .await
                .map_err(|reason| ServeError::Config(format!("plug-in `{name}`: {reason}")))?;
        }
        Ok(())
    }

    /// Whether anything is configured.
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty() && self.plugins.is_empty()
    }

    /// The names of the endpoints, sorted.
    pub fn reward_models(&self) -> Vec<String> {
        self.endpoints.keys().cloned().collect()
    }

    /// The names of the functions, sorted.
    pub fn plugins(&self) -> Vec<String> {
        self.plugins.keys().cloned().collect()
    }

    /// Checks that whatever the spec names is configured.
    ///
    /// # Errors
    ///
    /// `InvalidSpec`, naming the component and the nearest name.
    pub fn check(&self, spec: &RewardSpec) -> CoreResult<()> {
        for (index, component) in spec.components.iter().enumerate() {
            let (what, wanted, known) = match &component.kind {
                ComponentKind::RewardModel(options) => {
                    ("reward model", &options.endpoint, self.reward_models())
                }
                ComponentKind::Plugin(options) => ("plug-in", &options.function, self.plugins()),
                _ => continue,
            };
            if !known.contains(wanted) {
                let names: Vec<&str> = known.iter().map(String::as_str).collect();
                let hint = if names.is_empty() {
                    "; none is configured".to_owned()
                } else {
                    did_you_mean(wanted, &names)
                };
                return Err(Error::spec(format!(
                    "component {} (`{}`): there is no {what} `{wanted}` here{hint}",
                    index + 1,
                    component.name
                )));
            }
        }
        Ok(())
    }

    /// Finds out what the questions ask: for each one value or reason for each outside component of the spec, as
    /// `Scorer::score_with` takes them. What is not known by `until` is a reason. Dropping the future gives it all up.
    pub async fn answer(
        &self,
        spec: &RewardSpec,
        questions: &[Question],
        until: Option<Instant>,
    ) -> Vec<Vec<Given>> {
        let kinds: Vec<&ComponentKind> = spec
            .components
            .iter()
            .map(|component| &component.kind)
            .filter(|kind| kind.is_outside())
            .collect();
        let mut given: Vec<Vec<Given>> = questions
            .iter()
            .map(|_| vec![Err("it was not asked about".to_owned()); kinds.len()])
            .collect();
        let columns = kinds.iter().enumerate().map(|(place, kind)| {
            let asked = asked(questions, place);
            async move { self.column(kind, asked, until).await }
        });
        for (place, column) in join(columns).await.into_iter().enumerate() {
            for (row, question) in questions.iter().enumerate() {
                if let Some(Ask::Value(value)) = question.asks.get(place) {
                    given[row][place] = Ok(*value);
                }
            }
            for (row, value) in column {
                given[row][place] = value;
            }
        }
        given
    }

    async fn column(
        &self,
        kind: &ComponentKind,
        asked: Vec<Asked>,
        until: Option<Instant>,
    ) -> Vec<(usize, Given)> {
        match kind {
            ComponentKind::RewardModel(options) => match self.endpoints.get(&options.endpoint) {
                Some(endpoint) => Endpoint::values(endpoint, options, asked, until).await,
                None => Vec::new(),
            },
            ComponentKind::Plugin(options) => match self.plugins.get(&options.function) {
                Some(pool) => Pool::values(pool, asked, until).await,
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

/// What the component at `place` among the outside ones wants to know.
fn asked(questions: &[Question], place: usize) -> Vec<Asked> {
    let about = |(row, question): (usize, &Question)| match question.asks.get(place) {
        Some(Ask::About(text)) => Some(Asked {
            row,
            text: text.clone(),
            prompt: question.prompt.clone(),
            reference: question.reference.clone(),
        }),
        _ => None,
    };
    questions.iter().enumerate().filter_map(about).collect()
}

/// The outputs of all futures, in their order, run side by side in this task.
async fn join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures
        .map(|future| (Box::pin(future), None))
        .collect::<Vec<(_, Option<F::Output>)>>();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

/// Runs batches side by side as tasks of their own; rows of a batch that did not finish by `until` get a reason.
async fn batches<F>(
    batches: Vec<Vec<Asked>>,
    until: Option<Instant>,
    run: impl Fn(Vec<Asked>) -> F,
) -> Vec<(usize, Given)>
where
    F: Future<Output = Vec<(usize, Given)>> + Send + 'static,
{
    let rows: Vec<usize> = batches.iter().flatten().map(|asked| asked.row).collect();
    let mut running = tokio::task::JoinSet::new();
    for batch in batches {
        running.spawn(run(batch));
    }
    let mut values = Vec::with_capacity(rows.len());
    loop {
        let next = match until {
            Some(until) => tokio::time::timeout_at(until, running.join_next()).await,
            None => Ok(running.join_next().await),
        };
        match next {
            Ok(Some(Ok(finished))) => values.extend(finished),
            Ok(Some(Err(_))) => {}
            Ok(None) => return with_reasons(values, &rows, "its task broke off"),
            Err(_) => {
                return with_reasons(
                    values,
                    &rows,
                    "the deadline of the call came before its value",
                );
            }
        }
    }
}

fn with_reasons(
    mut values: Vec<(usize, Given)>,
    rows: &[usize],
    reason: &str,
) -> Vec<(usize, Given)> {
    let known: std::collections::HashSet<usize> = values.iter().map(|(row, _)| *row).collect();
    let missing = rows.iter().filter(|row| !known.contains(row));
    values.extend(missing.map(|&row| (row, Err(reason.to_owned()))));
    values
}
