//! The client: one connection pool to one server, with bounds on time and size.

mod custody;
mod requests;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, RequestBuilder, redirect};
use rustls::ClientConfig;
use serde::Serialize;
use zeroize::{Zeroize, Zeroizing};

use crate::address::Address;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::secret::SecretText;
use crate::tls::{self, ClientFiles, SeenKey, Trust};
use crate::types::{Health, InitRequest, InitResponse, SealStatus, UnsealRequest};

/// Largest answer in bytes: twice the largest body that a Vault server takes, so that whatever was written can be read.
pub const REPLY_LENGTH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most redirects that are followed, all of them on the same server.
pub const REDIRECTS_MAX: usize = 3;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Sealing with Argon2 and slow disks take seconds; nothing takes a minute without sending a byte.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-vault-token");
const WRAP_HEADER: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");
const REASON_HEADER: HeaderName = HeaderName::from_static("x-keyturn-reason");
const RECEIPT_HEADER: HeaderName = HeaderName::from_static("x-keyturn-receipt");
const REQUEST_HEADER: HeaderName = HeaderName::from_static("x-vault-request");

/// What a call wants; the Vault API gives each its HTTP method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// `GET`.
    Read,
    /// `LIST`.
    List,
    /// `POST`.
    Write,
    /// `PATCH` with a JSON merge patch (RFC 7396).
    Patch,
    /// `DELETE`.
    Delete,
}

/// One call, not made yet.
pub struct Call {
    operation: Operation,
    path: String,
    parameters: Vec<(String, String)>,
    body: Option<Zeroizing<Vec<u8>>>,
}

impl Call {
    /// Names the path below `/v1/`, not percent-encoded.
    pub fn new(operation: Operation, path: impl Into<String>) -> Self {
        Self { operation, path: path.into(), parameters: Vec::new(), body: None }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl ToString) -> Self {
        self.parameters.push((name.to_owned(), value.to_string()));
        self
    }

    /// Sends `body` as JSON.
    ///
    /// # Errors
    /// Answers [`ApiError::Setup`] when `body` has no JSON form.
    pub fn body<T: Serialize + ?Sized>(mut self, body: &T) -> Result<Self, ApiError> {
        let mut bytes = Zeroizing::new(Vec::new());
        serde_json::to_writer(&mut *bytes, body)
            .map_err(|error| ApiError::Setup { reason: format!("a body without a JSON form: {error}") })?;
        self.body = Some(bytes);
        Ok(self)
    }
}

/// Speaks to one server. Cheap calls share its connections.
///
/// Buffers inside the HTTP and TLS stacks are wiped only by a zeroizing global allocator, which the command line has.
pub struct Client {
    http: reqwest::Client,
    address: Address,
    token: Option<SecretText>,
    wrap_ttl: Option<String>,
    reason: Option<String>,
    seen: SeenKey,
}

/// Sets up a [`Client`].
pub struct Builder {
    address: Address,
    token: Option<SecretText>,
    wrap_ttl: Option<String>,
    reason: Option<String>,
    trust: Trust,
    client: Option<ClientFiles>,
    server_name: Option<String>,
    connect_timeout: Duration,
    read_timeout: Duration,
}

impl Builder {
    /// Sends this token with every call.
    #[must_use]
    pub fn token(mut self, token: SecretText) -> Self {
        self.token = Some(token);
        self
    }

    /// Has every answer kept for so long, such as `60s`, for whoever shows the wrapping token that is answered instead.
    #[must_use]
    pub fn wrap_ttl(mut self, ttl: impl Into<String>) -> Self {
        self.wrap_ttl = Some(ttl.into());
        self
    }

    /// Tells with every call why it is made, for those who may have to agree.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Believes servers with a certificate by an authority of this PEM file, and by no authority of the system;
    /// several files add up.
    #[must_use]
    pub fn ca_certificate(mut self, file: impl Into<PathBuf>) -> Self {
        match &mut self.trust {
            Trust::Files(files) => files.push(file.into()),
            trust => *trust = Trust::Files(vec![file.into()]),
        }
        self
    }

    /// Shows this certificate, a PEM file with those that lead to its authority after it, to servers that ask for one, and
    /// proves it with its key.
    #[must_use]
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client = Some(ClientFiles { certificate: certificate.into(), key: key.into() });
        self
    }

    /// Believes any server: whoever sits in between reads and changes everything, tokens and shares included.
    #[must_use]
    pub fn danger_accept_invalid_certificates(mut self) -> Self {
        self.trust = Trust::DangerAcceptInvalidCertificates;
        self
    }

    /// Expects this name in the certificate instead of the host of the address.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Bounds how long a connection may take; 10 seconds unless set.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Bounds how long the server may be silent during an answer; 60 seconds unless set.
    #[must_use]
    pub const fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// Answers [`ApiError::Certificates`], [`ApiError::Token`] or [`ApiError::Setup`].
    pub fn build(self) -> Result<Client, ApiError> {
        // No token in the default headers: they would live in the HTTP client for as long as it does.
        if let Some(token) = &self.token {
            token_header(token)?;
        }
        let seen = SeenKey::default();
        let tls = if self.address.is_encrypted() {
            tls::config_that_tells(&self.trust, self.server_name.as_deref(), self.client.as_ref(), &seen)?
        } else {
            no_tls()?
        };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // A proxy of the environment would see plain calls to the loopback, tokens included.
            .no_proxy()
            .referer(false)
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.read_timeout)
            .redirect(redirect::Policy::custom(on_the_same_server))
            .user_agent(concat!("keyturn/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ApiError::Setup { reason: chain(&error) })?;
        let Self { address, token, wrap_ttl, reason, .. } = self;
        Ok(Client { http, address, token, wrap_ttl, reason, seen })
    }
}

impl Client {
    /// Starts to set up a client for the server at `address`, which the system's certificate authorities vouch for.
    pub fn builder(address: Address) -> Builder {
        Builder {
            address,
            token: None,
            wrap_ttl: None,
            reason: None,
            trust: Trust::default(),
            client: None,
            server_name: None,
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: READ_TIMEOUT,
        }
    }

    /// Gives the address of the server.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Gives a client for another token that shares the connections of this one.
    pub fn with_token(&self, token: SecretText) -> Self {
        Self {
            http: self.http.clone(),
            address: self.address.clone(),
            token: Some(token),
            wrap_ttl: self.wrap_ttl.clone(),
            reason: self.reason.clone(),
            seen: self.seen.clone(),
        }
    }

    /// Gives a client that tells with every call why it is made, and shares the connections of this one.
    pub fn with_reason(&self, reason: &str) -> Self {
        let (address, wrap_ttl, seen) = (self.address.clone(), self.wrap_ttl.clone(), self.seen.clone());
        let token = self.token.as_ref().map(|token| SecretText::new(token.expose().to_owned()));
        Self { http: self.http.clone(), address, token, wrap_ttl, reason: Some(reason.to_owned()), seen }
    }

    /// Gives the key that the server proved on the first connection, as [`SeenKey::get`] writes it; `None` before that and
    /// without TLS.
    pub fn server_key(&self) -> Option<String> {
        self.seen.get()
    }

    /// Reads what is at `path`.
    ///
    /// # Errors
    /// Answers [`ApiError`]; [`ApiError::is_missing`] tells that nothing is there.
    pub async fn read(&self, path: &str) -> Result<Reply, ApiError> {
        self.call(Call::new(Operation::Read, path)).await?.into_result()
    }

    /// Lists the names below `path`.
    ///
    /// # Errors
    /// Answers [`ApiError`]; [`ApiError::is_missing`] tells that there is none.
    pub async fn list(&self, path: &str) -> Result<Reply, ApiError> {
        self.call(Call::new(Operation::List, path)).await?.into_result()
    }

    /// Writes `body` to `path`.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn write<T: Serialize + ?Sized>(&self, path: &str, body: &T) -> Result<Reply, ApiError> {
        self.call(Call::new(Operation::Write, path).body(body)?).await?.into_result()
    }

    /// Changes the fields of `body` at `path` (RFC 7396).
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn patch<T: Serialize + ?Sized>(&self, path: &str, body: &T) -> Result<Reply, ApiError> {
        self.call(Call::new(Operation::Patch, path).body(body)?).await?.into_result()
    }

    /// Deletes what is at `path`.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn delete(&self, path: &str) -> Result<Reply, ApiError> {
        self.call(Call::new(Operation::Delete, path)).await?.into_result()
    }

    /// Asks whether the vault is sealed; needs no token.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn seal_status(&self) -> Result<SealStatus, ApiError> {
        self.read("sys/seal-status").await?.body()
    }

    /// Asks how the server is; a sealed or standby server answers as well. Needs no token.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn health(&self) -> Result<Health, ApiError> {
        let reply = self.call(Call::new(Operation::Read, "sys/health")).await?;
        // The status codes of health are signals for load balancers, not refusals.
        match reply.body() {
            Ok(health) => Ok(health),
            Err(error) => Err(reply.into_result().err().unwrap_or(error)),
        }
    }

    /// Makes the shares and the first token; works once in the life of a vault.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn init(&self, request: &InitRequest) -> Result<InitResponse, ApiError> {
        self.write("sys/init", request).await?.body()
    }

    /// Gives one share.
    ///
    /// # Errors
    /// Answers [`ApiError`]; the server names what is wrong with the share.
    pub async fn unseal(&self, share: SecretText) -> Result<SealStatus, ApiError> {
        self.write("sys/unseal", &UnsealRequest { key: Some(share), reset: false }).await?.body()
    }

    /// Has the server forget the shares given so far.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn unseal_reset(&self) -> Result<SealStatus, ApiError> {
        self.write("sys/unseal", &UnsealRequest { key: None, reset: true }).await?.body()
    }

    /// Seals the vault.
    ///
    /// # Errors
    /// Answers [`ApiError`].
    pub async fn seal(&self) -> Result<(), ApiError> {
        self.call(Call::new(Operation::Write, "sys/seal")).await?.into_result().map(drop)
    }

    /// Makes any call and gives back the answer, whatever its status.
    ///
    /// # Errors
    /// Answers [`ApiError`] when there is no answer; never [`ApiError::Refused`].
    pub async fn call(&self, call: Call) -> Result<Reply, ApiError> {
        let mut url = self.address.url_of(&call.path)?;
        if !call.parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.parameters);
        }
        let mut request = self.http.request(method(call.operation)?, url).headers(self.headers()?);
        if let Some(ttl) = &self.wrap_ttl {
            request = request.header(WRAP_HEADER, ttl);
        }
        if let Some(reason) = &self.reason {
            request = request.header(REASON_HEADER, reason_header(reason)?);
        }
        if let Some(body) = &call.body {
            let content_type = match call.operation {
                Operation::Patch => "application/merge-patch+json",
                _ => "application/json",
            };
            request = request.header(CONTENT_TYPE, content_type).body(body.to_vec());
        }
        let response = self.send(request).await?;
        let status = response.status();
        let receipt = response.headers().get(RECEIPT_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = self.read_body(response, &call.path).await?;
        Ok(Reply::new(status.as_u16(), call.path, body).with_receipt(receipt))
    }

    /// Prepares a request to a path.
    pub(crate) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        Ok(self.http.request(method, self.address.url_of(path)?).headers(self.headers()?))
    }

    /// Sends a request; a redirect that was not followed is no answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<reqwest::Response, ApiError> {
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        if response.status().is_redirection() {
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
            return Err(ApiError::Redirected { address: self.address.to_string(), location: location.to_owned() });
        }
        Ok(response)
    }

    fn headers(&self) -> Result<HeaderMap, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_HEADER, HeaderValue::from_static("true"));
        if let Some(token) = &self.token {
            headers.insert(TOKEN_HEADER, token_header(token)?);
        }
        Ok(headers)
    }

    pub(crate) async fn read_body(&self, mut response: reqwest::Response, path: &str) -> Result<SecretText, ApiError> {
        let too_large = || ApiError::TooLarge { path: path.to_owned(), bytes_max: REPLY_LENGTH_BYTES_MAX };
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len().saturating_add(chunk.len()) > REPLY_LENGTH_BYTES_MAX {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(std::mem::take(&mut *body)).map(SecretText::new).map_err(|error| {
            error.into_bytes().zeroize();
            ApiError::Unintelligible { path: path.to_owned(), reason: "it is not UTF-8".to_owned() }
        })
    }

    pub(crate) fn failure(&self, error: &reqwest::Error) -> ApiError {
        let address = self.address.to_string();
        if let Some(reason) = tls_reason(error) {
            return ApiError::Tls { address, reason };
        }
        if error.is_timeout() {
            return ApiError::TimedOut { address };
        }
        ApiError::Unreachable { address, reason: chain(error) }
    }
}

fn method(operation: Operation) -> Result<Method, ApiError> {
    match operation {
        Operation::Read => Ok(Method::GET),
        Operation::List => Method::from_bytes(b"LIST").map_err(|error| ApiError::Setup { reason: error.to_string() }),
        Operation::Write => Ok(Method::POST),
        Operation::Patch => Ok(Method::PATCH),
        Operation::Delete => Ok(Method::DELETE),
    }
}

fn reason_header(reason: &str) -> Result<HeaderValue, ApiError> {
    let value = HeaderValue::from_bytes(reason.as_bytes());
    value.map_err(|_| ApiError::Setup { reason: "a reason is one line of text".to_owned() })
}

fn token_header(token: &SecretText) -> Result<HeaderValue, ApiError> {
    let mut value = HeaderValue::from_str(token.expose()).map_err(|_| ApiError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Plain calls on the loopback trust nobody: a redirect to TLS goes nowhere.
fn no_tls() -> Result<ClientConfig, ApiError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| ApiError::Setup { reason: error.to_string() })?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(config)
}

/// The token travels in a header of its own, which the HTTP client would carry along to any host.
fn on_the_same_server(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if same && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
}

fn tls_reason(error: &reqwest::Error) -> Option<String> {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(current) = cause {
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        // An I/O error hides what it wraps from `source`, and gives the source of that instead.
        let wrapped = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => Some(inner as &dyn Error),
            None => current.source(),
        };
    }
    None
}

/// Gives the innermost cause, which says what happened; the outer ones say that something did.
fn chain(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
