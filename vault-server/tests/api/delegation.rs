//! Votes that approvers hand on.

use serde_json::{Value, json};
use vault_core::approval::{DELEGATION_PAYLOAD_TYPE, Delegation};
use vault_core::envelope::Envelope;

use crate::house::{House, TWO, error};

#[tokio::test]
async fn a_vote_is_handed_on_within_its_bounds_and_taken_back() {
    let house = House::new(TWO).await;
    let (ann, ben, cat, dan) =
        (house.login("ann").await, house.login("ben").await, house.login("cat").await, house.login("dan").await);
    let seen = house.vault.expect_as("", 200, "GET", "sys/custody", None).await;
    let vault = seen["vault"].as_str().unwrap().replace('-', "");
    let (from, to) = (house.entity("ben").await, house.entity("dan").await);
    let document = |nonce: u8, paths: &[&str], uses: u32, seconds: i64| {
        let parties = (format!("entity/{from}"), format!("entity/{to}"));
        let mut given = Delegation::new(vault.clone(), None, format!("{nonce:02x}").repeat(16), parties);
        given.paths = paths.iter().map(|&path| path.to_owned()).collect();
        (given.uses, given.reason) = (uses, "on holiday".to_owned());
        given.expires_at_seconds = 1_800_000_000 + seconds;
        let envelope = Envelope::new(DELEGATION_PAYLOAD_TYPE, &serde_json::to_vec(&given).unwrap());
        json!({"envelope": serde_json::from_str::<Value>(&envelope.to_json()).unwrap()})
    };
    let give = |token: String, status: u16, body: Value| {
        let house = &house;
        async move { house.vault.expect_as(&token, status, "POST", "sys/delegations", Some(body)).await }
    };
    give(cat.clone(), 403, document(1, &["secret/*"], 1, 3600)).await;
    give(ben.clone(), 400, document(1, &["secret/*"], 1, 0)).await;
    give(ben.clone(), 400, document(1, &["secret/*"], 1, 31 * 86_400)).await;
    give(ben.clone(), 400, document(1, &["secret/*"], 0, 3600)).await;
    give(ben.clone(), 200, document(1, &["secret/data/prod/*"], 1, 7200)).await;
    let twice = give(ben.clone(), 400, document(1, &["secret/data/prod/*"], 1, 7200)).await;
    assert!(error(&twice).contains("given already"));

    let (wrapping, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(house.held(&dan, &id).await["your_part"], json!("delegate"));
    house.authorize(&dan, 200, &id).await;
    // His own vote and the one he handed on are one.
    assert_eq!(house.authorize(&ben, 200, &id).await["data"]["approved"], json!(false));
    assert_eq!(house.authorize(&cat, 200, &id).await["data"]["approved"], json!(true));
    let by = house.held(&ann, &id).await["standing"]["rules"][0]["factors"][0]["approved_by"].clone();
    assert_eq!(by.as_array().unwrap().len(), 2, "{by}");
    house.unwrap(&ann, 200, &wrapping).await;
    // Its one use is spent.
    let (_, id) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    house.authorize(&dan, 400, &id).await;
    // Another, which is taken back after it was used: the vote no longer counts.
    give(ben.clone(), 200, document(2, &["secret/data/prod/root"], 5, 7200)).await;
    house.authorize(&dan, 200, &id).await;
    assert_eq!(house.authorize(&cat, 200, &id).await["data"]["approved"], json!(true));
    let listed = house.vault.expect_as(&dan, 200, "GET", "sys/delegations", None).await;
    assert_eq!(listed["data"]["delegations"].as_array().unwrap().len(), 2);
    let path = format!("sys/delegations/{}", "02".repeat(16));
    house.vault.expect_as(&dan, 400, "DELETE", &path, None).await;
    house.vault.expect_as(&ben, 204, "DELETE", &path, None).await;
    let redeem = format!("sys/requests/{id}/redeem");
    let refused = house.vault.expect_as(&ann, 400, "POST", &redeem, None).await;
    assert!(error(&refused).contains("further approval"), "{refused}");
    // The giver's own request is nobody's to agree to in his name.
    give(ben.clone(), 200, document(3, &["secret/data/prod/root"], 5, 7200)).await;
    let (_, own) = house.ask(&ben, "GET", "secret/data/prod/root", None).await;
    house.authorize(&dan, 400, &own).await;
    house.authorize(&dan, 200, &id).await;
    house.vault.clock.advance_seconds(7201);
    let cat = house.login("cat").await;
    assert_eq!(house.authorize(&cat, 200, &id).await["data"]["approved"], json!(false), "it has ended");
}

#[tokio::test]
async fn nobody_takes_all_places_of_delegations() {
    let house = House::new(TWO).await;
    let (ben, cat) = (house.login("ben").await, house.login("cat").await);
    let seen = house.vault.expect_as("", 200, "GET", "sys/custody", None).await;
    let vault = seen["vault"].as_str().unwrap().replace('-', "");
    let (of_ben, of_cat, to) = (house.entity("ben").await, house.entity("cat").await, house.entity("dan").await);
    let document = |from: &str, nonce: u32| {
        let parties = (format!("entity/{from}"), format!("entity/{to}"));
        let mut given = Delegation::new(vault.clone(), None, format!("{nonce:032x}"), parties);
        given.paths = vec!["secret/*".to_owned()];
        (given.reason, given.expires_at_seconds) = ("on holiday".to_owned(), 1_800_003_600);
        let envelope = Envelope::new(DELEGATION_PAYLOAD_TYPE, &serde_json::to_vec(&given).unwrap());
        Some(json!({"envelope": serde_json::from_str::<Value>(&envelope.to_json()).unwrap()}))
    };
    for nonce in 0..32 {
        house.vault.expect_as(&ben, 200, "POST", "sys/delegations", document(&of_ben, nonce)).await;
    }
    let refused = house.vault.expect_as(&ben, 400, "POST", "sys/delegations", document(&of_ben, 32)).await;
    assert!(error(&refused).contains("you gave 32"), "{refused}");
    house.vault.expect_as(&cat, 200, "POST", "sys/delegations", document(&of_cat, 33)).await;
}
