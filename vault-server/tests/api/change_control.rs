//! A vault in service: what gives power waits until stewards have signed it, whoever asks.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use vault_core::approval::{APPROVAL_PAYLOAD_TYPE, DENIAL_PAYLOAD_TYPE};
use vault_core::audit::explain::{Explainer, Signed, What};
use vault_core::envelope::Envelope;

use crate::custody::{People, RULES, charter_of, error, handout, proof, question};
use crate::stewards::{in_service, write};
use crate::support::TestVault;

pub(crate) struct Service {
    pub(crate) vault: TestVault,
    pub(crate) people: People,
}

pub(crate) const EVERYBODY: [&str; 5] = ["alice", "bob", "carol", "dan", "erin"];

const POLICY: &str = "path \"sys/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }\n\
    path \"identity/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\"] }\n\
    path \"auth/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"sudo\"] }";

impl Service {
    /// Everybody of the charter has a login, and their entities say who they are.
    pub(crate) async fn new() -> Self {
        let (vault, people) = in_service().await;
        write(&vault, &people, 1, "sys/policies/acl/staff", json!({ "policy": POLICY })).await;
        write(&vault, &people, 2, "sys/auth/userpass", json!({"type": "userpass"})).await;
        let service = Self { vault, people };
        for (nonce, name) in (10..).zip(EVERYBODY.into_iter().chain(["eve"])) {
            let user = json!({"password": name, "token_policies": "staff"});
            write(&service.vault, &service.people, nonce, &format!("auth/userpass/users/{name}"), user).await;
        }
        for (nonce, name) in (20..).zip(EVERYBODY) {
            let token = service.login(name).await;
            let seen = service.vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await;
            let path = format!("identity/entity/id/{}", seen["data"]["entity_id"].as_str().unwrap());
            write(&service.vault, &service.people, nonce, &path, json!({"metadata": {"person": name}})).await;
        }
        service
    }

    pub(crate) async fn login(&self, name: &str) -> String {
        let body = Some(json!({ "password": name }));
        let answer = self.vault.expect_as("", 200, "POST", &format!("auth/userpass/login/{name}"), body).await;
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(&self, token: &str, method: &str, path: &str, reason: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("/v1/{path}"))
            .header("x-vault-token", token)
            .header("x-keyturn-reason", reason);
        let (status, answer) = self.vault.send(request.body(Body::from(body.to_string())).unwrap()).await;
        (status.as_u16(), answer)
    }

    pub(crate) async fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> String {
        let (status, held) = self.send(token, method, path, "a new application", &body).await;
        assert_eq!(status, 200, "{held}");
        held["wrap_info"]["accessor"].as_str().unwrap_or_else(|| panic!("{held}")).to_owned()
    }

    pub(crate) async fn seen(&self, token: &str, id: &str) -> Value {
        self.vault.expect_as(token, 200, "GET", &format!("sys/requests/{id}"), None).await["data"].clone()
    }

    pub(crate) fn signed(&self, payload_type: &'static str, statement: &str, names: &[&str]) -> Value {
        let mut envelope = Envelope::new(payload_type, statement.as_bytes());
        names.iter().for_each(|name| self.people.sign(&mut envelope, name));
        json!({"envelope": serde_json::from_str::<Value>(&envelope.to_json()).unwrap()})
    }

    /// What the log alone tells of a request.
    fn explained(&self, id: &str) -> Vec<What> {
        self.explained_with(id, |line| line)
    }

    fn explained_with(&self, id: &str, altered: impl Fn(String) -> String) -> Vec<What> {
        let mut explainer = Explainer::new(id);
        let text = std::fs::read_to_string(&self.vault.audit_path).unwrap();
        let lines: Vec<String> = text.lines().map(|line| altered(line.to_owned())).collect();
        lines.iter().for_each(|line| explainer.first(line));
        lines.iter().for_each(|line| explainer.second(line));
        explainer.events().iter().map(|event| event.what.clone()).collect()
    }

    /// What is doubted about the releases of a request in an altered log.
    fn doubts(&self, id: &str, altered: &dyn Fn(&str) -> Vec<String>) -> Vec<String> {
        let mut explainer = Explainer::new(id);
        let text = std::fs::read_to_string(&self.vault.audit_path).unwrap();
        let lines: Vec<String> = text.lines().flat_map(altered).collect();
        lines.iter().for_each(|line| explainer.first(line));
        lines.iter().for_each(|line| explainer.second(line));
        let released = explainer.events().iter().filter_map(|event| match &event.what {
            What::Released { doubts, .. } => Some(doubts.clone()),
            _ => None,
        });
        released.flatten().collect()
    }

    pub(crate) async fn approve(&self, name: &str, id: &str) -> Value {
        let token = self.login(name).await;
        let statement = self.seen(&token, id).await["statement"].as_str().unwrap().to_owned();
        let body = self.signed(APPROVAL_PAYLOAD_TYPE, &statement, &[name]);
        self.vault.expect_as(&token, 200, "POST", &format!("sys/requests/{id}/approve"), Some(body)).await
    }
}

fn rule(text: &str) -> Value {
    json!({ "policy": text })
}

const APP: &str = "path \"kv/app\" { capabilities = [\"read\"] }";

#[tokio::test]
async fn a_change_of_policy_waits_for_stewards_and_then_takes_effect() {
    let service = Service::new().await;
    let (alice, bob) = (service.login("alice").await, service.login("bob").await);
    let (status, why) = service.send(&alice, "PUT", "sys/policies/acl/app", " ", &rule(APP)).await;
    assert!(status == 400 && error(&why).contains("Reason"), "{why}");
    let bad = service.send(&alice, "PUT", "sys/policies/acl/app", "x", &rule("path {")).await;
    assert!(
        bad.0 == 400 && error(&bad.1).contains("parse policy"),
        "what would be refused anyway is not asked: {bad:?}"
    );

    let id = service.ask(&alice, "PUT", "sys/policies/acl/app", rule(APP)).await;
    let seen = service.seen(&bob, &id).await;
    assert_eq!(seen["shown"]["fields"], json!([{"name": "policy", "change": "new", "after": APP}]));
    assert_eq!(seen["standing"]["rules"][0]["factors"][0]["needed"], json!("1 of security and 1 of operations"));
    let statement: Value = serde_json::from_str(seen["statement"].as_str().unwrap()).unwrap();
    assert_eq!((&statement["requester"]["person"], &statement["charter"]["epoch"]), (&json!("alice"), &json!(1)));
    assert_eq!(
        (&statement["reason"], &statement["path"]),
        (&json!("a new application"), &json!("sys/policies/acl/app"))
    );
    // Everything that is shown can be checked against what is signed.
    let salt: [u8; 32] =
        data_encoding::HEXLOWER.decode(seen["salt"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
    let stated = vault_core::approval::Statement::parse(seen["statement"].as_str().unwrap().as_bytes()).unwrap();
    assert!(vault_core::approval::is_body(&stated, &salt, seen["shown"]["body"].as_str().unwrap().as_bytes()));

    assert_eq!(service.approve("bob", &id).await["data"]["approved"], json!(false));
    assert_eq!(service.approve("carol", &id).await["data"]["approved"], json!(false), "security alone is not enough");
    service.vault.expect_as(&alice, 404, "GET", "sys/policies/acl/app", None).await;
    assert_eq!(service.approve("dan", &id).await["data"]["approved"], json!(true));
    let read = service.vault.expect_as(&alice, 200, "GET", "sys/policies/acl/app", None).await;
    assert_eq!(read["data"]["policy"], json!(APP));
    assert_eq!(service.seen(&alice, &id).await["state"], json!("released"));

    let told = service.explained(&id);
    assert!(matches!(told[0], What::Asked { .. }) && matches!(told[4], What::Released { .. }), "{told:#?}");
    let What::Released { votes, is_what_was_asked, operation, path, .. } = &told[4] else { unreachable!() };
    assert!(*is_what_was_asked);
    assert_eq!((operation.as_str(), path.as_str(), votes.len()), ("write", "sys/policies/acl/app", 3));
    let by = |name: &str| Signed::ByPerson {
        person: name.to_owned(),
        fingerprint: service.people.fingerprint(name),
        epoch: 1,
    };
    for (vote, name) in votes.iter().zip(["bob", "carol", "dan"]) {
        assert_eq!(vote.signature, by(name));
    }
    assert_eq!(told[3], What::Approved { signature: by("dan") });

    // What the log holds of it can be checked without the vault.
    let log = service.vault.audit();
    let release = log.iter().find(|line| line["grant"]["request"] == json!(id)).unwrap();
    assert_eq!((&release["path"], &release["who"]["entity_name"].is_string()), (&json!("sys/policies/acl/app"), &true));
    for vote in release["grant"]["votes"].as_array().unwrap() {
        let envelope = Envelope::parse(vote["envelope"].as_str().unwrap().as_bytes()).unwrap();
        let key = vault_core::ssh_key::SshPublicKey::parse(vote["key"].as_str().unwrap()).unwrap();
        assert!(
            envelope.is_signed_by(&key)
                && envelope.payload() == release["grant"]["statement"].as_str().unwrap().as_bytes()
        );
    }
}

#[tokio::test]
async fn only_what_a_steward_signed_over_this_very_request_counts() {
    let service = Service::new().await;
    let (alice, bob, eve) = (service.login("alice").await, service.login("bob").await, service.login("eve").await);
    let id = service.ask(&alice, "PUT", "sys/policies/acl/app", rule(APP)).await;
    let other = service.ask(&alice, "PUT", "sys/policies/acl/other", rule(APP)).await;
    let statement = |seen: Value| seen["statement"].as_str().unwrap().to_owned();
    let (mine, others) = (statement(service.seen(&bob, &id).await), statement(service.seen(&bob, &other).await));
    let refused = |token: String, status: u16, body: Value, why: &'static str| {
        let (service, path) = (&service, format!("sys/requests/{id}/approve"));
        async move {
            let answer = service.vault.expect_as(&token, status, "POST", &path, Some(body)).await;
            assert!(error(&answer).contains(why), "{why}: {answer}");
        }
    };
    let sign = |kind, text: &str, names: &[&str]| service.signed(kind, text, names);
    let digest = service.seen(&bob, &id).await["digest"].clone();
    refused(bob.clone(), 400, json!({ "digest": digest }), "signed with their key").await;
    refused(bob.clone(), 400, sign(APPROVAL_PAYLOAD_TYPE, &others, &["bob"]), "not this request").await;
    refused(bob.clone(), 400, sign(DENIAL_PAYLOAD_TYPE, &mine, &["bob"]), "").await;
    refused(bob.clone(), 400, sign(APPROVAL_PAYLOAD_TYPE, &mine, &[]), "not that of the person").await;
    refused(bob.clone(), 400, sign(APPROVAL_PAYLOAD_TYPE, &mine, &["dan"]), "not that of the person").await;
    refused(bob.clone(), 400, sign(APPROVAL_PAYLOAD_TYPE, &mine, &["bob", "dan"]), "not that of the person").await;
    refused(bob.clone(), 400, sign(APPROVAL_PAYLOAD_TYPE, &mine, &["frank"]), "of nobody in the charter").await;
    refused(alice.clone(), 403, sign(APPROVAL_PAYLOAD_TYPE, &mine, &["alice"]), "others must agree").await;
    refused(eve.clone(), 400, sign(APPROVAL_PAYLOAD_TYPE, &mine, &["bob"]), "waits for you").await;
    let document: Value = serde_json::from_str(&mine).unwrap();
    for (field, value) in document.as_object().unwrap() {
        let mut altered = document.clone();
        altered[field] = match value {
            Value::String(text) => json!(format!("{text}0")),
            Value::Number(number) => json!(number.as_i64().unwrap() + 1),
            Value::Null => json!("sha256:00"),
            _ => json!({}),
        };
        let text = serde_json::to_string_pretty(&altered).unwrap();
        refused(bob.clone(), 400, sign(APPROVAL_PAYLOAD_TYPE, &text, &["bob"]), "not this request").await;
    }
    // A login that stewards have not tied to a person asks for nothing.
    let (status, answer) = service.send(&eve, "PUT", "sys/policies/acl/eve", "because", &rule(APP)).await;
    assert!(status == 403 && error(&answer).contains("nobody of the charter"), "{answer}");
    service.approve("bob", &id).await;
    service.approve("erin", &id).await;
    service.vault.expect_as(&alice, 200, "GET", "sys/policies/acl/app", None).await;
    service.vault.expect_as(&alice, 404, "GET", "sys/policies/acl/other", None).await;
}

#[tokio::test]
async fn a_steward_says_no_with_their_key() {
    let service = Service::new().await;
    let (alice, bob) = (service.login("alice").await, service.login("bob").await);
    let id = service.ask(&alice, "DELETE", "sys/policies/acl/staff", Value::Null).await;
    let path = format!("sys/requests/{id}/deny");
    service.vault.expect_as(&bob, 400, "POST", &path, Some(json!({"reason": "we need it"}))).await;
    let statement = service.seen(&bob, &id).await["statement"].as_str().unwrap().to_owned();
    let mut body = service.signed(DENIAL_PAYLOAD_TYPE, &statement, &["bob"]);
    body["reason"] = json!("we need it");
    service.vault.expect_as(&bob, 204, "POST", &path, Some(body)).await;
    assert_eq!(service.seen(&alice, &id).await["state"], json!("denied"));
    let log = service.vault.audit();
    assert!(log.iter().any(|line| line["denial"].is_string() && line["held_request"] == json!(id)));
}

#[tokio::test]
async fn a_policy_names_quorums_of_the_charter_and_holds_secrets_back() {
    let service = Service::new().await;
    write(&service.vault, &service.people, 40, "sys/mounts/kv", json!({"type": "kv"})).await;
    let text = |factor: &str| {
        json!({"policy": format!("{POLICY}\npath \"kv/prod\" {{ capabilities = [\"create\", \"read\", \"update\"]\n \
            control_group = {{ {factor} }} }}")})
    };
    let change = text("factor \"stewards\" { quorum = \"change\" }");
    write(&service.vault, &service.people, 41, "sys/policies/acl/staff", change).await;
    let alice = service.login("alice").await;
    let id = service.ask(&alice, "PUT", "kv/prod", json!({"password": "x"})).await;
    service.approve("bob", &id).await;
    service.approve("dan", &id).await;
    let redeem = format!("sys/requests/{id}/redeem");
    service.vault.expect_as(&alice, 204, "POST", &redeem, None).await;
    let id = service.ask(&alice, "GET", "kv/prod", Value::Null).await;
    service.approve("carol", &id).await;
    let redeem = format!("sys/requests/{id}/redeem");
    service.vault.expect_as(&alice, 400, "POST", &redeem, None).await;
    service.approve("erin", &id).await;
    let read = service.vault.expect_as(&alice, 200, "POST", &redeem, None).await;
    assert_eq!(read["data"], json!({"password": "x"}));
    // A quorum that the charter does not have would be met by nobody.
    let unknown = text("factor \"nobody\" { quorum = \"group.database\" }");
    let (status, answer) = service.send(&alice, "PUT", "sys/policies/acl/staff", "because", &unknown).await;
    assert!(status == 400 && error(&answer).contains("no quorum"), "{answer}");
}

#[tokio::test]
async fn what_was_agreed_to_under_a_charter_ends_with_it() {
    let service = Service::new().await;
    let alice = service.login("alice").await;
    let under_old = service.ask(&alice, "PUT", "sys/policies/acl/app", rule(APP)).await;
    service.approve("bob", &under_old).await;
    // The next charter is the same but for its epoch.
    let (vault, people) = (&service.vault, &service.people);
    let first = charter_of(&people.first());
    let next = people.charter(Some(&first), &EVERYBODY, RULES, &["alice", "bob", "dan"]);
    let made = vault.expect_as("", 200, "POST", "sys/custody/rekey", Some(handout(&next))).await;
    for sealed in made["sealed_shares"].as_array().unwrap() {
        let mine = people.open(sealed["person"].as_str().unwrap(), sealed);
        let sent = proof(&question(vault).await, &mine, Some(&charter_of(&next).digest()));
        vault.expect_as("", 200, "POST", "sys/custody/acknowledge", Some(sent)).await;
    }
    // The last approval completes the quorum, and still nothing happens.
    service.approve("dan", &under_old).await;
    vault.expect_as(&alice, 404, "GET", "sys/policies/acl/app", None).await;
    let redeem = format!("sys/requests/{under_old}/redeem");
    let refused = vault.expect_as(&alice, 400, "POST", &redeem, None).await;
    assert!(error(&refused).contains("ask anew"), "{refused}");
    let anew = service.ask(&alice, "PUT", "sys/policies/acl/app", rule(APP)).await;
    service.approve("bob", &anew).await;
    service.approve("dan", &anew).await;
    vault.expect_as(&alice, 200, "GET", "sys/policies/acl/app", None).await;
}

#[tokio::test]
async fn a_log_that_was_tampered_with_does_not_explain_itself() {
    let service = Service::new().await;
    let alice = service.login("alice").await;
    let id = service.ask(&alice, "PUT", "sys/policies/acl/app", rule(APP)).await;
    service.approve("bob", &id).await;
    service.approve("dan", &id).await;
    let votes = |told: &[What]| match told.last() {
        Some(What::Released { votes, is_what_was_asked, .. }) => (votes.clone(), *is_what_was_asked),
        other => panic!("{other:?}"),
    };
    assert!(votes(&service.explained(&id)).0.iter().all(|vote| !vote.signature.is_bad()));
    // Another reason in the release: no signature is over that.
    let reason = service.explained_with(&id, |line| {
        if line.contains("\"grant\"") { line.replace("a new application", "an old application") } else { line }
    });
    let (altered, is_what_was_asked) = votes(&reason);
    assert!(!is_what_was_asked && altered.iter().all(|vote| vote.signature.is_bad()));
    // Somebody else's name on a vote is not that of its signature.
    let named = service.explained_with(&id, |line| line.replace("\"person\":\"bob\"", "\"person\":\"erin\""));
    assert!(matches!(&votes(&named).0[0].signature, Signed::Bad { why } if why.contains("by bob")));
    // Without its charter the key that the log names is all there is.
    let without =
        service.explained_with(&id, |line| if line.contains("\"kind\":\"charter\"") { String::new() } else { line });
    assert!(votes(&without).0.iter().all(|vote| matches!(vote.signature, Signed::ByKey { .. })));
}

#[tokio::test]
async fn a_release_that_the_statement_does_not_bear_is_doubted() {
    let service = Service::new().await;
    let (alice, bob) = (service.login("alice").await, service.login("bob").await);
    let id = service.ask(&alice, "PUT", "sys/policies/acl/app", rule(APP)).await;
    service.approve("bob", &id).await;
    service.approve("dan", &id).await;
    let other = service.ask(&bob, "PUT", "sys/policies/acl/app", rule(APP)).await;
    let doubts = |altered: &dyn Fn(&str) -> Vec<String>| service.doubts(&id, altered);
    let released = |change: &'static dyn Fn(&mut Value)| {
        move |line: &str| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            if record["grant"].is_object() {
                change(&mut record);
            }
            vec![record.to_string()]
        }
    };
    assert_eq!(doubts(&|line| vec![line.to_owned()]), Vec::<String>::new());
    type Alteration<'a> = &'a dyn Fn(&str) -> Vec<String>;
    let cases: [(Alteration<'_>, &str); 6] = [
        (&released(&|record| record["path"] = json!("sys/policies/acl/other")), "does something else"),
        (&released(&|record| record["operation"] = json!("delete")), "does something else"),
        (&released(&|record| record["grant"]["votes"] = json!([])), "nobody's vote"),
        (
            &released(&|record| drop(record["grant"]["votes"][0].as_object_mut().unwrap().remove("envelope"))),
            "unsigned",
        ),
        (
            &released(&|record| {
                let vote = record["grant"]["votes"][0].clone();
                record["grant"]["votes"].as_array_mut().unwrap().push(vote);
            }),
            "twice",
        ),
        (
            &released(&|record| {
                let text = record["grant"]["statement"].as_str().unwrap().replace("\"alice\"", "\"bob\"");
                record["grant"]["statement"] = json!(text);
            }),
            "asked for it",
        ),
    ];
    for (altered, part) in cases {
        let found = doubts(altered);
        assert!(found.iter().any(|doubt| doubt.contains(part)), "{part}: {found:?}");
    }
    // Its one use, twice.
    let again = |line: &str| {
        let call = service.vault.audit().into_iter().find(|line| line["grant"]["request"] == json!(id)).unwrap();
        let call = call["id"].as_str().unwrap().to_owned();
        let mut lines = vec![line.to_owned()];
        if line.contains(&call) {
            lines.push(line.replace(&call, "00000000-0000-4000-8000-000000000000"));
        }
        lines
    };
    assert!(doubts(&again).iter().any(|doubt| doubt.contains("more often")), "{:?}", doubts(&again));
    // A question that is another's.
    let renamed = |line: &str| {
        vec![line.replace(&format!("\\\"request\\\": \\\"{id}"), &format!("\\\"request\\\": \\\"{other}"))]
    };
    assert!(doubts(&renamed).iter().any(|doubt| doubt.contains("another request")), "{:?}", doubts(&renamed));
}
