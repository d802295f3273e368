//! Questions asked before any work, each answered with problems instead of an error, so that all are known at once.

use super::archive::Backup;
use super::catalog;
use super::create::{part_name, shard_name};
use super::definition::{Definition, Definitions, PartKind};
use super::error::Result;
use super::request::Request;
use foreshard_core::model::node::Node;
use foreshard_core::model::{Config, Plan, Problem, TableName};
use std::collections::BTreeSet;

/// A plan or a restore can be written down here.
///
/// # Errors
/// 25006 in a read-only transaction, as all are on a standby.
pub fn writable(what: &str) -> Result<()> {
    let Some(cause) = super::ffi::read_only() else { return Ok(()) };
    Err(Problem::new("25006", format!("cannot {what} in a read-only transaction"))
        .detail(cause.detail)
        .hint(cause.hint)
        .into())
}

/// What cannot be left out is not NULL. No config is an empty one.
///
/// # Errors
/// 22004
pub fn given<'a>(target: Option<&'a str>, backup: Option<&'a str>) -> Result<(&'a str, &'a str)> {
    let missing = |argument: &str, hint: &str| {
        Problem::new("22004", format!("{argument} must not be null")).detail("Nothing was restored.").hint(hint)
    };
    match (target, backup) {
        (Some(target), Some(backup)) => Ok((target, backup)),
        (target, backup) => {
            let table = target.is_none().then(|| missing("target", "Name the table to restore, as schema.table."));
            let file = backup.is_none().then(|| missing("backup", "Give the path of the backup on the server."));
            Err(table.into_iter().chain(file).collect::<Vec<_>>().into())
        }
    }
}

/// The target's schema is there and its name is free.
pub fn target(request: &Request, schema: Option<&str>) -> Result<Vec<Problem>> {
    let target = &request.target;
    // Whoever is told that the name is taken might drop the rows that are to be restored.
    if super::archive::table_named(&request.backup, schema).ok().flatten().as_ref() == Some(target) {
        return Ok(vec![
            Problem::new("22023", format!("table \"{target}\" cannot be restored from itself"))
                .detail("The source stays as it is, and its copy needs a name of its own.")
                .hint("Name another target, and exchange the names afterwards: ALTER TABLE … RENAME TO …"),
        ]);
    }
    let mut problems = Vec::new();
    if !catalog::schema_exists(&target.schema)? {
        problems.push(
            Problem::new("3F000", format!("schema \"{}\" does not exist", target.schema))
                .hint(format!("CREATE SCHEMA {};", super::ffi::quote_ident(&target.schema))),
        );
    } else if !catalog::may_create_in(&target.schema)? {
        problems.push(
            Problem::new("42501", format!("permission denied for schema {}", target.schema))
                .hint(format!("Its owner can GRANT CREATE ON SCHEMA {}.", super::ffi::quote_ident(&target.schema))),
        );
    }
    if request.resume.is_none() {
        problems.extend(super::unfinished::standing(target)?);
    }
    if let Some(kind) = catalog::relation_kind(target)? {
        problems.push(
            Problem::new("42P07", format!("relation \"{target}\" already exists"))
                .detail(format!("It is {kind}."))
                .hint("Restore under another name, with {\"source\": \"…\"} for the name in the backup, or drop or rename it first."),
        );
    }
    Ok(problems)
}

/// The names of the plan's shards and inner partitions are free.
pub fn shard_names(plan: &Plan) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let shards = plan.layout.shards.iter().map(|s| (shard_name(&plan.target, s.ordinal), "shard", s.ordinal));
    let parts = plan.layout.within.iter().flat_map(|_| (0..).zip(plan.layout.parts()));
    let parts = parts.map(|(number, _)| (part_name(&plan.target, number), "part", number));
    for (name, what, number) in parts.chain(shards) {
        if let Some(kind) = catalog::relation_kind(&name)? {
            problems.push(
                Problem::new("42P07", format!("relation \"{name}\" already exists"))
                    .detail(format!("It is {kind}, and {what} {number} of the table needs its name."))
                    // A live table's own rows must not get lost for its copy's sake.
                    .hint(if name == plan.source { "Rename it first." } else { "Drop or rename it first." }),
            );
        }
    }
    Ok(problems)
}

/// The table in the backup that is to be restored.
pub fn source(
    request: &Request,
    backup: &Backup,
    definitions: &Definitions,
    schema: Option<&str>,
) -> Result<TableName> {
    let name = match (&request.config.source, backup.like().or(backup.live())) {
        (_, Some(like)) => return Ok(like.clone()),
        (Some(source), None) => catalog::resolve_name(source, schema)?,
        (None, None) => request.target.clone(),
    };
    if definitions.tables.contains_key(&name) {
        return Ok(name);
    }
    if let Some(kind) = definitions.others.get(&name) {
        return Err(Problem::new("42809", format!("\"{name}\" is not a table in the backup"))
            .detail(format!("It is a {kind}."))
            .hint("Only tables have rows to distribute; restore other objects with pg_restore.")
            .into());
    }
    let mut problem = Problem::new("42P01", format!("table \"{name}\" is not in the backup"));
    let elsewhere: Vec<String> =
        definitions.tables.keys().filter(|t| t.name == name.name).map(super::ffi::quote_table).collect();
    if let Some(found) = elsewhere.first() {
        problem =
            problem.hint(format!("The backup has {}: name it with {{\"source\": \"{found}\"}}.", elsewhere.join(", ")));
    } else if definitions.tables.is_empty() {
        problem = problem.detail("The backup defines no table at all.").hint(if definitions.unreadable.is_empty() {
            "Was it made with --data-only? The definition is needed too."
        } else {
            "None of its statements could be read as SQL."
        });
    } else {
        let some: Vec<String> = definitions.tables.keys().take(10).map(super::ffi::quote_table).collect();
        let more = definitions.tables.len().saturating_sub(some.len());
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        problem = problem.hint(format!("The backup has {}{rest}.", some.join(", ")));
    }
    Err(problem.into())
}

/// What makes it impossible to create the table: inheritance, types that are not here.
pub fn definition(definition: &Definition, definitions: &Definitions) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if !definition.inherits.is_empty() {
        problems.push(
            Problem::new("0A000", format!("table \"{}\" inherits from another table", definition.table.name))
                .detail("PostgreSQL has no partitioned table that is an inheritance child.")
                .hint("Restore it with pg_restore, or take its backup after ALTER TABLE … NO INHERIT."),
        );
    }
    let mut absent = Vec::new();
    for extension in &definitions.extensions {
        if !catalog::extension_installed(extension)? {
            absent.push(extension.clone());
        }
    }
    let unknown: Vec<&str> = definition
        .table
        .columns
        .iter()
        .filter(|c| !c.hashable && !c.orderable && !catalog::type_exists(&c.type_name))
        .map(|c| c.name.as_str())
        .collect();
    if !unknown.is_empty() {
        let types: BTreeSet<&str> = definition
            .table
            .columns
            .iter()
            .filter(|c| unknown.contains(&c.name.as_str()))
            .map(|c| c.type_name.as_str())
            .collect();
        let hint = if absent.is_empty() {
            "Restore the types first, for example with pg_restore --section=pre-data.".to_owned()
        } else {
            format!("The backup uses extensions that are not installed here: {}. Create them first.", absent.join(", "))
        };
        problems.push(
            Problem::new("42704", "types of the table do not exist here")
                .detail(format!(
                    "Missing: {} (columns {}).",
                    types.into_iter().collect::<Vec<_>>().join(", "),
                    unknown.join(", ")
                ))
                .hint(hint),
        );
    }
    Ok(problems)
}

/// The roles that own the table or are granted something on it are there.
pub fn roles(definition: &Definition, config: &Config) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let mut roles: BTreeSet<&str> = BTreeSet::new();
    for part in &definition.parts {
        match &part.kind {
            PartKind::Owner { role } | PartKind::SequenceOwner { role } | PartKind::StatisticsOwner { role }
                if !config.no_owner =>
            {
                roles.extend([role.as_str()])
            }
            PartKind::Grant { roles: granted, grantor, .. } if !config.no_privileges => {
                roles.extend(
                    granted.iter().chain(grantor).map(String::as_str).filter(|r| !r.is_empty() && *r != "public"),
                );
            }
            _ => {}
        }
    }
    let mut missing = Vec::new();
    for role in roles {
        if !role.is_empty() && !catalog::role_exists(role)? {
            missing.push(role.to_owned());
        }
    }
    if !missing.is_empty() {
        problems.push(
            Problem::new("42704", "roles of the backup do not exist here")
                .detail(format!("Missing: {}.", missing.join(", ")))
                .hint(
                    "Create them, or restore without owners and grants: {\"no_owner\": true, \"no_privileges\": true}.",
                ),
        );
    }
    Ok(problems)
}

/// A stored plan fits this call.
pub fn stored_plan(plan: &Plan, request: &Request, nodes: &[Node]) -> Result<()> {
    let mut problems = Vec::new();
    if plan.target != request.target {
        problems.push(
            Problem::new("22023", "the plan is for another table")
                .detail(format!("It restores {}, not {}.", plan.target, request.target))
                .hint("Name the plan's target, or make a new plan."),
        );
    }
    let unknown: BTreeSet<&str> = plan
        .layout
        .shards
        .iter()
        .flat_map(|s| std::iter::once(&s.node).chain(&s.copies))
        .map(String::as_str)
        .filter(|name| !nodes.iter().any(|n| n.name == *name))
        .collect();
    if !unknown.is_empty() {
        problems.push(
            Problem::new("42704", "nodes of the plan are not there any more")
                .detail(format!("Missing: {}.", unknown.into_iter().collect::<Vec<_>>().join(", ")))
                .hint("Make a new plan with foreshard.plan_restore."),
        );
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}
