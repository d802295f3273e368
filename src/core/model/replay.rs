//! What a user may say about a replay.

use super::config::read_fields;
use super::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Every field has a default; unknown fields are refused by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayConfig {
    pub mode: ReplayMode,
    /// Rows of each table in the sample, at most.
    pub rows: u32,
    /// Statements, those with the most calls first.
    pub statements: u32,
    /// Times that each statement runs on each candidate, each time with other parameters.
    pub runs: u32,
    /// Milliseconds that one run may take.
    pub timeout: u32,
    /// Another sample and other parameters with another number.
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayMode {
    /// Plan and execute, and count the shards that were touched.
    #[default]
    Run,
    /// Plan only, and count the shards that are left in the plan.
    Explain,
}

/// Rows of one table that are kept in memory and loaded three times at most: some seconds of work.
const MAX_ROWS: u32 = 1_000_000;
const MAX_STATEMENTS: u32 = 1_000;
const MAX_RUNS: u32 = 1_000;
/// Ten minutes.
const MAX_TIMEOUT: u32 = 600_000;

impl Default for ReplayConfig {
    fn default() -> Self {
        Self { mode: ReplayMode::Run, rows: 20_000, statements: 50, runs: 10, timeout: 1_000, seed: 0 }
    }
}

impl ReplayConfig {
    /// Reads the config, every problem of it at once.
    pub fn read(document: &Value) -> Result<Self, Vec<Problem>> {
        let config: Self = read_fields(document, "{\"mode\": \"explain\"}")?;
        let problems: Vec<Problem> = [
            ("rows", config.rows, MAX_ROWS),
            ("statements", config.statements, MAX_STATEMENTS),
            ("runs", config.runs, MAX_RUNS),
            ("timeout", config.timeout, MAX_TIMEOUT),
        ]
        .into_iter()
        .filter(|(_, value, most)| *value == 0 || value > most)
        .map(|(field, _, most)| {
            Problem::new("22023", format!("config field \"{field}\" is out of range"))
                .detail(format!("It is a number between 1 and {most}."))
        })
        .collect();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}
