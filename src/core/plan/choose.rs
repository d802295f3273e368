//! All candidates judged alike, ranked, and one of them chosen: the best, or the one that the config asks for.

use super::PlanInput;
use super::joint::{Completed, Joint};
use super::levels::method_within;
use super::options::{Breadth, Scored, is_forced, of_target, variables};
use super::transactions::Traffic;
use crate::count::{CoLocated, Demand, needs};
use crate::key::{Cutting, HashShares, Subject, tied};
use crate::model::config::UniquePolicy;
use crate::model::plan::Within;
use crate::model::words::{list, round4};
use crate::model::{Candidate, Config, KeyColumns, Method, Problem};
use std::collections::BTreeMap;

/// An option of the target with what the whole schema would look like beside it.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    pub(super) scored: Scored,
    pub(super) completed: Completed,
}

/// Every candidate, best first: those that may be chosen before those that may not, then by cost, then the shorter
/// key, then the column nearer to the root of its family, then the one that stands first in the primary key and in the
/// table. With the objective that they were ranked by.
pub(super) fn rank<'a>(
    subject: &Subject<'a>,
    input: &PlanInput<'_>,
    demand: &Demand,
    exact: &HashShares<'_>,
) -> (Vec<Ranked>, Joint<'a>) {
    let none = BTreeMap::new();
    let (options, joint, completed) = judge(subject, input, demand, &none, exact);
    let beside = larger_tables(&options, &joint, &completed, input, demand);
    let (options, joint, completed) =
        if beside.is_empty() { (options, joint, completed) } else { judge(subject, input, demand, &beside, exact) };
    let mut out: Vec<Ranked> = options
        .into_iter()
        .zip(completed)
        .map(|(mut scored, completed)| {
            scored.candidate = tied(scored.candidate, completed.ties);
            Ranked { scored, completed }
        })
        .collect();
    out.sort_by(|a, b| order(subject, &a.scored, &b.scored));
    // The key's best way; another one only where the config asks for it.
    let mut seen: Vec<(KeyColumns, bool)> = Vec::new();
    out.retain(|r| {
        let candidate = &r.scored.candidate;
        if !candidate.method.shards() {
            return true;
        }
        let own = (candidate.columns(), candidate.within.is_some());
        let first = !seen.contains(&own);
        if first {
            seen.push(own);
        }
        first || input.config.method == Some(candidate.method) && r.scored.like.is_none()
    });
    price_refusals(&mut out);
    (out, joint)
}

/// Adds to the evidence of every candidate what becomes of the transactions beside it. No choice depends on it.
pub(super) fn tell_transactions(
    ranked: &mut [Ranked],
    subject: &Subject<'_>,
    joint: &Joint<'_>,
    input: &PlanInput<'_>,
) {
    let traffic = Traffic::new(subject.context, joint, input);
    for ranked in ranked {
        let evidence = &mut ranked.scored.candidate.evidence;
        (evidence.transactions, evidence.design_transactions) = traffic.shares(&ranked.completed.found.design);
    }
}

/// What it costs to insist on a constraint: the best candidate that keeps it, against this one.
fn price_refusals(ranked: &mut [Ranked]) {
    let keepers: Vec<(f64, Vec<String>)> = ranked
        .iter()
        .map(|r| &r.scored.candidate)
        .filter(|c| c.rejected.is_none())
        .map(|c| (c.cost, c.evidence.constraints_lost.clone()))
        .collect();
    for ranked in ranked {
        let own = ranked.scored.candidate.cost;
        for remedy in ranked.scored.candidate.evidence.remedies.iter_mut().filter(|r| r.way == "refuse") {
            let keeps = keepers.iter().find(|(_, lost)| !lost.contains(&remedy.constraint));
            remedy.cost = keeps.map(|(cost, _)| round4((cost - own).max(0.0)));
        }
    }
}

fn judge<'a>(
    subject: &Subject<'a>,
    input: &PlanInput<'_>,
    demand: &Demand,
    beside: &BTreeMap<KeyColumns, CoLocated>,
    exact: &HashShares<'_>,
) -> (Vec<Scored>, Joint<'a>, Vec<Completed>) {
    let options = of_target(subject, input, demand, beside, exact, Breadth::Candidates);
    let variables = variables(subject, &options, input, demand, exact, Breadth::Candidates);
    let joint = Joint::new(subject.context, demand.nodes, demand.spreads, variables);
    let allowed: Vec<bool> = options.iter().map(|o| o.candidate.rejected.is_none()).collect();
    let completed = joint.complete(&allowed);
    (options, joint, completed)
}

/// For each key the largest of the tables that would be cut with it, where it needs more shards than the target: tables
/// that stay together have one count.
fn larger_tables(
    options: &[Scored],
    joint: &Joint<'_>,
    completed: &[Completed],
    input: &PlanInput<'_>,
    demand: &Demand,
) -> BTreeMap<KeyColumns, CoLocated> {
    let mut out: BTreeMap<KeyColumns, CoLocated> = BTreeMap::new();
    for (option, completed) in options.iter().zip(completed).filter(|(o, _)| o.like.is_none()) {
        let cutting = Cutting::from(&option.candidate);
        let spread = cutting.spread();
        let key: KeyColumns = spread.key.iter().cloned().collect();
        for table in joint.beside(&completed.found.design) {
            let Some(size) = input.sizes.get(table) else { continue };
            let other = CoLocated { table: table.clone(), rows: size.rows, text_bytes: size.bytes };
            let shards = needs(demand, &other);
            let known = out.get(&key).map_or(spread.count, |o| needs(demand, o));
            if shards > known {
                out.insert(key.clone(), other);
            }
        }
    }
    out
}

/// The index of the chosen candidate, and of the one that would be chosen if the config said nothing of key and method.
pub(super) fn choose(ranked: &[Ranked], config: &Config) -> Result<(usize, Option<usize>), Vec<Problem>> {
    let candidates: Vec<&Candidate> = ranked.iter().map(|r| &r.scored.candidate).collect();
    let free = candidates.iter().position(|c| c.rejected.is_none());
    let wanted = |candidate: &Candidate| {
        // Asking for a method overrules advice, not the policy.
        let lawful = config.unique != UniquePolicy::Refuse || candidate.evidence.constraints_lost.is_empty();
        lawful
            && config.shard_key.as_ref().is_none_or(|k| candidate.key.as_slice() == k.as_slice())
            && config.method.is_none_or(|m| candidate.method == m)
            && match (&config.within, &candidate.within) {
                (Some(asked), Some(within)) => {
                    within.key.as_slice() == asked.shard_key.as_slice() && within.method == method_within(config, asked)
                }
                (asked, within) => asked.is_none() && (within.is_none() || !is_forced(config)),
            }
            && (is_forced(config) || candidate.rejected.is_none())
    };
    let among: Vec<usize> = candidates.iter().enumerate().filter(|(_, c)| wanted(c)).map(|(i, _)| i).collect();
    let one_shard = config.shard_count == Some(1) && !is_forced(config);
    let plain = candidates.iter().position(|c| c.method == Method::None);
    match (among.first().copied(), plain.filter(|_| one_shard)) {
        (_, Some(plain)) => Ok((plain, free)),
        (Some(best), None) => Ok((best, free)),
        (None, None) => Err(vec![nothing_fits(&candidates, config)]),
    }
}

fn nothing_fits(candidates: &[&Candidate], config: &Config) -> Problem {
    let reasons: Vec<String> = candidates
        .iter()
        .filter(|c| c.method.shards())
        .filter_map(|c| c.rejected.as_ref().map(|r| format!("{}: {r}", list(&c.key, 4))))
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

/// `hash on customer_id`, `none`, `hash on device_id, each part by range on ts`.
pub(super) fn name_of(candidate: &Candidate) -> String {
    named(candidate.method, &candidate.key, candidate.within.as_ref())
}

pub(super) fn named(method: Method, key: &[String], within: Option<&Within>) -> String {
    match (key, within) {
        ([], _) => method.name().to_owned(),
        (_, None) => format!("{} on {}", method.name(), list(key, 6)),
        (_, Some(w)) => {
            format!("{} on {}, each part by {} on {}", method.name(), list(key, 6), w.method.name(), list(&w.key, 6))
        }
    }
}

fn order(subject: &Subject<'_>, a: &Scored, b: &Scored) -> std::cmp::Ordering {
    let (a, b) = (&a.candidate, &b.candidate);
    let place = |c: &Candidate| {
        let in_key = |name: &String| {
            subject.table.primary_key().and_then(|k| k.columns.iter().position(|c| c == name)).unwrap_or(usize::MAX)
        };
        let in_table = |name: &String| subject.table.columns.iter().position(|c| c.name == *name).unwrap_or(usize::MAX);
        let all = c.columns();
        let columns = all.iter().map(|c| (in_key(c), in_table(c))).collect::<Vec<_>>();
        let depth: usize = all.iter().map(|name| subject.context.families.depth(&subject.table.name, name)).sum();
        (all.len(), c.within.is_some(), depth, columns, c.method)
    };
    let rejected = a.rejected.is_some().cmp(&b.rejected.is_some());
    rejected.then(a.cost.total_cmp(&b.cost)).then_with(|| place(a).cmp(&place(b)))
}
