//! Reads while a hundred thousand leases come to their end, beside the same reads while nothing ends.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

use crate::Settings;
use crate::load::{Bounds, Work, fill, measure};
use crate::report::Rounds;
use crate::target::Target;
use crate::vault;

/// How many leases end.
const LEASES: u64 = 100_000;

/// How long each lives: longer than making all of them takes.
const TTL: Duration = Duration::from_secs(90);

/// How many may be left for all of them to have ended: the benchmark's own tokens.
const OWN_TOKENS_MAX: u64 = 4;

/// How long a round of reads lasts: short, so that several lie within the end of the leases.
const ROUND: Duration = Duration::from_secs(1);

/// Most rounds while leases end.
const ROUNDS_MAX: usize = 120;

/// How much higher the tail of reads may be while leases end.
const TAIL_RATIO_MAX: f64 = 2.0;

const CONNECTIONS: u64 = 64;
const SET: &str = "small";

/// Makes the leases, measures reads beside them, lets them end all at once, and measures reads until they are gone.
pub(crate) async fn run(settings: &Settings) -> Result<()> {
    let vault = Target::vault(&settings.program()?).await?;
    let secrets = settings.secrets(1_000);
    let body: Bytes = format!(r#"{{"data":{{"value":"{}"}}}}"#, "v".repeat(256)).into();
    fill(vault.endpoint(), CONNECTIONS, SET, secrets, &body).await?;
    let made_at = Instant::now();
    make_leases(&vault).await?;
    let last_end = Instant::now() + TTL;
    println!("made {LEASES} leases of {} s in {:.1} s", TTL.as_secs(), made_at.elapsed().as_secs_f64());
    ensure!(made_at.elapsed() < TTL, "making the leases took longer than they live");

    let reads = Work::Read { set: SET, secrets };
    let bounds = Bounds { requests: settings.bounds().requests, time: ROUND };
    let mut before = Rounds::new("reads while no lease ends");
    while Instant::now() + ROUND < last_end {
        before.add(measure(&vault, CONNECTIONS, &reads, bounds).await?);
    }
    tokio::time::sleep_until(last_end.into()).await;
    let held = vault::tokens(vault.endpoint()).await?;
    ensure!(held >= LEASES, "only {held} leases are left before the end");

    let ended_at = Instant::now();
    vault::tidy(vault.endpoint()).await?;
    let mut during = Rounds::new(format!("reads while {LEASES} leases end"));
    for _ in 0..ROUNDS_MAX {
        during.add(measure(&vault, CONNECTIONS, &reads, bounds).await?);
        if vault::tokens(vault.endpoint()).await? <= OWN_TOKENS_MAX {
            break;
        }
    }
    let left = vault::tokens(vault.endpoint()).await?;
    ensure!(left <= OWN_TOKENS_MAX, "{left} leases are left after {ROUNDS_MAX} rounds");
    println!("all of them were removed within {:.1} s\n", ended_at.elapsed().as_secs_f64());
    Rounds::print_head();
    before.print(&before);
    during.print(&before);
    let ratio = during.p99_microseconds() / before.p99_microseconds();
    let verdict = if ratio <= TAIL_RATIO_MAX { "reached" } else { "MISSED" };
    println!("p99 while leases end over p99 before: {ratio:.2} (at most {TAIL_RATIO_MAX:.0}: {verdict})");
    Ok(())
}

async fn make_leases(vault: &Target) -> Result<()> {
    let body = format!(r#"{{"ttl":"{}s"}}"#, TTL.as_secs()).into();
    let work = Work::Post { uri: "/v1/auth/token/create", body };
    let mut left = LEASES;
    while left > 0 {
        let bounds = Bounds { requests: left, time: TTL };
        measure(vault, CONNECTIONS, &work, bounds).await?;
        left = LEASES.saturating_sub(vault::tokens(vault.endpoint()).await.context("counting the leases")?);
    }
    Ok(())
}
