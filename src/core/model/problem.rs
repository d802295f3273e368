//! One thing that stands in the way, as data: pre-checks collect these and report them all at once.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Five characters.
    pub sqlstate: String,
    /// Lower case, no full stop.
    pub message: String,
    /// A full sentence that states the fact.
    pub detail: Option<String>,
    /// A full sentence that states the remedy.
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(sqlstate: &str, message: impl Into<String>) -> Self {
        Self { sqlstate: sqlstate.to_owned(), message: message.into(), detail: None, hint: None }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
