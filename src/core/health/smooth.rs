//! A mean that forgets: what was seen a while ago counts less and less.

/// Of values that held for a time each.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Smoothed {
    sum: f64,
    weight: f64,
}

impl Smoothed {
    /// Takes a value that held for `seconds`; after `memory` seconds two thirds of what was before are forgotten.
    pub fn take(&mut self, value: f64, seconds: f64, memory: f64) {
        let kept = (-seconds.max(0.0) / memory.max(f64::MIN_POSITIVE)).exp();
        self.sum = self.sum * kept + value * (1.0 - kept);
        self.weight = self.weight * kept + (1.0 - kept);
    }

    pub fn mean(&self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }
}
