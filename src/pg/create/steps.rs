//! The order of the work: what comes before the rows, what after, and checks and indexes, which may come before or after.

use super::{Blueprint, Carried};
use crate::pg::definition::{Part, PartKind};
use foreshard_core::model::layout::Part as Inner;
use foreshard_core::model::{Bound, Shard};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The empty table.
    BeforeLoad,
    /// What rows must meet: on their way in, or when they are there.
    Checks,
    /// Indexes and keys: of empty tables, to be filled with the rows, or of full ones.
    Indexes,
    /// References; then what must not fire or be seen while loading.
    AfterLoad,
}

impl Phase {
    /// In the order in which an empty table is built.
    pub const ALL: [Self; 4] = [Self::BeforeLoad, Self::Checks, Self::Indexes, Self::AfterLoad];
}

/// What a statement is applied to.
#[derive(Debug, Clone, Copy)]
pub enum On<'a> {
    Table,
    /// An inner partition, by its number.
    Part(u32),
    Shard(&'a Shard),
}

#[derive(Debug)]
pub enum Action<'a> {
    CreateTable,
    /// An inner partition of a layout with two levels, with its number.
    CreatePart(u32, &'a Bound),
    /// A shard of the table, or of the inner partition of that number.
    CreateShard(&'a Shard, Option<u32>),
    /// The same for a shard on another server: a foreign table.
    CreateForeignShard(&'a Shard, Option<u32>),
    /// Storage parameters of the CREATE TABLE, which only tables with rows of their own may have.
    StorageParameters(&'a Shard),
    Apply {
        part: &'a Part,
        on: On<'a>,
        widened: bool,
    },
}

/// The steps of a phase. `only_first_shard` makes a rehearsal short: what the server takes once it takes again.
pub fn steps<'a>(blueprint: &'a Blueprint<'a>, phase: Phase, only_first_shard: bool) -> Vec<Action<'a>> {
    let most = if only_first_shard { 1 } else { usize::MAX };
    let layout = blueprint.layout.filter(|_| blueprint.is_sharded());
    let shards: Vec<&Shard> = layout.iter().flat_map(|l| &l.shards).take(most).collect();
    let parts: Vec<(u32, Inner<'_>)> =
        layout.filter(|l| l.within.is_some()).map(|l| (0..).zip(l.parts()).take(most).collect()).unwrap_or_default();
    let targets = Targets { parts: parts.iter().map(|p| p.0).collect(), shards };
    let mut actions = Vec::new();
    if phase == Phase::BeforeLoad {
        apply(blueprint, &targets, &mut actions, |kind| matches!(kind, PartKind::Sequence));
        actions.push(Action::CreateTable);
        apply(blueprint, &targets, &mut actions, |kind| matches!(kind, PartKind::Column));
        actions.extend(parts.iter().map(|(number, part)| Action::CreatePart(*number, part.bound)));
        for shard in &targets.shards {
            let part = parts.iter().find(|(_, p)| *p.bound == shard.bound).map(|p| p.0);
            if blueprint.server(&shard.node).is_some() {
                actions.push(Action::CreateForeignShard(shard, part));
            } else {
                actions.push(Action::CreateShard(shard, part));
                actions.push(Action::StorageParameters(shard));
            }
        }
        apply(blueprint, &targets, &mut actions, |kind| matches!(kind, PartKind::ColumnDetail));
        return actions;
    }
    if phase == Phase::Checks {
        apply(blueprint, &targets, &mut actions, |kind| matches!(kind, PartKind::Check { validated: true }));
        return actions;
    }
    let ranks = if phase == Phase::Indexes { 0..=INDEX_RANK } else { INDEX_RANK + 1..=LAST_RANK };
    for rank in ranks {
        apply(blueprint, &targets, &mut actions, |kind| rank_of(kind) == Some(rank));
    }
    actions
}

const INDEX_RANK: u8 = 1;
const LAST_RANK: u8 = 9;

/// Place of a part after the load; None for what comes before.
fn rank_of(kind: &PartKind) -> Option<u8> {
    Some(match kind {
        PartKind::Sequence | PartKind::Column | PartKind::ColumnDetail | PartKind::Check { validated: true } => {
            return None;
        }
        PartKind::Unique { primary: true, .. } => 0,
        PartKind::Unique { .. } | PartKind::Index { .. } | PartKind::Exclusion => 1,
        PartKind::IndexDetail | PartKind::IndexColumn | PartKind::Cluster | PartKind::ReplicaIdentity => 2,
        // Rows may break a check that is NOT VALID.
        PartKind::ForeignKey { .. } | PartKind::Check { validated: false } => 3,
        PartKind::Statistics => 4,
        PartKind::StatisticsDetail | PartKind::SequenceDetail => 5,
        PartKind::Trigger { .. } | PartKind::Rule | PartKind::Policy => 6,
        PartKind::TriggerState | PartKind::RowSecurity | PartKind::Comment | PartKind::SecurityLabel => 7,
        PartKind::Publication { .. } | PartKind::Unknown => 8,
        // Last: afterwards the table may not be the caller's any more.
        PartKind::Grant { .. }
        | PartKind::Owner { .. }
        | PartKind::SequenceOwner { .. }
        | PartKind::StatisticsOwner { .. } => LAST_RANK,
    })
}

/// What there is below the table.
struct Targets<'a> {
    parts: Vec<u32>,
    shards: Vec<&'a Shard>,
}

fn apply<'a>(
    blueprint: &'a Blueprint<'a>,
    targets: &Targets<'a>,
    actions: &mut Vec<Action<'a>>,
    wanted: impl Fn(&PartKind) -> bool,
) {
    for (part, carried) in blueprint.definition.parts.iter().zip(&blueprint.carried) {
        if !wanted(&part.kind) {
            continue;
        }
        let widened = *carried == Carried::Widened;
        // What a shard on another server has, it has there; but a foreign table has an owner here.
        let owned = matches!(part.kind, PartKind::Owner { .. });
        let here = targets.shards.iter().filter(|shard| owned || blueprint.server(&shard.node).is_none());
        let on_shards = here.map(|shard| Action::Apply { part, on: On::Shard(shard), widened });
        let on_table = Action::Apply { part, on: On::Table, widened };
        match carried {
            Carried::LeftOut => {}
            Carried::Table => actions.push(on_table),
            Carried::Shards => actions.extend(on_shards),
            Carried::ShardsThenTable | Carried::Widened | Carried::Everywhere => {
                actions.extend(on_shards);
                // Inner partitions have no rows, but an owner; their indexes come with the table's.
                let parts = targets.parts.iter().filter(|_| owned);
                actions.extend(parts.map(|n| Action::Apply { part, on: On::Part(*n), widened }));
                // PostgreSQL has no unique index over partitions on other servers.
                let unique = matches!(part.kind, PartKind::Unique { .. } | PartKind::Index { unique: true, .. });
                actions.extend((!(unique && blueprint.reaches_out())).then_some(on_table));
            }
        }
    }
}
