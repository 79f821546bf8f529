//! Where the server is, whom to trust, and as whom to speak.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use vault_api::{Address, Client, SecretText};

use crate::failure::Failure;
use crate::log_watch;

/// The address that is used when none is given.
const ADDRESS_DEFAULT: &str = "https://127.0.0.1:8200";

/// The file in the home folder that keeps the token between commands.
const TOKEN_FILE: &str = ".keyturn-token";

/// Settings that every command takes.
#[derive(Args)]
pub(crate) struct Global {
    /// Address of the server [env: KEYTURN_ADDR, VAULT_ADDR; default: https://127.0.0.1:8200]
    #[arg(long, global = true, value_name = "URL")]
    address: Option<String>,
    /// Certificate authority to trust, a PEM file [env: KEYTURN_CACERT, VAULT_CACERT]
    #[arg(long, global = true, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Have the answer kept for so long, such as 60s, for whoever shows the wrapping token that is printed instead
    #[arg(long, global = true, value_name = "TTL")]
    wrap_ttl: Option<String>,
    /// Why you ask, for those who may have to agree
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Certificate to show to the server, a PEM file [env: KEYTURN_CLIENT_CERT, VAULT_CLIENT_CERT]
    #[arg(long, global = true, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// Private key of that certificate, a PEM file [env: KEYTURN_CLIENT_KEY, VAULT_CLIENT_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// Go on although the vault is another, or older, than the one that you saw last
    #[arg(long, global = true)]
    pub(crate) accept_changed_vault: bool,
    /// How to write answers
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// How answers are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For machines: the server's answer as it came.
    Json,
}

/// Reads the first of two variables that is set and not empty.
fn variable(name: &str) -> Option<String> {
    ["KEYTURN", "VAULT"]
        .iter()
        .find_map(|prefix| std::env::var(format!("{prefix}_{name}")).ok().filter(|value| !value.is_empty()))
}

/// Finds the file that keeps the token.
pub(crate) fn token_file() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(TOKEN_FILE))
}

impl Global {
    /// Gives the address that commands speak to.
    pub(crate) fn address(&self) -> String {
        self.address.clone().or_else(|| variable("ADDR")).unwrap_or_else(|| ADDRESS_DEFAULT.to_owned())
    }

    /// Makes a client without a token, for what needs none.
    pub(crate) async fn stranger(&self) -> Result<Client, Failure> {
        self.client(None).await
    }

    /// Makes a client with the token of the environment, or of the last login.
    pub(crate) async fn caller(&self) -> Result<Client, Failure> {
        let stored = || token_file().and_then(|file| std::fs::read_to_string(file).ok());
        let token = variable("TOKEN").or_else(stored).map(|text| text.trim().to_owned());
        self.client(token.filter(|text| !text.is_empty()).map(SecretText::new)).await
    }

    /// Makes a client with a token of the caller's choice, once the log of the vault is seen to go on as it was.
    pub(crate) async fn client(&self, token: Option<SecretText>) -> Result<Client, Failure> {
        let client = self.unwatched()?;
        log_watch::demand(&client, self.accept_changed_vault).await?;
        Ok(match token {
            Some(token) => client.with_token(token),
            None => client,
        })
    }

    /// Finds the certificate to show and its key; one without the other is a mistake.
    fn client_files(&self) -> Result<Option<(PathBuf, PathBuf)>, Failure> {
        let certificate = self.client_cert.clone().or_else(|| variable("CLIENT_CERT").map(PathBuf::from));
        let key = self.client_key.clone().or_else(|| variable("CLIENT_KEY").map(PathBuf::from));
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            _ => {
                Err(Failure::usage("a client certificate and its key go together: give --client-cert and --client-key"))
            }
        }
    }

    /// Makes a client without a token for a server whose log nobody has looked at.
    pub(crate) fn unwatched(&self) -> Result<Client, Failure> {
        let mut builder = Client::builder(Address::parse(&self.address())?);
        if let Some(file) = self.ca_cert.clone().or_else(|| variable("CACERT").map(PathBuf::from)) {
            builder = builder.ca_certificate(file);
        }
        if let Some((certificate, key)) = self.client_files()? {
            builder = builder.client_certificate(certificate, key);
        }
        if variable("SKIP_VERIFY").is_some_and(|value| matches!(value.as_str(), "1" | "true")) {
            eprintln!("warning: SKIP_VERIFY is set: whoever sits in between reads and changes everything");
            builder = builder.danger_accept_invalid_certificates();
        }
        if let Some(reason) = &self.reason {
            builder = builder.reason(reason);
        }
        if let Some(ttl) = &self.wrap_ttl {
            builder = builder.wrap_ttl(ttl);
        }
        Ok(builder.build()?)
    }
}
