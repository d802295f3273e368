//! What becomes of the log's transactions under a design: how many stay on one shard.
//!
//! A transaction stays on one shard when all its statements on cut tables find their rows by one value of the key, in
//! tables cut alike. Two statements of one transaction that fix columns of one family are taken to fix them to the same
//! value; different keys, and the values of a loop, are on one shard only by chance. [`Traffic`] prepares once what does not
//! depend on the design, and what depends on the choice of one table only.

use super::PlanInput;
use super::apart::Apart;
use super::joint::{Joint, Variable};
use crate::key::{Context, Level, Place, Reach, Subject, moves, reach, runs};
use crate::model::TableName;
use crate::model::plan::{Fanout, TransactionShares};
use crate::model::words::round4;
use crate::model::workload::{StatementUse, TableUse};
use std::collections::{BTreeMap, BTreeSet};

/// Runs per transaction up to which a statement is not a loop: a log that was read at work counts a little more of some.
const ONCE: f64 = 1.05;

/// What one statement of a transaction does to one table under one choice of that table.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Visit {
    /// No shard.
    Nothing,
    /// One plain table's place.
    Here,
    /// Every shard, or every copy.
    All,
    Shards {
        layout: usize,
        count: f64,
        /// Probability of every shard by its own condition, and, of the other runs, of more than one.
        scattered: f64,
        several: f64,
        /// Values of the key beyond the first that a loop brings.
        further: f64,
    },
}

impl Visit {
    /// Probability of every shard.
    fn scattered(self) -> f64 {
        match self {
            Self::All => 1.0,
            Self::Shards { scattered, .. } => scattered,
            Self::Nothing | Self::Here => 0.0,
        }
    }
}

/// A use of a table by a statement; one visit for each choice of the table.
#[derive(Debug, Clone)]
struct Use {
    variable: usize,
    visits: Vec<Visit>,
}

#[derive(Debug, Clone)]
struct Step {
    times: f64,
    uses: Vec<Use>,
}

#[derive(Debug, Clone)]
struct Kind {
    calls: f64,
    writes: bool,
    steps: Vec<Step>,
    apart: Vec<Apart>,
}

/// The transactions that use a table of the design.
#[derive(Debug, Clone)]
pub(super) struct Traffic<'j, 'a> {
    context: &'j Context<'a>,
    joint: &'j Joint<'a>,
    kinds: Vec<Kind>,
}

impl<'j, 'a> Traffic<'j, 'a> {
    pub(super) fn new(context: &'j Context<'a>, joint: &'j Joint<'a>, input: &PlanInput<'_>) -> Self {
        let variables: BTreeMap<&TableName, usize> =
            joint.variables.iter().enumerate().map(|(at, v)| (v.table, at)).collect();
        let statements: BTreeMap<i64, &StatementUse> = input.workload.statements.iter().map(|s| (s.id, s)).collect();
        let subjects: Vec<Option<Subject<'_>>> = joint
            .variables
            .iter()
            .map(|v| {
                let profile = input.profile.filter(|_| *v.table == input.source);
                context.schema.get(v.table).map(|table| Subject::new(table, context, profile))
            })
            .collect();
        let mut kinds = Vec::new();
        for transaction in &input.workload.transactions {
            let members: Vec<(&StatementUse, f64)> =
                transaction.statements.iter().filter_map(|e| Some((*statements.get(&e.id)?, e.times))).collect();
            let meaning = Meaning::of(context, &members);
            let step = |(statement, times): &(&StatementUse, f64)| {
                let uses = statement.tables.iter().filter_map(|found| {
                    let at = *variables.get(&found.table)?;
                    let variable = joint.variables.get(at)?;
                    let subject = subjects.get(at)?.as_ref()?;
                    let times = *times * rows_inserted(statement, found);
                    Some(Use { variable: at, visits: meaning.visits(subject, variable, (statement, found), times) })
                });
                Step { times: times.min(1.0), uses: uses.collect() }
            };
            let steps: Vec<Step> = members.iter().map(step).filter(|s| !s.uses.is_empty()).collect();
            if !steps.is_empty() {
                let writes = members.iter().any(|(s, _)| s.tables.iter().any(|u| u.written));
                let apart = Apart::of(context, &variables, &input.workload.same_values, &members);
                kinds.push(Kind { calls: transaction.calls, writes, steps, apart });
            }
        }
        Self { context, joint, kinds }
    }

    /// Of the transactions that use the target, the first of the variables, and of all; None where there are none.
    pub(super) fn shares(&self, design: &[usize]) -> (Option<TransactionShares>, Option<TransactionShares>) {
        let mut sums = [Sums::default(), Sums::default()];
        for kind in &self.kinds {
            let meet = Apart::together(&kind.apart, self.context, &self.joint.variables, design);
            let fanout = kind.fanout(design, meet);
            let [target, all] = &mut sums;
            if kind.steps.iter().any(|s| s.uses.iter().any(|u| u.variable == 0)) {
                target.add(kind, fanout);
            }
            all.add(kind, fanout);
        }
        let [target, all] = sums.map(Sums::shares);
        (target, all)
    }
}

/// Rows that one run inserts.
fn rows_inserted(statement: &StatementUse, found: &TableUse) -> f64 {
    if found.inserted && statement.calls > 0.0 { (statement.rows / statement.calls).max(1.0) } else { 1.0 }
}

/// What the statements of a transaction say of its values: families that it fixes once, and those that its loops vary.
struct Meaning {
    fixed: BTreeSet<usize>,
    varied: BTreeSet<usize>,
    /// By any statement but an INSERT.
    pinned: BTreeSet<usize>,
}

impl Meaning {
    fn of(context: &Context<'_>, members: &[(&StatementUse, f64)]) -> Self {
        let family = |found: &TableUse, column: &str| context.families.of(&found.table, column);
        let mut meaning = Self { fixed: BTreeSet::new(), varied: BTreeSet::new(), pinned: BTreeSet::new() };
        let mut pinning: BTreeMap<usize, usize> = BTreeMap::new();
        let uses = || members.iter().flat_map(|(s, times)| s.tables.iter().map(move |u| (*s, u, *times)));
        for (statement, found, times) in uses() {
            let once = times * rows_inserted(statement, found) <= ONCE;
            let columns: Vec<&str> = match context.schema.get(&found.table).filter(|_| found.inserted) {
                Some(table) => table.columns.iter().map(|c| c.name.as_str()).collect(),
                None => found.pinned.iter().map(String::as_str).collect(),
            };
            let families: BTreeSet<usize> = columns.iter().filter_map(|c| family(found, c)).collect();
            for f in families {
                if once {
                    meaning.fixed.insert(f);
                }
                if !found.inserted {
                    meaning.pinned.insert(f);
                    *pinning.entry(f).or_default() += 1;
                }
            }
        }
        for (_, found, _) in uses().filter(|(_, u, times)| !u.inserted && *times > ONCE) {
            meaning.varied.extend(meaning.least(context, found, &pinning));
        }
        meaning
    }

    /// What a loop over a statement varies: of the columns that it fixes the one that matters least to the transaction, and
    /// then to the load.
    fn least(&self, context: &Context<'_>, found: &TableUse, pinning: &BTreeMap<usize, usize>) -> Option<usize> {
        let families: BTreeSet<usize> =
            found.pinned.iter().filter_map(|c| context.families.of(&found.table, c)).collect();
        let rank = |f: &usize| (self.fixed.contains(f), pinning.get(f).copied().unwrap_or(0));
        families
            .into_iter()
            .min_by(|a, b| rank(a).cmp(&rank(b)).then(context.home(*a).total_cmp(&context.home(*b))).then(b.cmp(a)))
    }

    fn visits(
        &self,
        subject: &Subject<'_>,
        variable: &Variable<'_>,
        (statement, found): (&StatementUse, &TableUse),
        times: f64,
    ) -> Vec<Visit> {
        let of = |value: &super::joint::Value| match &value.place {
            Place::Here if found.written => Visit::Here,
            Place::Everywhere if found.written => Visit::All,
            Place::Here | Place::Everywhere => Visit::Nothing,
            Place::Cut { key, layout, .. } => {
                let count = f64::from(value.count.max(1));
                let one = found.inserted || reach(found, key, value.method) == Reach::Single;
                let moved = moves(subject, found, key);
                let level = Level { key, method: value.method, count: value.count };
                let (scattered, several) = match () {
                    () if value.count <= 1 => (0.0, 0.0),
                    () if one && moved => (0.0, 1.0 - 1.0 / count),
                    () if one => (0.0, 0.0),
                    () => {
                        let runs = runs(subject, statement, found, level);
                        let few = runs.single + runs.multi;
                        (runs.scatter, if few > 0.0 { runs.multi / few } else { 0.0 })
                    }
                };
                let further = if one { self.further(subject.context, found, key, times) } else { 0.0 };
                Visit::Shards { layout: *layout, count, scattered, several, further }
            }
        };
        variable.values.iter().map(of).collect()
    }

    fn further(&self, context: &Context<'_>, found: &TableUse, key: &[String], times: f64) -> f64 {
        if times <= ONCE {
            return 0.0;
        }
        let families: BTreeSet<usize> = key.iter().filter_map(|c| context.families.of(&found.table, c)).collect();
        let nothing_else = !found.inserted && found.pinned.iter().all(|c| key.contains(c));
        let varies = if nothing_else {
            true
        } else if families.is_subset(&self.fixed) {
            false
        } else if found.inserted {
            !families.is_disjoint(&self.varied) || !families.is_subset(&self.pinned)
        } else {
            !families.is_disjoint(&self.varied)
        };
        if varies { times - 1.0 } else { 0.0 }
    }
}

impl Kind {
    /// `meet`: probability that the values which its rows show to be different are on one shard.
    fn fanout(&self, design: &[usize], meet: f64) -> Fanout {
        let visit = |u: &Use| design.get(u.variable).and_then(|v| u.visits.get(*v)).copied().unwrap_or(Visit::Nothing);
        // Statements that scatter; what is looked up in other ways, on the same table, is so in the other transactions.
        let mut contained = 1.0;
        let mut of_table: BTreeMap<usize, f64> = BTreeMap::new();
        for step in &self.steps {
            let mut scattered: BTreeMap<usize, f64> = BTreeMap::new();
            for found in &step.uses {
                let most = scattered.entry(found.variable).or_default();
                *most = most.max(visit(found).scattered());
            }
            contained *= 1.0 - step.times * scattered.values().copied().fold(0.0, f64::max);
            for (table, share) in scattered {
                *of_table.entry(table).or_insert(1.0) *= 1.0 - step.times * share;
            }
        }
        let mut one = meet;
        let mut here: f64 = 0.0;
        let mut layouts: BTreeMap<usize, Values> = BTreeMap::new();
        for step in &self.steps {
            let mut worst: f64 = 0.0;
            for found in &step.uses {
                match visit(found) {
                    everywhere if everywhere.scattered() >= 1.0 => {}
                    Visit::Nothing | Visit::All => {}
                    Visit::Here => here = here.max(step.times),
                    Visit::Shards { layout, count, several, further, .. } => {
                        worst = worst.max(several);
                        let rest = of_table.get(&found.variable).copied().unwrap_or(1.0);
                        let further = if further > 0.0 && rest > 0.0 { (further + 1.0) / rest - 1.0 } else { 0.0 };
                        let values = layouts.entry(layout).or_insert(Values { count, share: 0.0, further: 0.0 });
                        values.share = values.share.max(step.times);
                        values.further = values.further.max(further);
                    }
                }
            }
            one *= 1.0 - step.times * worst;
        }
        if !layouts.is_empty() {
            one *= 1.0 - here;
        }
        let base = layouts.iter().max_by(|a, b| a.1.share.total_cmp(&b.1.share).then(b.0.cmp(a.0))).map(|(l, _)| *l);
        for (layout, values) in &layouts {
            one *= values.together(Some(*layout) == base);
        }
        Fanout { single: contained * one, multi: contained * (1.0 - one), scatter: 1.0 - contained }
    }
}

/// The values of one layout's key in a transaction.
#[derive(Debug, Clone, Copy)]
struct Values {
    count: f64,
    /// Of the transactions that have any.
    share: f64,
    further: f64,
}

impl Values {
    /// Probability that all of them are on one shard, and on that of the others unless they are the first.
    fn together(self, first: bool) -> f64 {
        let meets = if first { 1.0 } else { 1.0 - self.share + self.share / self.count };
        let (whole, part) = (self.further.floor(), self.further.fract());
        meets * self.count.powf(-whole) * (1.0 - part + part / self.count)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    reads: (f64, Fanout),
    writes: (f64, Fanout),
}

impl Sums {
    fn add(&mut self, kind: &Kind, fanout: Fanout) {
        let (calls, sum) = if kind.writes { &mut self.writes } else { &mut self.reads };
        *calls += kind.calls;
        sum.single += kind.calls * fanout.single;
        sum.multi += kind.calls * fanout.multi;
        sum.scatter += kind.calls * fanout.scatter;
    }

    fn shares(self) -> Option<TransactionShares> {
        let share = |(calls, sum): (f64, Fanout)| {
            let of = |x: f64| if calls > 0.0 { round4(x / calls) } else { 0.0 };
            let single = of(sum.single);
            // Both may have been rounded up.
            let scatter = of(sum.scatter).min(round4(1.0 - single));
            let multi = if calls > 0.0 { round4(1.0 - single - scatter) } else { 0.0 };
            Fanout { single, multi, scatter }
        };
        let ((read_calls, r), (write_calls, w)) = (self.reads, self.writes);
        let both = Fanout { single: r.single + w.single, multi: r.multi + w.multi, scatter: r.scatter + w.scatter };
        (read_calls + write_calls > 0.0).then(|| TransactionShares {
            reads: share(self.reads),
            writes: share(self.writes),
            all: share((read_calls + write_calls, both)),
            read_calls: round4(read_calls),
            write_calls: round4(write_calls),
        })
    }
}
