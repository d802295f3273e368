//! What a caller asks for: the arguments of plan_restore and restore_table, read and checked for themselves.

use super::error::{Error, Result};
use super::ffi::Session;
use super::{catalog, ledger};
use foreshard_core::model::{Config, Plan, Problem, TableName};
use serde_json::Value;

/// What the caller asked for.
#[derive(Debug)]
pub struct Request {
    pub target: TableName,
    pub backup: String,
    pub config: Config,
    /// The plan that the config names; then the config is the one that the plan was made with.
    pub stored: Option<(i64, Plan)>,
    /// The config as it was written, for the ledger.
    pub document: Value,
}

impl Request {
    /// # Errors
    /// Everything that is wrong with the arguments themselves.
    pub fn read(target: &str, backup: &str, document: Value, session: &Session) -> Result<Self> {
        if !catalog::database_is_utf8() {
            return Err(Problem::new("0A000", "foreshard needs a database with the encoding UTF8")
                .hint("Create the database with ENCODING 'UTF8'.")
                .into());
        }
        let mut problems = Vec::new();
        let target = keep(&mut problems, catalog::resolve_name(target, session.schema.as_deref()));
        let config = keep(&mut problems, Config::read(&document).map_err(Error::from));
        let (Some(target), Some(config)) = (target, config) else { return Err(problems.into()) };
        let backup = backup.to_owned();
        let Some(id) = config.plan else { return Ok(Self { target, backup, config, stored: None, document }) };
        let others: Vec<String> = document.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        if others.len() > 1 {
            let others: Vec<String> = others.into_iter().filter(|name| name != "plan").collect();
            return Err(Problem::new("22023", "a stored plan is executed as it is")
                .detail(format!("The config has \"plan\" and also {}.", others.join(", ")))
                .hint("Leave the other fields out, or make a new plan with them.")
                .into());
        }
        let (plan, document) = ledger::plan(id)?;
        let config = Config::read(&document)?;
        Ok(Self { target, backup, config, stored: Some((id, plan)), document })
    }
}

/// Collects the problems of a check that must not hide those of the next.
pub fn keep<T>(problems: &mut Vec<Problem>, outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            problems.extend(error.into_problems());
            None
        }
    }
}
