//! Chains of charters that hold, and each way in which one does not.

use super::super::chain::{Chain, ChainProblem};
use super::super::testkit::{FIVE, RULES, first, signed, text};
use super::super::*;
use crate::envelope::{Envelope, EnvelopeError};

/// A second charter in which frank comes and bob goes.
fn second(old: &Charter) -> String {
    let rules = RULES.replace("bob", "frank");
    text(Some(old), &["alice", "frank", "carol", "dan", "erin"], &rules)
}

fn problem(envelopes: &[Envelope]) -> (u32, ChainProblem) {
    let error = Chain::verify(envelopes).unwrap_err();
    (error.epoch, error.problem)
}

fn shown(envelopes: &[Envelope]) -> String {
    Chain::verify(envelopes).unwrap_err().to_string()
}

fn one() -> Envelope {
    signed(first().text(), &["alice", "bob", "dan"])
}

#[test]
fn a_chain_holds_and_tells_who_signed() {
    let two_text = second(&first());
    let two = Charter::parse(two_text.as_bytes()).unwrap();
    let three_text = text(Some(&two), &FIVE, RULES);
    // Frank has a say from the third on.
    let envelopes =
        [one(), signed(&two_text, &["bob", "carol", "erin"]), signed(&three_text, &["frank", "alice", "dan"])];
    let chain = Chain::verify(&envelopes).unwrap();
    assert_eq!(chain.last().unwrap().epoch(), 3);
    let signers: Vec<_> = chain.links().iter().map(|link| link.signers.join(" ")).collect();
    assert_eq!(signers, ["alice bob dan", "bob carol erin", "alice frank dan"]);
}

#[test]
fn the_people_of_the_old_charter_sign_the_new_one() {
    let two = second(&first());
    assert_eq!(
        shown(&[one(), signed(&two, &["alice", "dan"])]),
        "epoch 2: signatures are missing: 1 more of security (quorum `charter` of epoch 1: 2 of security and 1 of operations)"
    );
    assert!(shown(&[one(), signed(&two, &["alice"])]).contains("1 more of security and 1 more of operations"));
    let (epoch, newcomer) = problem(&[one(), signed(&two, &["alice", "frank", "dan"])]);
    assert!(matches!(newcomer, ChainProblem::Envelope(EnvelopeError::UnknownKey { epoch: 1, .. })), "{newcomer}");
    assert_eq!(epoch, 2);
}

#[test]
fn the_first_is_signed_by_itself() {
    for signers in [&[][..], &["alice"], &["alice", "bob"], &["dan", "erin"]] {
        let (epoch, missing) = problem(&[signed(first().text(), signers)]);
        assert!(matches!(missing, ChainProblem::Missing { .. }), "{missing}");
        assert_eq!(epoch, 1);
    }
    assert!(Chain::verify(&[one()]).is_ok());
    assert_eq!(problem(&[]), (1, ChainProblem::Empty));
}

#[test]
fn epochs_follow_each_other_by_digest() {
    let first = first();
    let two = signed(&second(&first), &["alice", "bob", "dan"]);
    assert_eq!(
        problem(std::slice::from_ref(&two)),
        (1, ChainProblem::Epoch { found: 2 }),
        "a chain begins at the first"
    );
    assert_eq!(problem(&[one(), one()]), (2, ChainProblem::Epoch { found: 1 }));
    assert_eq!(problem(&[one(), two.clone(), two]), (3, ChainProblem::Epoch { found: 2 }));

    let other = Charter::parse(text(None, &FIVE, &format!("{RULES}\n# another")).as_bytes()).unwrap();
    let stray = signed(&second(&other), &["alice", "bob", "dan"]);
    let (found, expected) = (other.digest(), first.digest());
    assert_eq!(problem(&[one(), stray]), (2, ChainProblem::Previous { found, expected }));
}

#[test]
fn what_is_no_charter_breaks_the_chain() {
    let (_, bad) = problem(&[signed("format = 2", &["alice", "bob", "dan"])]);
    assert!(matches!(bad, ChainProblem::Charter(CharterError { problem: Problem::Format { .. }, .. })), "{bad}");
    let other = Envelope::new("text/plain", first().text().as_bytes());
    assert!(matches!(problem(&[other]).1, ChainProblem::Envelope(EnvelopeError::Type { .. })));
    let twice = signed(first().text(), &["alice", "alice", "dan"]);
    assert!(matches!(problem(&[twice]).1, ChainProblem::Envelope(EnvelopeError::Duplicate { .. })));
}

#[test]
fn a_chain_that_refuses_is_as_before() {
    let mut chain = Chain::verify(&[one()]).unwrap();
    assert!(chain.extend(&one()).is_err());
    assert_eq!(chain.links().len(), 1);
    assert!(chain.extend(&signed(&second(&first()), &["alice", "bob", "dan"])).is_ok());
    assert_eq!(chain.links().len(), 2);
}
