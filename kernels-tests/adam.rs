//! adam.wgsl, sum_squares.wgsl, over a parameter store

use crate::harness::{assert_close, data, f64s, on_every_device};
use cola::gpu::Gpu;
use cola::nn::{NamedArray, ParamError, ParamStore, Slab, StateStore};
use cola::ops::reduce::sum_squares;
use cola::optim::{Adam, AdamConfig, EpsConvention};
use cola::tensor::Tensor;

/// A matrix that decays, a vector that does not, neither a multiple of the alignment.
fn store(gpu: &Gpu) -> ParamStore {
    let array = |name: &str, seed, shape: &[usize]| NamedArray {
        name: name.into(),
        shape: shape.to_vec(),
        data: data(seed, shape.iter().product()),
    };
    ParamStore::build(gpu, &[array("w", 1, &[7, 31]), array("b", 2, &[65]), array("one", 3, &[1, 1])])
}

/// Ten textbook steps in f64 of one parameter; `gradient(t)` is already clipped.
fn textbook(c: &AdamConfig, w: &[f32], lr: f64, decays: bool, gradient: &dyn Fn(u64) -> Vec<f64>) -> Vec<f64> {
    let mut w = f64s(w);
    let (mut m, mut v) = (vec![0.0; w.len()], vec![0.0; w.len()]);
    for t in 1..=10 {
        let (c1, c2) = (1.0 - c.beta1.powf(t as f64), 1.0 - c.beta2.powf(t as f64));
        for (i, g) in gradient(t).into_iter().enumerate() {
            m[i] = c.beta1 * m[i] + (1.0 - c.beta1) * g;
            v[i] = c.beta2 * v[i] + (1.0 - c.beta2) * g * g;
            if decays {
                w[i] -= lr * c.weight_decay * w[i];
            }
            w[i] -= match c.eps_convention {
                EpsConvention::PyTorch => lr * (m[i] / c1) / ((v[i] / c2).sqrt() + c.eps),
                EpsConvention::Keras => lr * c2.sqrt() / c1 * m[i] / (v[i].sqrt() + c.eps),
            };
        }
    }
    w
}

#[test]
fn ten_steps_agree_with_the_textbook() {
    let plain = [AdamConfig::pytorch(), AdamConfig::keras()];
    // A large eps, so that the two conventions differ by far more than the tolerance.
    let other = plain.map(|c| AdamConfig { eps: 1e-2, weight_decay: 0.3, max_grad_norm: Some(0.5), ..c });
    on_every_device(|gpu| {
        for config in plain.into_iter().chain(other) {
            let (store, lr) = (store(gpu), 0.01);
            let names: Vec<String> = store.names().map(String::from).collect();
            let gradient = |k: usize, t: u64, len: usize| data(100 * t + k as u64, len);
            let initial = store.read_all(Slab::Values);
            let norm = |t: u64| {
                let squares = |(k, a): (usize, &NamedArray)| {
                    gradient(k, t, a.data.len()).iter().map(|&g| f64::from(g).powi(2)).sum::<f64>()
                };
                initial.iter().enumerate().map(squares).sum::<f64>().sqrt()
            };
            let mut adam = Adam::new(config);
            for t in 1..=10 {
                for (k, name) in names.iter().enumerate() {
                    let grad = store.get(name).grad;
                    grad.write(&gradient(k, t, grad.len()));
                }
                let squares = adam.step(&store, lr).read::<f32>();
                assert_close("squares", &squares, &[norm(t).powi(2)], 1e-6);
            }
            for (k, (before, after)) in initial.iter().zip(store.read_all(Slab::Values)).enumerate() {
                let clipped = |t: u64| {
                    let factor = config.max_grad_norm.map_or(1.0, |max| (max / norm(t)).min(1.0));
                    gradient(k, t, before.data.len()).iter().map(|&g| f64::from(g) * factor).collect()
                };
                let want =
                    textbook(&config, &before.data, lr, before.shape.len() > 1 && before.data.len() > 1, &clipped);
                assert_close(&format!("{config:?} {}", before.name), &after.data, &want, 1e-6);
            }
        }
    });
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    on_every_device(|gpu| {
        for bad in [f32::NAN, f32::INFINITY, 1e30] {
            let store = store(gpu);
            let before = [Slab::Values, Slab::FirstMoments, Slab::SecondMoments].map(|s| store.read_all(s));
            store.get("one").grad.write(&[bad]);
            store.get("b").grad.write(&[1.0f32; 65]);
            let squares = Adam::new(AdamConfig::pytorch()).step(&store, 0.1);
            assert!(!squares.read::<f32>()[0].is_finite());
            let after = [Slab::Values, Slab::FirstMoments, Slab::SecondMoments].map(|s| store.read_all(s));
            assert_eq!(before, after, "gradient {bad}");
        }
    });
}

#[test]
fn sums_of_squares_over_many_workgroups() {
    on_every_device(|gpu| {
        for n in [4, 16_384, 16_388, 200_000] {
            let x = data(5, n);
            let want = f64s(&x).iter().map(|v| v * v).sum::<f64>();
            let sum = || sum_squares(&Tensor::from_slice(gpu, &[n], &x)).read::<f32>();
            assert_close("sum_squares", &sum(), &[want], 1e-6);
            assert_eq!(sum()[0].to_bits(), sum()[0].to_bits(), "reruns are bit-equal");
        }
    });
}

#[test]
fn stores_keep_what_is_written() {
    on_every_device(|gpu| {
        let store = store(gpu);
        assert_eq!(store.names().collect::<Vec<_>>(), ["w", "b", "one"]);
        assert_eq!(store.parameter_count(), 7 * 31 + 65 + 1);
        let before = store.read_all(Slab::Values);
        assert_eq!(store.write(Slab::FirstMoments, "b", &[2.0; 65]), Ok(()));
        assert_eq!(store.write(Slab::Values, "one", &[9.0]), Ok(()));
        let after = store.read_all(Slab::Values);
        assert_eq!((&after[0], &after[1], after[2].data[0]), (&before[0], &before[1], 9.0));
        assert_eq!(store.read_all(Slab::FirstMoments)[1].data, [2.0; 65]);
        assert_eq!(store.write(Slab::Values, "c", &[]), Err(ParamError::Unknown("c".into())));
        let error = store.write(Slab::Values, "b", &[0.0; 64]).expect_err("one element short").to_string();
        assert!(error.contains("'b'") && error.contains("64") && error.contains("[65]"), "{error}");

        store.get("w").grad.write(&[1.0f32; 7 * 31]);
        store.zero_grad();
        assert!(store.grads().read::<f32>().iter().all(|&g| g == 0.0));

        let state = StateStore::build(gpu, &before);
        state.get("b").write(&[4.0f32; 65]);
        assert_eq!((&state.read_all()[0], &state.read_all()[1].data[..]), (&before[0], &[4.0f32; 65][..]));
    });
}
