//! `bench ladders`: one task, done better rung by rung, each rung a kernel of its own.
//!
//! The rungs under `shaders/ladder` are for reading and measuring; the last one of a ladder is what the engine runs.

use super::peaks::{Peaks, seconds_of};
use crate::gpu::{Gpu, Kernel, Tier, groups};
use crate::kernel;
use crate::ops::depthwise::depthwise as convolution;
use crate::ops::fft::Fft;
use crate::ops::matmul::linear;
use crate::ops::reduce::row_sum;
use crate::ops::softmax_xent::{Samples, softmax_xent as cross_entropy};
use crate::ops::u;
use crate::selftest::deviation;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;

static MATMUL: [(Kernel, usize, &str); 4] = [
    (kernel!("ladder/matmul_1_naive.wgsl"), 16, "one result a lane; every multiply-add waits for two loads"),
    (
        kernel!("ladder/matmul_2_workgroup_tile.wgsl"),
        16,
        "tiles in workgroup memory: a load from far away serves 16 lanes",
    ),
    (kernel!("ladder/matmul_3_register_tile.wgsl"), 64, "sixteen results a lane: half a load a multiply-add"),
    (kernel!("ladder/matmul_4_vec4.wgsl"), 64, "by vectors of four: a quarter of the loads and stores"),
];
static SUM: [(Kernel, usize, &str); 4] = [
    (kernel!("ladder/sum_1_one_workgroup.wgsl"), usize::MAX, "one workgroup: the rest of the device is idle"),
    (kernel!("ladder/sum_2_tree.wgsl"), 64, "a tree a workgroup: all work, but a barrier for every addition"),
    (kernel!("ladder/sum_3_many_a_lane.wgsl"), 4096, "64 elements a lane before the tree"),
    (kernel!("ladder/sum_4_vec4.wgsl"), 16384, "by vectors of four"),
];
static SUBGROUP: (Kernel, [usize; 2], &str) = (
    kernel!("ladder/matmul_5_subgroup.wgsl"),
    [64, 8],
    "broadcasts within a subgroup instead of workgroup memory: no barrier",
);
static DFT: Kernel = kernel!("ladder/fft_1_dft.wgsl");
static RADIX_2: Kernel = kernel!("ladder/fft_2_radix_2.wgsl");
static RADIX_4: Kernel = kernel!("ladder/fft_3_radix_4.wgsl");
static DEPTHWISE: [(Kernel, usize, &str); 4] = [
    (kernel!("ladder/depthwise_1_naive.wgsl"), 64, "one output a lane: eighteen loads for nine multiply-adds"),
    (
        kernel!("ladder/depthwise_2_workgroup_tile.wgsl"),
        128,
        "a tile and its edge in workgroup memory: a load from far away serves up to nine outputs",
    ),
    (
        kernel!("ladder/depthwise_3_strip.wgsl"),
        512,
        "a lane walks down eight rows, three of them in registers: five loads an output",
    ),
    (kernel!("ladder/depthwise_4_vec4.wgsl"), 2048, "four columns at once: a vector is loaded and filtered as one"),
];
static XENT: [(Kernel, usize, &str); 4] = [
    (kernel!("ladder/xent_1_two_passes.wgsl"), 64, "a row a lane, twice over it; neighbours read far apart"),
    (kernel!("ladder/xent_2_online.wgsl"), 64, "maximum and sum in one pass"),
    (kernel!("ladder/xent_3_workgroup.wgsl"), 1, "a row a workgroup: neighbours read side by side, 64 times the lanes"),
    (kernel!("ladder/xent_4_vec4.wgsl"), 1, "by vectors of four, 16 lanes: two barriers less"),
];

/// A task and the ways to do it.
pub struct Ladder {
    /// In a word, and its size.
    pub name: String,
    /// The result in f64.
    pub want: Vec<f64>,
    /// Arithmetic that the task needs, however it is done.
    pub flops: u64,
    /// Bytes that it has to move, each once.
    pub bytes: u64,
    /// From the plainest on.
    pub rungs: Vec<Rung>,
}

/// A way to do it.
pub struct Rung {
    /// The kernel's file, or who else does it.
    pub name: String,
    /// What it changes, and why that helps.
    pub why: &'static str,
    run: Box<dyn Fn() -> Tensor>,
}

impl Rung {
    /// Does the task once.
    pub fn run(&self) -> Tensor {
        (self.run)()
    }
}

/// A rung, measured.
#[derive(Clone, Debug)]
pub struct RungTime {
    /// The fastest of several runs.
    pub ms: f64,
    /// Largest difference from the result in f64, over its root mean square.
    pub error: f64,
}

/// A larger difference than this is no rounding.
pub const TOLERANCE: f64 = 1e-3;

impl Ladder {
    /// Checks and times every rung.
    pub fn climb(&self, gpu: &Gpu) -> Vec<RungTime> {
        let measure = |rung: &Rung| {
            let error = deviation(&rung.run().read::<f32>(), &self.want);
            RungTime { ms: 1e3 * seconds_of(gpu, || drop(rung.run())), error }
        };
        self.rungs.iter().map(measure).collect()
    }

    /// The least time that the task can take on a device with these limits, in ms.
    pub fn floor_ms(&self, peaks: &Peaks) -> f64 {
        peaks.floor_ms(self.bytes, self.flops)
    }
}

fn data(len: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(len as u64);
    (0..len).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

fn file(kernel: &Kernel) -> String {
    kernel.path.trim_start_matches("ladder/").trim_end_matches(".wgsl").into()
}

/// All ladders, of sizes that suit a GPU, or less work for a CPU.
pub fn all(gpu: &Gpu) -> Vec<Ladder> {
    match gpu.caps().is_cpu {
        // Mesa 22.3 ends all loops of a lane after 65535 rounds in total, and one workgroup takes n / 64
        true => vec![
            matmul(gpu, 256),
            depthwise(gpu, [32, 8, 48, 32]),
            softmax_xent(gpu, 512),
            sum(gpu, 1 << 21),
            fft(gpu, 256),
        ],
        false => vec![
            matmul(gpu, 2048),
            depthwise(gpu, [96, 64, 48, 32]),
            softmax_xent(gpu, 4096),
            sum(gpu, 1 << 26),
            fft(gpu, 1 << 14),
        ],
    }
}

/// y = a x of square matrices with `side` rows, a multiple of 64.
pub fn matmul(gpu: &Gpu, side: usize) -> Ladder {
    let [a, x] = [data(side * side), data(side * side + 1)[1..].to_vec()];
    let mut want = vec![0.0; side * side];
    for (row, y) in want.chunks_mut(side).enumerate() {
        for (k, x) in x.chunks(side).enumerate() {
            let factor = f64::from(a[row * side + k]);
            y.iter_mut().zip(x).for_each(|(y, &x)| *y += factor * f64::from(x));
        }
    }
    let [a, x] = [a, x].map(|values| Tensor::from_slice(gpu, &[side, side], &values));
    let flops = 2 * (side as u64).pow(3);
    let rung = |kernel: &'static Kernel, [columns, rows]: [usize; 2], why| {
        let (a, x) = (a.clone(), x.clone());
        let run = move || {
            let y = Tensor::empty(x.gpu(), "ladder", &[side, side]);
            let grid = [groups(side, columns), groups(side, rows), 1];
            x.gpu().run(kernel, &[], &[u(side); 3], &[&a, &x, &y], grid, flops);
            y
        };
        Rung { name: file(kernel), why, run: Box::new(run) }
    };
    let mut rungs: Vec<Rung> = MATMUL.iter().map(|(kernel, block, why)| rung(kernel, [*block; 2], why)).collect();
    if Tier::on(gpu.caps()).contains(&Tier::Cpu) {
        let (kernel, block, why) = &SUBGROUP;
        rungs.push(rung(kernel, *block, why));
    }
    let weight = Param { name: "ladder".into(), grad: Tensor::zeros(gpu, "no gradient", &[1]), value: a };
    rungs.push(Rung {
        name: "the engine: ops/matmul.rs".into(),
        why: "larger blocks, knobs tuned a shape; on CPUs forty rows of eight columns a lane by broadcasts",
        run: Box::new(move || linear(&Ctx::inference(x.gpu()), &weight, &Var::constant(x.clone())).value),
    });
    let name = format!("matrix product {side} x {side} x {side}");
    Ladder { name, want, flops, bytes: 12 * (side * side) as u64, rungs }
}

/// 3 x 3 convolution of maps `[C, N, H, W]` with one filter a channel; H a multiple of 8, W of 16.
pub fn depthwise(gpu: &Gpu, [channels, planes, h, w]: [usize; 4]) -> Ladder {
    let (values, filters) = (data(channels * planes * h * w), data(9 * channels));
    let mut want = vec![0.0; values.len()];
    for (at, (x, y)) in values.chunks(h * w).zip(want.chunks_mut(h * w)).enumerate() {
        let filter = &filters[9 * (at / planes)..][..9];
        for (i, j) in (0..h).flat_map(|i| (0..w).map(move |j| (i, j))) {
            let taps = (0..9).map(|tap| (tap, i + tap / 3, j + tap % 3));
            let inside = taps.filter(|&(_, r, s)| (1..=h).contains(&r) && (1..=w).contains(&s));
            let product =
                |(tap, r, s): (usize, usize, usize)| f64::from(filter[tap]) * f64::from(x[(r - 1) * w + s - 1]);
            y[i * w + j] = inside.map(product).sum();
        }
    }
    let x = Tensor::from_slice(gpu, &[channels, planes, h, w], &values);
    let filters = Tensor::from_slice(gpu, &[channels, 1, 3, 3], &filters);
    let flops = 18 * values.len() as u64;
    let rung = |(kernel, block, why): &'static (Kernel, usize, &'static str)| {
        let (x, filters) = (x.clone(), filters.clone());
        let width = if kernel.path.ends_with("vec4.wgsl") { w / 4 } else { w };
        let run = move || {
            let y = Tensor::empty(x.gpu(), "ladder", x.shape());
            let grid = [groups(planes * h * w, *block), u(channels), 1];
            x.gpu().run(kernel, &[], &[u(planes), u(h), u(width)], &[&x, &filters, &y], grid, flops);
            y
        };
        Rung { name: file(kernel), why, run: Box::new(run) }
    };
    let mut rungs: Vec<Rung> = DEPTHWISE.iter().map(rung).collect();
    let bytes = 8 * values.len() as u64;
    let filters = Param { name: "ladder".into(), grad: Tensor::zeros(gpu, "no gradient", &[1]), value: filters };
    rungs.push(Rung {
        name: "the engine: ops/depthwise.rs".into(),
        why: "strips as well; on CPUs neighbours hand their edge round, small planes go many to a workgroup",
        run: Box::new(move || convolution(&Ctx::inference(x.gpu()), &Var::constant(x.clone()), &filters, 1).value),
    });
    Ladder { name: format!("depthwise 3x3, {channels} x {planes} x {h} x {w}"), want, flops, bytes, rungs }
}

/// Softmax cross-entropy of `side` samples, a multiple of 64, of as many classes; sample i is of class i.
pub fn softmax_xent(gpu: &Gpu, side: usize) -> Ladder {
    let values: Vec<f32> = data(side * side).iter().map(|x| 10.0 * x).collect();
    let loss = |(i, row): (usize, &[f32])| {
        let highest = f64::from(row.iter().copied().fold(f32::MIN, f32::max));
        let sum: f64 = row.iter().map(|&x| (f64::from(x) - highest).exp()).sum();
        highest + sum.ln() - f64::from(row[i])
    };
    let want = values.chunks(side).enumerate().map(loss).collect();
    let x = Tensor::from_slice(gpu, &[side, side], &values);
    // difference, exponential and addition
    let flops = 3 * (side * side) as u64;
    let rung = |(kernel, rows, why): &'static (Kernel, usize, &'static str)| {
        let x = x.clone();
        let width = if kernel.path.ends_with("vec4.wgsl") { side / 4 } else { side };
        let run = move || {
            let losses = Tensor::empty(x.gpu(), "ladder", &[side]);
            x.gpu().run(kernel, &[], &u(width), &[&x, &losses], [groups(side, *rows), 1, 1], flops);
            losses
        };
        Rung { name: file(kernel), why, run: Box::new(run) }
    };
    let mut rungs: Vec<Rung> = XENT.iter().map(rung).collect();
    let targets = Tensor::from_slice(gpu, &[side], &(0..u(side)).collect::<Vec<u32>>());
    rungs.push(Rung {
        name: "the engine: ops/softmax_xent.rs".into(),
        why: "two passes by 64 lanes a row, 8 on CPUs; also keeps what backward needs and counts right answers",
        run: Box::new(move || {
            cross_entropy(&Ctx::inference(x.gpu()), &Var::constant(x.clone()), Samples::Rows, &targets).losses
        }),
    });
    let name = format!("softmax cross-entropy {side} x {side}");
    Ladder { name, want, flops, bytes: 4 * (side * side) as u64, rungs }
}

/// The sum of `len` elements, a multiple of 4.
pub fn sum(gpu: &Gpu, len: usize) -> Ladder {
    // far from zero, so that the error is one of the sum and not of what cancels
    let values: Vec<f32> = data(len).iter().map(|x| x + 1.0).collect();
    let want = vec![values.iter().map(|&x| f64::from(x)).sum()];
    let x = Tensor::from_slice(gpu, &[len], &values);
    let rung = |(kernel, block, why): &'static (Kernel, usize, &'static str)| {
        let x = x.clone();
        let run = move || {
            let mut left = x.clone();
            // vectors only where there are whole ones: the last few numbers go to the rung before
            while left.len() > 1 {
                let last = kernel.path.ends_with("vec4.wgsl") && !left.len().is_multiple_of(4);
                let (kernel, block) = if last { (&SUM[2].0, SUM[2].1) } else { (kernel, *block) };
                let count = left.len().div_ceil(block);
                let y = Tensor::empty(left.gpu(), "ladder", &[count]);
                let n = if kernel.path.ends_with("vec4.wgsl") { left.len() / 4 } else { left.len() };
                left.gpu().run(kernel, &[], &u(n), &[&left, &y], [u(count), 1, 1], left.len() as u64);
                left = y;
            }
            left
        };
        Rung { name: file(kernel), why, run: Box::new(run) }
    };
    let mut rungs: Vec<Rung> = SUM.iter().map(rung).collect();
    rungs.push(Rung {
        name: "the engine: ops/reduce.rs".into(),
        why: "a row a workgroup, then their sums; on CPUs a row a lane, without barriers",
        run: Box::new(move || {
            let rows = x.len() / (1 << 12);
            let sums = Tensor::empty(x.gpu(), "ladder", &[1, rows]);
            row_sum(1.0, &x.reshape(&[rows, 1 << 12]), 0.0, &sums.reshape(&[rows]));
            let sum = Tensor::empty(x.gpu(), "ladder", &[1]);
            row_sum(1.0, &sums, 0.0, &sum);
            sum
        }),
    });
    Ladder { name: format!("sum of {len}"), want, flops: len as u64, bytes: 4 * len as u64, rungs }
}

/// Complex transforms of 256 points, so many rows.
pub fn fft(gpu: &Gpu, rows: usize) -> Ladder {
    const N: usize = 256;
    let values = data(2 * N * rows);
    let turn: Vec<(f64, f64)> = (0..N).map(|i| (-TAU * i as f64 / N as f64).sin_cos()).collect();
    let of_bin = |row: &[f32], k: usize| {
        row.chunks(2).enumerate().fold([0.0, 0.0], |[re, im], (j, z)| {
            let ((sin, cos), [a, b]) = (turn[j * k % N], [f64::from(z[0]), f64::from(z[1])]);
            [re + a * cos - b * sin, im + a * sin + b * cos]
        })
    };
    let want = values.chunks(2 * N).flat_map(|row| (0..N).flat_map(move |k| of_bin(row, k))).collect();
    let x = Tensor::from_slice(gpu, &[rows, N, 2], &values);
    let rung = |kernel: &'static Kernel, grid: [u32; 3], why| {
        let x = x.clone();
        let run = move || {
            let y = Tensor::empty(x.gpu(), "ladder", x.shape());
            x.gpu().run(kernel, &[], &(), &[&x, &y], grid, 0);
            y
        };
        Rung { name: file(kernel), why, run: Box::new(run) }
    };
    let mut rungs = vec![
        rung(&DFT, [u(N / 64), u(rows), 1], "by the definition: N² products a row"),
        rung(&RADIX_2, [u(rows), 1, 1], "N log N, by pairs in workgroup memory: 8 barriers"),
        rung(&RADIX_4, [u(rows), 1, 1], "by fours: 4 barriers, half the traffic of workgroup memory"),
    ];
    let fft = Fft::complex(gpu, N);
    rungs.push(Rung {
        name: "the engine: ops/fft.rs".into(),
        why: "eight points a lane in registers, twiddles from a table: a third of the barriers",
        run: Box::new(move || fft.forward(&x)),
    });
    let flops = 5 * N as u64 * u64::from(N.ilog2()) * rows as u64;
    Ladder {
        name: format!("Fourier transforms of {N} points, {rows} rows"),
        want,
        flops,
        bytes: 16 * (N * rows) as u64,
        rungs,
    }
}
