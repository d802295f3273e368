//! What a backup says of its tables, as texts and facts that outlive the parse trees.
//!
//! A backup's script is read once ([`read`]): every statement goes through the server's parser and is filed under the
//! table that it is about, as a [`Part`] with the stage at which a restore executes it. Statements are kept as text;
//! a restore parses them again and changes the tree, never the text. The same reading gives the planner its
//! [`Schema`], all tables of the backup included.

mod columns;
mod facts;
mod like;
mod read;

pub use columns::{inline_constraints, is_made_apart, lookup};
pub use like::{Depth, like_table, live_table};
pub use read::Reader;

use foreshard_core::model::statement::Query;
use foreshard_core::model::{Schema, Table, TableName};
use std::collections::{BTreeMap, BTreeSet};

/// All that a script defines.
#[derive(Debug, Default)]
pub struct Definitions {
    pub tables: BTreeMap<TableName, Definition>,
    /// What each view stands for, as far as it can be read.
    pub views: BTreeMap<TableName, Query>,
    /// Views, sequences, … by name, with the word for what they are: for a clear refusal.
    pub others: BTreeMap<TableName, &'static str>,
    pub extensions: Vec<String>,
    /// Statements that the parser did not take, with its message.
    pub unreadable: Vec<(String, String)>,
    /// `client_encoding` of the script.
    pub encoding: Option<String>,
}

impl Definitions {
    /// The planner's view: every table that holds rows of its own kind (partitions count as their parent), and `source`
    /// in any case.
    pub fn schema(&self, source: &TableName) -> Schema {
        let seen = |d: &&Definition| d.partition_of.is_none() || d.table.name == *source;
        Schema::new(self.tables.values().filter(seen).map(|d| d.table.clone()).collect()).with_views(self.views.clone())
    }

    /// Which tables with rows of `name` have no data section among `met`? A dump made with --load-via-partition-root has
    /// all of them under a partitioned table's name.
    pub fn without_data(&self, name: &TableName, met: &BTreeSet<TableName>) -> Vec<TableName> {
        let partitioned = |t: &TableName| self.tables.get(t).is_some_and(|d| d.partitioned);
        if met.iter().any(partitioned) {
            return Vec::new();
        }
        self.data_tables(name).into_iter().filter(|t| !partitioned(t) && !met.contains(t)).collect()
    }

    /// The tables whose data sections hold the rows of `name`: itself, and its partitions at any depth.
    pub fn data_tables(&self, name: &TableName) -> Vec<TableName> {
        let mut found = vec![name.clone()];
        let mut next = 0;
        while let Some(parent) = found.get(next).cloned() {
            found.extend(
                self.tables.values().filter(|d| d.partition_of.as_ref() == Some(&parent)).map(|d| d.table.name.clone()),
            );
            next += 1;
        }
        found
    }
}

/// One table.
#[derive(Debug, Clone)]
pub struct Definition {
    pub table: Table,
    /// The CREATE TABLE statement.
    pub create: String,
    /// In the order of the script.
    pub parts: Vec<Part>,
    /// Tables that it inherits from, in the old way.
    pub inherits: Vec<TableName>,
    pub partition_of: Option<TableName>,
    pub partitioned: bool,
    pub unlogged: bool,
    /// Tablespace named by the backup; empty for the default.
    pub tablespace: String,
    pub access_method: String,
    /// Sequences owned by its columns.
    pub sequences: Vec<TableName>,
    /// Foreign keys of other tables that refer to it.
    pub referenced_by: Vec<Inbound>,
    /// Checks that are not to be inherited.
    pub no_inherit: Vec<String>,
    /// Identity columns.
    pub identity: Vec<String>,
    /// A foreign table of this database: what the other server has beside its columns is not known.
    pub foreign: bool,
}

/// A foreign key of another table.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    pub table: TableName,
    pub constraint: String,
    /// Columns that it refers to.
    pub columns: Vec<String>,
}

/// One thing that belongs to a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub kind: PartKind,
    /// Its name, or what it is on, for messages.
    pub object: String,
    /// The statement.
    pub text: String,
    pub origin: Origin,
    /// What it says something about, where that may be left out or be only on the shards.
    pub of: Option<Of>,
}

/// A named thing of a table that other parts refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// Foreign keys and checks included.
    Constraint(String),
    Index(String),
    Trigger(String),
}

/// Where in the statement the part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The whole statement.
    Statement,
    /// One command of an ALTER TABLE.
    Command(usize),
    /// A constraint written inside CREATE TABLE, by its place among them (columns first, in order).
    Inline(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub enum PartKind {
    /// CREATE SEQUENCE of a sequence that a column owns.
    Sequence,
    /// OWNED BY and comment of a column's sequence.
    SequenceDetail,
    /// Default, identity, storage, compression of a column.
    Column,
    /// Statistics target and options of a column, which partitions do not take over from their table.
    ColumnDetail,
    Check {
        validated: bool,
    },
    Unique {
        columns: Vec<String>,
        primary: bool,
    },
    Exclusion,
    Index {
        unique: bool,
        columns: Vec<String>,
    },
    IndexDetail,
    /// Statistics target of an index's column, which the parts of an index do not take over.
    IndexColumn,
    ForeignKey {
        references: TableName,
        validated: bool,
        /// All that comes behind `REFERENCES table (columns)`, in SQL.
        clause: String,
    },
    Statistics,
    /// Statistics target of a statistics object.
    StatisticsDetail,
    StatisticsOwner {
        role: String,
    },
    Trigger {
        transitions_by_row: bool,
        constraint: bool,
    },
    TriggerState,
    Rule,
    Policy,
    RowSecurity,
    ReplicaIdentity,
    Cluster,
    Comment,
    SecurityLabel,
    Publication {
        name: String,
        /// With a column list or a row filter.
        selective: bool,
    },
    Grant {
        roles: Vec<String>,
        /// Who granted it, where it was not the owner.
        grantor: Option<String>,
        /// A column's sequence, where it is not the table itself.
        sequence: Option<TableName>,
    },
    Owner {
        role: String,
    },
    /// Owner of a column's sequence.
    SequenceOwner {
        role: String,
    },
    /// Understood to be about the table, but of no kind above; never dropped silently.
    Unknown,
}
