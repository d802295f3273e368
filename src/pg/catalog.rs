//! Questions to the live catalog, answered as plain data. All queries qualify their names; the search_path is pinned.
#![allow(unsafe_code)]

use super::error::Result;
use super::ffi;
use foreshard_core::model::{Problem, TableName};
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum, pg_sys};

/// The caller may read files with the server's rights.
pub fn may_read_server_files() -> bool {
    let role = pg_sys::Oid::from(pg_sys::ROLE_PG_READ_SERVER_FILES);
    // SAFETY: plain catalog look-up for the current user.
    unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), role) }
}

/// Text is handled as UTF-8 throughout.
pub fn database_is_utf8() -> bool {
    // SAFETY: reads the database's encoding.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 }
}

/// A name as users write it (`orders`, `public.orders`, `"Odd"."Name"`); `schema` stands in for a missing one.
///
/// # Errors
/// 42602 when it is no name, 3F000 when there is no schema to create in.
pub fn resolve_name(text: &str, schema: Option<&str>) -> Result<TableName> {
    let parts: Option<Vec<String>> =
        ffi::subtransaction(true, || Ok(one("SELECT pg_catalog.parse_ident($1)", &[text.into()])?)).map_err(|e| {
            e.into_problems()
                .into_iter()
                .map(|p| {
                    Problem::new("42602", format!("\"{text}\" is not a table's name"))
                        .detail(format!("The server says: {}.", p.message))
                })
                .map(|p| p.hint("Write schema.table, with double quotes around parts that need them."))
                .collect::<Vec<_>>()
        })?;
    match parts.unwrap_or_default().as_slice() {
        [name] => match schema {
            Some(schema) => Ok(TableName::new(schema, clip(name))),
            None => Err(Problem::new("3F000", "no schema has been selected to create in")
                .hint("Write the table's name with its schema.")
                .into()),
        },
        [schema, name] => Ok(TableName::new(clip(schema), clip(name))),
        _ => Err(Problem::new("42602", format!("\"{text}\" is not a table's name"))
            .detail("It has more parts than a schema and a table.")
            .hint("Write schema.table.")
            .into()),
    }
}

/// Identifiers are cut to 63 bytes by the server; do it at a character, as the server does.
pub fn clip(name: &str) -> String {
    let mut end = name.len().min(pg_sys::NAMEDATALEN as usize - 1);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name).to_owned()
}

pub fn relation_oid(name: &TableName) -> Result<Option<pg_sys::Oid>> {
    Ok(one(
        "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2",
        &[name.schema.clone().into(), name.name.clone().into()],
    )?)
}

/// The name of the relation with that OID; None where there is none.
pub fn name_of(relation: pg_sys::Oid) -> Result<Option<TableName>> {
    let name: Option<Vec<String>> = one(
        "SELECT ARRAY[n.nspname::pg_catalog.text, c.relname::pg_catalog.text]
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1",
        &[relation.into()],
    )?;
    Ok(name.and_then(|parts| <[String; 2]>::try_from(parts).ok()).map(|[schema, name]| TableName::new(schema, name)))
}

/// The names of those relations that are there.
pub fn names_of(relations: &[pg_sys::Oid]) -> Result<Vec<(pg_sys::Oid, TableName)>> {
    Ok(Spi::connect(|client| {
        let query = "SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1) ORDER BY c.oid";
        let mut found = Vec::new();
        for row in client.select(query, None, &[relations.to_vec().into()])? {
            if let (Some(oid), Some(schema), Some(name)) = (row.get(1)?, row.get::<String>(2)?, row.get::<String>(3)?) {
                found.push((oid, TableName::new(schema, name)));
            }
        }
        Ok::<_, pgrx::spi::Error>(found)
    })?)
}

/// The caller's role is the relation's owner, and no mere member of it.
pub fn owned_by_caller(relation: pg_sys::Oid) -> Result<bool> {
    Ok(one(
        "SELECT pg_catalog.pg_get_userbyid(c.relowner) = current_user FROM pg_catalog.pg_class c WHERE c.oid = $1",
        &[relation.into()],
    )?
    .unwrap_or(false))
}

/// The number of a relation's file; None where it has none.
pub fn file_of(relation: pg_sys::Oid) -> Result<Option<u32>> {
    let file: Option<pg_sys::Oid> =
        one("SELECT pg_catalog.pg_relation_filenode($1::pg_catalog.regclass)", &[relation.into()])?;
    Ok(file.map(|file| file.to_u32()))
}

/// The value of a setting.
pub fn setting(name: &str) -> Result<String> {
    Ok(one("SELECT pg_catalog.current_setting($1)", &[name.into()])?.unwrap_or_default())
}

/// The names of a relation's columns; None where there is no such relation.
pub fn column_names(name: &TableName) -> Result<Option<Vec<String>>> {
    Ok(one(
        "SELECT ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2",
        &[name.schema.clone().into(), name.name.clone().into()],
    )?)
}

/// The names of a relation's columns with their types, those of domains being what the domain is made of; None where there
/// is no such relation.
pub fn column_types(name: &TableName) -> Result<Option<Vec<(String, String)>>> {
    let Some(columns) = column_names(name)? else { return Ok(None) };
    let types: Option<Vec<String>> = one(
        "SELECT ARRAY(SELECT pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL)
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2",
        &[name.schema.clone().into(), name.name.clone().into()],
    )?;
    Ok(Some(columns.into_iter().zip(types.unwrap_or_default()).collect()))
}

/// The relation that an extension calls like itself, in whichever schema it was created; None where it is not installed.
pub fn extension_relation(extension: &str) -> Result<Option<TableName>> {
    let schema: Option<String> = one(
        "SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_extension e
             JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = $1",
        &[extension.into()],
    )?;
    Ok(schema.map(|schema| TableName::new(schema, extension)))
}

/// The views of this database with the queries that they stand for; not the system's, nor those of extensions.
pub fn views() -> Result<Vec<(TableName, String)>> {
    let rows = Spi::connect(|client| {
        let table = client.select(
            "SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, pg_catalog.pg_get_viewdef(c.oid)
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'foreshard')
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
             ORDER BY 1, 2",
            None,
            &[],
        )?;
        table
            .map(|row| Ok((row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?)))
            .collect::<std::result::Result<Vec<_>, pgrx::spi::Error>>()
    })?;
    let whole = |(schema, name, query): (Option<String>, Option<String>, Option<String>)| {
        Some((TableName::new(schema?, name?), query?))
    };
    Ok(rows.into_iter().filter_map(whole).collect())
}

/// The words for what a relation is, `a table`; None when there is none of that name.
pub fn relation_kind(name: &TableName) -> Result<Option<String>> {
    Ok(one(
        "SELECT CASE c.relkind WHEN 'r' THEN 'a table' WHEN 'p' THEN 'a partitioned table' WHEN 'v' THEN 'a view'
             WHEN 'm' THEN 'a materialized view' WHEN 'S' THEN 'a sequence' WHEN 'i' THEN 'an index'
             WHEN 'I' THEN 'an index' WHEN 'f' THEN 'a foreign table' WHEN 'c' THEN 'a composite type' ELSE 'a relation' END
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2",
        &[name.schema.clone().into(), name.name.clone().into()],
    )?)
}

pub fn schema_exists(name: &str) -> Result<bool> {
    exists("SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", name)
}

/// The caller may create relations there; of the catalogs, nobody may.
pub fn may_create_in(schema: &str) -> Result<bool> {
    Ok(one(
        "SELECT pg_catalog.has_schema_privilege($1, 'CREATE') AND $1 NOT IN ('pg_catalog', 'pg_toast')",
        &[schema.into()],
    )?
    .unwrap_or(false))
}

pub fn may_create_temporary() -> Result<bool> {
    Ok(one("SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')", &[])?
        .unwrap_or(false))
}

pub fn role_exists(name: &str) -> Result<bool> {
    exists("SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)", name)
}

/// publish_via_partition_root of a publication; None when there is none of that name.
pub fn publication_via_root(name: &str) -> Result<Option<bool>> {
    Ok(one("SELECT pubviaroot FROM pg_catalog.pg_publication WHERE pubname = $1", &[name.into()])?)
}

/// The caller may become this role.
pub fn may_act_as(role: &str) -> Result<bool> {
    exists(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles r
                        WHERE r.rolname = $1 AND pg_catalog.pg_has_role(r.oid, 'MEMBER'))",
        role,
    )
}

/// The OID of a role that is there.
pub fn role_oid(name: &str) -> Result<Option<pg_sys::Oid>> {
    Ok(one("SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1", &[name.into()])?)
}

/// Who has been granted something on a relation, its owner apart; None is PUBLIC.
pub fn grantees(relation: &TableName) -> Result<Vec<Option<String>>> {
    let Some(oid) = relation_oid(relation)? else { return Ok(Vec::new()) };
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT DISTINCT r.rolname::pg_catalog.text
             FROM pg_catalog.pg_class c CROSS JOIN pg_catalog.aclexplode(c.relacl) a
             LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
             WHERE c.oid = $1 AND a.grantee <> c.relowner",
            None,
            &[oid.into()],
        )?;
        Ok(rows.map(|row| row.get(1)).collect::<std::result::Result<_, pgrx::spi::Error>>()?)
    })
}

/// The caller's role may log in, as a process that works for it has to.
pub fn may_log_in() -> Result<bool> {
    Ok(one("SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = current_user", &[])?.unwrap_or(false))
}

pub fn schema_oid(name: &str) -> Result<Option<pg_sys::Oid>> {
    Ok(one("SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1", &[name.into()])?)
}

pub fn tablespace_oid(name: &str) -> Result<Option<pg_sys::Oid>> {
    Ok(one("SELECT oid FROM pg_catalog.pg_tablespace WHERE spcname = $1", &[name.into()])?)
}

pub fn extension_installed(name: &str) -> Result<bool> {
    exists("SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = $1)", name)
}

fn exists(query: &str, name: &str) -> Result<bool> {
    Ok(one(query, &[name.into()])?.unwrap_or(false))
}

/// A column of the table owns the sequence, by OWNED BY or as its identity.
pub fn owns_sequence(table: &TableName, sequence: &TableName) -> Result<bool> {
    let (Some(table), Some(sequence)) = (relation_oid(table)?, relation_oid(sequence)?) else { return Ok(false) };
    Ok(one(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = $1
             AND refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND refobjid = $2 AND deptype IN ('a', 'i'))",
        &[sequence.into(), table.into()],
    )?
    .unwrap_or(false))
}

/// The OID of a table that must be there.
///
/// # Errors
/// 42P01 or 42809.
pub fn require_table(name: &TableName) -> Result<pg_sys::Oid> {
    match (relation_oid(name)?, relation_kind(name)?.as_deref()) {
        (Some(oid), Some("a table" | "a partitioned table")) => Ok(oid),
        (Some(_), kind) => Err(Problem::new("42809", format!("\"{name}\" is not a table"))
            .detail(format!("It is {}.", kind.unwrap_or("a relation")))
            .into()),
        (None, _) => Err(Problem::new("42P01", format!("table \"{name}\" does not exist")).into()),
    }
}

/// What the OID stands for has rows of its own or in partitions: a table, also a partitioned or a foreign one.
///
/// # Errors
/// 42P01 or 42809.
pub fn require_rows(relation: pg_sys::Oid) -> Result<()> {
    let found: Option<String> = one(
        "SELECT CASE WHEN c.relkind IN ('r', 'p', 'f') THEN '' ELSE c.oid::pg_catalog.regclass::pg_catalog.text END
         FROM pg_catalog.pg_class c WHERE c.oid = $1",
        &[relation.into()],
    )?;
    match found.as_deref() {
        Some("") => Ok(()),
        Some(name) => Err(Problem::new("42809", format!("\"{name}\" is not a table"))
            .hint("Only tables have rows to verify; name the table itself.")
            .into()),
        None => Err(Problem::new("42P01", format!("relation with OID {} does not exist", relation.to_u32())).into()),
    }
}

/// Does `table` have a unique or primary key on exactly these columns? Foreign keys need one.
pub fn has_unique_key(table: &TableName, columns: &[String]) -> Result<bool> {
    let mut wanted: Vec<String> = columns.to_vec();
    wanted.sort();
    Ok(one(
        "SELECT EXISTS (
             SELECT FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
               AND (SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attname::pg_catalog.text COLLATE \"C\")
                    FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]))
                   OPERATOR(pg_catalog.=) $3)",
        &[table.schema.clone().into(), table.name.clone().into(), wanted.into()],
    )?
    .unwrap_or(false))
}

/// The leaf partitions of a table (itself when it is a plain one), by name.
pub fn leaves(table: pg_sys::Oid) -> Result<Vec<(pg_sys::Oid, TableName)>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text
             FROM (SELECT relid FROM pg_catalog.pg_partition_tree($1) WHERE isleaf
                   UNION SELECT $1 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree($1))) t
             JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p', 'f')
             ORDER BY n.nspname, c.relname",
            None,
            &[table.into()],
        )?;
        let mut found = Vec::new();
        for row in rows {
            if let (Some(oid), Some(schema), Some(name)) = (row.get(1)?, row.get::<String>(2)?, row.get::<String>(3)?) {
                found.push((oid, TableName::new(schema, name)));
            }
        }
        Ok(found)
    })
}

/// The first column of the first row, NULL and no row being None. Unlike pgrx's own, it asks for no transaction ID, which a
/// standby does not have.
/// The only value that a query gives; None where it gives no row.
pub fn one<T: FromDatum + IntoDatum>(
    query: &str,
    args: &[DatumWithOid<'_>],
) -> std::result::Result<Option<T>, pgrx::spi::Error> {
    Spi::connect(|client| match client.select(query, Some(1), args)?.next() {
        Some(row) => row.get(1),
        None => Ok(None),
    })
}

/// A type of that name, as `format_type` writes it, exists here.
pub fn type_exists(name: &str) -> bool {
    ffi::subtransaction(true, || Ok(one::<bool>("SELECT pg_catalog.to_regtype($1) IS NOT NULL", &[name.into()])?))
        .ok()
        .flatten()
        .unwrap_or(false)
}

/// The condition that a partition's bounds put on its rows; None for a table that is no partition.
pub fn partition_constraint(partition: pg_sys::Oid) -> Result<Option<String>> {
    Ok(one("SELECT pg_catalog.pg_get_partition_constraintdef($1)", &[partition.into()])?)
}
