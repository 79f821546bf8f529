//! The fields of a secret as they are given on a command line: never the values, unless somebody insists.

use std::path::Path;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::input;

/// Reads fields: `name` asks, `name=@file` and `name=-` read, `-` alone reads a whole JSON object.
pub(super) fn read(fields: &[String], values_in_arguments: bool) -> Result<Value, Failure> {
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
                None if values_in_arguments => (name, vault_api::SecretText::new(source.to_owned())),
                None => return Err(in_arguments(name)),
            },
        };
        if name.is_empty() {
            return Err(Failure::usage("a field needs a name"));
        }
        data.insert(name.to_owned(), value.expose().into());
    }
    Ok(Value::Object(data))
}

fn in_arguments(name: &str) -> Failure {
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
        let Err(Failure::Usage(text)) = read(&["password=hunter2".to_owned()], false) else { panic!("accepted") };
        assert!(text.contains("password=@FILE") && !text.contains("hunter2"), "{text}");
        assert!(read(&["=x".to_owned()], true).is_err());
        let Ok(data) = read(&["a=b=c".to_owned()], true) else { panic!("refused") };
        assert_eq!(data, serde_json::json!({"a": "b=c"}));
    }
}
