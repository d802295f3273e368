//! The reasons in words. Each text stands alone: someone who reads only it knows why the candidate is as good as it is.

use super::cost::MIN_SHARDED_BYTES;
use super::cut::Cutting;
use super::subject::{Basis, Subject};
use super::values::is_time;
use crate::model::config::UniquePolicy;
use crate::model::plan::Fanout;
use crate::model::words::{bytes, counted, list, percent, thousands};
use crate::model::{Candidate, Method};

pub(super) fn sharded(subject: &Subject<'_>, candidate: &Candidate, unique: UniquePolicy) -> String {
    let cutting = Cutting::from(candidate);
    let mut out = vec![access(subject, candidate, &list(&candidate.columns(), 4))];
    out.extend(family(subject, candidate, cutting.spread().key.first()));
    out.extend(values(candidate, cutting.spread().key));
    out.extend(load(candidate));
    match &candidate.within {
        None => out.extend(method(subject, candidate)),
        Some(_) => out.push(levels(&cutting)),
    }
    out.extend(retention(subject, &cutting));
    if candidate.evidence.key_updates > 0.0 {
        let share = percent(candidate.evidence.key_updates);
        out.push(format!("{share} of the calls change it, which moves rows between shards."));
    }
    out.extend(lost(subject, candidate, unique));
    out.join(" ")
}

fn access(subject: &Subject<'_>, candidate: &Candidate, key: &str) -> String {
    if subject.basis == Basis::Assumed {
        let primary = subject.table.primary_key().is_some_and(|k| candidate.key.iter().all(|c| k.columns.contains(c)));
        let from = match (candidate.key.len(), primary) {
            (1, true) => "a column of the primary key",
            (1, false) if is_link(subject, candidate) => "a column that links it to other tables",
            (1, false) => "a column whose values can be spread",
            _ => "columns by which rows are usually found",
        };
        let log =
            if subject.insert_calls > 0.0 { "only inserts into this table" } else { "does not mention this table" };
        return format!("The query log {log}, so {key} is a guess from the definition ({from}), with low confidence.");
    }
    let evidence = &candidate.evidence;
    let sides: Vec<String> = [("reads", evidence.reads), ("writes", evidence.writes)]
        .into_iter()
        .filter(|(_, f)| f.single + f.multi + f.scatter > 0.0)
        .map(|(what, f)| side(what, f))
        .collect();
    if sides.len() == 2 && evidence.reads.single + evidence.writes.single >= 2.0 {
        return format!("With {key}, all reads and writes go to one shard each.");
    }
    format!("With {key}, {}.", sides.join("; "))
}

fn is_link(subject: &Subject<'_>, candidate: &Candidate) -> bool {
    let linked = |c: &String| subject.table.foreign_keys.iter().any(|f| f.columns.contains(c));
    candidate.key.iter().all(linked) || candidate.evidence.family_tables.len() > 1
}

/// `all reads go to one shard`, `80 % of the reads go to one shard and 20 % to all of them`
fn side(what: &str, fanout: Fanout) -> String {
    let parts: Vec<(f64, &str)> =
        [(fanout.single, "to one shard"), (fanout.multi, "to a few"), (fanout.scatter, "to all shards")]
            .into_iter()
            .filter(|(share, _)| *share > 0.0)
            .collect();
    let texts: Vec<String> = parts
        .iter()
        .enumerate()
        .map(|(i, (share, shards))| match i {
            0 if parts.len() == 1 => format!("all {what} go {shards}"),
            0 => format!("{} of the {what} go {shards}", percent(*share)),
            _ => format!("{} {shards}", percent(*share)),
        })
        .collect();
    list(&texts, 3)
}

fn family(subject: &Subject<'_>, candidate: &Candidate, column: Option<&String>) -> Option<String> {
    let evidence = &candidate.evidence;
    let own = &subject.table.name;
    let others: Vec<String> =
        evidence.family_tables.iter().filter(|t| *t != own).map(|t| t.within(&own.schema)).collect();
    if others.is_empty() || evidence.family_calls <= 0.0 {
        return None;
    }
    let column = column?;
    let tail = if evidence.family_calls >= subject.context.best_home - 1e-3 {
        ", and no other column keeps more of a transaction on one shard"
    } else {
        ""
    };
    Some(format!(
        "{column} means the same in {}: {} of the load on all tables fixes it{tail}.",
        list(&others, 8),
        percent(evidence.family_calls),
    ))
}

fn values(candidate: &Candidate, key: &[String]) -> Option<String> {
    let evidence = &candidate.evidence;
    let distinct = evidence.distinct?;
    let has = if key.len() == 1 { "has" } else { "together have about" };
    let key = list(key, 4);
    let mut out = format!("{key} {has} {}", counted(distinct, "value"));
    if let Some(hottest) = evidence.hottest_value.filter(|h| *h >= 0.001) {
        out += &format!(", the most frequent with {} of the rows", percent(hottest));
    }
    if let Some(skew) = evidence.skew {
        out += &format!(
            "; of {} the fullest holds about {skew:.2} times the mean",
            counted(u64::from(candidate.shard_count), "shard")
        );
    }
    if let Some(nulls) = evidence.null_share.filter(|n| *n > 0.0) {
        out += &format!("; {} of the rows have none and share a shard", percent(nulls));
    }
    out.push('.');
    Some(out)
}

/// The hottest value by look-ups, where one stands out.
fn load(candidate: &Candidate) -> Option<String> {
    let (share, skew) = candidate.evidence.hottest_load.zip(candidate.evidence.load_skew)?;
    if skew < FELT_LOAD_SKEW {
        return None;
    }
    let counts = match candidate.evidence.skew {
        Some(by_rows) if by_rows >= skew => "less than by rows, which counts",
        Some(_) => "more than by rows, so that this counts",
        None => "which counts",
    };
    Some(format!(
        "By load, at least {} of the look-ups that were watched are of one value: its shard gets {skew:.2} times the mean, {counts}.",
        percent(share)
    ))
}

/// Busiest shard over the mean from which it is worth a sentence. Assumed.
const FELT_LOAD_SKEW: f64 = 1.1;

/// The cost's part for a range that takes all new rows.
pub(super) const INSERTS_AT_THE_END: &str = "inserts at the end";

/// The cost's part for old rows that no range takes away whole.
pub(super) const DELETED_ONE_BY_ONE: &str = "old rows deleted one by one";

fn method(subject: &Subject<'_>, candidate: &Candidate) -> Option<String> {
    match candidate.method {
        Method::Range => {
            let growing = candidate.evidence.cost_parts.iter().any(|(part, _)| part == INSERTS_AT_THE_END);
            let tail =
                if growing { " New rows come with ever larger values and all go to the last range." } else { "" };
            let types = candidate.key.iter().filter_map(|c| subject.table.column(c)).map(|c| c.type_name.as_str());
            let why = if candidate.evidence.reads.multi + candidate.evidence.writes.multi > 0.0 {
                if types.into_iter().any(is_time) {
                    "By range, a condition on a period leaves out the other shards, and old ranges can be dropped whole."
                } else {
                    "By range, a condition on an interval leaves out the other shards."
                }
            } else {
                "By range, few values are cut into even shards, which a hash would not do."
            };
            Some(format!("{why}{tail}"))
        }
        Method::List => {
            Some("By list, the few known values are packed evenly; new ones go to a shard of their own.".to_owned())
        }
        _ => None,
    }
}

/// What two levels are for.
fn levels(cutting: &Cutting) -> String {
    let spread = cutting.spread();
    let levels = cutting.levels();
    let Some(other) = levels.iter().find(|l| l.key != spread.key) else { return String::new() };
    let (by, periods) = (list(spread.key, 4), list(other.key, 4));
    format!(
        "By {} on {by} the new rows are spread over all nodes, and by {} on {periods} a condition on it leaves out the \
         other shards; one alone would not give both.",
        spread.method.name(),
        other.method.name(),
    )
}

/// Where old rows are deleted by the column of the ranges.
fn retention(subject: &Subject<'_>, cutting: &Cutting) -> Option<String> {
    let of = |column: &&String| subject.retention.iter().any(|old| old.column == **column);
    let ranges: Vec<_> = cutting.levels().into_iter().filter(|l| l.method == Method::Range).collect();
    let column = ranges.iter().flat_map(|l| l.key).find(of)?;
    Some(format!("Rows that are too old by {column}, now deleted one by one, go by dropping a range."))
}

fn lost(subject: &Subject<'_>, candidate: &Candidate, unique: UniquePolicy) -> Vec<String> {
    let all = candidate.columns();
    let key = list(&all, 4);
    let describe = |name: &String| {
        let found = subject.table.unique_keys.iter().find(|k| k.name == *name)?;
        let kind = if found.primary { "the primary key" } else { "the unique constraint" };
        let columns = found.columns.join(", ");
        let missing: Vec<&str> = all.iter().filter(|c| !found.columns.contains(c)).map(String::as_str).collect();
        Some(match unique {
            UniquePolicy::Widen => format!(
                "{} {name} ({columns}) does not contain it and is widened to ({columns}, {}).",
                capital(kind),
                missing.join(", ")
            ),
            UniquePolicy::PerShard => {
                format!("{} {name} ({columns}) holds within each shard only, not across them.", capital(kind))
            }
            UniquePolicy::Refuse => format!("{} {name} ({columns}) does not contain {key}.", capital(kind)),
        })
    };
    candidate.evidence.constraints_lost.iter().filter_map(describe).collect()
}

pub(super) fn unsharded(subject: &Subject<'_>, candidate: &Candidate, growth: f64, one_node: bool) -> String {
    let rows = subject.profile.map_or_else(String::new, |p| format!(" ({} rows)", thousands(p.rows)));
    if candidate.method == Method::Reference {
        let written = if subject.written > 0.0 {
            format!("{} of its calls write it", percent(subject.written))
        } else {
            "nothing in the query log writes it".to_owned()
        };
        let size = subject.text_bytes().map_or_else(String::new, |b| format!("{} of text{rows}: ", bytes(b as f64)));
        return format!("{size}{written}, and other tables look rows up in it; a copy on every node keeps that local.");
    }
    match subject.text_bytes() {
        Some(size) if size as f64 * growth < MIN_SHARDED_BYTES as f64 => format!(
            "It is small: {} of text{rows}, below the {} from which cutting a table pays by itself.",
            bytes(size as f64),
            bytes(MIN_SHARDED_BYTES as f64)
        ),
        _ if one_node => {
            "One plain table on the only node: shards would cost its statements more than they spare them.".to_owned()
        }
        _ => "One plain table: nothing to cut, nothing to keep in step, and all of its load in one place.".to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default() + chars.as_str()
}
