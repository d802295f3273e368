//! The settings under `foreshard.`, in alphabetical order.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::CString;

static LOAD_THREADS: GucSetting<i32> = GucSetting::<i32>::new(AS_MANY_AS_CPUS);
static PG_RESTORE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

const AS_MANY_AS_CPUS: i32 = -1;
/// Threads of one load at most: beyond, one backend cannot write what they make.
const MOST_THREADS: i32 = 16;

pub fn register() {
    GucRegistry::define_int_guc(
        c"foreshard.load_threads",
        c"Threads that make pages of a backup's rows while it is restored.",
        c"-1 for as many as there are CPUs. 0 leaves all rows to COPY, which is slower.",
        &LOAD_THREADS,
        AS_MANY_AS_CPUS,
        MOST_THREADS,
        GucContext::Userset,
        GucFlags::default(),
    );
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

/// Threads that make pages of rows; 0 for none.
pub fn load_threads() -> usize {
    let most = usize::try_from(MOST_THREADS).unwrap_or(1);
    match usize::try_from(LOAD_THREADS.get()) {
        Ok(set) => set,
        Err(_) => std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(most),
    }
}

/// The program that `foreshard.pg_restore` names, or the one beside this server's own.
pub fn pg_restore() -> std::path::PathBuf {
    match PG_RESTORE.get().map(|path| path.to_string_lossy().into_owned()) {
        Some(path) if !path.is_empty() => path.into(),
        _ => super::ffi::server_program("pg_restore"),
    }
}
