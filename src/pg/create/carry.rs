//! What becomes of each part of a table on its way into the layout, and why.
//!
//! Nothing is dropped silently: a part is carried over as it is, or changed or left out with a note that names the
//! reason and, where there is one, the SQL that does it by hand.

use crate::pg::catalog;
use crate::pg::definition::{Definition, PartKind};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_table};
use foreshard_core::model::config::UniquePolicy;
use foreshard_core::model::plan::Note;
use foreshard_core::model::{Config, Layout, TableName};

/// Where a part goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// On the table; the server brings it to the shards.
    Table,
    /// On each shard, then on the table, which takes the shards' ones over: so they lie in the shards' tablespaces.
    ShardsThenTable,
    /// The same, with the shard key's columns added to a unique constraint or index.
    Widened,
    /// On the shards only.
    Shards,
    /// On the table and on each shard.
    Everywhere,
    LeftOut,
}

struct Decider<'a> {
    definition: &'a Definition,
    target: &'a TableName,
    layout: Option<&'a Layout>,
    config: &'a Config,
    notes: Vec<Note>,
}

/// Decides for every part, in their order, with the notes on all that changes.
pub fn carry(
    definition: &Definition,
    target: &TableName,
    layout: Option<&Layout>,
    config: &Config,
) -> Result<(Vec<Carried>, Vec<Note>)> {
    let layout = layout.filter(|l| l.method.shards());
    let mut decider = Decider { definition, target, layout, config, notes: Vec::new() };
    let carried = definition.parts.iter().map(|part| decider.part(&part.kind, &part.object)).collect::<Result<_>>()?;
    decider.table()?;
    Ok((carried, decider.notes))
}

impl Decider<'_> {
    fn note(&mut self, kind: &str, object: &str, what: &str, because: impl Into<String>, remedy: Option<String>) {
        self.notes.push(Note {
            kind: kind.to_owned(),
            object: object.to_owned(),
            what: what.to_owned(),
            because: because.into(),
            remedy,
        });
    }

    fn part(&mut self, kind: &PartKind, object: &str) -> Result<Carried> {
        let sharded = self.layout.is_some();
        Ok(match kind {
            PartKind::Owner { .. } if self.config.no_owner => Carried::LeftOut,
            PartKind::Grant { .. } if self.config.no_privileges => Carried::LeftOut,
            PartKind::Publication { name } if !catalog::publication_exists(name)? => {
                let remedy = format!("ALTER PUBLICATION {} ADD TABLE {};", quote_ident(name), quote_table(self.target));
                self.note("publication", name, "is not joined", "it does not exist in this database", Some(remedy));
                Carried::LeftOut
            }
            PartKind::ForeignKey { references, validated } => self.foreign_key(references, *validated, object)?,
            PartKind::Unknown => {
                self.note("table", object, "has a property that is left out", "foreshard does not know it", None);
                Carried::LeftOut
            }
            _ if !sharded => Carried::Table,
            PartKind::Unique { columns, .. } | PartKind::Index { unique: true, columns } => {
                self.unique(object, columns)
            }
            PartKind::Index { unique: false, .. } => Carried::ShardsThenTable,
            PartKind::Exclusion => {
                self.note(
                    "constraint",
                    object,
                    "is enforced within each shard only",
                    "PostgreSQL has no exclusion constraints on a partitioned table",
                    None,
                );
                Carried::Shards
            }
            PartKind::Trigger { transitions_by_row: true } => {
                self.note(
                    "trigger",
                    object,
                    "is left out",
                    "PostgreSQL has no row triggers with transition tables on a partitioned table",
                    None,
                );
                Carried::LeftOut
            }
            PartKind::Cluster => Carried::Shards,
            PartKind::ReplicaIdentity | PartKind::Owner { .. } => Carried::Everywhere,
            _ => Carried::Table,
        })
    }

    /// The plan itself notes what becomes of the keys that it knows; a unique index with a condition or an expression is
    /// none of them.
    fn unique(&mut self, object: &str, columns: &[String]) -> Carried {
        let Some(layout) = self.layout else { return Carried::Table };
        if layout.key.iter().all(|k| columns.contains(k)) {
            return Carried::ShardsThenTable;
        }
        let per_shard = self.config.unique == UniquePolicy::PerShard;
        if !self.definition.table.unique_keys.iter().any(|k| k.name == *object) {
            let key = layout.key.join(", ");
            let what = if per_shard { "is enforced within each shard" } else { "is widened by the shard key" };
            let because =
                format!("PostgreSQL enforces uniqueness over all partitions only if the index contains ({key})");
            self.note("index", object, what, because, None);
        }
        if per_shard { Carried::Shards } else { Carried::Widened }
    }

    fn foreign_key(&mut self, references: &TableName, validated: bool, object: &str) -> Result<Carried> {
        let key = self.definition.table.foreign_keys.iter().find(|k| k.name == *object);
        let remedy = key.map(|k| {
            format!(
                "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({});",
                quote_table(self.target),
                quote_ident(object),
                k.columns.iter().map(|c| quote_ident(c)).collect::<Vec<_>>().join(", "),
                quote_table(references),
                k.referenced_columns.iter().map(|c| quote_ident(c)).collect::<Vec<_>>().join(", "),
            )
        });
        let to_itself = *references == self.definition.table.name;
        let columns = key.map(|k| k.referenced_columns.clone()).unwrap_or_default();
        if to_itself {
            if self.keeps_unique(&columns) {
                return Ok(Carried::Table);
            }
            let because = format!("({}) is no longer unique by itself", columns.join(", "));
            self.note("foreign key", object, "is left out", because, None);
            return Ok(Carried::LeftOut);
        }
        if catalog::relation_oid(references)?.is_none() {
            let because = format!("{references} does not exist in this database");
            self.note("foreign key", object, "is left out", because, remedy);
            return Ok(Carried::LeftOut);
        }
        if !catalog::has_unique_key(references, &columns)? {
            let because = format!("{references} has no unique key on ({}) in this database", columns.join(", "));
            self.note("foreign key", object, "is left out", because, remedy);
            return Ok(Carried::LeftOut);
        }
        if !validated && self.layout.is_some() {
            let because = "it was NOT VALID, which PostgreSQL does not have for a partitioned table";
            self.note("foreign key", object, "is left out", because, remedy);
            return Ok(Carried::LeftOut);
        }
        Ok(Carried::Table)
    }

    /// A unique key on exactly these columns is still enforced over the whole table.
    fn keeps_unique(&self, columns: &[String]) -> bool {
        let same = |k: &[String]| k.len() == columns.len() && k.iter().all(|c| columns.contains(c));
        self.definition.table.unique_keys.iter().any(|k| same(&k.columns))
            && self.layout.is_none_or(|l| l.key.iter().all(|k| columns.contains(k)))
    }

    /// What concerns the table as a whole.
    fn table(&mut self) -> Result<()> {
        let definition = self.definition;
        let name = definition.table.name.to_string();
        if !definition.tablespace.is_empty() {
            let what = format!("is not put into tablespace {}", definition.tablespace);
            self.note("table", &name, &what, "the plan's placement decides where it lies", None);
        }
        if definition.partitioned {
            self.note(
                "table",
                &name,
                "gets a new partitioning",
                "the plan's layout replaces the one of the backup; what belonged to single partitions is left out",
                None,
            );
        }
        for (table, constraint) in &definition.referenced_by {
            let columns = definition.table.primary_key().map(|k| k.columns.clone()).unwrap_or_default();
            if catalog::relation_oid(table)?.is_some() && self.keeps_unique(&columns) {
                let because = format!("it belongs to {table}, and only {name} is restored");
                self.note("foreign key", constraint, "is not created", because, None);
            }
        }
        Ok(())
    }
}

/// Key columns that are not among `columns`.
pub fn missing<'a>(layout: &'a Layout, columns: &'a [String]) -> impl Iterator<Item = &'a str> {
    layout.key.iter().filter(|k| !columns.contains(k)).map(String::as_str)
}
