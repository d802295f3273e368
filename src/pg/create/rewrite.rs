//! Changing a statement's parse tree so that it builds the target instead of the source.
//!
//! The text of a backup is never edited: it is parsed again for each use, and the names, the partition clause and the
//! columns of keys are changed in the tree, in the memory context of the caller.
#![allow(unsafe_code)]

use super::nodes::{alter_table, append, make, name_list, only, palloc_text, range_var, unexpected, writable};
use super::steps::On;
use super::{Blueprint, carry};
use crate::pg::definition::{Origin, Part, PartKind, inline_constraints};
use crate::pg::error::Result;
use crate::pg::ffi::quote_table;
use crate::pg::tree::{self, Node, items, node, strings, text};
use foreshard_core::model::TableName;
use pgrx::pg_sys::{self, AlterTableType, ConstrType, NodeTag, ObjectType};

/// The statement that applies a part to the target or to one of its shards.
pub fn apply<'t>(blueprint: &Blueprint<'_>, part: &Part, on: On<'_>, widened: bool) -> Result<Node<'t>> {
    let rewriter = Rewriter {
        blueprint,
        table: match on {
            On::Table => blueprint.target.clone(),
            On::Part(number) => blueprint.part_name(number),
            On::Shard(shard) => blueprint.shard_name(shard.ordinal),
        },
        on_shard: matches!(on, On::Shard(_)),
        widened,
    };
    let n = only(&part.text)?;
    rewriter.statement(n, part)
}

struct Rewriter<'a> {
    blueprint: &'a Blueprint<'a>,
    table: TableName,
    on_shard: bool,
    widened: bool,
}

impl Rewriter<'_> {
    fn statement<'t>(&self, n: Node<'t>, part: &Part) -> Result<Node<'t>> {
        if let Origin::Inline(i) = part.origin {
            return self.inline(n, i, part);
        }
        if let Some(s) = writable::<pg_sys::AlterTableStmt>(n) {
            self.alter(s, part)?;
        } else if let Some(s) = writable::<pg_sys::IndexStmt>(n) {
            self.index(s);
        } else if let Some(s) = writable::<pg_sys::CreateTrigStmt>(n) {
            s.relation = range_var(&self.table);
            self.to_itself(&mut s.constrrel);
        } else if let Some(s) = writable::<pg_sys::CreatePolicyStmt>(n) {
            s.table = range_var(&self.table);
        } else if let Some(s) = writable::<pg_sys::RuleStmt>(n) {
            s.relation = range_var(&self.table);
        } else if let Some(s) = writable::<pg_sys::CommentStmt>(n) {
            s.object = self.object(s.objtype, s.object);
        } else if let Some(s) = writable::<pg_sys::SecLabelStmt>(n) {
            s.object = self.object(s.objtype, s.object);
        } else if let Some(s) = writable::<pg_sys::GrantStmt>(n) {
            let name = match &part.kind {
                PartKind::Grant { sequence: Some(sequence), .. } => self.blueprint.rename(sequence),
                _ => self.table.clone(),
            };
            s.objects = append(std::ptr::null_mut(), range_var(&name));
        } else if let Some(s) = writable::<pg_sys::CreateStatsStmt>(n) {
            s.relations = append(std::ptr::null_mut(), range_var(&self.table));
            s.if_not_exists = false;
            s.defnames = self.own_name(s.defnames);
        } else if let Some(s) = writable::<pg_sys::AlterStatsStmt>(n) {
            s.defnames = self.own_name(s.defnames);
        } else if let Some(s) = writable::<pg_sys::AlterOwnerStmt>(n) {
            s.object = self.own_name(s.object.cast()).cast();
        } else if let Some(s) = writable::<pg_sys::CreateSeqStmt>(n) {
            self.rename_relation(&mut s.sequence);
            // What is there under its name is not ours to take.
            s.if_not_exists = false;
        } else if let Some(s) = writable::<pg_sys::AlterSeqStmt>(n) {
            self.rename_relation(&mut s.sequence);
            self.owned_by(s.options);
        } else if let Some(s) = writable::<pg_sys::AlterPublicationStmt>(n) {
            crate::pg::compat::publish_only(s, self.blueprint.source(), range_var(&self.table));
        } else {
            return Err(unexpected(&part.text));
        }
        Ok(n)
    }

    fn rename_relation(&self, relation: &mut *mut pg_sys::RangeVar) {
        if let (Some(old), Some(name)) = (tree::field(*relation), tree::table_name(*relation, "public")) {
            let new = range_var(&self.blueprint.rename(&name));
            // SAFETY: range_var has just made it. An unlogged sequence stays one.
            unsafe { (*new).relpersistence = old.relpersistence };
            *relation = new;
        }
    }

    /// A reference to the source itself (a foreign key to its own table) becomes one to the target.
    fn to_itself(&self, relation: &mut *mut pg_sys::RangeVar) {
        if tree::table_name(*relation, "public").as_ref() == Some(self.blueprint.source()) {
            *relation = range_var(&self.blueprint.target);
        }
    }

    fn renamed_list(&self, names: *mut pg_sys::List) -> *mut pg_sys::List {
        match tree::qualified(&strings(names), "public").map(|n| self.blueprint.rename(&n)) {
            Some(name) => name_list(&[&name.schema, &name.name]),
            None => names,
        }
    }

    /// The name of an index or statistics object of the target or of the shard.
    fn own_name(&self, names: *mut pg_sys::List) -> *mut pg_sys::List {
        match strings(names).last().map(|name| self.index_name(name)) {
            Some(name) => name_list(&[&name.schema, &name.name]),
            None => names,
        }
    }

    /// The object of a COMMENT or SECURITY LABEL.
    fn object(&self, kind: ObjectType::Type, object: *mut pg_sys::Node) -> *mut pg_sys::Node {
        let names = strings(object.cast());
        match kind {
            ObjectType::OBJECT_TABLE => name_list(&[&self.table.schema, &self.table.name]).cast(),
            ObjectType::OBJECT_SEQUENCE => self.renamed_list(object.cast()).cast(),
            ObjectType::OBJECT_INDEX | ObjectType::OBJECT_STATISTIC_EXT => self.own_name(object.cast()).cast(),
            ObjectType::OBJECT_TABCONSTRAINT => match names.last() {
                Some(name) => {
                    let name = if self.has_index(name) { self.index_name(name).name } else { name.clone() };
                    name_list(&[&self.table.schema, &self.table.name, &name]).cast()
                }
                None => object,
            },
            _ => match names.last() {
                Some(last) => name_list(&[&self.table.schema, &self.table.name, last]).cast(),
                None => object,
            },
        }
    }

    /// `OWNED BY schema.table.column`.
    fn owned_by(&self, options: *mut pg_sys::List) {
        for option in items(options).filter_map(writable::<pg_sys::DefElem>) {
            let names = node(option.arg).map(|a| strings(a.as_ptr().cast())).unwrap_or_default();
            if text(option.defname).as_deref() == Some("owned_by")
                && let Some(column) = names.last().filter(|_| names.len() > 1)
            {
                option.arg = name_list(&[&self.table.schema, &self.table.name, column]).cast();
            }
        }
    }

    fn alter(&self, s: &mut pg_sys::AlterTableStmt, part: &Part) -> Result<()> {
        match part.kind {
            PartKind::SequenceDetail | PartKind::SequenceOwner { .. } => {
                self.rename_relation(&mut s.relation);
                return Ok(());
            }
            PartKind::IndexDetail | PartKind::IndexColumn => {
                if let Some(index) = tree::table_name(s.relation, "public") {
                    s.relation = range_var(&self.index_name(&index.name));
                    // The parts of an index on the shards get the command themselves.
                    // SAFETY: range_var has just made it.
                    unsafe { (*s.relation).inh = false };
                }
                return Ok(());
            }
            _ => {}
        }
        s.relation = range_var(&self.table);
        let Origin::Command(i) = part.origin else { return Ok(()) };
        let Some(command) = items(s.cmds).nth(i) else { return Err(unexpected(&part.text)) };
        s.cmds = append(std::ptr::null_mut(), command.as_ptr());
        let Some(command) = writable::<pg_sys::AlterTableCmd>(command) else { return Ok(()) };
        if command.subtype == AlterTableType::AT_ClusterOn {
            command.name = palloc_text(&self.index_name(&text(command.name).unwrap_or_default()).name);
        }
        if part.kind == PartKind::ColumnDetail {
            // SAFETY: range_var has just made it. The shards get the command themselves.
            unsafe { (*s.relation).inh = !self.blueprint.is_sharded() };
        }
        let Some(def) = node(command.def) else { return Ok(()) };
        if let Some(identity) = writable::<pg_sys::ReplicaIdentityStmt>(def)
            && !identity.name.is_null()
        {
            identity.name = palloc_text(&self.index_name(&text(identity.name).unwrap_or_default()).name);
        }
        if command.subtype == AlterTableType::AT_ColumnDefault {
            self.sequences_in(def);
        } else if let Some(constraint) = writable::<pg_sys::Constraint>(def) {
            self.constraint(constraint, part);
        }
        Ok(())
    }

    /// The target's index of that name in the backup, or the shard's own part of it.
    fn index_name(&self, name: &str) -> TableName {
        if self.on_shard {
            return self.blueprint.name_on_shard(&self.table, name);
        }
        self.blueprint.rename(&TableName::new(&self.blueprint.source().schema, name))
    }

    /// The constraint is one that an index holds up, and so has a name in the schema.
    fn has_index(&self, constraint: &str) -> bool {
        self.blueprint
            .definition
            .parts
            .iter()
            .any(|p| p.object == constraint && matches!(p.kind, PartKind::Unique { .. } | PartKind::Exclusion))
    }

    fn constraint(&self, c: &mut pg_sys::Constraint, part: &Part) {
        if c.conname.is_null() && matches!(part.kind, PartKind::Unique { .. } | PartKind::ForeignKey { .. }) {
            c.conname = palloc_text(&part.object);
        }
        match c.contype {
            ConstrType::CONSTR_IDENTITY => {
                for option in items(c.options).filter_map(writable::<pg_sys::DefElem>) {
                    if text(option.defname).as_deref() == Some("sequence_name") {
                        option.arg = self.renamed_list(option.arg.cast()).cast();
                    }
                }
                return;
            }
            ConstrType::CONSTR_FOREIGN => {
                // A name without a schema means one of the script's search_path, not of ours.
                if let PartKind::ForeignKey { references, .. } = &part.kind {
                    c.pktable = range_var(references);
                }
                self.to_itself(&mut c.pktable);
                return;
            }
            ConstrType::CONSTR_CHECK => {
                c.is_no_inherit &= !self.blueprint.is_sharded();
                return;
            }
            _ => {}
        }
        c.indexspace = std::ptr::null_mut();
        if let Some(name) = text(c.conname) {
            c.conname = palloc_text(&self.index_name(&name).name);
        }
        if self.widened
            && let Some(layout) = self.blueprint.layout
        {
            for column in carry::missing(layout, &strings(c.keys)) {
                // SAFETY: makeString keeps the palloc'd text.
                c.keys = append(c.keys, unsafe { pg_sys::makeString(palloc_text(column)) });
            }
        }
    }

    fn index(&self, s: &mut pg_sys::IndexStmt) {
        s.relation = range_var(&self.table);
        s.tableSpace = std::ptr::null_mut();
        s.concurrent = false;
        s.if_not_exists = false;
        if let Some(name) = text(s.idxname) {
            s.idxname = palloc_text(&self.index_name(&name).name);
        }
        if self.widened
            && let Some(layout) = self.blueprint.layout
        {
            let columns: Vec<String> = items(s.indexParams)
                .filter_map(|p| p.get::<pg_sys::IndexElem>())
                .filter_map(|e| text(e.name))
                .collect();
            for column in carry::missing(layout, &columns) {
                let element = make::<pg_sys::IndexElem>();
                // SAFETY: just made, zeroed.
                unsafe { (*element).name = palloc_text(column) };
                s.indexParams = append(s.indexParams, element);
            }
        }
    }

    /// A constraint written inside CREATE TABLE, as an ALTER TABLE of its own.
    fn inline<'t>(&self, n: Node<'t>, place: usize, part: &Part) -> Result<Node<'t>> {
        let all = n.get::<pg_sys::CreateStmt>().map(inline_constraints).unwrap_or_default();
        let Some((column, constraint)) = all.get(place).cloned() else { return Err(unexpected(&part.text)) };
        let attributes: Vec<_> = all.iter().skip(place + 1).map(|(_, c)| c.contype).collect();
        let Some(constraint) = node(std::ptr::from_ref(constraint).cast_mut()).and_then(writable::<pg_sys::Constraint>)
        else {
            return Err(unexpected(&part.text));
        };
        if let Some(column) = column {
            let keys = name_list(&[&column]);
            match constraint.contype {
                ConstrType::CONSTR_CHECK => {}
                ConstrType::CONSTR_FOREIGN => constraint.fk_attrs = keys,
                _ => constraint.keys = keys,
            }
            for attribute in attributes {
                match attribute {
                    ConstrType::CONSTR_ATTR_DEFERRABLE => constraint.deferrable = true,
                    ConstrType::CONSTR_ATTR_DEFERRED => {
                        (constraint.deferrable, constraint.initdeferred) = (true, true);
                    }
                    ConstrType::CONSTR_ATTR_NOT_DEFERRABLE | ConstrType::CONSTR_ATTR_IMMEDIATE => {}
                    _ => break,
                }
            }
        }
        constraint.initially_valid = true;
        self.constraint(constraint, part);
        let command = make::<pg_sys::AlterTableCmd>();
        // SAFETY: just made, zeroed.
        unsafe {
            (*command).subtype = AlterTableType::AT_AddConstraint;
            (*command).def = std::ptr::from_mut(constraint).cast();
        }
        node(alter_table(&self.table, command)).ok_or_else(|| unexpected(&part.text))
    }

    /// `nextval('schema.sequence'::regclass)` of a sequence that is created under another name.
    fn sequences_in(&self, default: Node<'_>) {
        for sequence in &self.blueprint.definition.sequences {
            let renamed = self.blueprint.rename(sequence);
            if renamed != *sequence {
                replace_constant(default, &quote_table(sequence), &quote_table(&renamed));
            }
        }
    }
}

fn replace_constant(n: Node<'_>, old: &str, new: &str) {
    if crate::pg::compat::constant_text(n).as_deref() == Some(old) {
        crate::pg::compat::set_constant_text(n, palloc_text(new));
        return;
    }
    for child in tree::children(n) {
        if child.tag() == NodeTag::T_List {
            items(child.as_ptr().cast()).for_each(|item| replace_constant(item, old, new));
        } else {
            replace_constant(child, old, new);
        }
    }
}
