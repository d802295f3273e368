//! All candidates judged alike, ranked, and one of them chosen: the best, or the one that the config asks for.

use super::PlanInput;
use crate::count::{Demand, KeyLimits, balanced, decide, demand_bounds, key_bounds, needed, unsharded};
use crate::key::{HashShares, KeyValues, Setting, Subject, assess, assess_unsharded, candidates, methods, skew, split};
use crate::model::config::UniquePolicy;
use crate::model::plan::CountDecision;
use crate::model::words::list;
use crate::model::{Candidate, Config, KeyColumns, Method, Problem};

/// A candidate with the decision on its count.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    pub(super) candidate: Candidate,
    pub(super) count: CountDecision,
}

/// Every candidate, best first: those that may be chosen before those that may not, then by cost, then the shorter
/// key, then the column that stands first in the primary key and in the table.
pub(super) fn rank(
    subject: &Subject<'_>,
    input: &PlanInput<'_>,
    demand: &Demand,
    exact: &HashShares<'_>,
) -> Vec<Scored> {
    let config = input.config;
    let bounds = demand_bounds(demand);
    let setting = Setting {
        unique: config.unique,
        needed: needed(&bounds),
        balanced: balanced(&bounds),
        nodes: demand.nodes,
        exact,
    };
    let mut keys = candidates(subject, is_forced(config) || config.shard_count.is_some_and(|n| n > 1));
    if let Some(forced) = config.shard_key.as_ref().map(|k| KeyColumns::from_iter(k.iter().cloned()))
        && !keys.contains(&forced)
    {
        keys.push(forced);
    }
    let mut out: Vec<Scored> = Vec::new();
    for key in &keys {
        let mut ways = methods(subject, key);
        if let Some(asked) = config.method.filter(|m| m.shards() && !ways.contains(m) && is_possible(subject, key, *m))
        {
            ways.push(asked);
        }
        let mut scored: Vec<Scored> = ways
            .into_iter()
            .filter(|method| makes(subject, key, *method, config.shard_count))
            .map(|method| {
                let values = KeyValues::of(subject, key);
                let limits = KeyLimits {
                    method,
                    distinct: values.distinct,
                    hottest: values.largest_group(),
                    pieces: pieces(subject, key, method),
                };
                let all = bounds.iter().cloned().chain(key_bounds(&limits)).collect();
                let uneven = |count: u32| skew(subject, key, method, count, exact);
                let mut count = decide(all, method, config.shard_count, &uneven);
                // A list that was asked for has at least a shard for its values and one for all others.
                if method == Method::List && is_forced(config) {
                    count.count = count.count.max(2);
                }
                Scored { candidate: assess(subject, key, method, count.count, &setting), count }
            })
            .collect();
        scored.sort_by(|a, b| order(subject, a, b));
        // The key's best way; another one only where the config asks for it.
        let best = scored.first().map(|s| s.candidate.method);
        out.extend(
            scored
                .into_iter()
                .filter(|s| Some(s.candidate.method) == best || Some(s.candidate.method) == config.method),
        );
    }
    for method in [Method::None, Method::Reference] {
        let mut candidate = assess_unsharded(subject, method, &setting);
        let asked = config.method == Some(method);
        // A reference table is worth a line only where it applies or was asked for.
        if method == Method::Reference && candidate.rejected.is_some() && !asked {
            continue;
        }
        if let Some(count) = config.shard_count.filter(|n| *n > 1) {
            candidate.rejected = Some(format!("The config asks for {count} shards."));
        }
        out.push(Scored { candidate, count: unsharded(bounds.clone()) });
    }
    out.sort_by(|a, b| order(subject, a, b));
    out
}

/// The index of the chosen candidate, and of the one that would be chosen if the config said nothing of key and method.
pub(super) fn choose(scored: &[Scored], config: &Config) -> Result<(usize, Option<usize>), Vec<Problem>> {
    let free = scored.iter().position(|s| s.candidate.rejected.is_none());
    let wanted = |s: &&Scored| {
        let candidate = &s.candidate;
        // Asking for a method overrules advice, not the policy.
        let lawful = config.unique != UniquePolicy::Refuse || candidate.evidence.constraints_lost.is_empty();
        lawful
            && config.shard_key.as_ref().is_none_or(|k| candidate.key.as_slice() == k.as_slice())
            && config.method.is_none_or(|m| candidate.method == m)
            && (config.shard_key.is_some() || config.method.is_some() || candidate.rejected.is_none())
    };
    let among: Vec<usize> = scored.iter().enumerate().filter(|(_, s)| wanted(s)).map(|(i, _)| i).collect();
    let one_shard = config.shard_count == Some(1) && !is_forced(config);
    let plain = scored.iter().position(|s| s.candidate.method == Method::None);
    match (among.first().copied(), plain.filter(|_| one_shard)) {
        (_, Some(plain)) => Ok((plain, free)),
        (Some(best), None) => Ok((best, free)),
        (None, None) => Err(vec![nothing_fits(scored, config)]),
    }
}

fn nothing_fits(scored: &[Scored], config: &Config) -> Problem {
    let reasons: Vec<String> = scored
        .iter()
        .filter(|s| s.candidate.method.shards())
        .filter_map(|s| s.candidate.rejected.as_ref().map(|r| format!("{}: {r}", list(&s.candidate.key, 4))))
        .take(4)
        .collect();
    let what = match config.method {
        Some(method) => format!("no column can be the shard key by {}", method.name()),
        None => "no column can be the shard key".to_owned(),
    };
    let detail = if reasons.is_empty() {
        "No column is looked up, and neither the primary key nor a foreign key offers one.".to_owned()
    } else {
        reasons.join(" ")
    };
    Problem::new("22023", what)
        .detail(detail)
        .hint("Name a key in the config's \"shard_key\", or leave out \"method\" and \"shard_count\".")
}

pub(super) fn is_forced(config: &Config) -> bool {
    config.shard_key.is_some() || config.method.is_some()
}

/// `hash on customer_id`, `none`.
pub(super) fn name_of(candidate: &Candidate) -> String {
    if candidate.key.is_empty() {
        candidate.method.name().to_owned()
    } else {
        format!("{} on {}", candidate.method.name(), list(&candidate.key, 4))
    }
}

/// As many shards as the config asks for can be made.
fn makes(subject: &Subject<'_>, key: &[String], method: Method, count: Option<u32>) -> bool {
    let Some(count) = count.filter(|_| method != Method::Hash) else { return true };
    pieces(subject, key, method).is_some_and(|most| count <= most) && (method == Method::Range || count > 1)
}

/// The method could cut the key if asked to, though the planner would not think of it.
fn is_possible(subject: &Subject<'_>, key: &[String], method: Method) -> bool {
    method != Method::Hash && pieces(subject, key, method).is_some()
}

fn pieces(subject: &Subject<'_>, key: &[String], method: Method) -> Option<u32> {
    let [one] = key else { return None };
    let column = subject.table.column(one).filter(|c| c.orderable && !c.generated)?;
    let profile = subject.profile?.column(one)?;
    if method == Method::Range && profile.nulls > 0 {
        return None;
    }
    split::pieces(method, profile, &column.type_name)
}

fn order(subject: &Subject<'_>, a: &Scored, b: &Scored) -> std::cmp::Ordering {
    let (a, b) = (&a.candidate, &b.candidate);
    let place = |c: &Candidate| {
        let in_key = |name: &String| {
            subject.table.primary_key().and_then(|k| k.columns.iter().position(|c| c == name)).unwrap_or(usize::MAX)
        };
        let in_table = |name: &String| subject.table.columns.iter().position(|c| c.name == *name).unwrap_or(usize::MAX);
        let columns = c.key.iter().map(|c| (in_key(c), in_table(c))).collect::<Vec<_>>();
        (c.key.len(), columns, c.method)
    };
    let rejected = a.rejected.is_some().cmp(&b.rejected.is_some());
    rejected.then(a.cost.total_cmp(&b.cost)).then_with(|| place(a).cmp(&place(b)))
}
