//! What the query log says of the tables: parsed statements in, access patterns out.
//!
//! The life of an entry: it is merged with the others of its id and counted (`coverage`); its tree, unless it is too
//! deep to walk (`tree`), is walked level by level (`levels`, `joins`, `outputs`), where names find their columns
//! (`scope`), views become what they stand for (`views`) and conditions are read (`predicates`); pins then spread along the equalities of the statement and what
//! each reference to a table knows is written down (`spread`). Over all statements come the profile (`profile`) and the
//! families of columns (`families`), and which statements run together in one transaction (`transactions`). `watched` adds what was seen at run time. `similar` lends the statements of another table to one that has none.

mod coverage;
mod families;
mod joins;
mod levels;
mod outputs;
mod predicates;
mod profile;
mod scope;
mod similar;
mod spread;
mod transactions;
mod tree;
mod views;
mod watched;
mod window;

pub use families::MIN_JOIN_SHARE;
pub use profile::{MAX_POINT_MS, MAX_POINT_ROWS, OLAP_POINT_SHARE, OLTP_POINT_SHARE};
pub use similar::{BORROW_SIMILARITY, borrow, similar};
pub use tree::MAX_DEPTH;
pub use watched::observe;
pub use window::Counters;

use crate::model::Interrupts;
use crate::model::quals::Qual;
use crate::model::schema::Schema;
use crate::model::workload::{LogEntry, StatementUse, Workload, WorkloadProfile};

/// What a user may say about reading the query log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnalyzeOptions {
    /// Statements called less often than this are left out: they are listed in the coverage with that reason, but do
    /// not lower its shares, for it was the user's wish.
    pub min_calls: f64,
    /// Used in place of the detected profile.
    pub profile: Option<WorkloadProfile>,
    pub interrupts: Interrupts,
    /// Predicates that were watched at run time.
    pub quals: Vec<Qual>,
    /// Whether the log counts utility statements (BEGIN among them); None where nothing tells but the log itself.
    pub utility_tracked: Option<bool>,
}

/// The log's statements, resolved against `schema`. The order of `log` does not matter; entries of one id are summed;
/// calls, times and rows that are no finite positive numbers count as 0, and where nothing is left of the calls, the coverage
/// says so.
pub fn analyze(schema: &Schema, log: &[LogEntry], options: &AnalyzeOptions) -> Workload {
    let mut tally = coverage::Tally::default();
    let mut tables = scope::Tables::new(schema);
    let mut statements = Vec::new();
    let mut explicit = transactions::Explicit { tracked: options.utility_tracked, ..Default::default() };
    for entry in coverage::merge(log) {
        options.interrupts.check();
        if let Some(reason) = entry.is_damaged() {
            tally.not_understood(&entry, reason);
            continue;
        }
        if entry.calls < options.min_calls {
            tally.left_out(&entry);
            continue;
        }
        let queries = match entry.parsed {
            Ok(queries) => queries,
            Err(reason) => {
                tally.not_understood(&entry, reason);
                continue;
            }
        };
        if queries.iter().any(tree::too_deep) {
            tally.not_understood(&entry, &format!("nested more than {MAX_DEPTH} levels deep"));
            continue;
        }
        tally.understood(&entry);
        explicit.count(queries.first().map(|q| q.kind), entry.calls);
        let mut kinds = queries.iter().map(|q| q.kind).filter(|k| k.has_rows());
        let (Some(kind), uses) = (kinds.next(), queries.iter().flat_map(|q| levels::table_uses(&mut tables, q))) else {
            continue;
        };
        let uses: Vec<_> = uses.collect();
        if !uses.is_empty() {
            statements.push(StatementUse {
                id: entry.id,
                text: entry.text.to_owned(),
                kind,
                calls: entry.calls,
                total_ms: entry.total_ms,
                rows: entry.rows,
                tables: uses,
            });
        }
    }
    let loads = watched::observe(schema, &mut statements, &options.quals);
    let families = families::find(schema, &statements);
    Workload {
        coverage: tally.coverage(),
        profile: options.profile.unwrap_or_else(|| profile::detect(&statements)),
        transactions: transactions::infer(schema, &families, &statements, explicit),
        same_values: Vec::new(),
        families,
        statements,
        loads,
    }
}
