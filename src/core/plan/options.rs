//! What each table may choose: every key with its ways to cut it, a copy everywhere, one plain table.
//!
//! The target's options come with count, skew and reasons. The other tables' rows were not read, so they are given what
//! agrees with the target: a table of the key's family may follow the target's layout, or one that is already placed, or
//! go by hash with the count that the nodes ask for.

use super::joint::{MOST_TABLES, Value, Variable};
use super::levels::{self, World};
use super::{PlacedTable, PlanInput};
use crate::count::{
    CoLocated, Costing, Demand, KeyLimits, STATEMENT_MS, VISIT_MS, balanced, decide, demand_bounds, family_bound,
    key_bounds, needed, unsharded,
};
use crate::key::{
    Context, Cut, Cutting, HashShares, KeyValues, Level, Place, Setting, Subject, all_keys, assess, assess_unsharded,
    candidates, is_closed, is_shared, methods, skew, split, work,
};
use crate::model::plan::CountDecision;
use crate::model::{Bound, Candidate, Config, KeyColumns, Layout, Method, Table, TableName};
use std::collections::BTreeMap;

/// Which keys are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breadth {
    /// Those that the log or the definition speaks for.
    Candidates,
    /// Every column and every pair of columns: for proofs.
    All,
}

/// A candidate of the target with the decision on its count.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    pub(super) candidate: Candidate,
    pub(super) count: CountDecision,
    /// The placed table whose bounds it copies.
    pub(super) like: Option<usize>,
    /// Tables of its family agree on these bounds.
    pub(super) agreed: bool,
}

/// The family of each column of a key.
type Meaning = Vec<Option<usize>>;

/// A way of cutting that tables of a family can follow: what the key means, how it is cut, and the placed table whose
/// bounds are copied.
type Followed = (Meaning, Cut, Option<usize>);

/// Layouts that tables can have in common, numbered as they are met.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    known: Vec<(Meaning, Method, u32, Option<usize>)>,
    /// For each placed table the first one with its bounds and nodes; None where it is a plain hash, for which equal counts
    /// are all that two tables need to agree.
    alike: Vec<Option<usize>>,
}

/// `cut` numbers of hash layouts are their counts; those of others follow from here.
const OTHER_CUTS: usize = 1 << 32;

impl Layouts {
    fn new(placed: &[PlacedTable]) -> Self {
        let plain = |layout: &Layout| {
            let count = u32::try_from(layout.shards.len()).unwrap_or(u32::MAX);
            layout.shards.iter().all(|s| matches!(s.bound, Bound::Hash { modulus, .. } if modulus == count))
        };
        let cut = |layout: &'_ Layout| -> Vec<(Bound, String)> {
            layout.shards.iter().map(|s| (s.bound.clone(), s.node.clone())).collect()
        };
        let first = |p: &PlacedTable| placed.iter().position(|other| cut(&other.layout) == cut(&p.layout));
        let alike = placed.iter().map(|p| if plain(&p.layout) { None } else { first(p) }).collect();
        Self { known: Vec::new(), alike }
    }

    fn number(&mut self, families: Meaning, method: Method, count: u32, like: Option<usize>) -> usize {
        let like = like.and_then(|at| self.alike.get(at).copied().flatten());
        let wanted = (families, method, count, like);
        self.known.iter().position(|k| *k == wanted).unwrap_or_else(|| {
            self.known.push(wanted);
            self.known.len() - 1
        })
    }

    fn place(&self, key: &KeyColumns, layout: usize) -> Place {
        let cut = match self.known.get(layout) {
            Some((_, Method::Hash, count, None)) => *count as usize,
            _ => OTHER_CUTS + layout,
        };
        Place::Cut { key: key.clone(), layout, cut }
    }
}

/// The target's options, each with its count.
pub(super) fn of_target(
    subject: &Subject<'_>,
    input: &PlanInput<'_>,
    demand: &Demand,
    beside: &BTreeMap<KeyColumns, CoLocated>,
    exact: &HashShares<'_>,
    breadth: Breadth,
) -> Vec<Scored> {
    let config = input.config;
    let bounds = demand_bounds(demand);
    let setting = setting(demand, config, exact);
    let insist = is_forced(config) || config.shard_count.is_some_and(|n| n > 1);
    let mut keys = if breadth == Breadth::All { all_keys(subject) } else { candidates(subject, insist) };
    if let Some(forced) = config.shard_key.as_ref().map(|k| KeyColumns::from_iter(k.iter().cloned()))
        && !keys.contains(&forced)
    {
        keys.push(forced);
    }
    let mut out: Vec<Scored> = Vec::new();
    for key in &keys {
        input.interrupts.check();
        let mut ways = methods(subject, key);
        if let Some(asked) = config.method.filter(|m| m.shards() && !ways.contains(m) && is_possible(subject, key, *m))
        {
            ways.push(asked);
        }
        for method in ways.into_iter().filter(|method| makes(subject, key, *method, config.shard_count)) {
            let limits = limits_of(subject, key, method);
            let family = beside.get(key).and_then(|other| family_bound(demand, other));
            let all = bounds.iter().cloned().chain(family).chain(key_bounds(&limits)).collect();
            let agreed = agrees(subject, key, method);
            let uneven = |count: u32| match limits.distinct.filter(|_| agreed && method != Method::Hash) {
                // Numbers of rows differ between the tables of a family; its values do not.
                Some(distinct) => {
                    Some(distinct.div_ceil(u64::from(count.max(1))) as f64 * f64::from(count) / distinct.max(1) as f64)
                }
                None => skew(subject, key, method, count, exact),
            };
            let work_at = |count: u32| work(subject, &[Level { key, method, count }]);
            let costing = Costing { demand, work_at: &work_at, skew_at: &uneven, each: 1 };
            let mut count = decide(all, method, config.shard_count, &costing);
            // A list that was asked for has at least a shard for its values and one for all others.
            if method == Method::List && is_forced(config) {
                count.count = count.count.max(2);
            }
            let cut = Cut { method, count: count.count, skew: skew(subject, key, method, count.count, exact) };
            out.push(Scored {
                candidate: assess(subject, &Cutting::of(key, cut), &setting),
                count,
                like: None,
                agreed,
            });
        }
        let copies = input.placed.iter().enumerate().filter_map(|(at, placed)| {
            copy_of(subject, key, input, (at, placed), &setting).filter(|_| config.shard_count.is_none())
        });
        // A placed layout takes the place of an own one that is the same.
        for copy in copies {
            let same = |s: &Scored| {
                s.candidate.key == *key
                    && s.candidate.method == copy.candidate.method
                    && s.candidate.method == Method::Hash
                    && s.candidate.shard_count == copy.candidate.shard_count
            };
            out.retain(|s| !same(s));
            out.push(copy);
        }
    }
    let world = World { subject, input, bounds: &bounds, beside, demand, setting: &setting, exact };
    out.extend(levels::of_target(&world));
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
        out.push(Scored { candidate, count: unsharded(bounds.clone(), demand.spreads), like: None, agreed: false });
    }
    out
}

/// The key cut as a placed table of its family is cut, bounds and all.
fn copy_of(
    subject: &Subject<'_>,
    key: &KeyColumns,
    input: &PlanInput<'_>,
    (at, placed): (usize, &PlacedTable),
    setting: &Setting<'_>,
) -> Option<Scored> {
    let layout = &placed.layout;
    let families = families_of(subject.context, &subject.table.name, key);
    let alike = families == families_of(subject.context, &placed.table, &layout.key);
    let own = placed.table == input.source || !layout.method.shards() || layout.shards.is_empty();
    if own || !alike || families.iter().any(Option::is_none) || !methods_allow(subject, key, layout.method) {
        return None;
    }
    let count = u32::try_from(layout.shards.len()).ok()?;
    // A hash that was split unevenly is still agreed on, but no longer one modulus.
    let skew = match layout.method {
        Method::Hash => skew(subject, key, Method::Hash, count, setting.exact),
        _ => {
            let [one] = key.as_slice() else { return None };
            let bounds: Vec<&Bound> = layout.shards.iter().map(|s| &s.bound).collect();
            let type_name = subject.table.column(one).map(|c| c.type_name.as_str())?;
            let profile = subject.profile.and_then(|p| p.column(one).map(|c| (c, p.rows)));
            profile
                .and_then(|(column, rows)| split::shares(&bounds, column, rows, type_name))
                .map(|shares| shares.iter().copied().fold(0.0, f64::max) * f64::from(count))
        }
    };
    let cut = Cut { method: layout.method, count, skew };
    let candidate = assess(subject, &Cutting::of(key, cut), setting);
    let because = format!("{} is cut this way already, and rows that belong together stay together.", placed.table);
    let decided_by = format!("as {}", placed.table);
    let count = CountDecision { count, bounds: Vec::new(), decided_by, because, lasts_until: None, slower: None };
    Some(Scored { candidate, count, like: Some(at), agreed: true })
}

/// The type has what PostgreSQL needs for the method.
fn methods_allow(subject: &Subject<'_>, key: &[String], method: Method) -> bool {
    key.iter().all(|c| {
        subject
            .table
            .column(c)
            .is_some_and(|c| !c.generated && if method == Method::Hash { c.hashable } else { c.orderable })
    }) && (method == Method::Hash || key.len() == 1)
}

pub(super) fn families_of(context: &Context<'_>, table: &TableName, key: &[String]) -> Meaning {
    key.iter().map(|c| context.families.of(table, c)).collect()
}

/// All tables with their choices, the target first.
pub(super) fn variables<'a>(
    target: &Subject<'a>,
    options: &[Scored],
    input: &PlanInput<'_>,
    demand: &Demand,
    exact: &HashShares<'_>,
    breadth: Breadth,
) -> Vec<Variable<'a>> {
    let context = target.context;
    let mut layouts = Layouts::new(input.placed);
    let values = options
        .iter()
        .map(|option| {
            let candidate = &option.candidate;
            let place = match candidate.method {
                Method::None => Place::Here,
                Method::Reference => Place::Everywhere,
                _ => {
                    let cutting = Cutting::from(candidate);
                    let spread = cutting.spread();
                    let families = families_of(context, &target.table.name, spread.key);
                    let layout = layouts.number(families, spread.method, spread.count, option.like);
                    layouts.place(&spread.key.iter().cloned().collect(), layout)
                }
            };
            value(target, candidate, place)
        })
        .collect();
    let agreed: Vec<Followed> = options
        .iter()
        .filter(|o| o.agreed)
        .map(|o| {
            let cutting = Cutting::from(&o.candidate);
            let Level { key, method, count } = cutting.spread();
            (families_of(context, &target.table.name, key), Cut { method, count, skew: cutting.cut.skew }, o.like)
        })
        .collect();
    let mut out = vec![Variable::of(target, values)];
    let heaviest = context.heaviest(MOST_TABLES);
    let is_placed = |t: &TableName| input.placed.iter().any(|p| p.table == *t);
    let matters = |t: &&Table| t.name != target.table.name && (heaviest.contains(&t.name) || is_placed(&t.name));
    for table in context.schema.tables.iter().filter(matters) {
        input.interrupts.check();
        let subject = Subject::new(table, context, None);
        let placed = input.placed.iter().enumerate().find(|(_, p)| p.table == table.name && p.table != input.source);
        let values = match placed {
            Some((at, placed)) => vec![fixed(&subject, at, placed, &mut layouts)],
            None => follower(&subject, &agreed, input, demand, exact, breadth, &mut layouts),
        };
        out.push(Variable::of(&subject, values));
    }
    out
}

fn value(subject: &Subject<'_>, candidate: &Candidate, place: Place) -> Value {
    // Of two levels the one that spreads the rows: it is what other tables and transactions see.
    let cutting = Cutting::from(candidate);
    let Level { key, method, count } = cutting.spread();
    let homed = if key.is_empty() { 0.0 } else { subject.context.homed(&subject.table.name, key) };
    Value { method, key: key.iter().cloned().collect(), place, count, own: candidate.cost, homed }
}

/// A table that is already placed: its layout is what it is.
fn fixed(subject: &Subject<'_>, at: usize, placed: &PlacedTable, layouts: &mut Layouts) -> Value {
    let layout = &placed.layout;
    let place = match layout.method {
        Method::None => Place::Here,
        Method::Reference => Place::Everywhere,
        method => {
            let families = families_of(subject.context, &placed.table, &layout.key);
            let count = u32::try_from(layout.shards.len()).unwrap_or(u32::MAX);
            let number = layouts.number(families, method, count, Some(at));
            layouts.place(&layout.key, number)
        }
    };
    let homed = if layout.key.is_empty() { 0.0 } else { subject.context.homed(&placed.table, &layout.key) };
    let count = u32::try_from(layout.shards.len()).unwrap_or(u32::MAX).max(1);
    Value { method: layout.method, key: layout.key.clone(), place, count, own: 0.0, homed }
}

/// The choices of a table whose rows were not read.
fn follower(
    subject: &Subject<'_>,
    agreed: &[Followed],
    input: &PlanInput<'_>,
    demand: &Demand,
    exact: &HashShares<'_>,
    breadth: Breadth,
    layouts: &mut Layouts,
) -> Vec<Value> {
    let context = subject.context;
    let own = Demand {
        rows: subject_rows(subject, input),
        text_bytes: context.bytes(&subject.table.name).map(|b| b as u64),
        throughput: None,
        concurrency: None,
        indexes: subject.table.unique_keys.len(),
        ..*demand
    };
    let setting = setting(&own, input.config, exact);
    let usual = setting.needed.max(setting.balanced).checked_next_power_of_two().unwrap_or(setting.balanced);
    let keys = if breadth == Breadth::All { all_keys(subject) } else { candidates(subject, false) };
    let mut out = Vec::new();
    for key in keys {
        let families = families_of(context, &subject.table.name, &key);
        let mut cuts: Vec<(Cut, Option<usize>)> =
            agreed.iter().filter(|a| a.0 == families).map(|a| (a.1, a.2)).collect();
        for (at, placed) in input.placed.iter().enumerate().filter(|(_, p)| p.table != input.source) {
            if placed.layout.method.shards()
                && !cuts.iter().any(|c| c.1 == Some(at))
                && families_of(context, &placed.table, &placed.layout.key) == families
            {
                let count = u32::try_from(placed.layout.shards.len()).unwrap_or(u32::MAX);
                cuts.push((Cut { method: placed.layout.method, count, skew: None }, Some(at)));
            }
        }
        if !cuts.iter().any(|c| c.0.method == Method::Hash) {
            cuts.push((Cut { method: Method::Hash, count: usual, skew: None }, None));
        }
        for (cut, like) in cuts {
            let candidate = assess(subject, &Cutting::of(&key, cut), &setting);
            if !methods_allow(subject, &key, cut.method) || candidate.rejected.is_some() {
                continue;
            }
            let layout = layouts.number(families.clone(), cut.method, cut.count, like);
            out.push(value(subject, &candidate, layouts.place(&key, layout)));
        }
    }
    // Of equally good columns of one family the one nearer to its root, as for the target.
    let depth = |v: &Value| -> usize { v.key.iter().map(|c| context.families.depth(&subject.table.name, c)).sum() };
    out.sort_by_key(|v| (v.key.len(), depth(v)));
    for (method, place) in [(Method::None, Place::Here), (Method::Reference, Place::Everywhere)] {
        let candidate = assess_unsharded(subject, method, &setting);
        if candidate.rejected.is_none() {
            out.push(value(subject, &candidate, place));
        }
    }
    out
}

fn subject_rows(subject: &Subject<'_>, input: &PlanInput<'_>) -> Option<u64> {
    input.sizes.get(&subject.table.name).and_then(|s| s.rows).or_else(|| {
        // Rows are needed only for their headers; a guess of a hundred bytes a row is good enough for that.
        subject.context.bytes(&subject.table.name).map(|b| (b / 100.0) as u64)
    })
}

fn setting<'a>(demand: &Demand, config: &Config, exact: &'a HashShares<'a>) -> Setting<'a> {
    let bounds = demand_bounds(demand);
    Setting {
        unique: config.unique,
        needed: needed(&bounds),
        balanced: balanced(&bounds),
        nodes: demand.nodes,
        one_node: (!demand.spreads).then_some((VISIT_MS, STATEMENT_MS)),
        growth: demand.growth,
        exact,
    }
}

pub(super) fn is_forced(config: &Config) -> bool {
    config.shard_key.is_some() || config.method.is_some() || config.within.is_some()
}

/// What a key allows by a method.
pub(super) fn limits_of(subject: &Subject<'_>, key: &[String], method: Method) -> KeyLimits {
    let values = KeyValues::of(subject, key);
    let pieces = pieces(subject, key, method);
    let retired = matches!(key, [one] if subject.is_retired_by(one));
    KeyLimits { method, distinct: values.distinct, hottest: values.largest_group(), pieces, retired }
}

/// Tables of the key's family would be cut by the same bounds.
pub(super) fn agrees(subject: &Subject<'_>, key: &[String], method: Method) -> bool {
    is_shared(subject, key) && (method == Method::Hash || is_closed(subject, key))
}

/// As many shards as the config asks for can be made.
pub(super) fn makes(subject: &Subject<'_>, key: &[String], method: Method, count: Option<u32>) -> bool {
    let Some(count) = count.filter(|_| method != Method::Hash) else { return true };
    pieces(subject, key, method).is_some_and(|most| count <= most) && (method == Method::Range || count > 1)
}

/// The method could cut the key if asked to, though the planner would not think of it.
pub(super) fn is_possible(subject: &Subject<'_>, key: &[String], method: Method) -> bool {
    method != Method::Hash && pieces(subject, key, method).is_some()
}

pub(super) fn pieces(subject: &Subject<'_>, key: &[String], method: Method) -> Option<u32> {
    let [one] = key else { return None };
    let column = subject.table.column(one).filter(|c| c.orderable && !c.generated)?;
    let profile = subject.profile?.column(one)?;
    if method == Method::Range && profile.nulls > 0 {
        return None;
    }
    split::pieces(method, profile, &column.type_name)
}
