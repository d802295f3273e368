//! The parts of a replay that are trusted by the rest: the time limit, the judgement of functions, the counters.

#[pgrx::pg_schema]
mod tests {
    use crate::pg::error::Error;
    use crate::pg::ffi::subtransaction;
    use crate::pg::replay::guard::refused;
    use crate::pg::replay::tables::{Standing, touches};
    use crate::pg::timeout::{contained, within};
    use foreshard_core::model::Problem;
    use pgrx::pg_sys;
    use pgrx::prelude::*;

    fn slowly(seconds: f64) -> Result<i32, Error> {
        subtransaction(false, || {
            Spi::run(&format!("SELECT pg_sleep({seconds})"))?;
            Ok(7)
        })
    }

    #[pg_test]
    fn what_takes_too_long_is_stopped_and_nothing_else_is() {
        assert_eq!(within(60_000, || slowly(0.01)).unwrap(), Some(7));
        assert_eq!(within(50, || slowly(60.0)).unwrap(), None);
        // The timer of the one before is gone.
        assert_eq!(within(60_000, || slowly(0.2)).unwrap(), Some(7));
        slowly(0.1).unwrap();
        let failed = within(60_000, || Err::<(), Error>(Problem::new("22012", "division by zero").into()));
        assert_eq!(failed.unwrap_err().into_problems().remove(0).sqlstate, "22012");
    }

    #[pg_test]
    fn a_limit_inside_a_limit_leaves_the_outer_one_counting() {
        let outer = within(500, || {
            assert_eq!(within(50, || slowly(60.0)).unwrap(), None);
            slowly(60.0)
        });
        assert_eq!(outer.unwrap(), None);
    }

    #[pg_test]
    fn an_internal_error_of_a_statement_is_one_of_the_statement() {
        let failed = contained(|| {
            subtransaction(false, || {
                Spi::run("DO $$ BEGIN RAISE EXCEPTION 'odd' USING ERRCODE = 'XX000'; END $$")?;
                Ok(())
            })
        });
        assert_eq!(failed.unwrap_err().into_problems().remove(0).sqlstate, "XX000");
    }

    fn functions(condition: &str) -> Vec<(pg_sys::Oid, String)> {
        let query = format!("SELECT oid, oid::regprocedure::text FROM pg_proc WHERE {condition}");
        Spi::connect(|client| {
            let rows = client.select(&query, None, &[]).unwrap();
            rows.map(|r| (r.get(1).unwrap().unwrap(), r.get(2).unwrap().unwrap())).collect()
        })
    }

    #[pg_test]
    fn functions_that_run_texts_or_touch_the_server_are_refused() {
        let found = functions(
            "oid < 10000 AND (proname ~ '_to_xml|^ts_stat$|^nextval$|^setval$|^currval$|^lastval$|^set_config$|^lo_|^lo(read|write)$'
                OR proname ~ '^pg_(advisory|try_advisory|read|ls_|stat_file|sleep|terminate|cancel|reload|rotate|promote|switch|create|drop|logical|replication|export|notify|import|file|start|stop|backup|wal|get_|describe|identify)'
                OR proname = 'ts_rewrite' AND pronargs = 2 OR proname ~ 'validator$'
                OR 'cstring'::regtype = ANY (proargtypes) OR 'internal'::regtype = ANY (proargtypes))",
        );
        assert!(found.len() > 500, "{} functions", found.len());
        let allowed: Vec<String> = found.into_iter().filter(|f| refused(f.0).is_none()).map(|f| f.1).collect();
        assert_eq!(allowed, Vec::<String>::new());
        // Of the functions that are no part of the server, none is allowed.
        Spi::run("CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'").unwrap();
        let others = functions("oid >= 10000");
        assert!(!others.is_empty() && others.iter().all(|f| refused(f.0).is_some()));
    }

    #[pg_test]
    fn functions_of_values_are_allowed() {
        let found = functions(
            "oid < 10000 AND proname IN ('lower', 'now', 'random', 'count', 'sum', 'int4pl', 'texteq', 'concat_ws', 'to_char',
             'date_trunc', 'jsonb_build_object', 'array_agg', 'generate_series', 'coalesce', 'left', 'row_number', 'gen_random_uuid')",
        );
        let problems: Vec<String> = found.iter().filter_map(|f| refused(f.0)).collect();
        assert!(found.len() > 40, "{} functions", found.len());
        assert_eq!(problems, Vec::<String>::new());
    }

    #[pg_test]
    fn the_counters_tell_which_shards_were_touched() {
        Spi::run(
            "CREATE TABLE pg_temp.probe (k int, v int) PARTITION BY LIST (k);
             CREATE TABLE pg_temp.probe_0 PARTITION OF pg_temp.probe FOR VALUES IN (0);
             CREATE TABLE pg_temp.probe_1 PARTITION OF pg_temp.probe FOR VALUES IN (1);
             CREATE TABLE pg_temp.probe_2 PARTITION OF pg_temp.probe FOR VALUES IN (2);
             CREATE INDEX ON pg_temp.probe (v);
             INSERT INTO pg_temp.probe SELECT n % 3, n FROM generate_series(1, 3000) AS n;
             ANALYZE pg_temp.probe",
        )
        .unwrap();
        let oid = Spi::get_one::<pg_sys::Oid>("SELECT 'pg_temp.probe'::regclass::oid").unwrap().unwrap();
        let probe = Standing::of("probe".to_owned(), oid).unwrap();
        let touched = |statement: &str| -> Vec<usize> {
            let before = touches(&probe).unwrap();
            Spi::run(statement).unwrap();
            let after = touches(&probe).unwrap();
            (0..3).filter(|i| before[*i] != after[*i]).collect()
        };
        assert_eq!(touched("SELECT 1"), Vec::<usize>::new());
        assert_eq!(touched("SELECT count(*) FROM pg_temp.probe"), [0, 1, 2]);
        assert_eq!(touched("SELECT count(*) FROM pg_temp.probe WHERE k = 1"), [1]);
        assert_eq!(touched("SELECT count(*) FROM pg_temp.probe WHERE k IN (0, 2)"), [0, 2]);
        // By index, also where it finds nothing, and by bitmap.
        Spi::run("SET LOCAL enable_seqscan = off").unwrap();
        assert_eq!(touched("SELECT * FROM pg_temp.probe WHERE k = 2 AND v = -1"), [2]);
        assert_eq!(touched("SELECT v FROM pg_temp.probe WHERE v = 7"), [0, 1, 2]);
        Spi::run("SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off").unwrap();
        assert_eq!(touched("SELECT v FROM pg_temp.probe WHERE v = 7 AND k = 0"), [0]);
        assert_eq!(touched("INSERT INTO pg_temp.probe VALUES (2, 5)"), [2]);
        assert_eq!(touched("DELETE FROM pg_temp.probe WHERE k = 0 AND v = 3"), [0]);
        // A row that moves touches where it comes from and where it goes.
        assert_eq!(touched("UPDATE pg_temp.probe SET k = 2 WHERE k = 1 AND v = 4"), [1, 2]);
        // What is rolled back was touched.
        let undone = touches(&probe).unwrap();
        subtransaction(false, || Ok(Spi::run("INSERT INTO pg_temp.probe VALUES (1, 1)")?)).unwrap();
        assert_ne!(touches(&probe).unwrap()[1], undone[1]);
    }
}
