//! foreshard restores a table from a backup straight into the right shards.
//!
//! The thinking half is the crate `foreshard-core` (src/core); this crate is the acting half, a PostgreSQL extension.
//! What SQL sees is written in sql/, loaded here in order.

use pgrx::prelude::*;

mod pg;

::pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/10_catalog.sql", name = "catalog", bootstrap);
extension_sql_file!("../sql/13_reshard.sql", name = "reshard", requires = ["catalog"]);
extension_sql_file!("../sql/14_watch.sql", name = "watch", requires = ["catalog"]);
extension_sql_file!("../sql/16_report.sql", name = "report", requires = ["watch"]);
extension_sql_file!("../sql/20_functions.sql", name = "functions", requires = ["catalog", "reshard", "watch"]);
extension_sql_file!("../sql/12_replicas.sql", name = "replicas", requires = ["catalog", "functions"]);
extension_sql_file!("../sql/15_guards.sql", name = "guards", requires = ["reshard", "replicas", "watch"]);
extension_sql_file!("../sql/30_views.sql", name = "views", requires = ["functions"]);
extension_sql_file!("../sql/40_metrics.sql", name = "metrics", requires = ["views"]);
extension_sql_file!("../sql/90_privileges.sql", name = "privileges", finalize);

/// Called once by each process that loads the library.
#[allow(non_snake_case)]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::settings::register();
    pg::worker::register();
}

#[cfg(any(test, feature = "pg_test"))]
#[pg_schema]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    include!("../pg_test/mod.rs");
}

/// Required by `cargo pgrx test` at the root of the crate.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    #[must_use]
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'pg_stat_statements'"]
    }
}
