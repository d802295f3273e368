//! What other servers have committed for a transaction that may still fail here.
#![allow(unsafe_code)]

use super::leftovers::drop_schema;
use super::staging::{Node, all};
use crate::pg::error::{Error, Result};
use crate::pg::ffi::quote_table;
use foreshard_core::model::{Problem, TableName};
use parking_lot::{Mutex, const_mutex};
use pgrx::{PgSubXactCallbackEvent, PgXactCallbackEvent, pg_sys, register_subxact_callback, register_xact_callback};
use std::time::Duration;

/// What other servers hold for this transaction, until it is known what becomes of it.
struct Held {
    nodes: Vec<Node>,
    shell: TableName,
    /// The subtransaction that it goes with.
    within: pg_sys::SubTransactionId,
}

static HELD: Mutex<Vec<Held>> = const_mutex(Vec::new());

/// How long a node that does not answer may hold up the end of a failed transaction.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Commits on all nodes; from then on it depends on this transaction whether their tables stay.
pub fn commit(nodes: Vec<Node>, shell: &TableName) -> Result<()> {
    // SAFETY: reads the number of the current subtransaction.
    let within = unsafe { pg_sys::GetCurrentSubTransactionId() };
    if HELD.lock().is_empty() {
        watch();
    }
    HELD.lock().push(Held { nodes, shell: shell.clone(), within });
    // Taken out while it works, which may end with an ERROR of its own; what is not put back is swept by whoever comes next.
    let Some(mut held) = HELD.lock().pop() else { return Ok(()) };
    let outcome = all(&mut held.nodes, |_| "COMMIT".to_owned());
    HELD.lock().push(held);
    outcome.map(drop)
}

/// Asks to be told of the end of this transaction and of its subtransactions.
fn watch() {
    register_xact_callback(PgXactCallbackEvent::Abort, || undo(|_| true));
    register_xact_callback(PgXactCallbackEvent::Commit, || HELD.lock().clear());
    register_xact_callback(PgXactCallbackEvent::PrePrepare, || {
        if !HELD.lock().is_empty() {
            Error::from(
                Problem::new("0A000", "cannot PREPARE a transaction that has restored a table to other servers")
                    .hint("Use COMMIT."),
            )
            .raise("PREPARE TRANSACTION");
        }
    });
    register_subxact_callback(PgSubXactCallbackEvent::CommitSub, |own, parent| {
        HELD.lock().iter_mut().filter(|h| h.within == own).for_each(|h| h.within = parent);
    });
    register_subxact_callback(PgSubXactCallbackEvent::AbortSub, |own, _| undo(|h| h.within == own));
}

/// Drops what is held. What a node does not hear now, it will be told by whoever comes next.
fn undo(which: impl Fn(&Held) -> bool) {
    let mut all = std::mem::take(&mut *HELD.lock());
    for held in all.iter_mut().filter(|h| which(h)) {
        for node in &mut held.nodes {
            let drop_table = format!("DROP TABLE IF EXISTS {}", quote_table(&held.shell));
            // One that has not committed yet need not be asked to drop anything: with its connection goes its transaction.
            if !node.connection.in_transaction() && node.connection.last_words(&drop_table, LAST_WORDS) {
                node.connection.last_words(&drop_schema(), LAST_WORDS);
            }
        }
    }
    all.retain(|h| !which(h));
    *HELD.lock() = all;
}
