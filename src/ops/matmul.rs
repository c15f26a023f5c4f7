//! Matrix products: 1x1 convolutions, linear layers, the similarity matrix.
//!
//! Forward y = a x. With dy the gradient of y: dx = aᵀ dy and da = dy xᵀ. The long axis (pixels of the whole batch)
//! is contiguous in all three; in da it is the one summed over, so da is split into chunks whose sums are added in a
//! fixed order (a rerun is bit-equal).
//!
//! Two kernels serve each: `matmul/tile.wgsl` on GPUs and for shapes that are not multiples of 4, `matmul/lanes*.wgsl`
//! on CPU adapters. Operands past the binding limit are cut into ranges of rows. How large a block of the result a
//! workgroup has may be tuned; into how many chunks a sum is cut may not, since its order follows from that.

use super::{elem, out, split_rows, stored, u, wide, words};
use crate::gpu::{Gpu, Kernel, Knobs, Tier, Trial, Tunable, TuneShape, Value, groups, trial_data};
use crate::kernel;
use crate::tape::{Ctx, Param, Var};
use crate::tensor::{Storage, Tensor};
use bytemuck::{Pod, Zeroable};

static LANES: Kernel = kernel!("matmul/lanes.wgsl");
static LANES_NT: Kernel = kernel!("matmul/lanes_nt.wgsl");
static SUM_PARTS: Kernel = kernel!("matmul/sum_parts.wgsl");
static TILE: Kernel = kernel!("matmul/tile.wgsl");

/// y = W x: a 1x1 convolution or a linear layer without bias.
///
/// `w` is `[out, in]` (torch's `[out, in, 1, 1]` is the same memory); `x` is `[in, ...]`; y is `[out, ...]`.
/// Backward keeps x.
#[track_caller]
pub fn linear(cx: &Ctx, w: &Param, x: &Var) -> Var {
    linear_in(cx, w, x, Storage::F32)
}

// ANCHOR: linear
/// [`linear`] whose y is stored in that way; in 16 bits, y has a multiple of four columns.
#[track_caller]
pub fn linear_in(cx: &Ctx, w: &Param, x: &Var, storage: Storage) -> Var {
    let (out, inputs) = (w.value.shape()[0], w.value.shape()[1]);
    assert_eq!(x.value.shape()[0], inputs, "{}: weight {:?}, input {:?}", w.name, w.value.shape(), x.value.shape());
    let mut shape = x.value.shape().to_vec();
    shape[0] = out;
    let y = Tensor::empty_in(cx.gpu, "linear", &shape, storage);
    product(Left::Plain, &w.value, &x.value, &y, false);
    let (w, x) = (w.clone(), x.clone());
    let saved = x.value.clone();
    cx.record("linear", y, &[&saved], move |dy, grads| {
        outer_product(&dy, &x.value, &w.grad, true);
        if x.needs_grad() {
            let dx = Tensor::empty(dy.gpu(), "linear dx", x.value.shape());
            product(Left::Transposed, &w.value, &dy, &dx, false);
            grads.add(&x, dx);
        }
    })
}
// ANCHOR_END: linear

/// y = aᵀ b for a `[K, M]` and b `[K, N]`: every column of a against every column of b. Backward keeps both.
#[track_caller]
pub fn matmul_tn(cx: &Ctx, a: &Var, b: &Var) -> Var {
    let ([k, m], [k2, n]) = (a.value.dims2(), b.value.dims2());
    assert_eq!(k, k2, "matmul_tn of {:?} and {:?}", a.value.shape(), b.value.shape());
    let y = Tensor::empty(cx.gpu, "matmul_tn", &[m, n]);
    product(Left::Transposed, &a.value, &b.value, &y, false);
    let (a, b) = (a.clone(), b.clone());
    let saved = [a.value.clone(), b.value.clone()];
    cx.record("matmul_tn", y, &[&saved[0], &saved[1]], move |dy, grads| {
        if b.needs_grad() {
            let db = Tensor::empty(dy.gpu(), "matmul_tn db", b.value.shape());
            product(Left::Plain, &a.value, &dy, &db, false);
            grads.add(&b, db);
        }
        if a.needs_grad() {
            let da = Tensor::empty(dy.gpu(), "matmul_tn da", a.value.shape());
            outer_product(&b.value, &dy, &da, false);
            grads.add(&a, da);
        }
    })
}

/// How the left matrix lies in memory.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Left {
    Plain,
    Transposed,
}

/// A tensor as a matrix: its first axis, and all others as one.
fn matrix(t: &Tensor) -> (usize, usize) {
    (t.shape()[0], t.len() / t.shape()[0].max(1))
}

/// y (+)= a x or aᵀ x; a is `[M, K]` or `[K, M]`, x is `[K, ..]`, y is `[M, ..]`.
pub(super) fn product(left: Left, a: &Tensor, x: &Tensor, y: &Tensor, accumulate: bool) {
    let gpu = x.gpu();
    let ((k, n), (m, _)) = (matrix(x), matrix(y));
    for (m0, rows) in split_rows(gpu, m, n) {
        for (k0, depth) in split_rows(gpu, k, n) {
            let block = Block {
                left,
                a0: if left == Left::Plain { m0 * k + k0 } else { k0 * m + m0 },
                lda: if left == Left::Plain { k } else { m },
                accumulate: accumulate || k0 > 0,
            };
            block.run(gpu, a, &x.rows(k0, depth), &y.rows(m0, rows));
        }
    }
}

/// One product whose operands fit their bindings.
struct Block {
    left: Left,
    a0: usize,
    lda: usize,
    accumulate: bool,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct LanesParams {
    m: u32,
    k: u32,
    n4: u32,
    lda4: u32,
    a04: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct TileParams {
    m: u32,
    k: u32,
    n: u32,
    lda: u32,
    a0: u32,
    ldx: u32,
    chunk: u32,
    accumulate: u32,
}

// ANCHOR: lane_blocks
/// What the lane kernels can cut rows or columns of the result into. Few sizes, because each is a kernel to compile;
/// none larger, because the loop, written out, would outgrow a CPU core's instruction cache.
const LANE_BLOCKS: [usize; 3] = [16, 24, 40];

/// The block sizes for `n` rows or columns, the default first: the one that costs least, when a block costs one unit a
/// row, padding included, and 12 for loading the other operand (measured).
fn lane_blocks(n: usize) -> [usize; 3] {
    let mut blocks = LANE_BLOCKS;
    blocks.sort_by_key(|block| n.div_ceil(*block) * (block + 12));
    blocks
}
// ANCHOR_END: lane_blocks

/// Columns of y in a workgroup of the lane kernel.
const LANE_COLUMNS: usize = 64;

/// The kernels of matrix products that have knobs.
pub static TUNABLES: [&Tunable; 3] = [&LANES_KNOBS, &LANES_NT_KNOBS, &TILE_KNOBS];

/// Rows a workgroup; `[m, k, n, 1 where a is transposed]`.
static LANES_KNOBS: Tunable = Tunable {
    name: "matmul/lanes",
    choices: |[m, ..]| lane_blocks(m).map(|rows| [u(rows), 0, 0]).to_vec(),
    trial: |gpu, shape| Block::trial(gpu, shape, Block::run_lanes),
};

/// Rows and columns a workgroup, rows an invocation; `[m, k, n, variant]`.
static TILE_KNOBS: Tunable = Tunable {
    name: "matmul/tile",
    choices: |_| vec![DEFAULT_TILE, [32, 64, 4], [64, 32, 4], [64, 64, 8], [128, 64, 8]],
    trial: |gpu, shape| match shape[3] {
        OUTER => outer_trial(gpu, shape, Outer::run_tile),
        _ => Block::trial(gpu, shape, Block::run_tile),
    },
};

const DEFAULT_TILE: Knobs = [64, 64, 4];

/// The knobs of a tile for a result of `shape[0]` rows and so many columns. A CPU takes no more of either than the
/// result has: what it computes past them takes as long as what is wanted. A GPU needs the invocations for its loads.
fn tile_knobs(gpu: &Gpu, shape: TuneShape, columns: usize) -> Knobs {
    if gpu.caps().tier == Tier::Cpu {
        let fitting = |size: usize, least: usize| u(size.next_power_of_two().clamp(least, 64));
        [fitting(shape[0], 8), fitting(columns, 16), 4]
    } else {
        gpu.tuned(&TILE_KNOBS, shape)
    }
}

/// Variants of a product: left matrix as it is or transposed, and right matrix transposed.
const PLAIN: usize = 0;
const TRANSPOSED: usize = 1;
const OUTER: usize = 2;

/// How much of a long axis is worth a trial: what a device does in some milliseconds, in moderate memory. More of it
/// is the same work again, so longer ones share a choice.
fn trial_length(gpu: &Gpu, m: usize, k: usize, n: usize) -> usize {
    let flops = if gpu.caps().is_cpu { 1 << 26 } else { 1 << 34 };
    let most = (flops / (2 * m * k)).min((1 << 24) / (m + k));
    n.min(most.max(1024) / 64 * 64)
}

impl Block {
    /// The lane kernel reads and writes four elements at a time, and sums over four.
    fn fits_lanes(&self, m: usize, k: usize, n: usize) -> bool {
        let along_a = if self.left == Left::Plain { k } else { m };
        [along_a, k, n, self.lda, self.a0].iter().all(|size| size.is_multiple_of(4))
    }

    fn run(&self, gpu: &Gpu, a: &Tensor, x: &Tensor, y: &Tensor) {
        let ((k, n), (m, _)) = (matrix(x), matrix(y));
        let long = trial_length(gpu, m, k, n);
        let shape = [m, k, long, if self.left == Left::Plain { PLAIN } else { TRANSPOSED }];
        if gpu.caps().tier == Tier::Cpu && self.fits_lanes(m, k, n) {
            self.run_lanes(a, x, y, gpu.tuned(&LANES_KNOBS, shape));
        } else {
            self.run_tile(a, x, y, tile_knobs(gpu, shape, n));
        }
    }

    fn run_lanes(&self, a: &Tensor, x: &Tensor, y: &Tensor, [rows, ..]: Knobs) {
        let ((k, n), (m, _)) = (matrix(x), matrix(y));
        // what is added to is read first
        let mut spec = stored(y, 4);
        spec.extend(out(y));
        spec.extend(wide(x.gpu(), n));
        spec.extend([self.transpose(), ("ROWS", rows.into()), ("ACCUMULATE", self.accumulate.into())]);
        let params = LanesParams { m: u(m), k: u(k), n4: u(n / 4), lda4: u(self.lda / 4), a04: u(self.a0 / 4) };
        let grid = [groups(n, LANE_COLUMNS), groups(m, rows as usize), 1];
        x.gpu().run(&LANES, &spec, &params, &[a, x, y], grid, 2 * (m * k * n) as u64);
    }

    fn run_tile(&self, a: &Tensor, x: &Tensor, y: &Tensor, knobs: Knobs) {
        let ((k, n), (m, _)) = (matrix(x), matrix(y));
        let params = TileParams {
            m: u(m),
            k: u(k),
            n: u(n),
            lda: u(self.lda),
            a0: u(self.a0),
            ldx: u(n),
            chunk: u(k),
            accumulate: self.accumulate.into(),
        };
        let mut spec = tile_spec(knobs);
        spec.extend([self.transpose()].into_iter().chain(words(y)));
        x.gpu().run(&TILE, &spec, &params, &[a, x, y], tile_grid(m, n, 1, knobs), 2 * (m * k * n) as u64);
    }

    fn transpose(&self) -> (&'static str, Value) {
        ("TRANSPOSE_A", (self.left == Left::Transposed).into())
    }

    fn trial(gpu: &Gpu, [m, k, n, variant]: TuneShape, run: fn(&Block, &Tensor, &Tensor, &Tensor, Knobs)) -> Trial {
        let left = if variant == PLAIN { Left::Plain } else { Left::Transposed };
        let (rows, columns) = if left == Left::Plain { (m, k) } else { (k, m) };
        let (a, x) = (trial_data(gpu, &[rows, columns]), trial_data(gpu, &[k, n]));
        let y = Tensor::empty(gpu, "trial", &[m, n]);
        let block = Block { left, a0: 0, lda: columns, accumulate: false };
        Trial { out: y.clone(), run: Box::new(move |knobs| run(&block, &a, &x, &y, knobs)) }
    }
}

fn tile_spec([rows, columns, each]: Knobs) -> Vec<(&'static str, Value)> {
    vec![("ROWS", rows.into()), ("COLUMNS", columns.into()), ("EACH", each.into())]
}

fn tile_grid(m: usize, n: usize, parts: usize, [rows, columns, _]: Knobs) -> [u32; 3] {
    [groups(n, columns as usize), groups(m, rows as usize), u(parts)]
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct LanesNtParams {
    m: u32,
    j: u32,
    n4: u32,
    chunk4: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct SumParams {
    m: u32,
    j: u32,
    parts: u32,
    ldy: u32,
    y0: u32,
}

/// y (+)= a bᵀ, summed over all but the first axis; y is `[M, J]`.
pub(super) fn outer_product(a: &Tensor, b: &Tensor, y: &Tensor, accumulate: bool) {
    let gpu = a.gpu();
    let ((m, n), (j, _)) = (matrix(a), matrix(b));
    for (m0, rows) in split_rows(gpu, m, n) {
        for (j0, columns) in split_rows(gpu, j, n) {
            outer_block(gpu, &a.rows(m0, rows), &b.rows(j0, columns), y, (m0 * j + j0, j), accumulate);
        }
    }
}

fn outer_block(gpu: &Gpu, a: &Tensor, b: &Tensor, y: &Tensor, (y0, ldy): (usize, usize), accumulate: bool) {
    let ((m, n), (j, _)) = (matrix(a), matrix(b));
    let outer = Outer::new(gpu, m, j, n);
    let part = Tensor::empty(gpu, "weight gradient parts", &[outer.parts, m, j]);
    let shape = [m, trial_length(gpu, m, j, n), j, OUTER];
    if outer.lanes {
        outer.run_lanes(a, b, &part, gpu.tuned(&LANES_NT_KNOBS, shape));
    } else {
        outer.run_tile(a, b, &part, tile_knobs(gpu, shape, j));
    }
    add_parts(&part, y, (m, j), (y0, ldy), accumulate);
}

/// Rows a workgroup and blocks of eight columns; `[m, n, j, OUTER]`, summed over n. The default, and each of the two
/// sizes and both exchanged for the next best.
static LANES_NT_KNOBS: Tunable = Tunable {
    name: "matmul/lanes_nt",
    choices: |[m, _, j, _]| {
        let (rows, columns) = (lane_blocks(m), lane_blocks(j));
        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(r, c)| [u(rows[r]), u(columns[c] / 8), 0]).to_vec()
    },
    trial: |gpu, shape| outer_trial(gpu, shape, Outer::run_lanes),
};

/// The chunks of a bᵀ.
struct Outer {
    lanes: bool,
    chunk: usize,
    parts: usize,
}

impl Outer {
    /// Cuts a sum of length `n` for a result of `m` by `j`, whatever the knobs.
    fn new(gpu: &Gpu, m: usize, j: usize, n: usize) -> Outer {
        let lanes = gpu.caps().tier == Tier::Cpu && n.is_multiple_of(4);
        let tile = || (DEFAULT_TILE[0] as usize, DEFAULT_TILE[1] as usize);
        let (rows, columns) = if lanes { (lane_blocks(m)[0], lane_blocks(j)[0]) } else { tile() };
        // enough workgroups to balance 16 cores, or to occupy a large GPU
        let wanted = if lanes { 64 } else { 512 };
        let parts = chunks(wanted, m.div_ceil(rows) * j.div_ceil(columns), n);
        // chunks of whole vec4s
        let chunk = n.div_ceil(parts).div_ceil(4) * 4;
        Outer { lanes, chunk, parts: n.div_ceil(chunk) }
    }

    fn run_lanes(&self, a: &Tensor, b: &Tensor, part: &Tensor, [rows, blocks, _]: Knobs) {
        let ((m, n), (j, _)) = (matrix(a), matrix(b));
        let params = LanesNtParams { m: u(m), j: u(j), n4: u(n / 4), chunk4: u(self.chunk / 4) };
        let spec = [("ROWS", rows.into()), ("BLOCKS", blocks.into())];
        let grid = [groups(j, 8 * blocks as usize), groups(m, rows as usize), u(self.parts)];
        a.gpu().run(&LANES_NT, &spec, &params, &[a, b, part], grid, 2 * (m * j * n) as u64);
    }

    fn run_tile(&self, a: &Tensor, b: &Tensor, part: &Tensor, knobs: Knobs) {
        let ((m, n), (j, _)) = (matrix(a), matrix(b));
        let chunk = u(self.chunk);
        let params = TileParams { m: u(m), k: u(n), n: u(j), lda: u(n), a0: 0, ldx: u(n), chunk, accumulate: 0 };
        let mut spec = tile_spec(knobs);
        spec.push(("TRANSPOSE_X", true.into()));
        let grid = tile_grid(m, j, self.parts, knobs);
        a.gpu().run(&TILE, &spec, &params, &[a, b, part], grid, 2 * (m * j * n) as u64);
    }
}

fn outer_trial(gpu: &Gpu, [m, n, j, _]: TuneShape, run: fn(&Outer, &Tensor, &Tensor, &Tensor, Knobs)) -> Trial {
    let outer = Outer::new(gpu, m, j, n);
    let (a, b) = (trial_data(gpu, &[m, n]), trial_data(gpu, &[j, n]));
    let part = Tensor::empty(gpu, "trial", &[outer.parts, m, j]);
    Trial { out: part.clone(), run: Box::new(move |knobs| run(&outer, &a, &b, &part, knobs)) }
}

/// Into how many chunks a sum of length `n` is cut when the result has `tiles` tiles and so many workgroups are wanted.
/// None is shorter than 256. It depends on the kind of kernel, not on the device, and so does the order of the sum.
fn chunks(wanted: usize, tiles: usize, n: usize) -> usize {
    (wanted / tiles.max(1)).clamp(1, (n / 256).max(1))
}

/// y (+)= the sum over the first axis of `part`, in order.
pub(super) fn sum_parts(part: &Tensor, y: &Tensor, accumulate: bool) {
    add_parts(part, y, (1, matrix(part).1), (0, 0), accumulate);
}

/// Adds the parts, each `[m, j]`, into the block of y that starts at y0 with row stride ldy.
fn add_parts(part: &Tensor, y: &Tensor, (m, j): (usize, usize), (y0, ldy): (usize, usize), accumulate: bool) {
    // a block of whole rows is one long row
    let (m, j) = if ldy == j { (1, m * j) } else { (m, j) };
    // a multiple of 4 where all three are
    let (width, elem) = elem(j | ldy | y0);
    let [j, ldy, y0] = [j, ldy, y0].map(|size| size / width);
    let params = SumParams { m: u(m), j: u(j), parts: u(part.shape()[0]), ldy: u(ldy), y0: u(y0) };
    let spec = [elem, ("ACCUMULATE", accumulate.into())];
    y.gpu().run(&SUM_PARTS, &spec, &params, &[part, y], [groups(j, 64), u(m), 1], part.len() as u64);
}
