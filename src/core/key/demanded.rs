//! Pairs of keys of which the log asks for both.

use super::candidates::methods;
use super::subject::{Basis, Subject};
use crate::model::workload::TableUse;
use crate::model::{KeyColumns, Method};
use std::collections::BTreeMap;

/// Share of the statements on the table that must find rows by one column, and limit the other: and what the deleting of old
/// rows must cost a statement. Assumed: less is worth no second level, whose parts every statement pays for.
const FAIR_SHARE: f64 = 0.1;
/// Pairs looked at, by the shares of both. Assumed: the ones after these are found or limited by less.
const MAX_PAIRS: usize = 4;

/// Pairs of a column that a fair share of the statements fixes, and of one that can be cut into ranges and that a fair share
/// limits, or by which old rows are deleted; those with most statements first.
pub fn demanded(subject: &Subject<'_>) -> Vec<(KeyColumns, KeyColumns)> {
    if subject.basis == Basis::Assumed {
        return Vec::new();
    }
    let mut found: BTreeMap<&str, f64> = BTreeMap::new();
    let mut limited: BTreeMap<&str, f64> = BTreeMap::new();
    subject.retention.iter().for_each(|old| *limited.entry(&old.column).or_default() += old.cost);
    for weighed in &subject.statements {
        let uses: Vec<&TableUse> = subject.uses(&weighed.statement).filter(|u| !u.inserted).collect();
        let share = weighed.weight / uses.len().max(1) as f64;
        for one in uses {
            one.pinned.iter().for_each(|c| *found.entry(c).or_default() += share);
            one.ranged.iter().for_each(|c| *limited.entry(c).or_default() += share);
        }
    }
    let fair = |shares: BTreeMap<&'_ str, f64>, wanted: &dyn Fn(Method) -> bool| -> Vec<(KeyColumns, f64)> {
        let key = |(column, share): (&str, f64)| (KeyColumns::from_iter([column.to_owned()]), share);
        let kept = shares.into_iter().filter(|s| s.1 >= FAIR_SHARE).map(key);
        kept.filter(|(key, _)| methods(subject, key).into_iter().any(wanted)).collect()
    };
    let found = fair(found, &|m| m != Method::Range);
    let limited = fair(limited, &|m| m == Method::Range);
    let mut pairs: Vec<(KeyColumns, KeyColumns, f64)> = Vec::new();
    for (a, share) in &found {
        for (b, other) in limited.iter().filter(|(b, _)| b != a) {
            pairs.push((a.clone(), b.clone(), share * other));
        }
    }
    pairs.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| (&a.0, &a.1).cmp(&(&b.0, &b.1))));
    pairs.into_iter().take(MAX_PAIRS).map(|(a, b, _)| (a, b)).collect()
}
