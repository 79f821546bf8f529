//! Whoever hands a login out agrees to nothing that it asks for: they could have asked themselves.

use serde_json::{Value, json};
use vault_core::approval::{APPROVAL_PAYLOAD_TYPE, DELEGATION_PAYLOAD_TYPE, Delegation};
use vault_core::envelope::Envelope;

use crate::bootstrap::into_service;
use crate::change_control::Service;
use crate::custody::{People, error};
use crate::house::{AGREE, House, ONE};
use crate::stewards::write;

const PATH: &str = "secret/data/prod/root";

/// A house with applications, whose secret ids all people, and the application `deployer`, may issue.
pub(crate) async fn with_applications(control_group: &str) -> House {
    let house = House::new(control_group).await;
    let root = &house.vault;
    root.expect(204, "POST", "sys/auth/approle", Some(json!({"type": "approle"}))).await;
    for (role, kind) in [("app", "service"), ("deployer", "service"), ("worker", "batch")] {
        let body = json!({"token_policies": "staff", "token_type": kind});
        root.expect(204, "POST", &format!("auth/approle/role/{role}"), Some(body)).await;
    }
    let open = json!({"token_policies": "staff", "bind_secret_id": false, "secret_id_bound_cidrs": "0.0.0.0/0"});
    root.expect(204, "POST", "auth/approle/role/open", Some(open)).await;
    let text = format!(
        "{AGREE}path \"secret/data/prod/*\" {{ capabilities = [\"read\"]\n control_group = {{ {control_group} }} }}\n\
         path \"auth/approle/role/*\" {{ capabilities = [\"create\", \"update\"] }}\n\
         path \"sys/delegations\" {{ capabilities = [\"update\"] }}\n\
         path \"auth/token/create-orphan\" {{ capabilities = [\"update\", \"sudo\"] }}"
    );
    root.expect(204, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": text }))).await;
    house
}

impl House {
    /// Issues a secret id of a role and logs in with it.
    pub(crate) async fn application(&self, issuer: &str, role: &str) -> String {
        let path = format!("auth/approle/role/{role}/secret-id");
        let made = self.vault.expect_as(issuer, 200, "POST", &path, None).await;
        self.application_with(role, made["data"]["secret_id"].as_str().unwrap()).await
    }

    async fn application_with(&self, role: &str, secret_id: &str) -> String {
        let seen = self.vault.expect(200, "GET", &format!("auth/approle/role/{role}/role-id"), None).await;
        let body = json!({"role_id": seen["data"]["role_id"], "secret_id": secret_id});
        let answer = self.vault.expect_as("", 200, "POST", "auth/approle/login", Some(body)).await;
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    async fn made(&self, by: &str, path: &str) -> String {
        let made = self.vault.expect_as(by, 200, "POST", path, Some(json!({"policies": ["staff"]}))).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Checks that an application asks, that some people's voices count for nothing, and that cat's is enough.
    async fn is_for_others(&self, application: &str, issuers: &[&str]) {
        let (wrapping, id) = self.ask(application, "GET", PATH, None).await;
        for issuer in issuers {
            let refused = self.authorize(issuer, 403, &id).await;
            assert!(error(&refused).contains("handed out"), "{refused}");
        }
        self.unwrap(application, 400, &wrapping).await;
        self.authorize(&self.login("cat").await, 200, &id).await;
        self.unwrap(application, 200, &wrapping).await;
    }

    async fn cannot_ask(&self, application: &str) {
        let refused = self.vault.expect_as(application, 403, "GET", PATH, None).await;
        assert!(error(&refused).contains("who handed this login out"), "{refused}");
    }

    async fn delegation(&self, from: &str, to: &str) -> Value {
        let seen = self.vault.expect_as("", 200, "GET", "sys/custody", None).await;
        let vault = seen["vault"].as_str().unwrap().replace('-', "");
        let parties = (format!("entity/{}", self.entity(from).await), format!("entity/{}", self.entity(to).await));
        let mut given =
            Delegation::new(vault, None, format!("{:032x}", from.len() + 16 * usize::from(to.as_bytes()[0])), parties);
        (given.paths, given.reason) = (vec![PATH.to_owned()], "on holiday".to_owned());
        given.expires_at_seconds = 1_800_000_000 + 3600;
        let envelope = Envelope::new(DELEGATION_PAYLOAD_TYPE, &serde_json::to_vec(&given).unwrap());
        json!({"envelope": serde_json::from_str::<Value>(&envelope.to_json()).unwrap()})
    }
}

#[tokio::test]
async fn who_issues_a_secret_id_agrees_to_nothing_that_is_asked_with_it() {
    let house = with_applications(ONE).await;
    let ben = house.login("ben").await;
    for role in ["app", "worker"] {
        let application = house.application(&ben, role).await;
        house.is_for_others(&application, &[&ben]).await;
    }
    let custom = Some(json!({"secret_id": "known to ben"}));
    house.vault.expect_as(&ben, 200, "POST", "auth/approle/role/app/custom-secret-id", custom).await;
    let application = house.application_with("app", "known to ben").await;
    house.is_for_others(&application, &[&ben]).await;
    // What the application hands on to itself is still his.
    let child = house.made(&application, "auth/token/create").await;
    house.is_for_others(&child, &[&ben]).await;
    let log = house.vault.audit();
    let asked = log.iter().find(|line| line["decision"] == json!("held")).unwrap();
    assert_eq!(asked["who"]["issued_by"], json!([house.entity("ben").await]), "{asked}");
}

#[tokio::test]
async fn a_request_says_through_whose_hands_its_login_came() {
    let house = with_applications(ONE).await;
    let (ben, cat) = (house.login("ben").await, house.login("cat").await);
    let application = house.application(&ben, "app").await;
    let (_, id) = house.ask(&application, "GET", PATH, None).await;
    assert_eq!(house.held(&ben, &id).await["your_part"], json!("issuer"));
    let issued_by = house.held(&cat, &id).await["issued_by"].clone();
    assert_eq!(issued_by[0]["entity"], json!(house.entity("ben").await), "{issued_by}");
    assert!(issued_by[0]["name"].is_string() && issued_by[0]["person"].is_null(), "{issued_by}");
    let (_, id) = house.ask(&house.login("ann").await, "GET", PATH, None).await;
    assert_eq!(house.held(&cat, &id).await["issued_by"], Value::Null);
}

#[tokio::test]
async fn everybody_behind_the_token_that_issues_is_an_issuer() {
    let house = with_applications(ONE).await;
    let ben = house.login("ben").await;
    let child = house.made(&ben, "auth/token/create").await;
    let orphan = house.made(&ben, "auth/token/create-orphan").await;
    for by in [child, orphan] {
        let application = house.application(&by, "app").await;
        house.is_for_others(&application, &[&ben]).await;
    }
    // By way of an application that issues for others.
    let deployer = house.application(&ben, "deployer").await;
    let application = house.application(&deployer, "app").await;
    house.is_for_others(&application, &[&ben]).await;
    let orphan = house.made(&deployer, "auth/token/create-orphan").await;
    let application = house.application(&orphan, "app").await;
    house.is_for_others(&application, &[&ben]).await;
}

#[tokio::test]
async fn a_login_of_which_nobody_knows_who_issued_it_asks_for_nothing() {
    let house = with_applications(ONE).await;
    // In bootstrap root does everything anyway.
    let root = house.vault.root.clone();
    let application = house.application(&root, "app").await;
    house.is_for_others(&application, &[]).await;
    let nobody = house.made(&root, "auth/token/create").await;
    house.cannot_ask(&house.application(&nobody, "app").await).await;
    // Whoever reads the role id logs in.
    house.cannot_ask(&house.application_with("open", "").await).await;
    // A batch token without a parent tells of nobody who made it.
    let role = json!({"allowed_policies": "staff", "orphan": true, "token_type": "batch", "renewable": false});
    house.vault.expect(204, "POST", "auth/token/roles/loose", Some(role)).await;
    let loose = json!({"policies": ["staff"]});
    let made = house.vault.expect(200, "POST", "auth/token/create/loose", Some(loose)).await;
    let loose = made["auth"]["client_token"].as_str().unwrap();
    house.cannot_ask(&house.application(loose, "app").await).await;
    // Whoever issued it is gone.
    let application = house.application(&house.login("dan").await, "app").await;
    let dan = house.entity("dan").await;
    house.vault.expect(204, "DELETE", &format!("identity/entity/id/{dan}"), None).await;
    house.cannot_ask(&application).await;
}

#[tokio::test]
async fn an_issuer_has_no_vote_by_delegation_either() {
    let house = with_applications(ONE).await;
    let (ben, cat, dan) = (house.login("ben").await, house.login("cat").await, house.login("dan").await);
    let of_ben = house.application(&ben, "app").await;
    let (_, by_ben) = house.ask(&of_ben, "GET", PATH, None).await;
    // Ben's vote in dan's hands, and cat's in ben's.
    let given = house.delegation("ben", "dan").await;
    house.vault.expect_as(&ben, 200, "POST", "sys/delegations", Some(given)).await;
    house.authorize(&dan, 400, &by_ben).await;
    let given = house.delegation("cat", "ben").await;
    house.vault.expect_as(&cat, 200, "POST", "sys/delegations", Some(given)).await;
    house.authorize(&ben, 403, &by_ben).await;
    // Where dan issued, he has ben's vote no more.
    let of_dan = house.application(&dan, "app").await;
    let (_, by_dan) = house.ask(&of_dan, "GET", PATH, None).await;
    house.authorize(&dan, 403, &by_dan).await;
    house.authorize(&ben, 200, &by_dan).await;
}

#[tokio::test]
async fn who_agrees_and_then_issues_a_login_takes_nothing_with_it() {
    let house = with_applications(ONE).await;
    let (ben, cat) = (house.login("ben").await, house.login("cat").await);
    let application = house.application(&ben, "app").await;
    let (wrapping, id) = house.ask(&application, "GET", PATH, None).await;
    assert_eq!(house.authorize(&cat, 200, &id).await["data"]["approved"], json!(true));
    let of_cat = house.application(&cat, "app").await;
    for path in [format!("sys/requests/{id}/redeem"), "sys/wrapping/unwrap".to_owned()] {
        let refused = house.vault.expect_as(&of_cat, 400, "POST", &path, Some(json!({ "token": wrapping }))).await;
        assert!(error(&refused).contains("further approval"), "{refused}");
    }
    house.unwrap(&application, 200, &wrapping).await;
}

#[tokio::test]
async fn what_speaks_by_a_login_that_was_handed_out_has_no_vote() {
    let house = with_applications(ONE).await;
    let (ann, cat) = (house.login("ann").await, house.login("cat").await);
    let application = house.application(&ann, "app").await;
    let seen = house.vault.expect_as(&application, 200, "GET", "auth/token/lookup-self", None).await;
    let machine = seen["data"]["entity_id"].as_str().unwrap().to_owned();
    let (ben, lead) = (house.entity("ben").await, house.entity("cat").await);
    house.group("leads", &[&ben, &lead, &machine]).await;
    let (_, id) = house.ask(&house.login("dan").await, "GET", PATH, None).await;
    let digest = house.held(&application, &id).await["digest"].clone();
    let said = |what: &str| (format!("sys/requests/{id}/{what}"), json!({"digest": digest, "reason": "no"}));
    for token in [&application, &house.made(&application, "auth/token/create").await] {
        for (path, body) in ["approve", "deny"].map(said) {
            let refused = house.vault.expect_as(token, 403, "POST", &path, Some(body)).await;
            assert!(error(&refused).contains("agrees to nothing"), "{refused}");
        }
        house.authorize(token, 403, &id).await;
    }
    house.authorize(&cat, 200, &id).await;
}

#[tokio::test]
async fn nobody_hands_on_the_vote_of_somebody_whose_token_they_made() {
    let house = with_applications(ONE).await;
    let accessor = house.vault.expect(200, "GET", "sys/auth", None).await["data"]["token/"]["accessor"].clone();
    let alias = json!({"name": "cat-alias", "canonical_id": house.entity("cat").await, "mount_accessor": accessor});
    house.vault.expect(200, "POST", "identity/entity-alias", Some(alias)).await;
    let role = json!({"allowed_entity_aliases": "cat-alias", "allowed_policies": "staff", "orphan": true});
    house.vault.expect(204, "POST", "auth/token/roles/cats", Some(role)).await;
    let text = "path \"auth/token/create/cats\" { capabilities = [\"update\"] }";
    house.vault.expect(204, "PUT", "sys/policies/acl/makers", Some(json!({ "policy": text }))).await;
    let user = json!({"token_policies": "staff,makers"});
    house.vault.expect(204, "POST", "auth/userpass/users/dan", Some(user)).await;
    let dan = house.login("dan").await;
    let body = Some(json!({"entity_alias": "cat-alias", "policies": ["staff"]}));
    let made = house.vault.expect_as(&dan, 200, "POST", "auth/token/create/cats", body).await;
    let as_cat = made["auth"]["client_token"].as_str().unwrap();
    let given = house.delegation("cat", "dan").await;
    house.vault.expect_as(as_cat, 403, "POST", "sys/delegations", Some(given.clone())).await;
    house.vault.expect_as(&house.login("cat").await, 200, "POST", "sys/delegations", Some(given)).await;
}

const CHANGE: &str = "sys/policies/acl/app";

impl Service {
    /// Makes a role whose entity is carol's: she answers for it.
    async fn with_application(&self) {
        let (vault, people) = (&self.vault, &self.people);
        write(vault, people, 60, "sys/auth/approle", json!({"type": "approle"})).await;
        write(vault, people, 61, "auth/approle/role/app", json!({"token_policies": "staff"})).await;
        let token = self.application(&self.login("dan").await).await;
        let seen = vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await;
        let path = format!("identity/entity/id/{}", seen["data"]["entity_id"].as_str().unwrap());
        write(vault, people, 62, &path, json!({"metadata": {"person": "carol"}})).await;
    }

    async fn application(&self, issuer: &str) -> String {
        let made = self.vault.expect_as(issuer, 200, "POST", "auth/approle/role/app/secret-id", None).await;
        self.application_with(made["data"]["secret_id"].as_str().unwrap()).await
    }

    async fn application_with(&self, secret_id: &str) -> String {
        let alice = self.login("alice").await;
        let seen = self.vault.expect_as(&alice, 200, "GET", "auth/approle/role/app/role-id", None).await;
        let body = json!({"role_id": seen["data"]["role_id"], "secret_id": secret_id});
        let answer = self.vault.expect_as("", 200, "POST", "auth/approle/login", Some(body)).await;
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    async fn says_yes(&self, name: &str, token: &str, id: &str, status: u16) -> Value {
        let statement = self.seen(token, id).await["statement"].as_str().unwrap().to_owned();
        let body = self.signed(APPROVAL_PAYLOAD_TYPE, &statement, &[name]);
        self.vault.expect_as(token, status, "POST", &format!("sys/requests/{id}/approve"), Some(body)).await
    }
}

fn policy() -> Value {
    json!({"policy": "path \"kv/app\" { capabilities = [\"read\"] }"})
}

#[tokio::test]
async fn in_service_an_issuer_signs_for_nothing_and_a_machine_for_nobody() {
    let service = Service::new().await;
    service.with_application().await;
    let (alice, bob) = (service.login("alice").await, service.login("bob").await);
    let application = service.application(&alice).await;
    let id = service.ask(&application, "PUT", CHANGE, policy()).await;
    let refused = service.says_yes("alice", &alice, &id, 403).await;
    assert!(error(&refused).contains("handed out"), "{refused}");
    service.says_yes("carol", &service.login("carol").await, &id, 403).await;
    service.says_yes("dan", &service.login("dan").await, &id, 200).await;
    service.vault.expect_as(&alice, 404, "GET", CHANGE, None).await;
    service.says_yes("bob", &bob, &id, 200).await;
    service.vault.expect_as(&alice, 200, "GET", CHANGE, None).await;
    // The role's entity is carol, with her key even; and yet the login is alice's to hand out.
    let id = service.ask(&bob, "DELETE", CHANGE, Value::Null).await;
    let refused = service.says_yes("carol", &application, &id, 403).await;
    assert!(error(&refused).contains("agrees to nothing"), "{refused}");
}

#[tokio::test]
async fn in_service_only_who_is_known_issues_for_those_who_ask() {
    let service = Service::new().await;
    service.with_application().await;
    let refused = |token: String| {
        let service = &service;
        async move {
            let (status, answer) = service.send(&token, "PUT", CHANGE, "because", &policy()).await;
            assert!(status == 403 && error(&answer).contains("who handed this login out"), "{status} {answer}");
        }
    };
    // Eve is nobody of the charter; and what stewards make together, whoever brings their act knows.
    refused(service.application(&service.login("eve").await).await).await;
    let path = "auth/approle/role/app/custom-secret-id";
    write(&service.vault, &service.people, 63, path, json!({"secret_id": "in the act"})).await;
    refused(service.application_with("in the act").await).await;
    // Who has a name in the charter keeps it when their entity is gone.
    let application = service.application(&service.login("bob").await).await;
    let seen = service.vault.expect_as(&service.login("bob").await, 200, "GET", "auth/token/lookup-self", None).await;
    let entity = format!("identity/entity/id/{}", seen["data"]["entity_id"].as_str().unwrap());
    let id = service.ask(&application, "PUT", CHANGE, policy()).await;
    let delete = service.ask(&service.login("alice").await, "DELETE", &entity, Value::Null).await;
    for (name, request) in [("bob", &delete), ("dan", &delete)] {
        service.says_yes(name, &service.login(name).await, request, 200).await;
    }
    let bob = service.login("bob").await;
    let seen = service.vault.expect_as(&bob, 200, "GET", "auth/token/lookup-self", None).await;
    let entity = format!("identity/entity/id/{}", seen["data"]["entity_id"].as_str().unwrap());
    write(&service.vault, &service.people, 64, &entity, json!({"metadata": {"person": "bob"}})).await;
    let refused = service.says_yes("bob", &bob, &id, 403).await;
    assert!(error(&refused).contains("handed out"), "{refused}");
    service.ask(&application, "PUT", "sys/policies/acl/other", policy()).await;
}

#[tokio::test]
async fn what_root_issued_in_bootstrap_asks_for_nothing_in_service() {
    let (house, people) = (with_applications(ONE).await, People::new());
    let root = house.vault.root.clone();
    // Whoever used the root token still knows both secret ids; that of the one who issued them has a name.
    let of_root = house.application(&root, "app").await;
    let deployer = house.application(&root, "deployer").await;
    let by_deployer = house.application(&deployer, "worker").await;
    let of_ben = house.application(&house.login("ben").await, "app").await;
    let seen = house.vault.expect_as(&of_ben, 200, "GET", "auth/token/lookup-self", None).await;
    let (app, ben) = (seen["data"]["entity_id"].as_str().unwrap().to_owned(), house.entity("ben").await);
    let seen = house.vault.expect_as(&by_deployer, 200, "GET", "auth/token/lookup-self", None).await;
    let worker = seen["data"]["entity_id"].as_str().unwrap().to_owned();
    for (entity, person) in [(app, "alice"), (worker, "alice"), (ben, "bob")] {
        let body = Some(json!({"metadata": {"person": person}}));
        house.vault.expect(204, "POST", &format!("identity/entity/id/{entity}"), body).await;
    }
    house.ask(&of_root, "GET", PATH, None).await;
    house.ask(&by_deployer, "GET", PATH, None).await;
    into_service(&house.vault, &people).await;
    house.cannot_ask(&of_root).await;
    house.cannot_ask(&by_deployer).await;
    house.ask(&of_ben, "GET", PATH, None).await;
}

#[tokio::test]
async fn in_service_nobody_alone_makes_a_way_to_log_in_as_somebody() {
    let service = Service::new().await;
    service.with_application().await;
    for (nonce, kind) in (70..).zip(["cert", "jwt", "kubernetes"]) {
        write(&service.vault, &service.people, nonce, &format!("sys/auth/{kind}"), json!({ "type": kind })).await;
    }
    let alice = service.login("alice").await;
    for path in [
        "auth/cert/certs/bob",
        "auth/cert/config",
        "auth/cert/crls/all",
        "auth/jwt/config",
        "auth/jwt/role/bob",
        "auth/kubernetes/config",
        "auth/kubernetes/role/bob",
        "auth/approle/role/bob",
        "auth/approle/role/app/role-id",
        "auth/approle/role/app/bind-secret-id",
        "auth/approle/role/app/policies",
        "auth/userpass/users/bob",
        "auth/userpass/users/bob/password",
        "auth/userpass/users/bob/policies",
        "auth/token/roles/bob",
        "identity/entity-alias",
        "identity/entity/merge",
        "sys/auth/mine",
        "sys/auth/userpass/tune",
    ] {
        let (status, answer) = service.vault.call("POST", path, &alice, Some("{}")).await;
        assert!(status == 400 && error(&answer).contains("Reason"), "{path}: {status} {answer}");
    }
}
