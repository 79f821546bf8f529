//! `sys/metrics`, as Prometheus and as stock clients ask for it.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::TestVault;

/// Scrapes as Prometheus does: with a bearer token.
async fn scrape(vault: &TestVault, token: &str) -> (StatusCode, String) {
    let request = Request::get("/v1/sys/metrics?format=prometheus").header("authorization", format!("Bearer {token}"));
    let request = request.header("accept", "application/openmetrics-text; version=1.0.0, text/plain;q=0.5");
    let (status, body) = vault.send_raw(request.body(Body::empty()).unwrap()).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} in\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn prometheus_reads_metrics_that_count_what_happens() {
    let vault = TestVault::ready().await;
    let token = vault.token_with("metrics", "path \"sys/metrics\" { capabilities = [\"read\"] }").await;
    let (status, before) = scrape(&vault, &token).await;
    assert_eq!(status, StatusCode::OK);
    for line in before.lines() {
        let known = line == "# EOF" || ["# HELP ", "# TYPE ", "# UNIT "].iter().any(|start| line.starts_with(start));
        let sample = || line.rsplit_once(' ').is_some_and(|(_, number)| number.parse::<f64>().is_ok());
        assert!(known || sample(), "{line}");
    }
    assert!(before.ends_with("# EOF\n"));

    vault.expect(204, "POST", "sys/policies/acl/a", Some(json!({"policy": "path \"a\" {}"}))).await;
    vault.expect_as(&token, 403, "GET", "sys/policies/acl/a", None).await;
    vault.expect(404, "GET", "cubbyhole/nothing", None).await;
    let (_, after) = scrape(&vault, &token).await;
    let grown = |series: &str| value(&after, series) - value(&before, series);
    assert_eq!(grown("keyturn_requests_total{operation=\"write\",outcome=\"answered\"}"), 1.0);
    assert_eq!(grown("keyturn_requests_total{operation=\"read\",outcome=\"denied\"}"), 1.0);
    assert_eq!(grown("keyturn_requests_total{operation=\"read\",outcome=\"refused\"}"), 1.0);
    assert_eq!(grown("keyturn_storage_commits_total{outcome=\"committed\"}"), 1.0);
    assert!(grown("keyturn_audit_records_total") >= 4.0 && grown("keyturn_audit_sync_duration_seconds_count") >= 4.0);
    assert!(grown("keyturn_storage_revision") == 1.0);
    assert!(!after.contains("cubbyhole") && !after.contains(&token), "a name or a token among the metrics");
}

#[tokio::test]
async fn metrics_come_in_vaults_form_too_and_only_to_those_who_may() {
    let vault = TestVault::ready().await;
    let json = vault.expect(200, "GET", "sys/metrics", None).await;
    for list in ["Gauges", "Counters", "Samples", "Points"] {
        assert!(json[list].is_array(), "{list} in {json}");
    }
    let counters = json["Counters"].as_array().unwrap();
    let answered = |counter: &&Value| counter["Labels"] == json!({"operation": "write", "outcome": "answered"});
    let requests = counters.iter().filter(|counter| counter["Name"] == "keyturn_requests").find(answered).unwrap();
    assert!(requests["Count"].as_u64().is_some());
    vault.expect(400, "GET", "sys/metrics?format=xml", None).await;

    let nobody = vault.token_with("other", "path \"cubbyhole/*\" { capabilities = [\"read\"] }").await;
    vault.expect_as(&nobody, 403, "GET", "sys/metrics", None).await;
    vault.expect(204, "POST", "sys/seal", None).await;
    assert_eq!(scrape(&vault, &vault.root).await.0, StatusCode::SERVICE_UNAVAILABLE);
}
