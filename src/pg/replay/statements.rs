//! The statements that are replayed: those of the log that touch the table, heaviest first.

use crate::pg::error::Result;
use crate::pg::querylog::{self, QueryLog};
use foreshard_core::model::{Config, Problem, ReplayConfig, TableName, Workload};
use std::collections::BTreeSet;

#[derive(Debug)]
pub struct Replayed {
    pub id: i64,
    /// Whole.
    pub text: String,
    /// For people.
    pub shown: String,
    /// Of the calls of all statements on the table.
    pub share: f64,
    pub tables: BTreeSet<TableName>,
}

/// # Errors
/// 55000 when no statement of the log touches the table.
pub fn replayed(
    workload: &Workload,
    log: &QueryLog,
    source: &TableName,
    config: &Config,
    replay: &ReplayConfig,
    schema: Option<&str>,
) -> Result<Vec<Replayed>> {
    let on_table = |tables: &BTreeSet<TableName>| tables.contains(source);
    let mut found: Vec<Replayed> = Vec::new();
    let mut calls = Vec::new();
    for statement in &workload.statements {
        let tables: BTreeSet<TableName> = statement.tables.iter().map(|t| t.table.clone()).collect();
        if on_table(&tables) {
            let (id, shown) = (statement.id, statement.text.clone());
            found.push(Replayed { id, text: String::new(), shown, share: 0.0, tables });
            calls.push(statement.calls);
        }
    }
    if found.is_empty() {
        return Err(Problem::new("55000", format!("no logged statement touches {source}: there is nothing to replay"))
            .detail(format!("The plan stands on this: {}.", log.basis.trim_end_matches('.')))
            .hint("Plan with a query log that has statements of the table, in the config's \"query_log\".")
            .into());
    }
    let total: f64 = calls.iter().sum();
    for (statement, calls) in found.iter_mut().zip(&calls) {
        statement.share = calls / total.max(f64::MIN_POSITIVE);
    }
    found.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.id.cmp(&b.id)));
    found.truncate(replay.statements as usize);
    let ids: Vec<i64> = found.iter().map(|s| s.id).collect();
    let mut texts = querylog::texts(config, schema, &ids)?;
    for statement in &mut found {
        statement.text = texts.remove(&statement.id).unwrap_or_default();
    }
    Ok(found)
}
