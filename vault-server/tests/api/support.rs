//! A vault in memory behind the real HTTP application, on a clock and a generator of the test's own.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tower::ServiceExt;
use vault_core::time::Timestamp;
use vault_server::alerts::Channels;
use vault_server::audit_log::AuditLog;
use vault_server::audit_log::devices::DeviceRules;
use vault_server::config::{NoticeSettings, TraceSettings};
use vault_server::driver::{DriverSettings, Vault};
use vault_server::environment::{Clock, Entropy, Environment};
use vault_server::http::{EdgeSettings, application};
use vault_server::storage::Storage;
use vault_server::storage::memory::MemoryStorage;

pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000_000, Ordering::SeqCst);
    }
}

struct SharedClock(Arc<TestClock>);

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.0.load(Ordering::SeqCst))
    }
}

struct Seeded(Mutex<StdRng>);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(bytes);
    }
}

pub(crate) struct TestVault {
    pub(crate) app: Router,
    vault: Arc<Vault>,
    settings: EdgeSettings,
    house: tokio::task::JoinHandle<()>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) audit_path: std::path::PathBuf,
    pub(crate) root: String,
    pub(crate) keys: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Drop for TestVault {
    fn drop(&mut self) {
        self.house.abort();
    }
}

impl TestVault {
    /// Starts a vault that is not initialised.
    pub(crate) async fn blank() -> Self {
        Self::over(Arc::new(MemoryStorage::default())).await
    }

    /// Starts over a store of the test's own.
    pub(crate) async fn over(storage: Arc<dyn Storage>) -> Self {
        Self::over_drawing(storage, 7).await
    }

    /// Does the same with another seed, so that a server that starts again draws other tokens than the one before.
    pub(crate) async fn over_drawing(storage: Arc<dyn Storage>, seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::open(&directory.path().join("audit.jsonl")).unwrap();
        Self::assemble(storage, log, directory, seed).await
    }

    /// Starts an unsealed vault over a log of the test's own.
    pub(crate) async fn ready_with_log(log: AuditLog) -> Self {
        let storage = Arc::new(MemoryStorage::default());
        Self::assemble(storage, log, tempfile::tempdir().unwrap(), 7).await.furnished().await
    }

    /// Starts a vault that tells people what waits, over a store of the test's own; it is not initialised by this.
    pub(crate) async fn telling(storage: Arc<dyn Storage>, notices: &NoticeSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::open(&directory.path().join("audit.jsonl")).unwrap();
        let driver = DriverSettings { channels: Channels::of(notices), ..DriverSettings::default() };
        Self::assemble_with(storage, log, (directory, 7), driver).await
    }

    /// Starts an unsealed vault that sends traces.
    pub(crate) async fn traced(traces: TraceSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::open(&directory.path().join("audit.jsonl")).unwrap();
        let driver = DriverSettings { traces: Some(traces), ..DriverSettings::default() };
        Self::assemble_with(Arc::new(MemoryStorage::default()), log, (directory, 7), driver).await.furnished().await
    }

    async fn assemble(storage: Arc<dyn Storage>, log: AuditLog, directory: tempfile::TempDir, seed: u64) -> Self {
        Self::assemble_with(storage, log, (directory, seed), DriverSettings::default()).await
    }

    async fn assemble_with(
        storage: Arc<dyn Storage>,
        log: AuditLog,
        (directory, seed): (tempfile::TempDir, u64),
        driver: DriverSettings,
    ) -> Self {
        let audit_path = directory.path().join("audit.jsonl");
        let clock = Arc::new(TestClock(AtomicI64::new(1_800_000_000_000_000_000)));
        let entropy = Seeded(Mutex::new(StdRng::seed_from_u64(seed)));
        let environment = Environment::new(Box::new(SharedClock(Arc::clone(&clock))), Box::new(entropy));
        let devices = DeviceRules {
            directory: Some(directory.path().to_owned()),
            addresses: vec![directory.path().join("device.sock").display().to_string()],
            ..DeviceRules::default()
        };
        let driver = DriverSettings { devices, ..driver };
        let vault = Vault::open(storage, "memory", log, environment, driver).await.unwrap();
        let settings = EdgeSettings {
            request_bytes_max: 100_000,
            request_seconds_max: 30,
            api_address: "https://127.0.0.1:8200".to_owned(),
            unauthenticated_metrics_access: false,
        };
        let house = tokio::spawn(Arc::clone(&vault).keep_house());
        let app = application(Arc::clone(&vault), settings.clone());
        Self {
            app,
            vault,
            settings,
            house,
            clock,
            audit_path,
            root: String::new(),
            keys: Vec::new(),
            _directory: directory,
        }
    }

    /// Tells metrics to anybody.
    pub(crate) fn telling_metrics(mut self) -> Self {
        let settings = EdgeSettings { unauthenticated_metrics_access: true, ..self.settings.clone() };
        self.app = application(Arc::clone(&self.vault), settings);
        self
    }

    /// Starts an unsealed vault with KV version 2 at `secret/` and version 1 at `kv/`.
    pub(crate) async fn ready() -> Self {
        Self::blank().await.furnished().await
    }

    /// Initialises, unseals and mounts.
    pub(crate) async fn furnished(self) -> Self {
        let mut vault = self;
        vault.initialise(3, 2).await;
        vault.unseal().await;
        let mount = |version: &str| json!({"type": "kv", "options": {"version": version}});
        vault.expect(204, "POST", "sys/mounts/secret", Some(mount("2"))).await;
        vault.expect(204, "POST", "sys/mounts/kv", Some(mount("1"))).await;
        vault
    }

    pub(crate) async fn initialise(&mut self, shares: u8, threshold: u8) {
        let body = json!({"secret_shares": shares, "secret_threshold": threshold});
        let made = self.expect(200, "PUT", "sys/init", Some(body)).await;
        self.root = made["root_token"].as_str().unwrap().to_owned();
        self.keys = made["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect();
    }

    pub(crate) async fn unseal(&self) {
        for key in &self.keys {
            let status = self.expect(200, "PUT", "sys/unseal", Some(json!({"key": key}))).await;
            if status["sealed"] == json!(false) {
                return;
            }
        }
        panic!("all shares are given and the vault is still sealed");
    }

    /// Calls as root and demands a status.
    pub(crate) async fn expect(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
        self.expect_as(&self.root, status, method, path, body).await
    }

    /// Calls with a token and demands a status.
    pub(crate) async fn expect_as(
        &self,
        token: &str,
        status: u16,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let text = body.map(|body| body.to_string());
        let (got, value) = self.call(method, path, token, text.as_deref()).await;
        assert_eq!(got.as_u16(), status, "{method} {path}: {value}");
        value
    }

    /// Calls and gives status and body; an empty body is `null`.
    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: Option<&str>) -> (StatusCode, Value) {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("/v1/{path}"))
            .header("x-vault-token", token);
        if method == "PATCH" {
            request = request.header("content-type", "application/merge-patch+json");
        }
        self.send(request.body(Body::from(body.unwrap_or_default().to_owned())).unwrap()).await
    }

    /// Calls without a token from an address and demands a status.
    pub(crate) async fn expect_from(
        &self,
        address: &str,
        status: u16,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let remote = std::net::SocketAddr::new(address.parse().unwrap(), 50_000);
        let request = Request::builder().method(method).uri(format!("/v1/{path}")).extension(ConnectInfo(remote));
        let text = body.map(|body| body.to_string()).unwrap_or_default();
        let (got, value) = self.send(request.body(Body::from(text)).unwrap()).await;
        assert_eq!(got.as_u16(), status, "{method} {path} from {address}: {value}");
        value
    }

    /// Sends a request as it is, from the test's usual address unless it names another.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let (status, bytes) = self.send_raw(request).await;
        let value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        (status, value)
    }

    /// Does the same and gives the body as it comes.
    pub(crate) async fn send_raw(&self, mut request: Request<Body>) -> (StatusCode, Bytes) {
        if request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().is_none() {
            let remote: std::net::SocketAddr = "127.0.0.1:50000".parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(remote));
        }
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }

    /// Makes a token with one policy of the given text.
    pub(crate) async fn token_with(&self, name: &str, policy: &str) -> String {
        self.expect(204, "PUT", &format!("sys/policies/acl/{name}"), Some(json!({ "policy": policy }))).await;
        let body = json!({"policies": [name], "no_default_policy": true});
        let made = self.expect(200, "POST", "auth/token/create", Some(body)).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Reads the audit log as it is on disk.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.audit_path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
