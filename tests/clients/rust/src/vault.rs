//! What the tests share: one vault, initialised by the client itself, and clients of it. `VAULT_ADDR` and
//! `VAULT_CACERT`, which the client reads by itself, name the server.

use std::collections::HashMap;
use std::fmt::Debug;

use rustify::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use serde_json::Value;
use tokio::sync::OnceCell;
use vaultrs::api;
use vaultrs::api::sys::requests::EnableEngineRequest;
use vaultrs::api::sys::responses::{StartInitializationResponse, UnsealResponse};
use vaultrs::client::{Client, VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;
use vaultrs::sys::{self, ServerStatus};

pub const SHARES: u64 = 3;
pub const THRESHOLD: u64 = 2;

/// The vault under test, and what was seen while it was initialised and unsealed.
pub struct Vault {
    pub status_before: ServerStatus,
    pub answer: StartInitializationResponse,
    pub status_sealed: ServerStatus,
    pub unsealing: Vec<UnsealResponse>,
}

/// Initialises and unseals the vault, once for all tests.
pub async fn vault() -> &'static Vault {
    static VAULT: OnceCell<Vault> = OnceCell::const_new();
    VAULT.get_or_init(initialise).await
}

async fn initialise() -> Vault {
    let stranger = client("");
    let status_before = sys::status(&stranger).await.unwrap();
    let answer = sys::start_initialization(&stranger, SHARES, THRESHOLD, None).await.unwrap();
    let status_sealed = sys::status(&stranger).await.unwrap();
    let mut unsealing = Vec::new();
    for key in &answer.keys[..THRESHOLD as usize] {
        unsealing.push(sys::unseal(&stranger, Some(key.clone()), None, None).await.unwrap());
    }
    Vault { status_before, answer, status_sealed, unsealing }
}

/// Gives a client with `token`.
pub fn client(token: &str) -> VaultClient {
    // Fails when another test has installed it.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    VaultClient::new(VaultClientSettingsBuilder::default().token(token).build().unwrap()).unwrap()
}

/// Gives a client with the root token.
pub async fn root() -> VaultClient {
    client(&vault().await.answer.root_token)
}

/// Mounts a key-value engine.
pub async fn mount(root: &VaultClient, path: &str, version: &str) {
    let mut options = EnableEngineRequest::builder();
    options.options(HashMap::from([("version".to_owned(), version.to_owned())]));
    sys::mount::enable(root, path, "kv", Some(&mut options)).await.unwrap();
}

/// Asserts that the server refused with `status`, and gives its errors.
#[track_caller]
pub fn refused<T: Debug>(result: Result<T, ClientError>, status: u16) -> String {
    match result {
        Err(ClientError::APIError { code, errors }) => {
            assert_eq!(code, status, "{errors:?}");
            errors.join("; ")
        }
        other => panic!("expected status {status}, got {other:?}"),
    }
}

/// A call that the client has no function for.
pub struct Raw {
    pub method: RequestMethod,
    pub path: String,
    pub body: Value,
}

impl Endpoint for Raw {
    type Response = Value;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        self.method.clone()
    }

    fn body(&self) -> Result<Option<Vec<u8>>, rustify::errors::ClientError> {
        Ok((!self.body.is_null()).then(|| self.body.to_string().into_bytes()))
    }
}

/// Gives the whole answer; `Null` when it has no body.
pub async fn raw(client: &VaultClient, method: RequestMethod, path: &str, body: Value) -> Value {
    let endpoint = Raw { method, path: path.to_owned(), body };
    let answer = endpoint.with_middleware(client.middle()).exec(client.http()).await.unwrap();
    match answer.response.body() {
        body if body.is_empty() => Value::Null,
        body => serde_json::from_slice(body).unwrap(),
    }
}

/// Gives what is under `data`, or the refusal.
pub async fn raw_data(
    client: &VaultClient,
    method: RequestMethod,
    path: &str,
    body: Value,
) -> Result<Value, ClientError> {
    api::exec_with_result(client, Raw { method, path: path.to_owned(), body }).await
}
