//! The service on loopback: what comes back, what is refused and how, health, and stopping.

use crate::common::{TestServer, request, text};
use assay_server::pb::item::Completion;
use assay_server::pb::item_result::Outcome;
use assay_server::pb::score_request::SpecSource;
use assay_server::{Config, Overrides, ServeError, pb, serve};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

fn total(result: &pb::ItemResult) -> Option<f64> {
    match result.outcome.as_ref()? {
        Outcome::Scored(scored) => Some(scored.total),
        Outcome::Error(_) => None,
    }
}

#[tokio::test]
async fn results_are_in_the_order_of_the_items_and_carry_their_ids() {
    let server = TestServer::start(Config::default()).await;
    let items = (0..1000)
        .map(|index| pb::Item {
            id: format!("item-{index}"),
            ..text(&format!("\\boxed{{{index}}}"), Some("7"))
        })
        .collect();
    let mut message = request(r#""accuracy""#, items);
    message.request_id = "step-3".to_owned();
    let response = server
        .client()
        .await
        .score(message)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(response.request_id, "step-3");
    assert_eq!(response.components, ["accuracy"]);
    assert_eq!(response.results.len(), 1000);
    for (index, result) in response.results.iter().enumerate() {
        assert_eq!(result.id, format!("item-{index}"));
        assert_eq!(total(result), Some(if index == 7 { 1.0 } else { 0.0 }));
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn one_bad_item_is_one_error() {
    let server = TestServer::start(Config::default()).await;
    let empty = pb::Item {
        id: "empty".to_owned(),
        ..pb::Item::default()
    };
    let odd = pb::Item {
        completion: Some(Completion::TokenIds(vec![1, 0, 0].into())),
        ..text("", Some("7"))
    };
    let items = vec![
        text("\\boxed{7}", Some("7")),
        empty,
        odd,
        text("\\boxed{7}", None),
    ];
    let response = server
        .client()
        .await
        .score(request(r#""accuracy""#, items))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(total(&response.results[0]), Some(1.0));
    let codes: Vec<_> = response.results[1..]
        .iter()
        .map(|result| match result.outcome.as_ref().unwrap() {
            Outcome::Error(error) => {
                assert!(error.reason.is_some() && !error.retryable);
                error.code()
            }
            Outcome::Scored(scored) => panic!("{scored:?}"),
        })
        .collect();
    assert_eq!(
        codes,
        [
            pb::ErrorCode::InvalidItem,
            pb::ErrorCode::InvalidItem,
            pb::ErrorCode::InvalidReference
        ]
    );
    assert_eq!(response.results[1].id, "empty");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn no_items_is_an_empty_answer() {
    let server = TestServer::start(Config::default()).await;
    let response = server
        .client()
        .await
        .score(request(r#""accuracy""#, vec![]))
        .await
        .unwrap()
        .into_inner();
    assert!(response.results.is_empty());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_bad_request_is_refused_whole_with_its_row_of_the_error_table() {
    let server = TestServer::start(Config {
        max_items: 2,
        ..Config::default()
    })
    .await;
    let mut client = server.client().await;
    let good = request(r#""accuracy""#, vec![text("1", Some("1"))]);
    let no_spec = pb::ScoreRequest {
        spec_source: None,
        ..good.clone()
    };
    let unknown_tokenizer = pb::ScoreRequest {
        tokenizer_sha256: "00".repeat(32),
        ..good.clone()
    };
    let too_many = pb::ScoreRequest {
        items: vec![text("1", Some("1")); 3],
        ..good.clone()
    };
    let rows = [
        (no_spec, Code::InvalidArgument, Some("invalid_spec")),
        (
            unknown_tokenizer,
            Code::FailedPrecondition,
            Some("unknown_tokenizer"),
        ),
        (too_many, Code::ResourceExhausted, Some("too_large")),
    ];
    for (message, code, kind) in rows {
        let status = client.score(message).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert_eq!(
            status
                .metadata()
                .get("assay-error")
                .map(|value| value.to_str().unwrap()),
            kind
        );
    }
    // And the server still serves.
    assert_eq!(
        client.score(good).await.unwrap().into_inner().results.len(),
        1
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn specs_and_tokenizers_go_by_hash_once_they_are_registered() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.client().await;
    let full = request(r#""accuracy""#, vec![text("7", Some("7"))]);
    let Some(SpecSource::Spec(spec)) = full.spec_source.clone() else {
        panic!("no spec")
    };
    let register = pb::RegisterSpecRequest { spec: Some(spec) };
    let sha256 = client
        .register_spec(register)
        .await
        .unwrap()
        .into_inner()
        .sha256;
    let by_hash = |sha256: &str| pb::ScoreRequest {
        spec_source: Some(SpecSource::SpecSha256(sha256.to_owned())),
        ..full.clone()
    };
    let response = client.score(by_hash(&sha256)).await.unwrap().into_inner();
    assert_eq!(total(&response.results[0]), Some(1.0));
    let status = client.score(by_hash("00")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(
        status.metadata().get("assay-error").unwrap(),
        "unknown_spec"
    );
    let nothing = pb::RegisterSpecRequest { spec: None };
    let status = client.register_spec(nothing).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let junk = pb::RegisterTokenizerRequest {
        tokenizer_json: b"{}".to_vec(),
    };
    let status = client.register_tokenizer(junk).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_deadline_that_is_over_is_deadline_exceeded() {
    let server = TestServer::start(Config {
        threads: 1,
        ..Config::default()
    })
    .await;
    let items = vec![text(&"x".repeat(2000), Some("1")); 20_000];
    let mut message = tonic::Request::new(request(r#""accuracy""#, items));
    // By hand, so that only the server keeps it.
    let timeout = "1m".parse().unwrap();
    message.metadata_mut().insert("grpc-timeout", timeout);
    let status = server.client().await.score(message).await.unwrap_err();
    // The channel keeps it as well, and its own word is CANCELLED.
    assert!(
        matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled),
        "{status}"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn more_work_than_there_is_room_for_is_turned_away_before_it_starts() {
    let server = TestServer::start(Config {
        threads: 1,
        max_queued_tokens: 1,
        ..Config::default()
    })
    .await;
    let large = request(
        r#""accuracy""#,
        vec![text(&"1+".repeat(1000), Some("1")); 20_000],
    );
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut client, message) = (server.client().await, large.clone());
        calls.spawn(async move { client.score(message).await });
    }
    let results = calls.join_all().await;
    assert!(
        results.iter().any(Result::is_ok),
        "an idle server takes anything"
    );
    for status in results.into_iter().filter_map(Result::err) {
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.metadata().get("assay-error").unwrap(), "overloaded");
        assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused() {
    let server = TestServer::start(Config {
        max_message_bytes: 1000,
        ..Config::default()
    })
    .await;
    let message = request(r#""accuracy""#, vec![text(&"x".repeat(2000), Some("1"))]);
    let status = server.client().await.score(message).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn server_info_tells_kinds_limits_and_threads() {
    let server = TestServer::start(Config {
        threads: 3,
        max_items: 5,
        ..Config::default()
    })
    .await;
    let info = server
        .client()
        .await
        .get_server_info(pb::GetServerInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(info.version, env!("CARGO_PKG_VERSION"));
    assert!(info.component_kinds.contains(&"accuracy".to_owned()));
    assert_eq!(
        info.limits.unwrap(),
        pb::Limits {
            max_message_bytes: 64 << 20,
            max_items: 5,
            max_tests_bytes: (256 << 20) / 8 - 200,
        }
    );
    assert_eq!(info.threads, 3);
    assert_eq!(info.spec_schema_sha256.len(), 64);
    assert_eq!(info.sandbox, "none");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn health_is_serving_for_the_server_and_the_service() {
    let server = TestServer::start(Config::default()).await;
    let mut health = HealthClient::new(server.channel().await);
    for service in ["", "assay.v1.RewardService"] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let response = health.check(request).await.unwrap().into_inner();
        assert_eq!(response.status(), ServingStatus::Serving);
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn stopping_tells_watchers_and_finishes_what_is_in_flight() {
    let server = TestServer::start(Config::default()).await;
    let mut health = HealthClient::new(server.channel().await);
    let request_health = HealthCheckRequest {
        service: "assay.v1.RewardService".to_owned(),
    };
    let mut watch = health.watch(request_health).await.unwrap().into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    let mut client = server.client().await;
    let items: Vec<_> = (0..20_000)
        .map(|index| text(&format!("\\boxed{{{index}}}"), Some("7")))
        .collect();
    let call = tokio::spawn(async move { client.score(request(r#""accuracy""#, items)).await });
    // A second request on its own connection has been answered, so the first has arrived or is arriving.
    let small = request(r#""accuracy""#, vec![text("7", Some("7"))]);
    server.client().await.score(small).await.unwrap();
    let stopped = tokio::spawn(server.stop());
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    drop(watch);
    // Either it was taken and finished whole, or it was turned away whole.
    match call.await.unwrap() {
        Ok(response) => assert_eq!(response.into_inner().results.len(), 20_000),
        Err(status) => assert_eq!(status.code(), Code::Unavailable),
    }
    stopped.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_port_in_use_a_missing_tokenizer_and_a_weight_out_of_range_are_named() {
    let server = TestServer::start(Config::default()).await;
    let bind = server.address.to_string();
    let taken = Config {
        bind: bind.clone(),
        ..Config::default()
    };
    let error = serve(taken, std::future::pending(), |_| ())
        .await
        .unwrap_err();
    assert!(
        matches!(error, ServeError::Bind { .. }) && error.to_string().contains(&bind),
        "{error}"
    );
    let missing = Config {
        tokenizers: vec!["/nowhere/tokenizer.json".into()],
        ..Config::default()
    };
    let error = serve(missing, std::future::pending(), |_| ())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/tokenizer.json"),
        "{error}"
    );
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let heavy = Config {
            tenant_weight: [("team-a".to_owned(), weight)].into(),
            ..Config::default()
        };
        let error = serve(heavy, std::future::pending(), |_| ())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("team-a"), "{error}");
    }
    for (text, expected) in [
        ("team-a=3", Some(3.0)),
        ("team-a", None),
        ("team-a=x", None),
    ] {
        let overrides = Overrides {
            tenant_weights: vec![text.to_owned()],
            ..Overrides::default()
        };
        let weight = Config::load(None, overrides).map(|config| config.tenant_weight["team-a"]);
        assert_eq!(weight.ok(), expected, "{text}");
    }
    server.stop().await.unwrap();
}
