//! Reverse-mode differentiation in a page.
//!
//! The tape is an arena: each op that runs appends a node with the ids of its inputs, what it saved, and a closure
//! that turns the gradient of its output into gradients of its inputs. A node can only refer to earlier ones, so the
//! order of creation is a topological order and the way back is a plain reverse loop. Closures are `FnOnce`: what was
//! saved is freed as the walk goes back, so memory falls from the first backward kernel on.
//!
//! Two rules, stated once: the gradient of an *activation* is handed to [`Grads::add`], which sums contributions; the
//! gradient of a *parameter* is accumulated (`+=`) by the op into [`Param::grad`].

use crate::gpu::Gpu;
use crate::ops;
use crate::tensor::{Storage, Tensor};
use std::cell::RefCell;

/// A trained tensor and its gradient, both slices of the slabs of a parameter store.
#[derive(Clone, Debug)]
pub struct Param {
    /// The name in checkpoints.
    pub name: String,
    /// Current value.
    pub value: Tensor,
    /// Sum of the gradients since it was last cleared, of the same shape.
    pub grad: Tensor,
}

/// A value in the computation, with its place on the tape if a gradient can reach it.
#[derive(Clone, Debug)]
pub struct Var {
    /// The value.
    pub value: Tensor,
    id: Option<usize>,
}

impl Var {
    /// A value that no gradient is wanted for (input data).
    pub fn constant(value: Tensor) -> Var {
        Var { value, id: None }
    }

    /// Whether a gradient is wanted.
    pub fn needs_grad(&self) -> bool {
        self.id.is_some()
    }
}

type Backward = Box<dyn FnOnce(Tensor, &mut Grads)>;

struct Node {
    name: &'static str,
    shape: Vec<usize>,
    saved_bytes: u64,
    backward: Backward,
}

/// The record of one forward pass.
#[derive(Default)]
pub struct Tape {
    nodes: RefCell<Vec<Node>>,
}

/// One line of the tape on paper: op, shape, bytes it keeps for the way back.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedBytes {
    /// Op name.
    pub name: &'static str,
    /// Of its output.
    pub shape: Vec<usize>,
    /// Bytes of its saved tensors. A tensor saved by two ops counts at both.
    pub bytes: u64,
}

impl Tape {
    /// An empty tape.
    pub fn new() -> Tape {
        Tape::default()
    }

    /// A value whose gradient is wanted though no op made it; [`backward`](Tape::backward) returns it.
    pub fn leaf(&self, value: Tensor) -> Var {
        self.push("leaf", 0, value, Box::new(|dy, grads| grads.leaves.push(dy)))
    }

    fn push(&self, name: &'static str, saved_bytes: u64, value: Tensor, backward: Backward) -> Var {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { name, shape: value.shape().to_vec(), saved_bytes, backward });
        Var { value, id: Some(nodes.len() - 1) }
    }

    /// What each op keeps, in forward order.
    pub fn saved(&self) -> Vec<SavedBytes> {
        let line = |n: &Node| SavedBytes { name: n.name, shape: n.shape.clone(), bytes: n.saved_bytes };
        self.nodes.borrow().iter().map(line).collect()
    }

    // ANCHOR: backward
    /// Walks back from `output`, whose gradient is `seed` (of its shape). Returns the gradients of the leaves, in the
    /// order they were made; leaves that nothing reached are missing.
    pub fn backward(self, output: &Var, seed: Tensor) -> Vec<Tensor> {
        let nodes = self.nodes.into_inner();
        let mut grads = Grads { by_id: vec![None; nodes.len()], leaves: Vec::new() };
        grads.add(output, seed);
        for (id, node) in nodes.into_iter().enumerate().rev() {
            if let Some(dy) = grads.by_id[id].take() {
                (node.backward)(dy, &mut grads);
            }
        }
        grads.leaves.reverse();
        grads.leaves
    }
    // ANCHOR_END: backward
}

/// Gradients of activations while the walk is under way.
pub struct Grads {
    by_id: Vec<Option<Tensor>>,
    leaves: Vec<Tensor>,
}

impl Grads {
    /// The gradient of `x` so far, for an op whose kernel can add to it in place and then hands it back with
    /// [`add`](Grads::add). `None` where there is nothing yet, or somebody else holds it.
    pub fn take_sum(&mut self, x: &Var) -> Option<Tensor> {
        let slot = &mut self.by_id[x.id?];
        slot.take_if(|sum| sum.is_unique())
    }

    // ANCHOR: add
    /// Adds `dx` to the gradient of `x`. The same tensor may be handed to several inputs: sums are made in place only
    /// where nobody else holds the memory.
    pub fn add(&mut self, x: &Var, dx: Tensor) {
        let Some(id) = x.id else { return };
        self.by_id[id] = Some(match self.by_id[id].take() {
            None => dx,
            Some(sum) => {
                let sum = if sum.is_unique() { sum } else { sum.duplicate() };
                ops::elementwise::add_in_place(&sum, &dx);
                sum
            }
        });
    }
    // ANCHOR_END: add
}

/// What an op needs besides its inputs: where to record, and whether batch norm uses the batch's statistics.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// Record for a backward walk; `None` for inference, which then keeps nothing.
    pub tape: Option<&'a Tape>,
    /// Training mode: batch statistics, running statistics updated, stochastic depth on.
    pub training: bool,
    /// How fused ops store the raw maps that they keep for the way back.
    pub storage: Storage,
    /// Blocks run in fused ops, which keep raw convolution outputs only; `false` takes the plain ops one by one, which
    /// are the reference that the fused ones are tested against.
    pub fused: bool,
    /// The first stages of an encoder, which are run without a tape and in evaluation mode: they stay as they are.
    pub frozen_stages: usize,
}

impl<'a> Ctx<'a> {
    /// Training mode with a tape.
    pub fn training(gpu: &'a Gpu, tape: &'a Tape) -> Ctx<'a> {
        Ctx { gpu, tape: Some(tape), training: true, fused: true, storage: Storage::F32, frozen_stages: 0 }
    }

    /// Evaluation mode without a tape.
    pub fn inference(gpu: &'a Gpu) -> Ctx<'a> {
        Ctx { gpu, tape: None, training: false, fused: true, storage: Storage::F32, frozen_stages: 0 }
    }

    /// What stage `stage` of an encoder runs in, counted from 0.
    pub fn of_stage(&self, stage: usize) -> Ctx<'a> {
        if stage < self.frozen_stages { Ctx { tape: None, training: false, ..*self } } else { *self }
    }

    /// How the raw output of a 1x1 convolution with `columns` elements a channel is stored: as the context has it, where
    /// four elements at a time go round.
    pub fn raw_storage(&self, columns: usize) -> Storage {
        if self.fused && columns.is_multiple_of(4) { self.storage } else { Storage::F32 }
    }

    // ANCHOR: record
    /// The result of an op. `saved` lists what the closure holds on to, for the memory report; without a tape the
    /// closure is dropped here, and the saved tensors with it.
    pub fn record(
        &self,
        name: &'static str,
        value: Tensor,
        saved: &[&Tensor],
        backward: impl FnOnce(Tensor, &mut Grads) + 'static,
    ) -> Var {
        match self.tape {
            Some(tape) => {
                let saved_bytes = saved.iter().map(|t| t.size_bytes()).sum();
                tape.push(name, saved_bytes, value, Box::new(backward))
            }
            None => Var::constant(value),
        }
    }
    // ANCHOR_END: record
}
