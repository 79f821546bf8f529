//! Counts what metrics tell of the store: requests that wait, tokens and leases. It reads system rows only, and changes
//! nothing, so that it leaves no record.

use std::collections::BTreeMap;

use vault_core::approval::{Waiting, requests};
use vault_core::auth::token::{Finder, folder};
use vault_core::refusal::Refusal;
use vault_core::view::{Interrupt, View};

use crate::driver::fetch::ROUNDS_MAX;
use crate::driver::{Open, Vault};
use crate::metrics::TokenCount;

/// Rows that are read together, between looks at whether the vault is still open.
const PIECE_ROWS: usize = 64;

impl Vault {
    /// Counts everything anew. A vault that is sealed meanwhile is not kept waiting.
    pub(super) async fn take_census(&self, open: &Open) -> Result<(), Refusal> {
        self.metrics.people.census_begins();
        if let Some(waiting) = self.waiting_requests(open).await? {
            self.metrics.people.census_ends(waiting);
        }
        if let Some(count) = self.token_count(open).await? {
            self.metrics.tokens.are(&count);
        }
        Ok(())
    }

    /// Finds the requests that wait; `None` if the vault was sealed meanwhile.
    async fn waiting_requests(&self, open: &Open) -> Result<Option<BTreeMap<String, Waiting>>, Refusal> {
        let names = open.barrier().names();
        let mut found = BTreeMap::new();
        for ids in self.names_of(open, requests(names)).await?.chunks(PIECE_ROWS) {
            let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
            let around = (&rules.tables, names, self.environment.now());
            let piece = self.read_each(open, ids, |id, view| Waiting::read(around, id, view)).await?;
            if self.open.load().is_none() {
                return Ok(None);
            }
            found.extend(ids.iter().cloned().zip(piece).filter_map(|(id, waiting)| Some((id, waiting?))));
        }
        Ok(Some(found))
    }

    /// Counts tokens and leases; `None` if the vault was sealed meanwhile.
    async fn token_count(&self, open: &Open) -> Result<Option<TokenCount>, Refusal> {
        let names = open.barrier().names();
        let mut count = TokenCount::default();
        for ids in self.names_of(open, folder(names)).await?.chunks(PIECE_ROWS) {
            let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
            let finder = Finder { names, tables: &rules.tables, now: self.environment.now() };
            let piece = self.read_each(open, ids, |id, view| finder.count(id, view)).await?;
            if self.open.load().is_none() {
                return Ok(None);
            }
            piece.into_iter().flatten().for_each(|counted| count.add(counted));
        }
        Ok(Some(count))
    }

    /// Reads what is told of each name.
    async fn read_each<T: Send>(
        &self,
        open: &Open,
        ids: &[String],
        read: impl Fn(&str, &mut View) -> Result<T, Interrupt> + Send + Sync,
    ) -> Result<Vec<T>, Refusal> {
        let mut view = View::default();
        let fetcher = self.fetcher(open, None);
        for _ in 0..ROUNDS_MAX {
            // Each notes what it needs before any of it is fetched.
            let outcomes: Vec<_> = ids.iter().map(|id| read(id, &mut view)).collect();
            match outcomes.into_iter().collect::<Result<Vec<_>, Interrupt>>() {
                Ok(found) => return Ok(found),
                Err(Interrupt::Refuse(refusal)) => return Err(refusal),
                Err(Interrupt::Fetch) => fetcher.supply(&mut view).await?,
            }
        }
        Err(Refusal::internal("counting does not come to an end"))
    }
}
