//! What a forecast has to beat: the usual single models, each implemented as its authors say.

use foreshard_core::forecast::LeastSquares;

pub const NAMES: [&str; 6] =
    ["last value", "season 1 day", "season 7 days", "AR(30)", "SPAR (n=7)", "7-day mean x level"];

const AR: usize = 30;
const SPAR_DAYS: usize = 7;
const SPAR_RECENT: usize = 30;

/// The baselines for one step, fitted (those that are) to all that happened until they were last told to.
pub struct Baselines<'a> {
    y: &'a [f64],
    day: usize,
    step: usize,
    ar: LeastSquares<{ AR + 1 }>,
    spar: LeastSquares<{ SPAR_DAYS + SPAR_RECENT }>,
    ar_fit: Option<[f64; AR + 1]>,
    spar_fit: Option<[f64; SPAR_DAYS + SPAR_RECENT]>,
    /// First target not yet learnt from.
    next: usize,
}

impl<'a> Baselines<'a> {
    pub fn new(y: &'a [f64], day: usize, step: usize) -> Self {
        let next = 8 * day + SPAR_RECENT + step;
        Self {
            y,
            day,
            step,
            ar: LeastSquares::default(),
            spar: LeastSquares::default(),
            ar_fit: None,
            spar_fit: None,
            next,
        }
    }

    /// Mean of the same slot on the seven days before.
    fn days(&self, slot: usize) -> f64 {
        (1..=7).map(|k| self.y[slot.saturating_sub(k * self.day)]).sum::<f64>() / 7.0
    }

    fn ar_row(&self, origin: usize) -> [f64; AR + 1] {
        std::array::from_fn(|j| if j < AR { self.y[origin - j] } else { 1.0 })
    }

    /// Sparse periodic autoregression: the same slot of n days, and how the last m slots differed from theirs.
    fn spar_row(&self, origin: usize) -> [f64; SPAR_DAYS + SPAR_RECENT] {
        let target = origin + self.step;
        std::array::from_fn(|j| match j.checked_sub(SPAR_DAYS) {
            None => self.y[self.known(target, (j + 1) * self.day, origin)],
            Some(back) => self.y[origin - back] - self.days(origin - back),
        })
    }

    /// The same slot some whole days before, as many more as it takes to be known.
    fn known(&self, target: usize, back: usize, origin: usize) -> usize {
        let missing = (target - back).saturating_sub(origin).div_ceil(self.day);
        target - back - missing * self.day
    }

    pub fn learn_until(&mut self, end: usize) {
        while self.next <= end {
            let origin = self.next - self.step;
            let (ar, spar, y) = (self.ar_row(origin), self.spar_row(origin), self.y[self.next]);
            self.ar.add(&ar, y, 1.0);
            self.spar.add(&spar, y, 1.0);
            self.next += 1;
        }
        self.ar_fit = self.ar.solve(1e-10);
        self.spar_fit = self.spar.solve(1e-10);
    }

    /// In the order of [`NAMES`].
    pub fn forecast(&self, origin: usize) -> [f64; 6] {
        let (target, day) = (origin + self.step, self.day);
        let dot = |fit: Option<&[f64]>, row: &[f64]| {
            fit.map_or(self.y[origin], |fit| fit.iter().zip(row).map(|(a, b)| a * b).sum())
        };
        let last = self.y[origin];
        let days = (1..=7).map(|k| self.y[self.known(target, k * day, origin)]).sum::<f64>() / 7.0;
        // A level of nothing says nothing, and one of almost nothing too much.
        let level = if self.days(origin) > 0.0 { (last / self.days(origin)).min(10.0) } else { 1.0 };
        [
            last,
            self.y[self.known(target, day, origin)],
            self.y[self.known(target, 7 * day, origin)],
            dot(self.ar_fit.as_ref().map(|f| &f[..]), &self.ar_row(origin)),
            dot(self.spar_fit.as_ref().map(|f| &f[..]), &self.spar_row(origin)),
            days * level,
        ]
    }
}
