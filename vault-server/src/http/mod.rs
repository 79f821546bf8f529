//! The HTTP edge: the one door, the public endpoints of a sealed vault, and the only place that knows status codes.

mod body;
mod door;
mod envelope;
mod metrics;
mod parameters;
mod public;
mod snapshot;
mod status;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;

use crate::driver::Vault;

/// What the edge may be told.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// Largest body, in bytes.
    pub request_bytes_max: usize,
    /// Longest time until a request is answered.
    pub request_seconds_max: u64,
    /// The address that clients are told to use.
    pub api_address: String,
    /// Whether metrics, those apart that name people, are told to anybody.
    pub unauthenticated_metrics_access: bool,
}

/// The certificates that the other end of a connection showed in the TLS handshake, in DER, its own first.
#[derive(Clone)]
pub struct PeerCertificates(pub Arc<[Vec<u8>]>);

/// Everything that a request handler needs.
pub(crate) struct Edge {
    pub(crate) vault: Arc<Vault>,
    pub(crate) settings: EdgeSettings,
}

/// Builds the application: every request goes through one door.
pub fn application(vault: Arc<Vault>, settings: EdgeSettings) -> Router {
    Router::new().fallback(enter).with_state(Arc::new(Edge { vault, settings }))
}

async fn enter(
    State(edge): State<Arc<Edge>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    request: axum::extract::Request,
) -> Response {
    door::enter(&edge, remote, request).await
}
