//! Who is let in: TLS, client certificates, tokens, addresses. `docs/security.md` names these tests.

use std::time::Duration;

use crate::common::certificates::{Authority, Folder};
use crate::common::raw::{post, whole};
use crate::common::{TestServer, request, text};
use assay_server::client::{Client, ClientErrorKind, ClientOptions, Tls};
use assay_server::load::{LoadOptions, load};
use assay_server::pb::reward_service_client::RewardServiceClient;
use assay_server::{Config, ServeError, pb, serve};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const NAME: &str = "rewards.test";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

/// A server with a certificate of this authority; `mutual` wants certificates of it too.
fn secured(authority: &Authority, folder: &Folder, mutual: bool) -> Config {
    let (certificate, key) = authority.issue(NAME);
    Config {
        tls_certificate: Some(folder.write("server.pem", &certificate)),
        tls_key: Some(folder.write("server.key", &key)),
        tls_client_ca: mutual.then(|| folder.write("ca.pem", &authority.pem())),
        ..Config::default()
    }
}

fn trusting(authority: &Authority) -> ClientTlsConfig {
    ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority.pem()))
        .domain_name(NAME)
}

async fn connect(server: &TestServer, tls: ClientTlsConfig) -> Result<Channel, String> {
    Channel::from_shared(format!("https://{}", server.address))
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await
        .map_err(|error| error.to_string())
}

async fn score(channel: Channel) -> Result<f64, Status> {
    let message = request(r#""accuracy""#, vec![text("It is 7.", Some("7"))]);
    let response = RewardServiceClient::new(channel).score(message).await?;
    match response.into_inner().results[0].outcome.clone().unwrap() {
        pb::item_result::Outcome::Scored(scored) => Ok(scored.total),
        pb::item_result::Outcome::Error(error) => panic!("{error:?}"),
    }
}

/// Tries until it is so: files are looked at every second.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    for _ in 0..300 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within 30 s: {what}");
}

#[tokio::test]
async fn with_certificates_only_tls_is_spoken() {
    let (authority, folder) = (Authority::new(), Folder::new("tls"));
    let server = TestServer::start(secured(&authority, &folder, false)).await;
    let channel = connect(&server, trusting(&authority)).await.unwrap();
    assert!((score(channel).await.unwrap() - 1.0).abs() < f64::EPSILON);
    connect(&server, trusting(&Authority::new()))
        .await
        .unwrap_err();
    connect(&server, trusting(&authority).domain_name("other.test"))
        .await
        .unwrap_err();
    let plain = Channel::from_shared(format!("http://{}", server.address)).unwrap();
    let refused = match plain.connect().await {
        Ok(channel) => score(channel).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn with_an_authority_of_clients_only_its_clients_come_in() {
    let (authority, folder) = (Authority::new(), Folder::new("mutual"));
    let server = TestServer::start(secured(&authority, &folder, true)).await;
    let identity = |authority: &Authority| {
        let (certificate, key) = authority.issue("trainer.test");
        Identity::from_pem(certificate, key)
    };
    let known = trusting(&authority).identity(identity(&authority));
    let channel = connect(&server, known).await.unwrap();
    score(channel).await.unwrap();
    let stranger = trusting(&authority).identity(identity(&Authority::new()));
    for tls in [trusting(&authority), stranger] {
        // With TLS 1.3 a client hears of its refusal at its first call.
        if let Ok(channel) = connect(&server, tls).await {
            score(channel).await.unwrap_err();
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn certificates_are_read_again_and_a_broken_one_is_not_used() {
    let (first, second, folder) = (Authority::new(), Authority::new(), Folder::new("reload"));
    let server = TestServer::start(secured(&first, &folder, false)).await;
    let before = connect(&server, trusting(&first)).await.unwrap();
    // A certificate whose key is another one's, as between two writes; then nonsense.
    let (certificate, key) = second.issue(NAME);
    for broken in [certificate.as_str(), "-----BEGIN CERTIFICATE-----\nx", ""] {
        folder.write("server.pem", broken);
        tokio::time::sleep(Duration::from_millis(1200)).await;
        connect(&server, trusting(&first)).await.unwrap();
    }
    folder.write("server.pem", &certificate);
    folder.write("server.key", &key);
    until("the new certificate is used", || async {
        connect(&server, trusting(&second)).await.is_ok()
    })
    .await;
    connect(&server, trusting(&first)).await.unwrap_err();
    score(before).await.unwrap();
    server.stop().await.unwrap();
}

fn with_tokens(folder: &Folder, tokens: &str) -> Config {
    Config {
        token_file: Some(folder.write("tokens", tokens)),
        reflection: true,
        ..Config::default()
    }
}

/// Scores nothing with this `authorization`.
async fn call(channel: &Channel, authorization: &str) -> (Code, String) {
    let headers = [("authorization", authorization)];
    let headers = if authorization.is_empty() {
        &headers[..0]
    } else {
        &headers[..]
    };
    let path = "/assay.v1.RewardService/GetServerInfo";
    let (code, message, _) = post(channel, path, headers, whole(vec![0; 5])).await;
    (code, message)
}

#[tokio::test]
async fn without_a_known_token_nobody_is_served() {
    let folder = Folder::new("tokens");
    let server =
        TestServer::start(with_tokens(&folder, &format!("team-a:{TOKEN}\n{OTHER}\n"))).await;
    let channel = server.channel().await;
    for known in [format!("Bearer {TOKEN}"), format!("bearer {OTHER}")] {
        assert_eq!(call(&channel, &known).await.0, Code::Ok, "{known}");
    }
    let almost = format!("Bearer {}", &TOKEN[1..]);
    let basic = format!("Basic {TOKEN}");
    let named = format!("Bearer team-a:{TOKEN}");
    for unknown in ["", "Bearer", "Bearer ", &almost, &basic, &named, TOKEN] {
        let (code, message) = call(&channel, unknown).await;
        assert_eq!(code, Code::Unauthenticated, "{unknown}");
        assert!(
            message.contains("token") && !message.contains(&TOKEN[1..]),
            "{message}"
        );
    }
    // Every method but health, also those that there are not.
    for path in [
        "/assay.v1.RewardService/Score",
        "/assay.v1.RewardService/ScoreStream",
        "/assay.v1.RewardService/RegisterSpec",
        "/assay.v1.RewardService/PutTests",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/no.Such/Method",
        "/grpc.health.v1.Health",
    ] {
        let (code, _, _) = post(&channel, path, &[], whole(vec![0; 5])).await;
        assert_eq!(code, Code::Unauthenticated, "{path}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn health_needs_no_token() {
    let folder = Folder::new("health");
    let server = TestServer::start(with_tokens(&folder, TOKEN)).await;
    let mut health = HealthClient::new(server.channel().await);
    health.check(HealthCheckRequest::default()).await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn tokens_are_read_again_and_a_broken_file_changes_nothing() {
    let folder = Folder::new("rotation");
    let server = TestServer::start(with_tokens(&folder, TOKEN)).await;
    let channel = server.channel().await;
    let (old, new) = (format!("Bearer {TOKEN}"), format!("Bearer {OTHER}"));
    for broken in ["", "short", "# nothing\n"] {
        folder.write("tokens", broken);
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(call(&channel, &old).await.0, Code::Ok);
    }
    folder.write("tokens", OTHER);
    until("the new token is known", || async {
        call(&channel, &new).await.0 == Code::Ok
    })
    .await;
    assert_eq!(call(&channel, &old).await.0, Code::Unauthenticated);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_client_brings_token_and_certificate() {
    let (authority, folder) = (Authority::new(), Folder::new("client"));
    let config = Config {
        token_file: Some(folder.write("tokens", &format!("team-a:{TOKEN}"))),
        ..secured(&authority, &folder, true)
    };
    let server = TestServer::start(config).await;
    let (certificate, key) = authority.issue("trainer.test");
    let options = |token: &str| ClientOptions {
        token: Some(token.to_owned()),
        tls: Some(Tls {
            ca: Some(authority.pem().into_bytes()),
            identity: Some((certificate.clone().into_bytes(), key.clone().into_bytes())),
            server_name: Some(NAME.to_owned()),
        }),
        timeout: Duration::from_secs(30),
        ..ClientOptions::default()
    };
    let spec = assay_core::spec::RewardSpec::from_json(r#""accuracy""#).unwrap();
    let target = server.address.to_string();
    let item = assay_core::score::Item {
        completion: "It is 7.",
        reference: Some("7"),
        prompt: None,
    };
    let client = Client::new(&target, &spec, &options(TOKEN)).unwrap();
    let scores = client.run(client.texts(&[item])).await.unwrap();
    assert!((scores.total[0] - 1.0).abs() < f64::EPSILON);
    let stranger = Client::new(&target, &spec, &options(OTHER)).unwrap();
    let error = stranger.run(stranger.texts(&[item])).await.unwrap_err();
    assert_eq!(error.kind(), ClientErrorKind::Unavailable);
    assert!(!error.to_string().contains(OTHER), "{error}");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn load_is_made_with_certificates_and_a_token() {
    let (authority, folder) = (Authority::new(), Folder::new("load"));
    let config = Config {
        token_file: Some(folder.write("tokens", &format!("team-a:{TOKEN}"))),
        ..secured(&authority, &folder, true)
    };
    let server = TestServer::start(config).await;
    let (certificate, key) = authority.issue("trainer.test");
    let options = LoadOptions {
        target: server.address.to_string(),
        requests: Some(10),
        batch: 8,
        ca: Some(folder.write("authority.pem", &authority.pem())),
        certificate: Some(folder.write("client.pem", &certificate)),
        key: Some(folder.write("client.key", &key)),
        server_name: Some(NAME.to_owned()),
        token_file: Some(folder.write("token", &format!("{TOKEN}\n"))),
        ..LoadOptions::default()
    };
    let make = |options: LoadOptions| {
        tokio::task::spawn_blocking(move || load(&options, &std::sync::Arc::default(), |_| ()))
    };
    for retry in [false, true] {
        let options = LoadOptions {
            retry,
            ..options.clone()
        };
        let report = make(options).await.unwrap().unwrap();
        assert!(report.ok && report.findings.items == 80, "{report}");
    }
    let stranger = LoadOptions {
        token_file: Some(folder.write("stranger", OTHER)),
        ..options.clone()
    };
    let error = make(stranger).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("token"), "{error}");
    let plain = LoadOptions {
        target: options.target.clone(),
        ..LoadOptions::default()
    };
    assert!(make(plain).await.unwrap().is_err());
    server.stop().await.unwrap();
}

async fn refused(config: Config) -> String {
    let error = serve(config, std::future::ready(()), |_| ())
        .await
        .unwrap_err();
    assert!(matches!(error, ServeError::Config(_)), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_public_address_without_protection_is_refused() {
    let public = || Config {
        bind: "0.0.0.0:0".to_owned(),
        ..Config::default()
    };
    assert!(refused(public()).await.contains("insecure_public"));
    let folder = Folder::new("public");
    let readable = Config {
        token_file: Some(folder.write("tokens", TOKEN)),
        ..public()
    };
    assert!(refused(readable).await.contains("no TLS"));
    let open = Config {
        bind: "[::]:0".to_owned(),
        ..secured(&Authority::new(), &folder, false)
    };
    assert!(refused(open).await.contains("everybody"));
    let metrics = Config {
        bind: "127.0.0.1:0".to_owned(),
        metrics: Some("0.0.0.0:0".to_owned()),
        ..Config::default()
    };
    assert!(refused(metrics).await.contains("public_metrics"));
}

#[tokio::test]
async fn half_of_a_protection_is_no_start() {
    let (authority, folder) = (Authority::new(), Folder::new("half"));
    let good = || secured(&authority, &folder, true);
    let other_key = folder.write("other.key", &authority.issue(NAME).1);
    let empty = folder.write("empty", "");
    let rows = [
        (
            Config {
                tls_key: None,
                ..good()
            },
            "tls_key",
        ),
        (
            Config {
                tls_certificate: None,
                tls_key: None,
                ..good()
            },
            "tls_certificate",
        ),
        (
            Config {
                tls_key: Some(other_key),
                ..good()
            },
            "server.pem",
        ),
        (
            Config {
                tls_key: Some(empty.clone()),
                ..good()
            },
            "empty",
        ),
        (
            Config {
                tls_client_ca: Some(empty.clone()),
                ..good()
            },
            "empty",
        ),
        (
            Config {
                token_file: Some(empty),
                ..Config::default()
            },
            "empty",
        ),
        (
            Config {
                token_file: Some(folder.path().join("absent")),
                ..Config::default()
            },
            "absent",
        ),
        (
            Config {
                token_env: Some("ASSAY_NO_SUCH".to_owned()),
                ..Config::default()
            },
            "ASSAY_NO_SUCH",
        ),
    ];
    for (config, named) in rows {
        let error = refused(config).await;
        assert!(error.contains(named) && !error.contains("BEGIN"), "{error}");
    }
}

#[tokio::test]
async fn reflection_is_there_only_when_asked_for() {
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    // `list_services`: field 7, an empty text.
    let list = crate::common::raw::framed(&[0x3a, 0]);
    for asked in [false, true] {
        let config = Config {
            reflection: asked,
            ..Config::default()
        };
        let server = TestServer::start(config).await;
        let (code, _, answer) = post(&server.channel().await, path, &[], whole(list.clone())).await;
        let expected = if asked { Code::Ok } else { Code::Unimplemented };
        assert_eq!(code, expected);
        let names = String::from_utf8_lossy(&answer);
        assert_eq!(names.contains("assay.v1.RewardService"), asked, "{names}");
        server.stop().await.unwrap();
    }
}
