//! Asks other servers: identity providers and clusters that settings name. Everything is bounded, since strangers decide
//! how often a login makes the vault ask, and the one who answers may be slow or hostile.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout_at};
use vault_api::tls::Trust;
use vault_core::question::{ANSWER_LENGTH_BYTES_MAX, Answer, HttpQuestion, Question};
use vault_core::secret::SecretBytes;

use crate::tls::provider;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one question may take, from its place in the queue to the last byte of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Most requests on their way at once, each with a connection of its own.
const REQUESTS_MAX: usize = 32;
/// Most answers that are kept; with the bound of one answer this bounds their memory to 64 MiB, and real ones take kilobytes.
const KEPT_MAX: usize = 64;
/// Most sets of authorities for which a client is kept; each auth method has one or two.
const CLIENTS_MAX: usize = 32;

/// How long a failure is an answer to questions that older answers would do for: a provider that is down is not asked
/// anew for every login that waits.
const FAILURE_KEPT: Duration = Duration::from_secs(2);

/// Status of an answer that is worth keeping.
const STATUS_KEPT: u16 = 200;

/// Asks servers and keeps what they answer to plain GETs.
pub(super) struct Servers {
    places: Semaphore,
    /// Clients by the authorities that they trust.
    clients: Cache<String, Client>,
    /// Answers by the question without its age. Whoever asks holds the lock, so one of many asks for all.
    kept: Cache<[u8; 32], Arc<Mutex<Kept>>>,
}

/// The last answer, and the last failure, which leaves the answer in place for those whom its age suits.
#[derive(Default)]
struct Kept {
    answer: Option<(Instant, Vec<u8>)>,
    failure: Option<(Instant, String)>,
}

impl Default for Servers {
    fn default() -> Self {
        Self { places: Semaphore::new(REQUESTS_MAX), clients: Cache::new(CLIENTS_MAX), kept: Cache::new(KEPT_MAX) }
    }
}

impl Servers {
    /// Answers a question; what goes wrong is an answer too.
    pub(super) async fn answer(&self, question: HttpQuestion) -> Answer {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        let public = question.authorization.is_none() && question.body.is_none();
        let answer = async { if public { self.answer_public(question).await } else { self.ask(&question).await } };
        let outcome = timeout_at(deadline, answer).await.unwrap_or_else(|_| Err(too_slow()));
        match outcome {
            Ok((status, body)) => Answer::Http { status, body },
            Err(reason) => Answer::Failed(reason),
        }
    }

    /// Answers a plain GET, from what is kept if that is young enough.
    async fn answer_public(&self, question: HttpQuestion) -> Result<(u16, SecretBytes), String> {
        let age_max = Duration::from_secs(question.age_seconds_max);
        let question = HttpQuestion { age_seconds_max: 0, ..question };
        let id = Question::Http(copy(&question)).id();
        let begun_at = Instant::now();
        let slot = self.kept.get_or_insert_with(&id, || Ok::<_, std::convert::Infallible>(Arc::default()));
        let slot = slot.unwrap_or_else(|never| match never {});
        let mut kept = slot.lock().await;
        if let Some((asked_at, body)) = &kept.answer {
            // What another one asked while this one waited is as young as can be.
            if asked_at.elapsed() < age_max || *asked_at >= begun_at {
                return Ok((STATUS_KEPT, SecretBytes::new(body.clone())));
            }
        }
        if let Some((failed_at, reason)) = &kept.failure
            && !age_max.is_zero()
            && failed_at.elapsed() < FAILURE_KEPT
        {
            return Err(reason.clone());
        }
        let asked_at = Instant::now();
        let outcome = self.ask(&question).await;
        match &outcome {
            Ok((STATUS_KEPT, body)) => kept.answer = Some((asked_at, body.expose().to_vec())),
            Ok((status, _)) => kept.failure = Some((Instant::now(), format!("it answered with status {status}"))),
            Err(reason) => kept.failure = Some((Instant::now(), reason.clone())),
        }
        outcome
    }

    async fn ask(&self, question: &HttpQuestion) -> Result<(u16, SecretBytes), String> {
        let url = checked(&question.url)?;
        let client = self.client(&question.authorities)?;
        let _place = self.places.acquire().await.map_err(|_| "the server is stopping".to_owned())?;
        let request = match &question.body {
            None => client.get(url),
            Some((media_type, body)) => client.post(url).header(CONTENT_TYPE, *media_type).body(body.expose().to_vec()),
        };
        let mut request = request.header(ACCEPT, "application/json");
        if let Some(authorization) = &question.authorization {
            let mut value = HeaderValue::from_str(authorization.expose())
                .map_err(|_| "the authorization holds characters that no header may".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(|error| describe(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
            if body.len() + chunk.len() > ANSWER_LENGTH_BYTES_MAX {
                return Err(format!("the answer is longer than {ANSWER_LENGTH_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status().as_u16(), SecretBytes::new(body)))
    }

    fn client(&self, authorities: &str) -> Result<Client, String> {
        if let Some(client) = self.clients.get(authorities) {
            return Ok(client);
        }
        let client = client(authorities)?;
        self.clients.insert(authorities.to_owned(), client.clone());
        Ok(client)
    }
}

/// Makes a client that trusts these authorities (PEM), or those of the system if there are none.
pub(crate) fn client(authorities: &str) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(tls(authorities)?)
        .http1_only()
        // A proxy of the environment would see and choose what a provider answers.
        .no_proxy()
        .referer(false)
        .redirect(redirect::Policy::none())
        // Idle connections would keep tokens in their buffers, also after the vault is sealed.
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        // The name stands for the loopback, whatever the system's files say, since plain HTTP goes there.
        .resolve("localhost", SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))
        .user_agent(concat!("keyturn/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| describe(&error))
}

fn too_slow() -> String {
    format!("there is no answer within {} seconds", REQUEST_TIMEOUT.as_secs())
}

/// Copies a plain GET.
fn copy(question: &HttpQuestion) -> HttpQuestion {
    HttpQuestion {
        url: question.url.clone(),
        authorities: question.authorities.clone(),
        authorization: None,
        body: None,
        age_seconds_max: question.age_seconds_max,
    }
}

/// Lets only addresses through that nobody in between can read: HTTPS, and plain HTTP to this machine.
pub(crate) fn checked(url: &str) -> Result<Url, String> {
    let url = Url::parse(url).map_err(|error| format!("the address is none: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address holds a name or a password".to_owned());
    }
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err("the address is neither https:// nor http:// at the loopback".to_owned()),
    }
}

fn tls(authorities: &str) -> Result<ClientConfig, String> {
    let mut config = if authorities.is_empty() {
        // Without a bundle of the system plain HTTP to this machine still works, and no certificate is believed.
        match vault_api::tls::config(&Trust::System, None, None) {
            Ok(config) => config,
            Err(error) => {
                tracing::warn!("no certificate of another server is trusted: {error}");
                trusting(RootCertStore::empty())?
            }
        }
    } else {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            let certificate = certificate.map_err(|error| format!("authorities: {error}"))?;
            roots.add(certificate).map_err(|error| format!("authorities: {error}"))?;
        }
        if roots.is_empty() {
            return Err("the authorities hold no certificate in PEM".to_owned());
        }
        trusting(roots)?
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Puts an error and its causes into one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
