//! The bench's table of cases: every tier gives the same results on the network's own shapes.

use crate::harness::assert_close;
use cola::bench::cases::all;
use cola::gpu::{Gpu, GpuOptions, Tier, catch};

fn results(tier: Option<Tier>) -> Vec<(String, Vec<Vec<f32>>)> {
    let gpu = Gpu::open(&GpuOptions { tier, ..Default::default() }).unwrap_or_else(|e| panic!("{e}"));
    let run = || {
        all(2)
            .iter()
            .map(|case| {
                let prepared = case.prepare(&gpu);
                let results = prepared.run(&gpu);
                let tensors = results.iter().chain(prepared.parameter_gradients());
                (case.name.clone(), tensors.map(|t| t.read::<f32>()).collect())
            })
            .collect()
    };
    catch(run).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn every_tier_agrees_on_the_bench_cases() {
    let (best, portable) = (results(None), results(Some(Tier::Portable)));
    assert_eq!(best.len(), portable.len());
    for ((name, a), (_, b)) in best.iter().zip(&portable) {
        assert_eq!(a.len(), b.len(), "{name}: number of results");
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            let b: Vec<f64> = b.iter().map(|&v| f64::from(v)).collect();
            assert_close(&format!("{name}, result {i}"), a, &b, 2e-5);
        }
    }
}
