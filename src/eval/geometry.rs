//! How features lie on the unit sphere: near where they belong together, apart otherwise (Wang and Isola 2020,
//! "Understanding contrastive representation learning through alignment and uniformity on the hypersphere").

/// Mean squared distance of the two halves of a pair, each scaled to unit length: 0 where they coincide, 2 where they are at
/// right angles. `a` and `b`: `[rows, cols]`, row by row the same pair.
///
/// # Panics
/// When the lengths differ or are no multiple of `cols`.
#[track_caller]
pub fn alignment(a: &[f32], b: &[f32], cols: usize) -> f64 {
    let (a, b) = (unit_rows(a, cols), unit_rows(b, cols));
    assert_eq!(a.len(), b.len(), "halves of pairs");
    let sum: f64 = a.iter().zip(&b).map(|(a, b)| squared_distance(a, b)).sum();
    sum / a.len() as f64
}

/// `ln mean exp(-2 d²)` over all pairs of different rows, d their distance at unit length: 0 where all rows point one way,
/// -4 where all are at right angles. `x`: `[rows, cols]`; NaN with fewer than two rows.
///
/// # Panics
/// When the length is no multiple of `cols`.
#[track_caller]
pub fn uniformity(x: &[f32], cols: usize) -> f64 {
    let rows = unit_rows(x, cols);
    let pairs = (0..rows.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let kernels: Vec<f64> = pairs.map(|(i, j)| (-2.0 * squared_distance(&rows[i], &rows[j])).exp()).collect();
    (kernels.iter().sum::<f64>() / kernels.len() as f64).ln()
}

/// A row of zeros stays one.
#[track_caller]
fn unit_rows(x: &[f32], cols: usize) -> Vec<Vec<f64>> {
    assert!(cols > 0 && x.len().is_multiple_of(cols), "{} values in rows of {cols}", x.len());
    x.chunks_exact(cols)
        .map(|row| {
            let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            row.iter().map(|&v| if length > 0.0 { f64::from(v) / length } else { 0.0 }).collect()
        })
        .collect()
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn known_angles() {
        let x = [3.0, 0.0, 0.0, 0.5];
        assert_abs_diff_eq!(alignment(&x, &x, 2), 0.0);
        assert_abs_diff_eq!(alignment(&x, &[0.0, 9.0, -1.0, 0.0], 2), 2.0, epsilon = 1e-12);
        assert_abs_diff_eq!(alignment(&x, &[-1.0, 0.0, 0.0, 2.0], 2), 2.0, epsilon = 1e-12);
        assert_abs_diff_eq!(uniformity(&x, 2), -4.0, epsilon = 1e-12);
        assert_abs_diff_eq!(uniformity(&[1.0, 1.0, 2.0, 2.0, 0.1, 0.1], 2), 0.0, epsilon = 1e-12);
        let mean = (1.0 + 2.0 * (-4.0f64).exp()) / 3.0;
        assert_abs_diff_eq!(uniformity(&[1.0, 0.0, 5.0, 0.0, 0.0, 2.0], 2), mean.ln(), epsilon = 1e-12);
    }

    #[test]
    fn silence_is_not_nan() {
        assert_abs_diff_eq!(alignment(&[0.0, 0.0], &[1.0, 0.0], 2), 1.0);
        assert!(uniformity(&[0.0, 0.0, 1.0, 0.0], 2).is_finite());
        assert!(uniformity(&[1.0, 0.0], 2).is_nan());
    }
}
