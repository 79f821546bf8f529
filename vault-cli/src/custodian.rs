//! A custodian before a vault: what it tells them, and their shares as they were sealed to them.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use data_encoding::{BASE64, HEXLOWER};
use std::path::PathBuf;
use vault_api::Client;
use vault_api::custody::{Custody, Known, PossessionRequest, SealedShare};
use vault_core::charter::Digest;
use vault_core::custody::{SEALED_SHARE_LENGTH_BYTES_MAX, Statement};
use vault_core::envelope::Envelope;
use vault_core::seal::SealConfig;
use vault_core::sharing::{PossessionNonce, Share};
use vault_custody::files;

use crate::connect::Global;
use crate::failure::Failure;
use crate::memory::Encounter;
use crate::myself::Myself;

/// Who the custodian is, and where their sealed share lies if the vault keeps none.
#[derive(Args)]
pub(crate) struct CustodianArguments {
    #[command(flatten)]
    pub(crate) myself: Myself,
    /// Your share as it was sealed to you, an age file [default: the one that the vault keeps]
    #[arg(long, value_name = "FILE")]
    sealed_share: Option<PathBuf>,
}

/// A vault that knows the person before it.
pub(crate) struct Custodian<'a> {
    arguments: &'a CustodianArguments,
    encounter: Encounter,
    /// Whether the person says that a change of the vault is right.
    accepted: bool,
}

impl<'a> Custodian<'a> {
    /// Asks a vault in the name of a person.
    ///
    /// # Errors
    /// Fails when the vault does not know them or is not as they saw it last.
    pub(crate) async fn before(
        client: &Client,
        arguments: &'a CustodianArguments,
        global: &Global,
    ) -> Result<Self, Failure> {
        let fingerprint = arguments.myself.fingerprint()?;
        let encounter = Encounter::with(client, Some(&fingerprint)).await?;
        let custody = encounter.custody();
        if custody.shares_in_clear && custody.known.is_none() {
            return Err(Failure::usage(format!(
                "vault {} has no charter, its shares were handed out in clear: keyturn unseal --share-file FILE",
                custody.fingerprint
            )));
        }
        if custody.known.is_none() {
            return Err(Failure::refused(format!(
                "the charter of vault {} does not know the key {fingerprint}. Look at KEYTURN_ADDR, or whether you gave \
                 another key into the charter",
                custody.fingerprint
            )));
        }
        encounter.check(global.accept_changed_vault)?;
        Ok(Self { arguments, encounter, accepted: global.accept_changed_vault })
    }

    pub(crate) const fn custody(&self) -> &Custody {
        self.encounter.custody()
    }

    pub(crate) fn known(&self) -> Result<&Known, Failure> {
        let known = self.encounter.custody().known.as_ref();
        known.ok_or_else(|| Failure::usage("the vault does not know you"))
    }

    /// Remembers the vault as it was met.
    pub(crate) fn remember(self) -> Result<(), Failure> {
        self.encounter.remember(self.accepted)
    }

    /// Opens the person's shares that are in force, and sees to it that they fit what the vault shows of them.
    pub(crate) fn shares(&self) -> Result<Vec<Share>, Failure> {
        let (custody, known) = (self.custody(), self.known()?);
        self.open_all(&known.sealed_shares, &custody.seal_config, &known.record)
    }

    /// Opens the person's new shares.
    pub(crate) fn pending_shares(&self) -> Result<Vec<Share>, Failure> {
        let pending = self.known()?.pending.as_ref().ok_or_else(nothing_pending)?;
        self.open_all(&pending.sealed_shares, &pending.seal_config, &pending.record)
    }

    fn open_all(&self, kept: &[SealedShare], config: &str, record: &str) -> Result<Vec<Share>, Failure> {
        let public = Public::read(config, record)?;
        let sealed = match (&self.arguments.sealed_share, kept) {
            (Some(file), _) => vec![age_file(file)?],
            (None, []) => {
                return Err(Failure::usage(
                    "the vault keeps no share that is sealed to you; name the file that you got: --sealed-share FILE",
                ));
            }
            (None, kept) => kept.iter().map(decode).collect::<Result<_, _>>()?,
        };
        sealed.iter().map(|sealed| self.open(sealed, &public)).collect()
    }

    fn open(&self, sealed: &[u8], public: &Public) -> Result<Share, Failure> {
        let text = self.arguments.myself.open(sealed)?;
        let share = Share::parse(text.expose()).map_err(|error| Failure::refused(error.to_string()))?;
        public.check(&share)?;
        Ok(share)
    }
}

pub(crate) fn nothing_pending() -> Failure {
    Failure::usage("no new shares wait to be acknowledged, as far as this vault tells: is it unsealed?")
}

/// What a vault shows of a set of shares, and the record that it signed of it.
struct Public(SealConfig);

impl Public {
    fn read(config: &str, record: &str) -> Result<Self, Failure> {
        let lies = |what: &str| Failure::refused(format!("do not trust this server: {what}"));
        let envelope = Envelope::parse(record.as_bytes()).context("the record of the ceremony")?;
        let statement = Statement::verify(&envelope).context("the record of the ceremony")?;
        let read = SealConfig::from_json(config.as_bytes()).context("what the server shows of the shares")?;
        if statement.seal_config != Digest::of(config.as_bytes()).to_string() {
            return Err(lies("what it shows of the shares is not what the ceremony made"));
        }
        if statement.vault != HEXLOWER.encode(&read.vault().0) {
            return Err(lies("the record of the ceremony is of another vault"));
        }
        Ok(Self(read))
    }

    /// Checks that a share fits, on this machine.
    fn check(&self, share: &Share) -> Result<(), Failure> {
        let copy = Share::from_bytes(share.to_bytes().expose()).map_err(anyhow::Error::from)?;
        let checked = self.0.verify(copy);
        checked.map(drop).map_err(|error| Failure::refused(format!("your share was not given: {error}")))
    }
}

fn decode(share: &SealedShare) -> Result<Vec<u8>, Failure> {
    Ok(BASE64.decode(share.age.as_bytes()).with_context(|| format!("the sealed share {}", share.number))?)
}

fn age_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let content = files::read(file, SEALED_SHARE_LENGTH_BYTES_MAX as u64).map_err(anyhow::Error::from)?;
    Ok(content.expose().to_vec())
}

/// Answers the server's question with a proof; `charter` binds it to the charter that the share comes with.
pub(crate) async fn prove(
    client: &Client,
    share: &Share,
    charter: Option<&Digest>,
) -> Result<PossessionRequest, Failure> {
    let question = client.possession_question().await?;
    let nonce = HEXLOWER.decode(question.nonce.as_bytes()).ok().and_then(|nonce| nonce.try_into().ok());
    let nonce = PossessionNonce(nonce.context("the server's question is damaged")?);
    let bound = charter.map_or(nonce, |digest| nonce.bound_to(digest));
    let proof = share.prove_possession(&bound, &mut rand::rng());
    Ok(PossessionRequest {
        nonce: question.nonce,
        share: share.index().get(),
        proof: HEXLOWER.encode(&proof.to_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use vault_core::barrier::Barrier;
    use vault_core::charter::PAYLOAD_TYPE;
    use vault_core::custody::{Custody as Record, Handout, Occasion, SignedCharter};
    use vault_core::envelope::Signature;
    use vault_core::id::VaultId;
    use vault_core::seal::renew::NewSeal;
    use vault_core::time::Timestamp;
    use vault_custody::card::PersonName;
    use vault_custody::identity::Identity;
    use vault_custody::signing::{IdentitySigner, Signer};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

    /// What a server shows of a vault of one person: configuration, record, and the share.
    fn vault(id: u8) -> (String, String, Share) {
        let rng = &mut rand::rng();
        let ann = Identity::random(PersonName::parse("ann").unwrap(), rng);
        let rules =
            "[team]\nall = [\"ann\"]\n[quorum]\nunseal = \"1 of all\"\nchange = \"1 of all\"\ncharter = \"1 of all\"\n";
        let text = format!("format = 1\nepoch = 1\n{}{rules}", ann.card().to_toml());
        let mut envelope = Envelope::new(PAYLOAD_TYPE, text.as_bytes());
        let signer = IdentitySigner::new(&ann);
        let bytes = signer.sign(&envelope.signed_bytes()).unwrap().as_bytes().to_vec();
        envelope.add(Signature { key_id: signer.key().fingerprint(), bytes });
        let charter = SignedCharter::judge(envelope, None).unwrap();
        let structure = charter.charter().shares().structure().unwrap();
        let (new, mut shares) = NewSeal::first(structure, VaultId([id; 16]), NOW, rng).unwrap();
        let handout = Handout {
            occasion: Occasion::Init,
            charter: &charter,
            config: new.config(),
            sealed_shares: vec![b"sealed".to_vec()],
            keep: true,
        };
        let record = Record::sign(handout, &Barrier::generate(VaultId([id; 16]), NOW, rng), NOW).unwrap();
        let config = String::from_utf8(new.config().to_json().unwrap()).unwrap();
        (config, record.record().to_json(), shares.remove(0))
    }

    fn says(outcome: Result<Public, Failure>) -> String {
        match outcome {
            Err(Failure::Other(error)) => format!("{error:#}"),
            Err(_) => "another failure".to_owned(),
            Ok(_) => "believed".to_owned(),
        }
    }

    #[test]
    fn a_server_that_lies_about_its_commitments_gets_no_share() {
        let (config, record, share) = vault(1);
        assert!(Public::read(&config, &record).is_ok_and(|public| public.check(&share).is_ok()));
        // Commitments of its own making, for which it has no record of the ceremony.
        let (other, other_record, _) = vault(1);
        assert!(says(Public::read(&other, &record)).contains("do not trust this server"));
        // With a record of its own making too, the share itself does not fit.
        let lying = Public::read(&other, &other_record).ok().unwrap();
        let Err(Failure::Other(error)) = lying.check(&share) else { panic!("the share fits what was made up") };
        assert!(error.to_string().contains("was not given: share 1 is not genuine"), "{error}");
        let altered = record.replace("payload\": \"ew", "payload\": \"fw");
        assert!(says(Public::read(&config, &altered)).contains("record of the ceremony"));
    }
}
