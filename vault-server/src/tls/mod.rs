//! TLS: rustls with aws-lc-rs, versions 1.3 and 1.2, hybrid post-quantum key exchange preferred; see docs/decisions/0004.

pub(crate) mod client;
mod generate;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use vault_core::time::Timestamp;
use x509_parser::asn1_rs::FromDer;
use x509_parser::certificate::X509Certificate;

pub use generate::self_signed;

/// Says why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct TlsError {
    /// The file at fault.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

impl TlsError {
    fn new(file: &Path, reason: impl Into<String>) -> Self {
        Self { file: file.display().to_string(), reason: reason.into() }
    }
}

/// A certificate that can be replaced while connections live on.
#[derive(Debug)]
pub struct Certificate {
    chain_file: PathBuf,
    key_file: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// Loads a chain and its key.
    ///
    /// # Errors
    /// Answers [`TlsError`] with the file at fault.
    pub fn load(chain_file: &Path, key_file: &Path) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(load(chain_file, key_file)?);
        Ok(Arc::new(Self { chain_file: chain_file.to_owned(), key_file: key_file.to_owned(), current }))
    }

    /// Loads the files again; new connections use what they hold now, old ones live on.
    ///
    /// # Errors
    /// Answers [`TlsError`] and keeps the certificate as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(load(&self.chain_file, &self.key_file)?));
        Ok(())
    }

    /// Tells when the first certificate of the chain ends; `None` if one of them cannot be read.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let chain = self.current.load();
        let ends = chain.cert.iter().map(|certificate| {
            let (_, read) = X509Certificate::from_der(certificate).ok()?;
            Some(Timestamp(read.validity().not_after.timestamp().saturating_mul(1_000_000_000)))
        });
        ends.collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Makes the configuration of a listener.
    ///
    /// # Errors
    /// Answers [`TlsError`] if the provider lacks the protocol versions.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = provider();
        let clients = Arc::new(client::AnyClient::new(provider.signature_verification_algorithms));
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new(&self.chain_file, error.to_string()))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = builder.with_client_cert_verifier(clients).with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Gives the provider of cryptography. Its key exchanges begin with X25519MLKEM768.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn load(chain_file: &Path, key_file: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_file_iter(chain_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsError::new(chain_file, format!("no certificate chain in PEM: {error}")))?;
    if chain.is_empty() {
        return Err(TlsError::new(chain_file, "it holds no certificate"));
    }
    warn_of_readers(key_file);
    let key = PrivateKeyDer::from_pem_file(key_file)
        .map_err(|error| TlsError::new(key_file, format!("no private key in PEM: {error}")))?;
    let provider = provider();
    let signing = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| TlsError::new(key_file, format!("the key cannot be used: {error}")))?;
    let certified = CertifiedKey::new(chain, signing);
    certified
        .keys_match()
        .map_err(|_| TlsError::new(key_file, format!("the key does not belong to {}", chain_file.display())))?;
    Ok(certified)
}

/// Warns when others than the owner and the group can read a private key.
fn warn_of_readers(key_file: &Path) {
    if std::fs::metadata(key_file).is_ok_and(|found| found.permissions().mode() & 0o007 != 0) {
        tracing::warn!("{} can be read by everybody on this machine; run: chmod 600", key_file.display());
    }
}

#[cfg(test)]
mod tests;
