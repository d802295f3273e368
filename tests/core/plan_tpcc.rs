//! TPC-C: all that a warehouse owns goes by the warehouse, whether or not foreign keys say so; item is copied.

use crate::planner_world::*;
use foreshard_core::model::{TableProfile, Workload};

fn tables(linked: bool) -> Vec<foreshard_core::model::Table> {
    let plain = vec![
        table("warehouse", &["w_id", "w_name:text", "w_tax:numeric", "w_ytd:numeric"], &["w_id"]),
        table("district", &["d_w_id", "d_id", "d_tax:numeric", "d_ytd:numeric", "d_next_o_id"], &["d_w_id", "d_id"]),
        table(
            "customer",
            &["c_w_id", "c_d_id", "c_id", "c_last:text", "c_first:text", "c_balance:numeric"],
            &["c_w_id", "c_d_id", "c_id"],
        ),
        table("history", &["h_c_id", "h_c_d_id", "h_c_w_id", "h_d_id", "h_w_id", "h_amount:numeric"], &[]),
        table("new_order", &["no_w_id", "no_d_id", "no_o_id"], &["no_w_id", "no_d_id", "no_o_id"]),
        table("orders", &["o_w_id", "o_d_id", "o_id", "o_c_id", "o_carrier_id?"], &["o_w_id", "o_d_id", "o_id"]),
        table(
            "order_line",
            &["ol_w_id", "ol_d_id", "ol_o_id", "ol_number", "ol_i_id", "ol_supply_w_id", "ol_amount:numeric"],
            &["ol_w_id", "ol_d_id", "ol_o_id", "ol_number"],
        ),
        table("item", &["i_id", "i_name:text", "i_price:numeric"], &["i_id"]),
        table("stock", &["s_i_id", "s_w_id", "s_quantity", "s_ytd:numeric"], &["s_i_id", "s_w_id"]),
    ];
    if !linked {
        return plain;
    }
    plain
        .into_iter()
        .map(|t| match t.name.name.as_str() {
            "district" => link(t, &["d_w_id"], "warehouse", &["w_id"]),
            "customer" => link(t, &["c_w_id", "c_d_id"], "district", &["d_w_id", "d_id"]),
            "history" => {
                let t = link(t, &["h_c_w_id", "h_c_d_id", "h_c_id"], "customer", &["c_w_id", "c_d_id", "c_id"]);
                link(t, &["h_w_id", "h_d_id"], "district", &["d_w_id", "d_id"])
            }
            "new_order" => link(t, &["no_w_id", "no_d_id", "no_o_id"], "orders", &["o_w_id", "o_d_id", "o_id"]),
            "orders" => link(t, &["o_w_id", "o_d_id", "o_c_id"], "customer", &["c_w_id", "c_d_id", "c_id"]),
            "order_line" => {
                let t = link(t, &["ol_w_id", "ol_d_id", "ol_o_id"], "orders", &["o_w_id", "o_d_id", "o_id"]);
                link(t, &["ol_supply_w_id", "ol_i_id"], "stock", &["s_w_id", "s_i_id"])
            }
            "stock" => {
                let t = link(t, &["s_w_id"], "warehouse", &["w_id"]);
                link(t, &["s_i_id"], "item", &["i_id"])
            }
            _ => t,
        })
        .collect()
}

/// Calls per 100 transactions of the standard mix: 45 new-order, 43 payment, 4 each of the other three.
fn log() -> Workload {
    Log::default()
        .select(
            45.0,
            vec![
                t("customer").pin(&["c_w_id", "c_d_id", "c_id"]).join("c_w_id", "warehouse", "w_id"),
                t("warehouse").pin(&["w_id"]).join("w_id", "customer", "c_w_id"),
            ],
        )
        .select(45.0, vec![t("district").pin(&["d_w_id", "d_id"])])
        .update(45.0, t("district").pin(&["d_w_id", "d_id"]).set(&["d_next_o_id"]))
        .insert(45.0, "orders")
        .insert(45.0, "new_order")
        .select(450.0, vec![t("item").pin(&["i_id"])])
        .select(450.0, vec![t("stock").pin(&["s_i_id", "s_w_id"])])
        .update(450.0, t("stock").pin(&["s_i_id", "s_w_id"]).set(&["s_quantity"]))
        .insert(450.0, "order_line")
        .update(43.0, t("warehouse").pin(&["w_id"]).set(&["w_ytd"]))
        .select(43.0, vec![t("warehouse").pin(&["w_id"])])
        .update(43.0, t("district").pin(&["d_w_id", "d_id"]).set(&["d_ytd"]))
        .select(43.0, vec![t("district").pin(&["d_w_id", "d_id"])])
        .select(26.0, vec![t("customer").pin(&["c_w_id", "c_d_id", "c_last"])])
        .select(17.0, vec![t("customer").pin(&["c_w_id", "c_d_id", "c_id"])])
        .update(43.0, t("customer").pin(&["c_w_id", "c_d_id", "c_id"]).set(&["c_balance"]))
        .insert(43.0, "history")
        .select(4.0, vec![t("orders").pin(&["o_w_id", "o_d_id", "o_c_id"])])
        .select(4.0, vec![t("order_line").pin(&["ol_w_id", "ol_d_id", "ol_o_id"])])
        .select(40.0, vec![t("new_order").pin(&["no_w_id", "no_d_id"])])
        .delete(40.0, t("new_order").pin(&["no_w_id", "no_d_id", "no_o_id"]))
        .select(40.0, vec![t("orders").pin(&["o_w_id", "o_d_id", "o_id"])])
        .update(40.0, t("orders").pin(&["o_w_id", "o_d_id", "o_id"]).set(&["o_carrier_id"]))
        .update(40.0, t("order_line").pin(&["ol_w_id", "ol_d_id", "ol_o_id"]).set(&["ol_amount"]))
        .select(40.0, vec![t("order_line").pin(&["ol_w_id", "ol_d_id", "ol_o_id"])])
        .update(40.0, t("customer").pin(&["c_w_id", "c_d_id", "c_id"]).set(&["c_balance"]))
        .select(
            4.0,
            vec![
                t("order_line").pin(&["ol_d_id", "ol_w_id"]).range(&["ol_o_id"]).join("ol_i_id", "stock", "s_i_id"),
                t("stock").pin(&["s_w_id"]).range(&["s_quantity"]).join("s_i_id", "order_line", "ol_i_id"),
            ],
        )
        .family(&[("customer", "c_w_id"), ("warehouse", "w_id")])
        .family(&[("order_line", "ol_i_id"), ("stock", "s_i_id")])
        .oltp()
}

pub(crate) fn world(linked: bool) -> World {
    World::new(tables(linked), log())
}

/// Ten warehouses of ten districts each, the standard sizes.
pub(crate) fn rows_of(table: &str) -> TableProfile {
    match table {
        "warehouse" => profile(10, 90, &[("w_id", 10)]),
        "district" => profile(100, 95, &[("d_w_id", 10), ("d_id", 10)]),
        "customer" => profile(300_000, 600, &[("c_w_id", 10), ("c_d_id", 10), ("c_id", 3000), ("c_last", 1000)]),
        "history" => profile(
            300_000,
            50,
            &[("h_w_id", 10), ("h_d_id", 10), ("h_c_w_id", 10), ("h_c_d_id", 10), ("h_c_id", 3000)],
        ),
        "new_order" => profile(90_000, 10, &[("no_w_id", 10), ("no_d_id", 10), ("no_o_id", 900)]),
        "orders" => profile(300_000, 40, &[("o_w_id", 10), ("o_d_id", 10), ("o_id", 3000), ("o_c_id", 3000)]),
        "order_line" => profile(
            3_000_000,
            60,
            &[
                ("ol_w_id", 10),
                ("ol_d_id", 10),
                ("ol_o_id", 3000),
                ("ol_number", 15),
                ("ol_i_id", 100_000),
                ("ol_supply_w_id", 10),
            ],
        ),
        "item" => profile(100_000, 75, &[("i_id", 100_000)]),
        _ => profile(1_000_000, 300, &[("s_w_id", 10), ("s_i_id", 100_000)]),
    }
}

pub(crate) const OWNED: [(&str, &str); 7] = [
    ("warehouse", "w_id"),
    ("district", "d_w_id"),
    ("customer", "c_w_id"),
    ("new_order", "no_w_id"),
    ("orders", "o_w_id"),
    ("order_line", "ol_w_id"),
    ("stock", "s_w_id"),
];

#[test]
fn all_that_a_warehouse_owns_goes_by_the_warehouse() {
    for linked in [true, false] {
        for profiled in [true, false] {
            for (table, key) in OWNED {
                let mut world = World::new(tables(linked), log());
                if profiled {
                    world = world.profiled(rows_of(table));
                }
                let plan = world.plan(table);
                assert_eq!(
                    chosen(&plan).key.as_slice(),
                    [key],
                    "linked {linked}, profiled {profiled}\n{}",
                    table_of(&plan)
                );
            }
        }
    }
}

#[test]
fn history_has_only_inserts_and_follows_the_family() {
    for linked in [true, false] {
        let plan = World::new(tables(linked), log()).profiled(rows_of("history")).plan("history");
        let key = &chosen(&plan).key;
        assert_eq!(key.as_slice(), ["h_w_id"], "linked {linked}\n{}", table_of(&plan));
    }
}

#[test]
fn item_is_a_reference_table() {
    for linked in [true, false] {
        for profiled in [true, false] {
            let mut world = World::new(tables(linked), log());
            if profiled {
                world = world.profiled(rows_of("item"));
            }
            let plan = world.plan("item");
            assert_eq!(choice(&plan), "reference()", "linked {linked}, profiled {profiled}\n{}", table_of(&plan));
            assert!(plan.layout.shards.is_empty());
        }
    }
}

#[test]
fn ten_warehouses_get_ten_even_ranges() {
    let plan = World::new(tables(true), log()).profiled(rows_of("orders")).plan("orders");
    assert_eq!(choice(&plan), "range(o_w_id)");
    assert_eq!(plan.layout.shards.len(), 10);
    assert_eq!(chosen(&plan).evidence.skew, Some(1.0));
    assert_eq!(chosen(&plan).evidence.family_calls, 1.0);
}

#[test]
fn a_thousand_warehouses_go_by_hash() {
    let large = profile(30_000_000, 40, &[("o_w_id", 1000), ("o_d_id", 10), ("o_id", 3000), ("o_c_id", 3000)]);
    let plan = World::new(tables(true), log()).profiled(large).plan("orders");
    assert_eq!(choice(&plan), "hash(o_w_id)", "{}", table_of(&plan));
}
