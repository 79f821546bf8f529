//! What plugins and encrypted keys may ask while something is sealed or opened.

use std::sync::Arc;

use age::secrecy::SecretString;
use vault_core::secret::SecretText;

/// Answers what a plugin or an encrypted key asks; `None` where it cannot be asked.
pub trait Prompts: Send + Sync {
    /// Shows a message, such as to touch the key.
    fn show(&self, message: &str);

    /// Asks to choose; `true` is `yes`.
    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool>;

    /// Asks for something that is no secret.
    fn ask(&self, description: &str) -> Option<String>;

    /// Asks for a secret, such as a PIN or the passphrase of an SSH key.
    fn ask_secret(&self, description: &str) -> Option<SecretText>;
}

/// Answers nothing: for servers and tests.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Prompts for Silent {
    fn show(&self, _: &str) {}

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn ask(&self, _: &str) -> Option<String> {
        None
    }

    fn ask_secret(&self, _: &str) -> Option<SecretText> {
        None
    }
}

/// Carries what age asks to [`Prompts`].
#[derive(Clone)]
pub(super) struct Bridge(Arc<dyn Prompts>);

impl Bridge {
    pub(super) fn new(prompts: impl Prompts + 'static) -> Self {
        Self(Arc::new(prompts))
    }
}

impl age::Callbacks for Bridge {
    fn display_message(&self, message: &str) {
        self.0.show(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.0.confirm(message, yes, no)
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.ask(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        self.0.ask_secret(description).map(|secret| SecretString::from(secret.expose().to_owned()))
    }
}
