//! Copies the log to a collector of syslog by TLS (RFC 5424 over RFC 5425).

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use vault_api::tls::{ClientFiles, Trust};

use super::outbox::Batch;
use super::rfc5424::Sender;
use super::stream::{self, CONNECT_MAX, Stream};
use super::{DeviceRules, Sink, in_time};

/// Connects to the collector at `address`, whose certificate must be for the host in it.
pub(super) async fn open(
    address: &str,
    facility: &str,
    tag: &str,
    rules: &DeviceRules,
) -> Result<Box<dyn Sink>, String> {
    stream::allowed(address, rules)?;
    let name = server_name(address)?;
    let rules = rules.clone();
    let config = tokio::task::spawn_blocking(move || config(&rules)).await.map_err(|error| error.to_string())??;
    let tcp = stream::connect(address).await?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let connection = in_time(CONNECT_MAX, connecting).await.map_err(|reason| format!("TLS: {reason}"))?;
    let sender = Sender::here(facility, tag);
    let frame = move |batch: &Batch| {
        let mut frames = Vec::new();
        batch.lines().for_each(|line| sender.frame(batch.prefix(), line, &mut frames));
        frames
    };
    Ok(Box::new(Stream::new(connection, frame)))
}

fn server_name(address: &str) -> Result<ServerName<'static>, String> {
    let host = address.rsplit_once(':').map(|(host, _)| host).ok_or("the address has no port")?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned()).map_err(|error| format!("the host of the address: {error}"))
}

/// Reads the files of the settings anew for each connection, so that what is in them can be replaced.
fn config(rules: &DeviceRules) -> Result<ClientConfig, String> {
    let trust = rules.authorities.as_ref().map_or(Trust::System, |file| Trust::Files(vec![file.clone()]));
    let client = rules.client.as_ref();
    let client = client.map(|(certificate, key)| ClientFiles { certificate: certificate.clone(), key: key.clone() });
    let mut config = vault_api::tls::config(&trust, None, client.as_ref()).map_err(|error| error.to_string())?;
    config.alpn_protocols.clear();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_to_be_verified_is_the_host_of_the_address() {
        for (address, name) in
            [("logs.example.org:6514", "logs.example.org"), ("[::1]:1", "::1"), ("10.0.0.1:1", "10.0.0.1")]
        {
            assert_eq!(server_name(address).unwrap().to_str(), name);
        }
        for bad in ["logs.example.org", ":6514", "a b:1", ""] {
            assert!(server_name(bad).is_err(), "{bad}");
        }
    }
}
