//! Subtransactions, settings, quoting and errors: what the rest of the extension trusts.

#[pgrx::pg_schema]
mod tests {
    use super::super::show::raised;
    use crate::pg::error::Error;
    use crate::pg::ffi::{
        Pinned, Session, encoding_number, quote_ident, quote_literal, quote_table, subtransaction, to_server,
    };
    use foreshard_core::model::{Problem, TableName};
    use pgrx::prelude::*;

    fn setting(name: &str) -> String {
        Spi::get_one_with_args("SELECT current_setting($1)", &[name.into()]).unwrap().unwrap()
    }

    fn count(table: &str) -> i64 {
        Spi::get_one(&format!("SELECT count(*) FROM {table}")).unwrap().unwrap()
    }

    #[pg_test]
    fn a_subtransaction_undoes_what_failed() {
        Spi::run("CREATE TABLE kept (a int PRIMARY KEY)").unwrap();
        let failed: Result<(), Error> = subtransaction(true, || {
            Spi::run("INSERT INTO kept VALUES (1)")?;
            Spi::run("CREATE TABLE gone (a int)")?;
            Spi::run("INSERT INTO kept VALUES (1)")?;
            Ok(())
        });
        let problem = failed.unwrap_err().into_problems().remove(0);
        assert_eq!(problem.sqlstate, "23505");
        assert_eq!(problem.message, "duplicate key value violates unique constraint \"kept_pkey\"");
        assert_eq!(problem.detail.as_deref(), Some("Key (a)=(1) already exists."));
        assert_eq!(count("kept"), 0);
        assert_eq!(Spi::get_one::<bool>("SELECT to_regclass('gone') IS NULL"), Ok(Some(true)));

        let kept: Result<i32, Error> = subtransaction(true, || {
            Spi::run("INSERT INTO kept VALUES (2)")?;
            Ok(7)
        });
        assert_eq!(kept.unwrap(), 7);
        assert_eq!(count("kept"), 1);

        let tried: Result<i32, Error> = subtransaction(false, || {
            Spi::run("INSERT INTO kept VALUES (3)")?;
            Ok(8)
        });
        assert_eq!(tried.unwrap(), 8);
        assert_eq!(count("kept"), 1);

        let refused: Result<(), Error> = subtransaction(true, || {
            Spi::run("INSERT INTO kept VALUES (4)")?;
            Err(Problem::new("22023", "no").into())
        });
        assert_eq!(refused.unwrap_err().into_problems()[0].sqlstate, "22023");
        assert_eq!(count("kept"), 1);
    }

    #[pg_test]
    fn subtransactions_nest_and_repeat() {
        Spi::run("CREATE TABLE kept (a int CHECK (a > 0))").unwrap();
        let outer: Result<(), Error> = subtransaction(true, || {
            Spi::run("INSERT INTO kept VALUES (1)")?;
            let inner: Result<(), Error> = subtransaction(true, || Ok(Spi::run("INSERT INTO kept VALUES (-1)")?));
            assert_eq!(inner.unwrap_err().into_problems()[0].sqlstate, "23514");
            Ok(Spi::run("INSERT INTO kept VALUES (2)")?)
        });
        outer.unwrap();
        assert_eq!(count("kept"), 2);
        for i in 0..300 {
            let outcome: Result<(), Error> = subtransaction(true, || Ok(Spi::run(&format!("SELECT 1 / {}", i % 2))?));
            assert_eq!(outcome.is_ok(), i % 2 == 1);
        }
        assert_eq!(count("kept"), 2);
    }

    /// A cancel is no problem to report beside others: it ends the whole call.
    #[pg_test]
    fn a_cancel_goes_through() {
        Spi::run("CREATE TABLE kept (a int)").unwrap();
        let problem = raised(|| {
            let outcome: Result<(), Error> = subtransaction(true, || {
                Spi::run("INSERT INTO kept VALUES (1)")?;
                Ok(Spi::run("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)")?)
            });
            drop(outcome);
        });
        assert_eq!(problem.sqlstate, "57014");
        assert_eq!(count("kept"), 0);
        for state in ["57P01", "53200", "53100", "XX000"] {
            let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$");
            let problem = raised(|| drop(subtransaction(true, || Ok(Spi::run(&raise)?))));
            assert_eq!(problem.sqlstate, state);
        }
        let bug = raised(|| drop(subtransaction::<()>(true, || panic!("a bug"))));
        assert_eq!((bug.sqlstate.as_str(), bug.message.as_str()), ("XX000", "a bug"));
        assert_eq!(count("kept"), 0);
    }

    #[pg_test]
    fn settings_are_put_back() {
        let before = (setting("search_path"), setting("work_mem"));
        {
            let pinned = Pinned::new(&[("search_path", "pg_catalog"), ("work_mem", "1MB")]);
            assert_eq!((setting("search_path").as_str(), setting("work_mem").as_str()), ("pg_catalog", "1MB"));
            {
                let _inner = Pinned::new(&[("work_mem", "2MB")]);
                assert_eq!(setting("work_mem"), "2MB");
            }
            assert_eq!(setting("work_mem"), "1MB");
            pinned.set("work_mem", "3MB");
            assert_eq!(setting("work_mem"), "3MB");
        }
        assert_eq!((setting("search_path"), setting("work_mem")), before);
    }

    #[pg_test]
    fn settings_are_put_back_after_an_error() {
        let before = setting("work_mem");
        let failed: Result<(), Error> = subtransaction(true, || {
            let _pinned = Pinned::new(&[("work_mem", "1MB")]);
            Ok(Spi::run("SELECT 1 / 0")?)
        });
        assert_eq!(failed.unwrap_err().into_problems()[0].sqlstate, "22012");
        assert_eq!(setting("work_mem"), before);
        let refused: Result<(), Error> = subtransaction(true, || {
            let _pinned = Pinned::new(&[("work_mem", "1MB"), ("work_mem", "much")]);
            Ok(())
        });
        assert_eq!(refused.unwrap_err().into_problems()[0].sqlstate, "22023");
        assert_eq!(setting("work_mem"), before);
        let missing: Result<(), Error> = subtransaction(true, || {
            let _pinned = Pinned::new(&[("no_such_setting", "1")]);
            Ok(())
        });
        assert_eq!(missing.unwrap_err().into_problems()[0].sqlstate, "42704");
        // An error that is caught inside leaves the settings of the one who caught it.
        {
            let _outer = Pinned::new(&[("work_mem", "5MB")]);
            let inner: Result<(), Error> = subtransaction(true, || {
                let _pinned = Pinned::new(&[("work_mem", "1MB")]);
                Ok(Spi::run("SELECT 1 / 0")?)
            });
            assert!(inner.is_err());
            assert_eq!(setting("work_mem"), "5MB");
        }
        assert_eq!(setting("work_mem"), before);
    }

    #[pg_test]
    fn a_session_knows_the_callers_schema_and_closes_the_path() {
        Spi::run("CREATE SCHEMA \"Odd one\"").unwrap();
        for (path, schema) in [
            ("\"Odd one\", public", Some("Odd one")),
            ("missing, public", Some("public")),
            ("pg_catalog, public", Some("pg_catalog")),
            ("missing", None),
            ("''", None),
        ] {
            Spi::run(&format!("SET LOCAL search_path = {path}")).unwrap();
            let before = setting("search_path");
            {
                let session = Session::begin();
                assert_eq!(session.schema.as_deref(), schema, "{path}");
                assert_eq!(setting("search_path"), "pg_catalog, pg_temp");
                assert_eq!(setting("row_security"), "off");
                session.set("work_mem", "1MB");
                assert_eq!(setting("work_mem"), "1MB");
            }
            assert_eq!(setting("search_path"), before);
            assert_eq!(setting("row_security"), "on");
        }
    }

    /// A function that someone put in front of the catalog's is not called.
    #[pg_test]
    fn a_session_is_not_misled_by_the_callers_path() {
        Spi::run(
            "CREATE SCHEMA trap;
             CREATE FUNCTION trap.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'trapped' $$;
             SET LOCAL search_path = trap, pg_catalog",
        )
        .unwrap();
        assert_eq!(Spi::get_one::<String>("SELECT lower('A'::text)"), Ok(Some("trapped".to_owned())));
        let _session = Session::begin();
        assert_eq!(Spi::get_one::<String>("SELECT lower('A'::text)"), Ok(Some("a".to_owned())));
    }

    #[pg_test]
    fn names_and_literals_survive_quoting() {
        for name in
            ["plain", "Upper", "select", "a b", "a\"b", "a'b", "größe", "a\\b", "1st", "a;drop", "\"", "名前", "-- x"]
        {
            let quoted = quote_ident(name);
            let servers = Spi::get_one_with_args::<String>("SELECT quote_ident($1)", &[name.into()]).unwrap();
            assert_eq!(Some(&quoted), servers.as_ref());
            let found = Spi::get_one::<String>(&format!(
                "SELECT a.attname::text FROM (SELECT 1 AS {quoted}) x, LATERAL \
                 (SELECT key AS attname FROM json_each(row_to_json(x))) a"
            ));
            assert_eq!(found, Ok(Some(name.to_owned())));
            let literal = Spi::get_one::<String>(&format!("SELECT {}::text", quote_literal(name)));
            assert_eq!(literal, Ok(Some(name.to_owned())));
            Spi::run("SET LOCAL standard_conforming_strings = off").unwrap();
            let old = Spi::get_one::<String>(&format!("SELECT {}::text", quote_literal(name)));
            assert_eq!(old, Ok(Some(name.to_owned())));
            Spi::run("SET LOCAL standard_conforming_strings = on").unwrap();
        }
        assert_eq!(quote_table(&TableName::new("My Schema", "t.x")), "\"My Schema\".\"t.x\"");
        // What follows a NUL byte cannot be text of the server.
        assert_eq!((quote_ident("a\0b"), quote_literal("a\0b")), ("a".to_owned(), "'a'".to_owned()));
    }

    #[pg_test]
    fn one_problem_is_raised_as_it_is() {
        let problem = Problem::new("42P07", "table \"a\" exists").detail("It has rows.").hint("Name another.");
        let error: Error = problem.clone().into();
        assert_eq!(raised(|| error.raise("restore of a")), problem);
        for state in [
            "22023", "42501", "42P01", "3F000", "55000", "58P01", "58030", "0A000", "HV000", "08001", "22P04", "42703",
            "54001", "53100",
        ] {
            let raised = raised(|| Error::from(Problem::new(state, "x")).raise("y"));
            assert_eq!((raised.sqlstate.as_str(), raised.message.as_str()), (state, "x"));
            assert_eq!((raised.detail, raised.hint), (None, None));
        }
    }

    #[pg_test]
    fn several_problems_are_raised_at_once() {
        let problems = vec![
            Problem::new("42P07", "table \"a\" exists").detail("It has rows.").hint("Name another."),
            Problem::new("42704", "role \"b\" does not exist").hint("Create it."),
            Problem::new("42704", "role \"c\" does not exist").hint("Create it."),
            Problem::new("22023", "no nodes"),
        ];
        let raised = raised(|| Error::from(problems).raise("restore of a"));
        assert_eq!(
            (raised.sqlstate.as_str(), raised.message.as_str()),
            ("42P07", "restore of a cannot start: 4 problems")
        );
        assert_eq!(
            raised.detail.as_deref(),
            Some(
                "1. [42P07] table \"a\" exists: It has rows.\n2. [42704] role \"b\" does not exist\n\
                 3. [42704] role \"c\" does not exist\n4. [22023] no nodes"
            )
        );
        // A remedy that helps twice is said once.
        assert_eq!(raised.hint.as_deref(), Some("Name another.\nCreate it."));
    }

    #[pg_test]
    fn texts_of_other_encodings() {
        let (latin1, utf8) = (encoding_number("LATIN1").unwrap(), encoding_number("utf-8").unwrap());
        assert_eq!(to_server(b"gr\xf6\xdfe", latin1), "größe".as_bytes());
        assert_eq!(to_server("größe".as_bytes(), utf8), "größe".as_bytes());
        assert_eq!(to_server(b"", latin1), b"");
        assert_eq!(encoding_number("klingon"), None);
        assert_eq!(raised(|| drop(to_server(b"\xff\xfe", utf8))).sqlstate, "22021");
        let cyrillic = encoding_number("WIN1251").unwrap();
        assert_eq!(to_server(b"\xcf\xf0\xe8\xe2\xe5\xf2", cyrillic), "Привет".as_bytes());
    }
}
