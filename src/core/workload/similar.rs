//! Tables that resemble each other: evidence for a table that the query log does not know.
//!
//! A table restored into a new database, or a new one beside its older sisters (`orders_2024`), has no statements yet.
//! Those of the most similar table are better than none, and the plan says whose they are and how similar it is.

use super::families::base_type;
use crate::model::schema::{Schema, Table, TableName};
use crate::model::workload::{Family, StatementUse, TableUse, Workload};
use std::collections::BTreeSet;

/// Similarity from which statements are borrowed: most columns by name and type, and the key or the name besides.
pub const BORROW_SIMILARITY: f64 = 0.6;
/// Weights of the parts of a similarity; they sum to 1. Columns say most: they are what statements name.
const COLUMNS_WEIGHT: f64 = 0.6;
const NAME_WEIGHT: f64 = 0.2;
const KEY_WEIGHT: f64 = 0.2;

/// The candidates by their similarity to `target` (0..=1), most similar first; unknown tables and `target` itself are
/// left out, and an unknown `target` resembles nothing.
pub fn similar<'a>(
    schema: &Schema,
    target: &TableName,
    candidates: impl IntoIterator<Item = &'a TableName>,
) -> Vec<(TableName, f64)> {
    let Some(table) = schema.get(target) else { return Vec::new() };
    let candidates: BTreeSet<&TableName> = candidates.into_iter().filter(|c| *c != target).collect();
    let mut found: Vec<(TableName, f64)> = candidates
        .into_iter()
        .filter_map(|name| schema.get(name))
        .map(|other| (other.name.clone(), similarity(table, other)))
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}

/// For a `target` that no statement touches: the most similar table that some do (at [`BORROW_SIMILARITY`] at least), its
/// similarity, and its statements as if they were the target's. Columns that the target does not have are left out; the
/// target's columns join the families of their namesakes, unless a foreign key has given them one.
pub fn borrow(workload: &Workload, schema: &Schema, target: &TableName) -> Option<(TableName, f64, Workload)> {
    let touched: BTreeSet<&TableName> =
        workload.statements.iter().flat_map(|s| &s.tables).map(|table_use| &table_use.table).collect();
    if touched.contains(target) {
        return None;
    }
    let table = schema.get(target)?;
    let (lender, similarity) =
        similar(schema, target, touched).into_iter().next().filter(|(_, s)| *s >= BORROW_SIMILARITY)?;
    let statements = workload
        .statements
        .iter()
        .filter(|s| s.tables.iter().any(|t| t.table == lender))
        .map(|s| StatementUse { tables: s.tables.iter().map(|t| lend(t, &lender, table)).collect(), ..s.clone() });
    let borrowed = Workload {
        coverage: workload.coverage.clone(),
        profile: workload.profile,
        statements: statements.collect(),
        families: adopt(&workload.families, &lender, table),
        // The other tables' statements are not there, and how often these run with them says nothing of the target.
        transactions: Vec::new(),
        same_values: Vec::new(),
        loads: workload.loads.clone(),
    };
    Some((lender, similarity, borrowed))
}

fn lend(table_use: &TableUse, lender: &TableName, target: &Table) -> TableUse {
    let mut lent = table_use.clone();
    if lent.table == *lender {
        lent.table = target.name.clone();
        for list in [
            &mut lent.pinned,
            &mut lent.listed,
            &mut lent.ranged,
            &mut lent.above,
            &mut lent.matched,
            &mut lent.grouped,
            &mut lent.ordered,
            &mut lent.updated,
        ] {
            list.retain(|column| target.column(column).is_some());
        }
        lent.joined.retain(|edge| target.column(&edge.column).is_some());
    }
    lent.joined.retain(|edge| edge.other != *lender || target.column(&edge.other_column).is_some());
    for edge in lent.joined.iter_mut().filter(|edge| edge.other == *lender) {
        edge.other = target.name.clone();
    }
    lent.joined.sort();
    lent
}

fn adopt(families: &[Family], lender: &TableName, target: &Table) -> Vec<Family> {
    let taken: BTreeSet<&str> =
        families.iter().flat_map(|f| &f.members).filter(|(t, _)| *t == target.name).map(|(_, c)| c.as_str()).collect();
    let mut adopted: Vec<Family> = families.to_vec();
    for family in &mut adopted {
        let namesakes: Vec<_> = family
            .members
            .iter()
            .filter(|(t, c)| t == lender && target.column(c).is_some() && !taken.contains(c.as_str()))
            .map(|(_, c)| (target.name.clone(), c.clone()))
            .collect();
        family.members.extend(namesakes);
        family.members.sort();
    }
    adopted.sort_by(|a, b| a.members.cmp(&b.members));
    adopted
}

fn similarity(a: &Table, b: &Table) -> f64 {
    COLUMNS_WEIGHT * column_similarity(a, b)
        + NAME_WEIGHT * name_similarity(&a.name.name, &b.name.name)
        + KEY_WEIGHT * key_similarity(a, b)
}

/// Dice coefficient over columns: 1 for one of the same name and type, one half for the same name alone.
fn column_similarity(a: &Table, b: &Table) -> f64 {
    let shared: f64 = a
        .columns
        .iter()
        .filter_map(|column| {
            let same_type = base_type(&b.column(&column.name)?.type_name) == base_type(&column.type_name);
            Some(if same_type { 1.0 } else { 0.5 })
        })
        .sum();
    let all = a.columns.len() + b.columns.len();
    if all == 0 { 0.0 } else { 2.0 * shared / all as f64 }
}

/// The larger of the Jaccard indexes over words and over trigrams (as in pg_trgm): `order_items` and `items_order` share
/// words, `order` and `orders` trigrams.
fn name_similarity(a: &str, b: &str) -> f64 {
    let words = |name: &str| name.split('_').filter(|w| !w.is_empty()).map(str::to_owned).collect::<BTreeSet<String>>();
    let trigrams = |name: &str| {
        let padded: Vec<char> = "  ".chars().chain(name.chars()).chain(" ".chars()).collect();
        padded.windows(3).map(|w| w.iter().collect()).collect::<BTreeSet<String>>()
    };
    jaccard(&words(a), &words(b)).max(jaccard(&trigrams(a), &trigrams(b)))
}

fn jaccard(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let all = a.union(b).count();
    if all == 0 { 0.0 } else { a.intersection(b).count() as f64 / all as f64 }
}

/// 1 for primary keys of the same columns, one half for the same types alone.
fn key_similarity(a: &Table, b: &Table) -> f64 {
    let (Some(a_key), Some(b_key)) = (a.primary_key(), b.primary_key()) else { return 0.0 };
    if a_key.columns == b_key.columns {
        return 1.0;
    }
    let types = |table: &Table, key: &[String]| -> Vec<String> {
        key.iter().filter_map(|c| table.column(c)).map(|c| base_type(&c.type_name).to_owned()).collect()
    };
    if types(a, &a_key.columns) == types(b, &b_key.columns) { 0.5 } else { 0.0 }
}
