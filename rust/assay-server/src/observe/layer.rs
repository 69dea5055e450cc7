//! Around every gRPC call: the standard metrics, a span, a log line.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tonic::Code;
use tower::{Layer, Service};

use super::metrics::{Handled, Method, Metrics, OfStatus};
use super::seen::Seen;
use super::trace::{Span, Tracer};

/// The services and methods that have names in metrics; whatever else is asked for is `other`.
const METHODS: [(&str, &str, &str); 8] = [
    ("unary", "assay.v1.RewardService", "Score"),
    ("bidi_stream", "assay.v1.RewardService", "ScoreStream"),
    ("unary", "assay.v1.RewardService", "RegisterTokenizer"),
    ("unary", "assay.v1.RewardService", "RegisterSpec"),
    ("unary", "assay.v1.RewardService", "PutTests"),
    ("unary", "assay.v1.RewardService", "GetServerInfo"),
    ("unary", "grpc.health.v1.Health", "Check"),
    ("server_stream", "grpc.health.v1.Health", "Watch"),
];

/// The layer.
#[derive(Clone)]
pub(crate) struct Observed {
    metrics: Metrics,
    tracer: Tracer,
}

impl Observed {
    pub(crate) fn new(metrics: Metrics, tracer: Tracer) -> Self {
        Self { metrics, tracer }
    }
}

impl<S> Layer<S> for Observed {
    type Service = ObservedService<S>;

    fn layer(&self, inner: S) -> ObservedService<S> {
        ObservedService {
            inner,
            observed: self.clone(),
        }
    }
}

/// A service with the layer around it.
#[derive(Clone)]
pub(crate) struct ObservedService<S> {
    inner: S,
    observed: Observed,
}

impl<S, A, B> Service<Request<A>> for ObservedService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Response = Response<ObservedBody<B>>;
    type Error = S::Error;
    type Future = ObservedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let method = method(request.uri().path());
        let Observed { metrics, tracer } = &self.observed;
        metrics.started.get_or_create(&method).inc();
        let seen = Arc::new(Seen::default());
        request.extensions_mut().insert(Arc::clone(&seen));
        let call = Call {
            began: Instant::now(),
            span: tracer.start(method, request.headers()),
            metrics: metrics.clone(),
            method,
            seen,
            ended: false,
        };
        ObservedFuture {
            inner: self.inner.call(request),
            call: Some(call),
        }
    }
}

/// Whether the requests of a method may have more than one message; so may those of a method without a name here.
pub(crate) fn is_streaming(path: &str) -> bool {
    !matches!(method(path).grpc_type, "unary" | "server_stream")
}

fn method(path: &str) -> Method {
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let (service, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let known = METHODS
        .iter()
        .find(|known| known.1 == service && known.2 == name);
    let &(grpc_type, grpc_service, grpc_method) = known.unwrap_or(&("other", "other", "other"));
    Method {
        grpc_type,
        grpc_service,
        grpc_method,
    }
}

/// A call that has begun. Dropped before its end, it was cancelled: the caller has gone.
struct Call {
    began: Instant,
    span: Span,
    metrics: Metrics,
    method: Method,
    seen: Arc<Seen>,
    ended: bool,
}

impl Call {
    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let Method {
            grpc_type,
            grpc_service,
            grpc_method,
        } = self.method;
        let grpc_code = code_name(code);
        let handled = Handled {
            grpc_type,
            grpc_service,
            grpc_method,
            grpc_code,
        };
        let seconds = self.began.elapsed().as_secs_f64();
        self.metrics.handled.get_or_create(&handled).inc();
        self.metrics
            .handling_seconds
            .get_or_create(&self.method)
            .observe(seconds);
        let seen = &self.seen;
        if seen.items() > 0 {
            self.metrics.batch_items.observe(seen.items() as f64);
        }
        for (status, count) in seen.counts().filter(|(_, count)| *count > 0) {
            self.metrics
                .items
                .get_or_create(&OfStatus { status })
                .inc_by(count);
        }
        self.span.end(code, seen);
        let request_id = seen.request_id.get().map_or("", String::as_str);
        let caller = seen.caller();
        let milliseconds = seconds * 1e3;
        let (items, queue_ms, work_ms) = (
            seen.items(),
            seen.queue_seconds() * 1e3,
            seen.work_seconds() * 1e3,
        );
        // One line for each call is too much by default for one that went well.
        if matches!(code, Code::Internal | Code::Unknown | Code::DataLoss) {
            tracing::error!(target: "assay_server::request", request_id, caller, grpc_method, grpc_code, items, milliseconds, queue_ms, work_ms);
        } else if matches!(code, Code::Ok) {
            tracing::debug!(target: "assay_server::request", request_id, caller, grpc_method, grpc_code, items, milliseconds, queue_ms, work_ms);
        } else {
            tracing::info!(target: "assay_server::request", request_id, caller, grpc_method, grpc_code, items, milliseconds, queue_ms, work_ms);
        }
    }

    /// Ends the call if the headers or trailers say how it ended.
    fn look(&mut self, headers: &HeaderMap) {
        let status = headers
            .get("grpc-status")
            .and_then(|value| value.to_str().ok());
        if let Some(code) = status.and_then(|text| text.parse().ok()) {
            self.end(Code::from_i32(code));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// The names that the common gRPC interceptors give to codes.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

pin_project! {
    /// The response to come.
    pub(crate) struct ObservedFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F, B, E> Future for ObservedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ObservedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(context));
        let mut call = this.call.take();
        Poll::Ready(match result {
            Ok(response) => {
                if let Some(call) = &mut call {
                    call.look(response.headers());
                }
                Ok(response.map(|inner| ObservedBody { inner, call }))
            }
            Err(error) => {
                if let Some(call) = &mut call {
                    call.end(Code::Unknown);
                }
                Err(error)
            }
        })
    }
}

pin_project! {
    /// A response body; the status of most calls comes in its trailers.
    pub(crate) struct ObservedBody<B> {
        #[pin]
        inner: B,
        call: Option<Call>,
    }
}

impl<B: Body> Body for ObservedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        if let (Some(Ok(frame)), Some(call)) = (&frame, this.call.as_mut())
            && let Some(trailers) = frame.trailers_ref()
        {
            call.look(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_cannot_make_labels() {
        assert_eq!(method("/assay.v1.RewardService/Score").grpc_method, "Score");
        for path in [
            "",
            "/",
            "/x/y",
            "/assay.v1.RewardService/",
            "/assay.v1.RewardService/Score/x",
        ] {
            assert_eq!(method(path).grpc_method, "other", "{path}");
            assert!(is_streaming(path), "{path}");
        }
        assert!(!is_streaming("/assay.v1.RewardService/Score"));
        assert!(is_streaming("/assay.v1.RewardService/ScoreStream"));
    }
}
