//! How far copies are behind their shards, as their nodes say; a node that does not answer is a state and no error.

use super::record::{self, Replica, server_of};
use crate::pg::error::Result;
use crate::pg::ffi::quote_literal;
use crate::pg::remote::{Address, Connection};
use std::collections::BTreeMap;

/// What is known of a copy now.
#[derive(Debug, Clone)]
pub struct State {
    pub replica: Replica,
    pub state: &'static str,
    /// WAL of the shard's node that the copy has not told to have on disk.
    pub lag_bytes: Option<i64>,
    pub lag_seconds: Option<f64>,
}

/// What the shards' node says of a link.
#[derive(Debug, Clone, Copy)]
struct Seen {
    active: bool,
    lost: bool,
    lag_bytes: Option<i64>,
    lag_seconds: Option<f64>,
}

/// Asks the nodes. `remember`: writes down what they say, for when they say nothing any more.
pub fn states(remember: bool) -> Result<Vec<State>> {
    let replicas = record::all(false)?;
    let mut nodes: BTreeMap<String, Option<BTreeMap<String, Seen>>> = BTreeMap::new();
    let mut copies: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
    for replica in &replicas {
        if !nodes.contains_key(&replica.primary) {
            nodes.insert(replica.primary.clone(), heard(at_shards(&replica.primary))?);
        }
        if !copies.contains_key(&replica.node) {
            copies.insert(replica.node.clone(), heard(at_copies(&replica.node))?);
        }
    }
    let mut told = Vec::new();
    let mut found = Vec::new();
    for replica in replicas {
        let seen = nodes.get(&replica.primary).and_then(Option::as_ref);
        let copying = copies.get(&replica.node).and_then(Option::as_ref);
        let link = seen.and_then(|links| links.get(&replica.link));
        let state = match (link, copying) {
            _ if replica.stale => "stale",
            (_, None) => "unreachable",
            _ if seen.is_none() => "unreachable",
            (None, _) => "lost",
            (Some(link), _) if link.lost => "lost",
            (_, Some(copying)) if copying.contains(&replica.link) => "copying",
            (Some(link), _) if !link.active => "stopped",
            _ => "following",
        };
        let known = link.filter(|_| !replica.stale);
        if let Some(lag) = known.and_then(|l| l.lag_bytes).filter(|_| remember && !told.contains(&replica.link)) {
            record::seen(&replica.link, lag)?;
            told.push(replica.link.clone());
        }
        found.push(State {
            state,
            lag_bytes: known.and_then(|l| l.lag_bytes),
            lag_seconds: known.and_then(|l| l.lag_seconds),
            replica,
        });
    }
    Ok(found)
}

/// None where a node does not answer.
pub fn heard<T>(asked: Result<T>) -> Result<Option<T>> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_outside() => Ok(None),
        Err(error) => Err(error),
    }
}

pub fn open(node: &str) -> Result<Connection> {
    Connection::open(node, &Address::of_server(&server_of(node)?.0)?)
}

fn at_shards(node: &str) -> Result<BTreeMap<String, Seen>> {
    let answer = open(node)?.query(&format!(
        "SELECT s.slot_name, s.active, s.wal_status IS NOT DISTINCT FROM 'lost',
                GREATEST(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.confirmed_flush_lsn), 0)::pg_catalog.int8,
                CASE WHEN s.active THEN coalesce(pg_catalog.extract('epoch', r.flush_lag), 0) END
         FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
         WHERE s.database = pg_catalog.current_database() AND pg_catalog.starts_with(s.slot_name::pg_catalog.text, {})",
        quote_literal(&crate::pg::remote::link::ours())
    ))?;
    let link = |row: &Vec<Option<String>>| {
        let [Some(name), active, lost, lag, seconds] = row.as_slice() else { return None };
        let truth = |text: &Option<String>| text.as_deref() == Some("t");
        Some((
            name.clone(),
            Seen {
                active: truth(active),
                lost: truth(lost),
                lag_bytes: lag.as_ref().and_then(|l| l.parse().ok()),
                lag_seconds: seconds.as_ref().and_then(|s| s.parse().ok()),
            },
        ))
    };
    Ok(answer.rows.iter().filter_map(link).collect())
}

/// The links by which rows are still copied for the first time.
fn at_copies(node: &str) -> Result<Vec<String>> {
    let answer = open(node)?.query(
        "SELECT DISTINCT s.subname FROM pg_catalog.pg_subscription_rel r JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid WHERE r.srsubstate <> 'r'",
    )?;
    Ok(answer.rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}
