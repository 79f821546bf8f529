//! Handshakes between real rustls endpoints, and files that cannot be used.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, NamedGroup, ProtocolVersion, RootCertStore, ServerConnection};

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
    let mut server = ServerConnection::new(server.server_config().unwrap()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().unwrap();
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    server
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
