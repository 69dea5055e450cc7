//! Long references: given to a server once, named from then on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::Instant;
use tonic::{Code, Request, Status};

use super::encode::{Encoded, Suite};
use super::error::named_kind;
use super::fleet::Server;
use super::{MAX_MESSAGE_BYTES, Shared, Trace};
use crate::digest::Digest;
use crate::pb;
use crate::pb::reward_service_client::RewardServiceClient;

/// References of one server that are remembered; then it starts anew.
const REMEMBERED: usize = 1 << 16;

/// What a server was given.
#[derive(Default)]
pub(super) struct Given {
    /// It knows no such method.
    takes_none: AtomicBool,
    /// Whether it keeps them. Whoever needs one that is on its way waits for it.
    known: Mutex<HashMap<Digest, Arc<OnceCell<bool>>>>,
}

impl Given {
    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Arc<OnceCell<bool>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cell(&self, digest: &Digest) -> Arc<OnceCell<bool>> {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        Arc::clone(known.entry(*digest).or_default())
    }

    fn forget(&self, suites: &[Suite]) {
        let mut known = self.known();
        for suite in suites {
            known.remove(&suite.digest);
        }
    }
}

impl Shared {
    /// Sends a request with its long references named, and whole where that does not do: the server is of an older version, keeps
    /// none so long, or lost some since, as one does that was started again or that shares its address with others.
    pub(super) async fn send(
        &self,
        server: &Server,
        request: &Encoded,
        deadline: Instant,
        trace: Option<&Trace>,
    ) -> Result<pb::ScoreResponse, Status> {
        if request.naming == 0 {
            return self
                .call(server, request.bytes.clone(), deadline, trace)
                .await;
        }
        if self.give(server, &request.tests, deadline).await? {
            let named = self.call(server, request.bytes.clone(), deadline, trace);
            let response = named.await?;
            // A server that knows no names would have scored the items as if they had no reference.
            if response.references_found == request.naming {
                return Ok(response);
            }
            server.given.forget(&request.tests);
        }
        self.call(server, request.whole(), deadline, trace).await
    }

    /// Gives a server those of these that it was not given. False if it does not keep all of them.
    async fn give(
        &self,
        server: &Server,
        suites: &[Suite],
        deadline: Instant,
    ) -> Result<bool, Status> {
        for suite in suites {
            if server.given.takes_none.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let cell = server.given.cell(&suite.digest);
            let put = || self.put(server, suite, deadline);
            if !*cell.get_or_try_init(put).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn put(&self, server: &Server, suite: &Suite, deadline: Instant) -> Result<bool, Status> {
        let mut request = Request::new(pb::PutTestsRequest {
            tests: suite.text.to_string(),
        });
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        self.caller.sign(request.metadata_mut());
        let mut client =
            RewardServiceClient::new(server.channel()).max_encoding_message_size(MAX_MESSAGE_BYTES);
        match client.put_tests(request).await {
            Ok(_) => Ok(true),
            Err(status) if status.code() == Code::Unimplemented => {
                server.given.takes_none.store(true, Ordering::Relaxed);
                Ok(false)
            }
            Err(status)
                if named_kind(&status) == Some("too_large")
                    || status.code() == Code::OutOfRange =>
            {
                Ok(false)
            }
            Err(status) => Err(status),
        }
    }
}
