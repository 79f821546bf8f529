//! Who gives power alone: by a token that nothing holds back, or as a signer of the charter whose signature is enough.

use serde::Serialize;

use super::Line;
use super::reach::{Found, Survey};
use crate::charter::{Charter, PersonSet, Quorum};
use crate::policy::Scope;

/// What gives power, by what it changes; where it is done by a request, and where only by signatures or shares.
const CLASSES: [Class; 13] = [
    Class::by_requests("policies", &["sys/policies*", "sys/policy*"]),
    Class::by_requests("auth_methods", &["auth/*", "sys/auth*"]),
    Class::by_requests("mounts", &["sys/mounts*", "sys/remount*", "sys/plugins*", "sys/internal/ui/mounts*"]),
    Class::by_requests("identity", &["identity/*"]),
    Class::by_requests("audit", &["sys/audit*"]),
    Class::by_requests("quotas", &["sys/quotas*"]),
    Class::by_requests("limits", &["sys/limits*", "sys/canaries*"]),
    Class::by_requests("settings", &["sys/config*", "sys/rotate/config"]),
    Class::by_requests("snapshots", &["sys/storage/raft/snapshot*", "sys/raw*"]),
    // Sealing gives no power to anybody, and yet takes everybody's: it counts as well as what does.
    Class { counts: Counts::Changes, ..Class::by_requests("seal", &["sys/seal"]) },
    Class::by_quorum("unseal"),
    Class::by_quorum("charter"),
    Class::by_quorum("break_glass"),
];

struct Class {
    name: &'static str,
    paths: &'static [&'static str],
    /// The quorum of the charter, or the table of quorums, whose people do it together.
    quorum: &'static str,
    counts: Counts,
}

/// Which requests count.
#[derive(PartialEq, Eq)]
enum Counts {
    /// Those that give power.
    Power,
    /// All that change something.
    Changes,
}

/// A class of acts of power, and who can do one alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ActOfPower {
    /// What is changed.
    pub class: &'static str,
    /// The patterns of the requests that do it; none for what only signatures or shares do.
    pub paths: Vec<&'static str>,
    /// Who can by a token, root tokens left out.
    pub by_token: Vec<Line>,
    /// People of the charter whose signature, or share, is enough, by the quorum that lets them.
    pub by_signature: Vec<Signer>,
}

/// Somebody who meets a quorum alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Signer {
    /// The quorum.
    pub quorum: String,
    /// Its expression.
    pub rule: String,
    /// The person.
    pub person: String,
}

impl Class {
    const fn by_requests(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, paths, quorum: "change", counts: Counts::Power }
    }

    const fn by_quorum(name: &'static str) -> Self {
        Self { name, paths: &[], quorum: name, counts: Counts::Power }
    }

    /// Tells whether a quorum of the charter lets people do it.
    fn is_let_by(&self, quorum: &str) -> bool {
        quorum.strip_prefix(self.quorum).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// Finds who can do each act of power alone.
pub(super) fn acts(survey: &mut Survey<'_>) -> Vec<ActOfPower> {
    CLASSES.iter().map(|class| act(class, survey)).collect()
}

fn act(class: &Class, survey: &mut Survey<'_>) -> ActOfPower {
    let mut together = Found::default();
    for scope in class.paths.iter().filter_map(|path| Scope::parse(path).ok()) {
        together.join(survey.over(&scope));
    }
    let lines = if class.counts == Counts::Power { together.power } else { together.changes };
    let quorums = survey.census().charter.map(|charter| (charter, charter.quorums()));
    let signers = quorums.into_iter().flat_map(|(charter, quorums)| {
        let letting = quorums.into_iter().filter(|(name, _)| class.is_let_by(name));
        letting.flat_map(|(name, quorum)| alone(charter, &name, quorum)).collect::<Vec<_>>()
    });
    ActOfPower {
        class: class.name,
        paths: class.paths.to_vec(),
        by_token: lines.into_lines(None),
        by_signature: signers.collect(),
    }
}

/// Lists the people each of whom meets a quorum alone.
pub(super) fn alone(charter: &Charter, name: &str, quorum: &Quorum) -> Vec<Signer> {
    let people = quorum.people();
    let enough = people.iter().filter(|person| quorum.is_met_by(&[*person].into_iter().collect::<PersonSet>()));
    let signer = |person: crate::charter::Name| Signer {
        quorum: name.to_owned(),
        rule: quorum.text().to_owned(),
        person: person.to_string(),
    };
    charter.names(&enough.collect()).into_iter().map(signer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::places_of_power;

    #[test]
    fn every_place_of_power_is_in_a_class() {
        let scopes: Vec<Scope> =
            CLASSES.iter().flat_map(|class| class.paths).map(|path| Scope::parse(path).unwrap()).collect();
        for place in places_of_power() {
            let within = |scope: &Scope| scope.fits(place.trim_end_matches('*'), crate::policy::Capability::Update);
            assert!(scopes.iter().any(within), "{place}");
        }
    }
}
