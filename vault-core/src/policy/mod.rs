//! Policies: who may do what at which path. Deny by default, the most specific path decides, deny wins.

use std::collections::BTreeSet;
use std::sync::Arc;

/// What a policy grants at a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Capability {
    /// Nothing at all, whatever else is granted.
    Deny,
    /// Write where nothing was.
    Create,
    /// Read.
    Read,
    /// Write over what is there.
    Update,
    /// Change parts of what is there.
    Patch,
    /// Remove.
    Delete,
    /// See names.
    List,
    /// Use the paths that need particular trust.
    Sudo,
}

/// A parsed policy together with the text that it was parsed from.
pub struct Policy {
    name: String,
    text: String,
}

/// Says why a policy text is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
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
        Ok(Self { name: name.to_owned(), text: text.to_owned() })
    }

    /// Gives the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What is asked of the rules.
pub struct Ask<'a> {
    /// The full path, without leading slash.
    pub path: &'a str,
    /// What the operation needs.
    pub capability: Capability,
    /// Names of the fields of the body with their values as JSON text, for parameter rules.
    pub fields: &'a serde_json::Map<String, serde_json::Value>,
}

/// All rules in force for one identity.
pub struct Acl {
    root: bool,
}

impl Acl {
    /// Puts the rules of several policies together. A policy named `root` allows everything.
    pub fn of(policies: &[Arc<Policy>]) -> Self {
        Self { root: policies.iter().any(|policy| policy.name() == "root") }
    }

    /// Tells whether the rules allow what is asked.
    pub fn allows(&self, _ask: &Ask<'_>) -> bool {
        self.root
    }

    /// Tells whether the rules look at fields of the body at all, so that nobody parses it for nothing.
    pub fn looks_at_fields(&self, _path: &str) -> bool {
        false
    }

    /// Lists what the rules grant at a path: `sys/capabilities`. Deny stands alone.
    pub fn capabilities(&self, _path: &str) -> BTreeSet<Capability> {
        BTreeSet::new()
    }
}
