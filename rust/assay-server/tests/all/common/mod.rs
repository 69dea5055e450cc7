//! A server on a free port, for the life of a test.

pub(crate) mod certificates;
pub(crate) mod raw;
pub(crate) mod stream;

use assay_server::pb;
use assay_server::pb::item::Completion;
use assay_server::pb::reward_service_client::RewardServiceClient;
use assay_server::pb::score_request::SpecSource;
use assay_server::{Config, ServeError, serve, spec_to_wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

pub(crate) struct TestServer {
    pub(crate) address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl TestServer {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_at(Config {
            bind: "127.0.0.1:0".to_owned(),
            ..config
        })
        .await
    }

    /// Where the configuration says.
    pub(crate) async fn start_at(config: Config) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, address) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(serve(config, stopped, |address| {
            ready.send(address).unwrap();
        }));
        Self {
            address: address.await.unwrap(),
            stop,
            task,
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    pub(crate) async fn client(&self) -> RewardServiceClient<Channel> {
        RewardServiceClient::new(self.channel().await)
            .max_decoding_message_size(64 << 20)
            .max_encoding_message_size(64 << 20)
    }

    /// Stops and waits, as SIGTERM does.
    pub(crate) async fn stop(self) -> Result<(), ServeError> {
        let _ = self.stop.send(());
        self.task.await.unwrap()
    }
}

pub(crate) fn text(completion: &str, reference: Option<&str>) -> pb::Item {
    pb::Item {
        id: String::new(),
        completion: Some(Completion::Text(completion.to_owned())),
        reference: reference.map(str::to_owned),
        ..pb::Item::default()
    }
}

pub(crate) fn request(spec_json: &str, items: Vec<pb::Item>) -> pb::ScoreRequest {
    let spec = assay_core::spec::RewardSpec::from_json(spec_json).unwrap();
    pb::ScoreRequest {
        request_id: String::new(),
        spec_source: Some(SpecSource::Spec(spec_to_wire(&spec).unwrap())),
        tokenizer_sha256: String::new(),
        items,
    }
}

/// A port that was free a moment ago.
pub(crate) async fn free() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// The status line and the body of a response.
pub(crate) async fn http(address: std::net::SocketAddr, start: &str) -> (String, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let asked = format!("{start} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// One number of the metrics page.
pub(crate) async fn metric(address: std::net::SocketAddr, series: &str) -> u64 {
    let page = http(address, "GET /metrics").await.1;
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in {page}"))
        .parse()
        .unwrap()
}
