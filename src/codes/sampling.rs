//! New sequences of codes, drawn from a next-code network one after the other.

use crate::gpu::Gpu;
use crate::nn::next_code::NextCode;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How codes are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits: below 1 likely codes come more often than foretold, above 1 less often.
    pub temperature: f64,
    /// Only so many of the likeliest are drawn from; 0 for all.
    pub top: usize,
    /// Decides the draws.
    pub seed: u64,
}

/// `count` codes that follow `before`. Where a sequence grows as long as the network has learnt, the older
/// half is forgotten, in whole columns of bands, so that a code stands where one of its band stood in training. `on_code`
/// is told how many are drawn.
pub fn draw(
    gpu: &Gpu,
    network: &NextCode,
    before: &[u32],
    count: usize,
    sampling: &Sampling,
    mut on_code: impl FnMut(usize),
) -> Vec<u32> {
    let codes = &network.config().codes;
    let context = network.config().transformer.context;
    let kept = context / 2 / codes.column() * codes.column();
    let mut rng = ChaCha8Rng::seed_from_u64(sampling.seed);
    let mut all = before.to_vec();
    let mut from = 0;
    for drawn in 1..=count {
        if all.len() - from >= context {
            from = all.len().next_multiple_of(codes.column()) - kept;
        }
        all.push(choose(&network.next(gpu, &all[from..]), sampling, rng.random_range(0.0..1.0)));
        on_code(drawn);
    }
    all.split_off(before.len())
}

/// The code at which the shares of the codes, likeliest first, add up to more than `at`.
fn choose(logits: &[f32], sampling: &Sampling, at: f64) -> u32 {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    if sampling.top > 0 {
        order.truncate(sampling.top);
    }
    let weight = |code: usize| (f64::from(logits[code] - logits[order[0]]) / sampling.temperature).exp();
    let mut left = at * order.iter().map(|&code| weight(code)).sum::<f64>();
    let chosen = order.iter().find(|&&code| {
        left -= weight(code);
        left < 0.0
    });
    *chosen.unwrap_or(&order[0]) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_as_often_as_foretold() {
        let logits = [0.5f32, 0.3, 0.2].map(f32::ln);
        let shares = |sampling: &Sampling| {
            let mut counts = [0; 3];
            (0..1000).for_each(|i| counts[choose(&logits, sampling, (f64::from(i) + 0.5) / 1000.0) as usize] += 1);
            counts
        };
        let plain = Sampling { temperature: 1.0, top: 0, seed: 0 };
        assert_eq!(shares(&plain), [500, 300, 200]);
        assert_eq!(shares(&Sampling { top: 1, ..plain.clone() }), [1000, 0, 0]);
        assert_eq!(shares(&Sampling { top: 2, ..plain.clone() }), [625, 375, 0]);
        // squares: 25, 9, 4
        assert_eq!(shares(&Sampling { temperature: 0.5, ..plain }), [658, 237, 105]);
    }
}
