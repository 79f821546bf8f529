//! Fetches what pure code asked for.

use vault_core::barrier::Barrier;
use vault_core::flow::Recorded;
use vault_core::names::{Domain, Folder, Slot};
use vault_core::refusal::Refusal;
use vault_core::view::{Opened, View, Want};

use crate::driver::store_refusal;
use crate::outside::Outside;
use crate::storage::{PAGE_ROWS_MAX, Storage};

/// Most times that one call is run again after a fetch; more mean an endless engine.
pub(super) const ROUNDS_MAX: usize = 256;

/// Most names of one listing; a folder with more is refused rather than answered in part.
const NAMES_MAX: usize = 1_000_000;

/// Reads rows and opens them: system rows always, data rows only on a durable record.
pub(super) struct Fetcher<'a> {
    pub(super) storage: &'a dyn Storage,
    pub(super) barrier: &'a Barrier,
    pub(super) recorded: Option<&'a Recorded>,
    /// Who answers questions; `None` where none may be asked.
    pub(super) outside: Option<&'a Outside>,
}

impl Fetcher<'_> {
    /// Supplies `view` with everything that it wants.
    pub(super) async fn supply(&self, view: &mut View) -> Result<(), Refusal> {
        for want in view.wanted() {
            match want {
                Want::Entry(slot) => {
                    let opened = self.entry(&slot).await?;
                    view.supply_entry(*slot.key(), opened);
                }
                Want::Presence(slot) => {
                    let row = self.storage.get(slot.key()).await.map_err(|error| store_refusal(&error))?;
                    view.supply_presence(*slot.key(), row.is_some());
                }
                Want::Answer(question) => {
                    let (Some(outside), Some(_)) = (self.outside, self.recorded) else {
                        return Err(Refusal::internal("a question was asked before the request was on record"));
                    };
                    let id = question.id();
                    view.supply_answer(id, outside.answer(question).await);
                }
                Want::List(folder) => {
                    let names = self.names(folder).await?;
                    view.supply_list(folder.id(), names);
                }
            }
        }
        Ok(())
    }

    async fn entry(&self, slot: &Slot) -> Result<Option<Opened>, Refusal> {
        let row = self.storage.get(slot.key()).await.map_err(|error| store_refusal(&error))?;
        let Some(row) = row else { return Ok(None) };
        let payload = match (self.recorded, slot.domain()) {
            (Some(recorded), domain) => self.barrier.open(recorded, domain, slot.key(), &row.value),
            (None, Domain::System) => self.barrier.open_system(slot.key(), &row.value),
            (None, Domain::Data) => return Err(unrecorded()),
        };
        let payload = payload.map_err(|error| Refusal::internal(format!("row {:?}: {error}", slot.name())))?;
        Ok(Some(Opened { revision: row.revision, payload }))
    }

    async fn names(&self, folder: Folder) -> Result<Vec<String>, Refusal> {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let page =
                self.storage.list(folder.id(), after, PAGE_ROWS_MAX).await.map_err(|error| store_refusal(&error))?;
            for listed in &page {
                let name = match (self.recorded, folder.domain()) {
                    (Some(recorded), domain) => self.barrier.open_label(recorded, domain, &listed.key, &listed.label),
                    (None, Domain::System) => self.barrier.open_system_label(&listed.key, &listed.label),
                    (None, Domain::Data) => return Err(unrecorded()),
                };
                names.push(name.map_err(|error| Refusal::internal(format!("listing: {error}")))?);
            }
            after = page.last().map(|listed| listed.key);
            if page.len() < PAGE_ROWS_MAX {
                return Ok(names);
            }
            if names.len() >= NAMES_MAX {
                return Err(Refusal::invalid(format!("the folder has more than {NAMES_MAX} names")));
            }
        }
    }
}

fn unrecorded() -> Refusal {
    Refusal::internal("a data row was asked for before the request was on record")
}
