//! What the server counts and measures of itself, for Prometheus and for clients that ask in Vault's form.
//!
//! All metrics are listed in [`Metrics::new`] and described in docs/metrics.md, which a test compares with the list. No
//! metric has a path, a mount or a token among its labels: labels come from enums here, so that their number is bounded and
//! they say nothing about what the vault holds. People of the charter are the one exception; those metrics are in a
//! registry of their own, which strangers are never shown.

pub(crate) mod classic;
mod door;
mod json;
mod limits;
mod people;
mod process;
mod seal;
mod tokens;
mod traces;
mod witnesses;

use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use vault_core::audit::device_kinds;
use vault_core::custody::{Health, Limit};
use vault_core::question::MetricsFormat;
use vault_core::refusal::{Class, Refusal};
use vault_core::request::Operation;
use vault_core::time::Timestamp;

use crate::alerts::Kind;
use door::DoorMetrics;
use limits::LimitMetrics;
use people::PeopleMetrics;
pub(crate) use process::AuditLag;
use process::ProcessMetrics;
use seal::SealMetrics;
pub(crate) use tokens::TokenCount;
use tokens::TokenMetrics;
use traces::TraceMetrics;
pub(crate) use traces::TraceOutcome;
use witnesses::WitnessMetrics;

/// The operations that requests are counted by.
const OPERATIONS: [(Operation, &str); 5] = [
    (Operation::Read, "read"),
    (Operation::List, "list"),
    (Operation::Write, "write"),
    (Operation::Patch, "patch"),
    (Operation::Delete, "delete"),
];

/// How a request can end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// It was answered.
    Answered,
    /// Policy, or what the caller showed, did not allow it.
    Denied,
    /// It could not be done as it was asked.
    Refused,
    /// The server could not do it.
    Failed,
    /// Nobody waited for the end.
    GivenUp,
}

impl Outcome {
    fn of<T>(result: &Result<T, Refusal>) -> Self {
        match result.as_ref().map_err(|refusal| refusal.class) {
            Ok(_) => Self::Answered,
            // A limit is no failure of the server.
            Err(_) if result.as_ref().is_err_and(|refusal| refusal.breach.is_some()) => Self::Refused,
            Err(Class::Denied) => Self::Denied,
            Err(Class::Busy | Class::Unavailable | Class::Internal) => Self::Failed,
            Err(_) => Self::Refused,
        }
    }
}

/// Gives the word for how a request ended.
pub(crate) fn outcome_word<T>(result: &Result<T, Refusal>) -> &'static str {
    let outcome = Outcome::of(result);
    OUTCOMES.iter().find(|(own, _)| *own == outcome).map_or("failed", |(_, word)| word)
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Answered, "answered"),
    (Outcome::Denied, "denied"),
    (Outcome::Refused, "refused"),
    (Outcome::Failed, "failed"),
    (Outcome::GivenUp, "given_up"),
];

/// How a commit can end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CommitOutcome {
    /// It is durable.
    Committed,
    /// An expectation did not hold.
    Conflict,
    /// The store could not do it.
    Failed,
}

const COMMIT_OUTCOMES: [(CommitOutcome, &str); 3] =
    [(CommitOutcome::Committed, "committed"), (CommitOutcome::Conflict, "conflict"), (CommitOutcome::Failed, "failed")];

/// How a try to deliver a notice can end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoticeOutcome {
    /// The channel has it.
    Delivered,
    /// The channel has not; it is tried again.
    Failed,
    /// The channel will never have it.
    GivenUp,
}

const NOTICE_OUTCOMES: [(NoticeOutcome, &str); 3] =
    [(NoticeOutcome::Delivered, "delivered"), (NoticeOutcome::Failed, "failed"), (NoticeOutcome::GivenUp, "given_up")];

const CHANNELS: [(Kind, &str); 3] = [(Kind::Webhook, "webhook"), (Kind::Mail, "mail"), (Kind::Command, "command")];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct NoticeLabels {
    channel: &'static str,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct SinkLabel {
    sink: &'static str,
}

/// Every metric of a server. What is touched by each request is looked up once, when the server starts.
pub(crate) struct Metrics {
    registry: Registry,
    /// What has people among its labels.
    named: Registry,
    requests: [[Counter; OUTCOMES.len()]; OPERATIONS.len()],
    request_seconds: [Histogram; OPERATIONS.len()],
    commits: [Counter; COMMIT_OUTCOMES.len()],
    commit_seconds: Histogram,
    /// The revision of the newest commit.
    pub(crate) store_revision: Gauge,
    /// Records of the audit log that are durable.
    pub(crate) audit_records: Counter,
    /// Times that it could not be written.
    pub(crate) audit_failures: Counter,
    /// How long each write took, its sync included.
    pub(crate) audit_seconds: Histogram,
    /// Whether the vault is open.
    pub(crate) seal: SealMetrics,
    /// What waits for people, and what they say.
    pub(crate) people: PeopleMetrics,
    /// Tokens and leases.
    pub(crate) tokens: TokenMetrics,
    /// The process and its files.
    pub(crate) process: ProcessMetrics,
    /// What the door turns away.
    pub(crate) door: DoorMetrics,
    /// What witnesses say.
    pub(crate) witnesses: WitnessMetrics,
    /// What becomes of traces.
    pub(crate) traces: TraceMetrics,
    sink_lags: Family<SinkLabel, Gauge>,
    sink_failures: Family<SinkLabel, Counter>,
    notices: [[Counter; NOTICE_OUTCOMES.len()]; CHANNELS.len()],
    /// Notices in the outbox.
    pub(crate) notices_waiting: Gauge,
    /// Limits, canaries and backups.
    pub(crate) limits: LimitMetrics,
    custodians: Gauge,
    custodians_overdue: Gauge,
    /// 0 kept, 1 soft, 2 hard.
    custody_limit: Gauge,
}

/// What every metric's name begins with.
const PREFIX: &str = "keyturn";

fn register_program(registry: &mut Registry, now: Timestamp) {
    let build = Info::new(vec![("version", crate::VERSION)]);
    registry.register("build", "The program that runs", build);
    let started: Gauge = Gauge::default();
    started.set(now.unix_seconds());
    registry.register_with_unit("start_time", "When the server started, since 1970", Unit::Seconds, started);
}

/// Durations from 50 µs to about 6.5 s.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 2.5, 14))
}

impl Metrics {
    /// Lists every metric; `now` is when the server starts.
    pub(crate) fn new(now: Timestamp) -> Self {
        let (mut registry, mut named) = (Registry::with_prefix(PREFIX), Registry::with_prefix(PREFIX));
        register_program(&mut registry, now);
        let requests = Family::<RequestLabels, Counter>::default();
        let request_seconds = Family::<OperationLabel, Histogram>::new_with_constructor(durations);
        let commits = Family::<OutcomeLabel, Counter>::default();
        let notices = Family::<NoticeLabels, Counter>::default();
        let made = Self {
            requests: OPERATIONS.map(|(_, operation)| {
                OUTCOMES.map(|(_, outcome)| requests.get_or_create_owned(&RequestLabels { operation, outcome }))
            }),
            request_seconds: OPERATIONS
                .map(|(_, operation)| request_seconds.get_or_create_owned(&OperationLabel { operation })),
            commits: COMMIT_OUTCOMES.map(|(_, outcome)| commits.get_or_create_owned(&OutcomeLabel { outcome })),
            commit_seconds: durations(),
            store_revision: Gauge::default(),
            audit_records: Counter::default(),
            audit_failures: Counter::default(),
            audit_seconds: durations(),
            seal: SealMetrics::register(&mut registry),
            people: PeopleMetrics::register(&mut registry, &mut named),
            tokens: TokenMetrics::register(&mut registry),
            process: ProcessMetrics::register(&mut registry),
            door: DoorMetrics::register(&mut registry),
            traces: TraceMetrics::register(&mut registry),
            witnesses: WitnessMetrics::register(&mut registry),
            sink_lags: Family::default(),
            sink_failures: Family::default(),
            notices: CHANNELS.map(|(_, channel)| {
                NOTICE_OUTCOMES.map(|(_, outcome)| notices.get_or_create_owned(&NoticeLabels { channel, outcome }))
            }),
            notices_waiting: Gauge::default(),
            limits: LimitMetrics::register(&mut registry),
            custodians: Gauge::default(),
            custodians_overdue: Gauge::default(),
            custody_limit: Gauge::default(),
            registry: Registry::default(),
            named,
        };
        registry.register("requests", "Requests of an unsealed vault, by how they ended", requests);
        let help = "How long requests took, waiting for disk and log included";
        registry.register_with_unit("request_duration", help, Unit::Seconds, request_seconds);
        registry.register("storage_commits", "Batches given to the store, by how they ended", commits);
        let help = "How long commits took";
        registry.register_with_unit("storage_commit_duration", help, Unit::Seconds, made.commit_seconds.clone());
        registry.register("storage_revision", "Revision of the newest commit", made.store_revision.clone());
        registry.register("audit_records", "Records that are on stable storage", made.audit_records.clone());
        let help = "Times that the audit log could not be written";
        registry.register("audit_write_failures", help, made.audit_failures.clone());
        let help = "How long writing and syncing a group of records took";
        registry.register_with_unit("audit_sync_duration", help, Unit::Seconds, made.audit_seconds.clone());
        made.register_sinks(&mut registry);
        registry.register("notices", "Tries to deliver notices, by how they ended", notices);
        registry.register("notices_waiting", "Notices in the outbox", made.notices_waiting.clone());
        registry.register("custodians", "Custodians of the shares in force", made.custodians.clone());
        let help = "Custodians who have not checked in for too long";
        registry.register("custodians_overdue", help, made.custodians_overdue.clone());
        let help = "The limit on check-ups that is breached: 0 none, 1 soft, 2 hard";
        registry.register("custody_limit_breached", help, made.custody_limit.clone());
        Self { registry, ..made }
    }

    fn register_sinks(&self, registry: &mut Registry) {
        for sink in device_kinds() {
            drop(self.sink_lags.get_or_create(&SinkLabel { sink }));
            drop(self.sink_failures.get_or_create(&SinkLabel { sink }));
        }
        let help =
            "Durable records that an audit device does not have yet; of several of a kind, the one furthest behind";
        registry.register("audit_sink_lag_records", help, self.sink_lags.clone());
        registry.register("audit_sink_failures", "Times that an audit device failed", self.sink_failures.clone());
    }

    /// Shows how many records the devices of a kind are behind.
    pub(crate) fn sink_lags(&self, sink: &'static str, records: u64) {
        let records = i64::try_from(records).unwrap_or(i64::MAX);
        self.sink_lags.get_or_create(&SinkLabel { sink }).set(records);
    }

    /// Counts a failure of a device.
    pub(crate) fn sink_failed(&self, sink: &'static str) {
        self.sink_failures.get_or_create(&SinkLabel { sink }).inc();
    }

    /// Begins to measure a request.
    pub(crate) fn request(&self, operation: Operation) -> Measured<'_> {
        let position = OPERATIONS.iter().position(|(own, _)| *own == operation).unwrap_or_default();
        Measured { metrics: self, position, began: Instant::now(), outcome: Outcome::GivenUp }
    }

    /// Counts a commit.
    pub(crate) fn committed(&self, outcome: CommitOutcome, began: Instant) {
        let position = COMMIT_OUTCOMES.iter().position(|(own, _)| *own == outcome);
        if let Some(counter) = position.and_then(|position| self.commits.get(position)) {
            counter.inc();
        }
        self.commit_seconds.observe(began.elapsed().as_secs_f64());
    }

    /// Counts a try to deliver a notice.
    pub(crate) fn noticed(&self, channel: Kind, outcome: NoticeOutcome) {
        let channel = CHANNELS.iter().position(|(own, _)| *own == channel);
        let outcome = NOTICE_OUTCOMES.iter().position(|(own, _)| *own == outcome);
        if let (Some(channel), Some(outcome)) = (channel, outcome)
            && let Some(counter) = self.notices.get(channel).and_then(|outcomes| outcomes.get(outcome))
        {
            counter.inc();
        }
    }

    /// Shows how it stands with the custodians, and tells whether another limit is breached than before.
    pub(crate) fn custody_is(&self, health: &Health) -> bool {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let limit = match health.limit {
            Limit::Kept => 0,
            Limit::Soft => 1,
            Limit::Hard => 2,
        };
        self.custodians.set(count(health.custodians));
        self.custodians_overdue.set(count(health.overdue.len()));
        self.custody_limit.set(limit) != limit
    }

    /// Writes all metrics as they are now, for those who may read them.
    ///
    /// # Errors
    /// Answers with the reason if they cannot be written.
    pub(crate) fn write(&self, format: MetricsFormat, now: Timestamp) -> Result<String, String> {
        self.write_all_of(&[&self.registry, &self.named], format, now)
    }

    /// Writes what strangers may read where the settings let them: all but what names people.
    ///
    /// # Errors
    /// Answers with the reason if they cannot be written.
    pub(crate) fn write_nameless(&self, format: MetricsFormat, now: Timestamp) -> Result<String, String> {
        self.write_all_of(&[&self.registry], format, now)
    }

    fn write_all_of(&self, registries: &[&Registry], format: MetricsFormat, now: Timestamp) -> Result<String, String> {
        self.people.refresh(now);
        self.process.refresh();
        let mut text = String::new();
        let written = registries.iter().try_for_each(|registry| encode_registry(&mut text, registry));
        written.and_then(|()| encode_eof(&mut text)).map_err(|error| error.to_string())?;
        match format {
            MetricsFormat::Prometheus => Ok(text),
            MetricsFormat::Json => Ok(json::of(&text, now).to_string()),
        }
    }
}

/// A request that is being measured; dropped before its end it counts as given up.
pub(crate) struct Measured<'a> {
    metrics: &'a Metrics,
    position: usize,
    began: Instant,
    outcome: Outcome,
}

impl Measured<'_> {
    /// Counts how the request ended.
    pub(crate) fn ended<T>(mut self, result: &Result<T, Refusal>) {
        self.outcome = Outcome::of(result);
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let outcome = OUTCOMES.iter().position(|(own, _)| *own == self.outcome).unwrap_or_default();
        let counter = self.metrics.requests.get(self.position).and_then(|outcomes| outcomes.get(outcome));
        if let (Some(counter), Some(seconds)) = (counter, self.metrics.request_seconds.get(self.position)) {
            counter.inc();
            seconds.observe(self.began.elapsed().as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_limit_on_custodians_is_told_when_it_changes() {
        let metrics = Metrics::new(Timestamp(0));
        let health = |limit, overdue: &[&str]| Health {
            custodians: 5,
            overdue: overdue.iter().map(|name| (*name).to_owned()).collect(),
            limit,
        };
        assert!(!metrics.custody_is(&health(Limit::Kept, &[])));
        assert!(metrics.custody_is(&health(Limit::Soft, &["carol"])));
        assert!(!metrics.custody_is(&health(Limit::Soft, &["carol"])));
        assert!(metrics.custody_is(&health(Limit::Hard, &["alice", "carol"])));
        let text = metrics.write(MetricsFormat::Prometheus, Timestamp(0)).unwrap();
        for line in ["keyturn_custodians 5", "keyturn_custodians_overdue 2", "keyturn_custody_limit_breached 2"] {
            assert!(text.lines().any(|own| own == line), "{line}");
        }
        assert!(!text.contains("carol"), "no name is ever in metrics");
    }

    static DOCUMENT: &str = include_str!("../../../docs/metrics.md");

    fn text(metrics: &Metrics) -> String {
        metrics.write(MetricsFormat::Prometheus, Timestamp(0)).unwrap()
    }

    #[test]
    fn the_document_lists_every_metric_and_no_other() {
        let exposed = text(&Metrics::new(Timestamp(0)));
        let exposed: BTreeSet<(&str, &str)> = exposed
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .filter_map(|line| line.split_once(' '))
            .collect();
        let cells = |line: &'static str| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        let documented: BTreeSet<(&str, &str)> = DOCUMENT
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| (cells(line).next().unwrap(), cells(line).nth(1).unwrap()))
            .collect();
        assert_eq!(exposed, documented);
    }

    #[test]
    fn requests_are_counted_by_their_end() {
        let metrics = Metrics::new(Timestamp(0));
        metrics.request(Operation::Read).ended(&Ok(()));
        metrics.request(Operation::Read).ended::<()>(&Err(Refusal::denied()));
        metrics.request(Operation::List).ended::<()>(&Err(Refusal::internal("x")));
        metrics.request(Operation::Write).ended::<()>(&Err(Refusal::invalid("x")));
        drop(metrics.request(Operation::Delete));
        let text = text(&metrics);
        for (operation, outcome) in
            [("read", "answered"), ("read", "denied"), ("list", "failed"), ("write", "refused"), ("delete", "given_up")]
        {
            let line = format!("keyturn_requests_total{{operation=\"{operation}\",outcome=\"{outcome}\"}} 1");
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
        let sums = text.lines().filter(|line| line.starts_with("keyturn_request_duration_seconds_count"));
        assert_eq!(sums.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>(), 5);
    }

    #[test]
    fn labels_are_known_words() {
        let text = text(&Metrics::new(Timestamp(0)));
        let words: BTreeSet<&str> = text.split('"').skip(1).step_by(2).collect();
        let known = OPERATIONS.iter().map(|(_, word)| *word).chain(OUTCOMES.iter().map(|(_, word)| *word));
        let known = known.chain(CHANNELS.iter().map(|(_, word)| *word));
        let known = known.chain(device_kinds());
        let known = known.chain(NOTICE_OUTCOMES.iter().map(|(_, word)| *word));
        let known = known.chain(tokens::CLASSES.iter().map(|(_, word)| *word)).chain(people::STATES);
        let known = known.chain(door::REASONS.iter().map(|(_, word)| *word));
        let known = known.chain(traces::TRACE_OUTCOMES.iter().map(|(_, word)| *word));
        let known = known.chain(witnesses::ANSWERS);
        // Whoever is nobody of the charter.
        let known = known.chain([""]);
        let known =
            known.chain(limits::LEVELS).chain(vault_core::limits::Metric::ALL.map(vault_core::limits::Metric::word));
        let known: BTreeSet<&str> = known.chain(COMMIT_OUTCOMES.iter().map(|(_, word)| *word)).collect();
        let is_bound = |word: &&str| word.parse::<f64>().is_ok() || *word == "+Inf" || *word == crate::VERSION;
        let strange: Vec<_> = words.difference(&known).filter(|word| !is_bound(word)).collect();
        assert!(strange.is_empty(), "{strange:?}");
    }
}
