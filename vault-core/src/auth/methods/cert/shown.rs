//! What a certificate says, as far as logins ask.

use std::collections::BTreeSet;

use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::time::Timestamp;

/// Most bytes of one certificate.
const CERTIFICATE_LENGTH_BYTES_MAX: usize = 32 * 1024;

/// Fields of a certificate. None of its names holds a control character, so no NUL cuts one short anywhere.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Subject, in DER.
    pub subject: Vec<u8>,
    /// Issuer, in DER.
    pub issuer: Vec<u8>,
    /// Issuer in the form in which lists of revoked certificates are compared with it; see [`comparable`].
    pub issuer_comparable: String,
    /// Serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
    /// Serial number in decimal digits.
    pub serial_decimal: String,
    /// First and last second of its validity, since 1970.
    pub valid_unix_seconds: (i64, i64),
    /// The common name; empty if there is none.
    pub common_name: String,
    /// Organizational units of the subject.
    pub organizational_units: Vec<String>,
    /// Alternative names that are DNS names.
    pub dns_names: Vec<String>,
    /// Alternative names that are mail addresses.
    pub email_addresses: Vec<String>,
    /// Alternative names that are URIs, such as SPIFFE ids.
    pub uris: Vec<String>,
    /// Whether it may issue certificates.
    pub is_authority: bool,
    /// How many authorities may stand below it.
    pub path_length_max: Option<u32>,
    /// Whether it may be used by clients: it names no purposes, or this one or any.
    pub serves_clients: bool,
    /// Subject key identifier as Vault writes it: bytes in hexadecimal with colons.
    pub subject_key_id: String,
    /// Authority key identifier in the same form.
    pub authority_key_id: String,
    /// Extensions by their object identifier.
    pub extensions: Vec<(String, Vec<u8>)>,
}

impl Facts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// Says what is wrong: it is no certificate, or one whose names could be understood in two ways.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        if der.len() > CERTIFICATE_LENGTH_BYTES_MAX {
            return Err(format!("a certificate has more than {CERTIFICATE_LENGTH_BYTES_MAX} bytes"));
        }
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| format!("no certificate: {error}"))?;
        if !rest.is_empty() {
            return Err("something follows the certificate".to_owned());
        }
        let validity = certificate.validity();
        let mut facts = Self {
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            issuer_comparable: comparable(certificate.issuer()),
            serial: without_leading_zeros(certificate.raw_serial()),
            serial_decimal: certificate.serial.to_string(),
            valid_unix_seconds: (validity.not_before.timestamp(), validity.not_after.timestamp()),
            serves_clients: true,
            ..Self::default()
        };
        facts.read_subject(certificate.subject())?;
        facts.read_extensions(&certificate)?;
        facts.check_names()?;
        Ok(facts)
    }

    /// Checks that `now` lies within its validity.
    ///
    /// # Errors
    /// Says on which side it lies.
    pub fn check_validity(&self, now: Timestamp) -> Result<(), String> {
        let (first, last) = self.valid_unix_seconds;
        match now.unix_seconds() {
            now if now < first => Err("the certificate is not valid yet".to_owned()),
            now if now > last => Err("the certificate has expired".to_owned()),
            _ => Ok(()),
        }
    }

    fn read_subject(&mut self, subject: &X509Name<'_>) -> Result<(), String> {
        let mut common_names = subject.iter_common_name();
        if let Some(name) = common_names.next() {
            self.common_name = text(name)?;
        }
        if common_names.next().is_some() {
            return Err("the certificate has several common names".to_owned());
        }
        self.organizational_units = subject.iter_organizational_unit().map(text).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn read_extensions(&mut self, certificate: &X509Certificate<'_>) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        let mut may_sign = true;
        for extension in certificate.extensions() {
            let oid = extension.oid.to_id_string();
            if !seen.insert(oid.clone()) {
                return Err(format!("the certificate has extension {oid} twice"));
            }
            match extension.parsed_extension() {
                ParsedExtension::ParseError { .. } => return Err(format!("extension {oid} is broken")),
                ParsedExtension::BasicConstraints(basic) => {
                    self.is_authority = basic.ca;
                    self.path_length_max = basic.path_len_constraint;
                }
                ParsedExtension::KeyUsage(usage) => may_sign = usage.key_cert_sign(),
                ParsedExtension::ExtendedKeyUsage(usage) => self.serves_clients = usage.client_auth || usage.any,
                ParsedExtension::SubjectAlternativeName(names) => self.read_names(&names.general_names)?,
                ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key_id = with_colons(id.0),
                ParsedExtension::AuthorityKeyIdentifier(authority) => {
                    self.authority_key_id =
                        authority.key_identifier.as_ref().map_or_else(String::new, |id| with_colons(id.0));
                }
                _ => {}
            }
            self.extensions.push((oid, extension.value.to_vec()));
        }
        self.is_authority = self.is_authority && may_sign;
        Ok(())
    }

    fn read_names(&mut self, names: &[GeneralName<'_>]) -> Result<(), String> {
        for name in names {
            match name {
                GeneralName::DNSName(name) => self.dns_names.push((*name).to_owned()),
                GeneralName::RFC822Name(name) => self.email_addresses.push((*name).to_owned()),
                GeneralName::URI(name) => self.uris.push((*name).to_owned()),
                GeneralName::Invalid(..) => return Err("an alternative name is broken".to_owned()),
                _ => {}
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), String> {
        let lists = [&self.organizational_units, &self.dns_names, &self.email_addresses, &self.uris];
        let mut names = lists.into_iter().flatten().chain([&self.common_name]);
        if names.any(|name| name.chars().any(char::is_control)) {
            return Err("a name of the certificate holds a control character".to_owned());
        }
        Ok(())
    }

    /// Gives the text that an extension holds; `None` if it is not there or holds something else.
    pub(super) fn extension_text(&self, oid: &str) -> Option<String> {
        let (rest, value) = Any::from_der(self.extension(oid)?).ok()?;
        let text = rest.is_empty().then(|| value.as_str().ok().map(str::to_owned)).flatten()?;
        (!text.chars().any(char::is_control)).then_some(text)
    }

    /// Gives the bytes of an extension.
    pub(super) fn extension(&self, oid: &str) -> Option<&[u8]> {
        self.extensions.iter().find(|(own, _)| own == oid).map(|(_, value)| value.as_slice())
    }
}

/// Writes a name so that spellings of it which differ in the kind of text, case or space become one. It only serves to find
/// lists of revoked certificates, where too much found refuses and too little would let in.
pub(super) fn comparable(name: &X509Name<'_>) -> String {
    let part = |attribute: &AttributeTypeAndValue<'_>| {
        let value = attribute.as_str().map_or_else(
            |_| data_encoding::HEXLOWER.encode(attribute.as_slice()),
            |text| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase(),
        );
        format!("{}={value}\n", attribute.attr_type().to_id_string())
    };
    name.iter_attributes().map(part).collect()
}

/// Cuts the zeros off that keep a number positive in DER.
pub(super) fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

fn text(attribute: &AttributeTypeAndValue<'_>) -> Result<String, String> {
    attribute.as_str().map(str::to_owned).map_err(|_| "a name of the subject is no text".to_owned())
}

fn with_colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
