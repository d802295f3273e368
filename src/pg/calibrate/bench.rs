//! What is measured by one process: COPY, a scan, planning over partitions. And of single-row statements, how many clients
//! get how far.

use super::client::{Client, Task, create};
use super::crew::{Crew, Ground};
use super::{scratch_name, tenths};
use crate::pg::archive::Data;
use crate::pg::error::Result;
use crate::pg::ffi::quote_table;
use crate::pg::load;
use foreshard_core::capacity::Point;
use foreshard_core::model::config::Verify;
use foreshard_core::model::{Problem, TableName};
use pgrx::prelude::*;
use std::io::Read;
use std::time::{Duration, Instant};

/// Parts of the whole time.
const COPY: f64 = 0.15;
const SCAN: f64 = 0.10;
const PLANNING: f64 = 0.15;
const READS: f64 = 0.3;
const WRITES: f64 = 0.3;
/// Bytes of text that COPY gets at most, which is about what is then on disk.
pub const MOST_BYTES: u64 = 64 << 20;
/// Partitions of the two tables that statements are planned over.
const FEW: u32 = 8;
const MANY: u32 = 64;

/// Where, and for how long.
#[derive(Debug)]
pub struct Bench<'a> {
    pub schema: &'a str,
    /// None: the database's own.
    pub tablespace: Option<&'a str>,
    pub ground: Ground,
    pub seconds: f64,
    pub clients: u32,
    /// No other process can work for this role.
    pub alone: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    pub reads: Vec<Point>,
    pub writes: Vec<Point>,
    pub copied_rows: f64,
    pub copied_mb: f64,
    pub scanned_mb: f64,
    /// Microseconds that one more partition adds to planning.
    pub planning: f64,
    /// What was done to the log for each write.
    pub logged: &'static str,
    /// Why there were fewer clients than asked for.
    pub fewer: Option<String>,
}

impl Bench<'_> {
    /// Measures all of it. What it makes must be rolled back.
    pub fn run(&self) -> Result<Figures> {
        let (reads, writes, fewer) = self.statements()?;
        let (copied_rows, copied_bytes) = self.copy()?;
        let (copied_rows, copied_mb) = (copied_rows.round(), tenths(copied_bytes / 1e6));
        let scanned_mb = tenths(self.scan()? / 1e6);
        let planning = tenths(self.planning()?);
        Ok(Figures { reads, writes, copied_rows, copied_mb, scanned_mb, planning, logged: logged()?, fewer })
    }

    fn share(&self, of: f64) -> Duration {
        Duration::from_secs_f64(self.seconds * of)
    }

    fn table(&self, suffix: &str) -> TableName {
        TableName::new(self.schema, format!("{}{suffix}", scratch_name()))
    }

    /// Rows and bytes a second, as a restore loads them: parsed, hashed, stored.
    fn copy(&self) -> Result<(f64, f64)> {
        let table = self.table("");
        create(&quote_table(&table), self.tablespace)?;
        let columns = load::load_columns(&table)?;
        let begun = Instant::now();
        let rows = MadeRows { next: 1, most: MOST_BYTES, until: begun + self.share(COPY) };
        let here = load::Destination::here(&table, &columns, Verify::Checksum);
        let loaded = load::load(Data::made_up(rows), here, load::Reached::default(), |_| ())?.reached;
        let took = begun.elapsed().as_secs_f64();
        Ok((loaded.rows as f64 / took, loaded.bytes as f64 / took))
    }

    /// Bytes a second of a scan by one process, from the cache that the rows were just written to.
    fn scan(&self) -> Result<f64> {
        let table = quote_table(&self.table(""));
        let size: i64 = Spi::get_one_with_args(
            "SELECT pg_catalog.pg_relation_size($1::pg_catalog.regclass)",
            &[table.clone().into()],
        )?
        .unwrap_or(0);
        let query = format!("SELECT pg_catalog.count(*) FROM {table} WHERE value OPERATOR(pg_catalog.<) 0");
        let begun = Instant::now();
        let mut times = 0.0;
        while times == 0.0 || begun.elapsed() < self.share(SCAN) {
            Spi::run(&query)?;
            times += 1.0;
        }
        Ok(size as f64 * times / begun.elapsed().as_secs_f64())
    }

    /// The slope of the planner's own time between few and many partitions, for a statement that cannot leave any out.
    fn planning(&self) -> Result<f64> {
        let mut ms = [0.0; 2];
        for (slot, partitions) in ms.iter_mut().zip([FEW, MANY]) {
            let parent = quote_table(&self.table(&format!("_{partitions}")));
            Spi::run(&format!(
                "CREATE TABLE {parent} (id pg_catalog.int4 PRIMARY KEY, value pg_catalog.int4) PARTITION BY HASH (id)"
            ))?;
            for part in 0..partitions {
                let name = quote_table(&self.table(&format!("_{partitions}_{part}")));
                Spi::run(&format!(
                    "CREATE TABLE {name} PARTITION OF {parent} FOR VALUES WITH (MODULUS {partitions}, REMAINDER {part})"
                ))?;
            }
            let query = format!(
                "EXPLAIN (FORMAT JSON, COSTS OFF, SUMMARY ON) SELECT * FROM {parent} WHERE value OPERATOR(pg_catalog.=) 1"
            );
            // The first one fills the caches of the catalog.
            planned(&query)?;
            let begun = Instant::now();
            let mut times = vec![planned(&query)?];
            while begun.elapsed() < self.share(PLANNING / 2.0) {
                times.push(planned(&query)?);
            }
            times.sort_by(f64::total_cmp);
            *slot = times.get(times.len() / 2).copied().unwrap_or(0.0);
        }
        let [few, many] = ms;
        Ok((many - few).max(0.0) * 1e3 / f64::from(MANY - FEW))
    }

    /// Look-ups and writes at 1, 2, 4, … clients; at one in this process where no other can be had.
    fn statements(&self) -> Result<(Vec<Point>, Vec<Point>, Option<String>)> {
        let crew = if self.alone { None } else { Crew::hire(self.clients, self.ground) };
        let most = crew.as_ref().map_or(1, |c| c.clients);
        let steps: Vec<u32> =
            std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|n| *n < most).chain([most]).collect();
        let mut own = match crew {
            Some(_) => None,
            None => Some(Client::new(&self.table("_1"), self.tablespace)?),
        };
        let mut measure = |task: Task, share: f64| -> Result<Vec<Point>> {
            let window = self.share(share / steps.len() as f64);
            let mut points = Vec::new();
            for clients in &steps {
                let rate = match (&crew, &mut own) {
                    (Some(crew), _) => crew.rate(task, *clients, window),
                    (None, Some(own)) => alone(own, task, window)?,
                    (None, None) => 0.0,
                };
                points.push(Point { clients: f64::from(*clients), rate });
            }
            Ok(points)
        };
        let (reads, writes) = (measure(Task::Read, READS)?, measure(Task::Write, WRITES)?);
        let fewer = (most < self.clients).then(|| match (self.alone, crew.is_some()) {
            (true, _) => "this role may not log in, so that no process could work for it".to_owned(),
            (false, true) => "max_worker_processes left no more free".to_owned(),
            (false, false) => "max_worker_processes left none free".to_owned(),
        });
        Ok((reads, writes, fewer))
    }
}

fn logged() -> Result<&'static str> {
    let query = "SELECT pg_catalog.current_setting('wal_level') OPERATOR(pg_catalog.=) 'minimal',
                        pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.=) 'off'";
    Ok(match Spi::get_two::<bool, bool>(query)? {
        (Some(true), _) => "not logged, since wal_level is minimal and the table new",
        (_, Some(true)) => "their log not flushed, since synchronous_commit is off",
        _ => "each flushed like a commit",
    })
}

fn alone(client: &mut Client, task: Task, window: Duration) -> Result<f64> {
    let begun = Instant::now();
    let mut done = 0;
    while done == 0 || begun.elapsed() < window {
        pgrx::check_for_interrupts!();
        done += client.work(task)?;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

/// Milliseconds that the planner says it took.
fn planned(explain: &str) -> Result<f64> {
    let document: Option<pgrx::Json> = Spi::get_one(explain)?;
    let time = document.as_ref().and_then(|d| d.0.pointer("/0/Planning Time")?.as_f64());
    time.ok_or_else(|| Problem::new("XX000", "the server does not say how long planning took").into())
}

/// COPY text of rows like the clients' own, until there is no time or no room left.
struct MadeRows {
    next: u64,
    most: u64,
    until: Instant,
}

impl Read for MadeRows {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        const FILLER: [u8; 84] = [b'x'; 84];
        let mut end = 0;
        // One block at least, so that there is something to scan.
        if self.next > 1 && (Instant::now() >= self.until || self.most == 0) {
            return Ok(0);
        }
        loop {
            let head = format!("{}\t0\t", self.next);
            let length = head.len() + FILLER.len() + 1;
            let Some(row) = buffer.get_mut(end..end + length) else { break };
            let parts = head.bytes().chain(FILLER).chain([b'\n']);
            row.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
            end += length;
            self.next += 1;
        }
        self.most = self.most.saturating_sub(end as u64);
        Ok(end)
    }
}
