//! Initial values, drawn on the host: the same for the same seed and parameter name, whatever else the model holds.

use super::NamedArray;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// 0 everywhere.
    Zeros,
    /// 1 everywhere.
    Ones,
    /// Normal of mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in ±sqrt(6 / (fan_in + fan_out)): Keras' default for dense layers.
    GlorotUniform {
        /// Inputs of one output.
        fan_in: usize,
        /// Outputs of one input.
        fan_out: usize,
    },
    /// Normal of variance 2 / fan_out, cut at two standard deviations: Keras' `VarianceScaling(2, "fan_out")`, as in
    /// EfficientNet's convolutions.
    HeFanOut {
        /// k k C_out of a k x k convolution to C_out channels; k k of a depthwise one, as Keras counts.
        fan_out: usize,
    },
}

/// Standard deviation of a unit normal that is cut at ±2. Keras divides by it, so that the cut normal has the variance
/// that was asked for.
const CUT_NORMAL_STD: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// The initial values of the parameter `name`.
    pub fn array(self, seed: u64, name: &str, shape: &[usize]) -> NamedArray {
        let len = shape.iter().product();
        NamedArray { name: name.to_string(), shape: shape.to_vec(), data: self.values(seed, name, len) }
    }

    fn values(self, seed: u64, name: &str, len: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(fnv1a(name));
        let mut draw = || -> f64 {
            match self {
                Init::Zeros => 0.0,
                Init::Ones => 1.0,
                Init::Normal { std } => std * normal(&mut rng),
                Init::GlorotUniform { fan_in, fan_out } => {
                    let limit = (6.0 / (fan_in + fan_out) as f64).sqrt();
                    rng.random_range(-limit..limit)
                }
                Init::HeFanOut { fan_out } => loop {
                    let z = normal(&mut rng);
                    if z.abs() <= 2.0 {
                        break z * (2.0 / fan_out as f64).sqrt() / CUT_NORMAL_STD;
                    }
                },
            }
        };
        (0..len).map(|_| draw() as f32).collect()
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// The 64-bit FNV-1a hash, written out because the standard library's may change between releases.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean, standard deviation and largest magnitude of 200,000 draws.
    fn moments(init: Init) -> (f64, f64, f64) {
        let x = init.array(7, "w", &[200_000]).data;
        let n = x.len() as f64;
        let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt(), x.iter().fold(0.0, |m, &v| f64::from(v.abs()).max(m)))
    }

    #[test]
    fn draws_have_the_moments_they_should() {
        let (mean, std, _) = moments(Init::Normal { std: 0.05 });
        assert!(mean.abs() < 5e-4 && (std - 0.05).abs() < 5e-4, "{mean} {std}");
        let limit = (6.0f64 / 1792.0).sqrt();
        let (mean, std, most) = moments(Init::GlorotUniform { fan_in: 1280, fan_out: 512 });
        assert!(mean.abs() < 5e-4 && (std - limit / 3f64.sqrt()).abs() < 2e-4, "{mean} {std}");
        assert!(most <= limit + 1e-7, "{most}");
        let (mean, std, most) = moments(Init::HeFanOut { fan_out: 96 });
        let wanted = (2.0f64 / 96.0).sqrt();
        assert!(mean.abs() < 2e-3 && (std - wanted).abs() < 2e-3, "{mean} {std}");
        assert!(most <= 2.0 * wanted / CUT_NORMAL_STD + 1e-7, "{most}");
    }

    #[test]
    fn values_follow_from_seed_and_name_alone() {
        let draw = |seed, name: &str| Init::Normal { std: 1.0 }.array(seed, name, &[4]).data;
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }
}
