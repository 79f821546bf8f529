//! Channels that tell people outside of the vault what waits for them, what was decided and what came of it, which limits are gone
//! beyond, and who read a canary.
//!
//! How to add one: a file with a type that implements [`Channel`], its settings in `config/notices.rs`, and a line in
//! [`Channels::of`]. A channel carries words out and nothing in: what comes back is looked at for one thing, whether the words
//! have arrived. `driver/notices.rs` decides when and how often.

mod command;
mod mail;
mod webhook;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use vault_core::notice::{About, AboutCanary, AboutLimit, AboutRequest, Notice, Turn};
use vault_core::secret::SecretText;

use crate::config::NoticeSettings;

/// Largest file with a password, an authorization or certificates.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What every notice says at its end.
const NOTHING_IS_DECIDED_HERE: &str =
    "This message decides nothing. To decide, log in to the vault and look at the request there.";

/// What kind of channel it is: a label of metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Webhook,
    Mail,
    Command,
}

/// Why a notice did not arrive, for the log. It quotes neither addresses, which may be secrets, nor answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// Nobody is there, or they are busy: other notices would not arrive either.
    Unreachable(String),
    /// This notice is not taken; others may be.
    Refused(String),
}

impl Failure {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Unreachable(reason) | Self::Refused(reason) => reason,
        }
    }
}

/// The end of a try.
pub(crate) type Delivering<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// A way to people.
pub(crate) trait Channel: Send + Sync {
    /// Tells what kind it is.
    fn kind(&self) -> Kind;

    /// Names it in the outbox and in the log: the same after a restart.
    fn key(&self) -> &str;

    /// Gives a notice away. It may be given twice, and says so by its id. Whoever calls sets a limit of time, and drops
    /// the future when that is over.
    fn deliver<'a>(&'a self, notice: &'a Notice) -> Delivering<'a>;
}

/// All channels of the settings.
#[derive(Clone, Default)]
pub struct Channels {
    all: Arc<Vec<Box<dyn Channel>>>,
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(Channel::key)).finish()
    }
}

impl Channels {
    /// Prepares the channels of the settings. Nothing is opened or read yet: a channel that is out of order must not keep
    /// the vault from starting.
    pub fn of(settings: &NoticeSettings) -> Self {
        let mut all: Vec<Box<dyn Channel>> = Vec::new();
        for webhook in &settings.webhook {
            all.push(Box::new(webhook::Webhook::new(webhook)));
        }
        if let Some(mail) = &settings.mail {
            all.extend(mail.to.iter().map(|to| -> Box<dyn Channel> { Box::new(mail::Mail::new(mail, to)) }));
        }
        if let Some(command) = &settings.command {
            all.push(Box::new(command::Program::new(command)));
        }
        Self { all: Arc::new(all) }
    }

    /// Tells whether nobody is to be told.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &dyn Channel> {
        self.all.iter().map(AsRef::as_ref)
    }

    pub(crate) fn get(&self, position: usize) -> Option<&dyn Channel> {
        self.all.get(position).map(AsRef::as_ref)
    }
}

/// Writes a notice as JSON: what programs read.
fn as_json(notice: &Notice) -> Value {
    let (event, about) = match &notice.about {
        About::Request(request) => (request.event.word(), of_request(request)),
        About::Limit(limit) => match limit.turn {
            Turn::Breached => ("limit_breached", of_limit(limit)),
            Turn::Resolved => ("limit_resolved", of_limit(limit)),
        },
        About::Canary(canary) => ("canary", of_canary(canary)),
    };
    let mut json = json!({
        "id": notice.id,
        "event": event,
        "time": notice.at.to_string(),
        "headline": notice.headline(),
        "vault": data_encoding::HEXLOWER.encode(&notice.vault.0),
    });
    if let (Value::Object(json), Value::Object(about)) = (&mut json, about) {
        json.extend(about);
    }
    json
}

fn of_request(request: &AboutRequest) -> Value {
    json!({
        "request": request.request,
        "operation": request.operation.as_str(),
        "path": request.path.as_str(),
        "requester": request.requester.as_str(),
        "reason": request.reason.as_str(),
        "waits_for": request.waits_for.as_str(),
        "by": request.by.as_ref().map(|by| by.as_str()),
        "remark": request.remark.as_ref().map(|remark| remark.as_str()),
        "asked_at": request.asked_at.to_string(),
        "expires_at": request.expires_at.to_string(),
    })
}

fn of_limit(limit: &AboutLimit) -> Value {
    json!({
        "limit": limit.limit.as_str(),
        "breach": limit.breach,
        "metric": limit.metric.word(),
        "level": limit.level.word(),
        "subject": limit.subject.as_str(),
        "path": limit.path.as_str(),
        // A token without end lives for no number of seconds.
        "value": (limit.value != u64::MAX).then_some(limit.value),
        "bound": limit.bound,
        "since": limit.since.to_string(),
        "ends_at": limit.ends_at.map(|at| at.to_string()),
    })
}

fn of_canary(canary: &AboutCanary) -> Value {
    json!({
        "path": canary.path.as_str(),
        "reader": canary.reader.as_str(),
        "address": canary.address.as_str(),
        "request_id": canary.request_id,
    })
}

/// Writes a notice as text: what people read.
fn as_text(notice: &Notice) -> String {
    let mut text = format!("{}\n\n", notice.headline());
    for (label, line) in notice.lines().iter().filter(|(_, line)| !line.is_empty()) {
        text.push_str(&format!("{label}: {line}\n"));
    }
    text.push('\n');
    text.push_str(NOTHING_IS_DECIDED_HERE);
    text.push('\n');
    text
}

/// Reads a file of the settings anew each time, so that what it holds can be replaced while the server runs and does not lie
/// in memory meanwhile.
pub(crate) async fn read_file(path: &Path) -> Result<SecretText, String> {
    let unusable = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await.map_err(unusable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).await.map_err(unusable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{} has more than {FILE_BYTES_MAX} bytes", path.display()));
    }
    let line = SecretText::new(text);
    Ok(SecretText::new(line.expose().trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests;
