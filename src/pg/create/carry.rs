//! What becomes of each part of a table on its way into the layout, and why.
//!
//! Nothing is dropped silently: a part is carried over as it is, or changed or left out with a note that names the
//! reason and, where there is one, the SQL that does it by hand.

use crate::pg::definition::{Definition, Of, Part, PartKind};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_table};
use crate::pg::{catalog, compat};
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
    /// Some shard lives on another server.
    away: bool,
    notes: Vec<Note>,
}

/// Decides for every part, in their order, with the notes on all that changes. `away`: some shard lives on another server.
pub fn carry(
    definition: &Definition,
    target: &TableName,
    layout: Option<&Layout>,
    config: &Config,
    away: bool,
) -> Result<(Vec<Carried>, Vec<Note>)> {
    let layout = layout.filter(|l| l.method.shards());
    let mut decider = Decider { definition, target, layout, config, away, notes: Vec::new() };
    let mut carried: Vec<Carried> =
        definition.parts.iter().map(|part| decider.part(&part.kind, &part.object)).collect::<Result<_>>()?;
    // What is said of another part follows it.
    for (i, part) in definition.parts.iter().enumerate() {
        let leader = part.of.as_ref().and_then(|of| definition.parts.iter().position(|p| is(p, of)));
        let follows = leader.and_then(|leader| carried.get(leader).copied());
        if let (Some(follows), Some(own)) = (follows, carried.get_mut(i)) {
            *own = decider.follow(part, *own, follows);
        }
    }
    decider.table()?;
    Ok((carried, decider.notes))
}

/// The part is the constraint, index or trigger that another part speaks of.
fn is(part: &Part, of: &Of) -> bool {
    let (name, fits) = match of {
        Of::Constraint(name) => (
            name,
            matches!(
                part.kind,
                PartKind::Unique { .. } | PartKind::Exclusion | PartKind::ForeignKey { .. } | PartKind::Check { .. }
            ),
        ),
        Of::Index(name) => {
            (name, matches!(part.kind, PartKind::Unique { .. } | PartKind::Exclusion | PartKind::Index { .. }))
        }
        Of::Trigger(name) => (name, matches!(part.kind, PartKind::Trigger { .. })),
    };
    fits && part.object == *name
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
            PartKind::Owner { .. } | PartKind::SequenceOwner { .. } | PartKind::StatisticsOwner { .. }
                if self.config.no_owner =>
            {
                Carried::LeftOut
            }
            PartKind::Grant { .. } if self.config.no_privileges => Carried::LeftOut,
            PartKind::Grant { grantor: Some(grantor), .. } if !catalog::may_act_as(grantor)? => {
                let because = format!("{grantor} granted it, and the caller may not act as that role");
                self.note("grant", object, "is left out", because, None);
                Carried::LeftOut
            }
            PartKind::ForeignKey { .. } if self.away => {
                let because = "PostgreSQL has no foreign keys of tables with partitions on other servers";
                self.note("foreign key", object, "is left out", because, None);
                Carried::LeftOut
            }
            PartKind::Trigger { constraint: true, .. } if self.away => {
                let because = "PostgreSQL has no constraint triggers on partitions on other servers";
                self.note("trigger", object, "is left out", because, None);
                Carried::LeftOut
            }
            PartKind::ReplicaIdentity if self.away => Carried::Shards,
            PartKind::Publication { name, selective } => self.publication(name, *selective)?,
            PartKind::ForeignKey { references, validated, clause } => {
                self.foreign_key(references, *validated, clause, object)?
            }
            PartKind::Unknown => {
                let table = self.definition.table.name.to_string();
                let object = if object.is_empty() { &table } else { object };
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
            PartKind::Trigger { transitions_by_row: true, .. } => {
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
            PartKind::Statistics | PartKind::StatisticsDetail | PartKind::StatisticsOwner { .. } => Carried::Everywhere,
            PartKind::ReplicaIdentity | PartKind::Owner { .. } | PartKind::ColumnDetail | PartKind::IndexColumn => {
                Carried::Everywhere
            }
            _ => Carried::Table,
        })
    }

    /// A part that speaks of another one, which went to `leader`.
    fn follow(&mut self, part: &Part, own: Carried, leader: Carried) -> Carried {
        if let (PartKind::Cluster, Some(Of::Index(index)), Carried::Shards) = (&part.kind, &part.of, own) {
            let because = "PostgreSQL cannot mark an index of a partitioned table";
            self.note("index", index, "is marked for CLUSTER on each shard, not on the table", because, None);
        }
        match leader {
            Carried::LeftOut => Carried::LeftOut,
            Carried::Shards => {
                if part.kind == PartKind::ReplicaIdentity {
                    let because = format!("index {} is on the shards only", part.object);
                    self.note("replica identity", &part.object, "is set on the shards only", because, None);
                }
                Carried::Shards
            }
            Carried::Widened if part.kind == PartKind::ReplicaIdentity => self.widened_identity(part, own),
            _ => own,
        }
    }

    /// An index identifies rows only when all its columns are NOT NULL.
    fn widened_identity(&mut self, part: &Part, own: Carried) -> Carried {
        let table = &self.definition.table;
        let Some(Of::Index(index)) = &part.of else { return own };
        let primary = table.unique_keys.iter().any(|k| k.primary && k.name == *index);
        let nullable: Vec<String> = self
            .layout
            .iter()
            .flat_map(|l| l.columns())
            .filter(|k| table.column(k).is_some_and(|c| !c.not_null))
            .cloned()
            .collect();
        if primary || nullable.is_empty() {
            return own;
        }
        let because = format!("index {index} now has the column {}, which may be null", nullable.join(", "));
        let remedy = format!("ALTER TABLE {} REPLICA IDENTITY FULL;", quote_table(self.target));
        self.note("replica identity", index, "is left out", because, Some(remedy));
        Carried::LeftOut
    }

    fn publication(&mut self, name: &str, selective: bool) -> Result<Carried> {
        let (publication, table) = (quote_ident(name), quote_table(self.target));
        let Some(via_root) = catalog::publication_via_root(name)? else {
            let remedy = format!("ALTER PUBLICATION {publication} ADD TABLE {table};");
            self.note("publication", name, "is not joined", "it does not exist in this database", Some(remedy));
            return Ok(Carried::LeftOut);
        };
        if self.layout.is_none() || via_root {
            return Ok(Carried::Table);
        }
        let set_root = format!("ALTER PUBLICATION {publication} SET (publish_via_partition_root = true);");
        let because = "its publish_via_partition_root is off";
        if selective {
            self.note(
                "publication",
                name,
                "publishes the shards one by one, under their own names",
                because,
                Some(set_root),
            );
            return Ok(Carried::Shards);
        }
        self.note("publication", name, "publishes the shards' changes under their own names", because, Some(set_root));
        Ok(Carried::Table)
    }

    /// The plan itself notes what becomes of the keys that it knows; a unique index with a condition or an expression is
    /// none of them.
    fn unique(&mut self, object: &str, columns: &[String]) -> Carried {
        let Some(layout) = self.layout else { return Carried::Table };
        if self.away {
            let because = "PostgreSQL has no unique index of a table with partitions on other servers: INSERT … ON CONFLICT (…) and foreign keys cannot refer to it";
            self.note("constraint", object, "is enforced by the shards, not known to the table", because, None);
        }
        if layout.columns().all(|k| columns.contains(k)) {
            return Carried::ShardsThenTable;
        }
        let per_shard = self.config.unique == UniquePolicy::PerShard;
        if !self.definition.table.unique_keys.iter().any(|k| k.name == *object) {
            let key = layout.columns().cloned().collect::<Vec<_>>().join(", ");
            let what = if per_shard { "is enforced within each shard" } else { "is widened by the shard key" };
            let because =
                format!("PostgreSQL enforces uniqueness over all partitions only if the index contains ({key})");
            self.note("index", object, what, because, None);
        }
        if per_shard { Carried::Shards } else { Carried::Widened }
    }

    fn foreign_key(&mut self, references: &TableName, validated: bool, clause: &str, object: &str) -> Result<Carried> {
        let key = self.definition.table.foreign_keys.iter().find(|k| k.name == *object);
        let remedy = key.map(|k| {
            format!(
                "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}){};",
                quote_table(self.target),
                quote_ident(object),
                k.columns.iter().map(|c| quote_ident(c)).collect::<Vec<_>>().join(", "),
                quote_table(references),
                k.referenced_columns.iter().map(|c| quote_ident(c)).collect::<Vec<_>>().join(", "),
                if self.layout.is_some() { clause.trim_end_matches(" NOT VALID") } else { clause },
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
            let because = "it is NOT VALID, which PostgreSQL does not have for a partitioned table";
            self.note("foreign key", object, "is set on each shard, not on the table", because, remedy);
            return Ok(Carried::Shards);
        }
        Ok(Carried::Table)
    }

    /// A unique key on exactly these columns is still enforced over the whole table.
    fn keeps_unique(&self, columns: &[String]) -> bool {
        let same = |k: &[String]| k.len() == columns.len() && k.iter().all(|c| columns.contains(c));
        self.definition.table.unique_keys.iter().any(|k| same(&k.columns))
            && self.layout.is_none_or(|l| l.columns().all(|k| columns.contains(k)))
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
        if definition.foreign {
            let what = "brings what this database says of it: columns, defaults, checks, triggers, comments";
            let because = "it is a foreign table: its keys and indexes are the other server's";
            self.note("table", &name, what, because, None);
        }
        if self.layout.is_some() {
            for check in &definition.no_inherit {
                let because = "the shards inherit it: PostgreSQL has no NO INHERIT on a partitioned table";
                self.note("constraint", check, "is no longer NO INHERIT", because, None);
            }
        }
        if self.layout.is_some() && !compat::PARTITIONS_HAVE_IDENTITY {
            for column in &definition.identity {
                let because = "PostgreSQL has no identity columns on partitions: rows inserted straight into a shard need a value";
                self.note("column", column, "is an identity column of the table, not of its shards", because, None);
            }
        }
        for inbound in &definition.referenced_by {
            // The plan itself notes the references to keys that are lost.
            if self.layout.is_none() || self.keeps_unique(&inbound.columns) {
                let because = format!("it belongs to {}, and only {name} is restored", inbound.table);
                self.note("foreign key", &inbound.constraint, "is not created", because, None);
            }
        }
        Ok(())
    }
}

/// Key columns that are not among `columns`.
pub fn missing<'a>(layout: &'a Layout, columns: &'a [String]) -> impl Iterator<Item = &'a str> {
    layout.columns().filter(|k| !columns.contains(k)).map(String::as_str)
}
