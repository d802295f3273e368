//! Views: a statement on one is a statement on the tables behind it.
//!
//! The query of a view is walked where its name stands, like a subquery, but sees none of the names around it. A view that
//! is written must show the rows of a single table, which is then what is written.

use super::levels::Walker;
use super::scope::{References, Relation, Source};
use super::tree::deeper_than;
use crate::model::schema::Table;
use crate::model::statement::{Query, TableRef};
use std::collections::BTreeSet;

/// Views inside each other that are followed, and levels of one view's query. Together no more than the levels of one
/// statement that are walked ([`super::MAX_DEPTH`]); people write a handful of both.
const MAX_NESTED: usize = 8;
const MAX_VIEW_DEPTH: usize = 64;
/// Views that one statement is followed into: views that name views twice each would double it with every level.
const MAX_VIEWS: usize = 100;

/// How far a statement has been followed into views.
#[derive(Debug, Default)]
pub(super) struct Views {
    nested: usize,
    followed: usize,
}

impl Views {
    /// The walk is inside of a view.
    pub(super) fn inside(&self) -> bool {
        self.nested > 0
    }
}

impl<'a> Walker<'a, '_> {
    /// The view of that name as a relation.
    pub(super) fn view(&mut self, named: &TableRef) -> Option<Relation<'a>> {
        let query: &'a Query = self.tables.view(named)?;
        if self.views.nested >= MAX_NESTED || self.views.followed >= MAX_VIEWS || deeper_than(query, MAX_VIEW_DEPTH) {
            return None;
        }
        self.views.nested += 1;
        self.views.followed += 1;
        let scopes = std::mem::take(&mut self.scopes);
        let ctes = std::mem::take(&mut self.ctes);
        let reach = self.reach;
        let body = self.level(query, false);
        (self.scopes, self.ctes, self.reach) = (scopes, ctes, reach);
        self.views.nested -= 1;
        Some(Relation::Derived(self.references.add_body(body)))
    }
}

impl<'a> References<'a> {
    /// The table whose rows a reference shows, with the reference that reads it: itself, or what is behind a view.
    pub(super) fn behind(&self, reference: usize) -> Option<(usize, &'a Table)> {
        let mut at = reference;
        while let Some(body) = self.body(at) {
            let shown = body.outputs.iter().flat_map(|o| &o.sources).filter_map(|s| match s {
                Source::Column { node, .. } => Some(node.reference),
                Source::Value | Source::Unknown => None,
            });
            let mut shown = shown.collect::<BTreeSet<usize>>().into_iter();
            at = shown.next().filter(|_| shown.next().is_none())?;
        }
        self.table(at).map(|table| (at, table))
    }
}
