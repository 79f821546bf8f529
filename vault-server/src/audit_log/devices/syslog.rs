//! Copies the log to the system's logger (RFC 3164 over its local socket).

use std::time::Duration;

use rustix::io::Errno;
use tokio::net::UnixDatagram;

use super::outbox::Batch;
use super::socket::fitting;
use super::{Doing, Sink, in_time};

/// Where the system's logger listens.
const LOGGER: &str = "/dev/log";

/// The severity of a record: informational.
const SEVERITY: u8 = 6;

/// Longest wait for the logger to take one batch.
const WRITE_MAX: Duration = Duration::from_secs(10);

struct Logger {
    socket: UnixDatagram,
    head: String,
}

/// Opens the logger.
pub(super) fn open(facility: &str, tag: &str) -> Result<Box<dyn Sink>, String> {
    let socket = UnixDatagram::unbound().map_err(|error| error.to_string())?;
    socket.connect(LOGGER).map_err(|error| format!("{LOGGER}: {error}"))?;
    Ok(Box::new(Logger { socket, head: head(facility, tag) }))
}

/// Gives the priority of records from a facility (RFC 5424 section 6.2.1).
pub(super) fn priority(facility: &str) -> u8 {
    let facility = match facility {
        "USER" => 1,
        "DAEMON" => 3,
        "AUTHPRIV" => 10,
        "LOCAL0" => 16,
        "LOCAL1" => 17,
        "LOCAL7" => 23,
        _ => 4,
    };
    facility * 8 + SEVERITY
}

/// Gives what each message begins with: its priority and its tag.
fn head(facility: &str, tag: &str) -> String {
    let tag: String =
        tag.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | ':' | '[')).take(32).collect();
    format!("<{}>{tag}: ", priority(facility))
}

impl Logger {
    /// Sends one message; what the logger's socket cannot carry is cut, since it would keep all others waiting for ever.
    async fn send(&self, message: &[u8]) -> std::io::Result<()> {
        match self.socket.send(message).await {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {
                self.socket.send(fitting(message)).await.map(drop)
            }
            sent => sent.map(drop),
        }
    }
}

impl Sink for Logger {
    fn write<'a>(&'a mut self, batch: &'a Batch) -> Doing<'a> {
        Box::pin(in_time(WRITE_MAX, async {
            for line in batch.lines() {
                self.send(format!("{}{}{line}", self.head, batch.prefix()).as_bytes()).await?;
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_begins_with_its_priority() {
        assert_eq!(head("AUTH", "keyturn"), "<38>keyturn: ");
        assert_eq!(head("LOCAL7", "a<b>: c"), "<190>abc: ");
    }
}
