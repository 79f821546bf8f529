//! `keyturn limit`: beyond which values people are told, and beyond which acts are refused.

use std::time::SystemTime;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use vault_core::time::Span;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::output;
use crate::untrusted::one_line;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the limits and what they allow now
    List,
    /// Show a limit, who has raised it, until when and why
    Read {
        /// Its name
        name: String,
    },
    /// Make a limit, or change its values; a hard one only goes down by this
    Write(Writing),
    /// Raise a hard limit for a time, or take it away for a time
    Raise(Raising),
    /// Remove a limit; one with a hard value only for a time
    Remove(Removing),
}

#[derive(Args)]
pub(crate) struct Writing {
    /// Its name
    name: String,
    /// What it limits, such as reads_per_hour; for a new limit
    #[arg(long)]
    metric: Option<String>,
    /// The paths that it holds for, written as in policies; for a new limit
    #[arg(long, value_name = "PATTERN")]
    path: Option<String>,
    /// Beyond it people are told
    #[arg(long)]
    soft: Option<u64>,
    /// Beyond it the act is refused
    #[arg(long)]
    hard: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Raising {
    /// Its name
    name: String,
    /// What is allowed meanwhile; no bound at all if left out
    #[arg(long)]
    hard: Option<u64>,
    /// For how long, such as 8h or 3d; 30 days at most
    #[arg(long = "for", value_name = "TIME")]
    span: String,
}

#[derive(Args)]
pub(crate) struct Removing {
    /// Its name
    name: String,
    /// For how long, where it has a hard value, such as 8h or 3d; 30 days at most
    #[arg(long = "for", value_name = "TIME")]
    span: Option<String>,
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<(), Failure> {
    let client = global.caller().await?;
    let path = |name: &str| format!("sys/limits/{name}");
    match command {
        Command::List => {
            let reply = client.list("sys/limits").await?;
            if global.format == Format::Json {
                return output::reply(global.format, &reply, "");
            }
            let data: Value = reply.data()?;
            let limits = data.get("key_info").and_then(Value::as_object).cloned().unwrap_or_default();
            let width = limits.keys().map(String::len).max().unwrap_or(0);
            limits.iter().try_for_each(|(name, limit)| output::line(&format!("{name:width$}  {}", summary(limit))))
        }
        Command::Read { name } => output::reply(global.format, &client.read(&path(&name)).await?, ""),
        Command::Write(writing) => {
            let mut body = Map::new();
            let fields = [
                ("metric", writing.metric.map(Value::from)),
                ("path", writing.path.map(Value::from)),
                ("soft", writing.soft.map(Value::from)),
                ("hard", writing.hard.map(Value::from)),
            ];
            body.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            let reply = client.write(&path(&writing.name), &body).await?;
            output::reply(global.format, &reply, &format!("Limit {} is in force.", writing.name))
        }
        Command::Raise(Raising { name, hard, span }) => raise(&name, hard, &span, global).await,
        Command::Remove(Removing { name, span: Some(span) }) => raise(&name, None, &span, global).await,
        Command::Remove(Removing { name, span: None }) => {
            let reply = client.delete(&path(&name)).await?;
            output::reply(global.format, &reply, &format!("Limit {name} is removed."))
        }
    }
}

/// Raises a hard limit; none takes it away.
async fn raise(name: &str, hard: Option<u64>, span: &str, global: &Global) -> Result<(), Failure> {
    let reason = global.reason.clone();
    let reason =
        reason.ok_or_else(|| Failure::usage("say why, for those who agree and for the record: --reason TEXT"))?;
    let span = Span::parse(span).map_err(|error| Failure::usage(format!("--for: {error}")))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock")?;
    let body = json!({ "hard": hard, "until": now.as_secs().saturating_add(span.0), "reason": reason });
    let reply = global.caller().await?.write(&format!("sys/limits/{name}"), &body).await?;
    output::reply(global.format, &reply, &format!("Limit {name} is raised; the old one comes back by itself."))
}

fn summary(limit: &Value) -> String {
    let text = |name: &str| limit.get(name).map(output::text).unwrap_or_default();
    let bound =
        |name: &str| limit.get(name).filter(|value| !value.is_null()).map_or_else(|| "-".to_owned(), output::text);
    let path = one_line(&text("path"));
    let path = if path.is_empty() { String::new() } else { format!(" of {path}") };
    let raised = limit.get("raised").and_then(|raised| raised.get("until")).map(output::text);
    let raised = raised.map(|until| format!(", raised until {until}")).unwrap_or_default();
    let default = if limit.get("is_default") == Some(&Value::Bool(true)) { "  (default)" } else { "" };
    format!("{}{path}  soft {}  hard {}{raised}{default}", text("metric"), bound("soft"), bound("hard_now"))
}
