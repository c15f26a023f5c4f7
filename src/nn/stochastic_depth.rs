//! Stochastic depth (Huang et al. 2016): in training, a sample skips some blocks, the deeper the more often.
//!
//! Block b of 16 is skipped with probability p = rate b / 16, and where it is not, its branch is multiplied by
//! 1 / (1 - p), so that the mean stays what it is in evaluation. Only blocks with a shortcut can be skipped.

use super::efficientnet::{BLOCKS, EfficientNet};
use crate::gpu::Gpu;
use crate::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// For each block and segment, what its branch is multiplied by.
pub struct DropMasks {
    /// `[N]` for every block.
    blocks: Vec<Tensor>,
}

/// Rows stand at multiples of this many elements, the largest alignment that an adapter asks of a binding.
const ALIGNMENT: usize = 64;

impl DropMasks {
    /// The masks of a training step: the same for the same seed and step, on any machine.
    pub fn draw(gpu: &Gpu, rate: f64, segments: usize, seed: u64, step: u64) -> DropMasks {
        DropMasks::from_factors(gpu, &factors(rate, segments, seed, step))
    }

    /// Given masks: a row for each of the 16 blocks, of one factor a segment. Rows of blocks without a shortcut are not
    /// used.
    ///
    /// # Panics
    /// When there are not 16 rows of one length.
    #[track_caller]
    pub fn from_factors(gpu: &Gpu, factors: &[Vec<f32>]) -> DropMasks {
        assert_eq!(factors.len(), BLOCKS, "rows of drop factors");
        let segments = factors[0].len();
        let stride = segments.next_multiple_of(ALIGNMENT);
        let mut rows = vec![0.0f32; BLOCKS * stride];
        for (row, factors) in rows.chunks_mut(stride).zip(factors) {
            row[..segments].copy_from_slice(factors);
        }
        let all = Tensor::from_slice(gpu, &[BLOCKS * stride], &rows);
        DropMasks { blocks: (0..BLOCKS).map(|b| all.slice(b * stride, &[segments])).collect() }
    }

    /// The factors of one block, `[N]`.
    pub(super) fn of_block(&self, block: usize) -> Option<&Tensor> {
        self.blocks.get(block)
    }
}

fn factors(rate: f64, segments: usize, seed: u64, step: u64) -> Vec<Vec<f32>> {
    let mut factors = vec![vec![1.0; segments]; BLOCKS];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step);
    for block in EfficientNet::droppable() {
        let skipped = rate * block as f64 / BLOCKS as f64;
        for factor in &mut factors[block] {
            *factor = if rng.random::<f64>() < skipped { 0.0 } else { (1.0 / (1.0 - skipped)) as f32 };
        }
    }
    factors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_with_depth_and_the_mean_stays_one() {
        let factors = factors(0.2, 40_000, 7, 3);
        for (block, row) in factors.iter().enumerate() {
            let skipped = row.iter().filter(|&&f| f == 0.0).count() as f64 / row.len() as f64;
            let wanted = if EfficientNet::droppable().contains(&block) { 0.2 * block as f64 / 16.0 } else { 0.0 };
            assert!((skipped - wanted).abs() < 0.01, "block {block}: {skipped}, wanted {wanted}");
            let mean = row.iter().map(|&f| f64::from(f)).sum::<f64>() / row.len() as f64;
            assert!((mean - 1.0).abs() < 0.01, "block {block}: mean {mean}");
        }
    }

    #[test]
    fn masks_follow_from_seed_and_step() {
        assert_eq!(factors(0.5, 8, 1, 2), factors(0.5, 8, 1, 2));
        assert_ne!(factors(0.5, 8, 1, 2), factors(0.5, 8, 1, 3));
        assert_ne!(factors(0.5, 8, 1, 2), factors(0.5, 8, 2, 2));
    }
}
