//! One change of shape as it is written down: which tables there are, which there will be, and what they are called meanwhile.

use crate::pg::remote::link::Link;
use foreshard_core::model::{Bound, TableName};
use pgrx::pg_sys;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Split,
    Merge,
    Move,
    Isolate,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Merge => "merge",
            Self::Move => "move",
            Self::Isolate => "isolate",
        }
    }
}

/// A shard that serves now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Old {
    pub oid: u32,
    pub name: TableName,
    pub node: String,
    /// In the table that it is taken out of.
    #[serde(default)]
    pub place: Option<Bound>,
}

impl Old {
    pub fn relation(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(self.oid)
    }
}

/// A shard that is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct New {
    pub name: TableName,
    pub ordinal: i32,
    pub node: String,
    /// None for the database's own.
    pub tablespace: Option<String>,
    /// As the ledger has them: of the first level, and of the second.
    pub bound: Bound,
    pub within: Option<Bound>,
    /// Its own, in the table that it is put into.
    pub place: Bound,
}

/// An inner partition that takes the place of a leaf: cut by LIST on the column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    pub name: TableName,
    pub place: Bound,
    pub column: String,
}

/// An inner partition whose leaves the old shards are, and which goes with them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dissolved {
    pub oid: u32,
    pub name: TableName,
}

/// A column that identifies rows, with the operator by which its values are equal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyColumn {
    pub name: String,
    /// Qualified and quoted.
    pub operator: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub kind: Kind,
    /// The whole table, and the one that the shards are partitions of: the same, or an inner partition.
    pub table: TableName,
    pub relation: u32,
    pub parent: u32,
    /// Of the table. What belongs to it may run expressions and functions of the owner's making, so it is worked on as the owner.
    pub owner: u32,
    /// `HASH (id)`: how the latter is cut.
    pub cut: String,
    pub old: Vec<Old>,
    pub new: Vec<New>,
    pub part: Option<Part>,
    #[serde(default)]
    pub dissolved: Option<Dissolved>,
    /// A table cut like the parent, whose partitions the new shards are until the switch.
    pub shell: TableName,
    pub log: TableName,
    pub key: Vec<KeyColumn>,
    /// All but the generated ones.
    pub columns: Vec<String>,
    /// What the old shards were when it began: see [`super::facts::definition`].
    pub definition: String,
    /// Seconds for which the old shards are kept.
    pub keep: u32,
    pub verify: bool,
    /// Longest time for which others may have to wait, as it was set for whoever began the job.
    pub max_lock_ms: u32,
    /// Part of the time in which it copies rows while others are at work.
    #[serde(default = "all")]
    pub copy_share: f64,
    /// A move between other servers.
    #[serde(default)]
    pub away: Option<Away>,
}

/// From one server to another, on both of which the shard has the same name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Away {
    pub from: String,
    pub to: String,
    pub there: TableName,
    /// The publication, the slot and the subscription.
    pub link: String,
    /// On what is made to put the shard into.
    pub mark: String,
}

impl Away {
    pub fn link(&self) -> Link {
        let (from, to) = (self.from.clone(), self.to.clone());
        Link { name: self.link.clone(), from, to, tables: vec![self.there.clone()] }
    }
}

fn all() -> f64 {
    1.0
}

impl Task {
    /// The tables that the parent gets at the switch.
    pub fn attached(&self) -> Vec<(&TableName, &Bound)> {
        match &self.part {
            Some(part) => vec![(&part.name, &part.place)],
            None => self.new.iter().map(|new| (&new.name, &new.place)).collect(),
        }
    }

    /// The trigger functions: of what a row is after a change, of what it was before, and of TRUNCATE.
    pub fn function(&self, what: &str) -> TableName {
        TableName::new(&self.log.schema, format!("{}_{what}", self.log.name))
    }
}

/// `orders_log_12_1`: of one task of one job, cut in the table's part when it would be longer than a name may be.
pub fn working_name(table: &TableName, what: &str, job: i64, number: i32) -> TableName {
    let suffix = format!("_{what}_{job}_{number}");
    // Room for what is appended to it for the functions.
    let mut end = table.name.len().min(58_usize.saturating_sub(suffix.len()));
    while !table.name.is_char_boundary(end) {
        end -= 1;
    }
    TableName::new(&table.schema, format!("{}{suffix}", table.name.get(..end).unwrap_or_default()))
}
