//! The order of the work: what comes before the rows, what after.

use super::{Blueprint, Carried};
use crate::pg::definition::{Part, PartKind};
use foreshard_core::model::plan::Shard;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The empty table with everything that rows must meet on their way in.
    BeforeLoad,
    /// Indexes, keys, references; then what must not fire or be seen while loading.
    AfterLoad,
}

/// What a statement is applied to.
#[derive(Debug, Clone, Copy)]
pub enum On<'a> {
    Table,
    Shard(&'a Shard),
}

#[derive(Debug)]
pub enum Action<'a> {
    CreateTable,
    CreateShard(&'a Shard),
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
    let shards: Vec<&Shard> = match blueprint.layout {
        Some(layout) if blueprint.is_sharded() => {
            layout.shards.iter().take(if only_first_shard { 1 } else { usize::MAX }).collect()
        }
        _ => Vec::new(),
    };
    let mut actions = Vec::new();
    if phase == Phase::BeforeLoad {
        apply(blueprint, &shards, &mut actions, |kind| matches!(kind, PartKind::Sequence));
        actions.push(Action::CreateTable);
        apply(blueprint, &shards, &mut actions, |kind| {
            matches!(kind, PartKind::Column | PartKind::Check { validated: true })
        });
        for shard in &shards {
            actions.push(Action::CreateShard(shard));
            actions.push(Action::StorageParameters(shard));
        }
        return actions;
    }
    for rank in 0..=LAST_RANK {
        apply(blueprint, &shards, &mut actions, |kind| rank_of(kind) == Some(rank));
    }
    actions
}

const LAST_RANK: u8 = 9;

/// Place of a part after the load; None for what comes before.
fn rank_of(kind: &PartKind) -> Option<u8> {
    Some(match kind {
        PartKind::Sequence | PartKind::Column | PartKind::Check { validated: true } => return None,
        PartKind::Unique { primary: true, .. } => 0,
        PartKind::Unique { .. } | PartKind::Index { .. } | PartKind::Exclusion => 1,
        PartKind::IndexDetail | PartKind::IndexColumn | PartKind::Cluster | PartKind::ReplicaIdentity => 2,
        PartKind::ColumnDetail => 2,
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

fn apply<'a>(
    blueprint: &'a Blueprint<'a>,
    shards: &[&'a Shard],
    actions: &mut Vec<Action<'a>>,
    wanted: impl Fn(&PartKind) -> bool,
) {
    for (part, carried) in blueprint.definition.parts.iter().zip(&blueprint.carried) {
        if !wanted(&part.kind) {
            continue;
        }
        let widened = *carried == Carried::Widened;
        let on_shards = shards.iter().map(|shard| Action::Apply { part, on: On::Shard(shard), widened });
        let on_table = Action::Apply { part, on: On::Table, widened };
        match carried {
            Carried::LeftOut => {}
            Carried::Table => actions.push(on_table),
            Carried::Shards => actions.extend(on_shards),
            Carried::ShardsThenTable | Carried::Widened | Carried::Everywhere => {
                actions.extend(on_shards);
                actions.push(on_table);
            }
        }
    }
}
