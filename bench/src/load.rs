//! Sends requests through many connections at once and measures what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Method;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::client::{Call, Connection, Endpoint};
use crate::latency::Latencies;
use crate::target::Target;

/// How long each connection sends before the measuring begins.
const WARM_UP: Duration = Duration::from_millis(300);

/// Fewest requests that each connection sends before the measuring begins.
const WARM_UP_REQUESTS_MIN: u64 = 20;

/// When a round ends: whichever comes first.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) requests: u64,
    pub(crate) time: Duration,
}

/// What the connections of a round send.
#[derive(Clone)]
pub(crate) enum Work {
    /// To the bare handler: a body, and how many bytes to answer.
    Bare { method: Method, body: Bytes, answer_length_bytes: usize },
    /// Reads of secrets drawn evenly from the first `secrets` of a set.
    Read { set: &'static str, secrets: u64 },
    /// Writes of new versions of secrets drawn evenly from the first `secrets` of a set.
    Write { set: &'static str, secrets: u64, body: Bytes },
    /// Writes of one body to one path, such as logins.
    Post { uri: &'static str, body: Bytes },
}

/// What one round showed.
pub(crate) struct Measured {
    pub(crate) requests_per_second: f64,
    pub(crate) p50_microseconds: u64,
    pub(crate) p99_microseconds: u64,
    pub(crate) cpu_microseconds_per_request: f64,
}

impl Work {
    fn call(&self, random: &mut Random) -> Result<Call> {
        let (method, uri, body) = match self {
            Self::Bare { method, body, answer_length_bytes } => {
                (method.clone(), format!("/v1/{answer_length_bytes}"), body.clone())
            }
            Self::Read { set, secrets } => (Method::GET, secret_uri(set, random.below(*secrets)), Bytes::new()),
            Self::Write { set, secrets, body } => (Method::POST, secret_uri(set, random.below(*secrets)), body.clone()),
            Self::Post { uri, body } => (Method::POST, (*uri).to_owned(), body.clone()),
        };
        Ok(Call { method, uri: uri.try_into()?, body })
    }
}

/// Gives the path of a secret; a thousand lie in each folder, as a listing of more is nobody's habit.
pub(crate) fn secret_uri(set: &str, number: u64) -> String {
    format!("/v1/secret/data/{set}/{}/{}", number / 1_000, number % 1_000)
}

/// Warms up, then measures one round.
pub(crate) async fn measure(target: &Target, connections: u64, work: &Work, bounds: Bounds) -> Result<Measured> {
    measure_as(target, target.endpoint(), connections, work, bounds).await
}

/// Does the same with another token.
pub(crate) async fn measure_as(
    target: &Target,
    endpoint: &Endpoint,
    connections: u64,
    work: &Work,
    bounds: Bounds,
) -> Result<Measured> {
    let left = Arc::new(AtomicU64::new(bounds.requests));
    let (ready, mut is_ready) = mpsc::channel(1);
    let (start, started) = watch::channel(None);
    let mut workers = JoinSet::new();
    for number in 0..connections {
        let worker = Worker {
            endpoint: endpoint.clone(),
            work: work.clone(),
            random: Random::new(number),
            left: Arc::clone(&left),
            ready: ready.clone(),
            started: started.clone(),
        };
        workers.spawn(worker.run());
    }
    for _ in 0..connections {
        tokio::select! {
            _ = is_ready.recv() => {}
            Some(ended) = workers.join_next() => match ended? {
                Ok(_) => bail!("a connection ended before the start"),
                Err(error) => return Err(error),
            }
        }
    }
    let cpu_before = target.server().cpu_time()?;
    let began = Instant::now();
    start.send(Some(began + bounds.time)).context("no worker is left")?;
    let mut latencies = Latencies::new();
    while let Some(worker) = workers.join_next().await {
        latencies.merge(&worker??);
    }
    let elapsed = began.elapsed();
    let cpu = target.server().cpu_time()?.saturating_sub(cpu_before);
    let requests = latencies.count() as f64;
    Ok(Measured {
        requests_per_second: requests / elapsed.as_secs_f64(),
        p50_microseconds: latencies.percentile_microseconds(50),
        p99_microseconds: latencies.percentile_microseconds(99),
        cpu_microseconds_per_request: cpu.as_secs_f64() * 1e6 / requests,
    })
}

/// Writes the first `secrets` secrets of a set, once each, through `connections` connections.
pub(crate) async fn fill(
    endpoint: &Endpoint,
    connections: u64,
    set: &'static str,
    secrets: u64,
    body: &Bytes,
) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (endpoint, next, body) = (endpoint.clone(), Arc::clone(&next), body.clone());
        workers.spawn(async move {
            let write_all = |mut connection: Connection| async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= secrets {
                        return Ok(());
                    }
                    let uri = secret_uri(set, number).try_into()?;
                    connection.send_well(Call { method: Method::POST, uri, body: body.clone() }).await?;
                }
            };
            endpoint.run(write_all).await
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

struct Worker {
    endpoint: Endpoint,
    work: Work,
    random: Random,
    left: Arc<AtomicU64>,
    ready: mpsc::Sender<()>,
    started: watch::Receiver<Option<Instant>>,
}

impl Worker {
    async fn run(self) -> Result<Latencies> {
        let endpoint = self.endpoint.clone();
        endpoint.run(|connection| self.send_all(connection)).await
    }

    async fn send_all(mut self, mut connection: Connection) -> Result<Latencies> {
        let warm_at = Instant::now() + WARM_UP;
        let mut sent = 0;
        while sent < WARM_UP_REQUESTS_MIN || Instant::now() < warm_at {
            connection.send_well(self.work.call(&mut self.random)?).await?;
            sent += 1;
        }
        self.ready.send(()).await?;
        let deadline = self.started.wait_for(Option::is_some).await?.context("no start")?;
        let mut latencies = Latencies::new();
        let mut began = Instant::now();
        while began < deadline && self.takes_one() {
            let call = self.work.call(&mut self.random)?;
            began = Instant::now();
            connection.send_well(call).await?;
            let ended = Instant::now();
            latencies.add(ended - began);
            began = ended;
        }
        Ok(latencies)
    }

    fn takes_one(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Draws secrets (xorshift64*, Vigna 2016); the same ones in every run.
struct Random(u64);

impl Random {
    const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Draws a number below `bound`; the bias is far below what a load notices.
    const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % bound
    }
}
