//! Rows to the servers where their shards live: what threads could not tell, or a whole section that they cannot read.
//!
//! This backend tells each row's shard by the same router as the threads, writes the row down as COPY text, and sends it. What
//! belongs to a shard here goes through COPY.

use super::LoadColumn;
use super::canonical::Canonical;
use super::copy::{count, in_memory};
use super::reading::{Reading, cannot_compare, places};
use super::shape::Routing;
use crate::pg::archive::{Data, Section};
use crate::pg::error::Result;
use crate::pg::progress;
use crate::pg::remote::{Form, Staging};
use foreshard_core::backup::checksum::{Checksum, RowHasher};
use foreshard_core::backup::rows::{Row, write_row};
use foreshard_core::model::{Problem, TableName};
use pgrx::PgMemoryContexts;

/// Bytes of rows for COPY that are kept until it is worth its while.
const KEPT: usize = 8 << 20;

/// Who sends rows, and how it tells where to.
#[derive(Debug)]
pub struct Sender<'a> {
    pub staging: &'a mut Staging,
    pub routing: Routing,
    pub columns: &'a [LoadColumn],
    pub target: &'a TableName,
    pub summed: bool,
}

/// Rows that belong to shards here, as COPY text, are what `copy` takes; gives the checksum of those that went away.
impl Sender<'_> {
    pub fn send(
        &mut self,
        data: &mut Data,
        section: &Section,
        mut copy: impl FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<(Checksum, u64)> {
        let fields = places(section, self.columns).ok_or_else(|| cannot_compare(section))?;
        let mut batch = Batch {
            away: vec![Vec::new(); self.staging.groups()],
            here: Vec::new(),
            key: self.routing.key.iter().filter_map(|column| fields.get(*column).copied()).collect(),
            values: self.summed.then(|| (self.columns.iter().map(Canonical::new).collect(), fields)),
            hasher: RowHasher::new(),
            checksum: Checksum::default(),
            lost: None,
        };
        let mut reading = Reading::new(section, None)?;
        let mut memory = PgMemoryContexts::new("foreshard rows to send");
        let (mut block, mut bytes) = (Vec::new(), 0);
        loop {
            let more = data.next_chunk(&mut block)?;
            let before = batch.checksum.rows;
            let looked = in_memory(&mut memory, || match more {
                true => reading.push(&block, |row| batch.take(&row, &self.routing, self.staging.places())),
                false => reading.finish(|row| batch.take(&row, &self.routing, self.staging.places())),
            });
            looked?;
            if let Some(row) = batch.lost {
                return Err(Problem::new("0A000", format!("it cannot be told which shard row {row} belongs to"))
                    .detail(format!(
                        "The text of its shard key is not one that PostgreSQL writes, or no shard of {} takes it.",
                        self.target
                    ))
                    .hint("Dump the table again with pg_dump, or restore it to nodes of this server.")
                    .into());
            }
            for (place, rows) in (0..).zip(&mut batch.away) {
                self.staging.put(place, Form::Text, rows)?;
                rows.clear();
            }
            if more {
                bytes += block.len() as u64;
                progress::advance(block.len(), batch.checksum.rows - before);
            }
            if batch.here.len() >= KEPT || !more && !batch.here.is_empty() {
                copy(std::mem::take(&mut batch.here))?;
            }
            if !more {
                return Ok((batch.checksum, bytes));
            }
        }
    }
}

/// Rows on their way.
struct Batch {
    away: Vec<Vec<u8>>,
    here: Vec<u8>,
    /// Which fields of a row are its key.
    key: Vec<usize>,
    values: Option<(Vec<Canonical>, Vec<usize>)>,
    hasher: RowHasher,
    checksum: Checksum,
    /// The first row that does not tell where it belongs.
    lost: Option<u64>,
}

impl Batch {
    fn take(&mut self, row: &Row<'_>, routing: &Routing, places: &[Option<u32>]) {
        let fields: Vec<Option<&[u8]>> = row.fields().collect();
        let key: Vec<Option<&[u8]>> = self.key.iter().map(|n| fields.get(*n).copied().flatten()).collect();
        let Some(place) = routing.router.shard_of(&key).and_then(|shard| places.get(usize::try_from(shard).ok()?))
        else {
            self.lost = self.lost.or(Some(row.number()));
            return;
        };
        let Some(place) = place.and_then(|place| usize::try_from(place).ok()) else {
            return write_row(fields, &mut self.here);
        };
        count(row, &mut self.values, &mut self.hasher, &mut self.checksum);
        if let Some(rows) = self.away.get_mut(place) {
            write_row(fields, rows);
        }
    }
}
