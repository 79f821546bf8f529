//! The part of `[audit]` about devices: where an administrator of the vault may have the log copied to. Secrets are in
//! files that the settings name.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::AuditSettings;
use crate::outside::http::checked;

/// Most addresses that devices may post to.
const WEBHOOKS_MAX: usize = 16;

/// An address that devices may post to.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceWebhookSettings {
    /// The address.
    pub url: String,
    /// A file with the value of the header `Authorization`.
    #[serde(default)]
    pub authorization_file: Option<PathBuf>,
    /// Authorities in PEM that alone are trusted; those of the system if left out.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

impl AuditSettings {
    /// Makes relative paths those below a folder.
    pub(super) fn join_devices(&mut self, folder: &Path) {
        let webhooks = self.devices_webhook.iter_mut();
        let files = webhooks.flat_map(|webhook| [&mut webhook.authorization_file, &mut webhook.ca]);
        let own =
            [&mut self.devices_directory, &mut self.devices_ca, &mut self.devices_certificate, &mut self.devices_key];
        for path in files.chain(own).flatten() {
            *path = folder.join(&path);
        }
    }

    pub(super) fn check_devices(&self) -> Result<(), (&'static str, String)> {
        if self.devices_certificate.is_some() != self.devices_key.is_some() {
            return Err(("audit", "needs both devices_certificate and devices_key, or neither".to_owned()));
        }
        if self.devices_webhook.len() > WEBHOOKS_MAX {
            return Err(("audit.devices_webhook", format!("stands more than {WEBHOOKS_MAX} times")));
        }
        for webhook in &self.devices_webhook {
            checked(&webhook.url).map_err(|reason| ("url", format!("is no good: {reason}")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const WHOLE: &str =
        "[listener]\ndanger_plain_http = true\n[storage]\nbackend = \"sqlite\"\npath = \"k\"\n[audit]\npath = \"a\"\n";

    fn parse(text: &str) -> Result<AuditSettings, String> {
        Settings::parse(&format!("{WHOLE}{text}"), Path::new("/etc/keyturn")).map(|settings| settings.audit)
    }

    #[test]
    fn files_of_devices_are_beside_the_settings() {
        let text = "devices_directory = \"copies\"\ndevices_ca = \"ca.pem\"\ndevices_certificate = \"c.pem\"\ndevices_key = \"/k\"\n\
                    [[audit.devices_webhook]]\nurl = \"https://logs.example.org/\"\nauthorization_file = \"token\"\n";
        let audit = parse(text).unwrap();
        assert_eq!(audit.devices_directory.as_deref(), Some(Path::new("/etc/keyturn/copies")));
        assert_eq!(audit.devices_ca.as_deref(), Some(Path::new("/etc/keyturn/ca.pem")));
        assert_eq!(audit.devices_key.as_deref(), Some(Path::new("/k")));
        let [webhook] = audit.devices_webhook.as_slice() else { panic!("{audit:?}") };
        assert_eq!(webhook.authorization_file.as_deref(), Some(Path::new("/etc/keyturn/token")));
        assert!(parse("").unwrap().devices_webhook.is_empty());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let cases = [
            ("devices_key = \"k\"", "line 6", "both"),
            ("[[audit.devices_webhook]]\nurl = \"http://logs.example.org\"", "line 9", "https://"),
            ("[[audit.devices_webhook]]\nurl = \"https://u:p@logs.example.org\"", "line 9", "a name or a password"),
            ("[[audit.devices_webhook]]\nurl = \"https://a.b\"\ntoken = \"x\"", "line 10", "unknown field"),
        ];
        for (text, line, part) in cases {
            let reason = parse(text).err().unwrap_or_else(|| panic!("{text} was accepted"));
            assert!(reason.starts_with(line) && reason.contains(part), "{text}\n→ {reason}");
        }
    }
}
