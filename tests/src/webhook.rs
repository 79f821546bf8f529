//! A webhook of the tests' own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// Longest wait for something to be posted; it comes within seconds.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Longest body that is read; a notice has less than eight texts of 1,024 bytes.
const BODY_LENGTH_BYTES_MAX: u64 = 64 * 1024;

/// A webhook that takes nothing until it is told to.
pub struct Webhook {
    /// Where it listens.
    pub url: String,
    /// What was posted, taken or not.
    pub posted: Receiver<Value>,
    /// Whether it takes what is posted.
    pub takes: Arc<AtomicBool>,
}

impl Webhook {
    /// Starts it on a free port; it listens until the process ends.
    ///
    /// # Errors
    /// Fails when no port can be had.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let takes = Arc::new(AtomicBool::new(false));
        let (sender, posted) = mpsc::channel();
        let ready = Arc::clone(&takes);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A server that is killed breaks off; nobody receives once the test has ended.
                if let Ok(body) = answer(&stream, ready.load(Ordering::SeqCst)) {
                    let _ = sender.send(body);
                }
            }
        });
        Ok(Self { url, posted, takes })
    }

    /// Waits for what is posted next.
    ///
    /// # Errors
    /// Fails when nothing comes.
    pub fn next(&self) -> Result<Value> {
        self.posted.recv_timeout(WAIT_MAX).context("nothing is posted")
    }
}

fn answer(mut stream: &TcpStream, takes: bool) -> Result<Value> {
    stream.set_read_timeout(Some(WAIT_MAX))?;
    let mut reader = BufReader::new(stream.take(BODY_LENGTH_BYTES_MAX));
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 0 && !line.trim().is_empty() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
        line.clear();
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let status = if takes { "200 OK" } else { "503 Service Unavailable" };
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())?;
    Ok(serde_json::from_slice(&body)?)
}
