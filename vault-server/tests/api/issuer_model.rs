//! Random logins that people and applications hand out, children of them, requests and votes, beside a model that follows whose
//! hands every login went through: whoever could have asked or taken by a login never agrees to it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::house::{House, ONE};
use crate::issuers::with_applications;

const PATH: &str = "secret/data/prod/root";

/// People by name; ben and cat are leads.
const PEOPLE: [&str; 4] = ["ann", "ben", "cat", "dan"];
const LEADS: [usize; 2] = [1, 2];
const ROLES: [&str; 3] = ["app", "deployer", "worker"];

/// Issuing a secret id by some login, and logging in with it; making a token of one's own, or one that acts for nobody; and what
/// people do with requests.
#[derive(Clone, Debug)]
enum Step {
    Issue { by: usize, role: usize },
    Child { of: usize },
    Orphan { of: usize },
    Ask { by: usize },
    Approve { by: usize, request: usize },
    Redeem { by: usize, request: usize },
}

/// Who speaks by a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Who {
    Person(usize),
    Application(usize),
    Nobody,
}

struct Login {
    token: String,
    who: Who,
    /// Who that is, or who made it.
    behind: Who,
    hands: BTreeSet<Who>,
}

struct Request {
    id: String,
    by: Who,
    hands: BTreeSet<Who>,
    approved_by: BTreeSet<usize>,
    is_released: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let (any, request) = (0..64_usize, 0..3_usize);
    let role = prop_oneof![3 => Just(0), 1 => 0..ROLES.len()];
    prop_oneof![
        3 => (any.clone(), role).prop_map(|(by, role)| Step::Issue { by, role }),
        1 => any.clone().prop_map(|of| Step::Child { of }),
        1 => any.clone().prop_map(|of| Step::Orphan { of }),
        4 => any.clone().prop_map(|by| Step::Ask { by }),
        6 => (any.clone(), request.clone()).prop_map(|(by, request)| Step::Approve { by, request }),
        4 => (any, request).prop_map(|(by, request)| Step::Redeem { by, request }),
    ]
}

struct Model {
    house: House,
    logins: Vec<Login>,
    requests: Vec<Request>,
}

impl Model {
    async fn new() -> Self {
        let house = with_applications(ONE).await;
        let mut logins = Vec::new();
        for (person, name) in PEOPLE.into_iter().enumerate() {
            let token = house.login(name).await;
            let who = Who::Person(person);
            logins.push(Login { token, who, behind: who, hands: BTreeSet::new() });
        }
        Self { house, logins, requests: Vec::new() }
    }

    /// Finds a login: half of the time of a person, else one of those that were made last.
    fn login(&self, by: usize) -> &Login {
        let (choice, last) = (by / 2, self.logins.len() - 1);
        &self.logins[if by.is_multiple_of(2) { choice % PEOPLE.len() } else { last - choice % PEOPLE.len() }]
    }

    fn request(&self, request: usize) -> Option<usize> {
        self.requests.len().checked_sub(1).map(|last| last.saturating_sub(request))
    }

    async fn call(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self.house.vault.call("POST", path, token, Some(&body.to_string())).await;
        (status.as_u16(), answer)
    }

    async fn carry_out(&mut self, step: Step) {
        match step {
            Step::Issue { by, role } => {
                let Login { token, behind, hands, .. } = self.login(by);
                let hands = hands.iter().chain([behind]).copied().collect();
                let token = self.house.application(token, ROLES[role]).await;
                let who = Who::Application(role);
                self.logins.push(Login { token, who, behind: who, hands });
            }
            Step::Child { of } => self.make(of, "auth/token/create").await,
            Step::Orphan { of } => self.make(of, "auth/token/create-orphan").await,
            Step::Ask { by } => self.ask(by).await,
            Step::Approve { by, request } => self.approve(by, request).await,
            Step::Redeem { by, request } => self.redeem(by, request).await,
        }
    }

    async fn make(&mut self, of: usize, path: &str) {
        let Login { token, who, behind, hands } = self.login(of);
        let (status, made) = self.call(token, path, json!({"policies": ["staff"]})).await;
        // Batch tokens, which the application `worker` has, make none.
        assert_eq!(status == 200, *who != Who::Application(2), "{made}");
        if status == 200 {
            let token = made["auth"]["client_token"].as_str().unwrap().to_owned();
            let who = if path.ends_with("orphan") { Who::Nobody } else { *who };
            let child = Login { token, who, behind: *behind, hands: hands.clone() };
            self.logins.push(child);
        }
    }

    async fn ask(&mut self, by: usize) {
        let Login { token, who, hands, .. } = self.login(by);
        let (status, answer) = self.house.vault.call("GET", PATH, token, None).await;
        assert_eq!(status == 200, *who != Who::Nobody, "{answer}");
        if status == 200 {
            let id = answer["wrap_info"]["accessor"].as_str().unwrap().to_owned();
            let request =
                Request { id, by: *who, hands: hands.clone(), approved_by: BTreeSet::new(), is_released: false };
            self.requests.push(request);
        }
    }

    async fn approve(&mut self, by: usize, request: usize) {
        let Some(at) = self.request(request) else { return };
        let (login, request) = (self.login(by), &self.requests[at]);
        let body = json!({ "accessor": request.id });
        let (status, answer) = self.call(&login.token, "sys/control-group/authorize", body).await;
        let voter = match login.who {
            Who::Person(person) if LEADS.contains(&person) && login.hands.is_empty() => Some(person),
            Who::Person(_) | Who::Application(_) | Who::Nobody => None,
        };
        let counts =
            |person: &usize| request.by != Who::Person(*person) && !request.hands.contains(&Who::Person(*person));
        let voter = voter.filter(|person| counts(person) && !request.is_released);
        assert_eq!(status == 200, voter.is_some(), "{:?}: {answer}", login.who);
        self.requests[at].approved_by.extend(voter);
    }

    async fn redeem(&mut self, by: usize, request: usize) {
        let Some(at) = self.request(request) else { return };
        let request = &self.requests[at];
        // Mostly by a login of whoever asked.
        let theirs: Vec<&Login> = self.logins.iter().filter(|login| login.who == request.by).collect();
        let login = if by.is_multiple_of(4) { self.login(by) } else { theirs[by % theirs.len()] };
        let (status, answer) = self.call(&login.token, &format!("sys/requests/{}/redeem", request.id), json!({})).await;
        let is_for_others = |person: &&usize| !login.hands.contains(&Who::Person(**person));
        let due =
            login.who == request.by && !request.is_released && request.approved_by.iter().any(|p| is_for_others(&p));
        assert_eq!(status == 200, due, "{:?}: {answer}", login.who);
        self.requests[at].is_released |= due;
    }
}

fn run(steps: Vec<Step>) -> Model {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut model = Model::new().await;
        for step in steps {
            model.carry_out(step).await;
        }
        model
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_agrees_to_what_they_could_have_asked_by_a_login_of_theirs(steps in prop::collection::vec(step(), 20..80)) {
        run(steps);
    }
}

#[test]
fn the_model_releases_what_somebody_else_agrees_to() {
    // By ben's secret id of the application; he does not count for it, and cat does.
    let (ben, cat, application) = (2, 4, 1);
    let approve = |by| Step::Approve { by, request: 0 };
    let redeem = || Step::Redeem { by: application, request: 0 };
    let issue = Step::Issue { by: ben, role: 0 };
    let model = run(vec![issue, Step::Ask { by: application }, approve(ben), redeem(), approve(cat), redeem()]);
    assert!(model.requests[0].is_released && model.requests[0].approved_by == BTreeSet::from([2]));
}
