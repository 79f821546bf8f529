//! What is counted of tokens: how many of each kind are alive, and which of them have a lease.

use super::{Finder, Token, TokenId, lease, read};
use crate::view::{Interrupt, View};

/// A kind of token, as it is counted. Each token is of the first kind that fits it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// It may do everything.
    Root,
    /// It wraps a reply, or stands for a request that waits.
    Wrapping,
    /// Each renewal gives it the same life again.
    Periodic,
    /// An auth method made it.
    Login,
    /// It lives on when whoever made it ends.
    Orphan,
    /// It ends with the token that made it.
    Child,
}

impl Class {
    fn of(token: &Token) -> Self {
        let is_root = token.policies.iter().any(|policy| policy == "root");
        match token {
            _ if is_root => Self::Root,
            Token { wrapped: Some(_), .. } => Self::Wrapping,
            _ if !token.period.is_zero() => Self::Periodic,
            Token { mount: Some(_), .. } => Self::Login,
            Token { parent: None, .. } => Self::Orphan,
            _ => Self::Child,
        }
    }
}

/// What is counted of one token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    /// Its kind.
    pub class: Class,
    /// Whether it has a lease.
    pub is_leased: bool,
}

impl Finder<'_> {
    /// Counts the token named `id`; `None` for one that is dead or not there.
    ///
    /// # Errors
    /// Stops when something must be fetched first or cannot be read.
    pub fn count(&self, id: &str, view: &mut View) -> Result<Option<Counted>, Interrupt> {
        let id = TokenId(id.to_owned());
        let Some((token, _)) = read(&id.slot(self.names), view)? else { return Ok(None) };
        match self.find(&id, view) {
            Ok(_) => Ok(Some(Counted { class: Class::of(&token), is_leased: lease::name(&id, &token).is_some() })),
            Err(Interrupt::Fetch) => Err(Interrupt::Fetch),
            Err(Interrupt::Refuse(_)) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::MountId;
    use crate::time::{Span, Timestamp};

    #[test]
    fn each_token_is_of_one_kind() {
        let of = |change: fn(&mut Token)| {
            let mut token = Token::new("a".to_owned(), vec!["default".to_owned()], Timestamp(0));
            change(&mut token);
            Class::of(&token)
        };
        assert_eq!(of(|_| {}), Class::Orphan);
        assert_eq!(of(|token| token.parent = Some(TokenId("b".to_owned()))), Class::Child);
        assert_eq!(of(|token| token.mount = Some(MountId([1; 16]))), Class::Login);
        assert_eq!(of(|token| (token.mount, token.period) = (Some(MountId([1; 16])), Span(5))), Class::Periodic);
        assert_eq!(of(|token| (token.policies, token.period) = (vec!["root".to_owned()], Span(5))), Class::Root);
    }
}
