//! `lookup`, `lookup-self` and `lookup-accessor`.

use rand_core::CryptoRng;
use serde_json::{Value, json};

use super::{Call, Step, Subject};
use crate::auth::policies_of;
use crate::identity;
use crate::reply::Reply;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

pub(super) fn presented(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    describe(call, &super::presented(call, view)?, view)
}

pub(super) fn own(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    describe(call, &super::own(call)?, view)
}

pub(super) fn by_accessor(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    describe(call, &super::by_accessor(call, view)?, view)
}

fn describe(call: &Call<'_>, subject: &Subject, view: &mut View) -> Result<Step, Interrupt> {
    let token = &subject.token;
    // After a merge the token acts for another entity than it was made for; of one that is gone only the id is left.
    let entity = match token.entity {
        Some(id) => identity::find(call.names, id, view)?,
        None => None,
    };
    let entity_id = entity.as_ref().map(|entity| entity.id).or(token.entity);
    let ttl = token.expires_at.map_or(0, |end| call.now.until(end).0);
    let mut data = json!({
        "accessor": token.accessor,
        "creation_time": token.created_at.unix_seconds(),
        "creation_ttl": token.creation_ttl.0,
        "display_name": token.display_name,
        "entity_id": entity_id.map_or_else(String::new, |id| id.to_string()),
        "expire_time": token.expires_at.map(|end| end.to_string()),
        "explicit_max_ttl": token.explicit_max_ttl.0,
        "id": subject.text.as_ref().map_or("", SecretText::expose),
        "issue_time": token.created_at.to_string(),
        "meta": Some(&token.metadata).filter(|metadata| !metadata.is_empty()),
        "num_uses": token.uses_left.unwrap_or(0),
        "orphan": token.parent.is_none(),
        "path": token.path,
        "policies": token.policies,
        "renewable": token.renewable,
        "ttl": ttl,
        "type": token.kind.word(),
    });
    if let Value::Object(fields) = &mut data {
        let brought = entity.map(|entity| policies_of(&entity, call.tables)).unwrap_or_default();
        if !brought.is_empty() {
            fields.insert("identity_policies".to_owned(), json!(brought));
            fields.insert("external_namespace_policies".to_owned(), json!({}));
        }
        if !token.period.is_zero() {
            fields.insert("period".to_owned(), token.period.0.into());
        }
        if let Some(role) = &token.role {
            fields.insert("role".to_owned(), role.as_str().into());
        }
        if !token.bound_cidrs.is_empty() {
            fields.insert("bound_cidrs".to_owned(), json!(token.bound_cidrs));
        }
        if let Some(at) = token.last_renewed_at {
            fields.insert("last_renewal".to_owned(), at.to_string().into());
            fields.insert("last_renewal_time".to_owned(), at.unix_seconds().into());
        }
    }
    Ok(Step::answer(Reply::data(&data)?))
}
