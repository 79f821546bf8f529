//! What pure code sees of the store: it names what it reads, the driver fetches, and the code runs again.
//!
//! A reader asks [`View::entry`] or [`View::list`]. What has not been fetched yet is noted down and the reader
//! stops with [`Interrupt::Fetch`]; the driver supplies the rows and calls once more. So engines read like plain
//! code, do no IO, and every row they looked at is known: it becomes an expectation of their batch.

use std::collections::HashMap;

use crate::audit::LogPosition;
use crate::id::Revision;
use crate::names::{Folder, Slot};
use crate::question::{Answer, Question};
use crate::refusal::Refusal;
use crate::secret::SecretBytes;
use crate::store::{Expect, FolderId, RowKey};

/// Rows that were read, with their revisions; none where there is no row.
pub(crate) type RowsRead = Vec<(RowKey, Option<Revision>)>;

/// Most rows that are looked for one after another; of more, an index is kept.
const ROWS_UNINDEXED_MAX: usize = 64;

/// Why pure code stopped before its end.
#[derive(Debug)]
pub enum Interrupt {
    /// Something must be fetched first; see [`View::wanted`].
    Fetch,
    /// The request is refused.
    Refuse(Refusal),
}

impl<E: Into<Refusal>> From<E> for Interrupt {
    fn from(error: E) -> Self {
        Self::Refuse(error.into())
    }
}

/// Something to be fetched.
pub enum Want {
    /// The value of one row.
    Entry(Slot),
    /// The names in one folder, all of them.
    List(Folder),
    /// Whether a row is there, without opening it.
    Presence(Slot),
    /// The answer to a question.
    Answer(Question),
}

impl Want {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Entry(one), Self::Entry(other)) | (Self::Presence(one), Self::Presence(other)) => one == other,
            (Self::List(one), Self::List(other)) => one == other,
            (Self::Answer(one), Self::Answer(other)) => one.id() == other.id(),
            _ => false,
        }
    }
}

/// An opened row.
pub struct Opened {
    /// When it was last written.
    pub revision: Revision,
    /// Its opened value.
    pub payload: SecretBytes,
}

/// What has been fetched for one request.
#[derive(Default)]
pub struct View {
    entries: Vec<(RowKey, Option<Opened>)>,
    /// Where each row lies among them, once they are many.
    places: HashMap<RowKey, usize>,
    presences: Vec<(RowKey, bool)>,
    lists: Vec<(FolderId, Vec<String>)>,
    answers: Vec<([u8; 32], Answer)>,
    wanted: Vec<Want>,
    /// The rows that are read from now on, where somebody wants to know.
    noted: Option<Vec<RowKey>>,
}

impl View {
    /// Reads the row at `slot`; `None` when there is none.
    ///
    /// # Errors
    /// Stops with [`Interrupt::Fetch`] when the row has not been fetched yet.
    pub fn entry(&mut self, slot: &Slot) -> Result<Option<&Opened>, Interrupt> {
        if let Some(noted) = &mut self.noted {
            noted.push(*slot.key());
        }
        match self.place(slot.key()) {
            Some(position) => Ok(self.entries.get(position).and_then(|(_, opened)| opened.as_ref())),
            None => Err(self.want(Want::Entry(slot.clone()))),
        }
    }

    /// Tells whether there is a row at `slot`, without opening it.
    ///
    /// # Errors
    /// Stops with [`Interrupt::Fetch`] when that has not been fetched yet.
    pub fn presence(&mut self, slot: &Slot) -> Result<bool, Interrupt> {
        match self.presences.iter().find(|(key, _)| key == slot.key()) {
            Some((_, present)) => Ok(*present),
            None => Err(self.want(Want::Presence(slot.clone()))),
        }
    }

    /// Lists the names in `folder`, in alphabetical order; names of folders end with a slash.
    ///
    /// # Errors
    /// Stops with [`Interrupt::Fetch`] when the listing has not been fetched yet.
    pub fn list(&mut self, folder: &Folder) -> Result<&[String], Interrupt> {
        match self.lists.iter().position(|(id, _)| *id == folder.id()) {
            Some(position) => Ok(self.lists.get(position).map_or(&[], |(_, names)| names.as_slice())),
            None => Err(self.want(Want::List(*folder))),
        }
    }

    /// Asks the world outside. To code that is tried out every device opens, as none is made for it.
    ///
    /// # Errors
    /// Stops with [`Interrupt::Fetch`] when it has not answered yet.
    pub fn ask(&mut self, question: Question) -> Result<&Answer, Interrupt> {
        // Code whose rows are noted is tried out: nothing is done to the world for it.
        if self.noted.is_some() && matches!(question, Question::OpenDevice(_)) {
            static OPENED: Answer = Answer::Opened(LogPosition { number: 0, offset_bytes: 0 });
            return Ok(&OPENED);
        }
        let id = question.id();
        match self.answers.iter().position(|(own, _)| *own == id) {
            Some(position) => self.answers.get(position).map(|(_, answer)| answer).ok_or(Interrupt::Fetch),
            None => Err(self.want(Want::Answer(question))),
        }
    }

    /// Notes down that rows will be needed, so that one round fetches them together; already fetched ones are
    /// left out. The next read of a missing one stops the code.
    pub fn prefetch<'a>(&mut self, slots: impl IntoIterator<Item = &'a Slot>) {
        for slot in slots {
            if self.place(slot.key()).is_none() {
                self.want(Want::Entry(slot.clone()));
            }
        }
    }

    /// Runs code and tells which rows it read, with their revisions.
    pub(crate) fn noting<T>(&mut self, code: impl FnOnce(&mut Self) -> T) -> (T, RowsRead) {
        let outer = self.noted.replace(Vec::new());
        let result = code(self);
        let noted = std::mem::replace(&mut self.noted, outer).unwrap_or_default();
        let revision = |key: &RowKey| {
            let found = self.place(key).and_then(|place| self.entries.get(place));
            found.and_then(|(_, opened)| opened.as_ref()).map(|opened| opened.revision)
        };
        (result, noted.iter().map(|key| (*key, revision(key))).collect())
    }

    /// Takes the list of what must be fetched before the code runs again.
    pub fn wanted(&mut self) -> Vec<Want> {
        std::mem::take(&mut self.wanted)
    }

    /// Supplies an opened row, or the fact that there is none.
    pub fn supply_entry(&mut self, key: RowKey, opened: Option<Opened>) {
        self.entries.push((key, opened));
        // Of a row that is supplied twice the first counts.
        match self.entries.len() {
            count if count <= ROWS_UNINDEXED_MAX => {}
            count if self.places.is_empty() => {
                let keys = self.entries.iter().map(|(key, _)| *key).zip(0..count);
                self.places = keys.rev().collect();
            }
            count => drop(self.places.entry(key).or_insert(count - 1)),
        }
    }

    fn place(&self, key: &RowKey) -> Option<usize> {
        if self.places.is_empty() {
            return self.entries.iter().position(|(own, _)| own == key);
        }
        self.places.get(key).copied()
    }

    /// Supplies whether a row is there.
    pub fn supply_presence(&mut self, key: RowKey, present: bool) {
        self.presences.push((key, present));
    }

    /// Supplies the names in a folder.
    pub fn supply_list(&mut self, folder: FolderId, mut names: Vec<String>) {
        names.sort_unstable();
        self.lists.push((folder, names));
    }

    /// Supplies the answer to the question that `id` names.
    pub fn supply_answer(&mut self, id: [u8; 32], answer: Answer) {
        self.answers.push((id, answer));
    }

    /// Turns every row that was read into an expectation: a batch decided on it only commits if none changed.
    pub(crate) fn expectations(&self) -> impl Iterator<Item = Expect> + '_ {
        self.entries
            .iter()
            .map(|(key, opened)| Expect::Unchanged { key: *key, revision: opened.as_ref().map(|row| row.revision) })
    }

    fn want(&mut self, want: Want) -> Interrupt {
        if !self.wanted.iter().any(|wanted| wanted.same(&want)) {
            self.wanted.push(want);
        }
        Interrupt::Fetch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Domain, Names};
    use crate::secret::SecretKey;

    #[test]
    fn few_rows_and_many_are_found_alike() {
        let names = Names::new(&SecretKey::fill_with(|key| key.fill(1)));
        let folder = names.root(Domain::System, "test");
        let slots: Vec<Slot> = (0..200).map(|number: u8| names.entry(&folder, &number.to_string())).collect();
        let mut view = View::default();
        for (number, slot) in (0..).zip(&slots) {
            assert!(view.entry(slot).is_err() && view.wanted().len() == 1);
            for revision in [number, 1_000] {
                let payload = SecretBytes::new(Vec::new());
                view.supply_entry(*slot.key(), Some(Opened { revision: Revision(revision), payload }));
            }
            for (number, slot) in (0..=number).zip(&slots) {
                assert_eq!(view.entry(slot).unwrap().map(|opened| opened.revision), Some(Revision(number)));
            }
        }
        view.prefetch(&slots);
        assert!(view.wanted().is_empty());
    }
}
