//! Which statements run together in one transaction, from the log's numbers alone.
//!
//! A log that counts BEGINs bounds the explicit transactions; one that shows none was filled by statements that run alone.
//! Statements of one transaction have one number of calls, as far as a log that is read in mid-work can show it: those of
//! equal calls that have a table, a foreign key or a pinned family in common are an atom (`atoms`). Which atoms are
//! transactions, so that the BEGINs suffice and most others are explained by them as loops and branches, is `fit`'s work.
//! What is left over shares the BEGINs that are left over, or runs alone. Every group says how it was found.

mod atoms;
mod fit;

use crate::model::plan::Level;
use crate::model::schema::Schema;
use crate::model::statement::StatementKind;
use crate::model::words::counted;
use crate::model::workload::{Execution, Family, StatementUse, Transaction};
use atoms::Atom;
use fit::{Fit, Kind};

/// Calls below which equal numbers are no evidence. Assumed.
const TELLING_CALLS: f64 = 20.0;
/// Clients in mid-transaction when a log is read at work: so far the calls of one transaction's statements may be apart.
/// Assumed; the difference of BEGINs and ends is taken where it is larger.
const CLIENTS: f64 = 8.0;
/// What the log says of BEGIN and its ends.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Explicit {
    pub(super) begun: f64,
    pub(super) ended: f64,
    /// Whether such statements are counted at all: Some by the setting or by what is in the log.
    pub(super) tracked: Option<bool>,
}

impl Explicit {
    /// One entry of the log by its kind.
    pub(super) fn count(&mut self, kind: Option<StatementKind>, calls: f64) {
        match kind {
            Some(StatementKind::Begin) => self.begun += calls,
            Some(StatementKind::End) => self.ended += calls,
            Some(StatementKind::Utility) => {}
            _ => return,
        }
        self.tracked = Some(true);
    }

    /// How far the calls of one transaction's statements may be apart: not at all in a log that was read at rest.
    fn slack(self) -> f64 {
        let open = (self.begun - self.ended).abs();
        if self.begun > 0.0 && open < 0.5 { 0.0 } else { open.max(CLIENTS) }
    }
}

/// Every statement in at least one transaction, most calls first, then by the first statement.
pub(super) fn infer(
    schema: &Schema,
    families: &[Family],
    statements: &[StatementUse],
    explicit: Explicit,
) -> Vec<Transaction> {
    let mut out = if explicit.begun <= 0.0 && explicit.tracked != Some(false) {
        let (confidence, because) = match explicit.tracked {
            Some(true) => (Level::High, "The log counts utility statements and shows no BEGIN: it runs alone."),
            _ => (Level::Medium, "The log shows no BEGIN, nor any other utility statement: it is taken to run alone."),
        };
        statements.iter().map(|s| alone(s, confidence, because)).collect()
    } else {
        let slack = explicit.slack();
        let bound = (explicit.begun > 0.0).then_some(explicit.begun);
        let atoms = atoms::find(schema, families, statements, slack);
        let fit = Fit::find(&atoms, bound, slack, TELLING_CALLS);
        tell(&fit, &atoms, statements, bound, slack)
    };
    out.sort_by(|a, b| {
        let first = |t: &Transaction| t.statements.first().map(|s| s.id);
        b.calls.total_cmp(&a.calls).then(first(a).cmp(&first(b))).then(a.statements.len().cmp(&b.statements.len()))
    });
    out
}

fn alone(statement: &StatementUse, confidence: Level, because: &str) -> Transaction {
    Transaction {
        calls: statement.calls,
        statements: vec![Execution { id: statement.id, times: 1.0 }],
        confidence,
        because: because.to_owned(),
    }
}

/// The fit as transactions in words.
fn tell(
    fit: &Fit,
    atoms: &[Atom<'_>],
    statements: &[StatementUse],
    bound: Option<f64>,
    slack: f64,
) -> Vec<Transaction> {
    let executions = |parts: &[(usize, f64)]| -> Vec<Execution> {
        let mut out = Vec::new();
        for (at, times) in parts {
            let members = atoms.get(*at).map(|a| a.statements.as_slice()).unwrap_or_default();
            let of = |s: &StatementUse| Execution { id: s.id, times: *times };
            out.extend(members.iter().filter_map(|s| statements.get(*s)).map(of));
        }
        out.sort_by_key(|e| e.id);
        out
    };
    let left = bound.map_or(0.0, |b| b - fit.kinds.iter().map(|k| k.calls).sum::<f64>());
    let exact = bound.is_some() && left.abs() <= slack.max(0.5);
    let mut out: Vec<Transaction> = Vec::new();
    for kind in &fit.kinds {
        let statements = executions(&kind.parts);
        let (confidence, because) = (confidence(kind, bound, exact), reason(kind, statements.len()));
        out.push(Transaction { calls: kind.calls, statements, confidence, because });
    }
    let because = match bound {
        Some(_) => "Its number fits no transaction that the BEGINs leave room for: it is taken to run alone.",
        None => "Its number fits no other statement's: it is taken to run alone.",
    };
    let members = fit.left.iter().filter_map(|at| atoms.get(*at)).flat_map(|a| &a.statements);
    out.extend(members.filter_map(|s| statements.get(*s)).map(|s| alone(s, Level::Low, because)));
    out
}

fn confidence(kind: &Kind, bound: Option<f64>, exact: bool) -> Level {
    match bound {
        None => Level::Low,
        Some(_) if kind.ambiguous || kind.rest => Level::Low,
        Some(_) if exact && kind.once && !kind.shared && !kind.counts_only => Level::High,
        Some(_) => Level::Medium,
    }
}

fn reason(kind: &Kind, statements: usize) -> String {
    if kind.rest {
        return format!(
            "{} that no numbers tell apart share the {} that BEGIN leaves for them, each spread evenly.",
            counted(statements as u64, "statement"),
            counted(kind.calls.round() as u64, "transaction")
        );
    }
    let mut said = Vec::new();
    if kind.once {
        said.push("equal calls of statements with tables, foreign keys or columns in common");
    }
    if kind.counts_only {
        said.push("equal calls for which there are no other BEGINs");
    }
    if kind.linked {
        said.push("rows inserted with those that they refer to");
    }
    if kind.loops {
        said.push("whole multiples for what is repeated");
    }
    if kind.branches {
        said.push("branches that run in some of them");
    }
    if kind.shared {
        said.push("statements of several kinds, spread evenly");
    }
    if kind.ambiguous {
        said.push("though another kind fits as well");
    }
    if said.is_empty() {
        return "The log's BEGINs suffice for it by itself.".to_owned();
    }
    format!("Together by {}.", said.join("; "))
}
