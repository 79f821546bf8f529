//! What the two commands measure, in which order.

use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{Method, StatusCode};

use crate::Settings;
use crate::client::Call;
use crate::load::{Work, fill, measure, secret_uri};
use crate::report::{Rounds, median};
use crate::target::{Home, Target};
use crate::vault;

/// The sets of secrets: a name, and how many bytes their values have.
const SETS: [(&str, usize); 2] = [("small", 256), ("large", 4096)];

/// Connections of the two measured loads.
const CONNECTIONS: [u64; 2] = [16, 64];

/// Connections through which secrets are loaded.
const FILL_CONNECTIONS: u64 = 64;

/// How many secrets `load` loads, and of how many the footprint is told.
const LOAD_SECRETS: u64 = 10_000;

/// How many secrets `scale` loads.
const SCALE_SECRETS: u64 = 1_000_000;

/// How many secrets `scale` compares with, and how many large ones `load` loads.
const FEW_SECRETS: u64 = 1_000;

/// The gain of 16 writers over one that sharing a sync must bring.
const WRITERS_GAIN_MIN: f64 = 4.0;

/// Fewest starts of which the time is the median.
const STARTS_MIN: u64 = 5;

/// Measures reads and writes beside the bare handler, then one writer beside sixteen, then starts.
pub(crate) async fn load(settings: &Settings) -> Result<()> {
    let program = settings.program()?;
    let secrets = settings.secrets(LOAD_SECRETS);
    let bare = Target::bare()?;
    let vault = Target::vault(&program).await?;
    println!("median of {} interleaved rounds; CPU is the server's, for each request", settings.rounds());
    println!("resident memory: bare handler {:.1} MiB", mebibytes(&bare)?);
    println!("resident memory: keyturn, no secrets {:.1} MiB", mebibytes(&vault)?);
    for ((set, length_bytes), count) in SETS.into_iter().zip([secrets, FEW_SECRETS]) {
        fill_and_tell(&vault, set, count, length_bytes).await?;
    }
    println!();
    Rounds::print_head();
    for ((set, length_bytes), count) in SETS.into_iter().zip([secrets, FEW_SECRETS]) {
        let set = Set::new(&vault, set, count, length_bytes).await?;
        for connections in CONNECTIONS {
            beside_bare(&bare, &vault, &set, connections, settings).await?;
        }
    }
    println!("resident memory: keyturn, after the load {:.1} MiB\n", mebibytes(&vault)?);
    writers(&vault, secrets, settings).await?;
    drop(vault);
    starts(&Home::new(&program)?, settings.rounds().max(STARTS_MIN)).await
}

/// Measures reads among few secrets and among many, in two vaults side by side.
pub(crate) async fn scale(settings: &Settings) -> Result<()> {
    let program = settings.program()?;
    let secrets = settings.secrets(SCALE_SECRETS);
    let (set, length_bytes) = ("small", 256);
    let few = Target::vault(&program).await?;
    fill_and_tell(&few, set, FEW_SECRETS, length_bytes).await?;
    let many = Target::vault(&program).await?;
    fill_and_tell(&many, set, secrets, length_bytes).await?;
    let mut of_few = Rounds::new(format!("reads among {FEW_SECRETS} secrets"));
    let mut of_many = Rounds::new(format!("reads among {secrets} secrets"));
    for _ in 0..settings.rounds() {
        let work = Work::Read { set, secrets: FEW_SECRETS };
        of_few.add(measure(&few, FILL_CONNECTIONS, &work, settings.bounds()).await?);
        let work = Work::Read { set, secrets };
        of_many.add(measure(&many, FILL_CONNECTIONS, &work, settings.bounds()).await?);
    }
    println!();
    Rounds::print_head();
    of_few.print(&of_few);
    of_many.print(&of_few);
    println!("resident memory: keyturn, after the load {:.1} MiB", mebibytes(&many)?);
    Ok(())
}

/// A set of secrets, and how large the messages about one of them are.
struct Set {
    name: &'static str,
    secrets: u64,
    length_bytes: usize,
    write_body: Bytes,
    read_answer_length_bytes: usize,
    write_answer_length_bytes: usize,
}

impl Set {
    async fn new(vault: &Target, name: &'static str, secrets: u64, length_bytes: usize) -> Result<Self> {
        let write_body = body(length_bytes);
        let uri = || secret_uri(name, 0).try_into();
        let write = Call { method: Method::POST, uri: uri()?, body: write_body.clone() };
        let read = Call { method: Method::GET, uri: uri()?, body: Bytes::new() };
        let write_answer_length_bytes = vault::answer_length_bytes(vault.endpoint(), write).await?;
        let read_answer_length_bytes = vault::answer_length_bytes(vault.endpoint(), read).await?;
        ensure!(read_answer_length_bytes > length_bytes, "a read answers {read_answer_length_bytes} bytes only");
        Ok(Self { name, secrets, length_bytes, write_body, read_answer_length_bytes, write_answer_length_bytes })
    }
}

async fn beside_bare(bare: &Target, vault: &Target, set: &Set, connections: u64, settings: &Settings) -> Result<()> {
    let bare_read =
        Work::Bare { method: Method::GET, body: Bytes::new(), answer_length_bytes: set.read_answer_length_bytes };
    let bare_write = Work::Bare {
        method: Method::POST,
        body: set.write_body.clone(),
        answer_length_bytes: set.write_answer_length_bytes,
    };
    let read = Work::Read { set: set.name, secrets: set.secrets };
    let write = Work::Write { set: set.name, secrets: set.secrets, body: set.write_body.clone() };
    let of = format!("{} B, {connections} connections", set.length_bytes);
    let mut lanes = [
        (bare, bare_read, Rounds::new(format!("bare handler, as a read: {of}"))),
        (vault, read, Rounds::new(format!("keyturn, KV v2 read: {of}"))),
        (bare, bare_write, Rounds::new(format!("bare handler, as a write: {of}"))),
        (vault, write, Rounds::new(format!("keyturn, KV v2 write: {of}"))),
    ];
    for _ in 0..settings.rounds() {
        for (target, work, rounds) in &mut lanes {
            rounds.add(measure(target, connections, work, settings.bounds()).await?);
        }
    }
    let [(.., of_bare_read), (.., of_read), (.., of_bare_write), (.., of_write)] = &lanes;
    of_bare_read.print(of_bare_read);
    of_read.print(of_bare_read);
    of_bare_write.print(of_bare_write);
    of_write.print(of_bare_write);
    Ok(())
}

async fn writers(vault: &Target, secrets: u64, settings: &Settings) -> Result<()> {
    let (set, length_bytes) = ("small", 256);
    let work = Work::Write { set, secrets, body: body(length_bytes) };
    let mut one = Rounds::new("keyturn, KV v2 write: 1 writer");
    let mut sixteen = Rounds::new("keyturn, KV v2 write: 16 writers");
    for _ in 0..settings.rounds() {
        one.add(measure(vault, 1, &work, settings.bounds()).await?);
        sixteen.add(measure(vault, 16, &work, settings.bounds()).await?);
    }
    Rounds::print_head();
    one.print(&one);
    sixteen.print(&one);
    let gain = sixteen.requests_per_second() / one.requests_per_second();
    let verdict = if gain >= WRITERS_GAIN_MIN { "reached" } else { "MISSED" };
    println!("16 writers over one: {gain:.1} times ({WRITERS_GAIN_MIN:.0} times {verdict})\n");
    Ok(())
}

/// Measures logins by AppRole and new tokens beside plain writes, in interleaved rounds.
pub(crate) async fn logins(settings: &Settings) -> Result<()> {
    let vault = Target::vault(&settings.program()?).await?;
    let set = "small";
    fill_and_tell(&vault, set, FEW_SECRETS, 256).await?;
    let works = [
        ("KV v2 write", Work::Write { set, secrets: FEW_SECRETS, body: body(256) }),
        ("token create", Work::Post { uri: "/v1/auth/token/create", body: "{\"ttl\":\"1h\"}".into() }),
        ("AppRole login", Work::Post { uri: "/v1/auth/approle/login", body: vault::LOGIN.into() }),
    ];
    let mut rounds: Vec<Rounds> =
        works.iter().map(|(name, _)| Rounds::new(format!("keyturn, {name}: {FILL_CONNECTIONS} connections"))).collect();
    for _ in 0..settings.rounds() {
        for ((_, work), round) in works.iter().zip(&mut rounds) {
            round.add(measure(&vault, FILL_CONNECTIONS, work, settings.bounds()).await?);
        }
    }
    Rounds::print_head();
    if let Some(first) = rounds.first() {
        rounds.iter().for_each(|round| round.print(first));
    }
    Ok(())
}

/// Measures the time from the start of the process to its first answer, which says that the vault is sealed.
async fn starts(home: &Home, count: u64) -> Result<()> {
    let _keys = home.initialise().await?;
    let mut milliseconds = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        let (_server, stranger) = home.start()?;
        let status = vault::health(&stranger).await?;
        milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(
            status == StatusCode::SERVICE_UNAVAILABLE,
            "the restarted vault answers {status}, not that it is sealed"
        );
    }
    println!("start to the first answer, sealed: {:.1} ms (median of {count})", median(milliseconds.into_iter()));
    Ok(())
}

async fn fill_and_tell(vault: &Target, set: &'static str, secrets: u64, length_bytes: usize) -> Result<()> {
    let began = Instant::now();
    fill(vault.endpoint(), FILL_CONNECTIONS, set, secrets, &body(length_bytes)).await?;
    let seconds = began.elapsed().as_secs_f64();
    let rate = secrets as f64 / seconds;
    println!("loaded {secrets} secrets of {length_bytes} B in {seconds:.1} s, {rate:.0} writes/s");
    println!("resident memory: keyturn, with them {:.1} MiB", mebibytes(vault)?);
    Ok(())
}

fn mebibytes(target: &Target) -> Result<f64> {
    Ok(target.server().resident_kib()? as f64 / 1024.0)
}

/// Gives the body of a write whose value has `length_bytes`.
fn body(length_bytes: usize) -> Bytes {
    format!(r#"{{"data":{{"value":"{}"}}}}"#, "v".repeat(length_bytes)).into()
}
