//! The part of `[audit]` about witnesses, and the settings of a witness itself.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use vault_log::checkpoint::CheckpointKey;
use vault_log::witness::{WitnessKey, WitnessSigner};

use super::{AuditSettings, ListenerSettings, LogSettings, describe};
use crate::outside::http::checked;

/// Most witnesses of one vault, and most logs of one witness.
const WITNESSES_MAX: usize = 16;
const LOGS_MAX: usize = 1_000;

/// A witness that signs for the log.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessSettings {
    /// Where it answers.
    pub url: String,
    /// Its public key, as `keyturn witness key` prints it.
    pub key: String,
    /// Authorities in PEM that alone are trusted; those of the system if left out.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// What becomes of a release for which too few witnesses have signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WitnessOutage {
    /// It is refused; what people agreed to stands, and can be tried again.
    #[default]
    Hold,
    /// It goes on, and the server's log and a metric say so.
    GoOn,
}

impl AuditSettings {
    pub(super) fn join_witnesses(&mut self, folder: &Path) {
        for path in self.witness.iter_mut().filter_map(|witness| witness.ca.as_mut()) {
            *path = folder.join(&path);
        }
    }

    pub(super) fn check_witnesses(&self) -> Result<(), (&'static str, String)> {
        if self.witness.len() > WITNESSES_MAX {
            return Err(("audit.witness", format!("stands more than {WITNESSES_MAX} times")));
        }
        if self.witnesses > self.witness.len() {
            return Err((
                "witnesses",
                format!("asks for {} of {} [[audit.witness]]", self.witnesses, self.witness.len()),
            ));
        }
        for (number, witness) in self.witness.iter().enumerate() {
            checked(&witness.url).map_err(|reason| ("url", format!("is no good: {reason}")))?;
            let key = WitnessKey::parse(&witness.key).map_err(|error| ("key", format!("is no good: {error}")))?;
            let before = self.witness.iter().take(number).any(|other| other.key == witness.key);
            if before {
                return Err(("key", format!("is there twice: {} counts once", key.name())));
            }
        }
        Ok(())
    }
}

/// The settings of a witness: a process of its own, best on another machine and in other hands than the vault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessServerSettings {
    /// What it is called, such as `witness.example.org`.
    pub name: String,
    /// The folder of its key and of what it has signed for.
    pub directory: PathBuf,
    /// The public keys of the logs that it signs for, as `keyturn audit key` prints them.
    pub logs: Vec<String>,
    /// Where it listens.
    #[serde(default)]
    pub listener: ListenerSettings,
    /// What its own log says.
    #[serde(default)]
    pub log: LogSettings,
}

impl WitnessServerSettings {
    /// Parses and checks a text; paths in it are relative to a folder.
    ///
    /// # Errors
    /// Answers the line and what is wrong there.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let mut settings: Self = toml::from_str(text).map_err(|error| describe(text, &error))?;
        settings.listener.check().map_err(|(field, reason)| format!("{field} {reason}"))?;
        settings.log.check().map_err(|(field, reason)| format!("{field} {reason}"))?;
        if WitnessSigner::new(&settings.name, &[0; 32]).is_none() {
            return Err("name must be plain text without spaces and plus signs".to_owned());
        }
        if settings.logs.is_empty() || settings.logs.len() > LOGS_MAX {
            return Err(format!("logs names {} logs: 1 to {LOGS_MAX}", settings.logs.len()));
        }
        for log in &settings.logs {
            CheckpointKey::parse(log).map_err(|error| format!("logs: {log:?}: {error}"))?;
        }
        settings.directory = folder.join(&settings.directory);
        settings.listener.join(folder);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const KEY: &str = "w+7f6e6a8c+BAAA";

    fn key(seed: u8) -> String {
        let signer = WitnessSigner::new("w", &[seed; 32]).unwrap();
        signer.public().to_string()
    }

    fn parse(audit: &str) -> Result<AuditSettings, String> {
        let whole = "[listener]\ndanger_plain_http = true\n[storage]\nbackend = \"sqlite\"\npath = \"k\"\n[audit]\npath = \"a\"\n";
        Settings::parse(&format!("{whole}{audit}"), Path::new("/etc/keyturn")).map(|settings| settings.audit)
    }

    #[test]
    fn as_many_witnesses_can_be_asked_for_as_there_are() {
        let one = format!("[[audit.witness]]\nurl = \"https://w.example.org\"\nkey = \"{}\"\nca = \"w.pem\"\n", key(1));
        let audit = parse(&format!("witnesses = 1\nwitness_outage = \"go_on\"\n{one}")).unwrap();
        assert_eq!((audit.witnesses, audit.witness_outage), (1, WitnessOutage::GoOn));
        assert_eq!(audit.witness[0].ca.as_deref(), Some(Path::new("/etc/keyturn/w.pem")));
        assert_eq!(parse("").unwrap().witness_outage, WitnessOutage::Hold);
        for (bad, part) in [
            ("witnesses = 1".to_owned(), "asks for 1 of 0"),
            (format!("witnesses = 2\n{one}"), "asks for 2 of 1"),
            (format!("witnesses = 2\n{one}{one}"), "there twice"),
            (one.replace(&key(1), KEY), "key is no good"),
            (one.replace("https://", "http://"), "url is no good"),
            ("witness_outage = \"ignore\"".to_owned(), "unknown variant"),
        ] {
            let reason = parse(&bad).err().unwrap_or_else(|| panic!("{bad} was accepted"));
            assert!(reason.contains(part), "{bad}\n→ {reason}");
        }
    }

    #[test]
    fn a_witness_knows_its_name_and_its_logs() {
        let log =
            vault_log::checkpoint::CheckpointSigner::new([1; 16], ed25519_dalek::SigningKey::from_bytes(&[1; 32]));
        let log = log.public().to_string();
        let text = |name: &str, logs: &str| {
            format!("name = \"{name}\"\ndirectory = \"w\"\nlogs = [{logs}]\n[listener]\ndanger_plain_http = true\n")
        };
        let parse = |text: &str| WitnessServerSettings::parse(text, Path::new("/x"));
        assert_eq!(parse(&text("w", &format!("\"{log}\""))).unwrap().directory, Path::new("/x/w"));
        for bad in
            [text("w w", &format!("\"{log}\"")), text("w", ""), text("w", "\"x\""), text("", &format!("\"{log}\""))]
        {
            assert!(parse(&bad).is_err(), "{bad}");
        }
        assert!(parse(&text("w", &format!("\"{log}\"")).replace("danger_plain_http = true\n", "")).is_err(), "no TLS");
    }
}
