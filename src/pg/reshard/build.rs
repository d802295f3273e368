//! The tables of a job: made, taken apart again, and what changes are logged by.

use super::facts;
use super::proof;
use super::task::{Old, Task};
use crate::pg::catalog;
use crate::pg::create::bound_clause;
use crate::pg::error::Result;
use crate::pg::ffi::{Pinned, quote_ident, quote_literal, quote_table};
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// A row of the log that is always there: an unlogged table is empty after a crash, and then it does not know what has changed.
pub const SENTINEL: &str = "s";
/// A row of the log that says: all rows are others now.
const EVERYTHING: &str = "t";

/// The name that an old shard has now.
pub fn name_of(old: &Old) -> Result<TableName> {
    catalog::name_of(old.relation())?
        .ok_or_else(|| Problem::new("42P01", format!("shard {} is not there any more", quote_table(&old.name))).into())
}

fn first(task: &Task) -> Result<(pg_sys::Oid, TableName)> {
    let old = task.old.first().ok_or_else(|| Problem::new("XX000", "a job without a shard"))?;
    Ok((old.relation(), name_of(old)?))
}

/// The new shards, empty, in a shell that is cut as the table is; the log and its functions.
pub fn create(task: &Task) -> Result<()> {
    let (oid, like) = first(task)?;
    let shell = quote_table(&task.shell);
    Spi::run(&format!(
        "CREATE TABLE {shell} (LIKE {} INCLUDING GENERATED) PARTITION BY {}",
        quote_table(&like),
        task.cut
    ))?;
    if let Some(part) = &task.part {
        Spi::run(&format!(
            "CREATE TABLE {} (LIKE {} {LIKE}) PARTITION BY LIST ({})",
            quote_table(&part.name),
            quote_table(&like),
            quote_ident(&part.column)
        ))?;
        same_rights(oid, &part.name)?;
        Spi::run(&format!(
            "ALTER TABLE {shell} ATTACH PARTITION {} {}",
            quote_table(&part.name),
            bound_clause(&part.place)
        ))?;
    }
    let into = task.part.as_ref().map_or(&task.shell, |part| &part.name);
    let facts: Vec<String> = Spi::get_one_with_args(STORAGE, &[oid.into()])?.unwrap_or_default();
    let [unlogged, storage] = facts.as_slice() else {
        return Err(Problem::new("XX000", "a shard without storage").into());
    };
    for new in &task.new {
        let name = quote_table(&new.name);
        let tablespace = new.tablespace.as_ref().map(|t| format!(" TABLESPACE {}", quote_ident(t))).unwrap_or_default();
        Spi::run(&format!("CREATE {unlogged}TABLE {name} (LIKE {} {LIKE}){storage}{tablespace}", quote_table(&like)))?;
        let details: Vec<String> = Spi::get_one_with_args(COLUMNS, &[oid.into()])?.unwrap_or_default();
        for detail in details {
            Spi::run(&format!("ALTER TABLE {name} {detail}"))?;
        }
        same_rights(oid, &new.name)?;
        Spi::run(&format!("ALTER TABLE {} ATTACH PARTITION {name} {}", quote_table(into), bound_clause(&new.place)))?;
    }
    for (table, _) in task.attached() {
        proof::add(table, pg_sys::Oid::from(task.parent))?;
    }
    create_log(task, &like)
}

const LIKE: &str = "INCLUDING COMMENTS INCLUDING COMPRESSION INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STATISTICS INCLUDING STORAGE";

const STORAGE: &str = "
    SELECT ARRAY[CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END,
                 format(' USING %I', m.amname) || coalesce((
                     SELECT ' WITH (' || pg_catalog.string_agg(pg_catalog.quote_ident(o.option_name) || ' = ' || pg_catalog.quote_literal(o.option_value), ', ' ORDER BY o.option_name) || ')'
                     FROM pg_catalog.pg_options_to_table(c.reloptions) o), '')]
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am m ON m.oid = c.relam WHERE c.oid = $1";

/// `pg_attver` is of the server's own making.
const COLUMNS: &str = "
    SELECT pg_catalog.array_agg(format('ALTER COLUMN %I %s', a.attname, d.text) ORDER BY a.attnum, d.text)
    FROM pg_catalog.pg_attribute a, LATERAL (VALUES
        (CASE WHEN a.attstattarget >= 0 THEN 'SET STATISTICS ' || a.attstattarget END),
        ((SELECT 'SET (' || pg_catalog.string_agg(pg_catalog.quote_ident(o.option_name) || ' = ' || pg_catalog.quote_literal(o.option_value), ', ' ORDER BY o.option_name) || ')'
          FROM pg_catalog.pg_options_to_table(a.attoptions) o WHERE o.option_name <> 'pg_attver'))) AS d (text)
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND d.text IS NOT NULL";

/// Grants and the comment of the old shard, in place of what the database gives to every new table.
fn same_rights(old: pg_sys::Oid, new: &TableName) -> Result<()> {
    let name = quote_table(new);
    for role in catalog::grantees(new)? {
        let role = role.map_or_else(|| "PUBLIC".to_owned(), |role| quote_ident(&role));
        Spi::run(&format!("REVOKE ALL ON TABLE {name} FROM {role}"))?;
    }
    let statements: Vec<String> = Spi::get_one_with_args(
        "SELECT pg_catalog.array_agg(text) FROM (
             SELECT format('GRANT %s ON TABLE %s TO %s%s', a.privilege_type, $2,
                        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
                        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
             FROM pg_catalog.pg_class c CROSS JOIN pg_catalog.aclexplode(c.relacl) a WHERE c.oid = $1 AND a.grantee <> c.relowner
             UNION ALL
             SELECT format('COMMENT ON TABLE %s IS %L', $2, d) FROM pg_catalog.obj_description($1, 'pg_class') AS d WHERE d IS NOT NULL) AS x (text)",
        &[old.into(), name.into()],
    )?
    .unwrap_or_default();
    statements.iter().try_for_each(|statement| Ok(Spi::run(statement)?))
}

/// The log has the keys of changed rows. It is unlogged, so that no subscriber is sent it.
fn create_log(task: &Task, like: &TableName) -> Result<()> {
    let log = quote_table(&task.log);
    let keys =
        |row: &str| task.key.iter().map(|k| format!("{row}.{}", quote_ident(&k.name))).collect::<Vec<_>>().join(", ");
    let named: Vec<String> = (1..).zip(&task.key).map(|(n, k)| format!("o.{} AS k{n}", quote_ident(&k.name))).collect();
    Spi::run(&format!(
        "CREATE UNLOGGED TABLE {log} AS SELECT {}, 'r'::pg_catalog.\"char\" AS mark FROM ONLY {} o WITH NO DATA",
        named.join(", "),
        quote_table(like)
    ))?;
    for role in catalog::grantees(&task.log)? {
        let role = role.map_or_else(|| "PUBLIC".to_owned(), |role| quote_ident(&role));
        Spi::run(&format!("REVOKE ALL ON TABLE {log} FROM {role}"))?;
    }
    Spi::run(&format!("INSERT INTO {log} (mark) VALUES ('{SENTINEL}')"))?;
    // Whoever writes to the table has no rights on the log: the functions have their owner's, and name nothing that is looked up by a path.
    let row = |row: &str| format!("INSERT INTO {log} VALUES ({}, 'r'); RETURN NULL;", keys(row));
    let all = format!("INSERT INTO {log} (mark) VALUES ('{EVERYTHING}'); RETURN NULL;");
    for (what, body) in [("new", row("NEW")), ("old", row("OLD")), ("all", all)] {
        let function = quote_table(&task.function(what));
        Spi::run(&format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {}",
            quote_literal(&format!("BEGIN {body} END"))
        ))?;
        Spi::run(&format!("REVOKE ALL ON FUNCTION {function}() FROM PUBLIC"))?;
    }
    Ok(())
}

/// The triggers of an old shard, with what fires them.
const TRIGGERS: [&str; 4] =
    ["foreshard_capture_1", "foreshard_capture_2", "foreshard_capture_3", "foreshard_capture_4"];

/// From the commit of this on, changes of the old shards are logged.
pub fn capture(task: &Task) -> Result<()> {
    let call = |what: &str| format!("EXECUTE FUNCTION {}()", quote_table(&task.function(what)));
    let side =
        |row: &str| task.key.iter().map(|k| format!("{row}.{}", quote_ident(&k.name))).collect::<Vec<_>>().join(", ");
    let [inserted, deleted, moved, truncated] = TRIGGERS;
    for old in &task.old {
        let name = quote_table(&name_of(old)?);
        release(&name)?;
        let created = [
            (inserted, "AFTER INSERT OR UPDATE", format!("FOR EACH ROW {}", call("new"))),
            (deleted, "AFTER DELETE", format!("FOR EACH ROW {}", call("old"))),
            (
                moved,
                "AFTER UPDATE",
                format!("FOR EACH ROW WHEN (({}) IS DISTINCT FROM ({})) {}", side("OLD"), side("NEW"), call("old")),
            ),
            (truncated, "AFTER TRUNCATE", format!("FOR EACH STATEMENT {}", call("all"))),
        ];
        for (trigger, when, what) in created {
            Spi::run(&format!("CREATE TRIGGER {trigger} {when} ON {name} {what}"))?;
            Spi::run(&format!("ALTER TABLE {name} ENABLE ALWAYS TRIGGER {trigger}"))?;
        }
    }
    Ok(())
}

/// Nothing is logged any more.
pub fn release(quoted: &str) -> Result<()> {
    TRIGGERS.iter().try_for_each(|trigger| Ok(Spi::run(&format!("DROP TRIGGER IF EXISTS {trigger} ON {quoted}"))?))
}

/// Keys and indexes of the filled shards; a shard's in its tablespace.
pub fn index(task: &Task) -> Result<()> {
    let (oid, like) = first(task)?;
    for new in &task.new {
        let _settings = Pinned::new(&[("default_tablespace", new.tablespace.as_deref().unwrap_or_default())]);
        build_indexes(oid, &like, &new.name, true)?;
    }
    // An inner partition adopts those of its shards.
    if let Some(part) = &task.part {
        build_indexes(oid, &like, &part.name, false)?;
    }
    for new in &task.new {
        Spi::run(&format!("ANALYZE {}", quote_table(&new.name)))?;
    }
    Ok(())
}

fn build_indexes(old: pg_sys::Oid, like: &TableName, table: &TableName, stored: bool) -> Result<()> {
    let name = quote_table(table);
    for (number, index) in (1..).zip(facts::indexes(old)?) {
        if let Some(exclusion) = index.exclusion.as_ref().filter(|_| stored) {
            Spi::run(&format!("ALTER TABLE {name} ADD {exclusion}"))?;
            continue;
        }
        if index.exclusion.is_some() {
            continue;
        }
        let own = index.name.strip_prefix(like.name.as_str()).map_or_else(|| format!("_i{number}"), str::to_owned);
        let own = quote_ident(&catalog::clip(&format!("{}{own}", table.name)));
        let unique = if index.unique { "UNIQUE " } else { "" };
        match (&index.constraint, stored) {
            // A partitioned table takes no index for a constraint; its partitions' are found by what they are.
            (Some((kind, suffix)), false) => {
                Spi::run(&format!("ALTER TABLE {name} ADD CONSTRAINT {own} {kind} ({}){suffix}", columns(index.oid)?))?;
            }
            (constraint, _) => {
                Spi::run(&format!("CREATE {unique}INDEX {own} ON {name}{}", index.definition))?;
                if let Some((kind, suffix)) = constraint {
                    Spi::run(&format!("ALTER TABLE {name} ADD CONSTRAINT {own} {kind} USING INDEX {own}{suffix}"))?;
                }
            }
        }
        if index.replica_identity {
            Spi::run(&format!("ALTER TABLE {name} REPLICA IDENTITY USING INDEX {own}"))?;
        }
        if index.clustered && stored {
            Spi::run(&format!("ALTER TABLE {name} CLUSTER ON {own}"))?;
        }
    }
    let identity: Option<String> = Spi::get_one_with_args(
        "SELECT CASE relreplident WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' END FROM pg_catalog.pg_class WHERE oid = $1",
        &[old.into()],
    )?;
    if let Some(identity) = identity {
        Spi::run(&format!("ALTER TABLE {name} REPLICA IDENTITY {identity}"))?;
    }
    Ok(())
}

/// The key columns of an index, quoted.
fn columns(index: pg_sys::Oid) -> Result<String> {
    Ok(Spi::get_one_with_args(
        "SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef($1, n, false), ', ' ORDER BY n)
         FROM pg_catalog.pg_index i, generate_series(1, i.indnkeyatts) AS n WHERE i.indexrelid = $1",
        &[index.into()],
    )?
    .unwrap_or_default())
}

/// Takes back what [`capture`] made.
pub fn undo_capture(task: &Task) -> Result<()> {
    for old in &task.old {
        if let Some(name) = catalog::name_of(old.relation())? {
            release(&quote_table(&name))?;
        }
    }
    Ok(())
}

/// Takes back what [`create`] made.
pub fn undo_create(task: &Task) -> Result<()> {
    drop_tools(task)?;
    task.new.iter().try_for_each(|new| Ok(Spi::run(&format!("DROP TABLE IF EXISTS {}", quote_table(&new.name)))?))
}

/// The shell, the log and its functions, which nothing needs after the switch.
pub fn drop_tools(task: &Task) -> Result<()> {
    // Before the switch, the shards of the job go with the shell.
    Spi::run(&format!("DROP TABLE IF EXISTS {}, {}", quote_table(&task.shell), quote_table(&task.log)))?;
    ["new", "old", "all"]
        .iter()
        .try_for_each(|what| Ok(Spi::run(&format!("DROP FUNCTION IF EXISTS {}()", quote_table(&task.function(what))))?))
}

pub fn drop_old(task: &Task) -> Result<()> {
    // Its leaves go with it.
    if let Some(part) = &task.dissolved {
        let oid = pg_sys::Oid::from(part.oid);
        if catalog::name_of(oid)?.as_ref() == Some(&part.name) && !is_partition(oid)? {
            Spi::run(&format!("DROP TABLE {}", quote_table(&part.name)))?;
        }
        return Ok(());
    }
    for old in &task.old {
        // A number may belong to another table one day.
        if catalog::name_of(old.relation())?.as_ref() == Some(&old.name) && !is_partition(old.relation())? {
            Spi::run(&format!("DROP TABLE {}", quote_table(&old.name)))?;
        }
    }
    Ok(())
}

fn is_partition(table: pg_sys::Oid) -> Result<bool> {
    let found: Option<bool> =
        Spi::get_one_with_args("SELECT relispartition FROM pg_catalog.pg_class WHERE oid = $1", &[table.into()])?;
    Ok(found.unwrap_or(false))
}
