//! Custody by a charter: shares sealed to people, proofs that they hold them, and new shares in two phases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use data_encoding::{BASE64, HEXLOWER};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use vault_core::charter::{Charter, Digest, PAYLOAD_TYPE};
use vault_core::envelope::{Envelope, Signature};
use vault_core::secret::SecretBytes;
use vault_core::sharing::{PossessionNonce, Share};
use vault_custody::age_seal::{self, Keys};
use vault_custody::card::PersonName;
use vault_custody::identity::Identity;
use vault_custody::signing::{IdentitySigner, Signer};
use vault_server::storage::faults::{Faults, FaultyStorage};
use vault_server::storage::memory::MemoryStorage;

use crate::support::TestVault;

pub(crate) const RULES: &str = r#"
[team]
security = ["alice", "bob", "carol"]
operations = ["dan", "erin"]
[quorum]
unseal = "2 of security and 1 of operations"
change = "1 of security and 1 of operations"
charter = "2 of security and 1 of operations"
"#;

pub(crate) struct People(BTreeMap<&'static str, Identity>);

impl People {
    pub(crate) fn new() -> Self {
        let names = ["alice", "bob", "carol", "dan", "erin", "frank"];
        let mut rng = StdRng::seed_from_u64(11);
        Self(names.map(|name| (name, Identity::random(PersonName::parse(name).unwrap(), &mut rng))).into())
    }

    pub(crate) fn fingerprint(&self, name: &str) -> String {
        self.0[name].card().signing_key.fingerprint()
    }

    pub(crate) fn sign(&self, envelope: &mut Envelope, name: &str) {
        let signer = IdentitySigner::new(&self.0[name]);
        let bytes = signer.sign(&envelope.signed_bytes()).unwrap().as_bytes().to_vec();
        envelope.add(Signature { key_id: signer.key().fingerprint(), bytes });
    }

    /// Writes a charter of people, signed by some.
    pub(crate) fn charter(&self, before: Option<&Charter>, people: &[&str], rules: &str, signers: &[&str]) -> Envelope {
        let head = match before {
            None => "format = 1\nepoch = 1\n".to_owned(),
            Some(before) => format!("format = 1\nepoch = {}\nprevious = \"{}\"\n", before.epoch() + 1, before.digest()),
        };
        let cards: String = people.iter().map(|name| self.0[name].card().to_toml()).collect();
        let mut envelope = Envelope::new(PAYLOAD_TYPE, (head + &cards + rules).as_bytes());
        signers.iter().for_each(|name| self.sign(&mut envelope, name));
        envelope
    }

    pub(crate) fn first(&self) -> Envelope {
        self.charter(None, &["alice", "bob", "carol", "dan", "erin"], RULES, &["alice", "bob", "dan"])
    }

    pub(crate) fn open(&self, name: &str, sealed: &Value) -> Share {
        let sealed = BASE64.decode(sealed["age"].as_str().unwrap().as_bytes()).unwrap();
        let plain: SecretBytes = age_seal::open(&Keys::of_identity(&self.0[name]), &sealed).unwrap();
        Share::parse(std::str::from_utf8(plain.expose()).unwrap()).unwrap()
    }
}

pub(crate) fn charter_of(envelope: &Envelope) -> Charter {
    Charter::parse(envelope.payload()).unwrap()
}

pub(crate) fn handout(envelope: &Envelope) -> Value {
    json!({"charter": envelope.to_json()})
}

/// A vault made by the first charter, and its people.
pub(crate) async fn made() -> (TestVault, People) {
    let (vault, people) = (TestVault::blank().await, People::new());
    vault.expect_as("", 200, "POST", "sys/custody/init", Some(handout(&people.first()))).await;
    (vault, people)
}

/// Fetches what a person may know.
pub(crate) async fn known(vault: &TestVault, people: &People, name: &str) -> Value {
    let fingerprint = people.fingerprint(name).replace('+', "%2B").replace('/', "%2F");
    vault.expect_as("", 200, "GET", &format!("sys/custody?person={fingerprint}"), None).await["known"].take()
}

async fn share(vault: &TestVault, people: &People, name: &str) -> Share {
    people.open(name, &known(vault, people, name).await["sealed_shares"][0])
}

/// Shows that a custodian holds their share.
pub(crate) async fn check_up(vault: &TestVault, people: &People, name: &str) {
    let mine = share(vault, people, name).await;
    let sent = proof(&question(vault).await, &mine, None);
    vault.expect_as("", 200, "POST", "sys/custody/check", Some(sent)).await;
}

async fn give(vault: &TestVault, people: &People, name: &str) -> Value {
    let share = share(vault, people, name).await;
    vault.expect_as("", 200, "PUT", "sys/unseal", Some(json!({"key": share.to_text().expose()}))).await
}

pub(crate) async fn unseal(vault: &TestVault, people: &People, names: &[&str]) {
    for name in names {
        give(vault, people, name).await;
    }
    assert_eq!(vault.expect_as("", 200, "GET", "sys/seal-status", None).await["sealed"], json!(false));
}

pub(crate) async fn question(vault: &TestVault) -> PossessionNonce {
    let asked = vault.expect_as("", 200, "GET", "sys/custody/question", None).await;
    PossessionNonce(HEXLOWER.decode(asked["nonce"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap())
}

/// Proves to hold a share; a pending one is acknowledged by the digest of its charter.
pub(crate) fn proof(nonce: &PossessionNonce, share: &Share, charter: Option<&Digest>) -> Value {
    let bound = charter.map_or(*nonce, |digest| nonce.bound_to(digest));
    let proof = share.prove_possession(&bound, &mut StdRng::seed_from_u64(5)).to_bytes();
    json!({"nonce": HEXLOWER.encode(&nonce.0), "share": share.index().get(), "proof": HEXLOWER.encode(&proof)})
}

pub(crate) fn error(answer: &Value) -> &str {
    answer["errors"][0].as_str().unwrap()
}

#[tokio::test]
async fn nobody_sees_a_plain_share_or_a_token_and_both_teams_open() {
    let (vault, people) = (TestVault::blank().await, People::new());
    let made = vault.expect_as("", 200, "POST", "sys/custody/init", Some(handout(&people.first()))).await;
    let text = made.to_string();
    assert!(!text.contains("keyturn-share") && !text.contains("token"), "{text}");
    assert_eq!(made["sealed_shares"].as_array().unwrap().len(), 5);
    assert!(made["record"].as_str().unwrap().contains("ceremony"));
    vault.expect_as("", 400, "POST", "sys/custody/init", Some(handout(&people.first()))).await;
    for (name, progress) in [("alice", 1), ("carol", 2), ("bob", 2)] {
        let status = give(&vault, &people, name).await;
        assert_eq!((&status["sealed"], &status["progress"]), (&json!(true), &json!(progress)), "{name}");
    }
    let seen = known(&vault, &people, "erin").await;
    assert_eq!(seen["still_needed"], json!("1 more of operations"));
    assert_eq!(seen["custodians"][2]["given"], json!(true));
    assert_eq!(give(&vault, &people, "erin").await["sealed"], json!(false));
    let log = vault.audit();
    let taken: Vec<_> = log.iter().filter(|line| line["event"] == json!("share-taken")).collect();
    assert_eq!(
        taken.iter().map(|line| line["custodian"].as_str().unwrap()).collect::<Vec<_>>(),
        ["alice", "carol", "bob", "erin"]
    );
    assert!(taken.iter().all(|line| line["remote"].is_string() || line["remote"].is_object()), "{taken:?}");
}

#[tokio::test]
async fn a_stranger_sees_numbers_only() {
    let (vault, people) = made().await;
    for path in ["sys/custody", "sys/custody?person=SHA256:nobody", "sys/custody?person="] {
        let seen = vault.expect_as("", 200, "GET", path, None).await;
        assert!(seen.get("known").is_none(), "{path}");
        let text = seen.to_string();
        for name in ["alice", "bob", "carol", "dan", "erin", "security"] {
            assert!(!text.contains(name), "{path}: {text}");
        }
    }
    vault.expect_as("", 403, "GET", "sys/custody/charter", None).await;
    vault.expect_as("", 403, "GET", "sys/custody/charter?person=SHA256:nobody", None).await;
    let frank = people.fingerprint("frank").replace('+', "%2B").replace('/', "%2F");
    vault.expect_as("", 403, "GET", &format!("sys/custody/charter?person={frank}"), None).await;
    let plain = TestVault::ready().await;
    plain.expect_as("", 403, "GET", &format!("sys/custody/charter?person={frank}"), None).await;
    assert_eq!(plain.expect_as("", 200, "GET", "sys/custody", None).await["shares_in_clear"], json!(true));
}

#[tokio::test]
async fn a_charter_that_too_few_signed_makes_nothing() {
    let (vault, people) = (TestVault::blank().await, People::new());
    let five = ["alice", "bob", "carol", "dan", "erin"];
    for signers in [&[][..], &["alice", "bob"], &["dan", "erin"]] {
        let charter = people.charter(None, &five, RULES, signers);
        let refused = vault.expect_as("", 400, "POST", "sys/custody/init", Some(handout(&charter))).await;
        assert!(error(&refused).contains("signatures are missing"), "{refused}");
    }
    for bad in [json!({}), json!({"charter": ""}), json!({"charter": "{}"}), json!({"charter": 1})] {
        vault.expect_as("", 400, "POST", "sys/custody/init", Some(bad)).await;
    }
    assert_eq!(vault.expect_as("", 200, "GET", "sys/init", None).await["initialized"], json!(false));
}

#[tokio::test]
async fn shares_that_are_not_kept_come_out_once() {
    let (vault, people) = (TestVault::blank().await, People::new());
    let ask = json!({"charter": people.first().to_json(), "keep": false});
    let made = vault.expect_as("", 200, "POST", "sys/custody/init", Some(ask)).await;
    assert_eq!(known(&vault, &people, "alice").await["sealed_shares"], json!([]));
    for (position, name) in [(0, "alice"), (1, "bob"), (3, "dan")] {
        let share = people.open(name, &made["sealed_shares"][position]);
        vault.expect_as("", 200, "PUT", "sys/unseal", Some(json!({"key": share.to_hex().expose()}))).await;
    }
    assert_eq!(vault.expect_as("", 200, "GET", "sys/seal-status", None).await["sealed"], json!(false));
}

#[tokio::test]
async fn a_custodian_checks_in_sealed_or_not_and_once_for_each_question() {
    let (vault, people) = made().await;
    assert_eq!(known(&vault, &people, "bob").await["custodians"][1]["checked_at"], Value::Null);
    let bob = share(&vault, &people, "bob").await;
    let nonce = question(&vault).await;
    let sent = proof(&nonce, &bob, None);
    let secret = HEXLOWER.encode(&bob.to_bytes().expose()[14..78]);
    assert!(!(8..secret.len()).any(|end| sent.to_string().contains(&secret[end - 8..end])), "a part of the share");
    let seen = vault.expect_as("", 200, "POST", "sys/custody/check", Some(sent.clone())).await;
    assert_eq!(known(&vault, &people, "dan").await["custodians"][1]["checked_at"], seen["checked_at"]);
    let replayed = vault.expect_as("", 400, "POST", "sys/custody/check", Some(sent)).await;
    assert!(error(&replayed).contains("answered before"), "{replayed}");

    unseal(&vault, &people, &["alice", "bob", "erin"]).await;
    vault.clock.advance_seconds(60);
    let nonce = question(&vault).await;
    let later = vault.expect_as("", 200, "POST", "sys/custody/check", Some(proof(&nonce, &bob, None))).await;
    assert_ne!(later["checked_at"], seen["checked_at"]);

    let nonce = question(&vault).await;
    let mut forged = proof(&nonce, &bob, None);
    forged["share"] = json!(1);
    let refused = vault.expect_as("", 400, "POST", "sys/custody/check", Some(forged)).await;
    assert!(error(&refused).contains("does not hold"), "{refused}");
    assert_eq!(known(&vault, &people, "dan").await["custodians"][0]["checked_at"], Value::Null);
    vault.clock.advance_seconds(301);
    let refused = vault.expect_as("", 400, "POST", "sys/custody/check", Some(proof(&nonce, &bob, None))).await;
    assert!(error(&refused).contains("too old"), "{refused}");
    let log = vault.audit();
    let event = |word: &str| log.iter().filter(|line| line["event"] == json!(word)).count();
    assert_eq!((event("checked-up"), event("check-up-refused")), (2, 1));
}

#[tokio::test]
async fn who_does_not_check_in_breaches_a_limit_that_status_and_metrics_show() {
    let (vault, people) = made().await;
    let limit = async || known(&vault, &people, "dan").await["checkup_limit"].take();
    assert_eq!(limit().await, json!("kept"));
    vault.clock.advance_seconds(91 * 86_400);
    assert_eq!(limit().await, json!("hard"));
    for name in ["alice", "bob", "carol", "dan", "erin"] {
        let mine = share(&vault, &people, name).await;
        let sent = proof(&question(&vault).await, &mine, None);
        vault.expect_as("", 200, "POST", "sys/custody/check", Some(sent)).await;
    }
    let seen = known(&vault, &people, "dan").await;
    assert_eq!(seen["checkup_limit"], json!("kept"));
    assert!(seen["custodians"].as_array().unwrap().iter().all(|one| one["overdue"] == json!(false)));
}

/// One leaves, one joins: the old shares work until the last new custodian has shown theirs, then the new ones do.
#[tokio::test]
async fn new_shares_come_into_force_when_every_custodian_holds_theirs() {
    let (storage, people) = (Arc::new(MemoryStorage::default()), People::new());
    let mut vault = TestVault::over(storage.clone()).await;
    vault.expect_as("", 200, "POST", "sys/custody/init", Some(handout(&people.first()))).await;
    unseal(&vault, &people, &["alice", "carol", "dan"]).await;
    let old_bob = share(&vault, &people, "bob").await;
    let first = charter_of(&people.first());
    let rules = RULES.replace("\"carol\"", "\"frank\"");
    let members = ["alice", "bob", "dan", "erin", "frank"];
    let next = people.charter(Some(&first), &members, &rules, &["alice", "bob", "erin"]);
    let digest = charter_of(&next).digest();
    vault
        .expect_as("", 400, "POST", "sys/custody/acknowledge", Some(proof(&question(&vault).await, &old_bob, None)))
        .await;
    let made = vault.expect_as("", 200, "POST", "sys/custody/rekey", Some(handout(&next))).await;
    assert_eq!((&made["epoch"], &made["charter"]["epoch"]), (&json!(2), &json!(2)));
    let again = vault.expect_as("", 200, "POST", "sys/custody/rekey", Some(handout(&next))).await;
    assert_eq!(again["sealed_shares"], made["sealed_shares"], "the same charter hands out the same shares");
    let old = proof(&question(&vault).await, &old_bob, Some(&digest));
    vault.expect_as("", 400, "POST", "sys/custody/acknowledge", Some(old)).await;

    let holders = ["alice", "bob", "frank", "dan", "erin"];
    for (position, name) in holders.iter().enumerate() {
        // Another server over the same store, as after a crash: the old shares open, and the ceremony goes on.
        vault = TestVault::over(storage.clone()).await;
        assert_eq!(known(&vault, &people, "alice").await.get("pending"), None, "nobody can tell while it is sealed");
        unseal(&vault, &people, &["alice", "carol", "dan"]).await;
        let pending = known(&vault, &people, "alice").await["pending"].take();
        assert_eq!(pending["waiting_for"], json!(holders[position..]));
        assert_eq!(pending["charter"]["digest"], json!(digest.to_string()));
        let frank = known(&vault, &people, "frank").await;
        assert_eq!((&frank["person"], &frank["sealed_shares"]), (&json!("frank"), &json!([])));
        assert_eq!(frank["pending"]["sealed_shares"][0]["number"], json!(3));
        let sealed = &made["sealed_shares"][position];
        assert_eq!(sealed["person"], json!(name));
        let mine = people.open(name, sealed);
        let unbound = proof(&question(&vault).await, &mine, None);
        vault.expect_as("", 400, "POST", "sys/custody/acknowledge", Some(unbound)).await;
        let sent = proof(&question(&vault).await, &mine, Some(&digest));
        let answer = vault.expect_as("", 200, "POST", "sys/custody/acknowledge", Some(sent)).await;
        assert_eq!(answer["waiting_for"], json!(holders[position + 1..]));
        assert_eq!(answer["complete"], json!(position == 4));
    }
    let seen = vault.expect_as("", 200, "GET", "sys/custody", None).await;
    assert_eq!((&seen["epoch"], &seen["charter"]["digest"]), (&json!(2), &json!(digest.to_string())));
    let custodians = known(&vault, &people, "frank").await["custodians"].take();
    assert!(custodians.as_array().unwrap().iter().all(|custodian| custodian["checked_at"].is_string()));
    assert_eq!(known(&vault, &people, "carol").await, Value::Null, "she is no custodian any more");
    let fingerprint = people.fingerprint("frank").replace('+', "%2B").replace('/', "%2F");
    let chain = |epoch| format!("sys/custody/charter?person={fingerprint}&epoch={epoch}");
    for (epoch, envelope) in [(1, people.first()), (2, next)] {
        let text = vault.expect_as("", 200, "GET", &chain(epoch), None).await["charter"].take();
        assert_eq!(text, json!(envelope.to_json()));
    }
    vault.expect_as("", 400, "GET", &chain(3), None).await;

    let vault = TestVault::over(storage).await;
    let stale = json!({"key": old_bob.to_text().expose()});
    let refused = vault.expect_as("", 400, "PUT", "sys/unseal", Some(stale)).await;
    assert!(error(&refused).contains("epoch 1 ended on 20"), "{refused}");
    let log = vault.audit();
    assert!(log.iter().any(|line| line["event"] == json!("share-refused") && line["custodian"] == json!("bob")));
    unseal(&vault, &people, &["alice", "frank", "erin"]).await;
}

/// A store that fails, or does not answer, at each commit of a rekey: the vault opens with the old shares or the new
/// ones, and the ceremony can go on.
#[tokio::test]
async fn a_failing_store_leaves_one_set_or_the_other_in_force() {
    for (loses_answer, failing_step) in (0..6).flat_map(|step| [(false, step), (true, step)]) {
        let (plan, inner) = (Arc::new(Faults::default()), Arc::new(MemoryStorage::default()));
        let people = People::new();
        let vault = TestVault::over(Arc::new(FaultyStorage::new(inner.clone(), Arc::clone(&plan)))).await;
        vault.expect_as("", 200, "POST", "sys/custody/init", Some(handout(&people.first()))).await;
        unseal(&vault, &people, &["alice", "carol", "dan"]).await;
        let first = charter_of(&people.first());
        let five = ["alice", "bob", "carol", "dan", "erin"];
        let next = people.charter(Some(&first), &five, RULES, &["alice", "bob", "erin"]);
        let digest = charter_of(&next).digest();
        let mut old = Vec::new();
        for name in ["alice", "carol", "dan"] {
            old.push(share(&vault, &people, name).await);
        }
        let strike = |step: usize| {
            if step == failing_step && loses_answer {
                plan.answers_to_lose.store(1, Ordering::SeqCst);
            } else if step == failing_step {
                plan.commits_fail.store(true, Ordering::SeqCst);
            }
        };
        strike(0);
        let (status, made) = vault.call("POST", "sys/custody/rekey", "", Some(&handout(&next).to_string())).await;
        plan.commits_fail.store(false, Ordering::SeqCst);
        let made = if status == 200 {
            made
        } else {
            assert_eq!((status.as_u16(), failing_step), (503, 0), "{made}");
            vault.expect_as("", 200, "POST", "sys/custody/rekey", Some(handout(&next))).await
        };
        for (position, name) in five.iter().enumerate() {
            let mine = people.open(name, &made["sealed_shares"][position]);
            strike(position + 1);
            let sent = proof(&question(&vault).await, &mine, Some(&digest)).to_string();
            let (status, answer) = vault.call("POST", "sys/custody/acknowledge", "", Some(&sent)).await;
            plan.commits_fail.store(false, Ordering::SeqCst);
            if status == 200 {
                continue;
            }
            assert_eq!((status.as_u16(), failing_step), (503, position + 1), "{answer}");
            // Whoever was not told asks again; what was lost was the answer, or nothing was done.
            let sent = proof(&question(&vault).await, &mine, Some(&digest));
            vault.expect_as("", 200, "POST", "sys/custody/acknowledge", Some(sent)).await;
        }
        drop(vault);
        let vault = TestVault::over(inner).await;
        let stale = json!({"key": old[0].to_text().expose()});
        vault.expect_as("", 400, "PUT", "sys/unseal", Some(stale)).await;
        unseal(&vault, &people, &["alice", "carol", "dan"]).await;
        let seen = vault.expect_as("", 200, "GET", "sys/custody", None).await;
        assert_eq!((&seen["epoch"], &seen["charter"]["epoch"]), (&json!(2), &json!(2)));
    }
}

#[tokio::test]
async fn a_rekey_needs_the_quorum_of_the_charter_in_force() {
    let (vault, people) = made().await;
    let first = charter_of(&people.first());
    let five = ["alice", "bob", "carol", "dan", "erin"];
    let signed = |signers: &[&str]| handout(&people.charter(Some(&first), &five, RULES, signers));
    vault.expect_as("", 503, "POST", "sys/custody/rekey", Some(signed(&["alice", "bob", "dan"]))).await;
    unseal(&vault, &people, &["alice", "bob", "dan"]).await;
    for signers in [&["alice", "bob"][..], &["dan", "erin"], &[]] {
        let refused = vault.expect_as("", 400, "POST", "sys/custody/rekey", Some(signed(signers))).await;
        assert!(error(&refused).contains("signatures are missing"), "{refused}");
    }
    let refused = vault.expect_as("", 400, "POST", "sys/custody/rekey", Some(handout(&people.first()))).await;
    assert!(error(&refused).contains("of epoch 1"), "{refused}");
    // Ceremonies that would hand out shares in clear, or a root token, do not begin.
    for path in ["sys/rekey/init", "sys/generate-root/attempt"] {
        let ask = json!({"secret_shares": 3, "secret_threshold": 2});
        let refused = vault.expect_as("", 400, "PUT", path, Some(ask)).await;
        assert!(error(&refused).contains("charter"), "{refused}");
    }
    let plain = TestVault::ready().await;
    let refused = plain.expect_as("", 400, "POST", "sys/custody/rekey", Some(signed(&["alice", "bob", "dan"]))).await;
    assert!(error(&refused).contains("no charter"), "{refused}");
}
