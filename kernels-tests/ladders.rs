//! ladder/matmul_1_naive.wgsl, ladder/matmul_2_workgroup_tile.wgsl, ladder/matmul_3_register_tile.wgsl,
//! ladder/matmul_4_vec4.wgsl, ladder/sum_1_one_workgroup.wgsl, ladder/sum_2_tree.wgsl, ladder/sum_3_many_a_lane.wgsl,
//! ladder/sum_4_vec4.wgsl, ladder/fft_1_dft.wgsl, ladder/fft_2_radix_2.wgsl

use crate::harness::{assert_close, on_every_device};
use cola::bench::ladders::{fft, matmul, sum};

#[test]
fn every_rung_gives_the_same_result() {
    on_every_device(|gpu| {
        // sums of an odd number of chunks, and of less than one
        let ladders = [matmul(gpu, 64), matmul(gpu, 128), sum(gpu, 5 << 14), sum(gpu, 1 << 12), fft(gpu, 3)];
        for ladder in ladders {
            assert!(ladder.rungs.len() >= 3 && ladder.flops > 0 && ladder.bytes > 0);
            for rung in &ladder.rungs {
                assert_close(&format!("{}: {}", ladder.name, rung.name), &rung.run().read(), &ladder.want, 2e-5);
            }
        }
    });
}
