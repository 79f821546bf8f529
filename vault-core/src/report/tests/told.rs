//! What the report says of vaults that are written down.

use super::*;
use crate::approval::PERSON_METADATA;
use crate::charter::testkit::{FIVE, RULES, text};
use crate::id::AliasId;
use crate::identity::Alias;

const LEADS: &str = "control_group = { factor \"leads\" { identity { group_names = [\"leads\"] approvals = 2 } } }";

fn rule(path: &str, capabilities: &str, rest: &str) -> String {
    format!("path \"{path}\" {{\n capabilities = [{capabilities}]\n {rest}\n}}\n")
}

/// Ann and ben are staff, whom two leads of ann, ben and cat let read production.
fn house() -> Vault {
    Vault::default()
        .policy("staff", &rule("secret/data/prod/*", "\"read\", \"list\"", LEADS))
        .entity(1, "ann", &["staff"])
        .entity(2, "ben", &["staff"])
        .entity(3, "cat", &[])
        .group(7, "leads", &[], &[1, 2, 3])
}

fn owners(lines: &[Line]) -> Vec<&str> {
    let name = |owner| match owner {
        &Owner::Person { ref name } | &Owner::Entity { ref name, .. } => name.as_str(),
        Owner::Token { accessor, .. } => accessor,
    };
    lines.iter().flat_map(|line| &line.who).map(name).collect()
}

fn power<'a>(report: &'a LoneWolf, class: &str) -> &'a ActOfPower {
    report.acts_of_power.iter().find(|act| act.class == class).unwrap()
}

fn charter_of(rules: &str) -> Charter {
    Charter::parse(text(None, &FIVE, rules).as_bytes()).unwrap()
}

#[test]
fn nothing_is_alone_in_an_empty_vault() {
    let report = Vault::default().report(None, &["secret"]);
    assert!(report.alone.is_empty() && report.violations.is_empty() && report.root_tokens.is_empty());
    assert_eq!(report.protected[0].pattern, "secret/*");
    let tables = Vault::default().tables();
    let census = Census { tables: &tables, charter: None, entities: &[], tokens: &[] };
    assert!(LoneWolf::of(&census, &["a+*".to_owned()]).is_err());
    assert!(LoneWolf::of(&census, &vec!["a".to_owned(); ASKED_MAX + 1]).is_err());
}

#[test]
fn a_policy_that_goes_around_a_rule_is_a_violation() {
    assert!(house().report(None, &[]).violations.is_empty());
    // The token of an application reaches what staff reach only together.
    let wide = rule("secret/*", "\"read\"", "");
    let report = house().policy("wide", &wide).token("app", &["wide"], None).report(None, &[]);
    let [violation] = report.violations.as_slice() else { panic!("{:?}", report.violations) };
    assert_eq!((violation.pattern.as_str(), owners(&violation.lines)), ("secret/data/prod/*", vec!["app"]));
    assert_eq!(violation.lines[0].granted_by, ["wide"]);
    assert_eq!(violation.lines[0].capabilities, [Capability::Read]);
    assert!(violation.lines[0].example.starts_with("secret/data/prod/"));
    // The same policy on ann is held back, as a wider path does not undo the rule that she has too.
    let report = house().policy("wide", &wide).token("anns", &["wide"], Some(1)).report(None, &[]);
    assert!(report.violations.is_empty());
    assert_eq!(report.alone.iter().map(|alone| alone.pattern.as_str()).collect::<Vec<_>>(), ["secret/*"]);
    // What is shut for the application is nobody's alone.
    let shut = wide + &rule("secret/data/prod/*", "\"deny\"", "");
    let report = house().policy("wide", &shut).token("app", &["wide"], None).report(None, &[]);
    assert!(report.violations.is_empty());
}

#[test]
fn what_a_rule_leaves_free_is_no_violation_unless_asked_about() {
    let reads = LEADS.replace("identity", "controlled_capabilities = [\"read\"] identity");
    let vault = Vault::default().policy("staff", &rule("secret/data/prod/*", "\"read\", \"list\"", &reads));
    let vault = vault.entity(1, "ann", &["staff"]);
    let report = vault.report(None, &[]);
    assert!(report.violations.is_empty());
    assert_eq!(report.alone[0].lines[0].capabilities, [Capability::List]);
    assert_eq!(vault.report(None, &["secret"]).violations[0].pattern, "secret/*");
}

#[test]
fn root_tokens_are_told_once_and_dead_ones_never() {
    let mut vault = house().token("root", &["root"], None).token("bens", &["wide"], Some(2));
    vault = vault.policy("wide", &rule("secret/*", "\"read\"", "")).token("nobodys", &["wide"], Some(9));
    vault.entities[1].disabled = true;
    let report = vault.report(None, &[]);
    let root = Owner::Token { accessor: "root".to_owned(), display_name: String::new() };
    assert_eq!((report.root_tokens, report.alone), (vec![root], Vec::new()));
}

#[test]
fn tokens_of_entities_that_were_merged_are_their_heirs() {
    let mut vault = house().policy("wide", &rule("secret/*", "\"read\"", "")).token("old", &["wide"], Some(9));
    vault.entities[2].merged = vec![EntityId([9; 16])];
    assert_eq!(owners(&vault.report(None, &[]).violations[0].lines), ["cat"]);
}

#[test]
fn templates_are_told_as_they_are_written() {
    let own = rule("secret/data/{{identity.entity.name}}/*", "\"read\"", "");
    let vault = Vault::default().policy("own", &own).policy("ben", &rule("secret/data/ben/a", "\"read\"", LEADS));
    let report = vault.entity(1, "ann", &["own"]).entity(2, "ben", &["own"]).report(None, &["secret/data/ann/a"]);
    let [asked, held] = [1, 0].map(|index| &report.violations[index]);
    assert_eq!((asked.pattern.as_str(), owners(&asked.lines)), ("secret/data/ann/a", vec!["ann"]));
    assert_eq!((held.pattern.as_str(), owners(&held.lines)), ("secret/data/ben/a", vec!["ben"]));
    let written = report.alone.iter().find(|alone| alone.pattern.contains("{{")).unwrap();
    assert_eq!((owners(&written.lines), written.lines.len()), (vec!["ann", "ben"], 1));
}

#[test]
fn a_denial_for_every_value_leaves_only_what_it_cannot_be() {
    // Nobody in particular is denied every name; the folder itself has none.
    let text =
        rule("secret/data/*", "\"read\", \"list\"", "") + &rule("secret/data/{{identity.entity.name}}", "\"deny\"", "");
    let report = Vault::default().policy("p", &text).token("app", &["p"], None).report(None, &["secret/data/+"]);
    let lines = &report.violations[0].lines;
    assert_eq!((lines[0].example.as_str(), owners(lines)), ("secret/data/", vec!["app"]));
}

#[test]
fn power_needs_sudo_where_the_route_does_and_stewards_in_service() {
    let text = rule("sys/policies/acl/*", "\"update\"", "") + &rule("sys/auth/*", "\"update\"", "");
    let text = text + &rule("sys/seal", "\"update\", \"sudo\"", "");
    let vault = house().policy("admin", &text).token("admin", &["admin"], None);
    let report = vault.report(None, &[]);
    assert_eq!(owners(&power(&report, "policies").by_token), ["admin"]);
    assert!(power(&report, "auth_methods").by_token.is_empty(), "without sudo");
    assert_eq!(owners(&power(&report, "seal").by_token), ["admin"]);
    let one =
        charter_of(&RULES.replace("change = \"1 of security and 1 of operations\"", "change = \"1 of operations\""));
    let report = vault.report(Some(&one), &[]);
    let policies = power(&report, "policies");
    let signers: Vec<_> = policies.by_signature.iter().map(|signer| signer.person.as_str()).collect();
    assert_eq!((policies.by_token.len(), signers), (0, vec!["dan", "erin"]));
    assert!(power(&report, "charter").by_signature.is_empty());
    let seal = power(&report, "seal");
    assert_eq!((owners(&seal.by_token), seal.by_signature.len()), (vec!["admin"], 2));
    // Who makes an act alone reaches everything by it.
    assert_eq!(
        report.violations.iter().map(|violation| violation.pattern.as_str()).collect::<Vec<_>>(),
        ["secret/data/prod/*"]
    );
    assert_eq!(owners(&report.violations[0].lines), ["dan", "erin"]);
    assert!(!report.alone.iter().any(|alone| alone.pattern.starts_with("sys/policies")));
    let report = vault.report(Some(&charter_of(RULES)), &[]);
    assert!(report.violations.is_empty() && report.acts_of_power.iter().all(|act| act.by_signature.is_empty()));
}

#[test]
fn agreements_that_hang_on_one_person_are_named() {
    let agreements = |vault: &Vault| vault.report(None, &[]).only_one_left.agreements;
    assert_eq!(agreements(&house()), []);
    let mut two = house();
    two.entities[0].disabled = true;
    let [agreement] = agreements(&two).try_into().unwrap();
    assert_eq!((agreement.can_be_met, agreement.people), (true, vec!["ben".to_owned(), "cat".to_owned()]));
    assert_eq!(agreement.of, "control group of secret/data/prod/* in the policy staff");
    two.entities[1].disabled = true;
    assert_eq!(agreements(&two)[0], Agreement { can_be_met: false, people: Vec::new(), ..agreements(&two)[0].clone() });
    let quorum = "control_group = { factor \"c\" { quorum = \"group.none\" } }";
    let nobody = Vault::default().policy("p", &rule("a", "\"read\"", quorum));
    assert!(!agreements(&nobody)[0].can_be_met, "there is no such quorum");
}

#[test]
fn in_service_only_people_of_the_charter_agree() {
    let mut vault = house();
    let charter = charter_of(RULES);
    let standing = |vault: &Vault| vault.report(Some(&charter), &[]).only_one_left.agreements;
    let of_group = |found: Vec<Agreement>| found.into_iter().find(|agreement| agreement.of.starts_with("control"));
    assert!(!of_group(standing(&vault)).unwrap().can_be_met);
    for (entity, person) in vault.entities.iter_mut().zip(["alice", "bob", "alice"]) {
        entity.metadata.insert(PERSON_METADATA.to_owned(), person.to_owned());
    }
    assert_eq!(of_group(standing(&vault)).unwrap().people, ["alice", "bob"]);
    vault.entities[2].metadata.insert(PERSON_METADATA.to_owned(), "dan".to_owned());
    assert_eq!(of_group(standing(&vault)), None);
    let all = RULES.replace("unseal = \"2 of security", "unseal = \"3 of security");
    let left = Vault::default().report(Some(&charter_of(&all)), &[]).only_one_left.agreements;
    assert_eq!(left[0].people, ["alice", "bob", "carol"]);
    assert_eq!(left[0].of, "quorum unseal of the charter");
}

#[test]
fn what_just_one_can_do_at_all_is_named() {
    let vault = house().policy("cat", &rule("secret/data/cat", "\"read\"", "")).token("cats", &["cat"], Some(3));
    let paths = |vault: &Vault| vault.report(None, &[]).only_one_left.paths;
    let [only] = paths(&vault).try_into().unwrap();
    assert_eq!((only.pattern.as_str(), only.capabilities), ("secret/data/cat", vec![Capability::Read]));
    assert!(matches!(only.who, Owner::Entity { name, .. } if name == "cat"));
    assert_eq!(paths(&vault.token("app", &["cat"], None)), []);
    // What staff do with others' agreement is theirs too: of three only ann is left.
    let mut last = house();
    last.entities[1].disabled = true;
    let [only] = paths(&last).try_into().unwrap();
    assert_eq!(only.capabilities, [Capability::Read, Capability::List]);
    // In service stewards give power by an act.
    let admin = |charter: Option<&Charter>| {
        let vault = Vault::default().policy("admin", &rule("sys/policies/acl/a", "\"read\", \"update\"", ""));
        vault.token("t", &["admin"], None).report(charter, &[]).only_one_left.paths[0].capabilities.clone()
    };
    assert_eq!(admin(None), [Capability::Read, Capability::Update]);
    assert_eq!(admin(Some(&charter_of(RULES))), [Capability::Read]);
}

#[test]
fn what_was_not_tried_is_told() {
    let vault = house();
    let tables = vault.tables();
    let census = Census { tables: &tables, charter: None, entities: &vault.entities, tokens: &vault.tokens };
    let report = LoneWolf::within(&census, &[], Budget::new(40)).unwrap();
    assert!(report.left_out[0].contains("more combinations"), "{:?}", report.left_out);
    assert!(LoneWolf::of(&census, &[]).unwrap().left_out.is_empty());
}

#[test]
fn in_service_a_password_is_its_owners_alone_to_set() {
    let named = rule("auth/userpass/users/ann/password", "\"update\"", "");
    let all = rule("auth/userpass/users/*", "\"update\"", "");
    let mut vault = Vault::default()
        .policy("named", &named)
        .policy("all", &all)
        .entity(1, "ann", &["named", "all"])
        .entity(2, "ben", &["named", "all"])
        .entity(3, "cat", &["named", "all"])
        .token("desk", &["all"], None);
    for entity in &mut vault.entities {
        entity.aliases.push(Alias {
            id: AliasId(entity.id.0),
            mount_accessor: "userpass_00000000".to_owned(),
            name: entity.name.clone(),
            metadata: BTreeMap::new(),
            custom_metadata: BTreeMap::new(),
            groups: Vec::new(),
            created_at: NOW,
            updated_at: NOW,
        });
    }
    let of_ann = "auth/userpass/users/ann/password";
    let alone = |report: &LoneWolf, pattern: &str| {
        let found = report.alone.iter().find(|alone| alone.pattern == pattern);
        found.map(|alone| owners(&alone.lines).into_iter().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default()
    };
    let bootstrap = vault.report(None, &[]);
    assert_eq!(alone(&bootstrap, of_ann), ["desk", "ann", "ben", "cat"]);
    let service = vault.report(Some(&charter_of(RULES)), &[of_ann, "auth/userpass/users/eve/password"]);
    assert_eq!(alone(&service, of_ann), ["ann"]);
    let violation = |pattern: &str| service.violations.iter().find(|violation| violation.pattern == pattern);
    assert_eq!(owners(&violation(of_ann).unwrap().lines), ["ann"]);
    assert!(violation("auth/userpass/users/eve/password").is_none(), "{:?}", service.violations);
    assert_eq!(owners(&power(&service, "auth_methods").by_token), Vec::<&str>::new());
    // Who is second in line is not taken for the first.
    vault.entities.reverse();
    assert_eq!(alone(&vault.report(Some(&charter_of(RULES)), &[]), of_ann), ["ann"]);
    assert_eq!(service.only_one_left.paths, [], "stewards can as well");
}
