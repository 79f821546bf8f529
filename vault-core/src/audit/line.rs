//! Writes one record into one buffer, field by field.

use std::io::Write;
use std::net::SocketAddr;

use serde::Serialize;

use super::hashed;
use crate::id::RequestId;
use crate::keys::KeyedHash;
use crate::time::Timestamp;

/// The format that records name.
const FORMAT: u64 = 1;

/// A buffer for most records, so that it grows rarely.
const LENGTH_BYTES_TYPICAL: usize = 768;

/// A JSON object that is being written, without its opening brace.
pub(super) struct Line {
    buffer: Vec<u8>,
    /// Whether the next field is the first of its object.
    first: bool,
}

impl Line {
    pub(super) fn begin(kind: &str, time: Timestamp, id: RequestId) -> Self {
        let mut line = Self { buffer: Vec::with_capacity(LENGTH_BYTES_TYPICAL), first: true };
        line.number("format", FORMAT);
        line.text("kind", kind);
        line.display("time", time);
        line.display("id", id);
        line
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.value(name, value);
    }

    pub(super) fn list(&mut self, name: &str, values: &[String]) {
        self.value(name, values);
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.buffer.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    pub(super) fn address(&mut self, name: &str, value: SocketAddr) {
        self.display(name, value);
    }

    /// Writes the keyed hash that stands for `value`.
    pub(super) fn hashed(&mut self, name: &str, value: &[u8], hash: &KeyedHash) {
        self.name(name);
        hashed::write_hash(&mut self.buffer, value, hash);
    }

    /// Writes pairs as an object with hashed values; a name given twice is written twice.
    pub(super) fn hashed_pairs(&mut self, name: &str, pairs: &[(String, String)], hash: &KeyedHash) {
        self.object(name, |line| {
            for (key, value) in pairs {
                line.hashed(key, value.as_bytes(), hash);
            }
        });
    }

    /// Writes a JSON value with its names in clear and every text and number hashed.
    pub(super) fn hashed_json(&mut self, name: &str, json: &[u8], hash: &KeyedHash) {
        self.name(name);
        hashed::write_json(&mut self.buffer, json, hash);
    }

    pub(super) fn object(&mut self, name: &str, fields: impl FnOnce(&mut Self)) {
        self.name(name);
        self.buffer.push(b'{');
        self.first = true;
        fields(self);
        self.first = false;
        self.buffer.push(b'}');
    }

    /// Writes a list of objects.
    pub(super) fn objects<T>(&mut self, name: &str, items: &[T], fields: impl Fn(&mut Self, &T)) {
        self.name(name);
        self.buffer.push(b'[');
        for (position, item) in items.iter().enumerate() {
            self.buffer.extend_from_slice(if position == 0 { b"{" } else { b",{" });
            self.first = true;
            fields(self, item);
            self.buffer.push(b'}');
        }
        self.first = false;
        self.buffer.push(b']');
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.buffer.push(b'}');
        self.buffer
    }

    /// Writes a value whose text needs no escaping.
    fn display(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        // Writing to memory does not fail.
        let _ = write!(self.buffer, "\"{value}\"");
    }

    fn value<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.name(name);
        hashed::write_plain(&mut self.buffer, value);
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.buffer.push(b',');
        }
        self.first = false;
        hashed::write_plain(&mut self.buffer, name);
        self.buffer.push(b':');
    }
}
