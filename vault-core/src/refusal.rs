//! Why a request is not done: what the caller may read and what the log holds are two fields.

use crate::limits::Breach;

/// The kind of a refusal; the HTTP edge gives each one its status code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// The request is malformed or asks for something that makes no sense.
    Invalid,
    /// The caller may not do this, or is nobody the vault knows; the answer never says which.
    Denied,
    /// There is nothing there, for a caller who may know that.
    Missing,
    /// The path exists but does not support the operation.
    Unsupported,
    /// The body is larger than the bound.
    TooLarge,
    /// Too many at once: try again later.
    Busy,
    /// The vault cannot serve now: sealed, or its log or store cannot be written.
    Unavailable,
    /// Something is broken inside; the details are in the server's log only.
    Internal,
}

/// Refuses a request.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{public}")]
pub struct Refusal {
    /// The kind.
    pub class: Class,
    /// What the caller reads; it tells nobody about things that they may not know.
    pub public: String,
    /// What only the server's log holds.
    pub private: Option<String>,
    /// The hard limit that refuses, if one does.
    pub breach: Option<Box<Breach>>,
}

impl Refusal {
    /// Refuses with a text for the caller.
    pub fn new(class: Class, public: impl Into<String>) -> Self {
        Self { class, public: public.into(), private: None, breach: None }
    }

    /// Refuses a malformed or senseless request.
    pub fn invalid(public: impl Into<String>) -> Self {
        Self::new(Class::Invalid, public)
    }

    /// Refuses without telling why: the one answer for unknown callers and forbidden acts.
    pub fn denied() -> Self {
        Self::new(Class::Denied, "permission denied")
    }

    /// Refuses what the caller may do by policy, but not alone.
    pub fn denied_because(why: impl Into<String>) -> Self {
        Self::new(Class::Denied, why)
    }

    /// Answers that nothing is there, with the empty list of errors that stock clients expect.
    pub fn missing() -> Self {
        Self::new(Class::Missing, "")
    }

    /// Refuses an operation that the path does not support.
    pub fn unsupported() -> Self {
        Self::new(Class::Unsupported, "unsupported operation")
    }

    /// Reports a fault inside; `private` goes to the log only.
    pub fn internal(private: impl Into<String>) -> Self {
        Self {
            class: Class::Internal,
            public: "internal error; the server's log has the details under this request's id".to_owned(),
            private: Some(private.into()),
            breach: None,
        }
    }

    /// Adds what only the log may hold.
    #[must_use]
    pub fn with_private(mut self, private: impl Into<String>) -> Self {
        self.private = Some(private.into());
        self
    }
}
