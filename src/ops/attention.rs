//! Causal self-attention.

use super::u;
use crate::gpu::{Kernel, Tier, Value, groups};
use crate::kernel;
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;
use bytemuck::{Pod, Zeroable};

static FORWARD: Kernel = kernel!("attention/forward.wgsl");
static DQ: Kernel = kernel!("attention/dq.wgsl");
static DKV: Kernel = kernel!("attention/dkv.wgsl");

/// Widths of a head that the kernels are written out for.
pub const HEAD_WIDTHS: [usize; 3] = [16, 32, 64];

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    heads: u32,
    samples: u32,
    steps: u32,
    scale: f32,
}

/// `y[i][t] = Σ_u<=t softmax_u(q[·][t] · k[·][u] / √d) v[i][u]` for every head and sample (Vaswani et al. 2017, eq. 1,
/// with a causal mask). `qkv` is `[3 D, samples · steps]`, the steps of a sample side by side: queries, keys and values
/// of all heads, each head d rows; y: `[D, samples · steps]`.
///
/// The T x T scores are computed a strip at a time and never stored (Milakov and Gimelshein 2018, Dao et al. 2022).
/// Backward computes them again: with w the weights and `delta[t] = y[·][t] · dy[·][t]`,
/// `ds[t][u] = w[t][u] (dy[·][t] · v[·][u] - delta[t])`, `dq = ds k / √d`, `dk = dsᵀ q / √d`, `dv = wᵀ dy`. Keeps qkv, y
/// and a number for each head and step.
///
/// # Panics
/// When the rows are not 3 heads · d with d of [`HEAD_WIDTHS`], the columns not whole samples, or `steps` no multiple
/// of 4.
#[track_caller]
pub fn causal_attention(cx: &Ctx, qkv: &Var, heads: usize, steps: usize) -> Var {
    let [rows, columns] = qkv.value.dims2();
    let width = rows / (3 * heads.max(1));
    let whole = rows == 3 * heads * width && HEAD_WIDTHS.contains(&width);
    assert!(whole, "attention of {heads} heads over {rows} rows: heads are 16, 32 or 64 wide, three times each");
    assert!(steps > 0 && steps.is_multiple_of(4), "attention over {steps} steps: a multiple of 4");
    assert!(columns.is_multiple_of(steps), "{columns} columns in samples of {steps} steps");
    let samples = columns / steps;
    let params = Params { heads: u(heads), samples: u(samples), steps: u(steps), scale: (width as f32).powf(-0.5) };
    // what a workgroup loads for all its lanes: on a CPU a workgroup is one vector
    let on_cpu = cx.gpu.caps().tier == Tier::Cpu;
    let (lanes, each) = if on_cpu { (8, 4) } else { (64, 1) };
    let mut spec: Vec<(&'static str, Value)> = vec![("DH", u(width).into()), ("WG", u(lanes).into())];
    if on_cpu {
        spec.push(("lib/eight_rows.wgsl", Value::Name("lib/eight_rows_lanes.wgsl")));
        spec.push(("lib/own_positions.wgsl", Value::Name("lib/own_positions_x4.wgsl")));
    }
    let grid = [groups(steps, lanes * each), u(samples), u(heads)];
    // pairs of query and key, times what a multiply-add for each feature costs
    let flops = move |multiply_adds: u64| multiply_adds * (heads * width * samples * steps * (steps + 1)) as u64;
    let y = Tensor::empty(cx.gpu, "attention", &[heads * width, columns]);
    let lse = Tensor::empty(cx.gpu, "attention lse", &[heads, columns]);
    cx.gpu.run(&FORWARD, &spec, &params, &[&qkv.value, &y, &lse], grid, flops(2));

    let (x, kept_y, kept_lse) = (qkv.clone(), y.clone(), lse.clone());
    cx.record("attention", y.clone(), &[&qkv.value, &y, &lse], move |dy, grads| {
        let gpu = dy.gpu();
        let dqkv = Tensor::empty(gpu, "attention dqkv", x.value.shape());
        let delta = Tensor::empty(gpu, "attention delta", kept_lse.shape());
        let bound = [&x.value, &kept_y, &dy, &kept_lse, &dqkv, &delta];
        gpu.run(&DQ, &spec, &params, &bound, grid, flops(3));
        gpu.run(&DKV, &spec, &params, &[&x.value, &dy, &kept_lse, &delta, &dqkv], grid, flops(4));
        grads.add(&x, dqkv);
    })
}
