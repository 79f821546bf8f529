//! What comes from outside the program: the present and randomness. Tests hand in their own, so that a failure
//! replays from its seed.

use std::convert::Infallible;

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
        Self::new(Box::new(SystemClock), Box::new(SystemEntropy))
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

/// The clock of the machine.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// A generator for each thread, seeded and reseeded from the operating system.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
