//! Charters that must not be: each with its place and its reason.

use super::super::quorum::QuorumProblem;
use super::super::testkit::{FIVE, RULES, card, recipient, ssh_key, text};
use super::super::*;

fn error(text: &str) -> CharterError {
    Charter::parse(text.as_bytes()).unwrap_err()
}

fn good() -> String {
    text(None, &FIVE, RULES)
}

/// Replaces a text that must be there.
fn with(old: &str, new: &str) -> String {
    let good = good();
    assert!(good.contains(old), "{old}");
    good.replacen(old, new, 1)
}

/// Checks the problem, and that the place is where `at` begins.
fn refused(text: &str, at: &str, problem: Problem) {
    let found = error(text);
    assert_eq!(found.problem, problem, "{text}");
    let offset = text.find(at).unwrap_or_else(|| panic!("{at} is not in {text}"));
    assert_eq!(found.position, Position::of(text, offset), "{at}");
}

#[test]
fn places_are_lines_and_columns_of_characters() {
    assert_eq!(Position::of("ab\ncd", 4), Position { line: 2, column: 2 });
    assert_eq!(Position::of("\u{e4}b", 2), Position { line: 1, column: 2 });
    assert_eq!(Position::of("ab", 99), Position { line: 1, column: 3 });
    assert_eq!(error("format = 1\nepoch = \"x\"\n").position, Position { line: 2, column: 9 });
}

#[test]
fn what_is_no_toml_is_refused_with_its_place() {
    let twice = with("epoch = 1\n", "epoch = 1\nepoch = 1\n");
    let found = error(&twice);
    assert!(matches!(&found.problem, Problem::Syntax { reason } if reason.contains("duplicate")), "{found}");
    assert_eq!(found.position.line, 3, "{found}");
    for bad in ["format = ", "format = 1 1", "[a", "a = \"", "\u{0}", "format = 1\nformat = 1"] {
        assert!(matches!(error(bad).problem, Problem::Syntax { .. }), "{bad}");
    }
    let same_team = with("operations = [\"dan\", \"erin\"]", "security = [\"dan\"]");
    assert!(matches!(error(&same_team).problem, Problem::Syntax { .. }));
    assert!(matches!(Charter::parse(b"\xff").unwrap_err().problem, Problem::NotText));
}

#[test]
fn unknown_and_missing_fields_and_wrong_types_are_refused() {
    let unknown = |field: &str, table, known: &str| Problem::UnknownField {
        field: field.to_owned(),
        table,
        known: known.to_owned(),
    };
    refused(
        &with("epoch", "epok"),
        "epok",
        unknown("epok", "the charter", "format, epoch, previous, title, person, team, quorum, server"),
    );
    refused(
        &with("recipient", "recipent"),
        "recipent",
        unknown("recipent", "[[person]]", "name, signing_key, recipient"),
    );
    let quorum = with("change = ", "changes = ");
    refused(&quorum, "changes", unknown("changes", "[quorum]", "unseal, change, charter, break_glass, group"));
    for field in ["format", "epoch", "name", "signing_key", "recipient", "unseal", "change", "charter"] {
        let good = good();
        let line = good.lines().find(|line| line.starts_with(&format!("{field} = "))).unwrap();
        let found = error(&good.replacen(&format!("{line}\n"), "", 1)).problem;
        assert!(matches!(found, Problem::MissingField { field: missing, .. } if missing == field), "{field}: {found}");
    }
    let wrong = with("\"2 of security and 1 of operations\"", "2");
    let field = "unseal".to_owned();
    refused(&wrong, "2\nchange", Problem::Type { field, expected: "a string", found: "integer" });
    for (old, new) in [("[\"dan\", \"erin\"]", "\"dan\""), ("epoch = 1", "epoch = 1.5"), ("[team]", "[[team]]")] {
        assert!(matches!(error(&with(old, new)).problem, Problem::Type { .. }), "{new}");
    }
}

#[test]
fn formats_epochs_and_digests_are_checked() {
    refused(&with("format = 1", "format = 2"), "2", Problem::Format { found: "2".to_owned() });
    for bad in ["0", "-1", "4294967296", "0x1", "1_0_"] {
        assert!(Charter::parse(with("epoch = 1", &format!("epoch = {bad}")).as_bytes()).is_err(), "{bad}");
    }
    refused(&with("epoch = 1", "epoch = 0"), "0\n", Problem::Epoch);
    refused(&with("epoch = 1", "epoch = 2"), "2\n", Problem::LaterWithoutPrevious { epoch: 2 });
    let digest = Digest::of(b"").to_string();
    let first = with("epoch = 1\n", &format!("epoch = 1\nprevious = \"{digest}\"\n"));
    refused(&first, "\"sha256:", Problem::FirstWithPrevious);
    for bad in [digest.to_uppercase(), digest.replace("sha256:", ""), digest[..70].to_owned(), format!("{digest}0")] {
        let later = with("epoch = 1\n", &format!("epoch = 2\nprevious = \"{bad}\"\n"));
        refused(&later, &format!("\"{bad}"), Problem::Digest { field: "previous" });
    }
    for title in ["", "caf\u{e9}", &"x".repeat(101)] {
        assert_eq!(error(&with("epoch = 1\n", &format!("epoch = 1\ntitle = \"{title}\"\n"))).problem, Problem::Title);
    }
    let keys = format!("{}\n[server]\ntls_keys = [\"{digest}\", \"{digest}\"]\n", good());
    assert_eq!(error(&keys).problem, Problem::SameTlsKey { digest });
}

#[test]
fn a_human_is_named_once() {
    let twice = |card: String| text(None, &FIVE, &(card + RULES));
    let same =
        |first: &str, second: &str, what| Problem::SameKey { first: first.to_owned(), second: second.to_owned(), what };
    let found = error(&twice(card("bob"))).problem;
    assert_eq!(found, Problem::SameName { name: "bob".to_owned(), first_line: 8 });
    let signs = twice(card("mallory").replace(&ssh_key("mallory").to_string(), &ssh_key("bob").to_string()));
    assert_eq!(error(&signs).problem, same("bob", "mallory", "signing key"));
    assert!(error(&signs).problem.to_string().contains("each human is named once"));
    let opens = twice(card("mallory").replace(&recipient("mallory"), &recipient("bob")));
    assert_eq!(error(&opens).problem, same("bob", "mallory", "recipient"));
    // The same key in two roles is one human as well, however it is written.
    let both = "key, once to sign and once as recipient";
    let recipient_is_key = twice(card("mallory").replace(&recipient("mallory"), &ssh_key("bob").to_string()));
    assert_eq!(error(&recipient_is_key).problem, same("bob", "mallory", both));
    let own = twice(card("mallory").replace(&recipient("mallory"), &ssh_key("mallory").to_string()));
    assert!(Charter::parse(own.as_bytes()).is_ok(), "one's own key for both is allowed");
}

#[test]
fn one_key_on_a_security_key_and_in_software_is_one_human() {
    let mut blob = Vec::new();
    crate::ssh_key::put_string(&mut blob, crate::ssh_key::HARDWARE_ED25519.as_bytes());
    crate::ssh_key::put_string(&mut blob, ssh_key("bob").point().as_bytes());
    crate::ssh_key::put_string(&mut blob, b"ssh:");
    let line = format!("{} {}", crate::ssh_key::HARDWARE_ED25519, data_encoding::BASE64.encode(&blob));
    let card = card("mallory").replace(&ssh_key("mallory").to_string(), &line);
    let found = error(&text(None, &FIVE, &(card + RULES))).problem;
    assert!(matches!(found, Problem::SameKey { what: "signing key", .. }), "{found}");
}

#[test]
fn names_and_keys_that_are_none_are_refused() {
    let confusable = with("name = \"alice\"", "name = \"\u{430}lice\"");
    let found = error(&confusable);
    assert!(matches!(found.problem, Problem::Name { error: NameError::Character { character: '\u{430}' }, .. }));
    assert_eq!(found.position, Position { line: 4, column: 8 });
    let in_team = with("[\"alice\", ", "[\"\u{430}lice\", ");
    let (person, team) = ("\u{430}lice".to_owned(), "security".to_owned());
    refused(&in_team, "\"\u{430}lice", Problem::UnknownPerson { person, team });
    let key = ssh_key("alice").to_string();
    let person = || "alice".to_owned();
    refused(&with(&key, &format!("{key} a@b")), &format!("\"{key}"), Problem::SigningKeyForm { person: person() });
    assert!(matches!(error(&with(&key, "ssh-rsa AAAA")).problem, Problem::SigningKey { .. }));
    assert!(matches!(error(&with(&recipient("alice"), "age1x")).problem, Problem::Recipient { .. }));
    let number = with("operations = [", "1 = [");
    refused(&number, "1 = [", Problem::ReservedName { name: "1".to_owned() });
    assert!(matches!(error(&with("operations = [", "and = [")).problem, Problem::ReservedName { .. }));
}

#[test]
fn teams_are_of_people_who_are_named_once() {
    let team = || "operations".to_owned();
    refused(&with("[\"dan\", \"erin\"]", "[]"), "[]", Problem::EmptyTeam { team: team() });
    let unknown = Problem::UnknownPerson { person: "frank".to_owned(), team: team() };
    refused(&with("[\"dan\", \"erin\"]", "[\"dan\", \"frank\"]"), "\"frank\"", unknown);
    let nested = Problem::TeamInTeam { member: "security".to_owned(), team: team() };
    refused(&with("[\"dan\", \"erin\"]", "[\"security\"]"), "\"security\"", nested);
    let own = Problem::TeamInTeam { member: team(), team: team() };
    refused(&with("[\"dan\", \"erin\"]", "[\"operations\"]"), "\"operations\"", own);
    let twice = Problem::TwiceInTeam { person: "dan".to_owned(), team: team() };
    assert_eq!(error(&with("[\"dan\", \"erin\"]", "[\"dan\", \"dan\"]")).problem, twice);
    let both = with("operations = [\"dan\"", "alice = [\"dan\"");
    refused(&both, "alice = [", Problem::PersonAndTeam { name: "alice".to_owned() });
}

#[test]
fn quorums_are_refused_at_the_place_within_their_text() {
    let change = |new: &str| with("\"1 of security and 1 of operations\"", new);
    let problem = |quorum: &str, problem, person: Option<&str>| Problem::Quorum {
        quorum: quorum.to_owned(),
        problem,
        person: person.map(str::to_owned),
    };
    refused(&change("\"1 of security and 0 of operations\""), "0 of", problem("change", QuorumProblem::Zero, None));
    let unknown = QuorumProblem::UnknownTeam { team: "nobody".to_owned() };
    refused(&change("'1 of security and 1 of nobody'"), "nobody", problem("change", unknown, None));
    let lines = change("\"\"\"\n1 of security\n and 1 of security or\n 1 of operations\"\"\"");
    refused(&lines, "or\n 1 of", problem("change", QuorumProblem::Mixed, None));
    // With escapes the place within cannot be found by looking: the start of the text it is.
    let escaped = change("\"1 of security and 0\\u0020of operations\"");
    refused(&escaped, "\"1 of security and 0\\u", problem("change", QuorumProblem::Zero, None));
    let unseal = with("unseal = \"2 of security and 1 of operations\"", "unseal = \"2 of security and 1 of both\"")
        .replacen("[team]", "[team]\nboth = [\"dan\", \"bob\"]", 1);
    let overlap = QuorumProblem::Overlap { person: PersonIndex(1) };
    refused(&unseal, "2 of security and 1 of both", problem("unseal", overlap, Some("bob")));
    assert!(error(&unseal).problem.to_string().ends_with(": bob"));
    let glass = format!("{}\n[quorum.break_glass]\nlost = \"\"\n", good());
    assert!(matches!(error(&glass).problem, Problem::Quorum { quorum, .. } if quorum == "break_glass.lost"));
    let group = format!("{}\n[quorum.group]\nD = \"1 of security\"\n", good());
    assert!(matches!(error(&group).problem, Problem::Name { .. }));
}

/// Before their keys are looked at: none of these is one.
#[test]
fn ten_thousand_people_are_refused_quickly() {
    let person = "[[person]]\nname = \"p\"\nsigning_key = \"k\"\nrecipient = \"r\"\n";
    let many = format!("format = 1\nepoch = 1\n{}{RULES}", person.repeat(10_000));
    assert_eq!(error(&many).problem, Problem::TooManyPeople { found: 10_000 });
    assert!(matches!(error(&"#".repeat(CHARTER_LENGTH_BYTES_MAX + 1)).problem, Problem::TooLong { .. }));
    assert_eq!(error(&format!("format = 1\nepoch = 1\nperson = []\n{RULES}")).problem, Problem::NoPeople);
}

#[test]
fn the_most_people_are_taken() {
    let names: Vec<_> = (0..PEOPLE_MAX).map(|number| format!("p{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let rules = format!(
        "[team]\nall = {names:?}\n[quorum]\nunseal = \"255 of all\"\nchange = \"1 of all\"\ncharter = \"200 of all\"\n"
    );
    let charter = Charter::parse(text(None, &names, &rules).as_bytes()).unwrap();
    assert_eq!(charter.shares().slots().len(), 255);
    assert_eq!(charter.charter().people_needed_min(), 200);
}

/// Names joined by points, lists and tables nest; without a bound, freeing them would end the process.
#[test]
fn nesting_without_end_is_refused() {
    for endless in [".a".repeat(300_000) + " = 1", ".a".repeat(100), " = ".to_owned() + &"[".repeat(500_000)] {
        assert!(matches!(error(&format!("a{endless}")).problem, Problem::Syntax { .. }));
    }
    assert!(matches!(error(&format!("[a{}]", ".a".repeat(300_000))).problem, Problem::Syntax { .. }));
    assert!(matches!(error(&format!("a = {}", "{a=".repeat(300_000))).problem, Problem::Syntax { .. }));
    // As deep as the reader takes it, in every way at once.
    for (tables, names) in [(70, 70), (79, 79), (80, 80)] {
        let name = format!("a{}", ".a".repeat(names));
        let nested = format!("[{name}]\n{name} = {}1{}", format!("{{{name} = ").repeat(tables), "}".repeat(tables));
        let _ = error(&nested);
    }
}
