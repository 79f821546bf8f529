//! Housekeeping of limits: ends what was counted for hours and days that are over, and watches what only time brings beyond a limit.

use vault_core::approval;
use vault_core::engines::Change;
use vault_core::limits::tally::{self, Swept};
use vault_core::limits::{Level, Limits, Teller, pending, upkeep};
use vault_core::refusal::Refusal;
use vault_core::time::Timestamp;
use vault_core::view::{Interrupt, View};

use crate::driver::fetch::ROUNDS_MAX;
use crate::driver::{Open, Vault};

impl Vault {
    /// Looks through everything that is counted and measured, shows how many limits are gone beyond, and tells people of what has
    /// changed.
    pub(super) async fn sweep_limits(&self, open: &Open) -> Result<(), Refusal> {
        let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
        let names = open.barrier().names();
        let tells = !self.settings.channels.is_empty();
        let teller = Teller { names, now: self.environment.now(), vault: open.barrier().vault(), tells };
        match rules.tables.limits().upkeep().backup {
            Some(backup) => {
                self.metrics.limits.backup_last_time.set(backup.taken_at.map_or(0, Timestamp::unix_seconds));
            }
            None => self.note_backup(open, None).await?,
        }
        // Each is looked at first, so that what needs no change needs no record.
        let held = self.names_of(open, approval::folder(names)).await?;
        let mut due: Vec<Piece<'_>> = Vec::new();
        let limits = rules.tables.limits();
        let pieces =
            held.iter().map(|id| -> Piece<'_> { Box::new(move |view| pending::watch(limits, &teller, id, view)) });
        let upkeep: Piece<'_> = Box::new(move |view| upkeep::watch(limits, &teller, view));
        for piece in pieces.chain([upkeep]) {
            if !self.look(open, &piece).await?.is_empty() {
                due.push(piece);
            }
        }
        self.in_batches(open, "watch-limits", &due).await?;
        self.sweep_tallies(open, limits, &teller).await?;
        self.deliver.notify_one();
        Ok(())
    }

    async fn sweep_tallies(&self, open: &Open, limits: &Limits, teller: &Teller<'_>) -> Result<(), Refusal> {
        let tallies = self.names_of(open, tally::folder(teller.names)).await?;
        let (mut due, mut breached): (Vec<Piece<'_>>, [i64; 2]) = (Vec::new(), [0; 2]);
        for name in &tallies {
            let Swept { changes, breached: level } =
                self.look(open, &|view: &mut View| tally::sweep(limits, teller, name, view)).await?;
            let [soft, hard] = &mut breached;
            match level {
                Some(Level::Soft) => *soft += 1,
                Some(Level::Hard) => *hard += 1,
                None => {}
            }
            if !changes.is_empty() {
                due.push(Box::new(move |view| tally::sweep(limits, teller, name, view).map(|swept| swept.changes)));
            }
        }
        self.metrics.limits.are_breached(breached);
        self.in_batches(open, "sweep-limits", &due).await
    }

    /// Notes that a snapshot which was begun at some time was taken to its end, or that none is known of yet.
    pub(super) async fn note_backup(&self, open: &Open, taken_at: Option<Timestamp>) -> Result<(), Refusal> {
        let (names, now) = (open.barrier().names(), self.environment.now());
        let note: Piece<'_> = Box::new(move |view| upkeep::note_backup(names, taken_at, now, view));
        self.in_batches(open, "note-backup", &[note]).await?;
        open.rules.expire();
        // Somebody may have been told that it was overdue.
        if taken_at.is_some() {
            self.collect.notify_one();
        }
        Ok(())
    }

    /// Runs pure code on rows of the system without changing anything.
    async fn look<T>(
        &self,
        open: &Open,
        code: &(dyn Fn(&mut View) -> Result<T, Interrupt> + Send + Sync),
    ) -> Result<T, Refusal> {
        let mut view = View::default();
        for _ in 0..ROUNDS_MAX {
            match code(&mut view) {
                Ok(found) => return Ok(found),
                Err(Interrupt::Refuse(refusal)) => return Err(refusal),
                Err(Interrupt::Fetch) => self.fetcher(open, None).supply(&mut view).await?,
            }
        }
        Err(Refusal::internal("looking at limits does not come to an end"))
    }
}

/// One piece of work.
type Piece<'a> = Box<dyn Fn(&mut View) -> Result<Vec<Change>, Interrupt> + Send + Sync + 'a>;
