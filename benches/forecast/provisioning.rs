//! Nodes by forecast against nodes by what is seen: both decide in every slot, what is decided takes effect when the time to
//! scale has passed, and a slot with more load than its nodes can carry is overloaded.
//!
//! Both size for the highest load of an hour with some reserve: the reactive policy takes the hour that it has seen and a
//! fixed reserve (for which the load of its own choice of reserve is searched, so that both use as many nodes on average);
//! the other takes a quantile of the forecast peak of the hour in which the decision is in effect.

use foreshard_core::forecast::{Forecaster, History};

/// Seconds until a decision to add or to remove nodes is in effect. Assumed: an hour.
pub const SCALE_SECONDS: i64 = 3_600;
/// Nodes that carry the highest load of the training part. Assumed: ten.
pub const NODES_AT_PEAK: f64 = 10.0;
/// Probability with which the peak is to be carried. Assumed.
pub const QUANTILE: f64 = 0.95;

pub struct Outcome {
    pub mean_nodes: f64,
    pub overloaded: usize,
}

pub struct Simulation<'a> {
    pub y: &'a [f64],
    pub from: usize,
    pub interval_seconds: i64,
}

impl Simulation<'_> {
    fn slots(&self, seconds: i64) -> usize {
        usize::try_from(seconds / self.interval_seconds).unwrap().max(1)
    }

    fn node(&self) -> f64 {
        self.y[..self.from].iter().copied().fold(0.0, f64::max) / NODES_AT_PEAK
    }

    fn run(&self, load_to_carry: impl Fn(usize) -> f64) -> Outcome {
        let (node, lead) = (self.node(), self.slots(SCALE_SECONDS));
        let (mut nodes, mut overloaded) = (0.0, 0);
        for slot in self.from..self.y.len() {
            let have = (load_to_carry(slot - lead) / node).ceil().max(1.0);
            nodes += have;
            overloaded += usize::from(self.y[slot] > have * node);
        }
        Outcome { mean_nodes: nodes / (self.y.len() - self.from) as f64, overloaded }
    }

    /// The loads that the forecast says to carry, for every origin that decides.
    pub fn forecast(&self, history: &History<'_>, refit: usize, quantile: f64) -> Outcome {
        let (lead, hour) = (self.slots(SCALE_SECONDS), self.slots(3_600));
        let mut to_carry = Vec::with_capacity(self.y.len() - self.from);
        let mut fitted = None;
        for (i, slot) in (self.from..self.y.len()).enumerate() {
            let origin = slot - lead;
            if i % refit == 0 {
                let forecaster = Forecaster::fit(history, origin, lead + hour - 1);
                let rule = forecaster.peak_rule(history, origin, lead, lead + hour - 1);
                fitted = Some((forecaster, rule));
            }
            let (forecaster, rule) = fitted.as_ref().unwrap();
            to_carry.push(forecaster.peak(history, origin, rule, quantile));
        }
        self.run(|origin| to_carry[origin + lead - self.from])
    }

    fn reactive(&self, reserve: f64) -> Outcome {
        let hour = self.slots(3_600);
        self.run(|origin| self.y[origin + 1 - hour..=origin].iter().copied().fold(0.0, f64::max) * reserve)
    }

    /// The reactive policy with the smallest reserve that uses at least as many nodes.
    pub fn reactive_with(&self, mean_nodes: f64) -> (Outcome, f64) {
        let (mut low, mut high) = (0.01f64, 100.0f64);
        for _ in 0..60 {
            let middle = (low * high).sqrt();
            if self.reactive(middle).mean_nodes >= mean_nodes { high = middle } else { low = middle }
        }
        (self.reactive(high), high)
    }
}
