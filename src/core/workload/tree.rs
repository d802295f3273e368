//! The statement tree's shape: what hangs below each part of it, and how deep it goes.
//!
//! Everything else in this room walks the tree by recursion; it may, because a tree deeper than [`MAX_DEPTH`] is
//! refused here first, without recursion.

use crate::model::statement::{Expr, FromItem, Query};

/// Levels of queries, FROM items and expressions inside each other that are walked. This many take less than 1 MB of
/// stack even without optimization (tests: `the_deepest_trees_are_read`), half of the server's default
/// `max_stack_depth`; people write a few dozen, and generators chain some hundreds of operators.
pub const MAX_DEPTH: usize = 512;

#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    Query(&'a Query),
    From(&'a FromItem),
    Expr(&'a Expr),
}

impl<'a> Part<'a> {
    /// Gives each part directly below this one to `take`.
    pub(super) fn children(self, take: &mut impl FnMut(Part<'a>)) {
        match self {
            Part::Query(query) => {
                query.ctes.iter().for_each(|(_, cte)| take(Part::Query(cte)));
                query.from.iter().for_each(|item| take(Part::From(item)));
                query.set_operands.iter().for_each(|side| take(Part::Query(side)));
                let conditions = query.filter.iter().chain(&query.having);
                let lists = query.group_by.iter().chain(&query.order_by);
                let values = query.assigned.iter().map(|(_, e)| e).chain(query.outputs.iter().map(|(_, e)| e));
                conditions.chain(lists).chain(values).for_each(|e| take(Part::Expr(e)));
            }
            Part::From(FromItem::Join { left, right, on, .. }) => {
                take(Part::From(left));
                take(Part::From(right));
                on.iter().for_each(|e| take(Part::Expr(e)));
            }
            Part::From(FromItem::Subquery { query, .. }) => take(Part::Query(query)),
            Part::From(FromItem::Table(_) | FromItem::Other { .. }) => {}
            Part::Expr(expr) => match expr {
                Expr::Column(_) | Expr::Star | Expr::Value => {}
                Expr::Compare { left, right, .. } => [left, right].into_iter().for_each(|e| take(Part::Expr(e))),
                Expr::In { test, .. } | Expr::IsNull { test, .. } | Expr::Not(test) => take(Part::Expr(test)),
                Expr::Between { test, low, high, .. } => {
                    [test, low, high].into_iter().for_each(|e| take(Part::Expr(e)));
                }
                Expr::Like { test, pattern, .. } => [test, pattern].into_iter().for_each(|e| take(Part::Expr(e))),
                Expr::And(items) | Expr::Or(items) | Expr::Row(items) | Expr::Other(items) => {
                    items.iter().for_each(|e| take(Part::Expr(e)));
                }
                Expr::Call { args, .. } => args.iter().for_each(|e| take(Part::Expr(e))),
                Expr::Subquery { test, query, .. } => {
                    test.iter().for_each(|e| take(Part::Expr(e)));
                    take(Part::Query(query));
                }
            },
        }
    }
}

/// The tree has more than [`MAX_DEPTH`] levels.
pub(super) fn too_deep(query: &Query) -> bool {
    deeper_than(query, MAX_DEPTH)
}

pub(super) fn deeper_than(query: &Query, most: usize) -> bool {
    let mut waiting = vec![(Part::Query(query), 1)];
    while let Some((part, depth)) = waiting.pop() {
        if depth > most {
            return true;
        }
        part.children(&mut |child| waiting.push((child, depth + 1)));
    }
    false
}
