//! What becomes of the log's transactions under a design: how many stay on one shard.
//!
//! A transaction stays on one shard when all its statements on cut tables find their rows by one value of the key, in
//! tables cut alike; of two levels the one that spreads the rows counts, since its parts stay together on one node. Two
//! statements of one transaction that fix columns of one family are taken to fix them to the same value; the values of a
//! loop are on one shard only by chance, and what is found by different keys is not. Foreign keys count: to check one, the
//! server looks the referenced row up. [`Traffic`] prepares once what does not
//! depend on the design, and what depends on the choice of one table only.

mod visits;

use super::PlanInput;
use super::apart::Apart;
use super::joint::{Joint, Variable};
use crate::key::{Context, Subject};
use crate::model::TableName;
use crate::model::plan::{Fanout, TransactionShares};
use crate::model::schema::ForeignKey;
use crate::model::words::round4;
use crate::model::workload::{StatementUse, TableUse};
use std::collections::BTreeMap;
use visits::{Meaning, Visit, checked, rows_inserted};

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

/// The log's transactions on the tables of the whole schema.
#[derive(Debug, Clone)]
pub(super) struct Traffic<'j, 'a> {
    context: &'j Context<'a>,
    /// Those of the design, then those beyond it with their one value.
    variables: Vec<Variable<'a>>,
    kinds: Vec<Kind>,
}

impl<'j, 'a> Traffic<'j, 'a> {
    pub(super) fn new(context: &'j Context<'a>, joint: &'j Joint<'a>, input: &PlanInput<'_>) -> Self {
        let all: Vec<Variable<'a>> = joint.variables.iter().chain(&joint.beyond).cloned().collect();
        let variables: BTreeMap<&TableName, usize> = all.iter().enumerate().map(|(at, v)| (v.table, at)).collect();
        let statements: BTreeMap<i64, &StatementUse> = input.workload.statements.iter().map(|s| (s.id, s)).collect();
        let subjects: Vec<Option<Subject<'_>>> = all
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
                let of_use = |found: &TableUse| {
                    let at = *variables.get(&found.table)?;
                    let variable = all.get(at)?;
                    let subject = subjects.get(at)?.as_ref()?;
                    let times = *times * rows_inserted(statement, found);
                    Some(Use { variable: at, visits: meaning.visits(subject, variable, (statement, found), times) })
                };
                let of_check = |(found, key): (&TableUse, &ForeignKey)| {
                    let at = *variables.get(&key.references)?;
                    let times = *times * rows_inserted(statement, found);
                    Some(Use { variable: at, visits: meaning.checks(context, all.get(at)?, key, times) })
                };
                let uses = statement.tables.iter().filter_map(of_use);
                let checks = statement.tables.iter().flat_map(|found| checked(context, found)).filter_map(of_check);
                Step { times: times.min(1.0), uses: uses.chain(checks).collect() }
            };
            let steps: Vec<Step> = members.iter().map(step).filter(|s| !s.uses.is_empty()).collect();
            if !steps.is_empty() {
                let writes = members.iter().any(|(s, _)| s.tables.iter().any(|u| u.written));
                let apart = Apart::of(context, &variables, &input.workload.same_values, &members);
                kinds.push(Kind { calls: transaction.calls, writes, steps, apart });
            }
        }
        Self { context, variables: all, kinds }
    }

    /// Of the transactions that use the target, the first of the variables, and of all; None where there are none.
    pub(super) fn shares(&self, design: &[usize]) -> (Option<TransactionShares>, Option<TransactionShares>) {
        let mut design = design.to_vec();
        design.resize(self.variables.len(), 0);
        let mut sums = [Sums::default(), Sums::default()];
        for kind in &self.kinds {
            let meet = Apart::together(&kind.apart, self.context, &self.variables, &design);
            let fanout = kind.fanout(&design, meet);
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
    /// Probability that all of them are on one shard, and that there are none unless they are the first: shards of tables
    /// that are not cut alike are different ones.
    fn together(self, first: bool) -> f64 {
        let meets = if first { 1.0 } else { 1.0 - self.share };
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
