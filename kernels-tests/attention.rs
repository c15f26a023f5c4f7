//! attention/forward.wgsl, attention/dq.wgsl, attention/dkv.wgsl

use crate::harness::{Input, assert_close, check_op, input, on_every_device};
use cola::ops::attention::causal_attention;
use cola::tape::{Ctx, Var};
use cola::tensor::Tensor;

/// The definition, with the whole matrix of weights. x is `[3][H][DH][B][T]`.
fn reference(x: &[f64], heads: usize, width: usize, samples: usize, steps: usize) -> Vec<f64> {
    let columns = samples * steps;
    let at = |part: usize, head: usize, i: usize, n: usize| ((part * heads + head) * width + i) * columns + n;
    let mut y = vec![0.0; heads * width * columns];
    for (head, sample, t) in (0..heads).flat_map(|h| (0..samples).flat_map(move |b| (0..steps).map(move |t| (h, b, t))))
    {
        let first = sample * steps;
        let score = |u: usize| {
            let dot: f64 = (0..width).map(|i| x[at(0, head, i, first + t)] * x[at(1, head, i, first + u)]).sum();
            dot / (width as f64).sqrt()
        };
        let scores: Vec<f64> = (0..=t).map(score).collect();
        let highest = scores.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let weights: Vec<f64> = scores.iter().map(|s| (s - highest).exp()).collect();
        let total: f64 = weights.iter().sum();
        for i in 0..width {
            let sum: f64 = weights.iter().enumerate().map(|(u, w)| w * x[at(2, head, i, first + u)]).sum();
            y[(head * width + i) * columns + first + t] = sum / total;
        }
    }
    y
}

fn qkv(seed: u64, heads: usize, width: usize, samples: usize, steps: usize) -> Input {
    input(seed, &[3 * heads * width, samples * steps]).affine(1.5, 0.1)
}

#[test]
fn causal_attention_and_its_gradients() {
    on_every_device(|gpu| {
        // one step past a vector of lanes, and past a workgroup; several heads and samples; every width
        for (heads, width, samples, steps) in
            [(1, 16, 1, 4), (2, 32, 2, 12), (1, 64, 3, 8), (3, 16, 2, 20), (1, 32, 1, 64), (1, 16, 2, 68)]
        {
            check_op(
                &format!("attention {heads} x {width}, {samples} of {steps}"),
                gpu,
                &[qkv(7, heads, width, samples, steps)],
                &[],
                &|x, _| reference(&x[0], heads, width, samples, steps),
                &|cx, x, _| causal_attention(cx, &x[0], heads, steps),
                3e-6,
            );
        }
    });
}

/// Scores far beyond what exp can take by itself.
#[test]
fn large_scores_do_not_overflow() {
    on_every_device(|gpu| {
        let (heads, width, samples, steps) = (1, 16, 1, 16);
        let x = qkv(3, heads, width, samples, steps).affine(60.0, 0.0);
        let tensor = Tensor::from_slice(gpu, &x.shape, &x.data);
        let y = causal_attention(&Ctx::inference(gpu), &Var::constant(tensor), heads, steps);
        let x: Vec<f64> = x.data.iter().map(|&v| f64::from(v)).collect();
        assert_close("large", &y.value.read(), &reference(&x, heads, width, samples, steps), 1e-4);
    });
}

/// What comes later changes nothing before, to the bit.
#[test]
fn the_future_is_not_seen() {
    on_every_device(|gpu| {
        let (heads, width, steps) = (2, 16, 24);
        let run = |x: &Input| {
            let x = Var::constant(Tensor::from_slice(gpu, &x.shape, &x.data));
            causal_attention(&Ctx::inference(gpu), &x, heads, steps).value.read::<f32>()
        };
        let x = qkv(5, heads, width, 1, steps);
        let mut other = x.clone();
        for row in other.data.chunks_mut(steps) {
            row[17..].iter_mut().for_each(|v| *v = 9.0 - *v);
        }
        for (a, b) in run(&x).chunks(steps).zip(run(&other).chunks(steps)) {
            assert_eq!(a[..17], b[..17]);
            assert_ne!(a[17..], b[17..]);
        }
    });
}
