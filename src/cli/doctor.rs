//! `cola doctor`: what this machine can do.

use anyhow::Result;
use cola::bench::peaks::{Peaks, product_gflop_per_s};
use cola::gpu::{AdapterChoice, Caps, Gpu, GpuError, GpuOptions, Tier, adapter_list, catch};
use cola::selftest;
use cola::train::progress::human_bytes;
use std::process::ExitCode;
use std::time::Instant;

/// List the adapters, test kernels on each, measure its speed and give advice
///
/// Exit code 1 if no adapter can be used.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  cola doctor")]
pub struct Args {}

/// What was found about one adapter.
struct Finding {
    index: usize,
    name: String,
    is_cpu: bool,
    /// All self-tests passed on its own tier.
    sound: bool,
    gflops: f64,
}

impl Args {
    pub fn run(self) -> Result<ExitCode> {
        println!("cola {} on {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
        let adapters = adapter_list();
        if adapters.is_empty() {
            // Opening one gives the words for it.
            return Err(Gpu::open(&GpuOptions::default())
                .err()
                .map_or_else(|| anyhow::anyhow!("no adapter"), Into::into));
        }
        let findings: Vec<Finding> = adapters.iter().enumerate().map(|(i, caps)| examine(i, caps)).collect();
        let (text, usable) = advice(&findings);
        println!("\nAdvice: {text}");
        Ok(if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn examine(index: usize, caps: &Caps) -> Finding {
    describe(index, caps);
    let mut finding = Finding { index, name: caps.adapter.clone(), is_cpu: caps.is_cpu, sound: false, gflops: 0.0 };
    let mut tiers = vec![caps.tier];
    tiers.extend(Tier::on(caps).into_iter().filter(|&tier| tier != caps.tier));
    for tier in tiers {
        let name = tier.to_string();
        match open(index, tier) {
            Ok(gpu) => {
                let passed = self_test(&gpu, &name);
                if tier == caps.tier {
                    finding.sound = passed;
                    match catch(|| (Peaks::measure(&gpu), product_gflop_per_s(&gpu))) {
                        Ok((peaks, product)) => {
                            finding.gflops = product;
                            println!(
                                "  speed        copy {:.1} GB/s, multiply-add {:.0} GFLOP/s, matrix product {product:.0} GFLOP/s",
                                peaks.bandwidth_gb_per_s, peaks.fma_gflop_per_s
                            );
                        }
                        Err(error) => println!("  speed        {error}"),
                    }
                }
            }
            Err(error) => println!("  {name:<12} {error}"),
        }
    }
    finding
}

fn open(index: usize, tier: Tier) -> Result<Gpu, GpuError> {
    Gpu::open(&GpuOptions { adapter: AdapterChoice::Index(index), tier: Some(tier), ..GpuOptions::default() })
}

fn describe(index: usize, caps: &Caps) {
    let kind = if caps.is_cpu { "software, on the CPU" } else { "GPU" };
    println!("\n{index}: {} ({kind})", caps.adapter);
    println!("  driver       {}, {}", caps.backend, caps.driver);
    let subgroups = match caps.subgroup {
        (0, _) => "no subgroups".to_string(),
        (least, most) if least == most => format!("subgroups of {least}"),
        (least, most) => format!("subgroups of {least} to {most}"),
    };
    let yes_no = |has: bool, name: &str| format!("{}{name}", if has { "" } else { "no " });
    println!(
        "  features     {subgroups}, {}, {}, {}",
        yes_no(caps.f16, "f16"),
        yes_no(caps.int64, "64-bit integers"),
        yes_no(caps.timestamps, "timestamps for profiles")
    );
    if !caps.cooperative_matrices.is_empty() {
        println!("  matrix units {}", caps.cooperative_matrices.join("; "));
    }
    println!(
        "  limits       binding {}, buffer {}, workgroup memory {} of {} invocations",
        human_bytes(caps.max_binding_bytes),
        human_bytes(caps.max_buffer_bytes),
        human_bytes(caps.max_workgroup_bytes.into()),
        caps.max_invocations
    );
}

/// Prints one line, and one more for each failure.
fn self_test(gpu: &Gpu, tier: &str) -> bool {
    let start = Instant::now();
    let checks = selftest::run(gpu);
    let failed: Vec<_> = checks.iter().filter(|check| !check.passed()).collect();
    let outcome = match failed.len() {
        0 => format!("{} kernels agree with the CPU", checks.len()),
        n => format!("{n} of {} kernels FAILED", checks.len()),
    };
    println!("  self-test    {tier} kernels: {outcome} ({:.1} s with compiling)", start.elapsed().as_secs_f64());
    for check in &failed {
        match &check.error {
            Ok(error) => println!("               {}: off by {error:.1e} of the reference", check.name),
            Err(error) => println!("               {}: {error}", check.name),
        }
    }
    failed.is_empty()
}

/// What to do, and whether there is anything to work with.
fn advice(findings: &[Finding]) -> (String, bool) {
    let best = |is_cpu: bool| {
        let sound = findings.iter().filter(|f| f.sound && f.is_cpu == is_cpu);
        sound.max_by(|a, b| a.gflops.total_cmp(&b.gflops))
    };
    let broken = findings.iter().find(|f| !f.sound && !f.is_cpu);
    match (best(false), best(true), broken) {
        (Some(gpu), _, _) if findings.len() == 1 => (format!("use it; {} works.", gpu.name), true),
        (Some(gpu), _, _) => (
            format!("{} is the fastest adapter that works; cola takes a GPU by itself, or say --adapter {}.", gpu.name, gpu.index),
            true,
        ),
        (None, Some(cpu), Some(broken)) => (
            format!(
                "{} fails its self-test: update its driver, or try --tier portable. Until then --adapter {} computes on \
                 the CPU, slowly.",
                broken.name, cpu.index
            ),
            true,
        ),
        (None, Some(_), None) => (
            "no GPU was found, so the CPU stands in: fine for tests, for the demo and for small sets (expect some \
             fifty segments a second on two cores, and use --batch 32). If this machine has a GPU, install its Vulkan driver."
                .into(),
            true,
        ),
        (None, None, _) => (
            "no adapter computes correctly; update the driver (on Debian: apt-get install mesa-vulkan-drivers), then run \
             this again."
                .into(),
            false,
        ),
    }
}
