//! What the sharing costs: splitting, verifying, combining, reading a share.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

use divan::{Bencher, black_box};
use rand::{SeedableRng, rngs::StdRng};
use vault_core::id::{Epoch, VaultFingerprint};
use vault_core::sharing::{Commitments, Share, Threshold, UnsealSecret, VerifiedShare, combine, split};

const SIZES: [(u64, u64); 4] = [(1, 1), (3, 5), (10, 20), (128, 255)];
const VAULT: VaultFingerprint = VaultFingerprint([1; 8]);

fn main() {
    divan::main();
}

fn set((needed, total): (u64, u64)) -> (Commitments, Vec<Share>) {
    let mut rng = StdRng::seed_from_u64(1);
    let threshold = Threshold::new(needed, total).unwrap();
    split(&UnsealSecret::random(&mut rng), threshold, VAULT, Epoch::FIRST, &mut rng).unwrap()
}

fn copy(share: &Share) -> Share {
    Share::from_bytes(share.to_bytes().expose()).unwrap()
}

#[divan::bench(args = SIZES)]
fn split_secret(bencher: Bencher<'_, '_>, size: (u64, u64)) {
    let mut rng = StdRng::seed_from_u64(1);
    let secret = UnsealSecret::random(&mut rng);
    let threshold = Threshold::new(size.0, size.1).unwrap();
    bencher.bench_local(|| split(&secret, threshold, VAULT, Epoch::FIRST, &mut rng).unwrap());
}

#[divan::bench(args = SIZES)]
fn verify_one(bencher: Bencher<'_, '_>, size: (u64, u64)) {
    let (commitments, shares) = set(size);
    let last = shares.last().unwrap();
    bencher.with_inputs(|| copy(last)).bench_local_values(|share| commitments.verify(share).unwrap());
}

#[divan::bench(args = SIZES)]
fn combine_needed(bencher: Bencher<'_, '_>, size: (u64, u64)) {
    let (commitments, shares) = set(size);
    let verified: Vec<VerifiedShare> = shares
        .into_iter()
        .take(commitments.threshold().needed().into())
        .map(|share| commitments.verify(share).unwrap())
        .collect();
    bencher.bench_local(|| combine(black_box(&verified), &commitments).unwrap());
}

#[divan::bench]
fn parse_text(bencher: Bencher<'_, '_>) {
    let text = set((3, 5)).1[0].to_text();
    bencher.bench_local(|| Share::parse(black_box(text.expose())).unwrap());
}

#[divan::bench]
fn find_the_mistyped_group(bencher: Bencher<'_, '_>) {
    let mut text = set((3, 5)).1[0].to_text().expose().to_owned();
    let other = if text.ends_with('q') { "p" } else { "q" };
    text.replace_range(text.len() - 1.., other);
    bencher.bench_local(|| Share::parse(black_box(&text)).err().unwrap());
}
