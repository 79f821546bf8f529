//! The settings file: TOML, every field checked with its line; see docs/config.md.

mod devices;
mod notices;
mod traces;
mod witnesses;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use devices::DeviceWebhookSettings;
pub use notices::{
    CommandSettings, MailSettings, MailTls, NoticeSettings, WebhookAddress, WebhookFormat, WebhookSettings,
};
use serde::Deserialize;
pub use traces::TraceSettings;
pub use witnesses::{WitnessOutage, WitnessServerSettings, WitnessSettings};

/// Largest settings file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// All settings, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the server listens.
    #[serde(default)]
    pub listener: ListenerSettings,
    /// Where the sealed rows are kept.
    pub storage: StorageSettings,
    /// Where the audit log is kept.
    pub audit: AuditSettings,
    /// How the vault is unsealed.
    #[serde(default)]
    pub seal: SealSettings,
    /// What is expected of custodians.
    #[serde(default)]
    pub custody: CustodySettings,
    /// Within which bounds snapshots are taken and restored.
    #[serde(default)]
    pub snapshot: SnapshotSettings,
    /// Who is told of requests that wait for people.
    #[serde(default)]
    pub notices: NoticeSettings,
    /// Where traces of requests are sent; nowhere if left out.
    #[serde(default)]
    pub traces: Option<TraceSettings>,
    /// What the server's own log says.
    #[serde(default)]
    pub log: LogSettings,
    /// The address that clients are told to use; the listener's if empty.
    #[serde(default)]
    pub api_address: String,
}

/// Where and within which bounds the server listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerSettings {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Largest body, in bytes.
    pub request_bytes_max: usize,
    /// Most connections at once; further ones wait.
    pub connections_max: usize,
    /// Longest time for a TLS handshake and for the head of a request, in seconds.
    pub header_seconds_max: u64,
    /// Longest time until a request is answered, in seconds.
    pub request_seconds_max: u64,
    /// Longest life of a connection on which nothing happens, in seconds.
    pub idle_seconds_max: u64,
    /// Longest time that running requests have when the server stops, in seconds.
    pub shutdown_seconds_max: u64,
    /// Certificate and key.
    pub tls: Option<TlsSettings>,
    /// Serves plain HTTP; only on loopback.
    pub danger_plain_http: bool,
    /// Tells metrics, those apart that name people, to anybody who asks, also while the vault is sealed.
    pub unauthenticated_metrics_access: bool,
}

/// Certificate and key: files, or a folder in which a certificate for trials is generated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate chain in PEM.
    pub certificate: Option<PathBuf>,
    /// The private key in PEM.
    pub key: Option<PathBuf>,
    /// A folder for a generated certificate authority and certificate.
    pub self_signed_directory: Option<PathBuf>,
}

/// Where the sealed rows are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSettings {
    /// The name of a backend.
    pub backend: String,
    /// The file, for backends that have one.
    #[serde(default)]
    pub path: PathBuf,
    /// Memory for recently read rows, in bytes.
    #[serde(default = "cache_bytes_default")]
    pub cache_bytes_max: u64,
    /// Allows a store that forgets everything when the server ends.
    #[serde(default)]
    pub danger_forget_everything: bool,
}

/// Where the audit log is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// The file.
    pub path: PathBuf,
    /// The folder that audit devices may make files in; none may without it.
    #[serde(default)]
    pub devices_directory: Option<PathBuf>,
    /// Addresses that audit devices may open sockets to.
    #[serde(default)]
    pub devices_addresses: Vec<String>,
    /// Authorities in PEM that alone are trusted to certify collectors of syslog; those of the system if left out.
    #[serde(default)]
    pub devices_ca: Option<PathBuf>,
    /// The certificate chain in PEM that is shown to collectors.
    #[serde(default)]
    pub devices_certificate: Option<PathBuf>,
    /// Its private key in PEM.
    #[serde(default)]
    pub devices_key: Option<PathBuf>,
    /// Addresses that audit devices may post to.
    #[serde(default)]
    pub devices_webhook: Vec<DeviceWebhookSettings>,
    /// How many witnesses must have signed for the log before anything is released that people agreed to.
    #[serde(default)]
    pub witnesses: usize,
    /// What becomes of a release when they have not.
    #[serde(default)]
    pub witness_outage: WitnessOutage,
    /// The witnesses that are asked.
    #[serde(default)]
    pub witness: Vec<WitnessSettings>,
}

/// How the vault is unsealed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SealSettings {
    /// Longest life of an unfinished attempt, in seconds.
    pub attempt_seconds_max: u64,
}

/// What is expected of custodians.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CustodySettings {
    /// How many days a custodian may go without a check-up.
    pub checkup_days: u64,
}

/// Within which bounds snapshots are taken and restored.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotSettings {
    /// Largest archive that is restored, in bytes, and largest content of one.
    pub restore_bytes_max: u64,
    /// Longest time for taking or uploading one, in seconds.
    pub transfer_seconds_max: u64,
}

/// What the server's own log says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8200)),
            request_bytes_max: 2 << 20,
            connections_max: 10_000,
            header_seconds_max: 10,
            request_seconds_max: 90,
            idle_seconds_max: 120,
            shutdown_seconds_max: 30,
            tls: None,
            danger_plain_http: false,
            unauthenticated_metrics_access: false,
        }
    }
}

impl Default for SealSettings {
    fn default() -> Self {
        Self { attempt_seconds_max: 600 }
    }
}

impl Default for CustodySettings {
    fn default() -> Self {
        Self { checkup_days: 90 }
    }
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self { restore_bytes_max: 8 << 30, transfer_seconds_max: 3_600 }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: "text".to_owned() }
    }
}

const fn cache_bytes_default() -> u64 {
    16 << 20
}

/// Says what is wrong with a settings file, and where.
#[derive(Debug, thiserror::Error)]
#[error("settings {file}: {reason}")]
pub struct SettingsError {
    /// The file.
    pub file: String,
    /// The line and what is wrong there.
    pub reason: String,
}

impl Settings {
    /// Reads and checks a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// Answers [`SettingsError`] with the line.
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let wrong = |reason: String| SettingsError { file: file.display().to_string(), reason };
        let length = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
        if length > FILE_BYTES_MAX {
            return Err(wrong(format!("the file has {length} bytes; at most {FILE_BYTES_MAX} are read")));
        }
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(wrong)
    }

    /// Gives settings for a trial: everything in one folder, with a generated certificate.
    ///
    /// # Errors
    /// Answers the reason if the folder's name is not usable.
    pub fn trial(folder: &Path) -> Result<Self, String> {
        let text = "[listener.tls]\nself_signed_directory = \"tls\"\n[storage]\nbackend = \"sqlite\"\npath = \"keyturn.db\"\n\
                    [audit]\npath = \"audit.jsonl\"\n";
        Self::parse(text, folder)
    }

    /// Parses and checks a text.
    ///
    /// # Errors
    /// Answers the line and what is wrong there.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let mut settings: Self = toml::from_str(text).map_err(|error| describe(text, &error))?;
        settings.check().map_err(|(field, reason)| match line_of(text, field) {
            Some(line) => format!("line {line}: {field} {reason}"),
            None => format!("{field} {reason}"),
        })?;
        settings.listener.join(folder);
        for path in [&mut settings.storage.path, &mut settings.audit.path] {
            *path = folder.join(&path);
        }
        settings.audit.join_witnesses(folder);
        settings.audit.join_devices(folder);
        settings.notices.join(folder);
        if let Some(traces) = &mut settings.traces {
            traces.join(folder);
        }
        Ok(settings)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let bounds = [
            ("attempt_seconds_max", self.seal.attempt_seconds_max),
            ("checkup_days", self.custody.checkup_days),
            ("restore_bytes_max", self.snapshot.restore_bytes_max),
            ("transfer_seconds_max", self.snapshot.transfer_seconds_max),
            ("cache_bytes_max", self.storage.cache_bytes_max),
        ];
        more_than_zero(&bounds)?;
        self.listener.check()?;
        self.check_storage()?;
        self.audit.check_devices()?;
        self.audit.check_witnesses()?;
        self.notices.check()?;
        self.traces.as_ref().map_or(Ok(()), TraceSettings::check)?;
        self.log.check()
    }

    fn check_storage(&self) -> Result<(), (&'static str, String)> {
        let storage = &self.storage;
        let names: Vec<&str> = crate::storage::BACKENDS.iter().map(|(name, _)| *name).collect();
        if !names.contains(&storage.backend.as_str()) {
            return Err(("backend", format!("must be one of {}", names.join(", "))));
        }
        if storage.backend == "memory" && !storage.danger_forget_everything {
            return Err(("backend", "\"memory\" forgets everything; set danger_forget_everything = true".to_owned()));
        }
        if storage.backend != "memory" && storage.path.as_os_str().is_empty() {
            return Err(("storage", "needs a path".to_owned()));
        }
        if self.audit.path.as_os_str().is_empty() {
            return Err(("audit", "needs a path".to_owned()));
        }
        Ok(())
    }
}

impl ListenerSettings {
    /// Makes relative paths those below a folder.
    fn join(&mut self, folder: &Path) {
        let tls = self.tls.iter_mut();
        let files = tls.flat_map(|tls| [&mut tls.certificate, &mut tls.key, &mut tls.self_signed_directory]);
        for path in files.flatten() {
            *path = folder.join(&path);
        }
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        more_than_zero(&[
            ("request_bytes_max", self.request_bytes_max as u64),
            ("connections_max", self.connections_max as u64),
            ("header_seconds_max", self.header_seconds_max),
            ("request_seconds_max", self.request_seconds_max),
            ("idle_seconds_max", self.idle_seconds_max),
            ("shutdown_seconds_max", self.shutdown_seconds_max),
        ])?;
        self.check_tls()
    }

    fn check_tls(&self) -> Result<(), (&'static str, String)> {
        match &self.tls {
            None if !self.danger_plain_http => Err((
                "listener",
                "has no [listener.tls]: name certificate and key, or a self_signed_directory for a trial".to_owned(),
            )),
            None if !self.address.ip().is_loopback() => {
                Err(("danger_plain_http", "is allowed on a loopback address only".to_owned()))
            }
            None => Ok(()),
            Some(_) if self.danger_plain_http => {
                Err(("danger_plain_http", "contradicts [listener.tls]: leave one of them out".to_owned()))
            }
            Some(tls) => match (&tls.certificate, &tls.key, &tls.self_signed_directory) {
                (Some(_), Some(_), None) | (None, None, Some(_)) => Ok(()),
                _ => Err(("tls", "needs certificate and key, or self_signed_directory alone".to_owned())),
            },
        }
    }
}

impl LogSettings {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !matches!(self.level.as_str(), "error" | "warn" | "info" | "debug" | "trace") {
            return Err(("level", "must be error, warn, info, debug or trace".to_owned()));
        }
        if !matches!(self.format.as_str(), "text" | "json") {
            return Err(("format", "must be text or json".to_owned()));
        }
        Ok(())
    }
}

fn more_than_zero(bounds: &[(&'static str, u64)]) -> Result<(), (&'static str, String)> {
    match bounds.iter().find(|(_, bound)| *bound == 0) {
        Some((field, _)) => Err((field, "is 0, which would allow nothing; no setting takes a bound away".to_owned())),
        None => Ok(()),
    }
}

/// Says where and what, without quoting the file: a setting may one day be a secret.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, error.message()),
        None => error.message().to_owned(),
    }
}

/// Finds the line that sets a field or opens a table.
fn line_of(text: &str, field: &str) -> Option<usize> {
    let sets = |line: &str| {
        let line = line.trim_start().trim_start_matches('[');
        let name = line.split(['=', ']']).next().unwrap_or_default().trim();
        name == field || name.ends_with(&format!(".{field}"))
    };
    text.lines().position(sets).map(|position| position + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &str = "[listener]\naddress = \"127.0.0.1:0\"\n[listener.tls]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n\
                         [storage]\nbackend = \"sqlite\"\npath = \"k.db\"\n[audit]\npath = \"a.jsonl\"\n";

    fn refused(text: &str) -> String {
        Settings::parse(text, Path::new("/x")).err().unwrap_or_else(|| panic!("{text} was accepted"))
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let settings = Settings::parse(WHOLE, Path::new("/etc/keyturn")).unwrap();
        let tls = settings.listener.tls.unwrap();
        assert_eq!(tls.certificate.unwrap(), Path::new("/etc/keyturn/c.pem"));
        assert_eq!(tls.key.unwrap(), Path::new("/k.pem"));
        assert_eq!(settings.storage.path, Path::new("/etc/keyturn/k.db"));
        assert!(Settings::trial(Path::new("/x")).is_ok());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let cases = [
            ("[listener]\nadress = \"127.0.0.1:0\"".to_owned(), "line 2", "unknown field"),
            ("[listener]\naddress = \"nowhere\"".to_owned(), "line 2", "socket address"),
            (WHOLE.replace("[storage]", "[storage]\ncache_bytes_max = 0"), "line 7", "no setting takes a bound away"),
            (WHOLE.replace("\"sqlite\"", "\"etcd\""), "line 7", "memory, sqlite"),
            (WHOLE.replace("\"sqlite\"", "\"memory\""), "line 7", "forgets everything"),
            (WHOLE.replace("key = \"/k.pem\"\n", ""), "line 3", "certificate and key"),
            (WHOLE.to_owned() + "[log]\nlevel = \"loud\"", "line 12", "error, warn"),
            (WHOLE.replace("[audit]\npath = \"a.jsonl\"\n", ""), "line 1", "audit"),
            ("= 1".to_owned(), "line 1", ""),
        ];
        for (text, line, part) in cases {
            let reason = refused(&text);
            assert!(reason.starts_with(line) && reason.contains(part), "{text}\n→ {reason}");
        }
    }

    #[test]
    fn plain_http_needs_loopback_and_its_name() {
        let plain = |address: &str, setting: &str| {
            format!(
                "[listener]\naddress = \"{address}\"\n{setting}\n[storage]\nbackend = \"sqlite\"\npath = \"k\"\n[audit]\npath = \"a\"\n"
            )
        };
        assert!(Settings::parse(&plain("127.0.0.1:0", "danger_plain_http = true"), Path::new("")).is_ok());
        assert!(refused(&plain("127.0.0.1:0", "")).contains("listener.tls"));
        assert!(refused(&plain("0.0.0.0:0", "danger_plain_http = true")).contains("loopback"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\[|\\]|listener|storage|=|\"|\n|\\.|[a-z]|\\PC){0,60}") {
            let _ = Settings::parse(&text, Path::new(""));
        }
    }
}
