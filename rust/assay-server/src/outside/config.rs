//! Settings of endpoints and functions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Everything outside the core that a server or a scorer may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutsideConfig {
    /// Endpoints by the name a spec calls them: `[reward_model.NAME]`.
    pub reward_model: BTreeMap<String, EndpointConfig>,
    /// Functions by the name a spec calls them: `[plugin.NAME]`.
    pub plugin: BTreeMap<String, PluginConfig>,
    /// The Python that runs plug-ins; it must have assay installed. Default `python3`.
    pub plugin_python: Option<PathBuf>,
}

/// Where a reward model or judge is served.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// `http://HOST:PORT` or `https://HOST:PORT`, with a path before the API's own if there is one. A `/v1` at its end is dropped.
    pub url: String,
    /// What a classifier's server speaks. A judge is always asked by `/v1/chat/completions`.
    #[serde(default)]
    pub api: Api,
    /// The model's name there; vLLM and hosted services need it. Default `default`.
    #[serde(default = "default_model")]
    pub model: String,
    /// The environment variable that holds the bearer token. The key itself never stands in a file or a log.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// Seconds from sending an item to giving it up, retries included. Default 60.
    #[serde(default = "default_endpoint_timeout")]
    pub timeout_seconds: u64,
    /// Most texts of one request to a classifier. Default 32.
    #[serde(default = "default_endpoint_batch")]
    pub batch: usize,
    /// Most requests at a time. Default 16.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// Most attempts after the first, within a budget that all items share. Default 3.
    #[serde(default = "default_retries")]
    pub retries: u32,
}

/// How a classifier's server is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// `SGLang`'s `/classify`: the raw outputs. (Its `/v1/classify` turns them into probabilities, so a reward model's one
    /// output is always 1 there.)
    #[default]
    Sglang,
    /// vLLM's `/classify`, asked for raw outputs.
    Vllm,
    /// vLLM's `/pooling`.
    VllmPooling,
}

/// A user's function, run in worker processes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginConfig {
    /// `package.module:function`.
    pub function: String,
    /// Worker processes. Default 1.
    #[serde(default = "default_workers")]
    pub workers: usize,
    /// Seconds that one item may take; then its worker is killed. Default 10.
    #[serde(default = "default_plugin_timeout")]
    pub timeout_seconds: u64,
    /// Most completions of one call. Default 64.
    #[serde(default = "default_plugin_batch")]
    pub batch: usize,
    /// Resident memory in MiB above which a worker is replaced, or killed in the middle of a call. Default 4096.
    #[serde(default = "default_rss")]
    pub max_rss_mb: u64,
    /// Items after which a worker is replaced. Default 100,000.
    #[serde(default = "default_items")]
    pub max_items: u64,
}

impl PluginConfig {
    /// The defaults for a function, `package.module:function`.
    pub fn new(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            workers: default_workers(),
            timeout_seconds: default_plugin_timeout(),
            batch: default_plugin_batch(),
            max_rss_mb: default_rss(),
            max_items: default_items(),
        }
    }

    /// The name and the defaults of `NAME=package.module:function`, where the name may be left out and is the function's then.
    ///
    /// ```
    /// use assay_server::outside::PluginConfig;
    /// let (name, settings) = PluginConfig::named("my.rewards:brevity");
    /// assert_eq!((name.as_str(), settings.function.as_str()), ("brevity", "my.rewards:brevity"));
    /// assert_eq!(PluginConfig::named("short=my.rewards:brevity").0, "short");
    /// ```
    pub fn named(text: &str) -> (String, Self) {
        let (name, function) = match text.split_once('=') {
            Some((name, function)) => (name, function),
            None => (text.rsplit([':', '.']).next().unwrap_or(text), text),
        };
        (name.to_owned(), Self::new(function))
    }
}

fn default_model() -> String {
    "default".to_owned()
}

fn default_endpoint_timeout() -> u64 {
    60
}

fn default_endpoint_batch() -> usize {
    32
}

fn default_concurrency() -> usize {
    16
}

fn default_retries() -> u32 {
    3
}

fn default_workers() -> usize {
    1
}

fn default_plugin_timeout() -> u64 {
    10
}

fn default_plugin_batch() -> usize {
    64
}

fn default_rss() -> u64 {
    4096
}

fn default_items() -> u64 {
    100_000
}
