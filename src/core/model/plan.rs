//! The plan: the chosen layout with everything that led to it.

pub use super::layout::{Bound, Layout, Part, Shard, Within};
use super::outlook::{NextSplit, Outlook};
pub use super::placement::{NodeShare, PlacementDecision};
use super::profile::Profiled;
use super::schema::TableName;
use super::workload::{Coverage, Transaction, WorkloadProfile};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Nearly every shard key has one or two columns, and the planner holds thousands of candidates.
pub type KeyColumns = SmallVec<[String; 2]>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    Hash,
    Range,
    List,
    /// Small, mostly read, widely joined: one plain table, a copy on every foreign node.
    Reference,
    /// Do not shard: one plain table.
    None,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Range => "range",
            Self::List => "list",
            Self::Reference => "reference",
            Self::None => "none",
        }
    }

    /// The table is partitioned.
    pub fn shards(self) -> bool {
        matches!(self, Self::Hash | Self::Range | Self::List)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this document.
    pub version: u32,
    pub target: TableName,
    pub source: TableName,
    /// What the plan stands on, as words for people: query log, similar tables, declared profile, fallback.
    pub basis: String,
    pub coverage: Coverage,
    pub workload: WorkloadProfile,
    /// Rows and text bytes of the backup's table, as far as its profile tells; None when not profiled.
    pub rows: Option<u64>,
    pub text_bytes: Option<u64>,
    /// Which rows were read for these and for the values; None where another version did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profiled>,
    /// Ranked, best first; the chosen one is `candidates[chosen]`.
    pub candidates: Vec<Candidate>,
    pub chosen: usize,
    pub layout: Layout,
    pub count: CountDecision,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementDecision>,
    /// Of the foreign tables that stand for shards on other servers; empty where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrapper: Vec<WrapperOption>,
    /// What the load history says of the time ahead, and when it asks for more shards; None without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Outlook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_split: Option<NextSplit>,
    /// What is not carried over as it was, and why; known before anything is created.
    pub notes: Vec<Note>,
    /// What the choice assumes of the other tables, and how surely nothing is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<JointChoice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// The smallest change of one statement that would change the choice; where there is none, `no_flip` says whether
    /// none was found or none was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip: Option<Flip>,
    /// A full sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_flip: Option<String>,
    /// Transactions inferred from the log, most calls first, at most [`Plan::TRANSACTIONS`], and how many kinds of several
    /// statements there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transactions: Vec<Transaction>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub transaction_kinds: usize,
    /// xxh3-128 of the document with this field empty, as 32 hexadecimal digits.
    pub hash: String,
}

/// An option of postgres_fdw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapperOption {
    pub name: String,
    pub value: String,
    /// Not a full sentence.
    pub because: String,
}

impl Plan {
    pub const TRANSACTIONS: usize = 20;
}

/// The whole schema's design beside the chosen candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointChoice {
    /// The other tables that the choice matters to, in name order.
    pub tables: Vec<TableChoice>,
    /// Of the design, in single-shard statements per statement of the log, and what no design comes below.
    pub cost: f64,
    pub lower_bound: f64,
    /// The search was complete: nothing is better by this objective.
    pub exact: bool,
    /// Tables of a large schema that were not looked at, since they have the least load.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableChoice {
    pub table: TableName,
    pub method: Method,
    pub key: KeyColumns,
    /// Its rows are in shards of the same number as the target's rows that belong to them.
    pub together: bool,
    /// It is already sharded so.
    pub placed: bool,
    /// Bytes of its rows' text, as far as the backup tells or joins let guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Low,
    Medium,
    High,
}

/// How far the choice may be relied on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    pub level: Level,
    /// A full sentence.
    pub because: String,
}

/// A change of the load that changes the choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// Identity and text of the statement.
    pub statement: i64,
    pub text: String,
    /// How much more often (or, below 1, less often) it would have to run.
    pub factor: f64,
    pub method: Method,
    pub key: KeyColumns,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub method: Method,
    pub key: KeyColumns,
    /// How each part that this key makes is cut once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Leaf partitions, of all parts together.
    pub shard_count: u32,
    /// Expected cost of the workload under this layout, in single-shard statements per statement: 1.0 is ideal.
    pub cost: f64,
    /// One sentence or two, for an administrator.
    pub because: String,
    /// Why it may not be chosen at all, where that is so.
    pub rejected: Option<String>,
    pub evidence: Evidence,
}

impl Candidate {
    /// The columns of all levels.
    pub fn columns(&self) -> KeyColumns {
        self.key.iter().chain(self.within.iter().flat_map(|w| &w.key)).cloned().collect()
    }
}

/// Figures of a candidate. Shares are 0..=1 of the weighted statements on the table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub reads: Fanout,
    pub writes: Fanout,
    /// Calls of the log that read or write the table by condition (INSERT and COPY apart).
    pub calls: f64,
    pub insert_calls: f64,
    /// Share of the calls that change the value of a key column.
    pub key_updates: f64,
    /// Tables with a column of the key's family, this one included, and their share of all the log's calls.
    pub family_tables: Vec<TableName>,
    pub family_calls: f64,
    pub distinct: Option<u64>,
    pub null_share: Option<f64>,
    /// Share of the rows that the most frequent key value has.
    pub hottest_value: Option<f64>,
    /// Rows of the fullest shard over the mean, at the candidate's count.
    pub skew: Option<f64>,
    /// Share of the watched look-ups that the hottest key value surely has, and look-ups of its shard over the mean at the
    /// candidate's count. Of the two skews the larger one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hottest_load: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_skew: Option<f64>,
    pub monotonicity: Option<f64>,
    /// Unique constraints that do not contain the key.
    pub constraints_lost: Vec<String>,
    /// The cost's parts by name, which add up to it.
    pub cost_parts: Vec<(String, f64)>,
    /// What becomes of the transactions that use the table, and of all, with the other tables as the joint design has
    /// them, and those that the choice does not matter to as they stand or as suits them alone; None where the log told
    /// nothing of transactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<TransactionShares>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design_transactions: Option<TransactionShares>,
    /// Where each statement on the table goes, heaviest first, at most [`Evidence::STATEMENTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<StatementClass>,
    /// What can be done about each constraint of `constraints_lost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

impl Evidence {
    pub const STATEMENTS: usize = 100;
}

/// Expected shares of transactions that visit at most one shard, several, or all of some table; each [`Fanout`] adds up to
/// 1, or is all 0 where there are no such transactions. Shards of one number of tables cut alike are one shard, and so are,
/// of two levels, those that share a part of the one that spreads the rows: they are on one node. Reading a
/// table that is not cut visits no shard, writing a plain one visits the place where it is, and writing a copied one
/// visits all its copies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TransactionShares {
    /// Transactions that write nothing; those that write some table; both.
    pub reads: Fanout,
    pub writes: Fanout,
    pub all: Fanout,
    /// How many transactions there are of each, in the log's calls.
    pub read_calls: f64,
    pub write_calls: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Single,
    Multi,
    Scatter,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatementClass {
    pub id: i64,
    pub class: Class,
    /// Shards of the table that it is expected to visit, at the candidate's count; 0 where another version did not say.
    #[serde(default)]
    pub shards: f64,
    /// Of the weight of all statements on the table, 0..=1.
    pub share: f64,
}

/// One way to live with a constraint that cannot be enforced across shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    pub constraint: String,
    /// `widen`, `per_shard`, `lookup table` or `refuse`.
    pub way: String,
    pub what: String,
    /// In single-shard statements per statement on the table, on top of a layout that keeps the constraint for `lookup
    /// table`, and against this candidate for `refuse`; None where no candidate keeps it.
    pub cost: Option<f64>,
}

/// How many shards a statement touches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Fanout {
    pub single: f64,
    pub multi: f64,
    pub scatter: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountDecision {
    pub count: u32,
    pub bounds: Vec<CountBound>,
    /// Name of the bound that decided, or `cost`.
    pub decided_by: String,
    pub because: String,
    /// Factor by which the table may grow, beyond the growth that is planned for, until its fullest shard has the size that no
    /// shard should exceed: the next split is due then. None where the size is not known or there are no shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts_until: Option<f64>,
    /// How much longer the table's statements are expected to take than on one plain table of the same server; below 0 where
    /// shards spare them reading. None where there are no shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slower: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountBound {
    pub name: String,
    pub direction: Direction,
    pub value: f64,
    pub because: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    AtLeast,
    AtMost,
}

/// Something that is different after the restore, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `constraint`, `index`, `foreign key`, `sequence`, `tablespace`, …
    pub kind: String,
    pub object: String,
    pub what: String,
    pub because: String,
    /// Runnable SQL that does by hand what was left out, where there is any.
    pub remedy: Option<String>,
}

impl Note {
    /// The kind of a note on what the nodes bear, which nothing is lost by.
    pub const CAPACITY: &str = "capacity";
}
