//! Tests of sealed rows, terms and the keyring.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::flow::{Durable, Recorded};

const VAULT: VaultId = VaultId([9; 16]);
const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

fn barrier(seed: u64) -> (Barrier, StdRng) {
    let mut rng = StdRng::seed_from_u64(seed);
    (Barrier::generate(VAULT, NOW, &mut rng), rng)
}

fn recorded() -> Recorded {
    Recorded::housekeeping(Durable::danger_vouch(0))
}

fn slot(barrier: &Barrier, domain: Domain, name: &str) -> Slot {
    barrier.names().entry(&barrier.names().root(domain, "test"), name)
}

#[test]
fn a_row_opens_at_its_own_place_only() {
    let (barrier, mut rng) = barrier(1);
    let here = slot(&barrier, Domain::Data, "here");
    let there = slot(&barrier, Domain::Data, "there");
    let (label, value) = barrier.seal(&here, b"payload", &mut rng).unwrap();
    let open = |slot: &Slot, sealed: &[u8]| barrier.open(&recorded(), Domain::Data, slot.key(), sealed);
    assert_eq!(open(&here, &value).unwrap().expose(), b"payload");
    assert_eq!(barrier.open_label(&recorded(), Domain::Data, here.key(), &label).unwrap(), "here");
    assert_eq!(open(&there, &value).err(), Some(BarrierError::Altered));
    assert_eq!(open(&here, &label).err(), Some(BarrierError::Altered), "a label is no value");
}

#[test]
fn a_data_row_does_not_open_as_a_system_row() {
    let (barrier, mut rng) = barrier(1);
    let data = slot(&barrier, Domain::Data, "x");
    let (label, value) = barrier.seal(&data, b"payload", &mut rng).unwrap();
    assert_eq!(barrier.open_system(data.key(), &value).err(), Some(BarrierError::Altered));
    assert_eq!(barrier.open_system_label(data.key(), &label).err(), Some(BarrierError::Altered));
}

#[test]
fn another_vault_or_term_opens_nothing() {
    let (ours, mut rng) = barrier(1);
    let (theirs, _) = barrier(2);
    let place = slot(&ours, Domain::System, "x");
    let (_, mut value) = ours.seal(&place, b"payload", &mut rng).unwrap();
    assert_eq!(theirs.open_system(place.key(), &value).err(), Some(BarrierError::Altered));
    value[4] = 7;
    assert_eq!(ours.open_system(place.key(), &value).err(), Some(BarrierError::UnknownTerm { term: Term(7) }));
}

#[test]
fn a_keyring_opens_under_its_own_seal_key_only() {
    let (barrier, mut rng) = barrier(1);
    let seal_key = SecretKey::random(&mut rng);
    let wrapped = barrier.wrap_keyring(&seal_key, None, None, &mut rng).unwrap();
    let place = slot(&barrier, Domain::System, "x");
    let (_, value) = barrier.seal(&place, b"payload", &mut rng).unwrap();
    let again = Barrier::unwrap_keyring(VAULT, &seal_key, &wrapped, None, NOW).unwrap();
    assert_eq!(again.names().entry(&again.names().root(Domain::System, "test"), "x"), place);
    assert_eq!(again.open_system(place.key(), &value).unwrap().expose(), b"payload");
    let wrong = SecretKey::random(&mut rng);
    assert_eq!(Barrier::unwrap_keyring(VAULT, &wrong, &wrapped, None, NOW).err(), Some(BarrierError::Altered));
    let other = VaultId([8; 16]);
    assert_eq!(Barrier::unwrap_keyring(other, &seal_key, &wrapped, None, NOW).err(), Some(BarrierError::Altered));
    assert_eq!(Barrier::unwrap_keyring(VAULT, &seal_key, &[], None, NOW).err(), Some(BarrierError::Format));
}

#[test]
fn a_new_term_seals_new_rows_and_old_rows_stay_readable() {
    let (barrier, mut rng) = barrier(1);
    let seal_key = SecretKey::random(&mut rng);
    let place = slot(&barrier, Domain::System, "x");
    let (_, old) = barrier.seal(&place, b"old", &mut rng).unwrap();
    assert_eq!(barrier.facts(), KeyringFacts { term: Term(1), installed_at: NOW, encryptions: 2 });
    let later = Timestamp(NOW.0 + 5);
    let next = barrier.draw_term(later, &mut rng).unwrap();
    let wrapped = barrier.wrap_keyring(&seal_key, Some(&next), None, &mut rng).unwrap();
    let (_, between) = barrier.seal(&place, b"between", &mut rng).unwrap();
    assert_eq!(between[1..5], [0, 0, 0, 1], "a term that is not adopted seals nothing");
    barrier.adopt(next);
    let (_, new) = barrier.seal(&place, b"new", &mut rng).unwrap();
    assert_eq!(new[1..5], [0, 0, 0, 2]);
    assert_eq!(barrier.facts(), KeyringFacts { term: Term(2), installed_at: later, encryptions: 2 });
    let again = Barrier::unwrap_keyring(VAULT, &seal_key, &wrapped, None, NOW).unwrap();
    for barrier in [&barrier, &again] {
        assert_eq!(barrier.open_system(place.key(), &old).unwrap().expose(), b"old");
        assert_eq!(barrier.open_system(place.key(), &new).unwrap().expose(), b"new");
    }
    assert_eq!(again.facts(), KeyringFacts { term: Term(2), installed_at: later, encryptions: 0 });
}

#[test]
fn a_barrier_takes_over_the_terms_that_it_lacks() {
    let (barrier, mut rng) = barrier(1);
    let seal_key = SecretKey::random(&mut rng);
    let next = barrier.draw_term(NOW, &mut rng).unwrap();
    let wrapped = barrier.wrap_keyring(&seal_key, Some(&next), None, &mut rng).unwrap();
    drop(next);
    barrier.absorb(Barrier::unwrap_keyring(VAULT, &seal_key, &wrapped, None, NOW).unwrap());
    let again = Barrier::unwrap_keyring(VAULT, &seal_key, &wrapped, None, NOW).unwrap();
    let place = slot(&barrier, Domain::Data, "x");
    let (_, value) = barrier.seal(&place, b"payload", &mut rng).unwrap();
    assert_eq!(barrier.facts().term, Term(2));
    assert_eq!(again.open(&recorded(), Domain::Data, place.key(), &value).unwrap().expose(), b"payload");
}

#[test]
fn a_keyring_of_the_first_format_is_read() {
    let mut rng = StdRng::seed_from_u64(3);
    let seal_key = SecretKey::random(&mut rng);
    let old = KeyringWithoutTimes { root: [1; 32], terms: BTreeMap::from([(Term(1), [2; 32])]) };
    let plain = postcard::to_allocvec(&old).unwrap();
    let sealed = seal_box(&seal_key, &keys::keyring_associated_data(VAULT, None), &plain, &mut rng).unwrap();
    let wrapped = [&[KEYRING_FORMAT_WITHOUT_TIMES], sealed.as_slice()].concat();
    let read = Barrier::unwrap_keyring(VAULT, &seal_key, &wrapped, None, NOW).unwrap();
    assert_eq!(read.facts(), KeyringFacts { term: Term(1), installed_at: NOW, encryptions: 0 });
    let rewrapped = read.wrap_keyring(&seal_key, None, None, &mut rng).unwrap();
    let again = Barrier::unwrap_keyring(VAULT, &seal_key, &rewrapped, None, Timestamp(0)).unwrap();
    assert_eq!(again.facts(), read.facts());
}

proptest! {
    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed(
        payload in proptest::collection::vec(any::<u8>(), 0..80),
        position in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let (barrier, mut rng) = barrier(1);
        let place = slot(&barrier, Domain::System, "x");
        let (_, sealed) = barrier.seal(&place, &payload, &mut rng).unwrap();
        let opened = barrier.open_system(place.key(), &sealed).unwrap();
        prop_assert_eq!(opened.expose(), &payload[..]);
        let mut flipped = sealed.clone();
        flipped[position.index(sealed.len())] ^= 1 << bit;
        prop_assert!(barrier.open_system(place.key(), &flipped).is_err());
        prop_assert!(barrier.open_system(place.key(), &sealed[..position.index(sealed.len())]).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let (barrier, _) = barrier(1);
        let place = slot(&barrier, Domain::System, "x");
        prop_assert!(barrier.open_system(place.key(), &bytes).is_err());
        prop_assert!(Barrier::unwrap_keyring(VAULT, &SecretKey::fill_with(|_| ()), &bytes, None, NOW).is_err());
    }
}
