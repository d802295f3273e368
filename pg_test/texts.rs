//! Texts of a query log as texts: what surrounds and cuts them, how long and how deep they are, and what is no SQL.

#[pgrx::pg_schema]
mod tests {
    use super::super::parse::{read, trees};
    use crate::pg::parse::statements;
    use pgrx::pg_test;

    #[pg_test]
    fn several_statements_in_one_text() {
        trees(&[
            ("SELECT a FROM t; DELETE FROM u WHERE b = 1;", "select out(a) from(t); delete u where((b = ?))"),
            ("BEGIN; SELECT 1; COMMIT", "begin; select out(?); end"),
            (";;SELECT 1;;", "select out(?)"),
        ]);
    }

    #[pg_test]
    fn comments_and_other_languages() {
        trees(&[
            (
                "/* app:shop /* nested */ */ SELECT a -- the key\nFROM t WHERE b = 1 -- $2 ' \"",
                "select out(a) from(t) where((b = ?))",
            ),
            (
                "SELECT \"größe\", 名前 FROM \"Tabelle mit Leerzeichen\" AS \"ä\" WHERE \"ä\".\"größe\" = 'žluťoučký 😀'",
                "select out(größe, 名前) from(Tabelle mit Leerzeichen ä) where((ä.größe = ?))",
            ),
            ("SELECT 1 AS \"a\"\"b\"", "select out(? as a\"b)"),
            ("SELECT U&\"d\\0061t\\+000061\" FROM t", "select out(data) from(t)"),
            ("\u{feff}SELECT 1", "error: syntax error"),
            ("SELECT\u{a0}1", "error: syntax error"),
        ]);
    }

    /// pg_stat_statements puts a parameter where the grammar wants a literal.
    #[pg_test]
    fn normalised_texts_are_repaired() {
        trees(&[
            ("SELECT a FROM t WHERE b > now() - interval $1", "select out(a) from(t) where((b > ?))"),
            ("SELECT a FROM t WHERE b >= date $1 AND c = $2", "select out(a) from(t) where(and((b >= ?), (c = ?)))"),
            ("SELECT a FROM t WHERE b < timestamp $1 + $2 * interval $3", "select out(a) from(t) where((b < ?))"),
            ("SELECT extract($1 FROM b) FROM t WHERE a = $2", "select out(extract!(?, b)) from(t) where((a = ?))"),
            ("SELECT a FROM t WHERE b = interval $1 day", "select out(a) from(t) where((b = ?))"),
            ("SELECT $1 /* $2 */ AS \"$3\", '$4', interval $5", "select out(? as $3, ?, ?)"),
            ("SELECT a FROM t LIMIT $1 OFFSET $2", "select out(a) from(t) limit"),
        ]);
    }

    #[pg_test]
    fn what_cannot_be_read_is_counted_by_its_cause() {
        trees(&[
            ("", "error: empty text"),
            ("  \n\t", "error: empty text"),
            ("-- nothing", "error: empty text"),
            (";", "error: empty text"),
            ("SELECT a FROM t WHERE", "error: text is cut off"),
            ("SELECT a FROM t WHERE b = 'abc", "error: text is cut off"),
            ("SELECT a FROM t WHERE \"b", "error: text is cut off"),
            ("SELECT a FROM t /* and th", "error: text is cut off"),
            ("SELECT a FROM t WHERE b = $$abc", "error: text is cut off"),
            ("UPDATE t SET a = (", "error: text is cut off"),
            ("SELECT a FROM t WHERE b > interval $1 AND c IN ($2, $3", "error: text is cut off"),
            ("SELEC a FROM t", "error: syntax error"),
            ("SELECT a FRM t x", "error: syntax error"),
            ("SELECT interval $1 FRM t x", "error: syntax error"),
            ("<insufficient privilege>", "error: syntax error"),
            ("💥", "error: syntax error"),
            ("'", "error: text is cut off"),
            ("\\d t", "error: syntax error"),
            ("{\"json\": true}", "error: syntax error"),
            ("SELECT 1 \0 FROM t", "select out(?)"),
        ]);
        let reasons: Vec<String> =
            ["SELECT 'a", "SELECT \"bcd", "DELETE FROM"].iter().map(|t| statements(t).unwrap_err()).collect();
        assert!(reasons.iter().all(|r| r == "text is cut off"), "one cause, one reason: {reasons:?}");
    }

    #[pg_test]
    fn every_prefix_of_a_statement_has_an_answer() {
        let text = "WITH x(k) AS (SELECT a FROM s.t WHERE b BETWEEN $1 AND interval $2) UPDATE u SET (c, d) = (SELECT 'é', e) \
                    FROM x LEFT JOIN \"W\" w USING (k) WHERE u.k = ANY($3::int[]) AND EXISTS (SELECT FROM v) RETURNING *";
        assert!(read(text).starts_with("update u with(x {"), "{}", read(text));
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            match statements(&text[..end]) {
                Ok(found) => assert_eq!(found.len(), 1, "{}", &text[..end]),
                Err(reason) => assert!(
                    ["empty text", "text is cut off", "syntax error"].contains(&reason.as_str()),
                    "{reason}: {}",
                    &text[..end]
                ),
            }
        }
    }

    #[pg_test]
    fn long_texts_are_read() {
        let items = vec!["$1"; 5_000].join(", ");
        assert_eq!(read(&format!("SELECT a FROM t WHERE b IN ({items})")), "select out(a) from(t) where((b in 5000))");
        let rows = vec!["($1, $2, $3)"; 2_000].join(", ");
        assert_eq!(read(&format!("INSERT INTO t VALUES {rows}")), "insert t");
        let padded = format!("SELECT a FROM t WHERE b = '{}'", "x".repeat(100_000));
        assert_eq!(read(&padded), "select out(a) from(t) where((b = ?))");
        let many: String = (0..3_000).map(|i| format!(" OR c{i} = {i}")).collect();
        let expected: String = (0..3_000).map(|i| format!(", (c{i} = ?)")).collect();
        assert_eq!(
            read(&format!("SELECT FROM t WHERE a = 1{many}")),
            format!("select from(t) where(or((a = ?){expected}))")
        );
        let columns: Vec<String> = (0..1_600).map(|i| format!("c{i}")).collect();
        assert_eq!(
            read(&format!("SELECT {} FROM t", columns.join(", "))),
            format!("select out({}) from(t)", columns.join(", "))
        );
    }

    /// Nesting that no application writes is a reason to be counted, whatever makes it, and never the end of the backend.
    #[pg_test]
    fn deep_nesting_is_counted() {
        let too_deep = "error: nested too deeply";
        for depth in [2_000, 100_000] {
            for (open, inner, close) in [
                ("NOT (", "a", ")"),
                ("f(", "a", ")"),
                ("(1 + ", "a", ")"),
                ("ARRAY[", "a", "]"),
                ("(SELECT ", "a", ")"),
                ("CASE WHEN a THEN ", "a", " END"),
                ("ROW(1, ", "a", ")"),
                ("(a).b + (", "a", ")"),
            ] {
                let text = format!("SELECT {}{inner}{}", open.repeat(depth), close.repeat(depth));
                assert_eq!(read(&text), too_deep, "{open} {depth}");
            }
            let from = format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(depth), ") x".repeat(depth));
            assert_eq!(read(&from), too_deep, "FROM {depth}");
            let sum = format!("SELECT a{}", " + 1".repeat(depth));
            assert_eq!(read(&sum), too_deep, "sum {depth}");
            let union = format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(depth));
            assert_eq!(read(&union), too_deep, "union {depth}");
            let joins = format!("SELECT FROM t{}", " CROSS JOIN u".repeat(depth));
            assert_eq!(read(&joins), too_deep, "joins {depth}");
        }
        // Parentheses leave no node, so that two thousand are nothing; the grammar's own stack ends before a hundred thousand.
        assert_eq!(read(&format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000))), "select out(?)");
        assert_eq!(read(&format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000))), too_deep);
        // The transaction goes on, and what generated code nests is read.
        assert_eq!(
            read(&format!("SELECT {}a{}", "f(".repeat(100), ")".repeat(100))),
            format!("select out({}a{})", "f!(".repeat(100), ")".repeat(100))
        );
        assert_eq!(pgrx::Spi::get_one::<i32>("SELECT 1"), Ok(Some(1)));
    }
}
