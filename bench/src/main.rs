//! Load benchmark: Keyturn beside a bare axum and rustls handler, in the same run, on loopback.
//!
//! The machine is shared and noisy, so that every figure is the median of interleaved rounds, and the ratio to the
//! bare handler says more than the figure itself. The server's CPU time per request is what the load generator on
//! the same machine disturbs least.
#![forbid(unsafe_code)]

mod bare;
mod client;
mod gate;
mod latency;
mod leases;
mod load;
mod process;
mod report;
mod runs;
mod target;
mod vault;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

/// Longest time that one measured round may be asked to take.
const SECONDS_MAX: u64 = 600;

/// Most rounds of one figure.
const ROUNDS_MAX: u64 = 99;

/// Most requests of one round; latencies are counted in buckets, so that this bounds time and not memory.
const REQUESTS_MAX: u64 = 100_000_000;

/// Most secrets that are loaded.
const SECRETS_MAX: u64 = 10_000_000;

#[derive(Parser)]
#[command(name = "keyturn-bench", about = "Measures Keyturn beside a bare handler on loopback")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reads and writes beside the bare handler, writers 1 and 16, start time, memory
    Load(Settings),
    /// Reads among a thousand secrets and among many
    Scale(Settings),
    /// Logins by AppRole and new tokens beside plain writes
    Logins(Settings),
    /// Reads while a hundred thousand leases end
    Leases(Settings),
    /// Reads with and without rules that hold other paths back, and approvals while many requests are open
    Gate(Settings),
    /// Runs the bare handler until its standard input closes
    #[command(hide = true)]
    Bare {
        /// The port to listen on; 0 for a free one
        #[arg(long)]
        port: u16,
        /// Where to write the certificate that clients must trust
        #[arg(long)]
        certificate: PathBuf,
    },
}

/// What a run is asked for.
#[derive(Args, Clone)]
pub(crate) struct Settings {
    /// The program to measure; by default `keyturn` beside this program
    #[arg(long)]
    keyturn: Option<PathBuf>,
    /// How many secrets are loaded first [default: 10000; for `scale` 1000000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..=SECRETS_MAX))]
    secrets: Option<u64>,
    /// How many interleaved rounds each figure is the median of
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=ROUNDS_MAX))]
    rounds: u64,
    /// How long each measured round lasts at most
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// How many requests each measured round makes at most
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=REQUESTS_MAX))]
    requests: u64,
}

impl Settings {
    /// Gives the program to measure.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let beside = || Ok::<_, anyhow::Error>(std::env::current_exe()?.with_file_name("keyturn"));
        let path = self.keyturn.clone().map_or_else(beside, Ok)?;
        path.canonicalize().with_context(|| {
            format!("there is no program at {}; build it with `cargo build --release -p vault-cli`", path.display())
        })
    }

    /// Gives the bounds of one measured round.
    pub(crate) const fn bounds(&self) -> load::Bounds {
        load::Bounds { requests: self.requests, time: Duration::from_secs(self.seconds) }
    }

    /// Gives how many secrets are to be loaded.
    pub(crate) fn secrets(&self, usual: u64) -> u64 {
        self.secrets.unwrap_or(usual)
    }

    /// Gives how many rounds are made.
    pub(crate) const fn rounds(&self) -> u64 {
        self.rounds
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Load(settings) => runs::load(&settings).await,
        Command::Scale(settings) => runs::scale(&settings).await,
        Command::Logins(settings) => runs::logins(&settings).await,
        Command::Leases(settings) => leases::run(&settings).await,
        Command::Gate(settings) => gate::run(&settings).await,
        Command::Bare { port, certificate } => bare::serve(port, &certificate).await,
    }
}
