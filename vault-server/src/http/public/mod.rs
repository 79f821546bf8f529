//! Endpoints that need no token, one file each: those that answer while the vault is sealed, and the ceremonies of the
//! custodians, to which a token may lend privilege.
//!
//! How to add one: write a file with a `pub(super) fn` of the shape [`Endpoint`] and add it to [`ENDPOINTS`].

mod audit_log;
mod custody;
mod generate_root_attempt;
mod generate_root_update;
mod health;
mod init;
mod leader;
mod rekey_backup;
mod rekey_init;
mod rekey_recovery;
mod rekey_update;
mod rekey_verify;
mod seal_status;
mod unseal;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::response::Response;
use http::{Method, StatusCode};
use serde::Serialize;
use vault_core::id::{AttemptId, RequestId};
use vault_core::path::RequestPath;
use vault_core::refusal::Refusal;
use vault_core::request::Operation;
use vault_core::secret::{SecretBytes, SecretText};

use super::{Edge, envelope};
use crate::driver::{Caller, CeremonyCaller};

/// A call of a public endpoint.
pub(super) struct Call<'a> {
    pub(super) edge: &'a Edge,
    pub(super) id: RequestId,
    pub(super) remote: SocketAddr,
    pub(super) method: &'a Method,
    pub(super) path: &'a RequestPath,
    pub(super) parameters: &'a [(String, String)],
    pub(super) token: Option<SecretText>,
    pub(super) body: Option<SecretBytes>,
}

/// The answer of a public endpoint.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, Refusal>> + Send + 'a>>;

/// A public endpoint.
pub(super) type Endpoint = for<'a> fn(Call<'a>) -> Answer<'a>;

/// The public endpoints by path.
const ENDPOINTS: &[(&str, Endpoint)] = &[
    ("sys/audit-log/checkpoint", audit_log::checkpoint),
    ("sys/audit-log/receipt", audit_log::receipt),
    ("sys/custody", custody::answer),
    ("sys/custody/acknowledge", custody::possession::acknowledge),
    ("sys/custody/act", custody::act::answer),
    ("sys/custody/bootstrap", custody::bootstrap::answer),
    ("sys/custody/bootstrap/update", custody::bootstrap::update),
    ("sys/custody/charter", custody::charter::answer),
    ("sys/custody/check", custody::possession::check),
    ("sys/custody/init", custody::handout::init),
    ("sys/custody/question", custody::possession::question),
    ("sys/custody/rekey", custody::handout::rekey),
    ("sys/generate-root-token/attempt", generate_root_attempt::answer),
    ("sys/generate-root-token/update", generate_root_update::answer),
    ("sys/generate-root/attempt", generate_root_attempt::answer),
    ("sys/generate-root/update", generate_root_update::answer),
    ("sys/health", health::answer),
    ("sys/init", init::answer),
    ("sys/leader", leader::answer),
    ("sys/rekey/backup", rekey_backup::answer),
    ("sys/rekey/init", rekey_init::answer),
    ("sys/rekey/recovery-key-backup", rekey_recovery::answer),
    ("sys/rekey/update", rekey_update::answer),
    ("sys/rekey/verify", rekey_verify::answer),
    ("sys/rekey-recovery-key/init", rekey_recovery::answer),
    ("sys/rekey-recovery-key/update", rekey_recovery::answer),
    ("sys/rekey-recovery-key/verify", rekey_recovery::answer),
    ("sys/rotate/recovery/backup", rekey_recovery::answer),
    ("sys/rotate/recovery/init", rekey_recovery::answer),
    ("sys/rotate/recovery/update", rekey_recovery::answer),
    ("sys/rotate/recovery/verify", rekey_recovery::answer),
    ("sys/rotate/root/backup", rekey_backup::answer),
    ("sys/rotate/root/init", rekey_init::answer),
    ("sys/rotate/root/update", rekey_update::answer),
    ("sys/rotate/root/verify", rekey_verify::answer),
    ("sys/seal-status", seal_status::answer),
    ("sys/unseal", unseal::answer),
];

/// Where OpenBao has the ceremonies since 2.5: the same calls, answered below `data`.
const IN_ENVELOPE: [&str; 2] = ["sys/generate-root-token/", "sys/rotate/root/"];

/// Finds the public endpoint at a path.
pub(super) fn find(path: &str) -> Option<Endpoint> {
    if !path.starts_with("sys/") {
        return None;
    }
    ENDPOINTS.iter().find(|(own, _)| *own == path).map(|(_, endpoint)| *endpoint)
}

impl Call<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn caller(&self) -> Caller {
        Caller { id: self.id, remote: self.remote }
    }

    /// Gives who begins or cancels an attempt, with the token that may make them privileged.
    fn ceremony_caller(&mut self, operation: Operation) -> CeremonyCaller {
        CeremonyCaller { caller: self.caller(), token: self.token.take(), path: self.path.clone(), operation }
    }

    /// Reads which attempt is meant, from the query or else the body; none and an empty one leave it open.
    fn named_attempt(&self) -> Result<Option<AttemptId>, Refusal> {
        #[derive(serde::Deserialize)]
        struct Named {
            nonce: Option<String>,
        }
        let in_body = || self.parse::<Named>().map(|named| named.nonce);
        let text = match self.parameter("nonce") {
            Some(text) => Some(text.to_owned()),
            None => in_body()?,
        };
        match text.filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => parse_nonce(&text).map(Some),
        }
    }

    /// Answers a ceremony, in the form that belongs to the path.
    fn respond<T: Serialize>(&self, value: &T) -> Response {
        #[derive(Serialize)]
        struct Enveloped<'a, T> {
            request_id: String,
            data: &'a T,
        }
        if IN_ENVELOPE.iter().any(|start| self.path.as_str().starts_with(start)) {
            let enveloped = Enveloped { request_id: self.id.to_string(), data: value };
            return envelope::json(StatusCode::OK, &enveloped);
        }
        envelope::json(StatusCode::OK, value)
    }

    fn is_read(&self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }

    fn is_write(&self) -> bool {
        matches!(*self.method, Method::POST | Method::PUT)
    }

    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, Refusal> {
        vault_core::request::parse_body(self.body.as_ref())
    }
}

fn parse_nonce(text: &str) -> Result<AttemptId, Refusal> {
    AttemptId::parse(text).ok_or_else(|| Refusal::invalid("'nonce' is not the nonce of an attempt"))
}

/// A share for an attempt: the body of every `update`.
#[derive(serde::Deserialize)]
struct Given {
    key: Option<SecretText>,
    nonce: Option<String>,
}

impl Given {
    /// Takes both apart. A nonce that is none names no attempt.
    fn into_parts(self) -> Result<(Option<AttemptId>, SecretText), Refusal> {
        let key = self.key.filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| Refusal::invalid("'key' must hold a share"))?;
        let nonce = self.nonce.filter(|nonce| !nonce.is_empty());
        let nonce = nonce.ok_or_else(|| Refusal::invalid("'nonce' must name the attempt that the share is for"))?;
        Ok((AttemptId::parse(&nonce), key))
    }
}

#[cfg(test)]
mod tests {
    use vault_core::engines::system::public::PUBLIC;

    use super::*;

    #[test]
    fn every_public_endpoint_is_described_and_no_other() {
        let served: Vec<&str> = ENDPOINTS.iter().map(|(path, _)| *path).collect();
        let described: Vec<&str> = PUBLIC.iter().map(|endpoint| endpoint.path).collect();
        assert_eq!(served, described);
    }
}
