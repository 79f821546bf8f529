//! Passphrases of identity files: asked for again when wrong, and twice when new.

use std::io::IsTerminal;
use std::path::Path;

use vault_core::secret::SecretText;
use vault_custody::files;
use vault_custody::identity::{FILE_LENGTH_BYTES_MAX, Identity, IdentityError, IdentityFile};

use crate::failure::Failure;
use crate::input;

/// How often a passphrase may be typed before the command gives up.
const TRIES: usize = 5;

/// Fewest characters of a new passphrase; a passphrase of a few random words is far above it.
const LENGTH_MIN: usize = 10;

/// Reads an identity file without opening it.
pub(crate) fn identity_file(path: &Path) -> Result<IdentityFile, Failure> {
    let content = files::read(path, FILE_LENGTH_BYTES_MAX).map_err(anyhow::Error::from)?;
    let parsed = IdentityFile::parse(content.expose());
    Ok(parsed.map_err(|error| anyhow::Error::from(error).context(path.display().to_string()))?)
}

/// Opens an identity file with the passphrase in `file`, else with one that is asked for.
pub(crate) fn open(identity: &IdentityFile, file: Option<&Path>) -> Result<Identity, Failure> {
    let tries = if file.is_none() && std::io::stdin().is_terminal() { TRIES } else { 1 };
    let prompt = format!("passphrase of {}", identity.card().name);
    open_within(identity, tries, || Ok(core(&input::secret(&prompt, file)?)))
}

fn open_within(
    identity: &IdentityFile,
    tries: usize,
    mut ask: impl FnMut() -> Result<SecretText, Failure>,
) -> Result<Identity, Failure> {
    for left in (0..tries).rev() {
        match identity.open(&ask()?) {
            Err(IdentityError::Passphrase) if left > 0 => {
                eprintln!("That passphrase is wrong, or the file was altered. {left} more to try.");
            }
            opened => return Ok(opened.map_err(anyhow::Error::from)?),
        }
    }
    Err(Failure::usage("no passphrase was asked for"))
}

/// Takes a new passphrase from `file`, else asks for it, twice on a terminal.
pub(crate) fn new(file: Option<&Path>) -> Result<SecretText, Failure> {
    let prompt = "new passphrase";
    let passphrase = input::secret(prompt, file)?;
    if passphrase.expose().chars().count() < LENGTH_MIN {
        return Err(Failure::usage(format!(
            "a passphrase has at least {LENGTH_MIN} characters; take a few random words"
        )));
    }
    if file.is_none() && std::io::stdin().is_terminal() && input::secret("the same again", None)? != passphrase {
        return Err(Failure::usage("the two passphrases are not the same"));
    }
    Ok(core(&passphrase))
}

fn core(text: &vault_api::SecretText) -> SecretText {
    SecretText::new(text.expose().to_owned())
}

#[cfg(test)]
mod tests {
    use vault_core::question::PasswordCost;
    use vault_custody::card::PersonName;

    use super::*;

    fn file() -> IdentityFile {
        let rng = &mut rand::rng();
        let identity = Identity::random(PersonName::parse("alice").unwrap(), rng);
        let cost = PasswordCost { memory_kib: 8 << 10, passes: 1, lanes: 1 };
        IdentityFile::parse(identity.seal(&SecretText::new("right".to_owned()), cost, rng).unwrap().as_bytes()).unwrap()
    }

    /// Types `wrong` wrong passphrases and then right ones; gives whether it opened, and how often was asked.
    fn typed(wrong: usize, tries: usize) -> (bool, usize) {
        let mut asked = 0;
        let opened = open_within(&file(), tries, || {
            asked += 1;
            Ok(SecretText::new(if asked <= wrong { "wrong" } else { "right" }.to_owned()))
        });
        (opened.is_ok(), asked)
    }

    #[test]
    fn a_wrong_passphrase_is_asked_for_again_up_to_five_times() {
        assert_eq!(typed(0, TRIES), (true, 1));
        assert_eq!(typed(4, TRIES), (true, 5));
        assert_eq!(typed(5, TRIES), (false, 5));
        assert_eq!(typed(1, 1), (false, 1));
    }
}
