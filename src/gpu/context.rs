//! [`Gpu`]: the one way to the device.

use super::buffer::Pool;
use super::kernel::KernelCache;
use super::profile::{How, Profiler};
use super::stream::Stream;
use super::tune::Tuning;
use super::wgsl::Sources;
use super::{Caps, GpuError, Tier};
use crate::trace;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A device with its queue, buffer pool, kernels and recording stream. Cloning is cheap; all clones are one device.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    /// `None` on a dry run: shapes and bytes are followed, nothing is computed.
    device: Option<Device>,
    caps: Caps,
    memory_limit_bytes: Option<u64>,
    checked: bool,
    sources: Sources,
    guard: bool,
    pool: Mutex<Pool>,
    kernels: Mutex<KernelCache>,
    stream: Mutex<Stream>,
    profiler: Mutex<Profiler>,
    tuning: Mutex<Tuning>,
    failure: Arc<Mutex<Option<GpuError>>>,
}

struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

/// Which adapter to take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// A discrete GPU before an integrated one before a software one.
    #[default]
    Best,
    /// By position in [`adapter_list`].
    Index(usize),
    /// The first whose name contains this text, ignoring case.
    Name(String),
}

impl std::str::FromStr for AdapterChoice {
    type Err = std::convert::Infallible;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(match s.parse() {
            Ok(index) => AdapterChoice::Index(index),
            Err(_) => AdapterChoice::Name(s.to_string()),
        })
    }
}

/// How to open the device.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// Which adapter.
    pub adapter: AdapterChoice,
    /// A tier instead of the one that suits the adapter.
    pub tier: Option<Tier>,
    /// Refuse to hold more than this.
    pub memory_limit_bytes: Option<u64>,
    /// Keep wgpu's run-time checks in the shaders (tests; several times slower).
    pub checked: bool,
    /// Which text of the shaders counts.
    pub sources: Sources,
    /// Put sentinel words behind every tensor, for [`Gpu::check_guards`] (tests).
    pub guard: bool,
    /// Pretend that a binding may see no more than this (tests of the splitting of large tensors).
    pub max_binding_bytes: Option<u64>,
    /// Use the knobs chosen by timing that this folder holds, and let [`Gpu::tune`] choose more; without it the defaults.
    /// Results are the same bit for bit.
    pub tune_in: Option<PathBuf>,
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12,
        // Validation layers slow every call and say nothing that wgpu's own validation does not.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

fn adapters(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    flushing_denormals(|| pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())))
}

/// Runs what makes a driver start its threads, which inherit that numbers below 1.2e-38 count as 0. A CPU takes many times as
/// long for them, and a loss that is nearly 0 has gradients full of them; WGSL lets a device do either.
fn flushing_denormals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: no arithmetic of ours runs inside, and the flags of this thread are as they were when it returns.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return unsafe { no_denormals::no_denormals(start) };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return start();
}

/// Lower is better: a real GPU before a CPU one.
fn rank(info: &wgpu::AdapterInfo) -> u32 {
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

/// Every adapter present, in the order that `--adapter N` counts.
pub fn adapter_list() -> Vec<Caps> {
    adapters(&instance()).iter().map(|adapter| caps_of(adapter, None)).collect()
}

fn caps_of(adapter: &wgpu::Adapter, tier: Option<Tier>) -> Caps {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let is_cpu = info.device_type == wgpu::DeviceType::Cpu;
    let subgroup = if features.contains(wgpu::Features::SUBGROUP) {
        (info.subgroup_min_size, info.subgroup_max_size)
    } else {
        (0, 0)
    };
    Caps {
        adapter: info.name,
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        backend: format!("{:?}", info.backend),
        is_cpu,
        subgroup,
        f16: features.contains(wgpu::Features::SHADER_F16),
        int64: features.contains(wgpu::Features::SHADER_INT64),
        cooperative_matrices: adapter
            .cooperative_matrix_properties()
            .iter()
            .map(|p| format!("{}x{}x{} {:?} -> {:?}", p.m_size, p.n_size, p.k_size, p.ab_type, p.cr_type))
            .collect(),
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        max_groups: limits.max_compute_workgroups_per_dimension,
        offset_alignment_bytes: u64::from(limits.min_storage_buffer_offset_alignment),
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_invocations: limits.max_compute_invocations_per_workgroup,
        tier: tier.unwrap_or(Caps::best_tier(is_cpu, subgroup)),
    }
}

fn choose(adapters: Vec<wgpu::Adapter>, choice: &AdapterChoice) -> Result<wgpu::Adapter, GpuError> {
    let present = || {
        let name = |(i, a): (usize, &wgpu::Adapter)| format!("{i} = {}", a.get_info().name);
        adapters.iter().enumerate().map(name).collect::<Vec<_>>().join(", ")
    };
    let found = match choice {
        AdapterChoice::Best => (0..adapters.len()).min_by_key(|&i| rank(&adapters[i].get_info())),
        AdapterChoice::Index(i) => (*i < adapters.len()).then_some(*i),
        AdapterChoice::Name(name) => {
            let wanted = name.to_lowercase();
            adapters.iter().position(|a| a.get_info().name.to_lowercase().contains(&wanted))
        }
    };
    match found {
        Some(i) => Ok(adapters.into_iter().nth(i).expect("the index was found in this list")),
        None if adapters.is_empty() => {
            Err(GpuError::NoAdapter { looked_for: "Vulkan, Metal and DX12 were asked".into() })
        }
        None => {
            let wanted = match choice {
                AdapterChoice::Index(i) => i.to_string(),
                AdapterChoice::Name(name) => name.clone(),
                AdapterChoice::Best => String::new(),
            };
            Err(GpuError::NoSuchAdapter { wanted, present: present() })
        }
    }
}

impl Gpu {
    /// Opens the chosen adapter. With `COLA_TRACE=1` in the environment every kernel is timed and printed as it
    /// runs, and in a [`trace`] each is noted.
    ///
    /// # Errors
    /// No adapter, none that matches, one that lacks immediates or subgroups its tier needs, or a driver that refuses.
    pub fn open(options: &GpuOptions) -> Result<Gpu, GpuError> {
        let adapter = choose(adapters(&instance()), &options.adapter)?;
        let mut caps = caps_of(&adapter, options.tier);
        let refuse = |reason: String| GpuError::Device { adapter: adapter.get_info().name, reason };
        if let Some(bytes) = options.max_binding_bytes {
            caps.max_binding_bytes = bytes;
        }
        if caps.tier == Tier::Cpu && !Tier::broadcasts(caps.subgroup) {
            return Err(refuse("the cpu tier needs subgroups of at least 8; use --tier portable".into()));
        }
        let mut features = wgpu::Features::IMMEDIATES;
        if !adapter.features().contains(features) {
            return Err(refuse("no immediates (push constants), which every kernel uses".into()));
        }
        features |= adapter.features()
            & (wgpu::Features::SUBGROUP | wgpu::Features::SHADER_INT64 | wgpu::Features::TIMESTAMP_QUERY);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("cola"),
            required_features: features,
            required_limits: adapter.limits(),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            trace: wgpu::Trace::Off,
        };
        let (device, queue) = flushing_denormals(|| pollster::block_on(adapter.request_device(&descriptor)))
            .map_err(|e| refuse(e.to_string()))?;

        let failure = Arc::new(Mutex::new(None));
        let store = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            let error = match error {
                wgpu::Error::OutOfMemory { source } => GpuError::Lost(format!("out of device memory: {source}")),
                other => GpuError::Validation(other.to_string()),
            };
            lock(&store).get_or_insert(error);
        }));
        let store = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                lock(&store).get_or_insert(GpuError::Lost(message));
            }
        });
        let mut gpu = Self::assemble(Some(Device { device, queue }), caps, options);
        Arc::get_mut(&mut gpu.0).expect("just made, not shared").failure = failure;
        if let Some(folder) = &options.tune_in {
            gpu.use_choices_in(folder);
        }
        if trace::is_on() {
            gpu.trace_start(How::Trace);
        } else if std::env::var_os(trace::VARIABLE).is_some_and(|v| v == "1") {
            gpu.trace_start(How::Print);
        }
        Ok(gpu)
    }

    /// A device that follows shapes and counts bytes but computes nothing: predicts memory before it is taken.
    pub fn dry_run(caps: Caps) -> Gpu {
        Self::assemble(None, caps, &GpuOptions::default())
    }

    fn assemble(device: Option<Device>, caps: Caps, options: &GpuOptions) -> Gpu {
        Gpu(Arc::new(Inner {
            device,
            caps,
            memory_limit_bytes: options.memory_limit_bytes,
            checked: options.checked,
            sources: options.sources.clone(),
            guard: options.guard,
            pool: Mutex::default(),
            kernels: Mutex::default(),
            stream: Mutex::default(),
            profiler: Mutex::default(),
            tuning: Mutex::default(),
            failure: Arc::default(),
        }))
    }

    /// What this adapter can do.
    pub fn caps(&self) -> &Caps {
        &self.0.caps
    }

    /// The limit on held memory, if there is one.
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        self.0.memory_limit_bytes
    }

    pub(super) fn checked(&self) -> bool {
        self.0.checked
    }

    pub(super) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    pub(crate) fn guard(&self) -> bool {
        self.0.guard
    }

    pub(super) fn device(&self) -> Option<&wgpu::Device> {
        self.0.device.as_ref().map(|d| &d.device)
    }

    pub(super) fn queue(&self) -> Option<&wgpu::Queue> {
        self.0.device.as_ref().map(|d| &d.queue)
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        lock(&self.0.pool)
    }

    pub(super) fn kernels(&self) -> MutexGuard<'_, KernelCache> {
        lock(&self.0.kernels)
    }

    pub(super) fn stream(&self) -> MutexGuard<'_, Stream> {
        lock(&self.0.stream)
    }

    pub(super) fn profiler(&self) -> MutexGuard<'_, Profiler> {
        lock(&self.0.profiler)
    }

    pub(super) fn tuning(&self) -> MutexGuard<'_, Tuning> {
        lock(&self.0.tuning)
    }

    /// Raises what the driver reported since the last call, if anything.
    pub(super) fn raise_failure(&self) {
        let failure = lock(&self.0.failure).take();
        if let Some(error) = failure {
            error.raise();
        }
    }
}

/// A device error unwinds through these locks by design ([`GpuError::raise`]); the data behind them stays valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
