//! Certificates, chains and lists of revoked certificates, from strangers and from administrators.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::auth::methods::cert::{Crl, Facts, check_path, read_certificates};
use vault_core::time::Timestamp;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(facts) = Facts::read(bytes) {
        let names = facts.dns_names.iter().chain(&facts.email_addresses).chain(&facts.uris).chain([&facts.common_name]);
        assert!(names.clone().all(|name| !name.chars().any(char::is_control)));
    }
    let chain: Vec<Vec<u8>> = bytes.chunks(1_024).map(<[u8]>::to_vec).collect();
    let _ = check_path(&chain, bytes, Timestamp(1_800_000_000_000_000_000));
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (read_certificates(text), Crl::read(text));
    }
    let _ = Crl::read(&data_encoding::BASE64.encode(bytes));
});
