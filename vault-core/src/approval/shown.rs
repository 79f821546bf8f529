//! What a change would change, for those who decide about it: names in full, values only where they are no secrets.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::mounts::Mount;
use crate::refusal::Refusal;

/// Most fields that are shown.
const FIELDS_MAX: usize = 256;

/// Longest value that is shown in full, in bytes.
const VALUE_LENGTH_BYTES_MAX: usize = 64 << 10;

/// Deepest objects that are taken apart.
const DEPTH_MAX: usize = 4;

/// Fields whose values are secrets wherever they stand.
const SECRET_FIELDS: [&str; 14] = [
    "bindpass",
    "ciphertext",
    "client_token",
    "hmac",
    "jwt",
    "key",
    "keys",
    "oidc_client_secret",
    "password",
    "password_hash",
    "private_key",
    "secret_id",
    "token",
    "token_reviewer_jwt",
];

/// Paths of the system whose bodies are settings.
const SYSTEM_SETTINGS: [&str; 8] =
    ["audit/", "auth/", "config/", "mounts/", "policies/", "policy/", "quotas/", "remount"];

/// What happens to one field.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Field {
    name: String,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

/// Where values may be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// All but secret ones.
    Settings,
    /// None below `data`, all others.
    BesidesData,
    /// None.
    Nothing,
}

/// Checks that a change hides nothing from those who decide about it.
///
/// # Errors
/// Refuses a body that cannot be taken apart, and settings of which some would not be shown.
pub(super) fn check(mount: &Mount, below: &str, body: Option<&[u8]>) -> Result<(), Refusal> {
    let deep = || Refusal::invalid("this waits for others to agree, and is nested too deeply for them to look at");
    let fields = flat(body).ok_or_else(deep)?;
    if shown_at(mount, below) == Shown::Settings && fields.len() > FIELDS_MAX {
        let text = format!("this waits for others to agree, who look at {FIELDS_MAX} fields at most");
        return Err(Refusal::invalid(text));
    }
    Ok(())
}

/// Tells whether what is shown of a body that is shown as a whole is what it says: every field of it, with this value. `shown`
/// gives name, kind of change and new value of each field.
pub fn is_of_body<'a>(body: &[u8], shown: impl IntoIterator<Item = (&'a str, &'a str, Option<&'a Value>)>) -> bool {
    let Some(mut due) = flat(Some(body)) else { return false };
    let is_there = shown.into_iter().filter(|(_, change, _)| *change != "removed").all(|(name, change, after)| {
        matches!(change, "new" | "changed" | "same") && after.is_some() && due.remove(name).as_ref() == after
    });
    is_there && due.is_empty()
}

/// Describes a change by what a read answers now and the body that is to be written.
pub(super) fn describe(mount: &Mount, below: &str, before: Option<&[u8]>, body: Option<&[u8]>) -> Vec<Field> {
    let shown = shown_at(mount, below);
    let replaces = mount.kind == "kv" && !below.starts_with("metadata/");
    let (before, after) = (flat(before).unwrap_or_default(), flat(body).unwrap_or_default());
    let mut fields = Vec::new();
    for (name, value) in &after {
        let change = match before.get(name) {
            None => "new",
            Some(old) if old == value => "same",
            Some(_) => "changed",
        };
        let visible = |value: &Value| is_visible(shown, name, value).then(|| value.clone());
        let old = before.get(name).filter(|old| *old != value).and_then(visible);
        fields.push(Field { name: name.clone(), change, before: old, after: visible(value) });
    }
    // A write of data takes the place of all that was there.
    let kept = |name: &str| shown == Shown::BesidesData && !name.starts_with("data.");
    let removed = before.iter().filter(|(name, _)| replaces && !kept(name) && !after.contains_key(*name));
    fields.extend(removed.map(|(name, value)| {
        let before = Some(value).filter(|value| is_visible(shown, name, value)).cloned();
        Field { name: name.clone(), change: "removed", before, after: None }
    }));
    let surplus = fields.len().saturating_sub(FIELDS_MAX);
    if surplus > 0 {
        fields.truncate(FIELDS_MAX - 1);
        let name = format!("and {} more", surplus + 1);
        fields.push(Field { name, change: "not named", before: None, after: None });
    }
    fields
}

/// Tells whether everything that is written may be shown, so that the body can be handed out whole.
pub(super) fn is_public(mount: &Mount, below: &str, body: &[u8]) -> bool {
    let shown = shown_at(mount, below);
    let fields = flat(Some(body));
    shown == Shown::Settings
        && fields.is_some_and(|fields| fields.iter().all(|(name, value)| is_visible(shown, name, value)))
}

fn shown_at(mount: &Mount, below: &str) -> Shown {
    match mount.kind.as_str() {
        "kv" if below.starts_with("data/") && mount.option("version") == Some("2") => Shown::BesidesData,
        "kv" if below.starts_with("metadata/") && mount.option("version") == Some("2") => Shown::Settings,
        "system" if SYSTEM_SETTINGS.iter().any(|start| below.starts_with(start)) => Shown::Settings,
        // A token's own text may be chosen; roles hold none.
        "token" if !below.starts_with("roles/") => Shown::Nothing,
        "identity" => Shown::Settings,
        _ if mount.path.starts_with("auth/") => Shown::Settings,
        _ => Shown::Nothing,
    }
}

fn is_visible(shown: Shown, name: &str, value: &Value) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default().trim_matches('"');
    let name = name.trim_start_matches('"');
    let fits = || value.as_str().map_or_else(|| value.to_string().len(), str::len) <= VALUE_LENGTH_BYTES_MAX;
    match shown {
        Shown::Nothing => false,
        Shown::BesidesData => !name.starts_with("data.") && name != "data" && fits(),
        Shown::Settings => !SECRET_FIELDS.contains(&last) && !holds_secret(value) && fits(),
    }
}

/// Tells whether a secret field stands somewhere within a value that is not taken apart.
fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Array(inner) => inner.iter().any(holds_secret),
        Value::Object(inner) => {
            inner.iter().any(|(key, value)| SECRET_FIELDS.contains(&key.as_str()) || holds_secret(value))
        }
        _ => false,
    }
}

/// Takes an object apart into its fields, by their names with dots; `None` if it is nested too deeply to be read.
fn flat(json: Option<&[u8]>) -> Option<BTreeMap<String, Value>> {
    let mut fields = BTreeMap::new();
    if let Some(json) = json {
        take_apart("", serde_json::from_slice(json).ok()?, DEPTH_MAX, &mut fields);
    }
    Some(fields)
}

/// Writes a part of a name so that no other parts put together are written the same.
fn part(key: String) -> String {
    if key.is_empty() || key.contains(['.', '"']) { Value::from(key).to_string() } else { key }
}

fn take_apart(name: &str, value: Value, depth: usize, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(inner) if depth > 0 && !inner.is_empty() => inner.into_iter().for_each(|(key, value)| {
            let key = part(key);
            let name = if name.is_empty() { key } else { format!("{name}.{key}") };
            take_apart(&name, value, depth - 1, into);
        }),
        // An empty body writes nothing.
        Value::Object(_) if name.is_empty() => {}
        value => drop(into.insert(name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engines::test_store::mount;

    fn described(mount: &Mount, below: &str, before: &Value, body: &Value) -> Value {
        let fields = describe(mount, below, Some(before.to_string().as_bytes()), Some(body.to_string().as_bytes()));
        serde_json::to_value(fields).unwrap()
    }

    #[test]
    fn values_of_secrets_are_not_shown_and_their_names_are() {
        let before = json!({"data": {"user": "a", "password": "old", "gone": "x"}, "metadata": {"version": 3}});
        let body = json!({"data": {"user": "a", "password": "new", "port": 5}, "options": {"cas": 3}});
        let found = described(&mount("secret/", "kv", "2"), "data/app", &before, &body);
        let due = json!([
            {"name": "data.password", "change": "changed"},
            {"name": "data.port", "change": "new"},
            {"name": "data.user", "change": "same"},
            {"name": "options.cas", "change": "new", "after": 3},
            {"name": "data.gone", "change": "removed"},
        ]);
        assert_eq!(found, due);
        let v1 = described(&mount("kv/", "kv", "1"), "app", &json!({"a": "1"}), &json!({"a": {"b": "2"}}));
        assert_eq!(v1, json!([{"name": "a.b", "change": "new"}, {"name": "a", "change": "removed"}]));
        assert!(!is_public(&mount("kv/", "kv", "1"), "app", b"{}"));
    }

    #[test]
    fn settings_are_shown_in_full_but_for_secrets_among_them() {
        let system = mount("sys/", "system", "");
        let found = described(&system, "policies/acl/a", &json!({"name": "a", "policy": "x"}), &json!({"policy": "y"}));
        assert_eq!(found, json!([{"name": "policy", "change": "changed", "before": "x", "after": "y"}]));
        assert!(is_public(&system, "policies/acl/a", b"{\"policy\": \"y\"}"));
        let users = mount("auth/people/", "userpass", "");
        let body = json!({"password": "secret", "token_policies": ["admin"]});
        let found = described(&users, "users/eve", &json!({}), &body);
        let due = json!([{"name": "password", "change": "new"}, {"name": "token_policies", "change": "new", "after": ["admin"]}]);
        assert_eq!(found, due);
        for (mount, below) in
            [(&system, "wrapping/wrap"), (&system, "tools/hash"), (&mount("auth/token/", "token", ""), "create")]
        {
            let hidden = described(mount, below, &json!({}), &json!({"id": "chosen"}));
            assert_eq!(hidden, json!([{"name": "id", "change": "new"}]), "{below}");
        }
        assert!(!is_public(&users, "users/eve", body.to_string().as_bytes()));
        let transit = described(&mount("transit/", "transit", ""), "encrypt/k", &json!({}), &json!({"plaintext": "x"}));
        assert_eq!(transit, json!([{"name": "plaintext", "change": "new"}]));
    }

    #[test]
    fn a_body_cannot_hide_what_it_does() {
        let system = mount("sys/", "system", "");
        let after = |body: &str, name: &str| {
            let fields = describe(&system, "policies/acl/a", None, Some(body.as_bytes()));
            fields.iter().find(|field| field.name == name).and_then(|field| field.after.clone())
        };
        // A name with a dot in it is not a field within another.
        let body = "{\"metadata\": {\"person\": \"alice\"}, \"metadata.person\": \"bob\"}";
        assert_eq!(after(body, "metadata.person"), Some(json!("alice")));
        let body = "{\"policy\": \"real\", \"\": {\"policy\": \"false\"}}";
        assert_eq!(after(body, "policy"), Some(json!("real")));
        // What is too deep or too much for being shown does not wait.
        let deep = format!("{{\"policy\": \"p\", \"x\": {}{}}}", "[".repeat(500), "]".repeat(500));
        assert!(check(&system, "policies/acl/a", Some(deep.as_bytes())).is_err());
        assert!(!is_public(&system, "policies/acl/a", deep.as_bytes()));
        let mut many: serde_json::Map<_, _> = (0..FIELDS_MAX).map(|n| (format!("a{n}"), json!(n))).collect();
        assert!(check(&system, "policies/acl/a", Some(json!(many).to_string().as_bytes())).is_ok());
        many.insert("policy".to_owned(), json!("p"));
        let many = json!(many).to_string();
        assert!(check(&system, "policies/acl/a", Some(many.as_bytes())).is_err());
        // A secret may have as many fields as it likes; that some are not named is said.
        let kv = mount("kv/", "kv", "1");
        assert!(check(&kv, "a", Some(many.as_bytes())).is_ok());
        let last = describe(&kv, "a", None, Some(many.as_bytes())).pop().unwrap();
        assert!(last.name.contains("2 more") && last.change == "not named", "{last:?}");
        assert!(check(&system, "policies/acl/a", None).is_ok());
    }

    #[test]
    fn fields_are_held_against_the_body_that_they_are_of() {
        let body = b"{\"policy\": \"real\", \"a\": {\"b\": 1}}";
        let (real, other, one) = (json!("real"), json!("false"), json!(1));
        let good = [("a.b", "new", Some(&one)), ("policy", "changed", Some(&real)), ("gone", "removed", None)];
        assert!(is_of_body(body, good));
        assert!(!is_of_body(body, [good[0], ("policy", "changed", Some(&other))]));
        assert!(!is_of_body(body, [good[0], ("policy", "changed", None)]));
        assert!(!is_of_body(body, [good[0]]), "one is left out");
        assert!(!is_of_body(body, [good[0], good[1], ("more", "new", Some(&one))]));
        assert!(!is_of_body(body, [good[0], ("policy", "removed", Some(&real))]));
        assert!(!is_of_body(b"{", []));
    }

    #[test]
    fn secrets_are_not_shown_in_lists_and_in_the_depth() {
        let users = mount("auth/people/", "userpass", "");
        for body in [
            json!({"users": [{"password": "secret"}]}),
            json!({"a": {"b": {"c": {"d": {"password": "secret"}}}}}),
            json!({"a.password": "secret"}),
        ] {
            let found = described(&users, "config", &json!({}), &body);
            assert!(!found.to_string().contains("secret"), "{found}");
            assert!(!is_public(&users, "config", body.to_string().as_bytes()), "{body}");
        }
    }

    #[test]
    fn nothing_is_too_large_or_too_deep_to_be_described() {
        let system = mount("sys/", "system", "");
        let deep = (0..50).fold(json!(1), |inner, _| json!({ "a": inner }));
        assert_eq!(described(&system, "mounts/x", &json!({}), &deep).as_array().unwrap().len(), 1);
        let many: serde_json::Map<_, _> = (0..1000).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(
            described(&system, "mounts/x", &json!({}), &Value::Object(many)).as_array().unwrap().len(),
            FIELDS_MAX
        );
        assert!(describe(&system, "x", None, Some(b"\xff{")).is_empty());
    }
}
