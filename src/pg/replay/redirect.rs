//! A statement of the log turned to the tables of the sample, by changing its parse tree; and the first of two guards.
//!
//! Parse analysis already runs code: it reads constants with the input functions of their types, and a domain's check may
//! call any function. So names that lead anywhere but to `pg_catalog` are refused before it. What analysis then makes of
//! the statement is judged by [`super::guard`].

use crate::pg::compat;
use crate::pg::create::nodes::{alias, append, become_parameter, cast, palloc_text, writable};
use crate::pg::definition::lookup;
use crate::pg::tree::{Node, items, known_children, node, strings, text};
use pgrx::pg_sys::{self, A_Expr_Kind, NodeTag};

/// Levels of nesting that are followed, as for the planner.
const MAX_DEPTH: usize = 500;

/// The temporary table that stands for a table of the log, by schema (where given) and name.
pub type Standing<'a> = dyn Fn(Option<&str>, &str) -> Option<String> + 'a;

/// The statement itself: what stands behind DECLARE CURSOR, PREPARE and EXPLAIN is taken out of it.
pub fn statement(n: Node<'_>) -> Node<'_> {
    let inner = if let Some(s) = n.get::<pg_sys::DeclareCursorStmt>() {
        s.query
    } else if let Some(s) = n.get::<pg_sys::PrepareStmt>() {
        s.query
    } else if let Some(s) = n.get::<pg_sys::ExplainStmt>() {
        s.query
    } else {
        return n;
    };
    node(inner).unwrap_or(n)
}

/// Changes the tree, which must be parsed for this use. `repaired`: constants stand in place of parameters, `'$1'` for `$1`.
///
/// # Errors
/// Why the statement is not replayed.
pub fn redirect(statement: Node<'_>, repaired: bool, standing: &Standing<'_>) -> Result<(), String> {
    let select = statement.tag() == NodeTag::T_SelectStmt;
    let writes = matches!(statement.tag(), NodeTag::T_InsertStmt | NodeTag::T_UpdateStmt | NodeTag::T_DeleteStmt);
    if !select && !writes && compat::merge_with(statement).is_none() {
        return Err("it is not a SELECT, INSERT, UPDATE, DELETE or MERGE".to_owned());
    }
    Visit { standing, repaired }.node(statement, &[], 0)
}

struct Visit<'a> {
    standing: &'a Standing<'a>,
    repaired: bool,
}

impl Visit<'_> {
    /// `ctes`: names that stand for a WITH query here.
    fn node(&self, n: Node<'_>, ctes: &[String], depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let depth = depth + 1;
        match n.tag() {
            NodeTag::T_RangeVar => self.table(n, ctes)?,
            // Names of the FROM list, not tables.
            NodeTag::T_LockingClause => return Ok(()),
            NodeTag::T_ColumnRef => short_name(n),
            NodeTag::T_TypeName => own_type(n)?,
            NodeTag::T_A_Const => {
                if self.repaired {
                    restore_parameter(n);
                }
                return Ok(());
            }
            // The walker passes over the types of its columns.
            NodeTag::T_RangeTableFunc => {
                let columns = n.get::<pg_sys::RangeTableFunc>().map_or(std::ptr::null_mut(), |f| f.columns);
                let types = items(columns).filter_map(|c| c.get::<pg_sys::RangeTableFuncCol>());
                types.filter_map(|c| node(c.typeName)).try_for_each(own_type)?;
            }
            _ => own_names(n)?,
        }
        let Some(with) = with_clause(n).and_then(node) else {
            return self.all(known(n)?, ctes, depth);
        };
        let Some(clause) = with.get::<pg_sys::WithClause>() else { return Err(not_understood(with)) };
        let mut seen = ctes.to_vec();
        if clause.recursive {
            seen.extend(items(clause.ctes).filter_map(cte_name));
        }
        for cte in items(clause.ctes) {
            self.node(cte, &seen, depth)?;
            seen.extend(cte_name(cte));
        }
        let others = known(n)?.into_iter().filter(|child| child.as_ptr() != with.as_ptr());
        self.all(others, &seen, depth)
    }

    fn all<'t>(&self, nodes: impl IntoIterator<Item = Node<'t>>, ctes: &[String], depth: usize) -> Result<(), String> {
        nodes.into_iter().try_for_each(|child| self.node(child, ctes, depth))
    }

    fn table(&self, n: Node<'_>, ctes: &[String]) -> Result<(), String> {
        let Some(table) = writable::<pg_sys::RangeVar>(n) else { return Ok(()) };
        let (schema, name) = (text(table.schemaname), text(table.relname).unwrap_or_default());
        if schema.is_none() && ctes.contains(&name) {
            return Ok(());
        }
        let found = if table.catalogname.is_null() { (self.standing)(schema.as_deref(), &name) } else { None };
        let Some(found) = found else {
            let schema = schema.map(|s| format!("{s}.")).unwrap_or_default();
            return Err(format!("it touches {schema}{name}, which is not a table of the sample"));
        };
        table.schemaname = palloc_text("pg_temp");
        table.relname = palloc_text(&found);
        // ONLY would leave the shards out.
        table.inh = true;
        if table.alias.is_null() {
            table.alias = alias(&name);
        }
        Ok(())
    }
}

fn known<'t>(n: Node<'t>) -> Result<Vec<Node<'t>>, String> {
    known_children(n).ok_or_else(|| not_understood(n))
}

fn not_understood(n: Node<'_>) -> String {
    format!("it has a part that is not understood (node {})", n.tag() as u32)
}

fn with_clause(n: Node<'_>) -> Option<*mut pg_sys::WithClause> {
    if let Some(s) = n.get::<pg_sys::SelectStmt>() {
        Some(s.withClause)
    } else if let Some(s) = n.get::<pg_sys::InsertStmt>() {
        Some(s.withClause)
    } else if let Some(s) = n.get::<pg_sys::UpdateStmt>() {
        Some(s.withClause)
    } else if let Some(s) = n.get::<pg_sys::DeleteStmt>() {
        Some(s.withClause)
    } else {
        compat::merge_with(n)
    }
}

fn cte_name(cte: Node<'_>) -> Option<String> {
    text(cte.get::<pg_sys::CommonTableExpr>()?.ctename)
}

/// `schema.table.column` and longer: tables have aliases now.
fn short_name(n: Node<'_>) {
    if let Some(column) = writable::<pg_sys::ColumnRef>(n) {
        let drop = items(column.fields).count().saturating_sub(2);
        if drop > 0 {
            column.fields = items(column.fields).skip(drop).fold(std::ptr::null_mut(), |l, f| append(l, f.as_ptr()));
        }
    }
}

/// `interval $1` is no SQL: such a text was read with constants, which become parameters again.
fn restore_parameter(n: Node<'_>) {
    if let Some(number) = compat::constant_text(n).and_then(|c| c.strip_prefix('$')?.parse().ok()) {
        become_parameter(n, number);
    }
}

/// The type is one of the server's own.
fn own_type(n: Node<'_>) -> Result<(), String> {
    let Some(type_name) = writable::<pg_sys::TypeName>(n) else { return Ok(()) };
    let names = strings(type_name.names);
    let foreign = || format!("it names the type {}, which is not the server's own", names.join("."));
    // A serial of CREATE TABLE and `column%TYPE` do not come up in queries.
    if !is_own(&names) || type_name.pct_type {
        return Err(foreign());
    }
    match lookup(type_name) {
        Some((oid, _)) if super::facts::is_own(oid) => Ok(()),
        _ => Err(foreign()),
    }
}

/// What is named with a schema is named in `pg_catalog`; and arithmetic of parameters alone gets a type.
fn own_names(n: Node<'_>) -> Result<(), String> {
    let names = if let Some(call) = n.get::<pg_sys::FuncCall>() {
        strings(call.funcname)
    } else if let Some(link) = n.get::<pg_sys::SubLink>() {
        strings(link.operName)
    } else if let Some(sort) = n.get::<pg_sys::SortBy>() {
        strings(sort.useOp)
    } else if let Some(collate) = n.get::<pg_sys::CollateClause>() {
        strings(collate.collname)
    } else if let Some(sample) = n.get::<pg_sys::RangeTableSample>() {
        strings(sample.method)
    } else if let Some(expr) = writable::<pg_sys::A_Expr>(n) {
        give_type(expr);
        strings(expr.name)
    } else if let Some(cte) = n.get::<pg_sys::CommonTableExpr>() {
        // The walker passes over CYCLE, whose marks are constants of any type.
        return match cte.cycle_clause.is_null() && cte.search_clause.is_null() {
            true => Ok(()),
            false => Err("it has a SEARCH or CYCLE clause".to_owned()),
        };
    } else if n.get::<pg_sys::SelectStmt>().is_some_and(|s| !s.intoClause.is_null()) {
        return Err("it makes a table".to_owned());
    } else {
        return Ok(());
    };
    if is_own(&names) { Ok(()) } else { Err(format!("it names {}, which is not the server's own", names.join("."))) }
}

/// Without a schema the search_path decides, which has nothing but `pg_catalog` where functions, operators and types are
/// looked for; what it finds among temporary types is refused by its OID.
fn is_own(names: &[String]) -> bool {
    match names {
        [] | [_] => true,
        [schema, ..] => schema == "pg_catalog",
    }
}

/// `$1 * $2`: the log has put parameters in place of numbers, and two of unknown type have no operator. The first is made
/// an integer, the type of most numbers.
fn give_type(expr: &mut pg_sys::A_Expr) {
    let arithmetic = matches!(strings(expr.name).last().map(String::as_str), Some("+" | "-" | "*" | "/" | "%"));
    if expr.kind == A_Expr_Kind::AEXPR_OP && arithmetic && is_parameter(expr.rexpr) {
        if expr.lexpr.is_null() || is_parameter(expr.lexpr) {
            expr.rexpr = cast(expr.rexpr, "int4");
        }
        if is_parameter(expr.lexpr) {
            expr.lexpr = cast(expr.lexpr, "int4");
        }
    }
}

fn is_parameter(n: *mut pg_sys::Node) -> bool {
    node(n).is_some_and(|n| n.tag() == NodeTag::T_ParamRef)
}
