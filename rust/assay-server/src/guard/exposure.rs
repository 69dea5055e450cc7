//! Which addresses a server may listen on with what it has.

use std::net::SocketAddr;

use crate::{Config, ServeError};

/// The addresses that `HOST:PORT` names.
///
/// # Errors
///
/// [`ServeError::Bind`] for what is no address and for a name that nobody knows.
pub(crate) async fn resolve(address: &str) -> Result<Vec<SocketAddr>, ServeError> {
    let bind_error = |source| ServeError::Bind {
        address: address.to_owned(),
        source,
    };
    let found: Vec<SocketAddr> = tokio::net::lookup_host(address)
        .await
        .map_err(bind_error)?
        .collect();
    if found.is_empty() {
        let nothing = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        return Err(bind_error(nothing));
    }
    Ok(found)
}

/// Whether other machines may reach any of them.
fn is_public(addresses: &[SocketAddr]) -> bool {
    addresses
        .iter()
        .any(|address| !address.ip().to_canonical().is_loopback())
}

/// Refuses what would let strangers in or show them something, unless the configuration says that it is meant.
///
/// # Errors
///
/// [`ServeError::Config`], which says what is missing and what to do.
pub(crate) fn check(
    config: &Config,
    listening: &[SocketAddr],
    metrics: &[SocketAddr],
    tokens: bool,
) -> Result<(), ServeError> {
    if config.insecure_public {
        return Ok(());
    }
    let encrypted = config.tls_certificate.is_some();
    let knows_callers = tokens || config.tls_client_ca.is_some();
    if is_public(listening) && !(encrypted && knows_callers) {
        let missing = match (encrypted, knows_callers) {
            (false, false) => "has neither TLS nor tokens",
            (false, true) => "has tokens but no TLS, so they would travel readable",
            _ => "has TLS, but lets everybody in",
        };
        return Err(ServeError::Config(format!(
            "{} can be reached from other machines, and the server {missing}: set tls_certificate and tls_key, and token_file or \
             tls_client_ca; or listen on 127.0.0.1; or say insecure_public = true (--insecure-public) where something else \
             protects it",
            config.bind
        )));
    }
    if is_public(metrics) && !config.public_metrics {
        return Err(ServeError::Config(format!(
            "{} can be reached from other machines, and metrics have neither TLS nor tokens: say public_metrics = true \
             (--public-metrics) if they may be seen, or give an address of this machine",
            config.metrics.as_deref().unwrap_or_default()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl FnOnce(&mut Config), tokens: bool) -> Result<(), String> {
        let mut config = Config {
            bind: "0.0.0.0:1".to_owned(),
            ..Config::default()
        };
        change(&mut config);
        let listening = [config.bind.parse().unwrap()];
        let metrics: Vec<_> = config
            .metrics
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        check(&config, &listening, &metrics, tokens).map_err(|error| error.to_string())
    }

    fn tls(config: &mut Config) {
        config.tls_certificate = Some("a.pem".into());
        config.tls_key = Some("a.key".into());
    }

    #[test]
    fn a_public_address_needs_tls_and_a_way_to_know_callers() {
        let refused = told(|_| (), false).unwrap_err();
        for word in [
            "0.0.0.0:1",
            "tls_certificate",
            "token_file",
            "tls_client_ca",
            "127.0.0.1",
            "--insecure-public",
        ] {
            assert!(refused.contains(word), "{refused}");
        }
        assert!(told(|_| (), true).unwrap_err().contains("no TLS"));
        assert!(told(tls, false).unwrap_err().contains("everybody"));
        told(tls, true).unwrap();
        let mutual = |config: &mut Config| {
            tls(config);
            config.tls_client_ca = Some("ca.pem".into());
        };
        told(mutual, false).unwrap();
        told(|config| config.insecure_public = true, false).unwrap();
    }

    #[test]
    fn the_loopback_needs_nothing() {
        for address in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            told(|config| config.bind = address.to_owned(), false).unwrap();
        }
        for address in ["[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1]:1"] {
            told(|config| config.bind = address.to_owned(), false).unwrap_err();
        }
    }

    #[test]
    fn metrics_are_public_only_when_asked_for() {
        let local = |config: &mut Config| config.bind = "127.0.0.1:1".to_owned();
        let refused = told(
            |config| {
                local(config);
                config.metrics = Some("0.0.0.0:2".to_owned());
            },
            true,
        );
        assert!(refused.unwrap_err().contains("public_metrics"));
        for asked in [true, false] {
            told(
                |config| {
                    local(config);
                    config.metrics = Some("0.0.0.0:2".to_owned());
                    config.public_metrics = asked;
                    config.insecure_public = !asked;
                },
                false,
            )
            .unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_no_address_is_named() {
        for address in ["nowhere", "nowhere.invalid:1", "127.0.0.1:x"] {
            let error = resolve(address).await.unwrap_err().to_string();
            assert!(error.contains(address), "{error}");
        }
    }
}
