//! Predicates as they were watched at run time, with their real constants: what pg_qualstats keeps.

use super::statement::TableRef;

/// A column as the watcher names it.
pub type WatchedColumn = (TableRef, String);

/// One predicate of one statement with one constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Qual {
    /// Identity of the statement in the query log.
    pub statement: i64,
    pub left: WatchedColumn,
    /// The operator's name: `=`, `<`, …
    pub operator: String,
    /// The column on the other side, for a join.
    pub right: Option<WatchedColumn>,
    /// The constant as SQL text with its type, `'a'::text`; cut off where it is long, None where it was a parameter that
    /// the watcher could not see.
    pub constant: Option<String>,
    /// Executions that had it.
    pub executions: f64,
    /// Rows that it was tested on, and those that failed; for what an index finds, only the rows found.
    pub tested: f64,
    pub failed: f64,
    pub by_index: bool,
}
