//! Prints figures as a table: the median of all rounds.

use crate::load::Measured;

/// All rounds of one figure.
pub(crate) struct Rounds {
    name: String,
    measured: Vec<Measured>,
}

impl Rounds {
    /// Begins a figure.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), measured: Vec::new() }
    }

    /// Adds a round.
    pub(crate) fn add(&mut self, measured: Measured) {
        self.measured.push(measured);
    }

    /// Gives the median of the requests per second.
    pub(crate) fn requests_per_second(&self) -> f64 {
        median(self.measured.iter().map(|round| round.requests_per_second))
    }

    /// Gives the median of the server's CPU time for each request.
    pub(crate) fn cpu_microseconds(&self) -> f64 {
        median(self.measured.iter().map(|round| round.cpu_microseconds_per_request))
    }

    fn p50_microseconds(&self) -> f64 {
        median(self.measured.iter().map(|round| round.p50_microseconds as f64))
    }

    /// Gives the median of the 99th percentiles.
    pub(crate) fn p99_microseconds(&self) -> f64 {
        median(self.measured.iter().map(|round| round.p99_microseconds as f64))
    }

    /// Prints the heads of the columns.
    pub(crate) fn print_head() {
        println!("{:<44} {:>10} {:>9} {:>9} {:>9} {:>8}", "", "requests/s", "p50 µs", "p99 µs", "CPU µs", "CPU ratio");
    }

    /// Prints the figure; `measure` is what its CPU time is compared with.
    pub(crate) fn print(&self, measure: &Self) {
        println!(
            "{:<44} {:>10.0} {:>9.0} {:>9.0} {:>9.1} {:>8.2}",
            self.name,
            self.requests_per_second(),
            self.p50_microseconds(),
            self.p99_microseconds(),
            self.cpu_microseconds(),
            self.cpu_microseconds() / measure.cpu_microseconds()
        );
    }
}

/// Gives the middle of `values`, the mean of the two middle ones if their number is even; NaN if there is none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    let lower = if sorted.len().is_multiple_of(2) { middle.checked_sub(1) } else { Some(middle) };
    let lower = lower.and_then(|position| sorted.get(position)).copied().unwrap_or(f64::NAN);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median([].into_iter()).is_nan());
    }
}
