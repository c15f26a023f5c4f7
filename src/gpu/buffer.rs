//! Pooled buffers, counted to the byte.
//!
//! A [`Buffer`] returns its memory to the pool when its last clone is dropped, which is safe although kernels that
//! use it may not have run yet: one queue runs in order, so whoever gets the memory next comes later.
//! One tensor owns one wgpu buffer, because wgpu tracks usage per buffer: inputs stay `read` and need no barrier.

use super::{Gpu, GpuError};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes handed out now, at the peak, and held from the device (in use or waiting in the pool).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Bytes in live buffers, at their pooled size.
    pub in_use_bytes: u64,
    /// Highest `in_use_bytes` since the last reset.
    pub peak_bytes: u64,
    /// Bytes allocated from the device.
    pub reserved_bytes: u64,
}

/// A range of device memory; clones share it.
#[derive(Clone)]
pub struct Buffer(Arc<Owned>);

struct Owned {
    gpu: Gpu,
    /// `None` on a dry run.
    raw: Option<wgpu::Buffer>,
    id: u64,
    size_bytes: u64,
    class_bytes: u64,
}

impl Buffer {
    /// Bytes asked for.
    pub fn size_bytes(&self) -> u64 {
        self.0.size_bytes
    }

    pub(super) fn raw(&self) -> Option<&wgpu::Buffer> {
        self.0.raw.as_ref()
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    /// Whether no other tensor shares it.
    pub(crate) fn is_unique(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The device it lives on.
    pub fn gpu(&self) -> &Gpu {
        &self.0.gpu
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.gpu.pool().give_back(self.class_bytes, self.id, self.raw.take());
    }
}

/// Bytes behind every tensor under [`GpuOptions::guard`](super::GpuOptions).
const GUARD_BYTES: u64 = 256;

/// What stands there: NaNs, so that reading them shows in the result, with a payload of their own for every buffer, so
/// that a kernel which runs past the end of input and output alike does not put back what it overwrites.
fn guard_words(buffer_id: u64) -> Vec<u32> {
    (0..GUARD_BYTES / 4).map(|i| 0x7fc0_0000 | ((buffer_id * 64 + i) as u32 & 0x003f_ffff)).collect()
}

#[derive(Default)]
pub(super) struct Pool {
    free: HashMap<u64, Vec<(u64, Option<wgpu::Buffer>)>>,
    next_id: u64,
    usage: MemoryUse,
    /// Under `guard`: every buffer made since the last check, with where its guard words stand.
    guarded: Vec<(String, Buffer, u64)>,
}

impl Pool {
    fn give_back(&mut self, class_bytes: u64, id: u64, raw: Option<wgpu::Buffer>) {
        self.usage.in_use_bytes -= class_bytes;
        self.free.entry(class_bytes).or_default().push((id, raw));
    }

    pub(super) fn usage(&self) -> MemoryUse {
        self.usage
    }

    pub(super) fn reset_peak(&mut self) {
        self.usage.peak_bytes = self.usage.in_use_bytes;
    }

    /// Drops every buffer that waits for reuse and returns their ids.
    pub(super) fn trim(&mut self) -> Vec<u64> {
        let mut ids = Vec::new();
        for (class_bytes, list) in self.free.drain() {
            self.usage.reserved_bytes -= class_bytes * list.len() as u64;
            ids.extend(list.into_iter().map(|(id, _)| id));
        }
        ids
    }
}

/// Rounds up to one of eight steps per power of two, so at most an eighth is wasted and few sizes exist.
fn size_class(size_bytes: u64) -> u64 {
    let size = size_bytes.max(256);
    let step = (size.next_power_of_two() / 16).max(256);
    size.div_ceil(step) * step
}

impl Gpu {
    /// A buffer of at least `size_bytes`; its contents are whatever was there. `label` names it in errors.
    pub fn alloc(&self, label: &str, size_bytes: u64) -> Buffer {
        if self.guard() {
            return self.alloc_guarded(label, size_bytes);
        }
        self.alloc_pooled(label, size_bytes)
    }

    /// A buffer with guard words behind it, inside the range that kernels bind, so that a write past the end lands
    /// there. It stays out of the pool until [`check_guards`](Gpu::check_guards).
    fn alloc_guarded(&self, label: &str, size_bytes: u64) -> Buffer {
        let buffer = self.alloc_pooled(label, size_bytes + GUARD_BYTES);
        self.write(&buffer, size_bytes, bytemuck::cast_slice(&guard_words(buffer.id())));
        self.pool().guarded.push((label.to_string(), buffer.clone(), size_bytes));
        buffer
    }

    /// Under `guard`: panics when a kernel wrote past the end of any tensor made since the last check.
    #[track_caller]
    pub fn check_guards(&self) {
        let guarded = std::mem::take(&mut self.pool().guarded);
        for (label, buffer, at) in guarded {
            let words: Vec<u32> = self.read_later(&buffer, at, GUARD_BYTES).wait();
            assert!(words == guard_words(buffer.id()), "a kernel wrote past the end of '{label}' ({at} bytes)");
        }
    }

    fn alloc_pooled(&self, label: &str, size_bytes: u64) -> Buffer {
        let class_bytes = size_class(size_bytes);
        let mut pool = self.pool();
        pool.usage.in_use_bytes += class_bytes;
        pool.usage.peak_bytes = pool.usage.peak_bytes.max(pool.usage.in_use_bytes);
        let reused = pool.free.get_mut(&class_bytes).and_then(Vec::pop);
        let (id, raw) = match reused {
            Some(found) => found,
            None => {
                let in_use_bytes = pool.usage.in_use_bytes - class_bytes;
                drop(pool);
                let result = self.create(label, class_bytes, in_use_bytes);
                pool = self.pool();
                match result {
                    Ok(raw) => {
                        pool.usage.reserved_bytes += class_bytes;
                        pool.next_id += 1;
                        (pool.next_id, raw)
                    }
                    Err(error) => {
                        pool.usage.in_use_bytes -= class_bytes;
                        drop(pool);
                        error.raise()
                    }
                }
            }
        };
        drop(pool);
        Buffer(Arc::new(Owned { gpu: self.clone(), raw, id, size_bytes, class_bytes }))
    }

    /// A new wgpu buffer, after trimming the pool where the budget or the device demands it.
    fn create(&self, label: &str, size_bytes: u64, in_use_bytes: u64) -> Result<Option<wgpu::Buffer>, GpuError> {
        let limit_bytes = self.memory_limit_bytes();
        let reserved_bytes = self.pool().usage.reserved_bytes;
        let over = |held: u64| limit_bytes.is_some_and(|limit| held + size_bytes > limit);
        if over(reserved_bytes) {
            self.trim();
        }
        let refusal = |why: String| GpuError::OutOfMemory {
            tensor: label.to_string(),
            wanted_bytes: size_bytes,
            in_use_bytes,
            limit: why,
        };
        if size_bytes > self.caps().max_buffer_bytes {
            return Err(refusal(format!(" (this adapter's largest buffer is {} bytes)", self.caps().max_buffer_bytes)));
        }
        if over(self.pool().usage.reserved_bytes) {
            return Err(refusal(format!(" (limit {} bytes)", limit_bytes.unwrap_or_default())));
        }
        let Some(device) = self.device() else { return Ok(None) };
        for attempt in 0..2 {
            let scope = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
            let raw = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: size_bytes,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            if pollster::block_on(scope.pop()).is_none() {
                return Ok(Some(raw));
            }
            if attempt == 0 {
                self.trim();
            }
        }
        Err(refusal(String::new()))
    }

    /// Gives buffers that wait for reuse back to the device.
    pub fn trim(&self) {
        self.wait();
        let ids = self.pool().trim();
        self.forget_bind_groups(&ids);
        self.wait();
    }

    /// Bytes in use, peak and reserved.
    pub fn memory(&self) -> MemoryUse {
        self.pool().usage()
    }

    /// Starts the peak anew from what is in use.
    pub fn reset_peak(&self) {
        self.pool().reset_peak();
    }
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn size_classes_waste_at_most_an_eighth() {
        for size in [1u64, 255, 256, 257, 1000, 4096, 4097, 75_497_472, 75_497_473, 1 << 30] {
            let class = size_class(size);
            assert!(class >= size && class.is_multiple_of(256));
            assert!(size < 4096 || class - size <= size / 8 + 1, "{size} -> {class}");
            assert_eq!(size_class(class), class);
        }
    }
}
