//! Statements and delegations from outside are read or refused, and what is read is written back as something that reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::approval::{DELEGATION_PAYLOAD_TYPE, Delegation, Statement};
use vault_core::envelope::Envelope;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = Statement::parse(bytes) {
        let again = Statement::parse(statement.to_json().unwrap().as_bytes());
        assert_eq!(again.unwrap(), statement);
    }
    let _ = Delegation::parse(&Envelope::new(DELEGATION_PAYLOAD_TYPE, bytes));
});
