//! What can be done about a unique constraint that does not contain the shard key, and what each way costs.

use super::cost::{constraints_lost, price_of_loss};
use super::subject::Subject;
use super::tie::APART;
use crate::model::plan::Remedy;
use crate::model::statement::StatementKind;
use crate::model::words::{list, round4};

/// Ways for every lost constraint, the planner's default first. The price of `refuse` depends on the other candidates and
/// is filled in when they are ranked.
pub(super) fn of(subject: &Subject<'_>, key: &[String], lost: &[String]) -> Vec<Remedy> {
    let prices = constraints_lost(subject, key);
    let mut out = Vec::new();
    for constraint in subject.table.unique_keys.iter().filter(|k| lost.contains(&k.name)) {
        let price = prices.iter().find(|p| p.0 == constraint.name).map(|p| price_of_loss(subject, p.1));
        let columns = constraint.columns.join(", ");
        let missing: Vec<&String> = key.iter().filter(|c| !constraint.columns.contains(c)).collect();
        let mut add = |way: &str, what: String, cost: Option<f64>| {
            out.push(Remedy { constraint: constraint.name.clone(), way: way.to_owned(), what, cost: cost.map(round4) });
        };
        add("widen", format!("({columns}) becomes unique together with {}.", list(&missing, 4)), price);
        add("per_shard", format!("({columns}) is unique within each shard only."), price);
        add(
            "lookup table",
            format!(
                "A table of its own, sharded by ({columns}), is written in the same transaction and refuses duplicates."
            ),
            Some(APART * writes_of(subject, &constraint.columns)),
        );
        add("refuse", format!("Only a key among ({columns}) is taken."), None);
    }
    out
}

/// Share of the table's calls that would have to write a look-up table on these columns: inserts, deletes and changes of
/// their values.
fn writes_of(subject: &Subject<'_>, columns: &[String]) -> f64 {
    let all = subject.calls + subject.insert_calls;
    let writes = |s: &crate::model::workload::StatementUse| {
        subject
            .uses(s)
            .any(|u| u.written && (s.kind == StatementKind::Delete || u.updated.iter().any(|c| columns.contains(c))))
    };
    let changed: f64 = subject.statements.iter().filter(|w| writes(&w.statement)).map(|w| w.statement.calls).sum();
    if all > 0.0 { (subject.insert_calls + changed) / all } else { 0.0 }
}
