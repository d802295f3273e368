//! A foreign table that is made to stand for a table on another server: what it keeps, and what follows it.

#[pgrx::pg_schema]
mod tests {
    use crate::pg::error::Error;
    use crate::pg::ffi::attempt;
    use crate::pg::remote::repoint;
    use foreshard_core::model::TableName;
    use pgrx::prelude::*;

    fn text(query: &str) -> Option<String> {
        Spi::get_one::<String>(query).unwrap()
    }

    fn there() -> TableName {
        TableName::new("information_schema", "information_schema_catalog_name")
    }

    fn refused(work: impl FnOnce() -> Result<(), Error>) -> (String, String) {
        let problem = attempt(|_| true, work).unwrap_err().into_problems().remove(0);
        (problem.sqlstate, problem.message)
    }

    /// Three servers that are databases of this one: what is behind a table tells the name of its database.
    fn shard() -> pg_sys::Oid {
        Spi::run(
            "CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE FOREIGN DATA WRAPPER other;
             DO $$ DECLARE d text; BEGIN FOREACH d IN ARRAY '{template1,postgres}'::text[] LOOP
                 EXECUTE format('CREATE SERVER at_%s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)', d,
                     split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), d);
                 EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER at_%s', d);
             END LOOP; END $$;
             CREATE SERVER elsewhere FOREIGN DATA WRAPPER other; CREATE ROLE reader;
             CREATE TABLE parent (catalog_name name) PARTITION BY LIST (catalog_name);
             CREATE FOREIGN TABLE shard PARTITION OF parent DEFAULT SERVER at_template1
                 OPTIONS (schema_name 'information_schema', table_name 'information_schema_catalog_name');
             COMMENT ON FOREIGN TABLE shard IS 'kept'; GRANT SELECT ON shard TO reader; ANALYZE shard;
             INSERT INTO foreshard._shards VALUES ('parent', 'shard', 0, 'a', '{}')",
        )
        .unwrap();
        Spi::get_one("SELECT 'shard'::regclass::oid").unwrap().unwrap()
    }

    const STATE: &str = "SELECT concat_ws(' ', c.oid, c.relacl, obj_description(c.oid), c.reltuples, (SELECT count(*) FROM pg_stats WHERE tablename = 'shard'),
                             c.relispartition, (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = c.oid))
                         FROM pg_class c WHERE relname = 'shard'";

    #[pg_test]
    fn a_repointed_shard_keeps_what_it_is() {
        let shard = shard();
        let before = text(STATE);
        Spi::run("PREPARE ask AS SELECT catalog_name::text FROM parent; SET plan_cache_mode = force_generic_plan")
            .unwrap();
        assert_eq!(text("EXECUTE ask").as_deref(), Some("template1"));
        repoint(shard, "b", "at_postgres", &there()).unwrap();
        assert_eq!(text("EXECUTE ask").as_deref(), Some("postgres"));
        assert_eq!(text(STATE), before);
        assert_eq!(text("SELECT node FROM foreshard._shards").as_deref(), Some("b"));
        // Who depends on which server.
        let (state, _) = refused(|| Ok(Spi::run("DROP SERVER at_postgres")?));
        assert_eq!(state, "2BP01");
        Spi::run("DROP USER MAPPING FOR CURRENT_USER SERVER at_template1; DROP SERVER at_template1").unwrap();
        assert_eq!(text("EXECUTE ask").as_deref(), Some("postgres"));
        // The same server again, another table.
        repoint(shard, "b", "at_postgres", &TableName::new("pg_catalog", "pg_tables")).unwrap();
        let options = "SELECT array_to_string(ftoptions, ' ') FROM pg_foreign_table WHERE ftrelid = 'shard'::regclass";
        assert_eq!(text(options).as_deref(), Some("schema_name=pg_catalog table_name=pg_tables"));
    }

    #[pg_test]
    fn a_shard_is_repointed_only_by_who_may() {
        let shard = shard();
        let to = |server: &'static str| refused(move || repoint(shard, "b", server, &there()));
        assert_eq!(to("nowhere").0, "42704");
        assert_eq!(to("elsewhere").0, "0A000");
        let parent = Spi::get_one("SELECT 'parent'::regclass::oid").unwrap().unwrap();
        assert_eq!(refused(|| repoint(parent, "b", "at_postgres", &there())).0, "42809");
        Spi::run(
            "GRANT ALL ON foreshard._shards TO reader; GRANT USAGE ON SCHEMA foreshard TO reader; SET ROLE reader",
        )
        .unwrap();
        assert_eq!(
            to("at_postgres"),
            ("42501".to_owned(), "permission denied for foreign server at_postgres".to_owned())
        );
        Spi::run("RESET ROLE; GRANT USAGE ON FOREIGN SERVER at_postgres TO reader; SET ROLE reader").unwrap();
        assert_eq!(to("at_postgres"), ("42501".to_owned(), "must be owner of foreign table shard".to_owned()));
        Spi::run("RESET ROLE; SELECT catalog_name FROM parent").unwrap();
    }
}
