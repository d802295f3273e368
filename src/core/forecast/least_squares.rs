//! Weighted least squares with a ridge, by normal equations that grow row by row: so that one pass over a history gives
//! the coefficients as they were at every point of it.

/// `N` unknowns.
#[derive(Debug, Clone)]
pub struct LeastSquares<const N: usize> {
    products: Box<[[f64; N]; N]>,
    targets: [f64; N],
    weight: f64,
}

impl<const N: usize> Default for LeastSquares<N> {
    fn default() -> Self {
        Self { products: Box::new([[0.0; N]; N]), targets: [0.0; N], weight: 0.0 }
    }
}

impl<const N: usize> LeastSquares<N> {
    pub fn add(&mut self, row: &[f64; N], target: f64, weight: f64) {
        self.weight += weight;
        for (i, ((sums, sum), left)) in self.products.iter_mut().zip(&mut self.targets).zip(row).enumerate() {
            let scaled = left * weight;
            *sum += scaled * target;
            // The lower half is enough: the matrix is symmetric.
            for (cell, right) in sums.iter_mut().zip(row).take(i + 1) {
                *cell += scaled * right;
            }
        }
    }

    /// The coefficients, each drawn to zero as by `ridge` times the mean square of all columns; none without rows.
    pub fn solve(&self, ridge: f64) -> Option<[f64; N]> {
        let trace: f64 = self.products.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum();
        if self.weight <= 0.0 || !trace.is_finite() || trace <= 0.0 {
            return None;
        }
        let added = trace / N as f64 * ridge.max(1e-12);
        let mut factor = [[0.0f64; N]; N];
        let mut middle = [0.0f64; N];
        // Cholesky, row by row: what is solved for is known as soon as its row is.
        for (i, products) in self.products.iter().enumerate() {
            let (above, rest) = factor.split_at_mut(i);
            let row = rest.first_mut()?;
            for (j, (product, other)) in products.iter().zip(above.iter()).enumerate() {
                let dot: f64 = row.iter().zip(other).take(j).map(|(a, b)| a * b).sum();
                let pivot = other.get(j)?;
                *row.get_mut(j)? = (product - dot) / pivot;
            }
            let square: f64 = row.iter().take(i).map(|a| a * a).sum();
            let pivot = (products.get(i)? + added - square).max(added * 1e-9).sqrt();
            *row.get_mut(i)? = pivot;
            let dot: f64 = row.iter().zip(&middle).take(i).map(|(a, b)| a * b).sum();
            *middle.get_mut(i)? = (self.targets.get(i)? - dot) / pivot;
        }
        let mut solution = [0.0f64; N];
        for i in (0..N).rev() {
            let dot: f64 = factor.iter().zip(&solution).skip(i + 1).filter_map(|(row, x)| Some(row.get(i)? * x)).sum();
            *solution.get_mut(i)? = (middle.get(i)? - dot) / factor.get(i)?.get(i)?;
        }
        solution.iter().all(|x| x.is_finite()).then_some(solution)
    }

    /// Where each column lay: its mean and its standard deviation, when the last column is the constant.
    pub fn columns(&self) -> [(f64, f64); N] {
        let weight = self.weight.max(f64::MIN_POSITIVE);
        let mut found = [(0.0, 0.0); N];
        let sums = self.products.last().copied().unwrap_or([0.0; N]);
        for (i, ((place, sum), row)) in found.iter_mut().zip(sums).zip(self.products.iter()).enumerate() {
            let (mean, square) = (sum / weight, row.get(i).copied().unwrap_or(0.0) / weight);
            *place = (mean, (square - mean * mean).max(0.0).sqrt());
        }
        found
    }
}
