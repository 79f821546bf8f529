//! `plugins/`: what is built in. Code that can be loaded is code that can be swapped, so none is.

use rand_core::CryptoRng;
use serde_json::{Value, json};

use super::{Call, Step};
use crate::auth::methods::METHODS;
use crate::engines::{BUILT_IN, ENGINES, Engine};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

fn names(engines: &[&dyn Engine]) -> Vec<&'static str> {
    let mut names: Vec<&str> = engines.iter().map(|engine| engine.kind()).collect();
    names.sort_unstable();
    names
}

/// Gives the engines of one kind of plugin, as the API calls them.
fn of_kind(kind: &str) -> Option<Vec<&'static str>> {
    match kind {
        "auth" => Some(names(METHODS)),
        "secret" => Some(names(ENGINES)),
        "database" => Some(Vec::new()),
        _ => None,
    }
}

fn detail(kind: &str, name: &str) -> Value {
    json!({
        "name": name,
        "type": kind,
        "builtin": true,
        "version": format!("v{}+builtin.keyturn", env!("CARGO_PKG_VERSION")),
        "deprecation_status": "supported",
    })
}

pub(super) fn list(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (auth, secret) = (names(METHODS), names(ENGINES));
    let detailed: Vec<Value> =
        auth.iter().map(|name| detail("auth", name)).chain(secret.iter().map(|name| detail("secret", name))).collect();
    let database: [&str; 0] = [];
    Ok(Step::answer(Reply::data(
        &json!({ "auth": auth, "secret": secret, "database": database, "detailed": detailed }),
    )?))
}

pub(super) fn list_kind(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let keys = of_kind(call.capture("kind")).ok_or_else(|| Refusal::invalid("the type is auth, secret or database"))?;
    Ok(Step::answer(Reply::data(&json!({ "keys": keys }))?))
}

pub(super) fn read(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (kind, name) = (call.capture("kind"), call.capture("name"));
    let known = of_kind(kind).is_some_and(|names| names.contains(&name));
    let built_in = kind == "secret" && BUILT_IN.iter().any(|engine| engine.kind() == name);
    if !known && !built_in {
        return Err(Refusal::missing().into());
    }
    let mut described = detail(kind, name);
    if let Value::Object(fields) = &mut described {
        fields.extend([
            ("args".to_owned(), Value::Null),
            ("command".to_owned(), "".into()),
            ("sha256".to_owned(), "".into()),
        ]);
    }
    Ok(Step::answer(Reply::data(&described)?))
}

pub(super) fn refuse(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::invalid("this server loads no plugins: engines and auth methods are built in").into())
}
