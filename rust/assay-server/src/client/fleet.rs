//! The servers behind a target, and which of them gets the next request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::error::{ClientError, no_server};
use super::given::Given;
use super::options::{Balance, Connection};

/// As on the server: the default of 64 KiB makes a sender wait for each 64 KiB of a batch.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Names are looked up again this often, and whenever no server answers.
const LOOK_UP_EVERY: Duration = Duration::from_secs(30);
/// A server that failed is asked last for this long, doubled for each failure in a row.
const FIRST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Where the servers are, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) text: String,
    /// Each `HOST:PORT`.
    hosts: Vec<String>,
}

impl Target {
    /// Reads `HOST:PORT`, `HOST:PORT,HOST:PORT`, `dns:///HOST:PORT`, `ipv4:HOST:PORT,...` or `ipv6:[HOST]:PORT,...`.
    pub(super) fn parse(text: &str) -> Result<Self, ClientError> {
        let addresses = ["dns:///", "dns:", "ipv4:", "ipv6:"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        let hosts: Vec<String> = addresses
            .split(',')
            .map(|host| host.trim().to_owned())
            .collect();
        for host in &hosts {
            let port = host.rsplit_once(':').filter(|(name, _)| !name.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) || host.contains('/') {
                return Err(ClientError::input(format!(
                    "target: {text:?} is not HOST:PORT of a reward server, nor a list of them separated by commas"
                )));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            hosts,
        })
    }
}

/// One server and how it did lately.
pub(super) struct Server {
    address: SocketAddr,
    /// More than one, because a lost packet holds up everything on its connection.
    channels: Vec<Channel>,
    next: AtomicUsize,
    outstanding: AtomicUsize,
    health: Mutex<Health>,
    pub(super) given: Given,
}

/// A request that a server has not answered yet.
pub(super) struct Outstanding<'a>(&'a Server);

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Server {
    fn new(address: SocketAddr, host: &str, how: &Connection) -> Result<Self, ClientError> {
        let wrong = |error: &dyn std::fmt::Display| {
            ClientError::input(format!("target: {address}: {error}"))
        };
        let scheme = if how.tls.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
            .map_err(|error| wrong(&error))?
            .connect_timeout(CONNECT_TIMEOUT)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10));
        if let Some(tls) = &how.tls {
            let name = tls.server_name.as_deref().unwrap_or_else(|| name_of(host));
            let config = ClientTlsConfig::from(tls).domain_name(name);
            endpoint = endpoint.tls_config(config).map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                ClientError::input(format!(
                    "tls: {}",
                    cause.unwrap_or_else(|| error.to_string())
                ))
            })?;
        }
        Ok(Self {
            address,
            channels: (0..how.channels.max(1))
                .map(|_| endpoint.connect_lazy())
                .collect(),
            next: AtomicUsize::new(0),
            outstanding: AtomicUsize::new(0),
            health: Mutex::default(),
            given: Given::default(),
        })
    }

    /// The connection for the next request.
    pub(super) fn channel(&self) -> Channel {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.channels[turn % self.channels.len()].clone()
    }

    /// Counts a request until the result is dropped.
    pub(super) fn begin(&self) -> Outstanding<'_> {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        Outstanding(self)
    }

    pub(super) fn succeeded(&self) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Health::default();
    }

    pub(super) fn failed(&self) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = (FIRST_REST * 2_u32.pow(health.failures.min(8))).min(LONGEST_REST);
        health.failures += 1;
        health.rests_until = Some(Instant::now() + rest);
    }

    fn rests(&self) -> bool {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health
            .rests_until
            .is_some_and(|until| Instant::now() < until)
    }
}

/// The host without its port and without the brackets of IPv6.
fn name_of(host: &str) -> &str {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.trim_start_matches('[').trim_end_matches(']')
}

/// All servers of a target.
pub(super) struct Fleet {
    pub(super) target: Target,
    how: Connection,
    next: AtomicUsize,
    known: tokio::sync::Mutex<Known>,
}

#[derive(Default)]
struct Known {
    servers: Arc<Vec<Arc<Server>>>,
    looked_up: Option<Instant>,
}

impl Fleet {
    pub(super) fn new(target: Target, how: Connection) -> Self {
        Self {
            target,
            how,
            next: AtomicUsize::new(0),
            known: tokio::sync::Mutex::default(),
        }
    }

    /// The servers, looked up if that is due. A server that stays keeps its connection.
    pub(super) async fn servers(&self) -> Result<Arc<Vec<Arc<Server>>>, ClientError> {
        let mut known = self.known.lock().await;
        let fresh = known
            .looked_up
            .is_some_and(|at| at.elapsed() < LOOK_UP_EVERY);
        if fresh && !known.servers.iter().all(|server| server.rests()) {
            return Ok(Arc::clone(&known.servers));
        }
        let mut servers: Vec<Arc<Server>> = Vec::new();
        let mut fault = "the name has no address".to_owned();
        for host in &self.target.hosts {
            match tokio::net::lookup_host(host.as_str()).await {
                Ok(addresses) => {
                    for address in addresses {
                        if servers.iter().any(|server| server.address == address) {
                            continue;
                        }
                        let kept = known
                            .servers
                            .iter()
                            .find(|server| server.address == address);
                        servers.push(match kept {
                            Some(server) => Arc::clone(server),
                            None => Arc::new(Server::new(address, host, &self.how)?),
                        });
                    }
                }
                Err(error) => fault = format!("{host}: {error}"),
            }
        }
        if !servers.is_empty() {
            known.servers = Arc::new(servers);
            known.looked_up = Some(Instant::now());
        } else if known.servers.is_empty() {
            return Err(no_server(&self.target.text, &fault));
        }
        Ok(Arc::clone(&known.servers))
    }

    /// The next server in turn, those first that neither rest nor are among `tried`.
    pub(super) fn pick(
        &self,
        servers: &[Arc<Server>],
        tried: &[SocketAddr],
    ) -> Option<Arc<Server>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let turn =
            (0..servers.len()).map(|step| &servers[(start.wrapping_add(step)) % servers.len()]);
        let load = |server: &Server| match self.how.balance {
            Balance::RoundRobin => 0,
            Balance::LeastOutstanding => server.outstanding.load(Ordering::Relaxed),
        };
        // Of equals the first in turn.
        turn.min_by_key(|server| {
            (
                tried.contains(&server.address),
                server.rests(),
                load(server.as_ref()),
            )
        })
        .cloned()
    }
}

impl Server {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (text, hosts) in [
            ("a:1", vec!["a:1"]),
            ("dns:///rewards:50051", vec!["rewards:50051"]),
            (
                "ipv4:10.0.0.1:1,10.0.0.2:2",
                vec!["10.0.0.1:1", "10.0.0.2:2"],
            ),
            ("a:1, [::1]:2", vec!["a:1", "[::1]:2"]),
        ] {
            assert_eq!(Target::parse(text).unwrap().hosts, hosts);
        }
        for text in [
            "",
            "a",
            "a:",
            ":1",
            "a:70000",
            "http://a:1",
            "unix:/x",
            "a:1,,b:2",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn servers_take_turns_and_one_that_failed_comes_last() {
        let target = Target::parse("127.0.0.1:1,127.0.0.1:2,127.0.0.1:3").unwrap();
        let fleet = Fleet::new(target, Connection::default());
        let servers = fleet.servers().await.unwrap();
        let port = |tried: &[SocketAddr]| fleet.pick(&servers, tried).unwrap().address().port();
        assert_eq!([port(&[]), port(&[]), port(&[]), port(&[])], [1, 2, 3, 1]);
        servers[1].failed();
        assert!((0..9).all(|_| port(&[]) != 2));
        let others = [servers[0].address(), servers[2].address()];
        assert_eq!(port(&others), 2);
        servers[1].succeeded();
        assert!((0..3).any(|_| port(&[]) == 2));
    }

    #[tokio::test]
    async fn the_server_with_the_least_to_do_comes_first() {
        let target = Target::parse("127.0.0.1:1,127.0.0.1:2").unwrap();
        let how = Connection {
            balance: Balance::LeastOutstanding,
            ..Connection::default()
        };
        let fleet = Fleet::new(target, how);
        let servers = fleet.servers().await.unwrap();
        let port = || fleet.pick(&servers, &[]).unwrap().address().port();
        let busy = servers[0].begin();
        assert!((0..6).all(|_| port() == 2));
        drop(busy);
        assert!((0..2).any(|_| port() == 1));
    }

    #[test]
    fn names_for_certificates() {
        assert_eq!(name_of("rewards:50051"), "rewards");
        assert_eq!(name_of("[::1]:2"), "::1");
    }
}
