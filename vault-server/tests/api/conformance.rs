//! `docs/conformance.md` says of every path of the Vault HTTP API what this server makes of it. Here it is held to that,
//! row by row, over a vault that has every engine and every auth method mounted where people mount them.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use vault_core::auth::methods::METHODS;
use vault_core::engines::ENGINES;

use crate::support::TestVault;

static DOCUMENT: &str = include_str!("../../../docs/conformance.md");

/// How an answer begins that says that a path leads nowhere.
const NOWHERE: [&str; 2] = ["unsupported path", "no handler for route"];

const METHODS_KNOWN: [&str; 5] = ["GET", "LIST", "POST", "PATCH", "DELETE"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// Works, in Vault too.
    Served,
    /// Works, and Vault has nothing at the path.
    Own,
    /// Answers with the reason why not.
    Refused,
    /// Answers as a path does that leads nowhere.
    Absent,
}

/// One line of the table and one of its methods.
struct Row {
    path: &'static str,
    method: &'static str,
    standing: Standing,
    note: &'static str,
}

impl Row {
    /// Gives the path with something in the place of each name.
    fn concrete(&self) -> String {
        let segments = self.path.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for line in DOCUMENT.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [path, methods, standing, note] = cells[..] else { panic!("four cells are needed: {line}") };
        let standing = match standing {
            "served" => Standing::Served,
            "own" => Standing::Own,
            "refused" => Standing::Refused,
            "absent" => Standing::Absent,
            _ => panic!("no such standing: {line}"),
        };
        rows.extend(methods.split(' ').map(|method| Row { path: path.trim_matches('`'), method, standing, note }));
    }
    rows
}

#[test]
fn the_table_says_one_thing_of_each_call() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(METHODS_KNOWN.contains(&row.method), "{} {}", row.method, row.path);
        assert!(seen.insert((row.concrete(), row.method, row.path)), "twice: {} {}", row.method, row.path);
        let explained = matches!(row.standing, Standing::Served | Standing::Own) || !row.note.is_empty();
        assert!(explained, "why not? {} {}", row.method, row.path);
    }
    assert!(seen.len() > 1_000, "the table has only {} calls", seen.len());
}

/// Starts a vault with everything mounted at the paths that the table uses.
async fn full_vault() -> TestVault {
    let vault = TestVault::ready().await;
    for engine in ENGINES.iter().filter(|engine| engine.kind() != "kv") {
        vault.expect(204, "POST", &format!("sys/mounts/{}", engine.kind()), Some(json!({"type": engine.kind()}))).await;
    }
    for method in METHODS {
        vault.expect(204, "POST", &format!("sys/auth/{}", method.kind()), Some(json!({"type": method.kind()}))).await;
    }
    vault
}

async fn fresh_token(vault: &TestVault) -> String {
    let made = vault.expect(200, "POST", "auth/token/create", Some(json!({"policies": ["root"]}))).await;
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

async fn answer(vault: &TestVault, token: &str, row: &Row) -> (u16, String) {
    let mut request = Request::builder()
        .method(Method::from_bytes(row.method.as_bytes()).unwrap())
        .uri(format!("/v1/{}", row.concrete()))
        .header("x-vault-token", token);
    if row.method == "PATCH" {
        request = request.header("content-type", "application/merge-patch+json");
    }
    let body = if matches!(row.method, "POST" | "PATCH") { "{}" } else { "" };
    let (status, bytes) = vault.send_raw(request.body(Body::from(body)).unwrap()).await;
    (status.as_u16(), String::from_utf8_lossy(&bytes).into_owned())
}

/// Tells what is wrong with an answer, if anything is.
fn complaint(row: &Row, status: u16, text: &str) -> Option<&'static str> {
    let nowhere = status == 404 && NOWHERE.iter().any(|sign| text.contains(sign));
    match row.standing {
        Standing::Served | Standing::Own if nowhere || status == 405 => Some("is not served"),
        Standing::Served | Standing::Own if status >= 500 => Some("fails"),
        Standing::Refused if !(400..500).contains(&status) || nowhere => Some("is not refused"),
        Standing::Refused if !text.contains(row.note) => Some("is refused for another reason"),
        Standing::Absent if !nowhere && status != 405 => Some("is not absent"),
        _ => None,
    }
}

#[tokio::test]
async fn every_row_tells_what_the_server_answers() {
    let vault = full_vault().await;
    let mut token = fresh_token(&vault).await;
    let mut wrong = Vec::new();
    for row in rows() {
        let (status, text) = answer(&vault, &token, &row).await;
        if let Some(complaint) = complaint(&row, status, &text) {
            wrong.push(format!("{} {} {complaint}: {status} {text}", row.method, row.path));
        }
        if row.path == "sys/seal" {
            vault.unseal().await;
        }
        if row.path.starts_with("auth/token/re") {
            token = fresh_token(&vault).await;
        }
    }
    assert!(wrong.is_empty(), "{} rows are not true:\n{}", wrong.len(), wrong.join("\n"));
}

/// The operations that the server's own description of its API lists: path, then HTTP methods in lower case.
type Described = BTreeMap<String, BTreeSet<String>>;

async fn described(vault: &TestVault) -> Described {
    let document = vault.expect(200, "GET", "sys/internal/specs/openapi", None).await;
    let names = |item: &Value| item.as_object().unwrap().keys().cloned().collect();
    let paths = document["paths"].as_object().unwrap();
    paths.iter().map(|(path, item)| (path.trim_start_matches('/').to_owned(), names(item))).collect()
}

/// Ranks how closely a path of the description fits: literal segments first, then an end of the same length.
///
/// The description does not tell a name that stands for one segment from one that stands for a whole rest, so that the last
/// name stands for any rest here.
fn closeness(template: &str, path: &str) -> Option<(usize, u8)> {
    let (mut literal, mut left) = (0, path.trim_end_matches('/').split('/').peekable());
    let mut wanted = template.split('/').peekable();
    while let Some(segment) = wanted.next() {
        if segment.starts_with('{') && wanted.peek().is_none() {
            return Some((literal, u8::from(left.count() == 1)));
        }
        let found = left.next()?;
        if segment == found {
            literal += 1;
        } else if !segment.starts_with('{') {
            return None;
        }
    }
    left.next().is_none().then_some((literal, 2))
}

fn closest<'a>(described: &'a Described, row: &Row) -> Option<(&'a str, &'a BTreeSet<String>)> {
    let path = row.concrete();
    let ranked = described.iter().filter_map(|(own, methods)| Some((closeness(own, &path)?, own, methods)));
    ranked.max_by_key(|(rank, ..)| *rank).map(|(_, own, methods)| (own.as_str(), methods))
}

/// Gives the method under which the description has a row's call; a LIST is a GET with a parameter.
fn described_method(row: &Row) -> String {
    if row.method == "LIST" { "get".to_owned() } else { row.method.to_lowercase() }
}

#[tokio::test]
async fn what_is_served_is_described_and_what_is_described_is_in_the_table() {
    let described = described(&full_vault().await).await;
    let (mut wrong, mut listed) = (Vec::new(), BTreeSet::new());
    for row in rows().iter().filter(|row| row.standing != Standing::Absent) {
        let method = described_method(row);
        match closest(&described, row) {
            Some((own, methods)) if methods.contains(&method) => drop(listed.insert((own, method))),
            _ if row.standing == Standing::Refused => {}
            _ => wrong.push(format!("not described: {} {}", row.method, row.path)),
        }
    }
    for (own, methods) in &described {
        let missing = methods.iter().filter(|method| !listed.contains(&(own.as_str(), (*method).clone())));
        wrong.extend(missing.map(|method| format!("not in the table: {method} {own}")));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_closest_path_of_the_description_is_found() {
    assert_eq!(closeness("sys/mounts/{path}/tune", "sys/mounts/x/tune"), Some((3, 2)));
    assert_eq!(closeness("sys/mounts/{path}", "sys/mounts/x/tune"), Some((2, 0)));
    assert_eq!(closeness("sys/loggers/{rest}", "sys/loggers"), Some((2, 0)));
    assert_eq!(closeness("sys/loggers/{rest}", "sys/loggers/x"), Some((2, 1)));
    assert_eq!(closeness("sys/mounts", "sys/mounts/x"), None);
    assert_eq!(closeness("sys/{name}/tune", "sys/x/other"), None);
}
