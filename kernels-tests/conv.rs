//! unfold.wgsl, fold.wgsl

use crate::harness::{check_op, data, input, on_every_device};
use cola::gpu::{Gpu, GpuOptions};
use cola::ops::conv::conv3x3;
use cola::tape::{Ctx, Param, Tape};
use cola::tensor::{Storage, Tensor};

/// By the definition, in f64.
fn reference(x: &[f64], w: &[f64], [inputs, n, height, width]: [usize; 4], outputs: usize) -> Vec<f64> {
    let mut y = Vec::with_capacity(outputs * n * height * width);
    for place in 0..outputs * n * height * width {
        let (out, sample) = (place / (n * height * width), place / (height * width) % n);
        let (i, j) = (place / width % height, place % width);
        let mut sum = 0.0;
        for (c, tap) in (0..inputs).flat_map(|c| (0..9).map(move |tap| (c, tap))) {
            let (row, column) = ((i + tap / 3).wrapping_sub(1), (j + tap % 3).wrapping_sub(1));
            if row < height && column < width {
                sum += w[(out * inputs + c) * 9 + tap] * x[((c * n + sample) * height + row) * width + column];
            }
        }
        y.push(sum);
    }
    y
}

#[test]
fn filters_see_all_channels_and_zeros_outside() {
    on_every_device(|gpu| {
        for (shape, out) in [([1, 1, 1, 4], 1), ([3, 2, 5, 4], 7), ([4, 3, 6, 8], 8), ([2, 1, 3, 12], 4)] {
            check_op(
                &format!("conv3x3 {shape:?} to {out}"),
                gpu,
                &[input(1, &shape)],
                &[input(2, &[out, shape[0], 3, 3])],
                &|x, w| reference(&x[0], &w[0], shape, out),
                &|cx, x, w| conv3x3(cx, &x[0], &w[0], Storage::F32),
                3e-6,
            );
        }
    });
}

/// What is unfolded past the binding limit is cut by channels.
#[test]
fn large_maps_are_cut_by_channels() {
    let shape = [96, 2, 4, 4];
    let run = |max_binding_bytes| {
        let gpu = Gpu::open(&GpuOptions { max_binding_bytes, ..Default::default() }).expect("an adapter");
        let tape = Tape::new();
        let filters = Tensor::from_slice(&gpu, &[4, 96, 3, 3], &data(1, 4 * 96 * 9));
        let w = Param { name: "w".into(), grad: Tensor::zeros(&gpu, "gradient", filters.shape()), value: filters };
        let x = tape.leaf(Tensor::from_slice(&gpu, &shape, &data(2, 96 * 32)));
        let y = conv3x3(&Ctx::training(&gpu, &tape), &x, &w, Storage::F32);
        let out = y.value.read::<f32>();
        let dx = tape.backward(&y, Tensor::from_slice(&gpu, y.value.shape(), &data(3, 4 * 32)));
        (out, dx[0].read::<f32>(), w.grad.read::<f32>())
    };
    let (whole, cut) = (run(None), run(Some(64 * 9 * 32 * 4)));
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(near(&whole.0, &cut.0) && near(&whole.1, &cut.1) && near(&whole.2, &cut.2));
}
