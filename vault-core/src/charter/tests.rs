//! Charters: the example, every bad one with its place, chains, differences, warnings.

mod bad;
mod chain;
mod second_look;

use proptest::prelude::*;

use super::propose::propose;
use super::report::Report;
use super::testkit::{FIVE, RULES, first, text};
use super::*;

const EXAMPLE: &str = include_str!("../../../docs/example-charter.toml");

#[test]
fn the_example_of_the_documents_is_a_charter() {
    let charter = Charter::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(charter.people().len(), 5);
    assert_eq!(charter.title(), Some("Example, production"));
    assert_eq!(charter.break_glass().len() + charter.groups().len() + charter.tls_keys().len(), 3);
    let shown = Report::of(&charter).to_string();
    for part in
        ["alice", "SHA256:", "unseal: 2 of security and 1 of operations (3 of 5)", &charter.digest().to_string()]
    {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn shares_go_to_the_people_of_the_teams_in_order() {
    let charter = first();
    let slots = charter.shares().slots();
    let names: Vec<_> = slots.iter().map(|slot| (slot.number, charter.name_of(slot.person))).collect();
    let due: Vec<_> = (1..).zip(FIVE.map(str::to_owned)).collect();
    assert_eq!(names, due);
    assert_eq!(charter.shares().needed, 2);
}

#[test]
fn the_digest_is_of_the_exact_bytes() {
    let written = text(None, &FIVE, RULES);
    let charter = Charter::parse(written.as_bytes()).unwrap();
    assert_eq!(charter.digest(), Digest::of(written.as_bytes()));
    assert_eq!(charter.text(), written);
    let commented = Charter::parse(format!("# {written}").replacen("# ", "#\n", 1).as_bytes()).unwrap();
    assert_ne!(commented.digest(), charter.digest());
}

#[test]
fn a_draft_becomes_the_next_charter_and_stays_as_it_was_written() {
    let old = first();
    let written = text(None, &FIVE, RULES);
    let bare = written.replace("epoch = 1\n", "");
    let next = propose(&written, Some(&old)).unwrap();
    assert_eq!((next.epoch(), next.previous()), (2, Some(old.digest())));
    assert_eq!(next.text(), written.replace("epoch = 1\n", &format!("epoch = 2\nprevious = \"{}\"\n", old.digest())));
    assert_eq!(propose(&bare, Some(&old)).unwrap().text(), next.text());
    // What is filled in already is filled in anew.
    assert_eq!(propose(next.text(), Some(&old)).unwrap().text(), next.text());
    assert_eq!(propose(next.text(), Some(&next)).unwrap().previous(), Some(next.digest()));
    assert_eq!(propose(&bare, None).unwrap().text(), written);
    assert_eq!(propose(next.text(), None).unwrap().text(), written);
    assert!(matches!(
        propose("title = \"x\"", None).unwrap_err().problem,
        Problem::MissingField { field: "format", .. }
    ));
}

#[test]
fn a_draft_with_other_ends_of_lines_and_comments_is_filled_in() {
    let written = text(None, &FIVE, RULES)
        .replace("epoch = 1\n", "")
        .replace("format = 1", "format = 1 # first")
        .replace('\n', "\r\n");
    let next = propose(&written, Some(&first())).unwrap();
    assert_eq!(next.epoch(), 2);
    assert!(next.text().starts_with("format = 1 # first\r\nepoch = 2\nprevious = "), "{}", next.text());
}

proptest! {
    #[test]
    fn no_text_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "([\\[\\]{}.=\"'#,a-z0-9 \n]|\\PC){0,200}") {
        let _ = Charter::parse(&bytes);
        let _ = Charter::parse(text.as_bytes());
        let _ = propose(&text, None);
        let _ = propose(&format!("format = 1\n{text}"), Some(&first()));
    }

    #[test]
    fn no_altered_charter_panics(place in 0_usize..3000, length in 0_usize..40, put in "[\\[\\]{}.=\"'#,a-z0-9 \n]{0,20}") {
        let mut altered = EXAMPLE.to_owned();
        let start = place % altered.len();
        altered.replace_range(start..(start + length).min(EXAMPLE.len()), &put);
        if let Ok(charter) = Charter::parse(altered.as_bytes()) {
            prop_assert_eq!(charter.text(), altered);
            let _ = Report::of(&charter).to_string();
        }
    }
}
