//! What is allowed in a charter and yet worth a second look.

use std::fmt;

use serde::Serialize;

use super::{Charter, Name, PersonSet, Quorum};

/// Something worth a second look.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Warning {
    /// A quorum falls when one person is gone.
    OnePersonBlocks {
        /// Which quorum.
        quorum: String,
        /// Each of whom it cannot do without.
        people: Vec<Name>,
    },
    /// A person alone is enough.
    OnePersonMeets {
        /// Which quorum.
        quorum: String,
        /// Each who is enough.
        people: Vec<Name>,
    },
    /// A team alone is enough, though others could take part.
    OneTeamMeets {
        /// Which quorum.
        quorum: String,
        /// Each that is enough.
        teams: Vec<Name>,
    },
    /// A quorum over several teams falls when one team refuses.
    OneTeamBlocks {
        /// Which quorum.
        quorum: String,
        /// Each of which it cannot do without.
        teams: Vec<Name>,
    },
    /// Fewer people are enough to change the rules than to use them.
    Weaker {
        /// The rule that gives the other away.
        quorum: String,
        /// How many people are enough for it.
        people: usize,
        /// The rule that it can change or go around.
        than: String,
        /// How many people that one takes.
        than_people: usize,
    },
    /// People whom no team has.
    InNoTeam {
        /// Who.
        people: Vec<Name>,
    },
    /// Teams that no quorum names.
    UnusedTeam {
        /// Which.
        teams: Vec<Name>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnePersonBlocks { quorum, people } => {
                write!(f, "`{quorum}` cannot be met without {}: when one is gone it is lost", list(people, "or"))
            }
            Self::OnePersonMeets { quorum, people } => {
                write!(f, "`{quorum}` is met by one person alone: {}", list(people, "or"))
            }
            Self::OneTeamMeets { quorum, teams } => {
                write!(f, "`{quorum}` is met by one team alone: {}", list(teams, "or"))
            }
            Self::OneTeamBlocks { quorum, teams } => {
                write!(f, "`{quorum}` cannot be met against the will of {}", list(teams, "or of"))
            }
            Self::Weaker { quorum, people, than, than_people } => write!(
                f,
                "`{quorum}` takes {people} people and `{than}` takes {than_people}: fewer can {} than can use it",
                if quorum == "charter" { "change the rule" } else { "go around it" }
            ),
            Self::InNoTeam { people } => write!(f, "in no team, and so without a say: {}", list(people, "and")),
            Self::UnusedTeam { teams } => write!(f, "named by no quorum: {}", list(teams, "and")),
        }
    }
}

fn list(names: &[Name], word: &str) -> String {
    let names: Vec<_> = names.iter().map(Name::as_str).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Looks for what is worth a second look, the most serious first.
pub fn check(charter: &Charter) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (name, quorum) in charter.quorums() {
        people_alone(charter, &name, quorum, &mut warnings);
    }
    weaker(charter, &mut warnings);
    for (name, quorum) in charter.quorums() {
        teams_alone(charter, &name, quorum, &mut warnings);
    }
    in_no_team(charter, &mut warnings);
    warnings
}

fn people_alone(charter: &Charter, name: &str, quorum: &Quorum, warnings: &mut Vec<Warning>) {
    let everybody = quorum.people();
    let alone = |person| [person].into_iter().collect::<PersonSet>();
    let who = |matches: &dyn Fn(&PersonSet) -> bool| -> Vec<Name> {
        let people = everybody.iter().filter(|person| matches(&alone(*person)));
        people.filter_map(|person| charter.person(person)).map(|person| person.name.clone()).collect()
    };
    let meets = who(&|person| quorum.is_met_by(person));
    if !meets.is_empty() {
        warnings.push(Warning::OnePersonMeets { quorum: name.to_owned(), people: meets });
    }
    let blocks = who(&|person| !quorum.is_met_by(&everybody.without(person)));
    if !blocks.is_empty() {
        warnings.push(Warning::OnePersonBlocks { quorum: name.to_owned(), people: blocks });
    }
}

/// Teams of a quorum that names only one are no surprise, and are left out.
fn teams_alone(charter: &Charter, name: &str, quorum: &Quorum, warnings: &mut Vec<Warning>) {
    let teams = quorum.teams();
    if teams.len() < 2 {
        return;
    }
    let everybody = quorum.people();
    let which = |matches: &dyn Fn(&PersonSet) -> bool| -> Vec<Name> {
        let members = |team: &Name| charter.teams().get(team).into_iter().flatten().copied().collect::<PersonSet>();
        teams.iter().filter(|team| matches(&members(team))).map(|team| (*team).clone()).collect()
    };
    let meets = which(&|team| quorum.is_met_by(team));
    if !meets.is_empty() {
        warnings.push(Warning::OneTeamMeets { quorum: name.to_owned(), teams: meets });
    }
    let blocks = which(&|team| !quorum.is_met_by(&everybody.without(team)));
    if !blocks.is_empty() {
        warnings.push(Warning::OneTeamBlocks { quorum: name.to_owned(), teams: blocks });
    }
}

/// Who can change the charter can change every rule; who can break the glass can do without the rule for opening.
fn weaker(charter: &Charter, warnings: &mut Vec<Warning>) {
    let mut compare = |quorum: &str, people: usize, than: &str, other: &Quorum| {
        let than_people = other.people_needed_min();
        if people < than_people {
            let (quorum, than) = (quorum.to_owned(), than.to_owned());
            warnings.push(Warning::Weaker { quorum, people, than, than_people });
        }
    };
    let people = charter.charter().people_needed_min();
    for (name, other) in charter.quorums() {
        compare("charter", people, &name, other);
    }
    for (name, quorum) in charter.break_glass() {
        compare(&format!("break_glass.{name}"), quorum.people_needed_min(), "unseal", charter.unseal());
    }
}

fn in_no_team(charter: &Charter, warnings: &mut Vec<Warning>) {
    let in_teams: PersonSet = charter.teams().values().flatten().copied().collect();
    let outside = charter.everybody().without(&in_teams);
    let people: Vec<_> =
        outside.iter().filter_map(|person| charter.person(person)).map(|person| person.name.clone()).collect();
    if !people.is_empty() {
        warnings.push(Warning::InNoTeam { people });
    }
    let quorums = charter.quorums();
    let used = |team: &Name| quorums.iter().any(|(_, quorum)| quorum.teams().contains(&team));
    let teams: Vec<_> = charter.teams().keys().filter(|team| !used(team)).cloned().collect();
    if !teams.is_empty() {
        warnings.push(Warning::UnusedTeam { teams });
    }
}
