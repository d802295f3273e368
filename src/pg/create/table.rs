//! The CREATE TABLE of the target, from that of the source: without what comes after the load, and with the partition
//! clause of the layout.
#![allow(unsafe_code)]

use super::Blueprint;
use super::nodes::{alter_table, append, make, make_untagged, only, palloc_text, range_var, unexpected, writable};
use crate::pg::definition::is_made_apart;
use crate::pg::error::Result;
use crate::pg::tree::{self, Node, items, node};
use foreshard_core::model::TableName;
use pgrx::pg_sys::{self, AlterTableType, ConstrType, NodeTag};
use std::ffi::c_char;

/// The CREATE TABLE of the target: partitioned when the layout says so, without the constraints that come after the load.
pub fn create_table<'t>(blueprint: &Blueprint<'_>) -> Result<Node<'t>> {
    let n = only(&blueprint.definition.create)?;
    let Some(create) = writable::<pg_sys::CreateStmt>(n) else { return Err(unexpected(&blueprint.definition.create)) };
    let sharded = blueprint.is_sharded();
    create.relation = range_var(&blueprint.target);
    create.tablespacename = std::ptr::null_mut();
    create.accessMethod = std::ptr::null_mut();
    create.partbound = std::ptr::null_mut();
    create.partspec = std::ptr::null_mut();
    create.if_not_exists = false;
    drop_deferred_constraints(create, sharded);
    if sharded {
        create.options = std::ptr::null_mut();
        create.partspec = partition_spec(blueprint);
    } else {
        if blueprint.definition.unlogged {
            // SAFETY: range_var has just made it.
            unsafe { (*create.relation).relpersistence = pg_sys::RELPERSISTENCE_UNLOGGED as c_char };
        }
        if !blueprint.definition.access_method.is_empty() {
            create.accessMethod = palloc_text(&blueprint.definition.access_method);
        }
        let node = blueprint.layout.and_then(|l| l.shards.first()).map(|s| s.node.as_str());
        if let Some(tablespace) = node.and_then(|node| blueprint.tablespace(node)) {
            create.tablespacename = palloc_text(tablespace);
        }
    }
    Ok(n)
}

fn partition_spec(blueprint: &Blueprint<'_>) -> *mut pg_sys::PartitionSpec {
    let spec = make_untagged::<pg_sys::PartitionSpec>(NodeTag::T_PartitionSpec);
    let Some(layout) = blueprint.layout else { return spec };
    let mut params = std::ptr::null_mut();
    for column in &layout.key {
        let element = make_untagged::<pg_sys::PartitionElem>(NodeTag::T_PartitionElem);
        // SAFETY: just made, zeroed.
        unsafe {
            (*element).name = palloc_text(column);
            (*element).location = -1;
        }
        params = append(params, element);
    }
    // SAFETY: just made, zeroed.
    unsafe {
        crate::pg::compat::set_partition_strategy(&mut *spec, layout.method);
        (*spec).partParams = params;
        (*spec).location = -1;
    }
    spec
}

fn drop_deferred_constraints(create: &mut pg_sys::CreateStmt, sharded: bool) {
    let keep = |list: *mut pg_sys::List| {
        let mut dropped = false;
        items(list).fold(std::ptr::null_mut(), |kept, n| match writable::<pg_sys::Constraint>(n) {
            // DEFERRABLE and its like stand behind the column's constraint that they belong to.
            Some(constraint) if dropped && is_attribute(constraint) => kept,
            Some(constraint) if is_made_apart(constraint) => {
                dropped = true;
                kept
            }
            Some(constraint) => {
                dropped = false;
                // A partitioned table has no NO INHERIT; without children in the backup it meant nothing.
                constraint.is_no_inherit &= !sharded;
                append(kept, n.as_ptr())
            }
            None => append(kept, n.as_ptr()),
        })
    };
    for element in items(create.tableElts) {
        if let Some(column) = writable::<pg_sys::ColumnDef>(element) {
            let primary = items(column.constraints)
                .filter_map(|c| c.get::<pg_sys::Constraint>())
                .any(|c| c.contype == ConstrType::CONSTR_PRIMARY);
            column.is_not_null |= primary;
            column.constraints = keep(column.constraints);
        }
    }
    create.tableElts = keep(create.tableElts);
    create.constraints = keep(create.constraints);
}

/// DEFERRABLE, INITIALLY DEFERRED and their opposites, which the grammar keeps beside a column's constraint.
fn is_attribute(constraint: &pg_sys::Constraint) -> bool {
    matches!(
        constraint.contype,
        ConstrType::CONSTR_ATTR_DEFERRABLE
            | ConstrType::CONSTR_ATTR_NOT_DEFERRABLE
            | ConstrType::CONSTR_ATTR_DEFERRED
            | ConstrType::CONSTR_ATTR_IMMEDIATE
    )
}

/// The storage parameters of the CREATE TABLE as an ALTER TABLE of a shard; None when it has none.
pub fn storage_parameters<'t>(blueprint: &Blueprint<'_>, shard: &TableName) -> Result<Option<Node<'t>>> {
    let n = only(&blueprint.definition.create)?;
    let Some(create) = n.get::<pg_sys::CreateStmt>() else { return Err(unexpected(&blueprint.definition.create)) };
    if tree::len(create.options) == 0 {
        return Ok(None);
    }
    let command = make::<pg_sys::AlterTableCmd>();
    // SAFETY: just made, zeroed.
    unsafe {
        (*command).subtype = AlterTableType::AT_SetRelOptions;
        (*command).def = create.options.cast();
    }
    Ok(node(alter_table(shard, command)))
}
