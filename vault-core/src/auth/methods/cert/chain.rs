//! From the certificate that was shown to one that a role trusts (RFC 5280, section 6), by the verifier of rustls.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::shown::Facts;
use crate::time::Timestamp;

/// Most certificates that a client may show.
pub(super) const CHAIN_LENGTH_MAX: usize = 10;

/// Most authorities that one login is checked against. Only those count whose name the certificates shown give as their
/// issuer, so that it bounds the work of somebody who shows made-up ones.
const CHECKS_MAX: usize = 16;

/// A certificate of a path, as lists of revoked ones name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The issuer; see [`Facts::issuer_comparable`].
    pub issuer: String,
    /// The serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
}

impl Link {
    /// Names a certificate by its issuer.
    pub(super) fn of(facts: &Facts) -> Self {
        Self { issuer: facts.issuer_comparable.clone(), serial: facts.serial.clone() }
    }
}

/// Checks that a path leads from the first of `shown` through the others to `anchor` (all in DER) and that a client
/// may use it at `now`. Gives the certificates of the path, without the anchor.
///
/// # Errors
/// Says why there is no such path.
pub fn check_path(shown: &[Vec<u8>], anchor: &[u8], now: Timestamp) -> Verdict {
    let trusted = Facts::read(anchor)?;
    trusted.check_validity(now).map_err(|reason| format!("the role's authority: {reason}"))?;
    if !trusted.is_authority || !trusted.serves_clients {
        return Err("the role's certificate is no authority for clients".to_owned());
    }
    if shown.len() > CHAIN_LENGTH_MAX {
        return Err(format!("more than {CHAIN_LENGTH_MAX} certificates were shown"));
    }
    let mut shown = shown.iter().map(|der| CertificateDer::from(der.as_slice()));
    let leaf = shown.next().ok_or("no certificate was shown")?;
    let intermediates: Vec<CertificateDer<'_>> = shown.collect();
    let broken = |error: webpki::Error| format!("the chain does not hold: {error:?}");
    let leaf = EndEntityCert::try_from(&leaf).map_err(broken)?;
    let anchor = CertificateDer::from(anchor);
    let anchors = [anchor_from_trusted_cert(&anchor).map_err(broken)?];
    let seconds = u64::try_from(now.unix_seconds()).map_err(|_| "the clock stands before 1970".to_owned())?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let path = leaf
        .verify_for_usage(algorithms, &anchors, &intermediates, time, KeyUsage::client_auth(), None, None)
        .map_err(broken)?;
    let mut links = vec![Link::of(&Facts::read(&leaf.der())?)];
    for intermediate in path.intermediate_certificates() {
        let facts = Facts::read(&intermediate.der())?;
        if !facts.is_authority {
            return Err("a certificate on the path may not sign others".to_owned());
        }
        links.push(Link::of(&facts));
    }
    // The verifier knows no bound of a trust anchor's own.
    if trusted.path_length_max.is_some_and(|most| links.len() > usize::try_from(most).unwrap_or(0) + 1) {
        return Err("the path is longer than the role's authority allows".to_owned());
    }
    Ok(links)
}

/// The certificates of a path that holds, or why none does.
type Verdict = Result<Vec<Link>, String>;

/// The certificates of one login, with what is known of them.
pub(super) struct Shown<'a> {
    certificates: &'a [Vec<u8>],
    /// What the client's own certificate says.
    pub(super) facts: Facts,
    /// Issuers that the certificates name.
    issuers: Vec<Vec<u8>>,
    now: Timestamp,
    /// What was found out for the authorities that were tried: roles share them.
    tried: Vec<(&'a [u8], Verdict)>,
}

impl<'a> Shown<'a> {
    /// Reads what was shown.
    pub(super) fn read(certificates: &'a [Vec<u8>], now: Timestamp) -> Result<Self, String> {
        if certificates.len() > CHAIN_LENGTH_MAX {
            return Err(format!("more than {CHAIN_LENGTH_MAX} certificates were shown"));
        }
        let (own, others) = certificates.split_first().ok_or("no certificate was shown")?;
        let facts = Facts::read(own)?;
        facts.check_validity(now)?;
        let mut issuers = vec![facts.issuer.clone()];
        for other in others {
            issuers.push(Facts::read(other)?.issuer);
        }
        Ok(Self { certificates, facts, issuers, now, tried: Vec::new() })
    }

    /// Gives the client's own certificate.
    pub(super) fn own(&self) -> &'a [u8] {
        self.certificates.first().map_or(&[], Vec::as_slice)
    }

    /// Checks the path to a certificate of a role, whose subject is `subject`.
    pub(super) fn check(&mut self, trusted: &'a [u8], subject: &[u8]) -> Verdict {
        if trusted == self.own() {
            return Ok(vec![Link::of(&self.facts)]);
        }
        if !self.issuers.iter().any(|issuer| issuer == subject) {
            return Err("no certificate that was shown is by the role's authority".to_owned());
        }
        if let Some((_, known)) = self.tried.iter().find(|(own, _)| *own == trusted) {
            return known.clone();
        }
        if self.tried.len() >= CHECKS_MAX {
            return Err(format!("{CHECKS_MAX} authorities of this name were tried in vain: name the role"));
        }
        let found = check_path(self.certificates, trusted, self.now);
        self.tried.push((trusted, found.clone()));
        found
    }
}
