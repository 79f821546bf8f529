//! Questions to servers of the tests' own on the loopback.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vault_core::secret::SecretText;

use super::*;

/// Serves `answer` to every connection; gives the port and a count of the requests.
async fn serve(answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            respond(&mut stream, &answer).await;
        }
    });
    (port, count)
}

async fn respond(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn get(url: String, age_seconds_max: u64) -> HttpQuestion {
    HttpQuestion { url, authorities: String::new(), authorization: None, body: None, age_seconds_max }
}

fn status_and_body(answer: Answer) -> (u16, Vec<u8>) {
    match answer {
        Answer::Http { status, body } => (status, body.expose().to_vec()),
        Answer::Failed(reason) => panic!("{reason}"),
        _ => panic!("something else"),
    }
}

fn reason(answer: Answer) -> String {
    match answer {
        Answer::Failed(reason) => reason,
        _ => panic!("there is an answer"),
    }
}

#[tokio::test]
async fn a_young_answer_is_kept_and_an_old_one_asked_for() {
    let (port, count) = serve(ok("{}")).await;
    let servers = Servers::default();
    let url = format!("http://127.0.0.1:{port}/keys");
    for (age, asked) in [(300, 1), (300, 1), (0, 2), (300, 2), (0, 3)] {
        assert_eq!(status_and_body(servers.answer(get(url.clone(), age)).await), (200, b"{}".to_vec()));
        assert_eq!(count.load(Ordering::SeqCst), asked);
    }
    // What may be different for each who asks is never kept.
    for asked in [4, 5] {
        let authorization = Some(SecretText::new("Bearer a".to_owned()));
        servers.answer(HttpQuestion { authorization, ..get(url.clone(), 300) }).await;
        assert_eq!(count.load(Ordering::SeqCst), asked);
    }
}

#[tokio::test]
async fn many_who_ask_at_once_ask_once() {
    let (port, count) = serve(ok("{}")).await;
    let servers = Arc::new(Servers::default());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (servers, url) = (Arc::clone(&servers), format!("http://localhost:{port}/keys"));
            tokio::spawn(async move { servers.answer(get(url, 300)).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(status_and_body(task.await.unwrap()).0, 200);
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failure_is_kept_for_a_moment_only_from_those_whom_older_answers_suit() {
    let (port, count) = serve("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let servers = Servers::default();
    let url = format!("http://127.0.0.1:{port}/keys");
    assert_eq!(status_and_body(servers.answer(get(url.clone(), 10)).await).0, 500);
    assert!(reason(servers.answer(get(url.clone(), 10)).await).contains("500"));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(status_and_body(servers.answer(get(url, 0)).await).0, 500);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn redirects_are_not_followed_and_long_answers_not_read() {
    let servers = Servers::default();
    let (target, visited) = serve(ok("{}")).await;
    let moved = format!("HTTP/1.1 302 F\r\nlocation: http://127.0.0.1:{target}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _) = serve(moved).await;
    assert_eq!(status_and_body(servers.answer(get(format!("http://127.0.0.1:{port}/"), 0)).await).0, 302);
    assert_eq!(visited.load(Ordering::SeqCst), 0);
    let (port, _) = serve(ok(&"a".repeat(ANSWER_LENGTH_BYTES_MAX + 1))).await;
    assert!(reason(servers.answer(get(format!("http://127.0.0.1:{port}/"), 0)).await).contains("longer than"));
    let (port, _) = serve(ok(&"a".repeat(ANSWER_LENGTH_BYTES_MAX))).await;
    assert_eq!(status_and_body(servers.answer(get(format!("http://127.0.0.1:{port}/"), 0)).await).0, 200);
}

#[test]
fn only_addresses_that_nobody_in_between_can_read_are_asked() {
    for good in ["https://a.example/x", "http://localhost:1/", "http://127.0.0.2/", "http://[::1]:2/"] {
        assert!(checked(good).is_ok(), "{good}");
    }
    let bad = [
        "http://a.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "https://name@a.example/",
        "https://:password@a.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "a.example",
        "",
    ];
    for url in bad {
        assert!(checked(url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_server_is_believed_by_the_given_authority_only() {
    let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                respond(&mut stream, &ok("{}")).await;
            }
        }
    });
    let servers = Servers::default();
    let by = |authorities: String| HttpQuestion { authorities, ..get(url.clone(), 0) };
    assert_eq!(status_and_body(servers.answer(by(own.cert.pem())).await).0, 200);
    assert!(reason(servers.answer(by(other.cert.pem())).await).contains("certificate"));
    assert!(!reason(servers.answer(by(String::new())).await).is_empty());
    let broken = own.cert.pem().replace('A', "!");
    assert!(reason(servers.answer(by(broken)).await).contains("authorities"));
}
