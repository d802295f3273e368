//! Executing steps, for real or as a rehearsal.

use super::steps::{Action, On, Phase, steps};
use super::{Blueprint, rewrite, table};
use crate::pg::catalog;
use crate::pg::definition::PartKind;
use crate::pg::error::{Error, Result};
use crate::pg::ffi::{self, Pinned, cstring, quote_ident, quote_literal, quote_table};
use foreshard_core::model::plan::{Shard, WrapperOption};
use foreshard_core::model::{Bound, Problem, TableName};
use pgrx::Spi;

/// Builds a blueprint.
#[derive(Debug)]
pub struct Builder<'a> {
    blueprint: &'a Blueprint<'a>,
}

impl<'a> Builder<'a> {
    pub fn new(blueprint: &'a Blueprint<'a>) -> Self {
        Self { blueprint }
    }

    /// All steps of a phase. The server's own errors pass through: the caller's transaction undoes everything.
    pub fn run(&self, phase: Phase) -> Result<()> {
        steps(self.blueprint, phase, false).iter().try_for_each(|action| self.step(action))
    }

    /// The same from the step of that number on, each by `each`, which is given its work.
    pub fn run_each(
        &self,
        phase: Phase,
        from: usize,
        mut each: impl FnMut(&dyn Fn() -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        steps(self.blueprint, phase, false).iter().skip(from).try_for_each(|action| each(&|| self.step(action)))
    }

    /// The number of steps of a phase.
    pub fn count(&self, phase: Phase) -> usize {
        steps(self.blueprint, phase, false).len()
    }

    fn step(&self, action: &Action<'_>) -> Result<()> {
        let blueprint = self.blueprint;
        match action {
            Action::CreateTable => {
                let node = table::create_table(blueprint)?;
                ffi::run_utility(node.as_ptr(), &cstring(&blueprint.definition.create));
            }
            Action::CreatePart(number, bound) => {
                Spi::run(&self.create_part(*number, bound))?;
                self.close(&blueprint.part_name(*number))?;
            }
            Action::CreateShard(shard, part) => {
                let access_method = &blueprint.definition.access_method;
                let _settings = (!access_method.is_empty())
                    .then(|| Pinned::new(&[("default_table_access_method", access_method.as_str())]));
                Spi::run(&self.create_shard(shard, *part))?;
                self.close(&blueprint.shard_name(shard.ordinal))?;
            }
            Action::CreateForeignShard(shard, part) => {
                Spi::run(&self.create_foreign_shard(shard, *part))?;
                self.close(&blueprint.shard_name(shard.ordinal))?;
            }
            Action::StorageParameters(shard) => {
                let name = blueprint.shard_name(shard.ordinal);
                if let Some(node) = table::storage_parameters(blueprint, &name)? {
                    ffi::run_utility(node.as_ptr(), &cstring(&format!("ALTER TABLE {} SET (…)", quote_table(&name))));
                }
            }
            Action::Apply { part, on, widened } => {
                let node = rewrite::apply(blueprint, part, *on, *widened)?;
                let tablespace = match on {
                    On::Shard(shard) => blueprint.tablespace(&shard.node),
                    On::Part(_) => None,
                    On::Table if blueprint.is_sharded() => None,
                    On::Table => {
                        blueprint.layout.and_then(|l| l.shards.first()).and_then(|s| blueprint.tablespace(&s.node))
                    }
                };
                let _settings = tablespace.map(|t| Pinned::new(&[("default_tablespace", t)]));
                let _role = match &part.kind {
                    PartKind::Grant { grantor: Some(grantor), .. } => {
                        catalog::role_oid(grantor)?.map(ffi::ActingAs::new)
                    }
                    _ => None,
                };
                ffi::run_utility(node.as_ptr(), &cstring(&part.text));
            }
        }
        Ok(())
    }

    /// Takes back what the database's default privileges have granted: rows are reached through the table, whose grants
    /// and row security a partition of its own would lead past.
    fn close(&self, partition: &TableName) -> Result<()> {
        for role in catalog::grantees(partition)? {
            let role = role.map_or_else(|| "PUBLIC".to_owned(), |role| quote_ident(&role));
            Spi::run(&format!("REVOKE ALL ON TABLE {} FROM {role}", quote_table(partition)))?;
        }
        Ok(())
    }

    fn create_part(&self, number: u32, bound: &Bound) -> String {
        let blueprint = self.blueprint;
        let within = blueprint.layout.and_then(|l| l.within.as_ref());
        let columns = within.iter().flat_map(|w| &w.key).map(|c| quote_ident(c)).collect::<Vec<_>>().join(", ");
        format!(
            "CREATE TABLE {} PARTITION OF {} {} PARTITION BY {} ({columns})",
            quote_table(&blueprint.part_name(number)),
            quote_table(&blueprint.target),
            bound_clause(bound),
            within.map_or("", |w| w.method.name())
        )
    }

    fn create_foreign_shard(&self, shard: &Shard, part: Option<u32>) -> String {
        let blueprint = self.blueprint;
        let name = blueprint.shard_name(shard.ordinal);
        let there = blueprint.remote.as_ref().map_or_else(|| name.clone(), |names| names.shard(shard.ordinal));
        let option = |o: &WrapperOption| format!(", {} {}", quote_ident(&o.name), quote_literal(&o.value));
        let options: String = blueprint.wrapper.iter().map(option).collect();
        format!(
            "CREATE FOREIGN TABLE {} PARTITION OF {} {} SERVER {}
             OPTIONS (schema_name {}, table_name {}{options})",
            quote_table(&name),
            quote_table(&part.map_or_else(|| blueprint.target.clone(), |number| blueprint.part_name(number))),
            bound_clause(shard.within.as_ref().unwrap_or(&shard.bound)),
            quote_ident(blueprint.server(&shard.node).unwrap_or_default()),
            quote_literal(&there.schema),
            quote_literal(&there.name),
        )
    }

    fn create_shard(&self, shard: &Shard, part: Option<u32>) -> String {
        let blueprint = self.blueprint;
        let unlogged = if blueprint.definition.unlogged { "UNLOGGED " } else { "" };
        let tablespace =
            blueprint.tablespace(&shard.node).map(|t| format!(" TABLESPACE {}", quote_ident(t))).unwrap_or_default();
        format!(
            "CREATE {unlogged}TABLE {} PARTITION OF {} {}{tablespace}",
            quote_table(&blueprint.shard_name(shard.ordinal)),
            quote_table(&part.map_or_else(|| blueprint.target.clone(), |number| blueprint.part_name(number))),
            bound_clause(shard.within.as_ref().unwrap_or(&shard.bound))
        )
    }
}

/// `FOR VALUES …` or `DEFAULT`, as CREATE TABLE … PARTITION OF takes it.
pub fn bound_clause(bound: &Bound) -> String {
    let side = |values: &Option<Vec<String>>, open: &str| match values {
        Some(values) => values.iter().map(|v| quote_literal(v)).collect::<Vec<_>>().join(", "),
        None => open.to_owned(),
    };
    match bound {
        Bound::Hash { modulus, remainder } => format!("FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})"),
        Bound::Range { from, to } => {
            format!("FOR VALUES FROM ({}) TO ({})", side(from, "MINVALUE"), side(to, "MAXVALUE"))
        }
        Bound::List { values } => {
            let values: Vec<String> =
                values.iter().map(|v| v.as_deref().map_or_else(|| "NULL".to_owned(), quote_literal)).collect();
            format!("FOR VALUES IN ({})", values.join(", "))
        }
        Bound::Default => "DEFAULT".to_owned(),
    }
}

/// Builds the empty table with its first shard, hands that to `read`, and undoes it all.
pub fn built_once<T>(blueprint: &Blueprint<'_>, read: impl FnOnce(&TableName) -> Result<T>) -> Result<T> {
    let builder = Builder::new(blueprint);
    ffi::subtransaction(false, || {
        for phase in Phase::ALL {
            steps(blueprint, phase, true).iter().try_for_each(|action| builder.step(action))?;
        }
        let first = blueprint.layout.and_then(|l| l.shards.first()).map_or(0, |s| s.ordinal);
        read(&blueprint.shard_name(first))
    })
}

/// Builds the empty table with its first shard in a subtransaction, collects what the server refuses, and undoes it all.
pub fn rehearse(blueprint: &Blueprint<'_>) -> Result<Vec<Problem>> {
    let builder = Builder::new(blueprint);
    let mut problems = Vec::new();
    ffi::subtransaction(false, || {
        for phase in Phase::ALL {
            for action in steps(blueprint, phase, true) {
                let outcome = ffi::subtransaction(true, || builder.step(&action));
                let failed = outcome.is_err();
                if let Err(error) = outcome {
                    problems.extend(error.into_problems().into_iter().map(|p| name_it(p, &action)));
                }
                if failed
                    && matches!(
                        action,
                        Action::CreateTable
                            | Action::CreatePart(..)
                            | Action::CreateShard(..)
                            | Action::CreateForeignShard(..)
                    )
                {
                    // Everything after it would fail for the same reason.
                    return Ok::<(), Error>(());
                }
            }
        }
        Ok(())
    })?;
    Ok(problems)
}

/// Says which statement of the backup it was.
fn name_it(mut problem: Problem, action: &Action<'_>) -> Problem {
    let what = match action {
        Action::CreateTable => "the table".to_owned(),
        Action::CreatePart(number, _) => format!("part {number}"),
        Action::CreateShard(shard, _) | Action::CreateForeignShard(shard, _) => format!("shard {}", shard.ordinal),
        Action::StorageParameters(_) => "the storage parameters".to_owned(),
        Action::Apply { part, .. } => format!("\"{}\"", part.object),
    };
    let fact = format!("The server refuses {what} of the backup.");
    problem.detail = Some(match problem.detail.take() {
        Some(detail) => format!("{fact} {detail}"),
        None => fact,
    });
    if let Action::Apply { part, .. } = action
        && matches!(part.kind, PartKind::Owner { .. } | PartKind::StatisticsOwner { .. })
        && problem.sqlstate == "42501"
    {
        problem = problem.hint("Ask for membership in that role, or restore without owners: {\"no_owner\": true}.");
    }
    // Something that it refers to is not here: a schema, type, function, collation, table.
    if problem.hint.is_none() && matches!(problem.sqlstate.as_str(), "3F000" | "42704" | "42883" | "42P01") {
        problem = problem.hint("Restore what the table needs first, for example with pg_restore --section=pre-data.");
    }
    problem
}
