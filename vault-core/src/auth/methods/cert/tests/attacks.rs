//! Certificates that must not get in.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use serde_json::json;

use super::{Authority, Fixture, leaf_params};
use crate::auth::methods::cert::Facts;
use crate::time::Span;

#[test]
fn nothing_and_rubbish_are_refused() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::trusting(&authority);
    fixture.refused(&[], "no client certificate");
    fixture.refused(&[b"rubbish".to_vec()], "no certificate");
    let mut trailing = authority.leaf("anna");
    trailing.push(0);
    fixture.refused(&[trailing], "follows");
    assert!(Fixture::new().login(&[authority.leaf("anna")]).is_err(), "without any role");
}

#[test]
fn the_right_names_by_somebody_else_are_refused() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::trusting(&authority);
    let key = KeyPair::generate().unwrap();
    let own = leaf_params("anna", |_| {}).self_signed(&key).unwrap();
    fixture.refused(&[own.der().to_vec()], "by the role's authority");
    // Another authority of the same name: only the key tells them apart.
    let twin = Authority::new("ca");
    fixture.refused(&[twin.leaf("anna")], "InvalidSignature");
    fixture.refused(&[twin.leaf("anna"), twin.der.clone()], "the chain does not hold");
    fixture.refused(&[twin.leaf("anna"), authority.der.clone()], "the chain does not hold");
    // The authority's certificate is public: showing it after one's own proves nothing.
    fixture.refused(&[own.der().to_vec(), authority.der.clone()], "the chain does not hold");
}

#[test]
fn time_and_purpose_count() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::trusting(&authority);
    let expired = authority.leaf_with("anna", |params| params.not_after = date_time_ymd(2026, 1, 1));
    fixture.refused(&[expired], "expired");
    let early = authority.leaf_with("anna", |params| params.not_before = date_time_ymd(2030, 1, 1));
    fixture.refused(&[early], "not valid yet");
    let server =
        authority.leaf_with("anna", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    fixture.refused(&[server], "RequiredEkuNotFound");
    let silent = authority.leaf_with("anna", |params| params.extended_key_usages.clear());
    assert!(fixture.login(&[silent]).is_ok(), "without any purpose named");
    for change in [
        (|params| params.not_after = date_time_ymd(2026, 1, 1)) as fn(&mut CertificateParams),
        |params| params.not_before = date_time_ymd(2030, 1, 1),
        |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
        |params| params.is_ca = IsCa::ExplicitNoCa,
        |params| params.is_ca = IsCa::NoCa,
        |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature],
    ] {
        let unfit = Authority::with("unfit", change);
        Fixture::trusting(&unfit).refused(&[unfit.leaf("anna")], "the role's");
    }
}

#[test]
fn intermediates_must_be_there_and_be_authorities() {
    let root = Authority::new("root");
    let mut fixture = Fixture::trusting(&root);
    let middle = root.below("middle", |_| {});
    fixture.refused(&[middle.leaf("anna")], "by the role's authority");
    assert!(fixture.login(&[middle.leaf("anna"), middle.der.clone()]).is_ok());
    let lower = middle.below("lower", |_| {});
    assert!(fixture.login(&[lower.leaf("anna"), middle.der.clone(), lower.der.clone()]).is_ok(), "in any order");
    let no_authority = root.below("middle", |params| params.is_ca = IsCa::ExplicitNoCa);
    fixture.refused(&[no_authority.leaf("anna"), no_authority.der.clone()], "EndEntityUsedAsCa");
    let client = root.below("client", |params| params.is_ca = IsCa::NoCa);
    fixture.refused(&[client.leaf("anna"), client.der.clone()], "EndEntityUsedAsCa");
    let no_signer = root.below("middle", |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    fixture.refused(&[no_signer.leaf("anna"), no_signer.der.clone()], "may not sign");
    let stale = root.below("middle", |params| params.not_after = date_time_ymd(2026, 1, 1));
    fixture.refused(&[stale.leaf("anna"), stale.der.clone()], "CertExpired");
    let short = Authority::with("short", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let below = short.below("below", |_| {});
    let mut fixture = Fixture::trusting(&short);
    assert!(fixture.login(&[short.leaf("anna")]).is_ok());
    fixture.refused(&[below.leaf("anna"), below.der.clone()], "longer than");
}

#[test]
fn name_constraints_hold() {
    let limit = |params: &mut CertificateParams| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName("example.org".to_owned())];
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    };
    let root = Authority::new("root");
    let (anchor, middle) = (Authority::with("limited", limit), root.below("middle", limit));
    let named = |authority: &Authority, name: &str| {
        authority.leaf_with("anna", |params| {
            params.subject_alt_names = vec![SanType::DnsName(name.to_owned().try_into().unwrap())];
        })
    };
    let mut fixture = Fixture::trusting(&anchor);
    assert!(fixture.login(&[named(&anchor, "web.example.org")]).is_ok());
    fixture.refused(&[named(&anchor, "web.example.com")], "NameConstraintViolation");
    let mut fixture = Fixture::trusting(&root);
    assert!(fixture.login(&[named(&middle, "web.example.org"), middle.der.clone()]).is_ok());
    fixture.refused(&[named(&middle, "web.example.com"), middle.der.clone()], "NameConstraintViolation");
}

#[test]
fn a_certificate_named_itself_matches_by_its_bytes_while_it_is_valid() {
    let key = KeyPair::generate().unwrap();
    let own = leaf_params("anna", |params| params.not_after = date_time_ymd(2028, 1, 1)).self_signed(&key).unwrap();
    let mut fixture = Fixture::new();
    fixture.role("web", &own.pem(), &json!({}));
    assert!(fixture.login(&[own.der().to_vec()]).is_ok());
    let same_key = leaf_params("anna", |_| {}).self_signed(&key).unwrap();
    fixture.refused(&[same_key.der().to_vec()], "no authority");
    let issued = leaf_params("bob", |_| {})
        .signed_by(&KeyPair::generate().unwrap(), &rcgen::Issuer::from_params(&leaf_params("anna", |_| {}), &key))
        .unwrap();
    fixture.refused(&[issued.der().to_vec()], "no authority");
    fixture.store.now = fixture.store.now.after(Span(2 * 366 * 86_400));
    fixture.refused(&[own.der().to_vec()], "expired");
}

fn list(authority: &Authority, serials: &[u64], next_year: i32) -> String {
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(next_year, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&authority.issuer).unwrap().pem().unwrap()
}

#[test]
fn revoked_certificates_are_refused_whichever_list_names_them() {
    let root = Authority::new("root");
    let mut fixture = Fixture::trusting(&root);
    let numbered =
        |serial: u64| move |params: &mut CertificateParams| params.serial_number = Some(SerialNumber::from(serial));
    let (good, bad, worse) =
        (root.leaf_with("a", numbered(0x80)), root.leaf_with("b", numbered(0x81)), root.leaf_with("c", numbered(0x82)));
    for (name, serial) in [("one", 0x81), ("two", 0x82)] {
        fixture.write(&format!("crls/{name}"), &json!({ "crl": list(&root, &[serial], 2030) })).unwrap();
    }
    assert!(fixture.login(std::slice::from_ref(&good)).is_ok());
    fixture.refused(std::slice::from_ref(&bad), "revoked");
    fixture.refused(&[worse], "revoked");
    assert_eq!(fixture.read("crls/one")["serials"], json!({ "129": {} }));
    // An authority below, revoked: everybody below it is out.
    let middle = root.below("middle", numbered(0x81));
    fixture.refused(&[middle.leaf("d"), middle.der.clone()], "revoked");
    fixture.call(crate::request::Operation::Delete, "crls/one", &json!({}), &[]).unwrap();
    assert!(fixture.login(std::slice::from_ref(&bad)).is_ok());
    // A list of another issuer says nothing about these, and one that is out of date does not let in.
    fixture.write("crls/two", &json!({ "crl": list(&Authority::new("other"), &[0x81], 2026 + 1) })).unwrap();
    assert!(fixture.login(&[bad]).is_ok());
    fixture.write("crls/two", &json!({ "crl": list(&root, &[], 2027) })).unwrap();
    fixture.refused(std::slice::from_ref(&good), "in date");
    fixture.write("crls/three", &json!({ "crl": list(&root, &[], 2030) })).unwrap();
    assert!(fixture.login(&[good]).is_ok());
}

#[test]
fn a_certificate_named_itself_can_be_revoked_too() {
    let root = Authority::new("root");
    let leaf = leaf_params("a", |params| params.serial_number = Some(SerialNumber::from(5)))
        .signed_by(&KeyPair::generate().unwrap(), &root.issuer)
        .unwrap();
    let mut fixture = Fixture::new();
    fixture.role("web", &leaf.pem(), &json!({}));
    assert!(fixture.login(&[leaf.der().to_vec()]).is_ok());
    fixture.write("crls/a", &json!({ "crl": list(&root, &[5], 2030) })).unwrap();
    fixture.refused(&[leaf.der().to_vec()], "revoked");
}

#[test]
fn tricks_with_names_do_not_widen_anything() {
    let authority = Authority::new("ca");
    let mut fixture = Fixture::new();
    fixture.role("web", &authority.pem, &json!({ "allowed_names": ["admin", "web.example.org", "admin*"] }));
    for name in ["admin\0.evil.org", "admin\n", "admin\u{7f}"] {
        fixture.refused(&[authority.leaf(name)], "control character");
    }
    let wild = |name: &str| {
        authority.leaf_with("x", |params| {
            params.subject_alt_names = vec![SanType::DnsName(name.to_owned().try_into().unwrap())];
        })
    };
    for name in ["*.example.org", "*", "WEB.example.org", "web.example.org.evil.org", "web.example.org."] {
        fixture.refused(&[wild(name)], "allowed_names");
    }
    assert!(fixture.login(&[wild("web.example.org")]).is_ok());
    assert!(Facts::read(&wild("a\0b.org")).is_err(), "NUL in an alternative name");
    // Two common names: readers disagree which one counts.
    let two = authority.leaf_with("admin", |params| {
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "bob");
    });
    fixture.refused(&[two], "several common names");
}

#[test]
fn very_long_chains_are_refused_quickly() {
    let root = Authority::new("root");
    let mut fixture = Fixture::trusting(&root);
    let mut chain = Vec::new();
    let mut last = root.below("middle 0", |_| {});
    chain.push(last.der.clone());
    for number in 1..20 {
        last = last.below(&format!("middle {number}"), |_| {});
        chain.insert(0, last.der.clone());
    }
    chain.insert(0, last.leaf("anna"));
    fixture.refused(&chain, "more than");
    // Within the bound of the connection, but longer than the verifier goes.
    let mut nine = root.below("m0", |_| {});
    let mut chain = vec![nine.der.clone()];
    for number in 1..9 {
        nine = nine.below(&format!("m{number}"), |_| {});
        chain.insert(0, nine.der.clone());
    }
    chain.insert(0, nine.leaf("anna"));
    fixture.refused(&chain, "the chain does not hold");
}

#[test]
fn made_up_chains_cost_a_bounded_number_of_checks() {
    let twins: Vec<Authority> = (0..20).map(|_| Authority::new("ca")).collect();
    let mut fixture = Fixture::new();
    for (number, twin) in twins.iter().enumerate() {
        fixture.role(&format!("role-{number:02}"), &twin.pem, &json!({}));
    }
    assert!(fixture.login(&[twins[15].leaf("anna")]).is_ok());
    fixture.refused(&[Authority::new("other").leaf("anna")], "by the role's authority");
    let late = twins[18].leaf("anna");
    let refusal = fixture.login(std::slice::from_ref(&late)).err().unwrap();
    assert_eq!(refusal.public, super::ONE_ANSWER);
    assert!(fixture.login_as(&json!({ "name": "role-18" }), &[late]).is_ok());
}
