//! What an agreement is bound to, and which spellings of a path it holds back.

use serde_json::{Value, json};

use crate::house::{AGREE, House, ONE, error};

#[tokio::test]
async fn another_spelling_of_a_path_goes_around_no_rule() {
    let house = House::new(ONE).await;
    house.vault.expect(204, "POST", "sys/mounts/transit", Some(json!({"type": "transit"}))).await;
    house.vault.expect(200, "POST", "transit/keys/prod", None).await;
    let text = format!(
        "path \"transit/*\" {{ capabilities = [\"update\", \"read\"] }}\n\
         path \"transit/encrypt/prod\" {{ capabilities = [\"update\"]\n control_group = {{ {ONE} }} }}\n\
         path \"transit/keys/prod\" {{ capabilities = [\"deny\"] }}"
    );
    house.vault.expect(204, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": text }))).await;
    let (ann, plain) = (house.login("ann").await, Some(json!({"plaintext": "aGk="})));
    house.ask(&ann, "POST", "transit/encrypt/prod", plain.clone()).await;
    // It waits, or else is not there.
    let (_, answer) =
        house.vault.call("POST", "transit/encrypt/prod/", &ann, plain.map(|body| body.to_string()).as_deref()).await;
    assert_eq!(answer["data"]["ciphertext"], Value::Null, "{answer}");
    house.vault.expect_as(&ann, 403, "GET", "transit/keys/prod", None).await;
    house.vault.expect_as(&ann, 404, "GET", "transit/keys/prod/", None).await;
    house.vault.expect(200, "GET", "sys/mounts/transit/", None).await;
}

/// A house whose people may do much, if a lead agrees.
async fn with_much() -> House {
    let house = House::new(ONE).await;
    let rules = ["sys/policies/*", "sys/remount", "sys/audit/*", "secret/*"].map(|path| {
        format!(
            "path \"{path}\" {{ capabilities = [\"create\", \"update\", \"read\", \"delete\", \"list\", \"sudo\"]\n\
             control_group = {{ {ONE} }} }}\n"
        )
    });
    let text = format!("{AGREE}{}", rules.concat());
    house.vault.expect(204, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": text }))).await;
    house
}

#[tokio::test]
async fn an_agreement_is_bound_also_to_what_lies_in_no_row_that_is_read() {
    let house = with_much().await;
    let (ann, ben, root) = (house.login("ann").await, house.login("ben").await, &house.vault);
    let policy = |text: &str| Some(json!({ "policy": format!("path \"{text}\" {{ capabilities = [\"read\"] }}") }));
    root.expect(204, "PUT", "sys/policies/acl/other", policy("a")).await;
    let mount = Some(json!({"type": "kv"}));
    root.expect(204, "POST", "sys/mounts/one", mount.clone()).await;
    let file = |house: &House, name: &str| {
        let path = house.vault.audit_path.with_file_name(name);
        Some(json!({"type": "file", "options": {"file_path": path.to_str().unwrap()}}))
    };
    root.expect(204, "PUT", "sys/audit/copy", file(&house, "one")).await;
    let moves = Some(json!({"from": "one", "to": "two"}));
    let cases = [
        ("GET", "sys/policies/acl/other", None),
        ("LIST", "secret/metadata/prod", None),
        ("POST", "sys/remount", moves),
        ("DELETE", "sys/audit/copy", None),
    ];
    let mut asked = Vec::new();
    for (method, path, body) in &cases {
        let (wrapping, id) = house.ask(&ann, method, path, body.clone()).await;
        house.authorize(&ben, 200, &id).await;
        // One that is used before anything changes.
        if *method == "GET" || *method == "LIST" {
            let (early, id) = house.ask(&ann, method, path, body.clone()).await;
            house.authorize(&ben, 200, &id).await;
            house.unwrap(&ann, 200, &early).await;
        }
        asked.push((method, path, wrapping));
    }
    root.expect(204, "PUT", "sys/policies/acl/other", policy("b")).await;
    root.expect(200, "POST", "secret/data/prod/more", Some(json!({"data": {"a": "b"}}))).await;
    root.expect(204, "DELETE", "sys/mounts/one", None).await;
    root.expect(204, "POST", "sys/mounts/one", mount).await;
    root.expect(204, "DELETE", "sys/audit/copy", None).await;
    root.expect(204, "PUT", "sys/audit/copy", file(&house, "two")).await;
    let mut missed = Vec::new();
    for (method, path, wrapping) in asked {
        let body = Some(json!({ "token": wrapping }).to_string());
        let (status, answer) = root.call("POST", "sys/wrapping/unwrap", &ann, body.as_deref()).await;
        if status != 400 || !error(&answer).contains("has changed") {
            missed.push(format!("{method} {path}: {status} {answer}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test]
async fn who_learns_does_not_count_whatever_groups_they_are_in() {
    let house = House::new(&format!("{ONE} training_group_names = [\"new\"]")).await;
    house.group("new", &[&house.entity("cat").await]).await;
    let (ann, cat) = (house.login("ann").await, house.login("cat").await);
    let (wrapping, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(house.authorize(&cat, 200, &id).await["data"]["approved"], json!(false));
    house.unwrap(&ann, 400, &wrapping).await;
    house.authorize(&house.login("ben").await, 200, &id).await;
    // Who begins to learn after their vote counts no more.
    let (wrapping, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    let ben = house.login("ben").await;
    assert_eq!(house.authorize(&ben, 200, &id).await["data"]["approved"], json!(true));
    house.group("new", &[&house.entity("cat").await, &house.entity("ben").await]).await;
    house.unwrap(&ann, 400, &wrapping).await;
}

#[tokio::test]
async fn nothing_is_done_to_a_file_before_people_agree() {
    let house = with_much().await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let path = house.vault.audit_path.with_file_name("made-by-one");
    let body = json!({"type": "file", "options": {"file_path": path.to_str().unwrap()}});
    let (wrapping, id) = house.ask(&ann, "PUT", "sys/audit/copy", Some(body)).await;
    assert!(!path.exists());
    house.authorize(&ben, 200, &id).await;
    assert!(!path.exists());
    house.unwrap(&ann, 204, &wrapping).await;
    assert!(path.exists());
}

#[tokio::test]
async fn votes_beyond_the_last_one_make_nothing_again() {
    let house = House::new(ONE).await;
    let root = &house.vault;
    root.expect(204, "POST", "sys/auth/approle", Some(json!({"type": "approle"}))).await;
    root.expect(204, "POST", "auth/approle/role/app", Some(json!({"token_policies": "default"}))).await;
    let text = format!(
        "{AGREE}path \"auth/approle/role/app/secret-id\" {{ capabilities = [\"update\"]\n\
         control_group = {{ {ONE}\n uses = 5\n applies = \"approved\" }} }}"
    );
    root.expect(204, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": text }))).await;
    let (ann, ben, cat) = (house.login("ann").await, house.login("ben").await, house.login("cat").await);
    let (_, id) = house.ask(&ann, "POST", "auth/approle/role/app/secret-id", None).await;
    for voter in [&ben, &ben, &cat] {
        house.authorize(voter, 200, &id).await;
        assert_eq!(house.held(&ann, &id).await["uses_left"], json!(4));
    }
    root.expect_as(&ann, 200, "POST", &format!("sys/requests/{id}/redeem"), None).await;
    assert_eq!(house.held(&ann, &id).await["uses_left"], json!(3));
}

#[tokio::test]
async fn what_cannot_be_looked_at_does_not_wait() {
    let house = with_much().await;
    let ann = house.login("ann").await;
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let body = format!("{{\"policy\": \"path \\\"a\\\" {{ capabilities = [\\\"read\\\"] }}\", \"x\": {deep}}}");
    let (status, answer) = house.vault.call("PUT", "sys/policies/acl/app", &ann, Some(&body)).await;
    assert!(status == 400 && error(&answer).contains("nested too deeply"), "{status} {answer}");
    let mut many: serde_json::Map<_, _> = (0..256).map(|n| (format!("a{n}"), json!(n))).collect();
    many.insert("policy".to_owned(), json!("path \"a\" { capabilities = [\"read\"] }"));
    let (status, answer) =
        house.vault.call("PUT", "sys/policies/acl/app", &ann, Some(&Value::Object(many).to_string())).await;
    assert!(status == 400 && error(&answer).contains("256 fields at most"), "{status} {answer}");
}
