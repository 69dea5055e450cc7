//! `ScoreStream` on loopback, and what else concerns work that waits: deadlines, turns, results that are kept.

use std::collections::HashMap;

use crate::common::stream::{Driven, item, message, open, slow, total};
use crate::common::{TestServer, request, text};
use assay_server::pb::item_result::Outcome;
use assay_server::pb::reward_service_client::RewardServiceClient;
use assay_server::pb::score_stream_request::Message as Ask;
use assay_server::pb::stream_open;
use assay_server::{Config, pb};
use tokio::sync::mpsc;
use tonic::Code;
use tonic::transport::Channel;

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
    let items = |from: usize, text: &str| {
        let ids = from..from + window;
        ids.map(|n| item(&n.to_string(), text, "7")).collect()
    };
    lazy.ask(items(0, &long)).await;
    let other = request(r#""accuracy""#, vec![text("7", Some("7"))]);
    let response = server.client().await.score(other).await.unwrap();
    assert_eq!(total(&response.into_inner().results[0]), Some(1.0));
    // Short ones, which are there before the results of the long ones can be read.
    lazy.ask(items(window, "7")).await;
    let over = lazy.end().await;
    assert_eq!(over.code(), Code::InvalidArgument);
    assert!(over.message().contains("window"), "{over}");
    server.stop().await.unwrap();
}

/// Of one connection, too: what lies unread of a stream is bounded by the window of the stream, and that of the connection is wider.
#[tokio::test]
async fn a_stream_that_is_not_read_does_not_stop_others_of_its_connection() {
    let server = TestServer::start(Config {
        threads: 1,
        ..Config::default()
    })
    .await;
    let channel = Channel::from_shared(format!("http://{}", server.address))
        .unwrap()
        .initial_stream_window_size(1 << 18)
        .initial_connection_window_size(1 << 20)
        .connect()
        .await
        .unwrap();
    let accuracy = || open(r#""accuracy""#);
    let mut lazy = Driven::over(channel.clone(), accuracy(), "").await.unwrap();
    let window = lazy.opened().await.window as usize;
    let mut read = Driven::over(channel.clone(), accuracy(), "").await.unwrap();
    read.opened().await;
    // Megabytes of results, far more than the windows.
    let long = format!("\\boxed{{{}}}", "x".repeat(5000));
    lazy.ask(
        (0..window)
            .map(|n| item(&n.to_string(), &long, "7"))
            .collect(),
    )
    .await;
    for round in 0..10 {
        let id = round.to_string();
        read.ask(vec![item(&id, "7", "7")]).await;
        assert_eq!(read.results().await.unwrap().unwrap()[0].id, id);
        let whole = request(r#""accuracy""#, vec![text(&long, Some("7"))]);
        let mut client = RewardServiceClient::new(channel.clone());
        let answered = client.score(whole).await.unwrap().into_inner();
        assert!(answered.results[0].answer.is_some());
    }
    // And it was not read indeed, until now.
    let mut answered = 0;
    while answered < window {
        answered += lazy.results().await.unwrap().unwrap().len();
    }
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
    let metrics = crate::common::free().await;
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
    let page = crate::common::http(metrics, "GET /metrics").await.1;
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
