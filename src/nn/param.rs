//! Where parameters live: slabs, each one device buffer, in which every named tensor has its place.
//!
//! One slab each for values, gradients and the two moments of Adam: an optimiser step, the norm of the gradient, and
//! clearing it are one call each, and a checkpoint is one read-back a slab. A parameter is a name, a shape and an
//! offset.

use crate::gpu::Gpu;
use crate::ops::adam::{AdamSlabs, DECAY_BLOCK};
use crate::tape::Param;
use crate::tensor::Tensor;
use std::collections::HashMap;

/// Every tensor starts at a multiple of this: 256 bytes, the largest alignment that an adapter asks of a binding.
const ALIGNMENT: usize = 64;

// A block of the decay mask must not span two parameters.
const _: () = assert!(ALIGNMENT == DECAY_BLOCK);

/// A tensor on the host, under the name it has in checkpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedArray {
    /// For example `encoder.conv_stem.weight`.
    pub name: String,
    /// Sizes of the axes, as torch has them.
    pub shape: Vec<usize>,
    /// Row-major elements.
    pub data: Vec<f32>,
}

/// What can be wrong with a tensor from a file.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ParamError {
    /// The model has none of this name.
    #[error("the model has no tensor '{0}'; is the file from another model?")]
    Unknown(String),
    /// It has another number of elements here.
    #[error("tensor '{name}' has {found} elements, the model wants {wanted:?}; is the file from another model?")]
    Length {
        /// The tensor.
        name: String,
        /// Elements given.
        found: usize,
        /// Shape here.
        wanted: Vec<usize>,
    },
}

/// Where each named tensor stands in a slab.
struct Layout {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    len: usize,
}

struct Entry {
    name: String,
    shape: Vec<usize>,
    start: usize,
    len: usize,
}

impl Layout {
    /// The layout of these tensors, and a slab on the host that holds their values.
    #[track_caller]
    fn of(arrays: &[NamedArray]) -> (Layout, Vec<f32>) {
        let mut layout = Layout { entries: Vec::new(), by_name: HashMap::new(), len: 0 };
        let mut slab = Vec::new();
        for NamedArray { name, shape, data } in arrays {
            let len = shape.iter().product();
            assert_eq!(data.len(), len, "initial values of '{name}' {shape:?}");
            let earlier = layout.by_name.insert(name.clone(), layout.entries.len());
            assert!(earlier.is_none(), "two tensors are named '{name}'");
            layout.entries.push(Entry { name: name.clone(), shape: shape.clone(), start: slab.len(), len });
            slab.extend_from_slice(data);
            slab.resize(slab.len().next_multiple_of(ALIGNMENT), 0.0);
        }
        layout.len = slab.len();
        (layout, slab)
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).map(|&i| &self.entries[i])
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|e| e.name.as_str())
    }

    fn read(&self, slab: &Tensor) -> Vec<NamedArray> {
        let data: Vec<f32> = slab.read();
        let array = |e: &Entry| NamedArray {
            name: e.name.clone(),
            shape: e.shape.clone(),
            data: data[e.start..e.start + e.len].to_vec(),
        };
        self.entries.iter().map(array).collect()
    }

    fn write(&self, slab: &Tensor, name: &str, data: &[f32]) -> Result<(), ParamError> {
        let entry = self.find(name).ok_or_else(|| ParamError::Unknown(name.to_string()))?;
        if data.len() != entry.len {
            let (name, wanted) = (name.to_string(), entry.shape.clone());
            return Err(ParamError::Length { name, found: data.len(), wanted });
        }
        entry.in_slab(slab).write(data);
        Ok(())
    }
}

impl Entry {
    fn in_slab(&self, slab: &Tensor) -> Tensor {
        slab.slice(self.start, &self.shape)
    }
}

/// Which numbers of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slab {
    /// What the network computes with.
    Values,
    /// Adam's running mean of the gradient.
    FirstMoments,
    /// Adam's running mean of the squared gradient.
    SecondMoments,
}

/// The trained tensors of a model.
pub struct ParamStore {
    layout: Layout,
    values: Tensor,
    grads: Tensor,
    first_moments: Tensor,
    second_moments: Tensor,
    decay_mask: Tensor,
}

impl ParamStore {
    /// Copies the initial values to the device; gradients and moments are zeros.
    ///
    /// Weight decay, where the optimiser is given any, applies to tensors with more than one axis: biases and the
    /// scales and offsets of norms have one. A temperature, `[1, 1]`, is left alone, too.
    ///
    /// # Panics
    /// When two names are equal or a shape does not fit its data.
    #[track_caller]
    pub fn build(gpu: &Gpu, initial: &[NamedArray]) -> ParamStore {
        let (layout, slab) = Layout::of(initial);
        let mut mask = vec![0.0f32; layout.len / DECAY_BLOCK];
        for e in layout.entries.iter().filter(|e| e.shape.len() > 1 && e.len > 1) {
            mask[e.start / DECAY_BLOCK..(e.start + e.len).div_ceil(DECAY_BLOCK)].fill(1.0);
        }
        let zeros = |label| Tensor::zeros(gpu, label, &[layout.len]);
        ParamStore {
            values: Tensor::from_slice(gpu, &[layout.len], &slab),
            grads: zeros("gradients"),
            first_moments: zeros("first moments"),
            second_moments: zeros("second moments"),
            decay_mask: Tensor::from_slice(gpu, &[mask.len()], &mask),
            layout,
        }
    }

    /// The parameter of this name.
    ///
    /// # Panics
    /// When there is none: names come from the code that built the store.
    #[track_caller]
    pub fn get(&self, name: &str) -> Param {
        let Some(entry) = self.layout.find(name) else { panic!("no parameter is named '{name}'") };
        Param { name: entry.name.clone(), value: entry.in_slab(&self.values), grad: entry.in_slab(&self.grads) }
    }

    /// Names in the order they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layout.names()
    }

    /// Number of trained numbers, padding not counted.
    pub fn parameter_count(&self) -> usize {
        self.layout.entries.iter().map(|e| e.len).sum()
    }

    /// Clears every gradient.
    pub fn zero_grad(&self) {
        self.grads.clear();
    }

    /// All gradients, with zeros between them where the alignment left room.
    pub fn grads(&self) -> &Tensor {
        &self.grads
    }

    /// What an Adam step works on, given the sum of the squares of [`grads`](ParamStore::grads), `[1]`.
    pub fn adam_slabs<'a>(&'a self, grad_squares: &'a Tensor) -> AdamSlabs<'a> {
        AdamSlabs {
            values: &self.values,
            grads: &self.grads,
            first_moments: &self.first_moments,
            second_moments: &self.second_moments,
            decay_mask: &self.decay_mask,
            grad_squares,
        }
    }

    fn slab(&self, slab: Slab) -> &Tensor {
        match slab {
            Slab::Values => &self.values,
            Slab::FirstMoments => &self.first_moments,
            Slab::SecondMoments => &self.second_moments,
        }
    }

    /// Waits for the device and copies every tensor of a slab to the host.
    pub fn read_all(&self, slab: Slab) -> Vec<NamedArray> {
        self.layout.read(self.slab(slab))
    }

    /// Overwrites one tensor of a slab.
    ///
    /// # Errors
    /// No such name, or another number of elements.
    pub fn write(&self, slab: Slab, name: &str, data: &[f32]) -> Result<(), ParamError> {
        self.layout.write(self.slab(slab), name, data)
    }
}

/// Tensors that are kept but not trained: the running statistics of batch norm.
pub struct StateStore {
    layout: Layout,
    values: Tensor,
}

impl StateStore {
    /// Copies the initial values to the device.
    ///
    /// # Panics
    /// When two names are equal or a shape does not fit its data.
    #[track_caller]
    pub fn build(gpu: &Gpu, initial: &[NamedArray]) -> StateStore {
        let (layout, slab) = Layout::of(initial);
        StateStore { values: Tensor::from_slice(gpu, &[layout.len], &slab), layout }
    }

    /// All of them in one tensor, to be kept and put back.
    pub fn all(&self) -> &Tensor {
        &self.values
    }

    /// The tensor of this name; ops may write to it.
    ///
    /// # Panics
    /// When there is none: names come from the code that built the store.
    #[track_caller]
    pub fn get(&self, name: &str) -> Tensor {
        let Some(entry) = self.layout.find(name) else { panic!("no state tensor is named '{name}'") };
        entry.in_slab(&self.values)
    }

    /// Names in the order they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layout.names()
    }

    /// Waits for the device and copies every tensor to the host.
    pub fn read_all(&self) -> Vec<NamedArray> {
        self.layout.read(&self.values)
    }

    /// Overwrites one tensor.
    ///
    /// # Errors
    /// No such name, or another number of elements.
    pub fn write(&self, name: &str, data: &[f32]) -> Result<(), ParamError> {
        self.layout.write(&self.values, name, data)
    }
}
