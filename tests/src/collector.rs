//! A collector of syslog by TLS (RFC 5424 and RFC 5425) that shares no code with the server, and what it is sent checked
//! against the log.

use std::io::{BufRead, BufReader, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Longest frame that is taken.
const FRAME_BYTES_MAX: u64 = 64 << 20;

/// Longest wait for a record; the longest pause after a failure is thirty seconds.
pub const RECORD_WAIT_MAX: Duration = Duration::from_secs(90);

/// An authority for certificates of collectors.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
    der: CertificateDer<'static>,
}

/// A certificate chain and a key in PEM.
pub struct Certified {
    /// The chain.
    pub chain: String,
    /// The key.
    pub key: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// Draws a key.
    ///
    /// # Errors
    /// Fails when no key can be drawn.
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "collectors");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let own = params.self_signed(&key)?;
        Ok(Self { pem: own.pem(), der: own.der().clone(), issuer: Issuer::new(params, key) })
    }

    /// Certifies a server of this name, or a client.
    ///
    /// # Errors
    /// Fails when the name is none.
    pub fn certify(&self, name: &str) -> Result<Certified> {
        self.certify_for(name, false)
    }

    /// Certifies a server that talks only to clients with a certificate by the same authority.
    ///
    /// # Errors
    /// Fails when the name is none.
    pub fn certify_demanding(&self, name: &str) -> Result<Certified> {
        self.certify_for(name, true)
    }

    fn certify_for(&self, name: &str, demands: bool) -> Result<Certified> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let (chain, pem) = (certificate.pem(), key.serialize_pem());
        let der = PrivateKeyDer::try_from(key.serialize_der()).ok().context("a key in DER")?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = if demands {
            let mut roots = RootCertStore::empty();
            roots.add(self.der.clone())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(vec![certificate.der().clone()], der)?;
        Ok(Certified { chain, key: pem, config: Arc::new(config) })
    }
}

/// What has come, over all times that a collector was up.
#[derive(Default)]
pub struct Received {
    content: Mutex<Content>,
    grown: Condvar,
}

#[derive(Default)]
struct Content {
    records: Vec<String>,
    faults: Vec<String>,
}

impl Received {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes records, or what was wrong with them.
    pub fn take(&self, records: Result<Vec<String>>) {
        let mut content = self.lock();
        match records {
            Ok(records) => content.records.extend(records),
            Err(error) => content.faults.push(format!("{error:#}")),
        }
        self.grown.notify_all();
    }

    /// Waits until a record with `part` in it has come, and gives all.
    ///
    /// # Errors
    /// Fails when it does not come, or something came that is none.
    pub fn until(&self, part: &str) -> Result<Vec<String>> {
        let began = Instant::now();
        let mut content = self.lock();
        while !content.records.iter().any(|record| record.contains(part)) {
            ensure!(content.faults.is_empty(), "{:?}", content.faults);
            let left = RECORD_WAIT_MAX.saturating_sub(began.elapsed());
            ensure!(!left.is_zero(), "{part} does not come; there are {} records", content.records.len());
            content = self.grown.wait_timeout(content, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        ensure!(content.faults.is_empty(), "{:?}", content.faults);
        Ok(content.records.clone())
    }

    /// Tells how many records have come.
    pub fn count(&self) -> usize {
        self.lock().records.len()
    }
}

/// A collector that is up.
pub struct Collector {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    thread: JoinHandle<()>,
}

impl Collector {
    /// Listens on a port of the loopback, 0 for any.
    ///
    /// # Errors
    /// Fails when the port cannot be had.
    pub fn start(port: u16, certified: &Certified, received: &Arc<Received>) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let (stopping, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stop, kept) = (Arc::clone(&stopping), Arc::clone(&connections));
        let (config, received) = (Arc::clone(&certified.config), Arc::clone(received));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(stream.try_clone());
                let (config, received) = (Arc::clone(&config), Arc::clone(&received));
                std::thread::spawn(move || collect(stream, config, &received));
            }
        });
        Ok(Self { address, stopping, connections, thread })
    }

    /// Gives the port.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Gives the address as options take it, by the name that certificates are for.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port())
    }

    /// Breaks all connections off and listens no more.
    ///
    /// # Errors
    /// Fails when its thread has panicked.
    pub fn stop(self) -> Result<()> {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread; it does not matter whether this one is accepted.
        let _ = TcpStream::connect(self.address);
        if self.thread.join().is_err() {
            bail!("the collector has panicked");
        }
        for connection in self.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // One that has ended cannot be broken off.
            let _ = connection.shutdown(Shutdown::Both);
        }
        Ok(())
    }
}

/// Takes frames until the connection ends; a frame that it cuts short is none.
fn collect(stream: TcpStream, config: Arc<ServerConfig>, received: &Received) {
    let Ok(session) = ServerConnection::new(config) else { return };
    let mut reader = BufReader::new(StreamOwned::new(session, stream));
    loop {
        let mut length = Vec::new();
        if (&mut reader).take(20).read_until(b' ', &mut length).is_err() || length.last() != Some(&b' ') {
            return;
        }
        let frame = length_of(&length).map(|length| {
            let mut frame = Vec::new();
            let read = (&mut reader).take(length).read_to_end(&mut frame);
            read.is_ok_and(|read| read as u64 == length).then_some(frame)
        });
        match frame {
            Ok(None) => return,
            Ok(Some(frame)) => received.take(message(&frame).map(|record| vec![record])),
            Err(error) => return received.take(Err(error)),
        }
    }
}

/// Reads `MSG-LEN` (RFC 5425 section 4.3.1), which has no zero in front.
fn length_of(digits: &[u8]) -> Result<u64> {
    let text = std::str::from_utf8(digits)?.trim_end_matches(' ');
    ensure!(!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()), "length {text:?}");
    let length = text.parse()?;
    ensure!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
    Ok(length)
}

/// Reads one message (RFC 5424 section 6) and gives what it says.
fn message(frame: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(frame)?;
    let rest = text.strip_prefix('<').context("no priority")?;
    let (priority, rest) = rest.split_once(">1 ").context("no version 1")?;
    ensure!(priority.parse::<u8>()? < 192, "priority {priority}");
    let fields: Vec<&str> = rest.splitn(7, ' ').collect();
    let [time, host, application, process, kind, data, said] = fields.as_slice() else { bail!("fields: {rest}") };
    let (day, clock) = time.split_once('T').context("no time")?;
    ensure!(day.len() == 10 && clock.len() == 16 && clock.ends_with('Z'), "time {time}");
    ensure!(!host.is_empty() && *application == "keyturn" && *kind == "audit" && *data == "-", "{fields:?}");
    process.parse::<u32>()?;
    Ok(said.strip_prefix('\u{feff}').context("no byte order mark")?.to_owned())
}

/// Checks that from the first on every record came, in order and to the letter. Some may have come again from an earlier one on.
///
/// # Errors
/// Names what is missing or altered.
pub fn check_whole(received: &[String], log: &Path) -> Result<()> {
    let log = std::fs::read_to_string(log)?;
    let log: Vec<&str> = log.lines().collect();
    let mut next: Option<usize> = None;
    for record in received {
        let number: serde_json::Value = serde_json::from_str(record).with_context(|| format!("no record: {record}"))?;
        let number = number.get("number").and_then(serde_json::Value::as_u64).context("no number")?;
        let number = usize::try_from(number)?;
        ensure!(log.get(number) == Some(&record.as_str()), "record {number} is not the one of the log");
        ensure!(next.is_none_or(|next| number <= next), "{next:?} is missing before {number}");
        next = Some(next.unwrap_or_default().max(number + 1));
    }
    ensure!(next.is_some(), "nothing came");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collector_takes_no_message_that_is_none() {
        let good = "<38>1 2027-01-15T08:00:00.123456Z host keyturn 7 audit - \u{feff}{}";
        assert_eq!(message(good.as_bytes()).unwrap(), "{}");
        for (part, other) in [
            ("<38>", "<999>"),
            (">1 ", ">2 "),
            (".123456Z", "Z"),
            ("keyturn", "other"),
            (" 7 ", " x "),
            (" audit ", " "),
            ("\u{feff}", ""),
        ] {
            assert!(message(good.replacen(part, other, 1).as_bytes()).is_err(), "{part}");
        }
        assert!(length_of(b"012 ").is_err() && length_of(b"x ").is_err() && length_of(b" ").is_err());
        assert_eq!(length_of(b"12 ").unwrap(), 12);
    }
}
