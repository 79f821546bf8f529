//! The process of a witness: one endpoint, `add-checkpoint`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, watch};
use vault_log::checkpoint::{Checkpoint, CheckpointKey};
use vault_log::witness::{QUESTION_LENGTH_BYTES_MAX, Question, Refused, WitnessKey, WitnessSigner};

use super::store::Store;
use crate::config::WitnessServerSettings;
use crate::environment::Environment;
use crate::listener::{Limits, Listener};
use crate::run::{limits, load_certificate};
use crate::tls::Certificate;

struct Witness {
    signer: WitnessSigner,
    logs: Vec<Log>,
    store: Arc<Store>,
    environment: Environment,
}

struct Log {
    key: CheckpointKey,
    /// One question at a time, so that no two are judged by the same past.
    turn: Mutex<()>,
}

impl Witness {
    fn open(settings: &WitnessServerSettings, environment: Environment) -> anyhow::Result<Self> {
        let folder = || settings.directory.display().to_string();
        let store = Store::open(&settings.directory).with_context(folder)?;
        let seed = store.seed(&mut environment.rng()).with_context(folder)?;
        let seed = seed.expose().try_into().context("the key is none")?;
        let signer = WitnessSigner::new(&settings.name, seed).context("the name is none")?;
        let logs = settings.logs.iter().map(|log| Ok(Log { key: CheckpointKey::parse(log)?, turn: Mutex::new(()) }));
        Ok(Self { signer, logs: logs.collect::<anyhow::Result<_>>()?, store: Arc::new(store), environment })
    }

    async fn add(&self, body: &[u8]) -> Result<String, Response> {
        let text = std::str::from_utf8(body).map_err(|_| refuse(&Refused::Malformed("it is no text")))?;
        let question = Question::parse(text).map_err(|refused| refuse(&refused))?;
        let shown = Checkpoint::danger_unverified(&question.checkpoint);
        let shown = shown.map_err(|error| (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response())?;
        let log = self.logs.iter().find(|log| log.key.origin() == shown.origin);
        let unknown = || (StatusCode::NOT_FOUND, "this witness does not know the log\n").into_response();
        let log = log.ok_or_else(unknown)?;
        let _turn = log.turn.lock().await;
        let (key, store) = (log.key.clone(), Arc::clone(&self.store));
        let before = on_disk(move || store.newest(&key)).await?;
        let time = u64::try_from(self.environment.now().unix_seconds()).unwrap_or_default();
        let judged = self.signer.judge(&question, &log.key, before.as_ref(), time);
        let (checkpoint, line) = judged.map_err(|refused| {
            if matches!(refused, Refused::Log(_)) {
                tracing::error!("the log {} DOES NOT GO ON from what was signed for: {refused}", shown.origin);
            }
            refuse(&refused)
        })?;
        let (key, store) = (log.key.clone(), Arc::clone(&self.store));
        on_disk(move || store.keep(&key, &question.checkpoint)).await?;
        tracing::debug!("signed for {} records of {}", checkpoint.size, checkpoint.origin);
        Ok(line)
    }
}

/// Reads or writes, away from the threads that serve.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Response> {
    let failed = |reason: String| {
        tracing::error!("nothing is signed for: {reason}");
        (StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot read or write its folder\n").into_response()
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| failed(error.to_string()))?;
    done.map_err(|error| failed(error.to_string()))
}

/// Answers as C2SP tlog-witness asks for.
fn refuse(refused: &Refused) -> Response {
    let status = match refused {
        Refused::Malformed(_) => StatusCode::BAD_REQUEST,
        Refused::Checkpoint(_) => StatusCode::FORBIDDEN,
        Refused::Log(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Conflict { signed, .. } => {
            let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            return (StatusCode::CONFLICT, kind, format!("{signed}\n")).into_response();
        }
    };
    (status, format!("{refused}\n")).into_response()
}

async fn add(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    witness.add(&body).await.map_or_else(|refused| refused, IntoResponse::into_response)
}

fn application(witness: Arc<Witness>) -> Router {
    let router = Router::new().route("/add-checkpoint", post(add));
    router.layer(DefaultBodyLimit::max(QUESTION_LENGTH_BYTES_MAX)).with_state(witness)
}

/// Gives the public key of a witness, whose key is drawn if it has none.
///
/// # Errors
/// Fails when its folder cannot be used.
pub fn public_key(settings: &WitnessServerSettings) -> anyhow::Result<WitnessKey> {
    Ok(Witness::open(settings, Environment::system())?.signer.public())
}

/// Runs a witness until SIGTERM or SIGINT. `announce` is told the address and the public key once it listens.
///
/// # Errors
/// Fails when its folder, the certificate or the address cannot be used.
pub async fn run(settings: WitnessServerSettings, announce: impl FnOnce(&str, &WitnessKey)) -> anyhow::Result<()> {
    let certificate = settings.listener.tls.as_ref().map(load_certificate).transpose()?;
    let witness = Arc::new(Witness::open(&settings, Environment::system())?);
    let at = settings.listener.address;
    let tcp = TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at}"))?;
    let address: SocketAddr = tcp.local_addr()?;
    let tls = certificate.as_ref().map(Certificate::server_config).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let limits: Limits = limits(&settings.listener);
    let listener = Listener::new(application(Arc::clone(&witness)), tls, limits, watch::Sender::new(0));
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    announce(&format!("{scheme}://{address}"), &witness.signer.public());
    tokio::select! {
        never = listener.serve(tcp) => match never {},
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    listener.drain(Duration::from_secs(settings.listener.shutdown_seconds_max)).await;
    Ok(())
}
