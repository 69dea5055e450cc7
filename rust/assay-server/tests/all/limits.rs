//! What one peer can make the server hold or wait for. `docs/security.md` names these tests.

use crate::common::raw::{
    Bare, DATA, END_STREAM, GOAWAY, HEADERS, RESET, SCORE, SETTINGS, Stalling, call, frame, framed,
    post, whole,
};
use crate::common::{TestServer, request, text};
use assay_server::Config;
use prost::Message;
use tonic::Code;

fn good() -> Vec<u8> {
    framed(&request(r#""accuracy""#, vec![text("7", Some("7"))]).encode_to_vec())
}

async fn assert_well(server: &TestServer) {
    let (code, message, _) = post(&server.channel().await, SCORE, &[], whole(good())).await;
    assert_eq!(code, Code::Ok, "{message}");
}

#[tokio::test]
async fn connections_have_a_limit_and_places_are_given_back() {
    let server = TestServer::start(Config {
        max_connections: 2,
        ..Config::default()
    })
    .await;
    let mut held = vec![
        Bare::begin(server.address, &[]).await,
        Bare::begin(server.address, &[]).await,
    ];
    for bare in &mut held {
        assert_eq!(bare.next().await.unwrap().kind, SETTINGS);
    }
    assert!(Bare::connect(server.address).await.is_ended().await);
    held.pop();
    // The place is free once the server has seen the end.
    loop {
        let mut bare = Bare::begin(server.address, &[]).await;
        if bare.next().await.is_some() {
            break;
        }
    }
    // Nobody behind them answers the goodbye of the server.
    drop(held);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_does_not_begin_is_ended() {
    let server = TestServer::start(Config {
        handshake_seconds: 1,
        ..Config::default()
    })
    .await;
    for beginning in ["", "PRI * HT", "GET / HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}"] {
        let mut bare = Bare::connect(server.address).await;
        bare.send(beginning.as_bytes()).await;
        assert!(bare.is_ended().await, "{beginning}");
    }
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_peer_that_is_gone_is_noticed() {
    let server = TestServer::start(Config {
        keepalive_seconds: 1,
        ..Config::default()
    })
    .await;
    let mut bare = Bare::begin(server.address, &[]).await;
    // It reads, and answers no ping.
    bare.kinds_until_the_end().await;
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_its_connection_and_nobody_else_does() {
    let server = TestServer::start(Config {
        stall_seconds: 1,
        keepalive_seconds: 0,
        ..Config::default()
    })
    .await;
    // Its window is empty: SETTINGS_INITIAL_WINDOW_SIZE (4) of 0.
    let mut bare = Bare::begin(server.address, &[0, 4, 0, 0, 0, 0]).await;
    bare.send(&[call(1, SCORE), frame(DATA, END_STREAM, 1, &good())].concat())
        .await;
    assert_well(&server).await;
    bare.kinds_until_the_end().await;
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn unread_responses_have_a_limit() {
    let server = TestServer::start(Config {
        max_message_bytes: 4000,
        // A connection may hold a quarter of it.
        max_held_bytes: 40_000,
        ..Config::default()
    })
    .await;
    let mut bare = Bare::begin(server.address, &[0, 4, 0, 0, 0, 0]).await;
    // Each answer has some 2,000 bytes of ids; six of them are more than one peer may leave unread.
    let mut items = vec![text("7", Some("7")); 8];
    for item in &mut items {
        item.id = "x".repeat(230);
    }
    let body = framed(&request(r#""accuracy""#, items).encode_to_vec());
    let mut stream = 1;
    // A refusal has no body, so that the window does not hold it up.
    loop {
        bare.send(&[call(stream, SCORE), frame(DATA, END_STREAM, stream, &body)].concat())
            .await;
        let refused = async {
            while let Some(heard) = bare.next().await {
                if heard.kind == HEADERS && heard.stream == stream {
                    return heard.flags & END_STREAM != 0;
                }
            }
            panic!("the connection has ended")
        };
        if refused.await {
            break;
        }
        stream += 2;
        assert!(stream < 100, "nothing was refused");
    }
    assert!(stream > 1, "the first one was refused");
    assert_well(&server).await;
    drop(bare);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_arrive_is_ended() {
    let server = TestServer::start(Config {
        stall_seconds: 1,
        ..Config::default()
    })
    .await;
    let channel = server.channel().await;
    for part in [0, 3, good().len() - 1, good().len()] {
        let body = Stalling((part > 0).then(|| good()[..part].to_vec().into()));
        let (code, message, _) = post(&channel, SCORE, &[], body).await;
        assert_eq!(code, Code::DeadlineExceeded, "{part}: {message}");
        assert!(message.contains("did not arrive"), "{message}");
    }
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn requests_that_arrive_have_a_limit() {
    let server = TestServer::start(Config {
        max_message_bytes: 10_000,
        max_held_bytes: 10_000,
        ..Config::default()
    })
    .await;
    let channel = server.channel().await;
    let part = || {
        let mut bytes = vec![0, 0, 0, 0x20, 0];
        bytes.resize(6000, b'x');
        Stalling(Some(bytes.into()))
    };
    let first = tokio::spawn({
        let channel = channel.clone();
        async move { post(&channel, SCORE, &[], part()).await }
    });
    // The first waits for the rest of itself; whichever of the two comes later is refused.
    let second = post(&channel, SCORE, &[], part());
    let (code, message, _) = tokio::select! {
        refused = second => refused,
        refused = first => refused.unwrap(),
    };
    assert_eq!(code, Code::ResourceExhausted, "{message}");
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn headers_and_calls_of_a_connection_have_limits() {
    let server = TestServer::start(Config::default()).await;
    let mut bare = Bare::begin(server.address, &[]).await;
    let heard = bare.next().await.unwrap();
    assert_eq!(heard.kind, SETTINGS);
    let settings: Vec<(u16, u32)> = heard
        .payload
        .chunks(6)
        .map(|part| {
            let [a, b, value @ ..] = <[u8; 6]>::try_from(part).unwrap();
            (u16::from_be_bytes([a, b]), u32::from_be_bytes(value))
        })
        .collect();
    // MAX_CONCURRENT_STREAMS and MAX_HEADER_LIST_SIZE.
    assert!(
        settings.contains(&(3, 256)) && settings.contains(&(6, 16 << 10)),
        "{settings:?}"
    );
    drop(bare);
    let channel = server.channel().await;
    let giant = "x".repeat(20 << 10);
    let (code, message, _) = post(&channel, SCORE, &[("x-giant", &giant)], whole(good())).await;
    assert_ne!(code, Code::Ok, "{message}");
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_peer_that_resets_its_calls_at_once_is_sent_away() {
    let server = TestServer::start(Config::default()).await;
    let mut bare = Bare::begin(server.address, &[]).await;
    let mut bytes = Vec::new();
    for number in 0..2000 {
        let stream = 2 * number + 1;
        bytes.extend(call(stream, SCORE));
        bytes.extend(frame(RESET, 0, stream, &8_u32.to_be_bytes()));
    }
    bare.send(&bytes).await;
    let kinds = bare.kinds_until_the_end().await;
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
    assert_well(&server).await;
    server.stop().await.unwrap();
}
