//! TOML with the place of every value, and tables that refuse what they do not know.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{CharterError, Position, Problem};

/// A text, to say where in it something is wrong.
#[derive(Clone, Copy)]
pub(super) struct Document<'d>(pub(super) &'d str);

impl<'d> Document<'d> {
    /// Reads the text as TOML; the reader bounds how deeply tables and lists are nested.
    pub(super) fn parse(self) -> Result<Spanned<DeTable<'d>>, CharterError> {
        DeTable::parse(self.0).map_err(|error| {
            let reason = error.message().to_owned();
            self.error(error.span().map_or(0, |span| span.start), Problem::Syntax { reason })
        })
    }

    pub(super) fn error(self, offset: usize, problem: Problem) -> CharterError {
        CharterError { position: Position::of(self.0, offset), problem }
    }

    pub(super) fn line(self, offset: usize) -> usize {
        Position::of(self.0, offset).line
    }

    /// Finds a place within a string: exactly if the string is written without escapes, else the string's start.
    pub(super) fn within(self, span: &Range<usize>, value: &str, offset: usize) -> usize {
        let raw = self.0.get(span.clone()).unwrap_or_default();
        raw.find(value).map_or(span.start, |start| span.start + start + offset)
    }
}

/// A table, the words for it, and the place to point at for what is missing in it.
#[derive(Clone, Copy)]
pub(super) struct Table<'t, 'd> {
    pub(super) document: Document<'d>,
    pub(super) table: &'t DeTable<'d>,
    pub(super) name: &'static str,
    pub(super) offset: usize,
}

/// A value with the name of its field.
#[derive(Clone, Copy)]
pub(super) struct Value<'t, 'd> {
    pub(super) document: Document<'d>,
    pub(super) field: &'t str,
    pub(super) value: &'t Spanned<DeValue<'d>>,
}

impl<'t, 'd> Table<'t, 'd> {
    /// Refuses fields other than these.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), CharterError> {
        // The first in the text, whatever the order in which the table keeps them.
        let unknown = self.table.keys().filter(|field| !known.contains(&field.get_ref().as_ref()));
        let Some(field) = unknown.min_by_key(|field| field.span().start) else { return Ok(()) };
        let problem = Problem::UnknownField {
            field: field.get_ref().chars().take(80).collect(),
            table: self.name,
            known: known.join(", "),
        };
        Err(self.document.error(field.span().start, problem))
    }

    pub(super) fn get(&self, field: &'static str) -> Option<Value<'t, 'd>> {
        let value = self.table.get(field)?;
        Some(Value { document: self.document, field, value })
    }

    pub(super) fn required(&self, field: &'static str) -> Result<Value<'t, 'd>, CharterError> {
        let missing = || self.document.error(self.offset, Problem::MissingField { field, table: self.name });
        self.get(field).ok_or_else(missing)
    }

    /// Walks over the entries in the order of the text.
    pub(super) fn entries(&self) -> Vec<(usize, Value<'t, 'd>)> {
        let entry = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'d>>)| {
            let key: &'t Spanned<toml::de::DeString<'d>> = key;
            (key.span().start, Value { document: self.document, field: key.get_ref().as_ref(), value })
        };
        let mut entries: Vec<_> = self.table.iter().map(entry).collect();
        entries.sort_by_key(|(offset, _)| *offset);
        entries
    }
}

impl<'t, 'd> Value<'t, 'd> {
    pub(super) fn offset(&self) -> usize {
        self.value.span().start
    }

    pub(super) fn error(&self, problem: Problem) -> CharterError {
        self.document.error(self.offset(), problem)
    }

    fn wrong_type(&self, expected: &'static str) -> CharterError {
        let field = self.field.chars().take(80).collect();
        self.error(Problem::Type { field, expected, found: self.value.get_ref().type_str() })
    }

    pub(super) fn text(&self) -> Result<&'t str, CharterError> {
        self.value.get_ref().as_str().ok_or_else(|| self.wrong_type("a string"))
    }

    /// Gives a whole number in decimal digits as it is written.
    pub(super) fn number(&self) -> Result<&'t str, CharterError> {
        let number = self.value.get_ref().as_integer().filter(|number| number.radix() == 10);
        number.map(|number| number.as_str()).ok_or_else(|| self.wrong_type("a whole number"))
    }

    fn array(&self, expected: &'static str) -> Result<&'t DeArray<'d>, CharterError> {
        self.value.get_ref().as_array().ok_or_else(|| self.wrong_type(expected))
    }

    /// Gives the items of a list; `expected` says what the list must hold.
    pub(super) fn items(&self, expected: &'static str) -> Result<Vec<Self>, CharterError> {
        let item = |value| Self { document: self.document, field: self.field, value };
        Ok(self.array(expected)?.iter().map(item).collect())
    }

    pub(super) fn table(&self, name: &'static str) -> Result<Table<'t, 'd>, CharterError> {
        let table = self.value.get_ref().as_table().ok_or_else(|| self.wrong_type("a table"))?;
        Ok(Table { document: self.document, table, name, offset: self.offset() })
    }
}
