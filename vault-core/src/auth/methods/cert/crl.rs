//! `crls/<name>`: lists of revoked certificates (RFC 5280, section 5).
//!
//! A list counts for every certificate whose issuer has the name of the list's: whoever may write here vouches for it, and its
//! signature is not asked. Where lists of an issuer are known, one of them must be in date, or nobody of that issuer
//! gets in: a list that is not renewed any more does not say who was revoked since.

use data_encoding::BASE64;
use rand_core::CryptoRng;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use webpki::BorrowedCertRevocationList;
use x509_parser::asn1_rs::FromDer;
use x509_parser::num_bigint::BigUint;
use x509_parser::revocation_list::CertificateRevocationList;

use super::chain::Link;
use super::shown::{comparable, without_leading_zeros};
use crate::engines::{Call, Change, Step, tree};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

const CRL_VERSION: u8 = 1;

/// Most bytes of a list as it is given: some twenty thousand certificates.
const CRL_LENGTH_BYTES_MAX: usize = 1 << 20;

/// Most lists of one mount: a login reads them all.
const CRLS_MAX: usize = 64;

/// What is stored of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Crl {
    /// The issuer; see [`super::Facts::issuer_comparable`].
    issuer: String,
    /// Until when it is in date, in seconds since 1970.
    next_update_unix_seconds: i64,
    /// Serial numbers of the revoked certificates, big-endian, without leading zeros, in order.
    serials: Vec<Vec<u8>>,
}

impl Crl {
    /// Reads a list in PEM, or in DER written in base64.
    ///
    /// # Errors
    /// Says why the text is no list, or one that could not be obeyed in every respect: a partial or an indirect one.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > CRL_LENGTH_BYTES_MAX {
            return Err(format!("at most {CRL_LENGTH_BYTES_MAX} bytes"));
        }
        let der = if text.contains("-----BEGIN") {
            let found = CertificateRevocationListDer::from_pem_slice(text.as_bytes());
            found.map_err(|_| "it holds no list in PEM".to_owned())?.to_vec()
        } else {
            let text: String = text.split_whitespace().collect();
            BASE64.decode(text.as_bytes()).map_err(|_| "it is neither PEM nor DER in base64".to_owned())?
        };
        Self::from_der(&der)
    }

    fn from_der(der: &[u8]) -> Result<Self, String> {
        // The verifier of rustls takes only complete lists of a known kind.
        let strict = BorrowedCertRevocationList::from_der(der).map_err(|error| format!("no usable list: {error:?}"))?;
        let mut serials = Vec::new();
        for revoked in &strict {
            let revoked = revoked.map_err(|error| format!("an entry is broken: {error:?}"))?;
            serials.push(without_leading_zeros(revoked.serial_number));
        }
        serials.sort_unstable();
        serials.dedup();
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|error| format!("no list: {error}"))?;
        if !rest.is_empty() {
            return Err("something follows the list".to_owned());
        }
        let next = list.next_update().ok_or("it does not say when the next one comes")?;
        Ok(Self { issuer: comparable(list.issuer()), next_update_unix_seconds: next.timestamp(), serials })
    }
}

/// Checks that no certificate of a path is revoked.
///
/// # Errors
/// Stops when lists must be fetched first; the inner error says what is wrong with the path.
pub(super) fn check(
    mount: &Mount,
    names: &Names,
    links: &[Link],
    now: Timestamp,
    view: &mut View,
) -> Result<Result<(), String>, Interrupt> {
    let folder = folder(mount, names);
    let slots: Vec<Slot> = view.list(&folder)?.iter().map(|name| names.entry(&folder, name)).collect();
    view.prefetch(&slots);
    let mut lists = Vec::with_capacity(slots.len());
    for slot in &slots {
        if let Some(row) = view.entry(slot)? {
            lists.push(record_format::decode::<Crl>(CRL_VERSION, &row.payload)?);
        }
    }
    Ok(links.iter().try_for_each(|link| check_link(link, &lists, now)))
}

fn check_link(link: &Link, lists: &[Crl], now: Timestamp) -> Result<(), String> {
    let (mut known, mut in_date) = (false, false);
    for list in lists.iter().filter(|list| list.issuer == link.issuer) {
        if list.serials.binary_search(&link.serial).is_ok() {
            return Err("a certificate on the path is revoked".to_owned());
        }
        known = true;
        in_date |= now.unix_seconds() <= list.next_update_unix_seconds;
    }
    if known && !in_date { Err("no list of revoked certificates of the issuer is in date".to_owned()) } else { Ok(()) }
}

/// Finds the folder of a mount's lists.
pub(super) fn folder(mount: &Mount, names: &Names) -> Folder {
    names.folder(&mount.root(names), "crls")
}

fn slot(call: &Call<'_>) -> Slot {
    call.names.entry(&folder(call.mount, call.names), &call.capture("name").to_lowercase())
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(tree::list(call, folder(call.mount, call.names), "", view)?))
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let row = view.entry(&slot(call))?.ok_or_else(Refusal::missing)?;
    let list: Crl = record_format::decode(CRL_VERSION, &row.payload)?;
    let decimal = |serial: &Vec<u8>| (BigUint::from_bytes_be(serial).to_string(), json!({}));
    let serials: Map<String, Value> = list.serials.iter().map(decimal).collect();
    Ok(Step::answer(Reply::data(&json!({ "cdp": null, "serials": serials }))?))
}

#[derive(Deserialize)]
struct Ask {
    crl: Option<String>,
    url: Option<String>,
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    if ask.url.is_some_and(|url| !url.is_empty()) {
        return Err(Refusal::invalid("url is not supported: give the list itself as crl").into());
    }
    let text = ask.crl.ok_or_else(|| Refusal::invalid("crl: give the list in PEM, or in DER written in base64"))?;
    let list = Crl::read(&text).map_err(|reason| Refusal::invalid(format!("crl: {reason}")))?;
    let slot = slot(call);
    if view.entry(&slot)?.is_none() && view.list(&folder(call.mount, call.names))?.len() >= CRLS_MAX {
        return Err(Refusal::invalid(format!("a mount has at most {CRLS_MAX} lists")).into());
    }
    let payload = record_format::encode(CRL_VERSION, &list)?;
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot, payload }]))
}

pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::commit(Reply::Empty, vec![Change::Delete { slot: slot(call) }]))
}
