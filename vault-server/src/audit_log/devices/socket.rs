//! Copies the log to a socket whose address the settings list.

use std::time::Duration;

use tokio::net::{UdpSocket, UnixStream};

use super::outbox::Batch;
use super::stream::{self, CONNECT_MAX, Stream};
use super::{DeviceRules, Doing, Sink, in_time};

/// Longest line that one datagram carries.
const DATAGRAM_BYTES_MAX: usize = 60_000;

/// How long after a datagram the other machine's refusal of it is waited for.
const REFUSAL_WAIT: Duration = Duration::from_secs(1);

/// Longest wait for the network to take one batch.
const WRITE_MAX: Duration = Duration::from_secs(10);

struct Datagrams(UdpSocket);

/// Opens a socket of kind `tcp`, `udp` or `unix`.
pub(super) async fn open(kind: &str, address: &str, rules: &DeviceRules) -> Result<Box<dyn Sink>, String> {
    stream::allowed(address, rules)?;
    match kind {
        "unix" => {
            let connection = in_time(CONNECT_MAX, UnixStream::connect(address)).await?;
            Ok(Box::new(Stream::new(connection, lines)))
        }
        "udp" => {
            let there = in_time(CONNECT_MAX, tokio::net::lookup_host(address)).await?.next();
            let there = there.ok_or("the address has no host")?;
            let here = if there.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = in_time(CONNECT_MAX, UdpSocket::bind(here)).await?;
            in_time(CONNECT_MAX, socket.connect(there)).await?;
            Ok(Box::new(Datagrams(socket)))
        }
        _ => Ok(Box::new(Stream::new(stream::connect(address).await?, lines))),
    }
}

fn lines(batch: &Batch) -> Vec<u8> {
    batch.text().into_owned().into_bytes()
}

/// Cuts a line that fits no datagram, which its missing end shows.
pub(super) fn fitting(line: &[u8]) -> &[u8] {
    line.get(..DATAGRAM_BYTES_MAX).unwrap_or(line)
}

impl Sink for Datagrams {
    fn write<'a>(&'a mut self, batch: &'a Batch) -> Doing<'a> {
        Box::pin(in_time(WRITE_MAX, async {
            for line in batch.text().lines() {
                self.0.send(fitting(line.as_bytes())).await?;
            }
            Ok(())
        }))
    }

    fn settles_after(&self) -> Duration {
        REFUSAL_WAIT
    }

    fn settle(&mut self) -> Doing<'_> {
        let refused = self.0.take_error();
        Box::pin(async { refused.and_then(|error| error.map_or(Ok(()), Err)).map_err(|error| error.to_string()) })
    }
}
