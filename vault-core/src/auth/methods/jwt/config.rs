//! `config`: whose signatures count. Writing replaces all of it, as in Vault.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::roles::{self, checked_authorities, checked_url};
use super::keys::{self, Discovery};
use crate::engines::{Call, Change, Step};
use crate::field::Texts;
use crate::jose::{Algorithm, KEYS_MAX, VerificationKey};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

const CONFIG_VERSION: u8 = 1;

/// Where keys come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Source {
    /// The provider describes itself (OpenID Connect Discovery 1.0).
    Discovery {
        /// The provider's issuer, below which its description lies.
        url: String,
        /// The authorities to trust, in PEM; empty for those of the system.
        authorities: String,
    },
    /// A key set at an address.
    KeySet {
        /// The address.
        url: String,
        /// The authorities to trust, in PEM; empty for those of the system.
        authorities: String,
    },
    /// Public keys in PEM.
    Static(Vec<String>),
}

/// The settings of a mount.
#[derive(Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) source: Source,
    pub(super) bound_issuer: String,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) default_role: String,
    pub(super) client_id: String,
    #[serde(serialize_with = "roles::store_secret")]
    pub(super) client_secret: SecretText,
    pub(super) response_mode: String,
    pub(super) namespace_in_state: bool,
}

#[derive(Deserialize)]
struct Ask {
    oidc_discovery_url: Option<String>,
    oidc_discovery_ca_pem: Option<String>,
    oidc_client_id: Option<String>,
    oidc_client_secret: Option<SecretText>,
    oidc_response_mode: Option<String>,
    oidc_response_types: Option<Texts>,
    jwks_url: Option<String>,
    jwks_ca_pem: Option<String>,
    jwks_pairs: Option<Value>,
    jwt_validation_pubkeys: Option<PemTexts>,
    bound_issuer: Option<String>,
    jwt_supported_algs: Option<Texts>,
    default_role: Option<String>,
    provider_config: Option<Map<String, Value>>,
    namespace_in_state: Option<bool>,
    unsupported_critical_cert_extensions: Option<Texts>,
}

/// Keys as a list, or one after another in a text; commas part them in neither.
#[derive(Deserialize)]
#[serde(untagged)]
enum PemTexts {
    List(Vec<String>),
    One(String),
}

/// Reads the settings; `None` before anybody wrote them.
pub(super) fn load(call: &Call<'_>, view: &mut View) -> Result<Option<Config>, Interrupt> {
    let row = view.entry(&roles::settings_slot(call.mount, call.names))?;
    Ok(row.map(|row| record_format::decode(CONFIG_VERSION, &row.payload)).transpose()?)
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let config = load(call, view)?.ok_or_else(Refusal::missing)?;
    let none = (String::new(), String::new());
    let (discovery, key_set, pems) = match config.source {
        Source::Discovery { url, authorities } => ((url, authorities), none, Vec::new()),
        Source::KeySet { url, authorities } => (none, (url, authorities), Vec::new()),
        Source::Static(pems) => (none.clone(), none, pems),
    };
    let algorithms: Vec<&str> = config.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let data = json!({
        "oidc_discovery_url": discovery.0,
        "oidc_discovery_ca_pem": discovery.1,
        "oidc_client_id": config.client_id,
        "oidc_response_mode": config.response_mode,
        "oidc_response_types": if config.client_id.is_empty() { json!([]) } else { json!(["code"]) },
        "jwks_url": key_set.0,
        "jwks_ca_pem": key_set.1,
        "jwks_pairs": [],
        "jwt_validation_pubkeys": pems,
        "bound_issuer": config.bound_issuer,
        "jwt_supported_algs": algorithms,
        "default_role": config.default_role,
        "provider_config": {},
        "namespace_in_state": config.namespace_in_state,
        "unsupported_critical_cert_extensions": [],
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let config = checked(call.request.parse()?)?;
    try_out(&config.source, view)?;
    let slot = roles::settings_slot(call.mount, call.names);
    let payload = record_format::encode(CONFIG_VERSION, &config)?;
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot, payload }]))
}

/// Asks for the keys once, so that a mistake shows now and not at the first login.
fn try_out(source: &Source, view: &mut View) -> Result<(), Interrupt> {
    let outcome = match source {
        Source::Discovery { url, authorities } => Discovery::ask(url, authorities, 0, view)
            .and_then(|found| keys::key_set(&found.jwks_uri, authorities, 0, view))
            .map_err(|error| ("oidc_discovery_url", error)),
        Source::KeySet { url, authorities } => {
            keys::key_set(url, authorities, 0, view).map_err(|error| ("jwks_url", error))
        }
        Source::Static(_) => return Ok(()),
    };
    match outcome {
        Err((field, Interrupt::Refuse(refusal))) => {
            let reason = refusal.private.unwrap_or(refusal.public);
            Err(Refusal::invalid(format!("{field}: {reason}")).into())
        }
        Err((_, fetch @ Interrupt::Fetch)) => Err(fetch),
        Ok(_) => Ok(()),
    }
}

fn checked(ask: Ask) -> Result<Config, Refusal> {
    refuse_unsupported(&ask)?;
    let client_id = ask.oidc_client_id.unwrap_or_default();
    let client_secret = ask.oidc_client_secret.unwrap_or_else(|| SecretText::new(String::new()));
    if client_id.is_empty() != client_secret.is_empty() {
        return Err(Refusal::invalid("both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC"));
    }
    let authorities = |field, text: Option<String>| checked_authorities(field, text.unwrap_or_default());
    let discovery_authorities = authorities("oidc_discovery_ca_pem", ask.oidc_discovery_ca_pem)?;
    let key_set_authorities = authorities("jwks_ca_pem", ask.jwks_ca_pem)?;
    let discovery_url = checked_url("oidc_discovery_url", ask.oidc_discovery_url)?;
    let key_set_url = checked_url("jwks_url", ask.jwks_url)?;
    let pems = ask.jwt_validation_pubkeys.map(checked_keys).transpose()?.filter(|pems| !pems.is_empty());
    let source = match (discovery_url, key_set_url, pems) {
        (Some(url), None, None) => Source::Discovery { url, authorities: discovery_authorities },
        (None, Some(url), None) => Source::KeySet { url, authorities: key_set_authorities },
        (None, None, Some(pems)) => Source::Static(pems),
        _ => {
            let text = "exactly one of 'jwt_validation_pubkeys', 'jwks_url' and 'oidc_discovery_url' must be set";
            return Err(Refusal::invalid(text));
        }
    };
    if !client_id.is_empty() && !matches!(source, Source::Discovery { .. }) {
        return Err(Refusal::invalid("'oidc_discovery_url' must be set for OIDC"));
    }
    Ok(Config {
        source,
        bound_issuer: ask.bound_issuer.unwrap_or_default(),
        algorithms: checked_algorithms(ask.jwt_supported_algs)?,
        default_role: ask.default_role.unwrap_or_default().to_lowercase(),
        client_id,
        client_secret,
        response_mode: ask.oidc_response_mode.unwrap_or_default(),
        namespace_in_state: ask.namespace_in_state.unwrap_or(true),
    })
}

fn refuse_unsupported(ask: &Ask) -> Result<(), Refusal> {
    let listed = |texts: &Option<Texts>| texts.clone().map(Texts::into_list).unwrap_or_default();
    let pairs = match &ask.jwks_pairs {
        None | Some(Value::Null) => false,
        Some(Value::Array(pairs)) => !pairs.is_empty(),
        Some(_) => true,
    };
    let refused = [
        (ask.provider_config.as_ref().is_some_and(|config| !config.is_empty()), "provider_config is not supported"),
        (pairs, "jwks_pairs is not supported: mount the method once for each issuer"),
        (
            !listed(&ask.unsupported_critical_cert_extensions).is_empty(),
            "unsupported_critical_cert_extensions is not supported: certificates with them are not trusted",
        ),
        (
            listed(&ask.oidc_response_types).iter().any(|kind| kind != "code"),
            "oidc_response_types: only 'code' is supported; the implicit flow shows tokens to the browser",
        ),
        (
            !matches!(ask.oidc_response_mode.as_deref(), None | Some("" | "query")),
            "oidc_response_mode: only 'query' is supported",
        ),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, text)) => Err(Refusal::invalid(text)),
        None => Ok(()),
    }
}

fn checked_algorithms(asked: Option<Texts>) -> Result<Vec<Algorithm>, Refusal> {
    let names = asked.map(Texts::into_list).unwrap_or_default();
    if names.is_empty() {
        return Ok(vec![Algorithm::Rs256]);
    }
    let find = |name: &String| {
        Algorithm::find(name).ok_or_else(|| Refusal::invalid(format!("jwt_supported_algs: {name:?} is not supported")))
    };
    let mut algorithms: Vec<Algorithm> = names.iter().map(find).collect::<Result<_, _>>()?;
    algorithms.sort_unstable_by_key(|algorithm| algorithm.name());
    algorithms.dedup();
    Ok(algorithms)
}

fn checked_keys(asked: PemTexts) -> Result<Vec<String>, Refusal> {
    let end = "-----END ";
    let texts = match asked {
        PemTexts::List(list) => list,
        PemTexts::One(text) => text
            .split_inclusive("-----BEGIN ")
            .map(|piece| piece.strip_suffix("-----BEGIN ").unwrap_or(piece))
            .filter(|piece| piece.contains(end))
            .map(|piece| format!("-----BEGIN {}", piece.trim().trim_end_matches(',')))
            .collect(),
    };
    let keys: Vec<String> =
        texts.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect();
    if keys.len() > KEYS_MAX {
        return Err(Refusal::invalid(format!("jwt_validation_pubkeys: at most {KEYS_MAX} keys")));
    }
    for (position, key) in keys.iter().enumerate() {
        VerificationKey::from_pem(key)
            .map_err(|error| Refusal::invalid(format!("jwt_validation_pubkeys: key {}: {error}", position + 1)))?;
    }
    Ok(keys)
}
