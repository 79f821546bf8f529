//! The nonces that proofs of possession answer: each is the server's own, young, and answered once.
//!
//! Anybody may ask for one, so nothing is remembered of those that are only asked for: a nonce carries its time under a
//! keyed hash. Those that were answered by a genuine proof are remembered until they are too old to be answered again.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

use crate::keys::KeyedHash;
use crate::secret::SecretKey;
use crate::sharing::PossessionNonce;
use crate::time::{Span, Timestamp};

/// How long a question may be answered.
pub const QUESTION_SPAN: Span = Span(5 * 60);

const TAG_LENGTH_BYTES: usize = 16;

/// The questions of one server; they end with the process.
pub struct Questions {
    hash: KeyedHash,
    answered: BTreeMap<[u8; 32], Timestamp>,
}

/// Says that a nonce is not open to be answered.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the question is not the server's, too old, or was answered before: ask for another one")]
pub struct NotOpen;

impl Questions {
    /// Begins with a key that is drawn for this process.
    pub fn new(rng: &mut dyn CryptoRng) -> Self {
        Self { hash: KeyedHash::new(&SecretKey::random(rng)), answered: BTreeMap::new() }
    }

    /// Asks: time (8 bytes) ‖ random (8) ‖ keyed hash of both (16).
    pub fn ask(&self, now: Timestamp, rng: &mut dyn CryptoRng) -> PossessionNonce {
        let mut nonce = [0; 32];
        let (time, rest) = nonce.split_at_mut(8);
        let (random, tag) = rest.split_at_mut(8);
        time.copy_from_slice(&now.0.to_be_bytes());
        rng.fill_bytes(random);
        let hash = self.hash.hash(&[time, random]);
        tag.copy_from_slice(hash.first_chunk::<TAG_LENGTH_BYTES>().unwrap_or(&[0; TAG_LENGTH_BYTES]));
        PossessionNonce(nonce)
    }

    /// Checks that a nonce may be answered now.
    ///
    /// # Errors
    /// Answers [`NotOpen`] for one that was made elsewhere, is too old or was answered.
    pub fn check(&self, nonce: &PossessionNonce, now: Timestamp) -> Result<(), NotOpen> {
        let (time, rest) = nonce.0.split_first_chunk::<8>().ok_or(NotOpen)?;
        let (random, tag) = rest.split_first_chunk::<8>().ok_or(NotOpen)?;
        let hash = self.hash.hash(&[time, random]);
        let expected = hash.first_chunk::<TAG_LENGTH_BYTES>().ok_or(NotOpen)?;
        let asked = Timestamp(i64::from_be_bytes(*time));
        let is_ours = bool::from(expected.ct_eq(tag));
        let is_young = asked <= now && now < asked.after(QUESTION_SPAN);
        if is_ours && is_young && !self.answered.contains_key(&nonce.0) { Ok(()) } else { Err(NotOpen) }
    }

    /// Notes that a genuine proof answered a nonce.
    pub fn close(&mut self, nonce: &PossessionNonce, now: Timestamp) {
        self.answered.retain(|_, until| now < *until);
        self.answered.insert(nonce.0, now.after(QUESTION_SPAN));
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

    #[test]
    fn a_question_is_open_once_and_not_for_long() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut questions = Questions::new(&mut rng);
        let nonce = questions.ask(NOW, &mut rng);
        assert_ne!(nonce, questions.ask(NOW, &mut rng));
        assert_eq!(questions.check(&nonce, NOW), Ok(()));
        assert_eq!(questions.check(&nonce, Timestamp(NOW.after(QUESTION_SPAN).0 - 1)), Ok(()));
        assert_eq!(questions.check(&nonce, NOW.after(QUESTION_SPAN)), Err(NotOpen));
        assert_eq!(questions.check(&nonce, Timestamp(NOW.0 - 1)), Err(NotOpen));
        questions.close(&nonce, NOW);
        assert_eq!(questions.check(&nonce, NOW), Err(NotOpen));
        questions.close(&questions.ask(NOW, &mut rng), NOW.after(Span(1)));
        assert_eq!(
            questions.check(&nonce, Timestamp(NOW.after(QUESTION_SPAN).0 - 1)),
            Err(NotOpen),
            "still remembered"
        );
    }

    #[test]
    fn questions_of_others_are_not_open() {
        let mut rng = StdRng::seed_from_u64(2);
        let (questions, others) = (Questions::new(&mut rng), Questions::new(&mut rng));
        assert_eq!(questions.check(&others.ask(NOW, &mut rng), NOW), Err(NotOpen));
        let nonce = questions.ask(NOW, &mut rng);
        for bit in 0..256 {
            let mut altered = nonce;
            altered.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(questions.check(&altered, NOW), Err(NotOpen), "bit {bit}");
        }
    }
}
