//! The statements of TPC-C and the joins of TPC-H, as an application sends them.

use super::workload_build::*;
use foreshard_core::model::schema::{Schema, Table};
use foreshard_core::model::statement::{Expr, Query};
use foreshard_core::model::workload::{LogEntry, WorkloadProfile};

fn tpcc_tables() -> Vec<Table> {
    vec![
        a_table("warehouse", "w_id:integer w_name:text w_tax:numeric w_ytd:numeric", &["w_id"]),
        a_table(
            "district",
            "d_w_id:integer d_id:integer d_name:text d_next_o_id:integer d_tax:numeric d_ytd:numeric",
            &["d_w_id d_id"],
        ),
        a_table(
            "customer",
            "c_w_id:integer c_d_id:integer c_id:integer c_last:text c_first:text c_credit:text c_discount:numeric c_balance:numeric",
            &["c_w_id c_d_id c_id"],
        ),
        a_table(
            "history",
            "h_c_id:integer h_c_d_id:integer h_c_w_id:integer h_d_id:integer h_w_id:integer h_amount:numeric",
            &[],
        ),
        a_table(
            "orders",
            "o_w_id:integer o_d_id:integer o_id:integer o_c_id:integer o_carrier_id:integer o_entry_d:timestamp",
            &["o_w_id o_d_id o_id"],
        ),
        a_table("new_order", "no_w_id:integer no_d_id:integer no_o_id:integer", &["no_w_id no_d_id no_o_id"]),
        a_table(
            "order_line",
            "ol_w_id:integer ol_d_id:integer ol_o_id:integer ol_number:integer ol_i_id:integer ol_supply_w_id:integer ol_amount:numeric ol_delivery_d:timestamp",
            &["ol_w_id ol_d_id ol_o_id ol_number"],
        ),
        a_table("stock", "s_w_id:integer s_i_id:integer s_quantity:integer s_ytd:integer", &["s_w_id s_i_id"]),
        a_table("item", "i_id:integer i_name:text i_price:numeric", &["i_id"]),
    ]
}

fn tpcc_with_keys() -> Schema {
    let keys = [
        ("district", "d_w_id", "warehouse", "w_id"),
        ("customer", "c_w_id c_d_id", "district", "d_w_id d_id"),
        ("history", "h_c_w_id h_c_d_id h_c_id", "customer", "c_w_id c_d_id c_id"),
        ("history", "h_w_id h_d_id", "district", "d_w_id d_id"),
        ("orders", "o_w_id o_d_id o_c_id", "customer", "c_w_id c_d_id c_id"),
        ("new_order", "no_w_id no_d_id no_o_id", "orders", "o_w_id o_d_id o_id"),
        ("order_line", "ol_w_id ol_d_id ol_o_id", "orders", "o_w_id o_d_id o_id"),
        ("order_line", "ol_supply_w_id ol_i_id", "stock", "s_w_id s_i_id"),
        ("stock", "s_w_id", "warehouse", "w_id"),
        ("stock", "s_i_id", "item", "i_id"),
    ];
    let with_keys = |table: Table| {
        let own = keys.iter().filter(|(name, ..)| *name == table.name.name);
        own.fold(table.clone(), |t, (_, columns, to, referenced)| references(t, columns, to, referenced))
    };
    Schema::new(tpcc_tables().into_iter().map(with_keys).collect())
}

fn pins(columns: &str) -> Expr {
    all_of(columns.split(' ').map(pin).collect())
}

fn plus(column: &str) -> Expr {
    Expr::Other(vec![col(column), val()])
}

/// The statements of the five transactions, with what is expected of each.
fn tpcc() -> Vec<(Query, &'static [&'static str])> {
    vec![
        // New-Order
        (
            select(&["customer", "warehouse"])
                .outputs(&["c_discount", "c_last", "c_credit", "w_tax"])
                .filter(all_of(vec![pin("w_id"), eq("c_w_id", "w_id"), pin("c_d_id"), pin("c_id")])),
            &[
                "customer pin(c_d_id c_id c_w_id) join(c_w_id=warehouse.w_id)",
                "warehouse pin(w_id) join(w_id=customer.c_w_id)",
            ],
        ),
        (
            select(&["district"]).outputs(&["d_next_o_id", "d_tax"]).filter(pins("d_id d_w_id")),
            &["district pin(d_id d_w_id)"],
        ),
        (
            update("district").set("d_next_o_id", plus("d_next_o_id")).filter(pins("d_id d_w_id")),
            &["district w pin(d_id d_w_id) set(d_next_o_id)"],
        ),
        (insert("orders", &["o_id", "o_d_id", "o_w_id", "o_c_id"]), &["orders w ins"]),
        (insert("new_order", &["no_o_id", "no_d_id", "no_w_id"]), &["new_order w ins"]),
        (select(&["item"]).outputs(&["i_price", "i_name"]).filter(pin("i_id")), &["item pin(i_id)"]),
        (select(&["stock"]).outputs(&["s_quantity"]).filter(pins("s_i_id s_w_id")), &["stock pin(s_i_id s_w_id)"]),
        (
            update("stock").set("s_quantity", val()).filter(pins("s_i_id s_w_id")),
            &["stock w pin(s_i_id s_w_id) set(s_quantity)"],
        ),
        (insert("order_line", &["ol_o_id", "ol_d_id", "ol_w_id"]), &["order_line w ins"]),
        // Payment
        (update("warehouse").set("w_ytd", plus("w_ytd")).filter(pin("w_id")), &["warehouse w pin(w_id) set(w_ytd)"]),
        (select(&["warehouse"]).outputs(&["w_name"]).filter(pin("w_id")), &["warehouse pin(w_id)"]),
        (
            update("district").set("d_ytd", plus("d_ytd")).filter(pins("d_w_id d_id")),
            &["district w pin(d_id d_w_id) set(d_ytd)"],
        ),
        (
            select(&["customer"])
                .output("count", call("count", vec![col("c_id")]))
                .filter(pins("c_last c_d_id c_w_id")),
            &["customer pin(c_d_id c_last c_w_id)"],
        ),
        (
            select(&["customer"]).outputs(&["c_id"]).filter(pins("c_w_id c_d_id c_last")).order(&["c_first"]),
            &["customer pin(c_d_id c_last c_w_id) order(c_first)"],
        ),
        (
            update("customer").set("c_balance", val()).filter(pins("c_w_id c_d_id c_id")),
            &["customer w pin(c_d_id c_id c_w_id) set(c_balance)"],
        ),
        (insert("history", &["h_c_d_id", "h_c_w_id", "h_c_id"]), &["history w ins"]),
        // Order-Status
        (
            select(&["orders"]).outputs(&["o_id", "o_carrier_id"]).filter(all_of(vec![
                pins("o_w_id o_d_id o_c_id"),
                cmp(
                    col("o_id"),
                    "=",
                    scalar(
                        select(&["orders"])
                            .output("max", call("max", vec![col("o_id")]))
                            .filter(pins("o_w_id o_d_id o_c_id")),
                    ),
                ),
            ])),
            &["orders pin(o_c_id o_d_id o_id o_w_id)", "orders pin(o_c_id o_d_id o_w_id)"],
        ),
        (
            select(&["order_line"]).outputs(&["ol_i_id"]).filter(pins("ol_w_id ol_d_id ol_o_id")),
            &["order_line pin(ol_d_id ol_o_id ol_w_id)"],
        ),
        // Delivery
        (
            select(&["new_order"]).outputs(&["no_o_id"]).filter(pins("no_d_id no_w_id")).order(&["no_o_id"]).limit(),
            &["new_order pin(no_d_id no_w_id) order(no_o_id)"],
        ),
        (delete("new_order").filter(pins("no_o_id no_d_id no_w_id")), &["new_order w pin(no_d_id no_o_id no_w_id)"]),
        (
            update("order_line").set("ol_delivery_d", val()).filter(pins("ol_o_id ol_d_id ol_w_id")),
            &["order_line w pin(ol_d_id ol_o_id ol_w_id) set(ol_delivery_d)"],
        ),
        // Stock-Level
        (
            select(&["order_line", "stock"]).output("count", call("count", vec![col("s_i_id")])).filter(all_of(vec![
                pin("ol_w_id"),
                pin("ol_d_id"),
                cmp(col("ol_o_id"), "<", val()),
                cmp(col("ol_o_id"), ">=", val()),
                pin("s_w_id"),
                eq("s_i_id", "ol_i_id"),
                cmp(col("s_quantity"), "<", val()),
            ])),
            &[
                "order_line pin(ol_d_id ol_w_id) range(ol_o_id) join(ol_i_id=stock.s_i_id)",
                "stock pin(s_w_id) range(s_quantity) join(s_i_id=order_line.ol_i_id)",
            ],
        ),
    ]
}

#[test]
fn tpcc_statement_by_statement() {
    let schema = tpcc_with_keys();
    for (query, expected) in tpcc() {
        assert_eq!(lines(&schema, query), expected);
    }
}

fn tpcc_log() -> Vec<LogEntry> {
    tpcc().into_iter().zip(1..).map(|((query, _), id)| entry(id, query)).collect()
}

#[test]
fn tpcc_families() {
    let workload = read(&tpcc_with_keys(), &tpcc_log());
    assert_eq!(workload.profile, WorkloadProfile::Oltp);
    assert_eq!(workload.coverage.understood_calls, 1.0);
    assert_eq!(workload.statements.len(), 22);
    assert_eq!(
        families(&workload),
        [
            "customer.c_d_id district.d_id history.h_c_d_id history.h_d_id new_order.no_d_id order_line.ol_d_id orders.o_d_id",
            "customer.c_id history.h_c_id orders.o_c_id",
            "customer.c_w_id district.d_w_id history.h_c_w_id history.h_w_id new_order.no_w_id order_line.ol_supply_w_id \
         order_line.ol_w_id orders.o_w_id stock.s_w_id warehouse.w_id",
            "item.i_id order_line.ol_i_id stock.s_i_id",
            "new_order.no_o_id order_line.ol_o_id orders.o_id",
        ]
    );
    // Without foreign keys only the log's two joins are left: the transactions join by their parameters.
    let bare = read(&Schema::new(tpcc_tables()), &tpcc_log());
    assert_eq!(families(&bare), ["customer.c_w_id warehouse.w_id", "order_line.ol_i_id stock.s_i_id"]);
    assert_eq!(bare.statements, workload.statements);
}

fn tpch() -> Schema {
    Schema::new(vec![
        a_table("lineitem", "l_orderkey l_partkey l_suppkey l_shipdate:date l_commitdate:date l_quantity:numeric", &[]),
        a_table("orders", "o_orderkey o_custkey o_orderdate:date o_orderpriority:text", &["o_orderkey"]),
        a_table("customer", "c_custkey c_nationkey c_mktsegment:text", &["c_custkey"]),
        a_table("part", "p_partkey p_brand:text p_type:text", &["p_partkey"]),
        a_table("partsupp", "ps_partkey ps_suppkey ps_supplycost:numeric", &["ps_partkey ps_suppkey"]),
        a_table("supplier", "s_suppkey s_nationkey", &["s_suppkey"]),
        a_table("nation", "n_nationkey n_regionkey n_name:text", &["n_nationkey"]),
        a_table("region", "r_regionkey r_name:text", &["r_regionkey"]),
    ])
}

fn tpch_queries() -> Vec<Query> {
    let cheapest = select(&["partsupp", "supplier"])
        .output("min", call("min", vec![col("ps_supplycost")]))
        .filter(all_of(vec![eq("p_partkey", "ps_partkey"), eq("s_suppkey", "ps_suppkey")]));
    vec![
        // Q2
        select(&["part", "supplier", "partsupp"]).filter(all_of(vec![
            eq("p_partkey", "ps_partkey"),
            eq("s_suppkey", "ps_suppkey"),
            like("p_type", true),
            cmp(col("ps_supplycost"), "=", scalar(cheapest)),
        ])),
        // Q3
        select(&["customer", "orders", "lineitem"])
            .filter(all_of(vec![
                pin("c_mktsegment"),
                eq("c_custkey", "o_custkey"),
                eq("l_orderkey", "o_orderkey"),
                cmp(col("o_orderdate"), "<", val()),
            ]))
            .group(&["l_orderkey", "o_orderdate"])
            .order(&["o_orderdate"]),
        // Q4
        select(&["orders"])
            .filter(all_of(vec![
                between("o_orderdate"),
                exists(select(&["lineitem"]).filter(all_of(vec![
                    eq("l_orderkey", "o_orderkey"),
                    cmp(col("l_commitdate"), "<", col("l_shipdate")),
                ]))),
            ]))
            .group(&["o_orderpriority"]),
        // Q5
        select(&["customer", "orders", "lineitem", "supplier", "nation", "region"])
            .filter(all_of(vec![
                eq("c_custkey", "o_custkey"),
                eq("l_orderkey", "o_orderkey"),
                eq("l_suppkey", "s_suppkey"),
                eq("c_nationkey", "s_nationkey"),
                eq("s_nationkey", "n_nationkey"),
                eq("n_regionkey", "r_regionkey"),
                pin("r_name"),
            ]))
            .group(&["n_name"]),
        // Q18
        select(&["customer", "orders", "lineitem"])
            .filter(all_of(vec![
                in_query(col("o_orderkey"), select(&["lineitem"]).outputs(&["l_orderkey"]).group(&["l_orderkey"])),
                eq("c_custkey", "o_custkey"),
                eq("o_orderkey", "l_orderkey"),
            ]))
            .group(&["c_custkey", "o_orderkey"]),
    ]
}

#[test]
fn tpch_joins() {
    let schema = tpch();
    let queries = tpch_queries();
    assert_eq!(
        lines(&schema, queries[0].clone()),
        [
            "part match(p_type) join(p_partkey=partsupp.ps_partkey)",
            "supplier join(s_suppkey=partsupp.ps_suppkey)",
            "partsupp join(ps_partkey=part.p_partkey ps_suppkey=supplier.s_suppkey)",
            "partsupp join(ps_partkey=part.p_partkey ps_suppkey=supplier.s_suppkey)",
            "supplier join(s_suppkey=partsupp.ps_suppkey)",
        ]
    );
    assert_eq!(
        lines(&schema, queries[4].clone()),
        [
            "customer join(c_custkey=orders.o_custkey) group(c_custkey)",
            "orders join(o_custkey=customer.c_custkey o_orderkey=lineitem.l_orderkey) group(o_orderkey)",
            "lineitem join(l_orderkey=orders.o_orderkey)",
            "lineitem join(l_orderkey=orders.o_orderkey) group(l_orderkey)",
        ]
    );
    let log: Vec<LogEntry> = queries.into_iter().zip(1..).map(|(q, id)| entry(id, q)).collect();
    let workload = read(&schema, &log);
    assert_eq!(workload.profile, WorkloadProfile::Olap);
    assert_eq!(
        families(&workload),
        [
            "customer.c_custkey orders.o_custkey",
            "customer.c_nationkey nation.n_nationkey supplier.s_nationkey",
            "lineitem.l_orderkey orders.o_orderkey",
            "lineitem.l_suppkey partsupp.ps_suppkey supplier.s_suppkey",
            "nation.n_regionkey region.r_regionkey",
            "part.p_partkey partsupp.ps_partkey",
        ]
    );
}
