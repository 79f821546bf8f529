//! The servers that are measured, each with a directory of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::client::Endpoint;
use crate::process::Server;
use crate::vault::{self, Keys};

const SETTINGS: &str = r#"[listener]
address = "127.0.0.1:0"
[listener.tls]
self_signed_directory = "tls"
[storage]
backend = "sqlite"
path = "keyturn.db"
[audit]
path = "audit.jsonl"
"#;

/// A running server and how to reach it.
pub(crate) struct Target {
    server: Server,
    endpoint: Endpoint,
    /// With the root token, if it is a vault.
    root: Option<Endpoint>,
    /// Removed after the server has ended.
    _directory: TempDir,
}

impl Target {
    /// Starts the bare handler.
    pub(crate) fn bare() -> Result<Self> {
        let directory = directory()?;
        let certificate = directory.path().join("certificate.pem");
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bare", "--port", "0", "--certificate"]).arg(&certificate);
        let server = Server::start(&mut command)?;
        let endpoint = Endpoint::new(server.address(), &certificate)?;
        Ok(Self { server, endpoint, root: None, _directory: directory })
    }

    /// Starts a vault: initialised, unsealed, with a mount and a token for an application that uses it.
    pub(crate) async fn vault(program: &Path) -> Result<Self> {
        let home = Home::new(program)?;
        let (server, stranger) = home.start()?;
        let keys = vault::initialise(&stranger).await?;
        vault::unseal(&stranger, &keys).await?;
        let token = vault::prepare(&stranger, &keys).await?;
        let root = Some(keys.root(&stranger)?);
        Ok(Self { server, endpoint: stranger.with_token(&token)?, root, _directory: home.directory })
    }

    /// Gives the process.
    pub(crate) const fn server(&self) -> &Server {
        &self.server
    }

    /// Gives how to reach it with the root token.
    pub(crate) fn root(&self) -> Result<&Endpoint> {
        self.root.as_ref().context("the bare handler has no root token")
    }

    /// Gives how to reach it.
    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// The directory and the settings of a vault, apart from any process.
pub(crate) struct Home {
    program: PathBuf,
    directory: TempDir,
}

impl Home {
    /// Makes a directory with settings.
    pub(crate) fn new(program: &Path) -> Result<Self> {
        let directory = directory()?;
        std::fs::write(directory.path().join("keyturn.toml"), SETTINGS)?;
        Ok(Self { program: program.to_owned(), directory })
    }

    /// Starts a server.
    pub(crate) fn start(&self) -> Result<(Server, Endpoint)> {
        let path = self.directory.path();
        let log = std::fs::File::options().create(true).append(true).open(path.join("server.log"))?;
        let mut command = Command::new(&self.program);
        command.args(["server", "--config", "keyturn.toml"]).current_dir(path).stderr(log);
        let server = Server::start(&mut command)?;
        let endpoint = Endpoint::new(server.address(), &path.join("tls").join("ca.pem"))?;
        Ok((server, endpoint))
    }

    /// Initialises the vault and leaves it sealed.
    pub(crate) async fn initialise(&self) -> Result<Keys> {
        let (_server, stranger) = self.start()?;
        vault::initialise(&stranger).await
    }
}

fn directory() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("keyturn-bench-").tempdir()?)
}
