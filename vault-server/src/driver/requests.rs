//! Carries one request from the door to its reply.

use std::sync::{Arc, PoisonError};

use tokio::sync::OwnedMutexGuard;

use vault_core::approval::{Passage, Stopped};
use vault_core::audit::{Decision, Record};
use vault_core::auth::token::{Finder, Reader};
use vault_core::auth::{self, Sender, Unidentified, stewards};
use vault_core::engines::{Effect, Follow, Surroundings};
use vault_core::flow::{Completed, Denied, Identified, Pending, Permitted, Plan, Recorded, Settled, Target, Undecided};
use vault_core::limits::{self, Metric};
use vault_core::network::Network;
use vault_core::policy::IdentityFacts;
use vault_core::quota::{self, Verdict};
use vault_core::refusal::{Class, Refusal};
use vault_core::reply::Reply;
use vault_core::request::{Operation, Request};
use vault_core::view::View;
use vault_log::proof::Receipt;

use crate::driver::fetch::ROUNDS_MAX;
use crate::driver::rules::Generation;
use crate::driver::{Open, Vault, log_refusal, store_refusal};
use crate::metrics::outcome_word;
use crate::storage::CommitError;
use crate::traces::{Stage, Trace, TraceParent};

/// Most times that a request starts over because a row it read was changed before its commit. Where an engine takes
/// turns, writers of one path wait for each other; a swarm of writers elsewhere, or on one folder, may reach it.
const ATTEMPTS_MAX: usize = 64;

/// What became of a request.
pub struct Handled {
    /// What it is answered with.
    pub reply: Reply,
    /// Shows that the record of a release is in the log; other requests have none.
    pub receipt: Option<Receipt>,
}

/// How one attempt ended.
enum Attempt {
    Done(Result<Handled, Refusal>),
    Again(Request),
    /// Answered; something that was agreed to is made on the side.
    Besides(Result<Handled, Refusal>, Box<Request>),
}

impl Vault {
    /// Carries out a request.
    ///
    /// # Errors
    /// Answers [`Refusal`]; a denial is on durable record by then.
    pub async fn handle(self: &Arc<Self>, request: Request) -> Result<Handled, Refusal> {
        self.handle_within(None, request).await
    }

    /// Carries out a request that belongs to a trace of its caller's.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub(crate) async fn handle_within(
        self: &Arc<Self>,
        parent: Option<TraceParent>,
        request: Request,
    ) -> Result<Handled, Refusal> {
        let measured = self.metrics.request(request.operation);
        let named = (request.id, request.operation);
        let trace = self.traces.begin(named, parent, request.received_at, &mut self.environment.rng());
        let result = self.carry_through(request, &trace).await;
        trace.ended(outcome_word(&result));
        measured.ended(&result);
        result
    }

    async fn carry_through(self: &Arc<Self>, request: Request, trace: &Trace<'_>) -> Result<Handled, Refusal> {
        self.check_rate(&request).await?;
        let (mut request, mut answer) = (request, None);
        for _ in 0..ATTEMPTS_MAX {
            match self.attempt(request, trace).await.unwrap_or_else(|refusal| Attempt::Done(Err(refusal))) {
                Attempt::Done(result) => return answer.unwrap_or(result),
                Attempt::Again(same) => request = same,
                // Its own records tell how it ends; whoever asked for it can redeem it if this fails.
                Attempt::Besides(result, agreed_to) => (answer, request) = (Some(result), *agreed_to),
            }
        }
        let busy = || Refusal::new(Class::Busy, "too many others write here at the same time; try again");
        answer.unwrap_or_else(|| Err(busy()))
    }

    /// Waits for the turn of a write, where the engine has writers of one path take turns, or of a read that is counted.
    async fn turn(&self, open: &Open, rules: &Generation, identified: &Identified) -> Option<OwnedMutexGuard<()>> {
        let request = identified.request();
        if let Some(counted) = limits::turn(&rules.tables, identified) {
            return open.stripes.lock(&counted).await;
        }
        if matches!(request.operation, Operation::Read | Operation::List) {
            return None;
        }
        let (target, _) = Target::find(&rules.tables, request.path.as_str())?;
        if target.engine.takes_turns() { open.stripes.lock(request.path.as_str()).await } else { None }
    }

    /// Refuses a client that asks too often, before anything is read for it. The first refusal of an interval goes on
    /// record; waiting for the disk for each of them would let strangers keep it busy.
    async fn check_rate(&self, request: &Request) -> Result<(), Refusal> {
        let open = self.unsealed()?;
        let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
        let Some(limit) = quota::find(rules.tables.rate_limits(), request.path.as_str()) else { return Ok(()) };
        let client = Network::of(request.remote.ip());
        match open.usage.lock().unwrap_or_else(PoisonError::into_inner).judge(limit, client, request.received_at) {
            Verdict::Pass => Ok(()),
            Verdict::Refuse { first } => {
                let refusal = Refusal::new(Class::Busy, "too many requests from your address; try again later")
                    .with_private(format!("the rate limit {:?}", limit.name));
                if first {
                    let hash = open.barrier().audit_values();
                    self.log.append(Record::of_request(request, None, None, Decision::Denied(&refusal), hash));
                }
                Err(refusal)
            }
        }
    }

    async fn attempt(self: &Arc<Self>, request: Request, trace: &Trace<'_>) -> Result<Attempt, Refusal> {
        let open = self.unsealed()?;
        let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
        let identified = match trace.during(Stage::Identify, self.identify(&open, &rules, request)).await? {
            Ok(identified) => identified,
            Err(denied) => return Err(self.deny(&open, denied).await),
        };
        let turn = trace.during(Stage::Turn, self.turn(&open, &rules, &identified)).await;
        let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
        let permitted = match trace.during(Stage::Permit, self.permit(&open, &rules, identified)).await? {
            Ok(permitted) => permitted,
            Err(denied) => return Err(self.deny(&open, denied).await),
        };
        let seals = permitted.asks_to_seal();
        let passage = match trace.during(Stage::Gate, self.pass(&open, &rules, permitted)).await? {
            Ok(passage) => passage,
            Err(denied) => return Err(self.deny(&open, denied).await),
        };
        let seals = seals && matches!(passage, Passage::Approved(_));
        let (recorded, receipt) = match trace.during(Stage::Record, self.record(&open, passage, seals)).await {
            Ok(Ok(recorded)) => recorded,
            Ok(Err(refused)) => return Ok(self.complete(open, refused, None).await),
            // A vault whose log cannot be written serves nothing, but whoever may seal it still can.
            Err(refusal) if seals => {
                tracing::error!("sealing without a record: {}", refusal.private.unwrap_or(refusal.public));
                drop(turn);
                drop(open);
                self.seal().await;
                return Ok(Attempt::Done(Ok(Handled { reply: Reply::Empty, receipt: None })));
            }
            Err(refusal) => return Err(refusal),
        };
        let plan = match trace.during(Stage::Decide, self.decide(&open, &rules, recorded)).await? {
            Ok(plan) => plan,
            Err(refused) => return Ok(self.complete(open, refused, receipt).await),
        };
        let settled = plan.settle(open.barrier(), &mut self.environment.rng());
        match settled.map_err(|error| Refusal::internal(error.to_string()))? {
            Settled::Complete(completed) => Ok(self.complete(open, completed, receipt).await),
            Settled::Commit(pending) => {
                // A caller who goes away must not leave a commit without its effects: it goes on without them.
                let vault = Arc::clone(self);
                let committing = tokio::spawn(async move {
                    let outcome = vault.commit(open, pending, receipt).await;
                    drop(turn);
                    outcome
                });
                trace
                    .during(Stage::Commit, committing)
                    .await
                    .map_err(|error| Refusal::internal(format!("committing: {error}")))
            }
        }
    }

    pub(super) async fn identify(
        &self,
        open: &Open,
        rules: &Generation,
        request: Request,
    ) -> Result<Result<Identified, Denied>, Refusal> {
        let target = Target::find(&rules.tables, request.path.as_str()).map(|(target, _)| target);
        let admitted =
            if request.act.is_some() { Err(request) } else { auth::admit_stranger(request, target.as_ref()) };
        let mut request = match admitted {
            Ok(stranger) => return Ok(Ok(stranger)),
            Err(request) => request,
        };
        let barrier = open.barrier();
        let finder = Finder { names: barrier.names(), tables: &rules.tables, now: self.environment.now() };
        let reader = Reader { finder, token_ids: barrier.token_ids(), batch_tokens: barrier.batch_tokens() };
        let fetcher = self.fetcher(open, None);
        let mut view = View::default();
        for _ in 0..ROUNDS_MAX {
            let custody = rules.tables.custody();
            let identified = match request.act {
                Some(_) => stewards::identify(request, custody, (barrier.vault(), barrier.names()), &mut view),
                None => auth::identify(request, &reader, &mut view),
            };
            match identified {
                Ok(identified) => return Ok(Ok(identified)),
                Err(Unidentified::Refused(request, refusal)) => return Ok(Err(Denied::unidentified(request, refusal))),
                Err(Unidentified::Fetch(same)) => {
                    fetcher.supply(&mut view).await?;
                    request = same;
                }
            }
        }
        Err(Refusal::internal("identifying the sender does not come to an end"))
    }

    async fn permit(
        &self,
        open: &Open,
        rules: &Generation,
        identified: Identified,
    ) -> Result<Result<Permitted, Denied>, Refusal> {
        let target = Target::find(&rules.tables, identified.request().path.as_str());
        let present = match &target {
            Some((target, below)) if identified.request().operation == Operation::Write => {
                let call = self.surroundings(open, rules).call(&identified, target, below);
                match target.engine.existence(&call) {
                    Some(slot) => self.storage.get(slot.key()).await.map_err(|error| store_refusal(&error))?.is_some(),
                    None => true,
                }
            }
            _ => true,
        };
        let acl = match identified.sender() {
            Sender::Token(identity) => rules.acl_of(identity),
            Sender::Stewards(_) => rules.acl(&["root".to_owned()], &IdentityFacts::default()),
            Sender::Stranger => rules.acl(&[], &IdentityFacts::default()),
        };
        let target = target.map(|(target, _)| target);
        Ok(identified.permit(&acl, target, present))
    }

    /// Asks the gate, fetching what it asks for.
    async fn pass(
        &self,
        open: &Open,
        rules: &Generation,
        permitted: Permitted,
    ) -> Result<Result<Passage, Denied>, Refusal> {
        let (mut permitted, mut view) = (permitted, View::default());
        let around = self.surroundings(open, rules);
        for _ in 0..ROUNDS_MAX {
            match open.gate.pass(permitted, &around, &mut view) {
                Ok(passage) => return Ok(Ok(passage)),
                Err(Stopped::Denied(denied)) => return Ok(Err(denied)),
                Err(Stopped::Fetch(same)) => {
                    self.fetcher(open, None).supply(&mut view).await?;
                    permitted = same;
                }
            }
        }
        Err(Refusal::internal("the gate does not come to an end"))
    }

    fn surroundings<'a>(&self, open: &'a Open, rules: &'a Generation) -> Surroundings<'a> {
        Surroundings {
            tables: &rules.tables,
            names: open.barrier().names(),
            token_ids: open.barrier().token_ids(),
            batch_tokens: open.barrier().batch_tokens(),
            audit_values: open.barrier().audit_values(),
            now: self.environment.now(),
            keyring: open.barrier().facts(),
            vault: open.barrier().vault(),
            tells: !self.settings.channels.is_empty(),
        }
    }

    /// Makes the record of the intent durable. A release has a checkpoint over it in the same sync, which witnesses sign, and a
    /// receipt; none but sealing goes on without witnesses where they are asked for.
    async fn record(
        &self,
        open: &Open,
        passage: Passage,
        seals: bool,
    ) -> Result<Result<(Recorded, Option<Receipt>), Completed>, Refusal> {
        let hash = open.barrier().audit_values();
        let (is_release, (record, recording)) = match passage {
            Passage::Approved(approved) => (approved.is_release(), approved.record(hash)),
            Passage::Held(held) => (false, held.record(hash)),
        };
        if !is_release {
            let durable = self.log.append_durable(record).await.map_err(|error| log_refusal(&error))?;
            return Ok(Ok((recording.recorded(durable), None)));
        }
        let (durable, receipt) = self.log.append_signed(record).await.map_err(|error| log_refusal(&error))?;
        let recorded = recording.recorded(durable);
        if seals {
            return Ok(Ok((recorded, receipt)));
        }
        match self.witness(recorded.record_number(), receipt).await {
            Ok(receipt) => Ok(Ok((recorded, receipt))),
            Err(refusal) => Ok(Err(recorded.refuse(refusal))),
        }
    }

    async fn deny(&self, open: &Open, denied: Denied) -> Refusal {
        if let Some(breach) = denied.breach() {
            self.metrics.limits.refused(breach.metric);
        }
        let record = denied.record(open.barrier().audit_values());
        match self.log.append_durable(record).await {
            Ok(durable) => denied.into_refusal(&durable),
            Err(error) => log_refusal(&error),
        }
    }

    async fn decide(
        &self,
        open: &Open,
        rules: &Generation,
        recorded: Recorded,
    ) -> Result<Result<Plan, Completed>, Refusal> {
        let mut recorded = recorded;
        let mut view = View::default();
        for _ in 0..ROUNDS_MAX {
            match recorded.carry_out(&self.surroundings(open, rules), &mut view, &mut self.environment.rng()) {
                Ok(plan) => return Ok(Ok(plan)),
                Err(Undecided::Refused(completed)) => return Ok(Err(completed)),
                Err(Undecided::Fetch(same)) => {
                    recorded = *same;
                    if let Err(refusal) = self.fetcher(open, Some(&recorded)).supply(&mut view).await {
                        return Ok(Err(recorded.refuse(refusal)));
                    }
                }
            }
        }
        Ok(Err(recorded.refuse(Refusal::internal("the engine does not come to an end"))))
    }

    async fn commit(&self, open: Arc<Open>, mut pending: Pending, receipt: Option<Receipt>) -> Attempt {
        let completed = match self.storage.commit(pending.take_batch()).await {
            Ok(committed) => pending.committed(committed),
            Err(CommitError::Conflict { .. }) => match pending.conflicted() {
                Some(request) => return Attempt::Again(request),
                None => return Attempt::Done(Err(Refusal::internal("housekeeping has no request"))),
            },
            Err(CommitError::Storage(error)) => pending.failed(store_refusal(&error)),
        };
        self.complete(open, completed, receipt).await
    }

    /// Lets the audit devices that there are now follow the log, and no others.
    pub(super) async fn follow_log(&self, open: &Open) -> Result<(), Refusal> {
        let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
        self.log.followers().follow(rules.tables.audit_devices(), &self.settings.devices);
        Ok(())
    }

    /// Carries out the effects, logs the outcome and gives the reply; a request that was held back and follows is the next
    /// attempt, or is made on the side.
    async fn complete(&self, open: Arc<Open>, completed: Completed, receipt: Option<Receipt>) -> Attempt {
        let seal = completed.effects().contains(&Effect::Seal);
        let mut completed = match self.carry_out(&open, completed.effects()).await {
            Ok(()) => completed,
            Err(refusal) => completed.into_recorded().refuse(refusal),
        };
        let follow = completed.take_follow();
        let breached = completed.breach().map(|breach| breach.metric);
        if let Some(record) = completed.record(open.barrier().audit_values(), self.environment.now()) {
            match breached {
                // That a limit refused is durable before it is answered, as a denial is. A login is refused with the trace of any
                // other that fails.
                Some(metric) if metric != Metric::FailedLoginsPerHour => {
                    if let Err(error) = self.log.append_durable(record).await {
                        return Attempt::Done(Err(log_refusal(&error)));
                    }
                }
                _ => self.log.append(record),
            }
        }
        if let Some(metric) = breached {
            self.metrics.limits.refused(metric);
        }
        if seal {
            drop(open);
            self.seal().await;
        }
        let handled = |completed: Completed| completed.into_result().map(|reply| Handled { reply, receipt });
        match follow {
            Some(Follow::Instead(request)) => Attempt::Again(*request),
            Some(Follow::Besides(request)) => Attempt::Besides(handled(completed), request),
            None => Attempt::Done(handled(completed)),
        }
    }

    /// Carries out every effect in turn, sealing apart, which comes after the record of the outcome. The first failure is
    /// the outcome of the request; the effects behind it are carried out all the same, since the changes are committed.
    async fn carry_out(&self, open: &Open, effects: &[Effect]) -> Result<(), Refusal> {
        let mut outcome = Ok(());
        for effect in effects {
            let result = match effect {
                Effect::ReloadTables => {
                    open.rules.expire();
                    Ok(())
                }
                Effect::FollowAuditDevices => self.follow_log(open).await,
                Effect::Purge => {
                    self.purge.notify_one();
                    Ok(())
                }
                Effect::CollectTokens => {
                    self.collect.notify_one();
                    Ok(())
                }
                Effect::RevokeLeases { prefix } => self.revoke_leases(open, prefix).await,
                Effect::Rotate => self.rotate(open).await,
                Effect::CheckRotation => {
                    self.check_rotation.notify_one();
                    Ok(())
                }
                Effect::DeliverNotices => {
                    if !self.settings.channels.is_empty() {
                        self.deliver.notify_one();
                    }
                    Ok(())
                }
                Effect::Count(counted) => {
                    self.metrics.people.happened(counted);
                    Ok(())
                }
                Effect::CanaryRead => {
                    self.metrics.limits.canary_reads.inc();
                    Ok(())
                }
                Effect::Seal => Ok(()),
            };
            outcome = outcome.and(result);
        }
        outcome
    }
}
