//! Notices by HTTP: to what takes Slack's incoming webhooks, to Alertmanager, or to a program that reads plain JSON.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vault_core::notice::{About, AboutCanary, AboutLimit, AboutRequest, Event, Line, Notice, Turn};
use vault_core::time::{Span, Timestamp};

use super::{Channel, Delivering, Failure, Kind, NOTHING_IS_DECIDED_HERE, as_json, as_text, read_file};
use crate::config::{WebhookAddress, WebhookFormat, WebhookSettings};
use crate::outside::http::{checked, client, describe};

/// Bytes of the digest that names a webhook.
const NAME_LENGTH_BYTES: usize = 8;

/// How long an alert fires whose end nobody can foresee; told again it would fire on.
const FIRES_FOR_MAX: Span = Span(30 * 24 * 3600);

/// How long the alert of a canary fires, which nothing resolves.
const CANARY_FIRES_FOR: Span = Span(24 * 3600);

/// A webhook.
pub(super) struct Webhook {
    key: String,
    address: WebhookAddress,
    format: WebhookFormat,
    authorization_file: Option<PathBuf>,
    ca: Option<PathBuf>,
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Self {
        let address = settings.address();
        // The address may be as good as a password: Slack's is.
        let named = match &address {
            WebhookAddress::Url(url) => Sha256::digest(url.as_bytes()),
            WebhookAddress::File(path) => Sha256::digest(path.as_os_str().as_encoded_bytes()),
        };
        let name = HEXLOWER.encode(named.get(..NAME_LENGTH_BYTES).unwrap_or_default());
        Self {
            key: format!("webhook/{name}"),
            address,
            format: settings.format,
            authorization_file: settings.authorization_file.clone(),
            ca: settings.ca.clone(),
        }
    }

    async fn post(&self, notice: &Notice) -> Result<(), Failure> {
        let setup = Failure::Unreachable;
        let url = match &self.address {
            WebhookAddress::Url(url) => checked(url),
            WebhookAddress::File(path) => checked(read_file(path).await.map_err(setup)?.expose()),
        };
        let authorities = match &self.ca {
            Some(path) => read_file(path).await.map_err(setup)?.expose().to_owned(),
            None => String::new(),
        };
        let body = body(self.format, notice).to_string();
        let client = client(&authorities).map_err(setup)?;
        let mut request = client.post(url.map_err(setup)?).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(path) = &self.authorization_file {
            let text = read_file(path).await.map_err(setup)?;
            let unusable = |_| setup("the authorization holds characters that no header may".to_owned());
            let mut value = HeaderValue::from_str(text.expose()).map_err(unusable)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send().await.map_err(|error| setup(describe(&error.without_url())))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let reason = format!("it answered with status {status}");
        // Whoever is out of order, or says when to come again as those do who are asked too often, takes no other notice now.
        let is_busy = status.is_server_error() || response.headers().contains_key(RETRY_AFTER);
        Err(if is_busy { Failure::Unreachable(reason) } else { Failure::Refused(reason) })
    }
}

impl Channel for Webhook {
    fn kind(&self) -> Kind {
        Kind::Webhook
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn deliver<'a>(&'a self, notice: &'a Notice) -> Delivering<'a> {
        Box::pin(self.post(notice))
    }
}

/// Writes a notice as the other end takes it.
pub(super) fn body(format: WebhookFormat, notice: &Notice) -> Value {
    match format {
        WebhookFormat::Plain => as_json(notice),
        // Three characters make links and mentions; with `mrkdwn` no other makes anything.
        WebhookFormat::Slack => json!({ "text": escaped(&as_text(notice)), "mrkdwn": false }),
        WebhookFormat::Alertmanager => alerts(notice),
    }
}

/// Escapes as Slack asks for it ("Formatting text for app surfaces": `&`, `<` and `>`).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Writes one alert for Alertmanager's API version 2. It fires for as long as its cause lasts, and whatever ends that resolves it, as
/// the labels are the same.
fn alerts(notice: &Notice) -> Value {
    let vault = HEXLOWER.encode(&notice.vault.0);
    let (labels, mut annotations, starts_at, ends_at) = match &notice.about {
        About::Request(request) => of_request(&vault, request, notice.at),
        About::Limit(limit) => of_limit(&vault, limit, notice.at),
        About::Canary(canary) => of_canary(&vault, canary, notice.at),
    };
    if let Value::Object(annotations) = &mut annotations {
        annotations.insert("summary".to_owned(), json!(unmarked(&notice.headline())));
        annotations.insert("description".to_owned(), json!(NOTHING_IS_DECIDED_HERE));
    }
    json!([{
        "labels": labels,
        "annotations": annotations,
        "startsAt": starts_at.to_string(),
        "endsAt": ends_at.to_string(),
    }])
}

/// Labels, annotations, and from when to when an alert fires.
type Alert = (Value, Value, Timestamp, Timestamp);

fn of_request(vault: &str, request: &AboutRequest, at: Timestamp) -> Alert {
    let ends_at = match request.event {
        Event::Waits => request.expires_at,
        Event::Approved | Event::Denied | Event::Cancelled | Event::Released | Event::Stale => at,
    };
    let labels = json!({ "alertname": "KeyturnRequestWaits", "vault": vault, "request": request.request });
    let annotations = json!({
        "state": request.event.word(),
        "operation": unmarked(request.operation.as_str()),
        "path": unmarked(request.path.as_str()),
        "requester": unmarked(request.requester.as_str()),
        "reason": unmarked(request.reason.as_str()),
        "waits_for": unmarked(request.waits_for.as_str()),
        "by": unmarked(request.by.as_ref().map_or("", Line::as_str)),
        "remark": unmarked(request.remark.as_ref().map_or("", Line::as_str)),
        "expires_at": request.expires_at.to_string(),
    });
    (labels, annotations, request.asked_at, ends_at)
}

/// The level is no label, so that a breach which gets worse stays one alert.
fn of_limit(vault: &str, limit: &AboutLimit, at: Timestamp) -> Alert {
    let ends_at = match limit.turn {
        Turn::Breached => limit.ends_at.unwrap_or_else(|| at.after(FIRES_FOR_MAX)),
        Turn::Resolved => at,
    };
    let labels = json!({
        "alertname": "KeyturnLimit",
        "vault": vault,
        "limit": limit.limit.as_str(),
        "metric": limit.metric.word(),
        "breach": limit.breach,
    });
    let annotations = json!({
        "state": limit.turn.word(),
        "level": limit.level.word(),
        "subject": unmarked(limit.subject.as_str()),
        "path": unmarked(limit.path.as_str()),
        "value": limit.metric.in_words(limit.value),
        "bound": limit.metric.in_words(limit.bound),
    });
    (labels, annotations, limit.since, ends_at)
}

fn of_canary(vault: &str, canary: &AboutCanary, at: Timestamp) -> Alert {
    let labels = json!({ "alertname": "KeyturnCanary", "vault": vault, "read": canary.request_id });
    let annotations = json!({
        "path": unmarked(canary.path.as_str()),
        "reader": unmarked(canary.reader.as_str()),
        "address": unmarked(canary.address.as_str()),
    });
    (labels, annotations, at, at.after(CANARY_FIRES_FOR))
}

/// Replaces what Slack and HTML take for marks. Alertmanager passes annotations on to whatever its own settings name, and its
/// template for Slack escapes nothing.
fn unmarked(text: &str) -> String {
    text.replace('<', "‹").replace('>', "›")
}
