//! Calls that no proper client makes: bodies by hand on a proper connection, and HTTP/2 frames by hand on a bare one.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::Service;

pub(crate) const SCORE: &str = "/assay.v1.RewardService/Score";
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A message as gRPC frames it.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

/// Gives some bytes and then never ends.
pub(crate) struct Stalling(pub(crate) Option<Bytes>);

impl http_body::Body for Stalling {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

/// Posts a body; the code, the message and the bytes of the answer.
pub(crate) async fn post(
    channel: &Channel,
    path: &str,
    headers: &[(&str, &str)],
    body: impl http_body::Body<Data = Bytes, Error = Status> + Send + 'static,
) -> (Code, String, Vec<u8>) {
    let mut channel = channel.clone();
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    let mut request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::new(body)).unwrap();
    let response = match channel.call(request).await {
        Ok(response) => response,
        Err(error) => return (Code::Unknown, error.to_string(), Vec::new()),
    };
    let (parts, body) = response.into_parts();
    let ended = body.is_end_stream();
    let answer = match body.collect().await {
        Ok(answer) => answer,
        Err(status) => return (status.code(), status.message().to_owned(), Vec::new()),
    };
    let trailers = answer.trailers().cloned().unwrap_or_default();
    let bytes = answer.to_bytes().to_vec();
    let status = Status::from_header_map(if ended || trailers.is_empty() {
        &parts.headers
    } else {
        &trailers
    });
    let status = status.unwrap_or_else(|| Status::unknown(parts.status.to_string()));
    (status.code(), status.message().to_owned(), bytes)
}

/// A whole body.
pub(crate) fn whole(bytes: Vec<u8>) -> impl http_body::Body<Data = Bytes, Error = Status> + Send {
    http_body_util::Full::new(Bytes::from(bytes)).map_err(|never| match never {})
}

/// An HTTP/2 frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Header fields as HPACK literals without an index.
fn literals(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// The HEADERS frame of a call.
pub(crate) fn call(stream: u32, path: &str) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "test"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    frame(HEADERS, END_HEADERS, stream, &literals(&fields))
}

/// A frame that came.
pub(crate) struct Heard {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A connection without a client behind it.
pub(crate) struct Bare(pub(crate) TcpStream);

impl Bare {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// One that has begun as HTTP/2 does, with these settings.
    pub(crate) async fn begin(address: SocketAddr, settings: &[u8]) -> Self {
        let mut bare = Self::connect(address).await;
        bare.send(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat())
            .await;
        bare
    }

    /// The peer may have gone; then what comes back says so.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// The next frame. `None` when the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Heard {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload,
        })
    }

    /// Reads until the connection ends; the kinds of the frames that came.
    pub(crate) async fn kinds_until_the_end(&mut self) -> Vec<u8> {
        let mut kinds = Vec::new();
        while let Some(heard) = self.next().await {
            kinds.push(heard.kind);
        }
        kinds
    }

    /// Whether the peer ends the connection without a word.
    pub(crate) async fn is_ended(&mut self) -> bool {
        let mut byte = [0];
        !matches!(self.0.read(&mut byte).await, Ok(1))
    }
}
