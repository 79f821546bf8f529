//! A root token by the will of a quorum, handed out under a one-time pad: who overhears the answer learns nothing
//! without the pad, which only the one who began has.

use data_encoding::BASE64_NOPAD;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Unsealed;
use super::attempts::Quorum;
use crate::auth::token::{self, TOKEN_LENGTH_BYTES};
use crate::refusal::Refusal;
use crate::secret::SecretText;
use crate::store::Batch;
use crate::time::Timestamp;

/// A one-time pad as long as a token; wiped when dropped.
pub struct OneTimePad(SecretText);

/// A root token that waits for its commit.
#[must_use = "a token is in force once it is committed"]
pub struct GeneratedRoot {
    /// The token XOR the pad, in base64 without padding.
    pub encoded: SecretText,
    /// Writes the token.
    pub batch: Batch,
}

impl OneTimePad {
    /// Takes the pad of the one who begins.
    ///
    /// # Errors
    /// Refuses one that is not as long as a token: a shorter one would leave part of it in clear.
    pub fn new(text: SecretText) -> Result<Self, Refusal> {
        let length = text.expose().len();
        if length != TOKEN_LENGTH_BYTES {
            return Err(Refusal::invalid(format!(
                "the one-time pad has {length} bytes; it must have {TOKEN_LENGTH_BYTES}, as many as a token"
            )));
        }
        Ok(Self(text))
    }

    /// Draws a pad, for one who brings none.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        Self(token::draw_one_time_pad(rng))
    }

    /// Makes a copy to hand to the one who begins.
    pub fn text(&self) -> SecretText {
        self.0.copy()
    }

    fn encode(&self, token: &SecretText) -> SecretText {
        let pairs = token.expose().bytes().zip(self.0.expose().bytes());
        let hidden: Zeroizing<Vec<u8>> = Zeroizing::new(pairs.map(|(byte, pad)| byte ^ pad).collect());
        SecretText::new(BASE64_NOPAD.encode(&hidden))
    }
}

impl GeneratedRoot {
    /// Makes a root token, by the will of a quorum.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub fn make(
        quorum: Quorum<OneTimePad>,
        unsealed: &Unsealed,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Refusal> {
        let barrier = unsealed.barrier();
        let (token, changes) = token::root(barrier.names(), barrier.token_ids(), now, rng)?;
        let (mut expects, mut writes) = (Vec::new(), Vec::with_capacity(changes.len()));
        for change in changes {
            let write = change.seal(&mut expects, barrier, rng);
            writes.push(write.map_err(|error| Refusal::internal(error.to_string()))?);
        }
        Ok(Self { encoded: quorum.into_purpose().encode(&token), batch: Batch::new(expects, writes) })
    }
}
