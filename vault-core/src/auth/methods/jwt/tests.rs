//! Logins with tokens and by way of a provider, against a provider of the test's own.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::super::roles;
use super::{JWT, OIDC, flow};
use crate::auth::Sender;
use crate::engines::test_store::{START, TestStore, data, mount};
use crate::jose::Algorithm;
use crate::jose::testkit::{jwk, jwks, pem, token};
use crate::mounts::Mount;
use crate::question::{Answer, HttpQuestion};
use crate::refusal::{Class, Refusal};
use crate::reply::{Grant, Reply};
use crate::request::Operation;
use crate::secret::SecretBytes;
use crate::time::Span;

const NOW: i64 = START.0 / 1_000_000_000;

fn method() -> Mount {
    mount("auth/jwt/", "jwt", "")
}

fn call(store: &mut TestStore, operation: Operation, path: &str, body: Value) -> Result<Reply, Refusal> {
    let text = (!body.is_null()).then(|| body.to_string());
    let request = store.request(operation, &format!("auth/jwt/{path}"), text.as_deref(), None);
    store.run(&JWT, &method(), &Sender::Stranger, &request)
}

fn write(store: &mut TestStore, path: &str, body: Value) -> Result<Reply, Refusal> {
    call(store, Operation::Write, path, body)
}

fn grant(outcome: Result<Reply, Refusal>) -> Grant {
    match outcome.unwrap_or_else(|refusal| panic!("{refusal:?}")) {
        Reply::Content(content) => content.auth.unwrap(),
        _ => panic!("no content"),
    }
}

/// Demands the one answer for whoever is not believed, and a reason for the log that says `reason`.
fn assert_denied(outcome: Result<Reply, Refusal>, reason: &str) {
    let Err(refusal) = outcome else { panic!("let in: {reason}") };
    assert_eq!((refusal.class, refusal.public.as_str()), (Class::Invalid, "error validating token"), "{refusal:?}");
    assert!(refusal.private.as_ref().is_some_and(|text| text.contains(reason)), "{reason}: {refusal:?}");
}

/// A mount with a static key, and a role `app` for tokens of the audience `vault`.
fn ready() -> TestStore {
    let mut store = TestStore::new();
    let config = json!({"jwt_validation_pubkeys": [pem("rsa")], "bound_issuer": "https://id.example"});
    write(&mut store, "config", config).unwrap();
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "token_policies": "app"});
    write(&mut store, "role/App", role).unwrap();
    store
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "sub": "alice", "aud": "vault", "exp": NOW + 60, "nbf": NOW, "iat": NOW})
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value == "gone" {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn login(store: &mut TestStore, claims: &Value) -> Result<Reply, Refusal> {
    let jwt = token("rsa", Algorithm::Rs256, "k", claims);
    write(store, "login", json!({"role": "app", "jwt": jwt}))
}

#[test]
fn a_good_token_gets_the_tokens_of_its_role() {
    let mut store = ready();
    let mapped = json!({"claim_mappings": {"/org/unit": "unit", "missing": "missing"}, "groups_claim": "groups"});
    write(&mut store, "role/app", mapped).unwrap();
    let grant = grant(login(&mut store, &with(json!({"org": {"unit": "x"}, "groups": ["a", "b"]}))));
    assert_eq!(grant.policies, ["app", "default"]);
    let metadata: Vec<_> = grant.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(metadata, [("role", "app"), ("unit", "x")]);
    assert!(grant.entity.is_some() && grant.renewable);
    let read = data(&call(&mut store, Operation::Read, "role/app", Value::Null).unwrap());
    assert_eq!((&read["role_type"], &read["groups_claim"]), (&json!("jwt"), &json!("groups")));
    let listed = data(&call(&mut store, Operation::List, "role", Value::Null).unwrap());
    assert_eq!(listed["keys"], json!(["app"]));
}

#[test]
fn times_are_checked_with_leeways_as_vault_has_them() {
    let mut store = ready();
    let good = [
        json!({"exp": NOW - 59}),
        json!({"nbf": NOW + 60, "iat": NOW + 60, "exp": NOW + 90}),
        json!({"exp": "gone", "nbf": "gone"}),
        json!({"exp": "gone", "iat": NOW - 209, "nbf": "gone"}),
        json!({"nbf": "gone", "iat": "gone", "exp": NOW + 200}),
        json!({"exp": NOW as f64 + 0.5}),
    ];
    for changes in good {
        assert!(login(&mut store, &with(changes.clone())).is_ok(), "{changes}");
    }
    let bad = [
        (json!({"exp": NOW - 60}), "expired"),
        (json!({"exp": "gone", "iat": NOW - 210, "nbf": "gone"}), "expired"),
        (json!({"nbf": NOW + 61}), "not valid yet"),
        (json!({"nbf": "gone", "iat": "gone", "exp": NOW + 211}), "not valid yet"),
        (json!({"iat": NOW + 61}), "issued in the future"),
        (json!({"exp": "gone", "nbf": "gone", "iat": "gone"}), "none of exp, nbf and iat"),
        (json!({"exp": 0, "nbf": null, "iat": "gone"}), "none of exp, nbf and iat"),
        (json!({"exp": "2030"}), "no time"),
        (json!({"exp": -1}), "no time"),
        (json!({"exp": 1e300}), "no time"),
        (json!({"nbf": [NOW]}), "no time"),
    ];
    for (changes, reason) in bad {
        assert_denied(login(&mut store, &with(changes)), reason);
    }
    write(&mut store, "role/app", json!({"clock_skew_leeway": -1, "expiration_leeway": "5s"})).unwrap();
    assert_denied(login(&mut store, &with(json!({"exp": NOW}))), "expired");
    assert_denied(login(&mut store, &with(json!({"exp": "gone", "iat": NOW - 5, "nbf": "gone"}))), "expired");
    assert!(login(&mut store, &with(json!({"exp": NOW + 1}))).is_ok());
}

#[test]
fn issuer_audience_subject_and_bound_claims_must_fit() {
    let mut store = ready();
    let role = json!({"bound_subject": "alice", "bound_claims": {"env": ["prod", "test"], "/a/b": 7, "ok": true}});
    write(&mut store, "role/app", role).unwrap();
    let fits = json!({"env": "prod", "a": {"b": [6, 7]}, "ok": true, "aud": ["x", "vault"]});
    let with_fits = |changes: Value| {
        let mut all = fits.clone();
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        with(all)
    };
    assert!(login(&mut store, &with_fits(json!({}))).is_ok());
    let bad = [
        (json!({"iss": "https://other.example"}), "another issuer"),
        (json!({"iss": "gone"}), "another issuer"),
        (json!({"aud": "other"}), "audience"),
        (json!({"aud": "gone"}), "audience"),
        (json!({"aud": []}), "audience"),
        (json!({"aud": {"vault": 1}}), "aud"),
        (json!({"sub": "bob"}), "another subject"),
        (json!({"sub": ["alice"]}), "another subject"),
        (json!({"env": "pro"}), "env"),
        (json!({"env": "gone"}), "env"),
        (json!({"env": []}), "env"),
        (json!({"ok": "true"}), "ok"),
        (json!({"a": {"b": "7"}}), "/a/b"),
    ];
    for (changes, reason) in bad {
        assert_denied(login(&mut store, &with_fits(changes)), reason);
    }
    let glob = json!({"bound_claims": {"env": "pr*"}, "bound_claims_type": "glob", "bound_audiences": []});
    write(&mut store, "role/app", glob).unwrap();
    assert!(login(&mut store, &with(json!({"env": "prod", "aud": "gone"}))).is_ok());
    assert_denied(login(&mut store, &with(json!({"env": "prod"}))), "audience");
    assert_denied(login(&mut store, &with(json!({"env": "dev", "aud": "gone"}))), "env");
}

#[test]
fn forged_tokens_unknown_roles_and_missing_claims_have_one_answer() {
    let mut store = ready();
    let mut wrong_key = |name, algorithm| {
        write(&mut store, "login", json!({"role": "app", "jwt": token(name, algorithm, "k", &claims())}))
    };
    assert_denied(wrong_key("rsa-other", Algorithm::Rs256), "signature");
    assert_denied(wrong_key("rsa", Algorithm::Rs512), "not in jwt_supported_algs");
    assert_denied(wrong_key("p256", Algorithm::Es256), "not in jwt_supported_algs");
    let jwt = token("rsa", Algorithm::Rs256, "k", &claims());
    assert_denied(write(&mut store, "login", json!({"role": "no", "jwt": jwt})), "no role");
    assert_denied(write(&mut store, "login", json!({"jwt": jwt})), "no role is named");
    assert_denied(write(&mut store, "login", json!({"role": "app", "jwt": "a.b.c"})), "no JSON Web Token");
    assert_denied(login(&mut store, &with(json!({"sub": "gone"}))), "sub");
    assert_denied(login(&mut store, &with(json!({"sub": ["a"]}))), "sub");
    write(&mut store, "role/app", json!({"groups_claim": "groups"})).unwrap();
    assert_denied(login(&mut store, &claims()), "groups");
    assert_denied(login(&mut store, &with(json!({"groups": [1]}))), "groups");
    let mut blank = TestStore::new();
    assert_denied(login(&mut blank, &claims()), "no settings");
    write(&mut store, "role/app", json!({"groups_claim": "", "token_bound_cidrs": "10.0.0.0/8"})).unwrap();
    assert_denied(login(&mut store, &claims()), "address");
}

#[test]
fn settings_that_make_no_sense_are_refused_and_secrets_never_shown() {
    let mut store = TestStore::new();
    let key = pem("rsa");
    let bad = [
        json!({}),
        json!({"jwt_validation_pubkeys": []}),
        json!({"jwt_validation_pubkeys": [key], "jwks_url": "https://a"}),
        json!({"jwt_validation_pubkeys": ["no key"]}),
        json!({"jwt_validation_pubkeys": [key], "jwt_supported_algs": "none"}),
        json!({"jwt_validation_pubkeys": [key], "jwt_supported_algs": ["RS256", "HS256"]}),
        json!({"jwt_validation_pubkeys": [key], "provider_config": {"provider": "azure"}}),
        json!({"jwt_validation_pubkeys": [key], "oidc_client_id": "a", "oidc_client_secret": "b"}),
        json!({"jwks_url": "ftp://a"}),
        json!({"jwks_url": "https://nobody.example/"}),
        json!({"oidc_discovery_url": "https://id.example", "oidc_client_id": "a"}),
        json!({"oidc_discovery_url": "https://id.example", "oidc_response_types": "id_token"}),
    ];
    for config in bad {
        assert_eq!(write(&mut store, "config", config.clone()).err().unwrap().class, Class::Invalid, "{config}");
    }
    let two = format!("{key}\n{}", pem("p256"));
    write(&mut store, "config", json!({"jwt_validation_pubkeys": two, "jwt_supported_algs": "RS256,ES256"})).unwrap();
    let read = data(&call(&mut store, Operation::Read, "config", Value::Null).unwrap());
    assert_eq!(read["jwt_validation_pubkeys"].as_array().unwrap().len(), 2);
    let roles = [
        json!({"role_type": "jwt", "user_claim": "sub"}),
        json!({"role_type": "jwt", "bound_subject": "a"}),
        json!({"role_type": "saml", "user_claim": "sub"}),
        json!({"user_claim": "sub"}),
        json!({"role_type": "jwt", "user_claim": "sub", "bound_claims": {"a": []}}),
        json!({"role_type": "jwt", "user_claim": "sub", "bound_claims": {"a": {"b": 1}}}),
        json!({"role_type": "jwt", "user_claim": "sub", "bound_claims": {"a": 1}, "bound_claims_type": "glob"}),
        json!({"role_type": "jwt", "user_claim": "sub", "bound_subject": "a", "claim_mappings": {"a": "role"}}),
        json!({"role_type": "jwt", "user_claim": "sub", "bound_subject": "a", "claim_mappings": {"a": "x", "b": "x"}}),
        json!({"role_type": "jwt", "user_claim": "sub", "bound_subject": "a", "verbose_oidc_logging": true}),
        json!({"role_type": "jwt", "user_claim": "sub", "bound_subject": "a", "clock_skew_leeway": "-x"}),
    ];
    for role in roles {
        assert_eq!(write(&mut store, "role/a", role.clone()).err().unwrap().class, Class::Invalid, "{role}");
    }
}

static ASKED: AtomicUsize = AtomicUsize::new(0);

fn found(body: Vec<u8>) -> Answer {
    Answer::Http { status: 200, body: SecretBytes::new(body) }
}

/// Keeps an old key set, and has a new one when it is asked again.
fn rotating(question: &HttpQuestion) -> Answer {
    ASKED.fetch_add(1, Ordering::SeqCst);
    let fresh = question.age_seconds_max < 60;
    found(jwks(&[if fresh { jwk("rsa", "new") } else { jwk("rsa-other", "old") }]))
}

#[test]
fn an_unknown_key_id_is_looked_for_once_more_and_a_wrong_signature_is_not() {
    let mut store = ready();
    store.http = rotating;
    write(&mut store, "config", json!({"jwks_url": "https://id.example/keys"})).unwrap();
    let mut asked = |id, name| {
        let before = ASKED.load(Ordering::SeqCst);
        let jwt = token(name, Algorithm::Rs256, id, &claims());
        let outcome = write(&mut store, "login", json!({"role": "app", "jwt": jwt}));
        (outcome, ASKED.load(Ordering::SeqCst) - before)
    };
    let (outcome, count) = asked("new", "rsa");
    assert_eq!((outcome.is_ok(), count), (true, 2));
    let (outcome, count) = asked("made-up", "rsa");
    assert_denied(outcome, "no key fits");
    assert_eq!(count, 2);
    let (outcome, count) = asked("old", "rsa");
    assert_denied(outcome, "signature");
    assert_eq!(count, 1);
}

thread_local! {
    /// What the provider answers as id token, in this test.
    static ID_TOKEN: RefCell<String> = const { RefCell::new(String::new()) };
    /// What its token endpoint was sent.
    static SENT: RefCell<String> = const { RefCell::new(String::new()) };
}

fn provider(question: &HttpQuestion) -> Answer {
    match question.url.strip_prefix("https://id.example/").unwrap() {
        ".well-known/openid-configuration" => found(
            json!({"issuer": "https://id.example/", "jwks_uri": "https://id.example/keys",
                "authorization_endpoint": "https://id.example/auth", "token_endpoint": "https://id.example/token"})
            .to_string()
            .into_bytes(),
        ),
        "keys" => found(jwks(&[jwk("rsa", "k")])),
        _ => {
            let (_, body) = question.body.as_ref().unwrap();
            let authorization = question.authorization.as_ref().unwrap().expose();
            SENT.set(format!("{authorization} {}", String::from_utf8_lossy(body.expose())));
            let token = ID_TOKEN.with_borrow(String::clone);
            found(json!({ "id_token": token, "access_token": "unused" }).to_string().into_bytes())
        }
    }
}

const CALLBACK: &str = "http://localhost:8250/oidc/callback";

fn with_provider() -> TestStore {
    let mut store = TestStore::new();
    store.http = provider;
    let config = json!({"oidc_discovery_url": "https://id.example/", "oidc_client_id": "vault",
        "oidc_client_secret": "hush hush", "default_role": "person"});
    write(&mut store, "config", config).unwrap();
    let read = call(&mut store, Operation::Read, "config", Value::Null).unwrap();
    assert!(!data(&read).to_string().contains("hush"));
    let role = json!({"user_claim": "email", "allowed_redirect_uris": CALLBACK, "oidc_scopes": "email"});
    write(&mut store, "role/person", role).unwrap();
    store
}

/// Begins a login; gives the state and the nonce that the browser takes to the provider.
fn begin(store: &mut TestStore) -> (String, String) {
    let body = json!({"redirect_uri": "http://localhost:9999/oidc/callback", "client_nonce": "mine"});
    let url = data(&write(store, "oidc/auth_url", body).unwrap())["auth_url"].as_str().unwrap().to_owned();
    let (page, query) = url.split_once('?').unwrap();
    assert_eq!(page, "https://id.example/auth");
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(own, _)| *own == name).unwrap().1.to_owned()
    };
    assert_eq!((value("scope").as_str(), value("code_challenge_method").as_str()), ("openid%20email", "S256"));
    assert_eq!(value("redirect_uri"), "http%3A%2F%2Flocalhost%3A9999%2Foidc%2Fcallback");
    (value("state"), value("nonce"))
}

fn finish(store: &mut TestStore, state: &str, claims: &Value) -> Result<Reply, Refusal> {
    ID_TOKEN.set(token("rsa", Algorithm::Rs256, "k", claims));
    let path = format!("oidc/callback?state={state}&code=c&client_nonce=mine");
    call(store, Operation::Read, &path, Value::Null)
}

fn id_claims(nonce: &str) -> Value {
    json!({"iss": "https://id.example/", "aud": "vault", "exp": NOW + 60, "iat": NOW, "nonce": nonce,
        "email": "alice@example"})
}

fn states(store: &TestStore) -> usize {
    store.names_in(&flow::folder(&method(), &store.names)).len()
}

#[test]
fn a_login_by_way_of_the_provider_works_once() {
    let mut store = with_provider();
    let (state, nonce) = begin(&mut store);
    assert_eq!(states(&store), 1);
    let made = grant(finish(&mut store, &state, &id_claims(&nonce)));
    assert_eq!(made.metadata["role"], "person");
    let sent = SENT.take();
    // RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
    assert!(sent.starts_with("Basic dmF1bHQ6aHVzaCUyMGh1c2g= grant_type=authorization_code&code=c&"), "{sent}");
    assert!(sent.contains("&code_verifier=") && !sent.contains("client_secret"), "{sent}");
    assert_eq!(states(&store), 0);
    assert_denied(finish(&mut store, &state, &id_claims(&nonce)), "no such state");
}

#[test]
fn whatever_does_not_fit_spends_the_state() {
    let mut store = with_provider();
    let (_, foreign_nonce) = begin(&mut store);
    let changed = |nonce: &str, changes: Value| {
        let mut claims = id_claims(nonce);
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    };
    let bad = [
        (json!({"nonce": foreign_nonce}), "another nonce"),
        (json!({"nonce": ""}), "another nonce"),
        (json!({"aud": "other"}), "another client"),
        (json!({"aud": ["vault", "other"]}), "several clients"),
        (json!({"azp": "other"}), "several clients"),
        (json!({"iss": "https://evil.example"}), "another issuer"),
        (json!({"exp": NOW - 100}), "expired"),
        (json!({"email": null}), "email"),
    ];
    for (changes, reason) in bad {
        let (state, nonce) = begin(&mut store);
        assert_denied(finish(&mut store, &state, &changed(&nonce, changes)), reason);
        assert_denied(finish(&mut store, &state, &id_claims(&nonce)), "no such state");
    }
    let (state, nonce) = begin(&mut store);
    let path = format!("oidc/callback?state={state}&code=c&client_nonce=theirs");
    assert_denied(call(&mut store, Operation::Read, &path, Value::Null), "client nonce");
    assert_denied(finish(&mut store, &state, &id_claims(&nonce)), "no such state");
    for other in ["", "st_1", "st_9999999999_AAAA"] {
        assert!(finish(&mut store, other, &id_claims(&nonce)).is_err());
    }
    let (state, _) = begin(&mut store);
    let body = json!({"state": state, "code": "c", "client_nonce": "mine", "id_token": "a.b.c"});
    assert_denied(write(&mut store, "oidc/callback", body), "from the provider itself");
    assert_eq!(states(&store), 1, "only the first login is still under way");
}

#[test]
fn a_state_ends_and_is_removed() {
    let mut store = with_provider();
    let (state, nonce) = begin(&mut store);
    store.now = START.after(Span(300));
    assert_denied(finish(&mut store, &state, &id_claims(&nonce)), "took too long");
    for _ in 0..3 {
        begin(&mut store);
    }
    store.now = START.after(Span(601));
    begin(&mut store);
    assert_eq!(states(&store), 1);
}

#[test]
fn a_login_begins_only_for_a_known_role_and_redirect() {
    let mut store = with_provider();
    let bad = [
        json!({"role": "no", "redirect_uri": CALLBACK}),
        json!({"redirect_uri": "http://localhost.evil.example:8250/oidc/callback"}),
        json!({"redirect_uri": "https://evil.example/oidc/callback"}),
    ];
    let answers: Vec<_> = bad.into_iter().map(|body| write(&mut store, "oidc/auth_url", body).err().unwrap()).collect();
    assert!(answers.iter().all(|refusal| refusal.public == answers[0].public && refusal.class == Class::Invalid));
    assert_eq!(states(&store), 0);
    let jwt = token("rsa", Algorithm::Rs256, "k", &id_claims("n"));
    assert_denied(write(&mut store, "login", json!({"role": "person", "jwt": jwt})), "by way of the provider");
}

#[test]
fn max_age_is_held_against_the_time_of_the_authentication() {
    let mut store = with_provider();
    write(&mut store, "role/person", json!({"max_age": 100})).unwrap();
    for (auth_time, good) in [(json!(NOW - 100), true), (json!(NOW - 161), false), (json!(null), false)] {
        let (state, nonce) = begin(&mut store);
        let mut claims = id_claims(&nonce);
        claims["auth_time"] = auth_time.clone();
        assert_eq!(finish(&mut store, &state, &claims).is_ok(), good, "{auth_time}");
    }
}

#[test]
fn both_kinds_keep_everything_in_folders_that_a_purge_finds() {
    use crate::engines::Engine;
    let mut store = with_provider();
    begin(&mut store);
    for engine in [&JWT, &OIDC] {
        let folders = engine.folders(&method(), &store.names);
        let inside: usize = folders.iter().map(|folder| store.names_in(folder).len()).sum();
        assert_eq!(inside, store.rows.len());
    }
    assert_eq!(roles::folder(&method(), &store.names), JWT.folders(&method(), &store.names)[1]);
}
