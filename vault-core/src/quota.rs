//! Rate limits: how many requests one client may make below a path.
//!
//! Limits are few and kept in memory with mounts and policies; what each client has used is kept in memory only, by
//! the driver, since it is of no use after a restart. Format: docs/formats.md, "Records".

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::engines::Change;
use crate::names::{Domain, Folder, Names, Slot};
use crate::network::Network;
use crate::record_format;
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

const LIMIT_VERSION: u8 = 1;

/// Most limits of one vault; all are looked at for each request.
pub const LIMITS_MAX: usize = 1_000;

/// Most clients whose use is kept; when there are more, those that have nothing left to wait for are forgotten.
const CLIENTS_MAX: usize = 100_000;

/// Where no limit holds, so that whoever set one too low can lift it.
const EXEMPT: [&str; 2] = ["sys/quotas/", "sys/seal"];

/// How many requests one client may make below a path.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RateLimit {
    /// Names it.
    pub name: String,
    /// What it holds for: a path and all below it; empty for everything.
    pub path: String,
    /// How many requests in each interval; more than zero.
    pub rate: f64,
    /// The interval, in seconds; more than zero.
    pub interval: Span,
    /// For how long a client that went beyond is refused altogether; zero for no longer than needed.
    pub block_interval: Span,
}

impl RateLimit {
    /// Gives the change that stores the limit.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub(crate) fn store(&self, names: &Names) -> Result<Change, Refusal> {
        Ok(Change::Put { slot: slot(names, &self.name), payload: record_format::encode(LIMIT_VERSION, self)? })
    }

    fn holds_for(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.path.trim_end_matches('/'));
        self.path.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Finds the row of a limit.
pub(crate) fn slot(names: &Names, name: &str) -> Slot {
    names.entry(&folder(names), name)
}

/// Finds the folder of all limits.
pub(crate) fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "rate-limits")
}

/// Reads all limits.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(crate) fn load(names: &Names, view: &mut View) -> Result<Vec<RateLimit>, Interrupt> {
    let folder = folder(names);
    let slots: Vec<Slot> = view.list(&folder)?.iter().map(|name| names.entry(&folder, name)).collect();
    view.prefetch(&slots);
    let mut limits = Vec::with_capacity(slots.len());
    for slot in &slots {
        if let Some(row) = view.entry(slot)? {
            limits.push(record_format::decode(LIMIT_VERSION, &row.payload)?);
        }
    }
    Ok(limits)
}

/// Finds the limit that holds for a path: the one that speaks of most of it.
pub fn find<'a>(limits: &'a [RateLimit], path: &str) -> Option<&'a RateLimit> {
    if EXEMPT.iter().any(|exempt| path.starts_with(exempt)) {
        return None;
    }
    limits.iter().filter(|limit| limit.holds_for(path)).max_by_key(|limit| limit.path.trim_end_matches('/').len())
}

/// What a limit says of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It may go on.
    Pass,
    /// It may not. `first` tells the first refusal of an interval, which goes on record for all of them.
    Refuse {
        /// Whether none was refused in this interval before.
        first: bool,
    },
}

/// What clients have used of their limits.
#[derive(Default)]
pub struct Usage {
    clients: HashMap<(String, Network), Bucket>,
}

/// The generic cell rate algorithm (ITU-T I.371): `full_at` is when everything that was used is given back.
#[derive(Clone, Copy, Default)]
struct Bucket {
    full_at_nanoseconds: i64,
    blocked_until: i64,
    reported_until: i64,
}

impl Usage {
    /// Judges one request and counts it if it passes.
    pub fn judge(&mut self, limit: &RateLimit, client: Network, now: Timestamp) -> Verdict {
        if self.clients.len() >= CLIENTS_MAX {
            self.clients.retain(|_, bucket| bucket.matters(now));
        }
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&(limit.name.clone(), client)) {
            // Nobody may flood the table to get beyond a limit.
            return Verdict::Refuse { first: false };
        }
        self.clients.entry((limit.name.clone(), client)).or_default().judge(limit, now)
    }
}

impl Bucket {
    fn matters(&self, now: Timestamp) -> bool {
        self.full_at_nanoseconds.max(self.blocked_until).max(self.reported_until) > now.0
    }

    fn judge(&mut self, limit: &RateLimit, now: Timestamp) -> Verdict {
        let interval = Timestamp(0).after(limit.interval).0;
        let cost = cost(limit, interval);
        // Beginning with nothing used, as many requests pass at once as fit into an interval, and at least one.
        let capacity = cost.saturating_mul((interval / cost).max(1));
        let used_until = self.full_at_nanoseconds.max(now.0).saturating_add(cost);
        let passes = now.0 >= self.blocked_until && used_until <= now.0.saturating_add(capacity);
        if passes {
            self.full_at_nanoseconds = used_until;
            return Verdict::Pass;
        }
        if now.0 >= self.blocked_until {
            self.blocked_until = now.after(limit.block_interval).0;
        }
        let first = now.0 >= self.reported_until;
        if first {
            self.reported_until = now.0.saturating_add(interval);
        }
        Verdict::Refuse { first }
    }
}

/// Tells how much of an interval, in nanoseconds, one request takes: rounded down, so that the whole rate fits in.
fn cost(limit: &RateLimit, interval: i64) -> i64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a rate needs no more precision")]
    let cost = (interval as f64 / limit.rate).floor() as i64;
    cost.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(path: &str, rate: f64, interval: u64, block: u64) -> RateLimit {
        let (interval, block_interval) = (Span(interval), Span(block));
        RateLimit { name: path.to_owned(), path: path.to_owned(), rate, interval, block_interval }
    }

    fn client(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn the_limit_that_speaks_of_most_of_the_path_holds() {
        let limits = [limit("", 1.0, 1, 0), limit("secret/", 1.0, 1, 0), limit("secret/data/a", 1.0, 1, 0)];
        let found = |path: &str| find(&limits, path).map(|limit| limit.path.as_str());
        assert_eq!(found("kv/a"), Some(""));
        assert_eq!(found("secret/data/b"), Some("secret/"));
        assert_eq!(found("secret/data/a"), Some("secret/data/a"));
        assert_eq!(found("secret/data/a/b"), Some("secret/data/a"));
        assert_eq!(found("secret/data/ab"), Some("secret/"));
        assert_eq!(found("secrets/a"), Some(""));
        assert_eq!((found("sys/quotas/rate-limit/x"), found("sys/seal")), (None, None));
    }

    #[test]
    fn whoever_goes_beyond_is_blocked_as_long_as_the_limit_says() {
        let mut usage = Usage::default();
        let limit = limit("", 2.0, 10, 60);
        let mut at = |seconds: i64| usage.judge(&limit, client("192.0.2.1"), Timestamp(seconds * 1_000_000_000));
        assert_eq!((at(0), at(0)), (Verdict::Pass, Verdict::Pass));
        assert_eq!(at(1), Verdict::Refuse { first: true });
        assert_eq!(at(5), Verdict::Refuse { first: false }, "one record for the interval");
        assert_eq!(at(60), Verdict::Refuse { first: true }, "still blocked");
        assert_eq!(at(61), Verdict::Pass);
    }

    proptest! {
        /// In no window as long as the interval do more than twice the rate pass, and a client that keeps to the rate is
        /// never refused.
        #[test]
        fn no_window_lets_more_pass_than_a_full_bucket_and_its_refill(
            rate in 1_u32..20,
            interval in 1_u64..30,
            steps in proptest::collection::vec(0_i64..3_000, 1..200),
        ) {
            let limit = limit("", f64::from(rate), interval, 0);
            let mut usage = Usage::default();
            let (mut now, mut passed) = (0_i64, Vec::new());
            for step in steps {
                now += step * 1_000_000;
                if usage.judge(&limit, client("192.0.2.1"), Timestamp(now)) == Verdict::Pass {
                    passed.push(now);
                }
            }
            let window = i64::try_from(interval).unwrap() * 1_000_000_000;
            for (first, start) in passed.iter().enumerate() {
                let within = passed.iter().skip(first).take_while(|at| **at - start < window).count();
                prop_assert!(within <= 2 * rate as usize, "{within} passed in one interval");
            }
            let burst = passed.iter().take_while(|at| **at == passed[0]).count();
            prop_assert!(burst <= rate as usize);
        }

        #[test]
        fn a_client_that_keeps_to_the_rate_is_never_refused(rate in 1_u32..50, interval in 1_u64..60) {
            let limit = limit("", f64::from(rate), interval, 60);
            let mut usage = Usage::default();
            let pace = (interval as f64 * 1e9 / f64::from(rate)).ceil() as i64;
            for number in 0..200 {
                prop_assert_eq!(usage.judge(&limit, client("192.0.2.1"), Timestamp(number * pace)), Verdict::Pass);
            }
        }
    }
}
