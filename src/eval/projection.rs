//! Small linear algebra on embeddings: a 2-D map (PCA) and the effective rank.
//!
//! Matrices are row-major `[rows, cols]` slices of f32, one embedding a row; the arithmetic is f64. With n rows and d
//! columns the work is n·d·min(n, d) for the Gram matrix and min(n, d)³ for its eigenvalues: a second or so for 1280
//! columns, so callers take a few hundred rows while training.

/// Rows seen along their two main directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Map2d {
    /// One point a row, centred on the origin.
    pub points: Vec<[f64; 2]>,
    /// Share of the total variance along each direction, 0 to 1.
    pub explained: [f64; 2],
}

/// Principal component analysis to two dimensions.
///
/// The sign of a direction is free; here its largest entry (by magnitude, the first of equals) is positive, so that
/// two runs on the same numbers give the same picture. Values that are not finite put every point at the origin.
///
/// # Panics
/// If `values` is not `rows * cols` long, or `cols` is 0.
#[track_caller]
pub fn pca_2d(values: &[f32], rows: usize, cols: usize) -> Map2d {
    let centred = centre(values, rows, cols);
    let mut gram = Gram::of(&centred, rows, cols);
    let total = gram.trace();
    let mut map = Map2d { points: vec![[0.0; 2]; rows], explained: [0.0; 2] };
    for axis in 0..2 {
        let Some((variance, vector)) = gram.leading_eigenpair(total * 1e-12) else {
            break;
        };
        let mut direction = match gram.side {
            Side::Cols => vector.clone(),
            Side::Rows => transposed_times(&centred, cols, &vector),
        };
        normalise(&mut direction);
        if largest_entry(&direction) < 0.0 {
            direction.iter_mut().for_each(|x| *x = -*x);
        }
        for (point, row) in map.points.iter_mut().zip(centred.chunks_exact(cols)) {
            point[axis] = dot(row, &direction);
        }
        map.explained[axis] = variance / total;
        gram.deflate(variance, &vector);
    }
    map
}

/// Effective rank: the exponential of the entropy of the normalised squared singular values of the centred matrix.
///
/// It is `min(rows - 1, cols)` when all directions carry the same variance, 1 when a single one does, and 0 when all
/// rows are equal: a fall towards 1 during training is the collapse to watch for. NaN if a value is not finite.
///
/// ```
/// use cola::eval::projection::effective_rank;
///
/// let on_a_line = [0.0, 0.0, 1.0, 2.0, 2.0, 4.0, 3.0, 6.0];
/// assert!((effective_rank(&on_a_line, 4, 2) - 1.0).abs() < 1e-9);
/// let square = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
/// assert!((effective_rank(&square, 4, 2) - 2.0).abs() < 1e-9);
/// ```
///
/// # Panics
/// If `values` is not `rows * cols` long, or `cols` is 0.
#[track_caller]
pub fn effective_rank(values: &[f32], rows: usize, cols: usize) -> f64 {
    if values.iter().any(|x| !x.is_finite()) {
        return f64::NAN;
    }
    let gram = Gram::of(&centre(values, rows, cols), rows, cols);
    let total = gram.trace();
    if total <= 0.0 {
        return 0.0;
    }
    let entropy: f64 = gram
        .eigenvalues()
        .into_iter()
        .map(|eigenvalue| eigenvalue / total)
        // Rounding leaves tiny negatives in place of zeros; x ln x is 0 there.
        .filter(|&share| share > 0.0)
        .map(|share| -share * share.ln())
        .sum();
    entropy.exp()
}

#[track_caller]
fn centre(values: &[f32], rows: usize, cols: usize) -> Vec<f64> {
    assert!(cols > 0 && values.len() == rows * cols, "{} values are not a {rows} x {cols} matrix", values.len());
    let mut centred: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
    let ones = vec![1.0; rows];
    let sums = transposed_times(&centred, cols, &ones);
    for row in centred.chunks_exact_mut(cols) {
        let entries = row.iter_mut().zip(&sums);
        entries.for_each(|(x, sum)| *x -= sum / rows as f64);
    }
    centred
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// X Xᵀ, `[rows, rows]`.
    Rows,
    /// Xᵀ X, `[cols, cols]`.
    Cols,
}

/// The smaller of X Xᵀ and Xᵀ X: both have the squared singular values of X as their eigenvalues.
struct Gram {
    side: Side,
    size: usize,
    /// `[size, size]`, symmetric.
    matrix: Vec<f64>,
}

impl Gram {
    fn of(centred: &[f64], rows: usize, cols: usize) -> Self {
        let side = if rows < cols { Side::Rows } else { Side::Cols };
        let size = rows.min(cols);
        let mut matrix = vec![0.0; size * size];
        match side {
            Side::Rows => {
                for (i, a) in centred.chunks_exact(cols).enumerate() {
                    for (j, b) in centred.chunks_exact(cols).enumerate().take(i + 1) {
                        matrix[i * size + j] = dot(a, b);
                    }
                }
            }
            // Row by row as outer products, so that memory is read in order.
            Side::Cols => {
                for row in centred.chunks_exact(cols) {
                    for (i, &a) in row.iter().enumerate() {
                        let out = &mut matrix[i * size..i * size + i + 1];
                        out.iter_mut().zip(row).for_each(|(out, b)| *out += a * b);
                    }
                }
            }
        }
        for i in 0..size {
            for j in 0..i {
                matrix[j * size + i] = matrix[i * size + j];
            }
        }
        Gram { side, size, matrix }
    }

    fn trace(&self) -> f64 {
        (0..self.size).map(|i| self.matrix[i * (self.size + 1)]).sum()
    }

    fn times(&self, vector: &[f64]) -> Vec<f64> {
        // No chunk of an empty matrix has a size, not even 0.
        let rows = self.matrix.chunks_exact(self.size.max(1));
        rows.map(|row| dot(row, vector)).collect()
    }

    /// Power iteration: (eigenvalue, unit eigenvector), or none if all eigenvalues are below `negligible`.
    fn leading_eigenpair(&self, negligible: f64) -> Option<(f64, Vec<f64>)> {
        // Any start will do that is not orthogonal to the answer; a fixed irregular one makes the result repeatable.
        let mut vector: Vec<f64> = (0..self.size).map(|i| (i as f64 + 1.0).sin()).collect();
        normalise(&mut vector);
        let mut eigenvalue = 0.0;
        for _ in 0..500 {
            let mut next = self.times(&vector);
            eigenvalue = normalise(&mut next);
            let moved: f64 = next.iter().zip(&vector).map(|(a, b)| (a - b).powi(2)).sum();
            vector = next;
            if moved < 1e-20 {
                break;
            }
        }
        (eigenvalue > negligible).then_some((eigenvalue, vector))
    }

    /// Takes an eigenpair out, so that the next one leads.
    fn deflate(&mut self, eigenvalue: f64, vector: &[f64]) {
        for (row, &a) in self.matrix.chunks_exact_mut(self.size).zip(vector) {
            let entries = row.iter_mut().zip(vector);
            entries.for_each(|(entry, &b)| *entry -= eigenvalue * a * b);
        }
    }

    /// All eigenvalues, in no order.
    fn eigenvalues(mut self) -> Vec<f64> {
        let (diagonal, off_diagonal) = tridiagonalise(&mut self.matrix, self.size);
        tridiagonal_eigenvalues(diagonal, off_diagonal)
    }
}

/// Householder reflections to a tridiagonal matrix with the same eigenvalues (Golub and Van Loan, algorithm 8.3.1).
///
/// Returns the diagonal `[size]` and the entries beside it `[size]`, the last of which is 0. `matrix` is used up.
fn tridiagonalise(matrix: &mut [f64], size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut off_diagonal = vec![0.0; size];
    for k in 0..size.saturating_sub(1) {
        let below = k + 1..size;
        // By symmetry the column under the diagonal is the row beside it, which lies in one piece.
        let mut v = matrix[k * size..][below.clone()].to_vec();
        let norm = dot(&v, &v).sqrt();
        off_diagonal[k] = norm;
        v[0] += norm.copysign(v[0]);
        let v_squared = dot(&v, &v);
        if v_squared == 0.0 {
            continue;
        }
        // A' = A - v wᵀ - w vᵀ on the trailing block, with p = 2 A v / |v|² and w = p - (pᵀv / |v|²) v.
        let block = |row: usize| row * size + k + 1..(row + 1) * size;
        let mut w: Vec<f64> = below.clone().map(|row| 2.0 / v_squared * dot(&matrix[block(row)], &v)).collect();
        let along = dot(&w, &v) / v_squared;
        w.iter_mut().zip(&v).for_each(|(w, v)| *w -= along * v);
        for (i, row) in below.enumerate() {
            let entries = matrix[block(row)].iter_mut().zip(v.iter().zip(&w));
            entries.for_each(|(entry, (vj, wj))| *entry -= v[i] * wj + w[i] * vj);
        }
    }
    let diagonal = (0..size).map(|i| matrix[i * (size + 1)]).collect();
    (diagonal, off_diagonal)
}

/// Eigenvalues of a symmetric tridiagonal matrix by QL with implicit shifts (Numerical Recipes, `tqli`).
///
/// `off[i]` couples `diagonal[i]` and `diagonal[i + 1]`.
fn tridiagonal_eigenvalues(mut diagonal: Vec<f64>, mut off: Vec<f64>) -> Vec<f64> {
    let size = diagonal.len();
    for low in 0..size {
        // Convergence is cubic: a handful of sweeps an eigenvalue. The bound only guards against NaN.
        for _ in 0..60 {
            let split = (low..size.saturating_sub(1)).find(|&m| {
                let scale = diagonal[m].abs() + diagonal[m + 1].abs();
                off[m].abs() <= f64::EPSILON * scale
            });
            let high = split.unwrap_or(size - 1);
            if high == low {
                break;
            }
            let ratio = (diagonal[low + 1] - diagonal[low]) / (2.0 * off[low]);
            let root = ratio.hypot(1.0);
            let mut g = diagonal[high] - diagonal[low] + off[low] / (ratio + root.copysign(ratio));
            let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
            let mut vanished = false;
            for i in (low..high).rev() {
                let f = sine * off[i];
                let b = cosine * off[i];
                let r = f.hypot(g);
                off[i + 1] = r;
                if r == 0.0 {
                    diagonal[i + 1] -= shift;
                    vanished = true;
                    break;
                }
                sine = f / r;
                cosine = g / r;
                g = diagonal[i + 1] - shift;
                let turn = (diagonal[i] - g) * sine + 2.0 * cosine * b;
                shift = sine * turn;
                diagonal[i + 1] = g + shift;
                g = cosine * turn - b;
            }
            if !vanished {
                diagonal[low] -= shift;
                off[low] = g;
            }
            off[high] = 0.0;
        }
    }
    diagonal
}

/// Xᵀ u for `centred` X with `cols` columns.
fn transposed_times(centred: &[f64], cols: usize, vector: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; cols];
    for (row, &weight) in centred.chunks_exact(cols).zip(vector) {
        out.iter_mut().zip(row).for_each(|(out, x)| *out += weight * x);
    }
    out
}

/// Eight running sums, which the compiler turns into vector registers; one sum would wait for itself at each addition.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, a_rest) = a.as_chunks::<8>();
    let (b_chunks, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

/// Scales to unit length and returns the length it had; zeros stay zeros.
fn normalise(vector: &mut [f64]) -> f64 {
    let norm = dot(vector, vector).sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    norm
}

/// The entry of largest magnitude, the first of equals.
fn largest_entry(vector: &[f64]) -> f64 {
    vector.iter().fold(0.0_f64, |best, &x| if x.abs() > best.abs() { x } else { best })
}

#[cfg(test)]
#[path = "projection_tests.rs"]
mod tests;
