//! Filing a script's statements under the tables that they are about.

use super::columns::{column, inline_constraints, is_made_apart, makes_unique};
use super::facts::{
    checks_without_heirs, free_name, identity_sequence, implied_sequences, kind_of, reference_clause, what_it_is_of,
};
use super::{Definition, Definitions, Inbound, Of, Origin, Part, PartKind};
use crate::pg::tree::{self, Node, field, items, node, qualified, string, strings, table_name, text};
use foreshard_core::model::{ForeignKey, Table, TableName, UniqueKey};
use pgrx::pg_sys::{self, AlterTableType as At, ConstrType, NodeTag, ObjectType};
use std::collections::BTreeMap;

/// Reads statements one after the other, in the script's order.
#[derive(Debug)]
pub struct Reader {
    found: Definitions,
    /// Schema that unqualified names mean; `public` until the script says otherwise.
    schema: String,
    tablespace: String,
    access_method: String,
    /// Index, statistics object -> its table.
    belongs: BTreeMap<TableName, TableName>,
    sequences: BTreeMap<TableName, Vec<Part>>,
    /// Role that the script has switched to; None for the one that runs it.
    role: Option<String>,
}

impl Reader {
    pub fn new() -> Self {
        Self {
            found: Definitions::default(),
            schema: "public".to_owned(),
            tablespace: String::new(),
            access_method: String::new(),
            belongs: BTreeMap::new(),
            sequences: BTreeMap::new(),
            role: None,
        }
    }

    /// `client_encoding` of the script, as far as it was read.
    pub fn encoding(&self) -> Option<&str> {
        self.found.encoding.as_deref()
    }

    pub fn statement(&mut self, statement: &str) {
        let outcome = tree::with(statement, |nodes| nodes.iter().for_each(|n| self.read(*n, statement)));
        if let Err(problem) = outcome {
            let start: String = statement.chars().take(80).collect();
            self.found.unreadable.push((start, problem.message));
        }
    }

    /// The schema-wide conclusions: sequences to their owners, references resolved.
    pub fn finish(mut self) -> Definitions {
        for definition in self.found.tables.values_mut() {
            for sequence in definition.sequences.clone() {
                let parts = self.sequences.remove(&sequence).unwrap_or_default();
                definition.parts.extend(parts);
            }
        }
        let primary: BTreeMap<TableName, Vec<String>> = self
            .found
            .tables
            .iter()
            .filter_map(|(name, d)| Some((name.clone(), d.table.primary_key()?.columns.clone())))
            .collect();
        let mut inbound: Vec<(TableName, Inbound)> = Vec::new();
        for (name, definition) in &mut self.found.tables {
            for key in &mut definition.table.foreign_keys {
                if key.referenced_columns.is_empty() {
                    key.referenced_columns = primary.get(&key.references).cloned().unwrap_or_default();
                }
                inbound.push((
                    key.references.clone(),
                    Inbound {
                        table: name.clone(),
                        constraint: key.name.clone(),
                        columns: key.referenced_columns.clone(),
                    },
                ));
            }
            definition.table.foreign_keys.retain(|k| k.columns.len() == k.referenced_columns.len());
        }
        for (referenced, inbound) in inbound {
            if let Some(definition) = self.found.tables.get_mut(&referenced)
                && referenced != inbound.table
            {
                definition.referenced_by.push(inbound);
            }
        }
        self.found
    }

    fn read(&mut self, n: Node<'_>, statement: &str) {
        let whole = |kind: PartKind, object: String| Part {
            kind,
            object,
            text: statement.to_owned(),
            origin: Origin::Statement,
            of: None,
        };
        if let Some(s) = n.get::<pg_sys::CreateStmt>() {
            self.create_table(s, statement);
        } else if let Some(s) = n.get::<pg_sys::AlterTableStmt>() {
            self.alter_table(s, statement);
        } else if let Some(s) = n.get::<pg_sys::IndexStmt>() {
            let name = text(s.idxname).unwrap_or_default();
            let columns: Vec<Option<String>> =
                items(s.indexParams).filter_map(|p| p.get::<pg_sys::IndexElem>()).map(|e| text(e.name)).collect();
            let plain: Option<Vec<String>> = columns.into_iter().collect();
            let Some(table) = table_name(s.relation, &self.schema) else { return };
            self.belongs.insert(TableName::new(&table.schema, &name), table.clone());
            let unique_key = plain.clone().filter(|_| s.unique && s.whereClause.is_null());
            let kind = PartKind::Index { unique: s.unique, columns: plain.unwrap_or_default() };
            if let Some(definition) = self.found.tables.get_mut(&table) {
                if let Some(columns) = unique_key {
                    definition.table.unique_keys.push(UniqueKey { name: name.clone(), columns, primary: false });
                }
                definition.parts.push(whole(kind, name));
            }
        } else if let Some(s) = n.get::<pg_sys::CreateTrigStmt>() {
            let kind = PartKind::Trigger {
                transitions_by_row: s.row && !s.transitionRels.is_null(),
                constraint: s.isconstraint,
            };
            self.file(table_name(s.relation, &self.schema), whole(kind, text(s.trigname).unwrap_or_default()));
        } else if let Some(s) = n.get::<pg_sys::CreatePolicyStmt>() {
            let part = whole(PartKind::Policy, text(s.policy_name).unwrap_or_default());
            self.file(table_name(s.table, &self.schema), part);
        } else if let Some(s) = n.get::<pg_sys::RuleStmt>() {
            self.file(
                table_name(s.relation, &self.schema),
                whole(PartKind::Rule, text(s.rulename).unwrap_or_default()),
            );
        } else if let Some(s) = n.get::<pg_sys::CommentStmt>() {
            self.on_object(s.objtype, s.object, whole(PartKind::Comment, String::new()));
        } else if let Some(s) = n.get::<pg_sys::SecLabelStmt>() {
            self.on_object(s.objtype, s.object, whole(PartKind::SecurityLabel, String::new()));
        } else if let Some(s) = n.get::<pg_sys::GrantStmt>() {
            self.grant(s, whole(PartKind::Unknown, String::new()));
        } else if let Some(s) = n.get::<pg_sys::CreateStatsStmt>() {
            let names = strings(s.defnames);
            let table = items(s.relations)
                .filter_map(|r| r.get::<pg_sys::RangeVar>())
                .find_map(|r| table_name(std::ptr::from_ref(r).cast_mut(), &self.schema));
            if let (Some(table), Some(name)) = (table, qualified(&names, &self.schema)) {
                self.belongs.insert(name.clone(), table.clone());
                self.file(Some(table), whole(PartKind::Statistics, name.name));
            }
        } else if let Some(s) = n.get::<pg_sys::AlterStatsStmt>() {
            let name = qualified(&strings(s.defnames), &self.schema);
            let table = name.as_ref().and_then(|n| self.belongs.get(n)).cloned();
            self.file(table, whole(PartKind::StatisticsDetail, name.map(|n| n.name).unwrap_or_default()));
        } else if let Some(s) = n.get::<pg_sys::AlterOwnerStmt>() {
            if s.objectType == ObjectType::OBJECT_STATISTIC_EXT {
                let name = node(s.object).and_then(|o| qualified(&strings(o.as_ptr().cast()), &self.schema));
                let table = name.as_ref().and_then(|n| self.belongs.get(n)).cloned();
                let role = field(s.newowner).and_then(|r| text(r.rolename)).unwrap_or_default();
                self.file(table, whole(PartKind::StatisticsOwner { role }, name.map(|n| n.name).unwrap_or_default()));
            }
        } else if let Some(s) = n.get::<pg_sys::CreateSeqStmt>() {
            if let Some(name) = table_name(s.sequence, &self.schema) {
                self.found.others.insert(name.clone(), "sequence");
                self.sequences.entry(name.clone()).or_default().push(whole(PartKind::Sequence, name.name));
            }
        } else if let Some(s) = n.get::<pg_sys::AlterSeqStmt>() {
            self.alter_sequence(s, whole(PartKind::SequenceDetail, String::new()));
        } else if let Some(s) = n.get::<pg_sys::VariableSetStmt>() {
            self.set(s);
        } else {
            self.other(n, whole(PartKind::Unknown, String::new()));
        }
    }

    fn other(&mut self, n: Node<'_>, part: Part) {
        match n.tag() {
            NodeTag::T_AlterPublicationStmt => {
                let Some(s) = n.get::<pg_sys::AlterPublicationStmt>() else { return };
                for (relation, selective) in crate::pg::compat::publication_tables(s) {
                    let name = text(s.pubname).unwrap_or_default();
                    let kind = PartKind::Publication { name: name.clone(), selective };
                    let part = Part { kind, object: name, ..part.clone() };
                    self.file(table_name(relation, &self.schema), part);
                }
            }
            NodeTag::T_ViewStmt | NodeTag::T_CreateTableAsStmt | NodeTag::T_CreateForeignTableStmt => {
                if let Some((name, what)) = crate::pg::compat::created_relation(n)
                    .and_then(|(relation, what)| Some((table_name(relation, &self.schema)?, what)))
                {
                    if let Some(query) = n.get::<pg_sys::ViewStmt>().and_then(crate::pg::parse::view) {
                        self.found.views.insert(name.clone(), query);
                    }
                    self.found.others.insert(name, what);
                }
            }
            NodeTag::T_CreateExtensionStmt => {
                let name = n.get::<pg_sys::CreateExtensionStmt>().and_then(|s| text(s.extname));
                self.found.extensions.extend(name);
            }
            _ => {}
        }
    }

    fn file(&mut self, table: Option<TableName>, part: Part) {
        if let Some(definition) = table.and_then(|t| self.found.tables.get_mut(&t)) {
            definition.parts.push(part);
        }
    }

    fn create_table(&mut self, s: &pg_sys::CreateStmt, statement: &str) {
        let Some(name) = table_name(s.relation, &self.schema) else { return };
        let mut table = Table {
            name: name.clone(),
            columns: items(s.tableElts).filter_map(|e| e.get::<pg_sys::ColumnDef>()).map(column).collect(),
            unique_keys: Vec::new(),
            foreign_keys: Vec::new(),
        };
        let mut parts = Vec::new();
        for (i, (on, constraint)) in inline_constraints(s).into_iter().enumerate() {
            if is_made_apart(constraint) {
                let (kind, object) = self.constraint(&mut table, constraint, on.as_deref());
                parts.push(Part { kind, object, text: statement.to_owned(), origin: Origin::Inline(i), of: None });
            }
        }
        let sequences = implied_sequences(s, &name);
        let relation = field(s.relation);
        let persistence = relation.map_or(0, |r| r.relpersistence as u8);
        let inherits = items(s.inhRelations)
            .filter_map(|r| r.get::<pg_sys::RangeVar>())
            .filter_map(|r| table_name(std::ptr::from_ref(r).cast_mut(), &self.schema))
            .collect();
        self.found.tables.insert(
            name,
            Definition {
                table,
                create: statement.to_owned(),
                parts,
                inherits,
                partition_of: None,
                partitioned: !s.partspec.is_null(),
                unlogged: persistence == pg_sys::RELPERSISTENCE_UNLOGGED,
                tablespace: text(s.tablespacename).unwrap_or_else(|| self.tablespace.clone()),
                access_method: text(s.accessMethod).unwrap_or_else(|| self.access_method.clone()),
                sequences,
                referenced_by: Vec::new(),
                no_inherit: checks_without_heirs(s),
                foreign: false,
                identity: inline_constraints(s)
                    .into_iter()
                    .filter(|(_, c)| c.contype == ConstrType::CONSTR_IDENTITY)
                    .filter_map(|(on, _)| on)
                    .collect(),
            },
        );
    }

    /// Notes a key or reference for the planner and says what kind of part it is, and its name: the one that the server
    /// would give, where the script gives none.
    fn constraint(&self, table: &mut Table, c: &pg_sys::Constraint, on: Option<&str>) -> (PartKind, String) {
        let columns = |list: *mut pg_sys::List| -> Vec<String> {
            let named = strings(list);
            if named.is_empty() { on.map(str::to_owned).into_iter().collect() } else { named }
        };
        let name = text(c.conname).unwrap_or_else(|| match c.contype {
            ConstrType::CONSTR_PRIMARY => format!("{}_pkey", table.name.name),
            ConstrType::CONSTR_UNIQUE => free_name(table, &columns(c.keys), "key"),
            ConstrType::CONSTR_FOREIGN => free_name(table, &columns(c.fk_attrs), "fkey"),
            ConstrType::CONSTR_CHECK => format!("{}_check", table.name.name),
            _ => String::new(),
        });
        let kind = match c.contype {
            ConstrType::CONSTR_PRIMARY | ConstrType::CONSTR_UNIQUE => {
                let primary = c.contype == ConstrType::CONSTR_PRIMARY;
                let columns = columns(c.keys);
                if primary {
                    for column in table.columns.iter_mut().filter(|col| columns.contains(&col.name)) {
                        column.not_null = true;
                    }
                }
                table.unique_keys.push(UniqueKey { name: name.clone(), columns: columns.clone(), primary });
                PartKind::Unique { columns, primary }
            }
            ConstrType::CONSTR_FOREIGN => {
                let references = table_name(c.pktable, &self.schema).unwrap_or_else(|| table.name.clone());
                table.foreign_keys.push(ForeignKey {
                    name: name.clone(),
                    columns: columns(c.fk_attrs),
                    references: references.clone(),
                    referenced_columns: strings(c.pk_attrs),
                });
                PartKind::ForeignKey { references, validated: !c.skip_validation, clause: reference_clause(c) }
            }
            ConstrType::CONSTR_EXCLUSION => PartKind::Exclusion,
            ConstrType::CONSTR_CHECK => PartKind::Check { validated: !c.skip_validation },
            _ => PartKind::Unknown,
        };
        (kind, name)
    }

    fn alter_table(&mut self, s: &pg_sys::AlterTableStmt, statement: &str) {
        let Some(name) = table_name(s.relation, &self.schema) else { return };
        let commands: Vec<&pg_sys::AlterTableCmd> =
            items(s.cmds).filter_map(|c| c.get::<pg_sys::AlterTableCmd>()).collect();
        match s.objtype {
            ObjectType::OBJECT_TABLE => {}
            ObjectType::OBJECT_INDEX => {
                // The old partitions are not rebuilt, nor are the parts of an index on them.
                if commands.iter().any(|c| c.subtype == At::AT_AttachPartition) {
                    return;
                }
                let table = self.belongs.get(&name).cloned();
                let columns = commands.iter().all(|c| c.subtype == At::AT_SetStatistics);
                let part = Part {
                    kind: if columns { PartKind::IndexColumn } else { PartKind::IndexDetail },
                    object: name.name.clone(),
                    text: statement.to_owned(),
                    origin: Origin::Statement,
                    of: Some(Of::Index(name.name)),
                };
                return self.file(table, part);
            }
            // pg_dump writes ALTER TABLE … OWNER TO for sequences and views as well.
            _ => return self.alter_sequence_as_table(&name, &commands, statement),
        }
        if self.sequences.contains_key(&name) {
            return self.alter_sequence_as_table(&name, &commands, statement);
        }
        for (i, command) in commands.into_iter().enumerate() {
            if command.subtype == At::AT_AttachPartition {
                let child = node(command.def)
                    .and_then(|d| d.get::<pg_sys::PartitionCmd>())
                    .and_then(|c| table_name(c.name, &self.schema));
                if let Some(definition) = child.and_then(|c| self.found.tables.get_mut(&c)) {
                    definition.partition_of = Some(name.clone());
                }
                continue;
            }
            let Some(mut table) = self.found.tables.get(&name).map(|d| d.table.clone()) else { continue };
            let (kind, object) = self.command(&mut table, command);
            if let PartKind::Unique { .. } | PartKind::Exclusion = kind {
                self.belongs.insert(TableName::new(&name.schema, &object), name.clone());
            }
            let of = what_it_is_of(command);
            let sequence = identity_sequence(command, &self.schema);
            if let Some(sequence) = &sequence {
                self.sequences.entry(sequence.clone()).or_default();
            }
            if let Some(definition) = self.found.tables.get_mut(&name) {
                definition.table = table;
                if sequence.is_some() {
                    definition.identity.push(object.clone());
                }
                definition.sequences.extend(sequence);
                let origin = Origin::Command(i);
                definition.parts.push(Part { kind, object, text: statement.to_owned(), origin, of });
            }
        }
    }

    fn alter_sequence_as_table(&mut self, name: &TableName, commands: &[&pg_sys::AlterTableCmd], statement: &str) {
        let Some(parts) = self.sequences.get_mut(name) else { return };
        let owner = commands.iter().find(|c| c.subtype == At::AT_ChangeOwner).and_then(|c| field(c.newowner));
        parts.push(Part {
            kind: match owner.and_then(|r| text(r.rolename)) {
                Some(role) => PartKind::SequenceOwner { role },
                None => PartKind::SequenceDetail,
            },
            object: name.name.clone(),
            text: statement.to_owned(),
            origin: Origin::Statement,
            of: None,
        });
    }

    fn command(&self, table: &mut Table, c: &pg_sys::AlterTableCmd) -> (PartKind, String) {
        let named = text(c.name).unwrap_or_default();
        let kind = match c.subtype {
            At::AT_AddConstraint => {
                let Some(constraint) = node(c.def).and_then(|d| d.get::<pg_sys::Constraint>()) else {
                    return (PartKind::Unknown, named);
                };
                return self.constraint(table, constraint, None);
            }
            At::AT_ColumnDefault | At::AT_AddIdentity => {
                let unique = c.subtype == At::AT_AddIdentity || makes_unique(node(c.def));
                if let Some(column) = table.columns.iter_mut().find(|col| col.name == named) {
                    column.unique_by_default |= unique;
                }
                PartKind::Column
            }
            At::AT_SetNotNull => {
                if let Some(column) = table.columns.iter_mut().find(|col| col.name == named) {
                    column.not_null = true;
                }
                PartKind::Column
            }
            At::AT_ChangeOwner => {
                let role = field(c.newowner).and_then(|r| text(r.rolename)).unwrap_or_default();
                return (PartKind::Owner { role: role.clone() }, role);
            }
            other => kind_of(other),
        };
        (kind, named)
    }

    /// COMMENT and SECURITY LABEL: on a table, a thing of a table, an index, a statistics object or a sequence.
    fn on_object(&mut self, kind: ObjectType::Type, object: *mut pg_sys::Node, mut part: Part) {
        let names = node(object).map(|o| strings(o.as_ptr().cast())).unwrap_or_default();
        part.object = names.join(".");
        let (owner, _) = names.split_at(names.len().saturating_sub(1));
        let table = match kind {
            ObjectType::OBJECT_TABLE => qualified(&names, &self.schema),
            ObjectType::OBJECT_COLUMN
            | ObjectType::OBJECT_TABCONSTRAINT
            | ObjectType::OBJECT_TRIGGER
            | ObjectType::OBJECT_POLICY
            | ObjectType::OBJECT_RULE => {
                part.of = match kind {
                    ObjectType::OBJECT_TABCONSTRAINT => names.last().cloned().map(Of::Constraint),
                    ObjectType::OBJECT_TRIGGER => names.last().cloned().map(Of::Trigger),
                    _ => None,
                };
                qualified(owner, &self.schema)
            }
            ObjectType::OBJECT_INDEX | ObjectType::OBJECT_STATISTIC_EXT => {
                if kind == ObjectType::OBJECT_INDEX {
                    part.kind = PartKind::IndexDetail;
                    part.of = names.last().cloned().map(Of::Index);
                }
                qualified(&names, &self.schema).and_then(|n| self.belongs.get(&n)).cloned()
            }
            ObjectType::OBJECT_SEQUENCE => {
                if let Some(parts) = qualified(&names, &self.schema).and_then(|n| self.sequences.get_mut(&n)) {
                    parts.push(Part { kind: PartKind::SequenceDetail, ..part });
                }
                return;
            }
            _ => return,
        };
        self.file(table, part);
    }

    fn grant(&mut self, s: &pg_sys::GrantStmt, part: Part) {
        let roles: Vec<String> =
            items(s.grantees).filter_map(|r| r.get::<pg_sys::RoleSpec>()).filter_map(|r| text(r.rolename)).collect();
        for relation in items(s.objects).filter_map(|o| o.get::<pg_sys::RangeVar>()) {
            let Some(name) = table_name(std::ptr::from_ref(relation).cast_mut(), &self.schema) else { continue };
            let object = roles.join(", ");
            let sequence = self.sequences.contains_key(&name).then(|| name.clone());
            let kind = PartKind::Grant { roles: roles.clone(), grantor: self.role.clone(), sequence: sequence.clone() };
            let part = Part { kind, object, ..part.clone() };
            match sequence.and_then(|s| self.sequences.get_mut(&s)) {
                Some(parts) => parts.push(part),
                None => self.file(Some(name), part),
            }
        }
    }

    fn alter_sequence(&mut self, s: &pg_sys::AlterSeqStmt, mut part: Part) {
        let Some(name) = table_name(s.sequence, &self.schema) else { return };
        part.object = name.name.clone();
        let owner = items(s.options)
            .filter_map(|o| o.get::<pg_sys::DefElem>())
            .filter(|o| text(o.defname).as_deref() == Some("owned_by"))
            .find_map(|o| node(o.arg).map(|a| strings(a.as_ptr().cast())));
        if let Some(parts) = self.sequences.get_mut(&name) {
            parts.push(part);
        }
        let table = owner.and_then(|names| {
            let (table, _) = names.split_at(names.len().saturating_sub(1));
            qualified(table, &self.schema)
        });
        if let Some(definition) = table.and_then(|t| self.found.tables.get_mut(&t)) {
            definition.sequences.push(name);
        }
    }

    fn set(&mut self, s: &pg_sys::VariableSetStmt) {
        let value = items(s.args).find_map(|a| match a.tag() {
            NodeTag::T_A_Const => crate::pg::compat::constant_text(a),
            _ => string(a),
        });
        match text(s.name).as_deref() {
            Some("default_tablespace") => self.tablespace = value.unwrap_or_default(),
            Some("default_table_access_method") => self.access_method = value.unwrap_or_default(),
            Some("client_encoding") => self.found.encoding = value,
            Some("session_authorization" | "role") => self.role = value,
            Some("search_path") => {
                if let Some(schema) = value.filter(|v| !v.is_empty() && v != "pg_catalog") {
                    self.schema = schema;
                }
            }
            _ => {}
        }
    }
}
