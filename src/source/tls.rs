//! A server's certificate and key, as rustls takes them.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Which of the two is wrong, and what is.
#[derive(Debug)]
pub enum TlsError {
    /// The certificate chain.
    Certificate(String),
    /// The private key.
    Key(String),
}

/// The configuration of a TLS server from PEM; `protocols`: what it offers by ALPN.
pub fn server(certificate: &[u8], key: &[u8], protocols: &[&str]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|error| TlsError::Certificate(format!("no certificate in PEM: {error}")))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate("there is no certificate in it (PEM, BEGIN CERTIFICATE)".into()));
    }
    let secret = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| TlsError::Key(format!("there is no private key in it (PEM, not encrypted): {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|error| TlsError::Key(format!("it does not go with the certificate: {error}")))?;
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}
