//! Whose turn it is to sign.

use std::fmt;

use serde::Serialize;

use super::quorum::Quorum;
use super::{Charter, Name, PersonSet};

/// How many more of a team must sign, and who of it has not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Turn {
    /// How many.
    pub count: u8,
    /// Of which team.
    pub team: Name,
    /// Who of the team has not signed; each of them can be next.
    pub people: Vec<Name>,
}

/// Tells whose signatures a quorum of a charter is short of, along the way that needs the fewest; nothing once it is met.
pub fn turns(judge: &Charter, quorum: &Quorum, signers: &PersonSet) -> Vec<Turn> {
    quorum
        .missing(signers)
        .into_iter()
        .map(|missing| {
            let team = judge.teams().get(&missing.team).into_iter().flatten().copied();
            let people = judge.names(&team.collect::<PersonSet>().without(signers));
            Turn { count: missing.count, team: missing.team, people }
        })
        .collect()
}

/// Writes turns as a list: `1 more of operations (dan, erin), 1 more of security (alice)`.
pub fn turns_text(turns: &[Turn]) -> String {
    turns.iter().map(Turn::to_string).collect::<Vec<_>>().join(", ")
}

/// Shows `1 more of operations (dan, erin)`.
impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let people: Vec<_> = self.people.iter().map(Name::as_str).collect();
        write!(f, "{} more of {} ({})", self.count, self.team, people.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{FIVE, RULES, first, text};
    use super::*;

    fn shown(judge: &Charter, signers: &[&str]) -> String {
        let signers = judge.indexed().filter(|(_, person)| signers.contains(&person.name.as_str()));
        turns_text(&turns(judge, judge.charter(), &signers.map(|(person, _)| person).collect()))
    }

    #[test]
    fn those_who_have_not_signed_are_named() {
        assert_eq!(shown(&first(), &[]), "2 more of security (alice, bob, carol), 1 more of operations (dan, erin)");
        assert_eq!(shown(&first(), &["bob", "erin"]), "1 more of security (alice, carol)");
        assert_eq!(shown(&first(), &["bob", "carol", "erin"]), "");
    }

    #[test]
    fn each_who_is_named_brings_the_rule_nearer() {
        let rules = RULES.replace("[\"dan\", \"erin\"]", "[\"alice\", \"dan\"]");
        let rules = rules.replace("unseal = \"2 of security and 1 of operations\"", "unseal = \"2 of security\"");
        let judge = Charter::parse(text(None, &FIVE, &rules).as_bytes()).unwrap();
        for signers in [&["alice"][..], &["alice", "bob"], &["alice", "dan"], &["dan"], &["bob", "carol"]] {
            let signers: PersonSet = judge
                .indexed()
                .filter(|(_, person)| signers.contains(&person.name.as_str()))
                .map(|(person, _)| person)
                .collect();
            let total =
                |signers: &PersonSet| turns(&judge, judge.charter(), signers).iter().map(|turn| turn.count).sum::<u8>();
            let due = turns(&judge, judge.charter(), &signers);
            assert!(!due.is_empty());
            for name in due.iter().flat_map(|turn| &turn.people) {
                let (index, _) = judge.indexed().find(|(_, person)| person.name == *name).unwrap();
                let with = signers.or(&std::iter::once(index).collect());
                assert_eq!(total(&with) + 1, total(&signers), "{name}");
            }
        }
    }
}
