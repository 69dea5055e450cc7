//! The trace that a call belongs to, as W3C headers.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// The trace that a call belongs to; the spans of the servers hang under it.
#[derive(Clone, Debug)]
pub struct Trace {
    parent: MetadataValue<Ascii>,
    state: Option<MetadataValue<Ascii>>,
}

impl Trace {
    /// From the values of `traceparent` and `tracestate`; `None` for what no header can carry.
    pub fn new(traceparent: &str, tracestate: &str) -> Option<Self> {
        let state = (!tracestate.is_empty()).then(|| tracestate.parse().ok());
        Some(Self {
            parent: traceparent.parse().ok()?,
            state: state.flatten(),
        })
    }

    /// That of the OpenTelemetry context that is attached to this thread, if there is one.
    pub fn current() -> Option<Self> {
        let context = Context::current();
        if !context.span().span_context().is_valid() {
            return None;
        }
        Self::of(&context)
    }

    /// A trace that begins with the call, and that its servers record.
    pub fn fresh() -> Option<Self> {
        let ids = RandomIdGenerator::default();
        let context = SpanContext::new(
            ids.new_trace_id(),
            ids.new_span_id(),
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        );
        let context = Context::new().with_remote_span_context(context);
        Self::of(&context)
    }

    fn of(context: &Context) -> Option<Self> {
        let mut headers = HashMap::new();
        TraceContextPropagator::new().inject_context(context, &mut headers);
        let header = |name: &str| headers.get(name).map_or("", String::as_str);
        Self::new(header("traceparent"), header("tracestate"))
    }

    pub(super) fn sign(&self, metadata: &mut MetadataMap) {
        metadata.insert("traceparent", self.parent.clone());
        if let Some(state) = &self.state {
            metadata.insert("tracestate", state.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(trace: &Trace) -> (String, Option<String>) {
        let mut metadata = MetadataMap::new();
        trace.sign(&mut metadata);
        let text = |name| Some(metadata.get(name)?.to_str().ok()?.to_owned());
        (text("traceparent").unwrap(), text("tracestate"))
    }

    #[test]
    fn each_fresh_one_is_another() {
        let (first, second) = (
            signed(&Trace::fresh().unwrap()).0,
            signed(&Trace::fresh().unwrap()).0,
        );
        for parent in [&first, &second] {
            assert!(parent.len() == 55 && parent.starts_with("00-") && parent.ends_with("-01"));
        }
        assert_ne!(first[..35], second[..35]);
    }

    #[test]
    fn the_attached_context_is_the_parent() {
        assert!(Trace::current().is_none());
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = HashMap::from([
            ("traceparent".to_owned(), parent.to_owned()),
            ("tracestate".to_owned(), "vendor=1".to_owned()),
        ]);
        let _attached = TraceContextPropagator::new().extract(&headers).attach();
        let found = signed(&Trace::current().unwrap());
        assert_eq!(found, (parent.to_owned(), Some("vendor=1".to_owned())));
        assert!(Trace::new("two\nlines", "").is_none());
    }
}
