//! The plan as text for people: one screen, in the way of EXPLAIN.

use super::choose::{name_of, named};
use super::outlook::told;
use crate::model::plan::{Direction, JointChoice, Level, Note, PlacementDecision, Remedy, TableChoice};
use crate::model::profile::{ProfileKind, Profiled};
use crate::model::words::{bytes, counted, list, percent, thousands};
use crate::model::workload::NotUnderstood;
use crate::model::{Bound, Layout, Method, Plan, WorkloadProfile};
use std::collections::BTreeMap;

/// Characters of a line.
const WIDTH: usize = 100;
/// Candidates shown beside the chosen one.
const RUNNERS_UP: usize = 4;
/// Share of the calls understood below which the choice is called a hint. Assumed.
const WELL_UNDERSTOOD: f64 = 0.8;
/// Growth up to which it is worth saying that a shard is full then. Assumed: what takes longer to come is not planned for.
const SOON: f64 = 10.0;
/// Kinds of notes and nodes that have a line of their own.
const GROUPS: usize = 4;

/// The plan in at most 45 lines of 100 characters: the choice with its reason, what it stands on, the count with its
/// bounds, the runners-up, what is not carried over, and what each node takes.
pub fn explain(plan: &Plan) -> String {
    let mut page = Page(Vec::new());
    page.line(0, &heading(plan));
    if let Some(chosen) = plan.candidates.get(plan.chosen) {
        page.part("Because", &chosen.because, 7);
        if let Some(reason) = &chosen.rejected {
            page.part("Advice against it", reason, 2);
        }
        if let Some(lost) = uniqueness(&chosen.evidence.remedies) {
            page.part("Uniqueness", &lost, 3);
        }
        let shown = chosen.evidence.cost_parts.iter().filter(|part| part.1 >= 0.005);
        let parts: Vec<String> = shown.map(|(name, cost)| format!("{name} {cost:.2}")).collect();
        page.part("Cost", &format!("{:.2} = {}", chosen.cost, parts.join(" + ")), 3);
    }
    if let Some(joint) = &plan.joint {
        page.part("Together", &together(joint, &plan.source.schema), 3);
    }
    if let Some(text) = transactions(plan) {
        page.part("Transactions", &text, 1);
    }
    page.part("Stands on", &stands_on(plan), 3);
    if let Some(confidence) = &plan.confidence {
        page.part("Confidence", &format!("{}. {}", level(confidence.level), confidence.because), 2);
        page.part("Would change it", &would_change(plan), 2);
    }
    count(plan, &mut page);
    if let Some(outlook) = &plan.forecast {
        page.part("Forecast", &told(outlook), 5);
    }
    if let Some(next) = &plan.next_split {
        page.part("Next split", &next.because, 3);
    }
    page.part("Values to come", &open_end(&plan.layout), 2);
    runners_up(plan, &mut page);
    page.part("Not carried over", &notes(&plan.notes), 4);
    nodes(plan, &mut page);
    for note in plan.notes.iter().filter(|n| n.kind == Note::CAPACITY) {
        page.part("Too few nodes", &format!("{}; {}.", note.what, note.because), 2);
    }
    page.0.truncate(45);
    page.0.join("\n")
}

fn heading(plan: &Plan) -> String {
    let what = match plan.layout.method {
        Method::None => "do not shard".to_owned(),
        Method::Reference => "reference table, a copy on every foreign node".to_owned(),
        method => format!(
            "{} by {}",
            counted(plan.layout.shards.len() as u64, "shard"),
            named(method, &plan.layout.key, plan.layout.within.as_ref())
        ),
    };
    format!("{}: {what}", plan.target)
}

/// The ways to live with the constraints that do not contain the key, each with what it adds to the cost.
fn uniqueness(remedies: &[Remedy]) -> Option<String> {
    let mut ways: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for remedy in remedies {
        let way = match remedy.way.as_str() {
            "widen" => "with the key added",
            "per_shard" => "within each shard only",
            "lookup table" => "by a look-up table",
            _ => "whole, under another key",
        };
        let cost = remedy.cost.map_or_else(|| "none has it".to_owned(), |c| format!("+{c:.2}"));
        ways.entry(&remedy.constraint).or_default().push(format!("{way} ({cost})"));
    }
    let texts: Vec<String> = ways.iter().map(|(name, ways)| format!("{name} can hold {}", ways.join(", "))).collect();
    (!texts.is_empty()).then(|| texts.join("; ") + ".")
}

/// What stays on one shard with it, and what the choice assumes of the rest.
fn together(joint: &JointChoice, schema: &str) -> String {
    let named = |t: &&TableChoice| match t.key.as_slice() {
        [] => t.table.within(schema),
        key => format!("{} by {}", t.table.within(schema), list(key, 3)),
    };
    let of = |wanted: &dyn Fn(&&TableChoice) -> bool| -> Vec<String> {
        joint.tables.iter().filter(wanted).map(|t| named(&t)).collect()
    };
    let placed = of(&|t| t.together && t.placed);
    let follow = of(&|t| t.together && !t.placed);
    let copied = of(&|t| t.method == Method::Reference);
    let mut parts = Vec::new();
    if !placed.is_empty() {
        parts.push(format!("same shards as {}, here already", list(&placed, 4)));
    }
    if !follow.is_empty() {
        parts.push(format!("leaves room for {} to be cut alike", list(&follow, 5)));
    }
    if !copied.is_empty() {
        parts.push(format!("{} best copied to every node", list(&copied, 4)));
    }
    if parts.is_empty() {
        parts.push("no other table needs to be cut with it".to_owned());
    }
    if joint.left_out > 0 {
        parts.push(format!("{} with the least load not looked at", counted(joint.left_out as u64, "table")));
    }
    if !joint.exact {
        parts.push(format!(
            "the search was not complete: at best {} of the load's cost could still be saved",
            percent((joint.cost - joint.lower_bound) / joint.cost.max(f64::MIN_POSITIVE))
        ));
    }
    parts.join("; ") + "."
}

/// How many of the table's transactions stay on one shard, and how transactions were told.
fn transactions(plan: &Plan) -> Option<String> {
    let shares = plan.candidates.get(plan.chosen)?.evidence.transactions?;
    let how = match plan.transaction_kinds {
        0 => "the log shows no statements that run together".to_owned(),
        n => format!("{} inferred from call counts and foreign keys", counted(n as u64, "kind")),
    };
    let single = percent(shares.all.single);
    Some(format!("{single} stay on one shard ({how})."))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
    }
}

fn would_change(plan: &Plan) -> String {
    let Some(flip) = &plan.flip else {
        return plan.no_flip.clone().unwrap_or_else(|| "Not known.".to_owned());
    };
    let whole = flip.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text: String = whole.chars().take(60).collect();
    if text.len() < whole.len() {
        text.push('…');
    }
    let often = if flip.factor >= 1.0 {
        format!("{:.1} times as often", flip.factor)
    } else {
        format!("{} as often", percent(flip.factor))
    };
    let other = named(flip.method, &flip.key, flip.within.as_ref());
    format!("if statement {} ({text}) ran {often}, {other} would be better.", flip.statement)
}

fn stands_on(plan: &Plan) -> String {
    let coverage = &plan.coverage;
    let profile = match plan.workload {
        WorkloadProfile::Oltp => "transactions (oltp)",
        WorkloadProfile::Olap => "analysis (olap)",
        WorkloadProfile::Mixed => "a mixed load",
    };
    let mut text = plan.basis.trim_end_matches('.').to_owned();
    if coverage.statements > 0 {
        text += &format!(
            "; {} with {} calls",
            counted(coverage.statements, "statement"),
            thousands(coverage.calls.round() as u64)
        );
        let left_out = coverage.not_understood.iter().find(|n| n.reason == NotUnderstood::LEFT_OUT);
        if let Some(left) = left_out {
            let calls = counted(left.calls.round() as u64, "call");
            text += &format!(", {} of them ({calls}) left out by min_calls", thousands(left.statements));
        }
        text += &match left_out.filter(|left| left.statements == coverage.statements) {
            Some(_) => format!(", so that none was read; treated as {profile}"),
            None => format!(
                ", of which {} (and {} of the time) were understood, seen as {profile}",
                percent(coverage.understood_calls),
                percent(coverage.understood_ms)
            ),
        };
        if coverage.understood_calls < WELL_UNDERSTOOD {
            text += "; with so much left out, take the choice as a hint";
        }
    } else {
        text += &format!("; no statements; treated as {profile}");
    }
    let partly = plan.profile.as_ref().filter(|p| matches!(p.kind, ProfileKind::Sample | ProfileKind::Statistics));
    text += &match (plan.rows, plan.text_bytes, partly) {
        (Some(rows), Some(size), Some(Profiled { kind: ProfileKind::Statistics, .. })) => {
            format!("; about {} rows, {} on disk, by the statistics of the table", thousands(rows), bytes(size as f64))
        }
        (Some(rows), Some(size), Some(sample)) => format!(
            "; about {} rows, {} of text by the first {} of them",
            thousands(rows),
            bytes(size as f64),
            percent(sample.share)
        ),
        (Some(rows), Some(size), None) => {
            format!("; {} rows, {} of text profiled", thousands(rows), bytes(size as f64))
        }
        _ => "; the rows were not profiled, so their values are not known".to_owned(),
    };
    text + "."
}

fn count(plan: &Plan, page: &mut Page) {
    let decision = &plan.count;
    let slower = decision.slower.filter(|s| *s >= 0.01).map_or_else(String::new, |slower| {
        format!(" On one server statements take {} longer than on a plain table.", percent(slower))
    });
    let due = decision.lasts_until.filter(|growth| *growth < SOON).map_or_else(String::new, |growth| {
        format!(" The next split is due when it has grown {growth:.1}-fold beyond what is planned for.")
    });
    page.part("Count", &format!("{}. {}{slower}{due}", decision.count, decision.because), 4);
    let bounds: Vec<String> = decision
        .bounds
        .iter()
        .map(|b| {
            let (sign, value) = match b.direction {
                Direction::AtLeast => (">=", b.value.max(1.0).ceil()),
                Direction::AtMost => ("<=", b.value.floor()),
            };
            format!("{} {sign} {}", b.name, thousands(value as u64))
        })
        .collect();
    page.part("Bounds", &bounds.join(", "), 2);
}

/// What becomes of rows above all known values of a range; nothing where no level is one.
fn open_end(layout: &Layout) -> String {
    let bounds = layout.shards.iter().flat_map(|s| [Some(&s.bound), s.within.as_ref()]).flatten();
    let last = bounds.filter_map(|b| match b {
        Bound::Range { from: Some(from), to: None } => Some(from),
        _ => None,
    });
    let ranged = |m: Method| m == Method::Range;
    let key = if ranged(layout.method) {
        Some(&layout.key)
    } else {
        layout.within.as_ref().filter(|w| ranged(w.method)).map(|w| &w.key)
    };
    match key.zip(last.take(1).next()) {
        Some((key, from)) => format!(
            "the last range of {} has no upper end, takes all from {} on, and grows until a new range is split off it.",
            list(key, 6),
            list(from, 6)
        ),
        None => String::new(),
    }
}

fn runners_up(plan: &Plan, page: &mut Page) {
    let others = plan.candidates.iter().enumerate().filter(|(i, _)| *i != plan.chosen);
    let mut first = true;
    for (_, candidate) in others.take(RUNNERS_UP) {
        if first {
            page.line(2, "Instead of");
            first = false;
        }
        let why = match &candidate.rejected {
            Some(reason) => format!("ruled out: {reason}"),
            None => {
                let worst =
                    candidate.evidence.cost_parts.iter().skip(1).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
                let why = worst.map_or_else(
                    || "nothing against it".to_owned(),
                    |(name, cost)| format!("mostly {name} (+{cost:.2})"),
                );
                format!("cost {:.2}: {why}", candidate.cost)
            }
        };
        let count = counted(u64::from(candidate.shard_count), "shard");
        let count = if candidate.method.shards() { format!(", {count}") } else { String::new() };
        page.wrapped(4, &format!("{}{count}, {why}", name_of(candidate)), 2);
    }
}

fn notes(notes: &[Note]) -> String {
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for note in notes.iter().filter(|n| n.kind != Note::CAPACITY) {
        kinds.entry(&note.kind).or_default().push(format!("{} {}", note.object, note.what));
    }
    if kinds.is_empty() {
        return "nothing; all that the backup says of the table is kept.".to_owned();
    }
    let more = kinds.len().saturating_sub(GROUPS);
    let mut groups: Vec<String> =
        kinds.iter().take(GROUPS).map(|(kind, items)| format!("{kind}: {}", list(items, 3))).collect();
    if more > 0 {
        groups.push(counted(more as u64, "more kind"));
    }
    groups.join("; ") + "."
}

fn nodes(plan: &Plan, page: &mut Page) {
    let mut nodes: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    for shard in &plan.layout.shards {
        let node = nodes.entry(&shard.node).or_default();
        *node = (node.0 + 1, node.1 + shard.share);
    }
    let texts: Vec<String> = nodes
        .iter()
        .map(|(name, (shards, share))| {
            format!("{name}: {}, {} of the rows", counted(*shards, "shard"), percent(*share))
        })
        .collect();
    if !texts.is_empty() {
        page.part("Nodes", &texts.join("; "), 4);
    }
    let options: Vec<String> = plan.wrapper.iter().map(|o| format!("{} {}: {}", o.name, o.value, o.because)).collect();
    if !options.is_empty() {
        page.part("Foreign tables", &format!("{}.", options.join("; ")), 4);
    }
    let copied = plan.layout.shards.iter().map(|s| s.copies.len() as u64).max().unwrap_or(0);
    if copied > 0 {
        let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for shard in &plan.layout.shards {
            shard.copies.iter().for_each(|copy| *pairs.entry((&shard.node, copy)).or_default() += 1);
        }
        let pairs: Vec<String> =
            pairs.iter().map(|((of, on), n)| format!("{} of {of} on {on}", counted(*n, "shard"))).collect();
        let text = format!(
            "{} of each shard on a node of another zone, so that none is lost with its node: {}.",
            match copied {
                1 => "a copy".to_owned(),
                n => counted(n, "copy"),
            }
            .replace("copys", "copies"),
            list(&pairs, 12)
        );
        page.part("Copies", &text, 4);
    }
    if let Some(placement) = plan.placement.as_ref().filter(|p| p.nodes.len() > 1) {
        page.part("Balance", &balance(placement), 2);
    }
}

fn balance(placement: &PlacementDecision) -> String {
    let mut text = format!(
        "evenness {:.2}, no placement of these shards comes below {:.2}",
        placement.evenness, placement.lower_bound
    );
    if let Some(near) = placement.near {
        text += &format!("; {} of what applications use is near them", percent(near));
    }
    text += ".";
    // What is declared or measured alike needs no word.
    let mut taking = placement.nodes.iter().map(|n| n.capacity).filter(|c| *c > 0.0);
    let first = taking.next();
    if taking.any(|c| Some(c) != first) {
        text += &format!(" {}", placement.because);
    }
    text
}

struct Page(Vec<String>);

impl Page {
    fn part(&mut self, title: &str, text: &str, lines: usize) {
        if text.is_empty() {
            return;
        }
        self.wrapped(2, &format!("{title}: {text}"), lines);
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.wrapped(indent, text, 2);
    }

    /// Wrapped at blanks, further lines two deeper; what does not fit into `lines` ends in an ellipsis.
    fn wrapped(&mut self, indent: usize, text: &str, lines: usize) {
        let mut out: Vec<String> = Vec::new();
        let mut line = " ".repeat(indent);
        let mut empty = true;
        for word in text.split_whitespace() {
            // A name may be longer than a line.
            let word: String = word.chars().take(WIDTH - indent - 4).collect();
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                out.push(std::mem::replace(&mut line, " ".repeat(indent + 2)));
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(&word);
            empty = false;
        }
        out.push(line);
        if out.len() > lines {
            out.truncate(lines);
            if let Some(last) = out.last_mut() {
                let kept: String = last.chars().take(WIDTH - 2).collect();
                *last = format!("{} …", kept.trim_end());
            }
        }
        self.0.append(&mut out);
    }
}
