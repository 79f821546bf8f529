//! The paths of single settings, such as `role/<name>/secret-id-ttl`: each reads, writes or resets one.

use rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use super::role::{self, Ask};
use crate::engines::{Call, Step};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// A setting with a path of its own.
struct Setting {
    /// The last segment of the path.
    segment: &'static str,
    /// Its name in bodies and descriptions.
    name: &'static str,
    /// An older name.
    former: Option<&'static str>,
    /// Its value in a role that says nothing of it.
    initial: fn() -> Value,
}

const fn setting(segment: &'static str, name: &'static str, initial: fn() -> Value) -> Setting {
    Setting { segment, name, former: None, initial }
}

fn none() -> Value {
    json!([])
}

fn zero() -> Value {
    json!(0)
}

static SETTINGS: [Setting; 11] = [
    Setting { former: Some("policies"), ..setting("policies", "token_policies", none) },
    setting("bind-secret-id", "bind_secret_id", || Value::Bool(true)),
    Setting { former: Some("bound_cidr_list"), ..setting("secret-id-bound-cidrs", "secret_id_bound_cidrs", none) },
    setting("secret-id-num-uses", "secret_id_num_uses", zero),
    setting("secret-id-ttl", "secret_id_ttl", zero),
    setting("token-ttl", "token_ttl", zero),
    setting("token-max-ttl", "token_max_ttl", zero),
    setting("token-num-uses", "token_num_uses", zero),
    setting("token-bound-cidrs", "token_bound_cidrs", none),
    Setting { former: Some("period"), ..setting("period", "token_period", zero) },
    setting("local-secret-ids", "local_secret_ids", || Value::Bool(false)),
];

fn of_path(call: &Call<'_>) -> Result<&'static Setting, Refusal> {
    let segment = call.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    SETTINGS.iter().find(|setting| setting.segment == segment).ok_or_else(Refusal::unsupported)
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let setting = of_path(call)?;
    let described = role::existing(call, view)?.describe();
    let value = described.get(setting.name).cloned().unwrap_or_default();
    let names = [Some(setting.name), setting.former.filter(|name| *name != "bound_cidr_list")];
    let shown: Map<String, Value> = names.into_iter().flatten().map(|name| (name.to_owned(), value.clone())).collect();
    Ok(Step::answer(Reply::data(&shown)?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let setting = of_path(call)?;
    let body: Map<String, Value> = call.request.parse()?;
    let asked = body.get(setting.name).or_else(|| body.get(setting.former?));
    let asked = asked.filter(|value| !value.is_null());
    let asked = asked.cloned().ok_or_else(|| Refusal::invalid(format!("missing {}", setting.name)))?;
    set(call, setting, asked, view)
}

pub(super) fn delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let setting = of_path(call)?;
    set(call, setting, (setting.initial)(), view)
}

fn set(call: &Call<'_>, setting: &Setting, value: Value, view: &mut View) -> Result<Step, Interrupt> {
    let mut role = role::existing(call, view)?;
    let ask: Ask = serde_json::from_value(json!({ setting.name: value }))
        .map_err(|_| Refusal::invalid(format!("{} has the wrong type", setting.name)))?;
    role.apply(ask)?;
    Ok(Step::commit(Reply::Empty, vec![role::store(call, &role)?]))
}
