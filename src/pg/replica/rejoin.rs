//! A node that has come back, or whose copies follow nothing any more: what it has of other nodes' shards becomes copies again.
//!
//! What it holds may differ from the shards in any way: it is emptied and copied anew.

use super::compare::differences;
use super::record::{self, Replica, address_for_others};
use super::states::open;
use super::tie::{tie, until, wait_for_copies};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_literal, quote_table};
use crate::pg::remote::fit::{self, Needs};
use crate::pg::remote::held;
use crate::pg::remote::link::{self, Link, ours};
use crate::pg::remote::{Connection, drop_unused_links, take_back};
use crate::pg::{catalog, nodes};
use foreshard_core::model::{Problem, TableName};
use pgrx::prelude::*;

/// What became of a copy.
#[derive(Debug)]
pub struct Rejoined {
    pub shard: pg_sys::Oid,
    pub primary: String,
    pub ok: bool,
    pub because: String,
}

/// Copies anew what is stale on a node, and lets commits wait for its copies again where they did.
///
/// # Errors
/// 42704, 0A000 for what is no such node, what the nodes say, 55000 and others of [`fit::unfit`].
pub fn rejoin(node: &str) -> Result<Vec<Rejoined>> {
    nodes::claim(node)?;
    let all = record::all(true)?;
    let stale: Vec<&Replica> = all.iter().filter(|r| r.node == node && r.stale).collect();
    let unwaited: Vec<&Replica> =
        all.iter().filter(|r| r.node == node && !r.stale && r.synchronous && !r.waited_for).collect();
    let mut connections = vec![open(node)?];
    for primary in stale.iter().chain(&unwaited).map(|r| &r.primary) {
        if !connections.iter().any(|c| c.node() == primary) {
            connections.push(open(primary)?);
        }
    }
    for connection in &mut connections {
        take_back(connection)?;
        drop_unused_links(connection)?;
    }
    let Some(here) = connections.first_mut() else { return Ok(Vec::new()) };
    let (there, missing): (Vec<&Replica>, Vec<&Replica>) = tables_of(here, &stale)?;
    let links = links_of(node, &there)?;
    let synchronous = |link: &Link| there.iter().any(|r| r.synchronous && link.tables.contains(&r.there));
    fits(&mut connections, node, &links, there.iter().any(|r| r.synchronous))?;
    held::begin(connections.into_iter().map(|c| (c, Vec::new())).collect());
    held::with(|held| empty(held.node(node)?.connection(), &there))?;
    tie(&links, true, false)?;
    let waits: Vec<Link> = links.iter().filter(|l| synchronous(l)).cloned().collect();
    let again: Vec<Link> = distinct(&unwaited)
        .into_iter()
        .map(|r| Link { name: r.link.clone(), from: r.primary.clone(), to: node.to_owned(), tables: Vec::new() })
        .collect();
    held::with(|held| {
        for link in &links {
            let ready = format!(
                "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel r JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid
                                    WHERE s.subname = {} AND r.srsubstate <> 'r')",
                quote_literal(&link.name)
            );
            // As long as it takes.
            until(held, node, &ready, None, || Problem::new("XX000", "a wait without an end has ended"))?;
        }
        wait_for_copies(held, &waits)?;
        wait_for_copies(held, &again)
    })?;
    for link in &again {
        record::waited_for(&link.name, true)?;
    }
    let mut out: Vec<Rejoined> = missing
        .into_iter()
        .map(|r| Rejoined {
            shard: r.shard,
            primary: r.primary.clone(),
            ok: false,
            because: format!(
                "node \"{node}\" has no table {} any more: nothing can be copied into it",
                quote_table(&r.there)
            ),
        })
        .collect();
    let mut followers = Vec::new();
    for replica in there {
        if let Some(link) = links.iter().find(|l| l.from == replica.primary && l.tables.contains(&replica.there)) {
            record::follow(replica.shard, node, &link.name, replica.synchronous)?;
            followers.push(Replica { link: link.name.clone(), stale: false, ..replica.clone() });
        }
    }
    for (replica, difference) in followers.iter().zip(differences(&followers)?) {
        out.push(Rejoined {
            shard: replica.shard,
            primary: replica.primary.clone(),
            ok: difference.is_none(),
            because: difference
                .unwrap_or_else(|| format!("copied anew from node \"{}\", and the same", replica.primary)),
        });
    }
    Ok(out)
}

/// One of each link.
fn distinct<'a>(replicas: &[&'a Replica]) -> Vec<&'a Replica> {
    let mut found = replicas.to_vec();
    found.sort_by(|a, b| a.link.cmp(&b.link));
    found.dedup_by(|a, b| a.link == b.link);
    found
}

/// Those whose tables the node still has, and the others.
fn tables_of<'a>(here: &mut Connection, stale: &[&'a Replica]) -> Result<(Vec<&'a Replica>, Vec<&'a Replica>)> {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for replica in stale {
        let question =
            format!("SELECT pg_catalog.to_regclass({}) IS NOT NULL", quote_literal(&quote_table(&replica.there)));
        if here.query(&question)?.first(0) == Some("t") { &mut there } else { &mut missing }.push(*replica);
    }
    Ok((there, missing))
}

/// One link for each table here and each node with shards of it.
fn links_of(node: &str, stale: &[&Replica]) -> Result<Vec<Link>> {
    let mut groups: Vec<(pg_sys::Oid, &str, Vec<TableName>)> = Vec::new();
    for replica in stale {
        match groups.iter_mut().find(|g| (g.0, g.1) == (replica.relation, &*replica.primary)) {
            Some(group) => group.2.push(replica.there.clone()),
            None => groups.push((replica.relation, &replica.primary, vec![replica.there.clone()])),
        }
    }
    let mut links = Vec::new();
    for (relation, from, tables) in groups {
        if let Some(target) = catalog::name_of(relation)? {
            links.push(Link::new(&target, from, node, tables)?);
        }
    }
    Ok(links)
}

/// # Errors
/// Everything that keeps the nodes from having the links.
fn fits(connections: &mut [Connection], node: &str, links: &[Link], synchronous: bool) -> Result<()> {
    let mut problems = Vec::new();
    for connection in connections.iter_mut() {
        let name = connection.node().to_owned();
        let count = |of: &dyn Fn(&&Link) -> bool| links.iter().filter(of).count() as i64;
        let needs = Needs { out: count(&|l| l.from == name), into: count(&|l| l.to == name), synchronous };
        problems.extend(fit::unfit(connection, needs)?);
    }
    if let Some(here) = connections.iter_mut().find(|c| c.node() == node).filter(|_| problems.is_empty()) {
        for link in links {
            problems.extend(link::unreachable(here, &link.from, &address_for_others(&link.from)?)?);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

/// Nothing that was there counts any more: rows that the shards do not have, and the fences of the fail-over.
fn empty(here: &mut Connection, stale: &[&Replica]) -> Result<()> {
    for replica in stale {
        let table = quote_literal(&quote_table(&replica.there));
        here.query(&format!(
            "DO $$ DECLARE t pg_catalog.name; BEGIN
                 FOR t IN SELECT tgname FROM pg_catalog.pg_trigger WHERE tgrelid = {table}::pg_catalog.regclass AND pg_catalog.starts_with(tgname::pg_catalog.text, {}) LOOP
                     EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', t, {table}::pg_catalog.regclass);
                 END LOOP;
                 TRUNCATE ONLY {};
             END $$",
            quote_literal(&ours()),
            quote_table(&replica.there)
        ))?;
    }
    Ok(())
}
