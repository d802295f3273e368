//! What a user may say about a calibration.

use super::config::read_fields;
use super::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Every field has a default; unknown fields are refused by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationConfig {
    /// All measurements together; making the scratch tables comes on top.
    pub seconds: f64,
    /// Clients at the same time, at most.
    pub clients: u32,
}

/// Below it a measurement is noise; above it nobody waits, and the scratch table grows.
const SECONDS: (f64, f64) = (0.2, 60.0);
/// Scratch tables of a megabyte each, and as many server processes.
pub const MAX_CLIENTS: u32 = 32;

impl Default for CalibrationConfig {
    fn default() -> Self {
        Self { seconds: 5.0, clients: 8 }
    }
}

impl CalibrationConfig {
    /// Reads the config, every problem of it at once.
    pub fn read(document: &Value) -> Result<Self, Vec<Problem>> {
        let config: Self = read_fields(document, "{\"seconds\": 5}")?;
        let mut problems = Vec::new();
        let mut refuse = |field: &str, fact: String| {
            problems.push(Problem::new("22023", format!("config field \"{field}\" is out of range")).detail(fact));
        };
        if !(SECONDS.0..=SECONDS.1).contains(&config.seconds) {
            refuse("seconds", format!("It is a number between {} and {}.", SECONDS.0, SECONDS.1));
        }
        if !(1..=MAX_CLIENTS).contains(&config.clients) {
            refuse("clients", format!("It is a number between 1 and {MAX_CLIENTS}."));
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}
