//! One look at pg_stat_statements, where it is installed: what the statements on each table were counted since the one before.
//!
//! Which tables a statement is about is read from its text once, when it is first seen.

use crate::pg::error::Result;
use crate::pg::querylog::Live;
use crate::pg::{catalog, ffi};
use foreshard_core::forecast::Counts;
use foreshard_core::health::StatementCounts;
use foreshard_core::model::{Schema, Table, TableName};
use foreshard_core::workload::{self, AnalyzeOptions};
use pgrx::pg_sys;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Statements {
    counts: StatementCounts<(i64, String)>,
    /// The tables that each known statement is about.
    about: BTreeMap<i64, Vec<u32>>,
    /// The tables that `about` was made for.
    tables: Vec<u32>,
}

impl Statements {
    /// Calls and milliseconds of the statements on each of the tables, whether these name the table or one of its shards; None where
    /// nothing can be said: the first time, and without pg_stat_statements.
    pub fn look(&mut self, shards: &[super::measure::Shard]) -> Result<Option<Vec<(pg_sys::Oid, f64, f64)>>> {
        let Some(name) = catalog::extension_relation("pg_stat_statements")? else {
            *self = Self::default();
            return Ok(None);
        };
        let live = Live::of(&name)?;
        let Some(grown) = self.counts.look(live.counts()?) else { return Ok(None) };
        let mut tables: Vec<u32> = shards.iter().flat_map(|s| [s.relation.to_u32(), s.shard.to_u32()]).collect();
        tables.sort_unstable();
        tables.dedup();
        if tables != self.tables {
            self.about.clear();
            self.tables = tables;
        }
        let unknown: Vec<i64> =
            grown.iter().map(|((id, _), _)| *id).filter(|id| !self.about.contains_key(id)).collect();
        if !unknown.is_empty() {
            self.read(&live, &unknown, shards)?;
        }
        let mut found: BTreeMap<u32, (f64, f64)> = shards.iter().map(|s| (s.relation.to_u32(), (0.0, 0.0))).collect();
        for ((id, _), Counts { calls, total_milliseconds, .. }) in &grown {
            for table in self.about.get(id).into_iter().flatten() {
                let entry = found.entry(*table).or_default();
                entry.0 += calls;
                entry.1 += total_milliseconds;
            }
        }
        Ok(Some(found.into_iter().map(|(table, (calls, ms))| (pg_sys::Oid::from(table), calls, ms)).collect()))
    }

    /// Finds out what statements are about.
    fn read(&mut self, live: &Live, ids: &[i64], shards: &[super::measure::Shard]) -> Result<()> {
        let of: BTreeMap<u32, u32> = shards
            .iter()
            .flat_map(|s| [(s.relation, s.relation), (s.shard, s.relation)])
            .map(|(named, table)| (named.to_u32(), table.to_u32()))
            .collect();
        let named = catalog::names_of(&of.keys().map(|oid| pg_sys::Oid::from(*oid)).collect::<Vec<_>>())?;
        let names: BTreeMap<TableName, u32> =
            named.into_iter().filter_map(|(oid, name)| Some((name, *of.get(&oid.to_u32())?))).collect();
        let table = |name: &TableName| Table {
            name: name.clone(),
            columns: Vec::new(),
            unique_keys: Vec::new(),
            foreign_keys: Vec::new(),
        };
        let schema = Schema::new(names.keys().map(table).collect());
        let options = AnalyzeOptions { interrupts: ffi::interrupts(), ..AnalyzeOptions::default() };
        self.about.extend(ids.iter().map(|id| (*id, Vec::new())));
        for statement in workload::analyze(&schema, &live.entries(ids)?, &options).statements {
            let mut about: Vec<u32> =
                statement.tables.iter().filter_map(|used| names.get(&used.table).copied()).collect();
            about.sort_unstable();
            about.dedup();
            self.about.insert(statement.id, about);
        }
        Ok(())
    }
}
