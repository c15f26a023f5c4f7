//! The options that choose a device, the same for every sub-command.

use cola::gpu::wgsl::Sources;
use cola::gpu::{AdapterChoice, Gpu, GpuError, GpuOptions, Tier, cache_folder};
use cola::train::bytes::Bytes;

#[derive(clap::Args, Clone, Debug, Default)]
pub struct DeviceArgs {
    /// Adapter, by its number in `cola doctor` or a part of its name [default: a GPU before a CPU]
    #[arg(long, value_name = "N|NAME")]
    pub adapter: Option<AdapterChoice>,

    /// Kernels to use instead of those that suit the adapter: portable or cpu
    #[arg(long)]
    pub tier: Option<Tier>,

    /// Most device memory to hold, for example 6GB or 2GiB
    #[arg(long, value_name = "SIZE")]
    pub memory_budget: Option<Bytes>,

    /// Leave kernels as they are instead of using the settings that were fastest on this adapter; results are the same
    #[arg(long)]
    pub no_tune: bool,
}

impl DeviceArgs {
    pub fn open(&self) -> Result<Gpu, GpuError> {
        self.open_with(Sources::default())
    }

    /// The same device with shaders from there.
    pub fn open_with(&self, sources: Sources) -> Result<Gpu, GpuError> {
        Gpu::open(&GpuOptions {
            sources,
            adapter: self.adapter.clone().unwrap_or_default(),
            tier: self.tier,
            memory_limit_bytes: self.memory_budget.map(|bytes| bytes.0),
            tune_in: if self.no_tune { None } else { cache_folder() },
            ..GpuOptions::default()
        })
    }

    /// The portable kernels as they are compiled in, under run-time checks: what others are checked against.
    pub fn open_checker(&self) -> Result<Gpu, GpuError> {
        Gpu::open(&GpuOptions {
            adapter: self.adapter.clone().unwrap_or_default(),
            tier: Some(Tier::Portable),
            checked: true,
            sources: Sources::Embedded,
            ..GpuOptions::default()
        })
    }
}
