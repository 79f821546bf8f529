//! Tests of what a vault remembers about its custodians, against rows as a store would hold them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::barrier::BarrierError;
use crate::charter::testkit::{FIVE, RULES, first, signed, text};
use crate::id::{Epoch, Revision, UnsealAttemptId, VaultId};
use crate::seal::renew::{DrawError, NewSeal, Rekey, RenewError};
use crate::seal::{
    AtRest, Initialised, KEYRING_ROW, OpenError, Refused, SEAL_CONFIG_ROW, SealConfigError, SealSettings, Sealed, Step,
    Unsealed,
};
use crate::sharing::{PossessionError, PossessionNonce, Share, ShareError};
use crate::store::{Batch, Row, Write};
use crate::time::Span;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);
const VAULT: VaultId = VaultId([0xB0; 16]);
const NONCE: PossessionNonce = PossessionNonce([3; 32]);

type Rows = BTreeMap<RowKey, Row>;

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// The custodians' files are for others to seal; here each is its share's number and nothing else.
fn sealed(shares: &[Share]) -> Vec<Vec<u8>> {
    shares.iter().map(|share| format!("sealed share {}", share.index()).into_bytes()).collect()
}

fn first_charter() -> SignedCharter {
    SignedCharter::judge(signed(first().text(), &["alice", "bob", "dan"]), None).unwrap()
}

/// The charter of the same people that follows, signed by the first one's quorum.
fn second_charter() -> SignedCharter {
    let next = text(Some(&first()), &FIVE, RULES);
    SignedCharter::judge(signed(&next, &["alice", "carol", "erin"]), Some(&first())).unwrap()
}

/// A vault, its rows and its shares, which only a test sees.
struct House {
    unsealed: Unsealed,
    shares: Vec<Share>,
    rows: Rows,
}

impl House {
    fn new(keep: bool) -> Self {
        let (charter, rng) = (first_charter(), &mut rng(1));
        let (new, shares) = NewSeal::first(charter.charter().shares().structure().unwrap(), VAULT, NOW, rng).unwrap();
        let barrier = Barrier::generate(VAULT, NOW, rng);
        let handout = Handout {
            occasion: Occasion::Init,
            charter: &charter,
            config: new.config(),
            sealed_shares: sealed(&shares),
            keep,
        };
        let custody = Custody::sign(handout, &barrier, NOW).unwrap();
        let made = Initialised::make(new.with_custody(custody), barrier, rng).unwrap();
        assert!(made.shares.is_empty(), "no plain share comes out");
        let mut house = Self { unsealed: made.unsealed, shares, rows: Rows::new() };
        house.commit(made.batch);
        house
    }

    fn commit(&mut self, batch: Batch) {
        for write in batch.into_parts().1 {
            match write {
                Write::Put { key, label, value } => {
                    self.rows.insert(key, Row { revision: Revision(1), label, value });
                }
                Write::Delete { key } => drop(self.rows.remove(&key)),
            }
        }
    }

    fn custody(&self) -> Arc<Custody> {
        self.unsealed.custody().unwrap()
    }

    fn read(&self) -> Result<Sealed, SealConfigError> {
        let row = |key| self.rows.get(&key);
        match AtRest::read(row(SEAL_CONFIG_ROW), row(KEYRING_ROW), row(CUSTODY_ROW))? {
            AtRest::Sealed(sealed) => Ok(sealed),
            AtRest::Uninitialised => panic!("uninitialised"),
        }
    }

    fn open(&self, shares: &[Share]) -> Result<Unsealed, Refused> {
        let read = self.read().unwrap();
        let mut collecting = read.begin(UnsealAttemptId([1; 16]), SealSettings::default(), NOW);
        for share in shares {
            match collecting.add(copy(share), NOW)? {
                Step::More(more) => collecting = more,
                Step::Done(unsealed) => return Ok(unsealed),
            }
        }
        panic!("more shares are needed")
    }

    fn open_error(&self) -> OpenError {
        match self.open(&self.shares) {
            Err(Refused::Damaged { error, .. }) => error,
            _ => panic!("was not refused as damaged"),
        }
    }

    fn draw(&self, charter: &SignedCharter) -> Result<(NewSeal, Vec<Share>), DrawError> {
        NewSeal::draw_by_charter(charter, &self.unsealed.config(), &self.custody(), NOW, &mut rng(2))
    }

    fn pending(&self) -> (Pending, Vec<Share>) {
        let charter = second_charter();
        let (new, shares) = self.draw(&charter).unwrap();
        let (occasion, sealed_shares) = (Occasion::Rekey, sealed(&shares));
        let handout = Handout { occasion, charter: &charter, config: new.config(), sealed_shares, keep: true };
        let custody = Custody::sign(handout, self.unsealed.barrier(), NOW).unwrap();
        (Pending::begin(new.with_custody(custody)).unwrap(), shares)
    }

    fn prepare(&self, new: NewSeal) -> Rekey {
        let row = |key| self.rows.get(&key);
        let rows = self.unsealed.check_rows(row(SEAL_CONFIG_ROW), row(KEYRING_ROW)).unwrap();
        self.unsealed.rekey(new, &rows, &mut rng(3)).unwrap()
    }
}

fn copy(share: &Share) -> Share {
    Share::from_bytes(share.to_bytes().expose()).unwrap()
}

fn json(row: &[u8]) -> serde_json::Value {
    serde_json::from_slice(row).unwrap()
}

#[test]
fn a_sealed_vault_knows_its_custodians_and_opens() {
    let house = House::new(true);
    let sealed = house.read().unwrap();
    let custody = sealed.custody().unwrap();
    let names: Vec<_> = custody.statement().shares.iter().map(|share| share.person.as_str()).collect();
    assert_eq!(names, FIVE);
    let third = ShareIndex::new(3).unwrap();
    assert_eq!(custody.custodian(third).unwrap().name.to_string(), "carol");
    assert_eq!(custody.sealed_share(third), Some(b"sealed share 3".as_slice()));
    let fingerprint = custody.custodian(third).unwrap().signing_key.fingerprint();
    assert_eq!(custody.shares_of(&fingerprint), [third]);
    assert!(custody.shares_of("SHA256:of nobody").is_empty());
    assert!(custody.custodian(ShareIndex::new(6).unwrap()).is_none());
    assert!(house.rows.contains_key(&charter_row(1)));
    assert!(house.open(&house.shares).is_ok());
}

#[test]
fn shares_that_are_not_kept_are_not_in_the_row() {
    let house = House::new(false);
    let custody = house.custody();
    assert_eq!(custody.sealed_share(ShareIndex::new(1).unwrap()), None);
    assert_eq!(custody.statement().shares.len(), 5);
    assert!(house.open(&house.shares).is_ok());
}

#[test]
fn the_record_is_signed_by_the_vault_and_holds_no_share() {
    let house = House::new(true);
    let record = house.custody().record().clone();
    assert_eq!(Statement::verify(&record).unwrap(), *house.custody().statement());
    let mut altered = Envelope::new(PAYLOAD_TYPE, &[record.payload(), b" "].concat());
    altered.add(record.signatures()[0].clone());
    assert!(Statement::verify(&altered).is_err());
    let text = String::from_utf8(record.payload().to_vec()).unwrap();
    for share in &house.shares {
        for form in [share.to_text(), share.to_hex(), share.to_base64()] {
            assert!(!text.contains(form.expose()));
        }
    }
}

/// The charter says who may unseal and sign; a vault whose charter was exchanged on the disk must not open.
#[test]
fn the_keyring_opens_beside_its_own_custody_record_only() {
    let mut house = House::new(true);
    let genuine = house.rows[&CUSTODY_ROW].clone();
    let other = House::new(false).rows[&CUSTODY_ROW].clone();
    assert_ne!(other.value, genuine.value);
    let keyring_refused = OpenError::Keyring(BarrierError::Altered);
    house.rows.insert(CUSTODY_ROW, other);
    assert_eq!(house.open_error(), keyring_refused);
    house.rows.remove(&CUSTODY_ROW);
    assert_eq!(house.open_error(), keyring_refused);
    house.rows.insert(CUSTODY_ROW, Row { value: [genuine.value.as_ref(), b" "].concat().into(), ..genuine.clone() });
    assert_eq!(house.open_error(), keyring_refused);
    house.rows.insert(CUSTODY_ROW, genuine);
    assert!(house.open(&house.shares).is_ok());
}

#[test]
fn parts_that_do_not_agree_are_named() {
    let house = House::new(true);
    let good = json(house.custody().row());
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut row = good.clone();
        change(&mut row);
        Custody::read(&serde_json::to_vec(&row).unwrap()).err().unwrap().to_string()
    };
    assert!(with(&|row| row["sealed_shares"][0] = row["sealed_shares"][1].clone()).contains("handed out"));
    assert!(with(&|row| row["sealed_shares"] = serde_json::json!(["YQ=="])).contains("handed out"));
    assert!(with(&|row| row["sealed_shares"][0] = "?".into()).contains("base64"));
    assert!(with(&|row| row["format"] = 2.into()).contains("format 2"));
    assert!(with(&|row| row["else"] = 1.into()).contains("unknown field"));
    let other = text(None, &["bob", "alice", "carol", "dan", "erin"], RULES);
    assert!(with(&|row| row["charter"] = signed(&other, &[]).to_json().into()).contains("another charter"));
    let elsewhere = NewSeal::first(crate::sharing::Threshold::new(3, 5).unwrap(), VAULT, NOW, &mut rng(9)).unwrap().0;
    assert!(house.custody().check_seal(elsewhere.config()).is_err());
}

#[test]
fn a_charter_counts_once_enough_have_signed() {
    for signers in [&[][..], &["alice", "bob"], &["alice", "dan"], &["dan", "erin"]] {
        let refused = SignedCharter::judge(signed(first().text(), signers), None).err().unwrap();
        assert!(matches!(refused, ChainProblem::Missing { .. }), "{signers:?}");
    }
}

#[test]
fn a_rekey_follows_the_charter_in_force_only() {
    let house = House::new(true);
    assert_eq!(house.draw(&first_charter()).err(), Some(DrawError::NotTheNext));
    let other = text(None, &FIVE, &RULES.replace("2 of security", "1 of security"));
    let other = crate::charter::Charter::parse(other.as_bytes()).unwrap();
    let next = text(Some(&other), &FIVE, RULES);
    let next = SignedCharter::judge(signed(&next, &["alice", "carol", "erin"]), Some(&other)).unwrap();
    assert_eq!(house.draw(&next).err(), Some(DrawError::NotTheNext));
    assert_eq!(house.draw(&second_charter()).unwrap().0.config().epoch(), Epoch(2));
}

#[test]
fn the_new_shares_count_once_every_custodian_holds_theirs() {
    let mut house = House::new(true);
    let (mut pending, shares) = house.pending();
    let place = Pending::row_key(house.unsealed.barrier().names());
    for (position, share) in shares.iter().enumerate() {
        assert_eq!(pending.waiting_for().len(), 5 - position);
        // Stored and read again at each step, as after a crash.
        let batch = pending.store(house.unsealed.barrier(), &mut rng(position as u64)).unwrap();
        house.commit(batch);
        pending = Pending::read(&house.rows[&place], house.unsealed.barrier()).unwrap();
        let proof = share.prove_possession(&NONCE.bound_to(&second_charter().charter().digest()), &mut rng(4));
        pending.check(share.index(), &NONCE, &proof).unwrap();
        assert!(house.open(&house.shares).is_ok(), "the old shares are in force");
        let seen = NOW.after(Span(position as u64));
        match pending.acknowledge(share.index(), seen) {
            Acknowledged::More(more) => pending = more,
            Acknowledged::All { new, checkups } => {
                assert_eq!(position, 4, "too early");
                assert_eq!(checkups.last(shares[0].index()), Some(NOW));
                assert_eq!(checkups.last(share.index()), Some(seen));
                let mut rekey = house.prepare(new);
                rekey.also(Pending::end(house.unsealed.barrier().names()));
                rekey.also(checkups.put().unwrap());
                house.commit(std::mem::take(&mut rekey.batch));
                house.unsealed.adopt_rekey(rekey);
                break;
            }
        }
    }
    let Err(Refused::Share { error, .. }) = house.open(&house.shares) else { panic!("an old share was taken") };
    assert!(matches!(error, ShareError::OfOlderEpoch { .. }));
    assert!(house.open(&shares).is_ok());
    assert_eq!(house.custody().charter().charter().epoch(), 2);
    assert!(house.rows.contains_key(&charter_row(1)) && house.rows.contains_key(&charter_row(2)));
    assert!(!house.rows.contains_key(&place) && house.rows.contains_key(&CHECKUPS_ROW));
}

#[test]
fn an_acknowledgement_counts_for_the_rekey_that_its_maker_saw() {
    let house = House::new(true);
    let (pending, shares) = house.pending();
    let prove = |share: &Share, digest| share.prove_possession(&NONCE.bound_to(&digest), &mut rng(5));
    let digest = second_charter().charter().digest();
    let refused = Err(PossessionError::DoesNotHold);
    let index = shares[0].index();
    assert_eq!(pending.check(index, &NONCE, &prove(&shares[0], digest)), Ok(()));
    assert_eq!(pending.check(index, &NONCE, &prove(&shares[0], first().digest())), refused);
    assert_eq!(pending.check(index, &NONCE, &shares[0].prove_possession(&NONCE, &mut rng(5))), refused);
    assert_eq!(pending.check(index, &NONCE, &prove(&house.shares[0], digest)), refused, "the old share");
    assert_eq!(pending.check(index, &NONCE, &prove(&shares[1], digest)), refused);
    assert_eq!(pending.check(ShareIndex::new(6).unwrap(), &NONCE, &prove(&shares[0], digest)), refused);
}

#[test]
fn shares_in_clear_do_not_take_the_place_of_sealed_ones() {
    let house = House::new(true);
    let row = |key| house.rows.get(&key);
    let rows = house.unsealed.check_rows(row(SEAL_CONFIG_ROW), row(KEYRING_ROW)).unwrap();
    let (new, _) = house.draw(&second_charter()).unwrap();
    assert_eq!(house.unsealed.rekey(new, &rows, &mut rng(6)).err(), Some(RenewError::HasCharter));
    let (new, _) = house.draw(&second_charter()).unwrap();
    assert!(Pending::begin(new).is_err());
}

#[test]
fn a_rotated_vault_opens_beside_its_custody_record() {
    let mut house = House::new(true);
    let row = |key| house.rows.get(&key);
    let rows = house.unsealed.check_rows(row(SEAL_CONFIG_ROW), row(KEYRING_ROW)).unwrap();
    let mut rotation = house.unsealed.rotate(&rows, NOW, &mut rng(7)).unwrap();
    house.commit(std::mem::take(&mut rotation.batch));
    assert!(house.open(&house.shares).is_ok());
    // Its commit was not answered: the rows are taken over as they are.
    let row = |key| house.rows.get(&key);
    assert!(house.unsealed.check_rows(row(SEAL_CONFIG_ROW), row(KEYRING_ROW)).is_ok());
}

#[test]
fn checkups_of_older_shares_count_for_nothing() {
    let index = ShareIndex::new(2).unwrap();
    let mut checkups = CheckUps::new(Epoch(3));
    assert_eq!(checkups.last(index), None);
    checkups.note(index, NOW);
    let row = checkups.to_json().unwrap();
    assert_eq!(CheckUps::read(Some(&row), Epoch(3)).unwrap().last(index), Some(NOW));
    assert_eq!(CheckUps::read(Some(&row), Epoch(4)).unwrap().last(index), None);
    assert_eq!(CheckUps::read(None, Epoch(3)).unwrap(), CheckUps::new(Epoch(3)));
    assert!(CheckUps::read(Some(b"{}"), Epoch(3)).is_err());
}

/// Two of alice, bob, carol and one of dan, erin.
#[test]
fn a_custodian_who_is_overdue_breaches_a_soft_limit_and_too_few_of_them_a_hard_one() {
    let custody = House::new(true).custody();
    let (span, day) = (Span(90 * 86_400), 86_400);
    let later = NOW.after(Span(90 * 86_400));
    let judge = |seen: &[u8], now| {
        let mut checkups = CheckUps::new(Epoch(1));
        seen.iter().for_each(|number| checkups.note(ShareIndex::new(*number).unwrap(), NOW.after(Span(day))));
        let health = custody.health(NOW, &checkups, now, span);
        (health.limit, health.overdue.join(" "))
    };
    assert_eq!(judge(&[], Timestamp(later.0 - 1)), (Limit::Kept, String::new()), "the handout counts");
    assert_eq!(judge(&[1, 2, 3, 4, 5], later), (Limit::Kept, String::new()));
    assert_eq!(judge(&[1, 2, 3, 4, 5], later.after(Span(day))).0, Limit::Hard);
    assert_eq!(judge(&[1, 2, 4, 5], later), (Limit::Hard, "carol".to_owned()), "alice or bob is one too many to lose");
    assert_eq!(judge(&[1, 2, 3, 5], later), (Limit::Hard, "dan".to_owned()));
    assert_eq!(judge(&[], later).1, "alice bob carol dan erin");
    let rules = RULES.replace("2 of security and", "1 of security and");
    let charter = SignedCharter::judge(signed(&text(None, &FIVE, &rules), &["alice", "bob", "dan"]), None).unwrap();
    let (new, shares) =
        NewSeal::first(charter.charter().shares().structure().unwrap(), VAULT, NOW, &mut rng(1)).unwrap();
    let handout = Handout {
        occasion: Occasion::Init,
        charter: &charter,
        config: new.config(),
        sealed_shares: sealed(&shares),
        keep: true,
    };
    let custody = Custody::sign(handout, &Barrier::generate(VAULT, NOW, &mut rng(1)), NOW).unwrap();
    let mut checkups = CheckUps::new(Epoch(1));
    [1, 2, 4, 5].iter().for_each(|number| checkups.note(ShareIndex::new(*number).unwrap(), NOW.after(Span(day))));
    let health = custody.health(NOW, &checkups, later, span);
    assert_eq!((health.limit, health.custodians, health.overdue), (Limit::Soft, 5, vec!["carol".to_owned()]));
}

#[test]
fn charter_rows_have_places_of_their_own() {
    let keys = [charter_row(1), charter_row(2), charter_row(u32::MAX), CUSTODY_ROW, CHECKUPS_ROW, SEAL_CONFIG_ROW];
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_are_refused_as_a_custody_record(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Custody::read(&bytes).is_err());
        prop_assert!(CheckUps::read(Some(&bytes), Epoch(1)).is_err());
    }

    #[test]
    fn an_altered_record_never_panics(position: prop::sample::Index, byte: u8) {
        let mut row = House::new(true).custody().row().to_vec();
        let position = position.index(row.len());
        row[position] = byte;
        if let Ok(read) = Custody::read(&row) {
            prop_assert_eq!(read.row().as_ref(), row.as_slice());
        }
    }
}
