use approx::assert_abs_diff_eq;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A mirror image of the rows of `values`: singular values stay, nothing is axis-aligned any more.
fn reflected(values: &[f32], cols: usize, seed: u64) -> Vec<f32> {
    let mut normal: Vec<f64> = random(cols, seed).iter().map(|&x| f64::from(x)).collect();
    normalise(&mut normal);
    values
        .chunks_exact(cols)
        .flat_map(|row| {
            let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
            let along = dot(&row, &normal);
            let entries = row.iter().zip(&normal);
            entries.map(|(x, n)| (x - 2.0 * along * n) as f32).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn pca_finds_the_two_wide_directions() {
    // Spread 10 along axis 3, 2 along axis 0, little elsewhere.
    let (rows, cols) = (50, 6);
    let mut values = random(rows * cols, 1);
    for row in values.chunks_exact_mut(cols) {
        for (col, x) in row.iter_mut().enumerate() {
            *x *= [2.0, 0.01, 0.01, 10.0, 0.01, 0.01][col];
        }
    }
    let map = pca_2d(&values, rows, cols);
    let column = |col: usize| -> Vec<f64> {
        let column: Vec<f64> = (0..rows).map(|r| f64::from(values[r * cols + col])).collect();
        let mean = column.iter().sum::<f64>() / rows as f64;
        column.iter().map(|x| x - mean).collect()
    };
    let (first, second) = (column(3), column(0));
    for (point, (x, y)) in map.points.iter().zip(first.iter().zip(&second)) {
        assert_abs_diff_eq!(point[0], *x, epsilon = 0.5);
        assert_abs_diff_eq!(point[1], *y, epsilon = 0.5);
    }
    assert!(map.explained[0] > 0.9 && map.explained[0] + map.explained[1] > 0.9999);
}

#[test]
fn pca_of_few_rows_keeps_their_distances() {
    // Three points in 40 dimensions lie in a plane, so their 2-D map is exact; this is the X Xᵀ side.
    let values = random(3 * 40, 2);
    let map = pca_2d(&values, 3, 40);
    assert_abs_diff_eq!(map.explained[0] + map.explained[1], 1.0, epsilon = 1e-9);
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        let far = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
        let row = |r: usize| -> Vec<f64> { values[r * 40..(r + 1) * 40].iter().map(|&x| f64::from(x)).collect() };
        let (there, here) = (far(&row(a), &row(b)), far(&map.points[a], &map.points[b]));
        assert_abs_diff_eq!(there, here, epsilon = 1e-6);
    }
}

#[test]
fn pca_turns_with_the_data() {
    let (rows, cols) = (30, 12);
    let mut values = random(rows * cols, 3);
    for row in values.chunks_exact_mut(cols) {
        row[1] *= 8.0;
        row[2] *= 4.0;
    }
    let plain = pca_2d(&values, rows, cols);
    let turned = pca_2d(&reflected(&values, cols, 4), rows, cols);
    for axis in 0..2 {
        assert_abs_diff_eq!(plain.explained[axis], turned.explained[axis], epsilon = 1e-6);
        let agree: f64 = plain.points.iter().zip(&turned.points).map(|(a, b)| a[axis] * b[axis]).sum();
        let own: f64 = plain.points.iter().map(|a| a[axis].powi(2)).sum();
        assert_abs_diff_eq!(agree.abs() / own, 1.0, epsilon = 1e-5);
    }
}

#[test]
fn pca_of_nothing_to_see() {
    assert!(pca_2d(&[], 0, 4).points.is_empty());
    for map in [pca_2d(&[1.0; 4], 1, 4), pca_2d(&[2.0; 12], 3, 4), pca_2d(&[f32::NAN; 12], 3, 4)] {
        assert!(map.points.iter().all(|point| *point == [0.0, 0.0]));
    }
    // One column has no second direction.
    let line = pca_2d(&[0.0, 1.0, 5.0], 3, 1);
    assert_eq!(line.points, [[-2.0, 0.0], [-1.0, 0.0], [3.0, 0.0]]);
}

#[test]
fn eigenvalues_of_the_second_difference_are_known() {
    // 2 on the diagonal, -1 beside it: 2 - 2 cos(k pi / (n + 1)).
    for size in [1, 2, 3, 17, 64] {
        let mut matrix = vec![0.0; size * size];
        for i in 0..size {
            matrix[i * (size + 1)] = 2.0;
            if i + 1 < size {
                matrix[i * size + i + 1] = -1.0;
                matrix[(i + 1) * size + i] = -1.0;
            }
        }
        let gram = Gram { side: Side::Cols, size, matrix };
        let mut eigenvalues = gram.eigenvalues();
        eigenvalues.sort_by(f64::total_cmp);
        for (k, value) in eigenvalues.iter().enumerate() {
            let angle = (k + 1) as f64 * std::f64::consts::PI / (size + 1) as f64;
            assert_abs_diff_eq!(*value, 2.0 - 2.0 * angle.cos(), epsilon = 1e-12);
        }
    }
}

#[test]
fn eigenvalues_of_a_full_matrix_keep_its_invariants() {
    let (rows, cols) = (70, 45);
    let gram = Gram::of(&centre(&random(rows * cols, 5), rows, cols), rows, cols);
    let (trace, squares) = (gram.trace(), dot(&gram.matrix, &gram.matrix));
    let (leading, vector) = gram.leading_eigenpair(0.0).unwrap();
    let residual = gram.times(&vector);
    let eigenvalues = gram.eigenvalues();
    assert_abs_diff_eq!(eigenvalues.iter().sum::<f64>(), trace, epsilon = 1e-9 * trace);
    assert_abs_diff_eq!(dot(&eigenvalues, &eigenvalues), squares, epsilon = 1e-9 * squares);
    let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
    assert_abs_diff_eq!(largest, leading, epsilon = 1e-6 * largest);
    for (av, v) in residual.iter().zip(&vector) {
        assert_abs_diff_eq!(*av, leading * v, epsilon = 1e-3 * leading);
    }
}

#[test]
fn effective_rank_of_known_spectra() {
    // Rows ±e_i: centred already, every direction the same.
    let (cols, equal) = (5, 5);
    let mut values = vec![0.0; 2 * equal * cols];
    for i in 0..equal {
        values[2 * i * cols + i] = 1.0;
        values[(2 * i + 1) * cols + i] = -1.0;
    }
    assert_abs_diff_eq!(effective_rank(&values, 2 * equal, cols), 5.0, epsilon = 1e-9);
    let turned = reflected(&values, cols, 6);
    assert_abs_diff_eq!(effective_rank(&turned, 2 * equal, cols), 5.0, epsilon = 1e-5);

    // Squared singular values 9 : 1.
    let unequal = [3.0, 0.0, -3.0, 0.0, 0.0, 1.0, 0.0, -1.0];
    let expected = (-(0.9_f64 * 0.9_f64.ln() + 0.1 * 0.1_f64.ln())).exp();
    assert_abs_diff_eq!(effective_rank(&unequal, 4, 2), expected, epsilon = 1e-9);

    // Fewer rows than columns: the other side of the Gram matrix; adding a constant changes nothing.
    let wide = random(8 * 100, 7);
    let shifted: Vec<f32> = wide.iter().map(|x| x + 4.0).collect();
    let rank = effective_rank(&wide, 8, 100);
    assert!(rank > 6.0 && rank <= 7.0 + 1e-9, "{rank}");
    assert_abs_diff_eq!(rank, effective_rank(&shifted, 8, 100), epsilon = 1e-3);
}

#[test]
fn effective_rank_at_the_edges() {
    assert_eq!(effective_rank(&[], 0, 3), 0.0);
    assert_eq!(effective_rank(&[7.0; 12], 4, 3), 0.0);
    assert_abs_diff_eq!(effective_rank(&[1.0, 2.0, 4.0], 3, 1), 1.0, epsilon = 1e-12);
    assert!(effective_rank(&[1.0, f32::INFINITY], 2, 1).is_nan());
}
