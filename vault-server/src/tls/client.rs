//! Certificates of clients: asked for, never demanded; see docs/decisions/0014.
//!
//! A handshake proves that the client holds the key of its certificate, and nothing else. Whom a certificate stands
//! for is decided at a login, by roles that change while the server runs.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, InvalidMessage, ServerConnection, SignatureScheme,
};

use crate::http::PeerCertificates;

/// Most certificates of one chain; real ones have two or three.
const CHAIN_LENGTH_MAX: usize = 10;

/// Most bytes of one chain. The cache of sessions keeps 256 of them, so it holds at most 8 MiB.
const CHAIN_LENGTH_BYTES_MAX: usize = 32 * 1024;

/// Takes any certificate whose key the client holds, and clients that have none.
#[derive(Debug)]
pub(super) struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    /// Prepares to check signatures by `algorithms`.
    pub(super) const fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// Names no authority: a client with several certificates chooses by itself, and strangers do not learn whom roles trust.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let bytes =
            intermediates.iter().fold(end_entity.len(), |sum, certificate| sum.saturating_add(certificate.len()));
        if intermediates.len() >= CHAIN_LENGTH_MAX || bytes > CHAIN_LENGTH_BYTES_MAX {
            return Err(InvalidMessage::CertificatePayloadTooLarge.into());
        }
        if end_entity.is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Gives what the other end of a finished handshake showed; `None` if that is nothing.
pub(crate) fn shown(connection: &ServerConnection) -> Option<PeerCertificates> {
    let chain = connection.peer_certificates().filter(|chain| !chain.is_empty())?;
    Some(PeerCertificates(Arc::from_iter(chain.iter().map(|certificate| certificate.to_vec()))))
}
