//! Waiting until enough people agree, and then making the request.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::ProgressBar;
use vault_api::requests::Said;
use vault_api::{Client, Reply};

use crate::decision::standing;
use crate::failure::Failure;
use crate::untrusted::one_line;

/// How often the vault is asked.
const PAUSE: Duration = Duration::from_secs(2);

/// Makes a request that was agreed to; waits until it was, if asked to.
///
/// # Errors
/// Fails when the request has ended, and when somebody stops waiting; the request stands then.
pub(crate) async fn redeem(client: &Client, id: &str, waits: bool) -> Result<Reply, Failure> {
    if waits {
        tokio::select! {
            approved = approval(client, id) => approved?,
            _ = tokio::signal::ctrl_c() => {
                return Err(Failure::refused(format!("the request stands. Once enough people agree: keyturn redeem {id}")));
            }
        }
    }
    Ok(client.say_of_request(id, "redeem", &Said::default()).await?)
}

async fn approval(client: &Client, id: &str) -> Result<(), Failure> {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.enable_steady_tick(Duration::from_millis(200));
    loop {
        let held = client.held_request(id).await?;
        if held.standing.is_approved || held.summary.state == "released" {
            bar.finish_and_clear();
            return Ok(());
        }
        if held.summary.state != "open" {
            bar.finish_and_clear();
            let how = held.how_it_ended.unwrap_or_else(|| format!("the request is {}", held.summary.state));
            return Err(Failure::refused(one_line(&how)));
        }
        bar.set_message(format!("waiting: {}", standing(&held.standing).join("; ")));
        tokio::time::sleep(PAUSE).await;
    }
}
