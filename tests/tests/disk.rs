//! What somebody with the disk, or a copy of it, can see: neither secrets nor names.

use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use serde_json::json;
use tests::server::Server;
use tests::vault::{initialise, mount_key_value, unseal};

/// Words that stand for everything that must not be found.
const CANARIES: [&str; 6] =
    ["zebra-mount", "zebra-folder", "zebra-entry", "zebra-field", "zebra-value", "zebra-policy"];

#[test]
fn the_store_shows_neither_secrets_nor_names() -> Result<()> {
    let server = Server::start()?;
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 3, 2)?;
    unseal(&mut connection, &keys)?;
    connection.authorise(&keys.root_token);
    mount_key_value(&mut connection, "zebra-mount", 2)?;
    let secret = json!({"data": {"zebra-field": "zebra-value"}});
    connection.post("zebra-mount/data/zebra-folder/zebra-entry", &secret)?.expect_status(200)?;
    let policy = json!({"policy": "path \"zebra-mount/*\" { capabilities = [\"read\"] }"});
    connection.post("sys/policies/acl/zebra-policy", &policy)?.expect_status(204)?;
    let token = json!({"policies": ["zebra-policy"]});
    let made = connection.post("auth/token/create", &token)?.expect_status(200)?.text("/auth/client_token")?;
    let home = server.kill()?;
    for file in ["keyturn.db", "keyturn.db-wal"] {
        let bytes = std::fs::read(home.path(file))?;
        let finds = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        let found: Vec<_> = CANARIES.iter().filter(|word| finds(word)).collect();
        ensure!(found.is_empty(), "{file} shows {found:?}");
        ensure!(!finds(&made) && !finds(&keys.root_token), "{file} shows a token");
        let mode = std::fs::metadata(home.path(file))?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "{file} has mode {mode:o}");
    }
    let audit = std::fs::read_to_string(home.path("audit.jsonl"))?;
    ensure!(!audit.contains("zebra-value"), "the log shows a value");
    ensure!(!audit.contains(&made) && !audit.contains(&keys.root_token), "the log shows a token");
    Ok(())
}
