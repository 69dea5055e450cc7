//! Test-suites and other long references travel once.

use crate::common::stream::{Driven, item, open, total};
use crate::common::{TestServer, free, metric, request, text};
use assay_core::score::{Item, Scorer, Scores};
use assay_core::spec::RewardSpec;
use assay_server::client::{Client, ClientOptions};
use assay_server::pb::item_result::Outcome;
use assay_server::{Config, pb};
use tonic::Code;

const SPEC: &str = r#"{"accuracy": 1.0, "format": 0.5}"#;
const HITS: &str = "assay_cache_hits_total{cache=\"tests\"}";
const MISSES: &str = "assay_cache_misses_total{cache=\"tests\"}";
const PUTS: &str = "grpc_server_started_total{grpc_type=\"unary\",grpc_service=\"assay.v1.RewardService\",grpc_method=\"PutTests\"}";

async fn put(server: &TestServer, tests: &str) -> Result<String, tonic::Status> {
    let tests = tests.to_owned();
    let mut client = server.client().await;
    let put = client.put_tests(pb::PutTestsRequest { tests }).await?;
    Ok(put.into_inner().sha256)
}

fn naming(name: &str) -> pb::Item {
    pb::Item {
        reference_sha256: name.to_owned(),
        ..text(r"\boxed{7}", None)
    }
}

fn code(result: &pb::ItemResult) -> Option<(pb::ErrorCode, bool)> {
    match result.outcome.as_ref().unwrap() {
        Outcome::Scored(_) => None,
        Outcome::Error(error) => Some((error.code(), error.retryable)),
    }
}

#[tokio::test]
async fn an_item_names_what_was_put_and_one_that_names_nothing_is_an_error_of_its_own() {
    let server = TestServer::start(Config::default()).await;
    let name = put(&server, "7").await.unwrap();
    assert_eq!(put(&server, "7").await.unwrap(), name);
    let both = pb::Item {
        reference: Some("7".to_owned()),
        ..naming(&name)
    };
    let items = vec![
        naming(&name),
        text(r"\boxed{7}", Some("7")),
        naming(&"0".repeat(64)),
        both,
        naming("7"),
        naming(&name.to_uppercase()),
    ];
    let mut client = server.client().await;
    let response = client.score(request(SPEC, items)).await.unwrap();
    let response = response.into_inner();
    assert_eq!(response.references_found, 1);
    let results = response.results;
    assert_eq!(results[0], results[1]);
    assert_eq!(total(&results[0]), Some(1.0));
    let wrong = Some((pb::ErrorCode::InvalidItem, false));
    let codes: Vec<_> = results[2..].iter().map(code).collect();
    let unknown = Some((pb::ErrorCode::UnknownReference, true));
    assert_eq!(codes, [unknown, wrong, wrong, wrong]);
    // What nobody had put is found as soon as somebody has, though the same was asked before.
    let late = || request(SPEC, vec![naming(&sha256_of_eight())]);
    let before = client.score(late()).await.unwrap().into_inner();
    assert_eq!(code(&before.results[0]), unknown);
    assert_eq!(put(&server, "8").await.unwrap(), sha256_of_eight());
    let after = client.score(late()).await.unwrap().into_inner();
    assert_eq!(total(&after.results[0]), Some(0.0));
    server.stop().await.unwrap();
}

fn sha256_of_eight() -> String {
    "2c624232cdd221771294dfbb310aca000a0df6ac8b66b696d90ef06fdefb64a3".to_owned()
}

#[tokio::test]
async fn items_of_a_stream_name_theirs_too() {
    let server = TestServer::start(Config::default()).await;
    let name = put(&server, "7").await.unwrap();
    let named = |id: &str, name: &str| pb::Item {
        id: id.to_owned(),
        ..naming(name)
    };
    let mut driven = Driven::begin(&server, open(SPEC)).await.unwrap();
    driven.opened().await;
    let nothing = "0".repeat(64);
    let items = vec![named("a", &name), named("b", &nothing), item("c", "7", "7")];
    driven.ask(items).await;
    let mut results = Vec::new();
    while results.len() < 3 {
        results.extend(driven.results().await.unwrap().unwrap());
    }
    results.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(total(&results[0]), Some(1.0));
    let unknown = (pb::ErrorCode::UnknownReference, true);
    assert_eq!(code(&results[1]), Some(unknown));
    assert_eq!(total(&results[2]), Some(1.0));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_so_is_what_a_short_request_may_stand_for() {
    let server = TestServer::start(Config {
        tests_cache_bytes: 1 << 20,
        max_queued_tokens: 100_000,
        ..Config::default()
    })
    .await;
    let mut client = server.client().await;
    let info = client.get_server_info(pb::GetServerInfoRequest {}).await;
    let longest = info.unwrap().into_inner().limits.unwrap().max_tests_bytes as usize;
    assert!((100_000..=1 << 17).contains(&longest));
    let status = put(&server, &"x".repeat(longest + 1)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.metadata().get("assay-error").unwrap(), "too_large");
    let name = put(&server, &"x".repeat(longest)).await.unwrap();
    // Each stands for 32,000 tokens.
    let asked = |count| request(SPEC, vec![naming(&name); count]);
    let response = client.score(asked(2)).await.unwrap().into_inner();
    assert_eq!(response.references_found, 2);
    let status = client.score(asked(10)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.metadata().get("assay-error").unwrap(), "too_large");
    // The oldest goes when there is no room.
    for n in 0..20 {
        let text = n.to_string() + &"y".repeat(longest - 10);
        put(&server, &text).await.unwrap();
    }
    let response = client.score(asked(1)).await.unwrap().into_inner();
    assert_eq!(
        code(&response.results[0]),
        Some((pb::ErrorCode::UnknownReference, true))
    );
    server.stop().await.unwrap();
}

/// A number that takes 20,000 bytes to say.
fn long(number: &str) -> String {
    number.to_owned() + &" ".repeat(20_000)
}

fn equal(one: &Scores, other: &Scores) -> bool {
    // NaN is what it is in both.
    format!("{one:?}") == format!("{other:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_puts_a_long_reference_once_and_again_where_it_was_lost() {
    let metrics = free().await;
    let config = |bind: String| Config {
        bind,
        metrics: Some(metrics.to_string()),
        ..Config::default()
    };
    let server = TestServer::start_at(config("127.0.0.1:0".to_owned())).await;
    let address = server.address;
    let spec = RewardSpec::from_json(SPEC).unwrap();
    let client = Client::new(&address.to_string(), &spec, &ClientOptions::default()).unwrap();
    let (seven, eight) = (long("7"), long("8"));
    let references = [&seven, &eight, "7", "8"];
    // More than one request, in flight at the same time.
    let items: Vec<Item<'_>> = (0..400)
        .map(|row| Item {
            completion: if row % 3 == 0 {
                r"\boxed{7}"
            } else {
                "<answer>8</answer>"
            },
            reference: Some(references[row % 4]),
            prompt: None,
        })
        .collect();
    let expected = Scorer::new(spec).unwrap().score(&items).unwrap();
    assert!(expected.total.contains(&1.0) && expected.total.contains(&0.0));
    let run = || client.run(client.texts(&items));
    for times in 1..3 {
        assert!(equal(&run().await.unwrap(), &expected));
        assert_eq!(metric(metrics, PUTS).await, 2);
        assert_eq!(metric(metrics, HITS).await, 200 * times);
    }
    assert_eq!(metric(metrics, MISSES).await, 0);
    server.stop().await.unwrap();
    // It comes back at its address with nothing.
    let server = TestServer::start_at(config(address.to_string())).await;
    assert!(equal(&run().await.unwrap(), &expected));
    assert!(metric(metrics, MISSES).await > 0);
    assert!(equal(&run().await.unwrap(), &expected));
    let (puts, misses) = (metric(metrics, PUTS).await, metric(metrics, MISSES).await);
    assert!(puts >= 2);
    assert!(equal(&run().await.unwrap(), &expected));
    assert_eq!(metric(metrics, PUTS).await, puts);
    assert_eq!(metric(metrics, MISSES).await, misses);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_keeps_none_gets_them_with_their_items() {
    let server = TestServer::start(Config {
        tests_cache_bytes: 0,
        ..Config::default()
    })
    .await;
    let spec = RewardSpec::from_json(SPEC).unwrap();
    let options = ClientOptions::default();
    let client = Client::new(&server.address.to_string(), &spec, &options).unwrap();
    let item = Item {
        completion: r"\boxed{7}",
        reference: Some(&long("7")),
        prompt: None,
    };
    for _ in 0..2 {
        let scores = client.run(client.texts(&[item; 5])).await.unwrap();
        assert_eq!(scores.total, [1.0; 5]);
    }
    server.stop().await.unwrap();
}
