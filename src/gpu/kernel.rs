//! Kernels, their specialisations, and the caches of what the driver makes of them.
//!
//! (Kernel, Spec) is the whole pipeline key: no per-op key types, no registry.

use super::traffic::{Traffic, traffic_of};
use super::wgsl::{self, Composed, Sources};
use super::{Buffer, Gpu, GpuError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

/// One `.wgsl` file with the entry point `main`.
#[derive(Debug)]
pub struct Kernel {
    /// Path under `shaders/`.
    pub path: &'static str,
    /// The text compiled into the binary.
    pub embedded: &'static str,
}

/// Names a kernel by its path under `shaders/`.
#[macro_export]
macro_rules! kernel {
    ($path:literal) => {
        $crate::gpu::Kernel {
            path: $path,
            embedded: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path)),
        }
    };
}

/// The value of a constant in a specialisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// `7u`
    U32(u32),
    /// `true`
    Bool(bool),
    /// A type name, for an `alias`.
    Name(&'static str),
}

impl Value {
    pub(super) fn wgsl(&self) -> String {
        match self {
            Value::U32(v) => format!("{v}u"),
            Value::Bool(v) => v.to_string(),
            Value::Name(v) => (*v).to_string(),
        }
    }
}

impl From<u32> for Value {
    fn from(v: u32) -> Self {
        Value::U32(v)
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Value::Bool(v)
    }
}

/// The constants that differ from the file's own.
pub type Spec<'a> = &'a [(&'static str, Value)];

pub(super) struct Pipeline {
    pub(super) id: u64,
    pub(super) raw: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
    /// Binding numbers in order, as the shader declares them.
    pub(super) bindings: Vec<u32>,
    pub(super) immediate_bytes: u32,
}

type PipelineKey = (&'static str, Vec<(&'static str, Value)>);
/// Pipeline, then (buffer id, offset, size) of each binding.
type BindKey = (u64, Vec<(u64, u64, u64)>);

#[derive(Default)]
pub(super) struct KernelCache {
    pipelines: HashMap<PipelineKey, Arc<Pipeline>>,
    bind_groups: HashMap<BindKey, wgpu::BindGroup>,
    /// What profiled kernels do with their bindings, in the bindings' order.
    traffic: HashMap<PipelineKey, Arc<[Traffic]>>,
    /// On a dry run: what a device would have compiled, and with how many bytes of immediates.
    wanted: HashMap<PipelineKey, (&'static Kernel, u32)>,
}

/// Beyond this the cache starts anew: it means that the caller's shapes keep changing.
const MAX_BIND_GROUPS: usize = 16_384;

impl Gpu {
    /// The pipeline of a kernel under a specialisation, compiled at first use.
    pub(super) fn pipeline(
        &self,
        device: &wgpu::Device,
        kernel: &'static Kernel,
        spec: Spec,
        immediate_bytes: u32,
    ) -> Arc<Pipeline> {
        let key = (kernel.path, spec.to_vec());
        if let Some(found) = self.kernels().pipelines.get(&key) {
            return found.clone();
        }
        match self.compile(device, kernel, spec, immediate_bytes) {
            Ok(pipeline) => self.keep(key, pipeline),
            Err(message) => GpuError::Shader(message).raise(),
        }
    }

    fn keep(&self, key: PipelineKey, pipeline: Pipeline) -> Arc<Pipeline> {
        let mut kernels = self.kernels();
        let pipeline = Arc::new(Pipeline { id: kernels.pipelines.len() as u64, ..pipeline });
        kernels.pipelines.insert(key, pipeline.clone());
        pipeline
    }

    /// What a kernel that was compiled does with its bindings, in their order.
    pub(super) fn traffic(&self, kernel: &'static Kernel, spec: Spec) -> Arc<[Traffic]> {
        let key = (kernel.path, spec.to_vec());
        if let Some(found) = self.kernels().traffic.get(&key) {
            return found.clone();
        }
        let found = self.composed(kernel, spec).and_then(|composed| traffic_of(&composed.text));
        let found = found.unwrap_or_else(|message| GpuError::Shader(message).raise());
        let traffic: Arc<[Traffic]> = found.into_values().collect();
        self.kernels().traffic.insert(key, traffic.clone());
        traffic
    }

    fn composed(&self, kernel: &Kernel, spec: Spec) -> Result<Composed, String> {
        let text = wgsl::source(kernel.path, kernel.embedded, self.sources())?;
        wgsl::compose_from(self.sources(), kernel.path, &text, spec)
    }

    /// On a dry run: notes that a device would run this.
    pub(super) fn want(&self, kernel: &'static Kernel, spec: Spec, immediate_bytes: u32) {
        self.kernels().wanted.entry((kernel.path, spec.to_vec())).or_insert((kernel, immediate_bytes));
    }

    /// Compiles what `step` runs and is not compiled yet, on all cores, and says how much that was. `step` is only
    /// followed.
    pub fn compile_ahead(&self, step: &dyn Fn(&Gpu), show: &mut dyn FnMut(usize, usize)) -> usize {
        let Some(device) = self.device() else { return 0 };
        let mut wanted: Vec<_> = std::mem::take(&mut self.follow(step).kernels().wanted).into_iter().collect();
        wanted.retain(|(key, _)| !self.kernels().pipelines.contains_key(key));
        let (total, next) = (wanted.len(), AtomicUsize::new(0));
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(total);
        let (sender, done) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (sender, wanted, next) = (sender.clone(), &wanted, &next);
                scope.spawn(move || {
                    while let Some((key, (kernel, immediate_bytes))) = wanted.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        let compiled = self.compile(device, kernel, &key.1, *immediate_bytes);
                        if sender.send((key, compiled)).is_err() {
                            break; // another kernel failed, and nobody listens any more
                        }
                    }
                });
            }
            drop(sender);
            for (count, (key, compiled)) in done.into_iter().enumerate() {
                match compiled {
                    Ok(pipeline) => drop(self.keep(key.clone(), pipeline)),
                    Err(message) => GpuError::Shader(message).raise(),
                }
                show(count + 1, total);
            }
        });
        total
    }

    /// The kernels that `step` would run, each with the files under `shaders/` that it is made of. `step` is only followed.
    ///
    /// # Panics
    /// When a kernel as it is compiled in cannot be composed.
    pub fn shaders_of(&self, step: &dyn Fn(&Gpu)) -> BTreeMap<&'static str, BTreeSet<String>> {
        let mut found = BTreeMap::<_, BTreeSet<String>>::new();
        for ((path, spec), (kernel, _)) in std::mem::take(&mut self.follow(step).kernels().wanted) {
            let composed = wgsl::compose_from(&Sources::Embedded, path, kernel.embedded, &spec);
            found.entry(path).or_default().extend(composed.expect("what is compiled in composes").files());
        }
        found
    }

    fn compile(
        &self,
        device: &wgpu::Device,
        kernel: &Kernel,
        spec: Spec,
        immediate_bytes: u32,
    ) -> Result<Pipeline, String> {
        let composed = self.composed(kernel, spec)?;
        if composed.has_immediates != (immediate_bytes > 0) {
            return Err(format!("{}: immediates declared and given do not agree", kernel.path));
        }
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(kernel.path),
            source: wgpu::ShaderSource::Wgsl(composed.text.as_str().into()),
        };
        let module = if self.checked() {
            device.create_shader_module(descriptor)
        } else {
            // SAFETY: every kernel guards its own indices. The tests run each kernel both checked and unchecked, with
            // sentinel words around the outputs, on sizes one past every tile; loops are bounded by their operands.
            unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        let entries: Vec<_> = composed
            .bindings
            .iter()
            .map(|b| wgpu::BindGroupLayoutEntry {
                binding: b.index,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: !b.writable },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(kernel.path), entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.path),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: immediate_bytes,
        });
        let raw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.path),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Kernels write workgroup memory before they read it; zeroing costs time and slows compilation.
                zero_initialize_workgroup_memory: self.checked(),
                ..Default::default()
            },
            cache: None,
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(Pipeline {
                id: 0, // given when it is kept
                raw,
                layout,
                bindings: composed.bindings.iter().map(|b| b.index).collect(),
                immediate_bytes,
            }),
            Some(error) => Err(format!("{}: {}", kernel.path, composed.explain(&error.to_string()))),
        }
    }

    /// The bind group of these ranges. The pool is deterministic, so from the second step on each is found here.
    pub(super) fn bind_group(
        &self,
        device: &wgpu::Device,
        pipeline: &Pipeline,
        ranges: &[(&Buffer, u64, u64)],
    ) -> wgpu::BindGroup {
        let key = (pipeline.id, ranges.iter().map(|(b, offset, size)| (b.id(), *offset, *size)).collect());
        let mut kernels = self.kernels();
        if let Some(found) = kernels.bind_groups.get(&key) {
            return found.clone();
        }
        let entries: Vec<_> = pipeline
            .bindings
            .iter()
            .zip(ranges)
            .map(|(&binding, (buffer, offset, size))| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: buffer.raw().expect("a buffer of a device that is not dry"),
                    offset: *offset,
                    size: std::num::NonZeroU64::new(*size),
                }),
            })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &entries,
        });
        if kernels.bind_groups.len() >= MAX_BIND_GROUPS {
            kernels.bind_groups.clear();
        }
        kernels.bind_groups.insert(key, group.clone());
        group
    }

    /// Drops the bind groups that hold any of these buffers, so that the device can free them.
    pub(super) fn forget_bind_groups(&self, buffer_ids: &[u64]) {
        if !buffer_ids.is_empty() {
            self.kernels().bind_groups.retain(|(_, ranges), _| ranges.iter().all(|r| !buffer_ids.contains(&r.0)));
        }
    }
}
