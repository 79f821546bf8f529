//! Reads Rust source just well enough to measure it: tells code from comments and literals, and finds functions.

/// What to blank out of a source text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blank {
    /// Comments only.
    Comments,
    /// Comments and the literals of strings and characters.
    CommentsAndLiterals,
}

/// A function with a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, from 1.
    pub line: usize,
    /// How many lines it has, from its `fn` to its closing brace.
    pub lines: usize,
}

/// Replaces parts of `source` by spaces; every line break stays where it is.
pub fn blank(source: &str, what: Blank) -> String {
    let mut output = String::with_capacity(source.len());
    let mut rest = source;
    let mut in_word = false;
    while let Some(first) = rest.chars().next() {
        let piece = Piece::at_start_of(rest, first, in_word);
        let (taken, after) = rest.split_at_checked(piece.length_bytes).unwrap_or((rest, ""));
        let hidden = match piece.kind {
            Kind::Comment => true,
            Kind::Literal => what == Blank::CommentsAndLiterals,
            Kind::Code => false,
        };
        if hidden {
            output.extend(taken.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        } else {
            output.push_str(taken);
        }
        in_word = piece.kind == Kind::Code && is_word(first);
        rest = after;
    }
    output
}

/// Gives the part of `source` before its unit tests, which stand last in a file.
pub fn without_unit_tests(source: &str) -> &str {
    let start = source.match_indices("#[cfg(test)]").find(|(position, attribute)| {
        let after = source.get(position + attribute.len()..).unwrap_or_default();
        after.trim_start().starts_with("mod ")
    });
    start.and_then(|(position, _)| source.get(..position)).unwrap_or(source)
}

/// Finds every function with a body, nested ones too, in the order of their beginnings.
pub fn functions(source: &str) -> Vec<Function> {
    let code = blank(source, Blank::CommentsAndLiterals);
    let mut found = Vec::new();
    for (position, _) in code.match_indices("fn") {
        let before = code.get(..position).unwrap_or_default();
        let after = code.get(position + 2..).unwrap_or_default();
        let starts_word = !before.ends_with(|character| is_word(character) || character == '#');
        let name: String = after.trim_start().chars().take_while(|character| is_word(*character)).collect();
        if !starts_word || !after.starts_with(char::is_whitespace) || name.is_empty() {
            continue;
        }
        if let Some(text) = up_to_closing_brace(after) {
            let line = 1 + line_breaks(before);
            found.push(Function { name, line, lines: 1 + line_breaks(text) });
        }
    }
    found
}

/// Finds the places where `needle` stands as a whole word or path: neither preceded nor followed by a letter, digit
/// or underscore where it begins or ends with one. Gives the line of each, from 1.
pub fn lines_with_word(code: &str, needle: &str) -> Vec<usize> {
    let lines = code.lines().enumerate();
    lines.filter(|(_, line)| has_word(line, needle)).map(|(number, _)| number + 1).collect()
}

fn has_word(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(position, _)| {
        let before = line.get(..position).unwrap_or_default();
        let after = line.get(position + needle.len()..).unwrap_or_default();
        let starts = !needle.starts_with(is_word) || !before.ends_with(is_word);
        let ends = !needle.ends_with(is_word) || !after.starts_with(is_word);
        starts && ends
    })
}

/// Gives the text up to the brace that closes the body; `None` when the function has none.
fn up_to_closing_brace(after_fn: &str) -> Option<&str> {
    let mut brackets = 0_usize;
    let mut braces = 0_usize;
    for (position, character) in after_fn.char_indices() {
        match character {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.checked_sub(1)?,
            '{' => braces += 1,
            '}' if braces <= 1 => return after_fn.get(..=position),
            '}' => braces -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            _ => {}
        }
    }
    None
}

fn line_breaks(text: &str) -> usize {
    text.matches('\n').count()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The next piece of a source text: a whole comment, a whole literal, or one character of code.
struct Piece {
    kind: Kind,
    length_bytes: usize,
}

impl Piece {
    fn at_start_of(rest: &str, first: char, in_word: bool) -> Self {
        let comment = line_comment(rest).or_else(|| block_comment(rest));
        let literal = || {
            let prefixed = if in_word { None } else { raw_string(rest) };
            prefixed.or_else(|| string(rest)).or_else(|| character(rest))
        };
        let (kind, length_bytes) = match comment {
            Some(length) => (Kind::Comment, length),
            None => literal().map_or((Kind::Code, first.len_utf8()), |length| (Kind::Literal, length)),
        };
        Self { kind, length_bytes }
    }
}

fn line_comment(rest: &str) -> Option<usize> {
    rest.starts_with("//").then(|| rest.find('\n').unwrap_or(rest.len()))
}

/// Measures a block comment; they nest (Rust reference, "Comments").
fn block_comment(rest: &str) -> Option<usize> {
    rest.strip_prefix("/*")?;
    let mut depth = 0_usize;
    let mut position = 0;
    while let Some(tail) = rest.get(position..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            position += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return Some(position);
            }
        } else {
            position += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(rest.len())
}

fn raw_string(rest: &str) -> Option<usize> {
    let unprefixed = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let inner = unprefixed.trim_start_matches('#');
    let hashes = unprefixed.len() - inner.len();
    let inner = inner.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inner.find(&end).map_or(inner.len(), |position| position + end.len());
    Some(rest.len() - inner.len() + length)
}

fn string(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('"')?;
    let mut escaped = false;
    for (position, character) in inner.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(position + 2),
            _ => {}
        }
    }
    Some(rest.len())
}

/// Measures a character literal; a quote that begins a lifetime or a label is none.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let mut characters = inner.chars();
    let first = characters.next()?;
    if first == '\\' {
        let escaped = characters.next()?.len_utf8();
        let tail = inner.get(1 + escaped..)?;
        return tail.find('\'').map(|position| 1 + 1 + escaped + position + 1);
    }
    (characters.next() == Some('\'')).then(|| 1 + first.len_utf8() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> String {
        let blanked = blank(source, Blank::CommentsAndLiterals);
        assert_eq!(line_breaks(&blanked), line_breaks(source), "line breaks of {source:?}");
        blanked.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn measured(source: &str) -> Vec<(String, usize, usize)> {
        functions(source).into_iter().map(|found| (found.name, found.line, found.lines)).collect()
    }

    #[test]
    fn comments_are_no_code() {
        assert_eq!(code("a // { \" \nb"), "a b");
        assert_eq!(code("a /* { /* nested */ } \n */ b"), "a b");
        assert_eq!(code("a /* never closed {"), "a");
        assert_eq!(code("a / b"), "a / b");
    }

    #[test]
    fn strings_are_no_code() {
        assert_eq!(code(r#"f("{ \" // {", b"}", c"}")"#), "f( , b , c )");
        assert_eq!(code("f(r\"\\\", r#\"a \" {\"#, br##\"\"# }\"##) g"), "f( , , ) g");
        assert_eq!(code("f(\"two\nlines {\") g"), "f( ) g");
        assert_eq!(code("bar\"{\""), "bar", "the r of a word begins no raw string");
        assert_eq!(code("r#fn { }"), "r#fn { }");
        assert_eq!(code("\"never closed {"), "");
    }

    #[test]
    fn characters_are_no_code_and_lifetimes_are() {
        assert_eq!(code(r"['{', '\'', '\\', '\u{7d}', b'}', 'é', '\n']"), "[ , , , , b , , ]");
        assert_eq!(code("fn f<'a>(x: &'a str, y: &'static str) { 'outer: loop {} }").matches('{').count(), 2);
        assert_eq!(code("f('\"') g('\"')"), "f( ) g( )");
    }

    #[test]
    fn only_comments_can_be_blanked() {
        assert_eq!(blank("a(\"// b\") // c", Blank::Comments), "a(\"// b\")     ");
    }

    #[test]
    fn functions_are_measured_from_their_fn_to_their_brace() {
        assert_eq!(
            measured("fn one() {}\n\npub fn two(\n) {\n  {}\n}\n"),
            [("one".to_owned(), 1, 1), ("two".to_owned(), 3, 4)]
        );
        assert_eq!(
            measured("fn outer() {\n  fn inner() {\n  }\n}"),
            [("outer".to_owned(), 1, 4), ("inner".to_owned(), 2, 2)]
        );
    }

    #[test]
    fn only_functions_with_a_body_count() {
        assert_eq!(measured("trait T { fn a(x: [u8; 4]) -> [u8; 2];\n fn b(&self) { }\n}"), [("b".to_owned(), 2, 1)]);
        assert_eq!(measured("type F = fn(u8) -> u8; let r#fn = 1; struct Xfn; // fn c() {}"), []);
        assert_eq!(measured("fn a() { \"fn b() {\"; '{'; }"), [("a".to_owned(), 1, 1)]);
    }

    #[test]
    fn unit_tests_can_be_left_out() {
        assert_eq!(without_unit_tests("fn a() {}\n#[cfg(test)]\nmod tests {}"), "fn a() {}\n");
        assert_eq!(without_unit_tests("#[cfg(test)]\nuse x;\nfn a() {}"), "#[cfg(test)]\nuse x;\nfn a() {}");
    }

    #[test]
    fn words_are_found_whole() {
        assert_eq!(lines_with_word("async fn a\nasynchronous\nmy_async\n(async)", "async"), [1, 4]);
        assert_eq!(lines_with_word("x.await;\nx.awaited", ".await"), [1]);
        assert_eq!(lines_with_word("a::hkdf::b\nmyhkdf::b", "hkdf::"), [1]);
    }
}
