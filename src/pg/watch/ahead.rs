//! What is expected of every shard, hour by hour: its stored history to the forecaster, a few shards a tick, so that all of them are looked
//! at again within an hour or so.

use crate::pg::error::Result;
use foreshard_core::health::{expected, surprised};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::collections::BTreeMap;

pub const HOUR: i64 = 3_600;
/// Shards whose forecast is made in one tick. Measured (benches/monitor.sh says what a tick takes): a fit of four weeks of hours takes some
/// milliseconds.
const FITS: usize = 3;

#[derive(Debug, Default)]
pub struct Ahead {
    /// By shard: the hour that it was made in, and the work of the hours from then on. Without enough history there are none.
    made: BTreeMap<u32, (i64, Vec<f64>)>,
}

impl Ahead {
    /// Makes some of the forecasts that are not of this hour.
    pub fn refresh(&mut self, shards: &[u32], now: i64, slots: usize) -> Result<()> {
        self.made.retain(|shard, _| shards.contains(shard));
        let hour = now.div_euclid(HOUR);
        let mut due: Vec<(i64, u32)> = shards
            .iter()
            .map(|shard| (self.made.get(shard).map_or(i64::MIN, |(made, _)| *made), *shard))
            .filter(|(made, _)| *made < hour)
            .collect();
        due.sort_unstable();
        for (_, shard) in due.into_iter().take(FITS) {
            pgrx::check_for_interrupts!();
            let history = history(shard)?;
            let found = expected(&history, f64::NAN, HOUR, slots);
            self.made.insert(shard, (hour, if found.forecast { found.work } else { Vec::new() }));
        }
        Ok(())
    }

    pub fn is_forecast(&self, shard: u32) -> bool {
        self.made.get(&shard).is_some_and(|(_, work)| !work.is_empty())
    }

    /// The hours from now on, with what it does now.
    pub fn of(&self, shard: u32, work_now: f64, now: i64, slots: usize) -> Vec<f64> {
        match self.made.get(&shard) {
            Some((made, work)) if !work.is_empty() => {
                let gone = usize::try_from(now.div_euclid(HOUR) - made).unwrap_or(0);
                let mut ahead = work.get(gone.min(work.len() - 1)..).unwrap_or_default().to_vec();
                ahead.resize(slots, work.last().copied().unwrap_or_default());
                surprised(&ahead, work_now, HOUR)
            }
            _ => expected(&[], work_now, HOUR, slots).work,
        }
    }
}

/// Unix times and the highest minute of a shard's hours.
fn history(shard: u32) -> Result<Vec<(i64, f64)>> {
    let query = "SELECT (pg_catalog.floor(extract(epoch FROM slot) / 3600) * 3600)::pg_catalog.int8, max(coalesce(peak, work / watched)) FROM foreshard._load
        WHERE shard = $1 AND watched > 0 GROUP BY 1 ORDER BY 1";
    Ok(Spi::connect(|client| {
        let mut found = Vec::new();
        for row in client.select(query, None, &[pg_sys::Oid::from(shard).into()])? {
            found.extend(row.get::<i64>(1)?.zip(row.get::<f64>(2)?));
        }
        Ok::<_, pgrx::spi::Error>(found)
    })?)
}
