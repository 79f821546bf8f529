//! `keyturn status`.

use std::process::ExitCode;

use super::unseal::describe;
use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::memory::Encounter;
use crate::output;

pub(crate) async fn run(global: &Global) -> Result<ExitCode, Failure> {
    let client = global.stranger()?;
    let status = client.seal_status().await?;
    if status.initialized {
        let encounter = Encounter::with(&client, None).await?;
        for doubt in encounter.doubts() {
            eprintln!("warning: {doubt}");
        }
        encounter.remember(false)?;
    }
    if global.format == Format::Json {
        output::line(&serde_json::to_string(&status).map_err(anyhow::Error::from)?)?;
    } else {
        output::line(&describe(&status))?;
        output::line(&format!("address  {}", global.address()))?;
        output::line(&format!("shares   {} of {} unseal", status.threshold, status.shares))?;
        output::line(&format!("vault    {}", status.cluster_id.as_deref().unwrap_or("-")))?;
        output::line(&format!("version  {}", status.version))?;
    }
    Ok(if status.sealed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
