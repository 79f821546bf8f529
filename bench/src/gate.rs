//! What two-person access costs: reads that no rule holds back, with and without rules elsewhere, and approvals while ten
//! thousand requests are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::Settings;
use crate::client::{Call, Connection, Endpoint};
use crate::load::{Work, fill, measure, measure_as};
use crate::report::Rounds;
use crate::target::Target;
use crate::vault;

/// How many requests are open while approvals are measured.
const OPEN: usize = 10_000;

/// How many more are open at first: these are approved.
const APPROVED: usize = 4_000;

/// Each requester has at most so many open.
const OPEN_OF_EACH: usize = 32;

/// How many rules the second token has on other paths.
const RULES: usize = 16;

/// How much dearer a read may be that no rule holds back.
const COST_RATIO_MAX: f64 = 1.05;

/// Fewest approvals in a second.
const APPROVALS_MIN: f64 = 1_000.0;

const CONNECTIONS: u64 = 64;
const SET: &str = "small";

/// Measures both.
pub(crate) async fn run(settings: &Settings) -> Result<()> {
    let vault = Target::vault(&settings.program()?).await?;
    let secrets = settings.secrets(1_000);
    let body: Bytes = format!(r#"{{"data":{{"value":"{}"}}}}"#, "v".repeat(256)).into();
    fill(vault.endpoint(), CONNECTIONS, SET, secrets, &body).await?;
    let ruled = vault.endpoint().with_token(&vault::token_with_rules(vault.root()?, RULES).await?)?;
    let work = Work::Read { set: SET, secrets };
    let mut without = Rounds::new("reads, no rule in the token's policies");
    let mut with = Rounds::new(format!("reads, {RULES} rules on other paths"));
    for _ in 0..settings.rounds() {
        without.add(measure(&vault, CONNECTIONS, &work, settings.bounds()).await?);
        with.add(measure_as(&vault, &ruled, CONNECTIONS, &work, settings.bounds()).await?);
    }
    Rounds::print_head();
    without.print(&without);
    with.print(&without);
    let ratio = with.cpu_microseconds() / without.cpu_microseconds();
    let verdict = if ratio <= COST_RATIO_MAX { "reached" } else { "MISSED" };
    println!("CPU with rules elsewhere over without: {ratio:.3} (at most {COST_RATIO_MAX}: {verdict})\n");
    approvals(&vault).await
}

async fn approvals(vault: &Target) -> Result<()> {
    let crowd = vault::crowd(vault.root()?, (OPEN + APPROVED).div_ceil(OPEN_OF_EACH)).await?;
    let began = Instant::now();
    let mut accessors = Vec::new();
    for (number, requester) in crowd.requesters.iter().enumerate() {
        let ask = |place: usize| -> Result<Call> {
            let uri = format!("/v1/secret/data/guarded/{number}/{place}").try_into()?;
            Ok(Call { method: Method::GET, uri, body: Bytes::new() })
        };
        let calls = (0..OPEN_OF_EACH).map(ask).collect::<Result<Vec<_>>>()?;
        for answer in send_all(&vault.endpoint().with_token(requester)?, calls).await? {
            let answer: Value = serde_json::from_slice(&answer)?;
            let accessor = answer.pointer("/wrap_info/accessor").and_then(Value::as_str);
            accessors.push(accessor.context("a request was not held back")?.to_owned());
        }
    }
    println!("{} requests are open, made in {:.1} s", accessors.len(), began.elapsed().as_secs_f64());
    ensure!(accessors.len() >= OPEN + APPROVED, "too few requests are open");
    let agree = |accessor: &String| -> Result<Call> {
        let body = format!(r#"{{"accessor":"{accessor}"}}"#).into();
        Ok(Call { method: Method::POST, uri: "/v1/sys/control-group/authorize".try_into()?, body })
    };
    let calls = accessors.iter().take(APPROVED).map(agree).collect::<Result<Vec<_>>>()?;
    let cpu_before = vault.server().cpu_time()?;
    let began = Instant::now();
    let answers = send_all(&vault.endpoint().with_token(&crowd.approver)?, calls).await?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = vault.server().cpu_time()?.saturating_sub(cpu_before);
    let is_approved = |answer: &Bytes| String::from_utf8_lossy(answer).contains("\"approved\":true");
    ensure!(answers.iter().all(is_approved), "an approval did not count");
    let rate = APPROVED as f64 / seconds;
    let verdict = if rate >= APPROVALS_MIN { "reached" } else { "MISSED" };
    println!(
        "approvals while {OPEN} others are open: {rate:.0} a second, {:.1} µs of CPU each (at least {APPROVALS_MIN:.0}: {verdict})",
        cpu.as_secs_f64() * 1e6 / APPROVED as f64
    );
    Ok(())
}

/// Sends each call once, through many connections, and gives the answers in any order.
async fn send_all(endpoint: &Endpoint, calls: Vec<Call>) -> Result<Vec<Bytes>> {
    let (calls, next) = (Arc::new(calls), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS.min(calls.len() as u64) {
        let (endpoint, calls, next) = (endpoint.clone(), Arc::clone(&calls), Arc::clone(&next));
        workers.spawn(async move {
            let send = |mut connection: Connection| async move {
                let mut answers = Vec::new();
                while let Some(call) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                    answers.push(connection.send_well(call.clone()).await?);
                }
                Ok(answers)
            };
            endpoint.run(send).await
        });
    }
    let mut all = Vec::new();
    while let Some(worker) = workers.join_next().await {
        all.extend(worker??);
    }
    Ok(all)
}
