//! Streams that a test drives by hand.

use assay_server::pb;
use assay_server::pb::item_result::Outcome;
use assay_server::pb::reward_service_client::RewardServiceClient;
use assay_server::pb::score_request::SpecSource;
use assay_server::pb::score_stream_request::Message as Ask;
use assay_server::pb::score_stream_response::Message as Tell;
use assay_server::pb::stream_open;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::{TestServer, request, text};

/// A stream that a test drives by hand.
pub(crate) struct Driven {
    pub(crate) asks: mpsc::Sender<pb::ScoreStreamRequest>,
    pub(crate) tells: Streaming<pb::ScoreStreamResponse>,
}

impl Driven {
    pub(crate) async fn begin(server: &TestServer, first: Ask) -> Result<Self, Status> {
        Self::named(server, first, "").await
    }

    pub(crate) async fn named(
        server: &TestServer,
        first: Ask,
        tenant: &str,
    ) -> Result<Self, Status> {
        Self::over(server.channel().await, first, tenant).await
    }

    /// On a connection that others use, too.
    pub(crate) async fn over(channel: Channel, first: Ask, tenant: &str) -> Result<Self, Status> {
        let (asks, asked) = mpsc::channel(4);
        asks.try_send(message(first)).unwrap();
        let mut request = tonic::Request::new(ReceiverStream::new(asked));
        if !tenant.is_empty() {
            request
                .metadata_mut()
                .insert("assay-tenant", tenant.parse().unwrap());
        }
        let tells = RewardServiceClient::new(channel)
            .score_stream(request)
            .await?;
        Ok(Self {
            asks,
            tells: tells.into_inner(),
        })
    }

    pub(crate) async fn opened(&mut self) -> pb::StreamOpened {
        match self.tells.message().await.unwrap().unwrap().message {
            Some(Tell::Opened(opened)) => opened,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn ask(&self, items: Vec<pb::Item>) {
        let items = pb::StreamItems {
            items,
            timeout_ms: 0,
        };
        // A stream that has ended tells why on the other side.
        let _ = self.asks.send(message(Ask::Items(items))).await;
    }

    /// The next results; `None` at the end.
    pub(crate) async fn results(&mut self) -> Result<Option<Vec<pb::ItemResult>>, Status> {
        match self.tells.message().await?.map(|told| told.message) {
            Some(Some(Tell::Results(results))) => Ok(Some(results.results)),
            None => Ok(None),
            other => panic!("{other:?}"),
        }
    }

    /// What the stream ends with.
    pub(crate) async fn end(mut self) -> Status {
        loop {
            match self.results().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok(""),
                Err(status) => return status,
            }
        }
    }
}

pub(crate) fn message(message: Ask) -> pb::ScoreStreamRequest {
    pb::ScoreStreamRequest {
        message: Some(message),
    }
}

pub(crate) fn open(spec_json: &str) -> Ask {
    let Some(SpecSource::Spec(spec)) = request(spec_json, vec![]).spec_source else {
        panic!("no spec")
    };
    Ask::Open(pb::StreamOpen {
        request_id: "stream-1".to_owned(),
        spec_source: Some(stream_open::SpecSource::Spec(spec)),
        tokenizer_sha256: String::new(),
    })
}

pub(crate) fn item(id: &str, completion: &str, reference: &str) -> pb::Item {
    pb::Item {
        id: id.to_owned(),
        ..text(completion, Some(reference))
    }
}

pub(crate) fn total(result: &pb::ItemResult) -> Option<f64> {
    match result.outcome.as_ref()? {
        Outcome::Scored(scored) => Some(scored.total),
        Outcome::Error(_) => None,
    }
}

/// An item that takes milliseconds: about as much fuel as there is.
pub(crate) fn slow(id: &str) -> pb::Item {
    item(
        id,
        r"\boxed{\sum_{i=1}^{99}\sum_{j=1}^{99}\sum_{k=1}^{99}\sin(ijk)}",
        "1",
    )
}
