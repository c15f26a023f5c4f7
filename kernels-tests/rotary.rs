//! rotary.wgsl

use crate::harness::{check_op, input, on_every_device};
use cola::ops::rotary::RotaryTable;

#[test]
fn queries_and_keys_are_turned_and_values_are_not() {
    on_every_device(|gpu| {
        for (heads, width, samples, steps) in [(1, 2, 1, 4), (2, 16, 3, 8), (3, 6, 2, 100)] {
            let columns = samples * steps;
            let reference = |x: &[Vec<f64>], _: &[Vec<f64>]| {
                let mut y = x[0].clone();
                for row in 0..2 * heads * width {
                    let i = row % width;
                    let (pair, other) =
                        if i < width / 2 { (i, row + width / 2) } else { (i - width / 2, row - width / 2) };
                    let sign = if i < width / 2 { -1.0 } else { 1.0 };
                    for n in 0..columns {
                        let angle = (n % steps) as f64 * 10_000f64.powf(-2.0 * pair as f64 / width as f64);
                        let (a, b) = (x[0][row * columns + n], x[0][other * columns + n]);
                        y[row * columns + n] = a * angle.cos() + sign * b * angle.sin();
                    }
                }
                y
            };
            let x = [input(1, &[3 * heads * width, columns])];
            let table = RotaryTable::new(gpu, width, steps);
            let name = format!("rotary {heads} x {width}, {samples} of {steps}");
            check_op(&name, gpu, &x, &[], &reference, &|cx, x, _| table.turn(cx, &x[0]), 2e-6);
        }
    });
}
