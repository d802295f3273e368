//! When something counts as so: it must have been seen twice and for a while before it does, and must be clearly gone for a while
//! before it does not any more. Between the two thresholds nothing changes.

/// What one look says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// At or above the threshold to start.
    Above,
    Between,
    /// Below the threshold to stop.
    Below,
}

impl Level {
    /// Of a value that is bad when it is high.
    pub fn of(value: f64, start: f64, stop: f64) -> Self {
        match value {
            v if v >= start => Self::Above,
            v if v < stop => Self::Below,
            _ => Self::Between,
        }
    }

    /// Holds only where another condition holds as well.
    #[must_use]
    pub fn only_if(self, holds: bool) -> Self {
        if holds { self } else { Self::Below }
    }
}

/// Seconds that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub start: i64,
    pub stop: i64,
}

/// Looks in a row that it takes: a burst that one look sees is none.
const LOOKS: u32 = 2;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latch {
    on: bool,
    /// Since when it is on.
    since: i64,
    /// Looks in a row that say otherwise, and when the first of them was.
    contrary: u32,
    contrary_since: i64,
}

impl Latch {
    /// One that is on since then: as it was found after a restart.
    pub fn known(since: i64) -> Self {
        Self { on: true, since, ..Self::default() }
    }

    /// Takes a look; whether it is on.
    pub fn look(&mut self, time: i64, level: Level, patience: Patience) -> bool {
        let (contrary, wait) = match self.on {
            false => (level == Level::Above, patience.start),
            true => (level == Level::Below, patience.stop),
        };
        if !contrary {
            self.contrary = 0;
            return self.on;
        }
        if self.contrary == 0 {
            self.contrary_since = time;
        }
        self.contrary += 1;
        if self.contrary >= LOOKS && time - self.contrary_since >= wait {
            self.on = !self.on;
            self.since = self.contrary_since;
            self.contrary = 0;
        }
        self.on
    }

    pub fn on(&self) -> Option<i64> {
        self.on.then_some(self.since)
    }

    /// The last look was the first to say that it should be on: another one soon would tell.
    pub fn is_suspected(&self) -> bool {
        !self.on && self.contrary > 0
    }
}
