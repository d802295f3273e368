//! Every difference between server versions, and nothing else.
#![allow(unsafe_code)]

use pgrx::pg_sys;
use std::ffi::{c_char, c_void};

pub type Walker = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> bool;

unsafe extern "C-unwind" {
    #[cfg_attr(
        any(feature = "pg16", feature = "pg17", feature = "pg18"),
        link_name = "raw_expression_tree_walker_impl"
    )]
    fn raw_expression_tree_walker(node: *mut pg_sys::Node, walker: Option<Walker>, context: *mut c_void) -> bool;
    #[cfg_attr(any(feature = "pg16", feature = "pg17", feature = "pg18"), link_name = "expression_tree_walker_impl")]
    fn expression_tree_walker(node: *mut pg_sys::Node, walker: Option<Walker>, context: *mut c_void) -> bool;
    #[cfg_attr(any(feature = "pg16", feature = "pg17", feature = "pg18"), link_name = "query_tree_walker_impl")]
    fn query_tree_walker(
        query: *mut pg_sys::Query,
        walker: Option<Walker>,
        context: *mut c_void,
        flags: std::ffi::c_int,
    ) -> bool;
}

/// Calls `walker` for each child of a raw expression node.
///
/// # Safety
/// `node` is a valid raw parse node; `context` is what `walker` expects.
pub unsafe fn walk_raw_expression(node: *mut pg_sys::Node, walker: Walker, context: *mut c_void) -> bool {
    // SAFETY: passed on from the caller. The guard turns an ERROR of the server (a stack that ends, a node that the walker
    // does not know) into a panic, as pgrx does for the functions that it declares: no frame of ours is jumped over.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| raw_expression_tree_walker(node, Some(walker), context)) }
}

/// The same for an analyzed expression node.
///
/// # Safety
/// `node` is a valid node of an analyzed query; `context` is what `walker` expects.
pub unsafe fn walk_expression(node: *mut pg_sys::Node, walker: Walker, context: *mut c_void) -> bool {
    // SAFETY: as above.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| expression_tree_walker(node, Some(walker), context)) }
}

/// The same for a query: its expressions, the contents of its range table, its sort and group clauses.
///
/// # Safety
/// `query` is a valid analyzed query; `context` is what `walker` expects.
pub unsafe fn walk_query(query: *mut pg_sys::Query, walker: Walker, context: *mut c_void) -> bool {
    let flags = pg_sys::QTW_EXAMINE_SORTGROUP as std::ffi::c_int;
    // SAFETY: as above.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| query_tree_walker(query, Some(walker), context, flags)) }
}

/// Parse analysis of a statement whose parameters may have any type: `types` and `count` are given and grow.
///
/// # Safety
/// All pointers are valid; `types` is null or a palloc'd array of `count`.
pub unsafe fn analyze(
    statement: *mut pg_sys::RawStmt,
    text: *const c_char,
    types: *mut *mut pg_sys::Oid,
    count: *mut std::ffi::c_int,
) -> *mut pg_sys::Query {
    // SAFETY: passed on from the caller.
    unsafe {
        #[cfg(feature = "pg14")]
        return pg_sys::parse_analyze_varparams(statement, text, types, count);
        #[cfg(not(feature = "pg14"))]
        pg_sys::parse_analyze_varparams(statement, text, types, count, std::ptr::null_mut())
    }
}

/// Runs a started executor to its end.
///
/// # Safety
/// `query` went through ExecutorStart.
pub unsafe fn run_executor(query: *mut pg_sys::QueryDesc) {
    // SAFETY: passed on from the caller.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::ExecutorRun(query, pg_sys::ScanDirection::ForwardScanDirection, 0, true);
        #[cfg(feature = "pg18")]
        pg_sys::ExecutorRun(query, pg_sys::ScanDirection::ForwardScanDirection, 0);
    }
}

/// The columns that the actions of a MERGE set, with their new values; MERGE came with 15.
pub fn merge_action_targets(node: super::tree::Node<'_>) -> Option<*mut pg_sys::List> {
    #[cfg(feature = "pg14")]
    {
        let _has_none = node;
        None
    }
    #[cfg(not(feature = "pg14"))]
    node.get::<pg_sys::MergeAction>().map(|action| action.targetList)
}

/// The WITH clause of a MERGE.
pub fn merge_with(node: super::tree::Node<'_>) -> Option<*mut pg_sys::WithClause> {
    #[cfg(feature = "pg14")]
    {
        let _has_none = node;
        None
    }
    #[cfg(not(feature = "pg14"))]
    node.get::<pg_sys::MergeStmt>().map(|merge| merge.withClause)
}

/// An expression of SQL/JSON, which 16 and 17 brought.
pub fn is_json(tag: pg_sys::NodeTag) -> bool {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    if tag == pg_sys::NodeTag::T_JsonExpr {
        return true;
    }
    #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
    if tag == pg_sys::NodeTag::T_JsonConstructorExpr {
        return true;
    }
    let _others = tag;
    false
}

/// The statement reads or writes rows by itself: SELECT, INSERT, UPDATE, DELETE, MERGE.
pub fn is_dml(command: pg_sys::CmdType::Type) -> bool {
    use pg_sys::CmdType::{CMD_DELETE, CMD_INSERT, CMD_SELECT, CMD_UPDATE};
    #[cfg(not(feature = "pg14"))]
    if command == pg_sys::CmdType::CMD_MERGE {
        return true;
    }
    matches!(command, CMD_SELECT | CMD_INSERT | CMD_UPDATE | CMD_DELETE)
}

/// The characters of a String node: a `Value` until 14, a node of its own since.
#[cfg(feature = "pg14")]
pub fn string_value(node: *mut pg_sys::Node) -> *const c_char {
    // SAFETY: the caller has checked the tag T_String.
    unsafe { (*node.cast::<pg_sys::Value>()).val.str_ }
}

#[cfg(not(feature = "pg14"))]
pub fn string_value(node: *mut pg_sys::Node) -> *const c_char {
    // SAFETY: the caller has checked the tag T_String.
    unsafe { (*node.cast::<pg_sys::String>()).sval }
}

/// The text of a string constant; None for other constants.
pub fn constant_text(node: super::tree::Node<'_>) -> Option<String> {
    let constant = node.get::<pg_sys::A_Const>()?;
    #[cfg(not(feature = "pg14"))]
    // SAFETY: the union's first member is the tag of whatever it holds.
    unsafe {
        (constant.val.node.type_ == pg_sys::NodeTag::T_String).then(|| super::tree::text(constant.val.sval.sval))?
    }
    #[cfg(feature = "pg14")]
    // SAFETY: the value's tag says which member of the union is set.
    unsafe {
        (constant.val.type_ == pg_sys::NodeTag::T_String).then(|| super::tree::text(constant.val.val.str_))?
    }
}

/// The output list of RETURNING: a field of the statement until 17, inside a clause since.
#[cfg(not(feature = "pg18"))]
macro_rules! returning {
    ($statement:expr) => {
        $statement.returningList
    };
}
#[cfg(feature = "pg18")]
macro_rules! returning {
    ($statement:expr) => {
        $crate::pg::tree::field($statement.returningClause).map_or(std::ptr::null_mut(), |clause| clause.exprs)
    };
}
pub(super) use returning;

/// The value of an integer constant; None for other nodes.
pub fn constant_integer(node: super::tree::Node<'_>) -> Option<i32> {
    let constant = node.get::<pg_sys::A_Const>()?;
    #[cfg(not(feature = "pg14"))]
    // SAFETY: the union's first member is the tag of whatever it holds.
    unsafe {
        (constant.val.node.type_ == pg_sys::NodeTag::T_Integer).then_some(constant.val.ival.ival)
    }
    #[cfg(feature = "pg14")]
    // SAFETY: the value's tag says which member of the union is set.
    unsafe {
        (constant.val.type_ == pg_sys::NodeTag::T_Integer).then_some(constant.val.val.ival)
    }
}

/// Tables named by ALTER PUBLICATION … ADD TABLE, with whether only some of their columns or rows are published: a list
/// of relations until 14, of publication objects since. None of SET and DROP, which concern other tables as well.
pub fn publication_tables(statement: &pg_sys::AlterPublicationStmt) -> Vec<(*mut pg_sys::RangeVar, bool)> {
    #[cfg(feature = "pg14")]
    let adds = statement.tableAction == pg_sys::DefElemAction::DEFELEM_ADD;
    #[cfg(not(feature = "pg14"))]
    let adds = statement.action == pg_sys::AlterPublicationAction::AP_AddObjects;
    if !adds {
        return Vec::new();
    }
    #[cfg(feature = "pg14")]
    {
        super::tree::items(statement.tables).map(|n| (n.as_ptr().cast(), false)).collect()
    }
    #[cfg(not(feature = "pg14"))]
    super::tree::items(statement.pubobjects)
        .filter_map(|o| o.get::<pg_sys::PublicationObjSpec>())
        .filter_map(|o| super::tree::field(o.pubtable))
        .map(|t| (t.relation, !t.whereClause.is_null() || !t.columns.is_null()))
        .collect()
}

/// The columns of ON DELETE SET NULL (…) or SET DEFAULT (…), which 15 brought.
pub fn delete_columns(constraint: &pg_sys::Constraint) -> Vec<String> {
    #[cfg(feature = "pg14")]
    {
        let _has_none = constraint;
        Vec::new()
    }
    #[cfg(not(feature = "pg14"))]
    super::tree::strings(constraint.fk_del_set_cols)
}

/// Partitions have the identity columns of their table.
pub const PARTITIONS_HAVE_IDENTITY: bool = cfg!(any(feature = "pg17", feature = "pg18"));

/// The relation that a CREATE VIEW, MATERIALIZED VIEW or FOREIGN TABLE makes, with the word for what it is.
pub fn created_relation(node: super::tree::Node<'_>) -> Option<(*mut pg_sys::RangeVar, &'static str)> {
    let ptr = node.as_ptr();
    // SAFETY: each cast follows the check of the node's tag.
    unsafe {
        match node.tag() {
            pg_sys::NodeTag::T_ViewStmt => Some(((*ptr.cast::<pg_sys::ViewStmt>()).view, "view")),
            pg_sys::NodeTag::T_CreateTableAsStmt => {
                let into = (*ptr.cast::<pg_sys::CreateTableAsStmt>()).into;
                into.as_ref().map(|i| (i.rel, "materialized view"))
            }
            pg_sys::NodeTag::T_CreateForeignTableStmt => {
                Some(((*ptr.cast::<pg_sys::CreateForeignTableStmt>()).base.relation, "foreign table"))
            }
            _ => None,
        }
    }
}

/// Refuses settings under our prefix that we do not define.
pub fn reserve_prefix(prefix: &std::ffi::CStr) {
    // SAFETY: a NUL-terminated string that the server copies.
    unsafe {
        #[cfg(feature = "pg14")]
        pg_sys::EmitWarningsOnPlaceholders(prefix.as_ptr());
        #[cfg(not(feature = "pg14"))]
        pg_sys::MarkGUCPrefixReserved(prefix.as_ptr());
    }
}

/// The partitioning strategy: a word until 15, an enumeration since.
pub fn set_partition_strategy(spec: &mut pg_sys::PartitionSpec, method: foreshard_core::model::Method) {
    #[cfg(any(feature = "pg14", feature = "pg15"))]
    {
        let word = super::ffi::cstring(method.name());
        // SAFETY: pstrdup copies a NUL-terminated string into the current memory context.
        spec.strategy = unsafe { pg_sys::pstrdup(word.as_ptr()) };
    }
    #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
    {
        use foreshard_core::model::Method;
        spec.strategy = match method {
            Method::Range => pg_sys::PartitionStrategy::PARTITION_STRATEGY_RANGE,
            Method::List => pg_sys::PartitionStrategy::PARTITION_STRATEGY_LIST,
            _ => pg_sys::PartitionStrategy::PARTITION_STRATEGY_HASH,
        };
    }
}

/// Leaves one table in an ALTER PUBLICATION … ADD TABLE, under its new name.
pub fn publish_only(
    statement: &mut pg_sys::AlterPublicationStmt,
    source: &foreshard_core::model::TableName,
    target: *mut pg_sys::RangeVar,
) {
    #[cfg(feature = "pg14")]
    // SAFETY: a list of one pointer.
    unsafe {
        let _only_one = source;
        statement.tables = pg_sys::lappend(std::ptr::null_mut(), target.cast());
    }
    #[cfg(not(feature = "pg14"))]
    for object in super::tree::items(statement.pubobjects) {
        let Some(found) = object.get::<pg_sys::PublicationObjSpec>() else { continue };
        if super::tree::field(found.pubtable).and_then(|t| super::tree::table_name(t.relation, "public")).as_ref()
            == Some(source)
        {
            // SAFETY: the tree was parsed for this use and is ours to change.
            unsafe {
                (*found.pubtable).relation = target;
                statement.pubobjects = pg_sys::lappend(std::ptr::null_mut(), object.as_ptr().cast());
            }
            return;
        }
    }
}

/// Changes a string constant.
pub fn set_constant_text(node: super::tree::Node<'_>, text: *mut c_char) {
    // SAFETY: the caller has seen through `constant_text` that it is a string constant; the tree is its own.
    unsafe {
        let constant = node.as_ptr().cast::<pg_sys::A_Const>();
        #[cfg(not(feature = "pg14"))]
        {
            (*constant).val.sval.sval = text;
        }
        #[cfg(feature = "pg14")]
        {
            (*constant).val.val.str_ = text;
        }
    }
}

/// Gives a relation a new, empty file in this transaction, as REINDEX does.
///
/// # Safety
/// An open relation with storage, locked exclusively.
pub unsafe fn new_file(relation: pg_sys::Relation) {
    // SAFETY: from the caller.
    unsafe {
        let persistence = (*(*relation).rd_rel).relpersistence;
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        pg_sys::RelationSetNewRelfilenode(relation, persistence);
        #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
        pg_sys::RelationSetNewRelfilenumber(relation, persistence);
    }
}

/// The relation's file was made by this transaction, with it or in place of another.
///
/// # Safety
/// An open relation.
pub unsafe fn has_new_file(relation: pg_sys::Relation) -> bool {
    // SAFETY: from the caller.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let replaced = (*relation).rd_firstRelfilenodeSubid;
        #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
        let replaced = (*relation).rd_firstRelfilelocatorSubid;
        // InvalidSubTransactionId is 0.
        (*relation).rd_createSubid != 0 || replaced != 0
    }
}

/// Pages and rows of a relation into `pg_class`; `u32::MAX` pages for a partitioned table, which has none.
///
/// # Safety
/// An open relation.
pub unsafe fn update_size(relation: pg_sys::Relation, pages: u32, rows: f64, indexed: bool) {
    use std::ptr::null_mut;
    let (xid, multixact) = (pg_sys::InvalidTransactionId, pg_sys::MultiXactId::from(0));
    // SAFETY: from the caller; nobody asks what was updated.
    unsafe {
        #[cfg(feature = "pg14")]
        pg_sys::vac_update_relstats(relation, pages, rows, 0, indexed, xid, multixact, true);
        #[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
        pg_sys::vac_update_relstats(relation, pages, rows, 0, indexed, xid, multixact, null_mut(), null_mut(), true);
        #[cfg(feature = "pg18")]
        pg_sys::vac_update_relstats(relation, pages, rows, 0, 0, indexed, xid, multixact, null_mut(), null_mut(), true);
    }
}

/// Tells the statistics collector that all columns of a table were analyzed just now.
///
/// # Safety
/// An open table.
pub unsafe fn report_analyze(table: pg_sys::Relation, rows: i64) {
    // SAFETY: from the caller.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pgstat_report_analyze(table, rows, 0, true);
        #[cfg(feature = "pg18")]
        pg_sys::pgstat_report_analyze(table, rows, 0, true, pg_sys::GetCurrentTimestamp());
    }
}

/// Whole pages of a relation's main fork into the WAL; sets their positions in it.
///
/// # Safety
/// An open relation; as many pages as blocks, each of the server's size, with what is between lower and upper unused.
pub unsafe fn log_pages(relation: pg_sys::Relation, blocks: &mut [u32], pages: &mut [pg_sys::Page]) {
    // SAFETY: from the caller.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let file = &raw mut (*relation).rd_node;
        #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
        let file = &raw mut (*relation).rd_locator;
        let count = std::ffi::c_int::try_from(pages.len()).unwrap_or(0);
        pg_sys::log_newpages(
            file,
            pg_sys::ForkNumber::MAIN_FORKNUM,
            count,
            blocks.as_mut_ptr(),
            pages.as_mut_ptr(),
            true,
        );
    }
}

/// What puts the table $1 into its publications, as statements: column lists and row filters are there since 15.
#[cfg(feature = "pg14")]
pub const PUBLICATIONS_OF_TABLE: &str = "
    SELECT format('ALTER PUBLICATION %I ADD TABLE %I.%I', p.pubname, n.nspname, c.relname)
    FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
    JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE r.prrelid = $1 ORDER BY p.pubname";
#[cfg(not(feature = "pg14"))]
pub const PUBLICATIONS_OF_TABLE: &str = "
    SELECT concat(format('ALTER PUBLICATION %I ADD TABLE %I.%I', p.pubname, n.nspname, c.relname),
        (SELECT format(' (%s)', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::pg_catalog.int2[]) HAVING count(*) > 0),
        ' WHERE (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')')
    FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
    JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE r.prrelid = $1 ORDER BY p.pubname";

/// Lets a handler of the server's answer a signal.
///
/// # Safety
/// A handler that may run at any moment.
pub unsafe fn handle_signal(signal: std::ffi::c_int, handler: unsafe extern "C-unwind" fn(std::ffi::c_int)) {
    // SAFETY: from the caller.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal, Some(handler));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal, Some(handler));
    }
}
