//! Writes traces as OTLP (OpenTelemetry protocol, the JSON encoding of its HTTP binding) and posts them to a collector.

use std::time::Duration;

use data_encoding::HEXLOWER;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Finished, Passed};
use crate::alerts::read_file;
use crate::config::TraceSettings;
use crate::outside::http::{checked, client, describe};

/// `SPAN_KIND_INTERNAL`.
const KIND_INTERNAL: u8 = 1;

/// `SPAN_KIND_SERVER`.
const KIND_SERVER: u8 = 2;

/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: u8 = 2;

/// A span; ids in hexadecimal and 64-bit numbers as texts, as the encoding wants it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: &'static str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
}

/// Posts traces.
///
/// # Errors
/// Answers with the reason, without the address, if they are not taken.
pub(super) async fn send(settings: &TraceSettings, batch: &[Finished]) -> Result<(), String> {
    let authorities = match &settings.ca {
        Some(path) => read_file(path).await?.expose().to_owned(),
        None => String::new(),
    };
    let request = client(&authorities)?.post(checked(&settings.endpoint)?);
    let mut request = request.header(CONTENT_TYPE, "application/json").body(export(batch).to_string());
    if let Some(path) = &settings.authorization_file {
        let text = read_file(path).await?;
        let unusable = |_| "the authorization holds characters that no header may".to_owned();
        let mut value = HeaderValue::from_str(text.expose()).map_err(unusable)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let response = request.send().await.map_err(|error| describe(&error.without_url()))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("the collector answered with status {status}")),
    }
}

fn export(batch: &[Finished]) -> Value {
    let scope = json!({ "name": "keyturn", "version": crate::VERSION });
    let spans: Vec<Value> = batch.iter().flat_map(spans).collect();
    let attributes = [text("service.name", "keyturn"), text("service.version", crate::VERSION)];
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes },
        "scopeSpans": [{ "scope": scope, "spans": spans }],
    }] })
}

/// Gives the span of a request, and those of its stages.
fn spans(finished: &Finished) -> Vec<Value> {
    let mut request = span(finished, &finished.span_id, finished.operation.word(), (Duration::ZERO, finished.took));
    request.kind = KIND_SERVER;
    request.parent_span_id = finished.caller.map(|span| HEXLOWER.encode(&span));
    request.attributes = vec![
        text("keyturn.operation", finished.operation.word()),
        text("keyturn.outcome", finished.outcome),
        text("keyturn.request_id", &finished.request.to_string()),
    ];
    if matches!(finished.outcome, "failed" | "given_up") {
        request.status = Some(json!({ "code": STATUS_ERROR }));
    }
    let stage = |passed: &Passed| {
        let mut stage = span(finished, &passed.span_id, passed.stage.word(), (passed.after, passed.took));
        stage.parent_span_id = Some(HEXLOWER.encode(&finished.span_id));
        stage
    };
    let all = std::iter::once(request).chain(finished.stages.iter().map(stage));
    all.filter_map(|span| serde_json::to_value(span).ok()).collect()
}

fn span(finished: &Finished, id: &[u8; 8], name: &'static str, (after, took): (Duration, Duration)) -> Span {
    let began = u64::try_from(finished.began_at.0).unwrap_or_default();
    let at = |since: Duration| began.saturating_add(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)).to_string();
    Span {
        trace_id: HEXLOWER.encode(&finished.trace_id),
        span_id: HEXLOWER.encode(id),
        parent_span_id: None,
        name,
        kind: KIND_INTERNAL,
        start_time_unix_nano: at(after),
        end_time_unix_nano: at(after.saturating_add(took)),
        attributes: Vec::new(),
        status: None,
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
