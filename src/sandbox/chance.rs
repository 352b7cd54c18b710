//! Seeded choices. A draw depends on the seed, on its label and on the number of earlier draws with
//! that label, never on the order in which concurrent requests happen to arrive.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Source of every choice of the sandbox.
#[derive(Debug, Clone, Default)]
pub(super) struct Chance {
    seed: u64,
    drawn: HashMap<String, u64>,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, drawn: HashMap::new() }
    }

    /// Returns a generator for the next choice about `what`.
    pub(super) fn draw(&mut self, what: &str) -> fastrand::Rng {
        let times = self.drawn.entry(what.to_owned()).or_default();
        let mut hasher = DefaultHasher::new();
        (self.seed, what, *times).hash(&mut hasher);
        *times = times.wrapping_add(1);
        fastrand::Rng::with_seed(hasher.finish())
    }
}

/// Returns true in `percent` of a hundred draws.
pub(super) fn percent(rng: &mut fastrand::Rng, percent: u8) -> bool {
    rng.u8(0..100) < percent
}
