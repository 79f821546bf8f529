//! The house rules that the compiler and clippy do not check, measured on the source text.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use tests::source::{Blank, blank, functions, lines_with_word, without_unit_tests};
use tests::tree::{TextFile, text_files};

/// A function fits a screen.
const FUNCTION_LINES_MAX: usize = 70;

/// A file fits one sitting.
const FILE_LINES_MAX: usize = 500;

/// Everything the core may depend on: cryptography, encodings, data. Nothing here does IO or reads a clock.
const CORE_DEPENDENCIES: &[&str] = &[
    "aes-gcm",
    "aes-kw",
    "argon2",
    "aws-lc-rs",
    "bech32",
    "chacha20poly1305",
    "curve25519-dalek",
    "data-encoding",
    "ed25519-dalek",
    "hkdf",
    "hmac",
    "itoa",
    "jiff",
    "p256",
    "p384",
    "p521",
    "postcard",
    "rand_core",
    "rustls-pki-types",
    "rustls-webpki",
    "rsa",
    "serde",
    "serde_json",
    "sha2",
    "sha3",
    "subtle",
    "thiserror",
    "toml",
    "vsss-rs",
    "x509-parser",
    "zeroize",
];

const WORKSPACE: [&str; 8] =
    ["vault-core", "vault-server", "vault-api", "vault-cli", "vault-custody", "vault-log", "tests", "keyturn-bench"];

/// For each crate, the crates of the workspace that it may depend on.
const DIRECTIONS: [(&str, &[&str]); 6] = [
    ("vault-core", &[]),
    ("vault-api", &[]),
    ("vault-log", &[]),
    ("vault-server", &["vault-api", "vault-core", "vault-custody", "vault-log"]),
    ("vault-custody", &["vault-core"]),
    ("vault-cli", &["vault-api", "vault-core", "vault-custody", "vault-log", "vault-server"]),
];

/// Reports every offence at once, so that one run shows all there is to mend.
fn report(rule: &str, offences: &[String]) -> Result<()> {
    ensure!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
    Ok(())
}

fn rust_files() -> Result<Vec<TextFile>> {
    let files: Vec<_> = text_files()?.into_iter().filter(TextFile::is_rust).collect();
    ensure!(files.len() > 20, "only {} Rust files were found; the walk must have gone wrong", files.len());
    Ok(files)
}

fn is_test(file: &TextFile) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    file.path.contains("/tests/") || file.is_in(&["tests/"]) || matches!(name, "tests.rs" | "conformance.rs")
}

/// Finds `needles` in the code, unit tests left out, of the files that `looked_at` chooses.
fn places(needles: &[&str], what: Blank, looked_at: impl Fn(&TextFile) -> bool) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in rust_files()?.iter().filter(|file| !is_test(file) && looked_at(file)) {
        let code = blank(without_unit_tests(&file.text), what);
        for needle in needles {
            let lines = lines_with_word(&code, needle);
            found.extend(lines.iter().map(|line| format!("{}:{line}: {needle}", file.path)));
        }
    }
    Ok(found)
}

/// Reads the names of the dependencies under the sections whose header ends with `section`.
fn dependencies(manifest: &str, section: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let last = header.rsplit('.').next().unwrap_or_default();
            inside = last == section;
            // `[dependencies.name]` is one dependency with a section to itself.
            if header.rsplit('.').nth(1) == Some(section) {
                names.push(last.to_owned());
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            names.extend(line.split(['.', '=', ' ']).next().map(str::to_owned));
        }
    }
    names
}

fn manifest(crate_name: &str) -> Result<String> {
    let directory = if crate_name == "keyturn-bench" { "bench" } else { crate_name };
    Ok(std::fs::read_to_string(tests::tree::root().join(directory).join("Cargo.toml"))?)
}

#[test]
fn dependencies_are_read_from_every_form() {
    let manifest = "[dependencies]\na.workspace = true\nb = \"1\" # c\n# d\n\n[dependencies.e]\nversion = \"1\"\n\
                    [dev-dependencies]\nf = \"1\"\n[target.'cfg(unix)'.dependencies]\ng = \"1\"";
    assert_eq!(dependencies(manifest, "dependencies"), ["a", "b", "e", "g"]);
    assert_eq!(dependencies(manifest, "dev-dependencies"), ["f"]);
}

#[test]
fn dependencies_point_inwards() -> Result<()> {
    let mut offences = Vec::new();
    for (crate_name, allowed) in DIRECTIONS {
        let text = manifest(crate_name)?;
        let found = ["dependencies", "build-dependencies"].iter().flat_map(|section| dependencies(&text, section));
        let wrong = found.filter(|name| WORKSPACE.contains(&name.as_str()) && !allowed.contains(&name.as_str()));
        offences.extend(wrong.map(|name| format!("{crate_name} depends on {name}")));
    }
    let cli = manifest("vault-cli")?;
    if !cli.lines().any(|line| line.starts_with("vault-server") && line.contains("optional = true")) {
        offences.push("vault-cli depends on vault-server without `optional = true`".to_owned());
    }
    report("dependencies point inwards", &offences)
}

#[test]
fn the_core_depends_only_on_what_is_listed() -> Result<()> {
    let found = dependencies(&manifest("vault-core")?, "dependencies");
    ensure!(found.len() > 5, "the manifest of the core was not understood: {found:?}");
    let offences: Vec<_> = found.into_iter().filter(|name| !CORE_DEPENDENCIES.contains(&name.as_str())).collect();
    report("not on the list of what the core may depend on", &offences)
}

#[test]
fn the_core_does_no_io() -> Result<()> {
    let needles = ["async", ".await", "tokio", "std::fs", "std::net::Tcp", "std::thread", "SystemTime", "Instant"];
    let offences = places(&needles, Blank::CommentsAndLiterals, |file| file.is_in(&["vault-core/src/"]))?;
    report("the core is synchronous and does no IO", &offences)
}

#[test]
fn keys_are_derived_in_one_file() -> Result<()> {
    let elsewhere = |file: &TextFile| !file.is_in(&["vault-core/src/keys.rs"]);
    let mut offences = places(&["Hkdf", "hkdf::", "Hmac", "hmac::"], Blank::CommentsAndLiterals, elsewhere)?;
    offences.extend(places(&["b\"keyturn/"], Blank::Comments, elsewhere)?);
    report("only vault-core/src/keys.rs derives keys and lists labels", &offences)
}

#[test]
fn status_codes_stay_at_the_edge() -> Result<()> {
    // The protocol of witnesses is one of status codes, and has an edge of its own.
    let edges = ["vault-server/src/http/", "vault-server/src/witness/", "vault-api/"];
    let elsewhere = |file: &TextFile| file.path.starts_with("vault-") && !file.is_in(&edges);
    let needles = ["StatusCode", "400", "403", "404", "405", "412", "413", "429", "472", "473", "501", "503"];
    report("HTTP status codes outside the edge", &places(&needles, Blank::CommentsAndLiterals, elsewhere)?)
}

#[test]
fn only_adapters_vouch() -> Result<()> {
    let adapters = ["vault-server/src/audit_log/", "vault-server/src/storage/"];
    let elsewhere = |file: &TextFile| !file.is_in(&adapters);
    let found = places(&["danger_vouch("], Blank::CommentsAndLiterals, elsewhere)?;
    let (definitions, offences): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|place| place.starts_with("vault-core/src/flow/vouched.rs:"));
    assert_eq!(definitions.len(), 2, "flow/vouched.rs defines Durable and Committed, and vouches for nothing");
    report("only the audit log and the storage adapters vouch", &offences)
}

#[test]
fn functions_fit_a_screen_and_files_one_sitting() -> Result<()> {
    let mut offences = Vec::new();
    for file in rust_files()? {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            offences.push(format!("{}: {lines} lines", file.path));
        }
        let long = functions(&file.text).into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        offences.extend(long.map(|f| format!("{}:{}: {} has {} lines", file.path, f.line, f.name, f.lines)));
    }
    report("at most 70 lines for a function and 500 for a file", &offences)
}

#[test]
fn no_lint_is_silenced_without_a_reason_that_expires() -> Result<()> {
    let mut offences = Vec::new();
    for file in rust_files()? {
        let code = blank(&file.text, Blank::CommentsAndLiterals);
        for attribute in ["#[allow(", "#![allow("] {
            let lines = lines_with_word(&code, attribute);
            offences.extend(lines.iter().map(|line| format!("{}:{line}: {attribute}", file.path)));
        }
    }
    report("use #[expect(.., reason = \"..\")] instead", &offences)
}

#[test]
fn nothing_is_left_for_later() -> Result<()> {
    // Put together here, so that this file is not its own first finding.
    let marks =
        [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["todo", "!("].concat(), ["unimpl", "emented!("].concat()];
    let mut offences = Vec::new();
    for file in rust_files()? {
        for mark in &marks {
            let lines = lines_with_word(&file.text, mark);
            offences.extend(lines.iter().map(|line| format!("{}:{line}: {mark}", file.path)));
        }
    }
    report("do it or write an issue", &offences)
}

#[test]
fn every_decision_is_linked() -> Result<()> {
    let files = text_files()?;
    let decisions = files.iter().filter(|file| file.is_in(&["docs/decisions/"]) && file.path.ends_with(".md"));
    let mut offences = Vec::new();
    for decision in decisions.filter(|file| !file.path.ends_with("/README.md")) {
        let name = decision.path.rsplit('/').next().unwrap_or_default();
        if !files.iter().any(|file| file.path != decision.path && file.text.contains(name)) {
            offences.push(decision.path.clone());
        }
    }
    report("no page and no comment links to these decisions", &offences)
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() -> Result<()> {
    let mut offences = BTreeSet::new();
    for file in text_files()? {
        for (number, line) in file.text.lines().enumerate() {
            if names_a_machine_place(line) {
                offences.insert(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    report("paths of one machine", &offences.into_iter().collect::<Vec<_>>())
}

fn names_a_machine_place(line: &str) -> bool {
    ["/work", "/root", "/home"].iter().any(|place| {
        line.match_indices(place).any(|(position, _)| {
            let before = line.get(..position).unwrap_or_default();
            let after = line.get(position + place.len()..).unwrap_or_default();
            let starts_path = !before.ends_with(|c: char| c.is_alphanumeric() || "._-/}*)".contains(c));
            let below = after.strip_prefix('/').and_then(|name| name.chars().next());
            let named = below.is_some_and(|first| *place != "/home" || first.is_alphanumeric());
            starts_path && after.starts_with('/') && (named || *place != "/home")
        })
    })
}

#[test]
fn machine_places_are_told_from_other_paths() {
    for place in ["work", "root", "home"] {
        assert!(names_a_machine_place(&format!("see /{place}/anna/x")), "{place}");
        assert!(!names_a_machine_place(&format!("docs/{place}/anna")), "{place}");
    }
    assert!(!names_a_machine_place("/homes/ and /home/<name> and ./work/x and \"root/system/\""));
}
