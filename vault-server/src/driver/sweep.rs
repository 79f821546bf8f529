//! Housekeeping: removes what was given up, and tokens that are dead. All of it is out of reach already; a crash
//! in the middle leaves rubbish for the next run.

use std::sync::Arc;
use std::time::Duration;

use vault_core::approval;
use vault_core::audit::Record;
use vault_core::auth::token::{Finder, lease};
use vault_core::engines::{Change, Step};
use vault_core::flow::{Plan, Recorded, Settled, Undecided};
use vault_core::id::RequestId;
use vault_core::names::Folder;
use vault_core::purge;
use vault_core::refusal::Refusal;
use vault_core::reply::Reply;
use vault_core::store::FolderId;
use vault_core::view::{Interrupt, View};

use crate::driver::fetch::ROUNDS_MAX;
use crate::driver::{Open, Vault, log_refusal, store_refusal};
use crate::storage::{CommitError, PAGE_ROWS_MAX};

/// How often an unfinished attempt to unseal is looked at, so that its shares are wiped soon after its end.
const TICK: Duration = Duration::from_secs(5);

/// Pieces of work in one batch: few enough that writers hardly wait for it.
const BATCH_PIECES: usize = 64;

/// Most times that one piece is tried while others change its rows; the next sweep looks at it again.
const PIECE_TRIES_MAX: usize = 16;

/// One piece of housekeeping.
enum Chore {
    Purge,
    CollectTokens,
    ExpireAttempt,
    Rotate,
    Census,
}

impl Vault {
    /// Keeps the house for as long as the vault lives: sweeps, delivers notices and sends traces, none of which waits for another.
    pub async fn keep_house(self: Arc<Self>) {
        tokio::join!(self.sweep(), self.deliver_notices(), self.traces.send());
    }

    /// Sweeps when something waits in the purge queue, and at every interval.
    async fn sweep(&self) {
        let mut ticks = tokio::time::interval(TICK);
        let mut tokens = tokio::time::interval(self.settings.sweep_interval);
        loop {
            let chore = tokio::select! {
                () = self.purge.notified() => Chore::Purge,
                () = self.collect.notified() => Chore::CollectTokens,
                _ = tokens.tick() => Chore::CollectTokens,
                () = self.check_rotation.notified() => Chore::Rotate,
                () = self.census.notified() => Chore::Census,
                _ = ticks.tick() => Chore::ExpireAttempt,
            };
            if let Err(refusal) = self.do_chore(chore).await {
                let reason = refusal.private.as_deref().unwrap_or(&refusal.public);
                tracing::warn!("housekeeping stopped and will be tried again: {reason}");
            }
        }
    }

    async fn do_chore(&self, chore: Chore) -> Result<(), Refusal> {
        match (chore, self.open.load_full()) {
            (Chore::ExpireAttempt, open) => {
                self.expire_ceremonies().await;
                self.expire_attempt().await?;
                match open {
                    Some(open) => self.rotate_if_due(&open).await,
                    None => Ok(()),
                }
            }
            (Chore::Rotate, Some(open)) => self.rotate_if_due(&open).await,
            (Chore::Census, Some(open)) => self.take_census(&open).await,
            (Chore::Purge, Some(open)) => self.purge_given_up(&open).await,
            (Chore::CollectTokens, open) => {
                if let Some(open) = open {
                    self.collect_tokens(&open).await?;
                    self.end_requests(&open).await?;
                    self.purge_given_up(&open).await?;
                    self.take_census(&open).await?;
                    self.sweep_limits(&open).await?;
                }
                self.watch_custodians().await
            }
            (_, None) => Ok(()),
        }
    }

    /// Removes the rows of every folder in the purge queue.
    async fn purge_given_up(&self, open: &Open) -> Result<(), Refusal> {
        let queue = purge::queue(open.barrier().names());
        let waiting = self.names_of(open, queue).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let recorded = self.record_housekeeping("purge").await?;
        for folder in waiting.iter().filter_map(|name| purge::parse(name)) {
            self.purge_folder(&recorded, folder).await?;
            let done = purge::done(&recorded, open.barrier().names(), folder);
            self.storage.commit(done).await.map_err(|error| commit_refusal(&error))?;
        }
        Ok(())
    }

    /// Removes a folder and everything below it, deepest first, so that a crash loses no folder from sight.
    async fn purge_folder(&self, recorded: &Recorded, root: FolderId) -> Result<(), Refusal> {
        let mut open_folders = vec![root];
        while let Some(&folder) = open_folders.last() {
            let page = self.storage.list(folder, None, PAGE_ROWS_MAX).await.map_err(|error| store_refusal(&error))?;
            let mut below = Vec::new();
            for key in page.iter().filter_map(|listed| listed.key.marked_folder()) {
                let rows = self.storage.list(key, None, 1).await.map_err(|error| store_refusal(&error))?;
                below.extend((!rows.is_empty()).then_some(key));
            }
            if below.is_empty() {
                if page.is_empty() {
                    open_folders.pop();
                    continue;
                }
                let rows = purge::remove(recorded, page.iter().map(|listed| listed.key));
                self.storage.commit(rows).await.map_err(|error| commit_refusal(&error))?;
            }
            open_folders.extend(below);
        }
        Ok(())
    }

    /// Removes every token that is no longer alive.
    async fn collect_tokens(&self, open: &Open) -> Result<(), Refusal> {
        let ids = self.names_of(open, open.barrier().names().tokens()).await?;
        let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
        let finder = Finder { names: open.barrier().names(), tables: &rules.tables, now: self.environment.now() };
        let mut work = Vec::new();
        for id in &ids {
            work.push(move |view: &mut View| finder.collect_if_dead(id, view));
        }
        self.in_batches(open, "collect-tokens", &work).await
    }

    /// Closes requests whose time is up, and removes those that ended long ago.
    async fn end_requests(&self, open: &Open) -> Result<(), Refusal> {
        let names = open.barrier().names();
        let ids = self.names_of(open, approval::folder(names)).await?;
        let now = self.environment.now();
        let work: Vec<_> =
            ids.iter().map(|id| move |view: &mut View| approval::sweep_request(names, id, now, view)).collect();
        self.in_batches(open, "end-requests", &work).await
    }

    /// Ends every token whose lease lies below a prefix.
    pub(super) async fn revoke_leases(&self, open: &Open, prefix: &str) -> Result<(), Refusal> {
        let names = open.barrier().names();
        let mut folders = vec![lease::folder(names, prefix)];
        let mut ids = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in self.names_of(open, folder).await? {
                match entry.strip_suffix('/') {
                    Some(below) => folders.push(names.folder(&folder, below)),
                    None => ids.extend(lease::token_of(&entry)),
                }
            }
        }
        let work: Vec<_> = ids
            .iter()
            .map(|id| move |view: &mut View| lease::revoke_all(names, std::slice::from_ref(id), view))
            .collect();
        self.in_batches(open, "revoke-leases", &work).await?;
        self.purge.notify_one();
        Ok(())
    }

    /// Commits the changes of many small pieces of work, several in one batch. A batch that meets somebody else's commit
    /// is done again piece by piece.
    pub(super) async fn in_batches<W>(&self, open: &Open, what: &str, work: &[W]) -> Result<(), Refusal>
    where
        W: Fn(&mut View) -> Result<Vec<Change>, Interrupt>,
    {
        if work.is_empty() {
            return Ok(());
        }
        let mut recorded = self.record_housekeeping(what).await?;
        for batch in work.chunks(BATCH_PIECES) {
            let (again, committed) = self.together(open, recorded, batch).await?;
            recorded = again;
            for piece in batch.iter().filter(|_| !committed) {
                let mut tries = 0..PIECE_TRIES_MAX;
                loop {
                    let (again, committed) = self.together(open, recorded, std::slice::from_ref(piece)).await?;
                    recorded = again;
                    if committed || tries.next().is_none() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Commits the changes of some pieces of work in one batch; tells whether nobody else's commit came between.
    async fn together<W>(&self, open: &Open, recorded: Recorded, work: &[W]) -> Result<(Recorded, bool), Refusal>
    where
        W: Fn(&mut View) -> Result<Vec<Change>, Interrupt>,
    {
        let mut view = View::default();
        let mut recorded = recorded;
        for _ in 0..ROUNDS_MAX {
            let decided = recorded.decide(&mut view, |_, view| {
                // Every piece notes what it needs before any of it is fetched.
                let outcomes: Vec<_> = work.iter().map(|piece| piece(view)).collect();
                let changes: Vec<Vec<Change>> = outcomes.into_iter().collect::<Result<_, _>>()?;
                Ok(Step::commit(Reply::Empty, changes.into_iter().flatten().collect()))
            });
            match decided {
                Ok(plan) => return self.settle_housekeeping(open, plan).await,
                Err(Undecided::Refused(completed)) => {
                    return Err(completed.into_result().err().unwrap_or_else(Refusal::denied));
                }
                Err(Undecided::Fetch(same)) => {
                    recorded = *same;
                    self.fetcher(open, Some(&recorded)).supply(&mut view).await?;
                }
            }
        }
        Err(Refusal::internal("housekeeping does not come to an end"))
    }

    async fn settle_housekeeping(&self, open: &Open, plan: Plan) -> Result<(Recorded, bool), Refusal> {
        let settled = plan
            .settle(open.barrier(), &mut self.environment.rng())
            .map_err(|error| Refusal::internal(error.to_string()))?;
        match settled {
            Settled::Complete(completed) => Ok((completed.into_recorded(), true)),
            Settled::Commit(mut pending) => match self.storage.commit(pending.take_batch()).await {
                Ok(committed) => Ok((pending.committed(committed).into_recorded(), true)),
                Err(CommitError::Conflict { .. }) => Ok((pending.failed(Refusal::denied()).into_recorded(), false)),
                Err(CommitError::Storage(error)) => Err(store_refusal(&error)),
            },
        }
    }

    pub(super) async fn record_housekeeping(&self, what: &str) -> Result<Recorded, Refusal> {
        let record =
            Record::of_housekeeping(what, RequestId::random(&mut self.environment.rng()), self.environment.now());
        let durable = self.log.append_durable(record).await.map_err(|error| log_refusal(&error))?;
        Ok(Recorded::housekeeping(durable))
    }

    /// Lists the names in a system folder.
    pub(super) async fn names_of(&self, open: &Open, folder: Folder) -> Result<Vec<String>, Refusal> {
        let mut view = View::default();
        let fetcher = self.fetcher(open, None);
        for _ in 0..ROUNDS_MAX {
            match view.list(&folder) {
                Ok(names) => return Ok(names.to_vec()),
                Err(Interrupt::Refuse(refusal)) => return Err(refusal),
                Err(Interrupt::Fetch) => fetcher.supply(&mut view).await?,
            }
        }
        Err(Refusal::internal("a listing does not come to an end"))
    }
}

fn commit_refusal(error: &CommitError) -> Refusal {
    Refusal::internal(error.to_string())
}
