//! Notices: what people are told of requests that wait for others, of limits and of canaries, and the outbox that they wait in.
//!
//! A notice is written in the batch of the change that it tells of, as a row of its own: none is lost, and none tells of what did
//! not happen. It says what happened and whom it concerns, holds no secret, and decides nothing. Texts that come from people are [`Line`]s,
//! which cannot forge a layout. Format: docs/formats.md, "Records"; reasons: docs/decisions/0026-notices.md.

mod about;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engines::Change;
use crate::id::VaultId;
use crate::names::{Domain, Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};
pub use about::{About, AboutCanary, AboutLimit, AboutRequest, Event, Turn};

const VERSION: u8 = 2;

/// Longest text of a notice that comes from people, in bytes.
pub const LINE_LENGTH_BYTES_MAX: usize = 1024;

/// Most notices that wait; a channel that is gone for good must not fill the disk.
pub const WAITING_MAX: usize = 10_000;

/// Most tries to deliver one notice by one channel.
pub const TRIES_MAX: u32 = 100;

/// How long a notice is worth telling.
pub const LIFE: Span = Span(3 * 24 * 3600);

/// The pause after the first failure; each further one doubles it.
const PAUSE_SECONDS_MIN: u64 = 2;

/// Longest pause between two tries.
const PAUSE_SECONDS_MAX: u64 = 3600;

/// A text of one line and of bounded length, without characters that hide, reorder or break what stands around it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Line(String);

impl Line {
    /// Takes a text over: what breaks lines becomes a space, what cannot be seen a replacement character, and what is too long
    /// is cut off.
    pub fn of(text: &str) -> Self {
        const CUT: char = '…';
        let mut line = String::new();
        // Where the line ends if it must be cut.
        let mut kept = 0;
        for character in text.chars().map(visible) {
            line.push(character);
            if line.len() > LINE_LENGTH_BYTES_MAX {
                line.truncate(kept);
                line.push(CUT);
                break;
            }
            if line.len() + CUT.len_utf8() <= LINE_LENGTH_BYTES_MAX {
                kept = line.len();
            }
        }
        Self(line)
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn visible(character: char) -> char {
    match character {
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        // Other controls, and those that reorder text or take no room (Unicode, category Cf).
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

/// What people are told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Names it: the same whenever it is delivered again.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// The vault.
    pub vault: VaultId,
    /// What happened.
    pub about: About,
}

impl Notice {
    /// Says the most important in one line.
    pub fn headline(&self) -> String {
        self.about.headline()
    }

    /// Gives everything there is to say, in lines with their labels.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = self.about.lines();
        lines.push(("Happened at", to_the_second(self.at)));
        lines.push(("Vault", data_encoding::HEXLOWER.encode(&self.vault.0)));
        lines
    }

    /// Names the thing that it is about: of one thing each channel hears in the order in which it happened.
    pub fn thing(&self) -> &str {
        match &self.about {
            About::Request(request) => &request.request,
            About::Limit(limit) => &limit.breach,
            About::Canary(_) => &self.id,
        }
    }

    /// Tells which of two that happened at one moment came first.
    pub const fn rank(&self) -> u8 {
        match &self.about {
            About::Request(request) => request.event as u8,
            About::Limit(limit) => limit.turn as u8,
            About::Canary(_) => 0,
        }
    }

    /// Gives the change that puts it into the outbox. It reads nothing, so that requests do not wait for each other.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub fn enqueue(self, names: &Names) -> Result<Change, Refusal> {
        Outgoing::of(self).store(names)
    }
}

/// Writes a time as people read it.
fn to_the_second(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// How far the delivery by one channel has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Delivery {
    channel: String,
    state: DeliveryState,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum DeliveryState {
    Waits { tries: u32, next_at: Timestamp },
    Delivered,
    GivenUp,
}

/// How a try ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tried {
    /// The channel has it.
    Delivered,
    /// The channel has not, or does not say so.
    Failed,
    /// It was claimed and there was no time for it.
    Untried,
}

/// A notice in the outbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outgoing {
    /// What people are told.
    pub notice: Notice,
    deliveries: Vec<Delivery>,
}

impl Outgoing {
    /// Takes a notice that no channel has been given yet.
    pub const fn of(notice: Notice) -> Self {
        Self { notice, deliveries: Vec::new() }
    }

    /// Reads one by its name in the outbox.
    ///
    /// # Errors
    /// Stops when the row must be fetched first or cannot be read.
    pub fn read(names: &Names, id: &str, view: &mut View) -> Result<Option<Self>, Interrupt> {
        match view.entry(&slot(names, id))? {
            None => Ok(None),
            Some(row) => Ok(Some(record_format::decode(VERSION, &row.payload)?)),
        }
    }

    /// Gives the change that stores it.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub fn store(&self, names: &Names) -> Result<Change, Refusal> {
        Ok(Change::Put { slot: slot(names, &self.notice.id), payload: record_format::encode(VERSION, self)? })
    }

    /// Gives the change that takes it out of the outbox.
    pub fn remove(&self, names: &Names) -> Change {
        Change::Delete { slot: slot(names, &self.notice.id) }
    }

    /// Tells when it is to be given to a channel; `None` if the channel has it or never will.
    pub fn due_at(&self, channel: &str) -> Option<Timestamp> {
        match self.state(channel) {
            None => Some(self.notice.at),
            Some(DeliveryState::Waits { next_at, .. }) => Some(*next_at),
            Some(DeliveryState::Delivered | DeliveryState::GivenUp) => None,
        }
    }

    /// Notes a try before it is made, so that neither a crash nor a store that cannot be written makes tries without end.
    pub fn claim(&mut self, channel: &str, now: Timestamp) {
        let tries = self.tries(channel).saturating_add(1);
        self.set(channel, DeliveryState::Waits { tries, next_at: now.after(pause(tries)) });
    }

    /// Notes how a claimed try ended. Tells whether the notice is given up with it.
    pub fn settle(&mut self, channel: &str, tried: Tried, now: Timestamp) -> bool {
        let tries = self.tries(channel);
        match tried {
            Tried::Delivered => self.set(channel, DeliveryState::Delivered),
            Tried::Untried => {
                self.set(channel, DeliveryState::Waits { tries: tries.saturating_sub(1), next_at: now });
            }
            Tried::Failed if tries >= TRIES_MAX || self.is_out_of_date(now) => {
                self.set(channel, DeliveryState::GivenUp);
                return true;
            }
            // The claim has set when it is due again.
            Tried::Failed => {}
        }
        false
    }

    /// Tells whether it is too old to be worth another try.
    pub fn is_out_of_date(&self, now: Timestamp) -> bool {
        now >= self.notice.at.after(LIFE)
    }

    /// Gives the number of tries so far.
    pub fn tries(&self, channel: &str) -> u32 {
        match self.state(channel) {
            Some(DeliveryState::Waits { tries, .. }) => *tries,
            _ => 0,
        }
    }

    fn state(&self, channel: &str) -> Option<&DeliveryState> {
        self.deliveries.iter().find(|delivery| delivery.channel == channel).map(|delivery| &delivery.state)
    }

    fn set(&mut self, channel: &str, state: DeliveryState) {
        match self.deliveries.iter_mut().find(|delivery| delivery.channel == channel) {
            Some(delivery) => delivery.state = state,
            None => self.deliveries.push(Delivery { channel: channel.to_owned(), state }),
        }
    }
}

/// Gives the pause after so many tries.
pub fn pause(tries: u32) -> Span {
    let doublings = tries.saturating_sub(1).min(PAUSE_SECONDS_MAX.ilog2());
    Span((PAUSE_SECONDS_MIN << doublings).min(PAUSE_SECONDS_MAX))
}

/// Finds the folder of the outbox; each entry is named by its notice.
pub fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "notices")
}

/// Finds the row of a notice.
pub fn slot(names: &Names, id: &str) -> Slot {
    names.entry(&folder(names), id)
}

#[cfg(test)]
mod tests;
