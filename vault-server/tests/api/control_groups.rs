//! Requests that wait for others to agree, in bootstrap: as Vault's control groups, and what is added to them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use vault_server::storage::faults::{Faults, FaultyStorage};
use vault_server::storage::memory::MemoryStorage;

use crate::house::{AGREE, House, ONE, TWO, error};
use crate::support::TestVault;

#[tokio::test]
async fn a_client_of_control_groups_finds_what_it_knows() {
    let house = House::new(TWO).await;
    let (ann, ben, cat) = (house.login("ann").await, house.login("ben").await, house.login("cat").await);
    let (wrapping, accessor) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    let seen = |token: String| {
        let (house, accessor) = (&house, accessor.clone());
        async move {
            let body = Some(json!({ "accessor": accessor }));
            house.vault.expect_as(&token, 200, "POST", "sys/control-group/request", body).await["data"].clone()
        }
    };
    let told = seen(ann.clone()).await;
    assert_eq!((&told["approved"], &told["request_path"]), (&json!(false), &json!("secret/data/prod/root")));
    assert_eq!((&told["authorizations"], told["request_entity"]["id"].is_string()), (&json!([]), true));
    let looked =
        house.vault.expect_as(&ann, 200, "POST", "sys/wrapping/lookup", Some(json!({"token": wrapping}))).await;
    assert_eq!(looked["data"]["creation_path"], json!("secret/data/prod/root"));

    let refused = house.unwrap(&ann, 400, &wrapping).await;
    assert!(error(&refused).contains("request needs further approval"), "{refused}");
    assert_eq!(house.authorize(&ben, 200, &accessor).await["data"]["approved"], json!(false));
    // Once more is not twice.
    assert_eq!(house.authorize(&ben, 200, &accessor).await["data"]["approved"], json!(false));
    house.unwrap(&ann, 400, &wrapping).await;
    assert_eq!(house.authorize(&cat, 200, &accessor).await["data"]["approved"], json!(true));
    let told = seen(ben.clone()).await;
    assert_eq!((&told["approved"], told["authorizations"].as_array().unwrap().len()), (&json!(true), 2));
    // As the bearer of the wrapping token alone, as `vault unwrap` does without a token of its own.
    let released = house.vault.expect_as(&wrapping, 200, "POST", "sys/wrapping/unwrap", None).await;
    assert_eq!(released["data"]["data"], json!({"password": "old"}));
    house.unwrap(&ann, 400, &wrapping).await;
    let told = seen(ann).await;
    assert_eq!(told["state"], json!("released"));

    let log = house.vault.audit();
    let releases: Vec<_> = log.iter().filter(|line| line["grant"]["request"] == json!(accessor)).collect();
    assert_eq!(releases.len(), 1);
    assert_eq!(releases[0]["grant"]["votes"].as_array().unwrap().len(), 2);
    assert_eq!(releases[0]["path"], json!("secret/data/prod/root"));
    assert!(log.iter().any(|line| line["decision"] == json!("held") && line["kind"] == json!("request")));
}

#[tokio::test]
async fn nobody_agrees_to_what_they_asked_for() {
    let house = House::new(ONE).await;
    let (ben, dan) = (house.login("ben").await, house.login("dan").await);
    let (_, accessor) = house.ask(&ben, "GET", "secret/data/prod/root", None).await;
    let second_login = house.login("ben").await;
    for token in [&ben, &second_login] {
        assert!(error(&house.authorize(token, 403, &accessor).await).contains("others must agree"));
    }
    let made =
        house.vault.expect_as(&ben, 200, "POST", "auth/token/create", Some(json!({"policies": ["staff"]}))).await;
    let child = made["auth"]["client_token"].as_str().unwrap();
    house.authorize(child, 403, &accessor).await;
    // Who is in no group learns as little as a stranger.
    let unknown = house.authorize(&dan, 400, "0".repeat(24).as_str()).await;
    assert_eq!(error(&house.authorize(&dan, 400, &accessor).await), error(&unknown));
    // Root is nobody.
    house.vault.expect(403, "POST", "sys/control-group/authorize", Some(json!({"accessor": accessor}))).await;
    let path = format!("sys/requests/{accessor}");
    assert_eq!(error(&house.vault.expect_as(&dan, 400, "GET", &path, None).await), error(&unknown));
    let listed = house.vault.expect_as(&dan, 200, "GET", "sys/requests", None).await;
    assert_eq!(listed["data"]["keys"], json!([]));
}

#[tokio::test]
async fn a_token_for_another_entity_is_still_its_makers() {
    let house = House::new(ONE).await;
    let root = &house.vault;
    let accessor = root.expect(200, "GET", "sys/auth", None).await["data"]["token/"]["accessor"].clone();
    let cat = house.entity("cat").await;
    let alias = json!({"name": "cat-alias", "canonical_id": cat, "mount_accessor": accessor});
    root.expect(200, "POST", "identity/entity-alias", Some(alias)).await;
    for (role, orphan) in [("child", false), ("orphan", true)] {
        let body = json!({"allowed_entity_aliases": "cat-alias", "allowed_policies": "staff", "orphan": orphan});
        root.expect(204, "POST", &format!("auth/token/roles/{role}"), Some(body)).await;
    }
    let more = format!(
        "{AGREE}path \"secret/data/prod/*\" {{ capabilities = [\"read\"]\n control_group = {{ {ONE} }} }}\n\
         path \"auth/token/create/*\" {{ capabilities = [\"update\"] }}"
    );
    root.expect(204, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": more }))).await;
    let ann = house.login("ann").await;
    let (_, held) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    for role in ["child", "orphan"] {
        let body = json!({"entity_alias": "cat-alias", "policies": ["staff"]});
        let made = root.expect_as(&ann, 200, "POST", &format!("auth/token/create/{role}"), Some(body)).await;
        let token = made["auth"]["client_token"].as_str().unwrap();
        assert_eq!(made["auth"]["entity_id"], json!(cat), "{role}");
        assert!(error(&house.authorize(token, 403, &held).await).contains("others must agree"), "{role}");
    }
    house.authorize(&house.login("cat").await, 200, &held).await;
}

#[tokio::test]
async fn what_changed_since_is_not_what_was_agreed_to() {
    let house = House::new(ONE).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let agreed = || async {
        let (wrapping, accessor) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
        house.authorize(&ben, 200, &accessor).await;
        wrapping
    };
    let write = |value: &'static str| {
        let house = &house;
        async move {
            let body = Some(json!({"data": {"password": value}}));
            house.vault.expect(200, "POST", "secret/data/prod/root", body).await;
        }
    };
    // The version.
    let wrapping = agreed().await;
    write("newer").await;
    assert!(error(&house.unwrap(&ann, 400, &wrapping).await).contains("has changed since"));
    house.unwrap(&ann, 400, &wrapping).await;
    // The approver's membership.
    let wrapping = agreed().await;
    house.group("leads", &[]).await;
    assert!(error(&house.unwrap(&ann, 400, &wrapping).await).contains("further approval"));
    let (ben_entity, cat_entity) = (house.entity("ben").await, house.entity("cat").await);
    house.group("leads", &[&ben_entity, &cat_entity]).await;
    // The approver's standing.
    let wrapping = agreed().await;
    let path = format!("identity/entity/id/{ben_entity}");
    house.vault.expect(204, "POST", &path, Some(json!({"disabled": true}))).await;
    assert!(error(&house.unwrap(&ann, 400, &wrapping).await).contains("further approval"));
    house.vault.expect(204, "POST", &path, Some(json!({"disabled": false}))).await;
    // The policy.
    let wrapping = agreed().await;
    let rule =
        |rule: &str| json!({"policy": format!("path \"secret/data/prod/*\" {{ capabilities = [\"read\"]\n {rule} }}")});
    house.vault.expect(204, "PUT", "sys/policies/acl/staff", Some(rule(&format!("control_group = {{ {TWO} }}")))).await;
    assert!(error(&house.unwrap(&ann, 400, &wrapping).await).contains("ask anew"));
    house.vault.expect(204, "PUT", "sys/policies/acl/staff", Some(rule(""))).await;
    assert!(
        error(&house.unwrap(&ann, 400, &wrapping).await).contains("ask anew"),
        "not even where nothing holds it back"
    );
    let none = json!({"policy": "path \"secret/data/prod/*\" { capabilities = [\"deny\"] }"});
    house.vault.expect(204, "PUT", "sys/policies/acl/staff", Some(none)).await;
    house.unwrap(&ann, 403, &wrapping).await;
    // Somebody else's hands.
    let all = format!("control_group = {{ {ONE} }}");
    house
        .vault
        .expect(
            204,
            "PUT",
            "sys/policies/acl/staff",
            Some(json!({
                "policy": format!("{AGREE}path \"secret/data/prod/*\" {{ capabilities = [\"read\"]\n {all} }}")
            })),
        )
        .await;
    let wrapping = agreed().await;
    house.unwrap(&house.login("dan").await, 400, &wrapping).await;
    house.unwrap(&house.vault.root, 400, &wrapping).await;
    // The end of the requester's token ends what its bearer can do, but not what its owner can.
    house.vault.expect_as(&ann, 204, "POST", "auth/token/revoke-self", None).await;
    house.vault.expect_as(&wrapping, 403, "POST", "sys/wrapping/unwrap", None).await;
    let released = house.unwrap(&house.login("ann").await, 200, &wrapping).await;
    assert_eq!(released["data"]["data"], json!({"password": "newer"}));
}

#[tokio::test]
async fn a_write_waits_as_a_draft_and_is_applied_as_its_rule_says() {
    let house = House::new(ONE).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let body = json!({"data": {"password": "new", "user": "app"}});
    let (_, id) = house.ask(&ann, "POST", "secret/data/prod/root", Some(body)).await;
    let seen = house.held(&ben, &id).await;
    let due = json!([
        {"name": "data.password", "change": "changed"},
        {"name": "data.user", "change": "new"},
    ]);
    assert_eq!((&seen["shown"]["fields"], &seen["salt"]), (&due, &Value::Null), "{seen}");
    assert!(!seen.to_string().contains("old") && !seen["shown"].to_string().contains("\"new\"\"app\""), "{seen}");
    let read = || async { house.vault.expect(200, "GET", "secret/data/prod/root", None).await["data"]["data"].clone() };
    // Without a look at it nobody agrees to it.
    let path = format!("sys/requests/{id}/approve");
    house.vault.expect_as(&ben, 400, "POST", &path, Some(json!({"digest": "sha256:00"}))).await;
    house.vault.expect_as(&ben, 200, "POST", &path, Some(json!({"digest": seen["digest"]}))).await;
    assert_eq!(read().await, json!({"password": "old"}), "it waits for its requester");
    house.vault.expect_as(&ben, 400, "POST", &format!("sys/requests/{id}/redeem"), None).await;
    house.vault.expect_as(&ann, 200, "POST", &format!("sys/requests/{id}/redeem"), None).await;
    assert_eq!(read().await, json!({"password": "new", "user": "app"}));

    let house = House::new(&format!("{ONE} applies = \"approved\"")).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let (_, first) = house.ask(&ann, "POST", "secret/data/prod/root", Some(json!({"data": {"x": "1"}}))).await;
    let (_, second) = house.ask(&ann, "POST", "secret/data/prod/root", Some(json!({"data": {"x": "2"}}))).await;
    house.authorize(&ben, 200, &first).await;
    let read = house.vault.expect(200, "GET", "secret/data/prod/root", None).await["data"]["data"].clone();
    assert_eq!(read, json!({"x": "1"}), "the last approval applies it");
    // What was there for the second is no more.
    house.authorize(&ben, 200, &second).await;
    assert_eq!(house.held(&ann, &second).await["state"], json!("stale"));
    let read = house.vault.expect(200, "GET", "secret/data/prod/root", None).await["data"]["data"].clone();
    assert_eq!(read, json!({"x": "1"}));
    // Where nothing was, whatever has come meanwhile makes the draft stale as well.
    let (_, third) = house.ask(&ann, "POST", "secret/data/prod/fresh", Some(json!({"data": {"x": "1"}}))).await;
    house.vault.expect(200, "POST", "secret/data/prod/fresh", Some(json!({"data": {"x": "other"}}))).await;
    house.authorize(&ben, 200, &third).await;
    assert_eq!(house.held(&ann, &third).await["state"], json!("stale"));
    // What would be refused anyway is refused at once.
    let cas = json!({"data": {"x": "3"}, "options": {"cas": 1}});
    house.vault.expect_as(&ann, 400, "POST", "secret/data/prod/root", Some(cas)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_one_use_is_used_once_by_however_many_who_try() {
    let house = House::new(ONE).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let (wrapping, accessor) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    house.authorize(&ben, 200, &accessor).await;
    let body = json!({ "token": wrapping }).to_string();
    let house = Arc::new(house);
    let tries: Vec<_> = (0..100)
        .map(|_| {
            let (house, ann, body) = (Arc::clone(&house), ann.clone(), body.clone());
            tokio::spawn(async move { house.vault.call("POST", "sys/wrapping/unwrap", &ann, Some(&body)).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for outcome in tries {
        outcomes.push(outcome.await.unwrap());
    }
    assert_eq!(outcomes.iter().filter(|(status, _)| status.is_success()).count(), 1);
    assert!(outcomes.iter().all(|(status, _)| status.is_success() || status.as_u16() == 400), "{outcomes:?}");

    let house = House::new(&format!("{ONE} uses = 3 binds = \"latest\"")).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let (wrapping, accessor) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    house.authorize(&ben, 200, &accessor).await;
    for value in ["a", "b", "c"] {
        house.vault.expect(200, "POST", "secret/data/prod/root", Some(json!({"data": {"p": value}}))).await;
        assert_eq!(house.unwrap(&ann, 200, &wrapping).await["data"]["data"], json!({"p": value}));
    }
    house.unwrap(&ann, 400, &wrapping).await;
}

/// The store commits the release and dies before it says so: the requester has nothing, and nobody gets it a second time.
#[tokio::test]
async fn a_release_whose_answer_is_lost_is_spent() {
    for (loses, released) in [(false, 200), (true, 400)] {
        let (plan, inner) = (Arc::new(Faults::default()), Arc::new(MemoryStorage::default()));
        let vault = TestVault::over(Arc::new(FaultyStorage::new(inner.clone(), Arc::clone(&plan)))).await;
        let house = House::furnish(vault.furnished().await, ONE).await;
        let (ann, ben) = (house.login("ann").await, house.login("ben").await);
        let (wrapping, accessor) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
        house.authorize(&ben, 200, &accessor).await;
        if loses {
            plan.answers_to_lose.store(1, Ordering::SeqCst);
        } else {
            plan.commits_fail.store(true, Ordering::SeqCst);
        }
        let lost = house.unwrap(&ann, 503, &wrapping).await;
        assert!(!lost.to_string().contains("old"), "{lost}");
        plan.commits_fail.store(false, Ordering::SeqCst);
        let (keys, root) = (house.vault.keys.clone(), house.vault.root.clone());
        let mut again = TestVault::over(inner).await;
        (again.keys, again.root) = (keys, root);
        again.unseal().await;
        House { vault: again }.unwrap(&ann, released, &wrapping).await;
    }
}

#[tokio::test]
async fn a_no_ends_it_and_is_remembered() {
    let house = House::new(ONE).await;
    let (ann, ben, cat) = (house.login("ann").await, house.login("ben").await, house.login("cat").await);
    let (wrapping, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    let deny = format!("sys/requests/{id}/deny");
    house.vault.expect_as(&ben, 400, "POST", &deny, Some(json!({}))).await;
    house.vault.expect_as(&ann, 403, "POST", &deny, Some(json!({"reason": "x"}))).await;
    house.vault.expect_as(&ben, 204, "POST", &deny, Some(json!({"reason": "not on a Friday"}))).await;
    house.authorize(&cat, 400, &id).await;
    house.unwrap(&ann, 400, &wrapping).await;
    assert!(house.held(&ann, &id).await["how_it_ended"].as_str().unwrap().contains("not on a Friday"));
    let again = house.vault.expect_as(&ann, 429, "GET", "secret/data/prod/root", None).await;
    assert!(error(&again).contains("not on a Friday"), "{again}");
    house.vault.clock.advance_seconds(16 * 60);
    let (_, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    let earlier = &house.held(&cat, &id).await["shown"]["earlier_denial"];
    assert_eq!((&earlier["reason"], earlier["by"].is_string()), (&json!("not on a Friday"), true));
}

#[tokio::test]
async fn requests_are_remarked_on_taken_back_and_end_by_themselves() {
    let house = House::new(&format!("{ONE} ttl = \"1h\" reason_required = true")).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let why = house.vault.expect_as(&ann, 400, "GET", "secret/data/prod/root", None).await;
    assert!(error(&why).contains("X-Keyturn-Reason"), "{why}");
    let ask = || async {
        let request = Request::builder()
            .method(Method::GET)
            .uri("/v1/secret/data/prod/root")
            .header("x-vault-token", &ann)
            .header("x-keyturn-reason", "the database is down");
        let (status, held) = house.vault.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(status.as_u16(), 200, "{held}");
        held["wrap_info"]["accessor"].as_str().unwrap().to_owned()
    };
    let id = ask().await;
    let post = |token: &str, verb: &str, status: u16, body: Value| {
        let (path, token, house) = (format!("sys/requests/{id}/{verb}"), token.to_owned(), &house);
        async move { house.vault.expect_as(&token, status, "POST", &path, Some(body)).await }
    };
    post(&ben, "comment", 204, json!({"text": "which one?"})).await;
    post(&ann, "comment", 204, json!({"text": "the first"})).await;
    post(&ann, "comment", 400, json!({"text": " "})).await;
    let seen = house.held(&ben, &id).await;
    assert_eq!((&seen["reason"], seen["comments"].as_array().unwrap().len()), (&json!("the database is down"), 2));
    let waiting = house.vault.expect_as(&ben, 200, "GET", "sys/requests", None).await;
    assert_eq!(waiting["data"]["waiting"][0]["id"], json!(id));
    let asked = house.vault.expect_as(&ann, 200, "LIST", "sys/requests", None).await;
    assert_eq!(asked["data"]["asked"][0]["id"], json!(id));
    post(&ben, "cancel", 403, json!({})).await;
    post(&ann, "cancel", 204, json!({})).await;
    house.authorize(&ben, 400, &id).await;

    let id = ask().await;
    house.authorize(&ben, 200, &id).await;
    house.vault.clock.advance_seconds(3601);
    let ann = house.login("ann").await;
    let late = house.vault.expect_as(&ann, 400, "POST", &format!("sys/requests/{id}/redeem"), None).await;
    assert!(error(&late).contains("expired"), "{late}");
    let history = house.vault.expect_as(&ann, 200, "GET", "sys/requests", None).await;
    assert_eq!(history["data"]["history"].as_array().unwrap().len(), 2, "{history}");
}

#[tokio::test]
async fn different_people_fill_the_factors_of_a_rule_and_every_rule_is_met() {
    let both = "factor \"leads\" { identity { group_names = [\"leads\"] approvals = 1 } }\n\
                factor \"security\" { identity { group_names = [\"security\"] approvals = 1 } }";
    let house = House::new(ONE).await;
    let (cat, dan) = (house.entity("cat").await, house.entity("dan").await);
    let text =
        format!("{AGREE}path \"secret/data/prod/*\" {{ capabilities = [\"read\"]\n control_group = {{ {both} }} }}");
    let rule = json!({ "policy": text });
    let refused = house.vault.expect(400, "PUT", "sys/policies/acl/staff", Some(rule.clone())).await;
    assert!(error(&refused).contains("nobody can meet the factor"), "{refused}");
    house.group("security", &[&cat]).await;
    house.group("leads", &[&cat]).await;
    let refused = house.vault.expect(400, "PUT", "sys/policies/acl/staff", Some(rule.clone())).await;
    assert!(error(&refused).contains("more different people"), "{refused}");
    let ben = house.entity("ben").await;
    house.group("leads", &[&ben, &cat]).await;
    house.group("security", &[&cat, &dan]).await;
    house.vault.expect(204, "PUT", "sys/policies/acl/staff", Some(rule)).await;
    let (ann, ben, cat) = (house.login("ann").await, house.login("ben").await, house.login("cat").await);
    let (_, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    // Cat is in both groups and fills one place.
    assert_eq!(house.authorize(&cat, 200, &id).await["data"]["approved"], json!(false));
    assert_eq!(house.authorize(&ben, 200, &id).await["data"]["approved"], json!(true));
    let standing = house.held(&ann, &id).await["standing"].clone();
    assert_eq!(standing["rules"][0]["is_met"], json!(true), "{standing}");
    // A second policy with a rule of its own, at a more general path.
    let more = json!({"policy": "path \"secret/*\" { capabilities = [\"read\"]\n control_group = { factor \"x\" { \
        identity { group_names = [\"security\"] approvals = 1 } } } }"});
    house.vault.expect(204, "PUT", "sys/policies/acl/more", Some(more)).await;
    let user = json!({"token_policies": "staff,more"});
    house.vault.expect(204, "POST", "auth/userpass/users/ann", Some(user)).await;
    let ann = house.login("ann").await;
    let (_, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(house.held(&ann, &id).await["standing"]["rules"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn votes_of_people_in_training_are_kept_and_do_not_count() {
    let house = House::new(&format!("{ONE} training_group_names = [\"new\"]")).await;
    let dan = house.entity("dan").await;
    house.group("new", &[&dan]).await;
    let (ann, dan) = (house.login("ann").await, house.login("dan").await);
    let (wrapping, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(house.authorize(&dan, 200, &id).await["data"]["approved"], json!(false));
    house.unwrap(&ann, 400, &wrapping).await;
    assert_eq!(house.held(&ann, &id).await["votes"][0]["weight"], json!("training"));
    house.vault.expect_as(&dan, 403, "POST", &format!("sys/requests/{id}/deny"), Some(json!({"reason": "x"}))).await;
}

#[tokio::test]
async fn a_requester_without_a_name_or_with_too_much_open_is_refused() {
    let house = House::new(ONE).await;
    let nobody = house.vault.expect(200, "POST", "auth/token/create", Some(json!({"policies": ["staff"]}))).await;
    let nobody = nobody["auth"]["client_token"].as_str().unwrap();
    let refused = house.vault.expect_as(nobody, 403, "GET", "secret/data/prod/root", None).await;
    assert!(error(&refused).contains("log in"), "{refused}");
    let ann = house.login("ann").await;
    for number in 0..32 {
        house.ask(&ann, "GET", &format!("secret/data/prod/{number}"), None).await;
    }
    let refused = house.vault.expect_as(&ann, 429, "GET", "secret/data/prod/root", None).await;
    assert!(error(&refused).contains("32 requests open"), "{refused}");
    house.vault.clock.advance_seconds(25 * 3600);
    house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
}

#[tokio::test]
async fn the_longest_wait_is_a_setting() {
    let house = House::new(ONE).await;
    let config = "sys/config/control-group";
    assert_eq!(house.vault.expect(200, "GET", config, None).await["data"]["max_ttl"], json!(0));
    house.vault.expect(204, "PUT", config, Some(json!({"max_ttl": "10m"}))).await;
    assert_eq!(house.vault.expect(200, "GET", config, None).await["data"]["max_ttl"], json!(600));
    let ann = house.login("ann").await;
    let held = house.vault.expect_as(&ann, 200, "GET", "secret/data/prod/root", None).await;
    assert_eq!(held["wrap_info"]["ttl"], json!(600));
    house.vault.expect(204, "DELETE", config, None).await;
    assert_eq!(house.vault.expect(200, "GET", config, None).await["data"]["max_ttl"], json!(0));
    let token = held["wrap_info"]["token"].as_str().unwrap();
    house.vault.expect(400, "POST", "sys/wrapping/rewrap", Some(json!({ "token": token }))).await;
}
