//! Questions that pure code puts to the world outside: the driver answers them between two runs of the code.
//!
//! A question is slow or leaves the machine, so it may not be asked inside the code itself. The same question asked again
//! in the same request has the same answer.

use sha2::{Digest, Sha256};

use crate::audit::{LogPosition, Target};
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretKey, SecretText};

/// Longest body of an answer; key sets and token reviews take a few kilobytes.
pub const ANSWER_LENGTH_BYTES_MAX: usize = 1 << 20;

/// A question.
pub enum Question {
    /// What does this password hash to? Slow and large on purpose (Argon2id, RFC 9106).
    PasswordHash(PasswordHash),
    /// What does a server answer?
    Http(HttpQuestion),
    /// What does this server know of itself?
    Server,
    /// Can this device be written to?
    OpenDevice(Target),
    /// What does the server count and measure of itself?
    Metrics(MetricsFormat),
}

/// The forms in which metrics are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricsFormat {
    /// The text that Prometheus reads (OpenMetrics 1.0).
    Prometheus,
    /// Vault's own, in JSON.
    Json,
}

impl MetricsFormat {
    /// Chooses the form by the parameter `format` of a request; without one it is Vault's.
    ///
    /// # Errors
    /// Refuses any other word.
    pub fn parse(word: Option<&str>) -> Result<Self, Refusal> {
        match word {
            None | Some("") => Ok(Self::Json),
            Some("prometheus") => Ok(Self::Prometheus),
            Some(other) => {
                Err(Refusal::invalid(format!("metrics in the form {other:?} are not known: say prometheus")))
            }
        }
    }

    /// Gives the media type of what is written in this form.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// What the server knows of itself and of its machine.
#[derive(Clone, Debug, Default)]
pub struct ServerFacts {
    /// The machine's name.
    pub hostname: String,
    /// How many processors the server may use.
    pub cpus: usize,
    /// Memory of the machine.
    pub memory_bytes: u64,
    /// Memory that is still free for use.
    pub memory_available_bytes: u64,
    /// The address that clients are told.
    pub api_address: String,
    /// The kind of the store.
    pub storage_kind: String,
    /// How much is logged.
    pub log_level: String,
}

/// The input of a password hash.
pub struct PasswordHash {
    /// The password.
    pub password: SecretText,
    /// The salt, different for each user.
    pub salt: [u8; 16],
    /// How slow and how large.
    pub cost: PasswordCost,
}

/// The cost of a password hash (RFC 9106 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl PasswordCost {
    /// What OWASP's password storage guidance asks for at least: 19 MiB, two passes, one lane.
    pub const DEFAULT: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
}

/// A request to a server.
pub struct HttpQuestion {
    /// `https://…`, or `http://…` where the settings of the auth method allow it.
    pub url: String,
    /// The authorities to trust, in PEM; empty for those of the system.
    pub authorities: String,
    /// What `Authorization` says, such as `Bearer …`.
    pub authorization: Option<SecretText>,
    /// A body to POST with its media type; `None` for a GET.
    pub body: Option<(&'static str, SecretBytes)>,
    /// How old, in seconds, an answer kept from an earlier request may be; zero asks the server itself.
    pub age_seconds_max: u64,
}

/// An answer.
pub enum Answer {
    /// The hash of a password.
    Hash(SecretKey),
    /// What the server answered.
    Http {
        /// The status code.
        status: u16,
        /// The body.
        body: SecretBytes,
    },
    /// What this server knows of itself.
    Server(Box<ServerFacts>),
    /// A text.
    Text(String),
    /// The device can be written to; the log ends here.
    Opened(LogPosition),
    /// There is no answer; the text is for the log.
    Failed(String),
}

impl Question {
    /// Names the question by a digest of everything in it.
    pub fn id(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match self {
            Self::PasswordHash(PasswordHash { password, salt, cost }) => {
                part(b"password-hash");
                part(password.expose().as_bytes());
                part(salt);
                [cost.memory_kib, cost.passes, cost.lanes].iter().for_each(|number| part(&number.to_be_bytes()));
            }
            Self::Server => part(b"server"),
            Self::Metrics(MetricsFormat::Prometheus) => part(b"metrics"),
            Self::Metrics(MetricsFormat::Json) => part(b"metrics-json"),
            Self::OpenDevice(target) => {
                part(b"open-device");
                part(format!("{target:?}").as_bytes());
            }
            Self::Http(question) => {
                part(b"http");
                part(question.url.as_bytes());
                part(question.authorities.as_bytes());
                part(question.authorization.as_ref().map_or("", SecretText::expose).as_bytes());
                let (kind, body) =
                    question.body.as_ref().map_or(("", [].as_slice()), |(kind, body)| (*kind, body.expose()));
                part(kind.as_bytes());
                part(body);
                part(&question.age_seconds_max.to_be_bytes());
            }
        }
        hash.finalize().into()
    }
}

impl PasswordHash {
    /// Computes the hash; takes as long as its cost says.
    ///
    /// # Errors
    /// Answers with the reason for a cost that makes no sense.
    pub fn compute(&self) -> Result<SecretKey, String> {
        let PasswordCost { memory_kib, passes, lanes } = self.cost;
        let parameters = argon2::Params::new(memory_kib, passes, lanes, Some(SecretKey::LENGTH_BYTES))
            .map_err(|error| error.to_string())?;
        let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters);
        let mut outcome = Ok(());
        let key = SecretKey::fill_with(|key| {
            outcome = argon2.hash_password_into(self.password.expose().as_bytes(), &self.salt, key);
        });
        outcome.map(|()| key).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(password: &str, salt: u8) -> PasswordHash {
        let cost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
        PasswordHash { password: SecretText::new(password.to_owned()), salt: [salt; 16], cost }
    }

    #[test]
    fn password_and_salt_decide_the_hash() {
        let hash = |password, salt| question(password, salt).compute().unwrap();
        assert!(hash("a", 1).same_as(&hash("a", 1)));
        assert!(!hash("a", 1).same_as(&hash("a", 2)) && !hash("a", 1).same_as(&hash("b", 1)));
        let senseless = PasswordHash { cost: PasswordCost { memory_kib: 1, passes: 0, lanes: 0 }, ..question("a", 1) };
        assert!(senseless.compute().is_err());
    }

    #[test]
    fn every_part_of_a_question_names_it() {
        let http = |url: &str, age| {
            let question = HttpQuestion {
                url: url.to_owned(),
                authorities: String::new(),
                authorization: None,
                body: None,
                age_seconds_max: age,
            };
            Question::Http(question).id()
        };
        let ids = [
            Question::PasswordHash(question("a", 1)).id(),
            Question::PasswordHash(question("b", 1)).id(),
            Question::PasswordHash(question("a", 2)).id(),
            http("https://a", 0),
            http("https://b", 0),
            http("https://a", 1),
        ];
        for (position, id) in ids.iter().enumerate() {
            assert!(ids.iter().skip(position + 1).all(|other| other != id), "{position}");
        }
    }
}
