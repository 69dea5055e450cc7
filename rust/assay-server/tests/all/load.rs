//! The load generator against real servers, right ones and wrong ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::TestServer;
use assay_server::load::{Kind, LoadError, LoadOptions, Report, load};
use assay_server::pb;
use assay_server::pb::reward_service_client::RewardServiceClient;
use assay_server::pb::reward_service_server::{RewardService, RewardServiceServer};
use assay_server::{Config, pb::item_result::Outcome};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// Makes a load on another thread, as its callers do.
async fn make(options: LoadOptions) -> Result<Report, LoadError> {
    tokio::task::spawn_blocking(move || load(&options, &Arc::default(), |_| ()))
        .await
        .unwrap()
}

fn some(target: &impl ToString) -> LoadOptions {
    LoadOptions {
        target: target.to_string(),
        batch: 16,
        requests: Some(40),
        ..LoadOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_and_open_loops_find_every_result_right() {
    let server = TestServer::start(Config::default()).await;
    for kind in [Kind::Short, Kind::LongText, Kind::LongTokens] {
        let options = LoadOptions {
            kind,
            connections: 3,
            ..some(&server.address)
        };
        let report = make(options).await.unwrap();
        assert!(report.ok, "{report}");
        assert_eq!((report.requests, report.findings.items), (40, 640));
        assert!(report.latency_ms.p50 > 0.0 && report.latency_ms.p999 >= report.latency_ms.p99);
    }
    let open = LoadOptions {
        rate: Some(400.0),
        pid: Some(std::process::id()),
        ..some(&server.address)
    };
    let report = make(open).await.unwrap();
    assert!(report.ok && report.mode == "open", "{report}");
    assert_eq!(report.answered, 40);
    // 40 requests at 400 a second leave in 39 intervals of 2.5 ms; a faster end would mean they did not wait their turn.
    assert!(report.seconds > 0.0975);
    assert!(report.server.unwrap().rss_mib_most > 0.0);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn through_the_client_several_servers_are_one() {
    let servers = [
        TestServer::start(Config::default()).await,
        TestServer::start(Config::default()).await,
    ];
    let target = format!("{},{}", servers[0].address, servers[1].address);
    for kind in [Kind::Short, Kind::LongTokens] {
        let options = LoadOptions {
            retry: true,
            kind,
            ..some(&target)
        };
        let report = make(options).await.unwrap();
        assert!(report.ok, "{report}");
        assert_eq!(report.findings.items, 640);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_begin_is_an_error_and_what_fails_later_is_counted() {
    let error = make(some(&"127.0.0.1:1")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no reward server answers at 127.0.0.1:1")
    );
    let server = TestServer::start(Config {
        max_items: 8,
        ..Config::default()
    })
    .await;
    let report = make(some(&server.address)).await.unwrap();
    assert!(!report.ok);
    assert_eq!((report.shed, report.answered), (0, 0));
    assert_eq!(report.failed["ResourceExhausted"], 40);
    let gone = LoadOptions {
        pid: Some(u32::MAX),
        ..some(&server.address)
    };
    assert!(matches!(make(gone).await, Err(LoadError::Options(_))));
}

/// Hands requests on to a right server, and spoils some of its results.
struct Lying {
    right: RewardServiceClient<Channel>,
    requests: AtomicU64,
}

#[tonic::async_trait]
impl RewardService for Lying {
    type ScoreStreamStream =
        tokio_stream::wrappers::ReceiverStream<Result<pb::ScoreStreamResponse, Status>>;

    async fn score_stream(
        &self,
        _: Request<tonic::Streaming<pb::ScoreStreamRequest>>,
    ) -> Result<Response<Self::ScoreStreamStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn score(
        &self,
        request: Request<pb::ScoreRequest>,
    ) -> Result<Response<pb::ScoreResponse>, Status> {
        let mut right = self.right.clone();
        let mut response = right.score(request.into_inner()).await?;
        let results = &mut response.get_mut().results;
        match self.requests.fetch_add(1, Ordering::Relaxed) {
            0 => drop(results.pop()),
            1 => results.push(results[0].clone()),
            2 => {
                if let Some(Outcome::Scored(scored)) = &mut results[7].outcome {
                    scored.total += 1e-9;
                }
            }
            3 => return Err(Status::internal("a bug")),
            _ => {}
        }
        Ok(response)
    }

    async fn register_tokenizer(
        &self,
        _: Request<pb::RegisterTokenizerRequest>,
    ) -> Result<Response<pb::RegisterTokenizerResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn register_spec(
        &self,
        _: Request<pb::RegisterSpecRequest>,
    ) -> Result<Response<pb::RegisterSpecResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn put_tests(
        &self,
        _: Request<pb::PutTestsRequest>,
    ) -> Result<Response<pb::PutTestsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_server_info(
        &self,
        _: Request<pb::GetServerInfoRequest>,
    ) -> Result<Response<pb::GetServerInfoResponse>, Status> {
        Ok(Response::new(pb::GetServerInfoResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_a_doubled_and_a_different_result_are_each_counted() {
    let server = TestServer::start(Config::default()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let lying = Lying {
        right: server.client().await,
        requests: AtomicU64::new(0),
    };
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(RewardServiceServer::new(lying))
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)),
    );
    let report = make(some(&address)).await.unwrap();
    let found = &report.findings;
    assert_eq!(
        (found.lost, found.duplicated, found.different),
        (1, 1, 1),
        "{report}"
    );
    assert_eq!(report.failed["Internal"], 1);
    assert_eq!(found.items, 39 * 16 - 2);
    assert!(!report.ok);
}
