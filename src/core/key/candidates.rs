//! Which keys are worth looking at.

use super::split::Even;
use super::subject::Subject;
use super::values::is_time;
use super::{HashShares, split};
use crate::model::workload::TableUse;
use crate::model::{Column, KeyColumns, Method};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// Pairs looked at, by the weight of the statements that pin both. Assumed: the ones after these are rare look-ups.
const MAX_PAIRS: usize = 16;

/// A column that PostgreSQL takes as a partition key in some way.
fn usable(column: &Column) -> bool {
    !column.generated && (column.hashable || column.orderable)
}

/// Every column that some statement pins, lists, limits or joins, of the primary key or of a foreign key, or of a
/// family that other tables are found by; then the pairs that statements pin together. Each key once, columns in the
/// table's order. Where that names none, and the config insists on shards, every column.
pub fn candidates(subject: &Subject<'_>, insist: bool) -> Vec<KeyColumns> {
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let mut pairs: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for weighed in &subject.statements {
        for found in subject.uses(&weighed.statement).filter(|u| !u.inserted) {
            wanted.extend(columns_of(found));
            let places: Vec<usize> = place_of(subject, &found.pinned);
            for (i, a) in places.iter().enumerate() {
                for b in places.iter().skip(i + 1) {
                    *pairs.entry((*a, *b)).or_default() += weighed.weight;
                }
            }
        }
    }
    let keys = subject.table.primary_key().into_iter().flat_map(|k| &k.columns);
    let links = subject.table.foreign_keys.iter().flat_map(|f| &f.columns);
    wanted.extend(keys.chain(links).map(String::as_str));
    let shared = |c: &&Column| {
        let family = subject.context.families.of(&subject.table.name, &c.name);
        family.is_some_and(|f| {
            subject.context.homes.get(&f).is_some_and(|h| *h > 0.0) && subject.context.families.tables(f).len() > 1
        })
    };
    wanted.extend(subject.table.columns.iter().filter(shared).map(|c| c.name.as_str()));

    let columns = &subject.table.columns;
    if insist && wanted.is_empty() {
        wanted.extend(columns.iter().map(|c| c.name.as_str()));
    }
    let mut out: Vec<KeyColumns> = columns
        .iter()
        .filter(|c| usable(c) && wanted.contains(c.name.as_str()))
        .map(|c| SmallVec::from_iter([c.name.clone()]))
        .collect();
    let mut pairs: Vec<((usize, usize), f64)> = pairs.into_iter().collect();
    pairs.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for ((a, b), _) in pairs.into_iter().take(MAX_PAIRS) {
        if let (Some(a), Some(b)) = (columns.get(a), columns.get(b)) {
            out.push(SmallVec::from_iter([a.name.clone(), b.name.clone()]));
        }
    }
    out
}

/// Every column and every pair of columns that could be a key by its type.
pub fn all_keys(subject: &Subject<'_>) -> Vec<KeyColumns> {
    let columns: Vec<&Column> = subject.table.columns.iter().filter(|c| usable(c)).collect();
    let mut out: Vec<KeyColumns> = columns.iter().map(|c| SmallVec::from_iter([c.name.clone()])).collect();
    for (i, a) in columns.iter().enumerate() {
        out.extend(columns.iter().skip(i + 1).map(|b| SmallVec::from_iter([a.name.clone(), b.name.clone()])));
    }
    out
}

/// Columns by which a reference finds its rows.
fn columns_of(found: &TableUse) -> impl Iterator<Item = &str> {
    let direct = found.pinned.iter().chain(&found.listed).chain(&found.ranged);
    direct.map(String::as_str).chain(found.joined.iter().map(|e| e.column.as_str()))
}

/// The ways in which a key can be cut at all, given its types and what is known of its values.
pub fn methods(subject: &Subject<'_>, key: &[String]) -> Vec<Method> {
    let columns: Vec<&Column> = key.iter().filter_map(|c| subject.table.column(c)).collect();
    if columns.len() != key.len() || columns.iter().any(|c| c.generated) {
        return Vec::new();
    }
    let mut out = Vec::new();
    if columns.iter().all(|c| c.hashable) {
        out.push(Method::Hash);
    }
    if let [column] = columns.as_slice()
        && let Some(profile) = subject.profile.and_then(|p| p.column(&column.name)).filter(|_| column.orderable)
    {
        let ordered = profile.nulls == 0 && split::pieces(Method::Range, profile, &column.type_name).is_some();
        if ordered && (is_time(&column.type_name) || split::listable(profile) || ranged(subject, &column.name)) {
            out.push(Method::Range);
        }
        // Tables of one family must agree on one way to cut few values: by range where these have an order.
        let by_range = is_shared(subject, key) && out.contains(&Method::Range);
        if split::listable(profile) && profile.distinct > 0 && !by_range {
            out.push(Method::List);
        }
    }
    out
}

/// Some statement limits the column from one side or both.
fn ranged(subject: &Subject<'_>, column: &str) -> bool {
    let limits = |u: &TableUse| u.ranged.iter().any(|c| c == column);
    subject.statements.iter().any(|s| subject.uses(&s.statement).any(limits))
}

fn place_of(subject: &Subject<'_>, names: &[String]) -> Vec<usize> {
    let columns = subject.table.columns.iter().enumerate();
    columns.filter(|(_, c)| usable(c) && names.contains(&c.name)).map(|(i, _)| i).collect()
}

/// Other tables have columns that mean the same: what is cut by it should be cut alike.
pub fn is_shared(subject: &Subject<'_>, key: &[String]) -> bool {
    let families = &subject.context.families;
    let shared = |c: &String| families.of(&subject.table.name, c).is_some_and(|f| families.tables(f).len() > 1);
    key.iter().all(shared)
}

/// The key's values are few and all known, so that every table with the same values cuts them alike.
pub fn is_closed(subject: &Subject<'_>, key: &[String]) -> bool {
    let [one] = key else { return false };
    subject.profile.and_then(|p| p.column(one)).is_some_and(split::listable)
}

/// Share of the rows per shard for a key cut into `count`; exact where the values are all known.
pub fn pieces(
    subject: &Subject<'_>,
    key: &[String],
    method: Method,
    count: u32,
    exact: &HashShares<'_>,
) -> Option<Vec<split::Piece>> {
    let column = match key {
        [one] => subject.table.column(one),
        _ => None,
    };
    let profile = column.and_then(|c| subject.profile?.column(&c.name));
    let by = if is_shared(subject, key) && is_closed(subject, key) { Even::Values } else { Even::Rows };
    match (method, column.zip(profile)) {
        (Method::Range, Some((column, profile))) => split::range(profile, &column.type_name, count, by),
        (Method::List, Some((_, profile))) => split::list(profile, subject.profile?.rows, count, by),
        (Method::Hash, Some((column, profile))) => {
            let mut pieces = split::hash(count);
            let whole = profile.distinct_exact && profile.distinct == profile.heavy.len() as u64;
            if whole && let Some(shares) = exact_shares(profile, &column.type_name, count, exact) {
                pieces.iter_mut().zip(shares).for_each(|(piece, share)| piece.1 = share);
            }
            Some(pieces)
        }
        (Method::Hash, None) => Some(split::hash(count)),
        _ => None,
    }
}

pub(super) fn exact_shares(
    profile: &crate::model::ColumnProfile,
    type_name: &str,
    count: u32,
    exact: &HashShares<'_>,
) -> Option<Vec<f64>> {
    if !profile.distinct_exact || profile.distinct != profile.heavy.len() as u64 {
        return None;
    }
    let nulls = (profile.nulls > 0).then_some((None, profile.nulls));
    let values: Vec<(Option<&str>, u64)> =
        profile.heavy.iter().map(|h| (Some(h.value.as_str()), h.count)).chain(nulls).collect();
    exact(type_name, &values, count).filter(|s| s.len() == count as usize)
}
