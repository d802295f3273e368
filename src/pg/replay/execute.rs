//! A changed parse tree through the server's own road: analysis, planning with given parameters, execution.
#![allow(unsafe_code)]

use super::facts;
use crate::pg::compat;
use crate::pg::create::nodes::raw_statement;
use crate::pg::error::Error;
use crate::pg::ffi::subtransaction;
use crate::pg::tree::{Node, node};
use foreshard_core::model::Problem;
use pgrx::{PgMemoryContexts, pg_sys};
use std::ffi::{CStr, c_int};
use std::time::Instant;

/// A statement with the types of its parameters, in the memory context in which it was analyzed.
#[derive(Debug)]
pub struct Analyzed<'t> {
    pub query: Node<'t>,
    pub types: Vec<pg_sys::Oid>,
}

/// Works in memory of its own, which is freed afterwards: what leaves is owned data.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    struct Back(pg_sys::MemoryContext);
    impl Drop for Back {
        fn drop(&mut self) {
            // SAFETY: the context that was current before; it outlives the one that is freed next.
            unsafe { pg_sys::CurrentMemoryContext = self.0 };
        }
    }
    let memory = PgMemoryContexts::new("foreshard replay");
    // SAFETY: plain reads and writes of the current context, put back before the memory is freed.
    let _back = unsafe {
        let back = Back(pg_sys::CurrentMemoryContext);
        pg_sys::CurrentMemoryContext = memory.value();
        back
    };
    work()
}

/// Parse analysis. Parameters of which nothing tells the type are texts.
///
/// # Errors
/// What the server says of the statement, `parse`'s own reasons included.
pub fn analyze<'t>(
    parse: &dyn Fn() -> std::result::Result<Node<'t>, String>,
    text: &CStr,
) -> std::result::Result<Analyzed<'t>, String> {
    let mut hints: Vec<pg_sys::Oid> = Vec::new();
    loop {
        // Analysis changes the tree that it is given.
        let statement = parse()?;
        let mut count = c_int::try_from(hints.len()).unwrap_or(0);
        // SAFETY: an array of the current memory context, filled with as many types; analysis grows it.
        let mut types = unsafe {
            let array = pg_sys::palloc0(std::mem::size_of::<pg_sys::Oid>() * hints.len().max(1)).cast::<pg_sys::Oid>();
            std::ptr::copy_nonoverlapping(hints.as_ptr(), array, hints.len());
            array
        };
        let outcome = subtransaction(true, || {
            // SAFETY: a tree of the current memory context; all pointers are valid for the length of the call.
            let query = unsafe {
                let raw = raw_statement(statement.as_ptr());
                compat::analyze(raw, text.as_ptr(), &raw mut types, &raw mut count)
            };
            node(query).ok_or_else(|| Problem::new("XX000", "analysis gave nothing").into())
        });
        // SAFETY: `types` points to `count` types, also after an error: the array grows before it is used.
        let found = unsafe { std::slice::from_raw_parts(types, usize::try_from(count).unwrap_or(0)) }.to_vec();
        let open = |t: &pg_sys::Oid| *t == pg_sys::UNKNOWNOID || *t == pg_sys::InvalidOid;
        let texts = || found.iter().map(|t| if open(t) { pg_sys::TEXTOID } else { *t }).collect();
        match outcome {
            Ok(query) if !found.iter().any(open) || !hints.is_empty() => return Ok(Analyzed { query, types: texts() }),
            Ok(_) => hints = texts(),
            Err(error) => {
                let problem = first(error);
                if problem.sqlstate != UNKNOWN_TYPE || !found.iter().any(open) || !hints.is_empty() {
                    return Err(said(problem));
                }
                hints = texts();
            }
        }
    }
}

/// indeterminate_datatype
const UNKNOWN_TYPE: &str = "42P18";

pub fn first(error: Error) -> Problem {
    error.into_problems().into_iter().next().unwrap_or_else(|| Problem::new("XX000", "it failed"))
}

/// The server's words as a reason.
pub fn said(problem: Problem) -> String {
    format!("the server says: {}", problem.message)
}

/// What rules make of a query that was found harmless: defaults of columns are filled in.
pub fn rewrite(query: Node<'_>) -> *mut pg_sys::List {
    // SAFETY: an analyzed query, locked by its analysis, which nobody reads afterwards.
    unsafe { pg_sys::QueryRewrite(query.as_ptr().cast()) }
}

/// What one run took and met.
#[derive(Debug)]
pub struct Ran {
    /// Planning and execution.
    pub ms: f64,
    /// Relations that the plan opened, by number.
    pub opened: Vec<u32>,
    pub inserts: bool,
}

/// Plans the query for these values, and executes it where `whole`; rows that it gives are thrown away.
///
/// # Errors
/// The server raises its own.
pub fn run(query: Node<'_>, text: &CStr, types: &[pg_sys::Oid], values: &[Option<String>], whole: bool) -> Ran {
    pgrx::check_for_interrupts!();
    let parameters = bind(types, values);
    // SAFETY: what SPI does for a statement of its own: a snapshot that sees what was done before, the planner on a copy
    // of the query (it scribbles on it), the executor from start to end. Everything lives in the current memory context.
    unsafe {
        let query = pg_sys::copyObjectImpl(query.as_ptr().cast()).cast::<pg_sys::Query>();
        // Statistics of statements count those with an identity: the log must not count its own replay.
        (*query).queryId = 0;
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let start = Instant::now();
        let plan = pg_sys::pg_plan_query(query, text.as_ptr(), pg_sys::CURSOR_OPT_PARALLEL_OK as c_int, parameters);
        let desc = pg_sys::CreateQueryDesc(
            plan,
            text.as_ptr(),
            pg_sys::GetActiveSnapshot(),
            std::ptr::null_mut(),
            pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestNone),
            parameters,
            std::ptr::null_mut(),
            0,
        );
        pg_sys::ExecutorStart(desc, if whole { 0 } else { pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int });
        if whole {
            compat::run_executor(desc);
            pg_sys::ExecutorFinish(desc);
        }
        let state = &*(*desc).estate;
        let opened = (0..state.es_range_table_size as usize)
            .filter_map(|i| (*state.es_relations.add(i)).as_ref())
            .map(|relation| relation.rd_id.to_u32())
            .collect();
        pg_sys::ExecutorEnd(desc);
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        let inserts = (*plan).commandType == pg_sys::CmdType::CMD_INSERT;
        pg_sys::FreeQueryDesc(desc);
        pg_sys::PopActiveSnapshot();
        Ran { ms, opened, inserts }
    }
}

fn bind(types: &[pg_sys::Oid], values: &[Option<String>]) -> pg_sys::ParamListInfo {
    let count = types.len().min(values.len());
    // SAFETY: makeParamList gives room for as many parameters; each of them is filled.
    unsafe {
        let list = pg_sys::makeParamList(c_int::try_from(count).unwrap_or(0));
        let places = (*list).params.as_mut_ptr();
        for (i, (type_oid, value)) in types.iter().zip(values).enumerate() {
            *places.add(i) = pg_sys::ParamExternData {
                value: value.as_ref().map_or(pg_sys::Datum::from(0), |v| facts::read(*type_oid, v)),
                isnull: value.is_none(),
                pflags: pg_sys::PARAM_FLAG_CONST as u16,
                ptype: *type_oid,
            };
        }
        list
    }
}
