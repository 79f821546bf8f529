//! `reports/lone-wolf`: what one alone can do, computed from what is there.

use rand_core::CryptoRng;

use super::{Call, Step};
use crate::auth::token::{self, Token, TokenId};
use crate::identity::{self, Entity};
use crate::names::{Names, Slot};
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::report::{Census, LoneWolf};
use crate::view::{Interrupt, View};

/// Most tokens, and most entities, that one report reads: all of them are in memory while it is made.
const ROWS_MAX: usize = 20_000;

/// Most rows that are fetched in one round.
const ROWS_IN_ROUND_MAX: usize = 1_000;

/// Computes the lone-wolf report. The parameter `path`, which may be given several times, names mounts and patterns that are to be
/// protected besides those with a control group.
pub(super) fn lone_wolf(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let asked = call.request.parameters.iter().filter(|(name, _)| name == "path");
    let asked: Vec<String> = asked.map(|(_, path)| path.clone()).collect();
    let (entities, entities_left) = entities(call.names, view)?;
    let (tokens, tokens_left) = tokens(call, view)?;
    let charter = call.tables.custody().map(|custody| custody.charter().charter());
    let census = Census { tables: call.tables, charter, entities: &entities, tokens: &tokens };
    let mut report = LoneWolf::of(&census, &asked).map_err(Refusal::invalid)?;
    for (left, what) in [(entities_left, "entities"), (tokens_left, "tokens")] {
        if left > 0 {
            let text = format!("{left} {what} were not looked at, as there are more than {ROWS_MAX}");
            report.left_out.insert(0, text);
        }
    }
    Ok(Step::answer(Reply::data(&report)?))
}

/// Reads all entities, and tells how many were left out.
fn entities(names: &Names, view: &mut View) -> Result<(Vec<Entity>, usize), Interrupt> {
    let mut ids = identity::entity_ids(names, view)?;
    let left = ids.len().saturating_sub(ROWS_MAX);
    ids.truncate(ROWS_MAX);
    fetch(ids.iter().map(|id| identity::slot(names, *id)), view)?;
    let mut entities = Vec::with_capacity(ids.len());
    for id in ids {
        entities.extend(identity::read(names, id, view)?);
    }
    Ok((entities, left))
}

/// Reads all tokens that are alive, and tells how many were left out. Those whose ancestors are dead are dead.
fn tokens(call: &Call<'_>, view: &mut View) -> Result<(Vec<Token>, usize), Interrupt> {
    let mut ids = view.list(&token::folder(call.names))?.to_vec();
    let left = ids.len().saturating_sub(ROWS_MAX);
    ids.truncate(ROWS_MAX);
    let ids: Vec<TokenId> = ids.iter().map(|id| TokenId::from_stored(id)).collect();
    fetch(ids.iter().map(|id| id.slot(call.names)), view)?;
    let (finder, mut tokens, mut is_missing) = (call.finder(), Vec::new(), false);
    for id in &ids {
        match finder.find(id, view) {
            Ok(alive) => tokens.push(alive.token),
            // An ancestor that is not among those read: others are noted down as well, to be fetched together.
            Err(Interrupt::Fetch) => is_missing = true,
            Err(Interrupt::Refuse(refusal)) if refusal.class == Class::Denied => {}
            Err(refused) => return Err(refused),
        }
    }
    if is_missing { Err(Interrupt::Fetch) } else { Ok((tokens, left)) }
}

/// Has rows fetched in rounds of some each, so that none grows with the vault.
fn fetch(slots: impl Iterator<Item = Slot>, view: &mut View) -> Result<(), Interrupt> {
    let missing = slots.filter(|slot| view.entry(slot).is_err()).take(ROWS_IN_ROUND_MAX).count();
    if missing > 0 { Err(Interrupt::Fetch) } else { Ok(()) }
}
