//! Accepts connections, within bounds, and serves the application on them.
//!
//! Beyond the bound on connections nothing is accepted: newcomers wait in the backlog of the operating system, which
//! costs no memory here, until an old connection ends. Connections that say nothing are cut off, so they always do.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::http::PeerCertificates;
use crate::tls::client;

/// How long to wait after a failed accept, such as for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Most bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Most header fields of a request.
const HEADER_FIELDS_MAX: usize = 64;

/// Most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;

/// Most streams that a peer may reset before they are answered; more are an attack (CVE-2023-44487).
const RESETS_MAX: usize = 32;

/// Bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections at once.
    pub connections_max: usize,
    /// Longest time for a handshake, and for the head of the next request on an HTTP/1.1 connection.
    pub head: Duration,
    /// How often a silent HTTP/2 peer is asked whether it is still there.
    pub idle: Duration,
}

/// Serves until it is told to stop.
pub struct Listener {
    limits: Limits,
    app: Router,
    tls: Option<TlsAcceptor>,
    places: Arc<Semaphore>,
    /// Counts the times that all connections were to be closed.
    close: watch::Sender<u64>,
}

impl Listener {
    /// Prepares a listener; without TLS it serves plain HTTP.
    /// Each change of `close` closes the connections that are open then.
    pub fn new(
        app: Router,
        tls: Option<Arc<rustls::ServerConfig>>,
        limits: Limits,
        close: watch::Sender<u64>,
    ) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(limits.connections_max));
        Arc::new(Self { limits, app, tls: tls.map(TlsAcceptor::from), places, close })
    }

    /// Accepts connections for as long as it is polled.
    pub async fn serve(self: &Arc<Self>, tcp: TcpListener) -> Infallible {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                // The semaphore is never closed.
                std::future::pending::<()>().await;
                continue;
            };
            match tcp.accept().await {
                Ok((stream, remote)) => drop(tokio::spawn(Arc::clone(self).connection(stream, remote, place))),
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Lets every open connection finish what it is answering and then closes it: their buffers hold copies of what
    /// passed. New connections are accepted as before.
    pub fn close_all(&self) {
        self.close.send_modify(|times| *times += 1);
    }

    /// Closes all connections and waits for them to end, at most `longest`. Tells whether all did.
    pub async fn drain(&self, longest: Duration) -> bool {
        self.close_all();
        let all = u32::try_from(self.limits.connections_max).unwrap_or(u32::MAX);
        tokio::time::timeout(longest, self.places.acquire_many(all)).await.is_ok()
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, remote: SocketAddr, _place: OwnedSemaphorePermit) {
        let close = self.close.subscribe();
        // Without it small answers wait for the peer's acknowledgement; that it cannot be set is no reason to refuse.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.http1(stream, Peer { remote, certificates: None }, close).await;
        };
        let Ok(Ok(stream)) = tokio::time::timeout(self.limits.head, tls.accept(stream)).await else {
            return tracing::debug!(%remote, "the TLS handshake failed");
        };
        let peer = Peer { remote, certificates: client::shown(stream.get_ref().1) };
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.http2(stream, peer, close).await;
        } else {
            self.http1(stream, peer, close).await;
        }
    }

    async fn http1<S>(&self, stream: S, peer: Peer, mut close: watch::Receiver<u64>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let remote = peer.remote;
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(self.limits.head);
        builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADER_FIELDS_MAX);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service(self.app.clone(), peer)));
        tokio::select! {
            ended = connection.as_mut() => return ended_with(remote, ended),
            _ = close.changed() => connection.as_mut().graceful_shutdown(),
        }
        ended_with(remote, connection.await);
    }

    async fn http2<S>(&self, stream: S, peer: Peer, mut close: watch::Receiver<u64>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let remote = peer.remote;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(self.limits.idle).keep_alive_timeout(self.limits.head);
        builder.max_concurrent_streams(STREAMS_MAX).max_pending_accept_reset_streams(RESETS_MAX);
        builder.max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service(self.app.clone(), peer)));
        tokio::select! {
            ended = connection.as_mut() => return ended_with(remote, ended),
            _ = close.changed() => connection.as_mut().graceful_shutdown(),
        }
        ended_with(remote, connection.await);
    }
}

/// The other end of a connection.
struct Peer {
    remote: SocketAddr,
    /// What it showed in the handshake, shared by all its requests.
    certificates: Option<PeerCertificates>,
}

/// Hands each request to the application, with what is known of the other end.
fn service(
    app: Router,
    peer: Peer,
) -> impl hyper::service::Service<
    http::Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future = impl Future<Output = Result<axum::response::Response, Infallible>> + Send + 'static,
> + 'static {
    hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer.remote));
        if let Some(certificates) = &peer.certificates {
            request.extensions_mut().insert(certificates.clone());
        }
        app.clone().call(request)
    })
}

fn ended_with(remote: SocketAddr, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%remote, "the connection ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    struct Fixture {
        address: SocketAddr,
        listener: Arc<Listener>,
        release: Arc<Notify>,
        entered: Arc<Notify>,
        serving: tokio::task::JoinHandle<Infallible>,
    }

    async fn started(connections_max: usize, head: Duration) -> Fixture {
        let (release, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (own_release, own_entered) = (Arc::clone(&release), Arc::clone(&entered));
        let slow = move || {
            let (release, entered) = (Arc::clone(&own_release), Arc::clone(&own_entered));
            async move {
                entered.notify_one();
                release.notified().await;
                "slow"
            }
        };
        let served = Arc::new(AtomicUsize::new(0));
        let fast = move || {
            let served = Arc::clone(&served);
            async move { format!("request {}", served.fetch_add(1, Ordering::SeqCst)) }
        };
        let app = Router::new().route("/fast", get(fast)).route("/slow", get(slow));
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let limits = Limits { connections_max, head, idle: head };
        let listener = Listener::new(app, None, limits, watch::channel(0).0);
        let own = Arc::clone(&listener);
        let serving = tokio::spawn(async move { own.serve(tcp).await });
        Fixture { address, listener, release, entered, serving }
    }

    async fn ask(stream: &mut TcpStream, path: &str) {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    }

    /// Reads until `part` has come; `None` if the connection ends before.
    async fn read_until(stream: &mut TcpStream, part: &str) -> Option<String> {
        let mut text = String::new();
        let mut buffer = [0; 1024];
        while !text.contains(part) {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => text.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
            }
        }
        Some(text)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_kept_alive_connection_serves_many_requests() {
        let fixture = started(10, LONG).await;
        let mut stream = TcpStream::connect(fixture.address).await.unwrap();
        for number in 0..3 {
            ask(&mut stream, "/fast").await;
            assert!(read_until(&mut stream, &format!("request {number}")).await.is_some());
        }
    }

    #[tokio::test]
    async fn closing_all_lets_a_running_request_finish_and_new_ones_in() {
        let fixture = started(10, LONG).await;
        let mut busy = TcpStream::connect(fixture.address).await.unwrap();
        let mut idle = TcpStream::connect(fixture.address).await.unwrap();
        ask(&mut idle, "/fast").await;
        read_until(&mut idle, "request").await.unwrap();
        ask(&mut busy, "/slow").await;
        fixture.entered.notified().await;
        fixture.listener.close_all();
        assert_eq!(read_until(&mut idle, "never").await, None, "an idle connection is closed");
        fixture.release.notify_one();
        let answer = read_until(&mut busy, "slow").await.unwrap();
        assert!(answer.contains("connection: close"), "{answer}");
        let mut fresh = TcpStream::connect(fixture.address).await.unwrap();
        ask(&mut fresh, "/fast").await;
        assert!(read_until(&mut fresh, "request").await.is_some());
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_is_cut_off_and_gives_its_place_up() {
        let fixture = started(2, Duration::from_millis(200)).await;
        let mut silent = TcpStream::connect(fixture.address).await.unwrap();
        let mut half = TcpStream::connect(fixture.address).await.unwrap();
        half.write_all(b"GET /fa").await.unwrap();
        let mut third = TcpStream::connect(fixture.address).await.unwrap();
        ask(&mut third, "/fast").await;
        assert!(read_until(&mut third, "request").await.is_some(), "it is served once a place is free");
        assert_eq!(read_until(&mut silent, "never").await, None);
        assert_eq!(read_until(&mut half, "never").await, None);
    }

    #[tokio::test]
    async fn draining_waits_for_running_requests_and_no_longer_than_allowed() {
        let fixture = started(10, LONG).await;
        let mut busy = TcpStream::connect(fixture.address).await.unwrap();
        ask(&mut busy, "/slow").await;
        fixture.entered.notified().await;
        fixture.serving.abort();
        assert!(!fixture.listener.drain(Duration::from_millis(50)).await);
        fixture.release.notify_one();
        assert!(fixture.listener.drain(LONG).await);
        assert!(read_until(&mut busy, "slow").await.is_some());
    }
}
