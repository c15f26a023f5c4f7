// random: numbers that depend on a key, a sample and a counter only: PCG's output hash (Jarzynski and Olano 2020)
// src/ops/augment.rs has the same in Rust.

fn hash(x: u32) -> u32 {
    let state = x * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

fn random_bits(key: u32, sample: u32, counter: u32) -> u32 {
    return hash(key ^ hash(sample * 16u + counter));
}

// In [0, 1), in steps of 2^-24.
fn random(key: u32, sample: u32, counter: u32) -> f32 {
    return f32(random_bits(key, sample, counter) >> 8u) * 0x1p-24f;
}

// One of 0 .. n - 1; n up to 65,536.
fn random_below(key: u32, sample: u32, counter: u32, n: u32) -> u32 {
    return ((random_bits(key, sample, counter) >> 16u) * n) >> 16u;
}
