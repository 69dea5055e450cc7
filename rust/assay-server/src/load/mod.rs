//! The load generator: what a server does under a load, with every result checked.
//!
//! *Open loop* sends at a constant rate whatever the server does, and counts the time of a request from the moment it should
//! have been sent, so a server that stalls cannot hide the requests that waited meanwhile (no coordinated omission). *Closed
//! loop* keeps a number of requests in flight and finds how much a server can do.
//!
//! Items are made from their numbers, and so are their right results: one that is lost, doubled or different is counted.

mod call;
mod check;
mod drive;
mod report;
mod workload;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Deserialize;

pub use check::Findings;
pub use report::{Latency, Moment, Report, ServerUse};
pub use workload::Kind;

use crate::client::{ClientError, ClientOptions, Tls};

/// The environment variable with the token for servers that want one, as for every client of assay.
const TOKEN: &str = "ASSAY_TOKEN";

/// What load to make. The same fields are the options of `assay load` and the keys of its Python form.
#[derive(Clone, Debug, PartialEq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct LoadOptions {
    /// HOST:PORT of a server, or several separated by commas: connections take turns among them
    pub target: String,
    /// Open loop: this many requests per second, sent on time whatever the server does; without it, closed loop
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
    /// Closed loop: requests in flight. Open loop: most requests in flight, beyond which sending waits (and latency counts)
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub concurrency: usize,
    /// Connections; requests take turns among them
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub connections: usize,
    /// Items in each request
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub batch: usize,
    /// What the items are
    #[arg(long, value_enum, default_value_t = Kind::Short)]
    pub kind: Kind,
    /// How long to send
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub seconds: f64,
    /// Stop after this many requests, if that is sooner
    #[arg(long, value_name = "N")]
    pub requests: Option<u64>,
    /// Deadline of each request
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub timeout: f64,
    /// Call through assay's client, which tries again and elsewhere; without it a request that fails has failed
    #[arg(long)]
    pub retry: bool,
    /// A request that the server turns away for want of room is no failure: for loads above what it can do
    #[arg(long)]
    pub allow_shed: bool,
    /// Speak TLS; so do the three options below
    #[arg(long)]
    pub tls: bool,
    /// PEM file of the authorities that the servers' certificates lead to; without it, those of this machine
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// PEM file of this client's certificate, for servers that want one; goes with --key
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Name in the servers' certificates; without it, the host of the target
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// File with the bearer token that the servers want; without it, the environment variable `ASSAY_TOKEN`
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Who the work is for
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Process id of a server on this machine, to report its CPU time and memory
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            target: String::new(),
            rate: None,
            concurrency: 8,
            connections: 1,
            batch: 256,
            kind: Kind::Short,
            seconds: 10.0,
            requests: None,
            timeout: 60.0,
            retry: false,
            allow_shed: false,
            tls: false,
            ca: None,
            certificate: None,
            key: None,
            server_name: None,
            token_file: None,
            tenant: None,
            pid: None,
        }
    }
}

/// Why no load was made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An option makes no sense.
    #[error("{0}")]
    Options(String),
    /// A server does not answer at the start.
    #[error("no reward server answers at {0} ({1}); start one with `assay serve --bind HOST:PORT`")]
    Unreachable(String, String),
    /// assay's client says so.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The machine failed.
    #[error("the load generator stopped: {0}")]
    Io(String),
}

impl LoadOptions {
    /// # Errors
    ///
    /// [`LoadError::Options`], naming the option and what it may be.
    fn check(&self) -> Result<(), LoadError> {
        let positive = |name: &str, value: f64| {
            if value.is_finite() && value > 0.0 && value <= 1e7 {
                return Ok(());
            }
            Err(LoadError::Options(format!(
                "--{name} is {value}; it has to be above 0 and at most 10,000,000"
            )))
        };
        let counted = |name: &str, value: usize| {
            if (1..=1_000_000).contains(&value) {
                return Ok(());
            }
            Err(LoadError::Options(format!(
                "--{name} is {value}; it has to be from 1 to 1,000,000"
            )))
        };
        positive("seconds", self.seconds)?;
        positive("timeout", self.timeout)?;
        positive("rate", self.rate.unwrap_or(1.0))?;
        counted("concurrency", self.concurrency)?;
        counted("connections", self.connections)?;
        counted("batch", self.batch)?;
        if self.requests == Some(0) {
            return Err(LoadError::Options(
                "--requests is 0; send at least one".to_owned(),
            ));
        }
        Ok(())
    }

    /// What assay's client takes, for the bare connections, too.
    ///
    /// # Errors
    ///
    /// [`LoadError::Options`] for a file that cannot be read, or one of certificate and key.
    fn client(&self) -> Result<ClientOptions, LoadError> {
        let read = |option: &str, path: &Path| {
            std::fs::read(path).map_err(|error| {
                LoadError::Options(format!("--{option}: {}: {error}", path.display()))
            })
        };
        let maybe = |option: &str, path: &Option<PathBuf>| {
            path.as_deref().map(|path| read(option, path)).transpose()
        };
        let certificate = maybe("certificate", &self.certificate)?;
        let identity = match (certificate, maybe("key", &self.key)?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                return Err(LoadError::Options(
                    "--certificate and --key: give both, or none".to_owned(),
                ));
            }
        };
        let tls = Tls {
            ca: maybe("ca", &self.ca)?,
            identity,
            server_name: self.server_name.clone(),
        };
        let speaks_tls =
            self.tls || tls.ca.is_some() || tls.identity.is_some() || tls.server_name.is_some();
        let token = match maybe("token-file", &self.token_file)? {
            Some(token) => Some(String::from_utf8_lossy(&token).trim().to_owned()),
            None => std::env::var(TOKEN).ok().filter(|token| !token.is_empty()),
        };
        Ok(ClientOptions {
            timeout: self.timeout(),
            tls: speaks_tls.then_some(tls),
            token,
            tenant: self.tenant.clone(),
            ..ClientOptions::default()
        })
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }

    fn length(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// Makes the load and says what came of it. Blocks; `moment` gets figures each second. Setting `stop` ends the load early,
/// after the requests in flight.
///
/// # Errors
///
/// [`LoadError`] when nothing could be sent: bad options, or no server answers at the start. What fails later is in the report.
pub fn load(
    options: &LoadOptions,
    stop: &Arc<AtomicBool>,
    moment: impl FnMut(&Moment) + Send,
) -> Result<Report, LoadError> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("assay-load")
        .build()
        .map_err(|error| LoadError::Io(error.to_string()))?;
    let report = drive::drive(&runtime, options, stop, moment);
    runtime.shutdown_background();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_and_tokens_come_from_files_that_can_be_read() {
        const NOWHERE: &str = "/nowhere/a.pem";
        let plain = LoadOptions::default();
        assert!(plain.client().unwrap().tls.is_none());
        let named = LoadOptions {
            server_name: Some("rewards".to_owned()),
            ..LoadOptions::default()
        };
        assert!(named.client().unwrap().tls.is_some());
        let missing = |change: fn(&mut LoadOptions)| {
            let mut options = LoadOptions::default();
            change(&mut options);
            options.client().unwrap_err().to_string()
        };
        assert!(missing(|options| options.ca = Some(NOWHERE.into())).contains("--ca: /nowhere"));
        assert!(
            missing(|options| options.token_file = Some(NOWHERE.into())).contains("--token-file")
        );
        let half = missing(|options| options.key = Some("Cargo.toml".into()));
        assert!(half.contains("--certificate"), "{half}");
    }

    #[test]
    fn senseless_options_are_named() {
        let bad = |change: fn(&mut LoadOptions)| {
            let mut options = LoadOptions::default();
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert!(LoadOptions::default().check().is_ok());
        assert!(bad(|options| options.rate = Some(f64::NAN)).contains("--rate"));
        assert!(bad(|options| options.seconds = 0.0).contains("--seconds"));
        assert!(bad(|options| options.timeout = -1.0).contains("--timeout"));
        assert!(bad(|options| options.batch = 0).contains("--batch"));
        assert!(bad(|options| options.connections = 2_000_000).contains("--connections"));
        assert!(bad(|options| options.concurrency = 0).contains("--concurrency"));
        assert!(bad(|options| options.requests = Some(0)).contains("--requests"));
    }
}
