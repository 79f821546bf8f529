//! Audit devices of real servers: collectors of syslog by TLS and receivers of batches that are down for a while, behind
//! servers that are stopped and killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tests::collector::{Authority, Collector, RECORD_WAIT_MAX, Received, check_whole};
use tests::https::Connection;
use tests::server::{Home, Server};
use tests::vault::{Keys, initialise, unseal};

/// Longest wait for what needs no retry.
const SOON: Duration = Duration::from_secs(20);

/// Longest body that is read; a batch has at most 1 MiB, or one record.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// What a pipe holds on Linux.
const PIPE_BYTES: u64 = 64 << 10;

/// Makes a home whose settings say more about `[audit]`.
fn home_with(settings: &str) -> Result<Home> {
    let home = Home::new()?;
    let text = std::fs::read_to_string(home.path("keyturn.toml"))?;
    std::fs::write(home.path("keyturn.toml"), format!("{text}{settings}\n"))?;
    Ok(home)
}

/// Starts a server and opens its vault.
fn open(home: Home, keys: Option<&Keys>) -> Result<(Server, Connection, Option<Keys>)> {
    let server = home.start()?;
    let mut connection = server.connect()?;
    let made = if keys.is_none() { Some(initialise(&mut connection, 1, 1)?) } else { None };
    let keys = keys.or(made.as_ref()).context("no keys")?;
    unseal(&mut connection, keys)?;
    connection.authorise(&keys.root_token);
    Ok((server, connection, made))
}

/// Makes requests that the log shows by a name.
fn requests(connection: &mut Connection, name: &str, count: usize) -> Result<()> {
    (0..count)
        .try_for_each(|number| connection.get(&format!("cubbyhole/{name}-{number}"))?.expect_status(404).map(drop))
}

fn last_of(name: &str, count: usize) -> String {
    format!("cubbyhole/{name}-{}\"", count - 1)
}

/// Reads a gauge or a counter of a kind of device.
fn measured(connection: &mut Connection, list: &str, name: &str, sink: &str) -> Result<f64> {
    let reply = connection.get("sys/metrics")?.expect_status(200)?;
    let all = reply.body.get(list).and_then(Value::as_array).into_iter().flatten();
    let mut own = all.filter(|one| one.get("Labels") == Some(&json!({ "sink": sink })));
    let found = own.find(|one| one.get("Name").and_then(Value::as_str) == Some(name));
    let found = found.and_then(|one| one.get("Value").or(one.get("Count")).or(one.get("Sum")));
    found.and_then(Value::as_f64).with_context(|| format!("no {name} for {sink} in {}", reply.body))
}

fn lag(connection: &mut Connection, sink: &str) -> Result<f64> {
    measured(connection, "Gauges", "keyturn_audit_sink_lag_records", sink)
}

#[test]
fn a_collector_that_was_down_gets_every_record_in_order() -> Result<()> {
    let (authority, received) = (Authority::new()?, Arc::new(Received::default()));
    let (certified, own) = (authority.certify_demanding("localhost")?, authority.certify("vault")?);
    let collector = Collector::start(0, &certified, &received)?;
    let (port, address) = (collector.port(), collector.address());
    let files = "devices_ca = \"collectors.pem\"\ndevices_certificate = \"own.pem\"\ndevices_key = \"own.key\"";
    let home = home_with(&format!("devices_addresses = [\"{address}\"]\n{files}"))?;
    for (name, text) in [("collectors.pem", &authority.pem), ("own.pem", &own.chain), ("own.key", &own.key)] {
        std::fs::write(home.path(name), text)?;
    }
    let (server, mut connection, keys) = open(home, None)?;
    let keys = keys.context("no keys")?;
    let options = json!({"type": "syslog", "options": {"address": address, "facility": "LOCAL0"}});
    connection.post("sys/audit/siem", &options)?.expect_status(204)?;
    requests(&mut connection, "up", 20)?;
    received.until(&last_of("up", 20))?;
    ensure!(received.until("sys/audit/siem").is_ok(), "the record of its own enabling");

    collector.stop()?;
    requests(&mut connection, "down", 50)?;
    ensure!(lag(&mut connection, "syslog")? >= 50.0, "the lag shows");
    server.signal("TERM")?;
    let home = server.wait_home()?;
    let (server, mut connection, _) = open(home, Some(&keys))?;
    requests(&mut connection, "restarted", 50)?;
    let (server, mut connection, _) = open(server.kill()?, Some(&keys))?;
    requests(&mut connection, "killed", 50)?;
    ensure!(measured(&mut connection, "Counters", "keyturn_audit_sink_failures", "syslog")? > 0.0, "failures show");
    ensure!(!received.until("up-0")?.iter().any(|record| record.contains("/down-")), "the collector was down");

    let collector = Collector::start(port, &certified, &received)?;
    received.until(&last_of("killed", 50))?;
    // Killed in the middle of what it sends, the server does not know what has arrived.
    requests(&mut connection, "sending", 200)?;
    let (server, mut connection, _) = open(server.kill()?, Some(&keys))?;
    requests(&mut connection, "last", 5)?;
    let records = received.until(&last_of("last", 5))?;
    check_whole(&records, &server.audit_file())?;
    // A new device would have begun behind all this.
    ensure!(records.iter().any(|record| record.contains("/down-0\"")), "what was written while it was down");

    connection.call("DELETE", "sys/audit/siem", None)?.expect_status(204)?;
    requests(&mut connection, "disabled", 20)?;
    ensure!(!received.until("up-0")?.iter().any(|record| record.contains("/disabled-")), "it is disabled");
    collector.stop()
}

#[test]
fn a_collector_with_a_wrong_certificate_gets_nothing_and_that_is_told() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let (received, wrong) = (Arc::new(Received::default()), Arc::new(Received::default()));
    let (own, other) = (authority.certify("localhost")?, authority.certify("other.example.org")?);
    let foreign = stranger.certify("localhost")?;
    let collector = Collector::start(0, &other, &wrong)?;
    let (port, address) = (collector.port(), collector.address());
    let home = home_with(&format!("devices_addresses = [\"{address}\"]\ndevices_ca = \"collectors.pem\""))?;
    std::fs::write(home.path("collectors.pem"), &authority.pem)?;
    let (server, mut connection, _) = open(home, None)?;
    let enable = |connection: &mut Connection, address: &str| {
        connection.post("sys/audit/siem", &json!({"type": "syslog", "options": {"address": address}}))
    };
    let refused = enable(&mut connection, &address)?.expect_status(400)?;
    ensure!(refused.body.to_string().contains("certificate"), "{}", refused.body);
    enable(&mut connection, "localhost:1")?.expect_status(400)?;
    collector.stop()?;
    let collector = Collector::start(port, &foreign, &wrong)?;
    enable(&mut connection, &address)?.expect_status(400)?;
    collector.stop()?;

    let collector = Collector::start(port, &own, &received)?;
    enable(&mut connection, &address)?.expect_status(204)?;
    requests(&mut connection, "right", 5)?;
    received.until(&last_of("right", 5))?;
    collector.stop()?;
    let collector = Collector::start(port, &foreign, &wrong)?;
    requests(&mut connection, "wrong", 5)?;
    let log = server.home().path("server.log");
    until("the wrong certificate is told", || {
        Ok(std::fs::read_to_string(&log)?.lines().any(|line| line.contains("siem/") && line.contains("certificate")))
    })?;
    ensure!(wrong.count() == 0, "records went to a stranger");
    collector.stop()?;
    let collector = Collector::start(port, &own, &received)?;
    check_whole(&received.until(&last_of("wrong", 5))?, &server.audit_file())?;
    collector.stop()
}

/// A batch as it was posted.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Posted {
    first: u64,
    last: u64,
    authorization: String,
    records: Vec<String>,
    taken: bool,
}

/// A receiver of batches over plain HTTP on the loopback, which refuses until it is told to take them.
struct Receiver {
    url: String,
    takes: Arc<AtomicBool>,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Receiver {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/audit", listener.local_addr()?);
        let (takes, posted) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
        let (ready, list) = (Arc::clone(&takes), Arc::clone(&posted));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A server that is killed breaks off.
                if let Ok(Some(batch)) = answer(&stream, ready.load(Ordering::SeqCst)) {
                    list.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
                }
            }
        });
        Ok(Self { url, takes, posted })
    }

    fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn until_taken(&self, part: &str) -> Result<Vec<Posted>> {
        until(part, || {
            let posted = self.posted();
            Ok(posted.iter().any(|one| one.taken && one.records.iter().any(|record| record.contains(part))))
        })?;
        Ok(self.posted())
    }
}

fn answer(mut stream: &TcpStream, takes: bool) -> Result<Option<Posted>> {
    stream.set_read_timeout(Some(SOON))?;
    let mut reader = BufReader::new(stream.take(BODY_BYTES_MAX));
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let mut fields = head.iter().filter_map(|line| line.split_once(':'));
        fields.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let is_post = head.first().is_some_and(|line| line.starts_with("POST /audit "));
    let mut body = Vec::new();
    reader.take(header("content-length").unwrap_or_default().parse().unwrap_or(0)).read_to_end(&mut body)?;
    let status = match (is_post, takes) {
        (false, _) => "405 Method Not Allowed",
        (true, true) => "204 No Content",
        (true, false) => "500 Internal Server Error",
    };
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())?;
    if !is_post {
        return Ok(None);
    }
    ensure!(header("content-type").as_deref() == Some("application/x-ndjson"), "{head:?}");
    let number = |name: &str| header(name).with_context(|| format!("no {name}"))?.parse::<u64>().context("no number");
    Ok(Some(Posted {
        first: number("keyturn-audit-first")?,
        last: number("keyturn-audit-last")?,
        authorization: header("authorization").unwrap_or_default(),
        records: String::from_utf8(body)?.lines().map(str::to_owned).collect(),
        taken: takes,
    }))
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > RECORD_WAIT_MAX {
            bail!("it never came to this: {what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn batches_that_were_refused_come_again_whole_and_in_order() -> Result<()> {
    let receiver = Receiver::start()?;
    let url = receiver.url.as_str();
    let webhook = format!("[[audit.devices_webhook]]\nurl = \"{url}\"\nauthorization_file = \"token\"");
    let home = home_with(&webhook)?;
    std::fs::write(home.path("token"), "Bearer of-the-tests\n")?;
    let (server, mut connection, keys) = open(home, None)?;
    let keys = keys.context("no keys")?;
    let enable = |url: &str| json!({"type": "webhook", "options": {"url": url}});
    connection.post("sys/audit/other", &enable("http://127.0.0.1:1/"))?.expect_status(400)?;
    connection.post("sys/audit/hook", &enable(url))?.expect_status(204)?;
    let listed = connection.get("sys/audit")?.expect_status(200)?;
    ensure!(listed.text("/data/hook~1/type")? == "webhook" && !listed.body.to_string().contains("of-the-tests"));
    requests(&mut connection, "taken", 30)?;
    receiver.until_taken(&last_of("taken", 30))?;

    receiver.takes.store(false, Ordering::SeqCst);
    requests(&mut connection, "refused", 600)?;
    let refused = || receiver.posted().into_iter().filter(|one| !one.taken).collect::<Vec<_>>();
    until("three refusals", || Ok(refused().len() >= 3))?;
    let again = refused();
    ensure!(again.windows(2).all(|pair| pair.first() == pair.last()), "a batch comes again as it was");
    let (server, mut connection, _) = open(server.kill()?, Some(&keys))?;
    requests(&mut connection, "killed", 30)?;
    until("refusals of the next server", || Ok(refused().len() >= again.len() + 2))?;
    receiver.takes.store(true, Ordering::SeqCst);
    let posted = receiver.until_taken(&last_of("killed", 30))?;

    let taken: Vec<&Posted> = posted.iter().filter(|one| one.taken).collect();
    for one in &posted {
        let count = one.records.len() as u64;
        ensure!(one.last + 1 - one.first == count && count <= 1_000, "{} to {}: {count}", one.first, one.last);
        ensure!(one.authorization == "Bearer of-the-tests", "the secret of the file");
    }
    // The receiver answered in order throughout, so that nothing that it took comes again.
    let follows = |pair: &[&Posted]| pair.first().map(|one| one.last + 1) == pair.last().map(|one| one.first);
    ensure!(taken.windows(2).all(follows), "each batch begins behind the one before");
    let records: Vec<String> = taken.iter().flat_map(|one| one.records.iter().cloned()).collect();
    check_whole(&records, &server.audit_file())?;
    ensure!(taken.len() * 10 < records.len(), "{} batches for {} records", taken.len(), records.len());
    until("the lag is gone", || Ok(lag(&mut connection, "webhook")? < 20.0))
}

#[test]
fn a_standard_output_that_nobody_reads_holds_up_neither_requests_nor_the_end() -> Result<()> {
    let server = Home::new()?.start_unread()?;
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 1, 1)?;
    unseal(&mut connection, &keys)?;
    connection.authorise(&keys.root_token);
    let options = json!({"type": "file", "options": {"file_path": "stdout"}});
    connection.post("sys/audit/out", &options)?.expect_status(204)?;
    requests(&mut connection, "unread", 300)?;
    ensure!(std::fs::metadata(server.audit_file())?.len() > 2 * PIPE_BYTES, "more than a pipe holds");
    ensure!(lag(&mut connection, "file")? > 0.0, "the pipe is full");
    server.signal("TERM")?;
    server.wait_home().map(drop)
}

/// Ends a server that it started.
struct Rsyslog(std::process::Child);

impl Rsyslog {
    /// Starts the system's rsyslogd as whoever runs the test, with nothing but these settings.
    fn start(folder: &Path) -> Result<Self> {
        let mut command = std::process::Command::new("rsyslogd");
        // Debian keeps it where only root looks for programs.
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        command.args(["-n", "-i", "NONE", "-f"]).arg(folder.join("rsyslog.conf"));
        let log = std::fs::File::create(folder.join("rsyslogd.log"))?;
        let child = command.stdin(std::process::Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self(child.context("rsyslogd is missing; see scripts/test")?))
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for, which is what is wanted.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn rsyslog_takes_the_records_and_those_of_the_time_it_was_down() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let authority = Authority::new()?;
    let certified = authority.certify("localhost")?;
    for (name, text) in [("ca.pem", &authority.pem), ("chain.pem", &certified.chain), ("key.pem", &certified.key)] {
        std::fs::write(file(name), text)?;
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let place = folder.path().display();
    let settings = format!(
        "global(workDirectory=\"{place}\" maxMessageSize=\"1m\" defaultNetstreamDriver=\"gtls\"\n\
         defaultNetstreamDriverCAFile=\"{place}/ca.pem\" defaultNetstreamDriverCertFile=\"{place}/chain.pem\"\n\
         defaultNetstreamDriverKeyFile=\"{place}/key.pem\" parser.escapeControlCharactersOnReceive=\"off\")\n\
         module(load=\"imtcp\" streamDriver.name=\"gtls\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         template(name=\"said\" type=\"string\" string=\"%app-name% %msgid% %syslogfacility-text% %msg%\\n\")\n\
         action(type=\"omfile\" file=\"{place}/records\" template=\"said\")\n"
    );
    std::fs::write(file("rsyslog.conf"), settings)?;
    let address = format!("localhost:{port}");
    let home = home_with(&format!("devices_addresses = [\"{address}\"]\ndevices_ca = \"collectors.pem\""))?;
    std::fs::write(home.path("collectors.pem"), &authority.pem)?;
    let (server, mut connection, _) = open(home, None)?;
    let records = || -> Result<Vec<String>> {
        let text = std::fs::read_to_string(file("records")).unwrap_or_default();
        let record = |line: &str| {
            let said = line.strip_prefix("keyturn audit local0 ").map(|said| said.trim_start_matches('\u{feff}'));
            said.map(str::to_owned).with_context(|| format!("what is {line}?"))
        };
        text.lines().filter(|line| line.starts_with("keyturn ")).map(record).collect()
    };
    let comes = |part: &str| until(part, || Ok(records()?.iter().any(|record| record.contains(part))));

    let rsyslog = Rsyslog::start(folder.path())?;
    let options = json!({"type": "syslog", "options": {"address": address, "facility": "local0"}});
    until("rsyslogd listens", || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
    connection.post("sys/audit/siem", &options)?.expect_status(204)?;
    requests(&mut connection, "up", 20)?;
    comes(&last_of("up", 20))?;
    drop(rsyslog);
    requests(&mut connection, "down", 20)?;
    let _rsyslog = Rsyslog::start(folder.path())?;
    requests(&mut connection, "again", 20)?;
    comes(&last_of("again", 20))?;
    check_whole(&records()?, &server.audit_file())
}
