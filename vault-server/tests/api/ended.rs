//! What stays of requests that have ended, and how many.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{AGREE, House, ONE, error};

const PATH: &str = "secret/data/prod/root";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn secret() -> Option<Value> {
    Some(json!({"data": {"password": "new"}, "options": {"note": "what approvers see"}}))
}

impl House {
    /// Tells whether anything is shown of what a request would change.
    async fn shows(&self, token: &str, id: &str) -> bool {
        let held = self.held(token, id).await;
        let shown = &held["shown"];
        assert!(shown["fields"].is_array(), "clients read this of ended requests too: {held}");
        *shown != json!({"fields": [], "body": null, "earlier_denial": null}) || held["salt"] != Value::Null
    }

    async fn has(&self, token: &str, id: &str) -> bool {
        let (status, answer) = self.vault.call("GET", &format!("sys/requests/{id}"), token, None).await;
        assert!(status == 200 || error(&answer).contains("no request with this accessor"), "{status} {answer}");
        status == 200
    }

    async fn sweeps(&self) -> usize {
        let log = self.vault.audit();
        log.iter().filter(|line| line["what"] == json!("end-requests")).count()
    }

    /// Has the vault keep its house, and waits until it has looked after requests.
    async fn sweep(&self) {
        // A sweep that runs already may have read the clock before; the one after it has not.
        for _ in 0..2 {
            let before = self.sweeps().await;
            self.vault.expect(200, "POST", "auth/token/tidy", None).await;
            let sweeps = async {
                while self.sweeps().await == before {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), sweeps).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_shown_to_approvers_goes_when_a_request_ends() {
    let house = House::new(ONE).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let digest = |held: &Value| json!({"digest": held["digest"], "reason": "no"});
    let mut asked = Vec::new();
    for end in ["stale", "denied", "cancelled", "released"] {
        let (wrapping, id) = house.ask(&ann, "POST", &format!("secret/data/prod/{end}"), secret()).await;
        let held = house.held(&ben, &id).await;
        assert!(house.shows(&ben, &id).await, "{held}");
        if end != "denied" && end != "cancelled" {
            house.authorize(&ben, 200, &id).await;
        }
        let path = |what: &str| format!("sys/requests/{id}/{what}");
        match end {
            "denied" => drop(house.vault.expect_as(&ben, 204, "POST", &path("deny"), Some(digest(&held))).await),
            "cancelled" => drop(house.vault.expect_as(&ann, 204, "POST", &path("cancel"), None).await),
            "released" => drop(house.unwrap(&ann, 200, &wrapping).await),
            _ => {
                house.vault.expect(200, "POST", "secret/data/prod/stale", secret()).await;
                assert!(error(&house.unwrap(&ann, 400, &wrapping).await).contains("has changed"));
            }
        }
        asked.push((end, id));
    }
    for (end, id) in asked {
        let held = house.held(&ben, &id).await;
        assert_eq!(held["state"], json!(end), "{held}");
        assert!(!house.shows(&ben, &id).await, "{end}: {held}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_opens_nothing_again() {
    let house = House::new(ONE).await;
    let (wrapping, id) = house.ask(&house.login("ann").await, "POST", PATH, secret()).await;
    house.vault.clock.advance_seconds(25 * HOUR);
    house.sweep().await;
    house.vault.clock.advance_seconds(-25 * HOUR);
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let held = house.held(&ben, &id).await;
    assert_eq!(held["state"], json!("expired"), "{held}");
    assert!(held["how_it_ended"].as_str().unwrap().contains("its time was up"), "{held}");
    assert!(!house.shows(&ben, &id).await);
    assert!(error(&house.authorize(&ben, 400, &id).await).contains("expired"));
    house.unwrap(&ann, 400, &wrapping).await;
}

#[tokio::test]
async fn of_requests_that_have_ended_only_the_last_ones_of_each_requester_are_kept() {
    let house = House::new(ONE).await;
    let (ann, cat) = (house.login("ann").await, house.login("cat").await);
    let (_, open) = house.ask(&ann, "GET", PATH, None).await;
    let (_, others) = house.ask(&cat, "GET", PATH, None).await;
    house.vault.expect_as(&cat, 204, "POST", &format!("sys/requests/{others}/cancel"), None).await;
    let mut ended = Vec::new();
    for _ in 0..105 {
        let (_, id) = house.ask(&ann, "GET", PATH, None).await;
        house.vault.expect_as(&ann, 204, "POST", &format!("sys/requests/{id}/cancel"), None).await;
        ended.push(id);
    }
    for (at, id) in ended.iter().enumerate() {
        assert_eq!(house.has(&ann, id).await, at >= 5, "{at}");
    }
    assert_eq!(house.held(&ann, &open).await["state"], json!("open"));
    assert!(house.has(&cat, &others).await, "what ann does is nothing to what others asked for");
}

#[tokio::test]
async fn what_ended_long_ago_is_removed_and_what_is_open_stays() {
    let house = House::new(ONE).await;
    let text = format!(
        "{AGREE}path \"secret/data/prod/*\" {{ capabilities = [\"read\"]\n control_group = {{ {ONE} ttl = \"720h\" }} }}"
    );
    house.vault.expect(204, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": text }))).await;
    let ann = house.login("ann").await;
    let (_, cancelled) = house.ask(&ann, "GET", PATH, None).await;
    house.vault.expect_as(&ann, 204, "POST", &format!("sys/requests/{cancelled}/cancel"), None).await;
    house.vault.clock.advance_seconds(29 * DAY);
    let ann = house.login("ann").await;
    let (_, open) = house.ask(&ann, "GET", PATH, None).await;
    house.sweep().await;
    assert!(house.has(&ann, &cancelled).await && house.has(&ann, &open).await);
    house.vault.clock.advance_seconds(DAY);
    house.sweep().await;
    let ann = house.login("ann").await;
    assert!(!house.has(&ann, &cancelled).await, "30 days have passed");
    assert_eq!(house.held(&ann, &open).await["state"], json!("open"));
}

#[tokio::test]
async fn how_far_a_request_has_come_is_told_to_those_whom_it_concerns() {
    let house = House::new(ONE).await;
    let (ann, ben, dan) = (house.login("ann").await, house.login("ben").await, house.login("dan").await);
    let (_, id) = house.ask(&ann, "GET", PATH, None).await;
    let body = || Some(json!({ "accessor": id }));
    for token in [&ann, &ben] {
        house.vault.expect_as(token, 200, "POST", "sys/control-group/request", body()).await;
    }
    let refused = house.vault.expect_as(&dan, 400, "POST", "sys/control-group/request", body()).await;
    let unknown = Some(json!({"accessor": "none"}));
    let nothing = house.vault.expect_as(&dan, 400, "POST", "sys/control-group/request", unknown).await;
    assert_eq!(refused["errors"], nothing["errors"], "nor does he learn that it is there");
}

#[tokio::test]
async fn requests_of_many_people_are_listed() {
    // Each of their entities was fetched in a round of its own, of which a request has 256.
    let house = House::new(ONE).await;
    let role = json!({"allowed_entity_aliases": "p*", "allowed_policies": "staff", "orphan": true});
    house.vault.expect(204, "POST", "auth/token/roles/many", Some(role)).await;
    for number in 0..270 {
        let body = json!({"entity_alias": format!("p{number}"), "policies": ["staff"]});
        let made = house.vault.expect(200, "POST", "auth/token/create/many", Some(body)).await;
        house.ask(made["auth"]["client_token"].as_str().unwrap(), "GET", PATH, None).await;
    }
    let listed = house.vault.expect_as(&house.login("ben").await, 200, "LIST", "sys/requests", None).await;
    assert_eq!(listed["data"]["waiting"].as_array().unwrap().len(), 270);
}
