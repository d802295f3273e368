//! A foreign table of postgres_fdw made to stand for a table on another server, in place.
//!
//! Attaching another table would lock the whole partitioned table, and lose what the shard has been given here. So the shard's own
//! entry in the catalog is changed instead: it keeps its OID, its grants, comments and statistics, and only the shard itself is locked.
//! Plans and sessions follow, as after any ALTER FOREIGN TABLE.
#![allow(unsafe_code)]

use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_literal, quote_table};
use crate::pg::{catalog, ledger};
use foreshard_core::model::{Problem, TableName};
use pgrx::{IntoDatum, pg_sys, prelude::*};

/// From now on the shard is `there`, a table behind `server`, and lives on `node`: for this transaction, and for all others when it commits.
/// The shard is locked until then; whoever waits for it finds it in its new place.
///
/// # Errors
/// 42704 for a server that is not there, 0A000 for another wrapper than the shard's, 42501 for a shard of another role or a server
/// without USAGE, 42809 for what is no foreign table.
pub fn repoint(shard: pg_sys::Oid, node: &str, server: &str, there: &TableName) -> Result<()> {
    let name = catalog::name_of(shard)?
        .ok_or_else(|| Problem::new("42P01", format!("shard with OID {} does not exist", shard.to_u32())))?;
    let (old, new) = servers(shard, &name, server)?;
    // The server's own checks of who may, and its lock.
    let option = |option: &str, value: &str, has: bool| {
        format!("{} {option} {}", if has { "SET" } else { "ADD" }, quote_literal(value))
    };
    Spi::run(&format!(
        "ALTER FOREIGN TABLE {} OPTIONS ({}, {})",
        quote_table(&name),
        option("schema_name", &there.schema, old.has_schema),
        option("table_name", &there.name, old.has_table)
    ))?;
    if old.server != new {
        change_server(shard, old.server, new);
    }
    ledger::record_move(shard, node)
}

/// What the shard is now.
struct Now {
    server: pg_sys::Oid,
    has_schema: bool,
    has_table: bool,
}

fn servers(shard: pg_sys::Oid, name: &TableName, server: &str) -> Result<(Now, pg_sys::Oid)> {
    let found = Spi::connect(|client| {
        let mut rows = client.select(
            "SELECT o.oid, EXISTS (SELECT FROM pg_catalog.unnest(f.ftoptions) t WHERE pg_catalog.starts_with(t, 'schema_name=')),
                    EXISTS (SELECT FROM pg_catalog.unnest(f.ftoptions) t WHERE pg_catalog.starts_with(t, 'table_name=')),
                    s.oid, s.srvfdw OPERATOR(pg_catalog.=) o.srvfdw, pg_catalog.has_server_privilege(s.oid, 'USAGE')
             FROM pg_catalog.pg_foreign_table f JOIN pg_catalog.pg_foreign_server o ON o.oid OPERATOR(pg_catalog.=) f.ftserver
             LEFT JOIN pg_catalog.pg_foreign_server s ON s.srvname OPERATOR(pg_catalog.=) $2::pg_catalog.name
             WHERE f.ftrelid OPERATOR(pg_catalog.=) $1",
            Some(1),
            &[shard.into(), server.into()],
        )?;
        match rows.next() {
            Some(row) => {
                let now = Now {
                    server: row.get(1)?.unwrap_or(pg_sys::InvalidOid),
                    has_schema: row.get(2)?.unwrap_or(false),
                    has_table: row.get(3)?.unwrap_or(false),
                };
                Ok::<_, pgrx::spi::Error>(Some((now, row.get::<pg_sys::Oid>(4)?, row.get(5)?, row.get(6)?)))
            }
            None => Ok(None),
        }
    })?;
    let Some((now, new, same_wrapper, usable)) = found else {
        return Err(Problem::new("42809", format!("{} is not a foreign table", quote_table(name)))
            .detail("Only shards on other servers can be made to stand for another table.")
            .into());
    };
    let Some(new) = new else {
        return Err(Problem::new("42704", format!("server \"{server}\" does not exist")).into());
    };
    if same_wrapper != Some(true) {
        return Err(Problem::new("0A000", format!("server \"{server}\" is of another foreign-data wrapper"))
            .detail(format!("{} cannot change its wrapper.", quote_table(name)))
            .into());
    }
    if usable != Some(true) {
        return Err(Problem::new("42501", format!("permission denied for foreign server {server}"))
            .hint(format!("Its owner can GRANT USAGE ON FOREIGN SERVER {}.", quote_ident(server)))
            .into());
    }
    Ok((now, new))
}

/// What no ALTER FOREIGN TABLE does. The caller owns the shard, has locked it and may use the server.
fn change_server(shard: pg_sys::Oid, old: pg_sys::Oid, new: pg_sys::Oid) {
    // SAFETY: a copy of the shard's own tuple, with one column changed, goes back into the catalog that it came from; its other users
    // are told when this transaction commits.
    unsafe {
        let catalog = pg_sys::table_open(pg_sys::ForeignTableRelationId, pg_sys::RowExclusiveLock as i32);
        let key = shard.into_datum().unwrap_or(pg_sys::Datum::from(0));
        let none = pg_sys::Datum::from(0);
        let cache = pg_sys::SysCacheIdentifier::FOREIGNTABLEREL as i32;
        let tuple = pg_sys::SearchSysCacheCopy(cache, key, none, none, none);
        if !tuple.is_null() {
            let mut column = pg_sys::Anum_pg_foreign_table_ftserver as i32;
            let (mut value, mut null) = (new.into_datum().unwrap_or(none), false);
            let changed = pg_sys::heap_modify_tuple_by_cols(
                tuple,
                (*catalog).rd_att,
                1,
                &raw mut column,
                &raw mut value,
                &raw mut null,
            );
            pg_sys::CatalogTupleUpdate(catalog, &raw mut (*changed).t_self, changed);
            pg_sys::changeDependencyFor(pg_sys::RelationRelationId, shard, pg_sys::ForeignServerRelationId, old, new);
        }
        pg_sys::table_close(catalog, pg_sys::RowExclusiveLock as i32);
        pg_sys::CacheInvalidateRelcacheByRelid(shard);
        pg_sys::CommandCounterIncrement();
    }
}
