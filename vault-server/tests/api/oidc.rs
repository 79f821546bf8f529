//! Logins by an identity provider and by a Kubernetes cluster, both real servers on the loopback.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use crate::support::TestVault;

const KEYS: &str = include_str!("../../../vault-core/tests/vectors/jose-keys.json");
/// The test's clock stands here.
const NOW: u64 = 1_800_000_000;
const CALLBACK: &str = "http://localhost:8250/oidc/callback";

/// A provider: its address, and the nonce of the person who is logging in there.
struct Provider {
    address: String,
    nonce: Mutex<String>,
}

fn key() -> Value {
    serde_json::from_str::<Value>(KEYS).unwrap()["keys"][0].clone()
}

fn sign(claims: &Value) -> String {
    let pair = RsaKeyPair::from_pkcs8(&BASE64.decode(key()["pkcs8"].as_str().unwrap().as_bytes()).unwrap()).unwrap();
    let [header, claims] = [json!({"alg": "RS256", "kid": "k"}), claims.clone()]
        .map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    let signed = format!("{header}.{claims}");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

async fn describe(State(provider): State<Arc<Provider>>) -> String {
    let address = &provider.address;
    json!({"issuer": address, "jwks_uri": format!("{address}/keys"), "token_endpoint": format!("{address}/token"),
        "authorization_endpoint": format!("{address}/auth")})
    .to_string()
}

async fn keys() -> String {
    let mut jwk = key()["jwk"].clone();
    jwk["kid"] = json!("k");
    json!({ "keys": [jwk] }).to_string()
}

async fn token(State(provider): State<Arc<Provider>>, body: String) -> String {
    assert!(body.contains("code=the-code&") && body.contains("&code_verifier="), "{body}");
    let nonce = provider.nonce.lock().unwrap().clone();
    let claims = json!({"iss": provider.address, "aud": "vault", "sub": "alice", "nonce": nonce, "iat": NOW,
        "exp": NOW + 60});
    json!({ "id_token": sign(&claims) }).to_string()
}

/// Affirms one token, as a cluster does.
async fn review(body: String) -> (http::StatusCode, String) {
    let asked: Value = serde_json::from_str(&body).unwrap();
    let known = asked["spec"]["token"] == "known";
    let user = json!({"username": "system:serviceaccount:prod:app", "uid": "u"});
    let status = json!({"authenticated": known, "user": user, "audiences": asked["spec"]["audiences"]});
    (http::StatusCode::CREATED, json!({ "status": status }).to_string())
}

async fn serve() -> Arc<Provider> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let provider = Arc::new(Provider { address, nonce: Mutex::new(String::new()) });
    let routes = Router::new()
        .route("/.well-known/openid-configuration", get(describe))
        .route("/keys", get(keys))
        .route("/token", post(token))
        .route("/apis/authentication.k8s.io/v1/tokenreviews", post(review))
        .with_state(Arc::clone(&provider));
    tokio::spawn(answer_all(listener, routes));
    provider
}

async fn answer_all(listener: tokio::net::TcpListener, routes: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(routes.clone());
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(hyper_util::rt::TokioIo::new(stream), service));
    }
}

async fn with_provider(kind: &str) -> (TestVault, Arc<Provider>) {
    let vault = TestVault::ready().await;
    let provider = serve().await;
    vault.expect(204, "POST", &format!("sys/auth/{kind}"), Some(json!({ "type": kind }))).await;
    let config = json!({"oidc_discovery_url": provider.address, "oidc_client_id": "vault",
        "oidc_client_secret": "hush", "default_role": "person"});
    vault.expect(204, "POST", &format!("auth/{kind}/config"), Some(config)).await;
    (vault, provider)
}

#[tokio::test]
async fn a_person_logs_in_at_the_provider_once() {
    let (vault, provider) = with_provider("oidc").await;
    let role = json!({"user_claim": "sub", "allowed_redirect_uris": CALLBACK});
    vault.expect(204, "POST", "auth/oidc/role/person", Some(role)).await;
    let ask = json!({"redirect_uri": CALLBACK, "client_nonce": "mine"});
    let begun = vault.expect_as("", 200, "POST", "auth/oidc/oidc/auth_url", Some(ask)).await;
    let url = begun["data"]["auth_url"].as_str().unwrap().to_owned();
    let value = |name: &str| {
        let mut pairs = url.split(['?', '&']).filter_map(|pair| pair.split_once('='));
        pairs.find(|(own, _)| *own == name).unwrap().1.to_owned()
    };
    *provider.nonce.lock().unwrap() = value("nonce");
    let path = format!("auth/oidc/oidc/callback?state={}&code=the-code&client_nonce=mine", value("state"));
    let made = vault.expect_as("", 200, "GET", &path, None).await;
    let client_token = made["auth"]["client_token"].as_str().unwrap();
    assert_eq!(made["auth"]["metadata"], json!({"role": "person"}));
    vault.expect_as(client_token, 200, "GET", "auth/token/lookup-self", None).await;
    vault.expect_as(client_token, 200, "POST", "auth/token/renew-self", None).await;
    vault.expect_as("", 400, "GET", &path, None).await;
    vault.expect(204, "DELETE", "auth/oidc/role/person", None).await;
    vault.expect_as(client_token, 403, "POST", "auth/token/renew-self", None).await;
    let log = format!("{:?}", vault.audit());
    assert!(!log.contains("the-code") && !log.contains("hush") && !log.contains(&value("state")));
}

#[tokio::test]
async fn a_token_of_the_provider_logs_in_and_a_forged_one_does_not() {
    let (vault, provider) = with_provider("jwt").await;
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"});
    vault.expect(204, "POST", "auth/jwt/role/app", Some(role)).await;
    let claims = json!({"iss": provider.address, "aud": "vault", "sub": "app", "exp": NOW + 60, "iat": NOW});
    let good = sign(&claims);
    let login = |jwt: &str| Some(json!({"role": "app", "jwt": jwt}));
    let made = vault.expect_as("", 200, "POST", "auth/jwt/login", login(&good)).await;
    assert_eq!(made["auth"]["policies"], json!(["default"]));
    let (head, tail) = good.split_at(good.len() - 20);
    let forged = format!("{head}{}", tail.chars().rev().collect::<String>());
    let refused = vault.expect_as("", 400, "POST", "auth/jwt/login", login(&forged)).await;
    assert_eq!(refused["errors"], json!(["error validating token"]));
    vault.clock.advance_seconds(121);
    vault.expect_as("", 400, "POST", "auth/jwt/login", login(&good)).await;
}

#[tokio::test]
async fn a_service_account_logs_in_when_the_cluster_affirms_it() {
    let vault = TestVault::ready().await;
    let cluster = serve().await;
    vault.expect(204, "POST", "sys/auth/kubernetes", Some(json!({"type": "kubernetes"}))).await;
    let config = json!({"kubernetes_host": cluster.address, "disable_local_ca_jwt": true});
    vault.expect(204, "POST", "auth/kubernetes/config", Some(config)).await;
    let role = json!({"bound_service_account_names": "app", "bound_service_account_namespaces": "prod",
        "audience": "vault"});
    vault.expect(204, "POST", "auth/kubernetes/role/app", Some(role)).await;
    let login = |jwt: &str| Some(json!({"role": "app", "jwt": jwt}));
    let made = vault.expect_as("", 200, "POST", "auth/kubernetes/login", login("known")).await;
    assert_eq!(made["auth"]["metadata"]["service_account_name"], json!("app"));
    vault.expect_as("", 403, "POST", "auth/kubernetes/login", login("unknown")).await;
}
