//! `internal/specs/openapi`: the API described from the lists that dispatch walks, so that it cannot say anything else.

use rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use super::public::PUBLIC;
use super::{Call, Step};
use crate::engines::{self, Access, Route};
use crate::mounts::Mount;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::Operation;
use crate::secret::SecretBytes;
use crate::view::{Interrupt, View};

/// The version of OpenAPI that the document follows.
const OPENAPI_VERSION: &str = "3.0.2";

/// Describes the endpoints of the mounts that the caller can reach.
pub(super) fn describe(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let acl = call.acl()?;
    let generic = call.request.parameter("generic_mount_paths") == Some("true");
    let mut paths = Map::new();
    for endpoint in PUBLIC {
        let item = paths.entry(format!("/{}", endpoint.path)).or_insert_with(|| json!({}));
        for operation in endpoint.operations {
            insert(item, *operation, &operation_of(endpoint.summary, "sys", Access::Open, &[]));
        }
    }
    for mount in call.tables.mounts().filter(|mount| acl.reaches(&mount.path)) {
        describe_mount(mount, generic, &mut paths);
    }
    let document = json!({
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Keyturn API",
            "description": "A split-key secrets vault that speaks the Vault HTTP API. All paths lie below /v1.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": {} },
    });
    let body = serde_json::to_vec(&document).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(Step::answer(Reply::Raw { media_type: "application/json", body: SecretBytes::new(body) }))
}

fn describe_mount(mount: &Mount, generic: bool, paths: &mut Map<String, Value>) {
    let Some(engine) = engines::find(&mount.kind) else { return };
    let tag = match mount.path.split('/').next() {
        Some("auth") => "auth",
        Some("sys") => "sys",
        Some("identity") => "identity",
        _ => "secrets",
    };
    let fixed = tag == "sys" || tag == "identity" || !generic;
    let prefix = match mount.path.strip_prefix("auth/") {
        _ if fixed => mount.path.clone(),
        Some(_) => format!("auth/{{{}_mount_path}}/", mount.kind),
        None => format!("{{{}_mount_path}}/", mount.kind),
    };
    for route in engine.routes(mount).iter().filter(|route| !route.summary.is_empty()) {
        let item = paths.entry(format!("/{prefix}{}", template(route))).or_insert_with(|| json!({}));
        let names: Vec<&str> = names(route).collect();
        for (operation, _) in route.methods {
            insert(item, *operation, &operation_of(route.summary, tag, route.access, &names));
        }
    }
}

/// Gives the path of a route as OpenAPI writes it.
fn template(route: &Route) -> String {
    route.path.replace("*}", "}")
}

fn names(route: &Route) -> impl Iterator<Item = &'static str> {
    let segments = route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    segments.map(|name| name.trim_end_matches('*'))
}

fn operation_of(summary: &str, tag: &str, access: Access, names: &[&str]) -> Value {
    let parameter = |name: &&str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    let mut operation = json!({
        "summary": summary,
        "tags": [tag],
        "responses": { "200": { "description": "OK" } },
    });
    if let Value::Object(fields) = &mut operation {
        if !names.is_empty() {
            fields.insert("parameters".to_owned(), names.iter().map(parameter).collect());
        }
        match access {
            Access::Policy => {}
            Access::Sudo => drop(fields.insert("x-vault-sudo".to_owned(), true.into())),
            Access::Open => drop(fields.insert("x-vault-unauthenticated".to_owned(), true.into())),
        }
    }
    operation
}

/// Adds an operation under the HTTP method that it has; a LIST is a GET with `list=true`.
fn insert(item: &mut Value, operation: Operation, described: &Value) {
    let method = match operation {
        Operation::Read | Operation::List => "get",
        Operation::Write => "post",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
    };
    let mut described = described.clone();
    if operation == Operation::List
        && let Value::Object(fields) = &mut described
    {
        let list = json!({"name": "list", "in": "query", "schema": {"type": "string", "enum": ["true"]}});
        match fields.get_mut("parameters").and_then(Value::as_array_mut) {
            Some(parameters) => parameters.push(list),
            None => drop(fields.insert("parameters".to_owned(), json!([list]))),
        }
    }
    if let Value::Object(methods) = item {
        methods.entry(method).or_insert(described);
    }
}
