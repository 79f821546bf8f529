//! The demo's chapter on custody: a second vault, made by a charter, of which nobody ever has the whole key.

use anyhow::Context;
use data_encoding::{BASE64, HEXLOWER};
use rand::Rng;
use serde_json::{Value, json};
use vault_api::custody::{CharterRequest, HandedOut};
use vault_api::{Client, SecretText};
use vault_core::charter::{Charter, PAYLOAD_TYPE};
use vault_core::custody::Act;
use vault_core::envelope::{Envelope, Signature};
use vault_core::id::VaultId;
use vault_core::request::Operation;
use vault_core::sharing::Share;
use vault_custody::age_seal::{self, Keys};
use vault_custody::card::PersonName;
use vault_custody::identity::Identity;
use vault_custody::signing::{IdentitySigner, Signer};

use super::two_person;
use crate::custodian::prove;
use crate::failure::Failure;
use crate::output::line;

const RULES: &str = r#"
[team]
security = ["ada", "ben", "chi"]
operations = ["dee", "eli"]

[quorum]
unseal = "2 of security and 1 of operations"
change = "1 of security and 1 of operations"
charter = "2 of security and 1 of operations"

[quorum.group]
production = "1 of operations"
"#;

/// The people of the demo, whose keys nobody else has.
pub(super) struct People(Vec<Identity>);

impl People {
    fn new() -> Result<Self, Failure> {
        let named = |name: &str| {
            let name = PersonName::parse(name).map_err(anyhow::Error::from)?;
            Ok(Identity::random(name, &mut rand::rng()))
        };
        Ok(Self(["ada", "ben", "chi", "dee", "eli"].into_iter().map(named).collect::<Result<_, Failure>>()?))
    }

    fn find(&self, name: &str) -> Result<&Identity, Failure> {
        let found = self.0.iter().find(|one| one.card().name.to_string() == name);
        Ok(found.context("nobody of that name")?)
    }

    fn charter(&self) -> String {
        let cards: String = self.0.iter().map(|one| one.card().to_toml()).collect();
        format!("format = 1\nepoch = 1\n{cards}{RULES}")
    }

    pub(super) fn sign(&self, envelope: &mut Envelope, names: &[&str]) -> Result<(), Failure> {
        for name in names {
            let signer = IdentitySigner::new(self.find(name)?);
            let bytes = signer.sign(&envelope.signed_bytes()).map_err(anyhow::Error::from)?.as_bytes().to_vec();
            envelope.add(Signature { key_id: signer.key().fingerprint(), bytes });
        }
        Ok(())
    }

    fn share(&self, name: &str, made: &HandedOut) -> Result<Share, Failure> {
        let sealed = made.sealed_shares.iter().find(|share| share.person == name).context("no share")?;
        let sealed = BASE64.decode(sealed.age.as_bytes()).context("a sealed share")?;
        let plain = age_seal::open(&Keys::of_identity(self.find(name)?), &sealed).map_err(anyhow::Error::from)?;
        let text = std::str::from_utf8(plain.expose()).context("a share")?;
        Ok(Share::parse(text).map_err(anyhow::Error::from)?)
    }
}

/// Tells the chapter, with a server that has no vault yet.
pub(super) async fn tell(stranger: &Client) -> Result<(), Failure> {
    let people = People::new()?;
    let mut envelope = Envelope::new(PAYLOAD_TYPE, people.charter().as_bytes());
    people.sign(&mut envelope, &["ada", "ben", "dee"])?;
    line(
        "\n8. A second vault, by a charter that ada, ben and dee have signed: two of security and one of operations open it.",
    )?;
    let request = CharterRequest { charter: envelope.to_json(), keep: true };
    let made = stranger.init_by_charter(&request).await?;
    line("   Each share is sealed to its custodian; nobody has seen one, and there is no root token.")?;

    line("\n9. All of security come, and it is not enough; then eli of operations.")?;
    for name in ["ada", "ben", "chi", "eli"] {
        let share = people.share(name, &made)?;
        let status = stranger.unseal(SecretText::new(share.to_text().expose().to_owned())).await?;
        let state = if status.sealed { "still sealed" } else { "the vault is unsealed" };
        line(&format!("   {name}: {state}"))?;
    }

    line("\n10. Chi shows that her share is at hand, and keeps it.")?;
    let checked = stranger.check_up(&prove(stranger, &people.share("chi", &made)?, None).await?).await?;
    line(&format!("   a proof that tells nothing of the share; noted at {}", checked.checked_at))?;

    line("\n11. Nobody alone gives power: ben asks for a mount, and needs dee.")?;
    let mut act = act(&made, &envelope, "sys/mounts/secret", &json!({"type": "kv-v2"}))?;
    people.sign(&mut act, &["ben"])?;
    match submit(stranger, &act).await {
        Err(Failure::Api(error)) => line(&format!("   ben alone: {error}"))?,
        Err(other) => return Err(other),
        Ok(()) => return Err(anyhow::anyhow!("one steward alone was enough").into()),
    }
    people.sign(&mut act, &["dee"])?;
    submit(stranger, &act).await?;
    line("   ben and dee: done, once; the log names both")?;
    two_person::tell(stranger, &Stewards { people, made, charter: envelope }).await
}

/// The people of the vault, and what acts of theirs are bound to.
pub(super) struct Stewards {
    pub(super) people: People,
    made: HandedOut,
    charter: Envelope,
}

impl Stewards {
    /// Has ben and dee make a request together.
    pub(super) async fn write(&self, stranger: &Client, path: &str, body: &Value) -> Result<(), Failure> {
        let mut act = act(&self.made, &self.charter, path, body)?;
        self.people.sign(&mut act, &["ben", "dee"])?;
        submit(stranger, &act).await
    }
}

fn act(made: &HandedOut, charter: &Envelope, path: &str, body: &Value) -> Result<Envelope, Failure> {
    let vault = HEXLOWER.decode(made.vault.as_bytes()).ok().and_then(|id| id.try_into().ok());
    let vault = VaultId(vault.context("the vault's id is damaged")?);
    let digest = Charter::parse(charter.payload()).map_err(anyhow::Error::from)?.digest();
    let mut nonce = [0; 32];
    rand::rng().fill_bytes(&mut nonce);
    let mut act = Act::new(vault, &digest, nonce, (Operation::Write, path));
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).context("the clock")?;
    act.expires_at_seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX).saturating_add(3600);
    act.reason = "the demo's secrets".to_owned();
    act.body = body.as_object().cloned();
    Ok(act.envelope().map_err(anyhow::Error::from)?)
}

async fn submit(stranger: &Client, act: &Envelope) -> Result<(), Failure> {
    let body: serde_json::Value = serde_json::from_str(&act.to_json()).map_err(anyhow::Error::from)?;
    stranger.write("sys/custody/act", &body).await?;
    Ok(())
}
