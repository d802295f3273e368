//! The look at a table's rows before planning: none, the first ones, or all of them, or what the server knows of them; and all after all, where a plan that was
//! made by the first ones stands on more than they tell.

use super::archive::{Backup, Stored};
use super::definition::{Definition, Definitions};
use super::error::Result;
use super::load::{self, Wanted, orders};
use super::progress;
use foreshard_core::backup::profile::Sampled;
use foreshard_core::backup::profile::extent::{Pass, SAMPLE_BYTES, needed_after, needed_by, not_read};
use foreshard_core::backup::profile::statistics::rows_needed_after;
use foreshard_core::model::config::Profiling;
use foreshard_core::model::profile::{ProfileKind, Profiled};
use foreshard_core::model::{Config, Plan, TableName, TableProfile};

/// Where the rows are, and what is asked.
#[derive(Debug)]
pub struct Rows<'a> {
    pub backup: &'a Backup,
    pub definitions: &'a Definitions,
    pub stored: &'a Stored,
    pub definition: &'a Definition,
    pub config: &'a Config,
}

/// What was seen.
#[derive(Debug)]
pub struct Look {
    pub profile: Option<TableProfile>,
    /// Of a sample, or of statistics, that may not be enough: the columns that they do not tell.
    untold: Option<Vec<String>>,
    pub told: Profiled,
}

impl Rows<'_> {
    /// As the config asks.
    pub fn look(&self) -> Result<Look> {
        match self.config.profile {
            Profiling::Off => Ok(Look { profile: None, untold: None, told: not_read() }),
            Profiling::On => match self.by_statistics()? {
                Some(Ok(look)) => Ok(look),
                Some(Err(stale)) => self.read(Profiling::On, Some(stale)),
                None => {
                    let parts = self.backup.parts_of(&self.tables(), self.stored);
                    self.read(Profiling::On, needed_by(self.config, parts))
                }
            },
            Profiling::Statistics => {
                let statistics = self.backup.statistics()?;
                let profile = statistics.profile(&orders(&self.definition.table)).profile;
                Ok(Look { profile: Some(profile), untold: None, told: statistics.told(Profiling::Statistics) })
            }
            asked => self.read(asked, None),
        }
    }

    /// What the server knows of a large live table, or why that does not stand for it; None for all others, whose rows are soon read.
    fn by_statistics(&self) -> Result<Option<std::result::Result<Look, String>>> {
        let large = self.stored.sum(&self.tables()).is_some_and(|rows| rows.bytes > SAMPLE_BYTES);
        if self.backup.live().is_none() || !large {
            return Ok(None);
        }
        let statistics = self.backup.statistics()?;
        Ok(Some(statistics.fresh().map(|_| {
            let Sampled { profile, untold } = statistics.profile(&orders(&self.definition.table));
            Look { profile: Some(profile), untold: Some(untold), told: statistics.told(Profiling::On) }
        })))
    }

    /// All rows, if `plan`, made by the first look, needs them.
    pub fn look_again(&self, first: &Look, plan: &Plan) -> Result<Option<Look>> {
        let needed = first.untold.as_ref().and_then(|untold| match first.told.kind {
            ProfileKind::Statistics => rows_needed_after(plan, untold),
            _ => needed_after(plan, untold),
        });
        needed.map(|because| self.read(Profiling::On, Some(because))).transpose()
    }

    fn tables(&self) -> Vec<TableName> {
        self.definitions.data_tables(&self.definition.table.name)
    }

    /// `needed`: why all rows are read.
    fn read(&self, asked: Profiling, needed: Option<String>) -> Result<Look> {
        let Self { backup, definitions, stored, definition, .. } = self;
        progress::phase(progress::Phase::Profiling);
        let tables = self.tables();
        let data = backup.data(&tables, &[], definitions.encoding.as_deref())?;
        let bound = if needed.is_some() || asked == Profiling::Whole { u64::MAX } else { SAMPLE_BYTES };
        let wanted = Wanted { asked, bound, stored: backup.stored_bytes(&tables, stored) };
        let (sampled, pass) = load::profile(data, &definition.table, wanted)?;
        let told = pass.told(asked, needed);
        let part = matches!(pass, Pass::Stopped(_));
        Ok(match asked {
            Profiling::Sample if part => Look { profile: Some(sampled.alone()), untold: None, told },
            _ => Look { profile: Some(sampled.profile), untold: part.then_some(sampled.untold), told },
        })
    }
}
