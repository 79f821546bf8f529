//! Connections that lines are written to and whose other end says nothing of what it has read.
//!
//! What the other end's kernel has taken it may never read. So lines count as arrived only some time after they were
//! written, if the connection has shown no trouble by then ([`SETTLE`]); when it breaks, those since are sent again. An end
//! in order is no trouble: whoever closes a connection without having read what has come sends a reset in its place.

use std::future::poll_fn;
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::outbox::Batch;
use super::{DeviceRules, Doing, Sink, Standing, in_time};

/// Longest wait for a connection and its handshake.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Longest wait for the other end to take one batch.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// After how long without trouble lines have arrived. Longer than [`UNACKNOWLEDGED_MAX`].
const SETTLE: Duration = Duration::from_secs(5);

/// How long the other end's kernel may leave bytes unacknowledged until the connection breaks (RFC 5482).
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(3);

/// Most bytes of what the other end says that are read while waiting for it to close.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// A connection.
pub(super) trait Connection: AsyncRead + AsyncWrite + Unpin + Send {
    /// Takes what the kernel has noted of trouble.
    fn take_trouble(&self) -> std::io::Result<Option<Error>>;
}

impl Connection for TcpStream {
    fn take_trouble(&self) -> std::io::Result<Option<Error>> {
        self.take_error()
    }
}

impl Connection for UnixStream {
    fn take_trouble(&self) -> std::io::Result<Option<Error>> {
        self.take_error()
    }
}

impl Connection for TlsStream<TcpStream> {
    fn take_trouble(&self) -> std::io::Result<Option<Error>> {
        self.get_ref().0.take_error()
    }
}

/// Writes to a connection what `frame` makes of a batch.
pub(super) struct Stream<C, F> {
    connection: C,
    frame: F,
}

impl<C: Connection, F: Fn(&Batch) -> Vec<u8> + Send> Stream<C, F> {
    /// Writes to a connection from now on.
    pub(super) const fn new(connection: C, frame: F) -> Self {
        Self { connection, frame }
    }

    /// Looks at the connection without waiting.
    async fn look(&mut self) -> Result<Standing, String> {
        let connection = &mut self.connection;
        let seen = poll_fn(|context| {
            let mut bytes = [0; 512];
            let mut answer = ReadBuf::new(&mut bytes);
            Poll::Ready(match Pin::new(&mut *connection).poll_read(context, &mut answer) {
                // Nobody asks the other end anything, so that what it says is of no interest.
                Poll::Ready(Ok(())) if answer.filled().is_empty() => Ok(Standing::Ended),
                Poll::Ready(Ok(())) | Poll::Pending => Ok(Standing::Open),
                Poll::Ready(Err(error)) => Err(error),
            })
        });
        let standing = seen.await.map_err(|error| broken(&error))?;
        match self.connection.take_trouble() {
            Ok(None) => Ok(standing),
            Ok(Some(error)) | Err(error) => Err(broken(&error)),
        }
    }
}

fn broken(error: &Error) -> String {
    format!("the connection broke: {error}")
}

impl<C: Connection, F: Fn(&Batch) -> Vec<u8> + Send> Sink for Stream<C, F> {
    fn write<'a>(&'a mut self, batch: &'a Batch) -> Doing<'a> {
        let bytes = (self.frame)(batch);
        Box::pin(in_time(WRITE_MAX, async move {
            self.connection.write_all(&bytes).await?;
            self.connection.flush().await
        }))
    }

    fn settles_after(&self) -> Duration {
        SETTLE
    }

    fn standing(&mut self) -> Doing<'_, Standing> {
        Box::pin(self.look())
    }

    fn settle(&mut self) -> Doing<'_> {
        Box::pin(async { self.look().await.map(drop) })
    }

    /// Closes this side and waits for the other one to close: it has read everything then.
    fn finish(&mut self) -> Doing<'_> {
        Box::pin(async {
            self.connection.shutdown().await.map_err(|error| broken(&error))?;
            let mut answer = Vec::new();
            let read = (&mut self.connection).take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
            read.map_err(|error| broken(&error))?;
            self.look().await.map(drop)
        })
    }
}

/// Connects to an address that the settings list.
///
/// # Errors
/// Answers with the reason.
pub(super) async fn connect(address: &str) -> Result<TcpStream, String> {
    let stream = in_time(CONNECT_MAX, TcpStream::connect(address)).await?;
    let milliseconds = u32::try_from(UNACKNOWLEDGED_MAX.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(&stream, milliseconds)
        .map_err(|error| Error::from(error).to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

/// Checks that the settings list an address.
///
/// # Errors
/// Answers with the reason.
pub(super) fn allowed(address: &str, rules: &DeviceRules) -> Result<(), String> {
    if rules.addresses.iter().any(|allowed| allowed == address) {
        return Ok(());
    }
    Err("the address is not among devices_addresses under [audit]".to_owned())
}

/// Says why a batch that takes too long was not written.
pub(super) fn too_slow() -> Error {
    Error::new(ErrorKind::TimedOut, "the other end takes too long")
}
