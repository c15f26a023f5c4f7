//! patches.wgsl

use crate::harness::{data, on_every_device};
use cola::ops::patches::patches;
use cola::tensor::Tensor;

#[test]
fn patches_come_in_the_order_of_time_and_then_of_bands() {
    on_every_device(|gpu| {
        for ([n, frames, bands], [tall, wide]) in
            [([1, 4, 6], [2, 3]), ([3, 96, 64], [4, 16]), ([2, 12, 8], [12, 8]), ([5, 6, 4], [1, 1])]
        {
            let x = data(1, n * frames * bands);
            let got = patches(&Tensor::from_slice(gpu, &[1, n, frames, bands], &x), [tall, wide]);
            let a_segment = frames / tall * (bands / wide);
            assert_eq!(got.dims2(), [tall * wide, n * a_segment]);
            let mut want = vec![0.0; x.len()];
            for (place, &value) in x.iter().enumerate() {
                let (segment, frame, band) = (place / (frames * bands), place / bands % frames, place % bands);
                let row = frame % tall * wide + band % wide;
                let column = segment * a_segment + frame / tall * (bands / wide) + band / wide;
                want[row * n * a_segment + column] = value;
            }
            assert_eq!(got.read::<f32>(), want, "{n} x {frames} x {bands} in {tall} x {wide}");
        }
    });
}
