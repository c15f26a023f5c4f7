//! What every kernel test uses: the devices to run on, data, comparison with f64 references, gradient checks.

use cola::gpu::{AdapterChoice, Gpu, GpuOptions, Tier, catch};
use cola::tape::{Ctx, Param, Tape, Var};
use cola::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::{Mutex, OnceLock, TryLockError};

/// One device for each way a kernel can run here. A test holds the one it runs on, so that check_guards speaks of
/// its tensors only; another test may run on the next meanwhile.
struct Devices {
    tiers: Vec<Tier>,
    /// Every tier of this adapter, unchecked as in production, with sentinel words behind every tensor.
    guarded: Vec<Mutex<Gpu>>,
    /// Every tier with wgpu's run-time checks, which clamp what would go out of bounds.
    checked: Vec<Mutex<Gpu>>,
}

/// The adapter that the tests are to use.
fn open(tier: Tier, checked: bool, guard: bool) -> Gpu {
    let adapter = match std::env::var("COLA_ADAPTER") {
        Ok(name) => name.parse().expect("any text names an adapter"),
        Err(_) => AdapterChoice::Best,
    };
    let options = GpuOptions { adapter, tier: Some(tier), checked, guard, ..Default::default() };
    Gpu::open(&options).unwrap_or_else(|e| panic!("the kernel tests need an adapter: {e}"))
}

fn devices() -> &'static Devices {
    static DEVICES: OnceLock<Devices> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let first = open(Tier::Portable, false, true);
        let tiers = Tier::on(first.caps());
        let open = |checked, guard| tiers.iter().map(|&tier| Mutex::new(open(tier, checked, guard))).collect();
        Devices { guarded: open(false, true), checked: open(true, false), tiers }
    })
}

fn run(device: &Mutex<Gpu>, test: impl Fn(&Gpu)) {
    let gpu = device.lock().unwrap_or_else(|e| e.into_inner());
    catch(|| test(&gpu)).unwrap_or_else(|e| panic!("{e}"));
    gpu.check_guards();
}

/// Runs a test on every tier this adapter has, checked and unchecked; sentinels are checked after each.
pub fn on_every_device(test: impl Fn(&Gpu)) {
    let Devices { guarded, checked, .. } = devices();
    let mut left: Vec<_> = guarded.iter().chain(checked).collect();
    while !left.is_empty() {
        // with the others in use, wait for the first
        let free = left.iter().position(|device| !matches!(device.try_lock(), Err(TryLockError::WouldBlock)));
        run(left.remove(free.unwrap_or(0)), &test);
    }
}

/// Runs a test as production does: for what is made of kernels that other tests run on every device.
pub fn on_one_device(test: impl Fn(&Gpu)) {
    run(devices().guarded.last().expect("an adapter has a tier"), test);
}

/// The same without sentinels, which keep every buffer until they are checked: for what trains for hundreds of steps.
pub fn on_plain_device(test: impl Fn(&Gpu)) {
    let gpu = open(*devices().tiers.last().expect("an adapter has a tier"), false, false);
    catch(|| test(&gpu)).unwrap_or_else(|e| panic!("{e}"));
}

/// `n` values in [-1, 1), the same for the same seed.
pub fn data(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

/// As f64, for a reference.
pub fn f64s(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&v| f64::from(v)).collect()
}

/// Compares with the reference: normalised mean square error below `tolerance`², worst element within
/// `tolerance` of (1 + |reference|) scaled by the reference's magnitude; NaN never passes.
#[track_caller]
pub fn assert_close(name: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}: length");
    let power = want.iter().map(|w| w * w).sum::<f64>() / want.len().max(1) as f64;
    let scale = power.sqrt();
    let mut error = 0.0;
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let difference = (f64::from(g) - w).abs();
        assert!(
            difference <= 20.0 * tolerance * (scale + w.abs()) + 1e-30,
            "{name}: element {i} is {g}, reference {w} (difference {difference:.3e}, rms of reference {scale:.3e})"
        );
        error += difference * difference;
    }
    let nmse = error / want.len().max(1) as f64 / power.max(1e-60);
    assert!(nmse <= tolerance * tolerance, "{name}: normalised rms error {:.3e} above {tolerance:.1e}", nmse.sqrt());
}

/// An input of an op under test.
#[derive(Clone)]
pub struct Input {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

/// An input of values in [-1, 1).
pub fn input(seed: u64, shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), data: data(seed, shape.iter().product()) }
}

impl Input {
    /// Values moved and scaled: `a x + b`.
    pub fn affine(mut self, a: f32, b: f32) -> Input {
        self.data.iter_mut().for_each(|v| *v = a * *v + b);
        self
    }

    fn tensor(&self, gpu: &Gpu) -> Tensor {
        Tensor::from_slice(gpu, &self.shape, &self.data)
    }
}

type Reference<'a> = &'a dyn Fn(&[Vec<f64>], &[Vec<f64>]) -> Vec<f64>;
type Op<'a> = &'a dyn Fn(&Ctx, &[Var], &[Param]) -> Var;

/// Parameter gradients start from this, to see that ops accumulate.
const EARLIER_GRAD: f32 = 0.25;

/// Checks an op: forward against the f64 reference, and every gradient against central differences of the reference.
///
/// The op stands mid-graph and is used twice: `0.7 op(x) + 1.9 op(x) + 0.3 r`, with a random gradient from above, so
/// that a backward which assumes 1, or overwrites where it should add, is found.
/// `vars` are activations, `params` parameters.
#[track_caller]
pub fn check_op(name: &str, gpu: &Gpu, vars: &[Input], params: &[Input], reference: Reference, op: Op, tolerance: f64) {
    let x: Vec<Vec<f64>> = vars.iter().map(|i| f64s(&i.data)).collect();
    let w: Vec<Vec<f64>> = params.iter().map(|i| f64s(&i.data)).collect();
    let want = reference(&x, &w);

    let tape = Tape::new();
    let cx = Ctx::training(gpu, &tape);
    let leaves: Vec<Var> = vars.iter().map(|i| tape.leaf(i.tensor(gpu))).collect();
    let slots: Vec<Param> = params
        .iter()
        .map(|i| Param {
            name: "test".into(),
            value: i.tensor(gpu),
            grad: Tensor::from_slice(gpu, &i.shape, &vec![EARLIER_GRAD; i.data.len()]),
        })
        .collect();
    let y = op(&cx, &leaves, &slots);
    assert_close(&format!("{name} forward"), &y.value.read::<f32>(), &want, tolerance);

    // ANCHOR: mid_graph
    let again = op(&cx, &leaves, &slots);
    let other = Var::constant(Tensor::from_slice(gpu, y.value.shape(), &data(99, want.len())));
    let sum = cola::ops::elementwise::add_scaled(&cx, 0.7, &y, 1.9, &again);
    let out = cola::ops::elementwise::add_scaled(&cx, 1.0, &sum, 0.3, &other);
    let seed = data(98, want.len());
    let seed_tensor = Tensor::from_slice(gpu, out.value.shape(), &seed);
    let grads = tape.backward(&out, seed_tensor);
    // ANCHOR_END: mid_graph
    assert_eq!(grads.len(), vars.len(), "{name}: gradients that reached a leaf");

    let loss = |x: &[Vec<f64>], w: &[Vec<f64>]| -> f64 {
        reference(x, w).iter().zip(&seed).map(|(y, &s)| 2.6 * y * f64::from(s)).sum()
    };
    for (k, grad) in grads.iter().enumerate() {
        let slope = |at: &[f64]| {
            let mut moved = x.clone();
            moved[k] = at.to_vec();
            loss(&moved, &w)
        };
        check_gradient(&format!("{name} d(input {k})"), &grad.read(), 0.0, &x[k], &slope, tolerance);
    }
    for (k, slot) in slots.iter().enumerate() {
        let slope = |at: &[f64]| {
            let mut moved = w.clone();
            moved[k] = at.to_vec();
            loss(&x, &moved)
        };
        check_gradient(&format!("{name} d(parameter {k})"), &slot.grad.read(), EARLIER_GRAD, &w[k], &slope, tolerance);
    }
}

/// Every coordinate where there are few, sixteen random directions where there are many.
#[track_caller]
pub fn check_gradient(name: &str, got: &[f32], earlier: f32, at: &[f64], loss: &dyn Fn(&[f64]) -> f64, tolerance: f64) {
    // ANCHOR: along
    const STEP: f64 = 1e-5;
    let along = |direction: &dyn Fn(usize) -> f64| {
        let moved = |sign: f64| at.iter().enumerate().map(|(i, v)| v + sign * STEP * direction(i)).collect::<Vec<_>>();
        (loss(&moved(1.0)) - loss(&moved(-1.0))) / (2.0 * STEP)
    };
    // ANCHOR_END: along
    let got: Vec<f32> = got.iter().map(|g| g - earlier).collect();
    if at.len() <= 300 {
        let want: Vec<f64> = (0..at.len()).map(|j| along(&|i| f64::from(u8::from(i == j)))).collect();
        assert_close(name, &got, &want, 10.0 * tolerance);
    } else {
        let norm = got.iter().map(|g| f64::from(g * g)).sum::<f64>().sqrt();
        for k in 0..16 {
            let direction = f64s(&data(1000 + k, at.len()));
            let want = along(&|i| direction[i]);
            let have: f64 = got.iter().zip(&direction).map(|(&g, d)| f64::from(g) * d).sum();
            assert!(
                (have - want).abs() <= 30.0 * tolerance * (want.abs() + norm),
                "{name}: along direction {k} {have}, by differences {want}"
            );
        }
    }
}
