//! What a user may say about a fail-over.

use super::config::read_fields;
use super::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailOverConfig {
    /// Do it although it is not known that nothing is lost.
    pub accept_loss: bool,
    /// Only say what would be done, and what could be lost.
    pub dry_run: bool,
}

impl FailOverConfig {
    /// # Errors
    /// 22023 for each field that is unknown or cannot be read.
    pub fn read(document: &Value) -> Result<Self, Vec<Problem>> {
        read_fields(document, "{\"dry_run\": true}")
    }
}
