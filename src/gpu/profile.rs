//! Where the time goes: milliseconds, bytes and FLOPs of every kernel.
//!
//! While profiling, each dispatch has a compute pass of its own, because timestamps at pass boundaries are the ones
//! that every back end has. That adds a little to each kernel: the sum is an upper bound of the step's time.

use super::{Gpu, GpuError};
use crate::trace;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Dispatches between two read-outs of the timestamps.
const CAPACITY: u32 = 1024;
/// Two each, and two that tell when they were read out.
const QUERIES: u32 = 2 * CAPACITY + 2;

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
    /// Bytes of every binding, once if the kernel reads it and once more if it writes it.
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

/// What becomes of the times of dispatches.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum How {
    /// They are summed, kernel by kernel.
    #[default]
    Totals,
    /// `COLA_TRACE=1`: each is printed at once.
    Print,
    /// `COLA_TRACE=chrome:FILE`: each goes to the [`trace`].
    Trace,
}

#[derive(Default)]
pub(super) struct Profiler {
    on: bool,
    how: How,
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
        self.writes_at(self.pending.len() as u32 * 2)
    }

    fn writes_at(&self, at: u32) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        self.queries.as_ref().map(|q| wgpu::ComputePassTimestampWrites {
            query_set: &q.set,
            beginning_of_pass_write_index: Some(at),
            end_of_pass_write_index: Some(at + 1),
        })
    }

    /// Notes a dispatch; true when the queries are full, or wanted now, and must be read.
    pub(super) fn note(&mut self, dispatch: Dispatch) -> bool {
        self.pending.push(dispatch);
        self.how == How::Print || self.pending.len() as u32 == CAPACITY
    }

    /// Takes over the time of a dispatch that began at `start`. Where nobody asks for totals none are kept: the program may
    /// run for hours.
    pub(super) fn add(&mut self, dispatch: Dispatch, start: Instant, ms: f64) {
        match self.how {
            How::Totals => {}
            How::Print => {
                let Work { bytes, flops } = dispatch.work;
                let (gb, gflop) = (bytes as f64 / ms / 1e6, flops as f64 / ms / 1e6);
                return eprintln!("{ms:9.3} ms {gb:8.2} GB/s {gflop:8.1} GFLOP/s  {}", dispatch.name);
            }
            How::Trace => return trace::kernel(&dispatch.name, start, ms, dispatch.work),
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
        self.start_profiler(How::Totals);
    }

    /// From now on every dispatch is timed and printed to standard error, or noted in the trace.
    pub(super) fn trace_start(&self, how: How) {
        self.start_profiler(how);
        if how == How::Trace {
            let gpu = self.clone();
            trace::at_end(move || gpu.profile_collect());
        }
    }

    fn start_profiler(&self, how: How) {
        self.submit();
        let mut profiler = self.profiler();
        *profiler = Profiler { on: true, how, ..Default::default() };
        let Some(device) = self.device() else { return };
        if !self.caps().timestamps {
            profiler.host_clock = true;
            return;
        }
        let set = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: QUERIES,
        });
        let resolve = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("profile"),
            size: u64::from(QUERIES) * 8,
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
        let count = pending.len() as u32 * 2 + 2;
        let bytes = u64::from(count) * 8;
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("profile"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        // a pass without work, so that some tick is of now, however long the device has been idle
        drop(encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: profiler.writes_at(count - 2),
        }));
        encoder.resolve_query_set(&queries.set, 0..count, &queries.resolve, 0);
        encoder.copy_buffer_to_buffer(&queries.resolve, 0, &staging, 0, bytes);
        queue.submit([encoder.finish()]);
        staging.slice(..).map_async(wgpu::MapMode::Read, |_| ());
        if let Err(error) = device.poll(wgpu::PollType::wait_indefinitely()) {
            drop(profiler);
            GpuError::Lost(error.to_string()).raise();
        }
        let now = Instant::now();
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
        let last = ticks.iter().copied().max().unwrap_or_default();
        for (dispatch, pair) in pending.into_iter().zip(ticks.chunks_exact(2)) {
            let ms = |from: u64, to: u64| to.saturating_sub(from) as f64 * ms_per_tick;
            let before_now = Duration::from_secs_f64(ms(pair[0], last) * 1e-3);
            profiler.add(dispatch, now.checked_sub(before_now).unwrap_or(now), ms(pair[0], pair[1]));
        }
    }
}
