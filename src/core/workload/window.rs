//! What was counted between two copies of a query log, whose counters only grow until somebody resets them.

/// Counters of one statement.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counters {
    pub calls: f64,
    pub total_ms: f64,
    pub rows: f64,
}

impl Counters {
    pub fn plus(self, other: Self) -> Self {
        Self { calls: self.calls + other.calls, total_ms: self.total_ms + other.total_ms, rows: self.rows + other.rows }
    }

    /// What came since `before`. A counter that went down was reset in between, and counts from zero. None where nothing ran.
    pub fn since(self, before: Option<Self>) -> Option<Self> {
        let before = before.filter(|b| b.calls <= self.calls && b.total_ms <= self.total_ms).unwrap_or_default();
        let grown = Self {
            calls: self.calls - before.calls,
            total_ms: self.total_ms - before.total_ms,
            rows: (self.rows - before.rows).max(0.0),
        };
        (grown.calls > 0.0).then_some(grown)
    }
}
