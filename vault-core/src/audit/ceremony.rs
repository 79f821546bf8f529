//! Records of the custodians' ceremonies on an unsealed vault.

use std::net::SocketAddr;

use super::Record;
use super::line::Line;
use crate::auth::Identity;
use crate::id::{AttemptId, RequestId};
use crate::keys::KeyedHash;
use crate::time::Timestamp;

/// What custodians come together for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ceremony {
    /// New shares.
    Rekey,
    /// The new shares are given back before they count.
    RekeyVerification,
    /// New shares by a new charter, which their custodians acknowledge.
    CharterRekey,
    /// A first charter, for a vault whose shares were handed out in clear.
    Bootstrap,
    /// A root token.
    GenerateRoot,
}

/// Something that is about to happen in a ceremony.
#[derive(Clone, Copy, Debug)]
pub enum CeremonyEvent<'a> {
    /// An attempt begins.
    Begin {
        /// The one that makes room for it.
        displaced: Option<AttemptId>,
    },
    /// No attempt begins, since there is no room.
    BeginRefused,
    /// A share is taken.
    ShareTaken {
        /// The share's number.
        index: u8,
        /// The attempt that makes room.
        displaced: Option<AttemptId>,
    },
    /// A share is refused.
    ShareRefused {
        /// The share's number, if it could be read.
        index: Option<u8>,
        /// Why; it holds no byte of the share.
        reason: &'a str,
    },
    /// An attempt is given up.
    Cancel,
    /// Somebody who may not wanted to give one up.
    CancelRefused,
    /// Its shares are forgotten and it begins anew.
    Restart,
    /// What the custodians agreed to is about to be committed.
    Complete,
    /// It was not committed.
    Failed {
        /// Why.
        reason: &'a str,
    },
}

impl Ceremony {
    const fn word(self) -> &'static str {
        match self {
            Self::Rekey => "rekey",
            Self::RekeyVerification => "rekey-verification",
            Self::CharterRekey => "charter-rekey",
            Self::Bootstrap => "bootstrap",
            Self::GenerateRoot => "generate-root",
        }
    }
}

impl Record {
    /// Records something about an attempt; `who` is the token that makes the caller privileged, if one does.
    pub fn of_ceremony(
        ceremony: Ceremony,
        attempt: Option<AttemptId>,
        event: &CeremonyEvent<'_>,
        (id, remote): (RequestId, SocketAddr),
        who: Option<(&Identity, &KeyedHash)>,
        now: Timestamp,
    ) -> Self {
        let mut line = Line::begin("ceremony", now, id);
        line.address("remote", remote);
        line.text("ceremony", ceremony.word());
        if let Some(attempt) = attempt {
            line.text("nonce", &attempt.to_string());
        }
        let (word, share, displaced, reason) = match *event {
            CeremonyEvent::Begin { displaced } => ("begin", None, displaced, None),
            CeremonyEvent::BeginRefused => ("begin-refused", None, None, None),
            CeremonyEvent::ShareTaken { index, displaced } => ("share-taken", Some(index), displaced, None),
            CeremonyEvent::ShareRefused { index, reason } => ("share-refused", index, None, Some(reason)),
            CeremonyEvent::Cancel => ("cancel", None, None, None),
            CeremonyEvent::CancelRefused => ("cancel-refused", None, None, None),
            CeremonyEvent::Restart => ("restart", None, None, None),
            CeremonyEvent::Complete => ("complete", None, None, None),
            CeremonyEvent::Failed { reason } => ("failed", None, None, Some(reason)),
        };
        line.text("event", word);
        if let Some(share) = share {
            line.number("share", share.into());
        }
        if let Some(displaced) = displaced {
            line.text("displaced", &displaced.to_string());
        }
        if let Some(reason) = reason {
            line.text("reason", reason);
        }
        if let Some((identity, hash)) = who {
            line.object("who", |line| {
                let token = identity.token();
                line.hashed("accessor", token.accessor.as_bytes(), hash);
                line.text("display_name", &token.display_name);
                line.list("policies", &token.policies);
            });
        }
        Self(line.end())
    }
}
