//! `users/`: who may log in, and with which password.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{USERNAME, name};
use crate::auth::parameters::{TokenAsk, TokenParameters};
use crate::engines::{Call, Change, Step, tree};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::question::{Answer, PasswordCost, PasswordHash, Question};
use crate::record_format;
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::secret::{SecretKey, SecretText};
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// Longest password; the hash takes any length, the bound keeps it from being asked for megabytes.
pub(super) const PASSWORD_LENGTH_BYTES_MAX: usize = 1024;

/// What is stored of a user.
#[derive(Serialize, Deserialize)]
pub(super) struct User {
    pub(super) password: Password,
    pub(super) parameters: TokenParameters,
}

/// What is stored of a password.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Password {
    pub(super) salt: [u8; 16],
    pub(super) hash: [u8; 32],
    #[zeroize(skip)]
    pub(super) cost: PasswordCost,
}

#[derive(Deserialize)]
struct Ask {
    password: Option<SecretText>,
    password_hash: Option<SecretText>,
    #[serde(flatten)]
    token: TokenAsk,
}

impl Password {
    /// Stands in for the password of a user who is not there: checking it costs the same.
    pub(super) const fn nobodys() -> Self {
        Self { salt: [0; 16], hash: [0; 32], cost: PasswordCost::DEFAULT }
    }

    /// Tells in constant time whether the password is the one that was shown.
    ///
    /// # Errors
    /// Stops when the hash must be computed first, and refuses if it cannot be.
    pub(super) fn is(&self, shown: &SecretText, view: &mut View) -> Result<bool, Interrupt> {
        let hash = hash(shown, self.salt, self.cost, view)?;
        let own = SecretKey::fill_with(|key| key.copy_from_slice(&self.hash));
        Ok(own.same_as(&hash))
    }

    /// Tells whether the hash has another cost than new ones, by which a user could be told from nobody.
    pub(super) fn is_outdated(&self) -> bool {
        self.cost != PasswordCost::DEFAULT
    }

    /// Hashes a new password. The salt is a keyed hash of the request's random id, since the code is run again with a
    /// fresh generator once the hash is there.
    pub(super) fn new(call: &Call<'_>, user: &str, shown: &SecretText, view: &mut View) -> Result<Self, Interrupt> {
        let mixed = call.token_ids.hash(&[b"password-salt/", &call.request.id.0, &call.mount.id.0, user.as_bytes()]);
        let salt = *mixed.first_chunk().unwrap_or(&[0; 16]);
        let cost = PasswordCost::DEFAULT;
        let hash = *hash(shown, salt, cost, view)?.expose();
        Ok(Self { salt, hash, cost })
    }
}

fn hash(password: &SecretText, salt: [u8; 16], cost: PasswordCost, view: &mut View) -> Result<SecretKey, Interrupt> {
    match view.ask(Question::PasswordHash(PasswordHash { password: password.copy(), salt, cost }))? {
        Answer::Hash(hash) => Ok(SecretKey::fill_with(|key| key.copy_from_slice(hash.expose()))),
        Answer::Failed(reason) => Err(Refusal::internal(format!("hashing a password: {reason}")).into()),
        _ => Err(Refusal::internal("a password's hash was answered with something else").into()),
    }
}

/// Finds the folder of all users.
pub(super) fn folder(mount: &Mount, names: &Names) -> Folder {
    mount.folder(names, "users")
}

/// Finds the row of a user by the canonical name.
pub(super) fn slot(mount: &Mount, names: &Names, name: &str) -> Slot {
    names.entry(&folder(mount, names), name)
}

/// Reads a user by the canonical name.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub(super) fn load(mount: &Mount, names: &Names, name: &str, view: &mut View) -> Result<Option<User>, Interrupt> {
    match view.entry(&slot(mount, names, name))? {
        None => Ok(None),
        Some(row) => Ok(Some(record_format::decode(VERSION, &row.payload)?)),
    }
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(tree::list(call, folder(call.mount, call.names), "", view)?))
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = name::canonical(call.capture(USERNAME))?;
    let user = load(call.mount, call.names, &name, view)?.ok_or_else(Refusal::missing)?;
    let mut described = Map::new();
    user.parameters.describe(&mut described);
    Ok(Step::answer(Reply::data(&described)?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    if ask.password_hash.is_some_and(|hash| !hash.is_empty()) {
        return Err(Refusal::invalid("password_hash is not supported: give the password").into());
    }
    let name = name::canonical(call.capture(USERNAME))?;
    let known = load(call.mount, call.names, &name, view)?;
    let mut parameters = known.as_ref().map(|user| user.parameters.clone()).unwrap_or_default();
    parameters.apply(ask.token)?;
    let password = match (ask.password, known) {
        (Some(shown), _) => Password::new(call, &name, &checked(Some(shown))?, view)?,
        (None, Some(user)) => user.password,
        (None, None) => return Err(Refusal::invalid("missing password").into()),
    };
    store(call, &name, &User { password, parameters })
}

pub(super) fn write_password(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    if ask.password_hash.is_some_and(|hash| !hash.is_empty()) {
        return Err(Refusal::invalid("password_hash is not supported: give the password").into());
    }
    let (name, user) = existing(call, view)?;
    let password = Password::new(call, &name, &checked(ask.password)?, view)?;
    store(call, &name, &User { password, ..user })
}

pub(super) fn write_policies(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let asked: Map<String, Value> = call.request.parse()?;
    let policies = asked.get("token_policies").or_else(|| asked.get("policies")).cloned();
    let policies = policies.ok_or_else(|| Refusal::invalid("missing token_policies"))?;
    let ask: TokenAsk = serde_json::from_value(json!({ "token_policies": policies }))
        .map_err(|_| Refusal::invalid("token_policies is a list of names, or one text with commas"))?;
    let (name, mut user) = existing(call, view)?;
    user.parameters.apply(ask)?;
    store(call, &name, &user)
}

pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = name::canonical(call.capture(USERNAME))?;
    let slot = slot(call.mount, call.names, &name);
    Ok(Step::commit(Reply::Empty, vec![Change::Delete { slot }]))
}

fn existing(call: &Call<'_>, view: &mut View) -> Result<(String, User), Interrupt> {
    let name = name::canonical(call.capture(USERNAME))?;
    let user = load(call.mount, call.names, &name, view)?;
    let user = user.ok_or_else(|| Refusal::new(Class::Missing, "username does not exist"))?;
    Ok((name, user))
}

/// Checks a new password.
fn checked(password: Option<SecretText>) -> Result<SecretText, Refusal> {
    let password = password.filter(|shown| !shown.is_empty()).ok_or_else(|| Refusal::invalid("missing password"))?;
    if password.expose().len() > PASSWORD_LENGTH_BYTES_MAX {
        return Err(Refusal::invalid(format!("a password has at most {PASSWORD_LENGTH_BYTES_MAX} bytes")));
    }
    Ok(password)
}

/// Gives the change that stores a user.
///
/// # Errors
/// Refuses with an internal error if it cannot be written.
pub(super) fn put(call: &Call<'_>, name: &str, user: &User) -> Result<Change, Refusal> {
    Ok(Change::Put { slot: slot(call.mount, call.names, name), payload: record_format::encode(VERSION, user)? })
}

fn store(call: &Call<'_>, name: &str, user: &User) -> Result<Step, Interrupt> {
    Ok(Step::commit(Reply::Empty, vec![put(call, name, user)?]))
}
