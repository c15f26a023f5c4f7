//! Cases of the transformer over codes and of what makes the codes: six blocks of 256 features in 8 heads over 512 steps.

use super::{Case, random};
use crate::gpu::Gpu;
use crate::ops::attention::causal_attention;
use crate::ops::dropout::dropout;
use crate::ops::griffin_lim::impose_magnitude;
use crate::ops::kmeans::assign;
use crate::ops::layer_norm::layer_norm;
use crate::ops::patches::patches;
use crate::ops::rotary::RotaryTable;
use crate::ops::token_embedding::{Tokens, token_embedding};

const WIDTH: usize = 256;
const HEADS: usize = 8;
const STEPS: usize = 512;
const CODES: usize = 512;
/// Length of the vectors that k-means puts into classes.
const BOTTLENECK: usize = 64;

/// One sequence of 512 steps for 16 segments of the network: about as much work.
pub fn all(segments: usize) -> Vec<Case> {
    let samples = (segments / 16).max(1);
    let columns = samples * STEPS;
    vec![
        Case::new(
            format!("causal_attention {HEADS} heads of {}, {STEPS} steps", WIDTH / HEADS),
            &[&[3 * WIDTH, columns]],
            &[],
            |cx, x, _| causal_attention(cx, &x[0], HEADS, STEPS),
        ),
        Case::new(
            format!("rotary {HEADS} heads of {}, {STEPS} steps", WIDTH / HEADS),
            &[&[3 * WIDTH, columns]],
            &[],
            |cx, x, _| RotaryTable::new(cx.gpu, WIDTH / HEADS, STEPS).turn(cx, &x[0]),
        ),
        Case::new(format!("token_embedding {CODES} codes, {STEPS} steps"), &[], &[&[WIDTH, CODES]], move |cx, _, w| {
            let ids: Vec<u32> = (0..columns).map(|n| (n * 37 % CODES) as u32).collect();
            token_embedding(cx, &w[0], &Tokens::new(cx.gpu, &ids, CODES))
        }),
        Case::new(format!("layer_norm {WIDTH} x {STEPS}"), &[&[WIDTH, columns]], &[&[WIDTH], &[WIDTH]], |cx, x, w| {
            layer_norm(cx, &x[0], &w[0], &w[1], 1e-5)
        }),
        Case::new(format!("dropout {WIDTH} x {STEPS}"), &[&[WIDTH, columns]], &[], |cx, x, _| {
            dropout(cx, &x[0], 0.1, 7)
        }),
        Case::plain(format!("patches 4 x 16 of {segments} segments"), move |gpu: &Gpu| {
            let x = random(gpu, 0, &[1, segments, 96, 64]);
            move |_| vec![patches(&x, [4, 16])]
        }),
        Case::plain("impose_magnitude 98 frames of 513 bins".into(), |gpu: &Gpu| {
            let z = random(gpu, 0, &[98, 513, 2]);
            let magnitudes = random(gpu, 1, &[98, 513]);
            move |_| vec![impose_magnitude(&z, &magnitudes)]
        }),
        Case::plain(format!("kmeans assign {CODES} centres of {BOTTLENECK}"), move |gpu: &Gpu| {
            let points = random(gpu, 0, &[BOTTLENECK, 256 * segments]);
            let centres = random(gpu, 1, &[CODES, BOTTLENECK]);
            move |_| vec![assign(&points, &centres).distances]
        }),
    ]
}
