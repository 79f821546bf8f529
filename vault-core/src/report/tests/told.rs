//! What the report says of vaults that are written down.

use super::*;

#[test]
fn nothing_is_alone_in_an_empty_vault() {
    let report = Vault::default().report(None, &["secret"]);
    assert!(report.alone.is_empty() && report.violations.is_empty() && report.root_tokens.is_empty());
    assert_eq!(report.protected[0].pattern, "secret/*");
}
