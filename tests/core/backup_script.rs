//! Scripts are cut where psql cuts them, whatever the chunks they come in.
#![allow(clippy::unwrap_used, reason = "clippy counts only the test functions themselves as tests")]

use foreshard_core::backup::script::{
    Piece, ROW_LIMIT, STATEMENT_LIMIT, ScriptError, ScriptReader, replace_parameters,
};
use proptest::prelude::*;
use std::io::Read;

/// As pg_dump 15 writes it, shortened; with what makes cutting hard.
const DUMP: &str = r#"--
-- PostgreSQL database dump
--

\restrict nB3xY

-- Dumped from database version 15.14 (Debian 15.14-1.pgdg120+1)

SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: total(integer); Type: FUNCTION; Schema: public; Owner: shop
--

CREATE FUNCTION public.total(a integer) RETURNS bigint
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT sum(CASE
             WHEN (o.price > 0) THEN o.price
             ELSE 0
         END) AS sum
    FROM public.orders o
   WHERE (o.customer = total.a);
 SELECT CASE WHEN true THEN 1 END;
END;


CREATE OR REPLACE PROCEDURE public.clean(begin integer)
    LANGUAGE sql
    BEGIN ATOMIC
 DELETE FROM public.orders;
END;

CREATE FUNCTION public.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$
BEGIN
  EXECUTE 'select ''$1;'''; -- it's "quoted"
  RETURN new; $a$ ; $a$
END;
$_$;

COMMENT ON FUNCTION public.touch() IS E'semi;colon, back\\slash\'; $$ "';

CREATE TABLE public."od;d" (
    a text DEFAULT 'x;''y'::text, /* nested /* ; */ ' */
    "b""; " integer
);

CREATE RULE r AS ON INSERT TO public.t DO ( SELECT 1; SELECT 2; );

COPY public.orders (id, note) FROM stdin;
1	semi;colon
2	\\.
3	\\.x\tback\\slash
\N	it's $$ /* --
\.


COPY public.empty (id) FROM stdin;
\.

CREATE INDEX i ON public.orders USING btree (id);;

--
-- PostgreSQL database dump complete
--

\unrestrict nB3xY

"#;

/// Hands out its bytes in pieces of the given sizes, over and over.
struct Pieces<'a> {
    rest: &'a [u8],
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = self.sizes[self.turn % self.sizes.len()].min(into.len()).min(self.rest.len());
        self.turn += 1;
        into[..len].copy_from_slice(&self.rest[..len]);
        self.rest = &self.rest[len..];
        Ok(len)
    }
}

/// One line for each piece, for comparison: what it is, its text, its rows.
fn pieces(source: impl Read) -> (Vec<String>, Option<ScriptError>) {
    let mut reader = ScriptReader::new(source);
    let mut found = Vec::new();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    loop {
        match reader.next_piece() {
            Err(e) => return (found, Some(e)),
            Ok(None) => return (found, None),
            Ok(Some(Piece::Statement(s))) => found.push(format!("statement {}", text(s))),
            Ok(Some(Piece::Meta(s))) => found.push(format!("meta {}", text(s))),
            Ok(Some(Piece::CopyIn(s))) => {
                let mut rows = Vec::new();
                let end = loop {
                    match reader.read_rows() {
                        Ok(Some(chunk)) => {
                            assert!(chunk.ends_with(b"\n"), "chunks are whole lines");
                            rows.extend_from_slice(chunk);
                        }
                        Ok(None) => break None,
                        Err(e) => break Some(e),
                    }
                };
                found.push(format!("copy {} <{}>", text(s), text(rows)));
                if end.is_some() {
                    return (found, end);
                }
            }
        }
    }
}

fn cut(script: &str) -> Vec<String> {
    let (found, error) = pieces(script.as_bytes());
    assert!(error.is_none(), "{error:?}");
    found
}

#[test]
fn a_dump_is_cut_into_its_statements_and_rows() {
    let found = cut(DUMP);
    let starts: Vec<&str> = found.iter().map(|piece| piece.split('(').next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "meta \\restrict nB3xY",
            "statement SET standard_conforming_strings = on",
            "statement SELECT pg_catalog.set_config",
            "statement CREATE FUNCTION public.total",
            "statement CREATE OR REPLACE PROCEDURE public.clean",
            "statement CREATE FUNCTION public.touch",
            "statement COMMENT ON FUNCTION public.touch",
            "statement CREATE TABLE public.\"od;d\" ",
            "statement CREATE RULE r AS ON INSERT TO public.t DO ",
            "copy COPY public.orders ",
            "copy COPY public.empty ",
            "statement CREATE INDEX i ON public.orders USING btree ",
            "meta \\unrestrict nB3xY",
        ]
    );
    assert!(found[3].ends_with("SELECT CASE WHEN true THEN 1 END;\nEND"));
    assert!(found[5].ends_with("END;\n$_$"));
    assert_eq!(found[6], r#"statement COMMENT ON FUNCTION public.touch() IS E'semi;colon, back\\slash\'; $$ "'"#);
    assert!(found[7].ends_with("\"b\"\"; \" integer\n)"));
    let rows = "1\tsemi;colon\n2\t\\\\.\n3\t\\\\.x\\tback\\\\slash\n\\N\tit's $$ /* --\n";
    assert_eq!(found[9], format!("copy COPY public.orders (id, note) FROM stdin <{rows}>"));
    assert_eq!(found[10], "copy COPY public.empty (id) FROM stdin <>");
}

#[test]
fn rows_that_nobody_reads_are_skipped() {
    let mut reader = ScriptReader::new("copy t from stdin;\n1\n2;'\n\\.\nSELECT 1;".as_bytes());
    assert_eq!(reader.next_piece().unwrap(), Some(Piece::CopyIn(b"copy t from stdin".to_vec())));
    assert_eq!(reader.next_piece().unwrap(), Some(Piece::Statement(b"SELECT 1".to_vec())));
    assert!(reader.read_rows().unwrap().is_none());
    assert_eq!(reader.next_piece().unwrap(), None);
    assert_eq!(reader.next_piece().unwrap(), None);
}

#[test]
fn rows_that_were_read_before_are_passed_over_wherever_the_chunks_end() {
    let rows = "1\ta\n2\t\\\\.\n3\tlonger than the others\n4\td\n";
    let script = format!("COPY t FROM stdin;\n{rows}\\.\nSELECT 1;");
    let ends = rows.match_indices('\n').map(|(at, _)| at + 1);
    for (size, end) in [1, 7, 1000].into_iter().flat_map(|size| ends.clone().map(move |end| (size, end))) {
        let mut reader = ScriptReader::new(Pieces { rest: script.as_bytes(), sizes: vec![size], turn: 0 });
        reader.next_piece().unwrap();
        assert_eq!(reader.skip_rows(end as u64).unwrap(), end as u64);
        let mut rest = Vec::new();
        while let Some(chunk) = reader.read_rows().unwrap() {
            rest.extend_from_slice(chunk);
        }
        assert_eq!(String::from_utf8(rest).unwrap(), rows[end..]);
        assert_eq!(reader.next_piece().unwrap(), Some(Piece::Statement(b"SELECT 1".to_vec())));
    }
    let mut reader = ScriptReader::new(script.as_bytes());
    reader.next_piece().unwrap();
    assert_eq!(reader.skip_rows(1000).unwrap(), rows.len() as u64, "there are no more");
}

#[test]
fn line_ends_of_other_systems_and_a_byte_order_mark_are_understood() {
    let script = "\u{feff}SELECT 1;\r\n-- x\r\n\\restrict k\r\nCOPY t FROM STDIN;\r\n1\r\n\\.\r\nSELECT 2;\r\n";
    assert_eq!(
        cut(script),
        ["statement SELECT 1", "meta \\restrict k", "copy COPY t FROM STDIN <1\r\n>", "statement SELECT 2"]
    );
}

#[test]
fn only_copy_from_stdin_has_rows() {
    let found = cut("COPY t (\"from\", stdin) TO stdout; COPY (SELECT a FROM stdin) TO '/x'; COPY t FROM 'stdin'; \
                     COPY t /* c */ FROM -- d\n stdin WITH (FORMAT csv);  -- rows:\n\\.x\n\\.\nSELECT a FROM stdin;");
    let kinds: Vec<&str> = found.iter().map(|piece| piece.split(' ').next().unwrap()).collect();
    assert_eq!(kinds, ["statement", "statement", "statement", "copy", "statement"]);
    assert!(found[3].ends_with("<\\.x\n>"));
}

#[test]
fn the_end_marker_stands_alone_on_its_line() {
    assert_eq!(
        cut("COPY t FROM stdin;\n\\.x\n \\.\nx\\.\n\\. \n\\."),
        ["copy COPY t FROM stdin <\\.x\n \\.\nx\\.\n\\. \n>"]
    );
}

#[test]
fn quotes_and_comments_hide_semicolons() {
    for whole in [
        "SELECT 'a\\'",
        "SELECT E'a\\';'",
        "SELECT e'a' -- c\n 'b\\';'",
        "SELECT E'a''b;'",
        "SELECT U&'a;' UESCAPE '!'",
        "SELECT a$b$ , $c$;$b$;$c$",
        "SELECT $$;$x$;$$",
        "SELECT $ä1$;$ä2$;$ä1$",
        "SELECT 1$a$;$a$",
        "SELECT \"a\"\";\"",
        "SELECT a -/* ; /* ; */ ; */- b",
        "SELECT (1;2)",
        "SELECT name'E;'",
    ] {
        assert_eq!(cut(&format!("{whole};SELECT 1;")), [format!("statement {whole}"), "statement SELECT 1".to_owned()]);
    }
    // No continuation without a line end, and none of a plain string: the backslash is a plain one again.
    assert_eq!(cut("SELECT E'a' 'b\\';SELECT 1;").len(), 2);
    assert_eq!(cut("SELECT 'a'\n'b\\';SELECT 1;").len(), 2);
    // BEGIN alone opens nothing, neither does ATOMIC outside a function.
    assert_eq!(cut("BEGIN;COMMIT;CREATE FUNCTION begin() RETURNS int RETURN 1;SELECT begin atomic;").len(), 4);
}

#[test]
fn a_script_that_ends_too_early_says_where() {
    for (script, pieces_before) in [
        ("SELECT 1", 0),
        ("a;\nSELECT 'x;", 1),
        ("a; /* x ;", 1),
        ("SELECT $a$ x; $b$", 0),
        ("SELECT \"x;", 0),
        ("(;", 0),
    ] {
        let (found, error) = pieces(script.as_bytes());
        assert_eq!(found.len(), pieces_before, "{script}");
        let at = if pieces_before == 0 { 0 } else { 3 };
        assert!(
            matches!(error, Some(ScriptError::TruncatedStatement { offset }) if offset == at),
            "{script}: {error:?}"
        );
    }
    for script in
        ["COPY t FROM stdin;\n1\n2\n", "COPY t FROM stdin;\n1\n2", "COPY t FROM stdin;\n", "COPY t FROM stdin;\n1\n\\"]
    {
        let (found, error) = pieces(script.as_bytes());
        assert_eq!(found.len(), 1);
        let at = script.len() as u64;
        assert!(matches!(error, Some(ScriptError::TruncatedData { offset }) if offset == at), "{script}: {error:?}");
        let problem = error.unwrap().problem();
        assert_eq!(problem.sqlstate, "22P04");
        assert_eq!(problem.detail, Some(format!("There is no line \"\\.\" after the rows, at byte {at}.")));
    }
    assert!(pieces("-- only a comment".as_bytes()).1.is_none());
}

#[test]
fn a_dump_without_its_last_line_was_cut_off() {
    let begin = "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE t (a int);\n";
    let end = "--\n-- PostgreSQL database dump complete\n--\n\n";
    let whole = format!("{begin}{end}\\unrestrict x\n");
    assert!(pieces(whole.as_bytes()).1.is_none());
    assert!(pieces(whole.replace('\n', "\r\n").as_bytes()).1.is_none());
    // pg_dumpall writes one after the other.
    assert!(pieces(whole.repeat(2).as_bytes()).1.is_none());
    assert!(pieces(format!("{whole}{begin}").as_bytes()).1.is_some());
    // A script written by hand has neither line.
    assert!(pieces("CREATE TABLE t (a int);\n".as_bytes()).1.is_none());
    let ends = begin.len() + end.trim_end_matches(['\n', '-']).len();
    for cut in begin.find("dump").unwrap() + 4..ends {
        assert!(pieces(whole.get(..cut).unwrap().as_bytes()).1.is_some(), "cut at {cut}");
    }
    let problem = pieces(begin.as_bytes()).1.unwrap().problem();
    assert_eq!(problem.sqlstate, "22P04");
    assert_eq!(
        problem.detail,
        Some(format!(
            "pg_dump's last line, \"-- PostgreSQL database dump complete\", is not in its {} bytes.",
            begin.len()
        ))
    );
}

#[test]
fn text_behind_a_copy_is_refused() {
    let (_, error) = pieces("COPY t FROM stdin; SELECT 1;\n1\n\\.\n".as_bytes());
    assert!(matches!(error, Some(ScriptError::TextAfterCopy { offset: 18 })));
}

#[test]
fn a_statement_without_end_is_given_up() {
    for open in [&b"SELECT '"[..], b"\\connect "] {
        let (_, error) = pieces(open.chain(std::io::repeat(b'x')));
        assert!(matches!(error, Some(ScriptError::StatementTooLong { offset: 0 })), "{error:?}");
    }
    const { assert!(STATEMENT_LIMIT == 64 << 20 && ROW_LIMIT == 0x3fff_ffff) };
}

#[test]
fn rows_and_statements_larger_than_the_buffer_come_whole() {
    let wide = "x".repeat(1 << 20);
    let script = format!("COPY t FROM stdin;\n1\n{wide}\n2\n\\.\nSELECT '{wide};{wide}';SELECT 2;");
    for size in [1 << 16, 1 << 30] {
        let (found, error) = pieces(Pieces { rest: script.as_bytes(), sizes: vec![size], turn: 0 });
        assert!(error.is_none());
        assert_eq!(
            found,
            [
                format!("copy COPY t FROM stdin <1\n{wide}\n2\n>"),
                format!("statement SELECT '{wide};{wide}'"),
                "statement SELECT 2".to_owned()
            ]
        );
    }
}

#[test]
fn every_chunk_size_gives_the_same_pieces() {
    let whole = cut(DUMP);
    for size in 1..40 {
        let (found, error) = pieces(Pieces { rest: DUMP.as_bytes(), sizes: vec![size], turn: 0 });
        assert!(error.is_none());
        assert_eq!(found, whole, "{size}");
    }
}

#[test]
fn parameters_become_constants_outside_quotes() {
    for (text, expected) in [
        ("interval $1", "interval '$1'"),
        ("a = $1 AND b IN ($2,$10)", "a = '$1' AND b IN ('$2','$10')"),
        ("'$1' \"$2\" $$ $3 $$ $a$ $4 $a$ E'\\'$5'", "'$1' \"$2\" $$ $3 $$ $a$ $4 $a$ E'\\'$5'"),
        ("a$1 /* $2 */ $3 -- $4", "a$1 /* $2 */ '$3' -- $4"),
        ("é$1=$1é", "é$1='$1'é"),
        ("$1 'open $2", "'$1' 'open $2"),
        ("$ 1 $", "$ 1 $"),
        ("$1$2", "'$1''$2'"),
        ("", ""),
    ] {
        assert_eq!(replace_parameters(text), expected);
    }
}

proptest! {
    #[test]
    fn chunk_borders_do_not_matter(sizes in prop::collection::vec(1_usize..50, 1..20)) {
        let (found, error) = pieces(Pieces { rest: DUMP.as_bytes(), sizes, turn: 0 });
        prop_assert!(error.is_none());
        prop_assert_eq!(found, cut(DUMP));
    }

    #[test]
    fn a_dump_cut_off_anywhere_gives_its_first_pieces_or_an_error(end in 0..DUMP.len()) {
        let (found, error) = pieces(&DUMP.as_bytes()[..end]);
        let whole = cut(DUMP);
        // The last piece may be a part: rows before the cut, or a backslash line, which has no end mark of its own.
        let sure = found.len().saturating_sub(1);
        prop_assert_eq!(&found[..sure], &whole[..sure]);
        if let Some(last) = found.last().filter(|_| error.is_none()) {
            prop_assert!(whole[sure].starts_with(last));
        }
    }

    #[test]
    fn hostile_text_ends_and_cuts_the_same_in_any_chunks(
        parts in prop::collection::vec(prop::sample::select(vec![
            "COPY t FROM stdin;\n", "\\.\n", "\\.", "\\", "\n", "\r\n", "'", "E'", "\"", "$$", "$a$", "$1", "$", "--", "/*", "*/", "/",
            "*", "-", ";", "(", ")", "CREATE FUNCTION f() BEGIN ATOMIC ", "END", "CASE ", "x", " ", "é", "\0", "e",
        ]), 0..30),
        sizes in prop::collection::vec(1_usize..9, 1..5),
    ) {
        let script = parts.concat();
        let (whole, error) = pieces(script.as_bytes());
        let (found, same_error) = pieces(Pieces { rest: script.as_bytes(), sizes, turn: 0 });
        prop_assert_eq!(found, whole);
        prop_assert_eq!(same_error.map(|e| format!("{e:?}")), error.map(|e| format!("{e:?}")));
        replace_parameters(&script);
    }

    #[test]
    fn random_bytes_end(script in prop::collection::vec(any::<u8>(), 0..400)) {
        pieces(&script[..]);
    }
}
