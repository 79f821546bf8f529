//! Snapshot archives, and the state inside them without the sums that guard it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_server::snapshot::state::{StateReader, write_row};
use vault_server::snapshot::{Proof, verify};

fuzz_target!(|bytes: &[u8]| {
    let _ = verify(bytes, 1 << 20, &Proof::SumsOnly);
    let Ok(reader) = StateReader::new(bytes) else { return };
    let mut again = reader.head().to_bytes();
    for row in reader {
        let Ok(row) = row else { return };
        assert!(write_row(&mut again, &row).is_ok(), "what was read must be writable again");
    }
    assert_eq!(again, bytes, "what was read whole is written as it was");
});
