//! No bytes do harm.

use proptest::prelude::*;

use super::Authority;
use crate::auth::methods::cert::{Crl, Facts, check_path, read_certificates};
use crate::engines::test_store::START;

/// Changes some bytes of a real certificate: most of them stay readable to the end.
fn spoilt(der: &[u8], changes: &[(usize, u8)]) -> Vec<u8> {
    let mut der = der.to_vec();
    for (position, byte) in changes {
        let position = position % der.len();
        der[position] = *byte;
    }
    der
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rubbish_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
        prop_assert!(Facts::read(&bytes).is_err());
        prop_assert!(check_path(std::slice::from_ref(&bytes), &bytes, START).is_err());
        prop_assert!(read_certificates(&text).is_err());
        prop_assert!(Crl::read(&text).is_err());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        let _ = read_certificates(&pem);
        prop_assert!(Crl::read(&data_encoding::BASE64.encode(&bytes)).is_err());
    }

    #[test]
    fn a_changed_certificate_is_never_let_in(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let authority = Authority::new("ca");
        let leaf = authority.leaf("anna");
        let changed = spoilt(&leaf, &changes);
        prop_assume!(changed != leaf);
        let _ = Facts::read(&changed);
        prop_assert!(check_path(&[changed], &authority.der, START).is_err());
        prop_assert!(check_path(&[leaf], &authority.der, START).is_ok());
    }
}
