//! One pooled HTTP client for each endpoint.
//!
//! Redirects are not followed: an endpoint is what the operator configured and nothing else.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prost::bytes::Bytes;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use tonic::codegen::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use tonic::codegen::http::{HeaderValue, Request, Response, StatusCode, Uri};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// More than any list of numbers, and than any reply within `max_tokens`.
const LARGEST_RESPONSE: usize = 64 << 20;
/// A server that asks for a longer pause than this is asked again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why a request gave no response.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) next: Next,
}

/// What may help after a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same again, after a pause if the server says so.
    Retry(Option<Duration>),
    /// Each item alone: one of them is at fault.
    Split,
    /// Nothing.
    GiveUp,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>, next: Next) -> Self {
        Self {
            reason: reason.into(),
            next,
        }
    }
}

/// Posts JSON to one server.
#[derive(Debug)]
pub(super) struct Poster {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: Option<HeaderValue>,
}

impl Poster {
    /// `url` is the base of every path; `key` is a bearer token.
    ///
    /// # Errors
    ///
    /// A sentence saying what is wrong with the URL, the key or this machine's certificates.
    pub(super) fn new(url: &str, key: Option<&str>) -> Result<Self, String> {
        let base = url.trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base);
        let uri: Uri = base.parse().map_err(|error| {
            format!("it has to be http://HOST:PORT or https://HOST:PORT: {error}")
        })?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        if !matches!(scheme, "http" | "https") || !has_host || uri.query().is_some() {
            return Err("it has to be http://HOST:PORT or https://HOST:PORT".to_owned());
        }
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err("a key does not belong into the address: use api_key_env".to_owned());
        }
        let authorization = key
            .map(|key| {
                let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                    .map_err(|_| "the key holds characters that no header may have".to_owned())?;
                value.set_sensitive(true);
                Ok::<_, String>(value)
            })
            .transpose()?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(scheme == "https")?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .build(https);
        Ok(Self {
            client,
            base: base.to_owned(),
            authorization,
        })
    }

    /// The body of a successful response.
    pub(super) async fn post(&self, path: &str, body: Bytes) -> Result<Bytes, Failure> {
        let mut request =
            Request::post(format!("{}{path}", self.base)).header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| Failure::new(error.to_string(), Next::GiveUp))?;
        let broken = |reason: String| Failure::new(reason, Next::Retry(None));
        let response = self.client.request(request).await;
        let response = response.map_err(|error| broken(innermost(&error)))?;
        let (status, pause) = (response.status(), retry_after(&response));
        let body = Limited::new(response.into_body(), LARGEST_RESPONSE)
            .collect()
            .await
            .map_err(|error| broken(format!("its response broke off: {error}")))?
            .to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        Err(Failure::new(
            described(status, &body),
            match status {
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Next::Retry(pause),
                StatusCode::BAD_REQUEST
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNPROCESSABLE_ENTITY => Next::Split,
                status if status.is_server_error() => Next::Retry(pause),
                _ => Next::GiveUp,
            },
        ))
    }
}

fn tls(needed: bool) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if needed {
        builder
            .with_native_roots()
            .map_err(|error| format!("the certificates of this machine: {error}"))?
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    Ok(builder.with_no_client_auth())
}

fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = seconds.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// The status and the start of what the server said; nothing of it where the request's key may be quoted.
fn described(status: StatusCode, body: &[u8]) -> String {
    let secret = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let said = if secret {
        String::new()
    } else {
        super::judge::start_of(String::from_utf8_lossy(body).trim())
    };
    if said.is_empty() {
        format!("HTTP {}", status.as_u16())
    } else {
        format!("HTTP {}: {said}", status.as_u16())
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
