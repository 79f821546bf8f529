//! Runs the servers as child processes and reads from the kernel what they cost.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};

/// Ticks of a second in which the kernel counts CPU time for user programs; USER_HZ is 100 on every Linux that
/// Keyturn is built for.
const TICKS_PER_SECOND: u64 = 100;

/// Fields of /proc/PID/stat after the name of the program: state is the first, utime the 12th, stime the 13th
/// (proc_pid_stat(5)).
const STAT_USER_TIME: usize = 11;

/// A server that runs; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts `command` and waits for the line on its output that ends in `listening on https://ADDRESS`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("{program} cannot be run"))?;
        let stdout = child.stdout.take();
        // From here on the child is killed whatever happens.
        let mut server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut lines = BufReader::new(stdout.context("no standard output")?).lines();
        server.address = loop {
            let line = lines.next().with_context(|| format!("{program} ended before it listened"))??;
            if let Some((_, address)) = line.split_once("listening on https://") {
                break address.trim().parse().with_context(|| format!("{address:?} is no address"))?;
            }
        };
        // What the server prints later is read and dropped, so that it never blocks on a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(server)
    }

    /// Gives where the server listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives the CPU time that the server has used so far, all threads, user and system.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The name of the program stands in parentheses and may hold anything, even more of them.
        let (_, fields) = stat.rsplit_once(')').context("no program name in stat")?;
        let times = fields.split_ascii_whitespace().skip(STAT_USER_TIME).take(2);
        let ticks: u64 = times.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }

    /// Gives the server's resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read; has the server ended?"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for, which is what is wanted.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
