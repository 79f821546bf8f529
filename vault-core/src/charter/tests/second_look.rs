//! Warnings and differences.

use super::super::check::{Warning, check};
use super::super::diff::diff;
use super::super::testkit::{FIVE, RULES, first, recipient, ssh_key, text};
use super::super::*;

fn charter(people: &[&str], rules: &str) -> Charter {
    Charter::parse(text(None, people, rules).as_bytes()).unwrap()
}

fn rules(unseal: &str, change: &str, charter: &str) -> String {
    let start = RULES.find("[quorum]").unwrap();
    let teams = &RULES[..start];
    format!("{teams}[quorum]\nunseal = \"{unseal}\"\nchange = \"{change}\"\ncharter = \"{charter}\"\n")
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| Name::parse(name).unwrap()).collect()
}

fn warnings(unseal: &str, change: &str, changes_charter: &str) -> Vec<Warning> {
    check(&charter(&FIVE, &rules(unseal, change, changes_charter)))
}

#[test]
fn a_quorum_over_two_teams_can_be_blocked_by_either_and_by_no_person() {
    let quorums = ["unseal", "change", "charter"].map(str::to_owned);
    let teams = names(&["security", "operations"]);
    let due = quorums.map(|quorum| Warning::OneTeamBlocks { quorum, teams: teams.clone() });
    assert_eq!(check(&first()), due);
    let any = "2 of security or 2 of (1 of security, 1 of operations)";
    assert!(!warnings(any, any, any).iter().any(|warning| matches!(warning, Warning::OnePersonBlocks { .. })));
}

#[test]
fn one_person_who_is_enough_or_cannot_be_spared_is_told() {
    let all = warnings("2 of operations", "1 of operations", "2 of security");
    let people = names(&["dan", "erin"]);
    assert_eq!(
        all,
        [
            Warning::OnePersonBlocks { quorum: "unseal".to_owned(), people: people.clone() },
            Warning::OnePersonMeets { quorum: "change".to_owned(), people },
        ]
    );
    assert_eq!(all[0].to_string(), "`unseal` cannot be met without dan or erin: when one is gone it is lost");
}

#[test]
fn a_team_that_is_enough_where_others_are_named_is_told() {
    let any = "2 of security or 1 of operations";
    let meets = Warning::OneTeamMeets { quorum: "unseal".to_owned(), teams: names(&["security", "operations"]) };
    assert!(warnings(any, any, any).contains(&meets));
}

#[test]
fn a_charter_rule_that_is_weaker_than_what_it_rules_is_told() {
    let weaker = |quorum: &str, people, than: &str, than_people| Warning::Weaker {
        quorum: quorum.to_owned(),
        people,
        than: than.to_owned(),
        than_people,
    };
    let found = warnings("3 of security", "2 of security", "2 of security");
    assert!(found.contains(&weaker("charter", 2, "unseal", 3)), "{found:?}");
    assert!(!found.iter().any(|warning| matches!(warning, Warning::Weaker { than, .. } if than == "change")));
    let glass = format!(
        "{}[quorum.break_glass]\nfire = \"1 of security\"\n",
        rules("2 of security", "2 of security", "2 of security")
    );
    assert!(check(&charter(&FIVE, &glass)).contains(&weaker("break_glass.fire", 1, "unseal", 2)));
}

#[test]
fn people_and_teams_without_a_say_are_told() {
    let people = ["alice", "bob", "carol", "dan", "erin", "frank"];
    let found = check(&charter(&people, &rules("2 of security", "2 of security", "2 of security")));
    let due = [Warning::InNoTeam { people: names(&["frank"]) }, Warning::UnusedTeam { teams: names(&["operations"]) }];
    assert_eq!(found, due);
}

#[test]
fn differences_are_told_in_words_and_as_values() {
    let old = first();
    assert!(diff(&old, &old).is_empty());
    assert_eq!(diff(&old, &old).to_string(), "");
    let rules = RULES
        .replace("\"alice\", \"bob\", \"carol\"", "\"carol\", \"alice\", \"frank\"")
        .replace("1 of security and 1 of operations", "2 of operations")
        .replace("[quorum]", "audit = [\"frank\"]\n\n[quorum]")
        + "[quorum.group]\ndatabase = \"1 of operations\"\n[server]\ntls_keys = [\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]\n";
    let new = text(Some(&old), &["alice", "frank", "carol", "dan", "erin"], &rules)
        .replace(&ssh_key("dan").to_string(), &ssh_key("dan, later").to_string())
        .replace("epoch = 2", "epoch = 2\ntitle = \"x\"");
    let new = Charter::parse(new.as_bytes()).unwrap();
    let found = diff(&old, &new);
    let due = format!(
        "~ epoch 1 -> 2\n~ title none -> \"x\"\n+ person frank: {} (ssh-ed25519), {}\n- person bob\n~ signing key of dan: {} -> {}\n\
         + team audit\n+ frank in team audit\n+ frank in team security\n- bob in team security\n~ order of team security\n\
         ~ quorum change: 1 of security and 1 of operations -> 2 of operations\n+ quorum group.database: 1 of operations\n\
         + TLS key sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
        ssh_key("frank").fingerprint(),
        recipient("frank"),
        ssh_key("dan").fingerprint(),
        ssh_key("dan, later").fingerprint(),
    );
    assert_eq!(found.to_string(), due);
    let value = serde_json::to_value(&found).unwrap();
    assert_eq!(value["people_added"][0]["name"], "frank");
    assert_eq!(value["keys"][0]["recipient"], serde_json::Value::Null);
    let back = diff(&new, &old).to_string();
    assert!(back.contains("- team audit\n") && back.contains("- quorum group.database"), "{back}");
}

#[test]
fn another_recipient_is_a_difference() {
    let new = text(None, &FIVE, RULES).replace(&recipient("erin"), &recipient("erin, later"));
    let shown = diff(&first(), &Charter::parse(new.as_bytes()).unwrap()).to_string();
    assert_eq!(shown, format!("~ recipient of erin: {} -> {}\n", recipient("erin"), recipient("erin, later")));
}
