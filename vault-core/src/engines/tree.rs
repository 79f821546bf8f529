//! Paths as trees of folders: each folder that holds something has a mark in the folder above it.

use crate::engines::{Call, Change};
use crate::names::{Folder, Names, Slot};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretBytes;
use crate::view::{Interrupt, View};

/// The place of an entry, with the marks of all folders above it, outermost first.
pub(crate) struct Place {
    /// Where the entry lies.
    pub(crate) slot: Slot,
    /// Each folder above it, and the mark that shows it.
    above: Vec<(Folder, Slot)>,
    /// The folder that the entry lies in.
    folder: Folder,
}

/// Finds the place of the entry at `path` below `root`.
pub(crate) fn place(names: &Names, root: Folder, path: &str) -> Place {
    let mut folder = root;
    let mut above = Vec::new();
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for name in folders.split('/').filter(|name| !name.is_empty()) {
        above.push((folder, names.mark(&folder, name)));
        folder = names.folder(&folder, name);
    }
    Place { slot: names.entry(&folder, name), above, folder }
}

/// Finds only where the entry at `path` lies: for reads, which need no marks.
pub(crate) fn slot(names: &Names, root: Folder, path: &str) -> Slot {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut folder = root;
    for name in folders.split('/').filter(|name| !name.is_empty()) {
        folder = names.folder(&folder, name);
    }
    names.entry(&folder, name)
}

/// Gives the marks that are missing above a new entry. The marks that are there are read, so that the batch fails if
/// one is given up meanwhile.
pub(crate) fn missing_marks(place: &Place, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    view.prefetch(place.above.iter().map(|(_, mark)| mark));
    let mut changes = Vec::new();
    for (_, mark) in &place.above {
        if view.entry(mark)?.is_none() {
            changes.push(Change::Put { slot: mark.clone(), payload: SecretBytes::new(Vec::new()) });
        }
    }
    Ok(changes)
}

/// Gives the changes that remove an entry and every folder that is empty without it.
pub(crate) fn removal(place: &Place, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let mut changes = Vec::new();
    let mut folder = place.folder;
    let mut leaving = place.slot.clone();
    for (parent, mark) in place.above.iter().rev() {
        if view.list(&folder)?.iter().any(|name| name != leaving.name()) {
            changes.push(Change::Delete { slot: leaving });
            return Ok(changes);
        }
        changes.push(Change::DeleteOnly { slot: leaving });
        leaving = mark.clone();
        folder = *parent;
    }
    changes.push(Change::Delete { slot: leaving });
    Ok(changes)
}

/// Answers a LIST of the folder at `path` below `root`; an empty folder is missing. `after` and `limit` page.
pub(crate) fn list(call: &Call<'_>, root: Folder, path: &str, view: &mut View) -> Result<Reply, Interrupt> {
    let folder =
        path.split('/').filter(|name| !name.is_empty()).fold(root, |folder, name| call.names.folder(&folder, name));
    let after = call.request.parameter("after").unwrap_or_default();
    let limit = match call.request.parameter("limit") {
        None | Some("" | "-1" | "0") => usize::MAX,
        Some(text) => text.parse().map_err(|_| Refusal::invalid("'limit' is not a number"))?,
    };
    let names: Vec<&String> = view.list(&folder)?.iter().filter(|name| name.as_str() > after).take(limit).collect();
    if names.is_empty() {
        return Err(Refusal::missing().into());
    }
    Ok(Reply::data(&serde_json::json!({ "keys": names }))?)
}
