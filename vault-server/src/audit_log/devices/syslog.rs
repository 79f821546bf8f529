//! Copies the log to the system's logger (RFC 3164 over its local socket).

use std::os::unix::net::UnixDatagram;

use super::Sink;

/// Where the system's logger listens.
const LOGGER: &str = "/dev/log";

/// The severity of a record: informational.
const SEVERITY: u8 = 6;

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

/// Gives what each message begins with: its priority and its tag.
fn head(facility: &str, tag: &str) -> String {
    let facility = match facility {
        "USER" => 1,
        "DAEMON" => 3,
        "AUTHPRIV" => 10,
        "LOCAL0" => 16,
        "LOCAL1" => 17,
        "LOCAL7" => 23,
        _ => 4,
    };
    let tag: String =
        tag.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | ':' | '[')).take(32).collect();
    format!("<{}>{tag}: ", facility * 8 + SEVERITY)
}

impl Sink for Logger {
    fn write(&mut self, lines: &str) -> std::io::Result<()> {
        lines.lines().try_for_each(|line| self.socket.send(format!("{}{line}", self.head).as_bytes()).map(drop))
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
