//! What may be done to each table: the setting is the ceiling, below it a table's own policy counts.

use crate::pg::error::Result;
use crate::pg::{catalog, settings};
use foreshard_core::health::{Auto, Policy};
use foreshard_core::model::{Problem, TableName};
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};
use serde_json::{Value, json};

/// The policy of a table; that of a restored table where none was set.
pub fn of(relation: pg_sys::Oid) -> Result<Policy> {
    let stored: Option<JsonB> =
        catalog::one("SELECT policy FROM foreshard._policies WHERE relation = $1", &[relation.into()])?;
    // One that another version has stored, and that cannot be read, lets nothing be done.
    let read = |JsonB(document): JsonB| {
        Policy::read(&document).unwrap_or_else(|_| Policy { auto_reshard: Auto::Off, ..Policy::default() })
    };
    let mut policy = stored.map(read).unwrap_or_default();
    policy.auto_reshard = policy.auto_reshard.min(settings::auto_reshard());
    Ok(policy)
}

/// Sets a table's policy, or takes it back.
///
/// # Errors
/// 42704 for a table that was not restored, 42501 for one that is not the caller's, 22023 for a policy that is none.
pub fn set(relation: Option<pg_sys::Oid>, policy: Option<&Value>) -> Result<()> {
    let relation = relation.ok_or_else(|| Problem::new("22004", "relation must not be null"))?;
    let name = catalog::name_of(relation)?.map(|n| n.to_string()).unwrap_or_else(|| relation.to_u32().to_string());
    let query = "SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM foreshard._tables t JOIN pg_catalog.pg_class c ON c.oid = t.relation WHERE t.relation = $1";
    let facts: Option<bool> = catalog::one(query, &[relation.into()])?;
    match facts {
        Some(true) => {}
        Some(false) => {
            return Err(Problem::new("42501", format!("must be owner of table {name}"))
                .hint("What is done by a policy is done as the table's owner.")
                .into());
        }
        None => {
            return Err(Problem::new("42704", format!("\"{name}\" is not a table that foreshard has restored"))
                .hint("SELECT * FROM foreshard.tables lists them.")
                .into());
        }
    }
    let Some(document) = policy else {
        return Ok(Spi::run_with_args("DELETE FROM foreshard._policies WHERE relation = $1", &[relation.into()])?);
    };
    Policy::read(document)?;
    store(relation, document.clone())
}

/// The policy of a table that was just restored.
pub fn begin_with(table: &TableName, auto: Auto) -> Result<()> {
    store(catalog::require_table(table)?, json!({"auto_reshard": auto}))
}

fn store(relation: pg_sys::Oid, document: Value) -> Result<()> {
    Ok(Spi::run_with_args(
        "INSERT INTO foreshard._policies (relation, policy) VALUES ($1, $2) ON CONFLICT (relation) DO UPDATE SET policy = EXCLUDED.policy",
        &[relation.into(), JsonB(document).into()],
    )?)
}
