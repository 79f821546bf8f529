//! Tests that a proof shows exactly what it should: who holds the share, and nothing of it.

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::sharing::secret::Opening;
use crate::sharing::{Threshold, UnsealSecret, split};

const VAULT: VaultFingerprint = VaultFingerprint([0xA1; 8]);
const EPOCH: Epoch = Epoch(7);
const NONCE: PossessionNonce = PossessionNonce([9; 32]);

fn set(needed: u64, total: u64, seed: u64) -> (Commitments, Vec<Share>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let secret = UnsealSecret::random(&mut rng);
    split(&secret, Threshold::new(needed, total).unwrap(), VAULT, EPOCH, &mut rng).unwrap()
}

fn prove(share: &Share, seed: u64) -> PossessionProof {
    share.prove_possession(&NONCE, &mut StdRng::seed_from_u64(seed))
}

fn holds(commitments: &Commitments, index: ShareIndex, proof: &PossessionProof) -> bool {
    commitments.verify_possession(VAULT, EPOCH, index, &NONCE, proof).is_ok()
}

/// A source of randomness that is none.
struct Constant;

impl rand_core::TryRng for Constant {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Self::Error> {
        target.fill(0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Constant {}

#[test]
fn every_flipped_bit_is_refused() {
    let (commitments, shares) = set(2, 3, 1);
    let bytes = prove(&shares[0], 1).to_bytes();
    assert_eq!(bytes.len(), PossessionProof::LENGTH_BYTES);
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let holds =
            PossessionProof::from_bytes(&altered).is_ok_and(|proof| holds(&commitments, shares[0].index(), &proof));
        assert!(!holds, "bit {bit}");
    }
}

#[test]
fn a_proof_counts_for_one_question_only() {
    let (commitments, shares) = set(2, 3, 2);
    let (share, proof) = (&shares[1], prove(&shares[1], 2));
    let verify = |vault, epoch, index, nonce: &PossessionNonce| {
        commitments.verify_possession(vault, epoch, index, nonce, &proof)
    };
    assert_eq!(verify(VAULT, EPOCH, share.index(), &NONCE), Ok(()));
    let refused = Err(PossessionError::DoesNotHold);
    assert_eq!(verify(VaultFingerprint([0xA2; 8]), EPOCH, share.index(), &NONCE), refused);
    assert_eq!(verify(VAULT, Epoch(8), share.index(), &NONCE), refused);
    assert_eq!(verify(VAULT, EPOCH, share.index(), &PossessionNonce([8; 32])), refused);
    assert_eq!(verify(VAULT, EPOCH, share.index(), &NONCE.bound_to(&Digest::of(b"a charter"))), refused);
    for number in [1, 3, 4, 255] {
        assert_eq!(verify(VAULT, EPOCH, ShareIndex::new(number).unwrap(), &NONCE), refused, "{number}");
    }
    let (others, _) = set(2, 3, 3);
    assert_eq!(others.verify_possession(VAULT, EPOCH, share.index(), &NONCE, &proof), refused);
}

#[test]
fn nonces_bound_to_different_charters_differ() {
    let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
    assert_ne!(NONCE.bound_to(&one), NONCE.bound_to(&other));
    assert_ne!(NONCE.bound_to(&one), PossessionNonce([8; 32]).bound_to(&one));
}

#[test]
fn half_an_opening_proves_nothing() {
    let (commitments, shares) = set(2, 3, 4);
    let opening = shares[0].opening();
    let (value, blinding) = (*opening.value(), *opening.blinding());
    for (value, blinding) in [(value, blinding + Scalar::ONE), (value + Scalar::ONE, blinding), (blinding, value)] {
        let forged = Share::new(VAULT, EPOCH, shares[0].index(), Opening::new(&value, &blinding));
        assert!(!holds(&commitments, shares[0].index(), &prove(&forged, 4)));
    }
}

/// Special soundness: whoever can answer two challenges to one `a` holds the share, as it follows from the answers.
#[test]
fn two_answers_to_one_commitment_give_the_opening() {
    let (_, shares) = set(2, 3, 5);
    let opening = shares[0].opening();
    let k = [Scalar::from(11_u8), Scalar::from(13_u8)];
    let answer = |c: Scalar| [k[0] + c * opening.value(), k[1] + c * opening.blinding()];
    let (c, d) = (Scalar::from(3_u8), Scalar::from(5_u8));
    let (one, other) = (answer(c), answer(d));
    let share = |place: usize| (one[place] - other[place]) * (c - d).invert();
    assert_eq!([share(0), share(1)], [*opening.value(), *opening.blinding()]);
}

/// Zero knowledge towards an honest verifier: without the share, from the challenge and answers drawn first, comes a
/// transcript that holds; so a transcript by itself tells nothing.
#[test]
fn a_transcript_can_be_made_without_the_share() {
    let (commitments, _) = set(2, 3, 6);
    let mut rng = StdRng::seed_from_u64(6);
    let commitment = commitments.of_share(ShareIndex::new(1).unwrap()).unwrap();
    for _ in 0..16 {
        let (c, z) = (Scalar::random(&mut rng), [Scalar::random(&mut rng), Scalar::random(&mut rng)]);
        let shown = RistrettoPoint::mul_base(&z[0]) + blinding_generator() * z[1];
        let a = shown - commitment * c;
        assert!(answers(&commitment, &a, &c, &z));
        // But for the challenge that the hash gives to this `a` it does not hold.
        let proof = PossessionProof { a: a.compress(), z };
        assert!(!holds(&commitments, ShareIndex::new(1).unwrap(), &proof));
    }
}

#[test]
fn no_part_of_the_share_is_in_the_proof() {
    let (_, shares) = set(3, 5, 7);
    for (seed, share) in shares.iter().enumerate() {
        let (proof, secret) = (prove(share, seed as u64).to_bytes(), share.to_bytes());
        // Fingerprint, epoch and number are public; the opening is not.
        for window in secret.expose()[14..78].windows(4) {
            assert!(!proof.windows(4).any(|part| part == window), "share {}", share.index());
        }
    }
}

#[test]
fn without_randomness_no_one_time_number_comes_twice() {
    let (commitments, shares) = set(2, 3, 8);
    let prove = |share: &Share, nonce: &PossessionNonce| share.prove_possession(nonce, &mut Constant);
    let (one, again) = (prove(&shares[0], &NONCE), prove(&shares[0], &NONCE));
    assert_eq!(one, again);
    assert!(holds(&commitments, shares[0].index(), &one));
    assert_ne!(one.a, prove(&shares[0], &PossessionNonce([8; 32])).a);
    assert_ne!(one.a, prove(&shares[1], &NONCE).a);
    let k = keys::possession_one_time(&[0; 32], [&Scalar::ONE, &Scalar::ONE], b"statement");
    assert_ne!(k[0], k[1]);
}

#[test]
fn the_identity_is_no_commitment() {
    let mut bytes = vec![0; PossessionProof::LENGTH_BYTES];
    bytes[0] = PROOF_FORMAT;
    assert_eq!(PossessionProof::from_bytes(&bytes), Err(PossessionError::OutOfRange));
    bytes[0] = 2;
    assert_eq!(PossessionProof::from_bytes(&bytes), Err(PossessionError::Format { found: 2 }));
    assert_eq!(PossessionProof::from_bytes(&bytes[1..]), Err(PossessionError::Length { found: 96 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whoever_holds_the_share_proves_it(seed: u64, total in 1_u64..6, part in 0.0..1.0, nonce: [u8; 32]) {
        let needed = ((total as f64 * part) as u64 + 1).min(total);
        let (commitments, shares) = set(needed, total, seed);
        let nonce = PossessionNonce(nonce);
        for share in &shares {
            let proof = share.prove_possession(&nonce, &mut StdRng::seed_from_u64(seed));
            let read = PossessionProof::from_bytes(&proof.to_bytes()).unwrap();
            prop_assert_eq!(commitments.verify_possession(VAULT, EPOCH, share.index(), &nonce, &read), Ok(()));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_never_hold(bytes in proptest::collection::vec(any::<u8>(), 90..100)) {
        let (commitments, shares) = set(2, 2, 9);
        if let Ok(proof) = PossessionProof::from_bytes(&bytes) {
            prop_assert!(!holds(&commitments, shares[0].index(), &proof));
        }
    }
}
