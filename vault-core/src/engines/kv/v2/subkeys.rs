//! `subkeys/`: the names inside a secret, without their values.

use serde_json::{Map, Value, json};

use super::data::{VersionMetadata, value, wanted};
use crate::engines::{Call, Step};
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::view::{Interrupt, View};

pub(super) fn read(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    let depth: u64 = match call.request.parameter("depth") {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| Refusal::invalid("'depth' is not a number"))?,
    };
    let (metadata, number, version) = wanted(call, path, view)?;
    let described = VersionMetadata::of(&metadata, number, &version);
    if !version.is_readable(call.now) {
        let data = json!({"subkeys": null, "metadata": described});
        return Ok(Step::answer(Reply::Gone(Content::data(&data)?)));
    }
    let value: Value = serde_json::from_slice(value(call, path, number, view)?)
        .map_err(|_| Refusal::invalid("the secret is nested too deeply to show its names"))?;
    let data = json!({"subkeys": names(&value, depth, 1), "metadata": described});
    Ok(Step::answer(Reply::data(&data)?).written_at(version.created_at))
}

/// Keeps names and drops values; a depth of 0 goes all the way down. serde_json bounds the nesting.
fn names(value: &Value, depth: u64, level: u64) -> Value {
    match value {
        Value::Object(fields) if !fields.is_empty() && (depth == 0 || level <= depth) => {
            let kept: Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), names(value, depth, level + 1))).collect();
            Value::Object(kept)
        }
        _ => Value::Null,
    }
}
