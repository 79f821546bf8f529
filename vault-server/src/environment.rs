//! What comes from outside the program: the present and randomness. Tests hand in their own, so that a failure
//! replays from its seed.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::{Rng, TryCryptoRng, TryRng};
use vault_core::time::Timestamp;

/// Tells the present.
pub trait Clock: Send + Sync {
    /// Gives the present.
    fn now(&self) -> Timestamp;
}

/// Gives randomness fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// What comes from outside the program.
pub struct Environment {
    clock: Box<dyn Clock>,
    entropy: Box<dyn Entropy>,
}

impl Environment {
    /// Puts a clock and a source of randomness together.
    pub fn new(clock: Box<dyn Clock>, entropy: Box<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// Takes the clock and the generator of the operating system.
    pub fn system() -> Self {
        Self::new(Box::new(SystemClock::default()), Box::new(SystemEntropy))
    }

    /// Gives the present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Gives a generator to hand to the core.
    pub fn rng(&self) -> LentRng<'_> {
        LentRng(self.entropy.as_ref())
    }
}

/// A generator that draws from the environment.
pub struct LentRng<'a>(&'a dyn Entropy);

impl TryRng for LentRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for LentRng<'_> {}

/// The clock of the machine, which never goes back: when somebody sets it back, time goes on from where it was at the
/// pace of the steady clock, so that nothing that ends comes to live longer.
#[derive(Default)]
struct SystemClock {
    /// The last time that was told, and when that was on the steady clock.
    last: Mutex<Option<(Timestamp, Instant)>>,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp(nanoseconds(since));
        let here = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = steady(wall, here, *last);
        *last = Some((now, here));
        now
    }
}

fn steady(wall: Timestamp, here: Instant, last: Option<(Timestamp, Instant)>) -> Timestamp {
    let least = last.map(|(told, at)| Timestamp(told.0.saturating_add(nanoseconds(here.duration_since(at)))));
    least.map_or(wall, |least| wall.max(least))
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A generator for each thread, seeded and reseeded from the operating system.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on_and_never_back() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let told = steady(Timestamp(1_000_000_000_000), start, None);
        assert_eq!(told, Timestamp(1_000_000_000_000));
        let back = steady(Timestamp(500_000_000_000), at(10), Some((told, start)));
        assert_eq!(back, Timestamp(1_010_000_000_000), "ten seconds have passed, whatever the machine says");
        let forward = steady(Timestamp(2_000_000_000_000), at(20), Some((back, at(10))));
        assert_eq!(forward, Timestamp(2_000_000_000_000));
    }
}
