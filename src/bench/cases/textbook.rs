//! Cases of sizes that other benchmarks take, whatever the batch: to compare with figures from elsewhere.

use super::{Case, random};
use crate::ops::depthwise::depthwise;
use crate::ops::elementwise::{Unary, unary};
use crate::ops::fft::Fft;
use crate::ops::layer_norm::layer_norm;
use crate::ops::matmul::linear;
use crate::ops::reduce::sum_squares;
use crate::ops::softmax_xent::{Samples, softmax_xent};
use crate::tensor::Tensor;

pub fn all() -> Vec<Case> {
    vec![
        Case::new("linear textbook 512 to 512, 512 columns".into(), &[&[512, 512]], &[&[512, 512]], |cx, x, w| {
            linear(cx, &w[0], &x[0])
        }),
        Case::new(
            "depthwise textbook 32 x 4 x 56x56, 3x3".into(),
            &[&[32, 4, 56, 56]],
            &[&[32, 1, 3, 3]],
            |cx, x, w| depthwise(cx, &x[0], &w[0], 1),
        ),
        Case::new("softmax_xent textbook 1024 x 1024".into(), &[&[1024, 1024]], &[], |cx, x, _| {
            let targets: Vec<u32> = (0..1024).collect();
            softmax_xent(cx, &x[0], Samples::Rows, &Tensor::from_slice(cx.gpu, &[1024], &targets)).loss
        }),
        Case::new("layer_norm textbook 1024 x 1024".into(), &[&[1024, 1024]], &[&[1024], &[1024]], |cx, x, w| {
            layer_norm(cx, &x[0], &w[0], &w[1], 1e-5)
        }),
        Case::new("gelu textbook 1048576".into(), &[&[1 << 20]], &[], |cx, x, _| unary(cx, Unary::Gelu, &x[0])),
        Case::plain("fft textbook 256 complex, 1024 rows".into(), |gpu| {
            let (fft, x) = (Fft::complex(gpu, 256), random(gpu, 0, &[1024, 256, 2]));
            move |_| vec![fft.forward(&x)]
        }),
        Case::plain("sum_squares textbook 1048576".into(), |gpu| {
            let x = random(gpu, 0, &[1 << 20]);
            move |_| vec![sum_squares(&x)]
        }),
    ]
}
