//! The sentinel words that stand behind every tensor of a test: that a kernel which passes its output's end is told.

use crate::harness::on_one_device;
use bytemuck::{Pod, Zeroable};
use cola::gpu::{Gpu, Kernel, Value};
use cola::kernel;
use cola::tensor::Tensor;
use std::panic::{AssertUnwindSafe, catch_unwind};

static AXPBY: Kernel = kernel!("axpby.wgsl");

/// `Params` of axpby.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    n: u32,
    a: f32,
    b: f32,
}

/// What check_guards says of a copy of `n` elements from a tensor of `x_len` to one of 50.
fn told(gpu: &Gpu, x_len: usize, n: u32) -> Result<(), String> {
    let x = Tensor::from_slice(gpu, &[x_len], &vec![1.0f32; x_len]);
    let y = Tensor::zeros(gpu, "output", &[50]);
    let params = Params { n, a: 1.0, b: 0.0 };
    gpu.run(&AXPBY, &[("Elem", Value::Name("f32"))], &params, &[&x, &y], [1, 1, 1], 0);
    catch_unwind(AssertUnwindSafe(|| gpu.check_guards())).map_err(|e| *e.downcast().expect("a panic with a text"))
}

#[test]
fn a_write_past_the_end_is_told() {
    on_one_device(|gpu| {
        let error = Err("a kernel wrote past the end of 'output' (200 bytes)".to_string());
        assert_eq!(told(gpu, 60, 50), Ok(()));
        assert_eq!(told(gpu, 60, 51), error);
        // past the end of the input, too: its sentinels over the output's
        assert_eq!(told(gpu, 50, 51), error);
    });
}
