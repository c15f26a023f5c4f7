//! The smallest network that needs a hidden layer: exclusive or.
//!
//!     cargo run --release --example 05_xor

use cola::gpu::{Gpu, GpuOptions};
use cola::nn::dense::Dense;
use cola::nn::{Init, ParamStore};
use cola::ops::elementwise::{Unary, unary};
use cola::ops::softmax_xent::{Samples, softmax_xent};
use cola::optim::{Adam, AdamConfig};
use cola::tape::{Ctx, Tape, Var};
use cola::tensor::Tensor;

const HIDDEN: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&GpuOptions::default())?;

    // Parameters live in one slab of device memory, each under its name, and so do their gradients and Adam's moments.
    let glorot = |fan_in, fan_out| Init::GlorotUniform { fan_in, fan_out };
    let layers = [("hidden", 2, HIDDEN), ("output", HIDDEN, 2)];
    let initial: Vec<_> =
        layers.iter().flat_map(|&(name, from, to)| Dense::initial(glorot(from, to), 1, name, [to, from])).collect();
    let store = ParamStore::build(&gpu, &initial);
    let find = |name: &str| store.get(name);
    let (hidden, output) = (Dense::new(&find, "hidden"), Dense::new(&find, "output"));
    let network = |cx: &Ctx, x: &Var| output.forward(cx, &unary(cx, Unary::Tanh, &hidden.forward(cx, x)));

    // Four samples, a column each.
    let x = Var::constant(Tensor::from_slice(&gpu, &[2, 4], &[0.0f32, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0]));
    let targets = Tensor::from_slice(&gpu, &[4], &[0u32, 1, 1, 0]);

    let mut adam = Adam::new(AdamConfig::pytorch());
    for step in 0..=200 {
        store.zero_grad();
        let tape = Tape::new();
        let out = softmax_xent(
            &Ctx::training(&gpu, &tape),
            &network(&Ctx::training(&gpu, &tape), &x),
            Samples::Columns,
            &targets,
        );
        tape.backward(&out.loss, Tensor::from_slice(&gpu, &[1], &[1.0f32]));
        adam.step(&store, 0.05);
        if step % 40 == 0 {
            let loss = out.loss.value.read::<f32>()[0];
            println!("step {step:3}  loss {loss:.4}  {}", "#".repeat((60.0 * loss) as usize));
        }
    }

    let logits: Vec<f32> = network(&Ctx::inference(&gpu), &x).value.read();
    println!("\n a b | a xor b, as the network has it");
    for (i, (a, b)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
        let share = 1.0 / (1.0 + (logits[i] - logits[4 + i]).exp());
        println!(" {a} {b} | {share:.3}");
        assert_eq!(share > 0.5, a != b);
    }
    Ok(())
}
