//! What lets ATTACH PARTITION believe a new shard's rows without reading them: its bound as a CHECK of its own.
//!
//! The bound's condition is taken from the server itself, as the tree that ATTACH compares with: a text would be read with a collation, and
//! so not be equal to it for texts under hash. It holds the table's OID, and is dropped with the switch.
#![allow(unsafe_code)]

use crate::pg::catalog;
use crate::pg::create::nodes::{alter_table, make, palloc_text};
use crate::pg::error::Result;
use crate::pg::ffi::{self, cstring, quote_table};
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary as guarded;
use pgrx::prelude::*;

/// pg_constraint.
const CONSTRAINTS: pg_sys::Oid = pg_sys::Oid::from_u32(2606);

/// The name of the CHECK.
pub const PROOF: &str = "foreshard_bound";

unsafe extern "C-unwind" {
    fn RelationGetPartitionQual(relation: pg_sys::Relation) -> *mut pg_sys::List;
    fn map_partition_varattnos(
        expressions: *mut pg_sys::List,
        varno: std::ffi::c_int,
        to: pg_sys::Relation,
        from: pg_sys::Relation,
    ) -> *mut pg_sys::List;
}

/// Adds the CHECK to an empty table that is a partition with the bound already, of a table that is cut like `parent`.
pub fn add(table: &TableName, parent: pg_sys::Oid) -> Result<()> {
    let gone = || Problem::new("XX000", format!("{} has no bound", quote_table(table)));
    let oid = catalog::relation_oid(table)?.ok_or_else(gone)?;
    let bound: String = Spi::get_one_with_args(
        "SELECT relpartbound::pg_catalog.text FROM pg_catalog.pg_class WHERE oid = $1",
        &[oid.into()],
    )?
    .ok_or_else(gone)?;
    // SAFETY: both relations are there and locked until the end of the transaction; the bound is the server's own text of a node; all
    // trees are of the current memory context.
    let condition = unsafe {
        let lock = i32::try_from(pg_sys::AccessShareLock).unwrap_or(1);
        let (from, to) = (pg_sys::table_open(parent, lock), pg_sys::table_open(oid, lock));
        let spec = pg_sys::stringToNode(cstring(&bound).as_ptr()).cast::<pg_sys::PartitionBoundSpec>();
        #[cfg(feature = "pg14")]
        let own = pg_sys::get_qual_from_partbound(to, from, spec);
        #[cfg(not(feature = "pg14"))]
        let own = pg_sys::get_qual_from_partbound(from, spec);
        let outer = guarded(|| RelationGetPartitionQual(from));
        let outer = pg_sys::copyObjectImpl(outer.cast()).cast::<pg_sys::List>();
        let both = pg_sys::list_concat(own, outer);
        let all = guarded(|| map_partition_varattnos(both, 1, to, from));
        let text = pg_sys::nodeToString(pg_sys::make_ands_explicit(all).cast());
        pg_sys::table_close(from, 0);
        pg_sys::table_close(to, 0);
        text
    };
    let constraint = make::<pg_sys::Constraint>();
    let command = make::<pg_sys::AlterTableCmd>();
    // SAFETY: just made, zeroed; the condition is of the current memory context.
    unsafe {
        (*constraint).contype = pg_sys::ConstrType::CONSTR_CHECK;
        (*constraint).conname = palloc_text(PROOF);
        (*constraint).location = -1;
        (*constraint).cooked_expr = condition;
        (*constraint).initially_valid = true;
        #[cfg(feature = "pg18")]
        {
            (*constraint).is_enforced = true;
        }
        (*command).subtype = pg_sys::AlterTableType::AT_AddConstraint;
        (*command).def = constraint.cast();
    }
    ffi::run_utility(alter_table(table, command).cast(), c"ALTER TABLE … ADD CONSTRAINT …");
    Ok(())
}

/// Marks a foreign key as validated whose rows are known to meet it: they are those of a table that has the same.
pub fn believe(table: &TableName, constraint: &str) -> Result<()> {
    let oid: Option<pg_sys::Oid> = Spi::get_one_with_args(
        "SELECT oid FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND conname = $2 AND contype = 'f'",
        &[catalog::relation_oid(table)?.into(), constraint.into()],
    )?;
    let Some(oid) = oid else {
        return Err(Problem::new("XX000", format!("{} has no constraint {constraint}", quote_table(table))).into());
    };
    let place: i16 = Spi::get_one_with_args(
        "SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attname = 'convalidated'",
        &[CONSTRAINTS.into()],
    )?
    .unwrap_or_default();
    // SAFETY: a copy of the constraint's row, of the current memory context, with another value of a boolean column, written back.
    unsafe {
        let lock = i32::try_from(pg_sys::RowExclusiveLock).unwrap_or(3);
        let catalog = pg_sys::table_open(CONSTRAINTS, lock);
        let cache = i32::try_from(pg_sys::SysCacheIdentifier::CONSTROID).unwrap_or_default();
        let zero = pg_sys::Datum::from(0);
        let row = pg_sys::SearchSysCacheCopy(cache, pg_sys::Datum::from(oid), zero, zero, zero);
        if row.is_null() {
            return Err(Problem::new("XX000", format!("constraint {constraint} is gone")).into());
        }
        let (mut value, mut null) = (pg_sys::Datum::from(true), false);
        let mut place = i32::from(place);
        let changed =
            pg_sys::heap_modify_tuple_by_cols(row, (*catalog).rd_att, 1, &raw mut place, &raw mut value, &raw mut null);
        pg_sys::CatalogTupleUpdate(catalog, &raw mut (*changed).t_self, changed);
        pg_sys::table_close(catalog, lock);
        pg_sys::CommandCounterIncrement();
    }
    Ok(())
}
