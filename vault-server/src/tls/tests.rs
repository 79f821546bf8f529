//! Handshakes between real rustls endpoints, and files that cannot be used.

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore, ServerConnection,
    SignatureScheme,
};

use super::*;

fn client(
    ca: &Path,
    provider: CryptoProvider,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

fn shake(server: &Arc<Certificate>, client: &mut ClientConnection) -> ServerConnection {
    shake_with(&server.server_config().unwrap(), client).unwrap()
}

fn shake_with(config: &Arc<ServerConfig>, client: &mut ClientConnection) -> Result<ServerConnection, rustls::Error> {
    let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
    // One round more than the handshake takes brings the client its tickets.
    let mut last = false;
    while !last {
        last = !(client.is_handshaking() || server.is_handshaking());
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(server)
}

/// A client's certificates and key; `None` for a client that has none.
#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// Makes a certificate of a client, which `extra` copies of itself follow, signed for by `key`.
fn identity(name: &str, extra: usize) -> (Vec<CertificateDer<'static>>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    (vec![certificate; extra + 1], key)
}

fn certified((chain, key): (Vec<CertificateDer<'static>>, &KeyPair)) -> Arc<CertifiedKey> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(CertifiedKey::new(chain, provider().key_provider.load_private_key(key).unwrap()))
}

fn client_showing(
    ca: &Path,
    version: &'static rustls::SupportedProtocolVersion,
    shows: Option<Arc<CertifiedKey>>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_client_cert_resolver(Arc::new(Shows(shows))))
}

fn connect(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

#[test]
fn a_resumed_session_has_the_certificate_that_it_began_with_and_no_other() {
    let (folder, certificate) = generated();
    let server = certificate.server_config().unwrap();
    for version in VERSIONS {
        let client = |shows| client_showing(&folder.path().join("ca.pem"), version, shows);
        let (anna, bob) = (identity("anna", 0), identity("bob", 0));
        let sessions = [
            (client(Some(certified((anna.0.clone(), &anna.1)))), Some(anna.0)),
            (client(None), None),
            (client(Some(certified((bob.0.clone(), &bob.1)))), Some(bob.0)),
        ];
        for round in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            for (config, expected) in &sessions {
                let ended = shake_with(&server, &mut connect(config)).unwrap();
                assert_eq!(ended.protocol_version(), Some(version.version));
                let kind = ended.handshake_kind().unwrap();
                assert_eq!(kind == HandshakeKind::Resumed, round == HandshakeKind::Resumed, "{kind:?}");
                let shown = client::shown(&ended).map(|shown| shown.0.to_vec());
                let expected = expected.as_ref().map(|chain| chain.iter().map(|one| one.to_vec()).collect::<Vec<_>>());
                assert_eq!(shown, expected, "{version:?} {round:?}");
            }
        }
    }
}

#[test]
fn a_certificate_needs_its_key_and_bounds_hold() {
    let (folder, certificate) = generated();
    let server = certificate.server_config().unwrap();
    for version in VERSIONS {
        let shake = |shows| {
            let config = client_showing(&folder.path().join("ca.pem"), version, Some(shows));
            shake_with(&server, &mut connect(&config)).is_ok()
        };
        let (anna, bob) = (identity("anna", 9), identity("bob", 0));
        assert!(shake(certified((anna.0.clone(), &anna.1))), "ten certificates");
        assert!(!shake(certified((anna.0.clone(), &bob.1))), "somebody else's key");
        let long = [anna.0.clone(), bob.0].concat();
        assert!(!shake(certified((long, &anna.1))), "eleven certificates");
        let fat = identity(&"x".repeat(20_000), 1);
        assert!(!shake(certified((fat.0, &fat.1))), "more than 32 KiB");
        let rubbish = vec![CertificateDer::from(b"rubbish".to_vec())];
        assert!(!shake(certified((rubbish, &anna.1))), "no certificate");
    }
}

fn generated() -> (tempfile::TempDir, Arc<Certificate>) {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = self_signed(folder.path()).unwrap();
    (folder, Certificate::load(&chain, &key).unwrap())
}

#[test]
fn modern_clients_get_the_hybrid_key_exchange() {
    let (folder, certificate) = generated();
    let mut client = client(&folder.path().join("ca.pem"), aws_lc_rs::default_provider(), rustls::DEFAULT_VERSIONS);
    let server = shake(&certificate, &mut client);
    assert_eq!(server.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn older_clients_still_get_in() {
    let (folder, certificate) = generated();
    let mut old = aws_lc_rs::default_provider();
    old.kx_groups.retain(|group| matches!(group.name(), NamedGroup::X25519 | NamedGroup::secp256r1));
    let mut client = client(&folder.path().join("ca.pem"), old, &[&rustls::version::TLS12]);
    let server = shake(&certificate, &mut client);
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_2));
}

#[test]
fn a_reload_swaps_the_certificate_and_a_bad_one_is_not_taken() {
    let (folder, certificate) = generated();
    let before = certificate.current.load_full();
    std::fs::write(folder.path().join("server.pem"), "rubbish").unwrap();
    assert!(certificate.reload().is_err());
    assert_eq!(certificate.current.load_full().cert, before.cert);
    std::fs::remove_file(folder.path().join("server.pem")).unwrap();
    self_signed(folder.path()).unwrap();
    certificate.reload().unwrap();
    assert_ne!(certificate.current.load_full().cert, before.cert);
}

#[test]
fn unusable_files_are_named() {
    let (folder, _) = generated();
    let (other, _) = generated();
    let (chain, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    let absent = folder.path().join("absent");
    let reason = |chain: &Path, key: &Path| Certificate::load(chain, key).err().unwrap().to_string();
    assert!(reason(&absent, &key).contains("absent"));
    assert!(reason(&chain, &absent).contains("absent"));
    assert!(reason(&key, &key).contains("server.key"));
    assert!(reason(&chain, &other.path().join("server.key")).contains("does not belong"));
}
