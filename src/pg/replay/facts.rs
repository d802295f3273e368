//! What the server says of functions, operators and types by their number.
#![allow(unsafe_code)]

use crate::pg::ffi::{cstring, subtransaction};
use crate::pg::tree::text;
use pgrx::pg_sys;
use postgres_types::Type;

/// Made by the server itself when a cluster was created, and there in every database: no user's object, and no extension's, has
/// such a number, in whichever schema it is.
pub fn is_own(oid: pg_sys::Oid) -> bool {
    oid.to_u32() < pg_sys::FirstGenbkiObjectId
}

/// A function as the guard sees it.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub volatile: bool,
    /// Takes a value in the form of C: an input function, or part of the server's machinery.
    pub takes_internals: bool,
}

pub fn function(oid: pg_sys::Oid) -> Option<Function> {
    let (mut types, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: the name is NULL where there is no such function; the other look-ups are asked only of one that is there.
    unsafe {
        let name = text(pg_sys::get_func_name(oid))?;
        pg_sys::get_func_signature(oid, &raw mut types, &raw mut count);
        let of = |i: i32| *types.offset(i as isize);
        let takes_internals = (0..count).map(of).any(|t| t == pg_sys::CSTRINGOID || t == pg_sys::INTERNALOID);
        let volatile = pg_sys::func_volatile(oid) as u8 == pg_sys::PROVOLATILE_VOLATILE;
        Some(Function { name, volatile, takes_internals })
    }
}

/// `=`, `<=`, …
pub fn operator_name(oid: pg_sys::Oid) -> String {
    // SAFETY: NULL where there is none of that number.
    text(unsafe { pg_sys::get_opname(oid) }).unwrap_or_default()
}

pub fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: gives a palloc'd text for any number.
    text(unsafe { pg_sys::format_type_be(oid) }).unwrap_or_default()
}

/// The type reads this text.
pub fn reads(type_oid: pg_sys::Oid, value: &str) -> bool {
    subtransaction(true, || Ok(read(type_oid, value))).is_ok()
}

/// A value from its text, in the current memory context.
pub fn read(type_oid: pg_sys::Oid, value: &str) -> pg_sys::Datum {
    let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    let value = cstring(value);
    // SAFETY: raises an error for a type that does not exist or cannot be read; the text is NUL-terminated.
    unsafe {
        pg_sys::getTypeInputInfo(type_oid, &raw mut function, &raw mut parameter);
        pg_sys::OidInputFunctionCall(function, value.as_ptr().cast_mut(), parameter, -1)
    }
}

/// A value of the type that says nothing; None where none is known.
pub fn neutral(type_oid: pg_sys::Oid) -> Option<&'static str> {
    // SAFETY: a look-up in the catalog.
    let category = unsafe { pg_sys::TypeCategory(type_oid) } as u8;
    Some(match category {
        pg_sys::TYPCATEGORY_NUMERIC => "1",
        pg_sys::TYPCATEGORY_BOOLEAN => "true",
        pg_sys::TYPCATEGORY_STRING => "a",
        pg_sys::TYPCATEGORY_TIMESPAN => "1 day",
        pg_sys::TYPCATEGORY_ARRAY => "{}",
        pg_sys::TYPCATEGORY_NETWORK => "127.0.0.1",
        pg_sys::TYPCATEGORY_RANGE => "empty",
        _ => match Type::from_oid(type_oid.to_u32())? {
            Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ => "2000-01-01",
            Type::TIME | Type::TIMETZ => "12:00",
            Type::UUID => "00000000-0000-0000-0000-000000000000",
            Type::JSON | Type::JSONB => "{}",
            Type::BYTEA => "\\x00",
            Type::CHAR => "a",
            Type::BIT | Type::VARBIT => "1",
            Type::UNKNOWN => "a",
            _ => return None,
        },
    })
}
