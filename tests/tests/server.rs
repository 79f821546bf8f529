//! The server process: signals, connections that misbehave, certificates.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tests::https::Connection;
use tests::server::{Home, Server};
use tests::vault::{initialise, unseal};

/// Connections that say nothing; fewer than the server's bound, more than most servers like.
const HALF_OPEN: usize = 1_000;

#[test]
fn a_thousand_half_open_connections_do_not_stop_service() -> Result<()> {
    let server = Server::start()?;
    let silent: Vec<TcpStream> =
        (0..HALF_OPEN).map(|_| TcpStream::connect(server.address())).collect::<std::io::Result<_>>()?;
    server.connect()?.get("sys/health")?.expect_status(501)?;
    drop(silent);
    Ok(())
}

#[test]
fn plain_http_and_rubbish_on_the_tls_port_do_no_harm() -> Result<()> {
    let server = Server::start()?;
    for sent in [b"GET /v1/sys/health HTTP/1.1\r\nhost: x\r\n\r\n".as_slice(), &[0xff; 4096], b"\x16\x03\x01\xff\xff"] {
        let mut stream = TcpStream::connect(server.address())?;
        stream.write_all(sent)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = Vec::new();
        // The server may reset the connection; that is an answer too.
        let _ = stream.read_to_end(&mut answer);
        ensure!(!answer.starts_with(b"HTTP/"), "plain HTTP was answered");
    }
    server.connect()?.get("sys/health")?.expect_status(501)?;
    Ok(())
}

#[test]
fn a_client_that_trusts_another_authority_does_not_connect() -> Result<()> {
    let (server, other) = (Server::start()?, Server::start()?);
    let refused = Connection::open(server.address(), &other.authority_file()).and_then(|mut c| c.get("sys/health"));
    ensure!(refused.is_err(), "the certificate of another server was believed");
    Ok(())
}

#[test]
fn hangup_loads_the_certificate_again_without_dropping_a_connection() -> Result<()> {
    let server = Server::start()?;
    let mut old = server.connect()?;
    old.get("sys/health")?.expect_status(501)?;
    let before = std::fs::read(server.authority_file())?;
    let fresh = Server::start()?;
    for file in ["ca.pem", "server.pem", "server.key"] {
        std::fs::copy(fresh.home().path("tls").join(file), server.home().path("tls").join(file))?;
    }
    ensure!(std::fs::read(server.authority_file())? != before, "the certificates are the same");
    server.signal("HUP")?;
    let log = server.home().path("server.log");
    for _ in 0..600 {
        if std::fs::read_to_string(&log)?.contains("loaded again") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    old.get("sys/health")?.expect_status(501)?;
    server
        .connect()
        .and_then(|mut fresh| fresh.get("sys/health"))
        .context("with the new certificate")?
        .expect_status(501)?;
    Ok(())
}

#[test]
fn a_terminated_server_ends_well_and_starts_sealed_with_everything() -> Result<()> {
    let home = Home::new()?;
    let server = home.start()?;
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 1, 1)?;
    unseal(&mut connection, &keys)?;
    connection.authorise(&keys.root_token);
    connection.post("cubbyhole/x", &json!({"a": "b"}))?.expect_status(204)?;
    server.signal("TERM")?;
    ensure!(server.wait()?, "the server did not end well");
    Ok(())
}

#[test]
fn sealing_closes_connections_after_the_answer() -> Result<()> {
    let server = Server::start()?;
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 1, 1)?;
    unseal(&mut connection, &keys)?;
    let mut idle = server.connect()?;
    idle.get("sys/health")?.expect_status(200)?;
    connection.authorise(&keys.root_token);
    connection.post("sys/seal", &json!({}))?.expect_status(204)?;
    // The listener closes connections as soon as it hears of the sealing; an old one answers at most a little longer.
    let closed = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        idle.get("sys/health").is_err()
    });
    ensure!(closed, "an idle connection lives on after sealing");
    server.connect()?.get("sys/health")?.expect_status(503)?;
    Ok(())
}
