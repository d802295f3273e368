//! The shards that a call names: found, and judged whether their shape may change.

use super::facts;
use super::task::{KeyColumn, Old};
use crate::pg::catalog;
use crate::pg::error::Result;
use crate::pg::ffi::quote_table;
use foreshard_core::model::words::list;
use foreshard_core::model::{Bound, Problem, TableName};
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

/// Names in one message. Assumed.
const MOST_NAMED: usize = 5;

/// A table whose shape is to change, with all its shards.
#[derive(Debug)]
pub struct Subject {
    pub relation: pg_sys::Oid,
    pub owner: pg_sys::Oid,
    pub table: TableName,
    pub shards: Vec<Shard>,
}

/// A shard as the ledger and the catalog have it.
#[derive(Debug, Clone)]
pub struct Shard {
    pub oid: pg_sys::Oid,
    pub name: TableName,
    pub ordinal: i32,
    pub node: String,
    pub bound: Bound,
    pub within: Option<Bound>,
    /// What it is a partition of.
    pub parent: pg_sys::Oid,
    pub foreign: bool,
    pub bytes: i64,
}

impl Shard {
    /// In what it is a partition of.
    pub fn place(&self) -> &Bound {
        self.within.as_ref().unwrap_or(&self.bound)
    }

    pub fn old(&self) -> Old {
        Old {
            oid: self.oid.to_u32(),
            name: self.name.clone(),
            node: self.node.clone(),
            place: Some(self.place().clone()),
        }
    }
}

/// Of a table, by its OID.
///
/// # Errors
/// 42P01 for no table, 55000 for one without shards, 42501 for another owner's, 55006 while a job works on it.
pub fn of_table(relation: pg_sys::Oid) -> Result<Subject> {
    let table = catalog::name_of(relation)?
        .ok_or_else(|| Problem::new("42P01", format!("relation with OID {} does not exist", relation.to_u32())))?;
    let shards = shards(relation)?;
    if shards.is_empty() {
        return Err(Problem::new("55000", format!("table {} has no shards", quote_table(&table)))
            .detail("foreshard knows the shards of the tables that it has restored.")
            .hint("SELECT * FROM foreshard.shards lists them.")
            .into());
    }
    let owner: String = Spi::get_one_with_args(
        "SELECT pg_catalog.pg_get_userbyid(relowner)::pg_catalog.text FROM pg_catalog.pg_class WHERE oid = $1",
        &[relation.into()],
    )?
    .unwrap_or_default();
    let role = catalog::role_oid(&owner)?.filter(|_| catalog::may_act_as(&owner).unwrap_or(false));
    let owner = role.ok_or_else(|| {
        Problem::new("42501", format!("must be owner of table {}", table.name))
            .detail(format!("It belongs to role \"{owner}\", as which the shards are made."))
    })?;
    if !catalog::may_log_in()? {
        return Err(Problem::new("42501", "the role may not log in")
            .detail("A background worker does the work, as the role that begins it.")
            .hint("ALTER ROLE … LOGIN;")
            .into());
    }
    Ok(Subject { relation, owner, table, shards })
}

/// Of a shard, by its OID.
///
/// # Errors
/// 42809 for what is no shard, and those of [`of_table`].
pub fn of_shard(shard: pg_sys::Oid) -> Result<(Subject, Shard)> {
    let relation: Option<pg_sys::Oid> = Spi::get_one_with_args(
        "SELECT (SELECT relation::pg_catalog.oid FROM foreshard.shards WHERE shard = $1::pg_catalog.regclass)",
        &[shard.into()],
    )?;
    let Some(relation) = relation else {
        let name = catalog::name_of(shard)?.map_or_else(|| shard.to_u32().to_string(), |name| quote_table(&name));
        return Err(Problem::new("42809", format!("{name} is not a shard"))
            .hint("SELECT * FROM foreshard.shards lists them.")
            .into());
    };
    let subject = of_table(relation)?;
    let found = subject.shards.iter().find(|s| s.oid == shard).cloned();
    let found = found.ok_or_else(|| Problem::new("42809", "this shard is not in use any more"))?;
    Ok((subject, found))
}

fn shards(relation: pg_sys::Oid) -> Result<Vec<Shard>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT s.shard::pg_catalog.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, s.ordinal, s.node, s.bound, s.within,
                    i.inhparent, c.relkind = 'f', pg_catalog.pg_total_relation_size(c.oid)
             FROM foreshard._shards s JOIN pg_catalog.pg_class c ON c.oid = s.shard AND c.relispartition
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
             WHERE s.relation = $1::pg_catalog.regclass ORDER BY s.ordinal",
            None,
            &[relation.into()],
        )?;
        let mut found = Vec::new();
        for row in rows {
            let bound = row.get::<JsonB>(6)?.and_then(|JsonB(bound)| serde_json::from_value(bound).ok());
            let within = row.get::<JsonB>(7)?.and_then(|JsonB(bound)| serde_json::from_value(bound).ok());
            if let (Some(oid), Some(bound)) = (row.get(1)?, bound) {
                found.push(Shard {
                    oid,
                    name: TableName::new(
                        row.get::<String>(2)?.unwrap_or_default(),
                        row.get::<String>(3)?.unwrap_or_default(),
                    ),
                    ordinal: row.get(4)?.unwrap_or(0),
                    node: row.get(5)?.unwrap_or_default(),
                    bound,
                    within,
                    parent: row.get(8)?.unwrap_or(pg_sys::InvalidOid),
                    foreign: row.get(9)?.unwrap_or(false),
                    bytes: row.get(10)?.unwrap_or(0),
                });
            }
        }
        Ok(found)
    })
}

/// What a job has to know of the shards that it replaces.
#[derive(Debug)]
pub struct Judged {
    pub key: Vec<KeyColumn>,
    pub columns: Vec<String>,
    pub definition: String,
    pub cut: String,
}

/// All that stands in the way, at once.
///
/// # Errors
/// 0A000 for what cannot be carried over, or has no key.
pub fn judge(subject: &Subject, shards: &[Shard]) -> Result<Judged> {
    let table = quote_table(&subject.table);
    let mut problems = Vec::new();
    let Some(first) = shards.first() else { return Err(Problem::new("22023", "no shard is named").into()) };
    for shard in shards {
        let name = quote_table(&shard.name);
        if shard.foreign {
            problems.push(
                Problem::new("0A000", format!("shard {name} lives on another server"))
                    .detail("This version changes the shape of shards of this server only.")
                    .hint("Restore the table anew with the layout that it should have."),
            );
        }
        if shard.parent != first.parent {
            problems.push(
                Problem::new("22023", "the shards belong to different tables")
                    .detail("Shards can be merged that are partitions of one table, or of one part of it."),
            );
        }
        let lost = facts::not_carried(shard.oid)?;
        if !lost.is_empty() {
            problems.push(
                Problem::new("0A000", format!("shard {name} has what the new ones would not have"))
                    .detail(format!("It has {} of its own.", list(&lost, MOST_NAMED)))
                    .hint("Move it to the table, or drop it."),
            );
        }
    }
    let inbound = facts::inbound(first.oid)?;
    if !inbound.is_empty() {
        problems.push(
            Problem::new("0A000", format!("other tables refer to {table}"))
                .detail(format!(
                    "PostgreSQL does not let go of a partition whose rows are referred to: {}.",
                    list(&inbound, MOST_NAMED)
                ))
                .hint("Drop the foreign keys, and add them again afterwards."),
        );
    }
    let publications = facts::publications(first.oid)?;
    if !publications.is_empty() {
        problems.push(
            Problem::new(
                "0A000",
                format!("subscribers of {} would be sent the new shards as tables", list(&publications, MOST_NAMED)),
            )
            .detail("A publication of all tables, of a schema, or without publish_via_partition_root names the shards.")
            .hint("Publish the table itself, with publish_via_partition_root = true."),
        );
    }
    match facts::key(first.oid) {
        Ok(key) if problems.is_empty() => Ok(Judged {
            key,
            columns: facts::columns(first.oid)?,
            definition: shards.iter().map(|s| facts::definition(s.oid)).collect::<Result<Vec<_>>>()?.join(" "),
            cut: Spi::get_one_with_args("SELECT pg_catalog.pg_get_partkeydef($1)", &[first.parent.into()])?
                .unwrap_or_default(),
        }),
        Ok(_) => Err(problems.into()),
        Err(error) => {
            problems.extend(error.into_problems());
            Err(problems.into())
        }
    }
}
