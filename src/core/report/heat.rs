//! The load of each shard in each hour: one line per shard, one column per hour, as characters for a terminal.

use std::fmt::Write;

/// From nothing to the most: each step is darker in every usual font.
const SHADES: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];
/// An hour in which the shard was not watched: not the same as an hour without load.
const UNKNOWN: char = '?';

#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeatMap {
    /// The hour of the day that each column begins with, as two digits.
    pub hours: Vec<String>,
    pub shards: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub shard: String,
    /// Share of a node's time in each hour, if it was watched.
    pub loads: Vec<Option<f64>>,
}

impl HeatMap {
    /// The most of any shard in any hour.
    pub fn most(&self) -> f64 {
        self.shards.iter().flat_map(|s| s.loads.iter().flatten()).copied().filter(|l| l.is_finite()).fold(0.0, f64::max)
    }

    pub fn text(&self) -> String {
        if self.hours.is_empty() {
            return "No load was measured yet: the monitor stores it (foreshard.start_worker()).".to_owned();
        }
        let most = self.most();
        let names: Vec<String> = self.shards.iter().map(|s| printable(&s.shard)).collect();
        let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for digit in 0..2 {
            let label = if digit == 0 { "hour" } else { "" };
            let digits: String = self.hours.iter().map(|h| h.chars().nth(digit).unwrap_or(' ')).collect();
            let _ = writeln!(text, "{label:<width$}  {digits}");
        }
        for (name, row) in names.iter().zip(&self.shards) {
            let cells: String = row.loads.iter().map(|load| load.map_or(UNKNOWN, |l| shade(l, most))).collect();
            let _ = writeln!(text, "{name:<width$} |{cells}|");
        }
        let scale: String = SHADES.iter().collect();
        let _ = write!(text, "scale: 0 [{scale}] {most:.3} of a node's time; {UNKNOWN} not watched");
        text
    }
}

/// How much of the most it is, from 0 (nothing at all) to 9.
pub fn step(load: f64, most: f64) -> usize {
    if load.is_nan() || load <= 0.0 || most <= 0.0 {
        return 0;
    }
    // Any load is seen: the blank is for none.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 9")]
    let step = (load / most * 9.0).ceil().clamp(1.0, 9.0) as usize;
    step
}

fn shade(load: f64, most: f64) -> char {
    SHADES.get(step(load, most)).copied().unwrap_or(UNKNOWN)
}

/// A name cannot begin a line of its own.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
