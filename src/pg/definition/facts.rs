//! Facts read off single parse nodes: what a command names, what CREATE TABLE implies, how a reference reads in SQL.
//! Each is asked while a script is filed, and kept as plain data.

use super::Of;
use super::columns::{inline_constraints, serial_type};
use crate::pg::ffi::quote_ident;
use crate::pg::tree::{items, node, qualified, strings, text};
use foreshard_core::model::{Table, TableName};
use pgrx::pg_sys::{self, AlterTableType as At, ConstrType};

/// The index or trigger that a command names.
pub fn what_it_is_of(command: &pg_sys::AlterTableCmd) -> Option<Of> {
    match command.subtype {
        At::AT_ClusterOn => text(command.name).map(Of::Index),
        At::AT_ReplicaIdentity => {
            let identity = node(command.def)?.get::<pg_sys::ReplicaIdentityStmt>()?;
            text(identity.name).map(Of::Index)
        }
        At::AT_EnableTrig | At::AT_EnableAlwaysTrig | At::AT_EnableReplicaTrig | At::AT_DisableTrig => {
            text(command.name).map(Of::Trigger)
        }
        _ => None,
    }
}

/// The sequence that ADD GENERATED … AS IDENTITY (SEQUENCE NAME …) creates.
pub fn identity_sequence(command: &pg_sys::AlterTableCmd, schema: &str) -> Option<TableName> {
    let identity = node(command.def)?.get::<pg_sys::Constraint>().filter(|_| command.subtype == At::AT_AddIdentity)?;
    let name = items(identity.options)
        .filter_map(|o| o.get::<pg_sys::DefElem>())
        .find(|o| text(o.defname).as_deref() == Some("sequence_name"))?;
    qualified(&node(name.arg).map(|a| strings(a.as_ptr().cast()))?, schema)
}

pub fn checks_without_heirs(create: &pg_sys::CreateStmt) -> Vec<String> {
    inline_constraints(create)
        .into_iter()
        .filter(|(_, c)| c.contype == ConstrType::CONSTR_CHECK && c.is_no_inherit)
        .map(|(on, c)| text(c.conname).or(on).unwrap_or_default())
        .collect()
}

/// `table_column_key`, with a number where the table has that already.
pub fn free_name(table: &Table, columns: &[String], suffix: &str) -> String {
    let first = format!("{}_{}_{suffix}", table.name.name, columns.join("_"));
    let taken = |name: &String| {
        table.unique_keys.iter().any(|k| k.name == *name) || table.foreign_keys.iter().any(|k| k.name == *name)
    };
    let numbered = (1..).map(|i| format!("{first}{i}"));
    std::iter::once(first.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

/// Sequences that CREATE TABLE makes by itself, under the names that the server gives them.
pub fn implied_sequences(create: &pg_sys::CreateStmt, table: &TableName) -> Vec<TableName> {
    let identity = |def: &pg_sys::ColumnDef| {
        items(def.constraints)
            .filter_map(|c| c.get::<pg_sys::Constraint>())
            .any(|c| c.contype == ConstrType::CONSTR_IDENTITY)
    };
    items(create.tableElts)
        .filter_map(|e| e.get::<pg_sys::ColumnDef>())
        .filter(|def| serial_type(def).is_some() || identity(def))
        .filter_map(|def| text(def.colname))
        .map(|column| TableName::new(&table.schema, format!("{}_{column}_seq", table.name)))
        .collect()
}

/// What a foreign key says behind the columns that it refers to, as the server would write it.
pub fn reference_clause(c: &pg_sys::Constraint) -> String {
    let action = |letter: std::ffi::c_char| match letter as u8 {
        pg_sys::FKCONSTR_ACTION_RESTRICT => Some("RESTRICT"),
        pg_sys::FKCONSTR_ACTION_CASCADE => Some("CASCADE"),
        pg_sys::FKCONSTR_ACTION_SETNULL => Some("SET NULL"),
        pg_sys::FKCONSTR_ACTION_SETDEFAULT => Some("SET DEFAULT"),
        _ => None,
    };
    let mut clause = String::new();
    if c.fk_matchtype as u8 == pg_sys::FKCONSTR_MATCH_FULL {
        clause.push_str(" MATCH FULL");
    }
    if let Some(action) = action(c.fk_upd_action) {
        clause.push_str(&format!(" ON UPDATE {action}"));
    }
    if let Some(action) = action(c.fk_del_action) {
        clause.push_str(&format!(" ON DELETE {action}"));
        let only = crate::pg::compat::delete_columns(c);
        if !only.is_empty() {
            let only: Vec<String> = only.iter().map(|column| quote_ident(column)).collect();
            clause.push_str(&format!(" ({})", only.join(", ")));
        }
    }
    for (said, words) in
        [(c.deferrable, " DEFERRABLE"), (c.initdeferred, " INITIALLY DEFERRED"), (c.skip_validation, " NOT VALID")]
    {
        if said {
            clause.push_str(words);
        }
    }
    clause
}
