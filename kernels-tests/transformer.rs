//! The transformer on a language whose entropy is known: a Markov chain of order 2, so that attention has to find the
//! token before the last.

use crate::harness::on_plain_device;
use cola::gpu::Gpu;
use cola::nn::ParamStore;
use cola::nn::transformer::{Positions, Transformer, TransformerConfig};
use cola::ops::softmax_xent::{Samples, softmax_xent};
use cola::ops::token_embedding::Tokens;
use cola::optim::{Adam, AdamConfig};
use cola::tape::{Ctx, Tape};
use cola::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CLASSES: usize = 4;
const STEPS: usize = 32;

/// What follows each pair of tokens: `CLASSES` probabilities.
struct Chain {
    next: Vec<Vec<f64>>,
}

impl Chain {
    fn new(seed: u64) -> Chain {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut row = || {
            // a few likely ones, so that there is much to learn
            let weights: Vec<f64> = (0..CLASSES).map(|_| rng.random_range(0.0f64..1.0).powi(4) + 1e-3).collect();
            let total: f64 = weights.iter().sum();
            weights.iter().map(|w| w / total).collect()
        };
        Chain { next: (0..CLASSES * CLASSES).map(|_| row()).collect() }
    }

    /// Of the next token given all before it, in nats: pairs weighed by how often they come in the long run.
    fn entropy(&self) -> f64 {
        let mut share = vec![1.0 / (CLASSES * CLASSES) as f64; CLASSES * CLASSES];
        for _ in 0..500 {
            let mut after = vec![0.0; share.len()];
            for (pair, weight) in share.iter().enumerate() {
                for (token, p) in self.next[pair].iter().enumerate() {
                    after[pair % CLASSES * CLASSES + token] += weight * p;
                }
            }
            share = after;
        }
        let of_row = |row: &Vec<f64>| -row.iter().map(|p| p * p.ln()).sum::<f64>();
        share.iter().zip(&self.next).map(|(weight, row)| weight * of_row(row)).sum()
    }

    /// `samples` runs of `STEPS + 1` tokens, each long under way.
    fn draw(&self, rng: &mut ChaCha8Rng, samples: usize) -> Vec<Vec<u32>> {
        let mut pair = 0;
        let mut next = || {
            let mut left = rng.random_range(0.0..1.0);
            let token = self.next[pair].iter().position(|p| {
                left -= p;
                left < 0.0
            });
            let token = token.unwrap_or(CLASSES - 1);
            pair = pair % CLASSES * CLASSES + token;
            token as u32
        };
        (0..50).for_each(|_| _ = next());
        (0..samples).map(|_| (0..=STEPS).map(|_| next()).collect()).collect()
    }
}

/// What stands at each step, and what follows it.
fn batch(gpu: &Gpu, runs: &[Vec<u32>]) -> (Tokens, Vec<u32>) {
    let ids: Vec<u32> = runs.iter().flat_map(|run| &run[..STEPS]).copied().collect();
    (Tokens::new(gpu, &ids, CLASSES), runs.iter().flat_map(|run| &run[1..]).copied().collect())
}

/// Trains and returns the mean loss, in nats, of fresh runs behind their second token.
fn learned(gpu: &Gpu, chain: &Chain, positions: Positions, training_steps: u64) -> f64 {
    let config =
        TransformerConfig { classes: CLASSES, layers: 1, width: 64, heads: 4, context: STEPS, positions, dropout: 0.0 };
    assert_eq!(config.complaint(), None);
    let params = ParamStore::build(gpu, &Transformer::initial(&config, 1));
    let network = Transformer::new(&params, &config, 1);
    let mut optimizer = Adam::new(AdamConfig { max_grad_norm: Some(1.0), ..AdamConfig::pytorch() });
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for step in 0..training_steps {
        let (tokens, targets) = batch(gpu, &chain.draw(&mut rng, 32));
        let targets = Tensor::from_slice(gpu, &[targets.len()], &targets);
        let tape = Tape::new();
        let cx = Ctx::training(gpu, &tape);
        let logits = network.logits(&cx, &network.states(&cx, &tokens, STEPS, step));
        let loss = softmax_xent(&cx, &logits, Samples::Columns, &targets).loss;
        params.zero_grad();
        tape.backward(&loss, Tensor::from_slice(gpu, &[1], &[1.0f32]));
        let rate = 3e-3 * (1.0 - step as f64 / training_steps as f64);
        optimizer.step(&params, rate);
        gpu.wait();
    }
    let cx = Ctx::inference(gpu);
    let mut losses = Vec::new();
    for _ in 0..32 {
        let (tokens, targets) = batch(gpu, &chain.draw(&mut rng, 64));
        let targets = Tensor::from_slice(gpu, &[targets.len()], &targets);
        let logits = network.logits(&cx, &network.states(&cx, &tokens, STEPS, 0));
        losses.extend(softmax_xent(&cx, &logits, Samples::Columns, &targets).losses.read::<f32>());
    }
    // the first step of a run has only one token to go by
    let known = losses.chunks(STEPS).flat_map(|run| &run[1..]);
    let (sum, count) = known.fold((0.0, 0), |(sum, count), &loss| (sum + f64::from(loss), count + 1));
    sum / f64::from(count)
}

#[test]
fn a_markov_chain_is_learned_to_its_entropy() {
    on_plain_device(|gpu| {
        let chain = Chain::new(1);
        let entropy = chain.entropy();
        let loss = learned(gpu, &chain, Positions::Rotary, 400);
        let excess = loss / entropy - 1.0;
        assert!(excess.abs() < 0.02, "{loss:.4} nats, entropy {entropy:.4}, {:.1}%", 100.0 * excess);
        // Each token by itself would take ln 4.
        let loss = learned(gpu, &chain, Positions::Learned, 60);
        assert!(loss < 0.95 * (CLASSES as f64).ln(), "{loss:.4} nats with learned positions");
    });
}
