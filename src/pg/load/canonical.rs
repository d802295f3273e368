//! One text for one value, so that a row of a backup and the same row of a table hash alike.
//!
//! pg_dump writes most types as the server writes them today; some depend on the settings or the version of the server
//! that wrote them (time zones, floating point, escapes), and a CSV file may write any value in many ways. Such values
//! go through the type's own input and output functions first.
#![allow(unsafe_code)]

use super::LoadColumn;
use crate::pg::ffi::cstring;
use pgrx::pg_sys;
use postgres_types::Type;
use std::ffi::CStr;

/// The functions of one column's type.
pub struct Canonical {
    input: pg_sys::FmgrInfo,
    output: pg_sys::FmgrInfo,
    io_param: pg_sys::Oid,
    typmod: i32,
    as_it_is: bool,
}

impl std::fmt::Debug for Canonical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canonical").field("as_it_is", &self.as_it_is).finish_non_exhaustive()
    }
}

impl Canonical {
    /// `dumped`: the text was written by pg_dump, not by hand.
    pub fn new(column: &LoadColumn, dumped: bool) -> Self {
        // SAFETY: zeroed FmgrInfos filled by fmgr_info; the look-ups raise errors for types that do not exist.
        unsafe {
            let (mut in_function, mut io_param) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            let (mut out_function, mut varlena) = (pg_sys::InvalidOid, false);
            pg_sys::getTypeInputInfo(column.type_oid, &raw mut in_function, &raw mut io_param);
            pg_sys::getTypeOutputInfo(column.type_oid, &raw mut out_function, &raw mut varlena);
            let (mut input, mut output) = (std::mem::zeroed(), std::mem::zeroed());
            pg_sys::fmgr_info_cxt(in_function, &raw mut input, pg_sys::TopTransactionContext);
            pg_sys::fmgr_info_cxt(out_function, &raw mut output, pg_sys::TopTransactionContext);
            Self { input, output, io_param, typmod: column.typmod, as_it_is: as_it_is(column, dumped) }
        }
    }

    /// The text of a field of the backup; the result lives in the current memory context or is `field` itself.
    pub fn of_field<'a>(&mut self, field: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        if self.as_it_is {
            return field.into();
        }
        let text = cstring(&String::from_utf8_lossy(field));
        // SAFETY: a NUL-terminated text in the server's encoding, which COPY has accepted before.
        let datum = unsafe {
            pg_sys::InputFunctionCall(&raw mut self.input, text.as_ptr().cast_mut(), self.io_param, self.typmod)
        };
        self.of_datum(datum).to_vec().into()
    }

    /// The text of a value of the table, in the current memory context.
    pub fn of_datum<'a>(&mut self, datum: pg_sys::Datum) -> &'a [u8] {
        // SAFETY: a datum of the column's type; output functions give palloc'd NUL-terminated texts.
        unsafe { CStr::from_ptr(pg_sys::OutputFunctionCall(&raw mut self.output, datum)) }.to_bytes()
    }
}

/// Types whose text is the same whatever the settings and the version of the server that wrote it.
fn as_it_is(column: &LoadColumn, dumped: bool) -> bool {
    let Some(known) = Type::from_oid(column.type_oid.to_u32()) else { return false };
    match known {
        Type::TEXT | Type::JSON => true,
        Type::VARCHAR | Type::BPCHAR => dumped,
        Type::BOOL
        | Type::INT2
        | Type::INT4
        | Type::INT8
        | Type::OID
        | Type::NUMERIC
        | Type::NAME
        | Type::UUID
        | Type::DATE
        | Type::TIME
        | Type::TIMESTAMP
        | Type::INET
        | Type::CIDR
        | Type::MACADDR => dumped,
        _ => false,
    }
}
