//! Kills the server in the middle of concurrent writes and checks what it promised: every acknowledged write is
//! there after the restart, and its audit record was durable before.
//!
//! A kill ends the process and not the machine, so that this shows the order of the effects and the recovery of the
//! files; lost power is simulated against the storage and log adapters.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::https::Connection;
use tests::server::{Home, Server, audit_text};
use tests::vault::{Keys, initialise, mount_key_value, unseal};

/// How many times the server is killed, unless `KEYTURN_CRASH_ROUNDS` says otherwise.
const ROUNDS: usize = 50;

/// How many connections write at once.
const WRITERS: usize = 8;

/// The kill comes after this many acknowledged writes, plus the number of the round modulo [`KILL_SPREAD`], so that
/// it meets the writers in ever other places.
const ACKNOWLEDGED_BEFORE_KILL_MIN: usize = 20;

/// See [`ACKNOWLEDGED_BEFORE_KILL_MIN`].
const KILL_SPREAD: usize = 37;

/// Most writes of one writer in one round, should the kill fail to end it.
const WRITES_PER_ROUND_MAX: usize = 10_000;

/// A write that the server acknowledged.
struct Acknowledged {
    path: String,
    value: String,
    version: u64,
    request_id: String,
}

/// Everything acknowledged so far, over all rounds.
#[derive(Default)]
struct Promises {
    /// Secrets written once each: their value.
    once: BTreeMap<String, String>,
    /// Secrets written with check-and-set over and over: the highest acknowledged version, and its value.
    counted: BTreeMap<String, (u64, String)>,
    request_ids: BTreeSet<String>,
}

#[test]
fn no_acknowledged_write_is_lost_by_a_kill() -> Result<()> {
    let rounds = match std::env::var("KEYTURN_CRASH_ROUNDS") {
        Ok(text) => text.parse().context("KEYTURN_CRASH_ROUNDS is no number")?,
        Err(_) => ROUNDS,
    };
    let mut server = Server::start()?;
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 3, 2)?;
    unseal(&mut connection, &keys)?;
    connection.authorise(&keys.root_token);
    mount_key_value(&mut connection, "secret", 2)?;

    let mut promises = Promises::default();
    for round in 0..rounds {
        server = crash_and_recover(server, &keys, round, &mut promises).with_context(|| format!("round {round}"))?;
    }
    let mut connection = server.connect()?;
    connection.authorise(&keys.root_token);
    check_secrets(&mut connection, &promises, promises.once.keys())
}

/// Writes, kills, restarts, and checks everything about this round.
fn crash_and_recover(server: Server, keys: &Keys, round: usize, promises: &mut Promises) -> Result<Server> {
    let mut versions = Vec::new();
    let mut connection = server.connect()?;
    connection.authorise(&keys.root_token);
    for writer in 0..WRITERS {
        versions.push(current_version(&mut connection, &counted_path(writer))?);
    }
    let (home, acknowledged) = write_until_killed(server, keys, round, &versions)?;
    ensure!(acknowledged.len() >= ACKNOWLEDGED_BEFORE_KILL_MIN, "the writers stopped before the kill");

    // Before the restart, so that the server cannot make up for records that were missing. The kill may have cut the
    // last line short.
    let at_kill = audit_text(&home)?;
    let whole = at_kill.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut new_paths = Vec::new();
    let mut request_ids = BTreeSet::new();
    for write in acknowledged {
        request_ids.insert(write.request_id);
        if write.path.contains("/counted-") {
            let best = promises.counted.entry(write.path).or_default();
            if write.version > best.0 {
                *best = (write.version, write.value);
            }
        } else {
            ensure!(write.version == 1, "{} was written once and has version {}", write.path, write.version);
            new_paths.push(write.path.clone());
            promises.once.insert(write.path, write.value);
        }
    }
    ensure!(request_ids.is_disjoint(&promises.request_ids), "a request id was used twice");
    promises.request_ids.extend(request_ids);
    check_audit(whole, &promises.request_ids).context("the audit log as the kill left it")?;

    let server = home.start().context("restart after the kill")?;
    let mut connection = server.connect()?;
    unseal(&mut connection, keys)?;
    connection.authorise(&keys.root_token);
    check_secrets(&mut connection, promises, new_paths.iter())?;
    let after = audit_text(server.home())?;
    ensure!(after.starts_with(whole), "the restart changed whole lines of the audit log");
    check_audit(&after, &promises.request_ids).context("the audit log after the restart")?;
    Ok(server)
}

/// Lets all writers run, kills the server in their midst, and collects what was acknowledged.
fn write_until_killed(
    server: Server,
    keys: &Keys,
    round: usize,
    versions: &[u64],
) -> Result<(Home, Vec<Acknowledged>)> {
    let (sender, receiver) = mpsc::channel();
    let mut writers = Vec::new();
    for (number, version) in versions.iter().enumerate() {
        let mut writer = Writer {
            address: server.address(),
            authority_file: server.authority_file(),
            token: keys.root_token.clone(),
            name: format!("round-{round}-writer-{number}"),
            counted: counted_path(number),
            version: *version,
            sender: sender.clone(),
        };
        writers.push(std::thread::spawn(move || writer.run()));
    }
    drop(sender);
    let wanted = ACKNOWLEDGED_BEFORE_KILL_MIN + round % KILL_SPREAD;
    let mut acknowledged: Vec<_> = receiver.iter().take(wanted).collect();
    let home = server.kill()?;
    acknowledged.extend(receiver.iter());
    for writer in writers {
        let ended = writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?;
        ended.context("a writer was refused")?;
    }
    Ok((home, acknowledged))
}

struct Writer {
    address: SocketAddr,
    authority_file: PathBuf,
    token: String,
    name: String,
    counted: String,
    version: u64,
    sender: Sender<Acknowledged>,
}

impl Writer {
    /// Writes new secrets and new versions by turns until the connection breaks. A broken connection is the kill;
    /// an answer that is not 200 is a failure.
    fn run(&mut self) -> Result<()> {
        let Ok(mut connection) = Connection::open(self.address, &self.authority_file) else { return Ok(()) };
        connection.authorise(&self.token);
        for number in 0..WRITES_PER_ROUND_MAX {
            let value = format!("{}-value-{number}", self.name);
            let (path, body) = if number % 2 == 0 {
                (format!("crash/{}/{number}", self.name), json!({"data": {"value": value}}))
            } else {
                (self.counted.clone(), json!({"data": {"value": value}, "options": {"cas": self.version}}))
            };
            let Ok(reply) = connection.post(&format!("secret/data/{path}"), &body) else { return Ok(()) };
            let reply = reply.expect_status(200)?;
            let version = reply.number("/data/version")?;
            if number % 2 == 1 {
                ensure!(version == self.version + 1, "{path}: version {version} follows {}", self.version);
                self.version = version;
            }
            let request_id = reply.text("/request_id")?;
            // The receiver is there until every writer has ended.
            let _received = self.sender.send(Acknowledged { path, value, version, request_id });
        }
        Ok(())
    }
}

fn counted_path(writer: usize) -> String {
    format!("crash/counted-{writer}")
}

/// Gives the version that check-and-set must name; zero for a secret that is not there.
fn current_version(connection: &mut Connection, path: &str) -> Result<u64> {
    let reply = connection.get(&format!("secret/metadata/{path}"))?;
    if reply.status == 404 { Ok(0) } else { reply.expect_status(200)?.number("/data/current_version") }
}

/// Reads the secrets at `paths`, which were written once each, and every secret that was written over and over.
fn check_secrets<'a>(
    connection: &mut Connection,
    promises: &Promises,
    paths: impl Iterator<Item = &'a String>,
) -> Result<()> {
    for path in paths {
        let reply = connection.get(&format!("secret/data/{path}"))?;
        let reply = reply.expect_status(200).with_context(|| format!("{path} was acknowledged and is lost"))?;
        ensure!(promises.once.get(path) == Some(&reply.text("/data/data/value")?), "{path} has another value");
    }
    for (path, (version, value)) in &promises.counted {
        let current = current_version(connection, path)?;
        // At most one write of each writer was under way at the kill: it may be done or not, nothing else.
        let allowed = *version..=version + 1;
        ensure!(allowed.contains(&current), "{path}: version {version} was acknowledged, {current} is current");
        let reply = connection.get(&format!("secret/data/{path}?version={version}"))?.expect_status(200)?;
        ensure!(reply.text("/data/data/value")? == *value, "{path}: version {version} has another value");
    }
    Ok(())
}

/// Checks that every line is a whole record, numbered without gap or repetition, and that the log holds exactly one
/// intent for each attempt of a request, and one for each acknowledged request.
fn check_audit(text: &str, acknowledged: &BTreeSet<String>) -> Result<()> {
    let mut last_number = None;
    let mut intents = BTreeSet::new();
    let mut attempts = BTreeSet::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).with_context(|| format!("a torn line: {line:?}"))?;
        let number = record.get("number").and_then(Value::as_u64).with_context(|| format!("no number: {line}"))?;
        let follows = last_number.is_none_or(|last: u64| last.checked_add(1) == Some(number));
        ensure!(follows, "record {number} follows {last_number:?}");
        last_number = Some(number);
        if record.get("kind").and_then(Value::as_str) == Some("request") {
            let id = record.get("id").and_then(Value::as_str).with_context(|| format!("no id: {line}"))?;
            // A request that met another writer's commit starts over under the next attempt's number.
            let attempt = record.get("attempt").and_then(Value::as_u64).unwrap_or(1);
            ensure!(attempts.insert((id.to_owned(), attempt)), "request {id} has two intents of attempt {attempt}");
            intents.insert(id.to_owned());
        }
    }
    let missing: Vec<_> = acknowledged.difference(&intents).take(5).collect();
    ensure!(missing.is_empty(), "acknowledged without a record: {missing:?}");
    Ok(())
}

#[test]
fn the_check_of_the_log_notices_what_it_must() {
    let acknowledged = BTreeSet::from(["a".to_owned()]);
    let good = "{\"number\":7,\"kind\":\"request\",\"id\":\"a\"}\n{\"number\":8,\"kind\":\"response\",\"id\":\"a\"}\n";
    assert!(check_audit(good, &acknowledged).is_ok());
    for bad in [
        "",
        "{\"number\":7,\"kind\":\"response\",\"id\":\"a\"}\n",
        "{\"number\":7,\"kind\":\"request\",\"id\":\"a\"}\n{\"number\":9,\"kind\":\"response\",\"id\":\"a\"}\n",
        "{\"number\":7,\"kind\":\"request\",\"id\":\"a\"}\n{\"number\":8,\"kind\":\"request\",\"id\":\"a\"}\n",
        "{\"number\":7,\"kind\":\"request\",\"id\":\"a\"}\n{\"number\":8,\"ki",
    ] {
        assert!(check_audit(bad, &acknowledged).is_err(), "{bad}");
    }
}
