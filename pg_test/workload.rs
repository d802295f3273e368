//! The parser and the pure crate together: SQL texts in, access patterns of tables out, for the statements of TPC-C.

use crate::pg::definition::Reader;
use crate::pg::parse::statements;
use foreshard_core::model::workload::{JoinEdge, LogEntry, TableUse, Workload};
use foreshard_core::model::{Schema, TableName};
use foreshard_core::workload::{AnalyzeOptions, analyze};

/// The tables of TPC-C with their keys, read from the scripts that make them.
fn schema() -> Schema {
    let mut reader = Reader::new();
    for script in [include_str!("../tests/workloads/tpcc/schema.sql"), include_str!("../tests/workloads/tpcc/keys.sql")]
    {
        let without_comments: String =
            script.lines().filter(|l| !l.starts_with("--")).map(|l| format!("{l}\n")).collect();
        without_comments.split(";\n").for_each(|statement| reader.statement(statement));
    }
    let found = reader.finish();
    assert_eq!(found.unreadable, []);
    found.schema(&TableName::new("public", "orders"))
}

fn log<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<LogEntry> {
    let entry = |(text, id): (&str, i64)| LogEntry {
        id,
        text: text.to_owned(),
        calls: 1.0,
        total_ms: 1.0,
        rows: 1.0,
        parsed: statements(text),
    };
    texts.into_iter().zip(1..).map(entry).collect()
}

fn read(texts: &[&str]) -> Workload {
    analyze(&schema(), &log(texts.iter().copied()), &AnalyzeOptions::default())
}

/// The statements of a pgbench script as pg_stat_statements would show them.
fn normalised(script: &str) -> Vec<String> {
    script
        .lines()
        .filter(|line| !line.starts_with('\\') && !line.starts_with("--") && !line.trim().is_empty())
        .map(|line| {
            let line = line.trim_end_matches(" \\gset").trim_end_matches(';');
            let mut text = String::new();
            let mut rest = line;
            // `:name` is a variable, `::type` a cast.
            while let Some(at) = rest.find(':') {
                let (before, after) = rest.split_at(at);
                text.push_str(before);
                let len = after[1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len() - 1);
                let cast = after.starts_with("::");
                text.push_str(if cast { "::" } else { "$1" });
                rest = if cast { &after[2..] } else { &after[1 + len..] };
            }
            text + rest
        })
        .collect()
}

fn table_use(u: &TableUse) -> String {
    let mut text = u.table.name.clone();
    for (word, said) in [("w", u.written), ("ins", u.inserted)] {
        if said {
            text.push_str(&format!(" {word}"));
        }
    }
    let edge = |e: &JoinEdge| format!("{}={}.{}", e.column, e.other.name, e.other_column);
    for (label, list) in [
        ("pin", u.pinned.clone()),
        ("list", u.listed.clone()),
        ("range", u.ranged.clone()),
        ("match", u.matched.clone()),
        ("join", u.joined.iter().map(edge).collect()),
        ("group", u.grouped.clone()),
        ("order", u.ordered.clone()),
        ("set", u.updated.clone()),
    ] {
        if !list.is_empty() {
            text.push_str(&format!(" {label}({})", list.join(" ")));
        }
    }
    text
}

/// What a text says of the tables, one after the other.
fn uses(text: &str) -> String {
    let workload = read(&[text]);
    assert_eq!(workload.coverage.not_understood, [], "{text}");
    workload.statements.iter().flat_map(|s| &s.tables).map(table_use).collect::<Vec<_>>().join("; ")
}

fn family(workload: &Workload, table: &str, column: &str) -> Vec<String> {
    let member = (TableName::new("public", table), column.to_owned());
    let found = workload.families.iter().find(|f| f.members.contains(&member));
    found.map(|f| f.members.iter().map(|(t, c)| format!("{}.{c}", t.name)).collect()).unwrap_or_default()
}

#[pgrx::pg_schema]
mod tests {
    use super::super::show::compare;
    use super::{family, log, normalised, read, schema, uses};
    use foreshard_core::model::workload::WorkloadProfile;
    use foreshard_core::workload::{AnalyzeOptions, analyze};
    use pgrx::pg_test;

    #[pg_test]
    fn texts_of_tpcc_give_pins_and_joins() {
        let cases = [
            (
                "SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse \
                 WHERE w_id = $1 AND c_w_id = w_id AND c_d_id = $2 AND c_id = $3",
                "customer pin(c_d_id c_id c_w_id) join(c_w_id=warehouse.w_id); warehouse pin(w_id) join(w_id=customer.c_w_id)",
            ),
            (
                "UPDATE district SET d_next_o_id = d_next_o_id + $1 WHERE d_id = $2 AND d_w_id = $3 RETURNING d_next_o_id, d_tax",
                "district w pin(d_id d_w_id) set(d_next_o_id)",
            ),
            (
                "SELECT d_next_o_id, d_tax FROM district WHERE (d_w_id, d_id) = ($1, $2) FOR UPDATE",
                "district pin(d_id d_w_id)",
            ),
            ("INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES ($1, $2, $3)", "new_order w ins"),
            (
                "SELECT i_price, s_quantity FROM stock s JOIN item i ON i.i_id = s.s_i_id WHERE s.s_w_id = $1 AND i.i_id IN ($2, $3, $4)",
                "stock pin(s_w_id) join(s_i_id=item.i_id); item list(i_id) join(i_id=stock.s_i_id)",
            ),
            (
                "SELECT c_id FROM customer WHERE c_w_id = $1 AND c_d_id = $2 AND c_last LIKE $3 ORDER BY c_first LIMIT $4",
                "customer pin(c_d_id c_w_id) match(c_last) order(c_first)",
            ),
            (
                "SELECT o_id FROM orders WHERE o_w_id = $1 AND o_entry_d > now() - interval $2 AND o_carrier_id IS NULL",
                "orders pin(o_w_id) range(o_entry_d)",
            ),
            (
                "SELECT o_id FROM orders WHERE o_w_id = $1 AND o_id = (SELECT max(o_id) FROM orders WHERE o_w_id = $1 AND o_d_id = $2)",
                "orders pin(o_id o_w_id); orders pin(o_d_id o_w_id)",
            ),
            (
                "DELETE FROM new_order WHERE no_w_id = $1 AND no_o_id IN (SELECT o_id FROM orders WHERE o_w_id = $1 AND o_d_id = $2)",
                "new_order w pin(no_w_id) join(no_o_id=orders.o_id); orders pin(o_d_id o_w_id) join(o_id=new_order.no_o_id)",
            ),
            (
                "SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id < $3 \
                 AND ol_o_id >= $3 - $4 AND s_w_id = $1 AND s_i_id = ol_i_id AND s_quantity < $5",
                "order_line pin(ol_d_id ol_w_id) range(ol_o_id) join(ol_i_id=stock.s_i_id); \
                 stock pin(s_w_id) range(s_quantity) join(s_i_id=order_line.ol_i_id)",
            ),
            ("SELECT w_name FROM warehouse WHERE w_id::text = $1", "warehouse"),
            ("SELECT w_name FROM warehouse WHERE w_id IS NOT DISTINCT FROM $1", "warehouse"),
            ("SELECT w_name FROM warehouse WHERE w_id = ANY ($1)", "warehouse list(w_id)"),
            ("SELECT w_name FROM warehouse WHERE w_id = coalesce($1, $2)", "warehouse pin(w_id)"),
            ("SELECT count(*) FROM item TABLESAMPLE SYSTEM ($1)", "item"),
            (
                "INSERT INTO history (h_c_id, h_amount) VALUES ($1, (SELECT sum(ol_amount) FROM order_line WHERE ol_w_id = $2))",
                "history w ins; order_line pin(ol_w_id)",
            ),
            (
                "UPDATE warehouse SET (w_tax, w_ytd) = (SELECT max(d_tax), sum(d_ytd) FROM district WHERE d_w_id = $1) WHERE w_id = $1",
                "warehouse w pin(w_id) set(w_tax w_ytd); district pin(d_w_id)",
            ),
            (
                "DELETE FROM new_order WHERE ctid = ANY (ARRAY(SELECT ctid FROM new_order WHERE no_w_id = $1 LIMIT $2))",
                "new_order w; new_order pin(no_w_id)",
            ),
            (
                "MERGE INTO stock USING order_line ON s_w_id = ol_supply_w_id AND s_i_id = ol_i_id \
                 WHEN MATCHED THEN UPDATE SET s_quantity = s_quantity - ol_quantity",
                "stock w join(s_i_id=order_line.ol_i_id s_w_id=order_line.ol_supply_w_id) set(s_quantity); \
                 order_line join(ol_i_id=stock.s_i_id ol_supply_w_id=stock.s_w_id)",
            ),
        ];
        compare(cases.iter().map(|(text, expected)| (*text, uses(text), *expected)));
    }

    /// The scripts that load the demonstration server: all of it is understood, and the warehouse ties nearly all tables.
    #[pg_test]
    fn the_scripts_of_tpcc_are_understood_whole() {
        let scripts = [
            include_str!("../tests/workloads/tpcc/new_order.sql"),
            include_str!("../tests/workloads/tpcc/payment.sql"),
            include_str!("../tests/workloads/tpcc/order_status.sql"),
            include_str!("../tests/workloads/tpcc/delivery.sql"),
            include_str!("../tests/workloads/tpcc/stock_level.sql"),
        ];
        let texts: Vec<String> = scripts.into_iter().flat_map(normalised).collect();
        assert!(texts.len() > 100, "{}", texts.len());
        let workload = analyze(&schema(), &log(texts.iter().map(String::as_str)), &AnalyzeOptions::default());
        assert_eq!(workload.coverage.not_understood, []);
        assert_eq!(workload.coverage.understood_calls, 1.0);
        assert_eq!(workload.profile, WorkloadProfile::Oltp);
        assert_eq!(
            family(&workload, "warehouse", "w_id"),
            [
                "customer.c_w_id",
                "district.d_w_id",
                "history.h_c_w_id",
                "history.h_w_id",
                "new_order.no_w_id",
                "order_line.ol_supply_w_id",
                "order_line.ol_w_id",
                "orders.o_w_id",
                "stock.s_w_id",
                "warehouse.w_id"
            ]
        );
        // Every statement on an order finds its rows by the warehouse.
        let of_orders: Vec<_> = workload
            .statements
            .iter()
            .flat_map(|s| &s.tables)
            .filter(|u| u.table.name == "orders" && !u.inserted)
            .collect();
        assert_eq!(of_orders.len(), 11);
        assert!(of_orders.iter().all(|u| u.pinned.iter().any(|c| c == "o_w_id")));
    }

    #[pg_test]
    fn what_the_parser_refuses_lowers_the_coverage() {
        let workload = read(&[
            "SELECT w_name FROM warehouse WHERE w_id = $1",
            "SELECT w_name FROM wareh",
            "SELECT (",
            "SELEC",
            "SELECT 'x",
        ]);
        let reasons: Vec<_> =
            workload.coverage.not_understood.iter().map(|n| (n.reason.as_str(), n.statements)).collect();
        assert_eq!(reasons, [("text is cut off", 2), ("syntax error", 1)]);
        assert_eq!(workload.coverage.understood_calls, 0.4);
        assert_eq!(workload.statements.len(), 1);
    }
}
