//! Tables as the planner sees them: read from an archive's DDL or from the live catalog, they look the same.

use super::statement::Query;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A table's name with its schema. Ordered, so that everything keyed by it comes out in one order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    pub schema: String,
    pub name: String,
}

impl TableName {
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// For messages about a table of that schema: without the schema where it is the same.
    pub fn within(&self, schema: &str) -> String {
        if self.schema == schema { self.name.clone() } else { self.to_string() }
    }
}

/// For messages only, in the way psql writes names; SQL text is quoted by the server's own function.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// All tables known to a planning run: those of the archive and, where they matter, those of the live catalog.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// Sorted by name, without duplicates.
    pub tables: Vec<Table>,
    /// Views with what they stand for, so that statements on them are statements on tables. Sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<(TableName, Query)>,
}

impl Schema {
    /// Sorts the tables by name; of two with one name the first given stays.
    pub fn new(mut tables: Vec<Table>) -> Self {
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables.dedup_by(|later, earlier| later.name == earlier.name);
        Self { tables, views: Vec::new() }
    }

    /// The same with views; of two with one name the last given stays, as after CREATE OR REPLACE.
    #[must_use]
    pub fn with_views(mut self, views: impl IntoIterator<Item = (TableName, Query)>) -> Self {
        self.views = views.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        self
    }

    pub fn get(&self, name: &TableName) -> Option<&Table> {
        self.tables.binary_search_by(|t| t.name.cmp(name)).ok().and_then(|i| self.tables.get(i))
    }

    /// What a view stands for. An unqualified name means the view of schema `public`, else the first in name order.
    pub fn view(&self, schema: Option<&str>, name: &str) -> Option<&Query> {
        let meant = |v: &TableName| v.name == name && schema.is_none_or(|s| v.schema == s);
        let mut found = self.views.iter().filter(|(v, _)| meant(v));
        let first = found.clone().next();
        found.find(|(v, _)| v.schema == "public").or(first).map(|(_, query)| query)
    }

    /// The table that an unqualified name of a query log most likely means: the one of schema `public`, else the first
    /// in name order.
    pub fn find_unqualified(&self, name: &str) -> Option<&Table> {
        let mut found = self.tables.iter().filter(|t| t.name.name == name);
        let first = found.next()?;
        if first.name.schema == "public" {
            return Some(first);
        }
        Some(found.find(|t| t.name.schema == "public").unwrap_or(first))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub name: TableName,
    pub columns: Vec<Column>,
    /// Primary key, unique constraints and unique indexes on plain columns.
    pub unique_keys: Vec<UniqueKey>,
    /// Outbound foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    pub fn primary_key(&self) -> Option<&UniqueKey> {
        self.unique_keys.iter().find(|k| k.primary)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// As `format_type` writes it: `bigint`, `character varying(20)`, `public.mood`.
    pub type_name: String,
    pub not_null: bool,
    /// `GENERATED ALWAYS AS (…) STORED`: not in a backup's rows, and never a partition key.
    pub generated: bool,
    /// Identity, `nextval(…)` or a uuid-generating default: its values are unique by construction.
    pub unique_by_default: bool,
    /// The type has a hash operator class, so that PARTITION BY HASH takes it.
    pub hashable: bool,
    /// The type has a btree operator class, so that PARTITION BY RANGE and LIST take it.
    pub orderable: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UniqueKey {
    /// Name of the constraint or index.
    pub name: String,
    pub columns: Vec<String>,
    pub primary: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    pub name: String,
    pub columns: Vec<String>,
    pub references: TableName,
    /// Same length as `columns`; the referenced table's primary key where the DDL names none.
    pub referenced_columns: Vec<String>,
}
