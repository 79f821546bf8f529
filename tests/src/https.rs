//! A minimal HTTPS client: one kept-alive HTTP/1.1 connection, blocking, just enough for tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// Longest wait for a byte of an answer: far above any answer, short enough that a hung server fails its test.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Most bytes of a line of a reply's head.
const HEAD_LINE_LENGTH_BYTES_MAX: u64 = 16 * 1024;

/// Most lines of a reply's head.
const HEAD_LINES_MAX: usize = 100;

/// Most bytes of a reply's body.
const BODY_LENGTH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the server answered.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body; `null` when there is none.
    pub body: Value,
}

impl Reply {
    /// Gives the reply if it has `status`.
    ///
    /// # Errors
    /// Shows the reply when it has another status.
    pub fn expect_status(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "expected {status}, got {}: {}", self.status, self.body);
        Ok(self)
    }

    /// Gives the text at `pointer` (RFC 6901) of the body.
    ///
    /// # Errors
    /// Shows the reply when there is no text.
    pub fn text(&self, pointer: &str) -> Result<String> {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).with_context(|| format!("no text at {pointer} of {}", self.body))
    }

    /// Gives the number at `pointer` (RFC 6901) of the body.
    ///
    /// # Errors
    /// Shows the reply when there is no number.
    pub fn number(&self, pointer: &str) -> Result<u64> {
        let found = self.body.pointer(pointer).and_then(Value::as_u64);
        found.with_context(|| format!("no number at {pointer} of {}", self.body))
    }
}

/// One connection to a server.
pub struct Connection {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    address: SocketAddr,
    token: Option<String>,
}

impl Connection {
    /// Connects to `address`, trusting only the certificates in `authority_file`.
    ///
    /// # Errors
    /// Fails when the file holds no certificate or the server cannot be reached.
    pub fn open(address: SocketAddr, authority_file: &Path) -> Result<Self> {
        Self::open_with(address, &Arc::new(client_config(authority_file, None)?))
    }

    /// Connects with settings that several connections share: the later ones resume the session of the first.
    ///
    /// # Errors
    /// Fails when the server cannot be reached.
    pub fn open_with(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        let session = ClientConnection::new(Arc::clone(config), ServerName::from(address.ip()))?;
        let socket = TcpStream::connect(address).with_context(|| format!("{address} cannot be reached"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(WAIT_MAX))?;
        socket.set_write_timeout(Some(WAIT_MAX))?;
        Ok(Self { stream: BufReader::new(StreamOwned::new(session, socket)), address, token: None })
    }

    /// Tells whether the connection resumed an earlier session; known once something was answered.
    pub fn is_resumed(&self) -> bool {
        self.stream.get_ref().conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// Sends `token` with every request from now on.
    pub fn authorise(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// Makes one request; `path` begins after `/v1/`.
    ///
    /// # Errors
    /// Fails when the connection breaks or the answer is no HTTP with a JSON body; a status code is no failure.
    pub fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Reply> {
        let token = self.token.clone();
        let headers: Vec<(&str, &str)> = token.iter().map(|token| ("X-Vault-Token", token.as_str())).collect();
        self.call_with(method, path, &headers, body)
    }

    /// Makes one request with the headers given, which name the token too if there is to be one.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn call_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply> {
        self.send(method, path, headers, body)?;
        self.reply().with_context(|| format!("{method} {path}"))
    }

    /// Reads what is no JSON, with the headers given and the token.
    ///
    /// # Errors
    /// Fails when the connection breaks or the answer is another than 200 with a text.
    pub fn text(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<String> {
        let token = self.token.clone();
        let token = token.iter().map(|token| ("X-Vault-Token", token.as_str()));
        let headers: Vec<_> = headers.iter().copied().chain(token).collect();
        self.send("GET", path, &headers, None)?;
        let (status, body) = self.read_reply().with_context(|| format!("GET {path}"))?;
        ensure!(status == 200, "GET {path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(String::from_utf8(body)?)
    }

    fn reply(&mut self) -> Result<Reply> {
        let (status, body) = self.read_reply()?;
        if body.is_empty() {
            return Ok(Reply { status, body: Value::Null });
        }
        let parsed = serde_json::from_slice(&body);
        let body = parsed.with_context(|| format!("no JSON: {}", String::from_utf8_lossy(&body)))?;
        Ok(Reply { status, body })
    }

    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Result<()> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let media_type = if typed { None } else { Some(("Content-Type", "application/json")) };
        let lines = headers.iter().copied().chain(media_type).map(|(name, value)| format!("{name}: {value}\r\n"));
        let request = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: {}\r\n{}Content-Length: {}\r\n\r\n{body}",
            self.address,
            lines.collect::<String>(),
            body.len()
        );
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes())?;
        Ok(stream.flush()?)
    }

    /// Reads.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn get(&mut self, path: &str) -> Result<Reply> {
        self.call("GET", path, None)
    }

    /// Writes.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn post(&mut self, path: &str, body: &Value) -> Result<Reply> {
        self.call("POST", path, Some(body))
    }

    fn read_reply(&mut self) -> Result<(u16, Vec<u8>)> {
        let status_line = self.head_line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 = status.with_context(|| format!("no status code in {status_line:?}"))?;
        let mut length = None;
        for _ in 0..HEAD_LINES_MAX {
            let line = self.head_line()?;
            if line.is_empty() {
                return Ok((status, self.body(status, length)?));
            }
            let (name, value) = line.split_once(':').with_context(|| format!("no header: {line:?}"))?;
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            }
        }
        bail!("the reply has more than {HEAD_LINES_MAX} headers")
    }

    fn head_line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.by_ref().take(HEAD_LINE_LENGTH_BYTES_MAX).read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").context("the connection was closed within the reply's head")?;
        Ok(line.to_owned())
    }

    fn body(&mut self, status: u16, length: Option<usize>) -> Result<Vec<u8>> {
        let length = match length {
            None if status == 204 => 0,
            length => length.context("the reply does not give the length of its body")?,
        };
        ensure!(length <= BODY_LENGTH_BYTES_MAX, "the reply's body of {length} bytes is too long");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).context("the connection was closed within the reply's body")?;
        Ok(body)
    }
}

/// Makes settings that trust the certificates in `authority_file` and show a certificate with its key, if there is one.
///
/// # Errors
/// Fails when the file holds no certificate or the key does not fit.
pub fn client_config(
    authority_file: &Path,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<ClientConfig> {
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority_file)? {
        authorities.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(authorities);
    Ok(match own {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
    })
}
