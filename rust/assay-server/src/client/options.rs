//! How to call.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::error::ClientError;

/// How to call.
///
/// ```
/// use assay_server::client::{Balance, ClientOptions, Tls};
/// let options = ClientOptions {
///     token: Some("secret".to_owned()),
///     tls: Some(Tls::default()),
///     balance: Balance::LeastOutstanding,
///     ..ClientOptions::default()
/// };
/// assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct ClientOptions {
    /// Time for each call, all its requests and their retries together. Default 60 s.
    pub timeout: Duration,
    /// The bytes of the `tokenizer.json` that token ids belong to. Default none.
    pub tokenizer_json: Option<Vec<u8>>,
    /// TLS; `None`, the default, is plain text.
    pub tls: Option<Tls>,
    /// The bearer token that the server wants. Default none.
    pub token: Option<String>,
    /// Who the work is for. Default none.
    pub tenant: Option<String>,
    /// Connections to each server, 1 to 64. Default 2.
    pub channels: usize,
    /// Which server gets the next request. Default in turn.
    pub balance: Balance,
    /// Begins a trace for each call that belongs to none. Default false.
    pub trace: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(1),
            tokenizer_json: None,
            tls: None,
            token: None,
            tenant: None,
            channels: 2,
            balance: Balance::default(),
            trace: false,
        }
    }
}

impl std::fmt::Debug for ClientOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ClientOptions")
            .field("timeout", &self.timeout)
            .field("tls", &self.tls.is_some())
            .field("token", &self.token.as_ref().map(|_| "..."))
            .field("tenant", &self.tenant)
            .field("channels", &self.channels)
            .field("balance", &self.balance)
            .field("trace", &self.trace)
            .finish_non_exhaustive()
    }
}

/// Which server gets the next request. One that failed lately comes after the others either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Balance {
    /// They take turns.
    #[default]
    RoundRobin,
    /// The one with the fewest unanswered requests of this client; for items that differ much in what they take.
    LeastOutstanding,
}

/// Certificates, in PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// Authorities that servers' certificates lead to; none: those of this machine.
    pub ca: Option<Vec<u8>>,
    /// This client's certificate and its key, for servers that want one.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// The name in the servers' certificates; none: the host of the target.
    pub server_name: Option<String>,
}

impl From<&Tls> for ClientTlsConfig {
    fn from(tls: &Tls) -> Self {
        let config = match &tls.ca {
            Some(pem) => Self::new().ca_certificate(Certificate::from_pem(pem)),
            None => Self::new().with_native_roots(),
        };
        match &tls.identity {
            Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
            None => config,
        }
    }
}

/// What concerns connections.
#[derive(Clone, Default)]
pub(super) struct Connection {
    pub(super) tls: Option<Tls>,
    pub(super) channels: usize,
    pub(super) balance: Balance,
}

/// What every request says of its caller.
pub(crate) struct Signature {
    authorization: Option<MetadataValue<Ascii>>,
    tenant: Option<MetadataValue<Ascii>>,
}

impl Signature {
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let value = |what: &str, text: &str| {
            text.parse::<MetadataValue<Ascii>>().map_err(|_| {
                ClientError::input(format!("{what}: it has to be visible ASCII on one line"))
            })
        };
        let authorization = options.token.as_ref().map(|token| {
            let mut value = value("token", &format!("Bearer {token}"))?;
            value.set_sensitive(true);
            Ok::<_, ClientError>(value)
        });
        let tenant = options
            .tenant
            .as_ref()
            .map(|tenant| value("tenant", tenant));
        Ok(Self {
            authorization: authorization.transpose()?,
            tenant: tenant.transpose()?,
        })
    }

    pub(crate) fn sign(&self, metadata: &mut MetadataMap) {
        if let Some(value) = &self.authorization {
            metadata.insert("authorization", value.clone());
        }
        if let Some(value) = &self.tenant {
            metadata.insert("assay-tenant", value.clone());
        }
    }
}
