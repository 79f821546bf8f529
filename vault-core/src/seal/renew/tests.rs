//! Tests of rotation, rekey, verification and root tokens, against rows as a store would hold them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::id::{AttemptId, Epoch, Term, UnsealAttemptId, VaultId};
use crate::network::Network;
use crate::seal::attempts::{Attempts, OfferError, Party, Quorum, Taken};
use crate::seal::root::{GeneratedRoot, OneTimePad};
use crate::seal::verification::{Verification, Verified};
use crate::seal::{AtRest, Refused, SealSettings, Step, initialise};
use crate::secret::SecretText;
use crate::sharing::{Share, ShareError, Threshold};
use crate::store::RowKey;
use crate::time::Span;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

/// A vault, open, with its rows.
struct House {
    unsealed: Unsealed,
    shares: Vec<Share>,
    rows: BTreeMap<RowKey, Row>,
    rng: StdRng,
}

impl House {
    fn new(needed: u64, total: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let threshold = Threshold::new(needed, total).unwrap();
        let made = initialise(threshold, VaultId([7; 16]), NOW, &mut rng).unwrap();
        let mut house = Self { unsealed: made.unsealed, shares: made.shares, rows: BTreeMap::new(), rng };
        house.commit(made.batch);
        house
    }

    /// Commits a batch as a store does, each row under a revision of its own.
    fn commit(&mut self, batch: Batch) {
        let (expects, writes) = batch.into_parts();
        for expect in expects {
            let Expect::Unchanged { key, revision } = expect else { panic!("not expected here") };
            assert_eq!(self.rows.get(&key).map(|row| row.revision), revision, "a row was changed");
        }
        let next = self.rows.values().map(|row| row.revision.0).max().unwrap_or(0) + 1;
        for write in writes {
            let Write::Put { key, label, value } = write else { panic!("not written here") };
            self.rows.insert(key, Row { revision: Revision(next), label, value });
        }
    }

    fn seal_rows(&self) -> Result<SealRows, RenewError> {
        self.unsealed.check_rows(self.rows.get(&SEAL_CONFIG_ROW), self.rows.get(&KEYRING_ROW))
    }

    fn rotate(&mut self) {
        let rows = self.seal_rows().unwrap();
        let mut rotation = self.unsealed.rotate(&rows, NOW, &mut self.rng).unwrap();
        self.commit(std::mem::take(&mut rotation.batch));
        self.unsealed.adopt_rotation(rotation, &Committed::danger_vouch(Revision(1)));
    }

    fn quorum<P>(&self, purpose: P) -> Quorum<P> {
        let mut attempts = Attempts::new(Span(600));
        let by = Party { network: Network::of([192, 0, 2, 1].into()), privileged: false };
        let id = AttemptId([1; 16]);
        attempts.begin(id, purpose, by, NOW).unwrap();
        let config = self.unsealed.config();
        for share in &self.shares {
            let offered = attempts.check(id, copy(share), &config, NOW).unwrap();
            if let Taken::Enough(quorum) = attempts.take(offered, &config).unwrap() {
                return quorum;
            }
        }
        panic!("no quorum")
    }

    fn draw(&mut self, needed: u64, total: u64) -> (NewSeal, Vec<Share>) {
        let quorum = self.quorum(());
        let threshold = Threshold::new(needed, total).unwrap();
        NewSeal::draw(&quorum, &self.unsealed.config(), threshold, NOW, &mut self.rng).unwrap()
    }

    fn rekey(&mut self, new: NewSeal) {
        let rows = self.seal_rows().unwrap();
        let mut rekey = self.unsealed.rekey(new, &rows, &mut self.rng).unwrap();
        let before = self.rows.get(&SEAL_CONFIG_ROW).cloned();
        assert!(!rekey.is_committed(before.as_ref()));
        self.commit(std::mem::take(&mut rekey.batch));
        assert!(rekey.is_committed(self.rows.get(&SEAL_CONFIG_ROW)));
        self.unsealed.adopt_rekey(rekey);
    }

    /// Unseals from the rows alone.
    fn reopen(&self, shares: &[Share]) -> Result<Unsealed, Refused> {
        let read = AtRest::read(self.rows.get(&SEAL_CONFIG_ROW), self.rows.get(&KEYRING_ROW), None).unwrap();
        let AtRest::Sealed(sealed) = read else { panic!("uninitialised") };
        let mut collecting = sealed.begin(UnsealAttemptId([1; 16]), SealSettings::default(), NOW);
        for share in shares {
            match collecting.add(copy(share), NOW)? {
                Step::More(more) => collecting = more,
                Step::Done(unsealed) => return Ok(unsealed),
            }
        }
        panic!("more shares are needed")
    }
}

fn copy(share: &Share) -> Share {
    Share::from_bytes(share.to_bytes().expose()).unwrap()
}

#[test]
fn a_rotated_vault_opens_with_the_same_shares() {
    let mut house = House::new(2, 3);
    house.rotate();
    house.rotate();
    assert_eq!(house.unsealed.barrier().facts().term, Term(3));
    let again = house.reopen(&house.shares).ok().unwrap();
    assert_eq!(again.barrier().facts().term, Term(3));
}

#[test]
fn a_rekeyed_vault_opens_with_the_new_shares_only() {
    let mut house = House::new(2, 3);
    house.rotate();
    let (new, shares) = house.draw(3, 5);
    assert!(house.reopen(&house.shares).is_ok(), "what is drawn changes nothing");
    house.rekey(new);
    assert_eq!(house.unsealed.config().epoch(), Epoch(2));
    let Err(Refused::Share { error, .. }) = house.reopen(&house.shares) else { panic!("an old share was taken") };
    assert!(matches!(error, ShareError::OfOlderEpoch { .. }));
    let again = house.reopen(&shares).ok().unwrap();
    let probe = |unsealed: &Unsealed| unsealed.barrier().token_ids().hash(&[b"probe"]);
    assert_eq!(probe(&again), probe(&house.unsealed));
    assert_eq!(again.barrier().facts().term, Term(2));
    house.rotate();
    assert!(house.reopen(&shares).is_ok(), "the keyring is wrapped under the new seal key from now on");
}

#[test]
fn rows_of_another_seal_are_not_built_upon() {
    let mut house = House::new(1, 1);
    assert!(house.unsealed.check_rows(None, None).is_err());
    let config = house.rows.get(&SEAL_CONFIG_ROW).cloned();
    assert_eq!(house.unsealed.check_rows(config.as_ref(), None).err(), Some(RenewError::Elsewhere));
    let (new, _) = house.draw(1, 1);
    let rows = house.seal_rows().unwrap();
    let mut rekey = house.unsealed.rekey(new, &rows, &mut house.rng).unwrap();
    // Committed, but nobody was told: the running vault must not wrap its keyring over it under the old key.
    house.commit(std::mem::take(&mut rekey.batch));
    assert_eq!(house.seal_rows().err(), Some(RenewError::Elsewhere));
}

#[test]
fn a_term_whose_commit_was_not_answered_is_taken_over() {
    let mut house = House::new(1, 1);
    let rows = house.seal_rows().unwrap();
    let mut lost = house.unsealed.rotate(&rows, NOW, &mut house.rng).unwrap();
    house.commit(std::mem::take(&mut lost.batch));
    drop(lost);
    assert_eq!(house.unsealed.barrier().facts().term, Term(1));
    house.rotate();
    assert_eq!(house.unsealed.barrier().facts().term, Term(3));
    assert_eq!(house.reopen(&house.shares).ok().unwrap().barrier().facts().term, Term(3));
}

#[test]
fn a_verification_takes_new_shares_only_and_each_once() {
    let mut house = House::new(2, 3);
    let (new, shares) = house.draw(2, 3);
    let (first, second) = (AttemptId([2; 16]), AttemptId([3; 16]));
    let end = NOW.after(Span(600));
    let mut verification = Verification::begin(first, new, end);
    let refused = |verification: &Verification, id, share: &Share, now| verification.check(id, copy(share), now).err();
    let old = refused(&verification, first, &house.shares[0], NOW);
    assert!(matches!(old, Some(OfferError::Share(ShareError::OfOlderEpoch { .. }))));
    assert_eq!(refused(&verification, second, &shares[0], NOW), Some(OfferError::NoSuchAttempt));
    assert_eq!(refused(&verification, first, &shares[0], end), Some(OfferError::NoSuchAttempt));
    let returned = verification.check(first, copy(&shares[0]), NOW).unwrap();
    let Verified::More(more) = verification.take(returned) else { panic!("too early") };
    verification = more;
    let twice = refused(&verification, first, &shares[0], NOW);
    assert!(matches!(twice, Some(OfferError::Share(ShareError::IndexAlreadyGiven { .. }))));
    verification.restart(second, end);
    assert_eq!(verification.progress(), 0);
    for position in [0, 2] {
        let returned = verification.check(second, copy(&shares[position]), NOW).unwrap();
        match verification.take(returned) {
            Verified::More(more) => verification = more,
            Verified::Enough(new) => {
                house.rekey(new);
                assert!(house.reopen(&shares).is_ok());
                return;
            }
            Verified::Faulty => panic!("faulty"),
        }
    }
    panic!("two of two were not enough");
}

#[test]
fn a_root_token_comes_out_under_its_pad_alone() {
    let mut house = House::new(2, 3);
    let text = "x".repeat(36);
    let pad = OneTimePad::new(SecretText::new(text.clone())).unwrap();
    let mut rng = StdRng::seed_from_u64(5);
    let made = GeneratedRoot::make(house.quorum(pad), &house.unsealed, NOW, &mut rng).unwrap();
    let hidden = data_encoding::BASE64_NOPAD.decode(made.encoded.expose().as_bytes()).unwrap();
    let token: Vec<u8> = hidden.iter().zip(text.bytes()).map(|(byte, pad)| byte ^ pad).collect();
    let token = SecretText::new(String::from_utf8(token).unwrap());
    let barrier = house.unsealed.barrier();
    let slot = crate::auth::token::TokenId::of(&token, barrier.token_ids()).slot(barrier.names());
    let key = *slot.key();
    house.commit(made.batch);
    assert!(house.rows.contains_key(&key), "the token is stored under its hash");
    assert!(house.unsealed.barrier().open_system(&key, &house.rows[&key].value).is_ok());
}

proptest! {
    #[test]
    fn a_pad_is_as_long_as_a_token(text in "\\PC{0,60}") {
        let length = text.len();
        prop_assert_eq!(OneTimePad::new(SecretText::new(text)).is_ok(), length == 36);
    }
}
