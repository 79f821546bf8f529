//! A server of e-mail that speaks enough of RFC 5321 to take a message, with STARTTLS (RFC 3207), TLS from the first byte on
//! (RFC 8314) and AUTH PLAIN (RFC 4954). It refuses the recipient `refused@example.org`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use vault_server::tls::{Certificate, self_signed};

/// How the way to the server is protected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    None,
    Starttls,
    Tls,
}

/// A message that was taken.
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: String,
    /// What the client logged in with.
    pub(crate) login: Option<String>,
    pub(crate) text: String,
}

impl Letter {
    /// Finds a header, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.text.split_once("\r\n\r\n")?;
        let unfolded = head.replace("\r\n ", " ");
        unfolded.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    }

    /// Gives the body, decoded.
    pub(crate) fn body(&self) -> String {
        let (_, body) = self.text.split_once("\r\n\r\n").unwrap();
        String::from_utf8(BASE64.decode(body.replace("\r\n", "").as_bytes()).unwrap()).unwrap()
    }
}

pub(crate) struct PostOffice {
    pub(crate) port: u16,
    /// The authority of its certificate.
    pub(crate) authority: Option<PathBuf>,
    pub(crate) letters: mpsc::UnboundedReceiver<Letter>,
    _directory: tempfile::TempDir,
}

impl PostOffice {
    pub(crate) async fn open(protection: Protection) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (chain, key) = self_signed(&directory.path().join("tls")).unwrap();
        let mut config = (*Certificate::load(&chain, &key).unwrap().server_config().unwrap()).clone();
        config.alpn_protocols.clear();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = tcp.local_addr().unwrap().port();
        let (sender, letters) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                // A client that breaks off is the client's matter.
                tokio::spawn(async move { serve(stream, protection, acceptor, sender).await.ok() });
            }
        });
        let authority = (protection != Protection::None).then(|| directory.path().join("tls").join("ca.pem"));
        Self { port, authority, letters, _directory: directory }
    }

    pub(crate) async fn next(&mut self, wait_max: Duration) -> Letter {
        tokio::time::timeout(wait_max, self.letters.recv()).await.unwrap_or_else(|_| panic!("no letter comes")).unwrap()
    }
}

async fn serve(
    stream: TcpStream,
    protection: Protection,
    acceptor: TlsAcceptor,
    letters: mpsc::UnboundedSender<Letter>,
) -> std::io::Result<()> {
    match protection {
        Protection::Tls => talk(acceptor.accept(stream).await?, "250 AUTH PLAIN", true, &letters).await.map(drop),
        Protection::None => talk(stream, "250 8BITMIME", true, &letters).await.map(drop),
        Protection::Starttls => match talk(stream, "250 STARTTLS", true, &letters).await? {
            Some(stream) => talk(acceptor.accept(stream).await?, "250 AUTH PLAIN", false, &letters).await.map(drop),
            None => Ok(()),
        },
    }
}

/// Takes messages until the client quits; gives the stream back if it asks for TLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    extension: &str,
    greets: bool,
    letters: &mpsc::UnboundedSender<Letter>,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 post office\r\n").await?;
    }
    let mut letter = Letter { from: String::new(), to: String::new(), login: None, text: String::new() };
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        let answer = match line.split([' ', ':']).next().unwrap() {
            "EHLO" => format!("250-post office\r\n{extension}"),
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" => {
                let proof = BASE64.decode(line.trim_start_matches("AUTH PLAIN ").as_bytes()).unwrap();
                letter.login = Some(String::from_utf8(proof).unwrap());
                "235 welcome".to_owned()
            }
            "MAIL" => {
                letter.from = line.trim_start_matches("MAIL FROM:").split(' ').next().unwrap().to_owned();
                "250 ok".to_owned()
            }
            "RCPT" if line.contains("refused@") => "550 nobody of that name".to_owned(),
            "RCPT" => {
                letter.to = line.trim_start_matches("RCPT TO:").to_owned();
                "250 ok".to_owned()
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut text).await? == 0 {
                        return Ok(None);
                    }
                }
                letter.text = text.trim_end_matches(".\r\n").to_owned();
                let Letter { from, to, login, text } = &letter;
                let taken = Letter { from: from.clone(), to: to.clone(), login: login.clone(), text: text.clone() };
                letters.send(taken).unwrap();
                "250 taken".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(None);
            }
            _ => "500 what?".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
