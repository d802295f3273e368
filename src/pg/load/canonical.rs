//! One form for one value, so that a row of a backup and the same row of a table hash alike.
//!
//! Values of the usual types are hashed as they are stored, whatever the way in which they were written; an enum by its label. Those of
//! all other types go through the type's own input and output functions: their text depends on the settings, or on the version of the
//! server that wrote it.
#![allow(unsafe_code)]

use super::LoadColumn;
use crate::pg::ffi::cstring;
use foreshard_core::backup::checksum::RowHasher;
use foreshard_core::heap::Kind;
use pgrx::pg_sys;
use std::borrow::Cow;
use std::ffi::CStr;

/// The functions of one column's type.
pub struct Canonical {
    input: pg_sys::FmgrInfo,
    output: pg_sys::FmgrInfo,
    io_param: pg_sys::Oid,
    typmod: i32,
    kind: Option<Kind>,
    by_value: bool,
}

impl std::fmt::Debug for Canonical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canonical").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Canonical {
    pub fn new(column: &LoadColumn) -> Self {
        // SAFETY: zeroed FmgrInfos filled by fmgr_info; the look-ups raise errors for types that do not exist.
        unsafe {
            let (mut in_function, mut io_param) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            let (mut out_function, mut varlena) = (pg_sys::InvalidOid, false);
            pg_sys::getTypeInputInfo(column.type_oid, &raw mut in_function, &raw mut io_param);
            pg_sys::getTypeOutputInfo(column.type_oid, &raw mut out_function, &raw mut varlena);
            let (mut input, mut output) = (std::mem::zeroed(), std::mem::zeroed());
            pg_sys::fmgr_info_cxt(in_function, &raw mut input, pg_sys::TopTransactionContext);
            pg_sys::fmgr_info_cxt(out_function, &raw mut output, pg_sys::TopTransactionContext);
            let by_value = pg_sys::get_typbyval(column.type_oid);
            Self { input, output, io_param, typmod: column.typmod, kind: column.kind.clone(), by_value }
        }
    }

    /// The form of a field of the backup.
    pub fn of_field<'a>(&mut self, field: &'a [u8]) -> Cow<'a, [u8]> {
        if let Some(kind) = &self.kind {
            let mut form = Vec::with_capacity(field.len());
            if kind.encode(field, &mut form).is_some() {
                return form.into();
            }
        }
        let text = cstring(&String::from_utf8_lossy(field));
        // SAFETY: a NUL-terminated text in the server's encoding, which COPY has accepted before.
        let datum = unsafe {
            pg_sys::InputFunctionCall(&raw mut self.input, text.as_ptr().cast_mut(), self.io_param, self.typmod)
        };
        self.of_datum(datum).into_owned().into()
    }

    /// The form of a value of the table, which may lie in the current memory context.
    pub fn of_datum<'a>(&mut self, datum: pg_sys::Datum) -> Cow<'a, [u8]> {
        match &self.kind {
            // SAFETY: a datum of the column's type; output functions give palloc'd NUL-terminated texts.
            None | Some(Kind::Enum(_)) => unsafe {
                CStr::from_ptr(pg_sys::OutputFunctionCall(&raw mut self.output, datum)).to_bytes().into()
            },
            Some(kind) => match kind.length() {
                Some(length) => self.fixed(datum, length).unwrap_or_default().into(),
                // SAFETY: a datum of a type of variable length; what it gives has a header, and lives as long as the context.
                None => unsafe {
                    let value = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
                    let length = pgrx::varsize_any_exhdr(value);
                    std::slice::from_raw_parts(pgrx::vardata_any(value).cast::<u8>(), length).into()
                },
            },
        }
    }

    /// Bytes that a value takes where it is stored, as it is stored.
    fn width(&self, datum: pg_sys::Datum) -> usize {
        let length = self.kind.as_ref().and_then(Kind::length);
        // SAFETY: a datum of a type of variable length, which begins with a header.
        length.unwrap_or_else(|| unsafe { pgrx::varsize_any(datum.cast_mut_ptr()) })
    }

    /// The bytes of a value of fixed length.
    fn fixed(&self, datum: pg_sys::Datum, length: usize) -> Option<Vec<u8>> {
        if self.by_value {
            return datum.value().to_le_bytes().get(..length).map(<[u8]>::to_vec);
        }
        // SAFETY: a datum of a type of that length, which is passed by reference.
        Some(unsafe { std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), length) }.to_vec())
    }
}

/// Each field's form, and the bytes that it takes in the tuple; None for NULL.
pub type Fields<'a, 'b> = &'a mut dyn Iterator<Item = Option<(&'b [u8], usize)>>;

/// Hashes whole tuples.
#[derive(Debug)]
pub struct TupleHasher {
    canonical: Vec<Canonical>,
    hasher: RowHasher,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl TupleHasher {
    pub fn new(columns: &[LoadColumn]) -> Self {
        let canonical = columns.iter().map(Canonical::new).collect();
        Self { canonical, hasher: RowHasher::new(), values: Vec::new(), nulls: Vec::new() }
    }

    /// The hash of the first columns, which are shown as well; allocates in the current memory context.
    ///
    /// # Safety
    /// A whole tuple of that description, which begins with the columns.
    pub unsafe fn hash(
        &mut self,
        tuple: pg_sys::HeapTuple,
        description: pg_sys::TupleDesc,
        show: impl FnOnce(Fields<'_, '_>),
    ) -> u128 {
        // SAFETY: from the caller; the arrays are long enough.
        unsafe {
            let width = usize::try_from((*description).natts).unwrap_or(0);
            self.values.resize(width, pg_sys::Datum::from(0));
            self.nulls.resize(width, false);
            pg_sys::heap_deform_tuple(tuple, description, self.values.as_mut_ptr(), self.nulls.as_mut_ptr());
        }
        let columns = self.canonical.iter_mut().zip(self.values.iter().zip(&self.nulls));
        let fields: Vec<_> = columns.map(|(column, (value, null))| (!null).then(|| column.of_datum(*value))).collect();
        let there = fields.iter().zip(self.canonical.iter().zip(&self.values));
        show(&mut there.map(|(field, (column, datum))| Some((field.as_deref()?, column.width(*datum)))));
        self.hasher.hash(fields.iter().map(Option::as_deref))
    }

    /// The bytes of a column of the tuple that was hashed, as they are stored, for a type of fixed length.
    pub fn stored(&self, column: usize) -> Option<Vec<u8>> {
        let (canonical, datum) = (self.canonical.get(column)?, self.values.get(column)?);
        if self.nulls.get(column).copied().unwrap_or(true) {
            return None;
        }
        canonical.fixed(*datum, canonical.kind.as_ref()?.length()?)
    }

    /// The last column of the tuple that was hashed, if it is not NULL.
    pub fn last(&self) -> Option<pg_sys::Datum> {
        let null = self.nulls.last().copied().unwrap_or(true);
        self.values.last().copied().filter(|_| !null)
    }
}
