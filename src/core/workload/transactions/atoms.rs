//! Statements of one number of calls that have something in common: what the search puts into transactions as one.

use crate::model::schema::{Schema, TableName};
use crate::model::statement::StatementKind;
use crate::model::workload::{Family, StatementUse, TableUse};
use std::collections::{BTreeMap, BTreeSet};

/// Something that two statements can have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Token<'a> {
    Table(&'a TableName),
    /// A foreign key of the schema, by its table and number: both of its ends have it.
    Link(&'a TableName, usize),
    /// A family that the statement pins or inserts, by its number.
    Family(usize),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Atom<'a> {
    /// Ascending.
    pub(super) statements: Vec<usize>,
    /// The largest of its statements.
    pub(super) calls: f64,
    pub(super) writes: bool,
    pub(super) tokens: BTreeSet<Token<'a>>,
    /// Kinds of statements with their tables.
    pub(super) uses: BTreeSet<(StatementKind, &'a TableName)>,
    pub(super) inserts: BTreeSet<&'a TableName>,
    /// Tables that the tables inserted refer to.
    pub(super) parents: BTreeSet<&'a TableName>,
    /// What a branch has in common with the other branch: kind and table of a single statement, as words.
    pub(super) shape: String,
}

impl Atom<'_> {
    pub(super) fn meets(&self, other: &Self) -> bool {
        !self.tokens.is_disjoint(&other.tokens)
    }

    pub(super) fn shares_a_table(&self, other: &Self) -> bool {
        self.tokens.iter().any(|t| matches!(t, Token::Table(_)) && other.tokens.contains(t))
    }
}

/// Most calls first, then by the first statement.
pub(super) fn find<'a>(
    schema: &'a Schema,
    families: &'a [Family],
    statements: &'a [StatementUse],
    slack: f64,
) -> Vec<Atom<'a>> {
    let index = Index::new(schema, families);
    let mut order: Vec<usize> = (0..statements.len()).collect();
    let calls = |at: usize| statements.get(at).map_or(0.0, |s| s.calls);
    order.sort_by(|a, b| calls(*b).total_cmp(&calls(*a)).then(a.cmp(b)));
    let mut out = Vec::new();
    let mut class: Vec<Atom<'a>> = Vec::new();
    let mut top = f64::INFINITY;
    for at in order {
        let Some(statement) = statements.get(at) else { continue };
        if top - statement.calls > slack {
            out.append(&mut merged(std::mem::take(&mut class)));
            top = statement.calls;
        }
        if class.is_empty() {
            top = statement.calls;
        }
        class.push(index.atom(at, statement));
    }
    out.append(&mut merged(class));
    out.sort_by(|a, b| b.calls.total_cmp(&a.calls).then(a.statements.cmp(&b.statements)));
    out
}

/// Those of a class that are connected, each set of them as one.
fn merged(class: Vec<Atom<'_>>) -> Vec<Atom<'_>> {
    let mut parent: Vec<usize> = (0..class.len()).collect();
    let mut first: BTreeMap<Token<'_>, usize> = BTreeMap::new();
    for (at, atom) in class.iter().enumerate() {
        for token in &atom.tokens {
            let other = *first.entry(*token).or_insert(at);
            let (a, b) = (root(&parent, at), root(&parent, other));
            if let Some(up) = parent.get_mut(a.max(b)) {
                *up = a.min(b);
            }
        }
    }
    let mut sets: BTreeMap<usize, Atom<'_>> = BTreeMap::new();
    for (at, atom) in class.into_iter().enumerate() {
        let set = sets.entry(root(&parent, at)).or_default();
        set.shape = if set.statements.is_empty() { atom.shape.clone() } else { String::new() };
        join(set, atom);
    }
    sets.into_values().collect()
}

/// `other` becomes part of `atom`.
fn join<'a>(atom: &mut Atom<'a>, other: Atom<'a>) {
    atom.statements.extend(other.statements);
    atom.statements.sort_unstable();
    atom.calls = atom.calls.max(other.calls);
    atom.writes |= other.writes;
    atom.tokens.extend(other.tokens);
    atom.uses.extend(other.uses);
    atom.inserts.extend(other.inserts);
    atom.parents.extend(other.parents);
}

fn root(parent: &[usize], mut at: usize) -> usize {
    while let Some(&up) = parent.get(at).filter(|up| **up != at) {
        at = up;
    }
    at
}

/// The schema, as far as tokens need it.
struct Index<'a> {
    schema: &'a Schema,
    links: BTreeMap<&'a TableName, Vec<Token<'a>>>,
    families: BTreeMap<(&'a TableName, &'a str), usize>,
}

impl<'a> Index<'a> {
    fn new(schema: &'a Schema, families: &'a [Family]) -> Self {
        let mut links: BTreeMap<&'a TableName, Vec<Token<'a>>> = BTreeMap::new();
        for table in &schema.tables {
            for (number, key) in table.foreign_keys.iter().enumerate() {
                let token = Token::Link(&table.name, number);
                links.entry(&table.name).or_default().push(token);
                links.entry(&key.references).or_default().push(token);
            }
        }
        let members = families.iter().enumerate().flat_map(|(at, f)| f.members.iter().map(move |m| (at, m)));
        let families = members.map(|(at, (table, column))| ((table, column.as_str()), at)).collect();
        Self { schema, links, families }
    }

    fn atom(&self, at: usize, statement: &'a StatementUse) -> Atom<'a> {
        let mut atom = Atom { statements: vec![at], calls: statement.calls, ..Atom::default() };
        for found in &statement.tables {
            atom.writes |= found.written;
            atom.uses.insert((statement.kind, &found.table));
            atom.tokens.insert(Token::Table(&found.table));
            atom.tokens.extend(self.links.get(&found.table).into_iter().flatten());
            let family = |column: &str| self.families.get(&(&found.table, column)).map(|f| Token::Family(*f));
            atom.tokens.extend(found.pinned.iter().filter_map(|c| family(c)));
            if found.inserted
                && let Some(table) = self.schema.get(&found.table)
            {
                atom.tokens.extend(table.columns.iter().filter_map(|c| family(&c.name)));
                atom.inserts.insert(&table.name);
                atom.parents.extend(table.foreign_keys.iter().map(|k| &k.references));
            }
        }
        let shape = |u: &TableUse| format!("{} {}", u.table, u.pinned.join(" "));
        atom.shape =
            format!("{:?} {}", statement.kind, statement.tables.iter().map(shape).collect::<Vec<_>>().join(" "));
        atom
    }
}
