//! How the server proves who it is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use data_encoding::HEXLOWER;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// Bundles of the system's certificates, in the order tried: Debian and its kin, Red Hat and its kin, Alpine and BSD.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Which servers are believed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// Those with a certificate that the system trusts: `SSL_CERT_FILE`, else the system's bundle.
    #[default]
    System,
    /// Those with a certificate by an authority of these PEM files, and by no other.
    Files(Vec<PathBuf>),
    /// Any. Whoever sits between client and server reads and changes everything, tokens and shares included.
    DangerAcceptInvalidCertificates,
}

/// The files by which a client proves who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientFiles {
    /// The certificate in PEM, and after it those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// Builds the TLS settings; a `server_name` is expected in the certificate instead of the host of the address. With
/// `client` the client shows a certificate to servers that ask for one.
///
/// # Errors
/// Answers [`ApiError::Certificates`] when there is nothing to trust or a file of the client cannot be used, and
/// [`ApiError::Setup`] for a name that is none.
pub fn config(
    trust: &Trust,
    server_name: Option<&str>,
    client: Option<&ClientFiles>,
) -> Result<ClientConfig, ApiError> {
    config_that_tells(trust, server_name, client, &SeenKey::default())
}

/// Builds the same settings; `seen` is told the server's key.
pub(crate) fn config_that_tells(
    trust: &Trust,
    server_name: Option<&str>,
    client: Option<&ClientFiles>,
    seen: &SeenKey,
) -> Result<ClientConfig, ApiError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let setup = |error: &dyn std::fmt::Display| ApiError::Setup { reason: error.to_string() };
    let inner = match trust {
        Trust::DangerAcceptInvalidCertificates => None,
        Trust::System => Some(verifier(&system_bundle()?, &provider)?),
        Trust::Files(files) => Some(verifier(files, &provider)?),
    };
    let server_name = server_name
        .map(|name| {
            ServerName::try_from(name.to_owned()).map_err(|error| setup(&format!("server name {name:?}: {error}")))
        })
        .transpose()?;
    let verifier = Arc::new(Verifier { inner, server_name, provider: Arc::clone(&provider), seen: seen.clone() });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let (chain, key) = read_client(files)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&files.key, &error))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Remembers the key that a server proved first: the SHA-256 of its `SubjectPublicKeyInfo`, as HPKP pins had it (RFC 7469
/// section 2.4).
#[derive(Clone, Debug, Default)]
pub struct SeenKey(Arc<OnceLock<[u8; 32]>>);

impl SeenKey {
    /// Gives the key as `sha256:` and hexadecimal digits; `None` before the first TLS connection.
    pub fn get(&self) -> Option<String> {
        self.0.get().map(|digest| format!("sha256:{}", HEXLOWER.encode(digest)))
    }

    fn note(&self, certificate: &CertificateDer<'_>) {
        // A certificate that passed the verifier parses; should it not, no key is remembered, which callers notice.
        if let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) {
            let _ = self.0.set(Sha256::digest(parsed.subject_public_key_info().as_ref()).into());
        }
    }
}

fn system_bundle() -> Result<Vec<PathBuf>, ApiError> {
    if let Some(file) = std::env::var_os("SSL_CERT_FILE") {
        return Ok(vec![file.into()]);
    }
    let found = SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file());
    found.map(|path| vec![path]).ok_or_else(|| ApiError::Certificates {
        source_name: SYSTEM_BUNDLES.join(", "),
        reason: "none of these files is there; name the file of your certificate authority".to_owned(),
    })
}

fn verifier(files: &[PathBuf], provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, ApiError> {
    let mut roots = RootCertStore::empty();
    for file in files {
        let certificates = read_certificates(file)?;
        // A system's bundle may hold a certificate that cannot be an anchor; one good one is enough.
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(ApiError::Certificates {
                source_name: file.display().to_string(),
                reason: "it holds no certificate in PEM form".to_owned(),
            });
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| ApiError::Setup { reason: error.to_string() })
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ApiError> {
    let pem = std::fs::read(file).map_err(|error| unusable(file, &error))?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| unusable(file, &error))
}

fn read_client(files: &ClientFiles) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ApiError> {
    let chain = read_certificates(&files.certificate)?;
    if chain.is_empty() {
        return Err(unusable(&files.certificate, &"it holds no certificate in PEM form"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, &error))?;
    Ok((chain, key))
}

fn unusable(file: &Path, reason: &dyn std::fmt::Display) -> ApiError {
    ApiError::Certificates { source_name: file.display().to_string(), reason: reason.to_string() }
}

/// Checks a server's certificate, for another name if one is set; without `inner` it checks nothing but signatures.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    server_name: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
    seen: SeenKey,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = self.server_name.as_ref().unwrap_or(server_name);
        if let Some(inner) = &self.inner {
            inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)?;
        }
        self.seen.note(end_entity);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_authority_file_is_named() {
        for file in ["/nonexistent/ca.pem", "/dev/null"] {
            let error = config(&Trust::Files(vec![file.into()]), None, None).unwrap_err();
            assert!(error.to_string().contains(file), "{error}");
        }
    }

    #[test]
    fn a_server_name_that_is_none_is_refused() {
        let trust = Trust::DangerAcceptInvalidCertificates;
        assert!(matches!(config(&trust, Some("not a name"), None), Err(ApiError::Setup { .. })));
        assert!(config(&trust, Some("vault.example.org"), None).is_ok());
    }

    #[test]
    fn a_client_file_that_cannot_be_used_is_named() {
        for (certificate, key, culprit) in [
            ("/nonexistent/a.pem", "/dev/null", "/nonexistent/a.pem"),
            ("/dev/null", "/nonexistent/a.key", "/dev/null"),
        ] {
            let files = ClientFiles { certificate: certificate.into(), key: key.into() };
            let error = config(&Trust::DangerAcceptInvalidCertificates, None, Some(&files)).unwrap_err();
            assert!(error.to_string().contains(culprit), "{error}");
        }
    }
}
