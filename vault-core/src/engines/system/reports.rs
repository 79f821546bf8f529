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
            let text = format!("of the {what} only {ROWS_MAX} were looked at, and {left} were not");
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::Identity;
    use crate::engines::Change;
    use crate::engines::system::System;
    use crate::engines::test_store::{START, TestStore, data, mount, token};
    use crate::identity::Groups;
    use crate::mounts::Tables;
    use crate::policy::Policy;
    use crate::request::Operation;
    use crate::time::Span;

    fn report(store: &mut TestStore) -> Value {
        let sender = Identity::for_test("auditor", token(&["root"]), &store.names);
        let request = store.request(Operation::Read, "sys/reports/lone-wolf", None, None);
        data(&store.run(&System, &mount("sys/", "system", ""), &sender, &request).unwrap())
    }

    fn store(tokens: impl IntoIterator<Item = (String, Token)>) -> TestStore {
        let mut store = TestStore::new();
        let policy = Policy::parse("wide", "path \"secret/*\" { capabilities = [\"read\"] }").unwrap();
        store.tables = Tables::new([], [policy], Groups::default());
        let row = |(id, token): (String, Token)| Change::Put {
            slot: TokenId::from_stored(&id).slot(&store.names),
            payload: token.encode().unwrap(),
        };
        let rows: Vec<Change> = tokens.into_iter().map(row).collect();
        store.apply(rows);
        store
    }

    #[test]
    fn tokens_whose_ancestors_are_dead_do_nothing() {
        let named = |accessor: &str| Token { accessor: accessor.to_owned(), ..token(&["wide"]) };
        let parent = |id: &str| Some(TokenId::from_stored(id));
        let ended = Token { expires_at: Some(START), ..named("ended") };
        let tokens = [
            ("1", ended),
            ("2", Token { parent: parent("1"), ..named("below ended") }),
            ("3", Token { parent: parent("9"), ..named("below none") }),
            ("4", named("alive")),
            ("5", Token { parent: parent("4"), creation_ttl: Span(1), ..named("below alive") }),
        ];
        let mut store = store(tokens.map(|(id, token)| (id.to_owned(), token)));
        let found = report(&mut store);
        let who = found["alone"][0]["lines"][0]["who"].as_array().unwrap();
        let accessors: Vec<&Value> = who.iter().map(|owner| &owner["accessor"]).collect();
        assert_eq!(accessors, ["alive", "below alive"]);
    }

    #[test]
    fn what_is_beyond_the_bound_is_told() {
        let mut store = store((0..=ROWS_MAX).map(|number| (number.to_string(), token(&["wide"]))));
        let found = report(&mut store);
        assert_eq!(found["left_out"], json!(["of the tokens only 20000 were looked at, and 1 were not"]));
        assert_eq!(found["alone"][0]["lines"][0]["granted_by"], json!(["wide"]));
    }
}
