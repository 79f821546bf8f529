//! What this machine remembers of the vaults that its owner has dealt with, so that a vault that was exchanged for
//! another, or put back to an older state, is noticed before a share is given to it.

use std::fmt;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use vault_api::Client;
use vault_api::custody::Custody;
use vault_core::charter::Charter;
use vault_core::envelope::Envelope;

use crate::failure::Failure;
use crate::home_file::Vaults;

/// The file in the home folder.
const FILE: &str = ".keyturn-vaults.json";

/// All vaults by their ids.
type Memory = Vaults<Remembered>;

/// What was seen last of one vault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    address: String,
    epoch: u32,
    revision: u64,
    server_key: Option<String>,
    /// The charter in force; files of earlier versions have none.
    #[serde(default)]
    charter: Option<RememberedCharter>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RememberedCharter {
    epoch: u32,
    digest: String,
}

/// Something about a vault that should not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Doubt {
    /// Another vault answers where one was known.
    OtherVault { known: String, found: String },
    /// Its shares are older than those seen before.
    OlderShares { known: u32, found: u32 },
    /// Its store is older than the one seen before.
    OlderStore { known: u64, found: u64 },
    /// The server has another TLS key.
    OtherServerKey { known: String, found: Option<String> },
    /// The server has a TLS key that the charter does not name.
    ServerKeyOutsideCharter { found: Option<String> },
    /// Another charter is in force, and not a later one.
    OtherCharter { known: u32, found: Option<u32> },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherVault { known, found } => {
                write!(f, "another vault answers: {found}; at this address you knew {known}")
            }
            Self::OlderShares { known, found } => {
                write!(f, "the vault is at epoch {found} of its shares; you have seen epoch {known}")
            }
            Self::OlderStore { known, found } => {
                write!(f, "the store is at revision {found}; you have seen revision {known}: an old copy was put back")
            }
            Self::OtherServerKey { known, found } => {
                let found = found.as_deref().unwrap_or("none at all");
                write!(f, "the server has another TLS key than you have seen: {found} instead of {known}")
            }
            Self::ServerKeyOutsideCharter { found } => {
                let found = found.as_deref().unwrap_or("none at all");
                write!(f, "the server's TLS key is none that the charter names: {found}")
            }
            Self::OtherCharter { known, found } => {
                let found = found.map_or_else(|| "none".to_owned(), |epoch| format!("another one, of epoch {epoch}"));
                write!(f, "you have seen the charter of epoch {known}, and now there is {found}")
            }
        }
    }
}

/// A vault as it answers now, beside what is remembered of it.
pub(crate) struct Encounter {
    custody: Custody,
    seen: Remembered,
    doubts: Vec<Doubt>,
}

impl Encounter {
    /// Asks a vault, in the name of the person with a fingerprint if there is one, and compares.
    ///
    /// # Errors
    /// Fails when the vault does not answer or the memory cannot be read.
    pub(crate) async fn with(client: &Client, person: Option<&str>) -> Result<Self, Failure> {
        let custody = client.custody(person).await?;
        let seen = Remembered {
            address: client.address().to_string(),
            epoch: custody.epoch,
            revision: custody.revision,
            server_key: client.server_key(),
            charter: custody
                .charter
                .as_ref()
                .map(|charter| RememberedCharter { epoch: charter.epoch, digest: charter.digest.clone() }),
        };
        let mut doubts = Memory::load(FILE)?.doubts(&custody.vault, &seen);
        if let (Some(person), Some(_), Some(_)) = (person, &custody.known, &custody.charter) {
            let fetched = client.charter(person, None).await?;
            doubts.extend(outside_charter(&fetched.charter, seen.server_key.as_ref())?);
        }
        Ok(Self { custody, seen, doubts })
    }

    /// Gives what the vault says of itself.
    pub(crate) const fn custody(&self) -> &Custody {
        &self.custody
    }

    /// Lets nobody go on with a vault that is not the one they know, unless they say that it is.
    ///
    /// # Errors
    /// Fails with what has changed.
    pub(crate) fn check(&self, accepted: bool) -> Result<(), Failure> {
        if self.doubts.is_empty() {
            return Ok(());
        }
        let found: Vec<String> = self.doubts.iter().map(|doubt| format!("  {doubt}")).collect();
        let found = found.join("\n");
        if accepted {
            eprintln!("The vault has changed, and you say that this is right:\n{found}");
            return Ok(());
        }
        Err(Failure::refused(format!(
            "the vault is not as you saw it last, so your share was not given:\n{found}\n\
             Ask another custodian or the operator what happened. If it is right, add: --accept-changed-vault"
        )))
    }

    /// Lists what should not be.
    pub(crate) fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }

    /// Remembers the vault as it is now; one that is doubted only if its owner has `accepted` it.
    ///
    /// # Errors
    /// Fails when the memory cannot be written.
    pub(crate) fn remember(self, accepted: bool) -> Result<(), Failure> {
        if !self.doubts.is_empty() && !accepted {
            return Ok(());
        }
        let mut memory = Memory::load(FILE)?;
        if memory.vaults.get(&self.custody.vault) == Some(&self.seen) {
            return Ok(());
        }
        memory.vaults.retain(|_, known| known.address != self.seen.address);
        memory.vaults.insert(self.custody.vault, self.seen);
        if !memory.store(FILE)? {
            eprintln!("note: HOME is not set, so that this vault is not remembered for the next time");
        }
        Ok(())
    }
}

impl Memory {
    fn doubts(&self, vault: &str, seen: &Remembered) -> Vec<Doubt> {
        let Some(known) = self.vaults.get(vault) else {
            let before = self.vaults.iter().find(|(_, known)| known.address == seen.address);
            let other = before.map(|(id, _)| Doubt::OtherVault { known: id.clone(), found: vault.to_owned() });
            return other.into_iter().collect();
        };
        let mut doubts = Vec::new();
        if seen.epoch < known.epoch {
            doubts.push(Doubt::OlderShares { known: known.epoch, found: seen.epoch });
        }
        if seen.revision < known.revision {
            doubts.push(Doubt::OlderStore { known: known.revision, found: seen.revision });
        }
        if let Some(key) = &known.server_key
            && seen.server_key.as_ref() != Some(key)
        {
            doubts.push(Doubt::OtherServerKey { known: key.clone(), found: seen.server_key.clone() });
        }
        if let Some(charter) = &known.charter
            && !charter.may_be_followed_by(seen.charter.as_ref())
        {
            let found = seen.charter.as_ref().map(|charter| charter.epoch);
            doubts.push(Doubt::OtherCharter { known: charter.epoch, found });
        }
        doubts
    }
}

impl RememberedCharter {
    fn may_be_followed_by(&self, found: Option<&Self>) -> bool {
        found.is_some_and(|found| found == self || found.epoch > self.epoch)
    }
}

/// Compares the server's TLS key with those that the charter names, if it names any.
fn outside_charter(envelope: &str, server_key: Option<&String>) -> Result<Option<Doubt>, Failure> {
    let envelope = Envelope::parse(envelope.as_bytes()).context("the charter that the server sent")?;
    let charter = Charter::parse(envelope.payload()).context("the charter that the server sent")?;
    let keys: Vec<String> = charter.tls_keys().iter().map(|digest| digest.to_string()).collect();
    let is_outside = !keys.is_empty() && !server_key.is_some_and(|key| keys.contains(key));
    Ok(is_outside.then(|| Doubt::ServerKeyOutsideCharter { found: server_key.cloned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(address: &str, epoch: u32, revision: u64, key: &str) -> Remembered {
        let server_key = Some(key.to_owned());
        Remembered { address: address.to_owned(), epoch, revision, server_key, charter: None }
    }

    fn memory_of(known: Remembered) -> Memory {
        let mut memory = Memory::none();
        memory.vaults.insert("v".to_owned(), known);
        memory
    }

    fn memory() -> Memory {
        memory_of(seen("a", 2, 40, "k"))
    }

    #[test]
    fn what_goes_on_as_it_was_raises_no_doubt() {
        for now in [seen("a", 2, 40, "k"), seen("a", 3, 41, "k"), seen("b", 2, 99, "k")] {
            assert_eq!(memory().doubts("v", &now), []);
        }
        assert_eq!(memory().doubts("new", &seen("c", 1, 1, "x")), [], "a vault that nobody has seen");
    }

    #[test]
    fn a_charter_is_followed_by_later_ones_only() {
        let with = |charter: Option<(u32, &str)>| {
            let charter = charter.map(|(epoch, digest)| RememberedCharter { epoch, digest: digest.to_owned() });
            Remembered { charter, ..seen("a", 2, 40, "k") }
        };
        let memory = memory_of(with(Some((2, "x"))));
        for good in [Some((2, "x")), Some((3, "y"))] {
            assert_eq!(memory.doubts("v", &with(good)), []);
        }
        for (bad, found) in [(Some((2, "y")), Some(2)), (Some((1, "x")), Some(1)), (None, None)] {
            assert_eq!(memory.doubts("v", &with(bad)), [Doubt::OtherCharter { known: 2, found }]);
        }
    }

    #[test]
    fn a_server_key_that_the_charter_does_not_name_is_noticed() {
        let identity = |name: &str| {
            let name = vault_custody::card::PersonName::parse(name).unwrap();
            vault_custody::identity::Identity::random(name, &mut rand::rng())
        };
        let rules =
            "[team]\nall = [\"ann\"]\n[quorum]\nunseal = \"1 of all\"\nchange = \"1 of all\"\ncharter = \"1 of all\"\n";
        let key = format!("sha256:{}", "a".repeat(64));
        let with = |server: &str| {
            let text = format!("format = 1\nepoch = 1\n{}{rules}{server}", identity("ann").card().to_toml());
            Envelope::new(vault_core::charter::PAYLOAD_TYPE, text.as_bytes()).to_json()
        };
        let doubt = |envelope: &str, key: Option<&String>| outside_charter(envelope, key).ok().unwrap();
        let pinned = with(&format!("[server]\ntls_keys = [\"{key}\"]\n"));
        let other = format!("sha256:{}", "b".repeat(64));
        assert_eq!(doubt(&pinned, Some(&key)), None);
        assert_eq!(doubt(&with(""), Some(&other)), None, "a charter that names none");
        let found = Some(other.clone());
        assert_eq!(doubt(&pinned, Some(&other)), Some(Doubt::ServerKeyOutsideCharter { found }));
        assert_eq!(doubt(&pinned, None), Some(Doubt::ServerKeyOutsideCharter { found: None }));
    }

    #[test]
    fn what_went_back_or_was_exchanged_is_named() {
        let cases = [
            ("v", seen("a", 1, 40, "k"), Doubt::OlderShares { known: 2, found: 1 }),
            ("v", seen("a", 2, 39, "k"), Doubt::OlderStore { known: 40, found: 39 }),
            ("w", seen("a", 2, 40, "k"), Doubt::OtherVault { known: "v".to_owned(), found: "w".to_owned() }),
            ("v", seen("a", 2, 40, "l"), Doubt::OtherServerKey { known: "k".to_owned(), found: Some("l".to_owned()) }),
            (
                "v",
                Remembered { server_key: None, ..seen("a", 2, 40, "k") },
                Doubt::OtherServerKey { known: "k".to_owned(), found: None },
            ),
        ];
        for (vault, now, doubt) in cases {
            assert_eq!(memory().doubts(vault, &now), [doubt]);
        }
    }
}
