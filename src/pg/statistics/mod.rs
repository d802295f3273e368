//! Statistics of new tables, made of the rows that are read back instead of by ANALYZE, which would read and sort them once more.
//!
//! A [`Gathering`] says which rows are drawn ([`Draw`], by threads), collects them, and hands out what is to be worked out when
//! all rows of a table have come ([`Task`], by threads again); what comes back is stored at once. Partitioned tables get theirs from
//! their shards' samples. What cannot be done so is left to the server: see [`columns`], and [`Gathering::finish`].

mod collation;
mod columns;
mod store;

use super::error::Result;
use super::ffi::{quote_ident, quote_table};
use super::load::LoadColumn;
use columns::{Attribute, Table};
use foreshard_core::model::TableName;
use foreshard_core::statistics::{Column, Row, Rows, Sample, Statistics, describe, lot};
use pgrx::{Spi, pg_sys};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows of a sample that a thread sorts at most: about a second of work by a collation, in which it does not look whether it is still
/// wanted. Assumed: two comparisons in a microsecond. A statistics target of 1000.
const MOST_SORTED: usize = 300_000;

/// Which rows of a leaf are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    table: u32,
    limit: u64,
}

impl Draw {
    /// The row's place among all, if it is drawn.
    pub fn place(&self, tid: u64) -> Option<(u32, u64)> {
        (lot(self.table, tid) <= self.limit).then_some((self.table, tid))
    }
}

/// A column of a table whose sample is complete.
#[derive(Debug)]
pub struct Task {
    table: usize,
    column: usize,
    how: Arc<Vec<Option<Column>>>,
    target: usize,
    sample: Arc<Rows>,
    rows: u64,
}

impl Task {
    pub fn work_out(self) -> Described {
        let Self { table, column, how, target, sample, rows } = self;
        let how = how.get(column).and_then(Option::as_ref);
        // A sort panics where an order contradicts itself, as that of a C library may: then the server tries.
        let found = catch_unwind(AssertUnwindSafe(|| describe(&sample, column, how?, target, rows)));
        let found = found.ok().flatten();
        Described { table, column, found }
    }
}

#[derive(Debug)]
pub struct Described {
    table: usize,
    column: usize,
    found: Option<Statistics>,
}

/// A table that is being sampled.
#[derive(Debug)]
struct Sampled {
    table: Table,
    /// None when it is complete.
    sample: Option<Sample>,
    rows: u64,
    /// Leaves of which not all rows have come.
    waiting: usize,
    /// Its size, where that is not to be seen here.
    blocks: Option<u32>,
}

#[derive(Debug)]
pub struct Gathering {
    attributes: Vec<Attribute>,
    how: Arc<Vec<Option<Column>>>,
    /// In the order in which ANALYZE goes through the table's partitions.
    tables: Vec<Sampled>,
    /// The number of each leaf there.
    leaves: Vec<usize>,
    /// Bytes that one table's sample may take.
    most: usize,
    /// It takes more.
    given_up: bool,
}

impl Gathering {
    /// For the table with these leaves, whose rows are all new. None where ANALYZE has to do it all.
    pub fn of(target: pg_sys::Oid, leaves: &[(u32, pg_sys::Oid)], columns: &[LoadColumn]) -> Result<Option<Self>> {
        let (attributes, how) = columns::understood(target, columns)?;
        let tables = columns::tables(target)?;
        if tables.iter().any(|table| table.sampled() > MOST_SORTED) {
            return Ok(None);
        }
        let number = |leaf: &(u32, pg_sys::Oid)| tables.iter().position(|table| table.oid == leaf.1);
        let Some(leaves) = leaves.iter().map(number).collect::<Option<Vec<usize>>>() else { return Ok(None) };
        // The rows of shards on other servers are not read here.
        if tables.iter().filter(|table| !table.inherits).count() > leaves.len() {
            return Ok(None);
        }
        let below =
            |n: usize| leaves.iter().filter(|leaf| tables.get(**leaf).is_some_and(|t| t.within.contains(&n))).count();
        let waiting: Vec<usize> = (0..tables.len()).map(|n| if leaves.contains(&n) { 1 } else { below(n) }).collect();
        let sampled = |(table, waiting): (Table, usize)| {
            let sample = Some(Sample::new(table.sampled()));
            Sampled { table, sample, rows: 0, waiting, blocks: None }
        };
        // As much as the keys of an index may take.
        let most = super::ffi::maintenance_memory();
        let tables = tables.into_iter().zip(waiting).map(sampled).collect();
        Ok(Some(Self { attributes, how: Arc::new(how), tables, leaves, most, given_up: false }))
    }

    /// What is drawn of the next rows of a leaf; None where none are.
    pub fn draw(&self, leaf: usize) -> Option<Draw> {
        let table = *self.leaves.get(leaf)?;
        let limit = self.tables.get(table)?.sample.as_ref().filter(|_| !self.given_up)?.limit();
        Some(Draw { table: u32::try_from(table).ok()?, limit })
    }

    /// The size of a leaf on another server.
    pub fn measured(&mut self, leaf: usize, blocks: u32) {
        if let Some(table) = self.leaves.get(leaf).and_then(|n| self.tables.get_mut(*n)) {
            table.blocks = Some(blocks);
        }
    }

    /// Rows of a leaf, and those of them that were drawn.
    pub fn add(&mut self, leaf: usize, rows: u64, drawn: Vec<Row>) {
        let Some(table) = self.leaves.get(leaf).and_then(|n| self.tables.get_mut(*n)) else { return };
        table.rows += rows;
        let Some(sample) = table.sample.as_mut().filter(|_| !self.given_up) else { return };
        drawn.into_iter().for_each(|row| sample.add(row));
        if sample.bytes() > self.most {
            self.give_up();
        }
    }

    /// All rows of a leaf have come: what can be worked out now.
    pub fn complete(&mut self, leaf: usize) -> Vec<Task> {
        let Some(number) = self.leaves.get(leaf).copied().filter(|_| !self.given_up) else { return Vec::new() };
        let Some((within, rows)) = self.tables.get(number).map(|t| (t.table.within.clone(), t.rows)) else {
            return Vec::new();
        };
        let Some(sample) = self.close(number) else { return Vec::new() };
        let mut tasks = self.tasks(number, &sample);
        for above in within {
            let Some(table) = self.tables.get_mut(above) else { continue };
            table.rows += rows;
            let Some(all) = table.sample.as_mut() else { continue };
            all.add_all(&sample);
            if all.bytes() > self.most {
                self.give_up();
                return Vec::new();
            }
            if let Some(sample) = self.close(above) {
                tasks.extend(self.tasks(above, &sample));
            }
        }
        tasks
    }

    /// One more of its leaves is complete; its sample, if that was the last one.
    fn close(&mut self, number: usize) -> Option<Arc<Rows>> {
        let table = self.tables.get_mut(number)?;
        table.waiting = table.waiting.checked_sub(1)?;
        let sample = table.sample.take_if(|_| table.waiting == 0)?;
        Some(Arc::new(sample.finish(self.attributes.len())))
    }

    fn tasks(&self, number: usize, sample: &Arc<Rows>) -> Vec<Task> {
        let Some(table) = self.tables.get(number) else { return Vec::new() };
        let wanted = self
            .how
            .iter()
            .zip(&table.table.targets)
            .enumerate()
            .filter(|(_, (how, target))| how.is_some() && **target > 0);
        wanted
            .map(|(column, (_, target))| Task {
                table: number,
                column,
                how: Arc::clone(&self.how),
                target: *target,
                sample: Arc::clone(sample),
                rows: table.rows,
            })
            .collect()
    }

    fn give_up(&mut self) {
        self.given_up = true;
        self.tables.iter_mut().for_each(|table| table.sample = None);
    }

    /// Stores what was worked out.
    pub fn store(&mut self, described: &Described) {
        let Described { table, column, found } = described;
        let Some((table, attribute)) = self.tables.get(*table).zip(self.attributes.get(*column)) else { return };
        match found {
            Some(found) => store::column(&table.table, attribute, *column, found),
            // A table without rows has no statistics.
            None => self.given_up |= table.rows > 0,
        }
    }

    /// Sizes of tables and indexes, and what is left to the server: columns whose order only it knows, and the whole table where there
    /// are statistics of expressions or of several columns, or the samples were too large.
    pub fn finish(self, target: &TableName) -> Result<()> {
        let oids: Vec<pg_sys::Oid> = self.tables.iter().map(|t| t.table.oid).collect();
        if self.given_up || columns::need_server(&oids)? {
            return analyze(target, &[]);
        }
        self.tables.iter().for_each(|table| store::relation(table.table.oid, table.rows, table.blocks));
        let others = self.attributes.iter().zip(self.how.iter()).filter(|(_, how)| how.is_none());
        let others: Vec<&str> = others.map(|(attribute, _)| attribute.name.as_str()).collect();
        pgrx::debug1!(
            "statistics of {} columns of {} tables are made of the rows that were read back",
            self.how.len() - others.len(),
            oids.len()
        );
        if others.is_empty() { Ok(()) } else { analyze(target, &others) }
    }
}

/// The server's own statistics, of these columns only, or of all where none are named.
pub fn analyze(table: &TableName, columns: &[&str]) -> Result<()> {
    let columns: Vec<String> = columns.iter().map(|name| quote_ident(name)).collect();
    let list = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
    Ok(Spi::run(&format!("ANALYZE {}{list}", quote_table(table)))?)
}
