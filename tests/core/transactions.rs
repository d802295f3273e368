//! Transactions inferred from the numbers of a log, and the shares of them that stay on one shard.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::planner_world::{World, chosen, name};
use crate::workload_build::*;
use foreshard_core::model::Schema;
use foreshard_core::model::plan::{Evidence, Fanout, Level};
use foreshard_core::model::statement::{Query, StatementKind};
use foreshard_core::model::workload::{LogEntry, SameValues, Transaction, Workload};
use foreshard_core::plan::paired_columns;
use foreshard_core::workload::{AnalyzeOptions, analyze};
use proptest::prelude::*;

fn shop() -> Schema {
    Schema::new(vec![
        a_table("customers", "id name", &["id"]),
        references(a_table("orders", "customer_id no total", &["customer_id no"]), "customer_id", "customers", "id"),
        references(
            a_table("lines", "customer_id no item_id amount", &["customer_id no item_id"]),
            "customer_id no",
            "orders",
            "customer_id no",
        ),
        a_table("items", "item_id price", &["item_id"]),
        a_table("banners", "code text", &["code"]),
    ])
}

fn by(table: &str, columns: &[&str]) -> Query {
    select(&[table]).filter(all_of(columns.iter().map(|c| pin(c)).collect()))
}

fn change(table: &str, set: &str, columns: &[&str]) -> Query {
    update(table).set(set, val()).filter(all_of(columns.iter().map(|c| pin(c)).collect()))
}

/// Entries with ids from 1 on.
fn log(parts: Vec<(f64, Query)>) -> Vec<LogEntry> {
    let entry = |((calls, query), id): ((f64, Query), i64)| LogEntry {
        id,
        text: format!("statement {id}"),
        calls,
        total_ms: calls,
        rows: calls,
        parsed: Ok(vec![query]),
    };
    parts.into_iter().zip(1..).map(entry).collect()
}

fn begin(calls: f64) -> [(f64, Query); 2] {
    [(calls, Query::new(StatementKind::Begin)), (calls, Query::new(StatementKind::End))]
}

/// `calls: id*times id …`, in the plan's order.
fn told(transactions: &[Transaction]) -> Vec<String> {
    let one = |t: &Transaction| {
        let parts: Vec<String> = t.statements.iter().map(|e| format!("{}*{:.2}", e.id, e.times)).collect();
        format!("{:.0}: {}", t.calls, parts.join(" ").replace("*1.00", ""))
    };
    transactions.iter().map(one).collect()
}

/// Taking an order (1 … 4), with its lines (5, 6), and asking for it (7, 8).
fn orders() -> Vec<(f64, Query)> {
    vec![
        (1000.0, by("customers", &["id"])),
        (1000.0, insert("orders", &[])),
        (1000.0, change("customers", "name", &["id"])),
        (1000.0, by("orders", &["customer_id", "no"])),
        (3700.0, insert("lines", &[])),
        (3700.0, by("items", &["item_id"])),
        (400.0, by("orders", &["customer_id"])),
        (400.0, by("lines", &["customer_id", "no"])),
    ]
}

#[test]
fn equal_calls_with_foreign_keys_are_transactions_and_their_children_are_loops() {
    let mut parts = orders();
    parts.extend(begin(1400.0));
    let found = read(&shop(), &log(parts)).transactions;
    // Items have nothing in common with the lines but their number.
    assert_eq!(told(&found), ["1000: 1 2 3 4 5*3.70 6*3.70", "400: 7 8"]);
    let levels: Vec<Level> = found.iter().map(|t| t.confidence).collect();
    assert_eq!(levels, [Level::Medium, Level::High]);
    assert!(found[0].because.contains("rows inserted with those that they refer to"), "{}", found[0].because);
}

#[test]
fn questions_beside_transactions_are_asked_alone() {
    let mut parts = vec![
        (92.0, insert("orders", &[])),
        (92.0, change("customers", "name", &["id"])),
        (368.0, by("orders", &["customer_id", "no"])),
        (256.0, by("customers", &["id"])),
        (36.0, by("orders", &["customer_id"])),
    ];
    parts.extend(begin(92.0));
    let found = read(&shop(), &log(parts)).transactions;
    // 368 is four times 92, and 36 might be a branch; but 256 can be neither, so that the application does not only use BEGIN.
    assert_eq!(told(&found), ["368: 3", "256: 4", "92: 1 2", "36: 5"]);
}

#[test]
fn the_transactions_that_use_up_the_begins_come_before_an_accident() {
    let mut parts = vec![
        (96.0, insert("orders", &[])),
        (96.0, insert("lines", &[])),
        (38.0, by("customers", &["id"])),
        (38.0, change("customers", "name", &["id"])),
        (25.0, by("orders", &["customer_id"])),
        (25.0, by("lines", &["customer_id", "no"])),
        (132.0, change("orders", "total", &["customer_id", "no"])),
        (200.0, by("customers", &["id", "name"])),
    ];
    parts.extend(begin(96.0));
    let found = read(&shop(), &log(parts)).transactions;
    // 132 is four times the 33 BEGINs that 38 and 25 would leave.
    assert!(told(&found).contains(&"96: 1 2".to_owned()), "{:?}", told(&found));
    assert!(told(&found).contains(&"132: 7".to_owned()), "{:?}", told(&found));
}

#[test]
fn without_a_begin_every_statement_runs_alone() {
    let mut parts = orders();
    let silent = read(&shop(), &log(parts.clone())).transactions;
    assert!(silent.iter().all(|t| t.statements.len() == 1 && t.confidence == Level::Medium));
    parts.push((3.0, Query::new(StatementKind::Utility)));
    let tracked = read(&shop(), &log(parts)).transactions;
    assert_eq!(tracked.len(), 8);
    assert!(tracked.iter().all(|t| t.statements.len() == 1 && t.confidence == Level::High));
}

#[test]
fn a_log_that_counts_no_begins_is_told_by_its_numbers_alone() {
    let options = AnalyzeOptions { utility_tracked: Some(false), ..AnalyzeOptions::default() };
    let found = analyze(&shop(), &log(orders()), &options).transactions;
    assert_eq!(told(&found), ["3700: 6", "1000: 1 2 3 4 5*3.70", "400: 7 8"]);
    assert!(found.iter().all(|t| t.confidence == Level::Low));
}

#[test]
fn more_calls_than_begins_are_no_transaction() {
    let mut parts = orders();
    parts.extend(begin(400.0));
    let found = read(&shop(), &log(parts)).transactions;
    assert_eq!(
        told(&found),
        ["3700: 5", "3700: 6", "1000: 1", "1000: 2", "1000: 3", "1000: 4", "400: 7 8"],
        "a thousand orders did not run in 400 transactions"
    );
}

#[test]
fn a_log_read_at_work_is_forgiven_a_few_calls() {
    let mut parts = orders();
    parts[1].0 = 998.0;
    parts[2].0 = 997.0;
    parts.push((1402.0, Query::new(StatementKind::Begin)));
    parts.push((1398.0, Query::new(StatementKind::End)));
    let found = read(&shop(), &log(parts.clone())).transactions;
    assert!(told(&found).contains(&"1000: 1 2 3 4 5*3.70 6*3.70".to_owned()), "{:?}", told(&found));
    // At rest, the same numbers are different transactions.
    parts.retain(|p| p.1.kind.has_rows());
    parts.extend(begin(1400.0));
    let found = read(&shop(), &log(parts)).transactions;
    assert!(!told(&found).iter().any(|t| t.contains("1 2 3 4")), "{:?}", told(&found));
}

#[test]
fn a_kind_that_only_loops_is_known_by_the_begins_left() {
    let mut parts = orders();
    parts.push((500.0, change("lines", "amount", &["customer_id", "no", "item_id"])));
    parts.push((500.0, delete("lines").filter(pin("customer_id"))));
    parts.extend(begin(1450.0));
    let found = read(&shop(), &log(parts)).transactions;
    assert!(told(&found).contains(&"50: 9*10.00 10*10.00".to_owned()), "{:?}", told(&found));
}

#[test]
fn branches_add_up() {
    let mut parts = orders();
    parts.push((130.0, change("orders", "total", &["customer_id", "no"])));
    parts.push((870.0, change("orders", "no", &["customer_id", "no"])));
    parts.extend(begin(1400.0));
    let found = read(&shop(), &log(parts)).transactions;
    assert!(told(&found).contains(&"1000: 1 2 3 4 5*3.70 6*3.70 9*0.13 10*0.87".to_owned()), "{:?}", told(&found));
}

#[test]
fn equal_calls_without_anything_in_common_are_one_kind_only_where_begins_are_short() {
    let banner = |begins: f64| {
        let mut parts = orders();
        parts.push((400.0, by("banners", &["code"])));
        parts.extend(begin(begins));
        read(&shop(), &log(parts)).transactions
    };
    let (short, enough) = (banner(1400.0), banner(1800.0));
    assert!(told(&short).contains(&"400: 7 8 9".to_owned()), "{:?}", told(&short));
    assert_eq!(short.iter().find(|t| t.statements.len() == 3).unwrap().confidence, Level::Medium);
    assert!(told(&enough).contains(&"400: 9".to_owned()), "{:?}", told(&enough));
}

/// SmallBank by 1,000 transactions: a look-up by name, and five kinds that share their statements.
fn bank() -> (Schema, Vec<LogEntry>) {
    let account = |t: &str| references(a_table(t, "custid bal", &["custid"]), "custid", "accounts", "custid");
    let schema =
        Schema::new(vec![a_table("accounts", "custid name", &["custid"]), account("savings"), account("checking")]);
    let (amalgamate, balance, deposit, send, transact, write) = (150.0, 140.0, 160.0, 260.0, 155.0, 135.0);
    let mut parts = vec![
        (2.0 * amalgamate + balance + 2.0 * send + transact + write, by("accounts", &["custid"])),
        (amalgamate + balance + transact + write, by("savings", &["custid"])),
        (amalgamate + balance + send + write, by("checking", &["custid"])),
        (amalgamate, change("checking", "bal", &["custid"])),
        (amalgamate, change("savings", "bal", &["custid"])),
        (deposit, by("accounts", &["name"])),
        (deposit, change("checking", "bal", &["custid"])),
        (send, change("checking", "bal", &["custid"])),
        (send + write, change("checking", "bal", &["custid"])),
        (transact, change("savings", "bal", &["custid"])),
    ];
    parts.extend(begin(1000.0));
    (schema, log(parts))
}

fn world(schema: &Schema, workload: Workload) -> World {
    World::new(schema.tables.clone(), workload)
}

fn evidence(world: &World, table: &str) -> Evidence {
    chosen(&world.plan(table)).evidence.clone()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.005
}

#[test]
fn what_no_numbers_tell_apart_shares_the_begins_left() {
    let (schema, log) = bank();
    let workload = read(&schema, &log);
    let sum: f64 = workload.transactions.iter().map(|t| t.calls).sum();
    assert_eq!(sum, 1000.0);
    let plan = world(&schema, workload)
        .config(serde_json::json!({"shard_key": ["custid"], "shard_count": 8}))
        .plan("accounts");
    let shares = chosen(&plan).evidence.design_transactions.unwrap();
    // 410 transactions have two customers, which are on one shard in one of eight; 160 look up a name.
    assert!(close(shares.all.scatter, 0.16), "{shares:?}");
    assert!(close(shares.all.single, 0.43 + 0.41 / 8.0), "{shares:?}");
}

#[test]
fn statements_of_one_family_stay_together_and_loops_over_others_do_not() {
    let mut parts = orders();
    parts.extend(begin(1400.0));
    let workload = read(&shop(), &log(parts));
    let key = |key: &str| {
        let world = world(&shop(), workload.clone());
        let plan = world.config(serde_json::json!({"shard_key": [key], "shard_count": 4})).plan("lines");
        chosen(&plan).evidence.clone()
    };
    let own = key("customer_id").transactions.unwrap();
    assert_eq!(own.all, Fanout { single: 1.0, multi: 0.0, scatter: 0.0 });
    assert_eq!((own.read_calls, own.write_calls), (400.0, 1000.0));
    // Lines by their items are cut in another way than the orders that they belong to.
    let item = key("item_id").transactions.unwrap();
    assert_eq!(item.reads, Fanout { single: 0.0, multi: 0.0, scatter: 1.0 });
    assert_eq!(item.writes, Fanout { single: 0.0, multi: 1.0, scatter: 0.0 });
}

#[test]
fn the_check_of_a_foreign_key_looks_the_referenced_row_up() {
    let schema = Schema::new(vec![
        a_table("shops", "no name", &["no"]),
        references(a_table("goods", "shop no price", &["shop no"]), "shop", "shops", "no"),
        references(
            references(a_table("sales", "shop id good", &["shop id"]), "shop", "shops", "no"),
            "shop good",
            "goods",
            "shop no",
        ),
    ]);
    let workload = read(&schema, &log(vec![(1000.0, insert("sales", &[])), (1000.0, by("goods", &["shop", "no"]))]));
    let single = |key: &[&str]| {
        let world = world(&schema, workload.clone());
        let plan = world.config(serde_json::json!({"shard_key": key, "shard_count": 4})).plan("goods");
        chosen(&plan).evidence.transactions.unwrap().all.single
    };
    assert_eq!(single(&["shop"]), 1.0);
    // A sale is cut by its shop, and its good is in a shard of another kind.
    assert_eq!(single(&["shop", "no"]), 0.5);
    // Nothing can refer to goods whose numbers are unique within each shard only: sales are not checked, look-ups scatter.
    assert_eq!(single(&["price"]), 0.5);
}

#[test]
fn two_values_of_one_row_part_a_transaction_as_far_as_the_rows_say() {
    let schema = Schema::new(vec![
        a_table("shops", "id cash", &["id"]),
        references(a_table("clients", "shop_id no", &["shop_id no"]), "shop_id", "shops", "id"),
        references(
            references(a_table("payments", "shop_id client_shop_id no", &[]), "shop_id", "shops", "id"),
            "client_shop_id no",
            "clients",
            "shop_id no",
        ),
    ]);
    let mut parts = vec![
        (1000.0, change("shops", "cash", &["id"])),
        (1000.0, by("clients", &["shop_id", "no"])),
        (1000.0, insert("payments", &[])),
    ];
    parts.extend(begin(1000.0));
    let mut workload = read(&schema, &log(parts));
    let pairs = paired_columns(&schema, &workload);
    assert_eq!(pairs.len(), 1);
    assert_eq!((&pairs[0].table, pairs[0].calls), (&name("payments"), 1000.0));
    assert_eq!(pairs[0].columns, ("client_shop_id".to_owned(), "shop_id".to_owned()));
    let single = |workload: &Workload| {
        let world =
            world(&schema, workload.clone()).config(serde_json::json!({"shard_key": ["shop_id"], "shard_count": 4}));
        evidence(&world, "clients").transactions.unwrap().all.single
    };
    assert_eq!(single(&workload), 1.0);
    let columns = pairs[0].columns.clone();
    workload.same_values = vec![SameValues { table: name("payments"), columns, share: 0.8 }];
    assert_eq!(single(&workload), 0.85);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// No order of the log changes what is inferred; every statement is in some transaction as often as it was called; there
    /// are no more explicit transactions than BEGINs; shares add up to 1.
    #[test]
    fn any_log_is_told_the_same_in_any_order(
        counts in prop::collection::vec(1_u32..60, 9),
        begins in 0_u32..4000,
        order in Just((0..11_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut parts = orders();
        parts.push((1.0, by("banners", &["code"])));
        for (part, count) in parts.iter_mut().zip(&counts) {
            part.0 = f64::from(*count * 50);
        }
        parts.extend(begin(f64::from(begins)));
        let straight = log(parts);
        let mixed: Vec<LogEntry> = order.iter().map(|at| straight[*at].clone()).collect();
        let workload = read(&shop(), &straight);
        prop_assert_eq!(&workload.transactions, &read(&shop(), &mixed).transactions);
        for statement in &workload.statements {
            let runs: f64 = workload.transactions.iter()
                .flat_map(|t| t.statements.iter().filter(|e| e.id == statement.id).map(|e| e.times * t.calls)).sum();
            prop_assert!((runs - statement.calls).abs() < 1e-6 * statement.calls, "{} {runs}", statement.id);
        }
        let explicit: f64 = workload.transactions.iter().filter(|t| t.statements.len() > 1).map(|t| t.calls).sum();
        prop_assert!(explicit <= f64::from(begins) + 0.5);
        let plan = world(&shop(), workload).plan("orders");
        for candidate in &plan.candidates {
            for shares in [candidate.evidence.transactions, candidate.evidence.design_transactions].into_iter().flatten() {
                for f in [shares.reads, shares.writes, shares.all] {
                    let sum = f.single + f.multi + f.scatter;
                    prop_assert!(sum.abs() < 1e-9 || (sum - 1.0).abs() < 1e-9, "{f:?}");
                    prop_assert!([f.single, f.multi, f.scatter].iter().all(|x| (-1e-9..=1.0 + 1e-9).contains(x)), "{f:?}");
                }
            }
        }
    }
}
