//! What a server tells about itself: metrics, liveness and readiness, traces.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::common::{TestServer, free, http, request, text};
use assay_server::pb::reward_service_client::RewardServiceClient;
use assay_server::{Config, pb};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Each sample by its name and labels.
async fn scrape(address: SocketAddr) -> HashMap<String, f64> {
    let (_, body) = http(address, "GET /metrics").await;
    assert!(body.ends_with("# EOF\n"));
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

async fn watched() -> (TestServer, SocketAddr) {
    let metrics = free().await;
    let config = Config {
        metrics: Some(metrics.to_string()),
        threads: 1,
        // Every item is scored, however long it takes and however long it has to wait.
        result_cache_bytes: 0,
        max_wait_seconds: 3600.0,
        ..Config::default()
    };
    (TestServer::start(config).await, metrics)
}

fn score(method: &str) -> String {
    format!(
        "{{grpc_type=\"unary\",grpc_service=\"assay.v1.RewardService\",grpc_method=\"Score\"{method}}}"
    )
}

#[tokio::test]
async fn metrics_count_calls_items_components_and_fuel() {
    let (server, metrics) = watched().await;
    let mut client = server.client().await;
    let items = vec![
        text("<think>x</think><answer>4</answer>", Some("4")),
        text(r"\boxed{\sin(x)^2+\cos(x)^2}", Some("1")),
        text("4", None),
        pb::Item::default(),
    ];
    let spec = r#"{"accuracy": 1.0, "format": 0.5}"#;
    client.score(request(spec, items.clone())).await.unwrap();
    client.score(request(spec, items)).await.unwrap();
    let empty = pb::ScoreRequest::default();
    client.score(empty).await.unwrap_err();
    let found = scrape(metrics).await;
    let expected = [
        (format!("grpc_server_started_total{}", score("")), 3.0),
        (
            format!("grpc_server_handled_total{}", score(",grpc_code=\"OK\"")),
            2.0,
        ),
        (
            format!(
                "grpc_server_handled_total{}",
                score(",grpc_code=\"InvalidArgument\"")
            ),
            1.0,
        ),
        (
            format!("grpc_server_handling_seconds_count{}", score("")),
            3.0,
        ),
        ("assay_items_total{status=\"scored\"}".to_owned(), 4.0),
        (
            "assay_items_total{status=\"invalid_reference\"}".to_owned(),
            2.0,
        ),
        ("assay_items_total{status=\"invalid_item\"}".to_owned(), 2.0),
        ("assay_items_total{status=\"undecided\"}".to_owned(), 0.0),
        ("assay_batch_items_sum".to_owned(), 8.0),
        (
            "assay_component_seconds_count{kind=\"format\"}".to_owned(),
            2.0,
        ),
        (
            "assay_component_seconds_count{kind=\"accuracy\"}".to_owned(),
            2.0,
        ),
        ("assay_fuel_count".to_owned(), 2.0),
        ("assay_queue_seconds_count".to_owned(), 2.0),
        ("assay_work_seconds_count".to_owned(), 2.0),
        ("assay_queue_depth".to_owned(), 0.0),
        ("assay_inflight".to_owned(), 0.0),
        ("assay_held_tokens".to_owned(), 0.0),
        ("assay_cache_hits_total{cache=\"scorer\"}".to_owned(), 1.0),
        ("assay_cache_misses_total{cache=\"scorer\"}".to_owned(), 1.0),
        ("assay_shed_total{reason=\"overloaded\"}".to_owned(), 0.0),
        ("assay_shed_total{reason=\"deadline\"}".to_owned(), 0.0),
        ("assay_threads".to_owned(), 1.0),
    ];
    for (name, value) in expected {
        assert_eq!(found.get(&name), Some(&value), "{name}");
    }
    assert!(found["process_resident_memory_bytes"] > 1e6);
    assert!(found.contains_key("process_cpu_seconds_total"));
}

#[tokio::test]
async fn liveness_readiness_and_what_is_neither() {
    let (server, metrics) = watched().await;
    assert_eq!(http(metrics, "GET /livez").await.1, "ok\n");
    assert_eq!(http(metrics, "GET /readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(http(metrics, "GET /else").await.0, "HTTP/1.1 404 Not Found");
    assert_eq!(
        http(metrics, "POST /metrics").await.0,
        "HTTP/1.1 405 Method Not Allowed"
    );
    // 32 connections that say nothing are the bound; they are closed, and a probe gets through.
    let idle: Vec<_> = futures(32, metrics).await;
    assert_eq!(http(metrics, "GET /livez").await.1, "ok\n");
    drop(idle);
    server.stop().await.unwrap();
    assert!(TcpStream::connect(metrics).await.is_err());
}

async fn futures(count: usize, address: SocketAddr) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    streams
}

#[tokio::test]
async fn a_stopping_server_is_live_but_not_ready() {
    let (server, metrics) = watched().await;
    // A stream that never ends keeps the server in its drain.
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.channel().await);
    let asked = tonic_health::pb::HealthCheckRequest::default();
    let mut watching = health.watch(asked).await.unwrap().into_inner();
    watching.message().await.unwrap();
    let stopping = tokio::spawn(server.stop());
    let not_serving = watching.message().await.unwrap().unwrap();
    assert_eq!(not_serving.status, 2);
    assert_eq!(
        http(metrics, "GET /readyz").await.0,
        "HTTP/1.1 503 Service Unavailable"
    );
    assert_eq!(http(metrics, "GET /livez").await.0, "HTTP/1.1 200 OK");
    drop((watching, health));
    stopping.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_taken_metrics_address_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = Config {
        bind: "127.0.0.1:0".to_owned(),
        metrics: Some(address.clone()),
        ..Config::default()
    };
    let error = assay_server::serve(config, std::future::pending(), |_| ()).await;
    assert!(error.unwrap_err().to_string().contains(&address));
}

/// Keeps the spans that it is sent.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        let spans = scopes.flat_map(|scope| scope.spans);
        self.spans.lock().unwrap().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn attributes(span: &Span) -> HashMap<&str, Value> {
    let pairs = span.attributes.iter();
    pairs
        .filter_map(|pair| Some((pair.key.as_str(), pair.value.clone()?.value?)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_hang_under_the_callers_trace() {
    let collector = Collector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)),
    );
    let config = Config {
        otlp: Some(format!("http://{address}")),
        ..Config::default()
    };
    let server = TestServer::start(config).await;
    let mut client = server.client().await;
    let traced = |sampled: bool| {
        let mut asked = request(r#""accuracy""#, vec![text("4", Some("4")), text("4", None)]);
        asked.request_id = "step 7".to_owned();
        let mut asked = Request::new(asked);
        let parent = format!(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{}",
            u8::from(sampled)
        );
        asked
            .metadata_mut()
            .insert("traceparent", parent.parse().unwrap());
        asked
    };
    client.score(traced(true)).await.unwrap();
    client.score(traced(false)).await.unwrap();
    client.score(pb::ScoreRequest::default()).await.unwrap_err();
    drop(client);
    server.stop().await.unwrap();

    let spans = collector.spans.lock().unwrap();
    // That of the caller who wants no trace is missing.
    assert_eq!(spans.len(), 2);
    let span = spans
        .iter()
        .find(|span| !span.parent_span_id.is_empty())
        .unwrap();
    assert_eq!(span.name, "assay.v1.RewardService/Score");
    assert_eq!(
        span.trace_id,
        0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()
    );
    assert_eq!(span.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    let found = attributes(span);
    assert_eq!(
        found["assay.request_id"],
        Value::StringValue("step 7".to_owned())
    );
    assert_eq!(found["assay.items"], Value::IntValue(2));
    assert_eq!(found["assay.items.scored"], Value::IntValue(1));
    assert_eq!(found["assay.items.invalid_reference"], Value::IntValue(1));
    assert_eq!(found["rpc.grpc.status_code"], Value::IntValue(0));
    let other = spans
        .iter()
        .find(|span| span.parent_span_id.is_empty())
        .unwrap();
    assert_eq!(
        attributes(other)["rpc.grpc.status_code"],
        Value::IntValue(3)
    );
}

/// Sums that take as much fuel as there is, and differ.
fn slow(n: usize) -> pb::Item {
    let sum =
        format!(r"\boxed{{\sum_{{i=1}}^{{99}}\sum_{{j=1}}^{{99}}\sum_{{k=1}}^{{99}}\sin({n}ijk)}}");
    text(&sum, Some("1"))
}

#[tokio::test]
async fn a_request_that_is_sent_again_waits_for_the_first_even_if_that_goes() {
    let (server, metrics) = watched().await;
    let named = |items| pb::ScoreRequest {
        request_id: "r-1".to_owned(),
        ..request(r#""accuracy""#, items)
    };
    let message = named((0..200).map(slow).collect());
    let send = |message: pb::ScoreRequest, mut client: RewardServiceClient<Channel>| {
        tokio::spawn(async move { client.score(message).await })
    };
    let first = send(message.clone(), server.client().await);
    while scrape(metrics).await["assay_inflight"] < 1.0 {
        tokio::task::yield_now().await;
    }
    let second = send(message.clone(), server.client().await);
    let hits = "assay_cache_hits_total{cache=\"request\"}";
    while scrape(metrics).await[hits] < 1.0 {
        tokio::task::yield_now().await;
    }
    // The first caller goes; whoever waits with it loses nothing.
    first.abort();
    let answered = second.await.unwrap().unwrap().into_inner();
    assert_eq!(
        (answered.request_id.as_str(), answered.results.len()),
        ("r-1", 200)
    );
    // It was worked on once; the work is counted when its thread lets go of it, a moment after the answer.
    while scrape(metrics).await["assay_work_seconds_count"] < 1.0 {
        tokio::task::yield_now().await;
    }
    let found = scrape(metrics).await;
    assert_eq!(found["assay_work_seconds_count"], 1.0);
    assert_eq!(found["assay_items_total{status=\"undecided\"}"], 200.0);
    // The same name with another content is another request.
    let other = server
        .client()
        .await
        .score(named(vec![text("7", Some("7"))]))
        .await;
    assert_eq!(other.unwrap().into_inner().results.len(), 1);
    assert_eq!(scrape(metrics).await[hits], 1.0);
    server.stop().await.unwrap();
}
