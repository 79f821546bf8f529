//! What the barrier costs: wrapping and opening the keyring, unsealing, and the keyed hashes that name rows.
//!
//! Rows are sealed and opened only in the flow of a request, so that is where their cost is measured.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark")]

use divan::{Bencher, black_box};
use rand::{SeedableRng, rngs::StdRng};
use vault_core::barrier::Barrier;
use vault_core::id::{Revision, UnsealAttemptId, VaultId};
use vault_core::names::Domain;
use vault_core::seal::{AtRest, KEYRING_ROW, SEAL_CONFIG_ROW, SealSettings, Sealed, Step, initialise};
use vault_core::secret::SecretKey;
use vault_core::sharing::{Share, Threshold};
use vault_core::store::{Row, RowKey, Write};
use vault_core::time::Timestamp;

const VAULT: VaultId = VaultId([1; 16]);
const NOW: Timestamp = Timestamp(0);

fn main() {
    divan::main();
}

#[divan::bench]
fn wrap_keyring(bencher: Bencher<'_, '_>) {
    let mut rng = StdRng::seed_from_u64(1);
    let barrier = Barrier::generate(VAULT, NOW, &mut rng);
    let key = SecretKey::random(&mut rng);
    bencher.bench_local(|| barrier.wrap_keyring(&key, None, None, &mut rng).unwrap());
}

#[divan::bench]
fn unwrap_keyring(bencher: Bencher<'_, '_>) {
    let mut rng = StdRng::seed_from_u64(1);
    let key = SecretKey::random(&mut rng);
    let wrapped = Barrier::generate(VAULT, NOW, &mut rng).wrap_keyring(&key, None, None, &mut rng).unwrap();
    bencher.bench_local(|| Barrier::unwrap_keyring(VAULT, &key, black_box(&wrapped), None, NOW).unwrap());
}

#[divan::bench]
fn name_of_an_entry(bencher: Bencher<'_, '_>) {
    let barrier = Barrier::generate(VAULT, NOW, &mut StdRng::seed_from_u64(1));
    let folder = barrier.names().root(Domain::Data, "mount");
    bencher.bench_local(|| barrier.names().entry(&folder, black_box("database")));
}

#[divan::bench]
fn initialise_3_of_5(bencher: Bencher<'_, '_>) {
    let mut rng = StdRng::seed_from_u64(1);
    let threshold = Threshold::new(3, 5).unwrap();
    bencher.bench_local(|| initialise(threshold, VAULT, NOW, &mut rng).unwrap());
}

#[divan::bench]
fn unseal_3_of_5(bencher: Bencher<'_, '_>) {
    let mut rng = StdRng::seed_from_u64(1);
    let new = initialise(Threshold::new(3, 5).unwrap(), VAULT, NOW, &mut rng).unwrap();
    let shares: Vec<String> = new.shares.iter().map(|share| share.to_text().expose().to_owned()).collect();
    let (_, writes) = new.batch.into_parts();
    let attempt = UnsealAttemptId::random(&mut rng);
    bencher.with_inputs(|| sealed(&writes)).bench_local_values(|sealed| {
        let mut collecting = sealed.begin(attempt, SealSettings::default(), NOW);
        for text in &shares {
            match collecting.add(Share::parse(text).unwrap(), NOW) {
                Ok(Step::More(next)) => collecting = next,
                Ok(Step::Done(unsealed)) => return unsealed,
                Err(_) => panic!("a good share was refused"),
            }
        }
        panic!("five shares did not unseal")
    });
}

fn sealed(writes: &[Write]) -> Sealed {
    let row = |wanted: RowKey| {
        writes.iter().find_map(|write| match write {
            Write::Put { key, label, value } if *key == wanted => {
                Some(Row { revision: Revision(1), label: label.clone(), value: value.clone() })
            }
            _ => None,
        })
    };
    match AtRest::read(row(SEAL_CONFIG_ROW).as_ref(), row(KEYRING_ROW).as_ref(), None).unwrap() {
        AtRest::Sealed(sealed) => sealed,
        AtRest::Uninitialised => panic!("the batch does not write both rows"),
    }
}
