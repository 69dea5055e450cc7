//! The server's side of TLS: certificate, key and the authorities of clients, from PEM files.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::live::{Live, Source};
use crate::{Config, ServeError};

/// What the configuration says of TLS, kept up to date with its files; `None` for plain text.
///
/// # Errors
///
/// [`ServeError::Config`]: one of certificate and key is missing, a file cannot be read, holds no certificate or no key, or the key is
/// another certificate's.
pub(crate) fn tls(config: &Config) -> Result<Option<Live<ServerConfig>>, ServeError> {
    let (certificate, key) = match (&config.tls_certificate, &config.tls_key) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        (None, None) if config.tls_client_ca.is_none() => return Ok(None),
        _ => {
            return Err(ServeError::Config(
                "TLS needs tls_certificate and tls_key; tls_client_ca is beside both".to_owned(),
            ));
        }
    };
    let files: Vec<PathBuf> = [certificate, key]
        .into_iter()
        .chain(config.tls_client_ca.clone())
        .collect();
    let names = files.clone();
    let make = move |contents: &[Vec<u8>]| make(&names, contents);
    let source = Source {
        what: "TLS certificates",
        files,
        make: Box::new(make),
    };
    source.open().map(Some)
}

fn make(files: &[PathBuf], contents: &[Vec<u8>]) -> Result<ServerConfig, String> {
    let named = |index: usize, error: &dyn std::fmt::Display| {
        let name = files.get(index).map(|path| path.display().to_string());
        format!("{}: {error}", name.unwrap_or_default())
    };
    let certificates = |index: usize| {
        let found = CertificateDer::pem_slice_iter(&contents[index])
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| named(index, &error))?;
        if found.is_empty() {
            return Err(named(index, &"no certificate in it"));
        }
        Ok(found)
    };
    let chain = certificates(0)?;
    // The error of a key file says what is wrong and never what is in it.
    let key = PrivateKeyDer::from_pem_slice(&contents[1])
        .map_err(|_| named(1, &"no private key in PEM in it"))?;
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if contents.len() > 2 {
        let mut roots = RootCertStore::empty();
        for authority in certificates(2)? {
            roots.add(authority).map_err(|error| named(2, &error))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| named(2, &error))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| named(0, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
