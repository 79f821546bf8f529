//! Rules that deny and whose templates do not resolve: they deny for every value that could have stood there.

use super::pattern::{Pattern, Shape};

/// One segment of a path with gaps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// This text.
    Literal(String),
    /// Any one segment, as written in the policy.
    Plus,
    /// Text with gaps for the values that did not resolve.
    Gap(Gap),
}

/// The texts around the gaps of a segment, at least two; each gap stands for any text of at least one character.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Gap {
    first: String,
    middle: Vec<String>,
    last: String,
}

/// What is denied for every value. It decides as if the rule stood there once for each value.
#[derive(Clone, Debug)]
pub(super) struct Denial {
    pieces: Vec<Piece>,
    any_rest: bool,
}

impl Gap {
    /// Makes gaps between texts.
    pub(super) fn between(texts: Vec<String>) -> Self {
        let mut texts = texts.into_iter();
        let first = texts.next().unwrap_or_default();
        let last = texts.next_back().unwrap_or_default();
        Self { first, middle: texts.collect(), last }
    }

    /// Gives the texts around the gaps.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        [&self.first].into_iter().chain(&self.middle).chain([&self.last]).map(String::as_str)
    }

    /// Gives how many bytes of a segment the gap can cover at most, if it fits: all of them, or with `any_rest` a
    /// beginning of the segment.
    pub(super) fn covers(&self, segment: &str, any_rest: bool) -> Option<usize> {
        let mut rest = segment.strip_prefix(self.first.as_str())?;
        // The earliest place of each text leaves most to the others.
        for text in &self.middle {
            let after = after_one_character(rest)?;
            let found = after.find(text.as_str())?;
            rest = after.get(found + text.len()..)?;
        }
        let after = after_one_character(rest)?;
        let found = after.rfind(self.last.as_str())?;
        let end = segment.len() - after.len() + found + self.last.len();
        (any_rest || end == segment.len()).then_some(end)
    }
}

impl Denial {
    pub(super) const fn new(pieces: Vec<Piece>, any_rest: bool) -> Self {
        Self { pieces, any_rest }
    }

    /// Gives the segments, and whether a `*` stands at the end.
    pub(super) fn pieces(&self) -> (&[Piece], bool) {
        (&self.pieces, self.any_rest)
    }

    /// Tells which kind the rule is of for each single value.
    pub(super) fn shape(&self) -> Shape {
        match (self.pieces.contains(&Piece::Plus), self.any_rest) {
            (true, _) => Shape::Segments,
            (false, true) => Shape::Prefix,
            (false, false) => Shape::Exact,
        }
    }

    /// Gives, for a path that fits, the most specific pattern that the rule could have become and that matches it.
    pub(super) fn instance(&self, path: &str) -> Pattern {
        let last = self.pieces.len().saturating_sub(1);
        let segments = self.pieces.iter().zip(path.split('/')).enumerate();
        let written = segments.map(|(index, (piece, found))| match piece {
            Piece::Literal(text) => (text.as_str(), false),
            Piece::Plus => ("+", true),
            Piece::Gap(gap) => {
                let length = gap.covers(found, self.any_rest && index == last);
                (length.and_then(|length| found.get(..length)).unwrap_or(found), false)
            }
        });
        Pattern::of_segments(written, self.any_rest)
    }
}

fn after_one_character(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next()?;
    Some(characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(texts: &[&str]) -> Gap {
        Gap::between(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn gaps_take_at_least_one_character_each() {
        let cases: [(&[&str], &str, bool); 13] = [
            (&["", ""], "a", true),
            (&["", ""], "", false),
            (&["", "", ""], "a", false),
            (&["", "", ""], "éé", true),
            (&["a-", ""], "a-", false),
            (&["a-", ""], "a-x", true),
            (&["a-", "-b"], "a-b", false),
            (&["a-", "-b"], "a-x-b", true),
            (&["", "-", ""], "x--y", true),
            (&["", "-", ""], "-y", false),
            (&["", "-", "-z"], "x-y-z", true),
            (&["", "aa", "a"], "xaaya", true),
            (&["", "aa", "a"], "xaaa", false),
        ];
        for (texts, segment, fits) in cases {
            assert_eq!(gap(texts).covers(segment, false).is_some(), fits, "{texts:?} {segment}");
        }
    }

    #[test]
    fn with_any_rest_the_longest_beginning_counts() {
        assert_eq!(gap(&["", ""]).covers("abc", true), Some(3));
        assert_eq!(gap(&["", "b"]).covers("abxbc", true), Some(4));
        assert_eq!(gap(&["", "b"]).covers("bc", true), None);
    }
}
