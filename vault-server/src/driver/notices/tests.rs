use vault_core::id::VaultId;
use vault_core::notice::{About, AboutRequest, Event};

use super::*;
use crate::config::{CommandSettings, NoticeSettings, WebhookFormat, WebhookSettings};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

fn outgoing(request: &str, event: Event, seconds: u64) -> Outgoing {
    let about = About::Request(AboutRequest {
        event,
        request: request.to_owned(),
        operation: Line::of("read"),
        path: Line::of("secret/x"),
        requester: Line::of("ann"),
        reason: Line::default(),
        waits_for: Line::of("1 of leads"),
        by: None,
        remark: None,
        asked_at: NOW,
        expires_at: NOW.after(Span(3600)),
    });
    let id = format!("{request}.{}", event.word());
    let notice = Notice { id, at: NOW.after(Span(seconds)), vault: VaultId([1; 16]), about };
    Outgoing::of(notice)
}

fn channels() -> Channels {
    let webhook = WebhookSettings {
        url: Some("http://127.0.0.1:1/".to_owned()),
        url_file: None,
        format: WebhookFormat::Plain,
        authorization_file: None,
        ca: None,
    };
    let command = CommandSettings { program: "/bin/false".into(), arguments: Vec::new() };
    Channels::of(&NoticeSettings { webhook: vec![webhook], mail: None, command: Some(command) })
}

fn places(claims: &[Claim]) -> Vec<(usize, usize)> {
    claims.iter().map(|claim| (claim.channel, claim.row)).collect()
}

fn unreachable() -> End {
    End::Failed(Failure::Unreachable("it is gone".to_owned()))
}

#[test]
fn a_channel_hears_of_one_request_in_order() {
    let channels = channels();
    let mut outbox =
        vec![outgoing("a", Event::Waits, 0), outgoing("b", Event::Waits, 0), outgoing("a", Event::Denied, 1)];
    let room = Room::default();
    let later = NOW.after(Span(10));
    assert_eq!(places(&room.claims(&outbox, &channels, later)), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    let key = channels.get(0).unwrap().key().to_owned();
    outbox[0].claim(&key, later);
    outbox[0].settle(&key, Tried::Failed, later);
    assert_eq!(places(&room.claims(&outbox, &channels, later)), [(0, 1), (1, 0), (1, 1)], "the denial waits its turn");
    outbox[0].settle(&key, Tried::Delivered, later);
    assert_eq!(places(&room.claims(&outbox, &channels, later)), [(0, 1), (0, 2), (1, 0), (1, 1)]);
}

#[test]
fn a_channel_that_cannot_be_reached_rests_and_no_other_does() {
    let channels = channels();
    let outbox = vec![outgoing("a", Event::Waits, 0)];
    let mut room = Room::default();
    room.heard_from(0, &unreachable(), NOW);
    assert_eq!(places(&room.claims(&outbox, &channels, NOW)), [(1, 0)]);
    assert_eq!(places(&room.claims(&outbox, &channels, NOW.after(Span(2)))), [(0, 0), (1, 0)]);
    for _ in 0..40 {
        room.heard_from(0, &unreachable(), NOW);
    }
    assert!(room.rests(0, NOW.after(Span(299))) && !room.rests(0, NOW.after(REST_MAX)));
    // One that answers, be it with a no, is there.
    room.heard_from(0, &End::Failed(Failure::Refused("no".to_owned())), NOW);
    assert!(!room.rests(0, NOW));
}

#[test]
fn the_next_look_is_when_something_is_due() {
    let channels = channels();
    let mut outbox = vec![outgoing("a", Event::Waits, 0)];
    let mut room = Room::default();
    let keys: Vec<_> = channels.iter().map(|way| way.key().to_owned()).collect();
    outbox[0].claim(&keys[0], NOW);
    outbox[0].claim(&keys[1], NOW);
    outbox[0].settle(&keys[1], Tried::Delivered, NOW);
    assert_eq!(room.next_due(&outbox, &channels), Some(NOW.after(Span(2))));
    room.heard_from(0, &unreachable(), NOW.after(Span(60)));
    assert_eq!(room.next_due(&outbox, &channels), Some(NOW.after(Span(62))));
    outbox[0].settle(&keys[0], Tried::Delivered, NOW);
    assert_eq!(room.next_due(&outbox, &channels), None);
    assert!(!is_wanted(&outbox[0], &channels));
}

#[test]
fn the_oldest_go_when_there_is_no_more_room() {
    let mut outbox: Vec<_> = (0..5).map(|at| outgoing(&at.to_string(), Event::Waits, at)).collect();
    let names = |outbox: &[Outgoing]| outbox.iter().map(|one| one.notice.thing().to_owned()).collect::<Vec<_>>();
    let dropped = surplus(&mut outbox, 3);
    assert_eq!(
        (names(&dropped), names(&outbox)),
        (vec!["0".into(), "1".into()], vec!["2".into(), "3".into(), "4".into()])
    );
    assert!(surplus(&mut outbox, 3).is_empty());
}

#[tokio::test]
async fn what_cannot_be_reached_is_not_asked_for_each_notice() {
    let channels = channels();
    let outbox: Vec<_> = (0..3).map(|at| outgoing(&at.to_string(), Event::Waits, at)).collect();
    let claims = Room::default().claims(&outbox, &channels, NOW.after(Span(60)));
    let ends = try_all(&channels, &outbox, &claims).await;
    let of = |channel: usize| ends.iter().filter(move |(claim, _)| claim.channel == channel).map(|(_, end)| end);
    let webhook: Vec<_> = of(0).collect();
    assert!(matches!(webhook.as_slice(), [End::Failed(Failure::Unreachable(_)), End::Untried, End::Untried]));
    assert_eq!(of(1).filter(|end| matches!(end, End::Failed(Failure::Refused(_)))).count(), 3, "exit 1 is an answer");
}
