//! TLS towards the server: rustls with ring, and as much of the certificate checked as `sslmode` asks for.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use seawall_store::StoreError;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::failure::unavailable;
use crate::options::{Options, Verify};

/// What makes connections secret.
pub(crate) fn connector(options: &Options) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(impossible)?;
    let checked: Arc<dyn ServerCertVerifier> = match options.verify {
        Verify::Nothing => Arc::new(Lenient { provider, authorities: None }),
        Verify::Authority => {
            Arc::new(Lenient { authorities: Some(authorities(options, &provider)?), provider })
        }
        Verify::Name => authorities(options, &provider)?,
    };
    let config = builder.dangerous().with_custom_certificate_verifier(checked).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(
    options: &Options,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, StoreError> {
    let mut roots = RootCertStore::empty();
    match &options.authorities {
        Some(file) => {
            let unreadable =
                |error| unavailable(format!("sslrootcert {} can't be read: {error}", file.display()));
            let found = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
            roots.add_parsable_certificates(found.collect::<Result<Vec<_>, _>>().map_err(unreadable)?);
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider)).build();
    verifier.map_err(|error| {
        unavailable(format!("no certificate authority is known ({error}); name one by sslrootcert"))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn impossible(error: Error) -> StoreError {
    unavailable(format!("TLS can't be set up: {error}"))
}

/// Takes certificates for another name, and, without authorities, anybody's. That the server has the certificate's key is
/// checked always.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        let verified =
            authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is the last that is checked: who has signed has been found to be trusted.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
