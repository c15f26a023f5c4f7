//! COLA's heads against an f64 reference, with every gradient, and that they learn.

use crate::harness::{assert_close, check_gradient, data, f64s, on_every_device};
use cola::nn::cola::{ColaHead, Contrast, Similarity, Targets};
use cola::nn::{ParamStore, Slab};
use cola::optim::{Adam, AdamConfig};
use cola::tape::{Ctx, Tape, Var};
use cola::tensor::Tensor;

const FEATURES: usize = 19;
const EMBEDDING: usize = 13;
const PAIRS: usize = 5;
const SIMILARITIES: [Similarity; 3] = [
    Similarity::Bilinear,
    Similarity::Cosine { temperature: 0.2, learned: false },
    Similarity::Cosine { temperature: 0.2, learned: true },
];

/// The loss as the paper states it, sample by sample, or the mean of both directions. `w`: dense weight and bias, then
/// LayerNorm's two and W, or the factor of a learned temperature.
fn loss(similarity: Similarity, contrast: Contrast, h: &[f64], w: &[Vec<f64>]) -> f64 {
    let segments = 2 * PAIRS;
    let embed = |n: usize| -> Vec<f64> {
        let dense = |e: usize| -> f64 {
            w[1][e] + (0..FEATURES).map(|f| w[0][e * FEATURES + f] * h[f * segments + n]).sum::<f64>()
        };
        let z: Vec<f64> = (0..EMBEDDING).map(dense).collect();
        if let Similarity::Cosine { .. } = similarity {
            let length = z.iter().map(|v| v * v).sum::<f64>().sqrt();
            return z.iter().map(|v| v / length).collect();
        }
        let mean = z.iter().sum::<f64>() / EMBEDDING as f64;
        let variance = z.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / EMBEDDING as f64;
        let normal = |e: usize| w[2][e] * (z[e] - mean) / (variance + 1e-3).sqrt() + w[3][e];
        (0..EMBEDDING).map(|e| normal(e).tanh()).collect()
    };
    let z: Vec<Vec<f64>> = (0..segments).map(embed).collect();
    let alike = |i: usize, j: usize| -> f64 {
        let (a, p) = (&z[i], &z[j]);
        match similarity {
            Similarity::Cosine { temperature, learned } => {
                let factor = if learned { w[2][0] } else { 1.0 };
                factor * a.iter().zip(p).map(|(a, p)| a * p).sum::<f64>() / f64::from(temperature)
            }
            Similarity::Bilinear => {
                let row = |k: usize| (0..EMBEDDING).map(|l| w[4][k * EMBEDDING + l] * p[l]).sum::<f64>();
                (0..EMBEDDING).map(|k| a[k] * row(k)).sum()
            }
        }
    };
    if contrast == Contrast::All {
        let chosen = |i: usize| {
            let others = (0..segments).filter(|&j| j != i);
            others.map(|j| alike(i, j).exp()).sum::<f64>().ln() - alike(i, (i + PAIRS) % segments)
        };
        return (0..segments).map(chosen).sum::<f64>() / segments as f64;
    }
    let logit = |i: usize, j: usize| alike(i, PAIRS + j);
    let row = |i: usize| (0..PAIRS).map(|j| logit(i, j).exp()).sum::<f64>().ln() - logit(i, i);
    let column = |i: usize| (0..PAIRS).map(|j| logit(j, i).exp()).sum::<f64>().ln() - logit(i, i);
    let forth = (0..PAIRS).map(row).sum::<f64>() / PAIRS as f64;
    if contrast == Contrast::OneWay {
        return forth;
    }
    0.5 * (forth + (0..PAIRS).map(column).sum::<f64>() / PAIRS as f64)
}

/// Every similarity in both directions or one; all against all for those that take it.
fn cases() -> impl Iterator<Item = (Similarity, Contrast)> {
    let contrasts = [Contrast::OneWay, Contrast::BothWays, Contrast::All];
    let all = SIMILARITIES.into_iter().flat_map(move |s| contrasts.map(|c| (s, c)));
    all.filter(|case| *case != (Similarity::Bilinear, Contrast::All))
}

#[test]
fn loss_and_every_gradient() {
    on_every_device(|gpu| {
        for (similarity, contrast) in cases() {
            let store = ParamStore::build(gpu, &ColaHead::initial(FEATURES, EMBEDDING, similarity, 3));
            // Ones and zeros would hide mistakes.
            for name in store.names().map(String::from).collect::<Vec<_>>() {
                let len = store.get(&name).value.len();
                store.write(Slab::Values, &name, &data(len as u64, len)).expect("the store's own name and length");
            }
            let names: Vec<&str> = store.names().collect();
            let w: Vec<Vec<f64>> = store.read_all(Slab::Values).iter().map(|a| f64s(&a.data)).collect();
            let h = data(8, FEATURES * 2 * PAIRS);

            let tape = Tape::new();
            let cx = Ctx::training(gpu, &tape);
            let leaf = tape.leaf(Tensor::from_slice(gpu, &[FEATURES, 2 * PAIRS], &h));
            let out = ColaHead::new(&store, similarity).loss(&cx, &leaf, &Targets::new(gpu, PAIRS, contrast));
            let h = f64s(&h);
            assert_close("loss", &out.loss.value.read::<f32>(), &[loss(similarity, contrast, &h, &w)], 1e-5);

            let grads = tape.backward(&out.loss, Tensor::from_slice(gpu, &[1], &[1.0f32]));
            let along_h = |h: &[f64]| loss(similarity, contrast, h, &w);
            check_gradient("d(h)", &grads[0].read::<f32>(), 0.0, &h, &along_h, 1e-5);
            for (k, name) in names.iter().enumerate() {
                let along = |at: &[f64]| {
                    let mut moved = w.clone();
                    moved[k] = at.to_vec();
                    loss(similarity, contrast, &h, &moved)
                };
                check_gradient(&format!("d({name})"), &store.get(name).grad.read::<f32>(), 0.0, &w[k], &along, 1e-5);
            }
        }
    });
}

#[test]
fn heads_learn_to_pair() {
    on_every_device(|gpu| {
        for similarity in SIMILARITIES {
            let store = ParamStore::build(gpu, &ColaHead::initial(64, 32, similarity, 1));
            let head = ColaHead::new(&store, similarity);
            let mut adam = Adam::new(AdamConfig::pytorch());
            let h = Tensor::from_slice(gpu, &[64, 32], &data(4, 64 * 32));
            let targets = Targets::new(gpu, 16, Contrast::OneWay);
            let mut losses = Vec::new();
            let mut correct = 0.0;
            for _ in 0..40 {
                store.zero_grad();
                let tape = Tape::new();
                let cx = Ctx::training(gpu, &tape);
                let out = head.loss(&cx, &Var::constant(h.clone()), &targets);
                tape.backward(&out.loss, Tensor::from_slice(gpu, &[1], &[1.0f32]));
                adam.step(&store, 0.01);
                losses.push(out.loss.value.read::<f32>()[0]);
                correct = out.correct.read::<f32>()[0];
            }
            let (first, last) = (losses[0], losses[39]);
            assert!(last < 0.3 * first && correct == 16.0, "{similarity:?}: loss {first} to {last}, {correct} of 16");
        }
    });
}
