//! Recording dispatches into one compute pass, submitting them, uploads and read-backs.

use super::profile::{Dispatch, Work};
use super::traffic::Traffic;
use super::{Buffer, Gpu, GpuError, Kernel, Spec, Value};
use crate::tensor::Tensor;
use crate::trace;
use bytemuck::Pod;
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Dispatches per submission. Short submissions keep desktop watchdogs quiet and start the device early.
const DISPATCHES_PER_SUBMIT: u32 = 100;

/// How long a read-back may take before the device counts as lost.
const TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct Stream {
    encoder: Option<wgpu::CommandEncoder>,
    pass: Option<wgpu::ComputePass<'static>>,
    recorded: u32,
    /// Host time spent in submissions so far.
    submitting: Duration,
}

impl Stream {
    fn encoder(&mut self, device: &wgpu::Device) -> &mut wgpu::CommandEncoder {
        self.pass = None; // ends the pass: copies stand between passes
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    fn pass(&mut self, device: &wgpu::Device) -> &mut wgpu::ComputePass<'static> {
        let encoder = self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()));
        self.pass.get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime())
    }
}

/// Workgroups needed for `n` items, `per_group` each.
pub fn groups(n: usize, per_group: usize) -> u32 {
    u32::try_from(n.div_ceil(per_group)).expect("fewer than 2^32 workgroups")
}

impl Gpu {
    /// Records one dispatch.
    ///
    /// `tensors` are the storage bindings in binding order; `params` is the `var<immediate>` (`&()` for none). A grid
    /// whose x passes the limit of 65,535 is folded into y when y is 1; such kernels use `lib/index.wgsl`.
    ///
    /// # Panics
    /// When the number of tensors is not what the shader declares, or a grid cannot be folded.
    #[track_caller]
    pub fn run<P: Pod>(
        &self,
        kernel: &'static Kernel,
        spec: Spec,
        params: &P,
        tensors: &[&Tensor],
        grid: [u32; 3],
        flops: u64,
    ) {
        if grid.contains(&0) {
            return;
        }
        let immediates = bytemuck::bytes_of(params);
        let Some(device) = self.device() else { return self.want(kernel, spec, immediates.len() as u32) };
        let grid = self.fold(grid, kernel);
        let pipeline = self.pipeline(device, kernel, spec, immediates.len() as u32);
        let (given, declared) = (tensors.len(), pipeline.bindings.len());
        if given != declared {
            GpuError::Shader(format!("{}: declares {declared} bindings, and its op gives it {given}", kernel.path))
                .raise();
        }
        let ranges: Vec<_> = tensors.iter().map(|t| t.bound_range()).collect();
        let group = self.bind_group(device, &pipeline, &ranges);
        let record = |pass: &mut wgpu::ComputePass| {
            pass.set_pipeline(&pipeline.raw);
            pass.set_bind_group(0, &group, &[]);
            if pipeline.immediate_bytes > 0 {
                pass.set_immediates(0, immediates);
            }
            pass.dispatch_workgroups(grid[0], grid[1], grid[2]);
        };
        if self.profiler().is_on() {
            // some kernels bind a tensor twice, once by elements and once by vectors of four
            let mut bound = BTreeMap::<_, Traffic>::new();
            for ((buffer, at, size), traffic) in ranges.iter().zip(&*self.traffic(kernel, spec)) {
                let so_far = bound.entry((buffer.id(), *at, *size)).or_default();
                *so_far = so_far.or(*traffic);
            }
            let bytes = bound.iter().map(|((_, _, size), traffic)| size * traffic.passes()).sum();
            let work = Work { bytes, flops };
            self.run_profiled(device, Dispatch { name: variant(kernel, spec), work }, record);
            return;
        }
        let full = {
            let mut stream = self.stream();
            record(stream.pass(device));
            stream.recorded += 1;
            stream.recorded >= DISPATCHES_PER_SUBMIT
        };
        if full {
            self.submit();
        }
    }

    fn run_profiled(&self, device: &wgpu::Device, dispatch: Dispatch, record: impl FnOnce(&mut wgpu::ComputePass)) {
        let start = {
            let profiler = self.profiler();
            let mut stream = self.stream();
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes: profiler.writes() };
            record(&mut stream.encoder(device).begin_compute_pass(&descriptor));
            Instant::now()
        };
        if self.profiler().uses_host_clock() {
            self.wait();
            self.profiler().add(dispatch, start, start.elapsed().as_secs_f64() * 1e3);
        } else {
            let full = self.profiler().note(dispatch);
            if full {
                self.profile_collect();
            }
        }
    }

    #[track_caller]
    fn fold(&self, [x, y, z]: [u32; 3], kernel: &Kernel) -> [u32; 3] {
        let most = self.caps().max_groups;
        let folded = if x > most && y == 1 { [x.div_ceil(x.div_ceil(most)), x.div_ceil(most), z] } else { [x, y, z] };
        assert!(folded.iter().all(|&n| n <= most), "{}: grid {folded:?} passes the limit {most}", kernel.path);
        folded
    }

    /// Hands what was recorded to the device.
    pub fn submit(&self) {
        self.submit_indexed();
    }

    fn submit_indexed(&self) -> Option<wgpu::SubmissionIndex> {
        let commands = {
            let mut stream = self.stream();
            stream.pass = None;
            stream.recorded = 0;
            stream.encoder.take().map(wgpu::CommandEncoder::finish)
        };
        let _span = commands.is_some().then(|| trace::span("submit"));
        let start = Instant::now();
        let index = self.queue().zip(commands).map(|(queue, commands)| queue.submit([commands]));
        self.stream().submitting += start.elapsed();
        self.raise_failure();
        index
    }

    /// Host time that submissions took since the device was opened. Software adapters run the kernels in it.
    pub fn submit_time(&self) -> Duration {
        self.stream().submitting
    }

    /// Submits and waits until the device has done everything.
    pub fn wait(&self) {
        self.submit();
        if let Some(device) = self.device() {
            let waited = device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(TIMEOUT) });
            self.raise_failure();
            if let Err(error) = waited {
                GpuError::Lost(format!("no answer within {} s: {error}", TIMEOUT.as_secs())).raise();
            }
        }
    }

    /// Copies `data` to the start of a buffer, after everything recorded so far.
    pub(crate) fn write(&self, buffer: &Buffer, offset_bytes: u64, data: &[u8]) {
        // write_buffer takes effect before commands that are recorded but not submitted: submit them first.
        self.submit();
        if let (Some(queue), Some(raw)) = (self.queue(), buffer.raw()) {
            queue.write_buffer(raw, offset_bytes, data);
        }
    }

    /// Copies `size_bytes` from one buffer to another.
    pub(crate) fn copy(&self, from: (&Buffer, u64), to: (&Buffer, u64), size_bytes: u64) {
        if let (Some(device), Some(source), Some(target)) = (self.device(), from.0.raw(), to.0.raw()) {
            let mut stream = self.stream();
            stream.encoder(device).copy_buffer_to_buffer(source, from.1, target, to.1, size_bytes);
        }
    }

    /// Fills with zeros.
    pub(crate) fn clear(&self, buffer: &Buffer, offset_bytes: u64, size_bytes: u64) {
        if let (Some(device), Some(raw)) = (self.device(), buffer.raw()) {
            let mut stream = self.stream();
            stream.encoder(device).clear_buffer(raw, offset_bytes, Some(size_bytes));
        }
    }

    /// Starts a read-back and submits; the device goes on while the host does something else.
    pub(crate) fn read_later(&self, buffer: &Buffer, offset_bytes: u64, size_bytes: u64) -> Pending {
        let (Some(device), Some(raw)) = (self.device(), buffer.raw()) else {
            return Pending { gpu: self.clone(), staging: None, size_bytes, ready: None, submission: None };
        };
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: size_bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.stream().encoder(device).copy_buffer_to_buffer(raw, offset_bytes, &staging, 0, size_bytes);
        let submission = self.submit_indexed();
        let (sender, ready) = mpsc::channel();
        staging.slice(..).map_async(wgpu::MapMode::Read, move |result| {
            let _ = sender.send(result); // nobody waits any more: the Pending was dropped
        });
        Pending { gpu: self.clone(), staging: Some(staging), size_bytes, ready: Some(ready), submission }
    }
}

/// A read-back under way.
pub struct Pending {
    gpu: Gpu,
    staging: Option<wgpu::Buffer>,
    size_bytes: u64,
    ready: Option<mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>>,
    /// Waiting for this one leaves later submissions running.
    submission: Option<wgpu::SubmissionIndex>,
}

impl Pending {
    /// Waits for the bytes. On a dry run they are zeros.
    pub fn wait<T: Pod>(self) -> Vec<T> {
        let _span = trace::span("wait for the device");
        let (Some(device), Some(staging), Some(ready)) = (self.gpu.device(), &self.staging, &self.ready) else {
            return vec![T::zeroed(); self.size_bytes as usize / size_of::<T>()];
        };
        let deadline = Instant::now() + TIMEOUT;
        loop {
            match ready.try_recv() {
                Ok(Ok(())) => break,
                Ok(Err(error)) => self.lost(&error.to_string()),
                Err(_) if Instant::now() > deadline => self.lost("read-back timed out"),
                Err(_) => {
                    let timeout = Some(Duration::from_secs(1));
                    let wait = wgpu::PollType::Wait { submission_index: self.submission.clone(), timeout };
                    let _ = device.poll(wait); // a time-out here only means: look again
                }
            }
        }
        match staging.slice(..).get_mapped_range() {
            Ok(view) => bytemuck::pod_collect_to_vec(&view),
            Err(error) => self.lost(&error.to_string()),
        }
    }

    fn lost(&self, why: &str) -> ! {
        self.gpu.raise_failure();
        GpuError::Lost(why.to_string()).raise()
    }
}

/// The name of a kernel in the profile: its path, and the constants that choose a variant.
fn variant(kernel: &Kernel, spec: Spec) -> String {
    let mut name = kernel.path.trim_end_matches(".wgsl").to_string();
    for (key, value) in spec {
        match value {
            Value::U32(v) => name.push_str(&format!(" {key}={v}")),
            Value::Bool(true) => name.push_str(&format!(" {key}")),
            Value::Bool(false) => {}
            // a type, or a snippet by its path
            Value::Name(v) => {
                name.push(' ');
                name.push_str(v.trim_start_matches("lib/").trim_end_matches(".wgsl"));
            }
        }
    }
    name
}
