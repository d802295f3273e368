//! What the query log says of the tables: the statements with their weights, resolved against a schema.

use super::plan::Level;
use super::schema::TableName;
use super::statement::{Query, StatementKind};
use serde::{Deserialize, Serialize};

/// One row of the query log after parsing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Stable identity of the statement: the log's queryid, or a hash of the text where it has none.
    pub id: i64,
    /// The text, cut to [`LogEntry::TEXT_LIMIT`] bytes at a character; for people.
    pub text: String,
    pub calls: f64,
    /// Total execution time, milliseconds.
    pub total_ms: f64,
    pub rows: f64,
    /// The parsed statements of the text (nearly always one), or why there are none.
    pub parsed: Result<Vec<Query>, String>,
}

impl LogEntry {
    pub const TEXT_LIMIT: usize = 200;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkloadProfile {
    Oltp,
    Olap,
    Mixed,
}

/// Share of the log that was understood, by calls and by time; 1.0 for an empty log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    pub statements: u64,
    pub calls: f64,
    pub total_ms: f64,
    /// 0..=1
    pub understood_calls: f64,
    /// 0..=1
    pub understood_ms: f64,
    /// Reason -> statements and calls not understood, most calls first.
    pub not_understood: Vec<NotUnderstood>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotUnderstood {
    pub reason: String,
    pub statements: u64,
    pub calls: f64,
}

impl NotUnderstood {
    /// The reason of what the user did not want read.
    pub const LEFT_OUT: &str = "called less often than min_calls";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    pub coverage: Coverage,
    pub profile: WorkloadProfile,
    /// Sorted by id; only statements that touch a known table.
    pub statements: Vec<StatementUse>,
    /// Columns that mean the same thing, over the whole schema. Sorted; each column in at most one family.
    pub families: Vec<Family>,
    /// Which statements run together; empty where nothing was inferred.
    #[serde(default)]
    pub transactions: Vec<Transaction>,
    /// What the rows tell of the values that transactions have; empty where nobody looked.
    #[serde(default)]
    pub same_values: Vec<SameValues>,
    /// How look-ups spread over values, for the columns where somebody watched. Sorted by table and column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<ColumnLoad>,
}

impl Workload {
    pub fn load(&self, table: &TableName, column: &str) -> Option<&ColumnLoad> {
        let at = self.loads.binary_search_by(|l| (&l.table, l.column.as_str()).cmp(&(table, column)));
        at.ok().and_then(|at| self.loads.get(at))
    }
}

/// What the statements on a table do under a layout, on average over their calls, INSERTs included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Execution time by the log, milliseconds, and the part of it that goes into reading what shards leave out.
    pub ms: f64,
    pub spared_ms: f64,
    /// Share of UPDATEs and DELETEs, 0..=1.
    pub changes: f64,
    /// Shards beyond the first that a statement visits.
    pub further: f64,
    /// Shards beyond the first into which an INSERT puts rows.
    pub leaves: f64,
}

/// The load on one column as watched at run time, with real constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnLoad {
    pub table: TableName,
    pub column: String,
    /// Look-ups by `=` or by an item of a list whose value was seen.
    pub seen: f64,
    /// Those of the value that is looked up most often.
    pub hottest: f64,
    /// Items of a list, on average.
    pub items: Option<f64>,
    /// Share of the rows that a condition by `<`, `<=`, `>` or `>=` lets pass, on average.
    pub passing: Option<f64>,
}

/// How often two columns of one row have the same value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SameValues {
    pub table: TableName,
    pub columns: (String, String),
    /// 0..=1
    pub share: f64,
}

/// Statements that run together in one transaction, as far as the log's numbers tell. A statement that runs alone is a
/// transaction by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transaction {
    /// How often it runs.
    pub calls: f64,
    /// Sorted by statement.
    pub statements: Vec<Execution>,
    /// How surely these statements run together.
    pub confidence: Level,
    /// A full sentence.
    pub because: String,
}

/// A statement's part in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Identity of the statement.
    pub id: i64,
    /// Runs per transaction: 10 for a loop, below 1 for what only some of them run.
    pub times: f64,
}

/// One statement reduced to the tables that it touches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatementUse {
    pub id: i64,
    pub text: String,
    pub kind: StatementKind,
    pub calls: f64,
    pub total_ms: f64,
    pub rows: f64,
    /// One for each time that a table is named (a self-join names it twice).
    pub tables: Vec<TableUse>,
}

/// How one reference to a table finds its rows. All lists are sorted and without duplicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableUse {
    pub table: TableName,
    /// The reference is the target of INSERT, UPDATE, DELETE, MERGE or COPY.
    pub written: bool,
    /// A plain INSERT or COPY: it names every column and says nothing of how rows are found.
    pub inserted: bool,
    /// Columns fixed to one value by `=`, directly or through a chain of equalities of this statement.
    pub pinned: Vec<String>,
    /// Columns limited to a few values: IN (list), = ANY (array).
    pub listed: Vec<String>,
    /// Values of the longest of these lists, where the text tells.
    pub list_values: Option<u32>,
    /// Columns limited from one side or both: <, <=, >, >=, BETWEEN.
    pub ranged: Vec<String>,
    /// Those of `ranged` that are limited from below only: a time so limited asks for the newest rows.
    #[serde(default)]
    pub above: Vec<String>,
    /// Columns matched by LIKE.
    pub matched: Vec<String>,
    pub joined: Vec<JoinEdge>,
    pub grouped: Vec<String>,
    pub ordered: Vec<String>,
    /// Columns that the statement sets on this reference (SET of UPDATE, MERGE, ON CONFLICT).
    pub updated: Vec<String>,
    /// It sets every column, as object mappers do that save a whole row: most of the values are what they were.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rewritten: bool,
    /// The query level that reads it has a LIMIT.
    pub limited: Option<Limit>,
}

/// What a LIMIT ends. Rows are taken only until it has enough of them where a level reads nothing else and nothing needs all
/// rows first, but perhaps an order by columns, which are in `ordered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The statement's reading: its rows are those of the table.
    Statement,
    /// A subquery's reading, of whose rows the log tells nothing.
    Subquery,
    /// Nothing: it picks among rows that were all read.
    Nothing,
}

impl TableUse {
    /// A reference of which nothing is known but its table.
    pub fn of(table: TableName) -> Self {
        Self {
            table,
            written: false,
            inserted: false,
            pinned: Vec::new(),
            listed: Vec::new(),
            list_values: None,
            ranged: Vec::new(),
            above: Vec::new(),
            matched: Vec::new(),
            joined: Vec::new(),
            grouped: Vec::new(),
            ordered: Vec::new(),
            updated: Vec::new(),
            rewritten: false,
            limited: None,
        }
    }
}

/// `column` of the reference equals `other_column` of another reference in the same statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JoinEdge {
    pub column: String,
    pub other: TableName,
    pub other_column: String,
}

/// Columns tied by foreign keys and equality joins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Sorted.
    pub members: Vec<(TableName, String)>,
}
