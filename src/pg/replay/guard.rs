//! May an analyzed statement be planned and run with the rights of whoever replays?
//!
//! The texts of a query log may come from anyone, so a statement must not reach anything but the sample: no other table,
//! no function that is not the server's own, none that changes something or looks beyond the query. Everything is judged by
//! what analysis found, not by the words of the text.
#![allow(unsafe_code)]

use super::facts;
use crate::pg::compat::{is_dml, is_json};
use crate::pg::tree::{Node, analyzed_children, field, items, node, oids};
use pgrx::pg_sys::{self, NodeTag, RTEKind};
use std::collections::BTreeSet;
use std::ffi::c_void;

/// Levels of nesting that are followed.
const MAX_DEPTH: usize = 1000;

/// Functions that are volatile and yet leave nothing behind.
const HARMLESS: [&str; 7] =
    ["clock_timestamp", "gen_random_uuid", "random", "random_normal", "timeofday", "uuidv4", "uuidv7"];
/// Of those that tell of the server, which applications do ask of their rows.
const OF_VALUES: [&str; 3] = ["pg_collation_for", "pg_column_size", "pg_typeof"];

/// Number of the system column ctid.
const ROW_PLACE: i16 = pg_sys::SelfItemPointerAttributeNumber as i16;

/// `tables`: the only relations that it may touch.
///
/// # Errors
/// Why it is not replayed.
pub fn check(query: Node<'_>, tables: &BTreeSet<u32>) -> Result<(), String> {
    visit(query, tables, 0)
}

fn visit(n: Node<'_>, tables: &BTreeSet<u32>, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("it is nested too deeply".to_owned());
    }
    if let Some(query) = n.get::<pg_sys::Query>() {
        if !is_dml(query.commandType) || !query.utilityStmt.is_null() {
            return Err("it is not a SELECT, INSERT, UPDATE, DELETE or MERGE".to_owned());
        }
        items(query.rtable).filter_map(|r| r.get::<pg_sys::RangeTblEntry>()).try_for_each(|r| relation(r, tables))?;
    }
    match n.tag() {
        NodeTag::T_CurrentOfExpr => return Err("it works on a cursor's row".to_owned()),
        NodeTag::T_CoerceToDomain | NodeTag::T_CoerceToDomainValue => {
            return Err("it makes a value of a domain, whose check may do anything".to_owned());
        }
        _ if is_json(n.tag()) => return Err("it makes JSON by SQL's own words, which is not looked into".to_owned()),
        // Its functions read and write values of a type, which is looked at instead.
        NodeTag::T_CoerceViaIO => {}
        _ => functions(n)?,
    }
    types(n)?;
    let children = analyzed_children(n)
        .ok_or_else(|| format!("it has a part that is not understood (node {})", n.tag() as u32))?;
    children.into_iter().try_for_each(|child| visit(child, tables, depth + 1))
}

fn relation(entry: &pg_sys::RangeTblEntry, tables: &BTreeSet<u32>) -> Result<(), String> {
    match entry.rtekind {
        RTEKind::RTE_RELATION if !tables.contains(&entry.relid.to_u32()) => {
            Err("it touches a relation that is not a table of the sample".to_owned())
        }
        RTEKind::RTE_NAMEDTUPLESTORE => Err("it reads a trigger's rows".to_owned()),
        // Any extension may bring a method; and the server's counters do not see such scans.
        _ if !entry.tablesample.is_null() => Err("it reads a random part of a table".to_owned()),
        _ => {
            // What XMLTABLE and functions of records give is read by the input functions of these types.
            let functions = items(entry.functions).filter_map(|f| f.get::<pg_sys::RangeTblFunction>());
            let made = field(entry.tablefunc).map(|t| t.coltypes).into_iter().chain([entry.coltypes]);
            made.chain(functions.map(|f| f.funccoltypes)).flat_map(oids).try_for_each(own_type)
        }
    }
}

/// Every function that the node calls, by itself or through an operator or aggregate.
fn functions(n: Node<'_>) -> Result<(), String> {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn judge(function: pg_sys::Oid, reason: *mut c_void) -> bool {
        match refused(function) {
            Some(why) => {
                // SAFETY: the place below, borrowed for the length of the call.
                unsafe { *reason.cast::<Option<String>>() = Some(why) };
                true
            }
            None => false,
        }
    }
    let mut reason: Option<String> = None;
    // SAFETY: a node of a live tree; `judge` is called with the pointer given here.
    unsafe { pg_sys::check_functions_in_node(n.as_ptr(), Some(judge), (&raw mut reason).cast()) };
    if let Some(clause) = n.get::<pg_sys::SortGroupClause>()
        && !(facts::is_own(clause.eqop) && facts::is_own(clause.sortop))
    {
        reason = Some("it sorts by an operator that is not the server's own".to_owned());
    }
    reason.map_or(Ok(()), Err)
}

/// Why a function may not be called; None where it may.
pub fn refused(oid: pg_sys::Oid) -> Option<String> {
    let Some(function) = facts::function(oid) else { return Some("it calls a function that is not there".to_owned()) };
    let name = &function.name;
    let why = if !facts::is_own(oid) {
        "which is not the server's own"
    } else if function.volatile && !HARMLESS.contains(&name.as_str()) {
        "which may change something"
    } else if function.takes_internals {
        "which is part of the server's machinery"
    } else if name.starts_with("pg_") && !OF_VALUES.contains(&name.as_str())
        || name.contains("_to_xml")
        || name.ends_with("_validator")
    {
        "which looks beyond the tables"
    } else {
        return None;
    };
    Some(format!("it calls {name}, {why}"))
}

/// Values are of the server's own types: those of others have functions of their own.
fn types(n: Node<'_>) -> Result<(), String> {
    if n.get::<pg_sys::Var>().is_some_and(|v| v.varattno == ROW_PLACE) {
        return Err("it finds rows by their place, which is another one in the sample".to_owned());
    }
    let found = if let Some(value) = n.get::<pg_sys::Const>() {
        value.consttype
    } else if let Some(param) = n.get::<pg_sys::Param>() {
        param.paramtype
    } else if let Some(cast) = n.get::<pg_sys::RelabelType>() {
        cast.resulttype
    } else if let Some(cast) = n.get::<pg_sys::CoerceViaIO>() {
        cast.resulttype
    } else if let Some(cast) = n.get::<pg_sys::ArrayCoerceExpr>() {
        cast.resulttype
    } else {
        return Ok(());
    };
    own_type(found)
}

fn own_type(found: pg_sys::Oid) -> Result<(), String> {
    if facts::is_own(found) {
        return Ok(());
    }
    Err(format!("it makes a value of type {}, which is not the server's own", facts::type_name(found)))
}

/// The one query that a statement became.
pub fn only<'t>(queries: *mut pg_sys::List) -> Result<Node<'t>, String> {
    let mut queries = items(queries);
    match (queries.next().and_then(|q| node(q.as_ptr())), queries.next()) {
        (Some(query), None) => Ok(query),
        _ => Err("a rule makes other statements of it".to_owned()),
    }
}
