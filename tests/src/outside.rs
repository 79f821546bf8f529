//! What logins rely on besides the vault: a Kubernetes cluster that reviews tokens, and an issuer that signs them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use data_encoding::BASE64URL_NOPAD;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};

/// The one service account token that the cluster knows.
pub const SERVICE_ACCOUNT_TOKEN: &str = "service-account-token-of-the-tests";

/// Most bytes of a review that are read; the ones of the tests have a few hundred.
const REVIEW_LENGTH_BYTES_MAX: u64 = 64 * 1024;

/// Longest wait for a byte of a review.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How long a signed token is good.
const TOKEN_TTL: Duration = Duration::from_secs(600);

/// A cluster of which there is nothing but the review of tokens, over plain HTTP on the loopback. It answers until the
/// process ends.
pub struct Cluster {
    address: SocketAddr,
}

impl Cluster {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// Fails when no port can be had.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that breaks off is the client's matter.
                let _ = review(stream);
            }
        });
        Ok(Self { address })
    }

    /// Gives the address as the settings of the auth method take it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Answers one review: the account `default/application` for the token that the cluster knows, nobody for any other.
fn review(stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(WAIT_MAX))?;
    let mut reader = BufReader::new(stream.try_clone()?.take(REVIEW_LENGTH_BYTES_MAX));
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
    let asked: Value = serde_json::from_slice(&body)?;
    let known = asked.pointer("/spec/token").and_then(Value::as_str) == Some(SERVICE_ACCOUNT_TOKEN);
    let status = if known {
        let user = json!({"username": "system:serviceaccount:default:application", "uid": "0d6f9a5e-account"});
        json!({"authenticated": true, "user": user, "audiences": asked.pointer("/spec/audiences")})
    } else {
        json!({"authenticated": false, "error": "the token is unknown"})
    };
    let answer = json!({"kind": "TokenReview", "status": status}).to_string();
    let head = format!("HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
    (&stream).write_all(format!("{head}{answer}").as_bytes()).context("the review is not taken")
}

/// Whoever signs tokens of workloads, as a continuous integration service does.
pub struct Issuer {
    key: KeyPair,
}

impl Issuer {
    /// Draws a key.
    ///
    /// # Errors
    /// Fails when no key can be drawn.
    pub fn new() -> Result<Self> {
        Ok(Self { key: KeyPair::generate_for(&PKCS_ED25519)? })
    }

    /// Gives the public key in PEM.
    pub fn public_key(&self) -> String {
        let text = data_encoding::BASE64.encode(&self.key.subject_public_key_info());
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// Signs a token (RFC 7519, EdDSA) with the claims given and an end.
    ///
    /// # Errors
    /// Fails when the clock stands before 1970 or signing fails.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let mut claims = claims.clone();
        let fields = claims.as_object_mut().context("claims are an object")?;
        fields.insert("iat".to_owned(), now.as_secs().into());
        fields.insert("exp".to_owned(), (now + TOKEN_TTL).as_secs().into());
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&json!({"alg": "EdDSA", "typ": "JWT"})), part(&claims));
        let signature = self.key.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}
