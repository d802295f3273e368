//! The verdict on a table: the gravest of its conditions, in words, with the figures that led to it.

use super::table::{Conditions, ShardLook, TableLook, busiest, fullest, furthest_behind, temperature, used};
use crate::model::verdict::{Opinion, Verdict};
use crate::model::words::{bytes, counted, figure, list, percent, round4};
use std::collections::BTreeMap;

/// Shards that are named in a sentence, at most.
const NAMED: usize = 4;

/// `healthy_since`: when the table was last something else, or first seen.
pub fn judge(look: &TableLook, found: &Conditions, healthy_since: i64, forecast: Option<String>) -> Opinion {
    let total: f64 = look.shards.iter().map(|s| s.work).sum();
    let fair = 1.0 / look.shards.len().max(1) as f64;
    let share = |shard: &ShardLook| if total > 0.0 { shard.work / total } else { 0.0 };
    let of = |ids: &[(u32, i64)]| -> Vec<&ShardLook> {
        ids.iter().filter_map(|(id, _)| look.shards.iter().find(|s| s.id == *id)).collect()
    };
    let first = |ids: &[(u32, i64)]| ids.iter().map(|(_, since)| *since).min();
    let holds = [
        (found.full, Verdict::Full),
        (first(&found.hot_values), Verdict::HotValue),
        (first(&found.hot), Verdict::HotShard),
        (found.lagging, Verdict::Lagging),
        (found.under_sharded, Verdict::UnderSharded),
        (found.growing, Verdict::Growing),
        (found.skewed, Verdict::Skewed),
        (found.over_sharded, Verdict::OverSharded),
    ];
    let (since, verdict) = holds
        .into_iter()
        .find_map(|(since, verdict)| Some((since?, verdict)))
        .unwrap_or((healthy_since, Verdict::Healthy));
    let hottest = look.shards.iter().max_by(|a, b| a.work.total_cmp(&b.work).then(b.id.cmp(&a.id)));
    let largest = look
        .shards
        .iter()
        .filter(|s| s.bytes.is_some())
        .max_by(|a, b| a.bytes.unwrap_or_default().total_cmp(&b.bytes.unwrap_or_default()).then(b.id.cmp(&a.id)));
    let (about, because) = match verdict {
        Verdict::Full => match fullest(look) {
            Some((node, free)) => {
                let on = look.shards.iter().filter(|s| s.node == node.name).collect();
                let left = node.free_bytes.map(bytes).unwrap_or_default();
                (on, format!("The disk of node {} has {} left, {} of it.", node.name, left, percent(free)))
            }
            None => (Vec::new(), String::new()),
        },
        Verdict::HotValue => {
            let hot = of(&found.hot_values);
            let told = hot.first().and_then(|shard| Some((shard, shard.hottest_value.as_ref()?.1)));
            let because = told.map_or_else(String::new, |(shard, value)| {
                let told = format!("{} of the load is on shard {}", percent(share(shard)), shard.name);
                if shard.single_value {
                    format!("{told}, which has one value of the key and nothing else: no cut of the table spreads it further.")
                } else {
                    format!(
                        "{told}, and {} of that is one value of the key: splitting is useless, since the value stays together; isolate it.",
                        percent(value)
                    )
                }
            });
            (hot, because)
        }
        Verdict::HotShard => {
            let hot = of(&found.hot);
            let names: Vec<&str> = hot.iter().map(|s| s.name.as_str()).collect();
            let shares: f64 = hot.iter().map(|s| share(s)).sum();
            let (word, verb) = if hot.len() == 1 { ("shard", "has") } else { ("shards", "have") };
            let because = format!(
                "{word} {} {verb} {} of the load; a fair share of {} would be {}.",
                list(&names, NAMED),
                percent(shares),
                counted(look.shards.len() as u64, "shard"),
                percent(fair * hot.len() as f64)
            );
            (hot, capitalised(&because))
        }
        Verdict::Lagging => {
            let told = furthest_behind(look)
                .map(|(node, lag)| format!("Copies of what node {} has are {} s behind.", node.name, figure(lag)));
            (Vec::new(), told.unwrap_or_default())
        }
        Verdict::UnderSharded => {
            let size = largest
                .and_then(|s| s.bytes)
                .map(|b| format!("; its shards have up to {}", bytes(b)))
                .unwrap_or_default();
            let because = format!(
                "Its load is even, and its busiest server is at {} of what it bears with {} of the table's on {}{size}.",
                percent(busiest(look)),
                counted(look.shards.len() as u64, "shard"),
                counted(used(look).len() as u64, "node")
            );
            (Vec::new(), because)
        }
        Verdict::Growing => {
            let expected = look.expected_use.map(percent).unwrap_or_default();
            (Vec::new(), format!("Its nodes are expected to come to {expected} of what they bear."))
        }
        Verdict::Skewed => {
            let about: Vec<&ShardLook> = hottest.into_iter().collect();
            let because = match (hottest, largest) {
                (Some(hot), Some(large)) => format!(
                    "Its busiest shard, {}, has {} of the load, where {} would be fair; its largest, {}, has {}.",
                    hot.name,
                    percent(share(hot)),
                    percent(fair),
                    large.name,
                    large.bytes.map(bytes).unwrap_or_default()
                ),
                (Some(hot), None) => format!(
                    "Its busiest shard, {}, has {} of the load, where {} would be fair.",
                    hot.name,
                    percent(share(hot)),
                    percent(fair)
                ),
                _ => String::new(),
            };
            (about, because)
        }
        Verdict::OverSharded => {
            let size: f64 = look.shards.iter().filter_map(|s| s.bytes).sum();
            let because = format!(
                "{} hold {} together and are busy with {} of what one node bears: fewer would be planned and kept up for less.",
                counted(look.shards.len() as u64, "shard"),
                bytes(size),
                percent(total)
            );
            (Vec::new(), because)
        }
        Verdict::Healthy => (Vec::new(), healthy(look, total, fair)),
    };
    let works: Vec<f64> = look.shards.iter().map(|s| s.work).collect();
    let mut figures = BTreeMap::from([
        ("shards".to_owned(), look.shards.len() as f64),
        ("load".to_owned(), round4(total)),
        ("temperature".to_owned(), round4(temperature(&works))),
        ("hottest_share".to_owned(), round4(hottest.map_or(0.0, share))),
        ("busiest_server".to_owned(), round4(busiest(look))),
    ]);
    let known: Vec<f64> = look.shards.iter().filter_map(|s| s.bytes).collect();
    if !known.is_empty() {
        figures.insert("bytes".to_owned(), known.iter().sum());
    }
    figures.extend(look.expected_use.map(|expected| ("expected_use".to_owned(), round4(expected))));
    figures.extend(furthest_behind(look).map(|(_, lag)| ("lag_seconds".to_owned(), round4(lag))));
    figures.extend(fullest(look).map(|(_, free)| ("free_share".to_owned(), round4(free))));
    Opinion { verdict, since, shards: about.iter().map(|s| s.id).collect(), because, forecast, figures }
}

fn healthy(look: &TableLook, total: f64, fair: f64) -> String {
    if look.shards.len() < 2 {
        return format!("It is busy with {} of what a node bears.", percent(total));
    }
    let hottest = look.shards.iter().map(|s| s.work).fold(0.0, f64::max);
    if total <= 0.0 {
        return "Nobody uses it at the moment.".to_owned();
    }
    format!(
        "It is busy with {} of what a node bears; its busiest shard has {} of that, where {} would be fair.",
        percent(total),
        percent(hottest / total),
        percent(fair)
    )
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
