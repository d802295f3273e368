//! Column definitions as facts for the planner; the types are looked up in this database, where they will be used.
#![allow(unsafe_code)]

use crate::pg::ffi::subtransaction;
use crate::pg::tree::{Node, items, node, strings, text};
use foreshard_core::model::Column;
use pgrx::pg_sys::{self, ConstrType, NodeTag};
use std::ffi::CStr;

/// A column of a CREATE TABLE.
pub fn column(def: &pg_sys::ColumnDef) -> Column {
    let mut column = Column {
        name: text(def.colname).unwrap_or_default(),
        type_name: String::new(),
        not_null: def.is_not_null,
        generated: false,
        unique_by_default: def.identity != 0,
        hashable: false,
        orderable: false,
    };
    if let Some(stored) = serial_type(def) {
        column.type_name = stored.to_owned();
        (column.not_null, column.unique_by_default) = (true, true);
        (column.hashable, column.orderable) = (true, true);
    } else {
        describe_type(&mut column, def.typeName);
    }
    for constraint in items(def.constraints).filter_map(|c| c.get::<pg_sys::Constraint>()) {
        match constraint.contype {
            ConstrType::CONSTR_NOTNULL | ConstrType::CONSTR_PRIMARY => column.not_null = true,
            ConstrType::CONSTR_IDENTITY => column.unique_by_default = true,
            ConstrType::CONSTR_GENERATED => column.generated = true,
            ConstrType::CONSTR_DEFAULT => column.unique_by_default |= makes_unique(node(constraint.raw_expr)),
            _ => {}
        }
    }
    column
}

/// The type that a column declared as one of the serial types stores: they are words of CREATE TABLE, not types.
pub fn serial_type(def: &pg_sys::ColumnDef) -> Option<&'static str> {
    match strings(crate::pg::tree::field(def.typeName)?.names).as_slice() {
        [name] => match name.as_str() {
            "smallserial" | "serial2" => Some("smallint"),
            "serial" | "serial4" => Some("integer"),
            "bigserial" | "serial8" => Some("bigint"),
            _ => None,
        },
        _ => None,
    }
}

/// A default that gives a new value to each row: a sequence or a random uuid.
pub fn makes_unique(default: Option<Node<'_>>) -> bool {
    let Some(call) = default.and_then(|n| n.get::<pg_sys::FuncCall>()) else { return false };
    strings(call.funcname).last().is_some_and(|name| {
        matches!(name.as_str(), "nextval" | "gen_random_uuid" | "uuidv4" | "uuidv7")
            || name.starts_with("uuid_generate_v")
    })
}

/// The types that one TypeName field stands for, `None` when it does not exist here.
pub fn lookup(type_name: *mut pg_sys::TypeName) -> Option<(pg_sys::Oid, i32)> {
    let names = crate::pg::tree::field(type_name).map(|t| strings(t.names)).unwrap_or_default();
    let look = || {
        let mut typmod: i32 = -1;
        // SAFETY: a TypeName of a live tree; the tuple is released here.
        unsafe {
            let tuple = pg_sys::LookupTypeName(std::ptr::null_mut(), type_name, &raw mut typmod, true);
            if tuple.is_null() {
                return None;
            }
            let oid = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>()).oid;
            pg_sys::ReleaseSysCache(tuple);
            Some((oid, typmod))
        }
    };
    if names.first().is_some_and(|n| n == "pg_catalog") {
        look()
    } else {
        // A schema that the caller may not use makes the look-up an error.
        subtransaction(true, || Ok(look())).ok().flatten()
    }
}

fn describe_type(column: &mut Column, type_name: *mut pg_sys::TypeName) {
    let Some((oid, typmod)) = lookup(type_name) else {
        column.type_name = crate::pg::tree::field(type_name).map(|t| strings(t.names).join(".")).unwrap_or_default();
        return;
    };
    // SAFETY: the type exists; the cache entry stays valid while we read it.
    unsafe {
        let name = pg_sys::format_type_with_typemod(oid, typmod);
        column.type_name = CStr::from_ptr(name).to_string_lossy().into_owned();
        let wanted = pg_sys::TYPECACHE_HASH_EXTENDED_PROC | pg_sys::TYPECACHE_CMP_PROC;
        if let Some(entry) = pg_sys::lookup_type_cache(oid, wanted as i32).as_ref() {
            column.hashable = entry.hash_extended_proc != pg_sys::InvalidOid;
            column.orderable = entry.cmp_proc != pg_sys::InvalidOid;
        }
    }
}

/// The constraints inside a CREATE TABLE: those of the columns with their column, then those of the table.
pub fn inline_constraints<'t>(create: &pg_sys::CreateStmt) -> Vec<(Option<String>, &'t pg_sys::Constraint)> {
    let mut found = Vec::new();
    for element in items(create.tableElts) {
        if let Some(def) = element.get::<pg_sys::ColumnDef>() {
            let name = text(def.colname);
            found.extend(
                items(def.constraints).filter_map(|c| c.get::<pg_sys::Constraint>()).map(|c| (name.clone(), c)),
            );
        }
    }
    for element in items(create.tableElts).chain(items(create.constraints)) {
        if element.tag() == NodeTag::T_Constraint {
            found.extend(element.get::<pg_sys::Constraint>().map(|c| (None, c)));
        }
    }
    found
}

/// A constraint that is made by itself, after the load where that can be: keys and references, as pg_dump would write them, and checks.
pub fn is_made_apart(constraint: &pg_sys::Constraint) -> bool {
    matches!(
        constraint.contype,
        ConstrType::CONSTR_PRIMARY
            | ConstrType::CONSTR_UNIQUE
            | ConstrType::CONSTR_EXCLUSION
            | ConstrType::CONSTR_FOREIGN
            | ConstrType::CONSTR_CHECK
    )
}
