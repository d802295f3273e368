//! The settings under `foreshard.`, in alphabetical order.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::CString;

static PG_RESTORE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

pub fn register() {
    GucRegistry::define_string_guc(
        c"foreshard.pg_restore",
        c"Path of the pg_restore program that reads archives.",
        c"Empty for the one that belongs to this server. Change it to read archives made by a newer pg_dump.",
        &PG_RESTORE,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    super::compat::reserve_prefix(c"foreshard");
}

/// The program that `foreshard.pg_restore` names, or the one beside this server's own.
pub fn pg_restore() -> std::path::PathBuf {
    match PG_RESTORE.get().map(|path| path.to_string_lossy().into_owned()) {
        Some(path) if !path.is_empty() => path.into(),
        _ => super::ffi::server_program("pg_restore"),
    }
}
