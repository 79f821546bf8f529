//! Answers of LIST: all names, and with ids a word about each.

use serde_json::{Map, Value, json};

use super::{Call, Step};
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};

/// Most ids of one answer that say a word about each; for entities every word costs a row.
pub(super) const KEY_INFO_MAX: usize = 1_000;

/// Chooses what `after` and `limit` ask for among sorted names.
pub(super) fn page(call: &Call<'_>, names: &[String]) -> Result<Vec<String>, Refusal> {
    let after = call.request.parameter("after").unwrap_or_default();
    let limit = match call.request.parameter("limit") {
        None | Some("" | "-1" | "0") => usize::MAX,
        Some(text) => text.parse().map_err(|_| Refusal::invalid("'limit' is not a number"))?,
    };
    let page: Vec<String> = names.iter().filter(|name| name.as_str() > after).take(limit).cloned().collect();
    if page.is_empty() { Err(Refusal::missing()) } else { Ok(page) }
}

/// Answers names alone.
pub(super) fn names(keys: &[String]) -> Result<Step, Refusal> {
    Ok(Step::answer(Reply::data(&json!({ "keys": keys }))?))
}

/// Answers ids with a word about each, or without if there are too many.
pub(super) fn with_info(keys: &[String], info: Option<Map<String, Value>>) -> Result<Step, Refusal> {
    let Some(info) = info else {
        let warning = format!("key_info is left out of lists of more than {KEY_INFO_MAX}; ask for less with 'limit'");
        let content = Content::data(&json!({ "keys": keys }))?;
        return Ok(Step::answer(Reply::Content(Content { warnings: vec![warning], ..content })));
    };
    Ok(Step::answer(Reply::data(&json!({ "keys": keys, "key_info": info }))?))
}
