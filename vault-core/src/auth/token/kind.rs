//! Kinds of tokens, and the settings that choose one.

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// How a token is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// A row of the store says what it may do; removing the row ends it.
    #[default]
    Service,
    /// Its own text carries what it may do, sealed: see [`super::BatchTokens`].
    Batch,
}

impl Kind {
    /// Gives the word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }
}

/// What a role, a user or a mount says of the kind of its tokens. Records hold the variants by their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum TokenType {
    /// Leaves it to whoever is asked next.
    #[default]
    Default,
    /// Service tokens, whatever is asked for.
    Service,
    /// Batch tokens, whatever is asked for.
    Batch,
    /// Service tokens, unless others are asked for.
    DefaultService,
    /// Batch tokens, unless others are asked for.
    DefaultBatch,
}

impl TokenType {
    /// All of them, in the order of the records.
    pub(crate) const ALL: [Self; 5] =
        [Self::Default, Self::Service, Self::Batch, Self::DefaultService, Self::DefaultBatch];

    /// Reads a `token_type`.
    ///
    /// # Errors
    /// Refuses any other word.
    pub fn parse(word: &str) -> Result<Self, Refusal> {
        let known =
            Self::ALL.into_iter().find(|kind| kind.word() == word || (*kind == Self::Default && word.is_empty()));
        known.ok_or_else(|| {
            Refusal::invalid("token_type is 'service', 'batch', 'default', 'default-service' or 'default-batch'")
        })
    }

    /// Gives the word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Service => "service",
            Self::Batch => "batch",
            Self::DefaultService => "default-service",
            Self::DefaultBatch => "default-batch",
        }
    }

    /// Gives the word of the API where nobody is asked next: a mount or a role of the token endpoints.
    pub const fn word_at_last(self) -> &'static str {
        match self {
            Self::Default => Self::DefaultService.word(),
            named => named.word(),
        }
    }

    /// Tells whether whoever asks for nothing gets batch tokens.
    pub const fn prefers_batch(self) -> bool {
        matches!(self, Self::Batch | Self::DefaultBatch)
    }

    /// Chooses the kind of a token that is made by these settings, where `asked` is what the request asks for.
    pub const fn choose(self, asked: Option<Kind>) -> Kind {
        match (self, asked) {
            (Self::Service, _) => Kind::Service,
            (Self::Batch, _) => Kind::Batch,
            (_, Some(asked)) => asked,
            (Self::Default | Self::DefaultService, None) => Kind::Service,
            (Self::DefaultBatch, None) => Kind::Batch,
        }
    }

    /// Chooses the kind of a login's token at a mount with these settings, where `role` is what the role or user says.
    pub const fn choose_at_login(self, role: Self) -> Kind {
        let asked = match role {
            Self::Default => None,
            Self::Service | Self::DefaultService => Some(Kind::Service),
            Self::Batch | Self::DefaultBatch => Some(Kind::Batch),
        };
        self.choose(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_others_refused() {
        for kind in TokenType::ALL {
            assert_eq!(TokenType::parse(kind.word()).unwrap(), kind);
        }
        assert_eq!(TokenType::parse("").unwrap(), TokenType::Default);
        assert!(TokenType::parse("Batch").is_err() && TokenType::parse("recovery").is_err());
    }

    #[test]
    fn a_mount_that_names_a_kind_decides_alone() {
        use TokenType::{Batch, Default, DefaultBatch, DefaultService, Service};
        for role in TokenType::ALL {
            assert_eq!(Service.choose_at_login(role), Kind::Service);
            assert_eq!(Batch.choose_at_login(role), Kind::Batch);
        }
        for mount in [Default, DefaultService] {
            assert_eq!(mount.choose_at_login(Default), Kind::Service);
            assert_eq!(mount.choose_at_login(Batch), Kind::Batch);
        }
        assert_eq!(DefaultBatch.choose_at_login(Default), Kind::Batch);
        assert_eq!(DefaultBatch.choose_at_login(Service), Kind::Service);
    }
}
