//! What an adapter can do, asked once; kernels ask this and never wgpu.

// ANCHOR: tier
/// A family of kernel variants. Each op that has more than one picks by tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Workgroup memory and barriers, 256 invocations, 16 KiB, no assumption on subgroups: runs everywhere.
    Portable,
    /// For adapters that run on the CPU (lavapipe): lanes along the contiguous axis, reuse by subgroup broadcast,
    /// no barriers and no workgroup memory, because there both are ordinary RAM with a coroutine switch on top.
    Cpu,
}
// ANCHOR_END: tier

impl Tier {
    /// Those that an adapter can run.
    pub fn on(caps: &Caps) -> Vec<Tier> {
        if Tier::broadcasts(caps.subgroup) { vec![Tier::Portable, Tier::Cpu] } else { vec![Tier::Portable] }
    }

    /// The CPU kernels broadcast among eight neighbouring lanes.
    pub(super) fn broadcasts((smallest, _): (u32, u32)) -> bool {
        smallest >= 8
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Tier::Portable => "portable",
            Tier::Cpu => "cpu",
        })
    }
}

impl std::str::FromStr for Tier {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "portable" => Ok(Tier::Portable),
            "cpu" => Ok(Tier::Cpu),
            _ => Err(format!("unknown tier '{s}': portable or cpu")),
        }
    }
}

/// Capabilities and limits of the adapter in use.
#[derive(Clone, Debug)]
pub struct Caps {
    /// Adapter name, as the driver gives it.
    pub adapter: String,
    /// Driver name and version.
    pub driver: String,
    /// Vulkan, Metal or Dx12.
    pub backend: String,
    /// True for a software adapter.
    pub is_cpu: bool,
    /// Smallest and largest subgroup; `(0, 0)` without subgroup operations.
    pub subgroup: (u32, u32),
    /// `f16` in shaders.
    pub f16: bool,
    /// 64-bit integers in shaders.
    pub int64: bool,
    /// Cooperative-matrix shapes (M, N, K, inputs, result), for `doctor`.
    pub cooperative_matrices: Vec<String>,
    /// Timestamps at pass boundaries.
    pub timestamps: bool,
    /// Largest buffer range one binding may see.
    pub max_binding_bytes: u64,
    /// Largest buffer.
    pub max_buffer_bytes: u64,
    /// Workgroups per grid axis.
    pub max_groups: u32,
    /// Alignment of a binding's offset.
    pub offset_alignment_bytes: u64,
    /// Workgroup memory.
    pub max_workgroup_bytes: u32,
    /// Invocations per workgroup.
    pub max_invocations: u32,
    /// The kernels to use: chosen from the above, or forced.
    pub tier: Tier,
}

impl Caps {
    /// The tier that suits these capabilities.
    pub(super) fn best_tier(is_cpu: bool, subgroup: (u32, u32)) -> Tier {
        if is_cpu && Tier::broadcasts(subgroup) { Tier::Cpu } else { Tier::Portable }
    }
}
