//! Making and changing nodes of parse trees, in the current memory context.
#![allow(unsafe_code)]

use crate::pg::error::Result;
use crate::pg::ffi::cstring;
use crate::pg::tree::{self, Node};
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys::{self, NodeTag, ObjectType};
use std::ffi::c_char;

/// Copies a text into the current memory context.
pub fn palloc_text(value: &str) -> *mut c_char {
    let value = cstring(value);
    // SAFETY: pstrdup copies a NUL-terminated string.
    unsafe { pg_sys::pstrdup(value.as_ptr()) }
}

/// A zeroed node of the current memory context.
pub fn make<T: tree::Tagged>() -> *mut T {
    // SAFETY: palloc0 gives zeroed memory, which is a valid state of every parse node once its tag is set.
    unsafe {
        let made = pg_sys::palloc0(std::mem::size_of::<T>()).cast::<pg_sys::Node>();
        (*made).type_ = T::TAG;
        made.cast()
    }
}

pub fn append<T>(list: *mut pg_sys::List, element: *mut T) -> *mut pg_sys::List {
    // SAFETY: NIL or a list of pointers, as all lists of parse nodes here are.
    unsafe { pg_sys::lappend(list, element.cast()) }
}

pub fn name_list(parts: &[&str]) -> *mut pg_sys::List {
    parts.iter().fold(std::ptr::null_mut(), |list, part| {
        // SAFETY: makeString keeps the palloc'd text.
        append(list, unsafe { pg_sys::makeString(palloc_text(part)) })
    })
}

pub fn range_var(table: &TableName) -> *mut pg_sys::RangeVar {
    // SAFETY: both names are palloc'd; the result is of the current memory context.
    unsafe { pg_sys::makeRangeVar(palloc_text(&table.schema), palloc_text(&table.name), -1) }
}

/// `AS name`.
pub fn alias(name: &str) -> *mut pg_sys::Alias {
    // SAFETY: makeAlias copies the name; the result is of the current memory context.
    unsafe { pg_sys::makeAlias(cstring(name).as_ptr(), std::ptr::null_mut()) }
}

/// `value::pg_catalog.type_name`.
pub fn cast(value: *mut pg_sys::Node, type_name: &str) -> *mut pg_sys::Node {
    let cast = make::<pg_sys::TypeCast>();
    // SAFETY: just made, zeroed; the type's name is a list of String nodes.
    unsafe {
        (*cast).arg = value;
        (*cast).typeName = pg_sys::makeTypeNameFromNameList(name_list(&["pg_catalog", type_name]));
        (*cast).location = -1;
    }
    cast.cast()
}

/// Makes `$number` of a constant, where it stands.
pub fn become_parameter(constant: Node<'_>, number: i32) {
    const { assert!(std::mem::size_of::<pg_sys::ParamRef>() <= std::mem::size_of::<pg_sys::A_Const>()) };
    if constant.tag() == NodeTag::T_A_Const {
        // SAFETY: the tag says what it is, which is the larger of the two; the tree was parsed for this use.
        unsafe {
            constant.as_ptr().cast::<pg_sys::ParamRef>().write(pg_sys::ParamRef {
                type_: NodeTag::T_ParamRef,
                number,
                location: -1,
            });
        }
    }
}

/// A statement as parse analysis takes it.
pub fn raw_statement(statement: *mut pg_sys::Node) -> *mut pg_sys::RawStmt {
    let raw = make::<pg_sys::RawStmt>();
    // SAFETY: just made, zeroed.
    unsafe {
        (*raw).stmt = statement;
        (*raw).stmt_location = -1;
    }
    raw
}

/// Mutable access to a node that was just parsed for this use.
pub fn writable<'t, T: tree::Tagged>(n: Node<'t>) -> Option<&'t mut T> {
    // SAFETY: the tag says that it is a T; nobody else holds the tree, which was parsed by `prepare`.
    (n.tag() == T::TAG).then(|| unsafe { &mut *n.as_ptr().cast::<T>() })
}

pub fn make_untagged<T>(tag: NodeTag) -> *mut T {
    // SAFETY: as in `make`.
    unsafe {
        let made = pg_sys::palloc0(std::mem::size_of::<T>()).cast::<pg_sys::Node>();
        (*made).type_ = tag;
        made.cast()
    }
}

pub fn alter_table(table: &TableName, command: *mut pg_sys::AlterTableCmd) -> *mut pg_sys::AlterTableStmt {
    let alter = make::<pg_sys::AlterTableStmt>();
    // SAFETY: just made, zeroed.
    unsafe {
        (*alter).relation = range_var(table);
        (*alter).cmds = append(std::ptr::null_mut(), command);
        (*alter).objtype = ObjectType::OBJECT_TABLE;
    }
    alter
}

/// Parses a text that is known to hold one statement.
pub fn only<'t>(statement: &str) -> Result<Node<'t>> {
    tree::raw(statement)?.into_iter().next().ok_or_else(|| unexpected(statement))
}

pub fn unexpected(statement: &str) -> crate::pg::error::Error {
    let start: String = statement.chars().take(80).collect();
    Problem::new("XX000", "a statement of the backup is not what it was read as")
        .detail(format!("It starts: {start}"))
        .into()
}
