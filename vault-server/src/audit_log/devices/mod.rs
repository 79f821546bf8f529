//! Devices that copy the durable lines of the log: they follow it and never hold it up.
//!
//! Each device has a thread and a bounded queue. A device that cannot keep up or cannot be written loses lines, which
//! the server's own log tells with their number; the vault's log has them all. An administrator of the vault decides
//! which devices there are, and whoever runs the server decides where they may write: [`DeviceRules`].
//!
//! How to add one: a file with a type that implements [`Sink`], and an arm in [`open`].

mod file;
mod socket;
mod syslog;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use vault_core::audit::{Device, Target};

/// Most groups of lines that wait for one device.
const QUEUE_GROUPS_MAX: usize = 1_024;

/// Where devices may write.
#[derive(Clone, Debug, Default)]
pub struct DeviceRules {
    /// The folder that files may be made in; none may be made without it.
    pub directory: Option<PathBuf>,
    /// Addresses that sockets may be opened to.
    pub addresses: Vec<String>,
}

/// Something that lines are copied to.
trait Sink: Send {
    /// Writes whole lines.
    fn write(&mut self, lines: &str) -> std::io::Result<()>;
}

/// Opens what a device writes to.
fn open(target: &Target, rules: &DeviceRules) -> Result<Box<dyn Sink>, String> {
    match target {
        Target::File { path } => file::open(path, rules),
        Target::Socket { kind, address } => socket::open(kind, address, rules),
        Target::Syslog { facility, tag } => syslog::open(facility, tag),
    }
}

/// Tells whether a device could be written to now.
///
/// # Errors
/// Answers with the reason.
pub(crate) fn check(target: &Target, rules: &DeviceRules) -> Result<(), String> {
    open(target, rules).map(drop)
}

/// The devices that follow the log now.
#[derive(Clone, Default)]
pub(crate) struct Followers {
    running: Arc<Mutex<BTreeMap<Device, Follower>>>,
}

struct Follower {
    queue: SyncSender<Arc<str>>,
    lost: u64,
}

impl Followers {
    /// Starts the devices that are new and ends those that are gone.
    pub(crate) fn follow(&self, devices: &[Device], rules: &DeviceRules) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|device, _| devices.contains(device));
        for device in devices {
            if !running.contains_key(device)
                && let Some(follower) = start(device, rules)
            {
                running.insert(device.clone(), follower);
            }
        }
    }

    /// Ends all devices.
    pub(crate) fn stop(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Hands durable lines to every device; one whose queue is full loses them.
    pub(super) fn copy(&self, lines: &[u8]) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_empty() {
            return;
        }
        let lines: Arc<str> = String::from_utf8_lossy(lines).into();
        for (device, follower) in running.iter_mut() {
            match follower.queue.try_send(Arc::clone(&lines)) {
                Ok(()) => follower.lost = 0,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    follower.lost += lines.lines().count() as u64;
                    if follower.lost.is_power_of_two() {
                        tracing::error!(device = device.path, lost = follower.lost, "an audit device loses lines");
                    }
                }
            }
        }
    }
}

fn start(device: &Device, rules: &DeviceRules) -> Option<Follower> {
    let (queue, lines) = sync_channel(QUEUE_GROUPS_MAX);
    let (device, rules) = (device.clone(), rules.clone());
    let started =
        std::thread::Builder::new().name("audit-device".to_owned()).spawn(move || run(&device, &rules, &lines));
    match started {
        Ok(_) => Some(Follower { queue, lost: 0 }),
        Err(error) => {
            tracing::error!("the thread of an audit device cannot be started: {error}");
            None
        }
    }
}

/// Writes what comes until the device is ended. What cannot be written is told and lost; the next lines try again with
/// a device opened anew.
fn run(device: &Device, rules: &DeviceRules, lines: &Receiver<Arc<str>>) {
    let mut sink = None;
    let mut failures = 0_u64;
    for group in lines {
        if sink.is_none() {
            sink = open(&device.target, rules).inspect_err(|reason| tell(device, failures, reason)).ok();
        }
        let text = prefixed(&group, &device.prefix);
        let written = match &mut sink {
            Some(open) => open.write(&text).map_err(|error| error.to_string()),
            None => Err("it is not open".to_owned()),
        };
        match written {
            Ok(()) => failures = 0,
            Err(reason) => {
                tell(device, failures, &reason);
                failures += 1;
                sink = None;
            }
        }
    }
}

/// Tells of the first failure, and then ever more rarely.
fn tell(device: &Device, failures: u64, reason: &str) {
    if failures == 0 || failures.is_power_of_two() {
        tracing::error!(device = device.path, failures, "an audit device cannot be written: {reason}");
    }
}

fn prefixed<'a>(lines: &'a str, prefix: &str) -> std::borrow::Cow<'a, str> {
    if prefix.is_empty() {
        return lines.into();
    }
    lines.lines().flat_map(|line| [prefix, line, "\n"]).collect::<String>().into()
}
