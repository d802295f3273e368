//! What a statement that has run asked of sampled tables: the shards that its plan had left after pruning, the value that it compared the key with, the
//! key of a row that it stored.
#![allow(unsafe_code)]

use super::shared::{self, Slot};
use super::value::{self, Operand};
use foreshard_core::health::{NewKey, Sample};
use pgrx::PgList;
use pgrx::pg_sys::{self, NodeTag};

/// Blocks that a scan reads in the time of a look-up, as for the load of shards.
const BLOCKS_PER_LOOKUP: f64 = 4.0;
/// Look-ups that one statement counts for, at most: a single report must not be all that a sample shows.
const MOST: f64 = 1_000.0;
/// Levels of partitions.
const DEEPEST: usize = 8;

/// Records what the statement did, `blocks` being those that it asked for.
///
/// # Safety
/// `query` has run and has not been ended.
pub unsafe fn look(query: *mut pg_sys::QueryDesc, blocks: i64, random: fn() -> u64) {
    // SAFETY: all of the statement's state is there.
    let found = unsafe {
        let (plan, estate) = ((*query).plannedstmt, (*query).estate);
        if plan.is_null() || estate.is_null() || (*query).planstate.is_null() {
            return;
        }
        let mut statement = Statement::new(plan, estate, (*query).params, random);
        if statement.tables.is_empty() {
            return;
        }
        statement.visit((*query).planstate);
        for below in PgList::<pg_sys::PlanState>::from_pg((*estate).es_subplanstates).iter_ptr() {
            statement.visit(below);
        }
        statement.tables
    };
    let weight = (blocks as f64 / BLOCKS_PER_LOOKUP).clamp(1.0, MOST);
    for table in found {
        let Some(shard) = table.shard else { continue };
        let sample = Sample {
            value: table.value.as_deref(),
            shard: shard.to_u32(),
            only: table.met == 1,
            weight,
            new: table.new,
        };
        table.slot.take(table.relation, &sample);
    }
}

/// A sampled table that the statement is about.
struct Met {
    slot: &'static Slot,
    relation: pg_sys::Oid,
    /// Its number in the range table.
    index: u32,
    column: i16,
    /// Any one of the shards.
    shard: Option<pg_sys::Oid>,
    /// How many there were.
    met: u64,
    value: Option<String>,
    new: Option<NewKey>,
}

struct Statement {
    tables: Vec<Met>,
    rtable: *mut pg_sys::List,
    /// Of each entry of the range table, whose child it is.
    parents: Vec<*mut pg_sys::AppendRelInfo>,
    estate: *mut pg_sys::EState,
    params: pg_sys::ParamListInfo,
    random: fn() -> u64,
}

impl Statement {
    /// # Safety
    /// The plan has run in the state.
    unsafe fn new(
        plan: *mut pg_sys::PlannedStmt,
        estate: *mut pg_sys::EState,
        params: pg_sys::ParamListInfo,
        random: fn() -> u64,
    ) -> Self {
        // SAFETY: the lists are of what they are said to be of.
        unsafe {
            let rtable = (*plan).rtable;
            let mut tables = Vec::new();
            let entries = PgList::<pg_sys::RangeTblEntry>::from_pg(rtable);
            for (index, entry) in (1..).zip(entries.iter_ptr()) {
                let cut = (*entry).relkind == pg_sys::RELKIND_PARTITIONED_TABLE as std::ffi::c_char;
                if (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION && cut {
                    tables.extend(shared::find((*entry).relid).map(|(slot, column)| Met {
                        slot,
                        relation: (*entry).relid,
                        index,
                        column,
                        shard: None,
                        met: 0,
                        value: None,
                        new: None,
                    }));
                }
            }
            let mut parents = Vec::new();
            if !tables.is_empty() {
                parents.resize(entries.len() + 1, std::ptr::null_mut());
                for child in PgList::<pg_sys::AppendRelInfo>::from_pg((*plan).appendRelations).iter_ptr() {
                    if let Some(parent) = parents.get_mut((*child).child_relid as usize) {
                        *parent = child;
                    }
                }
            }
            Self { tables, rtable, parents, estate, params, random }
        }
    }

    /// # Safety
    /// `state` is of this statement, or null.
    unsafe fn visit(&mut self, state: *mut pg_sys::PlanState) {
        if state.is_null() {
            return;
        }
        // SAFETY: the tag of its plan says what the state is.
        unsafe {
            pg_sys::check_stack_depth();
            let plan = (*state).plan;
            match (*plan).type_ {
                NodeTag::T_Append => {
                    let own = state.cast::<pg_sys::AppendState>();
                    self.visit_all((*own).appendplans, (*own).as_nplans);
                }
                NodeTag::T_MergeAppend => {
                    let own = state.cast::<pg_sys::MergeAppendState>();
                    self.visit_all((*own).mergeplans, (*own).ms_nplans);
                }
                NodeTag::T_SubqueryScan => self.visit((*state.cast::<pg_sys::SubqueryScanState>()).subplan),
                NodeTag::T_ModifyTable => {
                    let own = plan.cast::<pg_sys::ModifyTable>();
                    if (*own).operation == pg_sys::CmdType::CMD_INSERT {
                        self.insert(own, (*state).lefttree);
                    }
                }
                _ => self.scan(plan),
            }
            self.visit((*state).lefttree);
            self.visit((*state).righttree);
        }
    }

    /// # Safety
    /// As many states as it says.
    unsafe fn visit_all(&mut self, states: *mut *mut pg_sys::PlanState, count: std::ffi::c_int) {
        for at in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: passed on from the caller.
            unsafe { self.visit(*states.add(at)) };
        }
    }

    /// # Safety
    /// A plan of this statement.
    unsafe fn scan(&mut self, plan: *mut pg_sys::Plan) {
        // SAFETY: the tag says what the plan is; every scan of a table begins as a Scan.
        unsafe {
            let quals = match (*plan).type_ {
                NodeTag::T_SeqScan | NodeTag::T_SampleScan | NodeTag::T_TidScan | NodeTag::T_TidRangeScan => {
                    std::ptr::null_mut()
                }
                NodeTag::T_IndexScan => (*plan.cast::<pg_sys::IndexScan>()).indexqualorig,
                NodeTag::T_IndexOnlyScan => (*plan.cast::<pg_sys::IndexOnlyScan>()).recheckqual,
                NodeTag::T_BitmapHeapScan => (*plan.cast::<pg_sys::BitmapHeapScan>()).bitmapqualorig,
                NodeTag::T_ForeignScan => (*plan.cast::<pg_sys::ForeignScan>()).fdw_recheck_quals,
                _ => return,
            };
            let scanned = (*plan.cast::<pg_sys::Scan>()).scanrelid;
            let Some((at, path)) = self.table_of(scanned) else { return };
            let leaf = self.entry(scanned).map(|entry| (*entry).relid);
            let chance = (self.random)();
            let Some(table) = self.tables.get_mut(at) else { return };
            table.met += 1;
            if chance.is_multiple_of(table.met) {
                table.shard = leaf;
            }
            if table.value.is_some() {
                return;
            }
            let key = Key { scanned, column: table.column, path, plan };
            for clauses in [quals, (*plan).qual] {
                for clause in PgList::<pg_sys::Node>::from_pg(clauses).iter_ptr() {
                    if let Some(Operand::Datum(datum, of)) = key.compared(clause, self.params, self.random) {
                        table.value = value::text(datum, of);
                        return;
                    }
                }
            }
        }
    }

    /// The key of one of the rows that are stored, and where they went.
    ///
    /// # Safety
    /// Both are of this statement; `rows` may be null.
    unsafe fn insert(&mut self, into: *mut pg_sys::ModifyTable, rows: *mut pg_sys::PlanState) {
        // SAFETY: the lists are of what they are said to be of, and the tag says what a plan is.
        unsafe {
            let target = pg_sys::list_nth_int((*into).resultRelations, 0);
            let Some(table) = self.tables.iter_mut().find(|t| i64::from(t.index) == i64::from(target)) else { return };
            let routed = PgList::<pg_sys::ResultRelInfo>::from_pg((*self.estate).es_tuple_routing_result_relations);
            for part in routed.iter_ptr() {
                let (leaf, root) = ((*part).ri_RelationDesc, (*part).ri_RootResultRelInfo);
                if root.is_null() || leaf.is_null() || (*(*root).ri_RelationDesc).rd_id != table.relation {
                    continue;
                }
                table.met += 1;
                if (self.random)().is_multiple_of(table.met) {
                    table.shard = Some((*leaf).rd_id);
                }
            }
            if rows.is_null() {
                return;
            }
            let plan = (*rows).plan;
            let targets = PgList::<pg_sys::TargetEntry>::from_pg((*plan).targetlist);
            let Some(key) = targets.iter_ptr().find(|t| (**t).resno == table.column) else { return };
            let mut expression = value::bare((*key).expr.cast());
            if (*plan).type_ == NodeTag::T_ValuesScan && (*expression).type_ == NodeTag::T_Var {
                let lists = PgList::<pg_sys::List>::from_pg((*plan.cast::<pg_sys::ValuesScan>()).values_lists);
                let Some(row) = lists.get_ptr((self.random)() as usize % lists.len().max(1)) else { return };
                let column = usize::try_from((*expression.cast::<pg_sys::Var>()).varattno - 1).unwrap_or(usize::MAX);
                let Some(cell) = PgList::<pg_sys::Node>::from_pg(row).get_ptr(column) else { return };
                expression = cell;
            }
            match value::operand(expression, self.params) {
                Some(Operand::Next) => table.new = Some(NewKey::Next),
                Some(Operand::Datum(datum, of)) => {
                    table.value = value::text(datum, of);
                    table.new = table.value.as_deref().map(NewKey::of);
                }
                None => {}
            }
        }
    }

    /// The sampled table that an entry of the range table is a shard of, and the way up to it.
    fn table_of(&self, scanned: u32) -> Option<(usize, Vec<*mut pg_sys::AppendRelInfo>)> {
        let (mut at, mut path) = (scanned, Vec::new());
        for _ in 0..DEEPEST {
            let link = *self.parents.get(at as usize)?;
            if link.is_null() {
                return None;
            }
            path.push(link);
            // SAFETY: links of the plan.
            at = unsafe { (*link).parent_relid };
            if let Some(found) = self.tables.iter().position(|t| t.index == at) {
                return Some((found, path));
            }
        }
        None
    }

    /// # Safety
    /// The range table is the plan's.
    unsafe fn entry(&self, index: u32) -> Option<*mut pg_sys::RangeTblEntry> {
        // SAFETY: passed on from the caller.
        unsafe { PgList::<pg_sys::RangeTblEntry>::from_pg(self.rtable) }.get_ptr((index as usize).checked_sub(1)?)
    }
}

/// The key of a table as a scan of one of its shards knows it.
struct Key {
    scanned: u32,
    /// Of the table.
    column: i16,
    path: Vec<*mut pg_sys::AppendRelInfo>,
    plan: *mut pg_sys::Plan,
}

impl Key {
    /// What a condition says that the key equals, or one of what it may equal.
    ///
    /// # Safety
    /// A condition of the scan.
    unsafe fn compared(
        &self,
        clause: *mut pg_sys::Node,
        params: pg_sys::ParamListInfo,
        random: fn() -> u64,
    ) -> Option<Operand> {
        // SAFETY: the tag says what a node is.
        unsafe {
            let (operator, arguments, list) = match (*clause).type_ {
                NodeTag::T_OpExpr => {
                    let own = clause.cast::<pg_sys::OpExpr>();
                    ((*own).opno, (*own).args, false)
                }
                NodeTag::T_ScalarArrayOpExpr if (*clause.cast::<pg_sys::ScalarArrayOpExpr>()).useOr => {
                    let own = clause.cast::<pg_sys::ScalarArrayOpExpr>();
                    ((*own).opno, (*own).args, true)
                }
                _ => return None,
            };
            let arguments = PgList::<pg_sys::Node>::from_pg(arguments);
            let (left, right) = (arguments.get_ptr(0)?, arguments.get_ptr(1)?);
            let (key, other) = if self.is(left) {
                (left, right)
            } else if !list && self.is(right) {
                (right, left)
            } else {
                return None;
            };
            // Operators that can be hashed or merged are equality.
            let of = pg_sys::exprType(key);
            if !pg_sys::op_mergejoinable(operator, of) && !pg_sys::op_hashjoinable(operator, of) {
                return None;
            }
            if list { value::element(other, params, random()) } else { value::operand(other, params) }
        }
    }

    /// # Safety
    /// An expression of the scan.
    unsafe fn is(&self, node: *mut pg_sys::Node) -> bool {
        // SAFETY: the tag says what a node is; the arrays are as long as they say.
        unsafe {
            let node = value::bare(node);
            if (*node).type_ != NodeTag::T_Var {
                return false;
            }
            let mut var = node.cast::<pg_sys::Var>();
            if (*var).varno == pg_sys::INDEX_VAR && (*self.plan).type_ == NodeTag::T_IndexOnlyScan {
                let columns =
                    PgList::<pg_sys::TargetEntry>::from_pg((*self.plan.cast::<pg_sys::IndexOnlyScan>()).indextlist);
                match columns.iter_ptr().find(|c| (**c).resno == (*var).varattno).map(|c| (*c).expr) {
                    Some(column) if (*column).type_ == NodeTag::T_Var => var = column.cast(),
                    _ => return false,
                }
            }
            if i64::from((*var).varno) != i64::from(self.scanned) {
                return false;
            }
            let mut column = (*var).varattno;
            for link in &self.path {
                if column < 1 || i32::from(column) > (**link).num_child_cols {
                    return false;
                }
                column = *(**link).parent_colnos.add(usize::from(column.unsigned_abs()) - 1);
            }
            column == self.column
        }
    }
}
