//! What a user may say about a change of shape.

use super::config::read_fields;
use super::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Every field has a default; unknown fields are refused by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReshardConfig {
    /// Shards that a hash shard or a range is split into; 2 by default.
    pub parts: Option<u32>,
    /// Where ranges are cut, in ascending order: the first values of the new shards.
    pub at: Option<Vec<String>>,
    /// Values of a list that get a shard of their own.
    pub values: Option<Vec<Option<String>>>,
    /// Nodes of the new shards, in turn; by default they stay where the old one is.
    pub nodes: Option<Vec<String>>,
    /// Seconds for which the old shards are kept; by default what foreshard.keep_old_shards says.
    pub keep: Option<u32>,
    /// The rows are compared before the switch.
    pub verify: Option<bool>,
}

impl ReshardConfig {
    /// Reads the config, every problem of it at once. `allowed`: the fields that the operation knows.
    pub fn read(document: &Value, allowed: &[&str]) -> Result<Self, Vec<Problem>> {
        let config: Self = read_fields(document, "{\"keep\": 3600}")?;
        let mut problems = Vec::new();
        if let Value::Object(fields) = document {
            for field in fields.keys().filter(|field| !allowed.contains(&field.as_str())) {
                problems.push(
                    Problem::new("22023", format!("config field \"{field}\" says nothing here"))
                        .hint(format!("Valid fields are {}.", allowed.join(", "))),
                );
            }
        }
        if config.nodes.as_ref().is_some_and(Vec::is_empty) {
            problems.push(Problem::new("22023", "config field \"nodes\" must name a node"));
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}
