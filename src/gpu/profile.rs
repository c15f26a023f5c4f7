//! Where the time goes: milliseconds, bytes and FLOPs of every kernel.
//!
//! While profiling, each dispatch has a compute pass of its own, because timestamps at pass boundaries are the ones
//! that every back end has. That adds a little to each kernel: the sum is an upper bound of the step's time.

use super::{Gpu, GpuError};
use std::collections::BTreeMap;

/// Dispatches between two read-outs of the timestamps.
const CAPACITY: u32 = 1024;

/// The totals of one kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelTime {
    /// Kernel path and the part of its specialisation that names a variant.
    pub name: String,
    /// Time on the device, of all dispatches.
    pub ms: f64,
    /// What each dispatch had to do.
    pub dispatches: Vec<Work>,
}

/// What a dispatch has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes of every binding, each counted once.
    pub bytes: u64,
    /// Floating-point operations, as the op counts them.
    pub flops: u64,
}

impl KernelTime {
    /// The work of all dispatches.
    pub fn total(&self) -> Work {
        let add = |a: Work, b: &Work| Work { bytes: a.bytes + b.bytes, flops: a.flops + b.flops };
        self.dispatches.iter().fold(Work::default(), add)
    }
}

/// What [`Gpu::profile_stop`] returns, slowest kernel first.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// One row a kernel.
    pub kernels: Vec<KernelTime>,
    /// True when the adapter gave no usable timestamps and each dispatch was timed from the host instead.
    pub host_clock: bool,
}

#[derive(Default)]
pub(super) struct Profiler {
    on: bool,
    /// `COLA_TRACE=1`: print every dispatch.
    trace: bool,
    host_clock: bool,
    queries: Option<Queries>,
    pending: Vec<Dispatch>,
    totals: BTreeMap<String, KernelTime>,
}

struct Queries {
    set: wgpu::QuerySet,
    resolve: wgpu::Buffer,
}

pub(super) struct Dispatch {
    pub(super) name: String,
    pub(super) work: Work,
}

impl Profiler {
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    pub(super) fn uses_host_clock(&self) -> bool {
        self.host_clock
    }

    /// The pass descriptor's timestamp writes for the next dispatch.
    pub(super) fn writes(&self) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let at = self.pending.len() as u32 * 2;
        self.queries.as_ref().map(|q| wgpu::ComputePassTimestampWrites {
            query_set: &q.set,
            beginning_of_pass_write_index: Some(at),
            end_of_pass_write_index: Some(at + 1),
        })
    }

    /// Notes a dispatch; true when the queries are full, or wanted now, and must be read.
    pub(super) fn note(&mut self, dispatch: Dispatch) -> bool {
        self.pending.push(dispatch);
        self.trace || self.pending.len() as u32 == CAPACITY
    }

    pub(super) fn add(&mut self, dispatch: Dispatch, ms: f64) {
        if self.trace {
            let Work { bytes, flops } = dispatch.work;
            let (gb, gflop) = (bytes as f64 / ms / 1e6, flops as f64 / ms / 1e6);
            eprintln!("{ms:9.3} ms {gb:8.2} GB/s {gflop:8.1} GFLOP/s  {}", dispatch.name);
            return; // nobody asks for totals, and a trace may run for hours
        }
        let row = self.totals.entry(dispatch.name.clone()).or_default();
        row.name = dispatch.name;
        row.ms += ms;
        row.dispatches.push(dispatch.work);
    }
}

impl Gpu {
    /// From now on every dispatch is timed by itself.
    pub fn profile_start(&self) {
        self.start_profiler(false);
    }

    /// From now on every dispatch is timed and printed to standard error.
    pub(super) fn trace_start(&self) {
        self.start_profiler(true);
    }

    fn start_profiler(&self, trace: bool) {
        self.submit();
        let mut profiler = self.profiler();
        *profiler = Profiler { on: true, trace, ..Default::default() };
        let Some(device) = self.device() else { return };
        if !self.caps().timestamps {
            profiler.host_clock = true;
            return;
        }
        let set = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: CAPACITY * 2,
        });
        let resolve = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("profile"),
            size: u64::from(CAPACITY) * 16,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        profiler.queries = Some(Queries { set, resolve });
    }

    /// Ends profiling and returns the totals since [`profile_start`](Gpu::profile_start).
    pub fn profile_stop(&self) -> Profile {
        self.profile_collect();
        let profiler = std::mem::take(&mut *self.profiler());
        let mut kernels: Vec<_> = profiler.totals.into_values().collect();
        kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        Profile { kernels, host_clock: profiler.host_clock }
    }

    /// Reads the timestamps of the dispatches noted so far into the totals.
    pub(super) fn profile_collect(&self) {
        self.submit();
        let mut profiler = self.profiler();
        let pending = std::mem::take(&mut profiler.pending);
        let (Some(device), Some(queue), Some(queries), false) =
            (self.device(), self.queue(), &profiler.queries, pending.is_empty())
        else {
            return;
        };
        let count = pending.len() as u32 * 2;
        let bytes = u64::from(count) * 8;
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("profile"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&queries.set, 0..count, &queries.resolve, 0);
        encoder.copy_buffer_to_buffer(&queries.resolve, 0, &staging, 0, bytes);
        queue.submit([encoder.finish()]);
        staging.slice(..).map_async(wgpu::MapMode::Read, |_| ());
        if let Err(error) = device.poll(wgpu::PollType::wait_indefinitely()) {
            drop(profiler);
            GpuError::Lost(error.to_string()).raise();
        }
        let ticks: Vec<u64> = match staging.slice(..).get_mapped_range() {
            Ok(view) => bytemuck::pod_collect_to_vec(&view),
            Err(error) => {
                drop(profiler);
                GpuError::Lost(error.to_string()).raise()
            }
        };
        // Some drivers hand out zeros; then the host's clock is all there is, and the report says so.
        if ticks.iter().all(|&t| t == 0) {
            profiler.host_clock = true;
            profiler.queries = None;
            return;
        }
        let ms_per_tick = f64::from(queue.get_timestamp_period()) * 1e-6;
        for (dispatch, pair) in pending.into_iter().zip(ticks.chunks_exact(2)) {
            profiler.add(dispatch, pair[1].saturating_sub(pair[0]) as f64 * ms_per_tick);
        }
    }
}
