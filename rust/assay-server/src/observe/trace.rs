//! A span for each call of the reward service, sent to an OpenTelemetry collector.

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use std::time::Duration;
use tonic::Code;

use super::metrics::Method;
use super::seen::Seen;
use crate::ServeError;

/// The last spans of a server that stops get so long to leave.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);
/// A collector that does not answer must not hold spans for ever.
const EXPORT_WITHIN: Duration = Duration::from_secs(5);

/// Makes spans, or none when there is no collector.
#[derive(Clone, Default)]
pub(crate) struct Tracer {
    inner: Option<(SdkTracerProvider, SdkTracer)>,
}

impl Tracer {
    /// Sends spans to the collector at `endpoint`, as in `http://127.0.0.1:4317` (OTLP over gRPC), in the background; when it
    /// cannot keep up, spans are dropped. Of calls without a caller's trace, the share `ratio` is traced; a caller's own
    /// decision is followed.
    ///
    /// # Errors
    ///
    /// [`ServeError::Config`] when `endpoint` is no address.
    pub(crate) fn new(endpoint: &str, ratio: f64) -> Result<Self, ServeError> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(ServeError::Config(format!(
                "trace_ratio is {ratio}; it has to be from 0 to 1"
            )));
        }
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_WITHIN)
            .build()
            .map_err(|error| {
                ServeError::Config(format!(
                    "otlp: {endpoint:?}: {error}; write it as http://HOST:4317"
                ))
            })?;
        let resource = Resource::builder()
            .with_service_name("assay-server")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                ratio,
            ))))
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("assay-server");
        Ok(Self {
            inner: Some((provider, tracer)),
        })
    }

    /// The span of a call, under that of its caller. Health checks have none.
    pub(super) fn start(&self, method: Method, headers: &HeaderMap) -> Span {
        let Some((_, tracer)) = self
            .inner
            .as_ref()
            .filter(|_| method.grpc_service == "assay.v1.RewardService")
        else {
            return Span { inner: None };
        };
        let parent =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        let Method {
            grpc_service,
            grpc_method,
            ..
        } = method;
        let builder = tracer
            .span_builder(format!("{grpc_service}/{grpc_method}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("rpc.system", "grpc"),
                KeyValue::new("rpc.service", grpc_service),
                KeyValue::new("rpc.method", grpc_method),
            ]);
        Span {
            inner: Some(tracer.build_with_context(builder, &parent)),
        }
    }

    /// Sends what is left. Blocks for up to three seconds.
    pub(crate) fn flush(&self) {
        if let Some((provider, _)) = &self.inner
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_WITHIN)
        {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// A span that has begun, or none.
pub(super) struct Span {
    inner: Option<opentelemetry_sdk::trace::Span>,
}

impl Span {
    pub(super) fn end(&mut self, code: Code, seen: &Seen) {
        let Some(mut span) = self
            .inner
            .take()
            .filter(opentelemetry::trace::Span::is_recording)
        else {
            return;
        };
        span.set_attribute(KeyValue::new("rpc.grpc.status_code", code as i64));
        if let Some(request_id) = seen.request_id.get().filter(|id| !id.is_empty()) {
            span.set_attribute(KeyValue::new("assay.request_id", request_id.clone()));
        }
        if seen.items() > 0 {
            span.set_attribute(KeyValue::new("assay.items", seen.items() as i64));
            span.set_attribute(KeyValue::new("assay.queue_seconds", seen.queue_seconds()));
            span.set_attribute(KeyValue::new("assay.work_seconds", seen.work_seconds()));
            for (status, count) in seen.counts().filter(|(_, count)| *count > 0) {
                span.set_attribute(KeyValue::new(format!("assay.items.{status}"), count as i64));
            }
        }
        // What the conventions of OpenTelemetry call a server's error; a caller's mistake is none.
        if matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ) {
            span.set_status(Status::error(format!("{code:?}")));
        }
        span.end();
    }
}

/// The metadata of a call, for the propagator.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
