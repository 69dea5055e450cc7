//! Who calls: bearer tokens and the names they, or client certificates, stand for.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use tonic::Status;
use tower::{Layer, Service};

use crate::guard::{Live, Peer, Source};
use crate::observe::Seen;
use crate::refusable::Refusable;
use crate::tokens::Tokens;
use crate::{Config, ServeError};

/// The environment variable with tokens that is looked at when the configuration names no other.
const VARIABLE: &str = "ASSAY_SERVER_TOKENS";
/// Who the work is for, where the caller may say so.
const TENANT: &str = "assay-tenant";
/// Calls that need no token: balancers and probes have none, and learn nothing but whether the server serves.
const OPEN: &str = "/grpc.health.v1.Health/";

/// An authenticated caller with a name, in the extensions of its requests: the NAME of its token, or else the first DNS name of its
/// certificate. Its requests carry the same name as `assay-tenant`, whatever they came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) name: Arc<str>,
}

/// Knows who may call.
#[derive(Clone)]
pub(crate) struct Auth {
    known: Arc<Known>,
}

struct Known {
    file: Option<Live<Tokens>>,
    environment: Option<Tokens>,
}

impl Auth {
    /// As `config` asks for.
    ///
    /// # Errors
    ///
    /// [`ServeError::Config`] when tokens are asked for and there are none, or a line of them is wrong.
    pub(crate) fn new(config: &Config) -> Result<Self, ServeError> {
        let read = |path: &std::path::PathBuf| {
            let name = path.display().to_string();
            Source {
                what: "tokens",
                files: vec![path.clone()],
                make: Box::new(move |contents: &[Vec<u8>]| {
                    let text = String::from_utf8_lossy(&contents[0]);
                    Tokens::parse(&text).map_err(|error| format!("{name}: {error}"))
                }),
            }
            .open()
        };
        let known = Known {
            file: config.token_file.as_ref().map(read).transpose()?,
            environment: of_environment(config.token_env.as_deref())?,
        };
        Ok(Self {
            known: Arc::new(known),
        })
    }

    /// Whether callers need a token.
    pub(crate) fn wants_tokens(&self) -> bool {
        self.known.file.is_some() || self.known.environment.is_some()
    }

    /// Who sent these headers.
    fn admit(&self, headers: &HeaderMap) -> Result<Option<Caller>, Status> {
        let token = headers.get(AUTHORIZATION).and_then(bearer).ok_or_else(|| {
            Status::unauthenticated("this server wants a token: send `authorization: Bearer TOKEN`")
        })?;
        let known = &self.known;
        let of_file = known
            .file
            .as_ref()
            .and_then(|tokens| tokens.get().find(token));
        let of_environment = known
            .environment
            .as_ref()
            .and_then(|tokens| tokens.find(token));
        let holder = of_file
            .or(of_environment)
            .ok_or_else(|| Status::unauthenticated("this server does not know the token"))?;
        Ok(holder.name.map(|name| Caller { name }))
    }
}

/// The tokens of the variable, separated by commas or line ends; one that the configuration names has to be there.
fn of_environment(name: Option<&str>) -> Result<Option<Tokens>, ServeError> {
    let variable = name.unwrap_or(VARIABLE);
    match std::env::var(variable) {
        Ok(text) => Tokens::parse(&text.replace(',', "\n"))
            .map(Some)
            .map_err(|error| ServeError::Config(format!("{variable}: {error}"))),
        Err(std::env::VarError::NotPresent) if name.is_none() => Ok(None),
        Err(_) => Err(ServeError::Config(format!(
            "token_env: there is no readable environment variable {variable}"
        ))),
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

impl Caller {
    /// The caller's own word about its tenant gives way to what is known.
    fn sign(&self, headers: &mut HeaderMap) {
        if let Ok(name) = HeaderValue::from_str(&self.name) {
            headers.insert(TENANT, name);
        }
    }
}

impl<S> Layer<S> for Auth {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService {
            inner,
            auth: self.clone(),
        }
    }
}

/// A service with the layer around it.
#[derive(Clone)]
pub(crate) struct AuthService<S> {
    inner: S,
    auth: Auth,
}

impl<S, A, B> Service<Request<A>> for AuthService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Refusable<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let is_open = request.uri().path().starts_with(OPEN);
        let mut caller = None;
        if self.auth.wants_tokens() && !is_open {
            match self.auth.admit(request.headers()) {
                Ok(found) => caller = found,
                Err(status) => return Refusable::refused(status),
            }
        }
        // What has been read need not go where something might write it down.
        request.headers_mut().remove(AUTHORIZATION);
        let certified = || {
            let name = request.extensions().get::<Peer>()?.certificate.clone()?;
            Some(Caller { name })
        };
        if let Some(caller) = caller.or_else(certified) {
            if let Some(seen) = request.extensions().get::<Arc<Seen>>() {
                seen.called_by(&caller.name);
            }
            caller.sign(request.headers_mut());
            request.extensions_mut().insert(caller);
        }
        Refusable::passed(self.inner.call(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_are_tokens() {
        let read = |text: &str| bearer(&HeaderValue::from_str(text).unwrap()).map(<[u8]>::to_vec);
        assert_eq!(read("Bearer abc").as_deref(), Some(&b"abc"[..]));
        assert_eq!(read("bEARER  abc ").as_deref(), Some(&b"abc"[..]));
        for text in ["", "abc", "Basic abc", "Bearer", "Bearerabc"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_callers_own_word_about_its_tenant_gives_way() {
        let mut headers = HeaderMap::new();
        headers.append(TENANT, HeaderValue::from_static("other"));
        headers.append(TENANT, HeaderValue::from_static("others"));
        let caller = Caller {
            name: "team-a".into(),
        };
        caller.sign(&mut headers);
        let found: Vec<_> = headers.get_all(TENANT).iter().collect();
        assert_eq!(found, ["team-a"]);
    }

    #[test]
    fn a_variable_that_is_named_has_to_be_there() {
        let error = of_environment(Some("ASSAY_TEST_NO_SUCH_VARIABLE"))
            .err()
            .unwrap();
        assert!(error.to_string().contains("ASSAY_TEST_NO_SUCH_VARIABLE"));
        assert!(of_environment(None).is_ok_and(|tokens| tokens.is_none()));
    }
}
