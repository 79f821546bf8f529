//! Policies: who may do what at which path. Deny by default, the most specific path decides, deny wins.
//!
//! `syntax` reads a text into a tree, `rules` reads the tree into rules, `template` fills in what is known of who asks,
//! `acl` puts the rules of several policies together and decides. `password` is apart: it makes passwords.

mod acl;
mod capability;
mod control_group;
mod denial;
mod parameters;
mod password;
mod pattern;
mod rules;
mod syntax;
mod template;
mod tree;
mod witness;
mod wrapping;

pub use acl::{Acl, Ask};
pub use capability::Capability;
pub use control_group::{Applies, Binds, ControlGroup, Factor, Who};
pub use password::PasswordPolicy;
pub(crate) use pattern::Pattern;
pub use template::{AliasFacts, EntityFacts, GroupFacts, IdentityFacts};
pub(crate) use witness::{Area, Budget, Landmarks, OPERATING, Scope, granting};

use rules::{Rule, RulePath};

/// Longest text of a policy in bytes.
pub const POLICY_LENGTH_BYTES_MAX: usize = 256 << 10;

/// The text of the policy that every token has unless it declines.
pub const DEFAULT_POLICY: &str = include_str!("default.hcl");

/// A parsed policy together with the text that it was parsed from.
pub struct Policy {
    name: String,
    text: String,
    rules: Vec<Rule>,
}

/// Says why a policy text is refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("policy line {line}: {reason}")]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl Policy {
    /// Parses a policy in HCL or JSON.
    ///
    /// # Errors
    /// Answers [`PolicyError`] with the line.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_LENGTH_BYTES_MAX {
            let reason = format!("the text has {} bytes; at most {POLICY_LENGTH_BYTES_MAX} are allowed", text.len());
            return Err(PolicyError { line: 1, reason });
        }
        let rules = rules::read(syntax::parse(text)?)?;
        Ok(Self { name: name.to_owned(), text: text.to_owned(), rules })
    }

    /// Gives the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells whether the rules depend on who asks: whether a path holds a template.
    pub fn is_templated(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.path, RulePath::Templated(_)))
    }

    /// Gives the text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Tells whether a path fits a pattern as rules have it: exact, `*` at the end for any rest, `+` for any one segment.
///
/// # Errors
/// Answers with the reason for a pattern that would not mean what it seems to.
pub fn fits(pattern: &str, path: &str) -> Result<bool, String> {
    Ok(pattern::Pattern::parse(pattern)?.matches(path))
}

#[cfg(test)]
mod tests;
