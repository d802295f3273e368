//! Creating the restored table: the statements of a definition, changed to the chosen layout, in the right order.
//!
//! [`carry`] decides what becomes of each part of the definition and why; [`steps`] puts what is left in order, before
//! and after the load; [`checks`] adds constraints to rows that are there; [`table`] makes the CREATE TABLE and [`rewrite`] changes every other
//! statement's parse tree; [`run`] executes a step. A rehearsal runs all of it
//! on an empty table inside a subtransaction that is rolled back, so that everything the server would refuse is known
//! before a single row is read.

mod carry;
mod checks;
pub mod nodes;
mod rewrite;
mod run;
mod steps;
mod table;

pub use carry::{Carried, carry};
pub use checks::add_checks;
pub use run::{Builder, bound_clause, built_once, rehearse};
pub use steps::Phase;

use super::definition::Definition;
use super::remote::Names;
use foreshard_core::backup::checksum::RowHasher;
use foreshard_core::model::plan::WrapperOption;
use foreshard_core::model::{Layout, TableName};
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// What is built, from what, where.
#[derive(Debug)]
pub struct Blueprint<'a> {
    pub definition: &'a Definition,
    pub target: TableName,
    /// None: a plain table.
    pub layout: Option<&'a Layout>,
    /// Tablespace of each node; `pg_default` for the database's own.
    pub tablespaces: BTreeMap<String, String>,
    /// Foreign server of each node that is another server.
    pub servers: BTreeMap<String, String>,
    /// Options of the foreign tables that stand for these nodes' shards.
    pub wrapper: &'a [WrapperOption],
    /// What the shards on other servers are called there; None for a rehearsal, and where there are none.
    pub remote: Option<Names>,
    /// What becomes of each part, in the order of the definition's parts.
    pub carried: Vec<Carried>,
}

impl Blueprint<'_> {
    pub fn source(&self) -> &TableName {
        &self.definition.table.name
    }

    /// The name in the target's schema of something that is named after the table: unchanged when the table keeps its
    /// own name.
    pub fn rename(&self, object: &TableName) -> TableName {
        self.named_after(&self.target, &object.name)
    }

    /// The name of a shard's own index or constraint of that name in the backup: `orders_date` gives `orders_s0003_date`.
    pub fn name_on_shard(&self, shard: &TableName, object: &str) -> TableName {
        self.named_after(shard, object)
    }

    fn named_after(&self, table: &TableName, object: &str) -> TableName {
        let source = &self.source().name;
        let name = match object.strip_prefix(source.as_str()) {
            _ if *source == table.name => object.to_owned(),
            Some(rest) => format!("{}{rest}", table.name),
            None => format!("{}_{object}", table.name),
        };
        TableName::new(&table.schema, shorten(name))
    }

    /// `orders_s0003`: cut in the table's part when it would be longer than a name may be.
    pub fn shard_name(&self, ordinal: u32) -> TableName {
        shard_name(&self.target, ordinal)
    }

    /// `orders_p0003`: an inner partition, whose shards are its own partitions.
    pub fn part_name(&self, number: u32) -> TableName {
        part_name(&self.target, number)
    }

    /// The tablespace that a node stands for; None for the database's own.
    pub fn tablespace(&self, node: &str) -> Option<&str> {
        self.tablespaces.get(node).map(String::as_str).filter(|t| *t != "pg_default")
    }

    /// The foreign server that a node stands for; None for a node of this server.
    pub fn server(&self, node: &str) -> Option<&str> {
        self.servers.get(node).map(String::as_str)
    }

    /// Some shard lives on another server.
    pub fn reaches_out(&self) -> bool {
        self.is_sharded() && self.layout.is_some_and(|l| l.shards.iter().any(|s| self.server(&s.node).is_some()))
    }

    pub fn is_sharded(&self) -> bool {
        self.layout.is_some_and(|l| l.method.shards())
    }
}

/// Names are cut to 63 bytes by the server; two that differ only behind that must not become one.
fn shorten(name: String) -> String {
    if name.len() < pg_sys::NAMEDATALEN as usize {
        return name;
    }
    let digest = format!("_{:08x}", RowHasher::new().hash([Some(name.as_bytes())].into_iter()) as u32);
    let mut end = pg_sys::NAMEDATALEN as usize - 1 - digest.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{digest}", name.get(..end).unwrap_or_default())
}

pub fn shard_name(table: &TableName, ordinal: u32) -> TableName {
    numbered(table, 's', ordinal)
}

pub fn part_name(table: &TableName, number: u32) -> TableName {
    numbered(table, 'p', number)
}

fn numbered(table: &TableName, kind: char, number: u32) -> TableName {
    let suffix = format!("_{kind}{number:04}");
    let mut end = table.name.len().min(63 - suffix.len());
    while !table.name.is_char_boundary(end) {
        end -= 1;
    }
    TableName::new(&table.schema, format!("{}{suffix}", table.name.get(..end).unwrap_or_default()))
}
