//! Against the way of a request itself: what permission and gate let pass is in the report, and what is in the report passes.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::approval::{Gate, Passage};
use crate::auth::Identity;
use crate::barrier::KeyringFacts;
use crate::engines::Surroundings;
use crate::engines::test_store::{START, TestStore};
use crate::flow::{Identified, Target};
use crate::id::{Term, VaultId};
use crate::policy::IdentityFacts;
use crate::request::Operation;
use crate::view::View;

/// Paths below mounts: what goes nowhere is not held back, and reads and changes nothing.
const PATHS: [&str; 15] = [
    "sys/policies/acl/p",
    "sys/policies/acl",
    "sys/auth/people",
    "sys/auth/people/tune",
    "sys/auth",
    "sys/mounts/kv/tune",
    "sys/seal",
    "sys/rotate",
    "sys/audit/file",
    "sys/leases/count",
    "auth/token/create",
    "auth/token/roles/r",
    "identity/entity/id/x",
    "secret/data/a",
    "secret/data/a/b",
];

const PATTERNS: [&str; 16] = [
    "*",
    "sys/*",
    "sys/auth/*",
    "sys/auth/+/tune",
    "sys/policies/*",
    "sys/policies/acl/+",
    "sys/+",
    "sys/mounts/+/+",
    "sys/seal",
    "auth/token/*",
    "auth/+/create",
    "identity/+/id/*",
    "secret/data/*",
    "secret/data/+",
    "secret/+/a/b",
    "nowhere/+",
];

/// Who asks with what rules.
struct Asker {
    token: Token,
    acl: Arc<crate::policy::Acl>,
}

impl Asker {
    /// Sends a request on its way as far as the gate, and tells whether it passes alone.
    fn passes(&self, tables: &Tables, store: &TestStore, path: &str, capability: Capability) -> bool {
        let operation = match capability {
            Capability::Read => Operation::Read,
            Capability::List => Operation::List,
            Capability::Patch => Operation::Patch,
            Capability::Delete => Operation::Delete,
            _ => Operation::Write,
        };
        let mut request = store.request(operation, path, None, None);
        if operation == Operation::List {
            request.path = request.path.into_folder();
        }
        let target = Target::find(tables, request.path.as_str()).map(|(target, _)| target);
        let identified = Identified::new(request, Identity::for_test("asker", self.token.clone(), &store.names));
        let Ok(permitted) = identified.permit(&self.acl, target, capability == Capability::Update) else {
            return false;
        };
        let around = Surroundings {
            tables,
            names: &store.names,
            token_ids: &store.token_ids,
            batch_tokens: &store.batch_tokens,
            audit_values: &store.token_ids,
            now: START,
            keyring: KeyringFacts { term: Term(1), installed_at: START, encryptions: 0 },
            vault: VaultId([1; 16]),
            tells: false,
        };
        match Gate::default().pass(permitted, &around, &mut View::default()) {
            Ok(Passage::Approved(_)) => true,
            Ok(Passage::Held(_)) => false,
            Err(_) => panic!("the gate waits for nothing"),
        }
    }
}

fn any_vault() -> impl Strategy<Value = Vault> {
    const ALL: [&str; 7] = ["create", "read", "update", "patch", "delete", "list", "sudo"];
    let capabilities = prop_oneof![
        1 => Just(vec!["deny"]),
        6 => proptest::sample::subsequence(ALL.to_vec(), 1..=7),
    ];
    let rule = (proptest::sample::select(&PATTERNS[..]), capabilities, 0..4_u8).prop_map(|(path, words, held)| {
        let group = "control_group = { factor \"f\" { identity { group_names = [\"g\"] approvals = 1 } } }";
        let group = if held == 0 { group } else { "" };
        format!("path \"{path}\" {{\n capabilities = [\"{}\"]\n{group}\n}}\n", words.join("\", \""))
    });
    proptest::collection::vec(proptest::collection::vec(rule, 0..5), 3).prop_map(|policies| {
        let vault = ["p", "q", "r"].into_iter().zip(policies);
        let vault = vault.fold(Vault::default(), |vault, (name, rules)| vault.policy(name, &rules.concat()));
        vault.token("one", &["p", "q"], None).token("other", &["q", "r"], None)
    })
}

fn askers(vault: &Vault, tables: &Tables) -> Vec<Asker> {
    let acl = |token: &Token| Arc::new(tables.acl(&token.policies, &IdentityFacts::default()));
    vault.tokens.iter().map(|token| Asker { token: token.clone(), acl: acl(token) }).collect()
}

fn can(lines: &[Line], asker: &Asker, capability: Capability) -> bool {
    let is_asker = |owner: &Owner| matches!(owner, Owner::Token { accessor, .. } if *accessor == asker.token.accessor);
    lines.iter().any(|line| line.capabilities.contains(&capability) && line.who.iter().any(is_asker))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_passes_the_gate_is_in_the_report(vault in any_vault()) {
        let (tables, store) = (vault.tables(), TestStore::new());
        let report = vault.report(None, &PATTERNS);
        for asker in askers(&vault, &tables) {
            for (path, capability) in PATHS.iter().flat_map(|path| OPERATING.map(|capability| (path, capability))) {
                if !asker.passes(&tables, &store, path, capability) {
                    continue;
                }
                let path = if capability == Capability::List { format!("{path}/") } else { (*path).to_owned() };
                for pattern in PATTERNS.iter().filter(|own| Scope::parse(own).unwrap().fits(&path, capability)) {
                    let found = report.violations.iter().filter(|violation| violation.pattern == **pattern);
                    let is_told = found.into_iter().any(|violation| can(&violation.lines, &asker, capability));
                    prop_assert!(is_told, "{} {:?} {} {}", pattern, capability, path, asker.token.accessor);
                }
            }
        }
    }

    #[test]
    fn what_is_in_the_report_passes_the_gate(vault in any_vault()) {
        let (tables, store) = (vault.tables(), TestStore::new());
        let report = vault.report(None, &[]);
        let lines = report.alone.iter().flat_map(|alone| &alone.lines);
        let power = report.acts_of_power.iter().flat_map(|act| &act.by_token);
        for line in lines.chain(power) {
            let first = line.capabilities.first().copied().unwrap();
            let mut askers = askers(&vault, &tables).into_iter().filter(|asker| can(std::slice::from_ref(line), asker, first));
            prop_assert!(askers.any(|asker| asker.passes(&tables, &store, &line.example, first)), "{:?}", line);
        }
    }
}
