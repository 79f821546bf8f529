//! Writes answers in the envelope of the Vault API.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::response::Response;
use data_encoding::BASE64;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use vault_core::id::RequestId;
use vault_core::path::RequestPath;
use vault_core::refusal::Refusal;
use vault_core::reply::{Content, Grant, Reply, WrapInfo};
use vault_core::secret::SecretBytes;
use vault_log::proof::Receipt;

use super::status;

/// Carries the receipt of a release.
const HEADER_RECEIPT: &str = "x-keyturn-receipt";

/// The fields of the envelope, which no field of the data may take the place of.
const ENVELOPE: [&str; 8] =
    ["request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth"];

/// Answers a request that was carried out.
pub(super) fn reply(id: RequestId, path: &RequestPath, reply: Reply) -> Response {
    match reply {
        Reply::Empty => empty(StatusCode::NO_CONTENT),
        Reply::Content(content) => respond(StatusCode::OK, wrap(id, path, content)),
        // The door streams these before it comes here.
        Reply::Snapshot(_) | Reply::Restore(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
        Reply::Gone(content) => respond(StatusCode::NOT_FOUND, wrap(id, path, content)),
        Reply::Partial { content, asked_status } => {
            let asked = asked_status.and_then(|number| StatusCode::from_u16(number).ok());
            respond(asked.unwrap_or(StatusCode::BAD_REQUEST), wrap(id, path, content))
        }
        Reply::Wrapped(info) => json(StatusCode::OK, &wrapped(id, &info)),
        Reply::Raw { media_type, body } => {
            let mut response = respond(StatusCode::OK, body.expose().to_vec());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            response
        }
    }
}

/// Adds the receipt of a release, in base64.
pub(super) fn with_receipt(mut response: Response, receipt: Option<&Receipt>) -> Response {
    let text = receipt.map(|receipt| BASE64.encode(receipt.to_string().as_bytes()));
    if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(HEADER_RECEIPT, value);
    }
    response
}

/// Answers a request that was refused.
pub(super) fn refusal(refusal: &Refusal) -> Response {
    #[derive(Serialize)]
    struct Errors<'a> {
        errors: &'a [&'a str],
    }
    let public = [refusal.public.as_str()];
    let errors: &[&str] = if refusal.public.is_empty() { &[] } else { &public };
    json(status::of(refusal.class), &Errors { errors })
}

/// Answers with a JSON value that has no envelope, as the endpoints of a sealed vault do.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => respond(status, body),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Answers without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn respond(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Writes the envelope around `content`. The data is JSON already and goes in as it is, without being parsed.
fn wrap(id: RequestId, path: &RequestPath, content: Content) -> Vec<u8> {
    let data = content.data.as_ref().map_or(b"null".as_slice(), SecretBytes::expose);
    let mut body = Vec::with_capacity(data.len() * 2 + 512);
    body.extend_from_slice(format!("{{\"request_id\":\"{id}\",\"lease_id\":\"\",\"renewable\":false").as_bytes());
    body.extend_from_slice(format!(",\"lease_duration\":{},\"data\":", content.lease_duration.0).as_bytes());
    body.extend_from_slice(data);
    body.extend_from_slice(b",\"wrap_info\":null,\"warnings\":");
    write(&mut body, &Some(&content.warnings).filter(|warnings| !warnings.is_empty()));
    body.extend_from_slice(b",\"auth\":");
    write(&mut body, &content.auth.as_ref().map(Auth::of));
    // Stock clients read the answers of `sys/` at the top level too.
    if path.as_str().starts_with("sys/") {
        let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(data).unwrap_or_default();
        for (name, value) in fields.iter().filter(|(name, _)| !ENVELOPE.contains(&name.as_ref())) {
            body.push(b',');
            write(&mut body, name);
            body.push(b':');
            body.extend_from_slice(value.get().as_bytes());
        }
    }
    body.push(b'}');
    body
}

/// Writes the answer to a request whose reply is kept for whoever shows the wrapping token.
fn wrapped(id: RequestId, info: &WrapInfo) -> serde_json::Value {
    let mut wrap_info = serde_json::json!({
        "token": info.token.expose(),
        "accessor": info.accessor,
        "ttl": info.ttl.0,
        "creation_time": info.created_at.to_string(),
        "creation_path": info.creation_path,
    });
    if let Some(fields) = wrap_info.as_object_mut().filter(|_| !info.wrapped_accessor.is_empty()) {
        fields.insert("wrapped_accessor".to_owned(), info.wrapped_accessor.as_str().into());
    }
    let mut warnings = serde_json::Value::Null;
    if let Some(fields) = wrap_info.as_object_mut().filter(|_| info.is_held) {
        fields.insert("held".to_owned(), true.into());
        warnings = serde_json::json!([format!("this waits for others to agree, as request {}", info.accessor)]);
    }
    serde_json::json!({
        "request_id": id.to_string(),
        "lease_id": "",
        "renewable": false,
        "lease_duration": 0,
        "data": null,
        "wrap_info": wrap_info,
        "warnings": warnings,
        "auth": null,
    })
}

fn write<T: Serialize>(body: &mut Vec<u8>, value: &T) {
    let start = body.len();
    if serde_json::to_writer(&mut *body, value).is_err() {
        body.truncate(start);
        body.extend_from_slice(b"null");
    }
}

#[derive(Serialize)]
struct Auth<'a> {
    client_token: &'a str,
    accessor: &'a str,
    policies: Vec<&'a String>,
    token_policies: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    identity_policies: &'a [String],
    metadata: Option<&'a std::collections::BTreeMap<String, String>>,
    lease_duration: u64,
    renewable: bool,
    entity_id: String,
    token_type: &'static str,
    orphan: bool,
    mfa_requirement: Option<()>,
    num_uses: u64,
}

impl<'a> Auth<'a> {
    fn of(grant: &'a Grant) -> Self {
        let policies: BTreeSet<&String> = grant.policies.iter().chain(&grant.identity_policies).collect();
        Self {
            client_token: grant.token.expose(),
            accessor: &grant.accessor,
            policies: policies.into_iter().collect(),
            token_policies: &grant.policies,
            identity_policies: &grant.identity_policies,
            metadata: Some(&grant.metadata).filter(|metadata| !metadata.is_empty()),
            lease_duration: grant.lease_duration.0,
            renewable: grant.renewable,
            entity_id: grant.entity.map(|entity| entity.to_string()).unwrap_or_default(),
            token_type: grant.kind.word(),
            orphan: grant.orphan,
            mfa_requirement: None,
            num_uses: grant.uses,
        }
    }
}
