//! Logins by certificates made on the spot.

mod attacks;
mod bytes;

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};

use super::Cert;
use crate::auth::Sender;
use crate::auth::token::{Finder, Token, TokenId};
use crate::engines::test_store::{TestStore, data, mount, token};
use crate::engines::{Engine, Renewal};
use crate::identity::{self, Groups};
use crate::mounts::{Mount, Tables};
use crate::refusal::{Class, Refusal};
use crate::reply::{Grant, Reply};
use crate::request::Operation;

/// What every refused login answers.
const ONE_ANSWER: &str = "invalid certificate or no client certificate supplied";

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = Self::params(name, change);
        let certificate = params.self_signed(&key).unwrap();
        Self { der: certificate.der().to_vec(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// Makes an authority below this one.
    fn below(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = Self::params(name, change);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { der: certificate.der().to_vec(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    fn params(name: &str, change: impl FnOnce(&mut CertificateParams)) -> (CertificateParams, KeyPair) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        change(&mut params);
        (params, KeyPair::generate().unwrap())
    }

    fn leaf(&self, name: &str) -> Vec<u8> {
        self.leaf_with(name, |_| {})
    }

    fn leaf_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let params = leaf_params(name, change);
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().to_vec()
    }
}

fn leaf_params(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    change(&mut params);
    params
}

struct Fixture {
    store: TestStore,
    mount: Mount,
}

impl Fixture {
    fn new() -> Self {
        let (mut store, mount) = (TestStore::new(), mount("auth/cert/", "cert", ""));
        store.tables = Tables::new([mount.clone()], [], Groups::default());
        Self { store, mount }
    }

    /// Starts with one role, called `web`, that trusts an authority.
    fn trusting(authority: &Authority) -> Self {
        let mut fixture = Self::new();
        fixture.role("web", &authority.pem, &json!({}));
        fixture
    }

    fn call(
        &mut self,
        operation: Operation,
        path: &str,
        body: &Value,
        certificates: &[Vec<u8>],
    ) -> Result<Reply, Refusal> {
        let mut request = self.store.request(operation, &format!("auth/cert/{path}"), Some(&body.to_string()), None);
        request.certificates = Arc::from(certificates.to_vec());
        self.store.run(&Cert, &self.mount, &Sender::Stranger, &request)
    }

    fn write(&mut self, path: &str, body: &Value) -> Result<Reply, Refusal> {
        self.call(Operation::Write, path, body, &[])
    }

    fn read(&mut self, path: &str) -> Value {
        data(&self.call(Operation::Read, path, &json!({}), &[]).unwrap())
    }

    fn role(&mut self, name: &str, certificate: &str, more: &Value) {
        let mut body = json!({ "certificate": certificate, "token_policies": ["app"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.write(&format!("certs/{name}"), &body).unwrap();
    }

    fn login(&mut self, certificates: &[Vec<u8>]) -> Result<Grant, Refusal> {
        self.login_as(&json!({}), certificates)
    }

    fn login_as(&mut self, body: &Value, certificates: &[Vec<u8>]) -> Result<Grant, Refusal> {
        match self.call(Operation::Write, "login", body, certificates)? {
            Reply::Content(content) => Ok(content.auth.unwrap()),
            _ => panic!("a login answers with a token"),
        }
    }

    /// Demands that a login is refused with the one answer, and for a reason that only the log gets.
    fn refused(&mut self, certificates: &[Vec<u8>], reason: &str) {
        let refusal = self.login(certificates).err().unwrap_or_else(|| panic!("it was let in; expected: {reason}"));
        assert_eq!((refusal.class, refusal.public.as_str()), (Class::Invalid, ONE_ANSWER));
        let private = refusal.private.unwrap();
        assert!(private.contains(reason), "{private:?} does not say {reason:?}");
    }

    fn token(&self, grant: &Grant) -> Token {
        let id = TokenId::of(&grant.token, &self.store.token_ids);
        let finder = Finder { names: &self.store.names, tables: &self.store.tables, now: self.store.now };
        self.store.read(|view| finder.find(&id, view)).map(|alive| alive.token).unwrap()
    }

    fn renew(&self, token: &Token, certificates: &[Vec<u8>]) -> Result<(), String> {
        let mut request = self.store.request(Operation::Write, "auth/token/renew-self", None, None);
        request.certificates = Arc::from(certificates.to_vec());
        let call = self.store.call(&Cert, &self.mount, &Sender::Stranger, &request, "");
        let renewal = Renewal { call: &call, mount: &self.mount, token };
        self.store.read(|view| Cert.check_renewal(&renewal, view)).map_err(|refusal| {
            assert_eq!(refusal.public, ONE_ANSWER);
            refusal.private.unwrap()
        })
    }
}

#[test]
fn a_certificate_of_a_trusted_authority_logs_in() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::trusting(&authority);
    let leaf = authority.leaf("anna");
    let grant = fixture.login(std::slice::from_ref(&leaf)).unwrap();
    assert_eq!(grant.policies, ["app", "default"]);
    assert_eq!(grant.metadata["cert_name"], "web");
    assert_eq!(grant.metadata["common_name"], "anna");
    assert!(grant.metadata["serial_number"].bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(grant.metadata["authority_key_id"].len(), 59);
    let token = fixture.token(&grant);
    assert_eq!(token.display_name, "cert-web");
    assert_eq!(token.certificate.unwrap().len(), 64);
    // The same name comes back as the same entity, whatever the certificate.
    let again = fixture.login(&[authority.leaf("anna")]).unwrap();
    assert_eq!(again.entity, grant.entity);
    assert_ne!(fixture.login(&[authority.leaf("bob")]).unwrap().entity, grant.entity);
}

#[test]
fn roles_are_tried_in_order_and_a_name_chooses() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let mut fixture = Fixture::new();
    fixture.role("b", &one.pem, &json!({}));
    fixture.role("A", &one.pem, &json!({ "allowed_common_names": "anna" }));
    fixture.role("c", &other.pem, &json!({}));
    let mut decided = |name: &str, body: Value| {
        fixture.login_as(&body, &[one.leaf(name)]).map(|grant| grant.metadata["cert_name"].clone()).ok()
    };
    assert_eq!(decided("anna", json!({})).as_deref(), Some("a"));
    assert_eq!(decided("bob", json!({})).as_deref(), Some("b"));
    assert_eq!(decided("anna", json!({ "name": "B" })).as_deref(), Some("b"));
    assert_eq!(decided("anna", json!({ "name": "c" })), None);
    assert_eq!(decided("anna", json!({ "name": "unknown" })), None);
}

#[test]
fn every_constraint_must_be_met_by_any_of_its_patterns() {
    let authority = Authority::new("ca");
    let oid = [1, 3, 6, 1, 4, 1, 55555, 1];
    let leaf = authority.leaf_with("web-1", |params| {
        params.distinguished_name.push(DnType::OrganizationalUnitName, "ops");
        params.subject_alt_names = vec![
            SanType::DnsName("web.example.org".try_into().unwrap()),
            SanType::Rfc822Name("web@example.org".try_into().unwrap()),
            SanType::URI("spiffe://example.org/ns/web".try_into().unwrap()),
        ];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&oid, b"\x0c\x04prod".to_vec())];
    });
    let cases = [
        (json!({ "allowed_names": "x,web-*" }), true),
        (json!({ "allowed_names": "*@example.org" }), true),
        (json!({ "allowed_names": "spiffe:*" }), false),
        (json!({ "allowed_common_names": "web" }), false),
        (json!({ "allowed_dns_sans": ["other.org", "*.example.org"] }), true),
        (json!({ "allowed_dns_sans": "*.example.org", "allowed_email_sans": "*@other.org" }), false),
        (json!({ "allowed_uri_sans": "spiffe://example.org/ns/*" }), true),
        (json!({ "allowed_uri_sans": "spiffe://example.com/*" }), false),
        (json!({ "allowed_organizational_units": "dev,ops" }), true),
        (json!({ "allowed_organizational_units": "dev" }), false),
        (json!({ "required_extensions": "1.3.6.1.4.1.55555.1:pr*" }), true),
        (json!({ "required_extensions": "hex:1.3.6.1.4.1.55555.1:0c04*" }), true),
        (json!({ "required_extensions": "1.3.6.1.4.1.55555.1:prod,1.3.6.1.4.1.55555.2:*" }), false),
    ];
    for (constraints, fits) in cases {
        let mut fixture = Fixture::new();
        fixture.role("web", &authority.pem, &constraints);
        assert_eq!(fixture.login(std::slice::from_ref(&leaf)).is_ok(), fits, "{constraints}");
    }
    let mut fixture = Fixture::new();
    fixture.role("web", &authority.pem, &json!({ "allowed_metadata_extensions": "1.3.6.1.4.1.55555.1" }));
    let grant = fixture.login(&[leaf]).unwrap();
    assert_eq!(grant.metadata["1-3-6-1-4-1-55555-1"], "prod");
}

#[test]
fn tokens_are_renewed_with_their_certificate_only() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::trusting(&authority);
    let own = [authority.leaf("anna")];
    let other = [authority.leaf("anna")];
    let token = fixture.login(&own).map(|grant| fixture.token(&grant)).unwrap();
    fixture.renew(&token, &own).unwrap();
    assert!(fixture.renew(&token, &other).unwrap_err().contains("another certificate"));
    assert!(fixture.renew(&token, &[]).unwrap_err().contains("no certificate"));
    let unbound = Token { certificate: None, ..self::token(&["app", "default"]) };
    let unbound = Token { role: Some("web".to_owned()), ..unbound };
    assert!(fixture.renew(&unbound, &own).unwrap_err().contains("another certificate"));
    fixture.role("web", &authority.pem, &json!({ "allowed_common_names": "bob" }));
    assert!(fixture.renew(&token, &own).unwrap_err().contains("allowed_common_names"));
    fixture.write("config", &json!({ "disable_binding": true })).unwrap();
    fixture.renew(&token, &[]).unwrap();
    fixture.role("web", &authority.pem, &json!({ "token_policies": ["more"] }));
    assert!(fixture.renew(&token, &own).unwrap_err().contains("policies"));
    fixture.call(Operation::Delete, "certs/web", &json!({}), &[]).unwrap();
    assert!(fixture.renew(&token, &own).unwrap_err().contains("gone"));
    assert!(fixture.renew(&self::token(&["app"]), &own).is_err(), "a token without a role");
}

#[test]
fn settings_and_roles_read_as_written_and_what_is_not_supported_is_refused() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::trusting(&authority);
    assert_eq!(fixture.read("config"), json!({ "disable_binding": false, "enable_identity_alias_metadata": false }));
    fixture.write("config", &json!({ "enable_identity_alias_metadata": true, "ocsp_cache_size": 0 })).unwrap();
    assert_eq!(fixture.read("config")["enable_identity_alias_metadata"], true);
    let role = fixture.read("certs/WEB");
    assert_eq!(
        role["certificate"].as_str().unwrap().replace(['\r', '\n'], ""),
        authority.pem.replace(['\r', '\n'], "")
    );
    assert_eq!((&role["display_name"], &role["token_policies"]), (&json!("web"), &json!(["app"])));
    let keys = data(&fixture.call(Operation::List, "certs", &json!({}), &[]).unwrap());
    assert_eq!(keys, json!({ "keys": ["web"] }));
    let refused = [
        ("config", json!({ "ocsp_cache_size": 100 })),
        ("certs/web", json!({ "ocsp_enabled": true })),
        ("certs/web", json!({ "ocsp_servers_override": ["http://x"] })),
        ("certs/new", json!({ "display_name": "no certificate" })),
        ("certs/web", json!({ "certificate": "rubbish" })),
        ("certs/web", json!({ "allowed_names": " , " })),
        ("certs/web", json!({ "required_extensions": "no-oid:x" })),
        ("certs/web", json!({ "token_policies": "root" })),
        ("certs/web", json!({ "certificate": KeyPair::generate().unwrap().serialize_pem() })),
        ("crls/a", json!({ "url": "http://example.org/crl" })),
        ("crls/a", json!({ "crl": "rubbish" })),
        ("crls/a", json!({})),
    ];
    for (path, body) in refused {
        let refusal = fixture.write(path, &body).err().unwrap_or_else(|| panic!("{path} {body} was taken"));
        assert_eq!(refusal.class, Class::Invalid, "{path} {body}");
    }
}

#[test]
fn a_certificate_without_a_common_name_goes_by_its_only_uri() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::trusting(&authority);
    let nameless = |uris: &[&str]| {
        authority.leaf_with("", |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.subject_alt_names = uris.iter().map(|&uri| SanType::URI(uri.try_into().unwrap())).collect();
        })
    };
    let first = fixture.login(&[nameless(&["spiffe://example.org/a"])]).unwrap();
    let second = fixture.login(&[nameless(&["spiffe://example.org/b"])]).unwrap();
    assert_ne!(first.entity, second.entity);
    fixture.refused(&[nameless(&["spiffe://example.org/a", "spiffe://example.org/b"])], "names nobody");
    fixture.refused(&[nameless(&[])], "names nobody");
}

#[test]
fn identity_learns_of_the_certificate_where_that_is_wanted() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::trusting(&authority);
    for wanted in [true, false] {
        fixture.write("config", &json!({ "enable_identity_alias_metadata": wanted })).unwrap();
        let id = fixture.login(&[authority.leaf("anna")]).unwrap().entity.unwrap();
        let entity = fixture.store.read(|view| identity::find(&fixture.store.names, id, view)).unwrap().unwrap();
        let learnt = entity.aliases[0].metadata.get("cert_name").map(String::as_str);
        assert_eq!(learnt, wanted.then_some("web"));
        assert_eq!(entity.aliases[0].name, "anna");
    }
}

#[test]
fn an_address_out_of_bounds_gets_the_one_answer_too() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::new();
    fixture.role("web", &authority.pem, &json!({ "token_bound_cidrs": "192.0.2.0/24" }));
    assert!(fixture.login(&[authority.leaf("anna")]).is_ok());
    fixture.role("web", &authority.pem, &json!({ "token_bound_cidrs": "198.51.100.0/24" }));
    fixture.refused(&[authority.leaf("anna")], "address");
}
