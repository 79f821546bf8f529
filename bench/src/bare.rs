//! The measure of all figures: axum and rustls with nothing behind them.
//!
//! It has the same versions, TLS settings and runtime as the server, reads the request's body, and answers with as
//! many bytes as the path asks for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Path as RequestPath;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Most bytes that a path may ask for.
const ANSWER_LENGTH_BYTES_MAX: usize = 1024 * 1024;

/// Longest wait before the next attempt after `accept` failed, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until standard input closes: the bench that started this has ended then.
pub(crate) async fn serve(port: u16, certificate_file: &Path) -> Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(tls(certificate_file)?));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let router = Router::new().route("/v1/{length_bytes}", axum::routing::any(answer));
    println!("bare: listening on https://{}", listener.local_addr()?);
    let (ended, mut has_ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An error means the same as the end: nobody is there any more.
        let _ended = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ended = ended.send(());
    });
    loop {
        tokio::select! {
            _ = &mut has_ended => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => drop(tokio::spawn(connection(acceptor.clone(), socket, router.clone()))),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn answer(RequestPath(length_bytes): RequestPath<usize>, _body: Bytes) -> impl IntoResponse {
    let body = vec![b'x'; length_bytes.min(ANSWER_LENGTH_BYTES_MAX)];
    ([(CONTENT_TYPE, "application/json")], body)
}

async fn connection(acceptor: TlsAcceptor, socket: TcpStream, router: Router) {
    // A connection that breaks ends here; the load generator notices its own side of it.
    let _no_delay = socket.set_nodelay(true);
    if let Ok(stream) = acceptor.accept(socket).await {
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let _ended = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
    }
}

fn tls(certificate_file: &Path) -> Result<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    std::fs::write(certificate_file, made.cert.pem())
        .with_context(|| format!("{} cannot be written", certificate_file.display()))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    let mut config = builder.with_single_cert(vec![made.cert.into()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
