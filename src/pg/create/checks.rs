//! CHECKs for a table that has its rows already: all in one scan; where one of them does not hold, the row that breaks it.

use super::nodes::{append, unexpected, writable};
use super::steps::{Action, On, Phase, steps};
use super::{Blueprint, rewrite};
use crate::pg::definition::Part;
use crate::pg::error::{Error, Result};
use crate::pg::ffi::{self, cstring, quote_table};
use crate::pg::tree::{Node, items, node};
use foreshard_core::model::Problem;
use pgrx::{Spi, pg_sys};

/// Characters of a row that are shown. Assumed: enough to find it again.
const SHOWN: usize = 500;

/// Adds all CHECKs that rows must meet.
///
/// # Errors
/// 23514 where a row breaks one.
pub fn add_checks(blueprint: &Blueprint<'_>) -> Result<()> {
    let actions = steps(blueprint, Phase::Checks, false);
    let checks: Vec<&Part> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Apply { part, .. } => Some(*part),
            _ => None,
        })
        .collect();
    if checks.is_empty() {
        return Ok(());
    }
    ffi::subtransaction(true, || add(blueprint, &checks, true)).map_err(|error| explained(blueprint, &checks, error))
}

/// One ALTER TABLE for all.
fn add(blueprint: &Blueprint<'_>, checks: &[&Part], validate: bool) -> Result<()> {
    let mut all: Option<Node<'_>> = None;
    for part in checks {
        let this = rewrite::apply(blueprint, part, On::Table, false)?;
        let Some(statement) = writable::<pg_sys::AlterTableStmt>(this) else { return Err(unexpected(&part.text)) };
        for command in items(statement.cmds).filter_map(|c| c.get::<pg_sys::AlterTableCmd>()) {
            if let Some(constraint) = node(command.def).and_then(writable::<pg_sys::Constraint>) {
                constraint.skip_validation = !validate;
                constraint.initially_valid = validate;
            }
        }
        match all.and_then(writable::<pg_sys::AlterTableStmt>) {
            None => all = Some(this),
            Some(all) => items(statement.cmds).for_each(|c| all.cmds = append(all.cmds, c.as_ptr())),
        }
    }
    let text = format!("ALTER TABLE {} ADD CHECK …", quote_table(&blueprint.target));
    all.iter().for_each(|statement| ffi::run_utility(statement.as_ptr(), &cstring(&text)));
    Ok(())
}

/// The server's error names the constraint; this adds a row.
fn explained(blueprint: &Blueprint<'_>, checks: &[&Part], error: Error) -> Error {
    let explain = |problem: Problem| {
        let row = || {
            add(blueprint, checks, false)?;
            breaking_row(blueprint)
        };
        match problem.sqlstate.as_str() {
            "23514" => match ffi::subtransaction(false, row) {
                Ok(Some(row)) => problem
                    .detail(format!("Failing row contains {row}."))
                    .hint("Set foreshard.load_threads to 0 to be told its line."),
                _ => problem,
            },
            _ => problem,
        }
    };
    Error::from(error.into_problems().into_iter().map(explain).collect::<Vec<Problem>>())
}

fn breaking_row(blueprint: &Blueprint<'_>) -> Result<Option<String>> {
    let table = quote_table(&blueprint.target);
    let broken = Spi::get_one_with_args::<String>(
        "SELECT pg_catalog.string_agg(pg_catalog.format('(%s) IS FALSE', pg_catalog.pg_get_expr(conbin, conrelid)), ' OR ')
         FROM pg_catalog.pg_constraint WHERE conrelid = $1::pg_catalog.regclass AND contype = 'c' AND NOT convalidated",
        &[table.clone().into()],
    )?;
    let Some(broken) = broken else { return Ok(None) };
    let found = format!(
        "SELECT pg_catalog.max(shown) FROM (SELECT pg_catalog.left(ROW(checked.*)::pg_catalog.text, {SHOWN}) AS shown FROM {table} AS checked WHERE {broken} LIMIT 1) AS one"
    );
    Ok(Spi::get_one::<String>(&found)?)
}
