//! Texts of a query log -> statement trees: one line for each thing that the grammar lets people write.

use super::show;
use crate::pg::parse::statements;

/// All statements of a text, or the reason why it counts as not understood.
pub fn read(text: &str) -> String {
    match statements(text) {
        Ok(found) => found.iter().map(show::query).collect::<Vec<_>>().join("; "),
        Err(reason) => format!("error: {reason}"),
    }
}

pub fn trees(cases: &[(&str, &str)]) {
    show::compare(cases.iter().map(|(text, expected)| (*text, read(text), *expected)));
}

/// The same for conditions: what stands after `SELECT FROM t WHERE`.
fn conditions(cases: &[(&str, &str)]) {
    let found = |text: &str| match statements(&format!("SELECT FROM t WHERE {text}")).as_deref() {
        Ok([q]) => q.filter.as_ref().map(show::expr).unwrap_or_default(),
        other => format!("{other:?}"),
    };
    show::compare(cases.iter().map(|(text, expected)| (*text, found(text), *expected)));
}

#[pgrx::pg_schema]
mod tests {
    use super::{conditions, read, trees};
    use pgrx::pg_test;

    #[pg_test]
    fn comparisons_keep_their_operator_and_sides() {
        conditions(&[
            ("a = $1", "(a = ?)"),
            ("t.a = $1", "(t.a = ?)"),
            ("s.t.a = 7", "(s.t.a = ?)"),
            ("$1 = a", "(? = a)"),
            ("a = b", "(a = b)"),
            ("a < 1 AND b <= 2 AND c > 3 AND d >= 4", "and((a < ?), (b <= ?), (c > ?), (d >= ?))"),
            ("a <> 1", "(a <> ?)"),
            ("a != 1", "(a <> ?)"),
            ("a OPERATOR(pg_catalog.=) $1", "(a = ?)"),
            ("\"Select\".\"Straße\" = $1", "(Select.Straße = ?)"),
            ("A = $1", "(a = ?)"),
            ("a ~ $1", "(a ~ ?)"),
            ("a && $1", "(a && ?)"),
            ("a @> $1", "(a @> ?)"),
            ("a ? $1", "[a, ?]"),
            ("a + b = $1", "([a, b] = ?)"),
            ("- a = $1", "([a] = ?)"),
            ("active", "active"),
            ("NOT active", "not(active)"),
            ("active IS TRUE", "[active]"),
        ]);
    }

    #[pg_test]
    fn what_is_made_of_values_is_a_value() {
        conditions(&[
            ("a = $1 + 1", "(a = ?)"),
            ("a = -$1", "(a = ?)"),
            ("a = $1::int", "(a = ?)"),
            ("a = CAST($1 AS numeric(10,2))", "(a = ?)"),
            ("a = '2024-01-01'", "(a = ?)"),
            ("a = DATE '2024-01-01'", "(a = ?)"),
            ("a = NULL", "(a = ?)"),
            ("a = true", "(a = ?)"),
            ("a = CURRENT_DATE", "(a = ?)"),
            ("a = CURRENT_USER", "(a = ?)"),
            ("a = now() - interval '1 day'", "(a = ?)"),
            ("a = lower($1)", "(a = ?)"),
            ("a = f(g($1), x => 2)", "(a = ?)"),
            ("a = coalesce($1, 5)", "(a = ?)"),
            ("a = greatest($1, $2)", "(a = ?)"),
            ("a = nullif($1, $2)", "(a = ?)"),
            ("a = CASE WHEN $1 THEN 1 ELSE 2 END", "(a = ?)"),
            ("a = CASE $1 WHEN 1 THEN 2 END", "(a = ?)"),
            ("a = ARRAY[1, $2]", "(a = ?)"),
            ("a = ($1::int[])[1]", "(a = ?)"),
            ("a = $1 COLLATE \"C\"", "(a = ?)"),
            ("a = $1 AT TIME ZONE 'UTC'", "(a = ?)"),
            ("a = B'101'", "(a = ?)"),
            ("a = U&'\\0041'", "(a = ?)"),
            ("a = $$dollar$$", "(a = ?)"),
            ("a = E'x\\n'", "(a = ?)"),
        ]);
    }

    #[pg_test]
    fn what_hides_a_column_from_an_index_is_no_column() {
        conditions(&[
            ("a::text = $1", "([a] = ?)"),
            ("lower(a) = $1", "(lower!(a) = ?)"),
            ("date_trunc('day', a) = $1", "(date_trunc!(?, a) = ?)"),
            ("pg_catalog.date(a) = $1", "(date!(a) = ?)"),
            ("coalesce(a, 0) = $1", "([[a, ?]] = ?)"),
            ("a->>'k' = $1", "([a, ?] = ?)"),
            ("a->'k'->>'l' = $1", "([[a, ?], ?] = ?)"),
            ("a #>> '{k,l}' = $1", "([a, ?] = ?)"),
            ("a[1] = $1", "([a, ?] = ?)"),
            ("(a).x = $1", "([a, [[]]] = ?)"),
            ("a AT TIME ZONE 'UTC' = $1", "(timezone!(?, a) = ?)"),
            ("a % 10 = $1", "([a, ?] = ?)"),
            ("a || b = $1", "([a, b] = ?)"),
            ("CASE WHEN a = 1 THEN b ELSE c END = $1", "([(a = ?), b, c] = ?)"),
            // A collation changes the order, not the column.
            ("a COLLATE \"C\" = $1", "(a = ?)"),
        ]);
    }

    #[pg_test]
    fn lists_are_counted_and_arrays_are_not() {
        conditions(&[
            ("a IN ($1)", "(a in 1)"),
            ("a IN (1, 2, 3)", "(a in 3)"),
            ("a NOT IN (1, 2)", "(a not in 2)"),
            ("a IN (1, now())", "(a in 2)"),
            ("a IN (1, b)", "[a, ?, b]"),
            ("a = ANY ($1)", "(a in array)"),
            ("a = ANY ($1::int[])", "(a in array)"),
            ("a = ANY ('{1,2}')", "(a in array)"),
            ("a = ANY (string_to_array($1, ','))", "(a in array)"),
            ("a = ANY (ARRAY[1, 2])", "(a in 2)"),
            ("a = SOME (ARRAY[$1, $2, $3])", "(a in 3)"),
            // Elements or arrays of another table's rows are no list of values.
            ("a = ANY (ARRAY[1, b])", "[a, [?, b]]"),
            ("t.a = ANY (u.many)", "[t.a, u.many]"),
            ("$1 = ANY (a)", "[?, a]"),
            ("a <> ALL ($1)", "[a, ?]"),
            ("a < ANY ($1)", "[a, ?]"),
            ("a LIKE ANY ($1)", "[a, ?]"),
            ("lower(a) IN (1, 2)", "(lower!(a) in 2)"),
        ]);
    }

    #[pg_test]
    fn ranges_patterns_and_nulls() {
        conditions(&[
            ("a BETWEEN $1 AND $2", "(a between ? ?)"),
            ("a NOT BETWEEN 1 AND 2", "(a not between ? ?)"),
            ("a BETWEEN SYMMETRIC 2 AND b", "(a between ? b)"),
            ("$1 BETWEEN a AND b", "(? between a b)"),
            ("a LIKE 'x%'", "(a like ?)"),
            ("a NOT LIKE $1", "(a not like ?)"),
            ("a ILIKE $1", "(a matches ?)"),
            ("a SIMILAR TO $1", "(a matches ?)"),
            ("a LIKE $1 ESCAPE '!'", "(a like ?)"),
            ("a IS NULL", "(a is null)"),
            ("a IS NOT NULL", "(a is not null)"),
            ("a ISNULL OR b NOTNULL", "or((a is null), (b is not null))"),
            ("a IS DISTINCT FROM $1", "[a, ?]"),
            // The planner neither prunes by it nor finds it in an index.
            ("a IS NOT DISTINCT FROM $1", "[a, ?]"),
            ("a IS DOCUMENT", "[[a]]"),
            ("(a, b) OVERLAPS ($1, $2)", "overlaps!(a, b, ?, ?)"),
            ("WHERE_ IS UNKNOWN", "[where_]"),
        ]);
    }

    #[pg_test]
    fn rows_and_truth() {
        conditions(&[
            ("(a, b) = ($1, $2)", "(row(a, b) = row(?, ?))"),
            ("ROW(a, b) > ROW($1, 2)", "(row(a, b) > row(?, ?))"),
            ("(a, b) IN ((1, 2), ($1, $2))", "(row(a, b) in 2)"),
            ("(a, b) IN ((1, c))", "[row(a, b), row(?, c)]"),
            ("(a, b) IN (SELECT x, y FROM u)", "row(a, b) = any {select out(x, y) from(u)}"),
            ("a = 1 AND b = 2 AND c = 3", "and((a = ?), (b = ?), (c = ?))"),
            ("a = 1 OR a = 2 OR a = 3", "or((a = ?), (a = ?), (a = ?))"),
            ("a = 1 AND (b = 2 OR NOT c = 3)", "and((a = ?), or((b = ?), not((c = ?))))"),
            ("((((a = 1))))", "(a = ?)"),
            ("(SELECT $1) = a", "(scalar {select out(?)} = a)"),
        ]);
    }

    #[pg_test]
    fn subqueries_say_how_they_are_linked() {
        conditions(&[
            ("EXISTS (SELECT 1 FROM u WHERE u.x = t.a)", "exists {select out(?) from(u) where((u.x = t.a))}"),
            ("NOT EXISTS (SELECT FROM u)", "not(exists {select from(u)})"),
            ("a IN (SELECT x FROM u)", "a = any {select out(x) from(u)}"),
            ("a NOT IN (SELECT x FROM u)", "not(a = any {select out(x) from(u)})"),
            ("a = ANY (SELECT x FROM u)", "a = any {select out(x) from(u)}"),
            ("a = SOME (SELECT x FROM u)", "a = any {select out(x) from(u)}"),
            ("a < ANY (SELECT x FROM u)", "a compare {select out(x) from(u)}"),
            ("a = ALL (SELECT x FROM u)", "a compare {select out(x) from(u)}"),
            ("a = (SELECT max(x) FROM u)", "(a = scalar {select out(max!(x)) from(u)})"),
            ("a = ANY (ARRAY(SELECT x FROM u LIMIT 5))", "[a, array {select out(x) from(u) limit}]"),
            ("a = ANY ((SELECT xs FROM u)::int[])", "[a, [scalar {select out(xs) from(u)}]]"),
            ("coalesce((SELECT x FROM u), 1) = a", "([[scalar {select out(x) from(u)}, ?]] = a)"),
            ("a IN (1, (SELECT x FROM u))", "[a, ?, scalar {select out(x) from(u)}]"),
        ]);
    }

    #[pg_test]
    fn joins_of_all_kinds() {
        trees(&[
            ("SELECT * FROM a, b", "select out(*) from(a, b)"),
            ("SELECT * FROM a CROSS JOIN b", "select out(*) from(<a,b>)"),
            ("SELECT * FROM a JOIN b ON a.x = b.y", "select out(*) from(<a,b on (a.x = b.y)>)"),
            ("SELECT * FROM a LEFT JOIN b ON a.x = b.y", "select out(*) from(<a+b on (a.x = b.y)>)"),
            ("SELECT * FROM a RIGHT JOIN b ON a.x = b.y", "select out(*) from(<b+a on (a.x = b.y)>)"),
            ("SELECT * FROM a FULL JOIN b ON a.x = b.y", "select out(*) from(<a+b on (a.x = b.y)>)"),
            ("SELECT * FROM a JOIN b USING (x, y)", "select out(*) from(<a,b using x y>)"),
            ("SELECT * FROM a NATURAL LEFT JOIN b", "select out(*) from(<a+b natural>)"),
            (
                "SELECT a.* FROM s.a AS p JOIN b q ON p.x = q.x LEFT JOIN c ON q.y = c.y AND c.z = $1",
                "select out(*) from(<<s.a p,b q on (p.x = q.x)>+c on and((q.y = c.y), (c.z = ?))>)",
            ),
            (
                "SELECT * FROM a JOIN (b JOIN c ON b.y = c.y) ON a.x = b.x",
                "select out(*) from(<a,<b,c on (b.y = c.y)> on (a.x = b.x)>)",
            ),
            ("SELECT * FROM ONLY a", "select out(*) from(a)"),
            ("SELECT * FROM a* x", "select out(*) from(a x)"),
            ("SELECT * FROM db.s.a", "select out(*) from(s.a)"),
            ("SELECT * FROM a TABLESAMPLE SYSTEM (1) WHERE x = 1", "select out(*) from(a) where((x = ?))"),
            ("SELECT * FROM a s TABLESAMPLE BERNOULLI (1) REPEATABLE (2)", "select out(*) from(a s)"),
            ("TABLE a", "select out(*) from(a)"),
        ]);
    }

    #[pg_test]
    fn rows_that_are_in_no_table() {
        trees(&[
            ("SELECT 1", "select out(?)"),
            ("SELECT * FROM generate_series(1, $1) AS g(i)", "select out(*) from(rows g)"),
            (
                "SELECT * FROM unnest($1::int[]) WITH ORDINALITY u JOIN t ON t.a = u",
                "select out(*) from(<rows u,t on (t.a = u)>)",
            ),
            ("SELECT * FROM ROWS FROM (f(1), g(2)) AS r", "select out(*) from(rows r)"),
            ("SELECT * FROM t, LATERAL f(t.a) l", "select out(*) from(t, rows l)"),
            ("SELECT * FROM XMLTABLE('/r' PASSING $1 COLUMNS a int PATH '@a') AS x", "select out(*) from(rows x)"),
            ("VALUES (1, 2), (3, 4)", "select"),
            ("SELECT * FROM (VALUES (1, 'x')) AS v(a, b) WHERE a = 1", "select out(*) from({select} v) where((a = ?))"),
            (
                "SELECT * FROM t, LATERAL (SELECT * FROM u WHERE u.x = t.a ORDER BY u.y DESC LIMIT 3) l",
                "select out(*) from(t, {select out(*) from(u) where((u.x = t.a)) order(u.y) limit} l)",
            ),
            (
                "SELECT s.m FROM (SELECT a, max(b) FROM t GROUP BY a) AS s(k, m) WHERE s.k = $1",
                "select out(s.m) from({select out(a as k, max!(b) as m) from(t) group(a)} s) where((s.k = ?))",
            ),
        ]);
    }

    #[pg_test]
    fn what_a_select_does_with_its_rows() {
        trees(&[
            (
                "SELECT a, b AS c, count(*) n FROM t GROUP BY 1, 2",
                "select out(a, b as c, count!() as n) from(t) group(a, b)",
            ),
            ("SELECT a x FROM t ORDER BY 1 DESC NULLS LAST, b, 7", "select out(a as x) from(t) order(a, b, ?)"),
            ("SELECT a FROM t GROUP BY a HAVING sum(b) > $1", "select out(a) from(t) having((sum!(b) > ?)) group(a)"),
            ("SELECT DISTINCT a FROM t", "select out(a) from(t) distinct"),
            ("SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b", "select out(a, b) from(t) order(a, b) distinct"),
            ("SELECT a FROM t LIMIT $1 OFFSET $2", "select out(a) from(t) limit"),
            ("SELECT a FROM t FETCH FIRST 5 ROWS ONLY", "select out(a) from(t) limit"),
            ("SELECT a FROM t OFFSET 5", "select out(a) from(t)"),
            ("SELECT a FROM t WHERE b = 1 FOR UPDATE OF t SKIP LOCKED", "select out(a) from(t) where((b = ?))"),
            ("SELECT a INTO n FROM t WHERE b = 1", "select out(a) from(t) where((b = ?))"),
            ("SELECT t.*, now() FROM t", "select out(*, ?) from(t)"),
            ("SELECT FROM t", "select from(t)"),
            ("SELECT a, b, sum(c) FROM t GROUP BY ROLLUP (a, b)", "select out(a, b, sum!(c)) from(t) group([[a, b]])"),
            (
                "SELECT a, sum(c) FROM t GROUP BY GROUPING SETS ((a), (b), ())",
                "select out(a, sum!(c)) from(t) group([[a, b, []]])",
            ),
            ("SELECT a, b FROM t GROUP BY CUBE (a, b)", "select out(a, b) from(t) group([[a, b]])"),
            ("SELECT lower(a) FROM t GROUP BY lower(a)", "select out(lower!(a)) from(t) group(lower!(a))"),
            (
                "SELECT a, row_number() OVER (PARTITION BY a ORDER BY b) FROM t WHERE c = 1",
                "select out(a, ?) from(t) where((c = ?))",
            ),
            (
                "SELECT sum(a) FILTER (WHERE b > 0) OVER w FROM t WINDOW w AS (PARTITION BY c)",
                "select out(sum!(a)) from(t)",
            ),
            (
                "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), string_agg(b, ',' ORDER BY c) FROM t",
                "select out(?, string_agg!(b, ?)) from(t)",
            ),
        ]);
    }

    #[pg_test]
    fn unions_have_sides() {
        trees(&[
            ("SELECT a FROM t UNION SELECT b FROM u", "select sides(select out(a) from(t), select out(b) from(u))"),
            (
                "SELECT a FROM t UNION ALL SELECT b FROM u EXCEPT SELECT c FROM v ORDER BY 1 LIMIT 3",
                "select order(?) sides(select sides(select out(a) from(t), select out(b) from(u)), select out(c) from(v)) limit",
            ),
            (
                "(SELECT a FROM t ORDER BY a LIMIT 1) INTERSECT (SELECT b FROM u)",
                "select sides(select out(a) from(t) order(a) limit, select out(b) from(u))",
            ),
        ]);
    }

    #[pg_test]
    fn common_table_expressions() {
        trees(&[
            (
                "WITH x AS (SELECT a FROM t WHERE b = $1) SELECT * FROM x JOIN u USING (a)",
                "select with(x {select out(a) from(t) where((b = ?))}) out(*) from(<x,u using a>)",
            ),
            (
                "WITH x(k, v) AS MATERIALIZED (SELECT a, b FROM t) SELECT v FROM x WHERE k = 1",
                "select with(x {select out(a as k, b as v) from(t)}) out(v) from(x) where((k = ?))",
            ),
            (
                "WITH RECURSIVE r(n, p) AS (SELECT a, b FROM t WHERE a = $1 UNION ALL SELECT t.a, t.b FROM t, r WHERE t.a = r.p) \
                 SELECT n FROM r",
                "select with(r {select sides(select out(a as n, b as p) from(t) where((a = ?)), select out(t.a, t.b) from(t, r) \
                 where((t.a = r.p)))}) out(n) from(r)",
            ),
            (
                "WITH d AS (DELETE FROM t WHERE a = 1 RETURNING *) INSERT INTO u SELECT * FROM d",
                "insert u with(d {delete t out(*) where((a = ?))}) from({select out(*) from(d)})",
            ),
            (
                "WITH x AS (SELECT 1) UPDATE t SET a = 2 FROM x WHERE b = 3",
                "update t with(x {select out(?)}) from(x) where((b = ?)) set(a := ?)",
            ),
        ]);
    }

    #[pg_test]
    fn statements_that_write() {
        trees(&[
            ("INSERT INTO t VALUES (1, 2)", "insert t"),
            ("INSERT INTO s.t (a, b) VALUES ($1, $2), ($3, $4)", "insert s.t columns(a, b)"),
            ("INSERT INTO t DEFAULT VALUES", "insert t"),
            ("INSERT INTO t (a) VALUES (DEFAULT) RETURNING id AS i", "insert t columns(a) out(id as i)"),
            (
                "INSERT INTO t (a) SELECT x FROM u WHERE y = 1",
                "insert t columns(a) from({select out(x) from(u) where((y = ?))})",
            ),
            ("INSERT INTO t TABLE u", "insert t from({select out(*) from(u)})"),
            (
                "INSERT INTO t (a, b) VALUES ($1, (SELECT max(x) FROM u WHERE y = $2))",
                "insert t columns(a, b) from({select out(scalar {select out(max!(x)) from(u) where((y = ?))})})",
            ),
            ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", "insert t columns(a)"),
            (
                "INSERT INTO t AS x (a, b) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = x.c + 1 WHERE x.d < 5",
                "insert t x columns(a, b) set(b := excluded.b, c := [x.c, ?])",
            ),
            ("UPDATE t SET a = $1, b = b + 1 WHERE c = 2", "update t where((c = ?)) set(a := ?, b := [b, ?])"),
            ("UPDATE t SET a = DEFAULT, b[1] = 2", "update t set(a := ?, b := ?)"),
            (
                "UPDATE s.t AS x SET a = u.a FROM u JOIN v ON u.k = v.k WHERE x.id = u.id RETURNING x.*, u.a",
                "update s.t x out(*, u.a) from(<u,v on (u.k = v.k)>) where((x.id = u.id)) set(a := u.a)",
            ),
            ("UPDATE t SET (a, b) = ($1, c) WHERE d = 1", "update t where((d = ?)) set(a := [row(?, c)], b := [])"),
            (
                "UPDATE t SET (a, b) = (SELECT x, y FROM u WHERE u.k = t.k)",
                "update t set(a := [scalar {select out(x, y) from(u) where((u.k = t.k))}], b := [])",
            ),
            ("UPDATE t SET a = 1 WHERE CURRENT OF c", "update t where([]) set(a := ?)"),
            ("DELETE FROM t", "delete t"),
            ("DELETE FROM ONLY t x WHERE a = 1 RETURNING a", "delete t x out(a) where((a = ?))"),
            (
                "DELETE FROM t USING u, v WHERE t.a = u.a AND u.b = v.b",
                "delete t from(u, v) where(and((t.a = u.a), (u.b = v.b)))",
            ),
            (
                "DELETE FROM t WHERE ctid = ANY (ARRAY(SELECT ctid FROM t WHERE done LIMIT 100 FOR UPDATE SKIP LOCKED))",
                "delete t where([ctid, array {select out(ctid) from(t) where(done) limit}])",
            ),
            (
                "MERGE INTO t x USING u ON x.a = u.a WHEN MATCHED AND u.d THEN DELETE WHEN MATCHED THEN UPDATE SET b = u.b \
                 WHEN NOT MATCHED THEN INSERT (a, b) VALUES (u.a, u.b)",
                "merge t x from(u) where((x.a = u.a)) set(b := u.b)",
            ),
            (
                "WITH w AS (SELECT 1) MERGE INTO t USING (SELECT * FROM u WHERE k = $1) s ON t.a = s.a WHEN MATCHED THEN DO NOTHING",
                "merge t with(w {select out(?)}) from({select out(*) from(u) where((k = ?))} s) where((t.a = s.a))",
            ),
        ]);
    }

    #[pg_test]
    fn statements_around_a_statement() {
        trees(&[
            ("COPY t FROM STDIN", "copy t"),
            ("COPY s.t (a, b) FROM '/tmp/x' WITH (FORMAT csv)", "copy s.t"),
            ("COPY t TO STDOUT", "copy from(t)"),
            ("COPY (SELECT a FROM t WHERE b = 1) TO STDOUT", "select out(a) from(t) where((b = ?))"),
            ("DECLARE c CURSOR FOR SELECT a FROM t WHERE b = $1", "select out(a) from(t) where((b = ?))"),
            ("PREPARE p (int) AS UPDATE t SET a = 1 WHERE b = $1", "update t where((b = ?)) set(a := ?)"),
            ("EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t WHERE a = 1", "delete t where((a = ?))"),
            ("EXPLAIN DECLARE c CURSOR FOR SELECT a FROM t", "select out(a) from(t)"),
            ("CREATE TABLE n AS SELECT a FROM t WHERE b = 1", "select out(a) from(t) where((b = ?))"),
            ("CREATE MATERIALIZED VIEW m AS SELECT a FROM t", "select out(a) from(t)"),
        ]);
    }

    #[pg_test]
    fn statements_that_find_no_rows() {
        for text in [
            "SAVEPOINT s",
            "ROLLBACK TO SAVEPOINT s",
            "COMMIT PREPARED 'x'",
            "SET search_path = x",
            "SHOW all",
            "RESET ALL",
            "DISCARD ALL",
            "VACUUM ANALYZE t",
            "CREATE TABLE t (a int)",
            "CREATE INDEX ON t (a)",
            "ALTER TABLE t ADD COLUMN b int",
            "DROP TABLE t",
            "TRUNCATE t, u",
            "LOCK TABLE t",
            "CREATE VIEW v AS SELECT 1",
            "REFRESH MATERIALIZED VIEW m",
            "EXECUTE p(1)",
            "DEALLOCATE ALL",
            "FETCH 10 FROM c",
            "CLOSE c",
            "LISTEN x",
            "NOTIFY x, 'y'",
            "CALL f(1)",
            "DO 'BEGIN END'",
            "GRANT SELECT ON t TO PUBLIC",
            "COMMENT ON TABLE t IS 'x'",
            "CHECKPOINT",
            "REINDEX TABLE t",
            "CLUSTER t",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1",
            "EXPLAIN EXECUTE p",
        ] {
            assert_eq!(read(text), "utility", "{text}");
        }
    }

    #[pg_test]
    fn transactions_begin_and_end() {
        for text in ["BEGIN", "begin isolation level serializable", "START TRANSACTION READ ONLY"] {
            assert_eq!(read(text), "begin", "{text}");
        }
        for text in ["COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE TRANSACTION 'x'"] {
            assert_eq!(read(text), "end", "{text}");
        }
    }
}
