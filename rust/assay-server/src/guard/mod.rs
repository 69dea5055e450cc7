//! What stands between the network and the service: which address, whose certificate, how many connections, how much each may hold.

mod accept;
mod bounds;
mod connection;
mod exposure;
mod framing;
mod live;
mod tls;

pub(crate) use accept::Door;
pub(crate) use bounds::Bounds;
pub(crate) use connection::{Peer, Underway};
pub(crate) use exposure::{check, resolve};
pub(crate) use live::{Live, Source};
pub(crate) use tls::tls;
