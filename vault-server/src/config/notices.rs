//! `[notices]`: who is told of requests that wait for people. Secrets are in files that the settings name.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use serde::Deserialize;

use crate::outside::http::checked;

/// Most webhooks.
const WEBHOOKS_MAX: usize = 16;

/// Most recipients of e-mail.
const RECIPIENTS_MAX: usize = 32;

/// Most arguments of the command.
const ARGUMENTS_MAX: usize = 64;

/// Who is told of requests that wait for people; nobody if all is left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoticeSettings {
    /// Told by HTTP.
    pub webhook: Vec<WebhookSettings>,
    /// Told by e-mail.
    pub mail: Option<MailSettings>,
    /// Told by a program.
    pub command: Option<CommandSettings>,
}

/// An address that is sent a POST.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// The address.
    #[serde(default)]
    pub url: Option<String>,
    /// A file with the address, where that is a secret.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// What the body looks like.
    pub format: WebhookFormat,
    /// A file with the value of the header `Authorization`.
    #[serde(default)]
    pub authorization_file: Option<PathBuf>,
    /// Authorities in PEM that alone are trusted; those of the system if left out.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// Where a webhook's address is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WebhookAddress {
    /// In the settings.
    Url(String),
    /// In a file.
    File(PathBuf),
}

/// What the body of a webhook looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// As Slack's incoming webhooks take it.
    Slack,
    /// As Alertmanager takes it, API version 2.
    Alertmanager,
    /// JSON with a field for everything.
    Plain,
}

/// Who gets e-mail, and by which server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// The server's name or address.
    pub server: String,
    /// The server's port; 465 with `tls`, 587 with `starttls`, 25 with `none` if left out.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the way there is protected.
    #[serde(default)]
    pub tls: MailTls,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The name to log in by.
    #[serde(default)]
    pub username: Option<String>,
    /// A file with the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Authorities in PEM that alone are trusted; those of the system if left out.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// How the way to a server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first byte on (RFC 8314).
    #[default]
    Tls,
    /// TLS once the server was asked for it; nothing is sent without.
    Starttls,
    /// Nothing; on this machine only.
    None,
}

/// A program that is started for each notice.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSettings {
    /// Its absolute path.
    pub program: PathBuf,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
}

type Mistake = (&'static str, String);

impl NoticeSettings {
    /// Makes relative paths those below a folder.
    pub(super) fn join(&mut self, folder: &Path) {
        for webhook in &mut self.webhook {
            for path in [&mut webhook.url_file, &mut webhook.authorization_file, &mut webhook.ca].into_iter().flatten()
            {
                *path = folder.join(&path);
            }
        }
        if let Some(mail) = &mut self.mail {
            for path in [&mut mail.password_file, &mut mail.ca].into_iter().flatten() {
                *path = folder.join(&path);
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Mistake> {
        if self.webhook.len() > WEBHOOKS_MAX {
            return Err(("webhook", format!("stands more than {WEBHOOKS_MAX} times")));
        }
        self.webhook.iter().try_for_each(WebhookSettings::check)?;
        self.mail.iter().try_for_each(MailSettings::check)?;
        self.command.iter().try_for_each(CommandSettings::check)
    }
}

impl WebhookSettings {
    /// Gives where the address is.
    pub(crate) fn address(&self) -> WebhookAddress {
        match (&self.url, &self.url_file) {
            (_, Some(file)) => WebhookAddress::File(file.clone()),
            (url, None) => WebhookAddress::Url(url.clone().unwrap_or_default()),
        }
    }

    fn check(&self) -> Result<(), Mistake> {
        match (&self.url, &self.url_file) {
            (Some(url), None) => checked(url).map(drop).map_err(|reason| ("url", format!("is no good: {reason}"))),
            (None, Some(_)) => Ok(()),
            _ => Err(("webhook", "needs one of url and url_file".to_owned())),
        }
    }
}

impl MailSettings {
    /// Gives the server's port.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Tls => 465,
            MailTls::Starttls => 587,
            MailTls::None => 25,
        })
    }

    fn check(&self) -> Result<(), Mistake> {
        let is_loopback =
            self.server == "localhost" || self.server.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if self.server.is_empty() || self.server.contains(|character: char| character.is_whitespace()) {
            return Err(("server", "must be the name or address of a server".to_owned()));
        }
        if self.port == Some(0) {
            return Err(("port", "must not be 0".to_owned()));
        }
        if self.tls == MailTls::None && !is_loopback {
            return Err(("tls", "may be \"none\" for a server on a loopback address only".to_owned()));
        }
        if self.to.is_empty() || self.to.len() > RECIPIENTS_MAX {
            return Err(("to", format!("must name 1 to {RECIPIENTS_MAX} recipients")));
        }
        for (field, address) in std::iter::once(("from", &self.from)).chain(self.to.iter().map(|to| ("to", to))) {
            let parsed = address.parse::<Mailbox>();
            parsed.map_err(|error| (field, format!("holds no e-mail address: {error}")))?;
        }
        match (&self.username, &self.password_file) {
            (Some(_), Some(_)) | (None, None) => Ok(()),
            _ => Err(("mail", "needs both username and password_file, or neither".to_owned())),
        }
    }
}

impl CommandSettings {
    fn check(&self) -> Result<(), Mistake> {
        if !self.program.is_absolute() {
            return Err(("program", "must be an absolute path: no search path is set for it".to_owned()));
        }
        if self.arguments.len() > ARGUMENTS_MAX {
            return Err(("arguments", format!("must be at most {ARGUMENTS_MAX}")));
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

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(&format!("{WHOLE}{text}"), Path::new("/etc/keyturn"))
    }

    #[test]
    fn every_channel_is_read_and_its_files_are_beside_the_settings() {
        let text = "[[notices.webhook]]\nurl_file = \"slack.url\"\nformat = \"slack\"\n\
                    [[notices.webhook]]\nurl = \"https://example.org/x\"\nformat = \"plain\"\nauthorization_file = \"/a\"\nca = \"ca.pem\"\n\
                    [notices.mail]\nserver = \"mail.example.org\"\nfrom = \"Vault <vault@example.org>\"\nto = [\"a@example.org\"]\n\
                    username = \"vault\"\npassword_file = \"mail.password\"\n\
                    [notices.command]\nprogram = \"/bin/true\"\narguments = [\"-x\"]\n";
        let notices = parse(text).unwrap().notices;
        let [slack, plain] = notices.webhook.as_slice() else { panic!("{notices:?}") };
        assert_eq!(slack.address(), WebhookAddress::File("/etc/keyturn/slack.url".into()));
        assert_eq!((plain.format, plain.ca.as_deref()), (WebhookFormat::Plain, Some(Path::new("/etc/keyturn/ca.pem"))));
        let mail = notices.mail.unwrap();
        assert_eq!((mail.tls, mail.port()), (MailTls::Tls, 465));
        assert_eq!(mail.password_file.unwrap(), Path::new("/etc/keyturn/mail.password"));
        assert!(parse("").unwrap().notices.mail.is_none());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let webhook = |rest: &str| format!("[[notices.webhook]]\nformat = \"plain\"\n{rest}");
        let mail = |rest: &str| format!("[notices.mail]\nserver = \"127.0.0.1\"\nfrom = \"v@example.org\"\n{rest}");
        let to = "to = [\"a@example.org\"]\n";
        let cases = [
            (webhook(""), "line 8", "one of url and url_file"),
            (webhook("url = \"http://example.org\""), "line 10", "https://"),
            (webhook("url = \"https://u:p@example.org\""), "line 10", "a name or a password"),
            (webhook("url = \"https://a.b\"\nurl_file = \"x\""), "line 8", "one of"),
            (webhook("url = \"https://a.b\"\npassword = \"x\""), "line 11", "unknown field"),
            ("[[notices.webhook]]\nurl = \"https://a.b\"\nformat = \"teams\"".to_owned(), "line 10", "alertmanager"),
            (mail(""), "line 8", "to"),
            (mail("to = []"), "line 11", "1 to 32"),
            (mail("to = [\"nobody\"]"), "line 11", "no e-mail address"),
            (mail("to = [\"a@example.org\\r\\nBcc: b@example.org\"]"), "line 11", "no e-mail address"),
            (mail(&format!("{to}port = 0")), "line 12", "not be 0"),
            (mail(&format!("{to}tls = \"maybe\"")), "line 12", "starttls"),
            (mail(&format!("{to}username = \"v\"")), "line 8", "both"),
            (mail(&format!("{to}tls = \"none\"")).replace("127.0.0.1", "mail.example.org"), "line 12", "loopback"),
            ("[notices.command]\nprogram = \"notify\"".to_owned(), "line 9", "absolute"),
            ("[notices]\nsms = true".to_owned(), "line 9", "unknown field"),
        ];
        for (text, line, part) in cases {
            let reason = parse(&text).err().unwrap_or_else(|| panic!("{text} was accepted"));
            assert!(reason.starts_with(line) && reason.contains(part), "{text}\n→ {reason}");
        }
    }
}
