//! Fields as they are given on a command line: never a secret's value, unless somebody insists.

use std::path::Path;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::input;

/// What names of secret fields are or end with, after an underscore.
const SECRET_WORDS: [&str; 9] =
    ["password", "secret", "token", "jwt", "key", "passphrase", "credential", "plaintext", "pin"];

/// Whose values may stand in the arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum InArguments {
    /// Nobody's.
    Nothing,
    /// Those whose names are no names of secrets: `policies=dev`.
    WhatIsNoSecret,
    /// Everybody's; somebody insists.
    DangerEverything,
}

impl InArguments {
    /// Reads the flag by which somebody insists.
    pub(crate) const fn insisted(insists: bool, otherwise: Self) -> Self {
        if insists { Self::DangerEverything } else { otherwise }
    }

    fn allows(self, name: &str) -> bool {
        let name = name.to_lowercase();
        match self {
            Self::Nothing => false,
            Self::WhatIsNoSecret => {
                name != "secret_id" && !SECRET_WORDS.contains(&name.rsplit('_').next().unwrap_or_default())
            }
            Self::DangerEverything => true,
        }
    }
}

/// Reads fields: `name` asks, `name=@file` and `name=-` read, `-` alone reads a whole JSON object.
pub(crate) fn read(fields: &[String], in_arguments: InArguments) -> Result<Value, Failure> {
    if fields == ["-"] {
        let text = input::secret("a JSON object", Some(Path::new("-")))?;
        let object: Map<String, Value> =
            serde_json::from_str(text.expose()).map_err(|_| Failure::usage("standard input is no JSON object"))?;
        return Ok(Value::Object(object));
    }
    let mut data = Map::new();
    for field in fields {
        let (name, value) = match field.split_once('=') {
            None => (field.as_str(), input::secret_line(field)?),
            Some((name, "-")) => (name, input::secret(name, Some(Path::new("-")))?),
            Some((name, source)) => match source.strip_prefix('@') {
                Some(file) => (name, input::secret(name, Some(Path::new(file)))?),
                None if in_arguments.allows(name) => (name, vault_api::SecretText::new(source.to_owned())),
                None => return Err(refuse(name)),
            },
        };
        if name.is_empty() {
            return Err(Failure::usage("a field needs a name"));
        }
        data.insert(name.to_owned(), value.expose().into());
    }
    Ok(Value::Object(data))
}

fn refuse(name: &str) -> Failure {
    Failure::usage(format!(
        "the value of {name} stands in the arguments, where every process of this machine can read it and the shell\n\
         remembers it. Write `{name}` to be asked, `{name}=@FILE` or `{name}=-` to have it read.\n\
         If it is no secret: --danger-values-in-arguments"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_arguments_are_refused_without_repeating_them() {
        let Err(Failure::Usage(text)) = read(&["password=hunter2".to_owned()], InArguments::WhatIsNoSecret) else {
            panic!("accepted")
        };
        assert!(text.contains("password=@FILE") && !text.contains("hunter2"), "{text}");
        assert!(read(&["=x".to_owned()], InArguments::DangerEverything).is_err());
        let Ok(data) = read(&["a=b=c".to_owned()], InArguments::WhatIsNoSecret) else { panic!("refused") };
        assert_eq!(data, serde_json::json!({"a": "b=c"}));
        assert!(read(&["a=b".to_owned()], InArguments::Nothing).is_err());
        for secret in ["secret_id", "oidc_client_secret", "token_reviewer_jwt", "Password"] {
            assert!(!InArguments::WhatIsNoSecret.allows(secret), "{secret}");
        }
        for harmless in ["token_policies", "secret_id_ttl", "username", "role_id"] {
            assert!(InArguments::WhatIsNoSecret.allows(harmless), "{harmless}");
        }
    }
}
