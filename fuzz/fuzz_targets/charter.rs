//! Charters, drafts and envelopes of strangers: nothing panics, and what is read is what was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_core::charter::chain::Chain;
use vault_core::charter::propose::propose;
use vault_core::charter::report::Report;
use vault_core::charter::{CHARTER_LENGTH_BYTES_MAX, Charter, PersonSet};
use vault_core::envelope::Envelope;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(charter) = Charter::parse(bytes) {
        assert_eq!(charter.text().as_bytes(), bytes);
        let _ = Report::of(&charter).to_string();
        for (name, quorum) in charter.quorums() {
            assert!(!quorum.is_met_by(&PersonSet::default()), "{name} is met by nobody");
            assert!(quorum.is_met_by(&quorum.people()), "{name} cannot be met");
        }
        let next = propose(charter.text(), Some(&charter));
        // The last epoch has no next one, and a charter of the largest size has no room for what is filled in.
        let has_next = charter.epoch() < u32::MAX && bytes.len() < CHARTER_LENGTH_BYTES_MAX / 2;
        assert!(!has_next || next.is_ok_and(|next| next.previous() == Some(charter.digest())));
    }
    if let Ok(envelope) = Envelope::parse(bytes) {
        let again = Envelope::parse(envelope.to_json().as_bytes());
        assert!(again.is_ok_and(|again| again == envelope));
        let _ = Chain::verify([&envelope]);
    }
});
