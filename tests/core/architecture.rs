//! Who may import whom: the border between thinking and acting, and the order of the rooms.
#![allow(clippy::expect_used, clippy::panic, reason = "a test's helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Path from src/ with its text.
fn files_of(folder: &str) -> BTreeMap<String, String> {
    let root = source();
    let mut found = Vec::new();
    rust_files(&root.join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} has source files");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a text"))
        })
        .collect()
}

/// The first part of each path that starts with `prefix` (`crate::` in the pure crate).
fn imported(text: &str, prefix: &str) -> BTreeSet<String> {
    text.match_indices(prefix)
        .map(|(at, _)| {
            text[at + prefix.len()..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
        })
        .filter(|name: &String| !name.is_empty())
        .collect()
}

#[test]
fn rooms_import_only_the_rooms_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("model", &[] as &[&str]),
        ("backup", &["model"]),
        ("workload", &["model"]),
        ("route", &["model"]),
        ("key", &["model"]),
        ("capacity", &["model"]),
        ("count", &["model"]),
        ("forecast", &["model"]),
        ("place", &["model"]),
        ("health", &["model", "capacity", "count", "forecast"]),
        ("heap", &["model", "backup", "route"]),
        ("btree", &["heap", "route"]),
        ("statistics", &["heap", "route"]),
        ("report", &["model"]),
        ("steps", &["model"]),
        ("plan", &["model", "key", "capacity", "count", "place", "route"]),
        ("lib", &[]),
    ]);
    for (name, text) in files_of("core") {
        let room = name.trim_start_matches("core/").split(['/', '.']).next().expect("a room");
        let may = allowed.get(room).unwrap_or_else(|| panic!("{name} is in a room that this test does not know"));
        for other in imported(&text, "crate::").into_iter().filter(|other| other != room) {
            assert!(may.contains(&other.as_str()), "{name} imports {other}");
        }
    }
}

#[test]
fn only_the_acting_half_knows_the_server() {
    for (name, text) in files_of("core") {
        assert!(!text.contains("pgrx") && !text.contains("pg_sys"), "{name} mentions the server's framework");
        assert!(!text.contains("std::time::") && !text.contains("SystemTime"), "{name} reads a clock");
    }
}

#[test]
fn unsafe_code_stays_where_it_is_expected() {
    let expected = BTreeSet::from([
        "pg/archive/child.rs",
        "pg/calibrate/crew.rs",
        "pg/catalog.rs",
        "pg/compat.rs",
        "pg/create/nodes.rs",
        "pg/create/rewrite.rs",
        "pg/create/table.rs",
        "pg/cursor.rs",
        "pg/definition/columns.rs",
        "pg/ffi.rs",
        "pg/load/canonical.rs",
        "pg/load/copy.rs",
        "pg/load/indexes.rs",
        "pg/load/pages.rs",
        "pg/load/shape.rs",
        "pg/load/verify.rs",
        "pg/load/writer.rs",
        "pg/nodes.rs",
        "pg/progress.rs",
        "pg/remote/held.rs",
        "pg/remote/libpq.rs",
        "pg/remote/names.rs",
        "pg/remote/repoint.rs",
        "pg/remote/server.rs",
        "pg/replay/execute.rs",
        "pg/replay/facts.rs",
        "pg/replay/guard.rs",
        "pg/reshard/proof.rs",
        "pg/reshard/snapshots.rs",
        "pg/reshard/transaction.rs",
        "pg/sample/hooks.rs",
        "pg/sample/plan.rs",
        "pg/sample/shared.rs",
        "pg/sample/value.rs",
        "pg/statistics/collation.rs",
        "pg/statistics/store.rs",
        "pg/threads.rs",
        "pg/timeout.rs",
        "pg/tree.rs",
        "pg/worker/entry.rs",
        "pg/worker/process.rs",
        "pg/worker/task.rs",
    ]);
    let found = files_of("pg");
    let found: BTreeSet<&str> =
        found.iter().filter(|(_, text)| text.contains("allow(unsafe_code)")).map(|(name, _)| name.as_str()).collect();
    assert_eq!(found, expected);
}

#[test]
fn files_stay_short_and_say_what_they_are() {
    for (name, text) in files_of("pg").into_iter().chain(files_of("core")) {
        assert!(text.starts_with("//! "), "{name} does not open with what it is");
        let lines = text.lines().count();
        assert!(lines <= 500, "{name} has {lines} lines: look for the second thing in it");
    }
}
