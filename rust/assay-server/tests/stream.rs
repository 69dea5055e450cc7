//! `ScoreStream` on loopback, and what else concerns work that waits: deadlines, turns, results that are kept.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::HashMap;

use assay_core::score::{Item, Status as ItemStatus};
use assay_core::spec::RewardSpec;
use assay_server::client::{Client, ClientErrorKind, ClientOptions, Trace};
use assay_server::pb::item_result::Outcome;
use assay_server::pb::score_request::SpecSource;
use assay_server::pb::score_stream_request::Message as Ask;
use assay_server::pb::score_stream_response::Message as Tell;
use assay_server::pb::stream_open;
use assay_server::{Config, pb};
use common::{TestServer, request, text};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

/// A stream that a test drives by hand.
struct Driven {
    asks: mpsc::Sender<pb::ScoreStreamRequest>,
    tells: Streaming<pb::ScoreStreamResponse>,
}

impl Driven {
    async fn begin(server: &TestServer, first: Ask) -> Result<Self, Status> {
        Self::named(server, first, "").await
    }

    async fn named(server: &TestServer, first: Ask, tenant: &str) -> Result<Self, Status> {
        let (asks, asked) = mpsc::channel(4);
        asks.try_send(message(first)).unwrap();
        let mut request = tonic::Request::new(ReceiverStream::new(asked));
        if !tenant.is_empty() {
            request
                .metadata_mut()
                .insert("assay-tenant", tenant.parse().unwrap());
        }
        let tells = server.client().await.score_stream(request).await?;
        Ok(Self {
            asks,
            tells: tells.into_inner(),
        })
    }

    async fn opened(&mut self) -> pb::StreamOpened {
        match self.tells.message().await.unwrap().unwrap().message {
            Some(Tell::Opened(opened)) => opened,
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&self, items: Vec<pb::Item>) {
        let items = pb::StreamItems {
            items,
            timeout_ms: 0,
        };
        // A stream that has ended tells why on the other side.
        let _ = self.asks.send(message(Ask::Items(items))).await;
    }

    /// The next results; `None` at the end.
    async fn results(&mut self) -> Result<Option<Vec<pb::ItemResult>>, Status> {
        match self.tells.message().await?.map(|told| told.message) {
            Some(Some(Tell::Results(results))) => Ok(Some(results.results)),
            None => Ok(None),
            other => panic!("{other:?}"),
        }
    }

    /// What the stream ends with.
    async fn end(mut self) -> Status {
        loop {
            match self.results().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok(""),
                Err(status) => return status,
            }
        }
    }
}

fn message(message: Ask) -> pb::ScoreStreamRequest {
    pb::ScoreStreamRequest {
        message: Some(message),
    }
}

fn open(spec_json: &str) -> Ask {
    let Some(SpecSource::Spec(spec)) = request(spec_json, vec![]).spec_source else {
        panic!("no spec")
    };
    Ask::Open(pb::StreamOpen {
        request_id: "stream-1".to_owned(),
        spec_source: Some(stream_open::SpecSource::Spec(spec)),
        tokenizer_sha256: String::new(),
    })
}

fn item(id: &str, completion: &str, reference: &str) -> pb::Item {
    pb::Item {
        id: id.to_owned(),
        ..text(completion, Some(reference))
    }
}

fn total(result: &pb::ItemResult) -> Option<f64> {
    match result.outcome.as_ref()? {
        Outcome::Scored(scored) => Some(scored.total),
        Outcome::Error(_) => None,
    }
}

/// An item that takes milliseconds: about as much fuel as there is.
fn slow(id: &str) -> pb::Item {
    item(
        id,
        r"\boxed{\sum_{i=1}^{99}\sum_{j=1}^{99}\sum_{k=1}^{99}\sin(ijk)}",
        "1",
    )
}

#[tokio::test]
async fn every_item_has_its_result_under_its_id_and_the_stream_ends_well() {
    let server = TestServer::start(Config::default()).await;
    let mut stream = Driven::begin(&server, open(r#"{"accuracy": 1.0, "format": 0.5}"#))
        .await
        .unwrap();
    let opened = stream.opened().await;
    assert_eq!(opened.request_id, "stream-1");
    assert_eq!(opened.components, ["accuracy", "format"]);
    assert!(opened.window >= 64);
    let mut found = HashMap::new();
    for round in 0..20 {
        let ids = round * 50..(round + 1) * 50;
        stream
            .ask(
                ids.map(|n| item(&n.to_string(), &n.to_string(), "7"))
                    .collect(),
            )
            .await;
        while found.len() < (round + 1) * 50 {
            for result in stream.results().await.unwrap().unwrap() {
                let before = found.insert(result.id.clone(), total(&result));
                assert_eq!(before, None, "a second result for {}", result.id);
            }
        }
    }
    drop(std::mem::replace(&mut stream.asks, mpsc::channel(1).0));
    assert_eq!(stream.results().await.unwrap(), None);
    for n in 0..1000 {
        let expected = if n == 7 { 1.0 } else { 0.0 };
        assert_eq!(found[&n.to_string()], Some(expected));
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_breaks_the_rules_ends_the_stream_and_nothing_else() {
    let server = TestServer::start(Config {
        max_items: 3,
        ..Config::default()
    })
    .await;
    let accuracy = r#""accuracy""#;
    let items =
        |ids: &[&str]| -> Vec<pb::Item> { ids.iter().map(|id| item(id, "7", "7")).collect() };
    for (bad, word) in [
        (items(&["a", "a"]), "\"a\""),
        (items(&["a", ""]), "id"),
        (items(&["a", "b", "c", "d"]), "window"),
        (vec![], "no items"),
    ] {
        let mut stream = Driven::begin(&server, open(accuracy)).await.unwrap();
        assert_eq!(stream.opened().await.window, 3);
        stream.ask(bad).await;
        let status = stream.end().await;
        assert_eq!(status.code(), Code::InvalidArgument, "{word}");
        assert!(status.message().contains(word), "{status}");
    }
    let mut twice = Driven::begin(&server, open(accuracy)).await.unwrap();
    twice.opened().await;
    let _ = twice.asks.send(message(open(accuracy))).await;
    assert_eq!(twice.end().await.code(), Code::InvalidArgument);
    let first = Ask::Items(pb::StreamItems::default());
    let headless = Driven::begin(&server, first).await.err().unwrap();
    assert_eq!(headless.code(), Code::InvalidArgument);
    let by_hash = Ask::Open(pb::StreamOpen {
        spec_source: Some(stream_open::SpecSource::SpecSha256("00".to_owned())),
        ..pb::StreamOpen::default()
    });
    let unknown = Driven::begin(&server, by_hash).await.err().unwrap();
    assert_eq!(unknown.code(), Code::FailedPrecondition);
    assert_eq!(
        unknown.metadata().get("assay-error").unwrap(),
        "unknown_spec"
    );
    // An id may come again once its item is answered.
    let mut stream = Driven::begin(&server, open(accuracy)).await.unwrap();
    stream.opened().await;
    for _ in 0..3 {
        stream.ask(items(&["a"])).await;
        assert_eq!(stream.results().await.unwrap().unwrap()[0].id, "a");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_reader_that_does_not_read_bounds_what_is_held_and_stops_nobody() {
    let server = TestServer::start(Config {
        threads: 1,
        ..Config::default()
    })
    .await;
    let mut lazy = Driven::begin(&server, open(r#""accuracy""#)).await.unwrap();
    let window = lazy.opened().await.window as usize;
    // Their results are megabytes, more than lies on the way to a reader that does not read.
    let long = format!("\\boxed{{{}}}", "x".repeat(5000));
    let ids = |from: usize| {
        let ids = from..from + window;
        ids.map(|n| item(&n.to_string(), &long, "7")).collect()
    };
    lazy.ask(ids(0)).await;
    let other = request(r#""accuracy""#, vec![text("7", Some("7"))]);
    let response = server.client().await.score(other).await.unwrap();
    assert_eq!(total(&response.into_inner().results[0]), Some(1.0));
    lazy.ask(ids(window)).await;
    let over = lazy.end().await;
    assert_eq!(over.code(), Code::InvalidArgument);
    assert!(over.message().contains("window"), "{over}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn items_that_are_too_late_are_errors_and_get_no_second_result() {
    let server = TestServer::start(Config {
        threads: 1,
        ..Config::default()
    })
    .await;
    let mut stream = Driven::begin(&server, open(r#""accuracy""#)).await.unwrap();
    stream.opened().await;
    let slow_ones: Vec<_> = (0..60).map(|n| slow(&format!("slow {n}"))).collect();
    stream.ask(slow_ones).await;
    // One thread is at those before its turn comes.
    let hurried = pb::StreamItems {
        items: vec![item("hurried", "7", "7")],
        timeout_ms: 1,
    };
    stream
        .asks
        .send(message(Ask::Items(hurried)))
        .await
        .unwrap();
    drop(std::mem::replace(&mut stream.asks, mpsc::channel(1).0));
    let mut found: HashMap<String, pb::ItemResult> = HashMap::new();
    while let Some(results) = stream.results().await.unwrap() {
        for result in results {
            assert!(found.insert(result.id.clone(), result).is_none());
        }
    }
    assert_eq!(found.len(), 61);
    match found["hurried"].outcome.as_ref().unwrap() {
        Outcome::Error(error) => {
            assert_eq!(error.code(), pb::ErrorCode::Deadline);
            assert!(error.retryable);
        }
        Outcome::Scored(scored) => panic!("{scored:?}"),
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_finished_in_time_brings_what_was_finished() {
    let server = TestServer::start(Config {
        threads: 1,
        result_cache_bytes: 0,
        ..Config::default()
    })
    .await;
    // Seconds of work; nobody but the server keeps this deadline.
    let items = pb::StreamItems {
        items: (0..1000).map(|n| slow(&n.to_string())).collect(),
        timeout_ms: 2500,
    };
    let mut stream = Driven::begin(&server, open(r#""accuracy""#)).await.unwrap();
    stream.opened().await;
    stream.asks.send(message(Ask::Items(items))).await.unwrap();
    let mut results = HashMap::new();
    while results.len() < 1000 {
        for result in stream.results().await.unwrap().unwrap() {
            assert!(results.insert(result.id.clone(), result).is_none());
        }
    }
    let late = |result: &pb::ItemResult| match result.outcome.as_ref().unwrap() {
        Outcome::Error(error) => error.code() == pb::ErrorCode::Deadline,
        Outcome::Scored(_) => false,
    };
    let unfinished = results.values().filter(|result| late(result)).count();
    assert!(unfinished > 0 && unfinished < 1000, "{unfinished}");
    assert!(!late(&results["0"]) && late(&results["999"]));
    // The stream and the thread are free again for what comes next.
    stream.ask(vec![item("next", "7", "7")]).await;
    assert_eq!(
        total(&stream.results().await.unwrap().unwrap()[0]),
        Some(1.0)
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_tenant_with_a_backlog_does_not_keep_another_waiting() {
    let server = TestServer::start(Config {
        threads: 1,
        result_cache_bytes: 0,
        ..Config::default()
    })
    .await;
    let spec = r#""accuracy""#;
    let mut busy = Driven::named(&server, open(spec), "busy").await.unwrap();
    busy.opened().await;
    busy.ask((0..1000).map(|n| slow(&n.to_string())).collect())
        .await;
    // The first results show that its work is under way.
    let mut before = busy.results().await.unwrap().unwrap().len();
    let mut other = Driven::named(&server, open(spec), "other").await.unwrap();
    other.opened().await;
    other
        .ask((0..8).map(|n| slow(&n.to_string())).collect())
        .await;
    let mut answered = 0;
    while answered < 8 {
        tokio::select! {
            results = other.results() => answered += results.unwrap().unwrap().len(),
            results = busy.results() => before += results.unwrap().unwrap().len(),
        }
    }
    assert!(
        before < 1000,
        "the other tenant came after all of the backlog"
    );
    drop((busy, other));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_took_long_is_not_scored_again() {
    let metrics = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let server = TestServer::start(Config {
        metrics: Some(metrics.to_string()),
        ..Config::default()
    })
    .await;
    let asked = |ids: &[&str]| request(r#""accuracy""#, ids.iter().map(|id| slow(id)).collect());
    let mut client = server.client().await;
    let first = client.score(asked(&["a"])).await.unwrap().into_inner();
    let again = client.score(asked(&["b", "c"])).await.unwrap().into_inner();
    for (result, id) in again.results.iter().zip(["b", "c"]) {
        assert_eq!(result.id, id);
        assert_eq!(result.outcome, first.results[0].outcome);
    }
    let page = common::http(metrics, "GET /metrics").await.1;
    assert!(
        page.contains("assay_cache_hits_total{cache=\"result\"} 2\n"),
        "{page}"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopping_server_answers_what_a_stream_has_sent_and_sends_it_elsewhere() {
    let server = TestServer::start(Config::default()).await;
    let mut stream = Driven::begin(&server, open(r#""accuracy""#)).await.unwrap();
    stream.opened().await;
    stream.ask(vec![item("a", "7", "7")]).await;
    assert_eq!(stream.results().await.unwrap().unwrap()[0].id, "a");
    let stopping = tokio::spawn(server.stop());
    assert_eq!(stream.end().await.code(), Code::Unavailable);
    stopping.await.unwrap().unwrap();
}

fn client(target: &str) -> Client {
    let spec = RewardSpec::from_json(r#"{"accuracy": 1.0, "format": 0.5}"#).unwrap();
    Client::new(target, &spec, &ClientOptions::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_gives_every_part_once_while_a_server_goes() {
    let (first, second) = (
        TestServer::start(Config::default()).await,
        TestServer::start(Config::default()).await,
    );
    let client = client(&format!("{},{}", first.address, second.address));
    let completions: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    let items: Vec<Item<'_>> = completions
        .iter()
        .map(|completion| Item {
            completion,
            reference: Some("7"),
            prompt: None,
        })
        .collect();
    let mut stream = client.stream(client.parts(&items, 30), 8);
    let mut seen = vec![false; 5000];
    let mut first = Some(first);
    while let Some(part) = stream.next().await {
        let (rows, scores) = part.unwrap();
        assert_eq!(rows.len(), scores.total.len());
        for (row, place) in rows.zip(0..) {
            assert!(!std::mem::replace(&mut seen[row], true));
            assert_eq!(scores.status[place], ItemStatus::Scored);
            assert_eq!(scores.total[place], if row == 7 { 1.0 } else { 0.0 });
        }
        // The first in turn has the stream.
        if let Some(server) = first.take() {
            tokio::spawn(server.stop());
        }
    }
    assert!(seen.iter().all(|seen| *seen));
    second.stop().await.unwrap();
}

#[tokio::test]
async fn the_client_says_why_a_stream_has_no_scores() {
    let client = client("127.0.0.1:1");
    let items = [Item {
        completion: "7",
        ..Item::default()
    }];
    let mut stream = client.stream(client.parts(&items, 1), 1);
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ClientErrorKind::Unavailable);
    assert!(stream.next().await.is_none());
    assert!(
        client
            .stream(client.parts(&[], 1), 1)
            .next()
            .await
            .is_none()
    );
}

/// A server that is older than streams: it knows `Score` and what it was asked with.
#[derive(Clone, Default)]
struct Old {
    parents: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

#[tonic::async_trait]
impl pb::reward_service_server::RewardService for Old {
    type ScoreStreamStream = ReceiverStream<Result<pb::ScoreStreamResponse, Status>>;

    async fn score(
        &self,
        request: tonic::Request<pb::ScoreRequest>,
    ) -> Result<tonic::Response<pb::ScoreResponse>, Status> {
        let parent = request.metadata().get("traceparent");
        let parent = parent.map_or("", |parent| parent.to_str().unwrap());
        self.parents.lock().unwrap().push(parent.to_owned());
        let scored = |item: pb::Item| pb::ItemResult {
            id: item.id,
            outcome: Some(Outcome::Scored(pb::Scored {
                total: 1.0,
                reason: None,
            })),
            ..pb::ItemResult::default()
        };
        Ok(tonic::Response::new(pb::ScoreResponse {
            request_id: String::new(),
            components: vec!["accuracy".to_owned(), "format".to_owned()],
            results: request.into_inner().items.into_iter().map(scored).collect(),
        }))
    }

    async fn score_stream(
        &self,
        _: tonic::Request<Streaming<pb::ScoreStreamRequest>>,
    ) -> Result<tonic::Response<Self::ScoreStreamStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn register_tokenizer(
        &self,
        _: tonic::Request<pb::RegisterTokenizerRequest>,
    ) -> Result<tonic::Response<pb::RegisterTokenizerResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn register_spec(
        &self,
        _: tonic::Request<pb::RegisterSpecRequest>,
    ) -> Result<tonic::Response<pb::RegisterSpecResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_server_info(
        &self,
        _: tonic::Request<pb::GetServerInfoRequest>,
    ) -> Result<tonic::Response<pb::GetServerInfoResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn old_server() -> (Old, std::net::SocketAddr) {
    let old = Old::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = pb::reward_service_server::RewardServiceServer::new(old.clone());
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)),
    );
    (old, address)
}

#[tokio::test]
async fn a_server_without_streams_gets_a_request_for_each_part() {
    let (old, address) = old_server().await;
    let client = client(&address.to_string());
    let items = vec![Item::default(); 100];
    let mut stream = client.stream(client.parts(&items, 30), 2);
    let mut rows = Vec::new();
    while let Some(part) = stream.next().await {
        rows.extend(part.unwrap().0);
    }
    rows.sort_unstable();
    assert!(rows.into_iter().eq(0..100));
    assert_eq!(old.parents.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn requests_carry_the_trace_of_their_caller_or_a_new_one_if_asked() {
    let (old, address) = old_server().await;
    let client = client(&address.to_string());
    let item = [Item::default()];
    let run = |requests| client.run(requests);
    run(client.texts(&item)).await.unwrap();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let given = Trace::new(parent, "");
    run(client.texts(&item).traced(given.clone()))
        .await
        .unwrap();
    let mut stream = client.stream(client.parts(&item, 1).traced(given), 1);
    while stream.next().await.is_some() {}
    let options = ClientOptions {
        trace: true,
        ..ClientOptions::default()
    };
    let spec = RewardSpec::from_json(r#"{"accuracy": 1.0, "format": 0.5}"#).unwrap();
    let tracing = Client::new(&address.to_string(), &spec, &options).unwrap();
    for _ in 0..2 {
        tracing.run(tracing.texts(&item)).await.unwrap();
    }
    let parents = old.parents.lock().unwrap().clone();
    assert_eq!(parents[..3], ["", parent, parent]);
    assert_eq!((parents[3].len(), parents[4].len()), (55, 55));
    assert_ne!(parents[3][..35], parents[4][..35]);
}
