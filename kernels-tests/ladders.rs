//! ladder/matmul_1_naive.wgsl, ladder/matmul_2_workgroup_tile.wgsl, ladder/matmul_3_register_tile.wgsl,
//! ladder/matmul_4_vec4.wgsl, ladder/sum_1_one_workgroup.wgsl, ladder/sum_2_tree.wgsl, ladder/sum_3_many_a_lane.wgsl,
//! ladder/matmul_5_subgroup.wgsl, ladder/sum_4_vec4.wgsl, ladder/fft_1_dft.wgsl, ladder/fft_2_radix_2.wgsl,
//! ladder/fft_3_radix_4.wgsl, ladder/depthwise_1_naive.wgsl, ladder/depthwise_2_workgroup_tile.wgsl,
//! ladder/depthwise_3_strip.wgsl, ladder/depthwise_4_vec4.wgsl, ladder/xent_1_two_passes.wgsl, ladder/xent_2_online.wgsl,
//! ladder/xent_3_workgroup.wgsl, ladder/xent_4_vec4.wgsl

use crate::harness::{assert_close, on_every_device};
use cola::bench::ladders::{depthwise, fft, matmul, softmax_xent, sum};

#[test]
fn every_rung_gives_the_same_result() {
    on_every_device(|gpu| {
        // sums of an odd number of chunks, and of less than one
        let sums = [sum(gpu, 5 << 14), sum(gpu, 1 << 12)];
        // one tile a plane, and planes whose strips end within a workgroup
        let convolutions = [depthwise(gpu, [2, 1, 8, 16]), depthwise(gpu, [3, 5, 24, 32])];
        let others = [matmul(gpu, 64), matmul(gpu, 128), softmax_xent(gpu, 64), softmax_xent(gpu, 192), fft(gpu, 3)];
        let ladders = sums.into_iter().chain(convolutions).chain(others);
        for ladder in ladders {
            assert!(ladder.rungs.len() >= 3 && ladder.flops > 0 && ladder.bytes > 0);
            for rung in &ladder.rungs {
                assert_close(&format!("{}: {}", ladder.name, rung.name), &rung.run().read(), &ladder.want, 2e-5);
            }
        }
    });
}
