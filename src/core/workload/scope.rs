//! Names to columns: the relations of one statement, and which of them a name means where.
//!
//! Each time that a statement names a table, and each subquery or CTE it reads, becomes a [`Reference`]; a column of one
//! is a [`Node`]. A query level opens a [`Scope`] with the references of its FROM; a name is looked up in the innermost
//! scope first, as the server does. What cannot be resolved for certain is `None`: nothing is guessed.

use crate::model::schema::{Schema, Table, TableName};
use crate::model::statement::{Query, TableRef};
use std::collections::{BTreeMap, BTreeSet};

/// MaxTupleAttributeNumber of PostgreSQL: the server refuses an output list with more columns.
pub(super) const MAX_OUTPUTS: usize = 1664;

/// Tables by the names that statements give them.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    schema: &'a Schema,
    /// What [`Schema::find_unqualified`] answered: it looks at all tables, and a log asks for few names very often.
    unqualified: BTreeMap<&'a str, Option<&'a Table>>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        Self { schema, unqualified: BTreeMap::new() }
    }

    pub(super) fn find(&mut self, named: &'a TableRef) -> Option<&'a Table> {
        match &named.schema {
            Some(schema) => self.schema.get(&TableName::new(schema, &named.name)),
            None => *self.unqualified.entry(&named.name).or_insert_with(|| self.schema.find_unqualified(&named.name)),
        }
    }

    /// What the view of that name stands for.
    pub(super) fn view(&self, named: &TableRef) -> Option<&'a Query> {
        self.schema.view(named.schema.as_deref(), &named.name)
    }
}

/// A column of one reference: its place in the table's columns, or in the outputs of the subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) reference: usize,
    pub(super) column: usize,
}

#[derive(Debug)]
pub(super) struct Reference<'a> {
    pub(super) relation: Relation<'a>,
    /// Number of the scopes around it.
    pub(super) depth: usize,
    pub(super) written: bool,
    pub(super) inserted: bool,
    /// See [`TableUse::rewritten`](crate::model::workload::TableUse::rewritten).
    pub(super) rewritten: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Relation<'a> {
    Table(&'a Table),
    /// Place in [`References::bodies`].
    Derived(usize),
}

/// A subquery or CTE seen from outside.
#[derive(Debug, Default)]
pub(super) struct Body<'a> {
    pub(super) outputs: Vec<Output<'a>>,
    /// It has outputs whose names are not known.
    pub(super) open: bool,
    /// How many references read it: a CTE read twice is computed once, for both, so that the conditions of one of them
    /// do not reach into it.
    pub(super) uses: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Output<'a> {
    pub(super) name: Option<&'a str>,
    /// One, or one for each side of a set operation.
    pub(super) sources: Vec<Source>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// `open_down`: a condition on the output may be applied to the column itself.
    Column {
        node: Node,
        open_down: bool,
    },
    /// One value at run time.
    Value,
    Unknown,
}

/// All relations of one statement.
#[derive(Debug, Default)]
pub(super) struct References<'a> {
    pub(super) all: Vec<Reference<'a>>,
    pub(super) bodies: Vec<Body<'a>>,
}

impl<'a> References<'a> {
    pub(super) fn add(&mut self, relation: Relation<'a>, depth: usize) -> usize {
        if let Relation::Derived(body) = relation
            && let Some(body) = self.bodies.get_mut(body)
        {
            body.uses += 1;
        }
        self.all.push(Reference { relation, depth, written: false, inserted: false, rewritten: false });
        self.all.len() - 1
    }

    pub(super) fn add_body(&mut self, body: Body<'a>) -> usize {
        self.bodies.push(body);
        self.bodies.len() - 1
    }

    pub(super) fn depth(&self, node: Node) -> usize {
        self.all.get(node.reference).map_or(0, |r| r.depth)
    }

    pub(super) fn body(&self, reference: usize) -> Option<&Body<'a>> {
        match self.all.get(reference)?.relation {
            Relation::Derived(body) => self.bodies.get(body),
            Relation::Table(_) => None,
        }
    }

    pub(super) fn table(&self, reference: usize) -> Option<&'a Table> {
        match self.all.get(reference)?.relation {
            Relation::Table(table) => Some(table),
            Relation::Derived(_) => None,
        }
    }

    /// The column of that name, where there is exactly one.
    pub(super) fn column(&self, reference: usize, name: &str) -> Option<Node> {
        let column = match self.all.get(reference)?.relation {
            Relation::Table(table) => table.columns.iter().position(|c| c.name == name)?,
            Relation::Derived(body) => {
                let outputs = &self.bodies.get(body)?.outputs;
                let mut named = (0..outputs.len()).filter(|i| outputs.get(*i).is_some_and(|o| o.name == Some(name)));
                let first = named.next()?;
                if named.next().is_some() {
                    return None;
                }
                first
            }
        };
        Some(Node { reference, column })
    }

    /// Name and node of each column, in order.
    pub(super) fn columns(&self, reference: usize) -> Vec<(Option<&'a str>, Node)> {
        let node = |column| Node { reference, column };
        match self.table(reference) {
            Some(table) => table.columns.iter().enumerate().map(|(i, c)| (Some(c.name.as_str()), node(i))).collect(),
            None => {
                let outputs = self.body(reference).map(|b| b.outputs.as_slice()).unwrap_or_default();
                outputs.iter().enumerate().map(|(i, o)| (o.name, node(i))).collect()
            }
        }
    }
}

/// The relations that one query level can name.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    pub(super) items: Vec<Item<'a>>,
    /// Columns merged by USING or NATURAL: unqualified, they mean the leftmost one.
    pub(super) merged: BTreeSet<&'a str>,
    /// A row of the scope around it is kept only if this level finds rows: EXISTS and IN (SELECT …) under AND.
    pub(super) restricts: bool,
}

#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Alias, else the table's name.
    pub(super) name: Option<&'a str>,
    /// Schema of a table without an alias.
    pub(super) schema: Option<&'a str>,
    /// `None`: a relation whose columns are not known.
    pub(super) reference: Option<usize>,
}

/// What a scope says of a name.
pub(super) enum Lookup {
    Found(Node),
    /// The name is not of this scope; one around it may know it.
    Absent,
    /// The name is of this scope, or may be, but its column is not certain.
    Unclear,
}

impl Scope<'_> {
    pub(super) fn find(&self, references: &References<'_>, path: &[String]) -> Lookup {
        let Some((column, qualifier)) = path.split_last() else { return Lookup::Unclear };
        match qualifier.split_last() {
            None => self.find_unqualified(references, column),
            Some((relation, schemas)) => {
                let schema = schemas.last();
                let named = self
                    .items
                    .iter()
                    .find(|i| i.name == Some(relation.as_str()) && schema.is_none_or(|s| i.schema == Some(s.as_str())));
                match named {
                    None => Lookup::Absent,
                    Some(item) => {
                        item.reference.and_then(|r| references.column(r, column)).map_or(Lookup::Unclear, Lookup::Found)
                    }
                }
            }
        }
    }

    fn find_unqualified(&self, references: &References<'_>, column: &str) -> Lookup {
        let mut having = self.items.iter().filter_map(|i| references.column(i.reference?, column));
        match (having.next(), having.next()) {
            (None, _) if self.items.iter().any(|i| is_open(references, i)) => Lookup::Unclear,
            (None, _) => Lookup::Absent,
            (Some(node), None) => Lookup::Found(node),
            (Some(node), Some(_)) if self.merged.contains(column) => Lookup::Found(node),
            (Some(_), Some(_)) => Lookup::Unclear,
        }
    }
}

/// The relation may have columns that are not known.
pub(super) fn is_open(references: &References<'_>, item: &Item<'_>) -> bool {
    item.reference.is_none_or(|r| references.body(r).is_some_and(|b| b.open))
}
