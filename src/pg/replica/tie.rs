//! Ties copies to their shards, on nodes that work for this transaction ([`held`]): whatever fails later undoes it.

use super::record::address_for_others;
use crate::pg::error::Result;
use crate::pg::ffi::quote_literal;
use crate::pg::remote::held::{self, Held};
use crate::pg::remote::link::{Link, drop_publication, drop_subscription};
use crate::pg::remote::standbys;
use foreshard_core::model::Problem;
use std::time::{Duration, Instant};

/// How long a subscription may take until it reads; postgres starts its workers one at a time, and tries again after five seconds.
const BEGINS: Duration = Duration::from_secs(60);

/// Makes publications and slots at the shards' nodes, then subscriptions at the copies'. `copy`: the rows are not there yet.
pub fn tie(links: &[Link], copy: bool, synchronous: bool) -> Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let mut addresses = Vec::new();
    for link in links {
        addresses.push(address_for_others(&link.from)?);
    }
    held::with(|held| {
        for link in links {
            held.node(&link.from)?.undo(drop_publication(&link.name));
            held.node(&link.to)?.undo(drop_subscription(&link.name));
        }
        let out = |node: &str, make: &dyn Fn(&Link) -> String, between: &str| {
            let made: Vec<String> = links.iter().filter(|l| l.from == node).map(make).collect();
            (!made.is_empty()).then(|| made.join(between))
        };
        held.all(|node| out(node, &Link::publication, "; "))?;
        // Not in a transaction that has written.
        held.all(|node| out(node, &Link::slot, ", ").map(|slots| format!("SELECT {slots}")))?;
        held.all(|node| {
            let made = links.iter().zip(&addresses).filter(|(l, _)| l.to == node);
            let made: Vec<String> = made.map(|(l, address)| l.subscription(address, copy, synchronous)).collect();
            (!made.is_empty()).then(|| made.join("; "))
        })?;
        for link in links {
            begins(held, link)?;
        }
        if synchronous {
            wait_for_copies(held, links)?;
        }
        Ok(())
    })
}

/// Waits until somebody reads the link's slot.
fn begins(held: &mut Held, link: &Link) -> Result<()> {
    let active =
        format!("SELECT active FROM pg_catalog.pg_replication_slots WHERE slot_name = {}", quote_literal(&link.name));
    until(held, &link.from, &active, Some(BEGINS), || {
        Problem::new("55000", format!("the subscription of node \"{}\" to node \"{}\" does not begin", link.to, link.from))
            .detail(format!("Nobody reads the slot {} within {} s.", link.name, BEGINS.as_secs()))
            .hint("The log of the node with the copies says why; max_logical_replication_workers and max_worker_processes may be too low there.")
    })
}

/// From now on commits at the shards' nodes wait for the copies.
pub fn wait_for_copies(held: &mut Held, links: &[Link]) -> Result<()> {
    for node in held.names() {
        let add: Vec<String> = links.iter().filter(|l| l.from == node).map(|l| l.name.clone()).collect();
        if !add.is_empty() {
            change_standbys(held, &node, &add, &[])?;
        }
    }
    for link in links {
        let waits = format!(
            "SELECT pg_catalog.bool_or(sync_state IN ('sync', 'quorum')) FROM pg_catalog.pg_stat_replication WHERE application_name = {}",
            quote_literal(&link.name)
        );
        until(held, &link.from, &waits, Some(BEGINS), || {
            Problem::new("55000", format!("node \"{}\" does not wait for node \"{}\"", link.from, link.to))
                .detail(format!("{} is no synchronous standby there.", link.name))
                .hint("Does the node read synchronous_standby_names from somewhere else, or does \"replication\" set an application_name?")
        })?;
    }
    Ok(())
}

/// Changes for whom commits at a node wait; undone when this transaction fails. Whoever changes it waits for this transaction.
pub fn change_standbys(held: &mut Held, node: &str, add: &[String], remove: &[String]) -> Result<()> {
    let holder = held.node(node)?;
    holder.run(
        "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended('foreshard synchronous_standby_names', 0))",
        None,
    )?;
    let there = standbys::waited_for(holder.connection())?;
    let back: Vec<String> = remove.iter().filter(|n| there.contains(n)).cloned().collect();
    let statements = standbys::change(holder.connection(), add, remove)?;
    if statements.is_empty() {
        return Ok(());
    }
    let kept: Vec<String> = there.iter().chain(&back).cloned().collect();
    standbys::set(&kept).into_iter().rev().for_each(|sql| holder.undo(sql));
    for statement in statements {
        holder.run(&statement, None)?;
    }
    Ok(())
}

/// Waits until a node says true, but no longer than that.
pub fn until(
    held: &mut Held,
    node: &str,
    question: &str,
    patience: Option<Duration>,
    late: impl FnOnce() -> Problem,
) -> Result<()> {
    let deadline = patience.map(|patience| Instant::now() + patience);
    loop {
        if held.node(node)?.run(question, None)?.first(0) == Some("t") {
            return Ok(());
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(late().into());
        }
        // The wait is the node's, and ends with a cancel here.
        held.node(node)?.run("SELECT pg_catalog.pg_sleep(0.02)", None)?;
    }
}
