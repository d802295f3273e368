//! What a caller asks for: the arguments of plan_restore and restore_table, read and checked for themselves.

use super::error::{Error, Result};
use super::ffi::Session;
use super::{catalog, ledger, unfinished};
use foreshard_core::model::config::OnFailure;
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
    /// The job to go on with; its plan is the stored one then.
    pub resume: Option<i64>,
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
        let (resume, on_failure) = (config.resume, config.on_failure);
        let id = match (resume, config.plan) {
            (None, None) => return Ok(Self { target, backup, config, stored: None, resume, document }),
            (Some(job), _) => {
                alone(&document, "resume", &[], "a job is resumed as it was begun")?;
                unfinished::find(job)?.plan_id
            }
            (None, Some(id)) => {
                // What becomes of a failure is no part of a plan.
                alone(&document, "plan", &["on_failure"], "a stored plan is executed as it is")?;
                id
            }
        };
        let said = document.get("on_failure").is_some();
        let (plan, document) = ledger::plan(id)?;
        let mut config = Config::read(&document)?;
        if resume.is_some() {
            config.on_failure = OnFailure::Keep;
        } else if said {
            config.on_failure = on_failure;
        }
        Ok(Self { target, backup, config, stored: Some((id, plan)), resume, document })
    }
}

/// The config has a field and, beside `allowed`, no other.
fn alone(document: &Value, field: &str, allowed: &[&str], why: &str) -> Result<()> {
    let fields = document.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let others: Vec<&str> = fields.filter(|name| *name != field && !allowed.contains(name)).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Problem::new("22023", why)
        .detail(format!("The config has \"{field}\" and also {}.", others.join(", ")))
        .hint("Leave the other fields out, or make a new plan with them.")
        .into())
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
