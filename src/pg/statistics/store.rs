//! Statistics into the catalog, as ANALYZE writes them: `pg_statistic`, and the sizes in `pg_class`.
#![allow(unsafe_code)]

use super::columns::{Attribute, Table};
use crate::pg::compat;
use foreshard_core::heap::Kind;
use foreshard_core::statistics::Statistics;
use pgrx::{IntoDatum, PgMemoryContexts, pg_sys};

const COLUMNS: usize = pg_sys::Natts_pg_statistic as usize;
const SLOTS: usize = pg_sys::STATISTIC_NUM_SLOTS as usize;

/// One kind of figures, with the operator that they are about.
struct Slot {
    kind: u32,
    operator: pg_sys::Oid,
    numbers: Vec<f32>,
    values: Vec<Vec<u8>>,
}

/// Stores the statistics of a column of a new table, which has none yet. `n`: its place among the columns.
pub fn column(table: &Table, attribute: &Attribute, n: usize, found: &Statistics) {
    let mut memory = PgMemoryContexts::new("foreshard statistics");
    // SAFETY: what is made here is copied into the catalog before its memory goes; a catalog that is opened and closed here.
    unsafe {
        memory.switch_to(|_| {
            let (mut values, mut nulls) = ([pg_sys::Datum::from(0); COLUMNS], [true; COLUMNS]);
            let columns = row(table, attribute, n, found);
            for (place, datum) in values.iter_mut().zip(&mut nulls).zip(columns) {
                if let Some(datum) = datum {
                    (*place.0, *place.1) = (datum, false);
                }
            }
            let catalog = pg_sys::table_open(pg_sys::StatisticRelationId, pg_sys::RowExclusiveLock as i32);
            let tuple = pg_sys::heap_form_tuple((*catalog).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
            pg_sys::CatalogTupleInsert(catalog, tuple);
            pg_sys::table_close(catalog, pg_sys::RowExclusiveLock as i32);
        });
    }
}

/// The columns of `pg_statistic`.
///
/// # Safety
/// Allocates in the current memory context.
unsafe fn row(table: &Table, attribute: &Attribute, n: usize, found: &Statistics) -> Vec<Option<pg_sys::Datum>> {
    let set = table.distinct.get(n).copied().flatten();
    // SAFETY: from the caller.
    let slots = unsafe { slots(attribute, found) };
    let slot = |n: usize| slots.get(n);
    let all = 0..SLOTS;
    let mut out = vec![
        table.oid.into_datum(),
        attribute.number.into_datum(),
        table.inherits.into_datum(),
        found.null_fraction.into_datum(),
        found.width.into_datum(),
        set.map_or(found.distinct, |set| set as f32).into_datum(),
    ];
    out.extend(all.clone().map(|n| slot(n).map_or(0, |s| s.kind as i16).into_datum()));
    out.extend(all.clone().map(|n| slot(n).map_or(pg_sys::InvalidOid, |s| s.operator).into_datum()));
    out.extend(all.clone().map(|n| slot(n).map_or(pg_sys::InvalidOid, |_| attribute.collation).into_datum()));
    // SAFETY: datums of the type that is named.
    unsafe {
        out.extend(all.clone().map(|n| {
            let numbers = slot(n).filter(|s| !s.numbers.is_empty())?;
            let datums = numbers.numbers.iter().filter_map(|number| number.into_datum()).collect();
            Some(array(pg_sys::FLOAT4OID, datums))
        }));
        out.extend(all.map(|n| {
            let values = slot(n).filter(|s| !s.values.is_empty())?;
            let datums = values.values.iter().filter_map(|value| datum(attribute, value)).collect();
            Some(array(attribute.type_oid, datums))
        }));
    }
    out
}

/// # Safety
/// An existing type.
unsafe fn slots(attribute: &Attribute, found: &Statistics) -> Vec<Slot> {
    let (mut less, mut equal) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    let none = std::ptr::null_mut();
    // SAFETY: from the caller.
    unsafe {
        pg_sys::get_sort_group_operators(
            attribute.type_oid,
            false,
            false,
            false,
            &raw mut less,
            &raw mut equal,
            none,
            none.cast(),
        );
    }
    let (common, shares) = found.common.iter().cloned().unzip();
    let slots = [
        Slot { kind: pg_sys::STATISTIC_KIND_MCV, operator: equal, numbers: shares, values: common },
        Slot {
            kind: pg_sys::STATISTIC_KIND_HISTOGRAM,
            operator: less,
            numbers: Vec::new(),
            values: found.histogram.clone(),
        },
        Slot {
            kind: pg_sys::STATISTIC_KIND_CORRELATION,
            operator: less,
            numbers: found.correlation.into_iter().collect(),
            values: Vec::new(),
        },
    ];
    slots.into_iter().filter(|slot| !slot.numbers.is_empty() || !slot.values.is_empty()).collect()
}

/// A value of the column, from its stored bytes.
///
/// # Safety
/// Allocates in the current memory context.
unsafe fn datum(attribute: &Attribute, value: &[u8]) -> Option<pg_sys::Datum> {
    let number;
    let value = match &attribute.kind {
        Some(Kind::Enum(labels)) => {
            number = labels.get(value)?.to_le_bytes();
            &number
        }
        _ => value,
    };
    // SAFETY: as much is allocated as is written.
    unsafe {
        if pg_sys::get_typbyval(attribute.type_oid) {
            let mut word = [0; size_of::<usize>()];
            word.get_mut(..value.len())?.copy_from_slice(value);
            return Some(usize::from_le_bytes(word).into());
        }
        let header = if pg_sys::get_typlen(attribute.type_oid) < 0 { pg_sys::VARHDRSZ } else { 0 };
        let all = pg_sys::palloc(header + value.len()).cast::<u8>();
        if header > 0 {
            pgrx::set_varsize_4b(all.cast(), i32::try_from(header + value.len()).ok()?);
        }
        std::ptr::copy_nonoverlapping(value.as_ptr(), all.add(header), value.len());
        Some(pg_sys::Datum::from(all))
    }
}

/// # Safety
/// Datums of the type.
unsafe fn array(type_oid: pg_sys::Oid, mut datums: Vec<pg_sys::Datum>) -> pg_sys::Datum {
    let (mut length, mut by_value, mut alignment) = (0, false, 0);
    // SAFETY: from the caller.
    unsafe {
        pg_sys::get_typlenbyvalalign(type_oid, &raw mut length, &raw mut by_value, &raw mut alignment);
        let count = i32::try_from(datums.len()).unwrap_or(0);
        let array =
            pg_sys::construct_array(datums.as_mut_ptr(), count, type_oid, i32::from(length), by_value, alignment);
        pg_sys::Datum::from(array)
    }
}

/// The sizes of a table and its indexes, and that it was analyzed, so that autovacuum need not. `blocks`: of a table on another server.
pub fn relation(table: pg_sys::Oid, rows: u64, blocks: Option<u32>) {
    let rows = rows as f64;
    // SAFETY: a relation of this transaction, opened and closed here; its indexes as well, whose numbers are copied from the list.
    unsafe {
        // Sees what was changed in the catalog until now.
        pg_sys::CommandCounterIncrement();
        let relation = pg_sys::table_open(table, pg_sys::ShareUpdateExclusiveLock as i32);
        let stored = (*(*relation).rd_rel).relkind as u8 == pg_sys::RELKIND_RELATION;
        let indexes = pgrx::PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(relation));
        let indexes: Vec<pg_sys::Oid> = indexes.iter_oid().collect();
        let elsewhere = blocks.is_some();
        let blocks = if stored {
            pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM)
        } else {
            blocks.unwrap_or(u32::MAX)
        };
        compat::update_size(relation, blocks, rows, !indexes.is_empty());
        for index in indexes.into_iter().filter(|_| stored) {
            let index = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
            // The build of an index of some rows has counted them.
            if pg_sys::RelationGetIndexPredicate(index).is_null() {
                let blocks = pg_sys::RelationGetNumberOfBlocksInFork(index, pg_sys::ForkNumber::MAIN_FORKNUM);
                compat::update_size(index, blocks, rows, false);
            }
            pg_sys::index_close(index, pg_sys::NoLock as i32);
        }
        compat::report_analyze(relation, if stored || elsewhere { rows as i64 } else { 0 });
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
    }
}
