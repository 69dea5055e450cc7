//! Bad input, one kind a test: what the caller gets, and that the server serves on. `docs/security.md` names these tests.

use crate::common::raw::{
    Bare, DATA, END_STREAM, PREFACE, SCORE, SETTINGS, call, frame, framed, post, whole,
};
use crate::common::{TestServer, request, text};
use assay_server::pb::item::Completion;
use assay_server::pb::item_result::Outcome;
use assay_server::{Config, pb};
use prost::Message;
use tonic::Code;

/// The server still scores, and right.
async fn assert_well(server: &TestServer) {
    let message = request(
        r#""accuracy""#,
        vec![text("It is 7.", Some("7")), text("8", Some("7"))],
    );
    let response = server.client().await.score(message).await.unwrap();
    let totals: Vec<_> = response
        .into_inner()
        .results
        .iter()
        .map(|result| match result.outcome.as_ref().unwrap() {
            Outcome::Scored(scored) => scored.total,
            Outcome::Error(error) => panic!("{error:?}"),
        })
        .collect();
    assert_eq!(totals, [1.0, 0.0]);
}

#[tokio::test]
async fn zero_items_is_an_empty_answer() {
    let server = TestServer::start(Config::default()).await;
    let message = request(r#""accuracy""#, vec![]);
    let response = server.client().await.score(message).await.unwrap();
    assert_eq!(response.into_inner().results, []);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_million_items_is_one_refusal() {
    let server = TestServer::start(Config::default()).await;
    let message = request(r#""accuracy""#, vec![text("7", Some("7")); 1_000_000]);
    let status = server.client().await.score(message).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.metadata().get("assay-error").unwrap(), "too_large");
    assert!(status.message().contains("at most 65536"), "{status}");
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn invalid_utf8_is_a_message_that_cannot_be_read() {
    let server = TestServer::start(Config::default()).await;
    let mut bytes = request(r#""accuracy""#, vec![text("@@@@", Some("7"))]).encode_to_vec();
    let place = bytes.windows(4).position(|part| part == b"@@@@").unwrap();
    bytes[place..place + 4].copy_from_slice(&[0xff, 0xfe, 0xc0, 0x80]);
    let channel = server.channel().await;
    let (code, message, _) = post(&channel, SCORE, &[], whole(framed(&bytes))).await;
    // Not INTERNAL, which gRPC libraries say by default and which would be a fault of the server.
    assert_eq!(code, Code::InvalidArgument);
    assert!(message.contains("UTF-8"), "{message}");
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_no_message_is_refused_whole() {
    let server = TestServer::start(Config::default()).await;
    let channel = server.channel().await;
    let good = request(r#""accuracy""#, vec![text("7", Some("7"))]).encode_to_vec();
    let rows = [
        (
            "cut",
            framed(&good[..good.len() - 3]),
            Code::InvalidArgument,
        ),
        (
            "longer than it says",
            [framed(&good), vec![1, 2, 3]].concat(),
            Code::Internal,
        ),
        (
            "shorter than it says",
            framed(&good)[..20].to_vec(),
            Code::Internal,
        ),
        (
            "compressed by nothing",
            [&[1][..], &framed(&good)[1..]].concat(),
            Code::Internal,
        ),
        (
            "a frame of another kind",
            [&[9][..], &framed(&good)[1..]].concat(),
            Code::Internal,
        ),
        (
            "a length over the limit",
            vec![0, 255, 255, 255, 255],
            Code::OutOfRange,
        ),
        ("nothing", Vec::new(), Code::Internal),
    ];
    let mut found = Vec::new();
    for (what, body, expected) in rows {
        let (code, message, _) = post(&channel, SCORE, &[], whole(body)).await;
        found.push((what, code, message, expected));
    }
    for (what, code, message, expected) in &found {
        assert_eq!(code, expected, "{what}: {message}\n{found:?}");
    }
    for method in ["RegisterSpec", "RegisterTokenizer", "PutTests"] {
        let path = format!("/assay.v1.RewardService/{method}");
        let (code, message, _) = post(&channel, &path, &[], whole(framed(&[0xff; 9]))).await;
        assert_eq!(code, Code::InvalidArgument, "{message}");
        assert!(message.contains(method), "{message}");
    }
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn token_ids_out_of_the_vocabulary_are_an_error_of_their_item() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.client().await;
    let tokenizer = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"[UNK]":0,"7":1},"unk_token":"[UNK]"}}"#;
    let register = pb::RegisterTokenizerRequest {
        tokenizer_json: tokenizer.as_bytes().to_vec(),
    };
    let sha256 = client
        .register_tokenizer(register)
        .await
        .unwrap()
        .into_inner()
        .sha256;
    let asked = client.get_server_info(pb::GetServerInfoRequest {}).await;
    assert_eq!(asked.unwrap().into_inner().tokenizers[0].sha256, sha256);
    let ids = |ids: &[u32]| pb::Item {
        completion: Some(Completion::TokenIds(
            ids.iter()
                .flat_map(|id| id.to_le_bytes())
                .collect::<Vec<_>>()
                .into(),
        )),
        ..text("", Some("7"))
    };
    let message = pb::ScoreRequest {
        tokenizer_sha256: sha256,
        ..request(
            r#""accuracy""#,
            vec![ids(&[1]), ids(&[1, 2]), ids(&[u32::MAX]), ids(&[1])],
        )
    };
    let results = client.score(message).await.unwrap().into_inner().results;
    for (index, result) in results.iter().enumerate() {
        match result.outcome.as_ref().unwrap() {
            Outcome::Scored(scored) => {
                assert!((scored.total - 1.0).abs() < f64::EPSILON && index % 3 == 0);
            }
            Outcome::Error(error) => {
                assert_eq!(
                    (index % 3 == 0, error.code()),
                    (false, pb::ErrorCode::InvalidItem)
                );
                assert!(
                    error.reason.as_ref().unwrap().contains("vocabulary"),
                    "{error:?}"
                );
            }
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn duplicate_ids_are_answered_each_in_its_place() {
    let server = TestServer::start(Config::default()).await;
    let named = |completion: &str| pb::Item {
        id: "same".to_owned(),
        ..text(completion, Some("7"))
    };
    let message = request(r#""accuracy""#, vec![named("7"), named("8"), named("7")]);
    let response = server
        .client()
        .await
        .score(message)
        .await
        .unwrap()
        .into_inner();
    let found: Vec<_> = response
        .results
        .iter()
        .map(|result| match &result.outcome {
            Some(Outcome::Scored(scored)) => (result.id.as_str(), scored.total),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [("same", 1.0), ("same", 0.0), ("same", 1.0)]);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_deadline_is_a_span_of_time_and_an_absurd_one_does_no_harm() {
    let server = TestServer::start(Config::default()).await;
    let channel = server.channel().await;
    let body = framed(&request(r#""accuracy""#, vec![text("7", Some("7"))]).encode_to_vec());
    // A span of time and no time of day, so that clocks which differ between machines change nothing.
    for long in ["99999999H", "99999999S", "1H"] {
        let (code, message, _) = post(
            &channel,
            SCORE,
            &[("grpc-timeout", long)],
            whole(body.clone()),
        )
        .await;
        assert_eq!(code, Code::Ok, "{long}: {message}");
    }
    // What is no span is as if there were none.
    for nonsense in [
        "",
        "soon",
        "-5S",
        "999999999S",
        "5",
        "5x",
        "1.5S",
        "18446744073709551615S",
    ] {
        let (code, message, _) = post(
            &channel,
            SCORE,
            &[("grpc-timeout", nonsense)],
            whole(body.clone()),
        )
        .await;
        assert_eq!(code, Code::Ok, "{nonsense}: {message}");
    }
    for over in ["0n", "0S", "1n"] {
        let (code, message, _) = post(
            &channel,
            SCORE,
            &[("grpc-timeout", over)],
            whole(body.clone()),
        )
        .await;
        assert_ne!(code, Code::Ok, "{over}: {message}");
    }
    assert_well(&server).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_spec_over_its_limit_is_refused() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.client().await;
    let name = "x".repeat(300 << 10);
    let spec = pb::RewardSpec {
        components: vec![pb::Component {
            name,
            kind: Some(pb::component::Kind::Accuracy(pb::Accuracy::default())),
            ..pb::Component::default()
        }],
        ..pb::RewardSpec::default()
    };
    let register = pb::RegisterSpecRequest {
        spec: Some(spec.clone()),
    };
    let status = client.register_spec(register).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    let message = pb::ScoreRequest {
        spec_source: Some(pb::score_request::SpecSource::Spec(spec)),
        ..request(r#""accuracy""#, vec![text("7", Some("7"))])
    };
    let status = client.score(message).await.unwrap_err();
    assert_eq!(status.metadata().get("assay-error").unwrap(), "too_large");
    server.stop().await.unwrap();
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }
}

/// What a fuzzed connection says: nonsense, at one of the layers that will read it.
fn nonsense(random: &mut Random, good: &[u8]) -> Vec<u8> {
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    match random.below(5) {
        0 => random.bytes(200),
        1 => [PREFACE, &random.bytes(200)].concat(),
        2 => {
            // Frames of any kind, flags and stream.
            let mut bytes = begin;
            for _ in 0..random.below(20) {
                let payload = random.bytes(60);
                let (kind, flags, stream) =
                    (random.below(12), random.next() as u8, random.below(9));
                bytes.extend(frame(kind as u8, flags, stream as u32, &payload));
            }
            bytes
        }
        3 => {
            // A call with a body of nothing that anybody meant.
            let body = random.bytes(300);
            [begin, call(1, SCORE), frame(DATA, END_STREAM, 1, &body)].concat()
        }
        _ => {
            // A good message with some bytes changed, or its end missing.
            let mut message = good.to_vec();
            for _ in 0..=random.below(8) {
                let place = random.below(message.len());
                message[place] = random.next() as u8;
            }
            message.truncate(1 + random.below(message.len()));
            [
                begin,
                call(1, SCORE),
                frame(DATA, END_STREAM, 1, &framed(&message)),
            ]
            .concat()
        }
    }
}

#[tokio::test]
async fn random_and_truncated_bytes_end_only_their_own_connection() {
    let server = TestServer::start(Config {
        threads: 1,
        handshake_seconds: 1,
        stall_seconds: 1,
        keepalive_seconds: 1,
        ..Config::default()
    })
    .await;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let spec = r#"{"accuracy": 1.0, "format": 0.5, "repetition": 0.1}"#;
    let good = request(
        spec,
        vec![text(r"<answer>\frac{1}{2}</answer>", Some("0.5"))],
    )
    .encode_to_vec();
    for _ in 0..10 {
        let mut connections = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (bytes, address) = (nonsense(&mut random, &good), server.address);
            connections.spawn(async move {
                let mut bare = Bare::connect(address).await;
                bare.send(&bytes).await;
                // No more comes, so the server ends it, sooner or later.
                let _ = tokio::io::AsyncWriteExt::shutdown(&mut bare.0).await;
                bare.kinds_until_the_end().await;
            });
        }
        while let Some(done) = connections.join_next().await {
            done.unwrap();
        }
        assert_well(&server).await;
    }
    server.stop().await.unwrap();
}
