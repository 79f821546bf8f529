//! The syntax of policies: HCL as Vault reads it (version 1 of the language), and JSON as a form of it.
//!
//! Version 1 lets several attributes share a line and quotes the keys of blocks, which version 2 refuses; policies
//! in use rely on it. A block with labels is an object in an object, so both forms come to the same tree.

use serde_json::Number;

use super::PolicyError;

/// Deepest nesting of objects and lists; a policy with parameter rules needs six levels.
const NESTING_MAX: usize = 16;

/// A value together with the line that it starts at, from 1.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Item>),
}

/// A key with its value. Keys may come more than once, as blocks do.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Item {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) node: Node,
}

/// Reads a text as a list of items.
///
/// # Errors
/// Answers [`PolicyError`] with the line where the text stops making sense.
pub(super) fn parse(text: &str) -> Result<Vec<Item>, PolicyError> {
    let mut reader = Reader { rest: text, line: 1, depth: 0 };
    if text.trim_start().starts_with('{') {
        // The reader below takes more than JSON; a text in braces must be JSON to the letter.
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|error| PolicyError { line: error.line(), reason: "the text is not valid JSON".to_owned() })?;
        reader.skip_space()?;
        reader.take('{');
        reader.items(true)
    } else {
        reader.items(false)
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    depth: usize,
}

impl Reader<'_> {
    /// Reads items up to a closing brace, which is taken, or to the end of the text.
    fn items(&mut self, braced: bool) -> Result<Vec<Item>, PolicyError> {
        let mut items = Vec::new();
        loop {
            self.skip_space()?;
            match self.peek() {
                Some('}') if braced => {
                    self.take('}');
                    return Ok(items);
                }
                None if braced => return Err(self.error("a block is not closed: a '}' is missing")),
                None => return Ok(items),
                Some(_) => items.push(self.item()?),
            }
            self.skip_space()?;
            self.take(',');
        }
    }

    /// Reads `key = value`, `"key": value`, `key { .. }` or `key "label" { .. }`.
    fn item(&mut self) -> Result<Item, PolicyError> {
        let line = self.line;
        let key = self.key()?;
        self.skip_space()?;
        let node = match self.peek() {
            Some('=' | ':') => {
                self.bump();
                self.skip_space()?;
                self.value()?
            }
            Some('{') => self.value()?,
            Some(c) if c == '"' || is_word(c) => {
                let line = self.line;
                let inner = self.nested(Self::item)?;
                Node { line, value: Value::Object(vec![inner]) }
            }
            _ => return Err(self.error(format!("'=' or '{{' is missing after {key:?}"))),
        };
        Ok(Item { line, key, node })
    }

    fn key(&mut self) -> Result<String, PolicyError> {
        match self.peek() {
            Some('"') => self.text(),
            Some(c) if is_word(c) => Ok(self.take_while(is_word).to_owned()),
            Some(c) => Err(self.error(format!("{c:?} is unexpected: a key or a '}}' belongs here"))),
            None => Err(self.error("the text ends where a key belongs")),
        }
    }

    fn value(&mut self) -> Result<Node, PolicyError> {
        let line = self.line;
        let value = match self.peek() {
            Some('"') => Value::Text(self.text()?),
            Some('[') => {
                self.bump();
                Value::List(self.nested(Self::list)?)
            }
            Some('{') => {
                self.bump();
                Value::Object(self.nested(|reader| reader.items(true))?)
            }
            Some(c) if is_word(c) || c == '+' => self.word()?,
            Some(c) => return Err(self.error(format!("{c:?} is unexpected: a value belongs here"))),
            None => return Err(self.error("the text ends where a value belongs")),
        };
        Ok(Node { line, value })
    }

    fn list(&mut self) -> Result<Vec<Node>, PolicyError> {
        let mut nodes = Vec::new();
        loop {
            self.skip_space()?;
            if self.take(']') {
                return Ok(nodes);
            }
            nodes.push(self.value()?);
            self.skip_space()?;
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.error("a list is not closed: ',' or ']' is missing"));
            }
        }
    }

    fn word(&mut self) -> Result<Value, PolicyError> {
        let line = self.line;
        let word = self.take_while(|c| is_word(c) || c == '+').to_owned();
        match word.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            number => serde_json::from_str(number)
                .map(Value::Number)
                .map_err(|_| PolicyError { line, reason: format!("{word:?} is no value: texts stand in quotes") }),
        }
    }

    fn text(&mut self) -> Result<String, PolicyError> {
        self.take('"');
        let mut text = String::new();
        loop {
            match self.bump() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some('\n') => {
                    let line = self.line - 1;
                    return Err(PolicyError { line, reason: "a text is not closed: a '\"' is missing".to_owned() });
                }
                None => return Err(self.error("a text is not closed: a '\"' is missing")),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, PolicyError> {
        match self.bump() {
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some(c @ ('"' | '\\' | '/')) => Ok(c),
            Some('u') => {
                let first = self.hexadecimal(4)?;
                self.character(first)
            }
            Some('U') => {
                let code = self.hexadecimal(8)?;
                char::from_u32(code).ok_or_else(|| self.error("an escape names no character"))
            }
            _ => Err(self.error("an unknown escape: \\n, \\r, \\t, \\\", \\\\ and \\uXXXX are known")),
        }
    }

    /// Joins the two halves that JSON writes a character beyond 16 bits with.
    fn character(&mut self, first: u32) -> Result<char, PolicyError> {
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.error("an escape names no character"));
        }
        if !(self.take('\\') && self.take('u')) {
            return Err(self.error("an escape names half a character"));
        }
        let second = self.hexadecimal(4)?;
        let joined = second.checked_sub(0xDC00).filter(|low| *low < 0x400).map(|low| {
            let high = first - 0xD800;
            0x10000 + (high << 10) + low
        });
        joined.and_then(char::from_u32).ok_or_else(|| self.error("an escape names half a character"))
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<u32, PolicyError> {
        let mut code: u32 = 0;
        for _ in 0..digits {
            let digit = self.bump().and_then(|c| c.to_digit(16));
            let digit = digit.ok_or_else(|| self.error("an escape needs more hexadecimal digits"))?;
            code = (code << 4) | digit;
        }
        Ok(code)
    }

    /// Skips white space and the comments `#`, `//` and `/* */`.
    fn skip_space(&mut self) -> Result<(), PolicyError> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                let end = comment.find("*/").ok_or_else(|| self.error("a comment is not closed: '*/' is missing"))?;
                let (comment, rest) = comment.split_at_checked(end).unwrap_or((comment, ""));
                self.line += comment.matches('\n').count();
                self.rest = rest.strip_prefix("*/").unwrap_or(rest);
            } else {
                return Ok(());
            }
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, PolicyError>) -> Result<T, PolicyError> {
        if self.depth >= NESTING_MAX {
            return Err(self.error(format!("more than {NESTING_MAX} levels of nesting")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next()?;
        self.rest = characters.as_str();
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.bump();
        }
        there
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn error(&self, reason: impl Into<String>) -> PolicyError {
        PolicyError { line: self.line, reason: reason.into() }
    }
}

/// Tells whether a character belongs to a bare word or a number.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks_and_objects_come_to_the_same_tree() {
        let forms = [
            "path \"a\" { capabilities = [\"read\"] }",
            "path = { \"a\" = { capabilities = [\"read\",] } }",
            "path \"a\" = { /* \" */ \"capabilities\": [\"read\"], } # end",
            "{\"path\": {\"a\": {\"capabilities\": [\"\\u0072ead\"]}}}",
        ];
        let trees = forms.map(|text| parse(text).unwrap());
        assert!(trees.iter().all(|tree| *tree == trees[0]), "{trees:#?}");
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            ("a = 1\nb = ", 2),
            ("a = 1\n\nb = \"x\n", 3),
            ("a = [1\n2]", 2),
            ("/* \n\n */ }", 3),
            ("a {\nb = 1\n", 3),
            ("{\"a\": 1,\n\"b\" = 2}", 2),
            ("a = <<EOT\nEOT", 1),
            ("a = \"\\q\"", 1),
            ("a = \"\\ud83d\"", 1),
        ];
        for (text, line) in cases {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        for open in ["a {", "a = [", "a "] {
            let error = parse(&open.repeat(10_000)).unwrap_err();
            assert!(!error.reason.is_empty());
        }
        assert!(parse(&format!("a = {}", "[".repeat(10_000))).unwrap_err().reason.contains("levels"));
        assert!(parse(&"a {".repeat(17)).unwrap_err().reason.contains("levels"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(path|a|\"|\\{|\\}|\\[|\\]|=|:|,|\\\\|u|\n|/|\\*|#|[0-9]| |\\PC){0,60}") {
            if let Err(error) = parse(&text) {
                prop_assert!(error.line >= 1 && error.line <= text.matches('\n').count() + 1);
            }
        }

        #[test]
        fn json_text_reads_back(text in "\\PC{0,30}") {
            let json = serde_json::json!({ "a": text }).to_string();
            let items = parse(&json).unwrap();
            prop_assert_eq!(&items[0].node.value, &Value::Text(text));
        }
    }
}
