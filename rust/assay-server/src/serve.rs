//! Listening, health and stopping.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::observe::Observation;
use crate::pb::reward_service_server::RewardServiceServer;
use crate::service::RewardServer;
use crate::{Config, ServeError};

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
/// [`ServeError::Config`] for a tokenizer that cannot be read, [`ServeError::Bind`] for an address that cannot be
/// listened on, [`ServeError::Io`] when the machine fails.
pub async fn serve(
    config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let drain = config.drain();
    let max_message_bytes = config.max_message_bytes;
    let bind = config.bind.clone();
    let (observation, endpoint) = Observation::begin(&config).await?;
    let rewards = RewardServer::new(config, observation.metrics.clone())?;
    rewards.start_plugins().await?;
    let bind_error = |source| ServeError::Bind {
        address: bind.clone(),
        source,
    };
    let listener = TcpListener::bind(&bind).await.map_err(bind_error)?;
    let address = listener.local_addr().map_err(bind_error)?;

    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_serving::<RewardServiceServer<RewardServer>>()
        .await;
    let service = RewardServiceServer::new(rewards)
        .max_decoding_message_size(max_message_bytes)
        .max_encoding_message_size(max_message_bytes);

    let (stopping, mut stopped) = watch::channel(false);
    let readiness = observation.readiness.clone();
    let graceful = async move {
        stop.await;
        readiness.set(false);
        tracing::info!("stopping: no new requests, finishing those in flight");
        health
            .set_service_status("", tonic_health::ServingStatus::NotServing)
            .await;
        health
            .set_not_serving::<RewardServiceServer<RewardServer>>()
            .await;
        stopping.send_replace(true);
    };
    // A peer that never closes its connection may hold a graceful stop for an hour, so the drain has a hard end.
    let hard_stop = async move {
        if stopped.wait_for(|stopping| *stopping).await.is_ok() {
            tokio::time::sleep(drain).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    // Without it, the tail of a response waits 40 ms for the peer to acknowledge the part before.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .layer(observation.layer())
        .add_service(health_service)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, graceful);
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
