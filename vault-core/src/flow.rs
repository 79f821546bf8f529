//! The way of a request as types. Each stage consumes the value before it, so leaving one out does not compile:
//!
//! ```text
//! Request ─identify→ Identified ─permit→ Permitted ─gate→ Approved ─record→ Recording ─durable→ Recorded
//!         ─decide→ Plan ─settle→ Batch ─committed→ Completed ─→ Reply
//! ```
//!
//! Nothing here does IO. Two facts come from outside and cannot be made up elsewhere without being seen: that a
//! record is durable ([`Durable`]) and that a batch is committed ([`Committed`]). Only the audit log and the
//! storage adapter vouch for them.

mod vouched;

use std::sync::Arc;

use rand_core::CryptoRng;

use crate::approval::{Grant, carry_out, hold};
use crate::audit::{Decision, Outcome, Record};
use crate::auth::Sender;
use crate::barrier::{Barrier, BarrierError};
use crate::engines::{self, Access, Effect, Engine, Follow, Route, Step, Surroundings};
use crate::keys::KeyedHash;
use crate::limits::Breach;
use crate::mounts::{Mount, Tables};
use crate::policy::{Acl, Ask, Capability, ControlGroup};
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::request::{Operation, Request};
use crate::store::{Batch, Expect};
use crate::view::{Interrupt, View};
pub use vouched::{Committed, Durable};

/// A request whose sender is known, be it as a stranger.
pub struct Identified {
    request: Request,
    sender: Sender,
}

/// Where a request goes: the mount and its engine.
#[derive(Clone)]
pub struct Target {
    /// The mount that the path lies under.
    pub mount: Arc<Mount>,
    /// Its engine.
    pub engine: &'static dyn Engine,
    /// The route of the path below the mount, if the engine has one.
    pub route: Option<&'static Route>,
}

impl Target {
    /// Finds where a path goes, and the rest of the path below the mount.
    pub fn find<'a>(tables: &Tables, path: &'a str) -> Option<(Self, &'a str)> {
        let (mount, below) = tables.route(path)?;
        let engine = engines::find(&mount.kind)?;
        let route = engines::route(engine, mount, below);
        Some((Self { mount: Arc::clone(mount), engine, route }, below))
    }
}

impl Identified {
    /// Joins a request with the sender that its evidence proved; only `auth` calls this.
    pub(crate) const fn new(request: Request, sender: Sender) -> Self {
        Self { request, sender }
    }

    /// Gives the request.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Gives who asks.
    pub const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Asks the rules. `present` tells whether something is already where a write goes. A target of `None` is a
    /// path that nothing is mounted at: it is denied or permitted like any other, so that a stranger learns nothing.
    ///
    /// # Errors
    /// Gives back [`Denied`], which must be recorded before it is answered.
    pub fn permit(self, acl: &Acl, target: Option<Target>, present: bool) -> Result<Permitted, Denied> {
        let capability = match self.request.operation {
            Operation::Read => Capability::Read,
            Operation::List => Capability::List,
            Operation::Write if present => Capability::Update,
            Operation::Write => Capability::Create,
            Operation::Patch => Capability::Patch,
            Operation::Delete => Capability::Delete,
        };
        match self.asks(acl, target.as_ref(), capability) {
            Ok(()) => {
                let control_groups = acl.control_groups(self.request.path.as_str(), capability);
                Ok(Permitted { identified: self, target, control_groups })
            }
            Err(refusal) => Err(Denied { request: self.request, sender: self.sender, refusal }),
        }
    }

    fn asks(&self, acl: &Acl, target: Option<&Target>, capability: Capability) -> Result<(), Refusal> {
        let access = access(target);
        match (&self.sender, access) {
            (_, Access::Open) => return Ok(()),
            (Sender::Stranger, _) => return Err(Refusal::denied()),
            (Sender::Token(_) | Sender::Stewards(_), Access::Policy | Access::Sudo) => {}
        }
        let path = self.request.path.as_str();
        let fields = if acl.looks_at_fields(path) { self.request.parse()? } else { serde_json::Map::new() };
        let wrapping_ttl = self.request.wrap_ttl;
        let allowed = acl.allows(&Ask { path, capability, fields: &fields, wrapping_ttl });
        let capability = Capability::Sudo;
        let sudo = access != Access::Sudo || acl.allows(&Ask { path, capability, fields: &fields, wrapping_ttl });
        if allowed && sudo { Ok(()) } else { Err(Refusal::denied()) }
    }
}

fn access(target: Option<&Target>) -> Access {
    target.and_then(|target| target.route).map_or(Access::Policy, |route| route.access)
}

/// A request that was refused before anything happened; the refusal is recorded before it is answered.
#[must_use = "a denial must be recorded"]
pub struct Denied {
    request: Request,
    sender: Sender,
    refusal: Refusal,
}

impl Denied {
    /// Refuses a request whose sender is not known.
    pub const fn unidentified(request: Request, refusal: Refusal) -> Self {
        Self { request, sender: Sender::Stranger, refusal }
    }

    /// Gives the hard limit that refused the request, if one did.
    pub fn breach(&self) -> Option<&Breach> {
        self.refusal.breach.as_deref()
    }

    /// Writes the record of the refusal.
    pub fn record(&self, hash: &KeyedHash) -> Record {
        Record::of_request(&self.request, Some(&self.sender), None, Decision::Denied(&self.refusal), hash)
    }

    /// Gives the answer, now that the refusal is on record.
    pub fn into_refusal(self, _: &Durable) -> Refusal {
        self.refusal
    }
}

/// A request that the policies allow.
pub struct Permitted {
    identified: Identified,
    target: Option<Target>,
    control_groups: Vec<ControlGroup>,
}

impl Permitted {
    /// Gives the request and who makes it.
    pub const fn identified(&self) -> &Identified {
        &self.identified
    }

    /// Gives where the request goes.
    pub const fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// Gives the rules of the sender's policies that hold the request back.
    pub fn control_groups(&self) -> &[ControlGroup] {
        &self.control_groups
    }

    /// Gives what the route asks of the sender.
    pub fn access(&self) -> Access {
        access(self.target.as_ref())
    }

    /// Refuses the request; only the gate does.
    pub(crate) fn refuse(self, refusal: Refusal) -> Denied {
        Denied { request: self.identified.request, sender: self.identified.sender, refusal }
    }

    fn intent(&self, decision: Decision<'_>, hash: &KeyedHash) -> Record {
        let mount = self.target.as_ref().map(|target| target.mount.as_ref());
        Record::of_request(&self.identified.request, Some(&self.identified.sender), mount, decision, hash)
    }

    /// Tells whether the request asks to seal the vault: the one act that goes on even when the log cannot be
    /// written, since it takes power away and reads nothing.
    pub fn asks_to_seal(&self) -> bool {
        let request = &self.identified.request;
        request.path.as_str() == "sys/seal" && request.operation == Operation::Write
    }
}

/// A request that the gate let pass. Only [`crate::approval::Gate`] makes one.
pub struct Approved {
    permitted: Permitted,
    grant: Option<Box<Grant>>,
}

impl Approved {
    pub(crate) const fn new(permitted: Permitted, grant: Option<Box<Grant>>) -> Self {
        Self { permitted, grant }
    }

    /// Tells whether other people had to agree: then it is a release, which has a receipt.
    pub const fn is_release(&self) -> bool {
        self.grant.is_some() || matches!(self.permitted.identified.sender, Sender::Stewards(_))
    }

    /// Writes the record of the intent; the request waits in [`Recording`] until it is durable.
    pub fn record(self, hash: &KeyedHash) -> (Record, Recording) {
        let decision = self.grant.as_ref().map_or(Decision::Allowed, |grant| Decision::Granted(grant.held()));
        let record = self.permitted.intent(decision, hash);
        let way = self.grant.map_or(Way::Straight, Way::Granted);
        (record, Recording { permitted: self.permitted, way })
    }
}

/// A request that waits for people to agree. Only [`crate::approval::Gate`] makes one, and nothing makes it [`Approved`]:
/// what is kept of it is made again from the start.
pub struct Held {
    permitted: Permitted,
    rules: Vec<ControlGroup>,
}

impl Held {
    pub(crate) const fn new(permitted: Permitted, rules: Vec<ControlGroup>) -> Self {
        Self { permitted, rules }
    }

    /// Writes the record of the intent; the request waits in [`Recording`] until it is durable.
    pub fn record(self, hash: &KeyedHash) -> (Record, Recording) {
        let record = self.permitted.intent(Decision::Held, hash);
        (record, Recording { permitted: self.permitted, way: Way::Held(self.rules) })
    }
}

/// How a request came through the gate, which decides what becomes of it.
enum Way {
    /// Nothing holds it back.
    Straight,
    /// Enough people have agreed.
    Granted(Box<Grant>),
    /// It is kept until they have.
    Held(Vec<ControlGroup>),
}

/// A request whose record is written but perhaps not yet durable.
pub struct Recording {
    permitted: Permitted,
    way: Way,
}

impl Recording {
    /// Goes on, now that the record is durable.
    pub fn recorded(self, durable: Durable) -> Recorded {
        let Permitted { identified, target, .. } = self.permitted;
        Recorded { work: Work::Request(Box::new(identified)), target, way: self.way, durable }
    }
}

/// A request, or a piece of housekeeping, whose record is durable: the barrier opens data only against it.
pub struct Recorded {
    work: Work,
    target: Option<Target>,
    way: Way,
    durable: Durable,
}

enum Work {
    Request(Box<Identified>),
    Housekeeping,
}

impl Recorded {
    /// Admits housekeeping, such as the purge of what was given up, once its own record is durable.
    pub const fn housekeeping(durable: Durable) -> Self {
        Self { work: Work::Housekeeping, target: None, way: Way::Straight, durable }
    }

    /// Gives the number of the record of the intent.
    pub const fn record_number(&self) -> u64 {
        self.durable.record_number()
    }

    /// Gives the request and its sender, unless this is housekeeping.
    pub fn identified(&self) -> Option<&Identified> {
        match &self.work {
            Work::Request(identified) => Some(identified),
            Work::Housekeeping => None,
        }
    }

    /// Gives where the request goes.
    pub const fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// Lets the engine decide on what has been fetched so far, or keeps the request if it is held back.
    ///
    /// # Errors
    /// Gives itself back when something must be fetched first ([`Undecided::Fetch`]) or the call was refused.
    pub fn carry_out(
        self,
        around: &Surroundings<'_>,
        view: &mut View,
        rng: &mut dyn CryptoRng,
    ) -> Result<Plan, Undecided> {
        self.decide(view, |recorded, view| recorded.step(around, view, rng))
    }

    fn step(&self, around: &Surroundings<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
        let identified = self.identified().ok_or_else(|| Refusal::internal("housekeeping has no engine"))?;
        let path = identified.request().path.as_str();
        let nowhere = || Refusal::new(Class::Missing, format!("no handler for route {path:?}"));
        let target = self.target().ok_or_else(nowhere)?;
        let below = path.strip_prefix(target.mount.path.as_str()).ok_or_else(nowhere)?;
        let call = around.call(identified, target, below);
        match &self.way {
            Way::Straight => engines::decide(&call, view, rng),
            Way::Granted(grant) => carry_out(&call, grant.held(), view, rng),
            Way::Held(rules) => hold(&call, rules, view, rng),
        }
    }

    /// Runs `engine_call` on what has been fetched so far.
    ///
    /// # Errors
    /// Gives itself back when something must be fetched first ([`Undecided::Fetch`]) or the call was refused.
    pub fn decide(
        self,
        view: &mut View,
        engine_call: impl FnOnce(&Self, &mut View) -> Result<Step, Interrupt>,
    ) -> Result<Plan, Undecided> {
        match engine_call(&self, view) {
            Ok(step) => Ok(Plan { recorded: self, step, expects: view.expectations().collect() }),
            Err(Interrupt::Fetch) => Err(Undecided::Fetch(Box::new(self))),
            Err(Interrupt::Refuse(refusal)) => Err(Undecided::Refused(self.refuse(refusal))),
        }
    }

    /// Ends the request with a refusal.
    pub const fn refuse(self, refusal: Refusal) -> Completed {
        Completed { recorded: self, result: Err(refusal), effects: Vec::new(), follow: None, notes: Vec::new() }
    }
}

/// Why a call came to no plan yet.
pub enum Undecided {
    /// Something must be fetched; then decide again.
    Fetch(Box<Recorded>),
    /// The call was refused.
    Refused(Completed),
}

/// What an engine decided, not yet committed.
#[must_use = "a plan does nothing until it is settled"]
pub struct Plan {
    recorded: Recorded,
    step: Step,
    expects: Vec<Expect>,
}

/// A plan is either complete, as it changes nothing, or waits for its commit.
pub enum Settled {
    /// Nothing to commit.
    Complete(Completed),
    /// Commit [`Pending::batch`] first.
    Commit(Pending),
}

impl Plan {
    /// Seals the changes into one batch, together with the spending of the token's use.
    ///
    /// # Errors
    /// Answers [`BarrierError`] when a change cannot be sealed.
    pub fn settle(self, barrier: &Barrier, rng: &mut dyn CryptoRng) -> Result<Settled, BarrierError> {
        let Self { mut recorded, step: Step { outcome, changes, effects, follow, notes, .. }, mut expects } = self;
        let spent = recorded.identified().and_then(|identified| identified.sender.spend());
        let (granted_changes, granted_expects) = match std::mem::replace(&mut recorded.way, Way::Straight) {
            Way::Granted(grant) => grant.spend(),
            Way::Straight | Way::Held(_) => (Vec::new(), Vec::new()),
        };
        let completed = Completed { recorded, result: outcome, effects, follow, notes };
        if changes.is_empty() && spent.is_none() && granted_changes.is_empty() {
            return Ok(Settled::Complete(completed));
        }
        let mut writes = Vec::with_capacity(changes.len() + 1);
        let (spent_change, spent_expect) = spent.unzip();
        expects.extend(spent_expect);
        expects.extend(granted_expects);
        // The spending comes first: a call that revokes its own token must have the last word on it.
        for change in spent_change.into_iter().chain(granted_changes).chain(changes) {
            writes.push(change.seal(&mut expects, barrier, rng)?);
        }
        Ok(Settled::Commit(Pending { batch: Batch::new(expects, writes), completed }))
    }
}

/// A batch that waits for its commit, and the reply that waits with it.
#[must_use = "a pending batch must be committed"]
pub struct Pending {
    batch: Batch,
    completed: Completed,
}

impl Pending {
    /// Takes the batch to hand it to the store.
    pub fn take_batch(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// Goes on, now that the batch is committed.
    pub fn committed(self, _: Committed) -> Completed {
        self.completed
    }

    /// Starts over: a row that was read has changed. Everything is checked again, the token included.
    pub fn conflicted(self) -> Option<Request> {
        match self.completed.recorded.work {
            Work::Request(identified) => {
                let mut request = identified.request;
                request.attempt = request.attempt.saturating_add(1);
                Some(request)
            }
            Work::Housekeeping => None,
        }
    }

    /// Ends the request: the store refused the batch for good.
    pub fn failed(self, refusal: Refusal) -> Completed {
        self.completed.recorded.refuse(refusal)
    }
}

/// A request that is done; its outcome is logged before the reply is given.
#[must_use = "the outcome must be logged and the effects carried out"]
pub struct Completed {
    recorded: Recorded,
    result: Result<Reply, Refusal>,
    effects: Vec<Effect>,
    follow: Option<Follow>,
    notes: Vec<(&'static str, String)>,
}

impl Completed {
    /// Gives what the driver must do before it replies.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// Gives the hard limit that refused the request, if one did; the record of that is durable before the answer.
    pub fn breach(&self) -> Option<&Breach> {
        self.result.as_ref().err().and_then(|refusal| refusal.breach.as_deref())
    }

    /// Writes the record of the outcome.
    pub fn record(&self, hash: &KeyedHash, now: crate::time::Timestamp) -> Option<Record> {
        let identified = self.recorded.identified()?;
        let outcome = match &self.result {
            Ok(reply) => Outcome::Answered(reply),
            Err(refusal) => Outcome::Refused(refusal),
        };
        Some(Record::of_outcome(identified, self.recorded.durable.record_number(), outcome, &self.notes, hash, now))
    }

    /// Takes the request that was held back and is made next.
    pub fn take_follow(&mut self) -> Option<Follow> {
        self.follow.take()
    }

    /// Gives back the record under which housekeeping goes on.
    pub fn into_recorded(self) -> Recorded {
        self.recorded
    }

    /// Gives the reply.
    pub fn into_result(self) -> Result<Reply, Refusal> {
        self.result
    }
}
