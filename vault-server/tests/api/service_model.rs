//! Random charters over random requests in a vault in service: a change is made if and only if, at that moment, stewards whom the
//! charter of the question names have signed it in numbers that its rule asks for, and that charter is still in force.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use vault_core::charter::Charter;

use crate::change_control::{EVERYBODY, Service};
use crate::custody::{charter_of, handout, proof, question};

#[derive(Clone, Debug)]
enum Step {
    Ask { by: usize },
    Sign { by: usize, request: usize },
    Redeem { request: usize },
    Charter(Rules),
    Wait,
}

/// What the charters differ in: who is in operations besides dan, and how many of which team change things.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Rules {
    operations: BTreeSet<usize>,
    security_needed: u8,
    operations_needed: u8,
}

impl Rules {
    fn first() -> Self {
        Self { operations: BTreeSet::from([3, 4]), security_needed: 1, operations_needed: 1 }
    }

    fn text(&self) -> String {
        let names: Vec<_> = self.operations.iter().map(|person| format!("\"{}\"", EVERYBODY[*person])).collect();
        let mut parts = Vec::new();
        for (needed, team) in [(self.security_needed, "security"), (self.operations_needed, "operations")] {
            if needed > 0 {
                parts.push(format!("{needed} of {team}"));
            }
        }
        format!(
            "\n[team]\nsecurity = [\"alice\", \"bob\", \"carol\"]\noperations = [{}]\nall = [\"alice\", \"bob\", \"carol\", \"dan\", \
             \"erin\"]\n[quorum]\nunseal = \"2 of all\"\nchange = \"{}\"\ncharter = \"2 of all\"\n",
            names.join(", "),
            parts.join(" and ")
        )
    }

    /// Tries every way of giving different people the places.
    fn are_met_by(&self, signers: &BTreeSet<usize>) -> bool {
        let signers: Vec<usize> = signers.iter().copied().collect();
        (0..3_usize.pow(u32::try_from(signers.len()).unwrap())).any(|mut choice| {
            let mut filled = [0_u8; 2];
            for person in &signers {
                let is_member = [*person < 3, self.operations.contains(person)];
                let place = choice % 3;
                choice /= 3;
                if place < 2 && is_member[place] {
                    filled[place] += 1;
                }
            }
            filled[0] >= self.security_needed && filled[1] >= self.operations_needed
        })
    }

    fn names(&self, person: usize) -> bool {
        (self.security_needed > 0 && person < 3) || (self.operations_needed > 0 && self.operations.contains(&person))
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let needed = prop_oneof![Just((1, 1)), Just((2, 0)), Just((0, 1)), Just((1, 0)), Just((2, 1))];
    (prop::collection::btree_set(0..EVERYBODY.len(), 0..4), needed).prop_map(
        |(mut operations, (security, of_operations))| {
            operations.insert(3);
            Rules { operations, security_needed: security, operations_needed: of_operations }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let (by, request) = (0..EVERYBODY.len(), 0..3_usize);
    prop_oneof![
        3 => by.clone().prop_map(|by| Step::Ask { by }),
        8 => (by, request.clone()).prop_map(|(by, request)| Step::Sign { by, request }),
        3 => request.prop_map(|request| Step::Redeem { request }),
        1 => rules().prop_map(Step::Charter),
        1 => Just(Step::Wait),
    ]
}

struct Held {
    id: String,
    policy: String,
    by: usize,
    epoch: u32,
    ends_at: i64,
    signed_by: BTreeSet<usize>,
    is_over: bool,
}

struct Model {
    service: Service,
    tokens: Vec<String>,
    charter: Charter,
    rules: Rules,
    now: i64,
    requests: Vec<Held>,
}

impl Model {
    async fn new() -> Self {
        let service = Service::new().await;
        let mut tokens = Vec::new();
        for name in EVERYBODY {
            tokens.push(service.login(name).await);
        }
        let charter = charter_of(&service.people.first());
        let mut model = Self { service, tokens, charter, rules: Rules::first(), now: 0, requests: Vec::new() };
        model.replace_charter(Rules::first()).await;
        model
    }

    async fn replace_charter(&mut self, rules: Rules) {
        let (vault, people) = (&self.service.vault, &self.service.people);
        let next = people.charter(Some(&self.charter), &EVERYBODY, &rules.text(), &EVERYBODY);
        let made = vault.expect_as("", 200, "POST", "sys/custody/rekey", Some(handout(&next))).await;
        for sealed in made["sealed_shares"].as_array().unwrap() {
            let mine = people.open(sealed["person"].as_str().unwrap(), sealed);
            let sent = proof(&question(vault).await, &mine, Some(&charter_of(&next).digest()));
            vault.expect_as("", 200, "POST", "sys/custody/acknowledge", Some(sent)).await;
        }
        (self.charter, self.rules) = (charter_of(&next), rules);
    }

    fn is_open(&self, held: &Held) -> bool {
        !held.is_over && self.now < held.ends_at
    }

    fn may_be_made(&self, held: &Held) -> bool {
        self.is_open(held) && held.epoch == self.charter.epoch() && self.rules.are_met_by(&held.signed_by)
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Ask { by } => {
                let policy = format!("p{}", self.requests.len());
                let path = format!("sys/policies/acl/{policy}");
                let body = json!({"policy": "path \"kv/x\" { capabilities = [\"read\"] }"});
                let id = self.service.ask(&self.tokens[by], "PUT", &path, body).await;
                let (epoch, ends_at) = (self.charter.epoch(), self.now + 7 * 86_400);
                let signed_by = BTreeSet::new();
                self.requests.push(Held { id, policy, by, epoch, ends_at, signed_by, is_over: false });
            }
            Step::Sign { by, request } => self.sign(by, request).await,
            Step::Redeem { request } => self.redeem(request).await,
            Step::Charter(rules) => self.replace_charter(rules).await,
            // Logins live for a month.
            Step::Wait if self.now > 20 * 86_400 => {}
            Step::Wait => {
                self.now += 3 * 86_400;
                self.service.vault.clock.advance_seconds(3 * 86_400);
            }
        }
        self.check().await;
    }

    fn find(&self, request: usize) -> Option<usize> {
        self.requests.len().checked_sub(1).map(|last| last.saturating_sub(request))
    }

    async fn sign(&mut self, by: usize, request: usize) {
        let Some(at) = self.find(request) else { return };
        let held = &self.requests[at];
        let path = format!("sys/requests/{}", held.id);
        let (_, seen) = self.service.vault.call("GET", &path, &self.tokens[by], None).await;
        let statement = seen["data"]["statement"].as_str().unwrap_or("nothing that concerns them").to_owned();
        let body = self.service.signed(vault_core::approval::APPROVAL_PAYLOAD_TYPE, &statement, &[EVERYBODY[by]]);
        let path = format!("{path}/approve");
        let (status, answer) = self.service.vault.call("POST", &path, &self.tokens[by], Some(&body.to_string())).await;
        let due = self.is_open(held) && by != held.by && self.rules.names(by);
        assert_eq!(status.is_success(), due, "{by}: {answer}");
        if due {
            self.requests[at].signed_by.insert(by);
            let is_made = self.may_be_made(&self.requests[at]);
            self.requests[at].is_over |= is_made;
        }
    }

    async fn redeem(&mut self, request: usize) {
        let Some(at) = self.find(request) else { return };
        let held = &self.requests[at];
        let path = format!("sys/requests/{}/redeem", held.id);
        let (status, answer) = self.service.vault.call("POST", &path, &self.tokens[held.by], None).await;
        let due = self.may_be_made(held);
        assert_eq!(status.is_success(), due, "{answer}");
        self.requests[at].is_over |= due;
    }

    /// A policy is there if and only if its request was made.
    async fn check(&self) {
        for held in &self.requests {
            let path = format!("sys/policies/acl/{}", held.policy);
            let (status, _) = self.service.vault.call("GET", &path, &self.tokens[0], None).await;
            assert_eq!(status.is_success(), held.is_over, "{}", held.policy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn charters_decide_what_stewards_change(steps in prop::collection::vec(step(), 10..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in steps {
                model.take(step).await;
            }
        });
    }
}

#[tokio::test]
async fn the_model_makes_what_stewards_sign() {
    let mut model = Model::new().await;
    let sign = |by| Step::Sign { by, request: 0 };
    for step in [Step::Ask { by: 0 }, sign(1), sign(2), sign(4)] {
        model.take(step).await;
    }
    assert!(model.requests[0].is_over, "security and operations have signed");
}
