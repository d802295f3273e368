//! `synchronous_standby_names` of a node: its commits wait for every copy that is named there.
//!
//! Changed only where it is empty or was written here: somebody's own synchronous standbys are somebody's own.

use super::libpq::Connection;
use super::link::ours;
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_literal};
use foreshard_core::model::Problem;

/// The names in the setting, when it is one of ours.
fn named(setting: &str) -> Option<Vec<String>> {
    if setting.trim().is_empty() {
        return Some(Vec::new());
    }
    let (_, list) = setting.split_once('(')?;
    let names: Vec<String> =
        list.trim_end().strip_suffix(')')?.split(',').map(|n| n.trim().trim_matches('"').to_owned()).collect();
    (setting.starts_with("FIRST ") && names.iter().all(|n| n.starts_with("foreshard_"))).then_some(names)
}

fn written(names: &[String]) -> String {
    match names {
        [] => String::new(),
        _ => format!("FIRST {} ({})", names.len(), names.iter().map(|n| quote_ident(n)).collect::<Vec<_>>().join(", ")),
    }
}

/// The statements that add names and take others away; empty where nothing changes.
///
/// # Errors
/// 55000 where the setting is somebody else's, with the line that would do.
pub fn change(connection: &mut Connection, add: &[String], remove: &[String]) -> Result<Vec<String>> {
    let answer = connection.query("SELECT pg_catalog.current_setting('synchronous_standby_names')")?;
    let setting = answer.first(0).unwrap_or_default().to_owned();
    let node = connection.node();
    let Some(before) = named(&setting) else {
        if add.is_empty() {
            return Ok(Vec::new());
        }
        return Err(Problem::new("55000", format!("synchronous_standby_names of node \"{node}\" is not empty"))
            .detail(format!("It is {}.", quote_literal(&setting)))
            .hint(format!(
                "Make it wait for the copies as well, for these alone: ALTER SYSTEM SET synchronous_standby_names = {}; SELECT pg_reload_conf();",
                quote_literal(&written(add))
            ))
            .into());
    };
    let mut after: Vec<String> = before.iter().filter(|n| !remove.contains(n)).cloned().collect();
    after.extend(add.iter().filter(|n| !before.contains(n)).cloned());
    Ok(if after == before { Vec::new() } else { set(&after) })
}

/// Names of ours that the setting has.
pub fn waited_for(connection: &mut Connection) -> Result<Vec<String>> {
    let answer = connection.query("SELECT pg_catalog.current_setting('synchronous_standby_names')")?;
    let names = named(answer.first(0).unwrap_or_default()).unwrap_or_default();
    Ok(names.into_iter().filter(|n| n.starts_with(&ours())).collect())
}

/// The statements that make it wait for these.
pub fn set(names: &[String]) -> Vec<String> {
    let value = written(names);
    let alter = match value.as_str() {
        "" => "ALTER SYSTEM RESET synchronous_standby_names".to_owned(),
        value => format!("ALTER SYSTEM SET synchronous_standby_names = {}", quote_literal(value)),
    };
    vec![alter, "DO $$ BEGIN PERFORM pg_catalog.pg_reload_conf(); END $$".to_owned()]
}
