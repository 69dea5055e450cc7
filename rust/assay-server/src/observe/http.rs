//! `GET /metrics`, `/livez` and `/readyz`, on an address of their own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::{Metrics, Readiness};
use crate::ServeError;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Scrapers and probes of one server; more wait.
const CONNECTIONS: usize = 32;
/// A connection that says nothing for so long, or lives longer, is closed: 32 idle ones must not keep a probe out.
const HEADERS_WITHIN: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(1);
const LARGEST_HEADERS: usize = 16 << 10;

/// A bound address that answers once [`Endpoint::run`] is polled.
pub(crate) struct Endpoint {
    listener: TcpListener,
    metrics: Metrics,
    readiness: Readiness,
}

impl Endpoint {
    /// # Errors
    ///
    /// [`ServeError::Bind`].
    pub(crate) async fn bind(
        address: &str,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Bind {
                address: address.to_owned(),
                source,
            })?;
        if let Ok(bound) = listener.local_addr() {
            tracing::info!("metrics at http://{bound}/metrics");
        }
        Ok(Self {
            listener,
            metrics,
            readiness,
        })
    }

    /// Answers until it is dropped.
    pub(crate) async fn run(self) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of descriptors, most likely: the next one may be free soon.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (metrics, readiness) = (self.metrics.clone(), self.readiness.clone());
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let response = respond(&request, &metrics, &readiness);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADERS_WITHIN)
                    .max_buf_size(LARGEST_HEADERS)
                    .serve_connection(TokioIo::new(stream), answer);
                // What goes wrong on such a connection is the caller's business.
                let _ = tokio::time::timeout(LONGEST, connection).await;
                drop(place);
            });
        }
    }
}

fn respond(
    request: &Request<Incoming>,
    metrics: &Metrics,
    readiness: &Readiness,
) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, OPEN_METRICS, metrics.write())
        }
        (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") if readiness.is_ready() => {
            (StatusCode::OK, TEXT, "ok\n".to_owned())
        }
        (&Method::GET | &Method::HEAD, "/readyz") => {
            let words = "not ready: starting or stopping\n".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, TEXT, words)
        }
        (&Method::GET | &Method::HEAD, _) => {
            let words = "there are /metrics, /livez and /readyz\n".to_owned();
            (StatusCode::NOT_FOUND, TEXT, words)
        }
        _ => (
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "GET only\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
