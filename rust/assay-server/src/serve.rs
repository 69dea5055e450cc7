//! Listening, health and stopping.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;

use crate::auth::Auth;
use crate::guard::{self, Bounds, Door};
use crate::observe::{Observation, Readiness};
use crate::pb::reward_service_server::RewardServiceServer;
use crate::service::{RewardServer, Rewards};
use crate::{Config, ServeError, pb};

/// HTTP/2 windows: the default of 64 KiB makes a sender wait for each 64 KiB of a batch.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// The default of 16 KiB costs a batch of 256 long completions 30 frames, each with its own bookkeeping on both sides.
const FRAME: u32 = 1 << 20;

/// Serves until `stop` resolves, then reports `NOT_SERVING`, finishes what is in flight and returns.
///
/// `ready` gets the bound address as soon as connections are accepted; with port 0 in `config.bind` it is how a
/// caller learns the port. Requests in flight get `config.drain_seconds` to finish and are then cut off.
///
/// # Errors
///
/// [`ServeError::Config`] for a public address without protection, and for files of tokenizers, certificates or tokens that cannot
/// be read; [`ServeError::Bind`] for an address that cannot be listened on, [`ServeError::Io`] when the machine fails.
pub async fn serve(
    config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let drain = config.drain();
    let auth = Auth::new(&config)?;
    let tls = guard::tls(&config)?;
    let bind = config.bind.clone();
    let addresses = guard::resolve(&bind).await?;
    let of_metrics = match &config.metrics {
        Some(address) => guard::resolve(address).await?,
        None => Vec::new(),
    };
    guard::check(&config, &addresses, &of_metrics, auth.wants_tokens())?;
    let (observation, endpoint) = Observation::begin(&config).await?;
    let metrics = observation.metrics.clone();
    let door = Door::new(&config, tls, metrics.clone());
    let bounds = Bounds::new(&config, metrics.clone());
    let reflection = config.reflection.then(reflection).transpose()?;
    let builder = builder(&config);
    let max_message_bytes = config.max_message_bytes;
    let rewards = RewardServer::new(config, metrics)?;
    rewards.start_plugins().await?;
    let bind_error = |source| ServeError::Bind {
        address: bind.clone(),
        source,
    };
    let listener = TcpListener::bind(&addresses[..])
        .await
        .map_err(bind_error)?;
    let address = listener.local_addr().map_err(bind_error)?;

    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_serving::<RewardServiceServer<RewardServer>>()
        .await;
    let (gate, stop_streams) = (rewards.gate(), rewards.stopper());
    let service = Rewards::new(rewards, max_message_bytes);
    let (stopping, mut stopped) = watch::channel(false);
    let graceful = stop_gracefully(
        stop,
        observation.readiness.clone(),
        health,
        stop_streams,
        stopping,
    );
    // A peer that never closes its connection may hold a graceful stop for an hour, so the drain has a hard end.
    let hard_stop = async move {
        if stopped.wait_for(|stopping| *stopping).await.is_ok() {
            tokio::time::sleep(drain).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let server = builder
        .layer(observation.layer())
        .layer(auth)
        .layer(bounds)
        .layer(gate)
        .add_service(health_service)
        .add_service(service)
        .add_optional_service(reflection)
        .serve_with_incoming_shutdown(door.open(listener), graceful);
    tracing::info!(%address, "listening");
    observation.readiness.set(true);
    ready(address);
    let result = tokio::select! {
        result = server => result.map_err(|error| ServeError::Io(error.to_string())),
        () = endpoint => Ok(()),
        () = hard_stop => {
            tracing::warn!("requests still in flight after the drain time were cut off");
            Ok(())
        }
    };
    observation.end().await;
    result
}

/// HTTP/2 with its limits. What one peer may reset, and how many header frames it may send, h2 bounds by itself.
fn builder(config: &Config) -> Server {
    let keepalive = config.keepalive();
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_concurrent_streams(config.max_streams)
        .http2_max_header_list_size(config.max_header_bytes)
        .http2_keepalive_interval(keepalive.map(|(every, _)| every))
        .http2_keepalive_timeout(keepalive.map(|(_, answer)| answer))
}

/// The service that tells callers what services, methods and messages there are.
fn reflection() -> Result<
    tonic_reflection::server::v1::ServerReflectionServer<
        impl tonic_reflection::server::v1::ServerReflection,
    >,
    ServeError,
> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
        .build_v1()
        .map_err(|error| ServeError::Io(error.to_string()))
}

async fn stop_gracefully(
    stop: impl Future<Output = ()>,
    readiness: Readiness,
    health: tonic_health::server::HealthReporter,
    stop_streams: impl FnOnce(),
    stopping: watch::Sender<bool>,
) {
    stop.await;
    readiness.set(false);
    tracing::info!("stopping: no new requests, finishing those in flight");
    health
        .set_service_status("", tonic_health::ServingStatus::NotServing)
        .await;
    health
        .set_not_serving::<RewardServiceServer<RewardServer>>()
        .await;
    stop_streams();
    stopping.send_replace(true);
}

/// Serves on a runtime of its own until the process gets SIGINT (Ctrl-C) or SIGTERM.
///
/// # Errors
///
/// As [`serve`].
pub fn run(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("assay-io")
        .build()
        .map_err(|error| ServeError::Io(error.to_string()))?;
    let result = runtime.block_on(async {
        let stop = stop_signal()?;
        serve(config, stop, ready).await
    });
    // Requests that were cut off may still compute; the process need not wait for them.
    runtime.shutdown_background();
    result
}

/// Resolves at the first SIGINT or SIGTERM. The handlers stand when this returns, not when it is first awaited.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, ServeError> {
    use tokio::signal::unix::{SignalKind, signal};
    let io = |error: std::io::Error| ServeError::Io(error.to_string());
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
