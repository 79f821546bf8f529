//! A certificate authority and a certificate for trials, generated where there are none.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::TlsError;

/// What a generated certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Gives the files of the chain and the key in `folder`, generating them with `ca.pem` beside them if they are missing.
///
/// # Errors
/// Answers [`TlsError`] when they cannot be made or written.
pub fn self_signed(folder: &Path) -> Result<(PathBuf, PathBuf), TlsError> {
    let (chain, key) = (folder.join("server.pem"), folder.join("server.key"));
    if !(chain.is_file() && key.is_file()) {
        let wrong = |error: &dyn std::fmt::Display| TlsError::new(folder, format!("generating a certificate: {error}"));
        let (ca_pem, chain_pem, key_pem) = generate().map_err(|error| wrong(&error))?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| wrong(&error))?;
        write(&folder.join("ca.pem"), &ca_pem, 0o644)?;
        write(&key, &key_pem, 0o600)?;
        write(&chain, &chain_pem, 0o644)?;
    }
    Ok((chain, key))
}

fn generate() -> Result<(String, String, String), rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    ca.distinguished_name.push(DnType::CommonName, "Keyturn trial CA");
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(NAMES.map(str::to_owned))?;
    server.distinguished_name.push(DnType::CommonName, "Keyturn trial server");
    server.use_authority_key_identifier_extension = true;
    let certificate = server.signed_by(&key, &issuer)?;
    Ok((ca_certificate.pem(), certificate.pem(), key.serialize_pem()))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| TlsError::new(path, error.to_string()))
}
