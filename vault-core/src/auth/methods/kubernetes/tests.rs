//! Logins of service accounts, against a cluster of the test's own.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::Kubernetes;
use crate::auth::Sender;
use crate::auth::token::Token;
use crate::engines::test_store::{START, TestStore, data, mount};
use crate::engines::{Engine, Renewal};
use crate::mounts::Mount;
use crate::question::{Answer, HttpQuestion};
use crate::refusal::{Class, Refusal};
use crate::reply::{Grant, Reply};
use crate::request::Operation;
use crate::secret::SecretBytes;

fn method() -> Mount {
    mount("auth/kubernetes/", "kubernetes", "")
}

fn call(store: &mut TestStore, operation: Operation, path: &str, body: Value) -> Result<Reply, Refusal> {
    let text = (!body.is_null()).then(|| body.to_string());
    let request = store.request(operation, &format!("auth/kubernetes/{path}"), text.as_deref(), None);
    store.run(&Kubernetes, &method(), &Sender::Stranger, &request)
}

fn write(store: &mut TestStore, path: &str, body: Value) -> Result<Reply, Refusal> {
    call(store, Operation::Write, path, body)
}

/// The token names the status that the cluster of the test answers with, in hexadecimal.
fn cluster(question: &HttpQuestion) -> Answer {
    assert_eq!(question.url, "https://k8s.example/apis/authentication.k8s.io/v1/tokenreviews");
    let (kind, body) = question.body.as_ref().unwrap();
    let asked: Value = serde_json::from_slice(body.expose()).unwrap();
    assert_eq!((*kind, &asked["kind"]), ("application/json", &json!("TokenReview")));
    let token = asked["spec"]["token"].as_str().unwrap();
    REVIEWER.set(question.authorization.as_ref().unwrap().expose().replace(token, "itself"));
    let status = data_encoding::HEXLOWER.decode(token.as_bytes()).unwrap();
    let status: Value = serde_json::from_slice(&status).unwrap();
    if status == json!("down") {
        return Answer::Http { status: 500, body: SecretBytes::new(Vec::new()) };
    }
    let body = json!({"kind": "TokenReview", "spec": asked["spec"], "status": status}).to_string();
    Answer::Http { status: 201, body: SecretBytes::new(body.into_bytes()) }
}

thread_local! {
    /// What the last review was asked with, in this test.
    static REVIEWER: RefCell<String> = const { RefCell::new(String::new()) };
}

fn ready() -> TestStore {
    let mut store = TestStore::new();
    store.http = cluster;
    write(&mut store, "config", json!({"kubernetes_host": "https://k8s.example/"})).unwrap();
    let role = json!({"bound_service_account_names": "app-*", "bound_service_account_namespaces": ["prod", "test-*"],
        "audience": "vault", "token_policies": ["app"]});
    write(&mut store, "role/app", role).unwrap();
    store
}

fn affirmed() -> Value {
    json!({"authenticated": true, "audiences": ["vault"],
        "user": {"username": "system:serviceaccount:prod:app-1", "uid": "u-1", "groups": ["x"]}})
}

fn login(store: &mut TestStore, status: &Value) -> Result<Reply, Refusal> {
    let jwt = data_encoding::HEXLOWER.encode(status.to_string().as_bytes());
    write(store, "login", json!({"role": "App", "jwt": jwt}))
}

fn grant(outcome: Result<Reply, Refusal>) -> Grant {
    match outcome.unwrap_or_else(|refusal| panic!("{refusal:?}")) {
        Reply::Content(content) => content.auth.unwrap(),
        _ => panic!("no content"),
    }
}

#[test]
fn an_affirmed_account_gets_the_tokens_of_its_role() {
    let mut store = ready();
    let made = grant(login(&mut store, &affirmed()));
    assert_eq!(made.policies, ["app", "default"]);
    let expected = json!({"role": "app", "service_account_name": "app-1", "service_account_namespace": "prod",
        "service_account_secret_name": "", "service_account_uid": "u-1"});
    assert_eq!(json!(made.metadata), expected);
    assert_eq!(REVIEWER.take(), "Bearer itself");
    // The same account made anew is another entity, unless names count.
    let mut anew = affirmed();
    anew["user"]["uid"] = json!("u-2");
    assert_ne!(grant(login(&mut store, &anew)).entity, made.entity);
    write(&mut store, "role/app", json!({"alias_name_source": "serviceaccount_name"})).unwrap();
    let named = grant(login(&mut store, &affirmed())).entity;
    assert_eq!(grant(login(&mut store, &anew)).entity, named);
}

#[test]
fn whatever_the_cluster_does_not_plainly_affirm_is_refused() {
    let mut store = ready();
    let changes = [
        json!({"authenticated": false}),
        json!({"authenticated": null}),
        json!({"error": "token expired"}),
        json!({"audiences": []}),
        json!({"audiences": ["https://kubernetes.default.svc"]}),
        json!({"user": null}),
        json!({"user": {"username": "system:serviceaccount:prod:app-1"}}),
        json!({"user": {"username": "system:serviceaccount:dev:app-1", "uid": "u"}}),
        json!({"user": {"username": "system:serviceaccount:prod:other", "uid": "u"}}),
        json!({"user": {"username": "system:serviceaccount:prod:app-1:x", "uid": "u"}}),
        json!({"user": {"username": "system:serviceaccount::app-1", "uid": "u"}}),
        json!({"user": {"username": "system:node:prod:app-1", "uid": "u"}}),
        json!({"user": {"username": "x:system:serviceaccount:prod:app-1", "uid": "u"}}),
    ];
    for change in changes {
        let mut status = affirmed();
        status.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refusal = login(&mut store, &status).err().unwrap();
        assert_eq!((refusal.class, refusal.public.as_str()), (Class::Denied, "permission denied"), "{change}");
    }
    for status in [json!("down"), json!({}), json!([])] {
        assert_eq!(login(&mut store, &status).err().unwrap().class, Class::Denied, "{status}");
    }
    for (role, jwt) in [("app", "a b"), ("app", "a\r\nb"), ("no", "aa"), ("", "aa")] {
        let refusal = write(&mut store, "login", json!({"role": role, "jwt": jwt})).err().unwrap();
        assert_eq!((refusal.class, refusal.public.as_str()), (Class::Denied, "permission denied"), "{jwt:?}");
    }
    let long = "a".repeat(20_000);
    assert!(write(&mut store, "login", json!({"role": "app", "jwt": long})).is_err());
}

#[test]
fn settings_are_checked_and_the_reviewer_is_never_shown() {
    let mut store = ready();
    let config = json!({"kubernetes_host": "https://k8s.example", "token_reviewer_jwt": "reviewer-secret",
        "disable_local_ca_jwt": true, "disable_iss_validation": true});
    write(&mut store, "config", config).unwrap();
    let read = data(&call(&mut store, Operation::Read, "config", Value::Null).unwrap());
    assert_eq!(read["token_reviewer_jwt_set"], json!(true));
    assert!(!read.to_string().contains("reviewer-secret"));
    assert!(login(&mut store, &affirmed()).is_ok());
    assert_eq!(REVIEWER.take(), "Bearer reviewer-secret");
    let bad = [
        json!({}),
        json!({"kubernetes_host": "k8s.example"}),
        json!({"kubernetes_host": "https://a", "kubernetes_ca_cert": "no certificate"}),
        json!({"kubernetes_host": "https://a", "pem_keys": ["x"]}),
        json!({"kubernetes_host": "https://a", "issuer": "x"}),
        json!({"kubernetes_host": "https://a", "disable_iss_validation": false}),
    ];
    for config in bad {
        assert_eq!(write(&mut store, "config", config.clone()).err().unwrap().class, Class::Invalid, "{config}");
    }
    let bad = [
        json!({}),
        json!({"bound_service_account_names": "a"}),
        json!({"bound_service_account_names": "*", "bound_service_account_namespaces": "*"}),
        json!({"bound_service_account_names": "**", "bound_service_account_namespaces": ["a", "*"]}),
        json!({"bound_service_account_names": "a", "bound_service_account_namespaces": "b", "alias_name_source": "x"}),
        json!({"bound_service_account_names": "a", "bound_service_account_namespace_selector": "{}"}),
    ];
    for role in bad {
        assert_eq!(write(&mut store, "role/b", role.clone()).err().unwrap().class, Class::Invalid, "{role}");
    }
}

#[test]
fn a_token_is_renewed_only_while_its_role_is_there() {
    let mut store = ready();
    let token = Token { role: Some("app".to_owned()), ..Token::new("a".to_owned(), Vec::new(), START) };
    let renewed = |store: &TestStore, token: &Token| {
        let request = store.request(Operation::Write, "auth/token/renew-self", None, None);
        let mount = method();
        store.read(|view| {
            let call = store.call(&Kubernetes, &mount, &Sender::Stranger, &request, "");
            Kubernetes.check_renewal(&Renewal { call: &call, mount: &mount, token }, view)
        })
    };
    assert!(renewed(&store, &token).is_ok());
    assert!(renewed(&store, &Token { role: None, ..token.clone() }).is_err());
    call(&mut store, Operation::Delete, "role/app", Value::Null).unwrap();
    assert!(renewed(&store, &token).is_err());
}
