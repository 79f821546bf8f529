//! Templates in the paths of rules, `{{identity.entity.id}}` and the like: what they ask for, and how they are filled
//! in for one identity. What is filled in never widens a pattern; what cannot be filled in fails closed.

use std::collections::BTreeMap;

use super::denial::{Denial, Gap, Piece};
use super::pattern::Pattern;
use crate::path::PATH_LENGTH_BYTES_MAX;

/// What is known of who asks, for templates. Nothing known resolves no template.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct IdentityFacts {
    /// The entity of the token; tokens made by hand have none.
    pub entity: Option<EntityFacts>,
    /// The groups that the entity is in, directly or by inheritance.
    pub groups: Vec<GroupFacts>,
}

/// What is known of an entity.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct EntityFacts {
    /// The entity's id.
    pub id: String,
    /// The entity's name.
    pub name: String,
    /// What people wrote about it.
    pub metadata: BTreeMap<String, String>,
    /// What it is called by the mounts that it logs in at.
    pub aliases: Vec<AliasFacts>,
}

/// What is known of an entity's alias at one mount.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct AliasFacts {
    /// The accessor of the mount: `userpass_1a2b3c4d`.
    pub mount_accessor: String,
    /// The alias's id.
    pub id: String,
    /// The name at that mount.
    pub name: String,
    /// What the auth method says of it.
    pub metadata: BTreeMap<String, String>,
    /// What people wrote about it.
    pub custom_metadata: BTreeMap<String, String>,
}

/// What is known of a group that an entity is in.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct GroupFacts {
    /// The group's id.
    pub id: String,
    /// The group's name.
    pub name: String,
    /// What people wrote about it.
    pub metadata: BTreeMap<String, String>,
}

/// A path with templates, parsed once when the policy is written.
#[derive(Clone, Debug)]
pub(super) struct Template {
    written: String,
    segments: Vec<Vec<Part>>,
    /// Whether a `*` stood at the end.
    any_rest: bool,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Value(Selector),
}

/// Names one value of the facts.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Selector {
    Entity(Field),
    Alias { mount_accessor: String, field: Field },
    GroupById { id: String, field: Field },
    GroupByName { name: String, field: Field },
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Field {
    Id,
    Name,
    Metadata(String),
    CustomMetadata(String),
}

impl Template {
    /// Tells whether a path needs to be read as a template.
    pub(super) fn is_in(written: &str) -> bool {
        written.contains("{{") || written.contains("}}")
    }

    /// Checks a path with templates.
    ///
    /// # Errors
    /// Answers with the reason for unbalanced braces, unknown selectors, and whatever a plain path is refused for.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        let path = written.strip_prefix('/').unwrap_or(written);
        if path.len() > PATH_LENGTH_BYTES_MAX {
            return Err(format!("the path has {} bytes; at most {PATH_LENGTH_BYTES_MAX} are allowed", path.len()));
        }
        let unbalanced = || format!("path {written:?}: every '{{{{' needs its '}}}}' and the other way round");
        let mut pieces = path.split("{{");
        let mut parts = vec![Part::Text(pieces.next().unwrap_or_default().to_owned())];
        for piece in pieces {
            let (selector, text) = piece.split_once("}}").ok_or_else(unbalanced)?;
            let known = Selector::parse(selector.trim());
            parts.push(Part::Value(known.ok_or_else(|| unknown(written, selector))?));
            parts.push(Part::Text(text.to_owned()));
        }
        let texts = || parts.iter().filter_map(Part::text);
        if texts().any(|text| text.contains("}}")) {
            return Err(unbalanced());
        }
        // Any harmless value shows whether the text around the values is in order.
        let sample: String = parts.iter().map(|part| part.text().unwrap_or("x")).collect();
        Pattern::checked(&sample, written)?;
        let any_rest = texts().next_back().is_some_and(|text| text.ends_with('*'));
        Ok(Self { written: path.to_owned(), segments: into_segments(parts, any_rest), any_rest })
    }

    /// Gives the path as the policy writes it, without leading slash.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// Fills in the values of one identity; `None` if one is missing or could change what the pattern means.
    pub(super) fn fill(&self, facts: &IdentityFacts) -> Option<Pattern> {
        let segments: Vec<String> =
            self.segments.iter().map(|segment| fill_segment(segment, facts)).collect::<Option<_>>()?;
        let end = if self.any_rest { "*" } else { "" };
        Pattern::checked(&(segments.join("/") + end), "").ok()
    }

    /// Gives what a rule denies that does not resolve: every value that could have stood there.
    pub(super) fn denial(&self, facts: &IdentityFacts) -> Denial {
        let last = self.segments.len().saturating_sub(1);
        let piece = |(index, segment): (usize, &Vec<Part>)| match fill_segment(segment, facts) {
            // '+' right before the '*' is refused as a pattern, so here too it is as if it did not resolve.
            Some(text) if self.any_rest && index == last && text.ends_with('+') => segment_with_gaps(segment, facts),
            Some(text) if text == "+" => Piece::Plus,
            Some(text) => Piece::Literal(text),
            None => segment_with_gaps(segment, facts),
        };
        let pieces: Vec<Piece> = self.segments.iter().enumerate().map(piece).collect();
        if pieces.iter().any(|piece| matches!(piece, Piece::Gap(_))) {
            return Denial::new(pieces, self.any_rest);
        }
        // Each segment resolves and the whole does not: it is too long.
        let nothing = IdentityFacts::default();
        Denial::new(self.segments.iter().map(|segment| open_segment(segment, &nothing)).collect(), self.any_rest)
    }
}

impl Part {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Value(_) => None,
        }
    }
}

impl Selector {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.strip_prefix("identity.")?.split_once('.')?;
        if kind == "entity" {
            if let Some(alias) = rest.strip_prefix("aliases.") {
                let (mount_accessor, field) = named(alias)?;
                return Some(Self::Alias { mount_accessor, field: Field::parse(field)? });
            }
            return Field::parse(rest).filter(Field::is_common).map(Self::Entity);
        }
        let (by, group) = rest.split_once('.').filter(|_| kind == "groups")?;
        let (named, field) = named(group)?;
        let field = Field::parse(field).filter(Field::is_common)?;
        match by {
            "ids" => Some(Self::GroupById { id: named, field }),
            "names" => Some(Self::GroupByName { name: named, field }),
            _ => None,
        }
    }

    /// Finds the value; `None` if there is none.
    fn value<'a>(&self, facts: &'a IdentityFacts) -> Option<&'a str> {
        let entity = facts.entity.as_ref();
        match self {
            Self::Entity(field) => {
                let entity = entity?;
                field.of(&entity.id, &entity.name, &entity.metadata, None)
            }
            Self::Alias { mount_accessor, field } => {
                let alias = entity?.aliases.iter().find(|alias| alias.mount_accessor == *mount_accessor)?;
                field.of(&alias.id, &alias.name, &alias.metadata, Some(&alias.custom_metadata))
            }
            Self::GroupById { id, field } => {
                let group = facts.groups.iter().find(|group| group.id == *id)?;
                field.of(&group.id, &group.name, &group.metadata, None)
            }
            Self::GroupByName { name, field } => {
                let group = facts.groups.iter().find(|group| group.name == *name)?;
                field.of(&group.id, &group.name, &group.metadata, None)
            }
        }
    }
}

impl Field {
    fn parse(text: &str) -> Option<Self> {
        match (text, text.split_once('.')) {
            ("id", _) => Some(Self::Id),
            ("name", _) => Some(Self::Name),
            (_, Some((_, ""))) => None,
            (_, Some(("metadata", key))) => Some(Self::Metadata(key.to_owned())),
            (_, Some(("custom_metadata", key))) => Some(Self::CustomMetadata(key.to_owned())),
            _ => None,
        }
    }

    /// Tells whether entities and groups have the field, not only aliases.
    const fn is_common(&self) -> bool {
        !matches!(self, Self::CustomMetadata(_))
    }

    fn of<'a>(
        &self,
        id: &'a str,
        name: &'a str,
        metadata: &'a BTreeMap<String, String>,
        custom_metadata: Option<&'a BTreeMap<String, String>>,
    ) -> Option<&'a str> {
        match self {
            Self::Id => Some(id),
            Self::Name => Some(name),
            Self::Metadata(key) => metadata.get(key).map(String::as_str),
            Self::CustomMetadata(key) => custom_metadata?.get(key).map(String::as_str),
        }
    }
}

/// Splits off what names an alias or a group. As in Vault it ends at the first dot.
fn named(text: &str) -> Option<(String, &str)> {
    let (name, field) = text.split_once('.')?;
    (!name.is_empty()).then(|| (name.to_owned(), field))
}

fn unknown(written: &str, selector: &str) -> String {
    format!(
        "path {written:?}: the template {:?} is not known: take identity.entity.id, .name, .metadata.<key> or \
         .aliases.<mount accessor>.<field>, or identity.groups.ids.<id>.<field> or identity.groups.names.<name>.<field>",
        selector.trim()
    )
}

/// Splits the parts at the slashes of their texts. The `*` at the end is left out.
fn into_segments(parts: Vec<Part>, any_rest: bool) -> Vec<Vec<Part>> {
    let mut segments = Vec::new();
    let mut current = Vec::new();
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.into_iter().enumerate() {
        let Part::Text(text) = part else {
            current.push(part);
            continue;
        };
        let text = text.strip_suffix('*').filter(|_| any_rest && index == last).unwrap_or(&text);
        let mut pieces = text.split('/');
        current.extend(pieces.next().filter(|piece| !piece.is_empty()).map(|piece| Part::Text(piece.to_owned())));
        for piece in pieces {
            segments.push(std::mem::take(&mut current));
            current.extend((!piece.is_empty()).then(|| Part::Text(piece.to_owned())));
        }
    }
    segments.push(current);
    segments
}

/// Fills in one segment; `None` if a value is missing or harmful, or makes the segment one that has a meaning.
fn fill_segment(segment: &[Part], facts: &IdentityFacts) -> Option<String> {
    let mut filled = String::new();
    for part in segment {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Value(selector) => filled.push_str(selector.value(facts).filter(|value| is_harmless(value))?),
        }
    }
    let templated = segment.iter().any(|part| part.text().is_none());
    (!(templated && matches!(filled.as_str(), "+" | "." | ".."))).then_some(filled)
}

/// Leaves gaps for the values that are missing, or for all if the values that are there make no segment together.
fn segment_with_gaps(segment: &[Part], facts: &IdentityFacts) -> Piece {
    match open_segment(segment, facts) {
        gap @ Piece::Gap(_) => gap,
        _ => open_segment(segment, &IdentityFacts::default()),
    }
}

/// Leaves a gap for each value that is missing.
fn open_segment(segment: &[Part], facts: &IdentityFacts) -> Piece {
    let mut texts = vec![String::new()];
    for part in segment {
        let text = match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Value(selector) => selector.value(facts).filter(|value| is_harmless(value)),
        };
        match (text, texts.last_mut()) {
            (Some(text), Some(last)) => last.push_str(text),
            _ => texts.push(String::new()),
        }
    }
    match <[String; 1]>::try_from(texts) {
        Ok([text]) if text == "+" => Piece::Plus,
        Ok([text]) => Piece::Literal(text),
        Err(texts) => Piece::Gap(Gap::between(texts)),
    }
}

/// Tells whether a value stands for itself within one segment, whatever surrounds it.
fn is_harmless(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(|c| c.is_control() || matches!(c, '*' | '/' | '{' | '}'))
}
