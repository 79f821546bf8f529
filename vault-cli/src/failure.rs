//! How a command fails: what happened, whose turn it is, what to type next; and its exit code.

use std::process::ExitCode;

use vault_api::ApiError;

/// The exit codes, as the help shows them.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 done · 1 refused or failed · 2 wrong usage, or the vault is sealed · 3 a report found violations\n\
    Addresses and tokens: KEYTURN_ADDR, KEYTURN_TOKEN, KEYTURN_CACERT, or VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT";

/// The exit code of a report that found violations.
pub(crate) const EXIT_VIOLATIONS: u8 = 3;

/// Why a command came to no good end.
pub(crate) enum Failure {
    /// The call failed.
    Api(ApiError),
    /// The caller must do something else; the text says what.
    Usage(String),
    /// Something on this machine failed.
    Other(anyhow::Error),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl Failure {
    /// Says what is wrong with the way a command was used.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Says why something was not done.
    pub(crate) fn refused(text: String) -> Self {
        Self::Other(anyhow::Error::msg(text))
    }

    /// Tells the person, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (text, hint, code) = match self {
            Self::Api(error) => (error.to_string(), hint(error), if error.is_sealed() { 2 } else { 1 }),
            Self::Usage(text) => (text.clone(), None, 2),
            Self::Other(error) => (format!("{error:#}"), None, 1),
        };
        eprintln!("keyturn: {text}");
        if let Some(hint) = hint {
            eprintln!("{hint}");
        }
        ExitCode::from(code)
    }
}

/// Says what to type next.
fn hint(error: &ApiError) -> Option<&'static str> {
    match error {
        error if error.is_sealed() => Some(
            "It is the custodians' turn: each runs `keyturn unseal` until enough shares are given.\n\
             `keyturn status` shows how many are missing.",
        ),
        error if error.is_denied() => Some(
            "Either you are not logged in (`keyturn login`), your token has ended, or no policy allows this.\n\
             `keyturn token lookup` shows what your token may do.",
        ),
        ApiError::Unreachable { .. } | ApiError::TimedOut { .. } => {
            Some("Is the server running, and is KEYTURN_ADDR (or --address) its address?")
        }
        ApiError::Tls { .. } => Some(
            "If this vault has a certificate authority of its own, name its file: --ca-cert FILE or KEYTURN_CACERT.",
        ),
        _ => None,
    }
}
