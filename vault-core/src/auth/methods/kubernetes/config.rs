//! `config`: which cluster is asked. Writing replaces all of it, as in Vault.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::roles::{self, checked_authorities, checked_url};
use crate::engines::{Call, Change, Step};
use crate::field::Texts;
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

const CONFIG_VERSION: u8 = 1;

/// The settings of a mount.
#[derive(Serialize, Deserialize)]
pub(super) struct Config {
    /// The address of the cluster's API, without slash at the end.
    pub(super) host: String,
    /// The authorities to trust, in PEM; empty for those of the system.
    pub(super) authorities: String,
    /// The token that reviews; if empty, the token under review reviews itself.
    #[serde(serialize_with = "roles::store_secret")]
    pub(super) reviewer: SecretText,
    disable_local_ca_jwt: bool,
}

#[derive(Deserialize)]
struct Ask {
    kubernetes_host: Option<String>,
    kubernetes_ca_cert: Option<String>,
    token_reviewer_jwt: Option<SecretText>,
    disable_local_ca_jwt: Option<bool>,
    disable_iss_validation: Option<bool>,
    issuer: Option<String>,
    pem_keys: Option<Texts>,
    use_annotations_as_alias_metadata: Option<bool>,
}

/// Reads the settings; `None` before anybody wrote them.
pub(super) fn load(call: &Call<'_>, view: &mut View) -> Result<Option<Config>, Interrupt> {
    let row = view.entry(&roles::settings_slot(call.mount, call.names))?;
    Ok(row.map(|row| record_format::decode(CONFIG_VERSION, &row.payload)).transpose()?)
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let config = load(call, view)?.ok_or_else(Refusal::missing)?;
    let data = json!({
        "kubernetes_host": config.host,
        "kubernetes_ca_cert": config.authorities,
        "token_reviewer_jwt_set": !config.reviewer.is_empty(),
        "disable_local_ca_jwt": config.disable_local_ca_jwt,
        "disable_iss_validation": true,
        "issuer": "",
        "pem_keys": [],
        "use_annotations_as_alias_metadata": false,
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let refused = [
        (ask.disable_iss_validation == Some(false), "disable_iss_validation: the cluster checks the issuer of a token"),
        (ask.issuer.as_ref().is_some_and(|issuer| !issuer.is_empty()), "issuer: the cluster checks it"),
        (
            ask.pem_keys.is_some_and(|keys| !keys.into_list().is_empty()),
            "pem_keys is not supported: the cluster checks signatures; for keys of your own mount the method 'jwt'",
        ),
        (ask.use_annotations_as_alias_metadata == Some(true), "use_annotations_as_alias_metadata is not supported"),
    ];
    if let Some((_, text)) = refused.into_iter().find(|(refused, _)| *refused) {
        return Err(Refusal::invalid(text).into());
    }
    let host = checked_url("kubernetes_host", ask.kubernetes_host)?;
    let config = Config {
        host: host.ok_or_else(|| Refusal::invalid("no host provided"))?.trim_end_matches('/').to_owned(),
        authorities: checked_authorities("kubernetes_ca_cert", ask.kubernetes_ca_cert.unwrap_or_default())?,
        reviewer: ask.token_reviewer_jwt.unwrap_or_else(|| SecretText::new(String::new())),
        disable_local_ca_jwt: ask.disable_local_ca_jwt.unwrap_or(false),
    };
    let mut warnings = Vec::new();
    if config.authorities.is_empty() && !config.disable_local_ca_jwt {
        let text = "the files of a pod are never read: without kubernetes_ca_cert the authorities of the system count, \
                    and without token_reviewer_jwt each token reviews itself";
        warnings.push(text.to_owned());
    }
    let slot = roles::settings_slot(call.mount, call.names);
    let change = Change::Put { slot, payload: record_format::encode(CONFIG_VERSION, &config)? };
    let reply =
        if warnings.is_empty() { Reply::Empty } else { Reply::Content(Content { warnings, ..Content::default() }) };
    Ok(Step::commit(reply, vec![change]))
}
