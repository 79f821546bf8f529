//! Tests of attempts, with random sequences of events against the rules that must always hold.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::id::VaultId;
use crate::seal::{Initialised, initialise};
use crate::sharing::Threshold;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);
const SPAN: Span = Span(600);

fn vault(seed: u64) -> Initialised {
    let threshold = Threshold::new(3, 5).unwrap();
    initialise(threshold, VaultId([7; 16]), NOW, &mut StdRng::seed_from_u64(seed)).unwrap()
}

fn copy(share: &Share) -> Share {
    Share::from_bytes(share.to_bytes().expose()).unwrap()
}

fn id(number: u32) -> AttemptId {
    AttemptId(u128::from(number).to_be_bytes())
}

fn stranger(host: u8) -> Party {
    Party { network: Network::of(IpAddr::from([192, 0, 2, host])), privileged: false }
}

fn operator() -> Party {
    Party { privileged: true, ..stranger(0) }
}

/// Begins as many attempts as asked and names the last.
fn begin(attempts: &mut Attempts<u32>, number: u32, by: Party) -> AttemptId {
    attempts.begin(id(number), number, by, NOW).unwrap();
    id(number)
}

/// Gives a share and tells whether that completed the quorum.
fn give(attempts: &mut Attempts<u32>, to: AttemptId, share: &Share, made: &Initialised) -> Result<bool, OfferError> {
    let config = made.unsealed.config();
    let offered = attempts.check(to, copy(share), &config, NOW)?;
    Ok(matches!(attempts.take(offered, &config).unwrap(), Taken::Enough(_)))
}

#[test]
fn shares_of_several_attempts_do_not_mix() {
    let made = vault(1);
    let mut attempts = Attempts::new(SPAN);
    let (one, two) = (begin(&mut attempts, 1, stranger(1)), begin(&mut attempts, 2, stranger(2)));
    for share in [0, 1] {
        assert_eq!(give(&mut attempts, one, &made.shares[share], &made), Ok(false));
        assert_eq!(give(&mut attempts, two, &made.shares[share], &made), Ok(false));
    }
    assert_eq!(give(&mut attempts, two, &made.shares[4], &made), Ok(true));
    assert!(attempts.shown(Some(two)).is_none(), "a quorum is used once");
    assert_eq!(attempts.shown(Some(one)).unwrap().shares.len(), 2);
}

#[test]
fn what_is_not_a_new_genuine_share_does_not_count() {
    let (made, impostor) = (vault(1), vault(2));
    let mut attempts = Attempts::new(SPAN);
    let one = begin(&mut attempts, 1, stranger(1));
    assert_eq!(give(&mut attempts, id(9), &made.shares[0], &made), Err(OfferError::NoSuchAttempt));
    let index = made.shares[0].index();
    let not_genuine = ShareError::NotOfThisSet { index };
    assert_eq!(give(&mut attempts, one, &impostor.shares[0], &made), Err(not_genuine.clone().into()));
    assert_eq!(give(&mut attempts, one, &made.shares[0], &made), Ok(false));
    assert_eq!(give(&mut attempts, one, &made.shares[0], &made), Err(ShareError::IndexAlreadyGiven { index }.into()));
    assert_eq!(give(&mut attempts, one, &impostor.shares[0], &made), Err(not_genuine.into()), "guessing tells nothing");
    assert_eq!(attempts.shown(Some(one)).unwrap().shares.len(), 1);
    let late = attempts.check(one, copy(&made.shares[1]), &made.unsealed.config(), NOW.after(SPAN));
    assert_eq!(late.err(), Some(OfferError::NoSuchAttempt));
}

#[test]
fn a_flood_displaces_only_itself() {
    let made = vault(1);
    let mut attempts = Attempts::new(SPAN);
    let privileged = begin(&mut attempts, 1, operator());
    let with_share = begin(&mut attempts, 2, stranger(1));
    give(&mut attempts, with_share, &made.shares[0], &made).unwrap();
    for number in 0..1_000_u32 {
        begin(&mut attempts, 10 + number, stranger(u8::try_from(number % 200).unwrap()));
    }
    assert_eq!(attempts.running.len(), ATTEMPTS_MAX);
    assert_eq!(attempts.shown(Some(privileged)).unwrap().shares.len(), 0);
    assert_eq!(attempts.shown(Some(with_share)).unwrap().shares.len(), 1);
    assert_eq!(attempts.shown(None).unwrap().id, privileged);
    let same_house = Party { privileged: false, ..operator() };
    for number in 0..10 {
        begin(&mut attempts, 5_000 + number, same_house);
    }
    assert!(attempts.shown(Some(privileged)).is_some(), "a stranger from the operator's address takes nothing away");
}

#[test]
fn one_share_does_not_fill_the_list() {
    let made = vault(1);
    let mut attempts = Attempts::new(SPAN);
    let joined = begin(&mut attempts, 1, stranger(1));
    give(&mut attempts, joined, &made.shares[0], &made).unwrap();
    give(&mut attempts, joined, &made.shares[1], &made).unwrap();
    for number in 0..100 {
        let next = begin(&mut attempts, 10 + number, stranger(2));
        give(&mut attempts, next, &made.shares[0], &made).unwrap();
    }
    assert_eq!(attempts.running.len(), 1 + SAME_SOLE_SHARE_MAX);
    assert_eq!(attempts.shown(Some(joined)).unwrap().shares.len(), 2);
}

#[test]
fn a_full_list_of_others_shares_makes_no_room() {
    let made = vault(1);
    let mut attempts = Attempts::new(SPAN);
    for number in 0..ATTEMPTS_MAX {
        begin(&mut attempts, u32::try_from(number).unwrap(), operator());
    }
    assert_eq!(attempts.begin(id(99), 99, stranger(1), NOW), Err(Full));
    assert_eq!(attempts.begin(id(99), 99, operator(), NOW), Err(Full));
    assert!(attempts.cancel(id(5), operator()));
    let next = begin(&mut attempts, 99, stranger(1));
    assert_eq!(give(&mut attempts, next, &made.shares[0], &made), Ok(false));
}

#[test]
fn strangers_cancel_only_what_strangers_of_their_network_left_empty() {
    let made = vault(1);
    let mut attempts = Attempts::new(SPAN);
    let (own, other, with_share) = (
        begin(&mut attempts, 1, stranger(1)),
        begin(&mut attempts, 2, stranger(2)),
        begin(&mut attempts, 3, stranger(1)),
    );
    let privileged = begin(&mut attempts, 4, operator());
    give(&mut attempts, with_share, &made.shares[0], &made).unwrap();
    assert!(!attempts.cancel(other, stranger(1)));
    assert!(!attempts.cancel(with_share, stranger(1)));
    assert!(!attempts.cancel(privileged, stranger(0)));
    assert!(!attempts.cancel(id(77), stranger(1)));
    assert!(attempts.cancel(own, stranger(1)));
    assert!([other, with_share, privileged].into_iter().all(|id| attempts.cancel(id, operator())));
    assert!(attempts.running.is_empty());
}

/// One thing that can happen.
#[derive(Clone, Debug)]
enum Event {
    Begin { host: u8, privileged: bool },
    Give { to: prop::sample::Index, share: usize, genuine: bool },
    Cancel { which: prop::sample::Index, host: u8, privileged: bool },
    Wait { seconds: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (0_u8..20, prop::bool::weighted(0.1)).prop_map(|(host, privileged)| Event::Begin { host, privileged }),
        4 => (any::<prop::sample::Index>(), 0_usize..5, prop::bool::weighted(0.8))
            .prop_map(|(to, share, genuine)| Event::Give { to, share, genuine }),
        1 => (any::<prop::sample::Index>(), 0_u8..20, prop::bool::weighted(0.2))
            .prop_map(|(which, host, privileged)| Event::Cancel { which, host, privileged }),
        1 => (0_u64..300).prop_map(|seconds| Event::Wait { seconds }),
    ]
}

/// What is known of an attempt from outside.
#[derive(Clone, Debug)]
struct Known {
    by: Party,
    shares: Vec<ShareIndex>,
    began_at: Timestamp,
}

fn known(attempts: &Attempts<u32>, began: &BTreeMap<AttemptId, Timestamp>) -> BTreeMap<AttemptId, Known> {
    let describe = |attempt: &Attempt<u32>| {
        let shares = attempt.shares.iter().map(VerifiedShare::index).collect();
        (attempt.id, Known { by: attempt.by, shares, began_at: began[&attempt.id] })
    };
    attempts.running.iter().map(describe).collect()
}

fn check_bounds(now: &BTreeMap<AttemptId, Known>, time: Timestamp) {
    assert!(now.len() <= ATTEMPTS_MAX);
    for known in now.values() {
        assert!(time < known.began_at.after(SPAN), "an attempt outlived its span");
        assert!(known.shares.len() < 3, "a quorum stands around");
        let mut indices = known.shares.clone();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), known.shares.len(), "a share counted twice");
        let empty = |other: &&Known| other.shares.is_empty() && !other.by.privileged;
        let crowd = now.values().filter(empty).filter(|other| other.by.network == known.by.network).count();
        assert!(crowd <= SHARELESS_PER_NETWORK_MAX);
        if let [sole] = known.shares.as_slice() {
            let alike = now.values().filter(|other| !other.by.privileged && other.shares == [*sole]).count();
            assert!(alike <= SAME_SOLE_SHARE_MAX);
        }
    }
}

fn check_step(event: &Event, before: &BTreeMap<AttemptId, Known>, now: &BTreeMap<AttemptId, Known>, quorum: bool) {
    let gone: Vec<_> = before.iter().filter(|(id, _)| !now.contains_key(id)).map(|(_, known)| known).collect();
    match event {
        Event::Begin { .. } => {
            assert!(gone.len() <= 1);
            assert!(gone.iter().all(|known| known.shares.is_empty() && !known.by.privileged), "{gone:?}");
        }
        Event::Give { .. } if quorum => assert!(gone.len() == 1 && gone[0].shares.len() == 2),
        Event::Give { share, .. } => {
            let index = ShareIndex::new(u8::try_from(*share).unwrap() + 1).unwrap();
            assert!(gone.len() <= 1 && gone.iter().all(|known| known.shares == [index] && !known.by.privileged));
        }
        Event::Cancel { privileged: true, .. } => assert!(gone.len() <= 1),
        Event::Cancel { host, .. } => {
            let network = stranger(*host).network;
            let own = |known: &&Known| known.shares.is_empty() && !known.by.privileged && known.by.network == network;
            assert!(gone.len() <= 1 && gone.iter().all(own), "{gone:?}");
        }
        Event::Wait { .. } => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_the_rules_hold(events in proptest::collection::vec(event(), 1..120)) {
        let (made, impostor) = (vault(1), vault(2));
        let config = made.unsealed.config();
        let mut attempts = Attempts::new(SPAN);
        let (mut time, mut began, mut number) = (NOW, BTreeMap::new(), 0_u32);
        for event in events {
            let before = known(&attempts, &began);
            let names: Vec<AttemptId> = before.keys().copied().collect();
            let mut quorum = false;
            match &event {
                Event::Begin { host, privileged } => {
                    number += 1;
                    began.insert(id(number), time);
                    let by = Party { privileged: *privileged, ..stranger(*host) };
                    let begun = attempts.begin(id(number), number, by, time);
                    prop_assert_eq!(begun.is_ok(), attempts.shown(Some(id(number))).is_some());
                }
                Event::Give { to, share, genuine } if !names.is_empty() => {
                    let set = if *genuine { &made } else { &impostor };
                    let to = *to.get(&names);
                    let checked = attempts.check(to, copy(&set.shares[*share]), &config, time);
                    let index = set.shares[*share].index();
                    let is_new = !before[&to].shares.contains(&index);
                    prop_assert_eq!(checked.is_ok(), *genuine && is_new, "holders of shares are never locked out");
                    if let Ok(offered) = checked {
                        let taken = attempts.take(offered, &config).unwrap();
                        quorum = matches!(taken, Taken::Enough(_));
                        prop_assert_eq!(quorum, before[&to].shares.len() == 2);
                    }
                }
                Event::Cancel { which, host, privileged } if !names.is_empty() => {
                    let by = Party { privileged: *privileged, ..stranger(*host) };
                    attempts.cancel(*which.get(&names), by);
                }
                Event::Give { .. } | Event::Cancel { .. } => {}
                Event::Wait { seconds } => {
                    time = time.after(Span(*seconds));
                    attempts.expire(time);
                }
            }
            let now = known(&attempts, &began);
            check_bounds(&now, time);
            check_step(&event, &before, &now, quorum);
        }
    }
}
