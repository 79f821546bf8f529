//! `keyturn server`.

use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::EnvFilter;
use vault_server::config::{LogSettings, Settings};

use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The settings file; see docs/config.md
    #[arg(long, value_name = "FILE", required_unless_present = "dev", conflicts_with = "dev")]
    config: Option<PathBuf>,
    /// For a trial: a generated certificate and everything in one folder
    #[arg(long)]
    dev: bool,
    /// The folder of a trial
    #[arg(long, value_name = "DIR", default_value = "keyturn-dev", requires = "dev")]
    dev_directory: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let settings = match &arguments.config {
        Some(file) => Settings::read(file).map_err(|error| Failure::usage(error.to_string()))?,
        None => {
            std::fs::create_dir_all(&arguments.dev_directory)?;
            let folder = std::path::absolute(&arguments.dev_directory)?;
            output::line(&format!("keyturn: a trial in {}; never keep real secrets in it", folder.display()))?;
            output::line(&format!("keyturn: export KEYTURN_CACERT={}", folder.join("tls/ca.pem").display()))?;
            Settings::trial(&folder).map_err(Failure::usage)?
        }
    };
    start_log(&settings.log);
    let announce = |address: &str| {
        // Whoever started the server reads this line; if nobody does, it serves all the same.
        let _ = output::line(&format!("keyturn: listening on {address}"));
    };
    Ok(vault_server::run(settings, announce).await?)
}

/// Writes the server's own log to standard error.
pub(super) fn start_log(settings: &LogSettings) {
    let filter = EnvFilter::new(&settings.level);
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    if settings.format == "json" {
        log.json().init();
    } else {
        log.with_ansi(std::env::var_os("NO_COLOR").is_none()).init();
    }
}
