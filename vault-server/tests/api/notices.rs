//! Notices: what people are told of requests that wait, by servers and programs that really listen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use vault_server::config::{CommandSettings, MailSettings, MailTls, NoticeSettings, WebhookFormat, WebhookSettings};
use vault_server::storage::Storage;
use vault_server::storage::faults::{Faults, FaultyStorage};
use vault_server::storage::memory::MemoryStorage;
use vault_server::storage::sqlite::SqliteStorage;

use crate::house::{House, ONE};
use crate::post_office::{PostOffice, Protection};
use crate::support::TestVault;

/// Longest wait for something that comes within seconds.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What a webhook was sent.
pub(crate) struct Posted {
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

/// A server that notes what it is sent. It answers with each status in turn, and from then on with the last.
pub(crate) struct Listener {
    pub(crate) url: String,
    pub(crate) posted: mpsc::UnboundedReceiver<Posted>,
}

struct Script {
    statuses: Vec<u16>,
    answered: AtomicUsize,
    posted: mpsc::UnboundedSender<Posted>,
}

async fn note(State(script): State<Arc<Script>>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    script.posted.send(Posted { authorization, body: serde_json::from_slice(&body).unwrap() }).unwrap();
    let turn = script.answered.fetch_add(1, Ordering::SeqCst).min(script.statuses.len() - 1);
    let status = StatusCode::from_u16(script.statuses[turn]).unwrap();
    let hint = (status == StatusCode::TOO_MANY_REQUESTS).then_some([("retry-after", "1")]);
    match hint {
        Some(hint) => (status, hint).into_response(),
        None => status.into_response(),
    }
}

impl Listener {
    pub(crate) async fn start(statuses: &[u16]) -> Self {
        let (sender, posted) = mpsc::unbounded_channel();
        let script = Script { statuses: statuses.to_vec(), answered: AtomicUsize::new(0), posted: sender };
        let app = axum::Router::new().fallback(note).with_state(Arc::new(script));
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", tcp.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(tcp, app).await });
        Self { url, posted }
    }

    pub(crate) async fn next(&mut self) -> Posted {
        tokio::time::timeout(WAIT_MAX, self.posted.recv())
            .await
            .unwrap_or_else(|_| panic!("nothing is posted"))
            .unwrap()
    }

    pub(crate) fn settings(&self) -> NoticeSettings {
        NoticeSettings { webhook: vec![webhook(&self.url)], ..NoticeSettings::default() }
    }
}

fn webhook(url: &str) -> WebhookSettings {
    WebhookSettings {
        url: Some(url.to_owned()),
        url_file: None,
        format: WebhookFormat::Plain,
        authorization_file: None,
        ca: None,
    }
}

async fn house(settings: &NoticeSettings) -> House {
    house_over(Arc::new(MemoryStorage::default()), settings).await
}

async fn house_over(storage: Arc<dyn Storage>, settings: &NoticeSettings) -> House {
    House::furnish(TestVault::telling(storage, settings).await.furnished().await, ONE).await
}

/// Waits until metrics say something.
pub(crate) async fn until(vault: &TestVault, series: &str, value: &str) {
    until_it_is(vault, series, &|seen| seen == value).await;
}

async fn until_it_is(vault: &TestVault, series: &str, is_due: &(dyn Fn(&str) -> bool + Sync)) {
    let seen = async {
        loop {
            let path = "sys/metrics?format=prometheus";
            let request = http::Request::get(format!("/v1/{path}")).header("x-vault-token", &vault.root);
            let (_, body) = vault.send_raw(request.body(axum::body::Body::empty()).unwrap()).await;
            let text = std::str::from_utf8(&body).unwrap();
            if text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).any(is_due) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, seen).await.unwrap_or_else(|_| panic!("metrics never said it of {series}"));
}

fn counted(channel: &str, outcome: &str) -> String {
    format!("keyturn_notices_total{{channel=\"{channel}\",outcome=\"{outcome}\"}}")
}

#[tokio::test]
async fn what_fails_is_tried_again_until_it_arrives_and_keeps_nobody_else_waiting() {
    let (mut flaky, mut sound) = (Listener::start(&[503, 500, 200]).await, Listener::start(&[200]).await);
    // Nobody listens at port 1.
    let settings = NoticeSettings {
        webhook: vec![webhook("http://127.0.0.1:1/"), webhook(&flaky.url), webhook(&sound.url)],
        ..NoticeSettings::default()
    };
    let house = house(&settings).await;
    let (_, id) = house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
    let told = sound.next().await.body;
    assert_eq!(
        (&told["request"], &told["event"], &told["path"]),
        (&json!(id), &json!("waits"), &json!("secret/data/prod/root"))
    );
    assert_eq!(told["waits_for"], json!("1 of leads"));
    for (seconds, failed) in [(2, "2"), (4, "4")] {
        assert_eq!(flaky.next().await.body["id"], told["id"]);
        until(&house.vault, "keyturn_notices_waiting", "1").await;
        until(&house.vault, &counted("webhook", "failed"), failed).await;
        house.vault.clock.advance_seconds(seconds);
    }
    assert_eq!(flaky.next().await.body["id"], told["id"], "the same notice");
    until(&house.vault, &counted("webhook", "delivered"), "2").await;
    house.vault.clock.advance_seconds(3600);
    until(&house.vault, &counted("webhook", "failed"), "6").await;
    assert!(sound.posted.try_recv().is_err() && flaky.posted.try_recv().is_err(), "told once");
    // The one that is not there has had its time.
    house.vault.clock.advance_seconds(3 * 24 * 3600);
    until(&house.vault, &counted("webhook", "given_up"), "1").await;
    until(&house.vault, "keyturn_notices_waiting", "0").await;
}

#[tokio::test]
async fn what_is_not_taken_keeps_no_other_notice_waiting() {
    let mut picky = Listener::start(&[400, 200]).await;
    let house = house(&picky.settings()).await;
    let ann = house.login("ann").await;
    let (_, first) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(picky.next().await.body["request"], json!(first));
    let (_, second) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(picky.next().await.body["request"], json!(second), "without a pause");
    house.vault.clock.advance_seconds(2);
    assert_eq!(picky.next().await.body["request"], json!(first), "once more, and now it is taken");
    until(&house.vault, "keyturn_notices_waiting", "0").await;
}

#[tokio::test]
async fn who_is_asked_too_often_is_left_alone_for_a_while() {
    let mut busy = Listener::start(&[429, 200]).await;
    let house = house(&busy.settings()).await;
    let ann = house.login("ann").await;
    let (_, first) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(busy.next().await.body["request"], json!(first));
    until(&house.vault, &counted("webhook", "failed"), "1").await;
    let (_, second) = house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    until(&house.vault, "keyturn_notices_waiting", "2").await;
    assert!(busy.posted.try_recv().is_err());
    house.vault.clock.advance_seconds(2);
    let told = [busy.next().await.body["request"].clone(), busy.next().await.body["request"].clone()];
    assert!(told.contains(&json!(first)) && told.contains(&json!(second)), "{told:?}");
    until(&house.vault, &counted("webhook", "failed"), "1").await;
}

/// Holds a notice against everything that is secret, and tries what can be done with the name that it gives.
async fn gives_nothing_away(house: &House, posted: &Posted, secrets: &[String]) {
    assert_eq!(posted.authorization, None);
    let text = posted.body.to_string();
    assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "{text}");
    let id = posted.body["request"].as_str().unwrap();
    house.vault.expect_as(id, 403, "GET", "auth/token/lookup-self", None).await;
    house.vault.expect_as(id, 400, "POST", "sys/wrapping/unwrap", None).await;
    let body = Some(json!({ "accessor": id }));
    house.vault.expect_as("", 403, "POST", "sys/control-group/authorize", body).await;
}

#[tokio::test]
async fn people_are_told_whatever_becomes_of_a_request_and_nothing_that_is_secret() {
    let mut listener = Listener::start(&[200]).await;
    let house = house(&listener.settings()).await;
    let (ann, ben) = (house.login("ann").await, house.login("ben").await);
    let mut secrets: Vec<String> = vec![ann.clone(), ben.clone(), house.vault.root.clone(), "value-of-ann".to_owned()];
    secrets.extend(house.vault.keys.clone());
    let body = || Some(json!({"data": {"password": "value-of-ann"}}));
    let mut due = Vec::new();
    let ask = || house.ask(&ann, "POST", "secret/data/prod/root", body());
    let post = |token: String, path: String, status: u16, body: Value| {
        let vault = &house.vault;
        async move { vault.expect_as(&token, status, "POST", &format!("sys/requests/{path}"), Some(body)).await }
    };

    let (wrapping, id) = ask().await;
    secrets.push(wrapping);
    post(ann.clone(), format!("{id}/cancel"), 204, json!({})).await;
    due.extend([(id.clone(), "waits"), (id, "cancelled")]);

    let (wrapping, id) = ask().await;
    house.authorize(&ben, 200, &id).await;
    // A second yes of the same human tells nobody anything new, also once the first is told.
    until(&house.vault, &counted("webhook", "delivered"), "4").await;
    house.authorize(&ben, 200, &id).await;
    house.unwrap(&ann, 200, &wrapping).await;
    secrets.push(wrapping);
    due.extend([(id.clone(), "waits"), (id.clone(), "approved"), (id, "released")]);

    let ((first, first_id), (second, second_id)) = (ask().await, ask().await);
    house.authorize(&ben, 200, &first_id).await;
    house.authorize(&ben, 200, &second_id).await;
    house.unwrap(&ann, 200, &first).await;
    house.unwrap(&ann, 400, &second).await;
    secrets.extend([first, second]);
    due.extend([(first_id.clone(), "waits"), (first_id.clone(), "approved"), (first_id, "released")]);
    due.extend([(second_id.clone(), "waits"), (second_id.clone(), "approved"), (second_id, "stale")]);

    let (wrapping, id) = ask().await;
    secrets.push(wrapping);
    post(ben.clone(), format!("{id}/deny"), 204, json!({"reason": "not on a Friday"})).await;
    due.extend([(id.clone(), "waits"), (id.clone(), "denied")]);
    // What is refused changes nothing, and nobody is told.
    house.authorize(&ben, 400, &id).await;

    let mut told = Vec::new();
    for _ in &due {
        told.push(listener.next().await);
    }
    until(&house.vault, "keyturn_notices_waiting", "0").await;
    assert!(listener.posted.try_recv().is_err(), "no other notice");
    let pairs = |request: &str| -> Vec<String> {
        let own = told.iter().filter(|posted| posted.body["request"] == json!(request));
        own.map(|posted| posted.body["event"].as_str().unwrap().to_owned()).collect()
    };
    for request in due.iter().map(|(request, _)| request).collect::<BTreeSet<_>>() {
        let events: Vec<_> =
            due.iter().filter(|(own, _)| own == request).map(|(_, event)| (*event).to_owned()).collect();
        assert_eq!(pairs(request), events, "in the order in which it happened");
    }
    let denied = told.iter().find(|posted| posted.body["event"] == json!("denied")).unwrap();
    assert_eq!(denied.body["remark"], json!("not on a Friday"));
    for posted in &told {
        gives_nothing_away(&house, posted, &secrets).await;
    }
}

#[tokio::test]
async fn webhooks_show_who_calls_by_a_file_that_is_read_anew() {
    let mut listener = Listener::start(&[200]).await;
    let directory = tempfile::tempdir().unwrap();
    let (authorization, address) = (directory.path().join("authorization"), directory.path().join("url"));
    std::fs::write(&authorization, "Bearer first\n").unwrap();
    std::fs::write(&address, format!("{}\n", listener.url)).unwrap();
    let settings = WebhookSettings {
        url: None,
        url_file: Some(address),
        authorization_file: Some(authorization.clone()),
        ..webhook("")
    };
    let house = house(&NoticeSettings { webhook: vec![settings], ..NoticeSettings::default() }).await;
    let ann = house.login("ann").await;
    house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(listener.next().await.authorization.unwrap(), "Bearer first");
    std::fs::write(&authorization, "Bearer second").unwrap();
    house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(listener.next().await.authorization.unwrap(), "Bearer second");
}

fn mail(office: &PostOffice, tls: MailTls, to: &[&str]) -> MailSettings {
    MailSettings {
        server: "localhost".to_owned(),
        port: Some(office.port),
        tls,
        from: "Vault <vault@example.org>".to_owned(),
        to: to.iter().map(|&to| to.to_owned()).collect(),
        username: None,
        password_file: None,
        ca: office.authority.clone(),
    }
}

fn by_mail(mail: MailSettings) -> NoticeSettings {
    NoticeSettings { mail: Some(mail), ..NoticeSettings::default() }
}

#[tokio::test]
async fn e_mail_goes_to_each_recipient_and_one_that_is_refused_stops_no_other() {
    let mut office = PostOffice::open(Protection::None).await;
    let to = ["refused@example.org", "Ben <ben@example.org>", "cat@example.org"];
    let house = house(&by_mail(mail(&office, MailTls::None, &to))).await;
    let (_, id) = house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
    let mut letters = [office.next(WAIT_MAX).await, office.next(WAIT_MAX).await];
    letters.sort_by(|one, other| one.to.cmp(&other.to));
    assert_eq!(letters.each_ref().map(|letter| letter.to.as_str()), ["<ben@example.org>", "<cat@example.org>"]);
    for letter in &letters {
        assert_eq!(letter.from, "<vault@example.org>");
        let header = |name: &str| letter.header(name).unwrap_or_else(|| panic!("{name} in {}", letter.text));
        assert_eq!(header("Message-ID"), format!("<{id}.waits@example.org>"));
        assert_eq!(header("Auto-Submitted"), "auto-generated");
        assert!(header("Subject").starts_with("[keyturn] "), "{}", letter.text);
        let body = letter.body();
        for line in
            [format!("Request: {id}"), "Path: secret/data/prod/root".to_owned(), "Waits for: 1 of leads".to_owned()]
        {
            assert!(body.lines().any(|own| own == line), "{line} in {body}");
        }
    }
    until(&house.vault, &counted("mail", "delivered"), "2").await;
    until(&house.vault, &counted("mail", "failed"), "1").await;
}

#[tokio::test]
async fn e_mail_goes_over_tls_with_a_password_that_only_the_right_server_sees() {
    let directory = tempfile::tempdir().unwrap();
    let password = directory.path().join("password");
    std::fs::write(&password, "password-of-the-vault\n").unwrap();
    for (protection, tls) in [(Protection::Tls, MailTls::Tls), (Protection::Starttls, MailTls::Starttls)] {
        let mut office = PostOffice::open(protection).await;
        let (username, password_file) = (Some("vault".to_owned()), Some(password.clone()));
        let settings = MailSettings { username, password_file, ..mail(&office, tls, &["ben@example.org"]) };
        // The same server, whose authority the second house does not know; what it trusts is there to be read.
        let other = PostOffice::open(Protection::Tls).await;
        let wary = MailSettings { ca: other.authority.clone(), ..settings.clone() };
        assert!(wary.ca.as_ref().is_some_and(|file| file.is_file()));
        let (trusting, wary) = (house(&by_mail(settings)).await, house(&by_mail(wary)).await);
        wary.ask(&wary.login("ann").await, "GET", "secret/data/prod/root", None).await;
        until(&wary.vault, &counted("mail", "failed"), "1").await;
        assert!(office.letters.try_recv().is_err());
        trusting.ask(&trusting.login("ann").await, "GET", "secret/data/prod/root", None).await;
        let letter = office.next(WAIT_MAX).await;
        assert_eq!(letter.login.as_deref(), Some("\0vault\0password-of-the-vault"));
        assert!(!letter.text.contains("password-of-the-vault") && !letter.body().contains("password-of-the-vault"));
    }
}

#[tokio::test]
async fn e_mail_waits_rather_than_going_in_clear() {
    // It does not offer STARTTLS, as if somebody in between had taken it out.
    let mut office = PostOffice::open(Protection::None).await;
    let house = house(&by_mail(mail(&office, MailTls::Starttls, &["ben@example.org"]))).await;
    house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
    until(&house.vault, &counted("mail", "failed"), "1").await;
    assert!(office.letters.try_recv().is_err());
}

async fn lines_of(path: &Path, count: usize) -> Vec<String> {
    let read = async {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            // Each is written with a break at its end.
            if text.matches('\n').count() >= count {
                return text.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, read).await.unwrap_or_else(|_| panic!("{} stays short", path.display()))
}

fn shell(script: &str, file: &Path) -> NoticeSettings {
    let arguments = vec!["-c".to_owned(), script.to_owned(), file.display().to_string()];
    let command = CommandSettings { program: PathBuf::from("/bin/sh"), arguments };
    NoticeSettings { command: Some(command), ..NoticeSettings::default() }
}

#[tokio::test]
async fn a_program_reads_what_waits_and_sees_no_environment() {
    let directory = tempfile::tempdir().unwrap();
    let (told, environment) = (directory.path().join("told"), directory.path().join("told.environment"));
    let house = house(&shell("/usr/bin/env > \"$0.environment\"; cat >> \"$0\"", &told)).await;
    let (_, id) = house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
    let lines = lines_of(&told, 1).await;
    let read: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&read["request"], &read["event"]), (&json!(id), &json!("waits")));
    until(&house.vault, &counted("command", "delivered"), "1").await;
    let environment = std::fs::read_to_string(environment).unwrap();
    // What a shell sets by itself.
    let own = ["PWD=", "SHLVL=", "_=", "OLDPWD="];
    assert!(environment.lines().all(|line| own.iter().any(|name| line.starts_with(name))), "{environment}");
}

#[tokio::test]
async fn a_program_that_fails_is_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let told = directory.path().join("told");
    let house = house(&shell("cat >> \"$0\"; test $(wc -l < \"$0\") -gt 1", &told)).await;
    house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
    until(&house.vault, &counted("command", "failed"), "1").await;
    house.vault.clock.advance_seconds(2);
    until(&house.vault, &counted("command", "delivered"), "1").await;
    let lines = lines_of(&told, 2).await;
    assert_eq!(lines[0], lines[1]);
}

#[tokio::test]
async fn what_waited_when_the_server_stopped_is_told_after_unsealing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyturn.db");
    let open = || -> Arc<dyn Storage> { Arc::new(SqliteStorage::open(&path).unwrap()) };
    // The first server is gone before it has answered anything but that it cannot.
    let mut broken = Listener::start(&[503]).await;
    let (keys, id) = {
        let house = house_over(open(), &broken.settings()).await;
        let (_, id) = house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
        assert_eq!(broken.next().await.body["request"], json!(id));
        (house.vault.keys.clone(), id)
    };
    let mut sound = Listener::start(&[200]).await;
    let mut vault = TestVault::telling(open(), &sound.settings()).await;
    assert!(sound.posted.try_recv().is_err(), "a sealed vault can read nothing");
    vault.keys = keys;
    vault.unseal().await;
    let told = sound.next().await.body;
    assert_eq!((&told["request"], &told["event"]), (&json!(id), &json!("waits")));
}

/// Were a try noted only after it, a store that is full would make people hear the same thing again and again.
#[tokio::test]
async fn while_the_store_cannot_be_written_nobody_is_told_over_and_over() {
    let faults = Arc::new(Faults::default());
    let storage = Arc::new(FaultyStorage::new(Arc::new(MemoryStorage::default()), Arc::clone(&faults)));
    let mut listener = Listener::start(&[503, 200]).await;
    let house = house_over(storage, &listener.settings()).await;
    house.ask(&house.login("ann").await, "GET", "secret/data/prod/root", None).await;
    let id = listener.next().await.body["id"].clone();
    until(&house.vault, &counted("webhook", "failed"), "1").await;
    faults.commits_fail.store(true, Ordering::SeqCst);
    for tries in 1..=3 {
        house.vault.clock.advance_seconds(30);
        // It may be that the store failed before the end of the first try was noted.
        let is_due = |seen: &str| seen.parse::<u64>().unwrap() >= tries;
        until_it_is(&house.vault, "keyturn_storage_commits_total{outcome=\"failed\"}", &is_due).await;
    }
    assert!(listener.posted.try_recv().is_err());
    faults.commits_fail.store(false, Ordering::SeqCst);
    house.vault.clock.advance_seconds(30);
    assert_eq!(listener.next().await.body["id"], id);
    until(&house.vault, "keyturn_notices_waiting", "0").await;
}

#[tokio::test]
async fn nothing_is_enqueued_where_nobody_is_told() {
    let storage = Arc::new(MemoryStorage::default());
    let house = house_over(Arc::clone(&storage) as Arc<dyn Storage>, &NoticeSettings::default()).await;
    let ann = house.login("ann").await;
    house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    let rows = storage.row_count();
    house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    let quiet = storage.row_count() - rows;
    let mut listener = Listener::start(&[503]).await;
    let storage = Arc::new(MemoryStorage::default());
    let house = house_over(Arc::clone(&storage) as Arc<dyn Storage>, &listener.settings()).await;
    let ann = house.login("ann").await;
    house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    listener.next().await;
    let rows = storage.row_count();
    house.ask(&ann, "GET", "secret/data/prod/root", None).await;
    assert_eq!(storage.row_count() - rows, quiet + 1);
}
