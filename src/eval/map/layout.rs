//! Where the points of a map stand: PCA and t-SNE.

use crate::eval::neighbours::{CosineIndex, Neighbour};

/// Neighbours whose distances t-SNE keeps, about: scikit-learn's default.
const PERPLEXITY: f64 = 30.0;

/// The forces of far groups of points are summed up where a group looks smaller than this.
const THETA: f32 = 0.5;

/// t-SNE of the rows of an index to two dimensions, by the distances on the unit sphere; `start` is where the points
/// begin, usually the PCA, and decides which way round the map stands. `None` for fewer than 8 rows.
///
/// The same rows and start give the same points.
pub fn t_sne(index: &CosineIndex, rows: usize, start: &[[f64; 2]]) -> Option<Vec<[f64; 2]>> {
    if rows < 8 {
        return None;
    }
    let perplexity = PERPLEXITY.min((rows - 1) as f64 / 3.0);
    let count = (3.0 * perplexity) as usize;
    // |a - b|² = 2 - 2 cos for unit vectors.
    let distance = |n: &Neighbour| (2.0 - 2.0 * n.similarity).max(0.0).sqrt();
    let neighbour = |n: &Neighbour| bhtsne::Neighbor { index: n.row, distance: distance(n) };
    let neighbours: Vec<Vec<_>> =
        (0..rows).map(|row| index.nearest_to_row(row, count).iter().map(neighbour).collect()).collect();
    let spread = start.iter().map(|p| p[0].powi(2)).sum::<f64>() / rows as f64;
    let scale = if spread > 0.0 { 1e-4 / spread.sqrt() } else { 0.0 };
    // Points that begin at one place would never part; a spiral of hardly any size parts them.
    let begin = start.iter().enumerate().flat_map(|(i, p)| {
        let (sin, cos) = (i as f64).sin_cos();
        let radius = 1e-6 * (i + 1) as f64 / rows as f64;
        [(p[0] * scale + radius * cos) as f32, (p[1] * scale + radius * sin) as f32]
    });
    let begin: Vec<f32> = begin.collect();
    let data = vec![(); rows];
    let fit = || {
        let mut tsne: bhtsne::tSNE<f32, ()> = bhtsne::tSNE::new(&data);
        tsne.perplexity(perplexity as f32).initial_embedding(begin);
        tsne.barnes_hut_with_neighbors(THETA, &neighbours).embedding()
    };
    // With several threads the order of sums, and with it the map, would differ from run to run.
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let points = one_thread.install(fit);
    let (points, _) = points.as_chunks::<2>();
    Some(points.iter().map(|p| p.map(f64::from)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three groups around directions at right angles, in 9 dimensions.
    fn groups(of_each: usize) -> Vec<f32> {
        let value = |row: usize, col: usize| {
            let noise = ((row * 31 + col * 17) as f32).sin() * 0.2;
            if col / 3 == row / of_each { 1.0 + noise } else { noise }
        };
        (0..3 * of_each).flat_map(|row| (0..9).map(move |col| value(row, col))).collect()
    }

    #[test]
    fn groups_stay_together_and_the_map_is_the_same_again() {
        let index = CosineIndex::new(&groups(20), 9);
        let start: Vec<[f64; 2]> = (0..60).map(|i| [(i as f64 * 0.7).sin(), (i as f64 * 1.3).cos()]).collect();
        let map = t_sne(&index, 60, &start).unwrap();
        assert_eq!(map, t_sne(&index, 60, &start).unwrap());
        let far = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        for (i, &point) in map.iter().enumerate() {
            let nearest =
                (0..60).filter(|&j| j != i).min_by(|&a, &b| far(point, map[a]).total_cmp(&far(point, map[b])));
            assert_eq!(nearest.unwrap() / 20, i / 20, "point {i}");
        }
    }

    #[test]
    fn few_or_equal_rows_give_finite_points_or_none() {
        let equal = CosineIndex::new(&[1.0; 30], 3);
        let map = t_sne(&equal, 10, &[[0.0; 2]; 10]).unwrap();
        assert!(map.iter().flatten().all(|x| x.is_finite()), "{map:?}");
        assert_eq!(t_sne(&equal, 7, &[[0.0; 2]; 7]), None);
    }
}
