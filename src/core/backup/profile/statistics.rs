//! The profile of a live table from what ANALYZE left in its server's catalog, without reading a row.
//!
//! ANALYZE draws its rows at random from the whole table, 300 for each of its bounds (by default 30,000), where a pass of ours keeps some
//! thousand for the order of a column's values: so its histogram may decide where ranges are cut, which a table's first rows may
//! not. What it cannot do is name all values of a column, so that a list needs the rows; and of some columns it says nothing.
//! Statistics age: they are believed while no more rows were changed since than the server itself puts up with.

use super::beyond::Sampled;
use super::order::ValueOrder;
use super::sample::quantiles;
use crate::model::config::Profiling;
use crate::model::profile::{HeavyHitter, PairProfile, ProfileKind, Profiled};
use crate::model::words::{list, percent, thousands};
use crate::model::{ColumnProfile, Method, Plan, TableProfile};

/// Modified rows up to which the server's own autovacuum leaves statistics as they are: autovacuum_analyze_threshold and
/// autovacuum_analyze_scale_factor, as PostgreSQL ships them.
const CHANGED_ROWS: f64 = 50.0;
const CHANGED_SHARE: f64 = 0.1;
/// Bounds of a histogram from which it may cut ranges: PostgreSQL's default_statistics_target, by which each part of it has 300 of the rows
/// that were drawn, and is right within 6 %.
const ENOUGH_BOUNDS: usize = 100;
/// Places of a cumulated share that count as one: the server keeps four bytes of a frequency.
const PARTS: f64 = 1e6;

/// What the catalog says of a table's rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    pub rows: u64,
    /// On disk, with what was moved out of the rows.
    pub bytes: u64,
    /// Its pages when the rows were counted, and now.
    pub pages: (u64, u64),
    /// Rows written or removed since; None where the server does not count them: partitioned and foreign tables, and tables that were not
    /// analysed since it last forgot its counts.
    pub modified: Option<u64>,
    pub columns: Vec<ColumnStatistics>,
    /// Distinct values of several columns together.
    pub pairs: Vec<PairProfile>,
}

/// A row of pg_stats.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnStatistics {
    pub name: String,
    pub null_frac: f64,
    pub avg_width: f64,
    /// Negative: per row. 0: not known.
    pub n_distinct: f64,
    pub most_common: Vec<(String, f64)>,
    /// Of all values but the most common ones.
    pub histogram: Vec<String>,
    pub correlation: f64,
}

impl Statistics {
    /// Why they do not stand for the rows of today.
    ///
    /// # Errors
    /// A full sentence.
    pub fn fresh(&self) -> Result<String, String> {
        let rows = self.rows as f64;
        if self.columns.is_empty() || self.rows == 0 {
            return Err("The table was never analysed.".to_owned());
        }
        let Some(modified) = self.modified.map(|n| n as f64) else {
            return Err("The server does not count how many of its rows have changed since it was analysed.".to_owned());
        };
        let (then, now) = (self.pages.0 as f64, self.pages.1 as f64);
        if modified > CHANGED_ROWS + CHANGED_SHARE * rows {
            return Err(format!(
                "{} of its rows have changed since it was analysed.",
                percent((modified / rows).min(1.0))
            ));
        }
        if (now - then).abs() > 1.0 + CHANGED_SHARE * then {
            return Err("Its size has changed since it was analysed.".to_owned());
        }
        Ok(format!(
            "No row was read: the statistics of the table are fresh, with {} rows changed since.",
            thousands(modified as u64)
        ))
    }

    /// The profile, and the columns that it does not tell.
    pub fn profile(&self, columns: &[(String, ValueOrder)]) -> Sampled {
        let mut untold = Vec::new();
        let known = columns.iter().map(|(name, order)| {
            let found = self.columns.iter().find(|c| c.name == *name);
            let (column, told) = found.map_or_else(|| (unknown(name), false), |c| c.profile(*order, self.rows));
            if !told {
                untold.push(name.clone());
            }
            column
        });
        let profile = TableProfile {
            rows: self.rows,
            text_bytes: self.bytes,
            columns: known.collect(),
            pairs: self.pairs.clone(),
        };
        Sampled { profile, untold }
    }

    /// For the plan. The config may ask for statistics that are not fresh.
    pub fn told(&self, asked: Profiling) -> Profiled {
        let because = match (asked, self.fresh()) {
            (Profiling::Statistics, Err(stale)) => {
                format!("No row was read: the config asks for the statistics of the table. {stale}")
            }
            (_, Ok(fresh) | Err(fresh)) => fresh,
        };
        Profiled { kind: ProfileKind::Statistics, share: 0.0, because }
    }
}

/// Why a plan that was made by statistics needs the rows. `untold` are columns that they do not tell.
pub fn rows_needed_after(plan: &Plan, untold: &[String]) -> Option<String> {
    let layout = &plan.layout;
    let levels = [Some((layout.method, &layout.key)), layout.within.as_ref().map(|w| (w.method, &w.key))];
    if let Some((_, key)) = levels.into_iter().flatten().find(|(method, _)| *method == Method::List) {
        return Some(format!("A list of {} names all its values.", list(key, 3)));
    }
    let mut columns: Vec<String> =
        plan.candidates.iter().flat_map(|c| c.columns()).filter(|c| untold.contains(c)).collect();
    columns.sort();
    columns.dedup();
    (!columns.is_empty())
        .then(|| format!("The statistics tell too little of {}, which may be a key.", list(&columns, 3)))
}

fn unknown(name: &str) -> ColumnProfile {
    ColumnProfile {
        name: name.to_owned(),
        distinct: 0,
        distinct_exact: false,
        nulls: 0,
        mean_width: 0.0,
        max_width: 0,
        heavy: Vec::new(),
        monotonicity: 0.0,
        quantiles: Vec::new(),
    }
}

impl ColumnStatistics {
    fn profile(&self, order: ValueOrder, rows: u64) -> (ColumnProfile, bool) {
        let all = rows as f64;
        let scaled = |share: f64| (share.clamp(0.0, 1.0) * all).round() as u64;
        let nulls = scaled(self.null_frac);
        let values = rows - nulls.min(rows);
        let distinct = if self.n_distinct < 0.0 { -self.n_distinct * all } else { self.n_distinct };
        // ANALYZE lists all values that it met where it takes them for all that there are; and all of a small table's unique ones are bounds.
        let listed = self.most_common.len() as f64;
        let each_once = self.n_distinct == -1.0 && listed == 0.0 && self.histogram.len() as u64 == values;
        let exact = each_once || self.histogram.is_empty() && listed > 0.0 && self.n_distinct == listed;
        let widths = self.most_common.iter().map(|(value, _)| value).chain(&self.histogram).map(String::len);
        let max_width = widths.clone().max().unwrap_or_default().max(self.avg_width as usize) as u64;
        let (number, total) = widths.fold((0_u32, 0), |(n, sum), width| (n + 1, sum + width));
        let mean_width = if number > 0 { total as f64 / f64::from(number) } else { self.avg_width };
        let cut = order != ValueOrder::None && (exact || self.histogram.len() >= ENOUGH_BOUNDS);
        let common = self.most_common.iter().map(|(value, share)| (value, scaled(*share)));
        let once = self.histogram.iter().filter(|_| each_once).map(|value| (value, 1));
        let known = common.chain(once);
        let heavy = known.clone().map(|(value, count)| HeavyHitter { value: value.clone(), count });
        let quantiles = match cut {
            false => Vec::new(),
            true if exact => parts(order, known.map(|(value, count)| (value.as_str(), count))),
            true => self.quantiles(order),
        };
        let column = ColumnProfile {
            name: self.name.clone(),
            distinct: (distinct.round() as u64).min(values),
            distinct_exact: exact,
            nulls,
            mean_width,
            max_width,
            heavy: heavy.take(ColumnProfile::HEAVY_LIMIT).collect(),
            monotonicity: if order == ValueOrder::None { 0.0 } else { self.correlation },
            quantiles,
        };
        let told = self.n_distinct != 0.0 || self.null_frac == 1.0;
        (column, told && (cut || exact || order == ValueOrder::None || values == 0))
    }

    /// Bounds of equal parts of all values: each part of the histogram weighs alike, at its lower end, and each common value as it is.
    fn quantiles(&self, order: ValueOrder) -> Vec<String> {
        let common: f64 = self.most_common.iter().map(|(_, share)| share).sum();
        let steps = self.histogram.len().saturating_sub(1).max(1) as f64;
        let part = ((1.0 - self.null_frac - common).max(0.0) / steps * PARTS).round() as u64;
        let last = self.histogram.len().saturating_sub(1);
        let of_histogram =
            self.histogram.iter().enumerate().map(|(at, value)| (value.as_str(), if at == last { 1 } else { part }));
        let of_common = self.most_common.iter().map(|(value, share)| (value.as_str(), (share * PARTS).round() as u64));
        parts(order, of_histogram.chain(of_common))
    }
}

/// Bounds of equal parts of values with their weights.
fn parts<'a>(order: ValueOrder, weighed: impl Iterator<Item = (&'a str, u64)>) -> Vec<String> {
    let keyed = |(value, weight): (&'a str, u64)| Some((order.key(value.as_bytes())?, value, weight.max(1)));
    let mut sorted: Vec<(Vec<u8>, &str, u64)> = weighed.filter_map(keyed).collect();
    sorted.sort();
    quantiles(sorted.iter().map(|(_, value, weight)| (*value, *weight)))
}
