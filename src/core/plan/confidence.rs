//! How far a choice may be relied on, and what would change it.
//!
//! Confidence comes from what the choice stands on: how much of the log was understood, how many calls of the table it
//! shows, whether the rows were read, how far behind the second best is, and whether the search was complete. What would
//! change it is tried: the load is scaled, one statement at a time, and planned again.

use super::choose::Ranked;
use super::options::is_forced;
use super::{PlanInput, context, demand};
use crate::key::{Basis, HashShares, Subject};
use crate::model::plan::{Confidence, Flip, JointChoice, Level, Within};
use crate::model::words::{counted, percent, round4};
use crate::model::{Candidate, Config, KeyColumns, Method, Workload};

/// Shares of the calls understood for a choice to be well founded, and at all. Assumed.
const WELL_UNDERSTOOD: f64 = 0.95;
const UNDERSTOOD: f64 = 0.8;
/// Calls of the table from which shares of them are more than chance: their deviation is then below 2 %.
const MANY_CALLS: f64 = 1000.0;
/// Similarity below which another table's statements say little of this one. Assumed: nearly all columns are the same.
const ALIKE: f64 = 0.85;
/// Lead over the second best, relative to its cost, that errors in the assumed constants hardly overturn; and one that
/// is within their rounding. Assumed.
const CLEAR: f64 = 0.2;
const CLOSE: f64 = 0.02;
/// Lead that is no more than rounding.
const AS_GOOD: f64 = 0.0005;

/// Statements that are tried, heaviest first, and factors up to which (and down to whose inverse) they are scaled.
const TRIED: usize = 6;
const LARGEST_FACTOR: f64 = 64.0;
/// Halvings of the interval (on a logarithmic scale): the factor is then known to 1 %.
const HALVINGS: usize = 9;
/// Statements plus pairs of tables beyond which no change is tried: up to a hundred plans are made for it, and one takes
/// about 20 ms here (38 ms at 7,500, with 50 tables: measured with benches/planner_server.sh).
const AFFORDABLE: usize = 4_000;

pub(super) fn confidence(
    subject: &Subject<'_>,
    input: &PlanInput<'_>,
    ranked: &[Ranked],
    chosen: usize,
    joint: &JointChoice,
) -> Confidence {
    let mut doubts: Vec<(Level, String)> = Vec::new();
    let mut merits: Vec<String> = Vec::new();
    if let Some(likeness) = input.likeness {
        let resembles = format!("the statements are those of another table, {} like this one", percent(likeness));
        doubts.push((if likeness < ALIKE { Level::Low } else { Level::Medium }, resembles));
    }
    let coverage = input.workload.coverage.understood_calls;
    let calls = input.workload.statements.iter().filter(|s| s.tables.iter().any(|t| t.table == input.source));
    let calls: f64 = calls.map(|s| s.calls).sum();
    if subject.basis == Basis::Assumed {
        doubts.push((Level::Low, "no statement shows how rows are found".to_owned()));
    } else if calls < MANY_CALLS {
        doubts.push((Level::Medium, format!("only {} on the table", counted(calls.round() as u64, "logged call"))));
    } else {
        merits.push(format!("{} on the table", counted(calls.round() as u64, "logged call")));
    }
    if input.workload.coverage.statements > 0 && coverage < WELL_UNDERSTOOD {
        let level = if coverage < UNDERSTOOD { Level::Low } else { Level::Medium };
        doubts.push((level, format!("only {} of the calls were understood", percent(coverage))));
    } else if input.workload.coverage.statements > 0 {
        merits.push(format!("{} of the calls understood", percent(coverage)));
    }
    if input.profile.is_none() {
        doubts.push((Level::Medium, "the rows were not profiled".to_owned()));
    }
    if !joint.exact {
        doubts.push((Level::Medium, "the search over the whole schema was not complete".to_owned()));
    }
    let cost = ranked.get(chosen).map_or(0.0, |r| r.scored.candidate.cost);
    if let Some(other) = runner_up(ranked, chosen) {
        let other = &ranked.get(other).map(|r| r.scored.candidate.cost).unwrap_or(cost);
        let lead = (other - cost) / cost.max(1.0);
        let text = if lead < 0.0 {
            "the planner itself would choose otherwise".to_owned()
        } else if lead < AS_GOOD {
            "the second best is as good".to_owned()
        } else {
            format!("the second best costs {} more", percent(lead))
        };
        match lead {
            l if l < CLOSE => doubts.push((Level::Low, text)),
            l if l < CLEAR => doubts.push((Level::Medium, text)),
            _ => merits.push(text),
        }
    }
    let level = doubts.iter().map(|d| d.0).min().unwrap_or(Level::High);
    doubts.sort_by_key(|d| d.0);
    let mut reasons: Vec<String> = if doubts.is_empty() { merits } else { doubts.into_iter().map(|d| d.1).collect() };
    reasons.truncate(3);
    Confidence { level, because: sentence(&reasons.join("; ")) }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    if first.is_empty() { "Nothing speaks against it.".to_owned() } else { format!("{first}{}.", chars.as_str()) }
}

fn runner_up(ranked: &[Ranked], chosen: usize) -> Option<usize> {
    ranked.iter().enumerate().position(|(at, r)| at != chosen && r.scored.candidate.rejected.is_none())
}

/// The change nearest to none, of one statement's frequency, after which another candidate is the best; or why there is
/// none.
pub(super) fn flip(
    subject: &Subject<'_>,
    input: &PlanInput<'_>,
    ranked: &[Ranked],
    chosen: usize,
    tables: usize,
    exact: &HashShares<'_>,
) -> Result<Flip, String> {
    if is_forced(input.config) {
        return Err("Not looked for: the config asks for this choice.".to_owned());
    }
    let statements = input.workload.statements.len();
    if tables * tables + statements > AFFORDABLE {
        let (tables, statements) = (counted(tables as u64, "table"), counted(statements as u64, "statement"));
        return Err(format!("Not looked for: {tables} and {statements} are too many to be planned again and again."));
    }
    let best = ranked.get(chosen).map(|r| way(&r.scored.candidate));
    let mut statements = subject.weights();
    let (Some(best), false) = (best, statements.is_empty()) else {
        return Err("Not looked for: no statement of the log finds rows of the table.".to_owned());
    };
    statements.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut found: Option<(f64, Flip)> = None;
    statements.truncate(TRIED);
    for (id, _) in &statements {
        let id = *id;
        for upwards in [true, false] {
            input.interrupts.check();
            let scaled = |log: f64| choice_when(input, id, if upwards { log.exp2() } else { (-log).exp2() }, exact);
            let limit = found.as_ref().map_or(LARGEST_FACTOR.log2(), |f| f.0);
            let mut other = scaled(limit).filter(|c| *c != best);
            if other.is_none() {
                continue;
            }
            let (mut low, mut high) = (0.0, limit);
            for _ in 0..HALVINGS {
                let middle = (low + high) / 2.0;
                match scaled(middle).filter(|c| *c != best) {
                    Some(c) => (high, other) = (middle, Some(c)),
                    None => low = middle,
                }
            }
            let text = input.workload.statements.iter().find(|s| s.id == id).map(|s| s.text.clone());
            if let (Some((method, key, within)), Some(text)) = (other, text) {
                let factor = round4(if upwards { high.exp2() } else { (-high).exp2() });
                found = Some((high, Flip { statement: id, text, factor, method, key, within }));
            }
        }
    }
    found.map(|f| f.1).ok_or_else(|| {
        let heaviest = counted(statements.len() as u64, "heaviest statement");
        format!("None of the {heaviest} alone, run from 1/{LARGEST_FACTOR} to {LARGEST_FACTOR} times as often.")
    })
}

/// A choice, whatever the number of shards.
type Way = (Method, KeyColumns, Option<Within>);

fn way(candidate: &Candidate) -> Way {
    let within = candidate.within.clone().map(|w| Within { count: 0, ..w });
    (candidate.method, candidate.key.clone(), within)
}

/// What would be chosen if one statement ran so many times as often.
fn choice_when(input: &PlanInput<'_>, id: i64, factor: f64, exact: &HashShares<'_>) -> Option<Way> {
    let mut workload: Workload = input.workload.clone();
    for statement in workload.statements.iter_mut().filter(|s| s.id == id) {
        statement.calls *= factor;
        statement.total_ms *= factor;
        statement.rows *= factor;
    }
    let scaled = PlanInput { workload: &workload, notes: Vec::new(), ..input.clone() };
    let config: &Config = input.config;
    let table = input.schema.get(&input.source)?;
    let context = context(&scaled, config.workload.unwrap_or(input.workload.profile));
    let subject = Subject::new(table, &context, input.profile);
    let (ranked, _) = super::choose::rank(&subject, &scaled, &demand(&scaled, table), exact);
    let (chosen, _) = super::choose::choose(&ranked, config).ok()?;
    ranked.get(chosen).map(|r| way(&r.scored.candidate))
}
