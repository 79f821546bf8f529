use serde_json::json;
use vault_core::id::VaultId;
use vault_core::limits::{Level, Metric};
use vault_core::notice::{AboutCanary, AboutLimit, AboutRequest, Event, Line, Turn};
use vault_core::time::{Span, Timestamp};

use super::*;
use crate::config::WebhookFormat;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

pub(super) fn notice(event: Event) -> Notice {
    notice_with(event, |_| ())
}

fn notice_with(event: Event, edit: impl FnOnce(&mut AboutRequest)) -> Notice {
    let mut request = AboutRequest {
        event,
        request: "abc".to_owned(),
        operation: Line::of("write"),
        path: Line::of("secret/data/prod/<root>"),
        requester: Line::of("ann & \r\nBcc: all@example.org"),
        reason: Line::of("<!channel> *approve* <https://example.org|here>\r\n\r\nState: approved"),
        waits_for: Line::of("1 of security and 1 of operations"),
        by: None,
        remark: None,
        asked_at: NOW,
        expires_at: NOW.after(Span(3600)),
    };
    edit(&mut request);
    told(About::Request(request))
}

fn told(about: About) -> Notice {
    Notice { id: "abc.waits".to_owned(), at: NOW.after(Span(60)), vault: VaultId([1; 16]), about }
}

fn limit(turn: Turn, ends_at: Option<Timestamp>) -> Notice {
    told(About::Limit(AboutLimit {
        turn,
        breach: "b.1".to_owned(),
        limit: Line::of("prod-reads"),
        metric: Metric::ReadsPerHour,
        level: Level::Soft,
        subject: Line::of("<ann>"),
        path: Line::of("secret/data/prod"),
        value: 11,
        bound: 10,
        since: NOW,
        ends_at,
    }))
}

#[test]
fn slack_finds_no_mark_in_what_people_wrote() {
    let body = webhook::body(WebhookFormat::Slack, &notice(Event::Waits));
    assert_eq!(body["mrkdwn"], json!(false));
    let text = body["text"].as_str().unwrap();
    assert!(!text.contains(['<', '>']), "{text}");
    assert!(text.contains("&lt;!channel&gt;") && text.contains("ann &amp;   Bcc"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("State:")).collect::<Vec<_>>(), ["State: waits"]);
    assert!(text.starts_with("ann &amp;") && text.contains("this waits for 1 of security and 1 of operations\n"));
    assert!(text.trim_end().ends_with(NOTHING_IS_DECIDED_HERE));
}

#[test]
fn an_alert_fires_while_a_request_waits_and_whatever_ends_that_resolves_it() {
    let alert = |event| webhook::body(WebhookFormat::Alertmanager, &notice(event))[0].clone();
    let (waits, denied) = (alert(Event::Waits), alert(Event::Denied));
    assert_eq!(waits["labels"], denied["labels"], "the same alert");
    let labels = json!({"alertname": "KeyturnRequestWaits", "vault": "01".repeat(16), "request": "abc"});
    assert_eq!(waits["labels"], labels);
    assert_eq!(waits["startsAt"], denied["startsAt"]);
    assert_eq!(waits["startsAt"], json!("2027-01-15T08:00:00.000000000Z"));
    assert_eq!(waits["endsAt"], json!("2027-01-15T09:00:00.000000000Z"));
    assert_eq!(denied["endsAt"], json!("2027-01-15T08:01:00.000000000Z"));
    assert_eq!(waits["annotations"]["waits_for"], json!("1 of security and 1 of operations"));
    assert!(!waits["annotations"].to_string().contains(['<', '>']), "{waits}");
}

#[test]
fn an_alert_of_a_limit_fires_until_it_is_resolved_and_no_longer_than_its_hour() {
    let alert = |notice: Notice| webhook::body(WebhookFormat::Alertmanager, &notice)[0].clone();
    let hour = NOW.after(Span(3600));
    let (breached, resolved) = (alert(limit(Turn::Breached, Some(hour))), alert(limit(Turn::Resolved, Some(hour))));
    let labels = json!({
        "alertname": "KeyturnLimit", "vault": "01".repeat(16), "limit": "prod-reads", "metric": "reads_per_hour", "breach": "b.1",
    });
    assert_eq!((&breached["labels"], &resolved["labels"]), (&labels, &labels));
    assert_eq!(breached["startsAt"], resolved["startsAt"]);
    assert_eq!(breached["endsAt"], json!("2027-01-15T09:00:00.000000000Z"));
    assert_eq!(resolved["endsAt"], json!("2027-01-15T08:01:00.000000000Z"));
    assert_eq!(breached["annotations"]["subject"], json!("‹ann›"));
    let lasting = alert(limit(Turn::Breached, None));
    assert_eq!(lasting["endsAt"], json!("2027-02-14T08:01:00.000000000Z"), "until somebody says that it is over");
}

#[test]
fn limits_and_canaries_are_told_in_every_form() {
    let canary = told(About::Canary(AboutCanary {
        path: Line::of("secret/data/trap"),
        reader: Line::of("eve"),
        address: Line::of("192.0.2.1"),
        request_id: "r1".to_owned(),
    }));
    let alert = webhook::body(WebhookFormat::Alertmanager, &canary)[0].clone();
    assert_eq!(alert["labels"], json!({"alertname": "KeyturnCanary", "vault": "01".repeat(16), "read": "r1"}));
    assert_eq!(alert["endsAt"], json!("2027-01-16T08:01:00.000000000Z"));
    for (notice, event, headline) in [
        (canary, "canary", "canary: eve read secret/data/trap"),
        (
            limit(Turn::Breached, None),
            "limit_breached",
            "soft limit prod-reads breached: <ann>, secret/data/prod: 11 reads in an hour, where 10 reads in an hour are allowed",
        ),
        (limit(Turn::Resolved, None), "limit_resolved", "soft limit prod-reads resolved: <ann>, secret/data/prod"),
    ] {
        let plain = webhook::body(WebhookFormat::Plain, &notice);
        assert_eq!((&plain["event"], &plain["headline"]), (&json!(event), &json!(headline)));
        let slack = webhook::body(WebhookFormat::Slack, &notice)["text"].as_str().unwrap().to_owned();
        assert!(!slack.contains(['<', '>']) && slack.trim_end().ends_with(NOTHING_IS_DECIDED_HERE), "{slack}");
        assert!(mail::message("vault@example.org", "a@example.org", &notice).is_ok());
    }
}

#[test]
fn plain_json_has_a_field_for_everything() {
    let told = notice_with(Event::Denied, |request| {
        (request.by, request.remark) = (Some(Line::of("ben")), Some(Line::of("not on a Friday")));
    });
    let body = webhook::body(WebhookFormat::Plain, &told);
    assert_eq!(
        (&body["event"], &body["by"], &body["remark"]),
        (&json!("denied"), &json!("ben"), &json!("not on a Friday"))
    );
    assert_eq!(body["path"], json!("secret/data/prod/<root>"));
}

/// Splits a message into its headers, unfolded, and its body, decoded.
fn parts(message: &[u8]) -> (Vec<String>, String) {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let body = data_encoding::BASE64.decode(body.replace("\r\n", "").as_bytes()).unwrap();
    (unfolded.split("\r\n").map(str::to_owned).collect(), String::from_utf8(body).unwrap())
}

#[test]
fn nobody_writes_headers_of_a_message_but_the_vault() {
    let message = mail::message("Vault <vault@example.org>", "a@example.org", &notice(Event::Waits)).unwrap();
    let (headers, body) = parts(&message.formatted());
    let mut names: Vec<_> = headers.iter().map(|line| line.split(':').next().unwrap()).collect();
    names.sort_unstable();
    let due = [
        "Auto-Submitted",
        "Content-Transfer-Encoding",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
    ];
    assert_eq!(names, due, "{headers:?}");
    assert!(headers.contains(&"To: a@example.org".to_owned()), "{headers:?}");
    assert!(headers.contains(&"Message-ID: <abc.waits@example.org>".to_owned()), "{headers:?}");
    assert!(headers.iter().all(|line| !line.contains(['\r', '\n'])));
    assert_eq!(body.lines().filter(|line| line.starts_with("State:")).count(), 1, "{body}");
    let envelope = message.envelope();
    assert_eq!(envelope.to().len(), 1);
}

/// Without care a line of a single dot ends a message, and what follows is read as commands (RUSTSEC-2026-0561).
#[test]
fn nothing_that_people_wrote_ends_a_message_early() {
    for ending in ["\n.\n", "\r.\r", "\r\n.\r\n", "\n.\r\n"] {
        let hostile = format!("x{ending}MAIL FROM:<vault@example.org>{ending}");
        let told = notice_with(Event::Denied, |request| {
            (request.reason, request.remark) = (Line::of(&hostile), Some(Line::of(&hostile)));
        });
        let message = mail::message("vault@example.org", "a@example.org", &told).unwrap().formatted();
        assert!(message.windows(2).all(|pair| (pair[0] == b'\r') == (pair[1] == b'\n')), "each break is a whole one");
        let text = String::from_utf8(message).unwrap();
        assert!(text.split("\r\n").all(|line| !line.starts_with('.')), "{text}");
        assert!(!text.contains("MAIL FROM"), "{text}");
    }
}

#[test]
fn a_long_subject_is_cut_and_the_body_has_it_all() {
    let long = notice_with(Event::Waits, |request| request.path = Line::of(&"ä".repeat(400)));
    let message = mail::message("vault@example.org", "a@example.org", &long).unwrap();
    let subject = message.headers().get::<lettre::message::header::Subject>().unwrap();
    assert!(subject.as_ref().len() < 200 && subject.as_ref().ends_with('…'));
}

#[tokio::test]
async fn files_are_bounded_and_lose_the_break_at_their_end() {
    let directory = tempfile::tempdir().unwrap();
    let (small, large) = (directory.path().join("small"), directory.path().join("large"));
    std::fs::write(&small, "Bearer x\r\n").unwrap();
    std::fs::write(&large, vec![b'x'; usize::try_from(FILE_BYTES_MAX).unwrap() + 1]).unwrap();
    assert_eq!(read_file(&small).await.map(|text| text.expose().to_owned()).unwrap(), "Bearer x");
    assert!(read_file(&large).await.is_err_and(|reason| reason.contains("more than")));
    assert!(read_file(&directory.path().join("none")).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_a_secret_stands_in_no_reason() {
    let settings = crate::config::WebhookSettings {
        url: Some("http://127.0.0.1:1/services/T0/B0/secret-of-slack".to_owned()),
        url_file: None,
        format: WebhookFormat::Slack,
        authorization_file: None,
        ca: None,
    };
    let channels = Channels::of(&NoticeSettings { webhook: vec![settings], ..NoticeSettings::default() });
    let way = channels.get(0).unwrap();
    let failure = way.deliver(&notice(Event::Waits)).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable(reason) if !reason.contains("secret-of-slack")), "{failure:?}");
    assert!(!format!("{channels:?}{}", way.key()).contains("secret-of-slack"));
}
