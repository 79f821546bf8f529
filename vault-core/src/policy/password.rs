//! Password policies: how a password is to be made up, and passwords made so.
//!
//! The text is Vault's: `length = 20` and blocks `rule "charset" { charset = "abc" min-chars = 1 }`, in HCL or JSON.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::syntax::{self, Item, Node, Value};
use super::{POLICY_LENGTH_BYTES_MAX, PolicyError};
use crate::secret::SecretText;

/// Fewest characters of a password, as in Vault.
const LENGTH_MIN: usize = 4;

/// Most characters of a password, as in Vault.
const LENGTH_MAX: usize = 100;

/// Most rules of one policy.
const RULES_MAX: usize = 100;

/// Most different characters of one rule.
const CHARSET_MAX: usize = 1_024;

/// Says how long a password is and which characters it is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasswordPolicy {
    length: usize,
    rules: Vec<Charset>,
    /// The characters of all rules, each once.
    all: Vec<char>,
}

/// At least `needed` characters are among `characters`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Charset {
    characters: Vec<char>,
    needed: usize,
}

impl PasswordPolicy {
    /// Parses a policy in HCL or JSON.
    ///
    /// # Errors
    /// Answers [`PolicyError`] with the line: also for a policy that no password can fulfil.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_LENGTH_BYTES_MAX {
            let reason = format!("the text has {} bytes; at most {POLICY_LENGTH_BYTES_MAX} are allowed", text.len());
            return Err(error(1, reason));
        }
        let (mut length, mut rules) = (None, Vec::new());
        for item in syntax::parse(text)? {
            match item.key.as_str() {
                "length" => length = Some((item.line, number(item.line, &item.key, &item.node)?)),
                "rule" => read_rules(item.node, &mut rules)?,
                key => return Err(error(item.line, format!("{key:?} is not known here: write length and rule"))),
            }
        }
        let (line, length) = length.ok_or_else(|| error(1, "length is missing: write length = 20"))?;
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&length) {
            return Err(error(line, format!("length is {length}; it must be from {LENGTH_MIN} to {LENGTH_MAX}")));
        }
        let needed: usize = rules.iter().map(|rule| rule.needed).sum();
        if needed > length {
            let reason = format!("the rules need {needed} characters together, the password has only {length}");
            return Err(error(line, reason));
        }
        let all = distinct(rules.iter().flat_map(|rule| rule.characters.iter().copied()));
        if all.is_empty() {
            return Err(error(line, "a rule is missing: write rule \"charset\" { charset = \"abc\" min-chars = 1 }"));
        }
        Ok(Self { length, rules, all })
    }

    /// Makes a password: of each rule as many characters as it needs, the rest of all of them, in random order.
    pub fn generate(&self, rng: &mut dyn CryptoRng) -> SecretText {
        let mut characters = Zeroizing::new(Vec::with_capacity(self.length));
        for rule in &self.rules {
            characters.extend((0..rule.needed).filter_map(|_| pick(&rule.characters, rng)));
        }
        while let (true, Some(character)) = (characters.len() < self.length, pick(&self.all, rng)) {
            characters.push(character);
        }
        // Fisher and Yates: every order is as likely as any other.
        for end in (1..characters.len()).rev() {
            characters.swap(end, below(end + 1, rng));
        }
        let mut text = String::with_capacity(self.length * char::MAX.len_utf8());
        text.extend(characters.iter());
        SecretText::new(text)
    }
}

/// Reads `rule "charset" { .. }` and the forms that JSON has for it: an object, or a list of objects.
fn read_rules(node: Node, rules: &mut Vec<Charset>) -> Result<(), PolicyError> {
    match node.value {
        Value::List(list) => list.into_iter().try_for_each(|node| read_rules(node, rules)),
        Value::Object(items) => items.into_iter().try_for_each(|Item { line, key, node }| {
            if key != "charset" {
                return Err(error(line, format!("the rule {key:?} is not known: write rule \"charset\" {{ .. }}")));
            }
            read_bodies(node, rules)
        }),
        _ => Err(error(node.line, "a rule needs a block: rule \"charset\" { charset = \"abc\" }")),
    }
}

fn read_bodies(node: Node, rules: &mut Vec<Charset>) -> Result<(), PolicyError> {
    match node.value {
        Value::List(list) => list.into_iter().try_for_each(|node| read_bodies(node, rules)),
        Value::Object(attributes) if rules.len() < RULES_MAX => {
            rules.push(read_charset(node.line, attributes)?);
            Ok(())
        }
        Value::Object(_) => Err(error(node.line, format!("more than {RULES_MAX} rules"))),
        _ => Err(error(node.line, "a rule needs a block: rule \"charset\" { charset = \"abc\" }")),
    }
}

fn read_charset(line: usize, attributes: Vec<Item>) -> Result<Charset, PolicyError> {
    let (mut characters, mut needed) = (Vec::new(), 0);
    for Item { line, key, node } in attributes {
        match (key.as_str(), &node.value) {
            ("charset", Value::Text(text)) => {
                if let Some(wrong) = text.chars().find(|c| c.is_control()) {
                    return Err(error(line, format!("{wrong:?} cannot be typed: leave it out of the charset")));
                }
                characters = distinct(text.chars());
            }
            ("charset", _) => return Err(error(line, "charset needs a text")),
            ("min-chars" | "min_chars", _) => needed = number(line, &key, &node)?,
            _ => return Err(error(line, format!("{key:?} is not known in a rule: write charset and min-chars"))),
        }
    }
    match characters.len() {
        0 => Err(error(line, "the rule has no characters: write charset = \"abc\"")),
        1..=CHARSET_MAX => Ok(Charset { characters, needed }),
        count => Err(error(line, format!("the charset has {count} characters; at most {CHARSET_MAX} are allowed"))),
    }
}

fn number(line: usize, key: &str, node: &Node) -> Result<usize, PolicyError> {
    let number = match &node.value {
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    // What is longer than every password is refused below with a better reason; here it only must not overflow a sum.
    number
        .map(|number| number.min(LENGTH_MAX + 1))
        .ok_or_else(|| error(line, format!("{key} needs a number from 0 on")))
}

fn distinct(characters: impl Iterator<Item = char>) -> Vec<char> {
    characters.collect::<std::collections::BTreeSet<char>>().into_iter().collect()
}

fn pick(characters: &[char], rng: &mut dyn CryptoRng) -> Option<char> {
    characters.get(below(characters.len(), rng)).copied()
}

/// Draws a number below `bound`, each as likely as any other: what lies beyond the last multiple is drawn again.
fn below(bound: usize, rng: &mut dyn CryptoRng) -> usize {
    let Some(bound) = u32::try_from(bound).ok().filter(|bound| *bound > 0) else { return 0 };
    let fair_below = u32::MAX - u32::MAX % bound;
    loop {
        let drawn = rng.next_u32();
        if drawn < fair_below {
            return (drawn % bound) as usize;
        }
    }
}

fn error(line: usize, reason: impl Into<String>) -> PolicyError {
    PolicyError { line, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn hcl_and_json_come_to_the_same_policy() {
        let forms = [
            "length = 8\nrule \"charset\" { charset = \"ab\" min-chars = 2 }\nrule \"charset\" { charset = \"01\" }",
            r#"{"length": 8, "rule": [{"charset": {"charset": "abba", "min-chars": 2}}, {"charset": {"charset": "10"}}]}"#,
            r#"{"length": "8", "rule": {"charset": [{"charset": "ab", "min_chars": "2"}, {"charset": "01"}]}}"#,
        ];
        let policies = forms.map(|text| PasswordPolicy::parse(text).unwrap());
        assert!(policies.iter().all(|policy| *policy == policies[0]), "{policies:#?}");
    }

    #[test]
    fn errors_name_the_line_and_the_reason() {
        let cases = [
            ("", 1, "length is missing"),
            ("length = 20", 1, "a rule is missing"),
            ("length = 3\nrule \"charset\" { charset = \"a\" }", 1, "from 4 to 100"),
            ("rule \"charset\" { charset = \"a\" }\nlength = 101", 2, "from 4 to 100"),
            ("length = 4\nrule \"charset\" { charset = \"a\" min-chars = 5 }", 1, "need 5 characters"),
            ("length = 4\nrule \"charset\" { charset = \"a\" min-chars = -1 }", 2, "number from 0"),
            ("length = 4\nrule \"charset\" { charset = \"a\" min-chars = 18446744073709551615 }", 1, "need 101"),
            ("length = 4\nrule \"charset\" { charset = \"\" }", 2, "no characters"),
            ("length = 4\nrule \"charset\" {\ncharset = \"a\\n\" }", 3, "cannot be typed"),
            ("length = 4\nrule \"charset\" { charset = 1 }", 2, "needs a text"),
            ("length = 4\nrule \"words\" { charset = \"a\" }", 2, "not known"),
            ("length = 4\nrule \"charset\" { set = \"a\" }", 2, "not known"),
            ("length = 4\nrule = 3", 2, "needs a block"),
            ("lenght = 4", 1, "not known"),
        ];
        for (text, line, reason) in cases {
            let error = PasswordPolicy::parse(text).unwrap_err();
            assert!(error.line == line && error.reason.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn every_character_and_every_place_is_about_as_likely_as_any_other() {
        let policy = PasswordPolicy::parse(r#"length = 4 rule "charset" { charset = "abcde" }"#).unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let mut counts = [[0_u32; 5]; 4];
        for _ in 0..5_000 {
            for (place, character) in policy.generate(&mut rng).expose().bytes().enumerate() {
                counts[place][usize::from(character - b'a')] += 1;
            }
        }
        // 5,000 draws of 5 characters: 1,000 each, with a standard deviation of 28.
        assert!(counts.iter().flatten().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_needed_character_may_stand_anywhere() {
        let text =
            r#"length = 4 rule "charset" { charset = "1" min-chars = 1 } rule "charset" { charset = "abcdefgh" }"#;
        let policy = PasswordPolicy::parse(text).unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let places: std::collections::BTreeSet<usize> =
            (0..200).filter_map(|_| policy.generate(&mut rng).expose().find('1')).collect();
        assert_eq!(places.len(), 4);
    }

    proptest! {
        #[test]
        fn every_password_fulfils_its_policy(
            length in 4_usize..=100,
            rules in proptest::collection::vec(("[a-zA-Z0-9!-/äß€]{1,30}", 0_usize..20), 1..5),
            seed: u64,
        ) {
            let blocks: Vec<_> = rules
                .iter()
                .map(|(charset, needed)| serde_json::json!({"charset": {"charset": charset, "min-chars": needed}}))
                .collect();
            let text = serde_json::json!({"length": length, "rule": blocks}).to_string();
            let needed: usize = rules.iter().map(|(_, needed)| needed).sum();
            let policy = match PasswordPolicy::parse(&text) {
                Ok(policy) => policy,
                Err(_) => { prop_assert!(needed > length); return Ok(()); }
            };
            prop_assert!(needed <= length);
            let password = policy.generate(&mut StdRng::seed_from_u64(seed));
            let password: Vec<char> = password.expose().chars().collect();
            prop_assert_eq!(password.len(), length);
            for (charset, needed) in &rules {
                prop_assert!(password.iter().filter(|c| charset.contains(**c)).count() >= *needed);
            }
            prop_assert!(password.iter().all(|c| rules.iter().any(|(charset, _)| charset.contains(*c))));
        }

        #[test]
        fn no_text_panics(text in "(length|rule|charset|min-chars|\"|\\{|\\}|\\[|\\]|=|:|,|\n|[0-9]| |\\PC){0,60}") {
            let _ = PasswordPolicy::parse(&text);
        }
    }
}
