//! TLS towards providers: rustls with ring, the machine's own certificate authorities.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The cryptography has no usable protocol version.
    #[error("TLS can't be set up: {0}")]
    Protocol(#[from] rustls::Error),
}

/// The TLS configuration for calls to providers: versions 1.2 and 1.3, trusting what this machine trusts
/// (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured).
///
/// A machine without any certificate authority gives a configuration that trusts nobody: plain `http` upstreams work,
/// `https` ones fail with a certificate error. That is logged here, once.
///
/// # Errors
/// When the cryptography provider supports no protocol version, which a correct build excludes.
pub fn client_config() -> Result<ClientConfig, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!(
            "no certificate authorities on this machine: https upstreams can't be verified; install ca-certificates"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
