//! The order of texts by a collation of the C library, in threads.
#![allow(unsafe_code)]

use foreshard_core::statistics::Collate;
use std::cmp::Ordering;
use std::ffi::{CStr, c_char, c_int};

unsafe extern "C" {
    fn strcoll_l(a: *const c_char, b: *const c_char, locale: libc::locale_t) -> c_int;
}

/// A locale of its own: setlocale, which is the process's, has no say in it.
#[derive(Debug)]
pub struct Locale(libc::locale_t);

// SAFETY: POSIX lets any number of threads use a locale object at once, as long as it is not changed or freed; only Drop frees it.
unsafe impl Send for Locale {}
// SAFETY: as above.
unsafe impl Sync for Locale {}

impl Locale {
    /// None where the C library has none of that name.
    pub fn new(name: &CStr) -> Option<Self> {
        // SAFETY: a NUL-terminated name; there is no base that it could change.
        let locale = unsafe {
            libc::newlocale(libc::LC_COLLATE_MASK | libc::LC_CTYPE_MASK, name.as_ptr(), std::ptr::null_mut())
        };
        (!locale.is_null()).then_some(Self(locale))
    }
}

impl Collate for Locale {
    fn compare(&self, a: &CStr, b: &CStr) -> Ordering {
        // SAFETY: NUL-terminated texts, and a locale that lives as long as this.
        unsafe { strcoll_l(a.as_ptr(), b.as_ptr(), self.0) }.cmp(&0)
    }
}

impl Drop for Locale {
    fn drop(&mut self) {
        // SAFETY: made by newlocale, and used by nobody else now.
        unsafe { libc::freelocale(self.0) };
    }
}
