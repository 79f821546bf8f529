//! `oidc/auth_url` and `oidc/callback`: the authorization code flow (OpenID Connect Core 1.0 section 3.1) with PKCE
//! (RFC 7636). Between the two calls a row holds what was agreed; it is taken out with the first callback, whatever
//! becomes of that.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::super::roles;
use super::claims::{Expected, admit};
use super::config::{self, Config, Source};
use super::keys::{AGE_SECONDS, Discovery, denied, unfit, verify};
use super::role::{self, Role, RoleType};
use crate::auth::login::{Login, check_address, grant};
use crate::engines::{Call, Change, Step};
use crate::mounts::Mount;
use crate::names::{Folder, Names};
use crate::question::{Answer, HttpQuestion, Question};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::{SecretBytes, SecretText};
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

const STATE_VERSION: u8 = 1;

/// How long somebody may take at the provider's web pages.
const STATE_TTL: Span = Span(300);

/// Most logins under way at one mount, since strangers can begin them: a further one pushes the oldest out.
const STATES_MAX: usize = 2_000;

/// Most rows that one call removes because their time is over.
const EXPIRED_MAX: usize = 64;

/// Bytes drawn for a state, a nonce and a PKCE verifier each.
const DRAWN_BYTES: usize = 32;

/// Longest state, code and client nonce that are looked at.
const TEXT_LENGTH_BYTES_MAX: usize = 4_096;

/// The status of an answer with content.
const OK: u16 = 200;

/// What was agreed when a login began.
#[derive(Serialize, Deserialize)]
struct State {
    role: String,
    redirect_uri: String,
    client_nonce: String,
    nonce: String,
    #[serde(serialize_with = "roles::store_secret")]
    verifier: SecretText,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Begin {
    role: Option<String>,
    redirect_uri: Option<String>,
    client_nonce: Option<String>,
}

/// What comes back, in the query of a GET or the body of a POST.
#[derive(Deserialize, Default)]
struct Back {
    state: Option<SecretText>,
    code: Option<SecretText>,
    id_token: Option<SecretText>,
    client_nonce: Option<SecretText>,
}

/// What a token endpoint answers.
#[derive(Deserialize)]
struct Tokens {
    id_token: SecretText,
}

/// Finds the folder of the logins under way.
pub(super) fn folder(mount: &Mount, names: &Names) -> Folder {
    mount.folder(names, "states")
}

/// Answers with the address that a browser is to visit. Unknown roles and redirects have one answer.
pub(super) fn auth_url(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Begin = call.request.parse()?;
    let redirect_uri = ask.redirect_uri.filter(|uri| !uri.is_empty());
    let redirect_uri = redirect_uri.ok_or_else(|| Refusal::invalid("missing redirect_uri"))?;
    let client_nonce = ask.client_nonce.unwrap_or_default();
    if redirect_uri.len().max(client_nonce.len()) > TEXT_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("at most {TEXT_LENGTH_BYTES_MAX} bytes for each field")).into());
    }
    let (config, name, role) = settings(call, ask.role, view).map_err(unknown)?;
    if !role.allowed_redirect_uris.iter().any(|allowed| same_redirect(allowed, &redirect_uri)) {
        return Err(unknown(denied(format!("the role {name:?} does not allow {redirect_uri:?}")).into()));
    }
    check_address(call, &role.tokens.bound_cidrs).map_err(|refusal| unknown(refusal.into()))?;
    let provider = provider(&config, view).map_err(unknown)?;
    let endpoint = provider.authorization_endpoint.ok_or_else(|| denied("the provider has no authorization endpoint"));
    let endpoint = endpoint.map_err(|refusal| unknown(refusal.into()))?;
    let mut changes = removals(call, view)?;

    let expires_at = call.now.after(STATE_TTL);
    let text = format!("st_{:010}_{}", expires_at.unix_seconds(), draw(rng));
    let state = State {
        role: name,
        redirect_uri,
        client_nonce,
        nonce: draw(rng),
        verifier: SecretText::new(draw(rng)),
        expires_at,
    };
    let url = address(&endpoint, &config, &role, &state, &text);
    let slot = call.names.entry(&folder(call.mount, call.names), &text);
    changes.push(Change::Put { slot, payload: record_format::encode(STATE_VERSION, &state)? });
    Ok(Step::commit(Reply::data(&json!({ "auth_url": url }))?, changes))
}

/// Finds the settings, and the role that is asked for.
fn settings(call: &Call<'_>, role: Option<String>, view: &mut View) -> Result<(Config, String, Role), Interrupt> {
    let config = config::load(call, view)?.ok_or_else(|| denied("the auth method has no settings"))?;
    let name = roles::chosen(role, &config.default_role)?;
    let role = role::load(call, &name, view)?.ok_or_else(|| denied(format!("there is no role {name:?}")))?;
    if role.role_type != RoleType::Oidc {
        return Err(denied(format!("the role {name:?} is for logins by token")).into());
    }
    Ok((config, name, role))
}

/// Turns every refusal into the one that says nothing about what exists.
fn unknown(interrupt: Interrupt) -> Interrupt {
    match interrupt {
        Interrupt::Fetch => Interrupt::Fetch,
        Interrupt::Refuse(refusal) => {
            let text = "no such login: check role and redirect_uri";
            Refusal::invalid(text).with_private(refusal.private.unwrap_or(refusal.public)).into()
        }
    }
}

/// Asks the provider for its description.
fn provider(config: &Config, view: &mut View) -> Result<Discovery, Interrupt> {
    match &config.source {
        Source::Discovery { url, authorities } if !config.client_id.is_empty() => {
            Discovery::ask(url, authorities, AGE_SECONDS, view)
        }
        _ => Err(denied("the auth method has no provider, or is no client of it").into()),
    }
}

/// Gives the changes that remove logins whose time is over, and the oldest one if there are too many. A state begins
/// with its end, so the list is in that order.
fn removals(call: &Call<'_>, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let folder = folder(call.mount, call.names);
    let states = view.list(&folder)?;
    let now = format!("st_{:010}_", call.now.unix_seconds());
    let expired = states.iter().take_while(|state| **state < now).count().min(EXPIRED_MAX);
    let too_many = usize::from(states.len() >= STATES_MAX + expired);
    let leaving = states.iter().take(expired + too_many);
    Ok(leaving.map(|state| Change::Delete { slot: call.names.entry(&folder, state) }).collect())
}

fn draw(rng: &mut dyn CryptoRng) -> String {
    let mut bytes = [0; DRAWN_BYTES];
    rng.fill_bytes(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

/// Puts the address of the provider's web page together.
fn address(endpoint: &str, config: &Config, role: &Role, state: &State, text: &str) -> String {
    let mut scopes = vec!["openid"];
    scopes.extend(role.oidc_scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(state.verifier.expose()));
    let mut pairs = vec![
        ("client_id", config.client_id.clone()),
        ("response_type", "code".to_owned()),
        ("redirect_uri", state.redirect_uri.clone()),
        ("scope", scopes.join(" ")),
        ("state", text.to_owned()),
        ("nonce", state.nonce.clone()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
    ];
    if role.max_age_seconds > 0 {
        pairs.push(("max_age", role.max_age_seconds.to_string()));
    }
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{separator}{}", form(&pairs))
}

/// Writes pairs as `application/x-www-form-urlencoded`.
fn form<T: AsRef<str>>(pairs: &[(&str, T)]) -> String {
    let pair = |(name, value): &(&str, T)| format!("{name}={}", percent_encoded(value.as_ref()));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Encodes everything but the unreserved characters of RFC 3986.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    encoded
}

/// Tells whether a redirect is the allowed one. Where that leads back to the machine of the person, any port will do,
/// since programs listen at whichever is free (RFC 8252 section 7.3).
fn same_redirect(allowed: &str, asked: &str) -> bool {
    allowed == asked || loopback(allowed).is_some_and(|parts| Some(parts) == loopback(asked))
}

/// Splits an address at the loopback into its host and what follows the port.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["localhost", "127.0.0.1", "[::1]"].into_iter().find(|host| rest.starts_with(host))?;
    let after = rest.strip_prefix(host)?;
    let after = match after.strip_prefix(':') {
        Some(port) => {
            let after = port.trim_start_matches(|c: char| c.is_ascii_digit());
            (1..=5).contains(&(port.len() - after.len())).then_some(after)?
        }
        None => after,
    };
    (after.is_empty() || after.starts_with(['/', '?'])).then_some((host, after))
}

/// Takes somebody back from the provider.
pub(super) fn callback(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    taken_back(call, view, rng).map_err(unfit)
}

fn taken_back(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let back = back(call)?;
    let text = back.state.as_ref().map(SecretText::expose).unwrap_or_default();
    if text.is_empty() || text.len() > TEXT_LENGTH_BYTES_MAX {
        return Err(denied("the state is missing or too long").into());
    }
    let slot = call.names.entry(&folder(call.mount, call.names), text);
    let row = view.entry(&slot)?.ok_or_else(|| denied("there is no such state: it is made up, used, or too old"))?;
    let state: State = record_format::decode(STATE_VERSION, &row.payload)?;
    let spent = || vec![Change::Delete { slot: slot.clone() }];
    let step = match finish(call, &back, &state, view) {
        Ok(login) => grant(call, login, spent(), view, rng),
        Err(interrupt) => Err(interrupt),
    };
    match step.map_err(unfit) {
        Err(Interrupt::Refuse(refusal)) => Ok(Step::refuse(refusal, spent())),
        outcome => outcome,
    }
}

fn back(call: &Call<'_>) -> Result<Back, Refusal> {
    let mut back: Back = call.request.parse()?;
    let fields = [
        ("state", &mut back.state),
        ("code", &mut back.code),
        ("id_token", &mut back.id_token),
        ("client_nonce", &mut back.client_nonce),
    ];
    for (name, field) in fields {
        if field.is_none() {
            *field = call.request.parameter(name).map(|value| SecretText::new(value.to_owned()));
        }
    }
    Ok(back)
}

/// Finds out who came back, if everything fits.
fn finish(call: &Call<'_>, back: &Back, state: &State, view: &mut View) -> Result<Login, Interrupt> {
    if state.expires_at <= call.now {
        return Err(denied("the login took too long").into());
    }
    let client_nonce = back.client_nonce.as_ref().map(SecretText::expose).unwrap_or_default();
    if !bool::from(client_nonce.as_bytes().ct_eq(state.client_nonce.as_bytes())) {
        return Err(denied("the client nonce is another one than at the beginning").into());
    }
    if back.id_token.as_ref().is_some_and(|token| !token.is_empty()) {
        return Err(denied("tokens are taken from the provider itself only, not from the browser").into());
    }
    let code = back.code.as_ref().filter(|code| !code.is_empty() && code.expose().len() <= TEXT_LENGTH_BYTES_MAX);
    let code = code.ok_or_else(|| denied("the code is missing or too long"))?;
    let (config, name, role) = settings(call, Some(state.role.clone()), view)?;
    if !role.allowed_redirect_uris.iter().any(|allowed| same_redirect(allowed, &state.redirect_uri)) {
        return Err(denied("the role does not allow the redirect any more").into());
    }
    check_address(call, &role.tokens.bound_cidrs)?;
    let token = exchange(&config, code, state, view)?;
    let (claims, issuer) = verify(&config, token.expose(), view)?;
    let expected = Expected { issuer, client_id: Some(&config.client_id), nonce: Some(&state.nonce) };
    Ok(admit(&claims, role, &name, &expected, call.now)?)
}

/// Changes a code into the provider's statement of who the person is.
fn exchange(config: &Config, code: &SecretText, state: &State, view: &mut View) -> Result<SecretText, Interrupt> {
    let provider = provider(config, view)?;
    let authorities = match &config.source {
        Source::Discovery { authorities, .. } | Source::KeySet { authorities, .. } => authorities.clone(),
        Source::Static(_) => String::new(),
    };
    let url = provider.token_endpoint.ok_or_else(|| denied("the provider has no token endpoint"))?;
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", &state.redirect_uri),
        ("code_verifier", state.verifier.expose()),
    ];
    let methods = provider.token_endpoint_auth_methods_supported;
    // Without a list the provider takes the header (OpenID Connect Discovery 1.0 section 3).
    let by_header = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
    let secret = config.client_secret.expose();
    let authorization = by_header.then(|| {
        let [id, secret] = [config.client_id.as_str(), secret].map(percent_encoded);
        SecretText::new(format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes())))
    });
    if !by_header {
        pairs.extend([("client_id", config.client_id.as_str()), ("client_secret", secret)]);
    }
    let body = SecretBytes::new(form(&pairs).into_bytes());
    let body = Some(("application/x-www-form-urlencoded", body));
    let question = HttpQuestion { url, authorities, authorization, body, age_seconds_max: 0 };
    match view.ask(Question::Http(question))? {
        Answer::Http { status: OK, body } => {
            let found: Result<Tokens, _> = serde_json::from_slice(body.expose());
            Ok(found.map(|tokens| tokens.id_token).map_err(|_| denied("the token endpoint gives no id_token"))?)
        }
        Answer::Http { status, .. } => Err(denied(format!("the token endpoint answers with status {status}")).into()),
        Answer::Failed(reason) => Err(denied(format!("token endpoint: {reason}")).into()),
        _ => Err(Refusal::internal("something else answers an HTTP question").into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_port_of_the_loopback_may_differ() {
        let allowed = "http://localhost:8250/oidc/callback";
        for same in ["http://localhost:1/oidc/callback", "http://localhost/oidc/callback", allowed] {
            assert!(same_redirect(allowed, same), "{same}");
        }
        let others = [
            "http://localhost:8250/oidc/callback/",
            "http://localhost:8250/oidc/callback?x",
            "https://localhost:8250/oidc/callback",
            "http://127.0.0.1:8250/oidc/callback",
            "http://localhost.evil.example:8250/oidc/callback",
            "http://localhost:8250@evil.example/oidc/callback",
            "http://localhost:@evil.example/oidc/callback",
            "http://localhost:/oidc/callback",
            "http://localhost:123456/oidc/callback",
            "http://LOCALHOST:8250/oidc/callback",
        ];
        for other in others {
            assert!(!same_redirect(allowed, other), "{other}");
        }
        assert!(!same_redirect("https://vault.example:1/x", "https://vault.example:2/x"));
    }

    proptest! {
        #[test]
        fn a_redirect_that_is_let_through_leads_to_the_same_host(port in "[0-9:@./a-z]{0,12}", rest in "[/?@a-z.]{0,12}") {
            let asked = format!("http://127.0.0.1{port}{rest}");
            if same_redirect("http://127.0.0.1:8250/cb", &asked) {
                let digits: String = asked.trim_start_matches("http://127.0.0.1").trim_start_matches(':').to_owned();
                prop_assert!(digits.trim_start_matches(|c: char| c.is_ascii_digit()) == "/cb", "{}", asked);
            }
        }

        #[test]
        fn encoding_leaves_only_unreserved_characters(text in ".{0,40}") {
            prop_assert!(percent_encoded(&text).bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        }
    }
}
