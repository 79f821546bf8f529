//! Copies the log to a socket whose address the settings list.

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{DeviceRules, Sink};

/// Longest wait for a connection, and for the other end to take lines.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Longest line that one datagram carries.
const DATAGRAM_BYTES_MAX: usize = 60_000;

struct Stream<S: Write + Send>(S);

struct Datagrams(UdpSocket);

/// Opens a socket of kind `tcp`, `udp` or `unix`.
pub(super) fn open(kind: &str, address: &str, rules: &DeviceRules) -> Result<Box<dyn Sink>, String> {
    if !rules.addresses.iter().any(|allowed| allowed == address) {
        return Err("the address is not among devices_addresses under [audit]".to_owned());
    }
    let failed = |error: std::io::Error| error.to_string();
    match kind {
        "unix" => {
            let stream = UnixStream::connect(address).map_err(failed)?;
            stream.set_write_timeout(Some(WAIT_MAX)).map_err(failed)?;
            Ok(Box::new(Stream(stream)))
        }
        "udp" => {
            let there = address.to_socket_addrs().map_err(failed)?.next().ok_or("the address has no host")?;
            let here = if there.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(here).map_err(failed)?;
            socket.connect(there).map_err(failed)?;
            Ok(Box::new(Datagrams(socket)))
        }
        _ => {
            let there = address.to_socket_addrs().map_err(failed)?.next().ok_or("the address has no host")?;
            let stream = TcpStream::connect_timeout(&there, WAIT_MAX).map_err(failed)?;
            stream.set_write_timeout(Some(WAIT_MAX)).map_err(failed)?;
            Ok(Box::new(Stream(stream)))
        }
    }
}

impl<S: Write + Send> Sink for Stream<S> {
    fn write(&mut self, lines: &str) -> std::io::Result<()> {
        self.0.write_all(lines.as_bytes())
    }
}

impl Sink for Datagrams {
    fn write(&mut self, lines: &str) -> std::io::Result<()> {
        for line in lines.lines() {
            // A line that fits no datagram is cut, which its missing end shows.
            self.0.send(line.as_bytes().get(..DATAGRAM_BYTES_MAX).unwrap_or(line.as_bytes()))?;
        }
        Ok(())
    }
}
