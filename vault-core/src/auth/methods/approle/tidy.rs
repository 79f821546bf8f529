//! `tidy/secret-id`: removes secret ids that have ended. They can do nothing already; this only frees their rows.

use rand_core::CryptoRng;

use super::{role, secret_id};
use crate::engines::{Call, Change, Step};
use crate::record_format;
use crate::reply::{Content, Reply};
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// Roles and secret ids that one call looks at; the next one goes on where it stopped.
const ROLES_MAX: usize = 64;
const SECRET_IDS_MAX: usize = 1_000;

pub(super) fn tidy(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let cursor = call.names.entry(&call.mount.folder(call.names, "tidy"), "cursor");
    let (after_role, after_accessor): (String, String) = match view.entry(&cursor)? {
        None => (String::new(), String::new()),
        Some(row) => record_format::decode(VERSION, &row.payload)?,
    };
    let all = view.list(&role::folder(call.mount, call.names))?;
    // The role where the last call stopped may have more.
    let names: Vec<String> = all.iter().filter(|name| **name >= after_role).take(ROLES_MAX + 1).cloned().collect();
    let slots: Vec<_> = names.iter().map(|name| role::slot(call.mount, call.names, name)).collect();
    view.prefetch(&slots);
    let mut next = None;
    let mut asked = Vec::new();
    for (position, name) in names.into_iter().enumerate() {
        if position == ROLES_MAX {
            next = Some((name, String::new()));
            break;
        }
        let Some(role) = role::load(call.mount, call.names, &name, view)? else { continue };
        let accessors = view.list(&secret_id::accessors(call, role.key))?;
        let resumes = name == after_role;
        let rest = accessors.iter().filter(|accessor| !resumes || **accessor > after_accessor);
        for accessor in rest {
            if asked.len() == SECRET_IDS_MAX {
                next =
                    asked.last().map(|(role, accessor): &(role::Role, String)| (role.name.clone(), accessor.clone()));
                break;
            }
            asked.push((role.clone(), accessor.clone()));
        }
        if next.is_some() {
            break;
        }
    }
    let finished = next.is_none();
    let mut changes = ended(call, &asked, view)?;
    changes.push(match next {
        Some(next) => Change::Put { slot: cursor, payload: record_format::encode(VERSION, &next)? },
        None => Change::Delete { slot: cursor },
    });
    let text = if finished {
        "all secret ids have been looked at"
    } else {
        "there are more secret ids to look at: call again to go on"
    };
    let content = Content { warnings: vec![text.to_owned()], ..Content::default() };
    Ok(Step::commit(Reply::Content(content), changes))
}

/// Gives the changes that remove those of some secret ids that have ended.
fn ended(call: &Call<'_>, asked: &[(role::Role, String)], view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let accessors: Vec<_> =
        asked.iter().map(|(role, accessor)| secret_id::accessor_slot(call, role.key, accessor)).collect();
    view.prefetch(&accessors);
    let mut slots = Vec::new();
    for ((role, _), accessor) in asked.iter().zip(&accessors) {
        let Some(row) = view.entry(accessor)? else { continue };
        let name = String::from_utf8_lossy(row.payload.expose());
        slots.push((role.key, secret_id::named_slot(call, role.key, &name)));
    }
    view.prefetch(slots.iter().map(|(_, slot)| slot));
    let mut changes = Vec::new();
    for (key, slot) in slots {
        if let Some(found) = secret_id::load(slot, view)?.filter(|found| !found.record.is_live(call.now)) {
            changes.extend(found.remove(call, key));
        }
    }
    Ok(changes)
}
