//! The door: parses a request within bounds, hands it to the vault and writes the answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use vault_core::approval::TEXT_LENGTH_BYTES_MAX;
use vault_core::auth::token::BATCH_TOKEN_LENGTH_BYTES_MAX;
use vault_core::id::RequestId;
use vault_core::path::RequestPath;
use vault_core::refusal::{Class, Refusal};
use vault_core::reply::{Reply, RestorePermit};
use vault_core::request::{Operation, Request};
use vault_core::secret::{SecretBytes, SecretText};
use vault_core::time::Span;

use super::{Edge, PeerCertificates, body, envelope, metrics, parameters, public, snapshot};
use crate::driver::{Caller, Handled};
use crate::traces::TraceParent;

const HEADER_TOKEN: &str = "x-vault-token";
const HEADER_NAMESPACE: &str = "x-vault-namespace";
const HEADER_REASON: &str = "x-keyturn-reason";
const HEADER_TRACE_PARENT: &str = "traceparent";
const HEADER_WRAP_TTL: &str = "x-vault-wrap-ttl";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Longest token: batch tokens are the longest, since they carry what they may do.
const TOKEN_LENGTH_BYTES_MAX: usize = BATCH_TOKEN_LENGTH_BYTES_MAX;

/// Answers one HTTP request.
pub(super) async fn enter(edge: &Edge, remote: SocketAddr, request: axum::extract::Request) -> Response {
    let id = RequestId::random(&mut edge.vault.environment().rng());
    let limit = Duration::from_secs(edge.settings.request_seconds_max);
    match tokio::time::timeout(limit, answer(edge, id, remote, request)).await {
        Ok(Answer::Done(response)) => response,
        // An upload has bounds of its own.
        Ok(Answer::Restore(permit, body)) => {
            let restored = snapshot::restore(edge, permit, body, Caller { id, remote }).await;
            restored.unwrap_or_else(|refusal| refuse(id, &refusal))
        }
        Err(_) => refuse(id, &Refusal::new(Class::Unavailable, "the request took too long and was given up")),
    }
}

/// How far a request came.
enum Answer {
    Done(Response),
    /// It may upload what it wants restored; its body is not read yet.
    Restore(RestorePermit, Body),
}

async fn answer(edge: &Edge, id: RequestId, remote: SocketAddr, request: axum::extract::Request) -> Answer {
    let answered = try_answer(edge, id, remote, request).await;
    answered.unwrap_or_else(|refusal| Answer::Done(refuse(id, &refusal)))
}

async fn try_answer(
    edge: &Edge,
    id: RequestId,
    remote: SocketAddr,
    request: axum::extract::Request,
) -> Result<Answer, Refusal> {
    let (parts, body) = request.into_parts();
    let turn_away = |refusal: &Refusal| edge.vault.metrics().door.turned_away(refusal.class);
    let (asked, upload, body) = take(edge, &parts, body).await.inspect_err(turn_away)?;
    if metrics::are_public(edge, &parts.method, &asked.path) {
        let told = metrics::tell(edge, &parts.headers, &asked.parameters)?;
        return Ok(Answer::Done(envelope::reply(id, &asked.path, told)));
    }
    if let Some(endpoint) = public::find(asked.path.as_str()) {
        // No token is needed here; two that contradict each other prove nothing, and make nobody privileged.
        let token = token(&parts.headers).unwrap_or_default();
        let (path, parameters) = (&asked.path, &asked.parameters);
        let call = public::Call { edge, id, remote, method: &parts.method, path, parameters, token, body };
        return endpoint(call).await.map(Answer::Done);
    }
    let request = admit(edge, id, remote, &parts, asked, body).inspect_err(turn_away)?;
    let path = request.path.clone();
    let Handled { reply, receipt } = edge.vault.handle_within(trace_parent(&parts.headers), request).await?;
    match (reply, upload) {
        (Reply::Snapshot(permit), _) => snapshot::take(edge, permit, Caller { id, remote }).await.map(Answer::Done),
        (Reply::Restore(permit), Some(body)) => Ok(Answer::Restore(permit, body)),
        (Reply::Restore(_), None) => Err(Refusal::internal("the body of a restore was taken for JSON")),
        (reply, _) => {
            let response = envelope::reply(id, &path, metrics::negotiate(&parts.headers, reply));
            Ok(Answer::Done(envelope::with_receipt(response, receipt.as_ref())))
        }
    }
}

/// Reads what is asked for, and the body, unless that is an archive, which is left to be read later.
async fn take(edge: &Edge, parts: &Parts, body: Body) -> Result<(Asked, Option<Body>, Option<SecretBytes>), Refusal> {
    let asked = ask(parts)?;
    if snapshot::is_upload(&parts.method, &asked.path) {
        return Ok((asked, Some(body), None));
    }
    let body = body::read(body, edge.settings.request_bytes_max).await?;
    Ok((asked, None, body))
}

/// Refuses a request, telling the caller the public half and the server's log the private one.
fn refuse(id: RequestId, refusal: &Refusal) -> Response {
    if let Some(private) = &refusal.private {
        tracing::warn!(request_id = %id, class = ?refusal.class, "{private}");
    }
    envelope::refusal(refusal)
}

/// What the address line asks for.
struct Asked {
    path: RequestPath,
    parameters: Vec<(String, String)>,
}

fn ask(parts: &Parts) -> Result<Asked, Refusal> {
    let below = parts.uri.path().strip_prefix("/v1/").ok_or_else(Refusal::missing)?;
    let decoded = parameters::decode(below, false)?;
    let path = RequestPath::parse(&decoded).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(Asked { path, parameters: parameters::parse(parts.uri.query())? })
}

fn admit(
    edge: &Edge,
    id: RequestId,
    remote: SocketAddr,
    parts: &Parts,
    asked: Asked,
    body: Option<SecretBytes>,
) -> Result<Request, Refusal> {
    let operation = operation(parts, &asked.parameters)?;
    check_namespace(&parts.headers)?;
    let path = if operation == Operation::List { asked.path.into_folder() } else { asked.path };
    Ok(Request {
        id,
        operation,
        path,
        parameters: asked.parameters,
        body,
        token: token(&parts.headers)?,
        act: None,
        redeems: None,
        reason: reason(&parts.headers)?,
        wrap_ttl: wrap_ttl(&parts.headers)?,
        certificates: parts.extensions.get::<PeerCertificates>().map(|shown| Arc::clone(&shown.0)).unwrap_or_default(),
        remote,
        received_at: edge.vault.environment().now(),
        attempt: 1,
    })
}

fn operation(parts: &Parts, parameters: &[(String, String)]) -> Result<Operation, Refusal> {
    let lists = parameters.iter().any(|(name, value)| name == "list" && is_true(value));
    match &parts.method {
        &Method::GET if lists => Ok(Operation::List),
        &Method::GET => Ok(Operation::Read),
        &Method::POST | &Method::PUT => Ok(Operation::Write),
        &Method::DELETE => Ok(Operation::Delete),
        &Method::PATCH if is_merge_patch(&parts.headers) => Ok(Operation::Patch),
        &Method::PATCH => Err(Refusal::invalid(format!("PATCH needs the content type {MERGE_PATCH}"))),
        method if method.as_str() == "LIST" => Ok(Operation::List),
        _ => Err(Refusal::unsupported()),
    }
}

/// Reads a truth value in every form that Go's `strconv.ParseBool` knows, since stock clients send them all.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "True" | "TRUE")
}

fn is_merge_patch(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(MERGE_PATCH))
}

/// Takes the token from `X-Vault-Token` or `Authorization: Bearer`; two different ones are refused.
fn token(headers: &HeaderMap) -> Result<Option<SecretText>, Refusal> {
    let bearer = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let value = value.to_str().ok()?;
        let (scheme, rest) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
    });
    let own = headers.get_all(HEADER_TOKEN).iter().filter_map(|value| value.to_str().ok());
    let mut given = own.chain(bearer).filter(|text| !text.is_empty());
    let first = given.next();
    if given.any(|other| Some(other) != first) {
        return Err(Refusal::invalid("the request carries two different tokens"));
    }
    match first {
        Some(text) if text.len() > TOKEN_LENGTH_BYTES_MAX => Err(Refusal::denied()),
        first => Ok(first.map(|text| SecretText::new(text.to_owned()))),
    }
}

/// Refuses a namespace, of which this server has none but the root.
fn check_namespace(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(HEADER_NAMESPACE).map(|value| value.as_bytes().trim_ascii()).unwrap_or_default();
    if matches!(given, b"" | b"/" | b"root" | b"root/") {
        return Ok(());
    }
    Err(Refusal::invalid("this server has no namespaces; leave X-Vault-Namespace out"))
}

/// Reads for how long the reply is to be kept for whoever shows a wrapping token.
fn wrap_ttl(headers: &HeaderMap) -> Result<Option<Span>, Refusal> {
    let Some(value) = headers.get(HEADER_WRAP_TTL) else { return Ok(None) };
    let text = value.to_str().unwrap_or("?").trim();
    let ttl = if text.is_empty() { Ok(Span::ZERO) } else { Span::parse(text) };
    let ttl = ttl.map_err(|error| Refusal::invalid(format!("X-Vault-Wrap-TTL: {error}")))?;
    Ok(Some(ttl).filter(|ttl| !ttl.is_zero()))
}

/// Reads the trace of the caller's that a request belongs to; what is not well formed is passed over, as the standard says.
fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get(HEADER_TRACE_PARENT).and_then(|value| value.to_str().ok()).and_then(TraceParent::parse)
}

/// Reads why a request is made, for those who may have to agree to it.
fn reason(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(HEADER_REASON) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim();
    if text.is_empty() || text.len() > TEXT_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("X-Keyturn-Reason: 1 to {TEXT_LENGTH_BYTES_MAX} bytes of UTF-8")));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn parts(method: &str, uri: &str) -> Parts {
        http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_token_comes_from_either_header_but_not_two_from_both() {
        let text = |pairs| token(&headers(pairs)).map(|token| token.map(|token| token.expose().to_owned()));
        assert_eq!(text(&[("x-vault-token", "a")]).unwrap().as_deref(), Some("a"));
        assert_eq!(text(&[("authorization", "Bearer a")]).unwrap().as_deref(), Some("a"));
        assert_eq!(text(&[("authorization", "bearer a"), ("x-vault-token", "a")]).unwrap().as_deref(), Some("a"));
        assert_eq!(text(&[("authorization", "Basic a")]).unwrap(), None);
        assert_eq!(text(&[("x-vault-token", "")]).unwrap(), None);
        assert!(text(&[("authorization", "Bearer a"), ("x-vault-token", "b")]).is_err());
        assert!(text(&[("x-vault-token", "a"), ("x-vault-token", "b")]).is_err());
    }

    #[test]
    fn addresses_that_could_mean_another_path_are_refused() {
        for bad in ["/v1/", "/v1/a//b", "/v1/a/../b", "/v1/a/%2e%2e/b", "/v1/a%2f%2fb", "/v1/a%00", "/v1/%ff", "/v1/%"]
        {
            assert_eq!(ask(&parts("GET", bad)).err().unwrap().class, Class::Invalid, "{bad}");
        }
        for elsewhere in ["/", "/v2/a", "/ui", "/v1"] {
            assert_eq!(ask(&parts("GET", elsewhere)).err().unwrap().class, Class::Missing, "{elsewhere}");
        }
        assert_eq!(ask(&parts("GET", "/v1/a%2Fb")).unwrap().path.as_str(), "a/b");
    }

    #[test]
    fn methods_become_operations() {
        let of = |method, uri| {
            let parts = parts(method, uri);
            operation(&parts, &parameters::parse(parts.uri.query()).unwrap())
        };
        assert_eq!(of("GET", "/v1/a"), Ok(Operation::Read));
        assert_eq!(of("GET", "/v1/a?list=true"), Ok(Operation::List));
        assert_eq!(of("GET", "/v1/a?list=True"), Ok(Operation::List));
        assert_eq!(of("LIST", "/v1/a"), Ok(Operation::List));
        assert_eq!(of("PUT", "/v1/a?list=true"), Ok(Operation::Write));
        assert!(of("PATCH", "/v1/a").is_err());
        assert!(of("TRACE", "/v1/a").is_err());
    }

    #[test]
    fn what_changes_the_meaning_of_a_request_is_not_ignored() {
        assert!(check_namespace(&headers(&[("x-vault-namespace", "team")])).is_err());
        assert!(check_namespace(&headers(&[("x-vault-namespace", "root")])).is_ok());
        let ttl = |text| wrap_ttl(&headers(&[("x-vault-wrap-ttl", text)])).map(|ttl| ttl.map(|span| span.0));
        assert_eq!(
            (ttl("60").unwrap(), ttl("5m").unwrap(), ttl("0").unwrap(), ttl("").unwrap()),
            (Some(60), Some(300), None, None)
        );
        assert!(ttl("-1").is_err() && ttl("soon").is_err());
    }
}
