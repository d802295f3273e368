//! The sample: some rows of each table, read in one pass over its rows.

use super::designs::follow;
use super::values::Pool;
use crate::pg::archive::{Backup, Data};
use crate::pg::definition::Definitions;
use crate::pg::error::Result;
use crate::pg::load::Reading;
use foreshard_core::backup::sampler::{Sample, Sampler};
use foreshard_core::key::{Families, Level};
use foreshard_core::model::{ReplayConfig, Schema, Table, TableName};
use std::collections::{BTreeMap, BTreeSet};

/// Groups for each shard below which rows are taken out of groups rather than groups out of the sample. Assumed: with
/// fewer, many shards are empty.
const GROUPS_PER_SHARD: usize = 2;
/// One row in so many is kept out of its table at most, to be inserted.
const FRESH_ONE_IN: usize = 20;

/// What is sampled, of what.
#[derive(Debug)]
pub struct Sampling<'a> {
    pub backup: &'a Backup,
    pub definitions: &'a Definitions,
    pub schema: &'a Schema,
    pub families: &'a Families,
    pub config: &'a ReplayConfig,
    pub source: &'a TableName,
    /// Rows with the same value of its key are kept together, in all tables.
    pub leading: Option<Level<'a>>,
}

impl Sampling<'_> {
    pub fn pools(&self, tables: &BTreeSet<TableName>) -> Result<BTreeMap<TableName, Pool>> {
        let mut samples: BTreeMap<TableName, Sample> = BTreeMap::new();
        for name in tables {
            let Some(table) = self.schema.get(name) else { continue };
            let encoding = self.definitions.encoding.as_deref();
            let data = self.backup.data(&self.definitions.data_tables(name), &[], encoding)?;
            samples.insert(name.clone(), self.sample(table, data)?);
        }
        Sample::agree(&mut samples.values_mut().collect::<Vec<_>>());
        let fresh = usize::try_from(self.config.runs).unwrap_or(usize::MAX);
        let pool = |mut sample: Sample| {
            let fresh = sample.hold_out(fresh, FRESH_ONE_IN);
            Pool { fresh, rows: sample.into_rows() }
        };
        Ok(samples.into_iter().map(|(name, sample)| (name, pool(sample))).collect())
    }

    fn sample(&self, table: &Table, mut data: Data) -> Result<Sample> {
        let leading = self.leading;
        let groups = leading.map_or(1, |c| c.count as usize * GROUPS_PER_SHARD);
        let key = leading.and_then(|c| match table.name == *self.source {
            true => Some(c.key.to_vec()),
            false => follow(self.families, self.source, c.key, table),
        });
        let group: Vec<usize> = key
            .unwrap_or_default()
            .iter()
            .filter_map(|name| table.columns.iter().position(|c| c.name == *name))
            .collect();
        let mut sampler = Sampler::new(self.config.rows as usize, groups, self.config.seed);
        let stored: Vec<usize> = (0..table.columns.len()).filter(|i| !is_generated(table, *i)).collect();
        let mut chunk = Vec::new();
        while let Some(section) = data.next_section()? {
            // Place in the section's fields of each column of the table.
            let places: Vec<Option<usize>> = (0..table.columns.len())
                .map(|i| match &section.columns {
                    None => stored.iter().position(|s| *s == i),
                    Some(names) => names.iter().position(|n| table.columns.get(i).is_some_and(|c| c.name == *n)),
                })
                .collect();
            let width = section.columns.as_ref().map_or(stored.len(), Vec::len);
            let mut reading = Reading::new(&section, Some(width))?;
            let mut look = |row: foreshard_core::backup::rows::Row<'_>| {
                let given: Vec<Option<&[u8]>> = row.fields().collect();
                let fields: Vec<Option<&[u8]>> =
                    places.iter().map(|p| p.and_then(|p| given.get(p).copied().flatten())).collect();
                let group: Vec<Option<&[u8]>> = group.iter().map(|i| fields.get(*i).copied().flatten()).collect();
                sampler.row(&group, &fields);
            };
            while data.next_chunk(&mut chunk)? {
                reading.push(&chunk, &mut look)?;
            }
            reading.finish(&mut look)?;
        }
        data.finish()?;
        Ok(sampler.finish())
    }
}

fn is_generated(table: &Table, column: usize) -> bool {
    table.columns.get(column).is_some_and(|c| c.generated)
}
