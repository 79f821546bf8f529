//! The lone-wolf report over HTTP.

use serde_json::{Value, json};

use crate::house::House;
use crate::stewards::{in_service, write};

const TWO: &str = "factor \"leads\" { identity { group_names = [\"leads\"] approvals = 2 } }";

async fn report(house: &House, query: &str) -> Value {
    house.vault.expect(200, "GET", &format!("sys/reports/lone-wolf{query}"), None).await["data"].clone()
}

async fn write_policy(house: &House, name: &str, text: &str) {
    house.vault.expect(204, "PUT", &format!("sys/policies/acl/{name}"), Some(json!({ "policy": text }))).await;
}

#[tokio::test]
async fn a_policy_that_undoes_a_rule_is_found_until_it_is_tightened() {
    let house = House::new(TWO).await;
    let before = report(&house, "").await;
    assert_eq!(before["violations"], json!([]), "{before}");
    assert_eq!(before["protected"][0]["pattern"], json!("secret/data/prod/*"));
    assert_eq!(before["root_tokens"].as_array().unwrap().len(), 1);
    assert_eq!((&before["is_in_service"], &before["left_out"]), (&json!(false), &json!([])));
    let agreement = &before["only_one_left"]["agreements"][0];
    assert_eq!((&agreement["people"].as_array().unwrap().len(), &agreement["can_be_met"]), (&2, &json!(true)));

    write_policy(&house, "backup", "path \"secret/*\" { capabilities = [\"read\"] }").await;
    let made = json!({"policies": ["backup"], "display_name": "nightly", "no_default_policy": true});
    let made = house.vault.expect(200, "POST", "auth/token/create-orphan", Some(made)).await;
    let token = made["auth"]["client_token"].as_str().unwrap();
    // The report says what is so: the token reads alone what staff read only together.
    house.vault.expect_as(token, 200, "GET", "secret/data/prod/root", None).await;
    let found = report(&house, "").await;
    let violation = &found["violations"][0];
    let line = &violation["lines"][0];
    assert_eq!(violation["pattern"], json!("secret/data/prod/*"), "{found}");
    assert_eq!((&line["capabilities"], &line["granted_by"]), (&json!(["read"]), &json!(["backup"])));
    let who = json!({"kind": "token", "accessor": made["auth"]["accessor"], "display_name": "token-nightly"});
    assert_eq!((&line["who"], &line["who_count"]), (&json!([who]), &json!(1)));

    let tight =
        "path \"secret/*\" { capabilities = [\"read\"] }\npath \"secret/data/prod/*\" { capabilities = [\"deny\"] }";
    write_policy(&house, "backup", tight).await;
    house.vault.expect_as(token, 403, "GET", "secret/data/prod/root", None).await;
    assert_eq!(report(&house, "").await["violations"], json!([]));
    // What nobody protects is found where it is asked about.
    let asked = report(&house, "?path=secret&path=cubbyhole").await;
    let patterns: Vec<_> =
        asked["violations"].as_array().unwrap().iter().map(|violation| &violation["pattern"]).collect();
    assert_eq!(patterns, ["secret/*", "cubbyhole/*"]);
    house.vault.expect(400, "GET", "sys/reports/lone-wolf?path=a*b", None).await;
}

#[tokio::test]
async fn the_report_is_for_those_with_sudo() {
    let house = House::new(TWO).await;
    for (capabilities, status) in [("\"read\"", 403), ("\"read\", \"sudo\"", 200)] {
        let policy = format!("path \"sys/reports/*\" {{ capabilities = [{capabilities}] }}");
        let token = house.vault.token_with("auditor", &policy).await;
        house.vault.expect_as(&token, status, "GET", "sys/reports/lone-wolf", None).await;
    }
}

#[tokio::test]
async fn hundreds_of_tokens_are_one_line() {
    let house = House::new(TWO).await;
    write_policy(&house, "app", "path \"secret/data/app\" { capabilities = [\"read\"] }").await;
    for _ in 0..120 {
        house.vault.expect(200, "POST", "auth/token/create", Some(json!({"policies": ["app"]}))).await;
    }
    let found = report(&house, "").await;
    let alone = found["alone"].as_array().unwrap().iter().find(|alone| alone["pattern"] == json!("secret/data/app"));
    let lines = &alone.unwrap()["lines"];
    assert_eq!((&lines[0]["who_count"], lines[0]["who"].as_array().unwrap().len()), (&json!(120), 100));
}

#[tokio::test]
async fn in_service_no_token_gives_power_alone() {
    let (vault, people) = in_service().await;
    let all = "capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"]";
    let policy = json!({"policy": format!("path \"sys/*\" {{ {all} }}\npath \"identity/*\" {{ {all} }}")});
    write(&vault, &people, 1, "sys/policies/acl/admin", policy).await;
    write(&vault, &people, 2, "sys/auth/userpass", json!({"type": "userpass"})).await;
    let user = json!({"password": "correct horse", "token_policies": "admin"});
    write(&vault, &people, 3, "auth/userpass/users/ann", user).await;
    let login = Some(json!({"password": "correct horse"}));
    let answer = vault.expect_as("", 200, "POST", "auth/userpass/login/ann", login).await;
    let ann = answer["auth"]["client_token"].as_str().unwrap();
    let answer = vault.expect_as(ann, 200, "GET", "sys/reports/lone-wolf", None).await;
    let report = &answer["data"];
    assert_eq!((&report["is_in_service"], &report["root_tokens"]), (&json!(true), &json!([])));
    for act in report["acts_of_power"].as_array().unwrap() {
        let by_token = act["by_token"].as_array().unwrap();
        // Sealing takes power away, and is left to policies.
        assert_eq!(by_token.len(), usize::from(act["class"] == json!("seal")), "{act}");
        assert_eq!(act["by_signature"], json!([]), "{act}");
    }
    let agreements = report["only_one_left"]["agreements"].as_array().unwrap();
    assert!(agreements.iter().all(|agreement| agreement["can_be_met"] == json!(true)), "{report}");
}
