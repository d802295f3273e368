//! Copies of pg_stat_statements with the time of each: the load of the statements that touch a table.

use super::{MAX_ROWS, cut, finite, unix, unreadable};
use crate::pg::error::Result;
use crate::pg::ffi;
use crate::pg::querylog::Shape;
use foreshard_core::forecast::{Copies, Counts, rates};
use foreshard_core::model::statement::StatementKind;
use foreshard_core::model::words::{counted, thousands};
use foreshard_core::model::workload::LogEntry;
use foreshard_core::model::{Config, LoadHistory, Measured, Metric, Schema, TableName};
use foreshard_core::workload::{self, AnalyzeOptions};
use pgrx::prelude::*;
use std::collections::BTreeSet;

/// Copies of the query log with the time at which each was taken.
#[derive(Debug)]
pub struct LogCopies {
    shape: Shape,
    time: String,
    statements: Vec<LogEntry>,
}

impl LogCopies {
    pub(super) fn of(name: &TableName, time: String) -> Result<Self> {
        let shape = Shape::of(name)?;
        let statements = shape.distinct()?;
        Ok(Self { shape, time, statements })
    }

    /// The load of all statements.
    pub(super) fn of_all(&self) -> Result<LoadHistory> {
        self.of_statements(&Wanted::default(), String::new())
    }

    /// The load of the statements that touch a table.
    pub(super) fn of_table(
        &self,
        schema: &Schema,
        table: &TableName,
        rows: Option<u64>,
        config: &Config,
    ) -> Result<LoadHistory> {
        let options = AnalyzeOptions {
            min_calls: config.min_calls.unwrap_or(0.0),
            interrupts: ffi::interrupts(),
            ..AnalyzeOptions::default()
        };
        let workload = workload::analyze(schema, &self.statements, &options);
        let mut wanted = Wanted { rows: rows.map(|r| r as f64), ..Wanted::default() };
        let mut ids = BTreeSet::new();
        for statement in &workload.statements {
            for used in statement.tables.iter().filter(|u| u.table == *table) {
                ids.insert(statement.id);
                // Of ON CONFLICT nobody knows which rows were there already.
                if used.inserted && used.updated.is_empty() {
                    wanted.inserts.insert(statement.id);
                } else if used.written && statement.kind == StatementKind::Delete {
                    wanted.deletes.insert(statement.id);
                }
            }
        }
        let source = format!("copies of the query log in {}", self.shape.name);
        if ids.is_empty() {
            let notes = vec![format!("no statement of them touches {table}")];
            return Ok(LoadHistory { source, notes, ..LoadHistory::default() });
        }
        let of = counted(self.statements.len() as u64, "statement");
        let which = format!(", the {} of {of} that touch {table}", thousands(ids.len() as u64));
        wanted.ids = Some(ids);
        self.of_statements(&wanted, which)
    }

    fn of_statements(&self, wanted: &Wanted, which: String) -> Result<LoadHistory> {
        let source = format!("copies of the query log in {}{which}", self.shape.name);
        let mut history = LoadHistory { source, ..LoadHistory::default() };
        let copies = self.fetch(wanted, &mut history.notes)?;
        let found = [(copies.resets, "times a statement's counters fell"), (copies.damaged, "rows had no counts")];
        let told = found.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", thousands(*n as u64)));
        history.notes.extend(told);
        match rates(&copies.totals()) {
            Ok(rates) => {
                let rows = wanted.rows.map(|now| copies.rows(now)).unwrap_or_default();
                let series = [
                    (Metric::Rate, Metric::Rate.name(), rates.calls_per_second),
                    (Metric::MeanMs, Metric::MeanMs.name(), rates.mean_milliseconds),
                    (Metric::Sessions, Metric::Sessions.name(), rates.concurrency),
                    (Metric::Rows, "rows inserted less deleted", rows),
                ];
                history.measured = series
                    .into_iter()
                    .filter(|(_, _, samples)| !samples.is_empty())
                    .map(|(metric, name, samples)| Measured { metric, name: name.to_owned(), samples })
                    .collect();
                if rates.skipped > 0 {
                    history.notes.push(format!("{} copies lay more than a day after the one before", rates.skipped));
                }
            }
            Err(problem) => history.notes.push(problem.message),
        }
        Ok(history)
    }

    fn fetch(&self, wanted: &Wanted, notes: &mut Vec<String>) -> Result<Copies<(i64, String)>> {
        let (id, name) = (self.shape.id(), &self.shape.name);
        let identity: Vec<String> = self.shape.identity.iter().map(|c| format!(", l.{c}::pg_catalog.text")).collect();
        let query = format!(
            "SELECT {}, {id}, pg_catalog.concat_ws('/', ''{}), l.calls::pg_catalog.float8, {}::pg_catalog.float8, {}::pg_catalog.float8
             FROM {} l WHERE {} AND ($1 IS NULL OR {id} = ANY ($1)) ORDER BY 1 DESC, 2, 3, 4 DESC, 5 DESC, 6 DESC LIMIT {}",
            unix(&self.time),
            identity.concat(),
            self.shape.time,
            self.shape.rows,
            ffi::quote_table(name),
            finite(&self.time),
            MAX_ROWS + 1
        );
        let ids: Option<Vec<i64>> = wanted.ids.as_ref().map(|ids| ids.iter().copied().collect());
        let mut rows: Vec<(i64, (i64, String), Counts)> = Vec::new();
        let fetched = ffi::subtransaction(true, || {
            Ok(Spi::connect(|client| {
                for row in client.select(&query, None, &[ids.into()])? {
                    let Some(time) = row.get::<i64>(1)? else { continue };
                    let id = row.get(2)?.unwrap_or_default();
                    let changed = row.get::<f64>(6)?.unwrap_or_default();
                    let counts = Counts {
                        calls: row.get(4)?.unwrap_or(f64::NAN),
                        total_milliseconds: row.get(5)?.unwrap_or(f64::NAN),
                        inserted: if wanted.inserts.contains(&id) { changed } else { 0.0 },
                        deleted: if wanted.deletes.contains(&id) { changed } else { 0.0 },
                    };
                    rows.push((time, (id, row.get(3)?.unwrap_or_default()), counts));
                }
                Ok::<_, pgrx::spi::Error>(())
            })?)
        });
        fetched.map_err(|e| unreadable(e, name))?;
        if rows.len() > MAX_ROWS {
            // The oldest copy is not whole.
            let oldest = rows.last().map(|r| r.0);
            rows.retain(|r| Some(r.0) != oldest);
            notes.push(cut(rows.last().map(|r| r.0)));
        }
        let mut copies = Copies::default();
        for (time, statement, counts) in rows.into_iter().rev() {
            copies.add(time, statement, counts);
        }
        Ok(copies)
    }
}

/// Which statements of the copies count, and what they do.
#[derive(Debug, Default)]
struct Wanted {
    /// None for all.
    ids: Option<BTreeSet<i64>>,
    inserts: BTreeSet<i64>,
    deletes: BTreeSet<i64>,
    /// Rows of the table now.
    rows: Option<f64>,
}
