//! Ways to send a request: bare connections, or assay's client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assay_core::score::Item;
use tokio::task::JoinSet;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use super::check::{self, Findings};
use super::workload::{Text, Workload};
use super::{Kind, LoadError, LoadOptions};
use crate::client::{Client, ClientError, ClientOptions, Signature, Tls};
use crate::pb;
use crate::pb::reward_service_client::RewardServiceClient;
use crate::wire::{KIND_KEY, UNKNOWN_TOKENIZER, spec_to_wire};

/// As the server's; a request of 1,024 long items is 20 MB.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// No limit of ours: the server's is what is looked at.
const MAX_MESSAGE_BYTES: usize = 1 << 30;
/// Connections that are opened at the same time.
const OPENING: usize = 64;

/// How a request ended.
pub(crate) enum End {
    Answered(Findings),
    Shed,
    Failed { code: String, message: String },
}

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Caller {
    workload: Arc<Workload>,
    batch: usize,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Bare(Arc<Bare>),
    Client(Client),
}

struct Bare {
    connections: Vec<RewardServiceClient<Channel>>,
    next: AtomicUsize,
    head: pb::ScoreRequest,
    timeout: Duration,
    signature: Arc<Signature>,
}

impl Caller {
    /// Opens all connections.
    ///
    /// # Errors
    ///
    /// When a server does not answer, or the target is none.
    pub(crate) async fn connect(options: &LoadOptions) -> Result<Self, LoadError> {
        let workload = Arc::new(Workload::new(options.kind));
        let way = if options.retry {
            let tokenizer_json =
                (options.kind == Kind::LongTokens).then(|| workload.tokenizer().to_vec());
            let client_options = ClientOptions {
                tokenizer_json,
                ..options.client()?
            };
            let client = Client::new(&options.target, &Workload::spec(), &client_options)?;
            client.server_info().await?;
            Way::Client(client)
        } else {
            Way::Bare(Arc::new(Bare::connect(options, &workload).await?))
        };
        Ok(Self {
            workload,
            batch: options.batch,
            way,
        })
    }

    /// Sends request number `number` and looks at the answer.
    pub(crate) async fn call(&self, number: u64) -> End {
        let first = number * self.batch as u64;
        match &self.way {
            Way::Bare(bare) => match bare.call(&self.workload, first, self.batch).await {
                Ok(response) => End::Answered(check::response(
                    &self.workload,
                    first,
                    self.batch,
                    &response,
                )),
                Err(status) if is_shed(&status) => End::Shed,
                Err(status) => End::Failed {
                    code: format!("{:?}", status.code()),
                    message: status.message().to_owned(),
                },
            },
            Way::Client(client) => self.through_client(client, first).await,
        }
    }

    async fn through_client(&self, client: &Client, first: u64) -> End {
        let made: Vec<_> = (first..first + self.batch as u64)
            .map(|n| self.workload.item(n))
            .collect();
        let references: Vec<Option<&str>> =
            made.iter().map(|made| made.reference.as_deref()).collect();
        let (mut texts, mut ids, mut offsets) = (Vec::new(), Vec::new(), vec![0]);
        for (made, reference) in made.iter().zip(&references) {
            match &made.completion {
                Text::Plain(completion) => texts.push(Item {
                    completion,
                    reference: *reference,
                    prompt: None,
                }),
                Text::Tokens(tokens) => {
                    ids.extend_from_slice(tokens);
                    offsets.push(ids.len() as i64);
                }
            }
        }
        let requests = if ids.is_empty() {
            Ok(client.texts(&texts))
        } else {
            client
                .tokens(&ids, &offsets, &references, &[])
                .map_err(ClientError::from)
        };
        let result = match requests {
            Ok(requests) => client.run(requests).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(scores) => End::Answered(check::scores(&self.workload, first, self.batch, &scores)),
            Err(error) => End::Failed {
                code: format!("{:?}", error.kind()),
                message: error.to_string(),
            },
        }
    }
}

/// Turned away for want of room, as opposed to for its size.
fn is_shed(status: &Status) -> bool {
    let kind = status.metadata().get(KIND_KEY);
    status.code() == Code::ResourceExhausted && kind.is_none_or(|kind| kind != "too_large")
}

impl Bare {
    async fn connect(options: &LoadOptions, workload: &Arc<Workload>) -> Result<Self, LoadError> {
        let addresses: Vec<String> = options
            .target
            .split(',')
            .map(|host| host.trim().to_owned())
            .collect();
        let spec = spec_to_wire(&Workload::spec()).map_err(ClientError::from)?;
        let head = pb::ScoreRequest {
            spec_source: Some(pb::score_request::SpecSource::Spec(spec)),
            tokenizer_sha256: match workload.tokenizer() {
                [] => String::new(),
                json => crate::digest::sha256(json),
            },
            ..pb::ScoreRequest::default()
        };
        let client = options.client()?;
        let signature = Arc::new(Signature::new(&client)?);
        let mut connections = Vec::with_capacity(options.connections);
        let mut opening = JoinSet::new();
        for index in 0..options.connections {
            if opening.len() >= OPENING
                && let Some(opened) = opening.join_next().await
            {
                connections.push(joined(opened)?);
            }
            let address = addresses[index % addresses.len()].clone();
            opening.spawn(open(address, client.tls.clone(), Arc::clone(&signature)));
        }
        while let Some(opened) = opening.join_next().await {
            connections.push(joined(opened)?);
        }
        Ok(Self {
            connections,
            next: AtomicUsize::new(0),
            head,
            timeout: client.timeout,
            signature,
        })
    }

    async fn call(
        &self,
        workload: &Workload,
        first: u64,
        count: usize,
    ) -> Result<pb::ScoreResponse, Status> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let mut connection = self.connections[turn].clone();
        let request = || {
            let message = workload.request(first, count, &self.head);
            let mut request = signed(message, &self.signature);
            request.set_timeout(self.timeout);
            request
        };
        let result = connection.score(request()).await;
        let result = match result {
            // Each server learns the tokenizer from the first request that needs it.
            Err(status)
                if status
                    .metadata()
                    .get(KIND_KEY)
                    .is_some_and(|kind| kind == UNKNOWN_TOKENIZER) =>
            {
                let tokenizer_json = workload.tokenizer().to_vec();
                let register = pb::RegisterTokenizerRequest { tokenizer_json };
                let register = signed(register, &self.signature);
                connection.register_tokenizer(register).await?;
                connection.score(request()).await
            }
            other => other,
        };
        result.map(tonic::Response::into_inner)
    }
}

fn signed<T>(message: T, signature: &Signature) -> Request<T> {
    let mut request = Request::new(message);
    signature.sign(request.metadata_mut());
    request
}

type Opened = Result<RewardServiceClient<Channel>, LoadError>;

/// A connection that has been used once.
async fn open(address: String, tls: Option<Tls>, signature: Arc<Signature>) -> Opened {
    let failed = |detail: String| LoadError::Unreachable(address.clone(), detail);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .map_err(|error| {
            LoadError::Options(format!("target {address:?} is not HOST:PORT: {error}"))
        })?
        .connect_timeout(Duration::from_secs(10))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    if let Some(tls) = &tls {
        let mut config = ClientTlsConfig::from(tls);
        if let Some(name) = &tls.server_name {
            config = config.domain_name(name);
        }
        endpoint = endpoint.tls_config(config).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            LoadError::Options(format!(
                "TLS: {}",
                cause.unwrap_or_else(|| error.to_string())
            ))
        })?;
    }
    let channel = endpoint.connect().await.map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        failed(cause)
    })?;
    let mut client = RewardServiceClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let asked = signed(pb::GetServerInfoRequest {}, &signature);
    let info = client.get_server_info(asked).await;
    info.map_err(|status| failed(status.message().to_owned()))?;
    Ok(client)
}

fn joined(opened: Result<Opened, tokio::task::JoinError>) -> Opened {
    opened.unwrap_or_else(|error| Err(LoadError::Io(error.to_string())))
}
