//! Views: what is asked of them is asked of the tables behind them.

use super::workload_build::*;
use foreshard_core::model::schema::{Schema, TableName};
use foreshard_core::model::statement::{FromItem, Query};

fn bills() -> Schema {
    let live = select(&["public.bills"])
        .outputs(&["bills.id"])
        .output("customer", col("bills.customer_id"))
        .outputs(&["bills.total"])
        .filter(not(col("bills.deleted")));
    let due = select(&["live", "public.payments p"])
        .outputs(&["live.customer", "live.id"])
        .output("paid", call("sum", vec![col("p.amount")]))
        .filter(all_of(vec![eq("p.bill_id", "live.id"), eq("p.customer_id", "live.customer")]))
        .group(&["live.customer", "live.id"]);
    let name = |view: &str| TableName::new("public", view);
    let doubled = |of: &str| select(&[&format!("{of} a"), &format!("{of} b")]).outputs(&["a.x"]);
    let twice = (1..40).map(|n| (name(&format!("v{n}")), doubled(&format!("v{}", n - 1))));
    Schema::new(vec![
        a_table("bills", "id customer_id total:numeric deleted:boolean", &["id"]),
        a_table("payments", "id bill_id customer_id amount:numeric", &["id"]),
    ])
    .with_views([(name("live"), live), (name("due"), due), (name("v0"), select(&["v0"]).outputs(&["x"]))])
    .also(twice)
}

trait Also {
    fn also(self, views: impl Iterator<Item = (TableName, Query)>) -> Self;
}

impl Also for Schema {
    fn also(self, views: impl Iterator<Item = (TableName, Query)>) -> Self {
        let known = self.views.clone();
        self.with_views(known.into_iter().chain(views))
    }
}

fn seen(query: Query) -> Vec<String> {
    lines(&bills(), query)
}

#[test]
fn a_condition_on_a_view_is_one_on_its_table() {
    assert_eq!(seen(select(&["live"]).outputs(&["*"]).filter(pin("customer"))), ["bills pin(customer_id)"]);
    assert_eq!(seen(select(&["public.live v"]).outputs(&["v.id"]).filter(pin("v.id"))), ["bills pin(id)"]);
    assert_eq!(seen(select(&["other.live"]).filter(pin("customer"))), [""; 0]);
}

#[test]
fn views_of_views_are_followed_with_their_joins_and_groups() {
    assert_eq!(
        seen(select(&["due"]).outputs(&["*"]).filter(pin("customer"))),
        [
            "bills pin(customer_id) join(customer_id=payments.customer_id id=payments.bill_id) group(customer_id id)",
            "payments pin(customer_id) join(bill_id=bills.id customer_id=bills.customer_id)",
        ]
    );
}

#[test]
fn a_view_sees_no_names_around_it_and_a_cte_or_alias_hides_it() {
    let named = select(&["live"]).with("live", select(&["payments"]).outputs(&["id"])).filter(pin("id"));
    assert_eq!(seen(named), ["payments pin(id)"]);
    let around = select(&["due d"]).with("live", select(&["payments"]).outputs(&["id"])).filter(pin("d.customer"));
    assert_eq!(seen(around).len(), 3, "the name in the view is not the one of the statement");
}

#[test]
fn what_is_written_through_a_view_is_written_to_its_table() {
    assert_eq!(seen(update("live").set("customer", val()).filter(pin("id"))), ["bills w pin(id) set(customer_id)"]);
    assert_eq!(seen(delete("live").filter(pin("customer"))), ["bills w pin(customer_id)"]);
    let values = Query { from: vec![FromItem::Other { alias: None }], ..insert("live", &["id", "customer"]) };
    assert_eq!(seen(values), ["bills w ins"]);
}

#[test]
fn views_that_name_each_other_without_end_are_not_followed_without_end() {
    assert_eq!(seen(select(&["v0"]).filter(pin("x"))), [""; 0]);
    assert_eq!(seen(select(&["v39"]).filter(pin("x"))), [""; 0]);
}
