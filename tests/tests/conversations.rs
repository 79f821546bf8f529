//! What widely used applications say to a vault, word for word, to a real server over TLS: every file under
//! `conversations`, each with a vault of its own. To add one, add a file; `tests::conversation` says what is in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tests::conversation::{Conversation, Names};
use tests::outside::{Cluster, Issuer, SERVICE_ACCOUNT_TOKEN};
use tests::server::Server;
use tests::vault::{initialise, mount_key_value, unseal};

/// Fewer files than these mean that the test looks in the wrong place.
const FILES_MIN: usize = 6;

#[test]
fn applications_get_the_answers_that_they_read() -> Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("conversations"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    ensure!(files.len() >= FILES_MIN, "only {} conversations", files.len());
    let mut broken = Vec::new();
    for file in &files {
        let name = file.file_stem().context("a file has a name")?.to_string_lossy();
        if let Err(error) = converse(file) {
            broken.push(format!("{name}: {error:#}"));
        }
    }
    ensure!(broken.is_empty(), "{} of {} conversations broke:\n{}", broken.len(), files.len(), broken.join("\n"));
    Ok(())
}

/// Carries on one conversation with a fresh vault that has KV version 2 at `secret/` and version 1 at `kv/`.
fn converse(file: &Path) -> Result<()> {
    let conversation = Conversation::read(file)?;
    let (server, cluster, issuer) = (Server::start()?, Cluster::start()?, Issuer::new()?);
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 1, 1)?;
    unseal(&mut connection, &keys)?;
    connection.authorise(&keys.root_token);
    mount_key_value(&mut connection, "secret", 2)?;
    mount_key_value(&mut connection, "kv", 1)?;
    let claims = json!({
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "https://github.com/example",
        "sub": "repo:example/application:ref:refs/heads/main",
        "repository": "example/application",
        "ref": "refs/heads/main",
    });
    let names = [
        ("root", keys.root_token.clone()),
        ("kubernetes.host", cluster.url()),
        ("kubernetes.token", SERVICE_ACCOUNT_TOKEN.to_owned()),
        ("issuer.public_key", issuer.public_key()),
        ("issuer.token", issuer.sign(&claims)?),
    ];
    let names: Names = names.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    conversation.carry_on(&mut connection, names).with_context(|| format!("the server's log: {}", last_words(&server)))
}

/// Gives the last warning of a server, which says why where an answer does not.
fn last_words(server: &Server) -> String {
    let log = std::fs::read_to_string(server.home().path("server.log")).unwrap_or_default();
    let warning = log.lines().rev().find(|line| line.contains("WARN") || line.contains("ERROR"));
    warning.unwrap_or("nothing").to_owned()
}
