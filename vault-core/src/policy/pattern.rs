//! Path patterns of rules: exact paths, `*` at the end for any rest, `+` for any one segment.

use std::cmp::Reverse;

use super::denial::Piece;
use crate::path::PATH_LENGTH_BYTES_MAX;

/// A pattern; ordered by its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Pattern {
    /// The text without a leading slash and without the `*` at the end.
    text: String,
    /// Whether a `*` stood at the end.
    any_rest: bool,
    /// How many segments are `+`.
    plus_count: usize,
    /// Where the first `+` or the `*` stands, in bytes; the length of the text where there is neither.
    first_wildcard: usize,
}

/// Which of the three kinds a pattern is of; each is looked up in its own way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// No wildcard.
    Exact,
    /// Only a `*` at the end.
    Prefix,
    /// At least one `+`.
    Segments,
}

/// Orders the patterns that match one path: the greatest decides. Field by field as the Vault documentation
/// lists the rules ("Policies", priority matching).
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Priority<'a> {
    first_wildcard: usize,
    ends_exactly: bool,
    plus_count: Reverse<usize>,
    length: usize,
    text: &'a str,
}

impl Pattern {
    /// Checks a pattern without templates.
    ///
    /// # Errors
    /// Answers with the reason for patterns that would not mean what they seem to.
    pub(crate) fn parse(written: &str) -> Result<Self, String> {
        Self::checked(written.strip_prefix('/').unwrap_or(written), written)
    }

    /// Checks a path, without leading slash, that came from what was `written`.
    ///
    /// # Errors
    /// Answers as [`Self::parse`].
    pub(super) fn checked(path: &str, written: &str) -> Result<Self, String> {
        if path.is_empty() {
            return Err("the path is empty: write a path such as secret/data/app".to_owned());
        }
        if path.len() > PATH_LENGTH_BYTES_MAX {
            return Err(format!("the path has {} bytes; at most {PATH_LENGTH_BYTES_MAX} are allowed", path.len()));
        }
        if path.contains("+*") {
            return Err(format!(
                "path {written:?}: '+*' is not allowed: write '+' for one segment or '*' for any rest"
            ));
        }
        let (text, any_rest) = path.strip_suffix('*').map_or((path, false), |text| (text, true));
        if text.contains('*') {
            return Err(format!("path {written:?}: '*' only stands at the end: write '+' for one segment"));
        }
        Ok(Self::of_segments(text.split('/').map(|segment| (segment, segment == "+")), any_rest))
    }

    /// Puts a pattern together from its segments and whether each is the wildcard `+`.
    pub(super) fn of_segments<'a>(segments: impl Iterator<Item = (&'a str, bool)>, any_rest: bool) -> Self {
        let mut text = String::new();
        let mut first_plus = None;
        let mut plus_count = 0;
        for (index, (segment, is_plus)) in segments.enumerate() {
            if index > 0 {
                text.push('/');
            }
            if is_plus {
                plus_count += 1;
                first_plus = first_plus.or(Some(text.len()));
            }
            text.push_str(segment);
        }
        Self { first_wildcard: first_plus.unwrap_or(text.len()), text, any_rest, plus_count }
    }

    /// Gives the text without the `*` at the end.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Writes the pattern as a policy does, without leading slash.
    pub(crate) fn written(&self) -> String {
        if self.any_rest { format!("{}*", self.text) } else { self.text.clone() }
    }

    /// Gives the segments, and whether a `*` stands at the end.
    pub(super) fn pieces(&self) -> (Vec<Piece>, bool) {
        let piece = |segment| if segment == "+" { Piece::Plus } else { Piece::Literal(String::from(segment)) };
        (self.text.split('/').map(piece).collect(), self.any_rest)
    }

    /// Tells which kind the pattern is of.
    pub(super) const fn shape(&self) -> Shape {
        match (self.plus_count, self.any_rest) {
            (0, false) => Shape::Exact,
            (0, true) => Shape::Prefix,
            _ => Shape::Segments,
        }
    }

    /// Gives the place of the pattern among all that match one path.
    pub(super) fn priority(&self) -> Priority<'_> {
        Priority {
            first_wildcard: self.first_wildcard,
            ends_exactly: !self.any_rest,
            plus_count: Reverse(self.plus_count),
            length: self.text.len(),
            text: &self.text,
        }
    }

    /// Tells whether the pattern fits a path.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut left = Some(path);
        let mut segments = self.text.split('/').peekable();
        while let Some(segment) = segments.next() {
            let Some(rest) = left else { return false };
            if self.any_rest && segments.peek().is_none() {
                return rest.starts_with(segment);
            }
            let (head, after) = rest.split_once('/').map_or((rest, None), |(head, after)| (head, Some(after)));
            if segment != "+" && segment != head {
                return false;
            }
            left = after;
        }
        left.is_none()
    }

    /// Tells whether the pattern can match some path that starts with `folder`, which ends with a slash.
    pub(super) fn reaches_below(&self, folder: &str) -> bool {
        let mut segments = self.text.split('/').peekable();
        for wanted in folder.split_terminator('/') {
            match segments.next() {
                None => return false,
                Some(last) if segments.peek().is_none() => return self.any_rest && wanted.starts_with(last),
                Some(segment) if segment == "+" || segment == wanted => {}
                Some(_) => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn priorities_follow_the_documented_order() {
        // Each pattern yields to the next.
        let chains: [&[&str]; 4] = [
            &["*", "secret/*", "secret/a*", "secret/ab*"],
            &["+/+/b", "+/a/b", "secret/+/b", "secret/a/+"],
            &["secret/+/*", "secret/+/b*", "secret/+/+", "secret/+/b"],
            &["secret/*", "secret/+"],
        ];
        for chain in chains {
            for pair in chain.windows(2) {
                assert!(pattern(pair[0]).priority() < pattern(pair[1]).priority(), "{pair:?}");
            }
        }
    }

    #[test]
    fn misleading_patterns_are_refused() {
        for text in ["", "/", "a/+*", "a+*", "a/*/b", "**"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        assert_eq!(pattern("/a/b*"), pattern("a/b*"));
        assert_eq!(pattern("a/+b/c+").shape(), Shape::Exact);
    }

    #[test]
    fn reaching_below_a_folder() {
        let cases = [
            ("kv/a", true),
            ("kv/*", true),
            ("k*", true),
            ("*", true),
            ("+/a", true),
            ("+/*", true),
            ("kv", false),
            ("other/+", false),
            ("other/*", false),
        ];
        for (text, reaches) in cases {
            assert_eq!(pattern(text).reaches_below("kv/"), reaches, "{text}");
        }
        assert!(pattern("a/+/c/+").reaches_below("a/b/"));
        assert!(!pattern("a/+/c/+").reaches_below("a/b/d/"));
        assert!(!pattern("a/+").reaches_below("a/b/"));
    }
}
