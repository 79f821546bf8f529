//! The engine against the documented behaviour, and against a simple model under random sequences.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Kv;
use crate::auth::{Identity, Sender};
use crate::engines::test_store::{TestStore, data, mount, token};
use crate::mounts::Mount;
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::request::Operation;

struct Fixture {
    store: TestStore,
    mount: Mount,
    sender: Sender,
}

impl Fixture {
    fn new(version: &str) -> Self {
        let store = TestStore::new();
        let sender = Identity::for_test("a", token(&["root"]), &store.names);
        Self { store, mount: mount("s/", "kv", version), sender }
    }

    fn call(&mut self, operation: Operation, path: &str, body: Option<Value>) -> Result<Reply, Refusal> {
        let body = body.map(|body| body.to_string());
        let request = self.store.request(operation, &format!("s/{path}"), body.as_deref(), None);
        self.store.run(&Kv, &self.mount, &self.sender, &request)
    }

    fn ok(&mut self, operation: Operation, path: &str, body: Option<Value>) -> Value {
        match self.call(operation, path, body) {
            Ok(reply) => data(&reply),
            Err(refusal) => panic!("{operation:?} {path}: {refusal:?}"),
        }
    }

    fn class(&mut self, operation: Operation, path: &str, body: Option<Value>) -> Class {
        self.call(operation, path, body).err().unwrap().class
    }

    fn gone(&mut self, path: &str) -> Value {
        match self.call(Operation::Read, path, None) {
            Ok(reply @ Reply::Gone(_)) => data(&reply),
            _ => panic!("{path} is not gone"),
        }
    }

    fn advance(&mut self, seconds: i64) {
        self.store.now.0 += seconds * 1_000_000_000;
    }
}

use Operation::{Delete, List, Patch, Read, Write};

#[test]
fn version_1_keeps_the_last_value() {
    let mut kv = Fixture::new("1");
    assert_eq!(kv.class(Read, "a/b", None), Class::Missing);
    kv.ok(Write, "a/b", Some(json!({"x": 1})));
    kv.ok(Write, "a/b", Some(json!({"x": 2})));
    kv.ok(Write, "a", Some(json!({"y": 1})));
    assert_eq!(kv.ok(Read, "a/b", None), json!({"x": 2}));
    assert_eq!(kv.ok(List, "", None), json!({"keys": ["a", "a/"]}));
    assert_eq!(kv.class(Write, "a/b", Some(json!({}))), Class::Invalid);
    assert_eq!(kv.class(Write, "a/", Some(json!({"x": 1}))), Class::Invalid);
    kv.ok(Delete, "a/b", None);
    kv.ok(Delete, "a/b", None);
    assert_eq!(kv.class(List, "a/", None), Class::Missing);
    kv.ok(Delete, "a", None);
    assert!(kv.store.rows.is_empty(), "no mark is left behind");
}

#[test]
fn version_1_tells_how_long_a_value_may_be_kept() {
    let mut kv = Fixture::new("1");
    for (value, seconds) in [(json!({"x": 1}), 2_764_800), (json!({"ttl": "1h"}), 3_600), (json!({"ttl": 60}), 60)] {
        kv.ok(Write, "a", Some(value));
        let Ok(Reply::Content(content)) = kv.call(Read, "a", None) else { panic!("no content") };
        assert_eq!(content.lease_duration.0, seconds);
    }
}

#[test]
fn values_come_back_to_the_digit() {
    let text = r#"{"big":9007199254740993,"exact":1.10,"z":1,"a":"é"}"#;
    for (version, path, body) in [("1", "s/a", text.to_owned()), ("2", "s/data/a", format!("{{\"data\":{text}}}"))] {
        let mut kv = Fixture::new(version);
        let write = kv.store.request(Write, path, Some(&body), None);
        assert!(kv.store.run(&Kv, &kv.mount, &kv.sender, &write).is_ok());
        let read = kv.store.request(Read, path, None, None);
        let Ok(Reply::Content(content)) = kv.store.run(&Kv, &kv.mount, &kv.sender, &read) else { panic!("no content") };
        let answer = String::from_utf8(content.data.unwrap().expose().to_vec()).unwrap();
        assert!(answer.contains(text), "{answer}");
    }
}

#[test]
fn version_2_numbers_versions_and_keeps_some() {
    let mut kv = Fixture::new("2");
    kv.ok(Write, "metadata/a", Some(json!({"max_versions": 2})));
    for number in 1..=3 {
        let written = kv.ok(Write, "data/a", Some(json!({"data": {"n": number}})));
        assert_eq!(written["version"], json!(number));
    }
    assert_eq!(kv.ok(Read, "data/a", None)["data"], json!({"n": 3}));
    assert_eq!(kv.ok(Read, "data/a?version=2", None)["data"], json!({"n": 2}));
    assert_eq!(kv.class(Read, "data/a?version=1", None), Class::Missing);
    assert_eq!(kv.class(Read, "data/a?version=x", None), Class::Invalid);
    let metadata = kv.ok(Read, "metadata/a", None);
    assert_eq!((&metadata["oldest_version"], &metadata["current_version"]), (&json!(2), &json!(3)));
    assert_eq!(kv.store.rows.len(), 3, "metadata and two versions");
}

#[test]
fn version_2_checks_and_sets() {
    let mut kv = Fixture::new("2");
    let write = |cas: Value| Some(json!({"data": {}, "options": {"cas": cas}}));
    assert_eq!(kv.class(Write, "data/a", write(json!(1))), Class::Invalid);
    kv.ok(Write, "data/a", write(json!(0)));
    assert_eq!(kv.class(Write, "data/a", write(json!(0))), Class::Invalid);
    kv.ok(Delete, "data/a", None);
    assert_eq!(kv.class(Write, "data/a", write(json!(0))), Class::Invalid, "a deleted version counts");
    kv.ok(Write, "data/a", write(json!(1)));
    kv.ok(Write, "config", Some(json!({"cas_required": true})));
    assert_eq!(kv.class(Write, "data/a", Some(json!({"data": {}}))), Class::Invalid);
    assert_eq!(kv.class(Write, "data/a", write(json!("x"))), Class::Invalid);
}

#[test]
fn version_2_deletes_undeletes_and_destroys() {
    let mut kv = Fixture::new("2");
    for number in 1..=2 {
        kv.ok(Write, "data/a", Some(json!({"data": {"n": number}})));
    }
    kv.ok(Delete, "data/a", None);
    let gone = kv.gone("data/a");
    assert_eq!((&gone["data"], &gone["metadata"]["version"]), (&Value::Null, &json!(2)));
    assert_ne!(gone["metadata"]["deletion_time"], json!(""));
    assert_eq!(kv.ok(Read, "data/a?version=1", None)["data"], json!({"n": 1}));
    kv.ok(Write, "undelete/a", Some(json!({"versions": ["2"]})));
    assert_eq!(kv.ok(Read, "data/a", None)["data"], json!({"n": 2}));
    kv.ok(Write, "destroy/a", Some(json!({"versions": [2, 99]})));
    kv.ok(Write, "undelete/a", Some(json!({"versions": [2]})));
    assert_eq!(kv.gone("data/a")["metadata"]["destroyed"], json!(true));
    kv.ok(Write, "delete/a", Some(json!({"versions": [1]})));
    kv.gone("data/a?version=1");
    assert_eq!(kv.class(Write, "delete/a", Some(json!({"versions": []}))), Class::Invalid);
    kv.ok(Delete, "metadata/a", None);
    assert_eq!(kv.class(Read, "data/a", None), Class::Missing);
    assert!(kv.store.rows.is_empty());
}

#[test]
fn version_2_ends_versions_by_the_clock() {
    let mut kv = Fixture::new("2");
    kv.ok(Write, "config", Some(json!({"delete_version_after": "1h"})));
    kv.ok(Write, "data/a", Some(json!({"data": {}})));
    kv.advance(3_599);
    kv.ok(Read, "data/a", None);
    kv.advance(1);
    kv.gone("data/a");
    kv.ok(Write, "undelete/a", Some(json!({"versions": [1]})));
    kv.ok(Read, "data/a", None);
}

#[test]
fn version_2_patches() {
    let mut kv = Fixture::new("2");
    let change = Some(json!({"data": {"b": null, "c": {"d": 1}}}));
    assert_eq!(kv.class(Patch, "data/a", change.clone()), Class::Missing);
    kv.ok(Write, "data/a", Some(json!({"data": {"a": 1, "b": 2}})));
    assert_eq!(kv.ok(Patch, "data/a", change)["version"], json!(2));
    assert_eq!(kv.ok(Read, "data/a", None)["data"], json!({"a": 1, "c": {"d": 1}}));
    let wrong = Some(json!({"data": {"a": 2}, "options": {"cas": 1}}));
    assert_eq!(kv.class(Patch, "data/a", wrong), Class::Invalid);
}

#[test]
fn version_2_keeps_custom_metadata_within_bounds() {
    let mut kv = Fixture::new("2");
    kv.ok(Write, "metadata/a", Some(json!({"custom_metadata": {"owner": "x", "team": "y"}})));
    kv.ok(Patch, "metadata/a", Some(json!({"custom_metadata": {"owner": null, "team": "z"}})));
    assert_eq!(kv.ok(Read, "metadata/a", None)["custom_metadata"], json!({"team": "z"}));
    kv.ok(Write, "data/a", Some(json!({"data": {}})));
    assert_eq!(kv.ok(Read, "data/a", None)["metadata"]["custom_metadata"], json!({"team": "z"}));
    kv.ok(Patch, "metadata/a", Some(json!({"custom_metadata": null})));
    assert_eq!(kv.ok(Read, "metadata/a", None)["custom_metadata"], Value::Null);
    for bad in [json!({"k": 1}), json!({"": "v"}), json!({"k": "v".repeat(513)}), json!({"k".repeat(129): "v"})] {
        assert_eq!(kv.class(Write, "metadata/a", Some(json!({"custom_metadata": bad}))), Class::Invalid);
    }
    assert_eq!(kv.class(Write, "metadata/a", Some(json!({"max_versions": 1_001}))), Class::Invalid);
}

#[test]
fn version_2_shows_names_without_values() {
    let mut kv = Fixture::new("2");
    kv.ok(Write, "data/a", Some(json!({"data": {"x": {"y": {"z": 1}}, "e": {}}})));
    assert_eq!(kv.ok(Read, "subkeys/a", None)["subkeys"], json!({"x": {"y": {"z": null}}, "e": null}));
    assert_eq!(kv.ok(Read, "subkeys/a?depth=1", None)["subkeys"], json!({"x": null, "e": null}));
}

#[test]
fn version_2_says_what_is_wrong_with_a_path() {
    let mut kv = Fixture::new("2");
    assert_eq!(kv.class(Read, "a", None), Class::Invalid);
    assert_eq!(kv.class(Read, "data/", None), Class::Invalid);
    assert_eq!(kv.class(List, "data/a/", None), Class::Unsupported);
    assert_eq!(kv.class(Delete, "config", None), Class::Unsupported);
}

#[test]
fn lists_page() {
    let mut kv = Fixture::new("1");
    for name in ["a", "b", "c", "d/e"] {
        kv.ok(Write, name, Some(json!({"x": 1})));
    }
    kv.ok(Write, "f/a", Some(json!({"x": 1})));
    kv.ok(Write, "f/b", Some(json!({"x": 1})));
    assert_eq!(kv.ok(List, "f/?limit=1", None), json!({"keys": ["a"]}));
    assert_eq!(kv.ok(List, "f/?after=a", None), json!({"keys": ["b"]}));
    assert_eq!(kv.class(List, "f/?after=b", None), Class::Missing);
}

/// A step of a random sequence: which of a few nested paths, and what is done there.
fn steps() -> impl Strategy<Value = Vec<(usize, u8, u64)>> {
    proptest::collection::vec((0_usize..6, 0_u8..6, 0_u64..4), 1..40)
}

const PATHS: [&str; 6] = ["a", "a/b", "a/b/c", "a/d", "e/f/g", "e"];

/// Lists a folder from the paths that are there.
fn expected_list(there: &[&str], folder: &str) -> Vec<String> {
    let names = there.iter().filter_map(|path| path.strip_prefix(folder)).map(|rest| match rest.split_once('/') {
        Some((name, _)) => format!("{name}/"),
        None => rest.to_owned(),
    });
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn check_lists(kv: &mut Fixture, prefix: &str, there: &[&str]) {
    for folder in ["", "a/", "a/b/", "e/", "e/f/"] {
        let listed = match kv.call(List, &format!("{prefix}{folder}"), None) {
            Ok(reply) => {
                data(&reply)["keys"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
            }
            Err(refusal) => {
                assert_eq!(refusal.class, Class::Missing);
                Vec::new()
            }
        };
        assert_eq!(listed, expected_list(there, folder), "folder {folder:?} with {there:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn version_1_behaves_like_a_map(steps in steps()) {
        let mut kv = Fixture::new("1");
        let mut model: BTreeMap<&str, u64> = BTreeMap::new();
        for (path, act, value) in steps {
            let path = PATHS[path];
            if act < 4 {
                kv.ok(Write, path, Some(json!({"v": value})));
                model.insert(path, value);
            } else {
                kv.ok(Delete, path, None);
                model.remove(path);
            }
            for path in PATHS {
                let read = kv.call(Read, path, None).ok().map(|reply| data(&reply)["v"].as_u64().unwrap());
                prop_assert_eq!(read, model.get(path).copied());
            }
            check_lists(&mut kv, "", &model.keys().copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn version_2_behaves_like_lists_of_versions(steps in steps()) {
        let mut kv = Fixture::new("2");
        // For each path: its versions, each with its value while it can be read.
        let mut model: BTreeMap<&str, Vec<(u64, bool)>> = BTreeMap::new();
        for (path, act, value) in steps {
            let path = PATHS[path];
            let versions = json!({"versions": [value]});
            let index = usize::try_from(value).unwrap();
            match act {
                0 | 1 => {
                    kv.ok(Write, &format!("data/{path}"), Some(json!({"data": {"v": value}})));
                    model.entry(path).or_default().push((value, true));
                }
                2 => {
                    kv.ok(Delete, &format!("data/{path}"), None);
                    if let Some(last) = model.get_mut(path).and_then(|versions| versions.last_mut()) {
                        last.1 = false;
                    }
                }
                3 | 4 => {
                    kv.ok(Write, &format!("{}/{path}", if act == 3 { "delete" } else { "undelete" }), Some(versions));
                    let found = model.get_mut(path).and_then(|versions| versions.get_mut(index.wrapping_sub(1)));
                    if let Some(version) = found {
                        version.1 = act == 4;
                    }
                }
                _ => {
                    kv.ok(Delete, &format!("metadata/{path}"), None);
                    model.remove(path);
                }
            }
            for path in PATHS {
                let read = kv.call(Read, &format!("data/{path}"), None);
                match model.get(path).and_then(|versions| versions.last()) {
                    None => prop_assert_eq!(read.err().unwrap().class, Class::Missing),
                    Some((value, true)) => prop_assert_eq!(&data(&read.unwrap())["data"]["v"], &json!(value)),
                    Some((_, false)) => prop_assert!(matches!(read, Ok(Reply::Gone(_)))),
                }
            }
            check_lists(&mut kv, "metadata/", &model.keys().copied().collect::<Vec<_>>());
        }
    }
}
