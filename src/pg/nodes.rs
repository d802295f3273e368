//! The registered nodes, and what this server knows of the places behind them.
#![allow(unsafe_code)]

use super::error::Result;
use super::ffi::cstring;
use super::remote::{Address, Connection, Swept, probe, sweep_unused, unfit_for_replication};
use foreshard_core::model::node::{Location, Node, NodeCapacity};
use foreshard_core::model::{Config, Problem};
use foreshard_core::plan::Disk;
use pgrx::prelude::*;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

/// The name of the node that stands for the database's own tablespace when none is registered.
pub const DEFAULT_NODE: &str = "default";

/// Every registered node, by name.
pub fn registered() -> Result<Vec<Node>> {
    Spi::connect(|client| {
        let rows = client.select(
            "SELECT name, tablespace, server, capacity, zone, serves, active, reads_per_second, writes_per_second, clients,
                 pg_catalog.to_char(calibrated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"')
             FROM foreshard.nodes ORDER BY name COLLATE \"C\"",
            None,
            &[],
        )?;
        let mut nodes = Vec::new();
        for row in rows {
            let location = match (row.get::<String>(2)?, row.get::<String>(3)?) {
                (_, Some(server)) => Location::Server(server),
                (tablespace, None) => Location::Tablespace(tablespace.unwrap_or_else(|| "pg_default".to_owned())),
            };
            let free_bytes = free_bytes(&location)?;
            let measured = row.get(11)?.map(|measured_at| {
                Ok::<_, pgrx::spi::SpiError>(NodeCapacity {
                    reads_per_second: row.get(8)?,
                    writes_per_second: row.get(9)?,
                    clients: row.get(10)?,
                    measured_at: Some(measured_at),
                })
            });
            nodes.push(Node {
                name: row.get(1)?.unwrap_or_default(),
                location,
                capacity: row.get(4)?.unwrap_or(1.0),
                zone: row.get(5)?.unwrap_or_default(),
                serves: row.get(6)?.unwrap_or_default(),
                active: row.get(7)?.unwrap_or(true),
                free_bytes,
                measured: measured.transpose()?,
            });
        }
        Ok(nodes)
    })
}

/// The nodes that a restore may use: those that the config names, in its order, or all active ones, or the database's
/// own tablespace; without those that it excludes.
///
/// # Errors
/// 42704 for each name that is not registered, 55000 for one that is being drained, or where none is left.
pub fn eligible(config: &Config) -> Result<Vec<Node>> {
    let registered = registered()?;
    let excluded = config.exclude_nodes.as_deref().unwrap_or_default();
    let known = |name: &String| name == DEFAULT_NODE || registered.iter().any(|n| n.name == *name);
    let mut problems: Vec<Problem> = excluded.iter().filter(|n| !known(n)).map(|n| unknown(n)).collect();
    let mut nodes = named(config, &registered).unwrap_or_else(|error| {
        problems.extend(error.into_problems());
        Vec::new()
    });
    nodes.retain(|n| !excluded.contains(&n.name));
    if nodes.is_empty() && problems.is_empty() {
        problems.push(
            Problem::new("55000", "no node is left for the table")
                .detail("The config excludes every node that could take shards.")
                .hint("Leave one out of \"exclude_nodes\", or register another."),
        );
    }
    if problems.is_empty() { Ok(nodes) } else { Err(problems.into()) }
}

fn unknown(name: &str) -> Problem {
    Problem::new("42704", format!("node \"{name}\" does not exist"))
        .hint("Register it with foreshard.add_node(name, tablespace => …), or look at foreshard.nodes.")
}

/// Before any is excluded.
fn named(config: &Config, registered: &[Node]) -> Result<Vec<Node>> {
    let Some(wanted) = &config.nodes else {
        let mut active: Vec<Node> = registered.iter().filter(|n| n.active).cloned().collect();
        if active.is_empty() {
            active.push(own()?);
        }
        return Ok(active);
    };
    let mut problems = Vec::new();
    let mut nodes: Vec<Node> = Vec::new();
    for name in wanted {
        match registered.iter().find(|n| n.name == *name) {
            Some(node) if !node.active => problems.push(
                Problem::new("55000", format!("node \"{name}\" takes no shards"))
                    .detail("It is being drained.")
                    .hint("Activate it with foreshard.alter_node(name, active => true), or leave it out of \"nodes\"."),
            ),
            Some(node) if nodes.iter().any(|n| n.name == node.name) => {
                problems.push(Problem::new("22023", format!("node \"{name}\" is named twice")));
            }
            Some(node) => nodes.push(node.clone()),
            None if name == DEFAULT_NODE => nodes.push(own()?),
            None => problems.push(unknown(name)),
        }
    }
    if problems.is_empty() { Ok(nodes) } else { Err(problems.into()) }
}

/// A node that need not be registered: the database's own tablespace.
pub fn unregistered(name: &str) -> Result<Option<Node>> {
    if name == DEFAULT_NODE { own().map(Some) } else { Ok(None) }
}

fn own() -> Result<Node> {
    let location = Location::Tablespace("pg_default".to_owned());
    let free_bytes = free_bytes(&location)?;
    Ok(Node {
        name: DEFAULT_NODE.to_owned(),
        location,
        capacity: 1.0,
        zone: String::new(),
        serves: Vec::new(),
        active: true,
        free_bytes,
        measured: None,
    })
}

/// Free bytes of the file system that the tablespace is on; None where that is not ours to see.
fn free_bytes(location: &Location) -> Result<Option<u64>> {
    Ok(path(location)?.and_then(|path| free_at(&path)))
}

fn free_at(path: &str) -> Option<u64> {
    let path = cstring(path);
    // SAFETY: a NUL-terminated path and a struct of ours to fill.
    unsafe {
        let mut facts = std::mem::zeroed::<libc::statvfs>();
        (libc::statvfs(path.as_ptr(), &raw mut facts) == 0).then(|| facts.f_bavail.saturating_mul(facts.f_frsize))
    }
}

/// Bytes of the file system that the tablespace is on, used ones and free ones; None where that is not ours to see.
pub fn disk_bytes(location: &Location) -> Result<Option<u64>> {
    Ok(path(location)?.and_then(|path| {
        let path = cstring(&path);
        // SAFETY: as of `free_at`.
        unsafe {
            let mut facts = std::mem::zeroed::<libc::statvfs>();
            (libc::statvfs(path.as_ptr(), &raw mut facts) == 0).then(|| facts.f_blocks.saturating_mul(facts.f_frsize))
        }
    }))
}

/// Where a tablespace's files are; None for another server's.
fn path(location: &Location) -> Result<Option<String>> {
    let Location::Tablespace(name) = location else { return Ok(None) };
    let path: Option<String> = Spi::get_one_with_args(
        "SELECT nullif((SELECT pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace WHERE spcname = $1), '')",
        &[name.clone().into()],
    )?;
    // The setting data_directory is not everybody's to see; how much room there is may be known.
    Ok(Some(path.unwrap_or_else(super::ffi::data_directory)))
}

/// The disks that nodes are on, and that of the database's own tablespace; those that are ours to see.
pub fn disks(nodes: &[Node]) -> Result<Vec<Disk>> {
    let device = |path: &str| std::fs::metadata(path).map(|facts| facts.dev()).ok();
    let mut found: BTreeMap<u64, Disk> = BTreeMap::new();
    for node in nodes {
        if let Some((device, free_bytes)) = path(&node.location)?.and_then(|p| Some((device(&p)?, free_at(&p)?))) {
            let disk = found.entry(device).or_insert_with(|| Disk { nodes: Vec::new(), free_bytes });
            disk.nodes.push(node.name.clone());
        }
    }
    let own = path(&Location::Tablespace("pg_default".to_owned()))?.and_then(|p| free_at(&p));
    let own = own.map(|free_bytes| Disk { nodes: Vec::new(), free_bytes });
    Ok(found.into_values().chain(own).collect())
}

/// What is said of a node; None for what is not.
#[derive(Debug, Default)]
pub struct Given<'a> {
    pub capacity: Option<f64>,
    pub zone: Option<&'a str>,
    pub serves: Option<Vec<String>>,
    pub active: Option<bool>,
    /// How other nodes reach it, where that differs from how this server does.
    pub replication: Option<&'a str>,
}

/// Registers a node after checking what it names.
///
/// # Errors
/// 22023 for a wrong name or capacity, 42704 for a tablespace or a server that does not exist, 42710 for a name already taken; for a
/// server what [`Address::of_server`], [`Connection::open`] and [`probe`] say.
pub fn add(name: &str, tablespace: Option<&str>, server: Option<&str>, given: Given<'_>) -> Result<()> {
    let capacity = given.capacity.unwrap_or(1.0);
    let mut problems: Vec<Problem> = given.replication.and_then(unfit_for_replication).into_iter().collect();
    if name.is_empty() || name.len() > 63 {
        problems.push(Problem::new("22023", "a node's name has between 1 and 63 bytes"));
    }
    if !(capacity.is_finite() && capacity > 0.0) {
        problems.push(
            Problem::new("22023", "a node's capacity must be a positive number")
                .detail(format!("It is {capacity}."))
                .hint("1.0 is an ordinary node; 2.0 takes twice as much."),
        );
    }
    if tablespace.is_some() && server.is_some() {
        problems.push(
            Problem::new("22023", "a node is a tablespace or a server, not both")
                .hint("Register two nodes, with a name each."),
        );
    }
    let mut told = Vec::new();
    if let Some(server) = server {
        match facts_of(name, server) {
            Ok(facts) => told = facts,
            Err(error) => problems.extend(error.into_problems()),
        }
    }
    if let Some(tablespace) = tablespace {
        let found: Option<bool> = Spi::get_one_with_args(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_tablespace WHERE spcname = $1 AND spcname <> 'pg_global')",
            &[tablespace.into()],
        )?;
        if found != Some(true) {
            problems.push(
                Problem::new("42704", format!("tablespace \"{tablespace}\" does not exist"))
                    .hint("Create it with CREATE TABLESPACE, or leave it out for the database's own."),
            );
        }
    }
    if registered()?.iter().any(|n| n.name == name) {
        problems.push(
            Problem::new("42710", format!("node \"{name}\" already exists"))
                .hint("Change it with foreshard.alter_node."),
        );
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    Spi::run_with_args(
        "INSERT INTO foreshard._nodes (name, tablespace, server, capacity, zone, serves, replication)
         VALUES ($1, CASE WHEN $6 IS NULL THEN coalesce($2, 'pg_default') END, $6, $3, $4, $5, $7)",
        &[
            name.into(),
            tablespace.map(str::to_owned).into(),
            capacity.into(),
            given.zone.unwrap_or_default().into(),
            given.serves.unwrap_or_default().into(),
            server.map(str::to_owned).into(),
            given.replication.unwrap_or_default().into(),
        ],
    )?;
    for fact in told {
        pgrx::notice!("node \"{name}\": {fact}");
    }
    Ok(())
}

/// What keeps the current user from making shards on those nodes that are other servers.
pub fn unfit(nodes: &[Node]) -> Vec<Problem> {
    let problems = |node: &Node| {
        let Location::Server(server) = &node.location else { return Vec::new() };
        facts_of(&node.name, server).map_or_else(super::error::Error::into_problems, |_| Vec::new())
    };
    nodes.iter().flat_map(problems).collect()
}

/// What is worth knowing of a foreign server as a node.
fn facts_of(node: &str, server: &str) -> Result<Vec<String>> {
    probe(&mut Connection::open(node, &Address::of_server(server)?)?)
}

/// Changes what is given of a node.
///
/// # Errors
/// 42704 for an unknown node, 22023 for a wrong capacity.
pub fn alter(name: &str, given: Given<'_>) -> Result<()> {
    let Given { capacity, zone, serves, active, replication } = given;
    require(name)?;
    if let Some(problem) = replication.and_then(unfit_for_replication) {
        return Err(problem.into());
    }
    if let Some(capacity) = capacity.filter(|c| !(c.is_finite() && *c > 0.0)) {
        return Err(Problem::new("22023", "a node's capacity must be a positive number")
            .detail(format!("It is {capacity}."))
            .into());
    }
    Spi::run_with_args(
        "UPDATE foreshard._nodes SET capacity = coalesce($2, capacity), zone = coalesce($3, zone),
             serves = coalesce($4, serves), active = coalesce($5, active), replication = coalesce($6, replication) WHERE name = $1",
        &[
            name.into(),
            capacity.into(),
            zone.map(str::to_owned).into(),
            serves.into(),
            active.into(),
            replication.map(str::to_owned).into(),
        ],
    )?;
    Ok(())
}

/// Forgets a node that has no shards.
///
/// # Errors
/// 42704 for an unknown node, 55006 while shards live on it.
pub fn remove(name: &str) -> Result<()> {
    require(name)?;
    let shards: i64 =
        Spi::get_one_with_args("SELECT count(*) FROM foreshard.shards WHERE node = $1", &[name.into()])?.unwrap_or(0);
    let copies: i64 = Spi::get_one_with_args(
        "SELECT count(*) FROM foreshard._replicas r JOIN pg_catalog.pg_class c ON c.oid = r.shard WHERE r.node = $1",
        &[name.into()],
    )?
    .unwrap_or(0);
    if shards == 0 && copies > 0 {
        return Err(Problem::new("55006", format!("node \"{name}\" is in use"))
            .detail(format!("It has copies of {copies} shards."))
            .hint("SELECT * FROM foreshard.replicas shows which; drop their tables first.")
            .into());
    }
    if shards > 0 {
        return Err(Problem::new("55006", format!("node \"{name}\" is in use"))
            .detail(format!("{shards} shards live on it."))
            .hint("SELECT * FROM foreshard.shards shows which; move or drop their tables first.")
            .into());
    }
    Spi::run_with_args("DELETE FROM foreshard._nodes WHERE name = $1", &[name.into()])?;
    Ok(())
}

/// Drops on all nodes that are other servers, and can be reached, what this database does not use any more; each with the node's name. It takes the right
/// to change nodes. `all`: also what another server with this one's identity has made.
///
/// # Errors
/// 0A000 under a snapshot that does not see what others commit: it would not see what is in use.
pub fn sweep(all: bool) -> Result<Vec<(String, Swept)>> {
    // SAFETY: reads the transaction's isolation level.
    if unsafe { pgrx::pg_sys::XactIsoLevel } > pgrx::pg_sys::XACT_READ_COMMITTED as i32 {
        return Err(Problem::new("0A000", "nodes can be swept in READ COMMITTED transactions only")
            .detail("Tables that others restore meanwhile would not be seen, and be taken for unused ones.")
            .hint("SET TRANSACTION ISOLATION LEVEL READ COMMITTED;")
            .into());
    }
    Spi::run("LOCK TABLE foreshard._nodes IN SHARE ROW EXCLUSIVE MODE")?;
    let mut swept = Vec::new();
    for node in registered()? {
        if let Location::Server(server) = &node.location {
            // One that is down must not keep the others from being swept.
            let mut connection = match Address::of_server(server).and_then(|to| Connection::open(&node.name, &to)) {
                Ok(connection) => connection,
                Err(error) => {
                    error.into_problems().iter().for_each(super::error::warn);
                    continue;
                }
            };
            swept.extend(sweep_unused(&mut connection, all)?.into_iter().map(|table| (node.name.clone(), table)));
        }
    }
    Ok(swept)
}

/// A node that nobody else changes until the end of the transaction; it takes the right to change nodes.
///
/// # Errors
/// 42704 for an unknown node.
pub fn claim(name: &str) -> Result<Node> {
    let node = require(name)?;
    Spi::run_with_args("SELECT FROM foreshard._nodes WHERE name = $1 FOR NO KEY UPDATE", &[name.into()])?;
    Ok(node)
}

fn require(name: &str) -> Result<Node> {
    registered()?.into_iter().find(|n| n.name == name).ok_or_else(|| {
        Problem::new("42704", format!("node \"{name}\" does not exist"))
            .hint("SELECT * FROM foreshard.nodes lists them.")
            .into()
    })
}
