//! Tests of every transition of the seal.

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::custody::CUSTODY_ROW;
use crate::id::{Epoch, Revision, VaultId};
use crate::secret::SecretKey;
use crate::sharing::{Child, EpochEnd, Node, Share, ShareError, ShareIndex, Structure, Threshold};
use crate::store::{Expect, Write};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);
const VAULT: VaultId = VaultId([0xB0; 16]);

fn new_vault(needed: u64, total: u64, vault: VaultId, seed: u64) -> Initialised {
    let threshold = Threshold::new(needed, total).unwrap();
    initialise(threshold, vault, NOW, &mut StdRng::seed_from_u64(seed)).unwrap()
}

fn copy(share: &Share) -> Share {
    Share::from_bytes(share.to_bytes().expose()).unwrap()
}

fn index(number: u8) -> ShareIndex {
    ShareIndex::new(number).unwrap()
}

fn attempt() -> UnsealAttemptId {
    UnsealAttemptId::random(&mut StdRng::seed_from_u64(9))
}

fn begin(sealed: Sealed) -> Collecting {
    sealed.begin(attempt(), SealSettings::default(), NOW)
}

fn more(result: Result<Step, Refused>) -> Collecting {
    match result {
        Ok(Step::More(collecting)) => collecting,
        Ok(Step::Done(_)) => panic!("unsealed too early"),
        Err(_) => panic!("refused"),
    }
}

fn done(result: Result<Step, Refused>) -> Unsealed {
    let Ok(Step::Done(unsealed)) = result else { panic!("did not unseal") };
    unsealed
}

fn refused_share(result: Result<Step, Refused>) -> (Collecting, ShareError) {
    let Err(Refused::Share { collecting, error }) = result else { panic!("was not refused") };
    (collecting, error)
}

/// Reads the two rows out of the batch, as a store would hold them.
fn rows(batch: &crate::store::Batch) -> (Row, Row) {
    let (_, writes) = batch.clone().into_parts();
    let row = |wanted: RowKey| {
        let found = writes.iter().find_map(|write| match write {
            Write::Put { key, label, value } if *key == wanted => {
                Some(Row { revision: Revision(1), label: Arc::clone(label), value: Arc::clone(value) })
            }
            _ => None,
        });
        found.unwrap()
    };
    (row(SEAL_CONFIG_ROW), row(KEYRING_ROW))
}

fn read(batch: &crate::store::Batch) -> Sealed {
    let (config, keyring) = rows(batch);
    let AtRest::Sealed(sealed) = AtRest::read(Some(&config), Some(&keyring), None).unwrap() else {
        panic!("uninitialised")
    };
    sealed
}

#[test]
fn a_new_vault_unseals_from_its_rows_with_enough_shares() {
    for (needed, total) in [(1, 1), (1, 3), (2, 3), (5, 5)] {
        let new = new_vault(needed, total, VAULT, 1);
        let mut collecting = begin(read(&new.batch));
        let (last, first) = new.shares[total as usize - needed as usize..].split_last().unwrap();
        for share in first {
            collecting = more(collecting.add(copy(share), NOW));
        }
        let unsealed = done(collecting.add(copy(last), NOW));
        let probe = |unsealed: &Unsealed| unsealed.barrier().token_ids().hash(&[b"probe"]);
        assert_eq!(probe(&unsealed), probe(&new.unsealed));
        assert_eq!(unsealed.config(), new.unsealed.config());
    }
}

/// `2 of (1, 2, 3) and 1 of (4, 5)`.
fn two_teams() -> Structure {
    let team = |needed, total| Child::Node(Node { needed, children: vec![Child::Share; total] });
    Structure::new(Node { needed: 2, children: vec![team(2, 3), team(1, 2)] }).unwrap()
}

#[test]
fn a_vault_of_two_teams_opens_to_both_together() {
    let new = initialise(two_teams(), VAULT, NOW, &mut StdRng::seed_from_u64(18)).unwrap();
    let mut collecting = begin(read(&new.batch));
    for (position, reached) in [(0, 1), (2, 2), (1, 2)] {
        collecting = more(collecting.add(copy(&new.shares[position]), NOW));
        let progress = collecting.progress();
        assert_eq!((progress.reached, progress.needed, progress.total), (reached, 3, 5), "share {position}");
    }
    let unsealed = done(collecting.add(copy(&new.shares[4]), NOW));
    assert_eq!(unsealed.config().commitments().structure(), &two_teams());
}

#[test]
fn a_nested_configuration_is_of_format_2_and_refused_by_field() {
    let new = initialise(two_teams(), VAULT, NOW, &mut StdRng::seed_from_u64(19)).unwrap();
    let (config, _) = rows(&new.batch);
    let good: serde_json::Value = serde_json::from_slice(&config.value).unwrap();
    assert_eq!(good["format"], 2);
    assert_eq!(SealConfig::from_json(&config.value).unwrap(), *new.unsealed.config());
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = good.clone();
        change(&mut json);
        SealConfig::from_json(&serde_json::to_vec(&json).unwrap()).err().unwrap().to_string()
    };
    assert!(with(&|json| json["structure"]["needed"] = 1.into()).contains("2 commitments of node 0"));
    assert!(with(&|json| json["structure"]["needed"] = 0.into()).contains("at least 1"));
    assert!(with(&|json| json["structure"]["children"] = serde_json::json!(["share", "share"])).contains("structure"));
    assert!(with(&|json| json["commitments"][1] = json["commitments"][0].clone()).contains("node 1"));
    assert!(with(&|json| json["needed"] = 3.into()).contains("unknown field"));
}

#[test]
fn only_the_first_of_two_initialisations_can_be_committed() {
    let (expects, writes) = new_vault(2, 3, VAULT, 2).batch.into_parts();
    let absent = |key| Expect::Unchanged { key, revision: None };
    assert_eq!(expects, [absent(SEAL_CONFIG_ROW), absent(KEYRING_ROW), absent(CUSTODY_ROW)]);
    assert_eq!(writes.len(), 2);
    assert_ne!(SEAL_CONFIG_ROW, KEYRING_ROW);
}

#[test]
fn progress_shows_who_gave_and_until_when() {
    let new = new_vault(3, 5, VAULT, 3);
    let mut collecting = begin(read(&new.batch));
    for position in [4, 1] {
        collecting = more(collecting.add(copy(&new.shares[position]), NOW));
    }
    let progress = collecting.progress();
    assert_eq!(progress.given, [index(5), index(2)]);
    assert_eq!((progress.needed, progress.total), (3, 5));
    assert_eq!(progress.attempt, attempt());
    assert_eq!((progress.started_at, progress.deadline), (NOW, NOW.after(ATTEMPT_SPAN)));
}

#[test]
fn refused_shares_do_not_count_and_are_named() {
    let new = new_vault(2, 3, VAULT, 4);
    let foreign = new_vault(2, 3, VaultId([1; 16]), 4);
    let impostor = new_vault(2, 3, VAULT, 5);
    let collecting = more(begin(read(&new.batch)).add(copy(&new.shares[0]), NOW));

    let (collecting, error) = refused_share(collecting.add(copy(&foreign.shares[1]), NOW));
    let (share, vault) = (VaultId([1; 16]).fingerprint(), VAULT.fingerprint());
    assert_eq!(error, ShareError::OfAnotherVault { index: index(2), share, vault });

    let (collecting, error) = refused_share(collecting.add(copy(&impostor.shares[1]), NOW));
    assert_eq!(error, ShareError::NotOfThisSet { index: index(2) });

    let (collecting, error) = refused_share(collecting.add(copy(&new.shares[0]), NOW));
    assert_eq!(error, ShareError::IndexAlreadyGiven { index: index(1) });

    assert_eq!(collecting.progress().given, [index(1)]);
    let _ = done(collecting.add(copy(&new.shares[2]), NOW));
}

#[test]
fn shares_of_another_epoch_are_named_with_both() {
    let new = new_vault(2, 3, VAULT, 6);
    for (epoch, newer) in [(Epoch(2), true), (Epoch(9), true), (Epoch(0), false)] {
        let threshold = new.unsealed.config().threshold();
        let mut rng = StdRng::seed_from_u64(6);
        let secret = crate::sharing::UnsealSecret::random(&mut rng);
        let (_, mut shares) = crate::sharing::split(&secret, threshold, VAULT.fingerprint(), epoch, &mut rng).unwrap();
        let (_, error) = refused_share(begin(read(&new.batch)).add(shares.remove(0), NOW));
        let expected = if newer {
            ShareError::OfNewerEpoch { index: index(1), share: epoch, current: Epoch::FIRST }
        } else {
            ShareError::OfOlderEpoch { index: index(1), share: epoch, current: Epoch::FIRST, ended: EpochEnd::On(NOW) }
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn an_attempt_ends_at_its_deadline_and_hands_the_late_share_back() {
    let new = new_vault(2, 3, VAULT, 7);
    let deadline = NOW.after(ATTEMPT_SPAN);
    let just_before = Timestamp(deadline.0 - 1);
    let collecting = more(begin(read(&new.batch)).add(copy(&new.shares[0]), NOW));
    let Waited::Still(collecting) = collecting.expire(just_before) else { panic!("expired too early") };
    let Err(Refused::Expired { sealed, share }) = collecting.add(copy(&new.shares[1]), deadline) else {
        panic!("took a share after the deadline")
    };
    let again = more(sealed.begin(attempt(), SealSettings::default(), deadline).add(share, deadline));
    assert_eq!(again.progress().given, [index(2)]);
    let Waited::Expired(sealed) = again.expire(Timestamp(i64::MAX)) else { panic!("did not expire") };
    assert!(begin(sealed).progress().given.is_empty());
}

#[test]
fn the_span_of_an_attempt_is_a_setting() {
    let new = new_vault(2, 3, VAULT, 8);
    let settings = SealSettings { attempt_span: Span(5) };
    let collecting = read(&new.batch).begin(attempt(), settings, NOW);
    assert!(matches!(collecting.expire(NOW.after(Span(5))), Waited::Expired(_)));
}

#[test]
fn reset_forgets_what_was_given() {
    let new = new_vault(2, 3, VAULT, 10);
    let collecting = more(begin(read(&new.batch)).add(copy(&new.shares[0]), NOW));
    let collecting = begin(collecting.reset());
    assert!(collecting.progress().given.is_empty());
    let _ = more(collecting.add(copy(&new.shares[1]), NOW));
}

#[test]
fn sealing_leads_back_to_the_start() {
    let new = new_vault(1, 1, VAULT, 11);
    let sealed = new.unsealed.seal();
    let unsealed = done(begin(sealed).add(copy(&new.shares[0]), NOW));
    let sealed = unsealed.seal();
    let _ = done(begin(sealed).add(copy(&new.shares[0]), NOW));
}

#[test]
fn damage_is_named_and_blames_no_custodian() {
    let new = new_vault(1, 2, VAULT, 12);
    let (config, keyring) = rows(&new.batch);
    let damaged = |config: &Row, keyring: &Row| {
        let AtRest::Sealed(sealed) = AtRest::read(Some(config), Some(keyring), None).unwrap() else { panic!() };
        match begin(sealed).add(copy(&new.shares[0]), NOW) {
            Err(Refused::Damaged { sealed: _, error }) => error,
            _ => panic!("was not refused as damaged"),
        }
    };
    let mut altered = keyring.clone();
    Arc::make_mut(&mut altered.value)[40] ^= 1;
    assert_eq!(damaged(&config, &altered), OpenError::Keyring(BarrierError::Altered));

    let mut json: serde_json::Value = serde_json::from_slice(&config.value).unwrap();
    json["key_check"] = "00".repeat(32).into();
    let altered = Row { value: serde_json::to_vec(&json).unwrap().into(), ..config.clone() };
    assert_eq!(damaged(&altered, &keyring), OpenError::KeyCheck);
}

#[test]
fn a_keyring_of_another_seal_key_does_not_open() {
    let new = new_vault(1, 1, VAULT, 13);
    let (config, mut keyring) = rows(&new.batch);
    let key = SecretKey::fill_with(|key| key.fill(1));
    let mut rng = StdRng::seed_from_u64(13);
    keyring.value = Barrier::generate(VAULT, NOW, &mut rng).wrap_keyring(&key, None, None, &mut rng).unwrap().into();
    let AtRest::Sealed(sealed) = AtRest::read(Some(&config), Some(&keyring), None).unwrap() else { panic!() };
    let refused = begin(sealed).add(copy(&new.shares[0]), NOW);
    assert!(matches!(refused, Err(Refused::Damaged { error: OpenError::Keyring(_), .. })));
}

#[test]
fn a_half_written_vault_does_not_pass_for_a_new_one() {
    let (config, keyring) = rows(&new_vault(1, 1, VAULT, 14).batch);
    assert!(matches!(AtRest::read(None, None, None), Ok(AtRest::Uninitialised)));
    let missing = |row| Some(SealConfigError::Missing { row });
    assert_eq!(AtRest::read(Some(&config), None, None).err(), missing("keyring"));
    assert_eq!(AtRest::read(None, Some(&keyring), None).err(), missing("seal configuration"));
}

#[test]
fn damaged_configurations_are_refused_by_field() {
    let (config, _) = rows(&new_vault(2, 3, VAULT, 15).batch);
    let good: serde_json::Value = serde_json::from_slice(&config.value).unwrap();
    let with = |field: &str, value: serde_json::Value| {
        let mut json = good.clone();
        json[field] = value;
        SealConfig::from_json(&serde_json::to_vec(&json).unwrap()).err().unwrap().to_string()
    };
    assert!(with("format", 3.into()).contains("format 3"));
    assert!(with("format", 2.into()).contains("invalid type"));
    assert!(with("vault", "b0".into()).contains("field vault"));
    assert!(with("epoch", 0.into()).contains("field epoch"));
    assert!(with("needed", 0.into()).contains("at least 1"));
    assert!(with("needed", 1.into()).contains("2 commitments"));
    assert!(with("total", 256.into()).contains("at most 255"));
    assert!(with("key_check", "zz".into()).contains("field key_check"));
    assert!(with("commitments", Vec::<String>::new().into()).contains("0 commitments"));
    assert!(with("else", 1.into()).contains("unknown field"));
    let long = vec![b' '; SEAL_CONFIG_LENGTH_BYTES_MAX + 1];
    assert!(matches!(SealConfig::from_json(&long), Err(SealConfigError::TooLong { .. })));
}

#[test]
fn the_largest_configuration_is_within_the_bound() {
    let (config, _) = rows(&new_vault(255, 255, VAULT, 16).batch);
    assert!(SealConfig::from_json(&config.value).is_ok());
    let team = Child::Node(Node { needed: 2, children: vec![Child::Share; 2] });
    let mut children = vec![team; 126];
    children.extend([Child::Share, Child::Share, Child::Share]);
    let largest = Structure::new(Node { needed: 129, children }).unwrap();
    let new = initialise(largest, VAULT, NOW, &mut StdRng::seed_from_u64(20)).unwrap();
    assert!(SealConfig::from_json(&rows(&new.batch).0.value).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_as_a_configuration(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(SealConfig::from_json(&bytes).is_err());
    }

    #[test]
    fn an_altered_configuration_never_panics(position: prop::sample::Index, byte: u8) {
        let (config, _) = rows(&new_vault(1, 2, VAULT, 17).batch);
        let mut altered = config.value.to_vec();
        let position = position.index(altered.len());
        altered[position] = byte;
        if let Ok(read) = SealConfig::from_json(&altered) {
            prop_assert_eq!(SealConfig::from_json(&read.to_json().unwrap()), Ok(read));
        }
    }
}
