//! Counts latencies in buckets that grow with the latency, so that any number of requests takes the same memory.

use std::time::Duration;

/// Buckets for each doubling: the error of a percentile is below 1/64.
const BUCKETS_PER_DOUBLING: u64 = 64;

/// Doublings above the linear start: latencies up to 64 × 2²⁵ microseconds, about 36 minutes.
const DOUBLINGS: u64 = 25;

const BUCKETS: usize = (BUCKETS_PER_DOUBLING * (DOUBLINGS + 1)) as usize;

/// How often each latency was seen.
pub(crate) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
}

impl Latencies {
    /// Begins to count.
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }

    /// Counts one latency; what is longer than the last bucket counts as the last bucket.
    pub(crate) fn add(&mut self, latency: Duration) {
        let bucket = bucket_of(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
            self.count += 1;
        }
    }

    /// Adds what another one counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self.count += other.count;
    }

    /// Gives how many were counted.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Gives the latency that `percent` of all do not exceed, in microseconds; zero when none was counted.
    pub(crate) fn percentile_microseconds(&self, percent: u64) -> u64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return highest_of(bucket);
            }
        }
        0
    }
}

/// The first [`BUCKETS_PER_DOUBLING`] buckets hold one microsecond each; then each doubling is cut into as many.
const fn bucket_of(microseconds: u64) -> usize {
    let doublings = (microseconds / BUCKETS_PER_DOUBLING + 1).ilog2() as u64;
    let doublings = if doublings > DOUBLINGS { DOUBLINGS } else { doublings };
    let start = ((1 << doublings) - 1) * BUCKETS_PER_DOUBLING;
    let within = (microseconds - start) >> doublings;
    let within = if within < BUCKETS_PER_DOUBLING { within } else { BUCKETS_PER_DOUBLING - 1 };
    (doublings * BUCKETS_PER_DOUBLING + within) as usize
}

/// Gives the longest latency that falls into `bucket`.
const fn highest_of(bucket: usize) -> u64 {
    let doublings = bucket as u64 / BUCKETS_PER_DOUBLING;
    let start = ((1 << doublings) - 1) * BUCKETS_PER_DOUBLING;
    start + ((bucket as u64 % BUCKETS_PER_DOUBLING + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_ends_where_the_next_begins() {
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(highest_of(bucket)), bucket);
            assert_eq!(bucket_of(highest_of(bucket) + 1), bucket + 1);
        }
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_what_a_sorted_list_says() {
        let mut latencies = Latencies::new();
        for microseconds in (1..=10_000).rev() {
            latencies.add(Duration::from_micros(microseconds));
        }
        for (percent, exact) in [(1, 100), (50, 5_000), (99, 9_900), (100, 10_000)] {
            let found = latencies.percentile_microseconds(percent);
            assert!(found >= exact && found <= exact + exact / 50, "{percent} %: {found}, not {exact}");
        }
        assert_eq!(Latencies::new().percentile_microseconds(99), 0);
    }

    #[test]
    fn merging_counts_both() {
        let (mut one, mut other) = (Latencies::new(), Latencies::new());
        one.add(Duration::from_micros(10));
        other.add(Duration::from_micros(50));
        other.add(Duration::from_micros(60));
        one.merge(&other);
        assert_eq!((one.count(), one.percentile_microseconds(50)), (3, 50));
    }
}
