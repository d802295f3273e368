//! The Universal Scalability Law: what N clients get done together.
//!
//! X(N) = λN / (1 + σ(N - 1) + κN(N - 1)): λ is what one client gets done, σ the share of the work that clients queue
//! for, κ what each pair of them costs to keep in step (Gunther, "Guerrilla Capacity Planning", 2007). With κ above 0 the
//! curve has a peak: clients beyond it make everything slower.

use crate::model::Problem;

/// What was measured at a number of clients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub clients: f64,
    /// Statements per second of all of them.
    pub rate: f64,
}

/// The law with its coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    pub lambda: f64,
    pub sigma: f64,
    pub kappa: f64,
    /// How far the farthest point is from the curve, as a share of what was measured there.
    pub off: f64,
}

/// Coefficients that three points determine.
const UNKNOWNS: usize = 3;

impl Usl {
    pub fn rate(&self, clients: f64) -> f64 {
        self.lambda * clients / (1.0 + (clients - 1.0) * (self.sigma + self.kappa * clients))
    }

    /// The number of clients with the highest rate; None where more clients never do harm.
    pub fn peak(&self) -> Option<f64> {
        if self.sigma >= 1.0 {
            return Some(1.0);
        }
        (self.kappa > 0.0).then(|| ((1.0 - self.sigma) / self.kappa).sqrt().max(1.0))
    }
}

/// The curve through the points by least squares: N / X(N) = (1 + σ(N - 1) + κN(N - 1)) / λ is linear in 1/λ, σ/λ and
/// κ/λ. Each point counts by how far it is off in proportion, and none of the three is below 0: of the solutions with some of
/// them left out the nearest one that is legal, which is the nearest of all that are (the problem is convex).
///
/// # Errors
/// 22023 for numbers that are none, that are not positive, or for fewer than three different numbers of clients.
pub fn fit(points: &[Point]) -> Result<Usl, Problem> {
    let refused = |why: String| {
        Problem::new("22023", "the Universal Scalability Law cannot be fitted")
            .detail(why)
            .hint("Give rates at three different numbers of clients or more.")
    };
    for p in points {
        if !(p.clients.is_finite() && p.clients >= 1.0 && p.rate.is_finite() && p.rate > 0.0) {
            return Err(refused(format!("{} statements a second by {} clients is no measurement.", p.rate, p.clients)));
        }
    }
    let mut clients: Vec<f64> = points.iter().map(|p| p.clients).collect();
    clients.sort_by(f64::total_cmp);
    clients.dedup();
    if clients.len() < UNKNOWNS {
        return Err(refused(format!(
            "There are {} different numbers of clients, and three coefficients to find.",
            clients.len()
        )));
    }
    let subsets = (1..1_u8 << UNKNOWNS).map(|bits| std::array::from_fn(|at| bits & (1 << at) != 0));
    let legal = subsets.filter_map(|kept| solve(points, &kept)).filter(|x| x.iter().all(|x| *x >= 0.0));
    let nearest = legal.min_by(|a, b| distance(points, a).total_cmp(&distance(points, b)));
    let Some([one, queue, pairs]) = nearest.filter(|x| x[0] > 0.0) else {
        return Err(refused("One client gets next to nothing done beside what several do.".to_owned()));
    };
    let mut usl = Usl { lambda: 1.0 / one, sigma: queue / one, kappa: pairs / one, off: 0.0 };
    usl.off = points.iter().map(|p| (usl.rate(p.clients) / p.rate - 1.0).abs()).fold(0.0, f64::max);
    if [usl.lambda, usl.sigma, usl.kappa, usl.off].iter().all(|x| x.is_finite()) {
        Ok(usl)
    } else {
        Err(refused("The rates are too far apart to be computed with.".to_owned()))
    }
}

/// The best rate that the points show, and the number of clients at which it is reached where it was seen to fall beyond. The
/// curve is believed no further than to the most clients that were measured; without a curve the best point counts. None
/// without any positive rate.
pub fn capacity(points: &[Point]) -> Option<(f64, Option<f64>)> {
    let of = |f: fn(&Point) -> f64| points.iter().map(f).filter(|x| x.is_finite()).fold(0.0, f64::max);
    let (most, best) = (of(|p| p.clients), of(|p| p.rate));
    if best <= 0.0 {
        return None;
    }
    let Ok(usl) = fit(points) else { return Some((best, None)) };
    let last = points.iter().filter(|p| p.clients >= most).map(|p| p.rate).fold(0.0, f64::max);
    let peak = usl.peak().filter(|n| *n <= most && last < best * (1.0 - FALL));
    Some((usl.rate(peak.unwrap_or(most)), peak))
}

/// How much less than the best rate is a fall, and not chance. Assumed.
const FALL: f64 = 0.1;

/// What a statement of an application takes beside its work: protocol, network calls, a transaction of its own. Measured
/// (benches/calibrate.sh): one pgbench client over a socket does a look-up in 49 to 78 µs, the server by itself in 16 to 25.
pub const OVERHEAD_SECONDS: f64 = 40e-6;

/// The same of statements that come from applications, where the points are of statements inside the server: as many run at
/// once as there are processors for, which is told by how much more several clients get done than one.
pub fn from_outside(points: &[Point]) -> Option<(f64, Option<f64>)> {
    let (rate, peak) = capacity(points)?;
    let fewest = points.iter().filter(|p| p.rate > 0.0).min_by(|a, b| a.clients.total_cmp(&b.clients))?;
    let at_once = (rate / (fewest.rate / fewest.clients)).max(1.0);
    Some((at_once / (at_once / rate + OVERHEAD_SECONDS), peak))
}

/// What a point asks of the three coefficients: their factors, where the sum shall be 1 (in proportion to the point).
fn row(point: &Point) -> [f64; UNKNOWNS] {
    let target = point.clients / point.rate;
    [1.0, point.clients - 1.0, point.clients * (point.clients - 1.0)].map(|x| x / target)
}

fn distance(points: &[Point], solution: &[f64; UNKNOWNS]) -> f64 {
    let off = |p: &Point| row(p).iter().zip(solution).map(|(x, y)| x * y).sum::<f64>() - 1.0;
    points.iter().map(|p| off(p).powi(2)).sum()
}

/// A column made perpendicular to those before it.
struct Direction {
    /// The coefficient that it belongs to.
    at: usize,
    column: Vec<f64>,
    /// What the column held of each direction before, and its length without that.
    held: Vec<f64>,
    length: f64,
    /// What the targets hold of it.
    share: f64,
}

/// Least squares of the coefficients that are kept, the others 0: columns made perpendicular to each other, one by one
/// (modified Gram-Schmidt), then solved from the last to the first. None where the columns are as good as dependent.
fn solve(points: &[Point], kept: &[bool; UNKNOWNS]) -> Option<[f64; UNKNOWNS]> {
    let mut rest = vec![1.0; points.len()];
    let mut done: Vec<Direction> = Vec::new();
    for at in (0..UNKNOWNS).filter(|at| kept.get(*at) == Some(&true)) {
        let mut column: Vec<f64> = points.iter().filter_map(|p| row(p).get(at).copied()).collect();
        let before = dot(&column, &column).sqrt();
        let mut held = Vec::new();
        for earlier in &done {
            held.push(take_out(&mut column, &earlier.column));
        }
        let length = dot(&column, &column).sqrt();
        if !(length.is_finite() && length > before * DEPENDENT) {
            return None;
        }
        column.iter_mut().for_each(|x| *x /= length);
        let share = take_out(&mut rest, &column);
        done.push(Direction { at, column, held, length, share });
    }
    let mut solution = [0.0; UNKNOWNS];
    for (number, direction) in done.iter().enumerate().rev() {
        let later = done.iter().skip(number + 1);
        let taken: f64 = later.filter_map(|l| Some(solution.get(l.at)? * l.held.get(number)?)).sum();
        *solution.get_mut(direction.at)? = (direction.share - taken) / direction.length;
    }
    Some(solution)
}

/// Takes the part along a direction of length 1 out of a column, and says how much it was.
fn take_out(column: &mut [f64], direction: &[f64]) -> f64 {
    let part = dot(column, direction);
    column.iter_mut().zip(direction).for_each(|(x, d)| *x -= part * d);
    part
}

/// A column of which rounding alone is left.
const DEPENDENT: f64 = 1e-12;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
