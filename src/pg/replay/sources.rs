//! Which column does a parameter of an analyzed statement stand for?
//!
//! Analysis has resolved every name: what a parameter is compared with, or inserted into, is read off the query. Columns
//! that are compared with each other are tied, so that one value is found for both.

use super::facts;
use crate::pg::compat::merge_action_targets;
use crate::pg::tree::{Node, analyzed_children, field, items, node, text};
use foreshard_core::model::TableName;
use pgrx::pg_sys::{self, CmdType, CoercionForm, ParamKind, RTEKind};
use std::collections::BTreeMap;

/// A column of a reference to a table: both by number, from 0.
pub type Place = (usize, usize);

/// Where a parameter's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The column's value in the reference's row; in another row where the column is asked for several times.
    Row(Place, usize),
    /// The lower or upper end of a range of the column.
    Lower(Place),
    Upper(Place),
    Pattern(Place),
    /// An array of values of the column.
    Items(Place),
    Limit,
    Offset,
    /// Something of its type.
    Constant,
}

#[derive(Debug, Clone)]
pub struct Reference {
    pub table: TableName,
    /// Rows are inserted: their values are not in the table yet.
    pub inserted: bool,
}

#[derive(Debug, Default)]
pub struct Sources {
    pub references: Vec<Reference>,
    /// In the order of the parameters, with the type of the column where there is one.
    pub parameters: Vec<(Source, Option<pg_sys::Oid>)>,
    pub ties: Vec<(Place, Place)>,
}

/// `tables`: the sample's tables by the number of their relation.
pub fn find(query: Node<'_>, parameters: usize, tables: &BTreeMap<u32, TableName>) -> Sources {
    let mut finder = Finder {
        tables,
        known: BTreeMap::new(),
        asked: BTreeMap::new(),
        found: Sources { parameters: vec![(Source::Constant, None); parameters], ..Sources::default() },
    };
    finder.visit(query, &mut Vec::new());
    finder.found
}

struct Finder<'a> {
    tables: &'a BTreeMap<u32, TableName>,
    /// A query's address and a place in its range table -> reference.
    known: BTreeMap<(usize, usize), usize>,
    /// How often each column was asked for by equality.
    asked: BTreeMap<Place, usize>,
    found: Sources,
}

/// A column with its type.
type Column = (Place, pg_sys::Oid);
type Levels<'t> = Vec<&'t pg_sys::Query>;

impl Finder<'_> {
    fn visit<'t>(&mut self, n: Node<'t>, levels: &mut Levels<'t>) {
        let query = n.get::<pg_sys::Query>();
        if let Some(query) = query {
            levels.push(query);
            self.query(query, levels);
        } else if let Some(op) = n.get::<pg_sys::OpExpr>() {
            if let (Some(left), Some(right), 2) = (items(op.args).next(), items(op.args).nth(1), items(op.args).count())
            {
                self.compare(&facts::operator_name(op.opno), left, right, levels);
            }
        } else if let Some(rows) = n.get::<pg_sys::RowCompareExpr>() {
            let op = if rows.rctype <= pg_sys::RowCompareType::ROWCOMPARE_LE { "<" } else { ">" };
            for (left, right) in items(rows.largs).zip(items(rows.rargs)) {
                self.compare(op, left, right, levels);
            }
        } else if let Some(any) = n.get::<pg_sys::ScalarArrayOpExpr>() {
            self.listed(any, levels);
        } else if let Some(link) = n.get::<pg_sys::SubLink>() {
            self.linked(link, levels);
        } else if let Some(targets) = merge_action_targets(n) {
            let result = levels.last().map_or(0, |q| result_of(q));
            self.assigned(targets, result, 0, levels);
        }
        for child in analyzed_children(n).unwrap_or_default() {
            self.visit(child, levels);
        }
        if query.is_some() {
            levels.pop();
        }
    }

    fn query<'t>(&mut self, query: &'t pg_sys::Query, levels: &Levels<'t>) {
        for (limit, source) in [(query.limitCount, Source::Limit), (query.limitOffset, Source::Offset)] {
            if let Some(number) = node(limit).and_then(|l| parameter(plain(l))) {
                self.assign(number, source, None);
            }
        }
        let result = result_of(query);
        match query.commandType {
            CmdType::CMD_INSERT => self.assigned(query.targetList, result, 0, levels),
            // The new value is that of another row.
            CmdType::CMD_UPDATE => self.assigned(query.targetList, result, 1, levels),
            _ => {}
        }
        if query.commandType == CmdType::CMD_INSERT
            && let Some(at) = self.reference(query, result)
            && let Some(reference) = self.found.references.get_mut(at)
        {
            reference.inserted = true;
        }
        if let Some(conflict) = field(query.onConflict) {
            self.assigned(conflict.onConflictSet, result, 0, levels);
        }
    }

    /// `column = $1` of INSERT and UPDATE; several rows of VALUES are several rows of the sample.
    fn assigned<'t>(&mut self, targets: *mut pg_sys::List, result: usize, nth: usize, levels: &Levels<'t>) {
        let Some(query) = levels.last() else { return };
        let Some(reference) = self.reference(query, result) else { return };
        for target in items(targets).filter_map(|t| t.get::<pg_sys::TargetEntry>()).filter(|t| !t.resjunk) {
            let Some(column) = usize::try_from(target.resno).ok().and_then(|n| n.checked_sub(1)) else { continue };
            let Some(value) = node(target.expr).map(plain) else { continue };
            for (row, value) in given(value, query).into_iter().enumerate() {
                let value = plain(value);
                if let Some(number) = parameter(value) {
                    self.assign(number, Source::Row((reference, column), nth + row), None);
                }
            }
        }
    }

    fn compare<'t>(&mut self, op: &str, left: Node<'t>, right: Node<'t>, levels: &Levels<'t>) {
        let columns = (self.column(left, levels), self.column(right, levels));
        match columns {
            (Some(a), Some(b)) => {
                if op == "=" && a.0 != b.0 {
                    self.found.ties.push((a.0, b.0));
                }
            }
            (Some(column), None) => self.bounded(op, column, right),
            (None, Some(column)) => {
                let turned = match op {
                    "<" | "<=" => ">",
                    ">" | ">=" => "<",
                    other => other,
                };
                self.bounded(turned, column, left);
            }
            (None, None) => {}
        }
    }

    /// `column IN (SELECT other …)`: the test names the outputs by number.
    fn linked<'t>(&mut self, link: &'t pg_sys::SubLink, levels: &Levels<'t>) {
        let Some(query) = node(link.subselect).and_then(|q| q.get::<pg_sys::Query>()) else { return };
        let Some(test) = node(link.testexpr).and_then(|t| t.get::<pg_sys::OpExpr>()) else { return };
        let mut args = items(test.args).map(plain);
        let (Some(column), Some(output)) = (args.next(), args.next().and_then(|p| p.get::<pg_sys::Param>())) else {
            return;
        };
        if facts::operator_name(test.opno) != "=" || output.paramkind != ParamKind::PARAM_SUBLINK {
            return;
        }
        let mut inner = levels.clone();
        inner.push(query);
        let target = items(query.targetList)
            .filter_map(|t| t.get::<pg_sys::TargetEntry>())
            .find(|t| i64::from(t.resno) == i64::from(output.paramid));
        let other = target.and_then(|t| node(t.expr)).and_then(|t| self.column(t, &inner));
        if let (Some(a), Some(b)) = (self.column(column, levels), other) {
            self.found.ties.push((a.0, b.0));
        }
    }

    /// `column op expression`.
    fn bounded(&mut self, op: &str, (place, type_oid): Column, value: Node<'_>) {
        let direct = parameter(plain(value));
        // In `column < $1 - $2` the first parameter of the column's type has the value.
        let Some(number) = direct.or_else(|| {
            let of_type = parameters(value).into_iter().find(|p| p.1 == type_oid);
            of_type.map(|p| p.0)
        }) else {
            return;
        };
        let source = match op {
            "<" | "<=" => Source::Upper(place),
            ">" | ">=" => Source::Lower(place),
            "~~" | "~~*" | "!~~" | "!~~*" => Source::Pattern(place),
            _ => {
                let nth = self.asked.entry(place).or_insert(0);
                *nth += 1;
                Source::Row(place, *nth - 1)
            }
        };
        self.assign(number, source, Some(type_oid));
    }

    /// `column = ANY ($1)`, `column IN ($1, $2)`.
    fn listed<'t>(&mut self, any: &pg_sys::ScalarArrayOpExpr, levels: &Levels<'t>) {
        let (Some(test), Some(list)) = (items(any.args).next(), items(any.args).nth(1)) else { return };
        let Some((place, type_oid)) = self.column(test, levels) else { return };
        let list = plain(list);
        if let Some(number) = parameter(list) {
            self.assign(number, Source::Items(place), None);
        } else if let Some(array) = list.get::<pg_sys::ArrayExpr>() {
            for (nth, item) in items(array.elements).enumerate() {
                if let Some(number) = parameter(plain(item)) {
                    self.assign(number, Source::Row(place, nth), Some(type_oid));
                }
            }
        }
    }

    /// The first thing known of a parameter stays; a second column has its value too.
    fn assign(&mut self, number: usize, source: Source, type_oid: Option<pg_sys::Oid>) {
        let Some(known) = number.checked_sub(1).and_then(|at| self.found.parameters.get_mut(at)) else { return };
        match (known.0, source) {
            (Source::Constant, source) => *known = (source, type_oid),
            (Source::Row(a, 0), Source::Row(b, 0)) if a != b => self.found.ties.push((a, b)),
            _ => {}
        }
    }

    fn column<'t>(&mut self, n: Node<'t>, levels: &Levels<'t>) -> Option<Column> {
        let var = plain(n).get::<pg_sys::Var>()?;
        Some((self.place(var, levels)?, var.vartype))
    }

    /// Follows a variable to the table that its value comes from.
    fn place(&mut self, var: &pg_sys::Var, levels: &[&pg_sys::Query]) -> Option<Place> {
        let at = levels.len().checked_sub(1 + usize::try_from(var.varlevelsup).ok()?)?;
        let query = levels.get(at)?;
        let number = usize::try_from(var.varno).ok()?;
        let column = usize::try_from(var.varattno).ok()?.checked_sub(1)?;
        let entry = entry(query, number)?;
        let (level, of, targets) = match entry.rtekind {
            RTEKind::RTE_RELATION => return Some((self.reference(query, number)?, column)),
            RTEKind::RTE_JOIN => {
                let var = plain(items(entry.joinaliasvars).nth(column)?).get::<pg_sys::Var>()?;
                return self.place(var, levels.get(..=at)?);
            }
            RTEKind::RTE_SUBQUERY => {
                let of = field(entry.subquery)?;
                (at, of, of.targetList)
            }
            RTEKind::RTE_CTE => {
                let level = at.checked_sub(usize::try_from(entry.ctelevelsup).ok()?)?;
                let name = text(entry.ctename)?;
                let cte = items(levels.get(level)?.cteList)
                    .filter_map(|c| c.get::<pg_sys::CommonTableExpr>())
                    .find(|c| text(c.ctename).as_ref() == Some(&name))?;
                let of = node(cte.ctequery)?.get::<pg_sys::Query>()?;
                let selects = of.commandType == CmdType::CMD_SELECT;
                (level, of, if selects { of.targetList } else { of.returningList })
            }
            _ => return None,
        };
        // A recursive query would lead back to itself.
        if levels.len() > MAX_LEVELS {
            return None;
        }
        let target = items(targets)
            .filter_map(|t| t.get::<pg_sys::TargetEntry>())
            .find(|t| usize::try_from(t.resno).ok() == Some(column + 1))?;
        let inner = plain(node(target.expr)?).get::<pg_sys::Var>()?;
        let mut levels = levels.get(..=level)?.to_vec();
        levels.push(of);
        self.place(inner, &levels)
    }

    fn reference(&mut self, query: &pg_sys::Query, number: usize) -> Option<usize> {
        let entry = entry(query, number).filter(|e| e.rtekind == RTEKind::RTE_RELATION)?;
        let table = self.tables.get(&entry.relid.to_u32())?;
        let next = self.found.references.len();
        let at = *self.known.entry((std::ptr::from_ref(query) as usize, number)).or_insert(next);
        if at == next {
            self.found.references.push(Reference { table: table.clone(), inserted: false });
        }
        Some(at)
    }
}

/// Queries inside each other through which a column is followed.
const MAX_LEVELS: usize = 50;

fn result_of(query: &pg_sys::Query) -> usize {
    usize::try_from(query.resultRelation).unwrap_or(0)
}

fn entry(query: &pg_sys::Query, number: usize) -> Option<&pg_sys::RangeTblEntry> {
    items(query.rtable).nth(number.checked_sub(1)?)?.get::<pg_sys::RangeTblEntry>()
}

/// What INSERT is given for a column: the expression itself, or those of each row of VALUES, or of the SELECT.
fn given<'t>(value: Node<'t>, query: &pg_sys::Query) -> Vec<Node<'t>> {
    let Some(var) = value.get::<pg_sys::Var>() else { return vec![value] };
    let number = usize::try_from(var.varno).unwrap_or(0);
    let Some(at) = usize::try_from(var.varattno).ok().and_then(|n| n.checked_sub(1)) else { return Vec::new() };
    match entry(query, number) {
        Some(entry) if entry.rtekind == RTEKind::RTE_VALUES => {
            items(entry.values_lists).filter_map(|row| items(row.as_ptr().cast::<pg_sys::List>()).nth(at)).collect()
        }
        Some(entry) if entry.rtekind == RTEKind::RTE_SUBQUERY => field(entry.subquery)
            .and_then(|sub| items(sub.targetList).nth(at)?.get::<pg_sys::TargetEntry>())
            .and_then(|t| node(t.expr))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// Without casts.
fn plain(mut n: Node<'_>) -> Node<'_> {
    loop {
        let inner = if let Some(cast) = n.get::<pg_sys::RelabelType>() {
            node(cast.arg)
        } else if let Some(cast) = n.get::<pg_sys::CoerceViaIO>() {
            node(cast.arg)
        } else if let Some(cast) = n.get::<pg_sys::ArrayCoerceExpr>() {
            node(cast.arg)
        } else if let Some(collate) = n.get::<pg_sys::CollateExpr>() {
            node(collate.arg)
        } else if let Some(call) = n.get::<pg_sys::FuncExpr>() {
            (call.funcformat != CoercionForm::COERCE_EXPLICIT_CALL).then(|| items(call.args).next()).flatten()
        } else {
            None
        };
        match inner {
            Some(inner) => n = inner,
            None => return n,
        }
    }
}

fn parameter(n: Node<'_>) -> Option<usize> {
    let param = n.get::<pg_sys::Param>().filter(|p| p.paramkind == ParamKind::PARAM_EXTERN)?;
    usize::try_from(param.paramid).ok()
}

/// Those inside an expression, with their types, in order.
fn parameters(n: Node<'_>) -> Vec<(usize, pg_sys::Oid)> {
    if n.get::<pg_sys::Query>().is_some() {
        return Vec::new();
    }
    if let (Some(param), Some(number)) = (n.get::<pg_sys::Param>(), parameter(n)) {
        return vec![(number, param.paramtype)];
    }
    analyzed_children(n).unwrap_or_default().into_iter().flat_map(parameters).collect()
}
