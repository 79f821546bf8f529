use serde_json::json;
use vault_core::id::VaultId;
use vault_core::notice::{Event, Line};
use vault_core::time::{Span, Timestamp};

use super::*;
use crate::config::WebhookFormat;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

pub(super) fn notice(event: Event) -> Notice {
    Notice {
        id: "abc.waits".to_owned(),
        at: NOW.after(Span(60)),
        event,
        vault: VaultId([1; 16]),
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
    }
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
fn plain_json_has_a_field_for_everything() {
    let told = Notice { by: Some(Line::of("ben")), remark: Some(Line::of("not on a Friday")), ..notice(Event::Denied) };
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
        let told = Notice { reason: Line::of(&hostile), remark: Some(Line::of(&hostile)), ..notice(Event::Denied) };
        let message = mail::message("vault@example.org", "a@example.org", &told).unwrap().formatted();
        assert!(message.windows(2).all(|pair| (pair[0] == b'\r') == (pair[1] == b'\n')), "each break is a whole one");
        let text = String::from_utf8(message).unwrap();
        assert!(text.split("\r\n").all(|line| !line.starts_with('.')), "{text}");
        assert!(!text.contains("MAIL FROM"), "{text}");
    }
}

#[test]
fn a_long_subject_is_cut_and_the_body_has_it_all() {
    let long = Notice { path: Line::of(&"ä".repeat(400)), ..notice(Event::Waits) };
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
