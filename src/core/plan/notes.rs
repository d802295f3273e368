//! What the choice itself costs the table's definition: unique constraints without the key, and foreign keys to them.

use super::PlanInput;
use crate::key::Subject;
use crate::model::config::UniquePolicy;
use crate::model::plan::Note;
use crate::model::words::list;
use crate::model::{Candidate, UniqueKey};

pub(super) fn of_choice(subject: &Subject<'_>, candidate: &Candidate, input: &PlanInput<'_>) -> Vec<Note> {
    let table = subject.table;
    let lost = |k: &&UniqueKey| candidate.evidence.constraints_lost.contains(&k.name);
    let lost: Vec<&UniqueKey> = table.unique_keys.iter().filter(lost).collect();
    let mut notes: Vec<Note> = lost.iter().map(|k| constraint(k, candidate, input.config.unique)).collect();
    // A table's references to itself are parts of its own definition.
    for other in input.schema.tables.iter().filter(|t| t.name != table.name) {
        for link in other.foreign_keys.iter().filter(|f| f.references == table.name) {
            let to_lost = |k: &&&UniqueKey| {
                k.columns.len() == link.referenced_columns.len()
                    && k.columns.iter().all(|c| link.referenced_columns.contains(c))
            };
            if let Some(key) = lost.iter().find(to_lost) {
                notes.push(Note {
                    kind: "foreign key".to_owned(),
                    object: format!("{} of {}", link.name, other.name),
                    what: "cannot refer to the sharded table".to_owned(),
                    because: format!(
                        "{} is no longer unique by itself: {} does not contain the shard key",
                        list(&link.referenced_columns, 4),
                        key.name
                    ),
                    remedy: None,
                });
            }
        }
    }
    notes
}

fn constraint(key: &UniqueKey, candidate: &Candidate, policy: UniquePolicy) -> Note {
    let all = candidate.columns();
    let missing = all.iter().filter(|c| !key.columns.contains(c));
    let widened: Vec<&str> = key.columns.iter().chain(missing).map(String::as_str).collect();
    let columns = key.columns.join(", ");
    Note {
        kind: "constraint".to_owned(),
        object: key.name.clone(),
        what: match policy {
            UniquePolicy::Widen => format!("({columns}) becomes ({})", widened.join(", ")),
            UniquePolicy::PerShard => format!("({columns}) is enforced within each shard"),
            UniquePolicy::Refuse => format!("({columns}) is not enforced across shards"),
        },
        because: "PostgreSQL enforces uniqueness over all partitions only if the constraint contains the partition key"
            .to_owned(),
        remedy: None,
    }
}
