//! Families of columns, and statements borrowed from a similar table.

use super::workload_build::*;
use foreshard_core::model::schema::{Schema, Table, TableName};
use foreshard_core::model::statement::Query;
use foreshard_core::model::workload::LogEntry;
use foreshard_core::workload::{BORROW_SIMILARITY, borrow, similar};

fn called(id: i64, calls: f64, query: Query) -> LogEntry {
    LogEntry { calls, ..entry(id, query) }
}

fn joined(tables: &[&str], left: &str, right: &str) -> Query {
    select(tables).filter(eq(left, right))
}

fn shop() -> Vec<Table> {
    vec![
        a_table("users", "id born:date name:character~varying(20) vip:boolean", &["id"]),
        a_table("orders", "id user_id placed:date note:text vip:boolean", &["id"]),
        a_table("items", "order_id:integer product_id shipped:date price:numeric(10,2)", &[]),
        a_table("products", "id price:numeric", &["id"]),
    ]
}

#[test]
fn joins_tie_columns() {
    let log = [
        called(1, 10.0, joined(&["users", "orders"], "users.id", "user_id")),
        called(2, 10.0, joined(&["orders", "items"], "orders.id", "order_id")),
    ];
    assert_eq!(families(&read(&Schema::new(shop()), &log)), ["items.order_id orders.id", "orders.user_id users.id"]);
}

#[test]
fn foreign_keys_tie_columns_without_a_log() {
    let mut tables = shop();
    tables[1] = references(tables[1].clone(), "user_id", "users", "id");
    tables[2] = references(tables[2].clone(), "order_id product_id", "orders", "id missing");
    tables[3] = references(tables[3].clone(), "id", "nowhere", "id");
    assert_eq!(families(&read(&Schema::new(tables), &[])), ["items.order_id orders.id", "orders.user_id users.id"]);
}

#[test]
fn types_that_do_not_name_things_tie_nothing() {
    let schema = Schema::new(shop());
    let of = |left: &str, right: &str| {
        families(&read(&schema, &[entry(1, joined(&["users", "orders", "items p"], left, right))]))
    };
    assert_eq!(of("born", "placed"), Vec::<String>::new());
    assert_eq!(of("users.vip", "orders.vip"), Vec::<String>::new());
    assert_eq!(of("users.id", "note"), Vec::<String>::new());
    assert_eq!(of("name", "note"), ["orders.note users.name"]);
    assert_eq!(of("users.id", "p.order_id"), ["items.order_id users.id"]);
    assert_eq!(
        families(&read(&schema, &[entry(1, joined(&["items", "products"], "items.price", "products.price"))])),
        ["items.price products.price"]
    );
}

#[test]
fn what_is_joined_once_ties_nothing() {
    let log = |odd: f64| {
        [
            called(1, 999.0, joined(&["users", "orders"], "users.id", "user_id")),
            called(2, odd, joined(&["products", "orders"], "products.id", "orders.id")),
        ]
    };
    let schema = Schema::new(shop());
    assert_eq!(families(&read(&schema, &log(0.5))), ["orders.user_id users.id"]);
    assert_eq!(families(&read(&schema, &log(1.0))), ["orders.id products.id", "orders.user_id users.id"]);
    assert_eq!(
        families(&read(&schema, &[called(1, 0.0, joined(&["users", "orders"], "users.id", "user_id"))])),
        [""; 0]
    );
}

#[test]
fn a_join_does_not_glue_two_families() {
    let schema = Schema::new(shop());
    let log = [
        called(1, 100.0, joined(&["users", "orders"], "users.id", "user_id")),
        called(2, 100.0, joined(&["orders", "items"], "orders.id", "order_id")),
        // orders would be in the family twice.
        called(3, 50.0, joined(&["users", "items"], "users.id", "order_id")),
        called(4, 50.0, joined(&["orders p", "orders q"], "p.id", "q.user_id")),
    ];
    assert_eq!(families(&read(&schema, &log)), ["items.order_id orders.id", "orders.user_id users.id"]);
    // A foreign key may: an employee's manager is an employee.
    let employees = references(a_table("employees", "id manager_id", &["id"]), "manager_id", "employees", "id");
    assert_eq!(families(&read(&Schema::new(vec![employees]), &[])), ["employees.id employees.manager_id"]);
}

fn names(list: &[&str]) -> Vec<TableName> {
    list.iter().map(|n| TableName::new("public", *n)).collect()
}

fn sisters() -> Schema {
    Schema::new(vec![
        a_table("orders_2023", "id user_id placed:date total:numeric(10,2)", &["id"]),
        a_table("orders_2024", "id user_id placed:date total:numeric(12,2)", &["id"]),
        references(a_table("users", "id name:text", &["id"]), "id", "orders_2023", "user_id"),
        a_table("words", "word:text", &[]),
    ])
}

#[test]
fn similar_tables_come_most_similar_first() {
    let schema = sisters();
    let target = TableName::new("public", "orders_2024");
    let found = similar(&schema, &target, &names(&["words", "users", "orders_2023", "orders_2024", "nowhere"]));
    // Columns 0.6 and key 0.2 in full; of the trigrams of the names 10 of 14 are shared.
    let sister = 0.6 + 0.2 * 10.0 / 14.0 + 0.2;
    // One column of four and two, the key; of the trigrams of the names 1 of 17 ("ers", and "ord" of words).
    assert_eq!(found.iter().map(|(n, _)| n.name.as_str()).collect::<Vec<_>>(), ["orders_2023", "users", "words"]);
    assert!((found[0].1 - sister).abs() < 1e-12, "{found:?}");
    assert!((found[1].1 - (0.6 * 2.0 / 6.0 + 0.2 / 17.0 + 0.2)).abs() < 1e-12, "{found:?}");
    assert!((found[2].1 - 0.2 / 17.0).abs() < 1e-12, "{found:?}");
    assert_eq!(similar(&schema, &TableName::new("public", "nowhere"), &names(&["users"])), []);
    let itself = Schema::new(vec![a_table("a.t", "x", &["x"]), a_table("b.t", "x", &["x"])]);
    let twin = TableName::new("b", "t");
    assert_eq!(similar(&itself, &TableName::new("a", "t"), [&twin]), [(twin.clone(), 1.0)]);
}

#[test]
fn statements_are_borrowed_from_the_most_similar_table() {
    let mut tables = sisters().tables;
    tables[0].columns.push(a_table("x", "only_2023", &[]).columns[0].clone());
    let schema = Schema::new(tables);
    let read_sister = select(&["orders_2023 o", "users"]).filter(all_of(vec![
        eq("user_id", "users.id"),
        pin("o.id"),
        pin("only_2023"),
    ]));
    let log = [entry(1, read_sister), entry(2, select(&["users"]).filter(pin("id")))];
    let workload = read(&schema, &log);
    let target = TableName::new("public", "orders_2024");
    let (lender, similarity, borrowed) = borrow(&workload, &schema, &target).unwrap();
    assert_eq!(lender.name, "orders_2023");
    assert!(similarity > BORROW_SIMILARITY);
    let uses: Vec<String> = borrowed.statements.iter().flat_map(|s| &s.tables).map(line).collect();
    assert_eq!(uses, ["orders_2024 pin(id) join(user_id=users.id)", "users join(id=orders_2024.user_id)"]);
    assert_eq!(families(&borrowed), ["orders_2023.user_id orders_2024.user_id users.id"]);
    assert_eq!(borrowed.coverage, workload.coverage);

    // It has statements of its own, is like none, or is not known.
    assert!(borrow(&workload, &schema, &TableName::new("public", "users")).is_none());
    assert!(borrow(&workload, &schema, &TableName::new("public", "words")).is_none());
    assert!(borrow(&workload, &schema, &TableName::new("public", "nowhere")).is_none());
}
