//! HTTP/1.1 connections over TLS, kept alive, one request at a time each.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Most bytes of an answer's body.
const BODY_LENGTH_BYTES_MAX: usize = 16 * 1024 * 1024;

const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-vault-token");

/// Where to send requests, and as whom.
#[derive(Clone)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    host: HeaderValue,
    connector: TlsConnector,
    token: Option<HeaderValue>,
}

/// A request ready to be sent.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) body: Bytes,
}

/// An open connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    endpoint: Endpoint,
}

impl Endpoint {
    /// Trusts only the certificates in `authority_file`.
    pub(crate) fn new(address: SocketAddr, authority_file: &Path) -> Result<Self> {
        let mut authorities = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority_file)? {
            authorities.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = builder.with_root_certificates(authorities).with_no_client_auth();
        let host = HeaderValue::from_str(&address.to_string())?;
        Ok(Self { address, host, connector: TlsConnector::from(Arc::new(config)), token: None })
    }

    /// Gives the same endpoint for the holder of `token`.
    pub(crate) fn with_token(&self, token: &str) -> Result<Self> {
        Ok(Self { token: Some(HeaderValue::from_str(token)?), ..self.clone() })
    }

    /// Connects, and runs `work` on the connection until it is done.
    pub(crate) async fn run<T, W: Future<Output = Result<T>>>(&self, work: impl FnOnce(Connection) -> W) -> Result<T> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        let stream = self.connector.connect(ServerName::from(self.address.ip()), socket).await?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        let work = work(Connection { sender, endpoint: self.clone() });
        // Both in one task: nothing has to be woken in another one for each request.
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => done,
            ended = driver => {
                ended.context("the connection broke")?;
                work.await
            }
        }
    }
}

impl Connection {
    /// Sends `call` and reads the whole answer.
    pub(crate) async fn send(&mut self, call: Call) -> Result<(StatusCode, Bytes)> {
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = call.uri;
        let headers = request.headers_mut();
        headers.insert(HOST, self.endpoint.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.endpoint.token {
            headers.insert(TOKEN_HEADER, token.clone());
        }
        let exchange = async {
            self.sender.ready().await?;
            let answer = self.sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), BODY_LENGTH_BYTES_MAX).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer's body: {error}"))?;
            Ok::<_, anyhow::Error>((status, body.to_bytes()))
        };
        tokio::time::timeout(ANSWER_MAX, exchange).await.context("no answer in time")?
    }

    /// Sends `call` and insists on success.
    pub(crate) async fn send_well(&mut self, call: Call) -> Result<Bytes> {
        let what = format!("{} {}", call.method, call.uri);
        let (status, body) = self.send(call).await?;
        ensure!(status.is_success(), "{what}: {status} {}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}
