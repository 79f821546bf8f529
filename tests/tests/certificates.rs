//! Logins by client certificates, over real TLS.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tests::https::{Connection, client_config};
use tests::server::Server;
use tests::vault::{initialise, unseal};

/// An authority for clients, and its certificate in PEM.
fn authority() -> Result<(Issuer<'static, KeyPair>, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "clients");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

/// The settings of a client with a certificate.
fn client(server: &Server, issuer: &Issuer<'static, KeyPair>, name: &str) -> Result<Arc<ClientConfig>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).ok().context("a key in DER")?;
    Ok(Arc::new(client_config(&server.authority_file(), Some((vec![certificate.der().clone()], key)))?))
}

#[test]
fn a_client_logs_in_by_its_certificate_and_renews_with_no_other() -> Result<()> {
    let server = Server::start()?;
    let mut root = server.connect()?;
    let keys = initialise(&mut root, 1, 1)?;
    unseal(&mut root, &keys)?;
    root.authorise(&keys.root_token);
    root.post("sys/auth/cert", &json!({"type": "cert"}))?.expect_status(204)?;
    let (issuer, pem) = authority()?;
    let role = json!({"certificate": pem, "allowed_common_names": "app-*", "token_ttl": "1h"});
    root.post("auth/cert/certs/app", &role)?.expect_status(204)?;
    let own = client(&server, &issuer, "app-1")?;

    let mut connection = Connection::open_with(server.address(), &own)?;
    let grant = connection.post("auth/cert/login", &json!({"name": "app"}))?.expect_status(200)?;
    let token = grant.text("/auth/client_token")?;
    ensure!(grant.text("/auth/metadata/common_name")? == "app-1");
    connection.authorise(&token);
    connection.get("auth/token/lookup-self")?.expect_status(200)?;
    connection.post("auth/token/renew-self", &json!({}))?.expect_status(200)?;

    let mut resumed = Connection::open_with(server.address(), &own)?;
    resumed.post("auth/cert/login", &json!({}))?.expect_status(200)?;
    ensure!(resumed.is_resumed(), "the second connection made a full handshake");
    resumed.authorise(&token);
    resumed.post("auth/token/renew-self", &json!({}))?.expect_status(200)?;

    let (stranger, _) = authority()?;
    let twin = client(&server, &issuer, "app-1")?;
    let refused = [
        (Some(Arc::clone(&twin)), false),
        (Some(client(&server, &issuer, "other")?), true),
        (Some(client(&server, &stranger, "app-1")?), true),
        (None, true),
    ];
    for (config, login_refused) in refused {
        let mut connection = match config {
            Some(config) => Connection::open_with(server.address(), &config)?,
            None => server.connect()?,
        };
        let answer = connection.post("auth/cert/login", &json!({}))?;
        ensure!((answer.status == 400) == login_refused, "{} {}", answer.status, answer.body);
        connection.authorise(&token);
        connection.get("auth/token/lookup-self")?.expect_status(200)?;
        connection.post("auth/token/renew-self", &json!({}))?.expect_status(400)?;
    }
    Ok(())
}
