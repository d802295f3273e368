//! What the load history means for a plan: the demand at the horizon, and when more shards are asked for than the plan has.

use crate::count::Demand;
use crate::model::outlook::{DayAhead, Due, Expected, NextSplit};
use crate::model::plan::{CountBound, CountDecision, Direction};
use crate::model::words::{bytes, counted, date, figure, list, round4};
use crate::model::{Metric, Outlook};

/// Days after the horizon up to which growth is followed. Assumed: three years on, nothing grows as it does now.
const FARTHEST_DAYS: f64 = 3.0 * 365.0;
const DAY_SECONDS: f64 = 86_400.0;

/// The highest load of the horizon; None where it was not measured, or is none.
pub(super) fn peak(outlook: &Outlook, metric: Metric) -> Option<f64> {
    outlook.of(metric).map(Expected::reckoned).filter(|peak| *peak > 0.0)
}

/// By what factor the table grows up to the horizon, at least 1.
pub(super) fn growth(outlook: &Outlook) -> Option<f64> {
    let size = outlook.size().filter(|size| size.now > 0.0)?;
    Some(round4((size.reckoned() / size.now).max(1.0)))
}

/// When more shards are asked for than the `pieces` that the plan spreads rows over.
pub(super) fn next_split(outlook: &Outlook, demand: &Demand, count: &CountDecision, pieces: usize) -> NextSplit {
    let size = outlook.size().filter(|size| size.now > 0.0);
    // More shards on one server bear no more.
    let (shards, bearers) = ((pieces, "shard"), (pieces, "shard").min((demand.servers.max(1), "server")));
    let by_size = |name| Some((name, size?, demand.growth * size?.now, shards));
    let by_load = |name, metric, level: Option<f64>| Some((name, outlook.of(metric)?, level?, bearers));
    let asked = [
        by_size("volume"),
        by_size("family volume"),
        by_load("throughput", Metric::Rate, demand.throughput),
        by_load("concurrency", Metric::Sessions, demand.concurrency),
    ];
    let of = |(name, series, level, (holders, noun)): (&str, &Expected, f64, (usize, &str))| {
        let asks = |b: &&CountBound| b.name == name && b.direction == Direction::AtLeast;
        let bound = count.bounds.iter().filter(asks).max_by(|a, b| a.value.total_cmp(&b.value))?;
        if bound.value <= 0.0 {
            let because = format!("\"{name}\" asks for less than a thousandth of a shard, and will for long.");
            return Some(NextSplit { due: Due::NotForeseen, at: None, bound: Some(name.to_owned()), because });
        }
        // The volume of the fullest shard is what a split is due by, where it is known.
        let by_fullest = count.lasts_until.filter(|_| name == "volume");
        let limit = level * by_fullest.unwrap_or(holders as f64 / bound.value);
        Some(when(name, series, limit, (holders, noun), &outlook.horizon))
    };
    let first = asked.into_iter().flatten().filter_map(of).min_by(|a, b| (a.due, &a.at).cmp(&(b.due, &b.at)));
    let mut first = first.unwrap_or_else(|| NextSplit {
        due: Due::Unknown,
        at: None,
        bound: None,
        because: "Nothing that the history measures asks for shards.".to_owned(),
    });
    if size.is_none() {
        first.because += " The history has no sizes, so that growth of the volume is not known.";
    }
    first
}

/// When a series reaches what the shards take.
fn when(name: &str, series: &Expected, limit: f64, (holders, noun): (usize, &str), horizon: &str) -> NextSplit {
    let size = series.metric.is_size();
    let shards = counted(holders as u64, noun);
    let told = |level: f64| match series.metric {
        _ if size => match level / series.now {
            times if times < 10.0 => format!("{times:.2} times today's size"),
            times => format!("{} times today's size", figure(times)),
        },
        Metric::Rate => format!("{} statements a second", figure(level)),
        _ => format!("{} clients at once", figure(level)),
    };
    let takes = format!("{shards} {} {}", if holders == 1 { "takes" } else { "take" }, told(limit));
    let due =
        |due: Due, at: Option<String>, because: String| NextSplit { due, at, bound: Some(name.to_owned()), because };
    if series.highest >= limit {
        let because = format!(
            "\"{name}\" asks for more than {shards} already: {} were measured, and {takes}.",
            told(series.highest)
        );
        return due(Due::Now, None, because);
    }
    let most = series.reckoned();
    let highest = |day: &DayAhead| if series.tried.is_some() { day.upper } else { day.expected };
    let reached = series.days.iter().find(|day| highest(day) >= limit).or(series.days.last().filter(|_| most >= limit));
    if let Some(day) = reached {
        let because = format!(
            "\"{name}\" may ask for more than {shards} from {} on: up to {} are to be expected within {horizon}, and {takes}.",
            day.until,
            told(most)
        );
        return due(Due::WithinHorizon, Some(day.until.clone()), because);
    }
    let not_yet = format!("Not within {horizon} (at most {}, and {takes})", told(most));
    let Some(per_day) = series.per_day else {
        let because = format!("{not_yet}; the history from {} on is too short to tell growth.", series.from);
        return due(Due::Unknown, None, because);
    };
    if per_day <= 0.0 {
        return due(Due::NotForeseen, None, format!("{not_yet}; the history shows no steady growth."));
    }
    let level = if size { series.expected } else { most };
    let days = (limit - level).max(0.0) / per_day;
    let pace = match series.metric {
        Metric::Bytes => format!("{} a day", bytes(per_day)),
        _ => format!("{} a day", figure(per_day)),
    };
    if days > FARTHEST_DAYS {
        let because = format!("{not_yet}; growing by {pace}, not for years.");
        return due(Due::NotForeseen, None, because);
    }
    let at = date(series.horizon_end.saturating_add((days * DAY_SECONDS) as i64));
    let because = format!("{not_yet}; around {at} if it goes on to grow by {pace}.");
    due(Due::Later, Some(at), because)
}

/// Notes and repairs that are told to people; all are in the document.
const TOLD: usize = 2;

/// The forecast in words.
pub(super) fn told(outlook: &Outlook) -> String {
    let mut parts: Vec<String> = outlook.series.iter().map(series).collect();
    if outlook.series.iter().any(|s| s.tried.is_none()) {
        parts.push(
            "too little history to try forecasts, so the intervals are wide and what was measured counts".to_owned(),
        );
    }
    let repairs = outlook.series.iter().flat_map(|s| s.repairs.iter().map(move |r| format!("of {} {r}", s.name)));
    let said: Vec<String> = outlook.notes.iter().cloned().chain(repairs).collect();
    if !said.is_empty() {
        parts.push(list(&said, TOLD));
    }
    let from = outlook.series.first().map_or_else(String::new, |s| format!(" after {}", s.until));
    format!("up to {}{from}, by {}: {}.", outlook.horizon, outlook.source, parts.join("; "))
}

fn series(s: &Expected) -> String {
    let [now, expected, peak] = [s.now, s.expected, s.peak].map(|level| match s.metric {
        Metric::Bytes => bytes(level),
        _ => figure(level),
    });
    let what = match s.metric {
        Metric::Rate => "statements a second",
        Metric::MeanMs => "ms each",
        Metric::Sessions => "clients at once",
        Metric::Bytes => "on disk",
        Metric::Rows => "rows",
        Metric::Value => s.name.as_str(),
    };
    format!("{now} {what}, then {expected}, at most {peak}")
}
