//! What `cola pretrain --dry-run` says about memory.

use anyhow::Result;
use cola::gpu::Gpu;
use cola::train::config::TrainConfig;
use cola::train::memory::{Forecast, available_ram_bytes, forecast, largest_batch, what_fits};
use cola::train::progress::human_bytes;

/// Ops that are listed by name.
const SHOWN_OPS: usize = 8;

/// Prints what the configured batch takes, and the largest one that fits. Nothing is computed.
pub fn print(gpu: &Gpu, config: &TrainConfig) -> Result<()> {
    match forecast(gpu.caps(), config, config.batch) {
        Ok(forecast) => print_parts(&forecast),
        Err(error) => println!("batch {}: {error}", config.batch),
    }
    let (limit, what) = limit(gpu);
    let (limit_bytes, of) = match limit {
        Some(bytes) => (bytes, human_bytes(bytes)),
        None => (u64::MAX, "its memory, of which the driver does not tell".into()),
    };
    let chunks = if config.chunk > 0 { format!(" in chunks of {}", config.chunk) } else { String::new() };
    match largest_batch(gpu.caps(), config, limit_bytes) {
        Some(largest) => println!(
            "largest batch{chunks} that fits {of} ({what}): {}, {} held from the device",
            largest.batch,
            human_bytes(largest.held_bytes)
        ),
        None => println!("{of} ({what}): {}", what_fits(gpu.caps(), config, limit_bytes)),
    }
    Ok(())
}

/// The memory that there is, as far as it is known, and where that comes from.
fn limit(gpu: &Gpu) -> (Option<u64>, &'static str) {
    if let Some(bytes) = gpu.memory_limit_bytes() {
        return (Some(bytes), "--memory-budget");
    }
    match gpu.caps().is_cpu.then(available_ram_bytes).flatten() {
        Some(bytes) => (Some(bytes), "the RAM that is free"),
        None => (None, "by the adapter's largest buffer alone; say --memory-budget SIZE"),
    }
}

fn print_parts(forecast: &Forecast) {
    let segments = 2 * forecast.batch as u64;
    println!(
        "batch {}: {} bytes of device memory in use at the peak ({}, {} a segment), {} held",
        forecast.batch,
        forecast.peak_bytes,
        human_bytes(forecast.peak_bytes),
        human_bytes(forecast.peak_bytes / segments),
        human_bytes(forecast.held_bytes)
    );
    let weights = forecast.parameter_bytes;
    let lasting = forecast.lasting_bytes;
    let rows = [
        ("parameters", weights),
        ("their gradients", weights),
        ("Adam's moments", 2 * weights),
        ("running statistics, tables, rounding", lasting.saturating_sub(4 * weights)),
        ("activations kept for the way back", forecast.kept_bytes),
        ("besides, at the peak", forecast.peak_bytes - lasting - forecast.kept_bytes),
    ];
    for (name, bytes) in rows {
        println!("  {:>10}  {name}", human_bytes(bytes));
    }
    println!("kept for the way back, by op (what two ops keep counts at both):");
    for op in forecast.kept_by_op.iter().take(SHOWN_OPS) {
        println!("  {:>10}  {} x {}", human_bytes(op.bytes), op.ops, op.name);
    }
    let rest = forecast.kept_by_op.iter().skip(SHOWN_OPS);
    let (ops, bytes) = rest.fold((0, 0), |(ops, bytes), op| (ops + op.ops, bytes + op.bytes));
    if ops > 0 {
        println!("  {:>10}  {ops} others", human_bytes(bytes));
    }
}
