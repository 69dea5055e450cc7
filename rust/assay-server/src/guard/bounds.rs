//! What one connection, and all together, may make the server hold outside of scoring: requests that arrive slowly, and responses
//! that nobody reads.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Frame;
use hyper::body::Bytes;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::connection::{Link, Peer};
use super::framing::Framing;
use crate::Config;
use crate::observe::{Metrics, is_streaming};
use crate::refusable::Refusable;
use crate::work::overloaded;

/// The layer.
#[derive(Clone)]
pub(crate) struct Bounds {
    shared: Arc<Shared>,
}

struct Shared {
    arriving: AtomicUsize,
    unread: AtomicUsize,
    /// Bytes that all connections may hold of either.
    of_all: usize,
    /// Bytes that one connection may.
    of_one: usize,
    /// Time for a request to arrive.
    longest: Duration,
    metrics: Metrics,
}

impl Bounds {
    pub(crate) fn new(config: &Config, metrics: Metrics) -> Self {
        let of_all = config.max_held_bytes.max(config.max_message_bytes);
        Self {
            shared: Arc::new(Shared {
                arriving: AtomicUsize::new(0),
                unread: AtomicUsize::new(0),
                of_all,
                // One may be slow with its largest message, and a balancer carries many callers.
                of_one: (of_all / 4).max(config.max_message_bytes),
                longest: config.stall(),
                metrics,
            }),
        }
    }
}

impl<S> Layer<S> for Bounds {
    type Service = BoundedService<S>;

    fn layer(&self, inner: S) -> BoundedService<S> {
        BoundedService {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

/// A service with the layer around it.
#[derive(Clone)]
pub(crate) struct BoundedService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<Request<Body>> for BoundedService<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Refusable<Counted<S::Future>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(link) = request
            .extensions()
            .get::<Peer>()
            .map(|peer| Arc::clone(&peer.link))
        else {
            return Refusable::passed(Counted {
                answer: self.inner.call(request),
                on: None,
            });
        };
        let shared = Arc::clone(&self.shared);
        if link.unread_bytes() > shared.of_one
            || shared.unread.load(Ordering::Relaxed) > shared.of_all
        {
            shared.metrics.shed("unread");
            return Refusable::refused(overloaded(
                "responses are not being read: read them first, and try again",
            ));
        }
        let streams = is_streaming(request.uri().path());
        let request = request.map(|body| {
            Body::new(Arriving {
                inner: body,
                holds: Holds {
                    link: Arc::clone(&link),
                    shared: Arc::clone(&shared),
                    bytes: 0,
                },
                framing: streams.then(Framing::default),
                waiting: None,
                overdue: true,
                over: false,
            })
        });
        Refusable::passed(Counted {
            answer: self.inner.call(request),
            on: Some((link, shared)),
        })
    }
}

pin_project! {
    /// The response to come, whose body is counted on its way to the peer.
    pub(crate) struct Counted<F> {
        #[pin]
        answer: F,
        on: Option<(Arc<Link>, Arc<Shared>)>,
    }
}

impl<F, E> Future for Counted<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(context))?;
        Poll::Ready(Ok(match this.on.take() {
            Some((link, shared)) => answer.map(|inner| {
                Body::new(Leaving {
                    inner,
                    link,
                    shared,
                })
            }),
            None => answer,
        }))
    }
}

/// What a request that arrives holds, given back when it is dropped.
struct Holds {
    link: Arc<Link>,
    shared: Arc<Shared>,
    bytes: usize,
}

impl Holds {
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` when this connection, or all together, hold too much.
    fn set(&mut self, bytes: usize) -> Result<(), Status> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            let of_one = self.link.add_arriving(more);
            let of_all = self.shared.arriving.fetch_add(more, Ordering::Relaxed) + more;
            self.bytes = bytes;
            // The first that arrives is let through whatever its size: the limit of a message bounds it.
            if of_one > self.shared.of_one.max(self.bytes)
                || of_all > self.shared.of_all.max(self.bytes)
            {
                self.shared.metrics.shed("arriving");
                return Err(overloaded(
                    "too many bytes of requests are arriving: try again, or add servers",
                ));
            }
        } else {
            self.give_back(self.bytes - bytes);
        }
        Ok(())
    }

    fn give_back(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.link.arriving.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.arriving.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Holds {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

/// A request's body. A whole one is held until it ends; of a stream, a message until it ends.
struct Arriving {
    inner: Body,
    holds: Holds,
    /// `None` for a request of one message.
    framing: Option<Framing>,
    /// Runs while something has to come.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Whether something has to come: the rest of a request, of a message, or a stream's first one.
    overdue: bool,
    over: bool,
}

impl Arriving {
    /// Counts what came.
    fn count(&mut self, bytes: &[u8]) -> Result<(), Status> {
        let held = match &mut self.framing {
            None => self.holds.bytes + bytes.len(),
            Some(framing) => {
                let (partial, ended) = framing.feed(bytes);
                if ended || partial == 0 {
                    // Time is counted for each message anew.
                    self.waiting = None;
                }
                self.overdue = partial > 0;
                partial
            }
        };
        self.holds.set(held)
    }

    fn end(&mut self) {
        self.over = true;
        let _ = self.holds.set(0);
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) else {
            if !this.overdue {
                return Poll::Pending;
            }
            let longest = this.holds.shared.longest;
            let waiting = this
                .waiting
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
            ready!(waiting.as_mut().poll(context));
            this.end();
            let late = format!("the request did not arrive within {} s", longest.as_secs());
            return Poll::Ready(Some(Err(Status::deadline_exceeded(late))));
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let counted = frame.data_ref().map_or(Ok(()), |bytes| this.count(bytes));
                if frame.is_trailers() {
                    this.end();
                }
                Some(match counted {
                    Ok(()) => Ok(frame),
                    Err(status) => {
                        this.end();
                        Err(status)
                    }
                })
            }
            Some(Err(_)) => {
                this.end();
                // Whatever HTTP/2 calls it, it is the caller who did not send the rest.
                Some(Err(Status::cancelled("the request broke off")))
            }
            None => {
                this.end();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

pin_project! {
    /// A response's body, whose parts are counted until the peer has taken them.
    struct Leaving {
        #[pin]
        inner: Body,
        link: Arc<Link>,
        shared: Arc<Shared>,
    }
}

impl http_body::Body for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|bytes| {
                    if bytes.is_empty() {
                        return bytes;
                    }
                    this.shared.unread.fetch_add(bytes.len(), Ordering::Relaxed);
                    Bytes::from_owner(Part {
                        number: this.link.sent(bytes.len()),
                        bytes,
                        link: Arc::clone(this.link),
                        shared: Arc::clone(this.shared),
                    })
                })
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// A part of a response; dropped when the last of it is on the wire, or with its connection.
struct Part {
    bytes: Bytes,
    number: u64,
    link: Arc<Link>,
    shared: Arc<Shared>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.link.taken(self.number);
        self.shared
            .unread
            .fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}
