//! The client: parts of a stream, servers that go or are older, traces, and servers that are full.

use crate::common::stream::{Driven, open, slow};
use crate::common::{TestServer, request, text};
use assay_core::score::{Item, Status as ItemStatus};
use assay_core::spec::RewardSpec;
use assay_server::client::{Client, ClientErrorKind, ClientOptions, Trace};
use assay_server::pb::item_result::Outcome;
use assay_server::{Config, pb};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

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

/// A server that is older than streams and names of references: it knows `Score` and what it was asked with.
#[derive(Clone, Default)]
struct Old {
    parents: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    /// Of each request, of each item.
    references: std::sync::Arc<std::sync::Mutex<Vec<Vec<Option<String>>>>>,
    /// Another server at its address knows `PutTests`.
    is_half_new: bool,
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
        let items = request.into_inner().items;
        let references = items.iter().map(|item| item.reference.clone()).collect();
        self.references.lock().unwrap().push(references);
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
            results: items.into_iter().map(scored).collect(),
            references_found: 0,
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

    async fn put_tests(
        &self,
        _: tonic::Request<pb::PutTestsRequest>,
    ) -> Result<tonic::Response<pb::PutTestsResponse>, Status> {
        if self.is_half_new {
            return Ok(tonic::Response::new(pb::PutTestsResponse::default()));
        }
        Err(Status::unimplemented(""))
    }

    async fn get_server_info(
        &self,
        _: tonic::Request<pb::GetServerInfoRequest>,
    ) -> Result<tonic::Response<pb::GetServerInfoResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn old_server(is_half_new: bool) -> (Old, std::net::SocketAddr) {
    let old = Old {
        is_half_new,
        ..Old::default()
    };
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
    let (old, address) = old_server(false).await;
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
async fn servers_without_names_of_references_get_every_reference() {
    let long = "x".repeat(20_000);
    let item = Item {
        completion: "",
        reference: Some(&long),
        prompt: None,
    };
    for (is_half_new, sent) in [(false, 1), (true, 2)] {
        let (old, address) = old_server(is_half_new).await;
        let client = client(&address.to_string());
        for times in 1..3 {
            let scores = client.run(client.texts(&[item; 3])).await.unwrap();
            assert_eq!(scores.total, [1.0; 3]);
            let seen = old.references.lock().unwrap().clone();
            assert_eq!(seen.len(), sent * times);
            assert_eq!(*seen.last().unwrap(), vec![Some(long.clone()); 3]);
        }
    }
}

#[tokio::test]
async fn requests_carry_the_trace_of_their_caller_or_a_new_one_if_asked() {
    let (old, address) = old_server(false).await;
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

#[tokio::test]
async fn what_would_wait_too_long_is_turned_away_and_comes_again_until_there_is_room() {
    let metrics = crate::common::free().await;
    let server = TestServer::start(Config {
        threads: 1,
        result_cache_bytes: 0,
        max_wait_seconds: 0.0,
        metrics: Some(metrics.to_string()),
        ..Config::default()
    })
    .await;
    // Seconds of work, of which the first results show that it is under way.
    let mut backlog = Driven::begin(&server, open(r#""accuracy""#)).await.unwrap();
    backlog.opened().await;
    backlog
        .ask((0..1000).map(|n| slow(&n.to_string())).collect())
        .await;
    backlog.results().await.unwrap();
    let asked = request(r#""accuracy""#, vec![text("7", Some("7")); 64]);
    let mut bare = server.client().await;
    for _ in 0..20 {
        let status = bare.score(asked.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert_eq!(status.metadata().get("assay-error").unwrap(), "overloaded");
        assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    }
    let shed = || crate::common::metric(metrics, "assay_shed_total{reason=\"wait\"}");
    assert_eq!(shed().await, 20);
    // assay's client asks again for as long as it has time.
    let client = client(&server.address.to_string());
    let patient = tokio::spawn(async move {
        let item = Item {
            completion: "<think>x</think><answer>7</answer>",
            reference: Some("7"),
            prompt: None,
        };
        client.run(client.texts(&[item; 300])).await
    });
    while shed().await < 22 {
        tokio::task::yield_now().await;
    }
    drop(backlog);
    let scores = patient.await.unwrap().unwrap();
    assert_eq!(scores.total, [1.5; 300]);
    server.stop().await.unwrap();
}
