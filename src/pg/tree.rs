//! Reading the server's raw parse trees from safe code.
//!
//! A tree lives in the memory context of [`with`], and so do all references into it: what leaves is owned data. The
//! functions here take pointers that are fields of such nodes, which the parser made valid or null.
#![allow(unsafe_code)]

use super::ffi::problem_of;
use foreshard_core::model::{Problem, TableName};
use pgrx::pg_sys::{self, NodeTag, RawParseMode};
use pgrx::{PgMemoryContexts, PgTryBuilder};
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

/// A non-null node of a parse tree.
#[derive(Debug, Clone, Copy)]
pub struct Node<'t> {
    ptr: *mut pg_sys::Node,
    tree: PhantomData<&'t ()>,
}

/// A parse node's struct with the tag that says so.
pub trait Tagged {
    const TAG: NodeTag;
}

macro_rules! tagged {
    ($($name:ident => $tag:ident),* $(,)?) => { $(impl Tagged for pg_sys::$name { const TAG: NodeTag = NodeTag::$tag; })* };
}

tagged! {
    RawStmt => T_RawStmt, PLAssignStmt => T_PLAssignStmt, SelectStmt => T_SelectStmt, InsertStmt => T_InsertStmt, UpdateStmt => T_UpdateStmt,
    DeleteStmt => T_DeleteStmt, CopyStmt => T_CopyStmt, DeclareCursorStmt => T_DeclareCursorStmt,
    ExplainStmt => T_ExplainStmt, PrepareStmt => T_PrepareStmt, CreateTableAsStmt => T_CreateTableAsStmt,
    RangeVar => T_RangeVar, RangeSubselect => T_RangeSubselect, JoinExpr => T_JoinExpr,
    RangeFunction => T_RangeFunction, RangeTableFunc => T_RangeTableFunc, RangeTableSample => T_RangeTableSample,
    ResTarget => T_ResTarget, ColumnRef => T_ColumnRef, A_Expr => T_A_Expr,
    BoolExpr => T_BoolExpr, SubLink => T_SubLink, TypeCast => T_TypeCast, FuncCall => T_FuncCall,
    NullTest => T_NullTest, RowExpr => T_RowExpr, CollateClause => T_CollateClause, A_ArrayExpr => T_A_ArrayExpr,
    CommonTableExpr => T_CommonTableExpr, SortBy => T_SortBy, MultiAssignRef => T_MultiAssignRef,
    CreateStmt => T_CreateStmt, AlterTableStmt => T_AlterTableStmt, AlterTableCmd => T_AlterTableCmd,
    ColumnDef => T_ColumnDef, Constraint => T_Constraint, TypeName => T_TypeName, IndexStmt => T_IndexStmt,
    IndexElem => T_IndexElem, CreateTrigStmt => T_CreateTrigStmt, CreatePolicyStmt => T_CreatePolicyStmt,
    RuleStmt => T_RuleStmt, ViewStmt => T_ViewStmt, CommentStmt => T_CommentStmt, SecLabelStmt => T_SecLabelStmt, GrantStmt => T_GrantStmt,
    RoleSpec => T_RoleSpec, CreateStatsStmt => T_CreateStatsStmt, AlterStatsStmt => T_AlterStatsStmt,
    AlterOwnerStmt => T_AlterOwnerStmt, CreateSeqStmt => T_CreateSeqStmt, AlterSeqStmt => T_AlterSeqStmt,
    AlterPublicationStmt => T_AlterPublicationStmt, PublicationObjSpec => T_PublicationObjSpec,
    TransactionStmt => T_TransactionStmt, VariableSetStmt => T_VariableSetStmt, DefElem => T_DefElem, ReplicaIdentityStmt => T_ReplicaIdentityStmt,
    CreateExtensionStmt => T_CreateExtensionStmt, CreateRangeStmt => T_CreateRangeStmt, GroupingSet => T_GroupingSet,
    CreateEnumStmt => T_CreateEnumStmt, A_Indirection => T_A_Indirection, A_Const => T_A_Const,
    AccessPriv => T_AccessPriv, PartitionCmd => T_PartitionCmd, LockingClause => T_LockingClause, ParamRef => T_ParamRef,
    WithClause => T_WithClause, RangeTableFuncCol => T_RangeTableFuncCol,
    // What parse analysis makes of them.
    Query => T_Query, RangeTblEntry => T_RangeTblEntry, TargetEntry => T_TargetEntry, Var => T_Var, Param => T_Param,
    Const => T_Const, OpExpr => T_OpExpr, ScalarArrayOpExpr => T_ScalarArrayOpExpr, FuncExpr => T_FuncExpr,
    RelabelType => T_RelabelType, CoerceViaIO => T_CoerceViaIO, ArrayCoerceExpr => T_ArrayCoerceExpr,
    CollateExpr => T_CollateExpr, ArrayExpr => T_ArrayExpr, RowCompareExpr => T_RowCompareExpr,
    SortGroupClause => T_SortGroupClause, RangeTblFunction => T_RangeTblFunction,
}

#[cfg(not(feature = "pg14"))]
tagged! { MergeStmt => T_MergeStmt, MergeWhenClause => T_MergeWhenClause, MergeAction => T_MergeAction }

impl<'t> Node<'t> {
    pub fn tag(self) -> NodeTag {
        // SAFETY: a node of a live tree; every node starts with its tag.
        unsafe { (*self.ptr).type_ }
    }

    /// The node as `T`, when that is what it is.
    pub fn get<T: Tagged>(self) -> Option<&'t T> {
        // SAFETY: the tag says that the node is a T, and the tree outlives 't.
        (self.tag() == T::TAG).then(|| unsafe { &*self.ptr.cast::<T>() })
    }

    pub fn as_ptr(self) -> *mut pg_sys::Node {
        self.ptr
    }
}

/// A node field; None for NULL.
pub fn node<'t, T>(ptr: *mut T) -> Option<Node<'t>> {
    (!ptr.is_null()).then_some(Node { ptr: ptr.cast(), tree: PhantomData })
}

/// A field that points to a struct of a known type.
pub fn field<'t, T>(ptr: *mut T) -> Option<&'t T> {
    // SAFETY: null or a valid pointer made by the parser.
    unsafe { ptr.as_ref() }
}

/// The nodes of a list field, nulls left out.
pub fn items<'t>(list: *mut pg_sys::List) -> impl Iterator<Item = Node<'t>> {
    (0..len(list)).filter_map(move |i| {
        // SAFETY: `len` has checked that this is a list of pointers and that it has an element i.
        node(unsafe { (*(*list).elements.add(i)).ptr_value })
    })
}

/// Elements of a list of pointers; 0 for NIL and for lists of integers.
pub fn len(list: *mut pg_sys::List) -> usize {
    // SAFETY: NIL or a valid list.
    match unsafe { list.as_ref() } {
        Some(list) if list.type_ == NodeTag::T_List => usize::try_from(list.length).unwrap_or(0),
        _ => 0,
    }
}

/// A list of object numbers; none for other lists.
pub fn oids(list: *mut pg_sys::List) -> Vec<pg_sys::Oid> {
    // SAFETY: NIL or a valid list, whose tag says what its elements are.
    unsafe {
        match list.as_ref() {
            Some(found) if found.type_ == NodeTag::T_OidList => {
                (0..usize::try_from(found.length).unwrap_or(0)).map(|i| (*found.elements.add(i)).oid_value).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A C string field; None for NULL.
pub fn text(ptr: *const c_char) -> Option<String> {
    // SAFETY: null or a NUL-terminated string made by the parser.
    (!ptr.is_null()).then(|| unsafe { CStr::from_ptr(ptr) }.to_string_lossy().into_owned())
}

/// The value of a String node.
pub fn string(node: Node<'_>) -> Option<String> {
    (node.tag() == NodeTag::T_String).then(|| super::compat::string_value(node.as_ptr())).and_then(text)
}

/// A list of String nodes: a dotted name.
pub fn strings(list: *mut pg_sys::List) -> Vec<String> {
    items(list).filter_map(string).collect()
}

/// The last two parts of a dotted name as a table's name; `schema` where only one is given.
pub fn qualified(names: &[String], schema: &str) -> Option<TableName> {
    match names {
        [name] => Some(TableName::new(schema, name)),
        [.., s, name] => Some(TableName::new(s, name)),
        [] => None,
    }
}

/// A RangeVar field as a table's name; `schema` stands in for a missing one.
pub fn table_name(relation: *mut pg_sys::RangeVar, schema: &str) -> Option<TableName> {
    let relation = field(relation)?;
    Some(TableName::new(text(relation.schemaname).unwrap_or_else(|| schema.to_owned()), text(relation.relname)?))
}

/// Children of any expression node, through the server's own walker; empty for nodes that it does not know.
pub fn children<'t>(parent: Node<'t>) -> Vec<Node<'t>> {
    known_children(parent).unwrap_or_default()
}

/// The same; None for nodes that the walker does not know, for those who must not miss any.
pub fn known_children<'t>(parent: Node<'t>) -> Option<Vec<Node<'t>>> {
    walked(|collect, found| {
        // SAFETY: the walker calls `collect` once for each child and keeps nothing.
        unsafe { super::compat::walk_raw_expression(parent.ptr, collect, found) };
    })
}

/// Children of a node that parse analysis made: a query's parts, an expression's arguments. None as above.
pub fn analyzed_children<'t>(parent: Node<'t>) -> Option<Vec<Node<'t>>> {
    walked(|collect, found| {
        // SAFETY: as above; a query has a walker of its own.
        unsafe {
            if parent.tag() == NodeTag::T_Query {
                super::compat::walk_query(parent.ptr.cast(), collect, found);
            } else {
                super::compat::walk_expression(parent.ptr, collect, found);
            }
        }
    })
}

fn walked<'t>(walk: impl FnOnce(super::compat::Walker, *mut c_void)) -> Option<Vec<Node<'t>>> {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn collect(child: *mut pg_sys::Node, found: *mut c_void) -> bool {
        if !child.is_null() {
            // SAFETY: `found` is the vector below, borrowed for the length of the walk.
            unsafe { &mut *found.cast::<Vec<*mut pg_sys::Node>>() }.push(child);
        }
        false
    }
    let mut found: Vec<*mut pg_sys::Node> = Vec::new();
    let known = PgTryBuilder::new(AssertUnwindSafe(|| {
        walk(collect, (&raw mut found).cast());
        true
    }))
    .catch_when(pgrx::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, |_| false)
    .execute();
    known.then(|| found.into_iter().filter_map(node).collect())
}

/// Parses `text` with the server's own grammar and hands the statements to `read`; the trees are gone afterwards.
///
/// # Errors
/// The parser's own error (42601 and its like) as a problem, and 54001 where `read` meets the end of the stack; the
/// transaction goes on.
pub fn with<R>(text: &str, read: impl FnOnce(&[Node<'_>]) -> R) -> Result<R, Problem> {
    with_mode(text, RawParseMode::RAW_PARSE_DEFAULT, read)
}

/// The same for a text that is a whole statement only for PL/pgSQL.
pub fn with_mode<R>(text: &str, mode: RawParseMode::Type, read: impl FnOnce(&[Node<'_>]) -> R) -> Result<R, Problem> {
    let mut context = PgMemoryContexts::new("foreshard parse tree");
    // SAFETY: reads the caller's context, which is put back after an error; walking a tree leaves nothing else behind.
    let caller = unsafe { pg_sys::CurrentMemoryContext };
    PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: the trees die with the context; what `read` returns is owned.
        unsafe {
            context.switch_to(|_| {
                let statements = raw_mode(text, mode)?;
                Ok(read(&statements))
            })
        }
    }))
    .catch_when(pgrx::PgSqlErrorCode::ERRCODE_STATEMENT_TOO_COMPLEX, |error| {
        // SAFETY: see above.
        unsafe { pg_sys::CurrentMemoryContext = caller };
        Err(problem_of(&error))
    })
    .execute()
}

/// Parses into the current memory context.
pub fn raw<'t>(text: &str) -> Result<Vec<Node<'t>>, Problem> {
    raw_mode(text, RawParseMode::RAW_PARSE_DEFAULT)
}

fn raw_mode<'t>(text: &str, mode: RawParseMode::Type) -> Result<Vec<Node<'t>>, Problem> {
    pgrx::check_for_interrupts!();
    let text = super::ffi::cstring(text);
    // SAFETY: the current context is put back after an error, which leaves nothing else behind: the parser takes no
    // locks and pins no buffers.
    let context = unsafe { pg_sys::CurrentMemoryContext };
    PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: a NUL-terminated text that outlives the call.
        let list = unsafe { pg_sys::raw_parser(text.as_ptr(), mode) };
        Ok(items(list).filter_map(|n| n.get::<pg_sys::RawStmt>()).filter_map(|r| node(r.stmt)).collect())
    }))
    .catch_others(move |error| {
        // SAFETY: see above.
        unsafe { pg_sys::CurrentMemoryContext = context };
        let problem = problem_of(&error);
        if problem.sqlstate.starts_with("57") { error.rethrow() } else { Err(problem) }
    })
    .execute()
}
