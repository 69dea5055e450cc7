//! Taking connections in: only so many, only for so long until they speak HTTP/2, encrypted when there are certificates.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_stream::wrappers::ReceiverStream;

use super::connection::{Connection, Link, PREFACE, Peer, Place, Stream};
use super::live::Live;
use crate::Config;
use crate::observe::Metrics;

/// Connections that wait to be served; more wait in the system's own queue.
const WAITING: usize = 64;
/// Descriptors for everything that is no connection of a caller: files, plug-ins, reward models, metrics.
const OTHER_DESCRIPTORS: u64 = 128;

/// Takes connections in.
pub(crate) struct Door {
    tls: Option<Live<ServerConfig>>,
    places: Arc<Semaphore>,
    handshake: Duration,
    stall: Duration,
    metrics: Metrics,
}

impl Door {
    pub(crate) fn new(config: &Config, tls: Option<Live<ServerConfig>>, metrics: Metrics) -> Self {
        Self {
            tls,
            places: Arc::new(Semaphore::new(places(config.max_connections))),
            handshake: config.handshake(),
            stall: config.stall(),
            metrics,
        }
    }

    /// The connections, until the stream is dropped; the address is free then.
    pub(crate) fn open(self, listener: TcpListener) -> ReceiverStream<io::Result<Connection>> {
        let (send, receive) = mpsc::channel(WAITING);
        tokio::spawn(Arc::new(self).accept(listener, send));
        ReceiverStream::new(receive)
    }

    async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        send: mpsc::Sender<io::Result<Connection>>,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = send.closed() => return,
            };
            let Ok((stream, _)) = accepted else {
                // Out of descriptors, most likely: one may be free soon.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
                // At once, so that a client can go to another server.
                self.metrics.refused("full");
                continue;
            };
            let place = Place::new(permit, self.metrics.connections.clone());
            tokio::spawn(Arc::clone(&self).enter(stream, place, send.clone()));
        }
    }

    async fn enter(
        self: Arc<Self>,
        stream: TcpStream,
        place: Place,
        send: mpsc::Sender<io::Result<Connection>>,
    ) {
        // Without it, the tail of a response waits 40 ms for the peer to acknowledge the part before.
        let _ = stream.set_nodelay(true);
        let address = stream.peer_addr().ok().map(|address| address.ip());
        let greeted = tokio::time::timeout(self.handshake, self.greet(stream)).await;
        let (stream, certificate) = match greeted {
            Ok(Ok(greeted)) => greeted,
            Ok(Err(error)) => {
                tracing::debug!("a connection was refused: {error}");
                self.metrics.refused("handshake");
                return;
            }
            Err(_) => {
                tracing::debug!("a connection was refused: it did not begin in time");
                self.metrics.refused("handshake");
                return;
            }
        };
        let (link, is_cut) = Link::new();
        let watched = Arc::downgrade(&link);
        let peer = Peer {
            link,
            address,
            certificate,
        };
        let connection = Connection::new(stream, peer, is_cut, place);
        if send.send(Ok(connection)).await.is_ok() {
            self.watch(watched).await;
        }
    }

    /// TLS and the preface.
    async fn greet(&self, mut stream: TcpStream) -> io::Result<(Stream, Option<Arc<str>>)> {
        let Some(tls) = &self.tls else {
            preface(&mut stream).await?;
            return Ok((Stream::Plain(stream), None));
        };
        let mut stream = TlsAcceptor::from(tls.get()).accept(stream).await?;
        preface(&mut stream).await?;
        let certificates = stream.get_ref().1.peer_certificates();
        let name = certificates.and_then(|chain| name(chain.first()?));
        Ok((Stream::Tls(Box::new(stream)), name))
    }

    /// Ends a connection whose peer does not read.
    async fn watch(&self, link: Weak<Link>) {
        let pause = (self.stall / 4).max(Duration::from_millis(100));
        loop {
            tokio::time::sleep(pause).await;
            let Some(link) = link.upgrade() else { return };
            if link.is_stalled(self.stall) {
                tracing::info!("a connection was ended: its peer does not read the responses");
                self.metrics.refused("unread");
                link.cut();
                return;
            }
        }
    }
}

/// Reads the beginning of an HTTP/2 connection. It is ours to wait for: HTTP/2's own keep-alive starts after it.
async fn preface(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut found = [0; PREFACE.len()];
    for place in 0..found.len() {
        // By bytes, so that what is no HTTP/2 is refused at its first wrong one.
        stream.read_exact(&mut found[place..=place]).await?;
        if found[place] != PREFACE[place] {
            return Err(io::Error::other("it does not speak HTTP/2"));
        }
    }
    Ok(())
}

/// The first DNS name of a certificate.
fn name(certificate: &CertificateDer<'_>) -> Option<Arc<str>> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    certificate.valid_dns_names().next().map(Arc::from)
}

/// How many connections there may be: what is configured, or less where the system allows fewer descriptors.
fn places(configured: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let descriptors = limit.current.unwrap_or(u64::MAX);
    let possible = descriptors.saturating_sub(OTHER_DESCRIPTORS).max(1);
    let possible = usize::try_from(possible).unwrap_or(usize::MAX);
    if possible < configured {
        tracing::info!(
            "the limit of {descriptors} descriptors allows {possible} connections, not max_connections = {configured}"
        );
    }
    configured.min(possible).clamp(1, Semaphore::MAX_PERMITS)
}
