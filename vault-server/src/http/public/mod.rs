//! Endpoints that answer while the vault is sealed and need no token, one file each.
//!
//! How to add one: write a file with a `pub(super) fn` of the shape [`Endpoint`] and add it to [`ENDPOINTS`].

mod health;
mod init;
mod leader;
mod seal_status;
mod unseal;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::response::Response;
use http::Method;
use vault_core::id::RequestId;
use vault_core::refusal::Refusal;
use vault_core::secret::SecretBytes;

use super::Edge;
use crate::driver::Caller;

/// A call of a public endpoint.
pub(super) struct Call<'a> {
    pub(super) edge: &'a Edge,
    pub(super) id: RequestId,
    pub(super) remote: SocketAddr,
    pub(super) method: &'a Method,
    pub(super) parameters: &'a [(String, String)],
    pub(super) body: Option<SecretBytes>,
}

/// The answer of a public endpoint.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, Refusal>> + Send + 'a>>;

/// A public endpoint.
pub(super) type Endpoint = for<'a> fn(Call<'a>) -> Answer<'a>;

/// The public endpoints by path.
const ENDPOINTS: &[(&str, Endpoint)] = &[
    ("sys/health", health::answer),
    ("sys/init", init::answer),
    ("sys/leader", leader::answer),
    ("sys/seal-status", seal_status::answer),
    ("sys/unseal", unseal::answer),
];

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
