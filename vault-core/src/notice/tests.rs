use proptest::prelude::*;

use super::*;
use crate::engines::test_store::{START, TestStore};

fn notice() -> Notice {
    notice_because("the database is down")
}

fn notice_because(reason: &str) -> Notice {
    Notice {
        id: "abc.waits".to_owned(),
        at: START,
        vault: VaultId([7; 16]),
        about: About::Request(AboutRequest {
            event: Event::Waits,
            request: "abc".to_owned(),
            operation: Line::of("write"),
            path: Line::of("secret/data/prod/root"),
            requester: Line::of("ann"),
            reason: Line::of(reason),
            waits_for: Line::of("1 of security and 1 of operations"),
            by: None,
            remark: None,
            asked_at: START,
            expires_at: START.after(Span(3600)),
        }),
    }
}

fn outgoing() -> Outgoing {
    Outgoing::of(notice())
}

#[test]
fn a_notice_is_read_as_it_was_enqueued() {
    let mut store = TestStore::new();
    store.apply(vec![notice().enqueue(&store.names).unwrap()]);
    let found = store.read(|view| Outgoing::read(&store.names, "abc.waits", view)).unwrap().unwrap();
    assert_eq!(found, outgoing());
    assert_eq!(store.names_in(&folder(&store.names)), ["abc.waits"]);
    store.apply(vec![found.remove(&store.names)]);
    assert!(store.rows.is_empty());
}

#[test]
fn what_people_write_stays_on_its_line() {
    let hostile = "ok\r\nBcc: all@example.org\n\nState: approved\u{2028}x\u{202e}lanif\u{0}\u{200b}\u{1b}[2J";
    let line = Line::of(hostile);
    assert_eq!(line.as_str(), "ok  Bcc: all@example.org  State: approved x�lanif���[2J");
    let told = notice_because(hostile);
    assert!(told.lines().iter().all(|(_, text)| !text.contains(['\r', '\n'])));
    assert_eq!(told.lines().len(), notice().lines().len());
}

#[test]
fn every_channel_has_its_own_tries() {
    let mut outgoing = outgoing();
    assert_eq!(outgoing.due_at("mail"), Some(START));
    outgoing.claim("mail", START);
    assert_eq!((outgoing.due_at("mail"), outgoing.due_at("slack")), (Some(START.after(Span(2))), Some(START)));
    assert!(!outgoing.settle("mail", Tried::Failed, START));
    outgoing.claim("mail", START);
    assert_eq!(outgoing.due_at("mail"), Some(START.after(Span(4))));
    assert!(!outgoing.settle("mail", Tried::Untried, START));
    assert_eq!((outgoing.due_at("mail"), outgoing.tries("mail")), (Some(START), 1));
    outgoing.claim("mail", START);
    assert!(!outgoing.settle("mail", Tried::Delivered, START));
    assert_eq!((outgoing.due_at("mail"), outgoing.due_at("slack")), (None, Some(START)));
}

#[test]
fn a_notice_is_given_up_after_so_many_tries_or_so_long() {
    let mut by_tries = outgoing();
    let mut given_up_after = 0;
    for tries in 1..=TRIES_MAX {
        by_tries.claim("mail", START);
        if by_tries.settle("mail", Tried::Failed, START) {
            given_up_after = tries;
        }
    }
    assert_eq!((given_up_after, by_tries.due_at("mail")), (TRIES_MAX, None));

    let mut by_age = outgoing();
    by_age.claim("mail", START);
    assert!(by_age.settle("mail", Tried::Failed, START.after(LIFE)));
}

#[test]
fn pauses_double_up_to_an_hour() {
    let pauses: Vec<u64> = (0..14).map(|tries| pause(tries).0).collect();
    assert_eq!(pauses, [2, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]);
    assert_eq!(pause(u32::MAX), Span(3600));
}

proptest! {
    #[test]
    fn a_line_is_one_line_and_bounded(text in "\\PC{0,40}|[\\x00-\\u{2fff}]{0,2000}") {
        let line = Line::of(&text);
        prop_assert!(line.as_str().len() <= LINE_LENGTH_BYTES_MAX);
        let forges = |character: char| character.is_control() || ['\u{2028}', '\u{2029}', '\u{202e}'].contains(&character);
        prop_assert!(!line.as_str().contains(forges));
        prop_assert_eq!(Line::of(line.as_str()), line);
    }

    #[test]
    fn no_row_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut payload = vec![VERSION];
        payload.extend(bytes);
        let _ = record_format::decode::<Outgoing>(VERSION, &crate::secret::SecretBytes::new(payload));
    }
}
