//! A store without sealing, to run engines in tests as the driver does.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::{Call, Change, Effect, Engine};
use crate::audit::LogPosition;
use crate::auth::Sender;
use crate::auth::token::{BatchTokens, Finder, Reader, Token};
use crate::barrier::KeyringFacts;
use crate::id::{MountId, RequestId, Revision, Term, VaultId};
use crate::keys::KeyedHash;
use crate::mounts::{Mount, MountSettings, Tables};
use crate::names::{Folder, Names};
use crate::path::RequestPath;
use crate::question::{Answer, HttpQuestion, PasswordCost, Question};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::{Operation, Request};
use crate::secret::{SecretBytes, SecretKey, SecretText};
use crate::store::RowKey;
use crate::time::Timestamp;
use crate::view::{Interrupt, Opened, View, Want};

/// The moment at which tests begin.
pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000_000_000);

/// Rows in clear, with what a call needs besides.
pub(crate) struct TestStore {
    pub(crate) rows: BTreeMap<RowKey, (String, Vec<u8>)>,
    pub(crate) names: Names,
    pub(crate) token_ids: KeyedHash,
    pub(crate) batch_tokens: BatchTokens,
    pub(crate) tables: Tables,
    pub(crate) now: Timestamp,
    pub(crate) effects: Vec<Effect>,
    pub(crate) rng: StdRng,
    /// Answers what is asked of other servers.
    pub(crate) http: fn(&HttpQuestion) -> Answer,
    /// The costs of the password hashes that were asked for.
    pub(crate) hashes: RefCell<Vec<PasswordCost>>,
}

/// A token of the test's own.
pub(crate) fn token(policies: &[&str]) -> Token {
    Token {
        path: "auth/token/create".to_owned(),
        display_name: "token".to_owned(),
        ..Token::new("accessor".to_owned(), policies.iter().map(|&name| name.to_owned()).collect(), START)
    }
}

/// A mount of the test's own.
pub(crate) fn mount(path: &str, kind: &str, version: &str) -> Mount {
    Mount {
        path: path.to_owned(),
        kind: kind.to_owned(),
        id: MountId([1; 16]),
        accessor: format!("{kind}_00000000"),
        description: String::new(),
        options: BTreeMap::from([("version".to_owned(), version.to_owned())]),
        settings: MountSettings::default(),
    }
}

impl TestStore {
    pub(crate) fn new() -> Self {
        let key = SecretKey::fill_with(|key| key.fill(5));
        Self {
            rows: BTreeMap::new(),
            names: Names::new(&key),
            token_ids: KeyedHash::new(&key),
            batch_tokens: BatchTokens::new(SecretKey::fill_with(|key| key.fill(6)), VaultId([1; 16])),
            tables: Tables::default(),
            now: START,
            effects: Vec::new(),
            rng: StdRng::seed_from_u64(1),
            http: |_| Answer::Failed("no server is there".to_owned()),
            hashes: RefCell::default(),
        }
    }

    /// Draws bytes, such as for an id.
    pub(crate) fn rng_bytes<const N: usize>(&mut self) -> [u8; N] {
        use rand::Rng;
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// Makes a request; `address` may carry a query.
    pub(crate) fn request(
        &self,
        operation: Operation,
        address: &str,
        body: Option<&str>,
        token: Option<&str>,
    ) -> Request {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Request {
            id: RequestId([0; 16]),
            operation,
            path: RequestPath::parse(path.as_bytes()).unwrap(),
            parameters: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: body.map(|body| SecretBytes::new(body.as_bytes().to_vec())),
            token: token.map(|token| SecretText::new(token.to_owned())),
            act: None,
            redeems: None,
            reason: None,
            wrap_ttl: None,
            certificates: std::sync::Arc::default(),
            remote: "192.0.2.1:1000".parse().unwrap(),
            received_at: self.now,
            attempt: 1,
        }
    }

    /// Runs a call as the driver does: fetches until the engine decides, then applies the changes.
    pub(crate) fn run(
        &mut self,
        engine: &dyn Engine,
        mount: &Mount,
        sender: &Sender,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        let mut view = View::default();
        let mut rounds = 0;
        // The call borrows the store, so that the generator steps out of it meanwhile.
        let mut rng = std::mem::replace(&mut self.rng, StdRng::seed_from_u64(0));
        let step = loop {
            rounds += 1;
            assert!(rounds < 100, "the engine does not come to an end");
            let path = request.path.as_str().strip_prefix(mount.path.as_str()).unwrap();
            let call = self.call(engine, mount, sender, request, path);
            match super::decide(&call, &mut view, &mut rng) {
                Ok(step) => break Ok(step),
                Err(Interrupt::Refuse(refusal)) => break Err(refusal),
                Err(Interrupt::Fetch) => self.supply(&mut view),
            }
        };
        self.rng = rng;
        let step = step?;
        self.apply(step.changes);
        self.effects.extend(step.effects);
        step.outcome
    }

    /// Puts a call together as the driver does.
    pub(crate) fn call<'a>(
        &'a self,
        engine: &dyn Engine,
        mount: &'a Mount,
        sender: &'a Sender,
        request: &'a Request,
        path: &'a str,
    ) -> Call<'a> {
        Call {
            request,
            sender,
            mount,
            path,
            route: super::route(engine, mount, path),
            tables: &self.tables,
            names: &self.names,
            token_ids: &self.token_ids,
            batch_tokens: &self.batch_tokens,
            audit_values: &self.token_ids,
            now: self.now,
            keyring: KeyringFacts { term: Term(3), installed_at: START, encryptions: 7 },
            vault: VaultId([1; 16]),
            tells: true,
        }
    }

    /// Finds tokens by their texts.
    pub(crate) const fn reader(&self) -> Reader<'_> {
        let finder = Finder { names: &self.names, tables: &self.tables, now: self.now };
        Reader { finder, token_ids: &self.token_ids, batch_tokens: &self.batch_tokens }
    }

    /// Runs pure code that only reads.
    pub(crate) fn read<T>(&self, mut code: impl FnMut(&mut View) -> Result<T, Interrupt>) -> Result<T, Refusal> {
        let mut view = View::default();
        loop {
            match code(&mut view) {
                Ok(value) => return Ok(value),
                Err(Interrupt::Refuse(refusal)) => return Err(refusal),
                Err(Interrupt::Fetch) => self.supply(&mut view),
            }
        }
    }

    fn supply(&self, view: &mut View) {
        let wanted = view.wanted();
        assert!(!wanted.is_empty(), "the engine waits for nothing");
        for want in wanted {
            match want {
                Want::Entry(slot) => {
                    let opened = self.rows.get(slot.key()).map(|(_, payload)| Opened {
                        revision: Revision(1),
                        payload: SecretBytes::new(payload.clone()),
                    });
                    view.supply_entry(*slot.key(), opened);
                }
                Want::Presence(slot) => view.supply_presence(*slot.key(), self.rows.contains_key(slot.key())),
                Want::Answer(question) => {
                    let id = question.id();
                    let answer = match question {
                        Question::PasswordHash(question) => {
                            self.hashes.borrow_mut().push(question.cost);
                            question.compute().map_or_else(Answer::Failed, Answer::Hash)
                        }
                        Question::OpenDevice(_) => Answer::Opened(LogPosition::default()),
                        Question::Metrics(format) => Answer::Text(format!("{format:?}")),
                        Question::Server => Answer::Server(Box::default()),
                        Question::Http(question) => (self.http)(&question),
                    };
                    view.supply_answer(id, answer);
                }
                Want::List(folder) => view.supply_list(folder.id(), self.names_in(&folder)),
            }
        }
    }

    pub(crate) fn names_in(&self, folder: &Folder) -> Vec<String> {
        let inside = self.rows.iter().filter(|(key, _)| key.folder() == folder.id());
        inside.map(|(_, (name, _))| name.clone()).collect()
    }

    pub(crate) fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Put { slot, payload } => {
                    self.rows.insert(*slot.key(), (slot.name().to_owned(), payload.expose().to_vec()));
                }
                Change::Delete { slot } => drop(self.rows.remove(slot.key())),
                Change::DeleteOnly { slot } => {
                    let alone = self.rows.keys().all(|key| key.folder() != slot.key().folder() || key == slot.key());
                    assert!(alone, "the folder of {:?} holds more", slot.name());
                    self.rows.remove(slot.key());
                }
            }
        }
    }
}

/// Gives the data of a reply, for comparison.
pub(crate) fn data(reply: &Reply) -> Value {
    match reply {
        Reply::Empty | Reply::Wrapped(_) => Value::Null,
        Reply::Raw { body, .. } => serde_json::from_slice(body.expose()).unwrap(),
        Reply::Snapshot(_) | Reply::Restore(_) => panic!("a snapshot has no content in the core"),
        Reply::Content(content) | Reply::Gone(content) | Reply::Partial { content, .. } => {
            content.data.as_ref().map_or(Value::Null, |data| serde_json::from_slice(data.expose()).unwrap())
        }
    }
}
