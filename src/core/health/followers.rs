//! How far copies are behind in time, from positions in the write-ahead log alone: what a copy has on disk now was written here when this
//! position was seen. No clock but the one that looks is asked, and a copy that says nothing any more falls behind all the same.

use std::collections::{BTreeMap, VecDeque};

/// Looks that are remembered of a copy; beyond, every second one is forgotten: what is hours behind need not be known to the second.
const MARKS: usize = 256;

/// Where the log of a server was, and how much of it a copy has on disk; in bytes since the log began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub written: u64,
    pub confirmed: u64,
}

/// What follows one server, by name.
#[derive(Debug, Clone, Default)]
pub struct Followers {
    marks: BTreeMap<String, VecDeque<(f64, u64)>>,
}

impl Followers {
    /// Takes a look at a time, in seconds of a clock that only goes on. Gives the seconds that the last of the copies is behind; None where nothing
    /// follows. Right to the time between two looks, and never more than it is.
    pub fn look(&mut self, now: f64, positions: &BTreeMap<String, Position>) -> Option<f64> {
        self.marks.retain(|name, _| positions.contains_key(name));
        positions.iter().map(|(name, at)| lag(self.marks.entry(name.clone()).or_default(), now, *at)).reduce(f64::max)
    }
}

fn lag(marks: &mut VecDeque<(f64, u64)>, now: f64, at: Position) -> f64 {
    while marks.front().is_some_and(|(_, written)| *written <= at.confirmed) {
        marks.pop_front();
    }
    if at.confirmed < at.written {
        if marks.len() >= MARKS {
            let mut odd = false;
            marks.retain(|_| {
                odd = !odd;
                odd
            });
        }
        marks.push_back((now, at.written));
    }
    marks.front().map_or(0.0, |(seen, _)| now - seen)
}
