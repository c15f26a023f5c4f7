//! A [`Tensor`]: a range of device memory with a shape. Always contiguous, row-major.
//!
//! Feature maps are channel-major, `[C][N][H][W]`: every 1x1 convolution is one matrix product, batch norm is a row
//! reduction, a channel's parameters are uniform along a row, and a range of channels is a contiguous slice. Only the
//! boundary (checkpoints, read-backs for people) knows torch's layouts.

use crate::gpu::{Buffer, Gpu, Pending};
use bytemuck::Pod;

/// How elements lie in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// 4 bytes: `f32`, or `u32` where an op says so.
    #[default]
    F32,
    /// Half precision: raw maps of a step in mixed precision. What passes 65,504 becomes infinite.
    F16,
}

impl Storage {
    /// Bytes of an element.
    pub fn bytes(self) -> u64 {
        match self {
            Storage::F32 => 4,
            Storage::F16 => 2,
        }
    }
}

/// A contiguous tensor; clones share the memory.
#[derive(Clone)]
pub struct Tensor {
    buffer: Buffer,
    /// First element, in elements from the start of the buffer.
    offset: usize,
    shape: Vec<usize>,
    storage: Storage,
}

impl Tensor {
    /// Uninitialised memory for `f32`. `label` names it in out-of-memory errors.
    pub fn empty(gpu: &Gpu, label: &str, shape: &[usize]) -> Tensor {
        Self::empty_in(gpu, label, shape, Storage::F32)
    }

    /// Uninitialised memory for elements of that kind.
    pub fn empty_in(gpu: &Gpu, label: &str, shape: &[usize], storage: Storage) -> Tensor {
        let len: usize = shape.iter().product();
        let buffer = gpu.alloc(label, (len.max(1) as u64 * storage.bytes()).next_multiple_of(4));
        Tensor { buffer, offset: 0, shape: shape.to_vec(), storage }
    }

    /// Zeros.
    pub fn zeros(gpu: &Gpu, label: &str, shape: &[usize]) -> Tensor {
        let tensor = Self::empty(gpu, label, shape);
        tensor.clear();
        tensor
    }

    /// Copies `data` (4-byte elements) to the device.
    ///
    /// # Panics
    /// When the number of elements is not that of the shape.
    #[track_caller]
    pub fn from_slice<T: Pod>(gpu: &Gpu, shape: &[usize], data: &[T]) -> Tensor {
        let tensor = Self::empty(gpu, "upload", shape);
        tensor.write(data);
        tensor
    }

    /// Overwrites the contents.
    ///
    /// # Panics
    /// When the number of elements differs.
    #[track_caller]
    pub fn write<T: Pod>(&self, data: &[T]) {
        assert_eq!(size_of::<T>() as u64, self.storage.bytes(), "bytes of an element");
        assert_eq!(data.len(), self.len(), "{} elements for shape {:?}", data.len(), self.shape);
        self.gpu().write(&self.buffer, self.range().1, bytemuck::cast_slice(data));
    }

    /// Fills with zeros.
    pub fn clear(&self) {
        let (_, offset, size) = self.range();
        self.gpu().clear(&self.buffer, offset, size);
    }

    /// A copy of its own memory.
    pub fn duplicate(&self) -> Tensor {
        let copy = Self::empty_in(self.gpu(), "copy", &self.shape, self.storage);
        copy.copy_from(self);
        copy
    }

    /// Overwrites the contents with another tensor's.
    #[track_caller]
    pub fn copy_from(&self, other: &Tensor) {
        assert_eq!(self.len(), other.len(), "copy {:?} to {:?}", other.shape, self.shape);
        let (_, to, size) = self.range();
        self.gpu().copy((&other.buffer, other.range().1), (&self.buffer, to), size);
    }

    /// The same memory under another shape of as many elements.
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Tensor {
        let len: usize = shape.iter().product();
        assert_eq!(len, self.len(), "reshape {:?} to {shape:?}", self.shape);
        Tensor { shape: shape.to_vec(), ..self.clone() }
    }

    /// `count` rows of the first axis from `start`; the memory is shared.
    ///
    /// The slice can be bound to a kernel only where its offset has the adapter's alignment.
    #[track_caller]
    pub fn rows(&self, start: usize, count: usize) -> Tensor {
        assert!(start + count <= self.shape[0], "rows {start}..{} of {:?}", start + count, self.shape);
        let row: usize = self.shape[1..].iter().product();
        let mut shape = self.shape.clone();
        shape[0] = count;
        Tensor { offset: self.offset + start * row, shape, ..self.clone() }
    }

    /// A range of the elements as a tensor of its own shape; the memory is shared.
    #[track_caller]
    pub fn slice(&self, start: usize, shape: &[usize]) -> Tensor {
        let len: usize = shape.iter().product();
        assert!(start + len <= self.len(), "slice {start}+{shape:?} of {:?}", self.shape);
        Tensor { offset: self.offset + start, shape: shape.to_vec(), ..self.clone() }
    }

    /// Waits for the device and returns the contents.
    pub fn read<T: Pod>(&self) -> Vec<T> {
        self.read_later().wait()
    }

    /// Starts a read-back; the device goes on meanwhile.
    pub fn read_later(&self) -> Pending {
        let (buffer, offset, size) = self.range();
        self.gpu().read_later(buffer, offset, size)
    }

    /// Whether no other tensor shares the memory, so that it may be overwritten.
    pub(crate) fn is_unique(&self) -> bool {
        self.buffer.is_unique()
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        self.buffer.gpu()
    }

    /// How the elements lie in memory.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True when an axis is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the elements.
    pub fn size_bytes(&self) -> u64 {
        self.len() as u64 * self.storage.bytes()
    }

    /// Buffer, offset and size in bytes of the elements.
    pub(crate) fn range(&self) -> (&Buffer, u64, u64) {
        (&self.buffer, self.offset as u64 * self.storage.bytes(), self.size_bytes())
    }

    /// What a kernel binds: the elements, and behind them the guard words where there are any.
    pub(crate) fn bound_range(&self) -> (&Buffer, u64, u64) {
        let (buffer, offset, size) = self.range();
        let rest = buffer.size_bytes() - offset;
        (buffer, offset, if self.gpu().guard() && rest < size + 512 { rest } else { size })
    }

    /// `[C, N, H, W]` of a feature map.
    ///
    /// # Panics
    /// When the tensor has not four axes.
    #[track_caller]
    pub fn dims4(&self) -> [usize; 4] {
        self.shape.as_slice().try_into().unwrap_or_else(|_| panic!("[C, N, H, W] wanted, shape is {:?}", self.shape))
    }

    /// `[rows, columns]` of a matrix.
    ///
    /// # Panics
    /// When the tensor has not two axes.
    #[track_caller]
    pub fn dims2(&self) -> [usize; 2] {
        self.shape.as_slice().try_into().unwrap_or_else(|_| panic!("a matrix wanted, shape is {:?}", self.shape))
    }
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Tensor{:?}", self.shape)
    }
}
