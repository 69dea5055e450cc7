//! One connection: its bytes, plain or encrypted, what it holds of the server, and its end.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// How every HTTP/2 connection begins.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the requests of a connection know of it, through their extensions.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(super) link: Arc<Link>,
    pub(crate) address: Option<std::net::IpAddr>,
    /// The first DNS name in the client's certificate, which an authority of ours has signed.
    pub(crate) certificate: Option<Arc<str>>,
}

/// Fewer bodies on their way are no crowd: what they take is up to their senders.
const CROWD: usize = 32;

impl Peer {
    /// A request's body is on its way until the result is dropped.
    pub(crate) fn body(&self, began: Instant) -> Underway {
        let mut bodies = self.link.bodies();
        let number = bodies.next;
        bodies.next += 1;
        bodies.began.insert(number, began);
        Underway {
            link: Arc::clone(&self.link),
            number,
        }
    }

    /// How long one more body may take to arrive, where there is a crowd: twice the time that the middle one of them has been on its
    /// way. They share the connection, so with too many of them, all arrive too late. One that is slow by itself says nothing.
    pub(crate) fn crowd(&self, now: Instant) -> Duration {
        let bodies = self.link.bodies();
        if bodies.began.len() < CROWD {
            return Duration::ZERO;
        }
        let middle = bodies.began.values().nth(bodies.began.len() / 2);
        let age = middle.map_or(Duration::ZERO, |began| {
            now.saturating_duration_since(*began)
        });
        age * 2
    }
}

/// A body on its way; see [`Peer::body`].
pub(crate) struct Underway {
    link: Arc<Link>,
    number: u64,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.link.bodies().began.remove(&self.number);
    }
}

/// When each body that is on its way began, by the order in which they began.
#[derive(Default)]
struct Bodies {
    next: u64,
    began: BTreeMap<u64, Instant>,
}

/// What a connection holds, and the way to end it from outside.
pub(super) struct Link {
    bodies: Mutex<Bodies>,
    /// Bytes of messages that are arriving.
    pub(super) arriving: AtomicUsize,
    unread: Mutex<Unread>,
    cut: Mutex<Option<oneshot::Sender<()>>>,
}

/// Parts of responses that the peer has not taken yet.
#[derive(Default)]
struct Unread {
    bytes: usize,
    next: u64,
    /// Since when each waits, oldest first, and its bytes.
    parts: BTreeMap<u64, (Instant, usize)>,
}

impl Link {
    pub(super) fn new() -> (Arc<Self>, oneshot::Receiver<()>) {
        let (cut, is_cut) = oneshot::channel();
        let link = Self {
            bodies: Mutex::default(),
            arriving: AtomicUsize::new(0),
            unread: Mutex::default(),
            cut: Mutex::new(Some(cut)),
        };
        (Arc::new(link), is_cut)
    }

    fn bodies(&self) -> MutexGuard<'_, Bodies> {
        // No code that can panic runs under the lock, so a poisoned state is still whole.
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of a response is on its way; the number is for [`Link::taken`].
    pub(super) fn sent(&self, bytes: usize) -> u64 {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let number = unread.next;
        unread.next += 1;
        unread.bytes += bytes;
        unread.parts.insert(number, (Instant::now(), bytes));
        number
    }

    pub(super) fn taken(&self, number: u64) {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = unread.parts.remove(&number) {
            unread.bytes -= bytes;
        }
    }

    pub(super) fn unread_bytes(&self) -> usize {
        self.unread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
    }

    /// Whether a part of a response has waited for longer.
    pub(super) fn is_stalled(&self, longest: Duration) -> bool {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = unread.parts.first_key_value();
        oldest.is_some_and(|(_, (since, _))| since.elapsed() > longest)
    }

    /// Ends the connection, whatever is on it.
    pub(super) fn cut(&self) {
        drop(
            self.cut
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    pub(super) fn add_arriving(&self, bytes: usize) -> usize {
        self.arriving.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

/// A place among the connections, given back when it is dropped.
pub(super) struct Place {
    shown: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit, shown: Gauge) -> Self {
        shown.inc();
        Self {
            shown,
            _permit: permit,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shown.dec();
    }
}

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! of_stream {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.stream {
            Stream::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Stream::Tls(stream) => {
                let $stream = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

/// A connection that has begun as HTTP/2 does; the preface, read already, is given to its reader first.
pub(crate) struct Connection {
    stream: Stream,
    preface: &'static [u8],
    is_cut: oneshot::Receiver<()>,
    cut: bool,
    peer: Peer,
    _place: Place,
}

impl Connection {
    pub(super) fn new(
        stream: Stream,
        peer: Peer,
        is_cut: oneshot::Receiver<()>,
        place: Place,
    ) -> Self {
        Self {
            stream,
            preface: PREFACE,
            is_cut,
            cut: false,
            peer,
            _place: place,
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // The server always reads, so this is where it hears of the end.
        this.cut = this.cut || Pin::new(&mut this.is_cut).poll(context).is_ready();
        if this.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if !this.preface.is_empty() {
            let (now, later) = this
                .preface
                .split_at(buffer.remaining().min(this.preface.len()));
            buffer.put_slice(now);
            this.preface = later;
            return Poll::Ready(Ok(()));
        }
        of_stream!(this, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        of_stream!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_stream!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_stream!(self, stream => stream.poll_shutdown(context))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        of_stream!(self, stream => stream.poll_write_vectored(context, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bodies_that_do_not_arrive_keep_others_from_beginning_and_a_slow_one_does_not() {
        let (link, _) = Link::new();
        let peer = Peer {
            link,
            address: None,
            certificate: None,
        };
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let slow = peer.body(start);
        let few: Vec<_> = (0..CROWD as u64 - 2).map(|n| peer.body(after(n))).collect();
        assert_eq!(peer.crowd(after(9000)), Duration::ZERO);
        let last = peer.body(after(8000));
        assert_eq!(
            peer.crowd(after(9000)),
            2 * Duration::from_millis(9001 - CROWD as u64 / 2)
        );
        // The others have arrived, and new ones come: the slow one does not count.
        drop((few, last));
        let _new: Vec<_> = (0..CROWD).map(|_| peer.body(after(9000))).collect();
        assert_eq!(peer.crowd(after(9010)), Duration::from_millis(20));
        drop(slow);
        assert_eq!(peer.link.bodies().began.len(), CROWD);
    }

    #[tokio::test]
    async fn a_link_counts_what_is_unread_and_can_be_cut() {
        let (link, is_cut) = Link::new();
        let (first, second) = (link.sent(10), link.sent(5));
        assert_eq!(link.unread_bytes(), 15);
        assert!(link.is_stalled(Duration::ZERO) && !link.is_stalled(Duration::from_hours(1)));
        link.taken(first);
        link.taken(first);
        assert_eq!(link.unread_bytes(), 5);
        link.taken(second);
        assert_eq!(link.unread_bytes(), 0);
        assert!(!link.is_stalled(Duration::ZERO));
        link.cut();
        assert!(is_cut.await.is_err());
    }
}
