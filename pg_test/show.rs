//! What tests compare: statement trees in one short line each, and errors of the server as data.
//!
//! A tree is written clause by clause, leaving out what is empty: `select from(t) where(and((a = ?), (b < ?)))`. A value is
//! `?`, a star `*`, a call `name!(…)`, an expression of which only the parts are known `[…]`, a query in a query `{…}`.
//! An outer join is `<left+right on …>` with the side whose rows may be missing on the right.

use crate::pg::ffi::problem_of;
use foreshard_core::model::Problem;
use foreshard_core::model::statement::{Expr, FromItem, Query, StatementKind, SubqueryLink, TableRef};
use pgrx::PgTryBuilder;
use std::panic::AssertUnwindSafe;

/// The error that `work` raises, as data; a panic when it raises none.
pub fn raised(work: impl FnOnce()) -> Problem {
    PgTryBuilder::new(AssertUnwindSafe(|| {
        work();
        None
    }))
    .catch_others(|error| Some(problem_of(&error)))
    .execute()
    .expect("no error was raised")
}

/// Every difference of a list of cases at once.
pub fn compare<'a>(cases: impl IntoIterator<Item = (&'a str, String, &'a str)>) {
    let wrong: Vec<String> = cases
        .into_iter()
        .filter(|(_, found, expected)| found != expected)
        .map(|(case, found, expected)| format!("{case}\n     found {found}\n  expected {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

pub fn query(q: &Query) -> String {
    let kind = match q.kind {
        StatementKind::Select => "select",
        StatementKind::Insert => "insert",
        StatementKind::Update => "update",
        StatementKind::Delete => "delete",
        StatementKind::Merge => "merge",
        StatementKind::Copy => "copy",
        StatementKind::Begin => "begin",
        StatementKind::End => "end",
        StatementKind::Utility => "utility",
    };
    let mut text = kind.to_owned();
    if let Some(target) = &q.target {
        text.push_str(&format!(" {}", table(target)));
    }
    let outputs = q.outputs.iter().map(|(name, e)| match name {
        Some(name) => format!("{} as {name}", expr(e)),
        None => expr(e),
    });
    let assigned = q.assigned.iter().map(|(column, value)| format!("{column} := {}", expr(value)));
    let ctes = q.ctes.iter().map(|(name, q)| format!("{name} {{{}}}", query(q)));
    for (clause, parts) in [
        ("with", ctes.collect::<Vec<_>>()),
        ("columns", q.inserted.clone()),
        ("out", outputs.collect()),
        ("from", q.from.iter().map(item).collect()),
        ("where", q.filter.iter().map(expr).collect()),
        ("having", q.having.iter().map(expr).collect()),
        ("set", assigned.collect()),
        ("group", exprs(&q.group_by)),
        ("order", exprs(&q.order_by)),
        ("sides", q.set_operands.iter().map(query).collect()),
    ] {
        if !parts.is_empty() {
            text.push_str(&format!(" {clause}({})", parts.join(", ")));
        }
    }
    for (word, said) in [("distinct", q.distinct), ("limit", q.limited)] {
        if said {
            text.push_str(&format!(" {word}"));
        }
    }
    text
}

fn exprs(list: &[Expr]) -> Vec<String> {
    list.iter().map(expr).collect()
}

fn table(t: &TableRef) -> String {
    let schema = t.schema.as_ref().map(|s| format!("{s}.")).unwrap_or_default();
    let alias = t.alias.as_ref().map(|a| format!(" {a}")).unwrap_or_default();
    format!("{schema}{}{alias}", t.name)
}

fn item(from: &FromItem) -> String {
    match from {
        FromItem::Table(t) => table(t),
        FromItem::Subquery { alias, query: q } => {
            let alias = alias.as_ref().map(|a| format!(" {a}")).unwrap_or_default();
            format!("{{{}}}{alias}", query(q))
        }
        FromItem::Join { left, right, outer, on, using, natural } => {
            let mut text = format!("<{}{}{}", item(left), if *outer { "+" } else { "," }, item(right));
            if *natural {
                text.push_str(" natural");
            }
            if !using.is_empty() {
                text.push_str(&format!(" using {}", using.join(" ")));
            }
            if let Some(on) = on {
                text.push_str(&format!(" on {}", expr(on)));
            }
            text + ">"
        }
        FromItem::Other { alias } => format!("rows {}", alias.as_deref().unwrap_or("-")),
    }
}

pub fn expr(e: &Expr) -> String {
    let not = |negated: &bool| if *negated { "not " } else { "" };
    match e {
        Expr::Column(path) => path.join("."),
        Expr::Star => "*".to_owned(),
        Expr::Value => "?".to_owned(),
        Expr::Compare { op, left, right } => format!("({} {op} {})", expr(left), expr(right)),
        Expr::In { test, items: Some(n), negated } => format!("({} {}in {n})", expr(test), not(negated)),
        Expr::In { test, items: None, negated } => format!("({} {}in array)", expr(test), not(negated)),
        Expr::Between { test, low, high, negated } => {
            format!("({} {}between {} {})", expr(test), not(negated), expr(low), expr(high))
        }
        Expr::Like { test, pattern, prefix, negated } => {
            let word = if *prefix { "like" } else { "matches" };
            format!("({} {}{word} {})", expr(test), not(negated), expr(pattern))
        }
        Expr::IsNull { test, negated } => format!("({} is {}null)", expr(test), not(negated)),
        Expr::And(parts) => format!("and({})", exprs(parts).join(", ")),
        Expr::Or(parts) => format!("or({})", exprs(parts).join(", ")),
        Expr::Not(inner) => format!("not({})", expr(inner)),
        Expr::Row(parts) => format!("row({})", exprs(parts).join(", ")),
        Expr::Subquery { link, test, query: q } => {
            let link = match link {
                SubqueryLink::Exists => "exists",
                SubqueryLink::EqualsAny => "= any",
                SubqueryLink::Compare => "compare",
                SubqueryLink::Scalar => "scalar",
                SubqueryLink::Array => "array",
            };
            let test = test.as_ref().map(|t| format!("{} ", expr(t))).unwrap_or_default();
            format!("{test}{link} {{{}}}", query(q))
        }
        Expr::Call { name, args } => format!("{name}!({})", exprs(args).join(", ")),
        Expr::Other(parts) => format!("[{}]", exprs(parts).join(", ")),
    }
}
