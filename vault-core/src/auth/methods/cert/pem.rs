//! Certificates as the text that people paste.

use data_encoding::BASE64;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Most certificates of one role, and most bytes of their text.
const CERTIFICATES_MAX: usize = 32;
const TEXT_LENGTH_BYTES_MAX: usize = 128 * 1024;

/// Characters of a line of PEM (RFC 7468, section 2).
const LINE_LENGTH_MAX: usize = 64;

/// Reads certificates in PEM (RFC 7468) into DER; what else the text holds is passed over, as everywhere.
///
/// # Errors
/// Says what is wrong with a text that holds none, too many, or one that is broken.
pub fn read_certificates(text: &str) -> Result<Vec<Vec<u8>>, String> {
    if text.len() > TEXT_LENGTH_BYTES_MAX {
        return Err(format!("at most {TEXT_LENGTH_BYTES_MAX} bytes"));
    }
    if text.contains("PRIVATE KEY-----") {
        return Err("it holds a private key, which belongs nowhere but to its owner".to_owned());
    }
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()).take(CERTIFICATES_MAX + 1) {
        found.push(certificate.map_err(|_| "it is no certificate in PEM".to_owned())?.to_vec());
    }
    match found.len() {
        0 => Err("it holds no certificate in PEM".to_owned()),
        count if count > CERTIFICATES_MAX => Err(format!("at most {CERTIFICATES_MAX} certificates")),
        _ => Ok(found),
    }
}

/// Writes a certificate in PEM.
pub(super) fn write_certificate(der: &[u8], into: &mut String) {
    into.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = BASE64.encode(der);
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(LINE_LENGTH_MAX));
        into.push_str(&rest);
        into.push('\n');
        rest = tail;
    }
    into.push_str("-----END CERTIFICATE-----\n");
}
