//! Notices by e-mail: to each recipient a message of their own, so that an address that is refused keeps nobody else waiting.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Body, Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use vault_core::notice::Notice;

use super::{Channel, Delivering, Failure, Kind, as_text, read_file};
use crate::config::{MailSettings, MailTls};
use crate::outside::http::describe;

/// How long one step of the conversation may take.
const STEP_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest subject, in bytes; what it leaves out stands in the body.
const SUBJECT_LENGTH_BYTES_MAX: usize = 180;

/// One recipient.
pub(super) struct Mail {
    key: String,
    settings: Arc<MailSettings>,
    to: String,
}

impl Mail {
    pub(super) fn new(settings: &MailSettings, to: &str) -> Self {
        Self { key: format!("mail/{to}"), settings: Arc::new(settings.clone()), to: to.to_owned() }
    }

    async fn send(&self, notice: &Notice) -> Result<(), Failure> {
        let message = message(&self.settings.from, &self.to, notice).map_err(Failure::Refused)?;
        let transport = self.transport().await.map_err(Failure::Unreachable)?;
        match transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Failure::Refused(describe(&error))),
            Err(error) => Err(Failure::Unreachable(describe(&error))),
        }
    }

    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let settings = &self.settings;
        let tls = match settings.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(self.tls().await?),
            MailTls::Tls => Tls::Wrapper(self.tls().await?),
        };
        // What is sent in clear goes to this machine, whatever its files say the name stands for.
        let server = match settings.tls {
            MailTls::None if settings.server == "localhost" => "127.0.0.1",
            _ => &settings.server,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server)
            .port(settings.port())
            .tls(tls)
            .hello_name(ClientId::Domain("keyturn".to_owned()))
            .timeout(Some(STEP_TIME_MAX));
        if let (Some(name), Some(file)) = (&settings.username, &settings.password_file) {
            let password = read_file(file).await?;
            builder = builder.credentials(Credentials::new(name.clone(), password.expose().to_owned()));
        }
        Ok(builder.build())
    }

    async fn tls(&self) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(self.settings.server.clone());
        if let Some(file) = &self.settings.ca {
            let pem = read_file(file).await?;
            let certificates = Certificate::from_pem(pem.expose().as_bytes()).map_err(|error| describe(&error))?;
            builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificates);
        }
        builder.build_rustls().map_err(|error| describe(&error))
    }
}

impl Channel for Mail {
    fn kind(&self) -> Kind {
        Kind::Mail
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn deliver<'a>(&'a self, notice: &'a Notice) -> Delivering<'a> {
        Box::pin(self.send(notice))
    }
}

/// Writes a notice as a message. Its id is that of the notice, so that readers know it again, should it come twice.
pub(super) fn message(from: &str, to: &str, notice: &Notice) -> Result<Message, String> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("an address: {error}"));
    let from = mailbox(from)?;
    let id = format!("<{}@{}>", notice.id, from.email.domain());
    let seconds = u64::try_from(notice.at.unix_seconds()).unwrap_or_default();
    // In base64 no line of the message is one that people wrote, so that none can end it early, whatever a server takes for
    // the end of a line: see RUSTSEC-2026-0561 in docs/decisions/0026-notices.md.
    let body = Body::new_with_encoding(as_text(notice), ContentTransferEncoding::Base64);
    // RFC 3834: no program is to answer it.
    let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
    Message::builder()
        .from(from)
        .to(mailbox(to)?)
        .subject(subject(notice))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(id))
        .raw_header(automatic)
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(body.map_err(|_| "the text cannot be encoded".to_owned())?)
        .map_err(|error| describe(&error))
}

fn subject(notice: &Notice) -> String {
    let mut subject = format!("[keyturn] {}", notice.headline());
    if subject.len() > SUBJECT_LENGTH_BYTES_MAX {
        let end = subject.floor_char_boundary(SUBJECT_LENGTH_BYTES_MAX);
        subject.truncate(end);
        subject.push('…');
    }
    subject
}
