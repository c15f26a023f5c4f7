//! Which embeddings lie closest, by the cosine of the angle between them.

/// A row close to a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Row number in the index.
    pub row: usize,
    /// Cosine of the angle between the two, -1 to 1.
    pub similarity: f32,
}

/// Each column of `[rows, cols]` with mean 0 and deviation 1. Pooled features are all positive and a few are large: as
/// they are, every pair of rows has a cosine near 1. A column that never changes becomes 0.
///
/// # Panics
/// If `values` is not a whole number of rows, or `cols` is 0.
#[track_caller]
pub fn standardised(values: &[f32], cols: usize) -> Vec<f32> {
    assert!(cols > 0 && values.len().is_multiple_of(cols), "{} values are not rows of {cols}", values.len());
    let rows = (values.len() / cols).max(1) as f64;
    let mut out = values.to_vec();
    for column in 0..cols {
        let of_column = || values.iter().skip(column).step_by(cols).map(|&x| f64::from(x));
        let mean = of_column().sum::<f64>() / rows;
        let variance = of_column().map(|x| (x - mean).powi(2)).sum::<f64>() / rows;
        let scale = if variance > 1e-24 { 1.0 / variance.sqrt() } else { 0.0 };
        out.iter_mut().skip(column).step_by(cols).for_each(|x| *x = ((f64::from(*x) - mean) * scale) as f32);
    }
    out
}

/// Rows scaled to unit length, to be asked for the nearest of a query.
pub struct CosineIndex {
    unit_rows: Vec<f32>,
    cols: usize,
}

impl CosineIndex {
    /// Copies and scales the rows of `values` `[rows, cols]`. A row of zeros stays so and is at cosine 0 to all.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows, or `cols` is 0.
    #[track_caller]
    pub fn new(values: &[f32], cols: usize) -> Self {
        assert!(cols > 0 && values.len().is_multiple_of(cols), "{} values are not rows of {cols}", values.len());
        CosineIndex { unit_rows: values.chunks_exact(cols).flat_map(unit).collect(), cols }
    }

    /// The `k` rows nearest to `query` (`[cols]`), best first; equals in row order.
    ///
    /// # Panics
    /// If `query` has another length than the rows.
    #[track_caller]
    pub fn nearest(&self, query: &[f32], k: usize) -> Vec<Neighbour> {
        assert_eq!(query.len(), self.cols, "length of the query and of the rows");
        self.rank(&unit(query), None, k)
    }

    /// The `k` rows nearest to row `row`, itself left out, best first.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn nearest_to_row(&self, row: usize, k: usize) -> Vec<Neighbour> {
        let query = &self.unit_rows[row * self.cols..(row + 1) * self.cols];
        self.rank(query, Some(row), k)
    }

    fn rank(&self, query: &[f32], leave_out: Option<usize>, k: usize) -> Vec<Neighbour> {
        let mut all: Vec<_> = self
            .unit_rows
            .chunks_exact(self.cols)
            .enumerate()
            .filter(|(row, _)| Some(*row) != leave_out)
            .map(|(row, values)| Neighbour { row, similarity: dot(values, query).clamp(-1.0, 1.0) })
            .collect();
        all.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        all.truncate(k);
        all
    }
}

/// The rows nearest to one query among more than fit into memory: all of them pass by twice, first to
/// [`StreamQuery::measure`], then to [`StreamQuery::compare`]. Features are standardised over the rows and the query.
pub struct StreamQuery<'a> {
    query: &'a [f32],
    count: usize,
    /// Rows measured, the query among them.
    rows: f64,
    sums: Vec<f64>,
    squares: Vec<f64>,
    /// Best first.
    best: Vec<Neighbour>,
}

impl StreamQuery<'_> {
    /// Looks for the `count` rows nearest to `query`.
    pub fn new(query: &[f32], count: usize) -> StreamQuery<'_> {
        let zeros = vec![0.0; query.len()];
        let mut search = StreamQuery { query, count, rows: 0.0, sums: zeros.clone(), squares: zeros, best: Vec::new() };
        search.measure(query);
        search
    }

    /// Takes a row into the mean and the deviation of each feature.
    pub fn measure(&mut self, row: &[f32]) {
        // Differences to the query: the squares of the features themselves would leave few digits of their spread.
        for ((&x, &q), (sum, square)) in row.iter().zip(self.query).zip(self.sums.iter_mut().zip(&mut self.squares)) {
            let x = f64::from(x) - f64::from(q);
            *sum += x;
            *square += x * x;
        }
        self.rows += 1.0;
    }

    /// Compares row number `number` with the query.
    pub fn compare(&mut self, number: usize, row: &[f32]) {
        let (mut product, mut row_square, mut query_square) = (0.0, 0.0, 0.0);
        for ((&x, &q), (sum, square)) in row.iter().zip(self.query).zip(self.sums.iter().zip(&self.squares)) {
            let mean = sum / self.rows;
            let variance = square / self.rows - mean * mean;
            if variance > 1e-24 {
                let (x, q) = (f64::from(x) - f64::from(q) - mean, -mean);
                product += x * q / variance;
                row_square += x * x / variance;
                query_square += q * q / variance;
            }
        }
        let lengths = (row_square * query_square).sqrt();
        let cosine = if lengths > 0.0 { (product / lengths).clamp(-1.0, 1.0) } else { 0.0 };
        let found = Neighbour { row: number, similarity: cosine as f32 };
        let place = self.best.partition_point(|better| better.similarity >= found.similarity);
        if place < self.count {
            self.best.insert(place, found);
            self.best.truncate(self.count);
        }
    }

    /// The nearest rows, best first.
    pub fn nearest(self) -> Vec<Neighbour> {
        self.best
    }
}

/// Eight running sums, which the compiler turns into a vector register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<8>();
    let (b_chunks, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

fn unit(row: &[f32]) -> Vec<f32> {
    let norm = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    row.iter().map(|&x| (f64::from(x) * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn neighbours_by_angle() {
        let values = [1.0, 0.0, 10.0, 1.0, 0.0, 2.0, -1.0, 0.0, 0.0, 0.0];
        let index = CosineIndex::new(&values, 2);
        let rows = |found: Vec<Neighbour>| found.iter().map(|n| n.row).collect::<Vec<_>>();
        assert_eq!(rows(index.nearest_to_row(0, 9)), [1, 2, 4, 3]);
        let found = index.nearest(&[0.0, 0.5], 2);
        assert_eq!(found[0], Neighbour { row: 2, similarity: 1.0 });
        assert_abs_diff_eq!(found[1].similarity, 1.0 / 101.0_f32.sqrt(), epsilon = 1e-6);
    }

    #[test]
    fn a_stream_is_searched_as_a_whole_set_is() {
        let cols = 7;
        let values: Vec<f32> = (0..40 * cols).map(|i| ((i * i) as f32 * 0.37).sin() + (i % cols) as f32).collect();
        let (rows, query) = values.split_at(39 * cols);
        let mut search = StreamQuery::new(query, 5);
        rows.chunks_exact(cols).for_each(|row| search.measure(row));
        rows.chunks_exact(cols).enumerate().for_each(|(i, row)| search.compare(i, row));
        let expected = CosineIndex::new(&standardised(&values, cols), cols).nearest_to_row(39, 5);
        let found = search.nearest();
        assert_eq!(found.iter().map(|n| n.row).collect::<Vec<_>>(), expected.iter().map(|n| n.row).collect::<Vec<_>>());
        for (a, b) in found.iter().zip(&expected) {
            assert_abs_diff_eq!(a.similarity, b.similarity, epsilon = 1e-5);
        }
    }

    #[test]
    fn standardised_columns_have_mean_0_and_deviation_1() {
        let out = standardised(&[1.0, 5.0, 3.0, 5.0, 5.0, 5.0], 2);
        let root = 1.5f32.sqrt();
        assert_eq!(out, [-root, 0.0, 0.0, 0.0, root, 0.0]);
    }
}
