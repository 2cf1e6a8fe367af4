//! Seeded chance. Knows no clock and no other source of randomness.

use std::ops::Range;

/// One stream of random choices. Streams are apart, so that one more choice here moves nothing there.
#[derive(Debug)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mixed =
            (seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        Self(fastrand::Rng::with_seed(mixed ^ (mixed >> 33)))
    }

    /// Answers whether something happens that happens so many times in a thousand.
    pub(crate) fn hits(&mut self, per_mille: u32) -> bool {
        self.0.u32(0..1000) < per_mille
    }

    pub(crate) fn span(&mut self, range: Range<u64>) -> u64 {
        self.0.u64(range)
    }

    pub(crate) fn count(&mut self, range: Range<u32>) -> u32 {
        self.0.u32(range)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.usize(0..bound)
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.usize(0..choices.len())]
    }

    pub(crate) fn bits(&mut self) -> u128 {
        (u128::from(self.0.u64(..)) << 64) | u128::from(self.0.u64(..))
    }
}
