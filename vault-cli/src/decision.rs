//! What people look at before they decide about a request, checked against what they are about to sign.

use anyhow::Context;
use clap::Args;
use data_encoding::HEXLOWER;
use serde_json::Value;
use similar::TextDiff;
use vault_api::Client;
use vault_api::requests::{HeldAffected, HeldChange, HeldField, HeldIssuer, HeldRequest, HeldStanding, Said};
use vault_core::approval::{Statement, is_body, is_of_body};
use vault_core::charter::Digest;
use vault_core::envelope::{Envelope, Signature};
use vault_core::time::Timestamp;
use vault_custody::voice::four_words;

use crate::connect::{Format, Global};
use crate::failure::Failure;
use crate::memory::Encounter;
use crate::myself::Myself;
use crate::untrusted::{block, caution, mixed_words, one_line};
use crate::{input, output};

/// Most lines of a difference that are shown.
const DIFF_LINES_MAX: usize = 256;

/// How somebody decides.
#[derive(Args)]
pub(crate) struct Deciding {
    /// The request, as `keyturn requests` lists it
    pub(crate) id: String,
    #[command(flatten)]
    myself: Myself,
    /// Decide about the request with this digest and no other, without being asked
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
}

/// A request that was looked at.
pub(crate) struct Looked {
    pub(crate) held: HeldRequest,
    pub(crate) statement: Statement,
    digest: Digest,
}

impl Looked {
    /// Fetches a request, and checks that what is shown is what would be signed.
    pub(crate) async fn at(client: &Client, id: &str) -> Result<Self, Failure> {
        let held = client.held_request(id).await?;
        let statement = Statement::parse(held.statement.as_bytes()).context("the statement that the server sent")?;
        let digest = Digest::of(held.statement.as_bytes());
        if digest.to_string() != held.digest || statement.request != held.summary.id {
            return Err(lies("its digest or its name is not that of its statement"));
        }
        if let Some(body) = &held.shown.body {
            let salt = held.salt.as_deref().and_then(|salt| HEXLOWER.decode(salt.as_bytes()).ok());
            let salt: Option<[u8; 32]> = salt.and_then(|salt| salt.try_into().ok());
            if !salt.is_some_and(|salt| is_body(&statement, &salt, body.as_bytes())) {
                return Err(lies("what it shows of the change is not what the statement is about"));
            }
            let fields = held.shown.fields.iter();
            let fields = fields.map(|field| (field.name.as_str(), field.change.as_str(), field.after.as_ref()));
            if !is_of_body(body.as_bytes(), fields) {
                return Err(lies("the fields that it shows are not those of the change"));
            }
        }
        Ok(Self { held, statement, digest })
    }

    /// Writes everything that a decision is about. What the requester wrote is set apart.
    pub(crate) fn describe(&self) -> String {
        let Self { held, statement, digest } = self;
        let who = match &statement.requester.person {
            Some(person) => format!("{} (login {})", one_line(person), one_line(&statement.requester.name)),
            None => one_line(&statement.requester.name),
        };
        let ends = Timestamp(statement.expires_at_seconds.saturating_mul(1_000_000_000));
        let mut lines = vec![
            format!("request  {}  ({})", one_line(&held.summary.id), one_line(&held.summary.state)),
            format!("what     {} {}", one_line(&statement.operation), one_line(&statement.path)),
            format!("who      {who}"),
            format!("ends     {ends}, uses {}", statement.uses),
        ];
        lines.extend(held.issued_by.iter().map(|hands| issuers(hands)));
        if statement.version == "latest" {
            lines.push("version  whatever is there when it is used".to_owned());
        }
        if statement.parameters.is_some() {
            lines.push("CAREFUL  it has query parameters, which are not shown: ask what they are".to_owned());
        }
        if statement.body.is_some() && held.shown.body.is_none() {
            lines.push("CAREFUL  not all of what it writes is shown: what is, the server says".to_owned());
        }
        lines.extend(caution(&statement.path).map(|text| format!("CAREFUL  the path: {text}")));
        lines.extend(caution(&statement.requester.name).map(|text| format!("CAREFUL  the name: {text}")));
        if statement.reason.is_empty() {
            lines.push("reason   none given".to_owned());
        } else {
            lines.push(format!("reason   in the requester's words:\n{}", block(&statement.reason)));
            lines.extend(mixed_words(&statement.reason).map(|text| format!("CAREFUL  the reason: {text}")));
        }
        if let Some(denial) = &held.shown.earlier_denial {
            let by = one_line(&denial.by);
            lines.push(format!(
                "BEFORE   {by} denied the same at {}:\n{}",
                one_line(&denial.at),
                block(&denial.reason)
            ));
        }
        lines.extend(change(&held.shown));
        lines.push(affects(&held.affects));
        lines.extend(standing(&held.standing));
        for comment in &held.comments {
            lines.push(format!(
                "remark   {} at {}:\n{}",
                one_line(&comment.by),
                one_line(&comment.at),
                block(&comment.text)
            ));
        }
        lines.extend(held.how_it_ended.iter().map(|text| format!("ended    {}", one_line(text))));
        lines.push(format!("words    {}   (whoever decides reads the same)", four_words(digest)));
        lines.push(format!("digest   {digest}"));
        lines.join("\n")
    }
}

/// Says through whose hands the login that asks came.
fn issuers(hands: &[HeldIssuer]) -> String {
    let name = |hand: &HeldIssuer| one_line(hand.person.as_ref().or(hand.name.as_ref()).unwrap_or(&hand.entity));
    let names: Vec<String> = hands.iter().map(name).collect();
    let by = if names.is_empty() { "a root token".to_owned() } else { names.join(", ") };
    format!("login    handed out by {by}")
}

/// Says whom a request concerns.
fn affects(affected: &HeldAffected) -> String {
    let named = |names: &[String], count: usize| {
        let names: Vec<String> = names.iter().map(|name| one_line(name)).collect();
        let more = if count > names.len() { " and more" } else { "" };
        if names.is_empty() { String::new() } else { format!(" ({}{more})", names.join(", ")) }
    };
    let policies = named(&affected.policies, affected.policy_count);
    let groups = named(&affected.groups, affected.group_count);
    let at_least = if affected.is_incomplete { "at least " } else { "" };
    let (policy_count, group_count) = (affected.policy_count, affected.group_count);
    format!("affects  {at_least}{policy_count} policies{policies}, {group_count} groups{groups}")
}

/// Says whose turn it is.
pub(crate) fn standing(standing: &HeldStanding) -> Vec<String> {
    let factors = standing.rules.iter().flat_map(|rule| &rule.factors);
    let line = |factor: &vault_api::requests::HeldFactor| {
        let by: Vec<String> = factor.approved_by.iter().map(|name| one_line(name)).collect();
        let so_far = if by.is_empty() { "nobody so far".to_owned() } else { format!("so far {}", by.join(", ")) };
        format!("needs    {}: {so_far}", one_line(&factor.needed))
    };
    factors.map(line).collect()
}

fn change(shown: &HeldChange) -> Vec<String> {
    shown.fields.iter().map(field).collect()
}

fn field(field: &HeldField) -> String {
    let (name, kind) = (one_line(&field.name), one_line(&field.change));
    let as_text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    match (as_text(&field.before), as_text(&field.after)) {
        (before, Some(after)) if after.contains('\n') || before.as_ref().is_some_and(|text| text.contains('\n')) => {
            format!("change   {name}: {kind}\n{}", difference(&before.unwrap_or_default(), &after))
        }
        _ => {
            let value = |value: &Option<Value>| value.as_ref().map(|value| one_line(&output::text(value)));
            let shown = match (value(&field.before), value(&field.after)) {
                (Some(before), Some(after)) => format!("{before} -> {after}"),
                (Some(value), None) | (None, Some(value)) => value,
                (None, None) => "(not shown)".to_owned(),
            };
            format!("change   {name}: {kind} {shown}")
        }
    }
}

/// Writes the lines that go and come.
fn difference(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut lines: Vec<String> = Vec::new();
    for change in diff.iter_all_changes() {
        lines.push(format!(
            "  {} {}",
            change.tag(),
            block(change.value().trim_end_matches('\n')).trim_start_matches("  | ")
        ));
    }
    if lines.len() > DIFF_LINES_MAX {
        lines.truncate(DIFF_LINES_MAX);
        lines.push("  ... more lines: keyturn requests show ID --format json".to_owned());
    }
    lines.join("\n")
}

impl Deciding {
    /// Shows a request, asks, and gives what is to be sent: signed, if a key was given.
    ///
    /// # Errors
    /// Fails when the person does not say yes, or the vault is not the one they know.
    pub(crate) async fn look_and_sign(
        &self,
        client: &Client,
        payload_type: &str,
        question: &str,
        global: &Global,
    ) -> Result<(Looked, Said), Failure> {
        let looked = Looked::at(client, &self.id).await?;
        self.check_vault(client, &looked).await?;
        if global.format == Format::Text {
            eprintln!("{}\n", looked.describe());
        }
        self.confirm(&looked, question)?;
        let digest = Some(looked.digest.to_string());
        if !self.myself.is_given() {
            return Ok((looked, Said { digest, ..Said::default() }));
        }
        let mut envelope = Envelope::new(payload_type, looked.held.statement.as_bytes());
        let bytes = self.myself.sign(&envelope.signed_bytes())?.as_bytes().to_vec();
        envelope.add(Signature { key_id: self.myself.fingerprint()?, bytes });
        let envelope = serde_json::from_str(&envelope.to_json()).map_err(anyhow::Error::from)?;
        Ok((looked, Said { digest, envelope: Some(envelope), ..Said::default() }))
    }

    /// Checks that the statement is about the vault that answers, and that it is the one this machine knows.
    async fn check_vault(&self, client: &Client, looked: &Looked) -> Result<(), Failure> {
        let person = self.myself.is_given().then(|| self.myself.fingerprint()).transpose()?;
        let encounter = Encounter::with(client, person.as_deref()).await?;
        let custody = encounter.custody();
        let in_force = custody.charter.as_ref().map(|charter| charter.digest.as_str());
        if looked.statement.vault != custody.vault.replace('-', "") {
            return Err(lies("its statement is about another vault"));
        }
        if looked.statement.charter.as_ref().map(|charter| charter.digest.as_str()) != in_force {
            return Err(Failure::refused(
                "the request was made under another charter than the one in force; it has to be asked anew".to_owned(),
            ));
        }
        for doubt in encounter.doubts() {
            eprintln!("warning: {doubt}");
        }
        encounter.remember(false)
    }

    fn confirm(&self, looked: &Looked, question: &str) -> Result<(), Failure> {
        if let Some(meant) = &self.digest {
            if *meant == looked.digest.to_string() {
                return Ok(());
            }
            return Err(Failure::refused(format!("the request has the digest {}, not {meant}", looked.digest)));
        }
        if !input::is_terminal() {
            return Err(Failure::usage(
                "nobody is asked without a terminal: look with keyturn requests show, then add --digest DIGEST",
            ));
        }
        match input::line(&format!("{question} Type yes")).as_deref() {
            Some("yes") => Ok(()),
            _ => Err(Failure::refused("nothing was sent".to_owned())),
        }
    }
}

fn lies(how: &str) -> Failure {
    Failure::refused(format!("the server does not tell the truth about this request: {how}. Tell the custodians"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_shown_as_lines_that_go_and_come() {
        let text = difference("path \"a\" {\n  read\n}\n", "path \"a\" {\n  read\n  write\u{202e}\n}\n");
        assert_eq!(text, "    path \"a\" {\n      read\n  +   write\\u{202e}\n    }");
        let hidden = HeldField { name: "data.pw".to_owned(), change: "changed".to_owned(), before: None, after: None };
        assert_eq!(field(&hidden), "change   data.pw: changed (not shown)");
    }

    fn looked(change: &str) -> Looked {
        let statement = serde_json::json!({
            "format": 1, "vault": "", "charter": null, "request": "r", "nonce": "",
            "requester": {"entity": "e", "name": "ann", "person": null}, "operation": "write\u{1b}[2J", "path": "sys/x",
            "parameters": "sha256:00", "body": "sha256:00", "wrap_ttl_seconds": null, "version": "latest", "policy": "",
            "reason": "", "uses": 1, "created_at_seconds": 0, "expires_at_seconds": 0,
        });
        let held = serde_json::json!({
            "id": "r", "state": "open\u{1b}[2J", "operation": "write", "path": "sys/x",
            "requester": {"entity": "e", "name": "ann"}, "created_at": "", "expires_at": "", "statement": "", "digest": "",
            "uses_left": 1, "your_part": "approver", "standing": {"is_approved": false, "rules": []},
            "shown": {"fields": [{"name": "a", "change": change}],
                "earlier_denial": {"request": "q", "by": "b", "reason": "r", "at": "\u{1b}[1A"}},
            "issued_by": [{"entity": "e", "name": "ben\u{1b}[1A"}],
            "comments": [{"by": "b", "at": "\u{1b}[1A", "text": "t"}],
        });
        let statement = Statement::parse(statement.to_string().as_bytes()).unwrap();
        Looked { held: serde_json::from_value(held).unwrap(), statement, digest: Digest::of(b"") }
    }

    #[test]
    fn nothing_that_a_server_says_moves_the_cursor_and_what_is_not_shown_is_told() {
        let shown = looked("new\u{1b}[1A").describe();
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert!(shown.contains("query parameters, which are not shown"), "{shown}");
        assert!(shown.contains("not all of what it writes is shown"), "{shown}");
        assert!(shown.contains("login    handed out by ben"), "{shown}");
    }
}
