//! Random people, rules, requests, clock steps and restarts, beside a model that decides by trying all assignments: nothing is
//! released without enough distinct people who count at that moment, and what they agree to is.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use vault_server::storage::Storage;
use vault_server::storage::memory::MemoryStorage;

use crate::support::TestVault;

const PEOPLE: usize = 5;

const PATH: &str = "secret/data/prod/x";

/// Longer than the pause after a denial, shorter than a request lives.
const STEP_SECONDS: i64 = 20 * 60;

const TTL_SECONDS: i64 = 3600;

#[derive(Clone, Debug)]
enum Step {
    Ask { by: usize },
    Approve { by: usize, request: usize },
    Deny { by: usize, request: usize },
    Cancel { by: usize, request: usize },
    Redeem { by: usize, request: usize },
    Members { group: usize, people: BTreeSet<usize> },
    Disable { person: usize, disabled: bool },
    Write,
    Rule(Rule),
    Wait,
    Restart,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rule {
    leads: u8,
    security: u8,
    uses: u32,
    latest: bool,
}

fn rule() -> impl Strategy<Value = Rule> {
    (1..=2_u8, 0..=1_u8, 1..=2_u32, any::<bool>()).prop_map(|(leads, security, uses, latest)| Rule {
        leads,
        security,
        uses,
        latest,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let (by, request) = (0..PEOPLE, 0..4_usize);
    prop_oneof![
        3 => by.clone().prop_map(|by| Step::Ask { by }),
        8 => (by.clone(), request.clone()).prop_map(|(by, request)| Step::Approve { by, request }),
        1 => (by.clone(), request.clone()).prop_map(|(by, request)| Step::Deny { by, request }),
        1 => (by.clone(), request.clone()).prop_map(|(by, request)| Step::Cancel { by, request }),
        8 => (by.clone(), request).prop_map(|(by, request)| Step::Redeem { by, request }),
        2 => (0..2_usize, prop::collection::btree_set(0..PEOPLE, 0..=PEOPLE))
            .prop_map(|(group, people)| Step::Members { group, people }),
        1 => (by, any::<bool>()).prop_map(|(person, disabled)| Step::Disable { person, disabled }),
        1 => Just(Step::Write),
        1 => rule().prop_map(Step::Rule),
        1 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// What the model knows of a request.
struct Held {
    id: String,
    by: usize,
    rule: Rule,
    version: u64,
    ends_at: i64,
    approved_by: BTreeSet<usize>,
    uses_left: u32,
    is_over: bool,
}

struct Model {
    vault: TestVault,
    storage: Arc<dyn Storage>,
    tokens: Vec<String>,
    entities: Vec<String>,
    groups: [BTreeSet<usize>; 2],
    disabled: BTreeSet<usize>,
    rule: Rule,
    version: u64,
    now: i64,
    denied_at: [Option<i64>; PEOPLE],
    requests: Vec<Held>,
    released: usize,
    /// Counts them, from 100; each server draws from a seed of its own.
    restarts: u64,
}

impl Model {
    async fn new(rule: Rule) -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let vault = TestVault::over(Arc::clone(&storage)).await.furnished().await;
        let accessor = vault.expect(200, "GET", "sys/auth", None).await["data"]["token/"]["accessor"].clone();
        let role = json!({"allowed_entity_aliases": "p*", "allowed_policies": "staff", "orphan": true});
        vault.expect(204, "POST", "auth/token/roles/person", Some(role)).await;
        let (mut tokens, mut entities) = (Vec::new(), Vec::new());
        for person in 0..PEOPLE {
            let made = vault.expect(200, "POST", "identity/entity", Some(json!({"name": format!("p{person}")}))).await;
            let id = made["data"]["id"].as_str().unwrap().to_owned();
            let alias = json!({"name": format!("p{person}"), "canonical_id": id, "mount_accessor": accessor});
            vault.expect(200, "POST", "identity/entity-alias", Some(alias)).await;
            let body = json!({"entity_alias": format!("p{person}"), "policies": ["staff"], "ttl": "700h"});
            let made = vault.expect(200, "POST", "auth/token/create/person", Some(body)).await;
            tokens.push(made["auth"]["client_token"].as_str().unwrap().to_owned());
            entities.push(id);
        }
        let mut model = Self {
            vault,
            storage,
            tokens,
            entities,
            groups: [BTreeSet::from([0, 1, 2]), BTreeSet::from([2, 3])],
            disabled: BTreeSet::new(),
            rule,
            version: 0,
            now: 0,
            denied_at: [None; PEOPLE],
            requests: Vec::new(),
            released: 0,
            restarts: 100,
        };
        for group in 0..2 {
            model.write_group(group).await;
        }
        model.write_rule(rule).await;
        model.write().await;
        model
    }

    async fn write(&mut self) {
        self.version += 1;
        let body = json!({"data": {"version": self.version}});
        self.vault.expect(200, "POST", PATH, Some(body)).await;
    }

    /// Writes the rule, if anybody could ever meet it.
    async fn write_rule(&mut self, rule: Rule) {
        let Rule { leads, security, uses, latest } = rule;
        let factor = |name: &str, approvals: u8| {
            format!("factor \"{name}\" {{ identity {{ group_names = [\"{name}\"] approvals = {approvals} }} }}\n")
        };
        let second = if security > 0 { factor("security", security) } else { String::new() };
        let binds = if latest { "latest" } else { "version" };
        let text = format!(
            "path \"{PATH}\" {{ capabilities = [\"read\"]\n control_group {{ {}{second} uses = {uses} binds = \"{binds}\" \
             ttl = {TTL_SECONDS} }} }}",
            factor("leads", leads)
        );
        let is_reachable = self.fills(&(0..PEOPLE).collect::<Vec<_>>(), rule);
        let status = if is_reachable { 204 } else { 400 };
        self.vault.expect(status, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": text }))).await;
        if is_reachable {
            self.rule = rule;
        }
    }

    async fn write_group(&self, group: usize) {
        let members: Vec<_> = self.groups[group].iter().map(|person| &self.entities[*person]).collect();
        let name = ["leads", "security"][group];
        let body = json!({"name": name, "member_entity_ids": members}).to_string();
        let (status, answer) = self.vault.call("POST", "identity/group", &self.vault.root, Some(&body)).await;
        assert!(status.is_success(), "{answer}");
    }

    async fn call(&self, by: usize, method: &str, path: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self.vault.call(method, path, &self.tokens[by], Some(&body.to_string())).await;
        (status.as_u16(), answer)
    }

    fn is_open(&self, held: &Held) -> bool {
        !held.is_over && self.now < held.ends_at && held.uses_left > 0
    }

    fn enough(&self, held: &Held) -> bool {
        let present: Vec<usize> = held
            .approved_by
            .iter()
            .copied()
            .filter(|person| *person != held.by && !self.disabled.contains(person))
            .collect();
        self.fills(&present, held.rule)
    }

    /// Tries every way of giving different people the places.
    fn fills(&self, present: &[usize], rule: Rule) -> bool {
        (0..3_usize.pow(u32::try_from(present.len()).unwrap())).any(|mut choice| {
            let mut filled = [0_u8; 2];
            for person in present {
                let place = choice % 3;
                choice /= 3;
                if place < 2 && self.groups[place].contains(person) {
                    filled[place] += 1;
                }
            }
            filled[0] >= rule.leads && filled[1] >= rule.security
        })
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Ask { by } => self.ask(by).await,
            Step::Approve { by, request } => self.approve(by, request).await,
            Step::Deny { by, request } => self.deny(by, request).await,
            Step::Cancel { by, request } => self.cancel(by, request).await,
            Step::Redeem { by, request } => self.redeem(by, request).await,
            Step::Members { group, people } => {
                self.groups[group] = people;
                self.write_group(group).await;
            }
            Step::Disable { person, disabled } => {
                if disabled {
                    self.disabled.insert(person)
                } else {
                    self.disabled.remove(&person)
                };
                let path = format!("identity/entity/id/{}", self.entities[person]);
                self.vault.expect(204, "POST", &path, Some(json!({ "disabled": disabled }))).await;
            }
            Step::Write => self.write().await,
            Step::Rule(rule) => self.write_rule(rule).await,
            Step::Wait => {
                self.now += STEP_SECONDS;
                self.vault.clock.advance_seconds(STEP_SECONDS);
            }
            Step::Restart => {
                self.restarts += 1;
                let mut again = TestVault::over_drawing(Arc::clone(&self.storage), self.restarts).await;
                again.clock.advance_seconds(self.now);
                (again.root, again.keys) = (self.vault.root.clone(), self.vault.keys.clone());
                again.unseal().await;
                self.vault = again;
            }
        }
    }

    async fn ask(&mut self, by: usize) {
        let (status, answer) = self.call(by, "GET", PATH, json!({})).await;
        let paused = self.denied_at[by].is_some_and(|at| self.now < at + 15 * 60);
        match (self.disabled.contains(&by), paused) {
            (true, _) => assert_eq!(status, 403, "{answer}"),
            (false, true) => assert_eq!(status, 429, "{answer}"),
            (false, false) => {
                assert_eq!((status, &answer["data"]), (200, &Value::Null), "{answer}");
                self.requests.push(Held {
                    id: answer["wrap_info"]["accessor"].as_str().unwrap().to_owned(),
                    by,
                    rule: self.rule,
                    version: self.version,
                    ends_at: self.now + TTL_SECONDS,
                    approved_by: BTreeSet::new(),
                    uses_left: self.rule.uses,
                    is_over: false,
                });
            }
        }
    }

    fn find(&self, request: usize) -> Option<usize> {
        self.requests.len().checked_sub(1).map(|last| last.saturating_sub(request))
    }

    fn counts(&self, held: &Held, person: usize) -> bool {
        self.groups[0].contains(&person) || (held.rule.security > 0 && self.groups[1].contains(&person))
    }

    async fn approve(&mut self, by: usize, request: usize) {
        let Some(at) = self.find(request) else { return };
        let held = &self.requests[at];
        let path = format!("sys/requests/{}/approve", held.id);
        let seen =
            self.vault.expect(200, "POST", "sys/control-group/request", Some(json!({"accessor": held.id}))).await;
        assert_eq!(seen["data"]["request_path"], json!(PATH));
        let (_, shown) = self.call(by, "GET", &format!("sys/requests/{}", held.id), json!({})).await;
        let digest = shown["data"]["digest"].clone();
        let (status, answer) = self.call(by, "POST", &path, json!({ "digest": digest })).await;
        let due = !self.disabled.contains(&by) && by != held.by && self.is_open(held) && self.counts(held, by);
        assert_eq!(status == 200, due, "{by} of {}: {answer}", held.id);
        if due {
            self.requests[at].approved_by.insert(by);
            assert_eq!(answer["data"]["approved"], json!(self.enough(&self.requests[at])), "{answer}");
        }
    }

    async fn deny(&mut self, by: usize, request: usize) {
        let Some(at) = self.find(request) else { return };
        let held = &self.requests[at];
        let path = format!("sys/requests/{}/deny", held.id);
        let (status, answer) = self.call(by, "POST", &path, json!({"reason": "no"})).await;
        let due = !self.disabled.contains(&by) && by != held.by && self.is_open(held) && self.counts(held, by);
        assert_eq!(status == 204, due, "{by} of {}: {answer}", held.id);
        if due {
            let asker = held.by;
            self.requests[at].is_over = true;
            self.denied_at[asker] = Some(self.now);
        }
    }

    async fn cancel(&mut self, by: usize, request: usize) {
        let Some(at) = self.find(request) else { return };
        let held = &self.requests[at];
        let (status, answer) = self.call(by, "POST", &format!("sys/requests/{}/cancel", held.id), json!({})).await;
        let due = !self.disabled.contains(&by) && by == held.by && self.is_open(held);
        assert_eq!(status == 204, due, "{by} of {}: {answer}", held.id);
        self.requests[at].is_over |= due;
    }

    async fn redeem(&mut self, by: usize, request: usize) {
        let Some(at) = self.find(request) else { return };
        let held = &self.requests[at];
        let (status, answer) = self.call(by, "POST", &format!("sys/requests/{}/redeem", held.id), json!({})).await;
        let gate = !self.disabled.contains(&by)
            && by == held.by
            && self.is_open(held)
            && held.rule == self.rule
            && self.enough(held);
        let is_there = held.rule.latest || held.version == self.version;
        assert_eq!(status == 200, gate && is_there, "{by} of {}: {status} {answer}", held.id);
        if status == 200 {
            assert_eq!(answer["data"]["data"], json!({"version": self.version}));
            self.released += 1;
            self.requests[at].uses_left -= 1;
        } else {
            assert!(answer.get("data").is_none(), "{answer}");
            // Who tries with everybody's agreement learns that it is stale, and so it ends.
            self.requests[at].is_over |= gate;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_released_without_enough_people(first in rule(), steps in prop::collection::vec(step(), 10..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new(first).await;
            for step in steps {
                model.take(step).await;
            }
        });
    }
}

#[test]
fn the_model_releases_what_enough_people_agree_to() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut model = Model::new(Rule { leads: 2, security: 1, uses: 1, latest: false }).await;
        let approve = |by| Step::Approve { by, request: 0 };
        let redeem = || Step::Redeem { by: 4, request: 0 };
        let steps =
            [Step::Ask { by: 4 }, approve(0), approve(2), redeem(), Step::Restart, approve(1), redeem(), redeem()];
        for step in steps {
            model.take(step).await;
        }
        assert_eq!(model.released, 1, "0 and 1 are leads, 2 fills security");
    });
}
