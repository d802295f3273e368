//! Statements and FROM items.

use super::MAX_DEPTH;
use super::expr::{self, expression};
use crate::pg::compat::returning;
use crate::pg::tree::{Node, field, items, node, string, text};
use foreshard_core::model::statement::{Expr, FromItem, Query, StatementKind, TableRef};
use pgrx::pg_sys;

/// One statement; None when it is nested too deeply.
pub fn statement(n: Node<'_>, depth: usize) -> Option<Query> {
    if depth > MAX_DEPTH {
        return None;
    }
    let depth = depth + 1;
    if let Some(s) = n.get::<pg_sys::SelectStmt>() {
        select(s, depth)
    } else if let Some(s) = n.get::<pg_sys::InsertStmt>() {
        insert(s, depth)
    } else if let Some(s) = n.get::<pg_sys::UpdateStmt>() {
        let mut q = Query::new(StatementKind::Update);
        q.ctes = ctes(s.withClause, depth)?;
        q.target = table(s.relation);
        q.from = from(s.fromClause, depth)?;
        q.filter = expr::optional(s.whereClause, depth)?;
        q.assigned = assignments(s.targetList, depth)?;
        q.outputs = outputs(returning!(s), depth)?;
        Some(q)
    } else if let Some(s) = n.get::<pg_sys::DeleteStmt>() {
        let mut q = Query::new(StatementKind::Delete);
        q.ctes = ctes(s.withClause, depth)?;
        q.target = table(s.relation);
        q.from = from(s.usingClause, depth)?;
        q.filter = expr::optional(s.whereClause, depth)?;
        q.outputs = outputs(returning!(s), depth)?;
        Some(q)
    } else if let Some(s) = n.get::<pg_sys::CopyStmt>() {
        match node(s.query) {
            Some(inner) => statement(inner, depth),
            None => {
                let mut q = Query::new(StatementKind::Copy);
                if s.is_from {
                    q.target = table(s.relation);
                } else {
                    q.from = table(s.relation).map(FromItem::Table).into_iter().collect();
                }
                Some(q)
            }
        }
    } else if let Some(s) = n.get::<pg_sys::TransactionStmt>() {
        use pg_sys::TransactionStmtKind as Kind;
        Some(Query::new(match s.kind {
            Kind::TRANS_STMT_BEGIN | Kind::TRANS_STMT_START => StatementKind::Begin,
            Kind::TRANS_STMT_COMMIT | Kind::TRANS_STMT_ROLLBACK | Kind::TRANS_STMT_PREPARE => StatementKind::End,
            _ => StatementKind::Utility,
        }))
    } else if let Some(s) = n.get::<pg_sys::DeclareCursorStmt>() {
        inner(s.query, depth)
    } else if let Some(s) = n.get::<pg_sys::PrepareStmt>() {
        inner(s.query, depth)
    } else if let Some(s) = n.get::<pg_sys::ExplainStmt>() {
        inner(s.query, depth)
    } else if let Some(s) = n.get::<pg_sys::CreateTableAsStmt>() {
        inner(s.query, depth)
    } else if let Some(s) = n.get::<pg_sys::PLAssignStmt>() {
        inner(s.val.cast(), depth)
    } else {
        merge(n, depth).unwrap_or_else(|| Some(Query::new(StatementKind::Utility)))
    }
}

/// GROUP BY and ORDER BY, where `2` means the second output.
fn named_or_counted(list: *mut pg_sys::List, outputs: &[(Option<String>, Expr)], depth: usize) -> Option<Vec<Expr>> {
    items(list)
        .map(|item| {
            let sorted = item.get::<pg_sys::SortBy>().and_then(|s| node(s.node)).unwrap_or(item);
            let place = crate::pg::compat::constant_integer(sorted).and_then(|n| usize::try_from(n).ok());
            match place.and_then(|n| outputs.get(n.checked_sub(1)?)) {
                Some((_, output)) => Some(output.clone()),
                None => expression(item, depth),
            }
        })
        .collect()
}

/// `AS alias (a, b)`: the outputs get these names, in order.
fn name_outputs(query: &mut Query, names: Vec<String>) {
    let target = match query.set_operands.first_mut() {
        Some(first) => first,
        None => query,
    };
    for (output, name) in target.outputs.iter_mut().zip(names) {
        output.0 = Some(name);
    }
}

/// What a view stands for, with the names that it gives its columns; None when it is nested too deeply.
pub fn view(s: &pg_sys::ViewStmt) -> Option<Query> {
    let mut query = statement(node(s.query)?, 0)?;
    name_outputs(&mut query, items(s.aliases).filter_map(string).collect());
    Some(query)
}

fn inner(query: *mut pg_sys::Node, depth: usize) -> Option<Query> {
    match node(query) {
        Some(query) => statement(query, depth),
        None => Some(Query::new(StatementKind::Utility)),
    }
}

fn select(s: &pg_sys::SelectStmt, depth: usize) -> Option<Query> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut q = Query::new(StatementKind::Select);
    q.ctes = ctes(s.withClause, depth)?;
    if let (Some(left), Some(right)) = (field(s.larg), field(s.rarg)) {
        q.set_operands = vec![select(left, depth + 1)?, select(right, depth + 1)?];
    }
    q.from = from(s.fromClause, depth)?;
    q.filter = expr::optional(s.whereClause, depth)?;
    q.having = expr::optional(s.havingClause, depth)?;
    q.outputs = outputs(s.targetList, depth)?;
    q.group_by = named_or_counted(s.groupClause, &q.outputs, depth)?;
    q.order_by = named_or_counted(s.sortClause, &q.outputs, depth)?;
    q.distinct = !s.distinctClause.is_null();
    q.limited = !s.limitCount.is_null();
    Some(q)
}

fn insert(s: &pg_sys::InsertStmt, depth: usize) -> Option<Query> {
    let mut q = Query::new(StatementKind::Insert);
    q.ctes = ctes(s.withClause, depth)?;
    q.target = table(s.relation);
    q.inserted = items(s.cols).filter_map(|c| c.get::<pg_sys::ResTarget>()).filter_map(|c| text(c.name)).collect();
    if let Some(source) = node(s.selectStmt).and_then(|n| n.get::<pg_sys::SelectStmt>()) {
        let query =
            if source.valuesLists.is_null() { Some(select(source, depth + 1)?) } else { values(source, depth)? };
        q.from.extend(query.map(|query| FromItem::Subquery { alias: None, query: Box::new(query) }));
    }
    if let Some(conflict) = field(s.onConflictClause) {
        q.assigned = assignments(conflict.targetList, depth)?;
    }
    q.outputs = outputs(returning!(s), depth)?;
    Some(q)
}

/// What stands in VALUES beside values, such as subqueries, as the outputs of a SELECT; Some(None) when nothing does.
fn values(s: &pg_sys::SelectStmt, depth: usize) -> Option<Option<Query>> {
    let mut q = Query::new(StatementKind::Select);
    for row in items(s.valuesLists) {
        let row = expr::list(row.as_ptr().cast(), depth)?;
        q.outputs.extend(row.into_iter().filter(|e| *e != Expr::Value).map(|e| (None, e)));
    }
    Some((!q.outputs.is_empty()).then_some(q))
}

/// None when the node is no MERGE; Some(None) when it is nested too deeply.
#[cfg(not(feature = "pg14"))]
fn merge(n: Node<'_>, depth: usize) -> Option<Option<Query>> {
    let s = n.get::<pg_sys::MergeStmt>()?;
    let read = || {
        let mut q = Query::new(StatementKind::Merge);
        q.ctes = ctes(s.withClause, depth)?;
        q.target = table(s.relation);
        q.from = vec![from_item(node(s.sourceRelation)?, depth)?];
        q.filter = expr::optional(s.joinCondition, depth)?;
        for clause in items(s.mergeWhenClauses).filter_map(|c| c.get::<pg_sys::MergeWhenClause>()) {
            if clause.commandType == pg_sys::CmdType::CMD_UPDATE {
                q.assigned.extend(assignments(clause.targetList, depth)?);
            }
        }
        Some(q)
    };
    Some(read())
}

#[cfg(feature = "pg14")]
fn merge(_: Node<'_>, _: usize) -> Option<Option<Query>> {
    None
}

fn ctes(with: *mut pg_sys::WithClause, depth: usize) -> Option<Vec<(String, Query)>> {
    let Some(with) = field(with) else { return Some(Vec::new()) };
    items(with.ctes)
        .filter_map(|c| c.get::<pg_sys::CommonTableExpr>())
        .map(|c| {
            let mut query = inner(c.ctequery, depth)?;
            name_outputs(&mut query, items(c.aliascolnames).filter_map(string).collect());
            Some((text(c.ctename).unwrap_or_default(), query))
        })
        .collect()
}

fn table(relation: *mut pg_sys::RangeVar) -> Option<TableRef> {
    let relation = field(relation)?;
    Some(TableRef { schema: text(relation.schemaname), name: text(relation.relname)?, alias: alias(relation.alias) })
}

fn alias(alias: *mut pg_sys::Alias) -> Option<String> {
    field(alias).and_then(|a| text(a.aliasname))
}

fn from(list: *mut pg_sys::List, depth: usize) -> Option<Vec<FromItem>> {
    items(list).map(|item| from_item(item, depth)).collect()
}

fn from_item(n: Node<'_>, depth: usize) -> Option<FromItem> {
    if depth > MAX_DEPTH {
        return None;
    }
    let item = if let Some(relation) = n.get::<pg_sys::RangeVar>() {
        FromItem::Table(table(std::ptr::from_ref(relation).cast_mut())?)
    } else if let Some(sub) = n.get::<pg_sys::RangeSubselect>() {
        let mut query = statement(node(sub.subquery)?, depth)?;
        name_outputs(
            &mut query,
            field(sub.alias).map(|a| items(a.colnames).filter_map(string).collect()).unwrap_or_default(),
        );
        FromItem::Subquery { alias: alias(sub.alias), query: Box::new(query) }
    } else if let Some(join) = n.get::<pg_sys::JoinExpr>() {
        // The right side is the one whose rows may be missing: a RIGHT JOIN is a LEFT JOIN written backwards.
        let (left, right) = match join.jointype {
            pg_sys::JoinType::JOIN_RIGHT => (join.rarg, join.larg),
            _ => (join.larg, join.rarg),
        };
        FromItem::Join {
            left: Box::new(from_item(node(left)?, depth + 1)?),
            right: Box::new(from_item(node(right)?, depth + 1)?),
            outer: join.jointype != pg_sys::JoinType::JOIN_INNER,
            on: expr::optional(join.quals, depth)?,
            using: items(join.usingClause).filter_map(string).collect(),
            natural: join.isNatural,
        }
    } else if let Some(sample) = n.get::<pg_sys::RangeTableSample>() {
        from_item(node(sample.relation)?, depth + 1)?
    } else {
        let function = n.get::<pg_sys::RangeFunction>().and_then(|f| alias(f.alias));
        FromItem::Other { alias: function.or(n.get::<pg_sys::RangeTableFunc>().and_then(|f| alias(f.alias))) }
    };
    Some(item)
}

/// SET a = x, and SET (a, b) = (x, y) or = (SELECT …), whose values are not looked at column by column: the first
/// column has them all.
fn assignments(list: *mut pg_sys::List, depth: usize) -> Option<Vec<(String, Expr)>> {
    items(list)
        .filter_map(|t| t.get::<pg_sys::ResTarget>())
        .filter_map(|target| Some((text(target.name)?, target)))
        .map(|(name, target)| {
            let value = match node(target.val) {
                Some(v) => match v.get::<pg_sys::MultiAssignRef>() {
                    Some(shared) if shared.colno == 1 => {
                        Expr::Other(expr::optional(shared.source, depth)?.into_iter().collect())
                    }
                    Some(_) => Expr::Other(Vec::new()),
                    None => expression(v, depth)?,
                },
                None => Expr::Value,
            };
            Some((name, value))
        })
        .collect()
}

fn outputs(list: *mut pg_sys::List, depth: usize) -> Option<Vec<(Option<String>, Expr)>> {
    items(list)
        .filter_map(|t| t.get::<pg_sys::ResTarget>())
        .filter_map(|target| Some((text(target.name), node(target.val)?)))
        .map(|(name, value)| Some((name, expression(value, depth)?)))
        .collect()
}
