//! The syntax of expressions.
//!
//! ```text
//! expression = term *( "and" term ) / term *( "or" term )
//! term       = number "of" team / number "of" "(" expression *( "," expression ) ")" / "(" expression ")"
//! ```

use super::error::{QuorumError, QuorumProblem};
use super::{DEPTH_MAX, EXPRESSION_LENGTH_BYTES_MAX, LEAVES_MAX};
use crate::charter::name::is_name_character;

/// A part of an expression, with its place in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Syntax {
    Team { needed: u8, team: String, offset: usize },
    Of { needed: u8, parts: Vec<Syntax>, offset: usize },
    And { parts: Vec<Syntax>, offset: usize },
    Or { parts: Vec<Syntax>, offset: usize },
}

/// Says whether a word means something in expressions, so that no team can be called so.
pub(in crate::charter) fn is_reserved(word: &str) -> bool {
    matches!(word, "of" | "and" | "or") || word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads an expression.
///
/// # Errors
/// Answers [`QuorumError`] with the place where the text stops making sense.
pub(super) fn parse(text: &str) -> Result<Syntax, QuorumError> {
    if text.len() > EXPRESSION_LENGTH_BYTES_MAX {
        let problem = QuorumProblem::TooLong { length_bytes: text.len() };
        return Err(QuorumError { offset: 0, problem });
    }
    let mut reader = Reader { text, offset: 0, depth: 0, leaves: 0 };
    let expression = reader.expression()?;
    match reader.peek()? {
        Token::End => Ok(expression),
        _ => Err(reader.unexpected("`and`, `or` or the end")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Open,
    Close,
    Comma,
    End,
}

struct Reader<'a> {
    text: &'a str,
    offset: usize,
    depth: usize,
    leaves: usize,
}

impl<'a> Reader<'a> {
    fn expression(&mut self) -> Result<Syntax, QuorumError> {
        let first = self.term()?;
        let offset = self.offset_of_next();
        let word = match self.peek()? {
            Token::Word(word @ ("and" | "or")) => word,
            _ => return Ok(first),
        };
        let mut parts = vec![first];
        while let Token::Word(next @ ("and" | "or")) = self.peek()? {
            if next != word {
                return Err(self.error(QuorumProblem::Mixed));
            }
            self.take()?;
            parts.push(self.term()?);
        }
        Ok(if word == "and" { Syntax::And { parts, offset } } else { Syntax::Or { parts, offset } })
    }

    fn term(&mut self) -> Result<Syntax, QuorumError> {
        const DUE: &str = "a rule such as `2 of security` or a parenthesis";
        match self.peek()? {
            Token::Open => {
                self.take()?;
                let inner = self.nested(Self::expression)?;
                self.expect(Token::Close, "`)`")?;
                Ok(inner)
            }
            Token::Word(word) if word.bytes().all(|byte| byte.is_ascii_digit()) => self.counted(word),
            _ => Err(self.unexpected(DUE)),
        }
    }

    fn counted(&mut self, number: &str) -> Result<Syntax, QuorumError> {
        let offset = self.offset_of_next();
        let error = |problem| QuorumError { offset, problem };
        let needed = match number.parse::<u8>() {
            Ok(0) => return Err(error(QuorumProblem::Zero)),
            Ok(needed) if !number.starts_with('0') => needed,
            _ => return Err(error(QuorumProblem::Number { text: shortened(number) })),
        };
        self.take()?;
        self.expect(Token::Word("of"), "`of`")?;
        match self.peek()? {
            Token::Open => {
                self.take()?;
                let parts = self.nested(Self::list)?;
                self.expect(Token::Close, "`,` or `)`")?;
                Ok(Syntax::Of { needed, parts, offset })
            }
            Token::Word(team) if !is_reserved(team) => {
                self.leaves += 1;
                if self.leaves > LEAVES_MAX {
                    return Err(self.error(QuorumProblem::TooManyLeaves));
                }
                let offset = self.offset_of_next();
                self.take()?;
                Ok(Syntax::Team { needed, team: team.to_owned(), offset })
            }
            _ => Err(self.unexpected("a team or a list of rules in parentheses")),
        }
    }

    fn list(&mut self) -> Result<Vec<Syntax>, QuorumError> {
        let mut parts = vec![self.expression()?];
        while self.peek()? == Token::Comma {
            self.take()?;
            parts.push(self.expression()?);
        }
        Ok(parts)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, QuorumError>) -> Result<T, QuorumError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(QuorumProblem::TooDeep));
        }
        let inner = read(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn expect(&mut self, token: Token<'_>, expected: &'static str) -> Result<(), QuorumError> {
        if self.peek()? != token {
            return Err(self.unexpected(expected));
        }
        self.take().map(drop)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn offset_of_next(&self) -> usize {
        let rest = self.rest();
        self.offset + (rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len())
    }

    /// Looks at the next token, which begins after the space.
    fn peek(&self) -> Result<Token<'a>, QuorumError> {
        let rest = self.rest().trim_start_matches([' ', '\t', '\r', '\n']);
        match rest.chars().next() {
            None => Ok(Token::End),
            Some('(') => Ok(Token::Open),
            Some(')') => Ok(Token::Close),
            Some(',') => Ok(Token::Comma),
            Some(character) if is_name_character(character) => {
                let end = rest.find(|character| !is_name_character(character)).unwrap_or(rest.len());
                Ok(Token::Word(rest.get(..end).unwrap_or_default()))
            }
            Some(character) => Err(self.error(QuorumProblem::Character { character })),
        }
    }

    fn take(&mut self) -> Result<Token<'a>, QuorumError> {
        let token = self.peek()?;
        let length = match token {
            Token::Word(word) => word.len(),
            Token::Open | Token::Close | Token::Comma => 1,
            Token::End => 0,
        };
        self.offset = self.offset_of_next() + length;
        Ok(token)
    }

    fn error(&self, problem: QuorumProblem) -> QuorumError {
        QuorumError { offset: self.offset_of_next(), problem }
    }

    fn unexpected(&self, expected: &'static str) -> QuorumError {
        let found = match self.peek() {
            Ok(Token::Word(word)) => format!("{:?}", shortened(word)),
            Ok(Token::Open) => "`(`".to_owned(),
            Ok(Token::Close) => "`)`".to_owned(),
            Ok(Token::Comma) => "`,`".to_owned(),
            Ok(Token::End) => "the end".to_owned(),
            Err(error) => return error,
        };
        self.error(QuorumProblem::Unexpected { found, expected })
    }
}

fn shortened(word: &str) -> String {
    word.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(text: &str) -> (usize, QuorumProblem) {
        let error = parse(text).unwrap_err();
        (error.offset, error.problem)
    }

    #[test]
    fn every_form_is_read() {
        let team = |needed, team: &str, offset| Syntax::Team { needed, team: team.to_owned(), offset };
        assert_eq!(parse("2 of security"), Ok(team(2, "security", 5)));
        assert_eq!(parse(" ( 2\tof\n security ) "), Ok(team(2, "security", 9)));
        let and = Syntax::And { parts: vec![team(1, "a", 5), team(1, "b", 16)], offset: 7 };
        assert_eq!(parse("1 of a and 1 of b"), Ok(and));
        let or = Syntax::Or { parts: vec![team(1, "a", 5), team(1, "b", 15), team(1, "c", 25)], offset: 7 };
        assert_eq!(parse("1 of a or 1 of b or 1 of c"), Ok(or));
        let of = Syntax::Of { needed: 2, parts: vec![team(1, "a", 11), team(2, "b", 19)], offset: 0 };
        assert_eq!(parse("2 of (1 of a, (2 of b))").map_err(|error| error.offset).unwrap(), {
            let Syntax::Of { needed, offset, .. } = of else { unreachable!() };
            Syntax::Of { needed, parts: vec![team(1, "a", 11), team(2, "b", 20)], offset }
        });
    }

    #[test]
    fn every_other_form_is_refused_at_its_place() {
        assert_eq!(problem("1 of a and 1 of b or 1 of c"), (18, QuorumProblem::Mixed));
        assert_eq!(problem("0 of a"), (0, QuorumProblem::Zero));
        assert_eq!(problem("1 of a and 00 of a").0, 11);
        assert_eq!(problem("256 of a"), (0, QuorumProblem::Number { text: "256".to_owned() }));
        assert_eq!(problem("02 of a"), (0, QuorumProblem::Number { text: "02".to_owned() }));
        assert_eq!(problem("1 of a AND 1 of b"), (7, QuorumProblem::Character { character: 'A' }));
        for (text, offset) in [
            ("", 0),
            ("security", 0),
            ("2 security", 2),
            ("2 of", 4),
            ("2 of 3", 5),
            ("2 of of", 5),
            ("2 of ()", 6),
            ("2 of (security)", 6),
            ("2 of (1 of a,)", 13),
            ("(1 of a", 7),
            ("1 of a)", 6),
            ("1 of a 1 of b", 7),
            ("1 of a and", 10),
            ("1 of a, 1 of b", 6),
        ] {
            let (found, problem) = problem(text);
            assert_eq!(found, offset, "{text}: {problem}");
            assert!(matches!(problem, QuorumProblem::Unexpected { .. }), "{text}: {problem}");
        }
    }

    #[test]
    fn bounds_hold() {
        let nested = |depth: usize| format!("{}1 of a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(problem(&nested(DEPTH_MAX + 1)).1, QuorumProblem::TooDeep);
        assert_eq!(problem(&nested(500)).1, QuorumProblem::TooDeep);
        let wide = |leaves: usize| vec!["1 of a"; leaves].join(" or ");
        assert!(parse(&wide(LEAVES_MAX)).is_ok());
        assert_eq!(problem(&wide(LEAVES_MAX + 1)).1, QuorumProblem::TooManyLeaves);
        let long = " ".repeat(EXPRESSION_LENGTH_BYTES_MAX + 1);
        assert_eq!(problem(&long).1, QuorumProblem::TooLong { length_bytes: 1025 });
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([0-9]{1,3}|of|and|or|a|[(),]| |.){0,40}") {
            if let Err(error) = parse(&text) {
                prop_assert!(text.is_char_boundary(error.offset), "{} in {}", error.offset, text);
            }
        }
    }
}
