//! What a server is told at its start.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::outside::{EndpointConfig, OutsideConfig, PluginConfig};
use crate::{ServeError, tenant};

/// Settings of a server. Every field has a default, and a TOML file may give any of them under the same name:
///
/// ```
/// let config = assay_server::Config::from_toml("bind = '127.0.0.1:0'\nthreads = 2").unwrap();
/// assert_eq!(config.threads, 2);
/// assert!(assay_server::Config::from_toml("thread = 2").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub struct Config {
    /// `HOST:PORT` to listen on; port 0 takes a free one. Default `127.0.0.1:50051`.
    pub bind: String,
    /// Threads that score; 0, the default, is one for each available core.
    pub threads: usize,
    /// Largest message in either direction, in bytes. Default 64 MiB.
    pub max_message_bytes: usize,
    /// Most items of one request. Default 65,536.
    pub max_items: usize,
    /// Most work that is scored or waits to be, in tokens: four bytes of text, or one id, and 400 for each item. More is turned
    /// away with `RESOURCE_EXHAUSTED`. Default 134,217,728, about 512 MiB of text.
    pub max_queued_tokens: u64,
    /// Longest time that a request may be expected to wait for its turn, in seconds; one that would wait longer is turned away,
    /// whatever its deadline. Default 0.5.
    pub max_wait_seconds: f64,
    /// Shares of tenants that are not 1: with 3, a tenant gets three times as much as another while both have work. From 0.01
    /// to 1,000. Default none.
    pub tenant_weight: BTreeMap<String, f64>,
    /// Most bytes of requests that are arriving, and most bytes of responses that their callers have not taken. Default 512 MiB.
    pub max_held_bytes: usize,
    /// Bytes of results that are kept, by content, of items that took long to score; 0 keeps none. Default 64 MiB.
    pub result_cache_bytes: usize,
    /// Bytes of test-suites and other long references that callers may put here, an eighth of it the longest; 0 keeps none.
    /// Default 256 MiB.
    pub tests_cache_bytes: usize,
    /// Seconds that requests in flight get to finish when the server stops. Default 30.
    pub drain_seconds: u64,
    /// Hugging Face `tokenizer.json` files that token ids may belong to. Default none.
    pub tokenizers: Vec<PathBuf>,
    /// `HOST:PORT` of an HTTP endpoint with `/metrics`, `/livez` and `/readyz`; port 0 takes a free one, which the log names.
    /// Default none.
    pub metrics: Option<String>,
    /// OpenTelemetry collector that gets a span for each call, as in `http://127.0.0.1:4317` (OTLP over gRPC). Default none.
    pub otlp: Option<String>,
    /// Share of the calls that are traced when their caller has not decided, from 0 to 1. Default 1.
    pub trace_ratio: f64,
    /// Endpoints that a `reward_model` component may name: `[reward_model.NAME]`. Default none.
    pub reward_model: BTreeMap<String, EndpointConfig>,
    /// Functions that a `plugin` component may name: `[plugin.NAME]`. Default none.
    pub plugin: BTreeMap<String, PluginConfig>,
    /// The Python that runs plug-ins; it must have assay installed. Default `python3`, and of `assay serve` its own.
    pub plugin_python: Option<PathBuf>,
    /// PEM file of the server's certificate, and those between it and its authority. With [`Config::tls_key`], callers need TLS.
    /// Read again when it changes, like every file named below. Default none.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file of its key. Default none.
    pub tls_key: Option<PathBuf>,
    /// PEM file of the authorities of clients; callers need a certificate of theirs then. Default none.
    pub tls_client_ca: Option<PathBuf>,
    /// File of bearer tokens, a line each, `TOKEN` or `NAME:TOKEN`; callers need one of them then. Default none.
    pub token_file: Option<PathBuf>,
    /// Environment variable of more of them, separated by commas or line ends. Default `ASSAY_SERVER_TOKENS`, if there is one.
    pub token_env: Option<String>,
    /// Whether to listen on a public address without TLS and a way to know callers. Default no.
    pub insecure_public: bool,
    /// Whether `metrics` may be a public address. Default no.
    pub public_metrics: bool,
    /// Whether callers may ask for the methods and messages of the service (gRPC server reflection). Default no.
    pub reflection: bool,
    /// Whether the log gets the texts that are scored, cut to 2,000 characters. Default no.
    pub log_texts: bool,
    /// Largest headers of a call together, in bytes, as HTTP/2 counts them. Default 16 KiB.
    pub max_header_bytes: u32,
    /// Most calls at a time of one connection. Default 256.
    pub max_streams: u32,
    /// Most connections; fewer where the system allows fewer descriptors. Default 4,096.
    pub max_connections: usize,
    /// Seconds that a new connection gets for TLS and the beginning of HTTP/2. Default 10.
    pub handshake_seconds: u64,
    /// Seconds between two looks whether a peer is still there, and, up to 20, for its answer; 0 for never. Default 30.
    pub keepalive_seconds: u64,
    /// Seconds that a request may take to arrive and a part of a response to be taken. Default 60.
    pub stall_seconds: u64,
}

/// What a command line says over the configuration file: what is `None` or empty leaves the file's word.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// [`Config::bind`].
    pub bind: Option<String>,
    /// [`Config::threads`].
    pub threads: Option<usize>,
    /// [`Config::max_message_bytes`].
    pub max_message_bytes: Option<usize>,
    /// Added to [`Config::tokenizers`].
    pub tokenizers: Vec<PathBuf>,
    /// [`Config::metrics`].
    pub metrics: Option<String>,
    /// [`Config::otlp`].
    pub otlp: Option<String>,
    /// Added to [`Config::plugin`]: `package.module:function`, or `NAME=package.module:function`.
    pub plugins: Vec<String>,
    /// [`Config::plugin_python`], where the file leaves it open.
    pub plugin_python: Option<PathBuf>,
    /// [`Config::tls_certificate`].
    pub tls_certificate: Option<PathBuf>,
    /// [`Config::tls_key`].
    pub tls_key: Option<PathBuf>,
    /// [`Config::tls_client_ca`].
    pub tls_client_ca: Option<PathBuf>,
    /// [`Config::token_file`].
    pub token_file: Option<PathBuf>,
    /// Added to [`Config::tenant_weight`]: `NAME=WEIGHT`.
    pub tenant_weights: Vec<String>,
    /// [`Config::insecure_public`], if true.
    pub insecure_public: bool,
    /// [`Config::public_metrics`], if true.
    pub public_metrics: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:50051".to_owned(),
            threads: 0,
            max_message_bytes: 64 << 20,
            max_items: 65_536,
            max_queued_tokens: 128 << 20,
            max_wait_seconds: 0.5,
            tenant_weight: BTreeMap::new(),
            max_held_bytes: 512 << 20,
            result_cache_bytes: 64 << 20,
            tests_cache_bytes: 256 << 20,
            drain_seconds: 30,
            tokenizers: Vec::new(),
            metrics: None,
            otlp: None,
            trace_ratio: 1.0,
            reward_model: BTreeMap::new(),
            plugin: BTreeMap::new(),
            plugin_python: None,
            tls_certificate: None,
            tls_key: None,
            tls_client_ca: None,
            token_file: None,
            token_env: None,
            insecure_public: false,
            public_metrics: false,
            reflection: false,
            log_texts: false,
            max_header_bytes: 16 << 10,
            max_streams: 256,
            max_connections: 4096,
            handshake_seconds: 10,
            keepalive_seconds: 30,
            stall_seconds: 60,
        }
    }
}

impl Config {
    /// Reads the text of a TOML file; what it does not mention keeps its default.
    ///
    /// # Errors
    ///
    /// [`ServeError::Config`] with the line and the field: broken TOML, an unknown field, a value of the wrong type.
    pub fn from_toml(text: &str) -> Result<Self, ServeError> {
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            ServeError::Config(format!("line {line}: {}", error.message()))
        })
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    ///
    /// As [`Config::from_toml`], with the path; also when the file cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, ServeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ServeError::Config(format!("{}: {error}", path.display())))?;
        Self::from_toml(&text).map_err(|error| match error {
            ServeError::Config(message) => {
                ServeError::Config(format!("{}: {message}", path.display()))
            }
            other => other,
        })
    }

    /// The settings of `file`, if there is one, with `overrides` over them.
    ///
    /// # Errors
    ///
    /// As [`Config::from_file`].
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Self, ServeError> {
        let mut config = file.map_or_else(|| Ok(Self::default()), Self::from_file)?;
        config.bind = overrides.bind.unwrap_or(config.bind);
        config.threads = overrides.threads.unwrap_or(config.threads);
        config.max_message_bytes = overrides
            .max_message_bytes
            .unwrap_or(config.max_message_bytes);
        config.tokenizers.extend(overrides.tokenizers);
        config.metrics = overrides.metrics.or(config.metrics);
        config.otlp = overrides.otlp.or(config.otlp);
        for plugin in &overrides.plugins {
            let (name, settings) = PluginConfig::named(plugin);
            config.plugin.insert(name, settings);
        }
        config.plugin_python = config.plugin_python.or(overrides.plugin_python);
        config.tls_certificate = overrides.tls_certificate.or(config.tls_certificate);
        config.tls_key = overrides.tls_key.or(config.tls_key);
        config.tls_client_ca = overrides.tls_client_ca.or(config.tls_client_ca);
        config.token_file = overrides.token_file.or(config.token_file);
        for weight in &overrides.tenant_weights {
            let (name, weight) = named_weight(weight)?;
            config.tenant_weight.insert(name, weight);
        }
        config.insecure_public |= overrides.insecure_public;
        config.public_metrics |= overrides.public_metrics;
        Ok(config)
    }

    pub(crate) fn outside(&self) -> OutsideConfig {
        OutsideConfig {
            reward_model: self.reward_model.clone(),
            plugin: self.plugin.clone(),
            plugin_python: self.plugin_python.clone(),
        }
    }

    /// By the names that tenants have in the queue.
    ///
    /// # Errors
    ///
    /// [`ServeError::Config`] for a weight out of its range.
    pub(crate) fn tenant_weights(&self) -> Result<HashMap<Arc<str>, f64>, ServeError> {
        let weight = |(name, &weight): (&String, &f64)| {
            if !(0.01..=1000.0).contains(&weight) {
                return Err(ServeError::Config(format!(
                    "tenant_weight: {name} has {weight}; it has to be from 0.01 to 1000"
                )));
            }
            Ok((tenant::named(name), weight))
        };
        self.tenant_weight.iter().map(weight).collect()
    }

    pub(crate) fn max_wait(&self) -> Duration {
        Duration::try_from_secs_f64(self.max_wait_seconds).unwrap_or(Duration::MAX)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_secs(self.handshake_seconds.max(1))
    }

    pub(crate) fn stall(&self) -> Duration {
        Duration::from_secs(self.stall_seconds.max(1))
    }

    /// Between two looks whether a peer is there, and for its answer.
    pub(crate) fn keepalive(&self) -> Option<(Duration, Duration)> {
        let every =
            (self.keepalive_seconds > 0).then(|| Duration::from_secs(self.keepalive_seconds))?;
        Some((every, every.min(Duration::from_secs(20))))
    }

    /// Threads that score, never 0.
    pub(crate) fn scoring_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

/// `NAME=WEIGHT`.
fn named_weight(text: &str) -> Result<(String, f64), ServeError> {
    text.split_once('=')
        .and_then(|(name, weight)| Some((name.trim().to_owned(), weight.trim().parse().ok()?)))
        .ok_or_else(|| {
            ServeError::Config(format!(
                "tenant-weight: {text:?} is not NAME=WEIGHT, as in team-a=3"
            ))
        })
}
