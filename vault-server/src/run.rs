//! Puts a server together from its settings and runs it until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use vault_core::seal;
use vault_core::time::Span;

use crate::alerts::Channels;
use crate::audit_log::AuditLog;
use crate::audit_log::devices::DeviceRules;
use crate::config::{AuditSettings, ListenerSettings, Settings, TlsSettings};
use crate::driver::{DriverSettings, SnapshotSettings, Vault};
use crate::environment::Environment;
use crate::facts::{KnownFacts, WatchedFiles};
use crate::http::{EdgeSettings, application};
use crate::listener::{Limits, Listener};
use crate::storage::cache::CachedStorage;
use crate::storage::{BACKENDS, OpenStorage, Storage};
use crate::tls::{self, Certificate};
use crate::witness::Witnesses;

/// Runs a server until SIGTERM or SIGINT; SIGHUP loads the certificate again. `announce` is told the address once
/// the server listens.
///
/// # Errors
/// Fails when the store, the log, the certificate or the address cannot be used.
pub async fn run(settings: Settings, announce: impl FnOnce(&str)) -> anyhow::Result<()> {
    let certificate = settings.listener.tls.as_ref().map(load_certificate).transpose()?;
    let vault = open_vault(&settings).await?;
    let tcp = TcpListener::bind(settings.listener.address)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listener.address))?;
    let address = url(tcp.local_addr()?, certificate.is_some());
    let app = application(Arc::clone(&vault), edge_settings(&settings, &address));
    let tls = certificate.as_ref().map(Certificate::server_config).transpose()?;
    let listener = Listener::new(app, tls, limits(&settings.listener), vault.sealings().clone());
    let (mut hangup, mut terminate, mut interrupt) =
        (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tell_end(&vault, certificate.as_deref());
    announce(&address);
    let house = tokio::spawn(Arc::clone(&vault).keep_house());
    let witnesses = tokio::spawn(Arc::clone(&vault).keep_witnesses());
    let serving = tokio::spawn({
        let listener = Arc::clone(&listener);
        async move { listener.serve(tcp).await }
    });
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                reload(certificate.as_deref());
                tell_end(&vault, certificate.as_deref());
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("stopping: no new connection is accepted, running requests are finished");
    serving.abort();
    house.abort();
    witnesses.abort();
    let longest = Duration::from_secs(settings.listener.shutdown_seconds_max);
    if !listener.drain(longest).await {
        tracing::warn!("some requests did not end within {} seconds and are cut off", longest.as_secs());
    }
    vault.seal().await;
    Ok(())
}

pub(crate) fn load_certificate(settings: &TlsSettings) -> Result<Arc<Certificate>, tls::TlsError> {
    match (&settings.certificate, &settings.key, &settings.self_signed_directory) {
        (Some(chain), Some(key), _) => Certificate::load(chain, key),
        (_, _, Some(folder)) => {
            let (chain, key) = tls::self_signed(folder)?;
            Certificate::load(&chain, &key)
        }
        _ => Err(tls::TlsError { file: "[listener.tls]".to_owned(), reason: "names no certificate".to_owned() }),
    }
}

/// Tells metrics when the certificate ends.
fn tell_end(vault: &Vault, certificate: Option<&Certificate>) {
    match certificate.map(Certificate::ends_at) {
        None => {}
        Some(Some(at)) => vault.certificate_ends(at),
        Some(None) => tracing::warn!("the end of the certificate cannot be read"),
    }
}

fn reload(certificate: Option<&Certificate>) {
    match certificate.map(Certificate::reload) {
        None => tracing::info!("there is no certificate to load"),
        Some(Ok(())) => tracing::info!("the certificate is loaded again; new connections use it"),
        Some(Err(error)) => tracing::error!("the certificate stays as it was: {error}"),
    }
}

async fn open_vault(settings: &Settings) -> anyhow::Result<Arc<Vault>> {
    let (kind, open) = BACKENDS
        .iter()
        .find(|(name, _)| *name == settings.storage.backend)
        .with_context(|| format!("no storage backend is called {}", settings.storage.backend))?;
    let storage = open(&OpenStorage { path: settings.storage.path.clone() })
        .with_context(|| format!("cannot open {}", settings.storage.path.display()))?;
    let storage: Arc<dyn Storage> = Arc::new(CachedStorage::new(storage, settings.storage.cache_bytes_max));
    let log = AuditLog::open(&settings.audit.path)?;
    let driver = DriverSettings {
        seal: seal::SealSettings { attempt_span: Span(settings.seal.attempt_seconds_max) },
        checkup_span: Span(settings.custody.checkup_days.saturating_mul(86_400)),
        snapshots: snapshot_settings(settings),
        channels: Channels::of(&settings.notices),
        witnesses: Arc::new(Witnesses::of(&settings.audit)),
        traces: settings.traces.clone(),
        files: WatchedFiles {
            store: Some(settings.storage.path.clone()).filter(|_| *kind != "memory"),
            audit_log: Some(settings.audit.path.clone()),
        },
        devices: device_rules(&settings.audit),
        facts: KnownFacts {
            api_address: settings.api_address.clone(),
            log_level: settings.log.level.clone(),
            ..KnownFacts::default()
        },
        ..DriverSettings::default()
    };
    let opened = Vault::open(storage, kind, log, Environment::system(), driver).await;
    opened.map_err(|refusal| anyhow::anyhow!(refusal.private.unwrap_or(refusal.public)))
}

fn device_rules(settings: &AuditSettings) -> DeviceRules {
    DeviceRules {
        directory: settings.devices_directory.clone(),
        addresses: settings.devices_addresses.clone(),
        authorities: settings.devices_ca.clone(),
        client: settings.devices_certificate.clone().zip(settings.devices_key.clone()),
        webhooks: settings.devices_webhook.clone(),
    }
}

/// Uploads wait beside the store: there is room for one more store, or a restore could not be done anyway.
fn snapshot_settings(settings: &Settings) -> SnapshotSettings {
    let beside = settings.storage.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let or_elsewhere = SnapshotSettings::default().directory;
    SnapshotSettings {
        restore_bytes_max: settings.snapshot.restore_bytes_max,
        span_max: Duration::from_secs(settings.snapshot.transfer_seconds_max),
        directory: match settings.storage.backend.as_str() {
            "memory" => or_elsewhere,
            _ => beside.map_or_else(|| std::path::PathBuf::from("."), std::path::Path::to_path_buf),
        },
    }
}

fn edge_settings(settings: &Settings, address: &str) -> EdgeSettings {
    let told = Some(&settings.api_address).filter(|address| !address.is_empty());
    EdgeSettings {
        request_bytes_max: settings.listener.request_bytes_max,
        request_seconds_max: settings.listener.request_seconds_max,
        api_address: told.map_or(address, String::as_str).to_owned(),
        unauthenticated_metrics_access: settings.listener.unauthenticated_metrics_access,
    }
}

pub(crate) const fn limits(settings: &ListenerSettings) -> Limits {
    Limits {
        connections_max: settings.connections_max,
        head: Duration::from_secs(settings.header_seconds_max),
        idle: Duration::from_secs(settings.idle_seconds_max),
    }
}

fn url(address: SocketAddr, tls: bool) -> String {
    format!("{}://{address}", if tls { "https" } else { "http" })
}
