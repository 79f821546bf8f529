//! `login`: lets the cluster say whose token it is (TokenReview, `authentication.k8s.io/v1`).

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use super::super::roles;
use super::config::{self, Config};
use super::role::{self, AliasSource, Role};
use crate::auth::login::{Login, check_address, grant};
use crate::engines::{Call, Step};
use crate::glob;
use crate::jose::TOKEN_LENGTH_BYTES_MAX;
use crate::question::{Answer, HttpQuestion, Question};
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};
use crate::view::{Interrupt, View};

/// The statuses of an answer with a review in it.
const REVIEWED: [u16; 2] = [200, 201];

/// What every service account is called before its namespace and name.
const ACCOUNT_PREFIX: &str = "system:serviceaccount:";

#[derive(Deserialize)]
struct Ask {
    role: Option<String>,
    jwt: Option<SecretText>,
}

#[derive(Deserialize)]
struct Review {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    audiences: Vec<String>,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    uid: String,
}

/// A service account as the cluster names it.
struct Account {
    namespace: String,
    name: String,
    uid: String,
}

pub(super) fn login(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let token = ask.jwt.filter(|token| !token.is_empty()).ok_or_else(|| Refusal::invalid("missing jwt"))?;
    let name = roles::chosen(ask.role, "")?;
    let config = config::load(call, view)?.ok_or_else(|| denied("the auth method has no settings"))?;
    let role = role::load(call, &name, view)?.ok_or_else(|| denied(format!("there is no role {name:?}")))?;
    check_address(call, &role.tokens.bound_cidrs)?;
    let account = review(&config, &role, &token, view)?;
    if !glob::matches_any(&role.names, &account.name) {
        return Err(denied(format!("the role does not allow the service account {:?}", account.name)).into());
    }
    if !glob::matches_any(&role.namespaces, &account.namespace) {
        return Err(denied(format!("the role does not allow the namespace {:?}", account.namespace)).into());
    }
    grant(call, describe(account, role, &name), Vec::new(), view, rng)
}

/// Asks the cluster whose token it is.
fn review(config: &Config, role: &Role, token: &SecretText, view: &mut View) -> Result<Account, Interrupt> {
    let text = token.expose();
    // The token may go into a header: nothing in it may end one.
    if text.len() > TOKEN_LENGTH_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(denied("the token is too long, or no token").into());
    }
    let audiences: Vec<&str> =
        Some(role.audience.as_str()).filter(|audience| !audience.is_empty()).into_iter().collect();
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": { "token": text, "audiences": audiences },
    });
    let body = serde_json::to_vec(&body).map_err(|error| Refusal::internal(error.to_string()))?;
    let reviewer = if config.reviewer.is_empty() { text } else { config.reviewer.expose() };
    let question = HttpQuestion {
        url: format!("{}/apis/authentication.k8s.io/v1/tokenreviews", config.host),
        authorities: config.authorities.clone(),
        authorization: Some(SecretText::new(format!("Bearer {reviewer}"))),
        body: Some(("application/json", SecretBytes::new(body))),
        age_seconds_max: 0,
    };
    let review: Review = match view.ask(Question::Http(question))? {
        Answer::Http { status, body } if REVIEWED.contains(status) => {
            serde_json::from_slice(body.expose()).map_err(|_| denied("the cluster's answer is no review"))?
        }
        Answer::Http { status, .. } => return Err(denied(format!("the cluster answers with status {status}")).into()),
        Answer::Failed(reason) => return Err(denied(format!("the cluster: {reason}")).into()),
        _ => return Err(Refusal::internal("something else answers an HTTP question").into()),
    };
    Ok(believed(review.status, &role.audience)?)
}

/// Reads a review: whatever is not plainly affirmed is refused.
fn believed(status: Status, audience: &str) -> Result<Account, Refusal> {
    if !status.authenticated || !status.error.is_empty() {
        let error: String = status.error.chars().take(200).collect();
        return Err(denied(format!("the cluster does not know the token: {error}")));
    }
    // A cluster that does not look at audiences names none, and would pass a token that was made for somebody else.
    if !audience.is_empty() && !status.audiences.iter().any(|name| name == audience) {
        return Err(denied("the cluster does not affirm the audience"));
    }
    let user = status.user.ok_or_else(|| denied("the review names nobody"))?;
    let parts = user.username.strip_prefix(ACCOUNT_PREFIX).and_then(|rest| rest.split_once(':'));
    let (namespace, name) = parts.ok_or_else(|| denied("the token is of no service account"))?;
    if namespace.is_empty() || name.is_empty() || name.contains(':') || user.uid.is_empty() {
        return Err(denied("the review names no whole service account"));
    }
    Ok(Account { namespace: namespace.to_owned(), name: name.to_owned(), uid: user.uid })
}

fn describe(account: Account, role: Role, role_name: &str) -> Login {
    let Account { namespace, name, uid } = account;
    let alias_name = match role.alias_source {
        AliasSource::Uid => uid.clone(),
        AliasSource::Name => format!("{namespace}/{name}"),
    };
    let display_name = format!("{namespace}-{name}");
    let alias_metadata = BTreeMap::from([
        ("service_account_uid".to_owned(), uid),
        ("service_account_name".to_owned(), name),
        ("service_account_namespace".to_owned(), namespace),
        // Only tokens that live in a Secret have one, and clusters make none any more.
        ("service_account_secret_name".to_owned(), String::new()),
    ]);
    let mut metadata = alias_metadata.clone();
    metadata.insert("role".to_owned(), role_name.to_owned());
    Login {
        alias_name,
        alias_metadata,
        groups: None,
        display_name,
        metadata,
        role: Some(role_name.to_owned()),
        parameters: role.tokens,
        certificate: None,
        issued_by: None,
    }
}

fn denied(reason: impl Into<String>) -> Refusal {
    Refusal::denied().with_private(reason)
}
