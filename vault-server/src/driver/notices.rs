//! Delivers what waits in the outbox: each notice to each channel, again and again until it has arrived or is given up.
//!
//! A try is noted in the outbox before it is made, and its end after it. So a crash or a seal in between makes a notice arrive
//! twice, never not at all, and a store that cannot be written makes nobody hear the same thing without end. The keys of the
//! vault are not held while a channel is waited for.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use vault_core::engines::Change;
use vault_core::notice::{self, Line, Notice, Outgoing, Tried, WAITING_MAX};
use vault_core::refusal::Refusal;
use vault_core::time::{Span, Timestamp};
use vault_core::view::{Interrupt, View};

use crate::alerts::{Channel, Channels, Failure};
use crate::driver::fetch::ROUNDS_MAX;
use crate::driver::{Open, Vault};
use crate::metrics::NoticeOutcome;

/// How often it is looked whether a notice is due; the store is read only when one is.
const TICK: Duration = Duration::from_secs(1);

/// Most notices that are claimed for one channel at once: what a crash makes arrive twice.
const CLAIMS_MAX: usize = 16;

/// How long one try may take, whatever the channel does.
const TRY_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a round begins further tries: a slow channel keeps the others waiting no longer.
const ROUND_TIME_MAX: Duration = Duration::from_secs(60);

/// Most rounds before the outbox is read again, and with it what came meanwhile.
const ROUNDS_BEFORE_READING_MAX: usize = 8;

/// Longest rest of a channel that could not be reached; new notices wait no longer for it once it is back.
const REST_MAX: Span = Span(300);

/// How long the outbox is left alone when it, or the log, could not be used.
const PAUSE_AFTER_FAILURE: Span = Span(30);

/// What is known of the channels since the start.
#[derive(Default)]
struct Room {
    /// Channels that could not be reached: how often in a row, and until when they are left alone.
    resting: HashMap<usize, (u32, Timestamp)>,
    /// When something is due.
    due_at: Option<Timestamp>,
}

/// A notice that is to be given to a channel: their positions.
#[derive(Clone, Copy)]
struct Claim {
    row: usize,
    channel: usize,
}

/// How a claim ended.
enum End {
    Delivered,
    Failed(Failure),
    Untried,
}

impl Room {
    fn rests(&self, channel: usize, now: Timestamp) -> bool {
        self.resting.get(&channel).is_some_and(|(_, until)| now < *until)
    }

    fn heard_from(&mut self, channel: usize, end: &End, now: Timestamp) {
        match end {
            End::Failed(Failure::Unreachable(_)) => {
                let failures = self.resting.get(&channel).map_or(0, |(failures, _)| *failures).saturating_add(1);
                let rest = notice::pause(failures).min(REST_MAX);
                self.resting.insert(channel, (failures, now.after(rest)));
            }
            End::Delivered | End::Failed(Failure::Refused(_)) => {
                self.resting.remove(&channel);
            }
            End::Untried => {}
        }
    }

    /// Chooses what is given to whom now. Of one thing a channel hears in the order in which it happened.
    fn claims(&self, outbox: &[Outgoing], channels: &Channels, now: Timestamp) -> Vec<Claim> {
        let mut claims = Vec::new();
        for (channel, way) in channels.iter().enumerate().filter(|(channel, _)| !self.rests(*channel, now)) {
            let mut things = HashSet::new();
            let waiting = outbox.iter().enumerate().filter_map(|(row, outgoing)| {
                let due_at = outgoing.due_at(way.key())?;
                let is_next = things.insert(outgoing.notice.thing());
                (is_next && due_at <= now).then_some(Claim { row, channel })
            });
            claims.extend(waiting.take(CLAIMS_MAX));
        }
        claims
    }

    /// Tells when something is due next.
    fn next_due(&self, outbox: &[Outgoing], channels: &Channels) -> Option<Timestamp> {
        let of_channel = |(channel, way): (usize, &dyn Channel)| {
            let due_at = outbox.iter().filter_map(|outgoing| outgoing.due_at(way.key())).min()?;
            let rested_at = self.resting.get(&channel).map(|(_, until)| *until);
            Some(rested_at.map_or(due_at, |rested_at| rested_at.max(due_at)))
        };
        channels.iter().enumerate().filter_map(of_channel).min()
    }
}

impl Vault {
    /// Delivers notices for as long as the vault lives: when one was enqueued, after unsealing, and when one is due again.
    pub(super) async fn deliver_notices(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut room = Room::default();
        loop {
            tokio::select! {
                () = self.deliver.notified() => {}
                _ = ticks.tick() => {
                    if room.due_at.is_none_or(|due_at| self.environment.now() < due_at) {
                        continue;
                    }
                }
            }
            room.due_at = match self.deliver_due(&mut room).await {
                Ok(due_at) => due_at,
                Err(refusal) => {
                    let reason = refusal.private.as_deref().unwrap_or(&refusal.public);
                    tracing::warn!("notices are not delivered, which will be tried again: {reason}");
                    Some(self.environment.now().after(PAUSE_AFTER_FAILURE))
                }
            };
        }
    }

    /// Delivers what is due, and tells when something is due next.
    async fn deliver_due(&self, room: &mut Room) -> Result<Option<Timestamp>, Refusal> {
        let Some(open) = self.open.load_full() else { return Ok(None) };
        let channels = &self.settings.channels;
        let mut outbox = self.outbox(&open).await?;
        self.tidy_outbox(&open, &mut outbox).await?;
        drop(open);
        for _ in 0..ROUNDS_BEFORE_READING_MAX {
            let left = outbox.iter().filter(|outgoing| is_wanted(outgoing, channels)).count();
            self.metrics.notices_waiting.set(i64::try_from(left).unwrap_or(i64::MAX));
            let claims = room.claims(&outbox, channels, self.environment.now());
            if claims.is_empty() {
                return Ok(room.next_due(&outbox, channels));
            }
            // Unsealing wakes this up again.
            if !self.deliver_round(room, &mut outbox, &claims).await? {
                return Ok(None);
            }
        }
        Ok(Some(self.environment.now()))
    }

    /// Reads the outbox, in the order in which things happened.
    async fn outbox(&self, open: &Open) -> Result<Vec<Outgoing>, Refusal> {
        let names = open.barrier().names();
        let mut outbox = Vec::new();
        for id in self.names_of(open, notice::folder(names)).await? {
            match self.outgoing(open, &id).await {
                Ok(found) => outbox.extend(found),
                // One damaged row must not keep all others waiting.
                Err(refusal) => {
                    tracing::error!("notice {id:?}: {}", refusal.private.as_deref().unwrap_or(&refusal.public));
                }
            }
        }
        outbox.sort_by(|one, other| {
            let key = |outgoing: &Outgoing| (outgoing.notice.at, outgoing.notice.rank());
            key(one).cmp(&key(other)).then_with(|| one.notice.id.cmp(&other.notice.id))
        });
        Ok(outbox)
    }

    async fn outgoing(&self, open: &Open, id: &str) -> Result<Option<Outgoing>, Refusal> {
        let mut view = View::default();
        for _ in 0..ROUNDS_MAX {
            match Outgoing::read(open.barrier().names(), id, &mut view) {
                Ok(found) => return Ok(found),
                Err(Interrupt::Refuse(refusal)) => return Err(refusal),
                Err(Interrupt::Fetch) => self.fetcher(open, None).supply(&mut view).await?,
            }
        }
        Err(Refusal::internal("reading a notice does not come to an end"))
    }

    /// Removes what no channel waits for, and the oldest of what is more than there is room for.
    async fn tidy_outbox(&self, open: &Open, outbox: &mut Vec<Outgoing>) -> Result<(), Refusal> {
        let channels = &self.settings.channels;
        let (mut wanted, mut removed): (Vec<_>, Vec<_>) =
            outbox.drain(..).partition(|outgoing| is_wanted(outgoing, channels));
        let surplus = surplus(&mut wanted, WAITING_MAX);
        if !surplus.is_empty() {
            tracing::error!("the outbox is full: the {} oldest notices are dropped undelivered", surplus.len());
        }
        for outgoing in surplus {
            for way in channels.iter().filter(|way| outgoing.due_at(way.key()).is_some()) {
                self.metrics.noticed(way.kind(), NoticeOutcome::GivenUp);
            }
            removed.push(outgoing);
        }
        if channels.is_empty() && !removed.is_empty() {
            tracing::warn!("the settings name no channel for notices: {} that waited are dropped", removed.len());
        }
        self.keep(open, "remove-notices", removed.iter(), |_| false).await?;
        *outbox = wanted;
        Ok(())
    }

    /// Claims, tries and settles. Tells whether the vault was unsealed all the time.
    async fn deliver_round(&self, room: &mut Room, outbox: &mut [Outgoing], claims: &[Claim]) -> Result<bool, Refusal> {
        let channels = &self.settings.channels;
        let rows: HashSet<usize> = claims.iter().map(|claim| claim.row).collect();
        let Some(open) = self.open.load_full() else { return Ok(false) };
        let now = self.environment.now();
        for claim in claims {
            if let (Some(outgoing), Some(way)) = (outbox.get_mut(claim.row), channels.get(claim.channel)) {
                outgoing.claim(way.key(), now);
            }
        }
        self.keep(&open, "claim-notices", rows.iter().filter_map(|row| outbox.get(*row)), |_| true).await?;
        drop(open);
        let ends = try_all(channels, outbox, claims).await;
        let now = self.environment.now();
        for (claim, end) in ends {
            room.heard_from(claim.channel, &end, now);
            if let (Some(outgoing), Some(way)) = (outbox.get_mut(claim.row), channels.get(claim.channel)) {
                self.settle(outgoing, way, &end, now);
            }
        }
        let Some(open) = self.open.load_full() else { return Ok(false) };
        let changed = rows.iter().filter_map(|row| outbox.get(*row));
        self.keep(&open, "settle-notices", changed, |outgoing| is_wanted(outgoing, channels)).await?;
        Ok(true)
    }

    /// Notes how a try ended, counts it and logs what went wrong.
    fn settle(&self, outgoing: &mut Outgoing, way: &dyn Channel, end: &End, now: Timestamp) {
        let (id, key, tries) = (outgoing.notice.id.clone(), way.key(), outgoing.tries(way.key()));
        match end {
            End::Untried => drop(outgoing.settle(key, Tried::Untried, now)),
            End::Delivered => {
                outgoing.settle(key, Tried::Delivered, now);
                self.metrics.noticed(way.kind(), NoticeOutcome::Delivered);
            }
            End::Failed(failure) => {
                let reason = Line::of(failure.reason());
                if outgoing.settle(key, Tried::Failed, now) {
                    self.metrics.noticed(way.kind(), NoticeOutcome::GivenUp);
                    tracing::error!("notice {id} is given up for {key} after {tries} tries: {reason}");
                } else {
                    self.metrics.noticed(way.kind(), NoticeOutcome::Failed);
                    tracing::warn!("notice {id} has not reached {key}, try {tries}: {reason}");
                }
            }
        }
    }

    /// Stores notices as they are now, or removes those that are not to stay. A row that meanwhile tells of something else is left.
    async fn keep<'a>(
        &self,
        open: &Open,
        what: &str,
        changed: impl Iterator<Item = &'a Outgoing>,
        stays: impl Fn(&Outgoing) -> bool,
    ) -> Result<(), Refusal> {
        let names = open.barrier().names();
        let work: Vec<_> = changed
            .map(|outgoing| {
                let stays = stays(outgoing);
                move |view: &mut View| -> Result<Vec<Change>, Interrupt> {
                    match Outgoing::read(names, &outgoing.notice.id, view)? {
                        Some(there) if there.notice == outgoing.notice && stays => Ok(vec![outgoing.store(names)?]),
                        Some(there) if there.notice == outgoing.notice => Ok(vec![outgoing.remove(names)]),
                        _ => Ok(Vec::new()),
                    }
                }
            })
            .collect();
        self.in_batches(open, what, &work).await
    }
}

/// Tells whether any channel waits for a notice.
fn is_wanted(outgoing: &Outgoing, channels: &Channels) -> bool {
    channels.iter().any(|way| outgoing.due_at(way.key()).is_some())
}

/// Takes away the first of what is more than there is room for.
fn surplus(outbox: &mut Vec<Outgoing>, waiting_max: usize) -> Vec<Outgoing> {
    outbox.drain(..outbox.len().saturating_sub(waiting_max)).collect()
}

/// Tries all claims: those of one channel in turn, the channels at the same time.
async fn try_all(channels: &Channels, outbox: &[Outgoing], claims: &[Claim]) -> Vec<(Claim, End)> {
    let mut by_channel: HashMap<usize, Vec<(Claim, Notice)>> = HashMap::new();
    for claim in claims {
        let notice = outbox.get(claim.row).map(|outgoing| outgoing.notice.clone());
        by_channel.entry(claim.channel).or_default().extend(notice.map(|notice| (*claim, notice)));
    }
    let mut tasks = JoinSet::new();
    for (channel, own) in by_channel {
        let channels = channels.clone();
        tasks.spawn(async move {
            match channels.get(channel) {
                Some(way) => try_in_turn(way, own).await,
                None => Vec::new(),
            }
        });
    }
    let mut ends = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(own) => ends.extend(own),
            // The claims stay, and are due again later.
            Err(error) => tracing::error!("a channel for notices broke down: {error}"),
        }
    }
    ends
}

/// Tries one after the other, until the channel cannot be reached or the time of the round is over.
async fn try_in_turn(way: &dyn Channel, own: Vec<(Claim, Notice)>) -> Vec<(Claim, End)> {
    let began = Instant::now();
    let mut is_reachable = true;
    let mut ends = Vec::with_capacity(own.len());
    for (claim, notice) in own {
        let end = if is_reachable && began.elapsed() < ROUND_TIME_MAX {
            match tokio::time::timeout(TRY_TIME_MAX, way.deliver(&notice)).await {
                Ok(Ok(())) => End::Delivered,
                Ok(Err(failure)) => End::Failed(failure),
                Err(_) => End::Failed(Failure::Unreachable(format!("it took more than {} s", TRY_TIME_MAX.as_secs()))),
            }
        } else {
            End::Untried
        };
        is_reachable &= !matches!(end, End::Failed(Failure::Unreachable(_)));
        ends.push((claim, end));
    }
    ends
}

#[cfg(test)]
mod tests;
