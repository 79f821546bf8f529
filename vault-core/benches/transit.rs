//! What a call of the transit engine costs besides its read: parsing, the key's row, the cryptography, the reply.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark may stop at the first surprise")]

use std::collections::BTreeMap;
use std::sync::Arc;

use divan::{Bencher, black_box};
use rand::SeedableRng;
use rand::rngs::StdRng;
use vault_core::auth::Sender;
use vault_core::auth::token::BatchTokens;
use vault_core::barrier::KeyringFacts;
use vault_core::engines::{self, Call, Change, Step};
use vault_core::id::{MountId, RequestId, Revision, Term, VaultId};
use vault_core::keys::KeyedHash;
use vault_core::mounts::{Mount, MountSettings, Tables};
use vault_core::names::{Names, Slot};
use vault_core::path::RequestPath;
use vault_core::reply::Reply;
use vault_core::request::{Operation, Request};
use vault_core::secret::{SecretBytes, SecretKey};
use vault_core::time::Timestamp;
use vault_core::view::{Interrupt, Opened, View, Want};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

/// 256 zero bytes.
fn plaintext() -> String {
    data_encoding::BASE64.encode(&[0; 256])
}

fn main() {
    divan::main();
}

struct Bench {
    mount: Mount,
    names: Names,
    token_ids: KeyedHash,
    batch_tokens: BatchTokens,
    tables: Tables,
    rng: StdRng,
    row: Option<(Slot, SecretBytes)>,
}

impl Bench {
    /// Makes a key of a type.
    fn new(kind: &str) -> Self {
        let key = SecretKey::fill_with(|key| key.fill(5));
        let mount = Mount {
            path: "t/".to_owned(),
            kind: "transit".to_owned(),
            id: MountId([1; 16]),
            accessor: "transit_00000000".to_owned(),
            description: String::new(),
            options: BTreeMap::new(),
            settings: MountSettings::default(),
        };
        let mut bench = Self {
            mount,
            names: Names::new(&key),
            token_ids: KeyedHash::new(&key),
            batch_tokens: BatchTokens::new(SecretKey::fill_with(|key| key.fill(6)), VaultId([1; 16])),
            tables: Tables::default(),
            rng: StdRng::seed_from_u64(1),
            row: None,
        };
        let step = bench.call(&request("keys/k", &format!("{{\"type\":\"{kind}\"}}")));
        bench.row = step.changes.into_iter().find_map(|change| match change {
            Change::Put { slot, payload } => Some((slot, payload)),
            _ => None,
        });
        bench
    }

    /// Calls as the driver does: twice, with the row between.
    fn call(&mut self, request: &Request) -> Step {
        let engine = engines::find("transit").unwrap();
        let path = request.path.as_str().strip_prefix("t/").unwrap();
        let route = engines::route(engine, &self.mount, path);
        let call = Call {
            request,
            sender: &Sender::Stranger,
            mount: &self.mount,
            path,
            route,
            tables: &self.tables,
            names: &self.names,
            token_ids: &self.token_ids,
            batch_tokens: &self.batch_tokens,
            audit_values: &self.token_ids,
            now: NOW,
            keyring: KeyringFacts { term: Term::FIRST, installed_at: NOW, encryptions: 0 },
            vault: VaultId([1; 16]),
            tells: false,
        };
        let mut view = View::default();
        loop {
            match engines::decide(&call, &mut view, &mut self.rng) {
                Ok(step) => return step,
                Err(Interrupt::Refuse(refusal)) => panic!("{refusal:?}"),
                Err(Interrupt::Fetch) => {
                    for want in view.wanted() {
                        let Want::Entry(slot) = want else { panic!("another want than an entry") };
                        let row = self.row.as_ref().filter(|(own, _)| *own == slot);
                        let payload = row.map(|(_, payload)| SecretBytes::new(payload.expose().to_vec()));
                        let opened = payload.map(|payload| Opened { revision: Revision(1), payload });
                        view.supply_entry(*slot.key(), opened);
                    }
                }
            }
        }
    }
}

fn request(path: &str, body: &str) -> Request {
    Request {
        id: RequestId([0; 16]),
        operation: Operation::Write,
        path: RequestPath::parse(format!("t/{path}").as_bytes()).unwrap(),
        parameters: Vec::new(),
        body: Some(SecretBytes::new(body.as_bytes().to_vec())),
        token: None,
        act: None,
        redeems: None,
        reason: None,
        wrap_ttl: None,
        certificates: Arc::default(),
        remote: "192.0.2.1:1000".parse().unwrap(),
        received_at: NOW,
        attempt: 1,
    }
}

const KINDS: [&str; 2] = ["aes256-gcm96", "chacha20-poly1305"];

#[divan::bench(args = KINDS)]
fn encrypt_256_bytes(bencher: Bencher<'_, '_>, kind: &str) {
    let mut bench = Bench::new(kind);
    let request = request("encrypt/k", &format!("{{\"plaintext\":\"{}\"}}", plaintext()));
    bencher.bench_local(|| bench.call(black_box(&request)).outcome.is_ok());
}

#[divan::bench(args = KINDS)]
fn decrypt_256_bytes(bencher: Bencher<'_, '_>, kind: &str) {
    let mut bench = Bench::new(kind);
    let sealed = bench.call(&request("encrypt/k", &format!("{{\"plaintext\":\"{}\"}}", plaintext())));
    let Ok(Reply::Content(content)) = sealed.outcome else { panic!("no ciphertext") };
    let data = content.data.unwrap();
    let request = request("decrypt/k", std::str::from_utf8(data.expose()).unwrap());
    bencher.bench_local(|| bench.call(black_box(&request)).outcome.is_ok());
}

#[divan::bench(args = ["ed25519", "ecdsa-p256"])]
fn sign(bencher: Bencher<'_, '_>, kind: &str) {
    let mut bench = Bench::new(kind);
    let request = request("sign/k", "{\"input\":\"dGV4dA==\"}");
    bencher.bench_local(|| bench.call(black_box(&request)).outcome.is_ok());
}
