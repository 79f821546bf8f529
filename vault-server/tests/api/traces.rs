//! Traces of requests, as a collector gets them: stages and times, and nothing of what the vault holds.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use vault_server::config::TraceSettings;

use crate::notices::Listener;
use crate::support::TestVault;

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn settings(collector: &Listener) -> TraceSettings {
    TraceSettings { endpoint: collector.url.clone(), one_in: 1, authorization_file: None, ca: None }
}

/// Collects spans until the one of the caller's request has come with its stages.
async fn spans_of_caller(collector: &mut Listener, all: &mut Vec<Value>) -> Vec<Value> {
    loop {
        let posted = collector.next().await.body;
        let resource = posted.pointer("/resourceSpans/0/resource/attributes").unwrap();
        assert_eq!(resource[0], json!({"key": "service.name", "value": {"stringValue": "keyturn"}}));
        let spans = posted.pointer("/resourceSpans/0/scopeSpans/0/spans").unwrap().as_array().unwrap();
        let own: Vec<_> = spans.iter().filter(|span| span["traceId"] == json!(&CALLER[3..35])).cloned().collect();
        all.push(posted.clone());
        if !own.is_empty() {
            return own;
        }
    }
}

fn attributes(span: &Value) -> BTreeMap<String, String> {
    let listed = span["attributes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    listed.map(|one| (text(&one["key"]), text(&one["value"]["stringValue"]))).collect()
}

#[tokio::test]
async fn a_collector_gets_stages_and_times_and_nothing_that_tells() {
    let mut collector = Listener::start(&[200]).await;
    let vault = TestVault::traced(settings(&collector)).await;
    let body = json!({"data": {"password": "value-of-prod"}}).to_string();
    let request = Request::post("/v1/secret/data/path-of-prod")
        .header("x-vault-token", &vault.root)
        .header("x-keyturn-reason", "reason-of-prod")
        .header("traceparent", CALLER);
    assert_eq!(vault.send(request.body(Body::from(body)).unwrap()).await.0, StatusCode::OK);
    vault.expect_as("token-of-nobody", 403, "GET", "secret/data/path-of-prod", None).await;
    let mut all = Vec::new();
    let spans = spans_of_caller(&mut collector, &mut all).await;

    let (root, stages): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span["kind"] == json!(2));
    let root = root[0];
    assert_eq!((&root["name"], &root["parentSpanId"]), (&json!("write"), &json!(&CALLER[36..52])));
    let told = attributes(root);
    assert_eq!((told["keyturn.operation"].as_str(), told["keyturn.outcome"].as_str()), ("write", "answered"));
    let in_log = |line: &Value| line["id"] == json!(told["keyturn.request_id"]);
    assert!(vault.audit().iter().any(in_log), "the audit log knows the request by {told:?}");
    let names: Vec<_> = stages.iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["identify", "turn", "permit", "gate", "record", "decide", "commit"]);
    let time = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
    for stage in stages {
        assert_eq!(stage["parentSpanId"], root["spanId"]);
        assert!(time(stage, "startTimeUnixNano") >= time(root, "startTimeUnixNano"));
        assert!(time(stage, "endTimeUnixNano") <= time(root, "endTimeUnixNano"));
    }
    let text = serde_json::to_string(&all).unwrap();
    for secret in ["path-of-prod", "value-of-prod", "reason-of-prod", "token-of-nobody", "secret/", &vault.root] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_collector_that_takes_nothing_holds_nobody_up() {
    let mut collector = Listener::start(&[503, 200]).await;
    let vault = TestVault::traced(settings(&collector)).await;
    collector.next().await;
    vault.expect(404, "GET", "secret/data/a", None).await;
    collector.next().await;
    let seen = async {
        loop {
            let request = Request::get("/v1/sys/metrics?format=prometheus").header("x-vault-token", &vault.root);
            let (_, body) = vault.send_raw(request.body(Body::empty()).unwrap()).await;
            let text = String::from_utf8(body.to_vec()).unwrap();
            let count = |outcome: &str| {
                let series = format!("keyturn_traces_total{{outcome=\"{outcome}\"}} ");
                text.lines().find_map(|line| line.strip_prefix(&series)?.parse::<u64>().ok()).unwrap()
            };
            if count("failed") > 0 && count("sent") > 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), seen).await.unwrap();
}
