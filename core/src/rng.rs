//! The only randomness a node ever has: a seeded generator, one fork per entity.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): one addition and three mixes; a fork takes its stream from the parent's
//! seed and a label, never from the parent's position, so that removing one entity changes no other's draws.

use serde::{Deserialize, Serialize};

/// All the randomness of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// A stream of random numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    seed: u64,
    state: u64,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Rng {
    /// The root stream of `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Rng {
        Rng { seed: seed.0, state: mix(seed.0) }
    }

    /// The stream of the entity `label`, the same whatever was drawn before.
    #[must_use]
    pub fn fork(&self, label: u64) -> Rng {
        let seed = mix(self.seed ^ mix(label.wrapping_add(0x9E37_79B9_7F4A_7C15)));
        Rng { seed, state: mix(seed) }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number below `bound`; zero when `bound` is zero. The bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// True in `per_mille` of a thousand draws.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_does_not_depend_on_what_was_drawn_before() {
        let mut root = Rng::new(Seed(7));
        let early = root.fork(3);
        root.next_u64();
        assert_eq!(early, root.fork(3));
        assert_ne!(root.fork(3), root.fork(4));
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::new(Seed(1));
        assert!((0..1000).all(|_| rng.below(10) < 10));
        assert_eq!(rng.below(0), 0);
    }
}
