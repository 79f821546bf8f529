//! Writes answers: for people by default, as the server sent them for machines.

use std::io::Write;

use serde_json::Value;
use vault_api::Reply;

use crate::connect::Format;
use crate::failure::Failure;

/// Writes an answer. `done` is what a person is told when there is nothing to show.
pub(crate) fn reply(format: Format, reply: &Reply, done: &str) -> Result<(), Failure> {
    if format == Format::Json {
        return line(if reply.is_empty() { "{}" } else { reply.expose() });
    }
    if reply.is_empty() {
        return line(done);
    }
    let envelope = reply.envelope()?;
    for warning in envelope.warnings.unwrap_or_default() {
        eprintln!("note: {warning}");
    }
    if let Some(held) = envelope.wrap_info.as_ref().filter(|wrapped| wrapped.held) {
        return line(&format!("Next, once they do: keyturn redeem {}", held.accessor));
    }
    if let Some(wrapped) = envelope.wrap_info {
        line(&format!("wrapping_token  {}", wrapped.token.expose()))?;
        line(&format!("ttl             {}s", wrapped.ttl))?;
        line(&format!("creation_path   {}", wrapped.creation_path))?;
        return line("Next: whoever shall have it runs keyturn unwrap");
    }
    if let Some(auth) = envelope.auth {
        line(&format!("token           {}", auth.client_token.expose()))?;
        line(&format!("accessor        {}", auth.accessor))?;
        line(&format!("policies        {}", auth.policies.join(", ")))?;
        return line(&format!("lease_duration  {}s", auth.lease_duration));
    }
    match envelope.data {
        Some(data) => value(&serde_json::from_str(data.expose()).map_err(anyhow::Error::from)?),
        None => line(done),
    }
}

/// Writes a value for people: a list line by line, an object as a table.
pub(crate) fn value(value: &Value) -> Result<(), Failure> {
    match value {
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("keys") => {
            let keys = fields.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
            keys.iter().try_for_each(|key| line(&text(key)))
        }
        Value::Object(fields) => {
            let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
            fields.iter().try_for_each(|(name, value)| line(&format!("{name:width$}  {}", text(value))))
        }
        other => line(&text(other)),
    }
}

/// Writes a text without its quotes, and anything else as JSON.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Writes a line; a reader that has gone away is no failure.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
