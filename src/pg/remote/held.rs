//! What other servers have done for a transaction that may still fail here, and what they are told at its end.
#![allow(unsafe_code)]

use super::leftovers::drop_schema;
use super::libpq::{Answer, Connection};
use super::staging::Node;
use crate::pg::error::{Error, Result};
use crate::pg::ffi::quote_table;
use foreshard_core::model::{Problem, TableName};
use parking_lot::{Mutex, const_mutex};
use pgrx::{PgSubXactCallbackEvent, PgXactCallbackEvent, pg_sys, register_subxact_callback, register_xact_callback};
use std::time::Duration;

/// What other servers hold for this transaction, until it is known what becomes of it.
#[derive(Debug)]
pub struct Held {
    nodes: Vec<Holder>,
    /// The subtransaction that it goes with.
    within: pg_sys::SubTransactionId,
}

/// A node, and what it is told.
#[derive(Debug)]
pub struct Holder {
    connection: Connection,
    /// When this transaction fails, the last one first.
    undo: Vec<String>,
    /// When it succeeds.
    then: Vec<String>,
}

static HELD: Mutex<Vec<Held>> = const_mutex(Vec::new());

/// How long a node that does not answer may hold up the end of a transaction.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Commits on all nodes; from then on it depends on this transaction whether their tables stay.
pub fn commit(nodes: Vec<Node>, shell: &TableName) -> Result<()> {
    let drop_table = format!("DROP TABLE IF EXISTS {}", quote_table(shell));
    begin(nodes.into_iter().map(|node| (node.connection, vec![drop_schema(), drop_table.clone()])).collect());
    with(|held| held.all(|_| Some("COMMIT".to_owned())).map(drop))
}

/// From now on these nodes are told of the end of this transaction: what to undo, the last one first.
pub fn begin(nodes: Vec<(Connection, Vec<String>)>) {
    // What nodes are told when this transaction has succeeded must not be taken back by a crash here, whatever synchronous_commit says.
    // SAFETY: sets a flag of this transaction, and reads the number of the current subtransaction.
    let within = unsafe {
        pg_sys::ForceSyncCommit();
        pg_sys::GetCurrentSubTransactionId()
    };
    if HELD.lock().is_empty() {
        watch();
    }
    let nodes = nodes.into_iter().map(|(connection, undo)| Holder { connection, undo, then: Vec::new() }).collect();
    HELD.lock().push(Held { nodes, within });
}

/// Works with the nodes that began last.
pub fn with<T>(work: impl FnOnce(&mut Held) -> Result<T>) -> Result<T> {
    /// Taken out while it works, and back before anyone asks for it, even when an ERROR unwinds.
    struct Out(Option<Held>);
    impl Drop for Out {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(|held| HELD.lock().push(held));
        }
    }
    let mut out = Out(HELD.lock().pop());
    match &mut out.0 {
        Some(held) => work(held),
        None => Err(Problem::new("XX000", "no node works for this transaction").into()),
    }
}

impl Held {
    pub fn node(&mut self, name: &str) -> Result<&mut Holder> {
        self.nodes
            .iter_mut()
            .find(|n| n.connection.node() == name)
            .ok_or_else(|| Problem::new("XX000", format!("there is no connection to node \"{name}\"")).into())
    }

    pub fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|n| n.connection.node().to_owned()).collect()
    }

    /// Runs on each node what is made for it, on all at once.
    pub fn all(&mut self, sql: impl Fn(&str) -> Option<String>) -> Result<Vec<(String, Answer)>> {
        let mut asked: Vec<(&mut Connection, String)> = Vec::new();
        for node in &mut self.nodes {
            asked.extend(sql(node.connection.node()).map(|sql| (&mut node.connection, sql)));
        }
        let names: Vec<String> = asked.iter().map(|(c, _)| c.node().to_owned()).collect();
        Ok(names.into_iter().zip(at_once(&mut asked)?).collect())
    }
}

impl Holder {
    /// Runs something that is to be undone when this transaction fails.
    pub fn run(&mut self, sql: &str, undo: Option<String>) -> Result<Answer> {
        self.undo.extend(undo);
        self.connection.query(sql)
    }

    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// To be undone when this transaction fails.
    pub fn undo(&mut self, sql: String) {
        self.undo.push(sql);
    }

    /// To be done when this transaction has succeeded.
    pub fn then(&mut self, sql: String) {
        self.then.push(sql);
    }
}

/// Runs each text on its connection, on all at once; the answers in that order.
pub fn at_once(asked: &mut [(&mut Connection, String)]) -> Result<Vec<Answer>> {
    for (connection, sql) in asked.iter_mut() {
        connection.send(sql)?;
    }
    let mut waiting: Vec<usize> = (0..asked.len()).collect();
    let mut answers: Vec<Answer> = asked.iter().map(|_| Answer::default()).collect();
    while !waiting.is_empty() {
        let mut still = Vec::new();
        for place in waiting {
            let (Some((connection, _)), Some(answer)) = (asked.get_mut(place), answers.get_mut(place)) else {
                continue;
            };
            match connection.answer()? {
                Some(came) => *answer = came,
                None => still.push(place),
            }
        }
        waiting = still;
        if !waiting.is_empty() {
            Connection::wait_for_any(waiting.iter().filter_map(|place| asked.get(*place).map(|(c, _)| &**c)))?;
        }
    }
    Ok(answers)
}

/// Asks to be told of the end of this transaction and of its subtransactions.
fn watch() {
    register_xact_callback(PgXactCallbackEvent::Abort, || undo(|_| true));
    register_xact_callback(PgXactCallbackEvent::Commit, succeeded);
    register_xact_callback(PgXactCallbackEvent::PrePrepare, || {
        if !HELD.lock().is_empty() {
            Error::from(
                Problem::new("0A000", "cannot PREPARE a transaction that has changed shards on other servers")
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

/// What a node does not hear now, it will be told by whoever comes next.
fn succeeded() {
    let mut all = std::mem::take(&mut *HELD.lock());
    for node in all.iter_mut().flat_map(|held| &mut held.nodes) {
        let then = std::mem::take(&mut node.then);
        then.iter().all(|sql| node.connection.last_words(sql, LAST_WORDS));
    }
}

/// Undoes what is held. What a node does not hear now, it will be told by whoever comes next.
fn undo(which: impl Fn(&Held) -> bool) {
    let mut all = std::mem::take(&mut *HELD.lock());
    for node in all.iter_mut().filter(|h| which(h)).flat_map(|held| &mut held.nodes) {
        // One that has not committed yet need not be asked to undo anything: with its connection goes its transaction.
        if !node.connection.in_transaction() || node.connection.settle(LAST_WORDS) {
            node.undo.iter().rev().all(|sql| node.connection.last_words(sql, LAST_WORDS));
        }
    }
    all.retain(|h| !which(h));
    *HELD.lock() = all;
}
