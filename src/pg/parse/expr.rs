//! Expressions. Each function returns None when the expression is nested too deeply.

use super::MAX_DEPTH;
use super::query::statement;
use crate::pg::tree::{Node, children, items, len, node, string, strings};
use foreshard_core::model::statement::{Expr, SubqueryLink};
use pgrx::pg_sys::{self, A_Expr_Kind, BoolExprType, NodeTag, NullTestType, SubLinkType};

/// A field that may be NULL.
pub fn optional(field: *mut pg_sys::Node, depth: usize) -> Option<Option<Expr>> {
    match node(field) {
        Some(n) => expression(n, depth).map(Some),
        None => Some(None),
    }
}

pub fn list(list: *mut pg_sys::List, depth: usize) -> Option<Vec<Expr>> {
    items(list).map(|n| expression(n, depth)).collect()
}

fn boxed(field: *mut pg_sys::Node, depth: usize) -> Option<Box<Expr>> {
    Some(Box::new(optional(field, depth)?.unwrap_or(Expr::Value)))
}

pub fn expression(n: Node<'_>, depth: usize) -> Option<Expr> {
    if depth > MAX_DEPTH {
        return None;
    }
    let depth = depth + 1;
    let expr = match n.tag() {
        NodeTag::T_A_Const | NodeTag::T_ParamRef | NodeTag::T_SQLValueFunction | NodeTag::T_SetToDefault => Expr::Value,
        NodeTag::T_ColumnRef => column(n.get::<pg_sys::ColumnRef>()?),
        NodeTag::T_A_Expr => operator(n.get::<pg_sys::A_Expr>()?, depth)?,
        NodeTag::T_BoolExpr => {
            let b = n.get::<pg_sys::BoolExpr>()?;
            let mut args = list(b.args, depth)?;
            match b.boolop {
                BoolExprType::AND_EXPR => Expr::And(args),
                BoolExprType::OR_EXPR => Expr::Or(args),
                _ => Expr::Not(Box::new(args.pop().unwrap_or(Expr::Value))),
            }
        }
        NodeTag::T_NullTest => {
            let t = n.get::<pg_sys::NullTest>()?;
            Expr::IsNull { test: boxed(t.arg.cast(), depth)?, negated: t.nulltesttype == NullTestType::IS_NOT_NULL }
        }
        NodeTag::T_RowExpr => Expr::Row(list(n.get::<pg_sys::RowExpr>()?.args, depth)?),
        // A value stays one; a column seen as another type is not found by an index on the column.
        NodeTag::T_TypeCast => values_or(vec![*boxed(n.get::<pg_sys::TypeCast>()?.arg, depth)?]),
        NodeTag::T_CollateClause => *boxed(n.get::<pg_sys::CollateClause>()?.arg, depth)?,
        NodeTag::T_SortBy => *boxed(n.get::<pg_sys::SortBy>()?.node, depth)?,
        NodeTag::T_SubLink => sublink(n.get::<pg_sys::SubLink>()?, depth)?,
        NodeTag::T_FuncCall => {
            let call = n.get::<pg_sys::FuncCall>()?;
            let name = strings(call.funcname).pop().unwrap_or_default();
            let args = list(call.args, depth)?;
            // A call without columns (`now()`, `date_trunc('day', $1)`) is one value, unless it is an aggregate (`count(*)`)
            // or makes a new value for each row; neither stands where rows are searched by equality in practice.
            if !call.agg_star && args.iter().all(|a| matches!(a, Expr::Value)) {
                Expr::Value
            } else {
                Expr::Call { name, args }
            }
        }
        NodeTag::T_A_ArrayExpr => values_or(list(n.get::<pg_sys::A_ArrayExpr>()?.elements, depth)?),
        _ => {
            let inside: Option<Vec<Expr>> = children(n)
                .into_iter()
                .map(|child| match child.tag() {
                    NodeTag::T_SelectStmt => Some(Expr::Subquery {
                        link: SubqueryLink::Scalar,
                        test: None,
                        query: Box::new(statement(child, depth)?),
                    }),
                    NodeTag::T_List => Some(values_or(list(child.as_ptr().cast(), depth)?)),
                    _ => expression(child, depth),
                })
                .collect();
            values_or(inside?)
        }
    };
    Some(expr)
}

/// One value when all parts are values.
fn values_or(parts: Vec<Expr>) -> Expr {
    if !parts.is_empty() && parts.iter().all(|p| matches!(p, Expr::Value)) { Expr::Value } else { Expr::Other(parts) }
}

fn column(c: &pg_sys::ColumnRef) -> Expr {
    if items(c.fields).any(|f| f.tag() == NodeTag::T_A_Star) {
        return Expr::Star;
    }
    Expr::Column(strings(c.fields))
}

fn operator(e: &pg_sys::A_Expr, depth: usize) -> Option<Expr> {
    let name = strings(e.name).pop().unwrap_or_default();
    let negated = name.starts_with('!') || name == "<>";
    let pair = |side: *mut pg_sys::Node| -> Option<(Box<Expr>, Box<Expr>)> {
        let mut bounds = items(side.cast::<pg_sys::List>());
        let low = bounds.next().map(|n| expression(n, depth))??;
        let high = bounds.next().map(|n| expression(n, depth))??;
        Some((Box::new(low), Box::new(high)))
    };
    let expr = match e.kind {
        A_Expr_Kind::AEXPR_OP if e.lexpr.is_null() => values_or(vec![*boxed(e.rexpr, depth)?]),
        A_Expr_Kind::AEXPR_OP => {
            let (left, right) = (boxed(e.lexpr, depth)?, boxed(e.rexpr, depth)?);
            if is_comparison(&name) { Expr::Compare { op: name, left, right } } else { values_or(vec![*left, *right]) }
        }
        A_Expr_Kind::AEXPR_OP_ANY if name == "=" => {
            let (test, array) = (boxed(e.lexpr, depth)?, boxed(e.rexpr, depth)?);
            if is_value(&array) {
                let items = node(e.rexpr).and_then(|n| n.get::<pg_sys::A_ArrayExpr>()).map(|array| len(array.elements));
                Expr::In { test, items, negated: false }
            } else {
                Expr::Other(vec![*test, *array])
            }
        }
        A_Expr_Kind::AEXPR_IN => {
            let values = list(e.rexpr.cast(), depth)?;
            let test = boxed(e.lexpr, depth)?;
            if values.iter().all(is_value) {
                Expr::In { test, items: Some(values.len()), negated }
            } else {
                Expr::Other(std::iter::once(*test).chain(values).collect())
            }
        }
        A_Expr_Kind::AEXPR_LIKE | A_Expr_Kind::AEXPR_ILIKE | A_Expr_Kind::AEXPR_SIMILAR => Expr::Like {
            test: boxed(e.lexpr, depth)?,
            pattern: boxed(e.rexpr, depth)?,
            prefix: e.kind == A_Expr_Kind::AEXPR_LIKE,
            negated,
        },
        A_Expr_Kind::AEXPR_BETWEEN
        | A_Expr_Kind::AEXPR_NOT_BETWEEN
        | A_Expr_Kind::AEXPR_BETWEEN_SYM
        | A_Expr_Kind::AEXPR_NOT_BETWEEN_SYM => {
            let negated = matches!(e.kind, A_Expr_Kind::AEXPR_NOT_BETWEEN | A_Expr_Kind::AEXPR_NOT_BETWEEN_SYM);
            let (low, high) = pair(e.rexpr)?;
            Expr::Between { test: boxed(e.lexpr, depth)?, low, high, negated }
        }
        // IS NOT DISTINCT FROM is here too: PostgreSQL neither prunes partitions by it nor looks it up in an index.
        _ => {
            let right = match node(e.rexpr) {
                Some(n) if n.tag() == NodeTag::T_List => Expr::Other(list(e.rexpr.cast(), depth)?),
                Some(n) => expression(n, depth)?,
                None => Expr::Value,
            };
            values_or(vec![*boxed(e.lexpr, depth)?, right])
        }
    };
    Some(expr)
}

fn is_value(e: &Expr) -> bool {
    match e {
        Expr::Value => true,
        Expr::Row(parts) => parts.iter().all(is_value),
        _ => false,
    }
}

fn is_comparison(name: &str) -> bool {
    matches!(name, "=" | "<" | "<=" | ">" | ">=" | "<>" | "!=" | "~" | "~*" | "@>" | "<@" | "&&")
}

fn sublink(s: &pg_sys::SubLink, depth: usize) -> Option<Expr> {
    let equals = s.operName.is_null() || items(s.operName).filter_map(string).last().as_deref() == Some("=");
    let link = match s.subLinkType {
        SubLinkType::EXISTS_SUBLINK => SubqueryLink::Exists,
        SubLinkType::ANY_SUBLINK if equals => SubqueryLink::EqualsAny,
        SubLinkType::ANY_SUBLINK | SubLinkType::ALL_SUBLINK => SubqueryLink::Compare,
        SubLinkType::ARRAY_SUBLINK => SubqueryLink::Array,
        _ => SubqueryLink::Scalar,
    };
    let test = optional(s.testexpr, depth)?.map(Box::new);
    Some(Expr::Subquery { link, test, query: Box::new(statement(node(s.subselect)?, depth)?) })
}
