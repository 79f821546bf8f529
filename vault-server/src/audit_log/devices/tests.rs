use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use vault_core::audit::{DEVICES_MAX, Record};
use vault_core::id::RequestId;
use vault_core::question::MetricsFormat;
use vault_core::time::Timestamp;

use super::super::AuditLog;
use super::*;

/// Longest wait for something that comes.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A folder with a log in it.
struct Ground {
    folder: tempfile::TempDir,
    log: AuditLog,
}

impl Ground {
    fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap())
    }

    fn over(folder: tempfile::TempDir) -> Self {
        let log = AuditLog::open(&folder.path().join("audit.jsonl")).unwrap();
        Self { folder, log }
    }

    /// Opens the log anew, as a server does that starts again.
    fn again(self) -> Self {
        drop(self.log);
        Self::over(self.folder)
    }

    async fn append(&self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            let record = Record::of_housekeeping(&text, RequestId([0; 16]), Timestamp(0));
            tokio::time::timeout(WAIT_MAX, self.log.append_durable(record)).await.unwrap().unwrap();
        }
    }

    /// Makes a device as the engine does: it begins where the log ends now.
    fn device(&self, path: &str, target: Target) -> Device {
        let since = Some(*self.log.followers().shared.end.borrow());
        Device {
            path: path.to_owned(),
            description: String::new(),
            options: BTreeMap::new(),
            target,
            prefix: String::new(),
            since,
        }
    }

    fn follow(&self, devices: &[Device]) {
        let addresses = devices.iter().filter_map(|device| match &device.target {
            Target::Socket { address, .. } => Some(address.clone()),
            _ => None,
        });
        let directory = Some(self.folder.path().to_owned());
        let rules = DeviceRules { directory, addresses: addresses.collect(), ..DeviceRules::default() };
        self.log.followers().follow(devices, &rules);
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Waits until a file holds exactly this.
    async fn until(&self, name: &str, content: &str) {
        let began = std::time::Instant::now();
        while self.text(name) != content {
            let lines = self.text(name).lines().count();
            assert!(began.elapsed() < WAIT_MAX, "{name} has {lines} lines and not just\n{content}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Removes what is remembered of all devices.
    fn forget(&self) -> usize {
        let entries = self.folder.path().read_dir().unwrap().map(|entry| entry.unwrap());
        let places = entries.filter(|entry| entry.file_name().to_string_lossy().contains(".device-"));
        places.map(|entry| std::fs::remove_file(entry.path()).unwrap()).count()
    }
}

fn file(name: &str) -> Target {
    Target::File { path: name.to_owned() }
}

fn some(name: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{name}-{number}"))
}

fn numbers(lines: &[String]) -> Vec<u64> {
    let number = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64().unwrap();
    lines.iter().map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_each_record_once_across_pauses_and_restarts() {
    let ground = Ground::new();
    ground.append(some("before", 3)).await;
    let before = ground.text("audit.jsonl");
    let device = ground.device("a/", file("a.log"));
    ground.follow(std::slice::from_ref(&device));
    ground.append(some("first", 300)).await;
    ground.log.followers().stop_within(WAIT_MAX).await;
    ground.append(some("meanwhile", 300)).await;
    let ground = ground.again();
    ground.follow(std::slice::from_ref(&device));
    ground.append(some("last", 10)).await;
    ground.until("a.log", ground.text("audit.jsonl").strip_prefix(&before).unwrap()).await;

    // Whoever loses the place gives lines twice, and never those before the device was enabled.
    ground.log.followers().stop_within(WAIT_MAX).await;
    assert_eq!(ground.forget(), 1);
    let once = ground.text("a.log");
    let ground = ground.again();
    ground.follow(std::slice::from_ref(&device));
    ground.until("a.log", &format!("{once}{once}")).await;
    ground.log.followers().stop_within(WAIT_MAX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_an_older_program_goes_on_from_where_the_log_ended() {
    let ground = Ground::new();
    ground.append(some("before", 3)).await;
    let before = ground.text("audit.jsonl");
    let device = Device { since: None, ..ground.device("a/", file("a.log")) };
    ground.follow(std::slice::from_ref(&device));
    let began = std::time::Instant::now();
    while !ground
        .folder
        .path()
        .read_dir()
        .unwrap()
        .any(|e| e.unwrap().file_name().to_string_lossy().contains(".device-"))
    {
        assert!(began.elapsed() < WAIT_MAX);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ground.log.followers().stop_within(WAIT_MAX).await;
    ground.append(some("meanwhile", 3)).await;
    let ground = ground.again();
    ground.follow(std::slice::from_ref(&device));
    ground.until("a.log", ground.text("audit.jsonl").strip_prefix(&before).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_takes_nothing_holds_up_neither_the_log_nor_others() {
    let ground = Ground::new();
    let address = ground.folder.path().join("slow.sock").display().to_string();
    let listener = UnixListener::bind(&address).unwrap();
    let mut devices: Vec<Device> =
        (1..DEVICES_MAX).map(|number| ground.device(&format!("{number}/"), file(&format!("{number}.log")))).collect();
    devices.push(ground.device("slow/", Target::Socket { kind: "unix".to_owned(), address }));
    assert_eq!(devices.len(), DEVICES_MAX);
    ground.follow(&devices);
    let large = "x".repeat(10_000);
    ground.append(some(&large, 100)).await;
    let log = ground.text("audit.jsonl");
    for number in 1..DEVICES_MAX {
        ground.until(&format!("{number}.log"), &log).await;
    }
    let metrics = Metrics::new(Timestamp(0));
    ground.log.followers().measure(&metrics);
    let text = metrics.write(MetricsFormat::Prometheus, Timestamp(0)).unwrap();
    let lag = |sink: &str| {
        let series = format!("keyturn_audit_sink_lag_records{{sink=\"{sink}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse::<u64>().unwrap()
    };
    assert!(lag("socket") > 0 && lag("webhook") == 0, "{text}");

    // Disabled, it ends at once in the middle of what it writes.
    ground.follow(&[]);
    ground.append(some("later", 3)).await;
    let mut written = String::new();
    listener.accept().unwrap().0.read_to_string(&mut written).unwrap();
    assert!(log.starts_with(&written) && written.len() < log.len());
    for number in 1..DEVICES_MAX {
        assert_eq!(ground.text(&format!("{number}.log")), log);
    }
}

/// Reads lines until one has `part` in it.
fn read_until(reader: &mut impl BufRead, part: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.contains(part)) {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "{part} does not come");
        lines.push(line);
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_left_unread_comes_again_and_what_it_read_before_it_closed_does_not() {
    let ground = Ground::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    ground.follow(&[ground.device("a/", Target::Socket { kind: "tcp".to_owned(), address })]);
    ground.append(some("first", 20)).await;
    // With a small buffer, so that it cannot read all by chance.
    let mut reader = BufReader::with_capacity(64, listener.accept().unwrap().0);
    read_until(&mut reader, "first-3");
    while reader.get_ref().peek(&mut [0]).unwrap() == 0 {}
    drop(reader);
    ground.append(some("second", 20)).await;
    let mut reader = BufReader::new(listener.accept().unwrap().0);
    assert!(numbers(&read_until(&mut reader, "second-19\"")).into_iter().eq(0..40), "all comes again in order");

    // All that came was read: closing is in order now.
    drop(reader);
    ground.append(some("third", 20)).await;
    let mut reader = BufReader::new(listener.accept().unwrap().0);
    let lines = numbers(&read_until(&mut reader, "third-19\""));
    assert!(lines.iter().copied().eq(40..60), "{lines:?}");
    // Otherwise the end of the connection would be waited for.
    drop(reader);
    ground.log.followers().stop_within(WAIT_MAX).await;
}
