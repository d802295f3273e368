//! The shards of one restore on other servers, from their creation to their publication.
//!
//! On each node all is made in one transaction of that node. It is committed there when the rows are in and indexed, but nothing here
//! refers to it before this transaction commits: that is the moment at which the whole table is there, on all nodes at once. When this
//! transaction fails instead, the tables are dropped again; and when it is killed before it can do that, they carry its number, and
//! whoever connects to the node next finds that it failed ([`super::leftovers`]).

use super::held;
use super::leftovers::sweep;
use super::libpq::{Answer, Connection, TEXTS, Took};
use super::model::Model;
use super::names::Names;
use super::server::Address;
use crate::pg::catalog;
use crate::pg::create::{Blueprint, bound_clause};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_literal, quote_table};
use foreshard_core::model::layout::Part;
use foreshard_core::model::{Layout, TableName};

/// A node in use by a restore.
#[derive(Debug)]
pub struct Node {
    pub connection: Connection,
    /// The shards that live there.
    shards: Vec<u32>,
}

/// Shards that are being made on other servers.
#[derive(Debug)]
pub struct Staging {
    names: Names,
    model: Model,
    key: Vec<String>,
    nodes: Vec<Node>,
    /// The place in `nodes` of each shard, by its ordinal; None for one that lives here.
    places: Vec<Option<u32>>,
}

impl Staging {
    /// Connects to the nodes that the layout needs, and makes empty shards there. None where all shards live here.
    pub fn begin(blueprint: &Blueprint<'_>, layout: &Layout) -> Result<Option<Self>> {
        let Some(names) = blueprint.remote.clone() else { return Ok(None) };
        let model = Model::of(blueprint)?;
        let mut nodes: Vec<Node> = Vec::new();
        let mut places = Vec::new();
        for shard in &layout.shards {
            let Some(server) = blueprint.server(&shard.node) else {
                places.push(None);
                continue;
            };
            let place = match nodes.iter().position(|n| n.connection.node() == shard.node) {
                Some(place) => place,
                None => {
                    let mut connection = Connection::open(&shard.node, &Address::of_server(server)?)?;
                    sweep(&mut connection)?;
                    nodes.push(Node { connection, shards: Vec::new() });
                    nodes.len() - 1
                }
            };
            if let Some(node) = nodes.get_mut(place) {
                node.shards.push(shard.ordinal);
            }
            places.push(u32::try_from(place).ok());
        }
        let mut staging = Self { names, model, key: layout.columns().cloned().collect(), nodes, places };
        let parts = if layout.within.is_some() { layout.parts() } else { Vec::new() };
        let Self { names, model, nodes, .. } = &mut staging;
        all(nodes, |node| create(names, model, layout, &parts, &node.shards))?;
        Ok(Some(staging))
    }

    /// Where each shard lives, by its ordinal: the node's number, or None for here.
    pub fn places(&self) -> &[Option<u32>] {
        &self.places
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// From now on [`Self::put`] takes rows as COPY text, with these columns. Texts mean there what they mean here now: a file of rows
    /// may have points in time without a zone, or days before months.
    pub fn begin_copy(&mut self, columns: &[String]) -> Result<()> {
        let columns: Vec<String> = columns.iter().map(|c| quote_ident(c)).collect();
        let mut copy = String::new();
        for (name, _) in TEXTS {
            copy += &format!("SET LOCAL {name} = {}; ", quote_literal(&catalog::setting(name)?));
        }
        copy += &format!("COPY {} ({}) FROM STDIN", quote_table(&self.names.shell), columns.join(", "));
        all(&mut self.nodes, |_| copy.clone()).map(drop)
    }

    /// Rows of one node's shards.
    pub fn put(&mut self, node: u32, rows: &[u8]) -> Result<()> {
        match usize::try_from(node).ok().and_then(|n| self.nodes.get_mut(n)) {
            Some(node) if !rows.is_empty() => node.connection.put(rows),
            _ => Ok(()),
        }
    }

    /// How many rows the nodes took since [`Self::begin_copy`].
    pub fn end_copy(&mut self) -> Result<u64> {
        self.nodes.iter_mut().map(|node| node.connection.end()).sum()
    }

    /// From now on [`Self::take`] gives the rows that the nodes have, as COPY text with these columns.
    pub fn begin_reading(&mut self, columns: &[String]) -> Result<()> {
        let columns: Vec<String> = columns.iter().map(|c| quote_ident(c)).collect();
        let shell = quote_table(&self.names.shell);
        let session: String = TEXTS.iter().map(|(name, value)| format!("SET LOCAL {name} = '{value}'; ")).collect();
        let copy = format!("{session}COPY (SELECT {} FROM {shell}) TO STDOUT", columns.join(", "));
        all(&mut self.nodes, |_| copy.clone()).map(drop)
    }

    /// Appends what has come from one node to `rows`, until there are `most` bytes.
    pub fn take(&mut self, node: usize, most: usize, rows: &mut Vec<u8>) -> Result<Took> {
        self.nodes.get_mut(node).map_or(Ok(Took::End), |node| node.connection.take(most, rows))
    }

    /// Waits until one of the nodes that are asked for has something to say, or for a moment.
    pub fn wait_for_rows(&self, asked: impl Fn(usize) -> bool) -> Result<()> {
        let asked = self.nodes.iter().enumerate().filter(|(n, _)| asked(*n));
        Connection::wait_for_any(asked.map(|(_, node)| &node.connection))
    }

    /// The blocks of each shard on the nodes, by its ordinal.
    pub fn blocks(&mut self) -> Result<Vec<(u32, u32)>> {
        let Self { names, nodes, .. } = self;
        let answers = all(nodes, |node| {
            let size = |ordinal: &u32| {
                let shard = quote_literal(&quote_table(&names.shard(*ordinal)));
                format!(
                    "pg_catalog.pg_relation_size({shard}) / pg_catalog.current_setting('block_size')::pg_catalog.int4"
                )
            };
            format!("SELECT {}", node.shards.iter().map(size).collect::<Vec<_>>().join(", "))
        })?;
        let of_node = |(node, answer): (&Node, &Answer)| {
            let size = |(n, ordinal): (usize, &u32)| Some((*ordinal, answer.first(n)?.parse().ok()?));
            node.shards.iter().enumerate().filter_map(size).collect::<Vec<_>>()
        };
        Ok(nodes.iter().zip(&answers).flat_map(of_node).collect())
    }

    /// Keys, indexes and statistics, on all nodes at once; then they commit. The tables stay when this transaction does.
    pub fn finish(mut self) -> Result<()> {
        let Self { names, model, key, nodes, .. } = &mut self;
        let shell = names.shell.clone();
        all(nodes, |node| {
            let shards: Vec<TableName> = node.shards.iter().map(|ordinal| names.shard(*ordinal)).collect();
            let mut statements = model.indexes(key, &shell, &shards);
            statements.push(format!("ANALYZE {}", quote_table(&shell)));
            statements.join(";\n")
        })?;
        held::commit(self.nodes, &shell)
    }
}

/// Everything that a node gets before its rows.
fn create(names: &Names, model: &Model, layout: &Layout, parts: &[Part<'_>], shards: &[u32]) -> String {
    let shell = &names.shell;
    let schema_name = quote_ident(&shell.schema);
    // Two first restores may want to make the schema; a transaction of its own for that would leave it behind.
    let mut statements = vec![
        "BEGIN".to_owned(),
        format!(
            "DO $$ BEGIN IF pg_catalog.to_regnamespace({name}) IS NULL THEN
                 PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext({name}));
                 CREATE SCHEMA IF NOT EXISTS {schema_name};
             END IF; END $$",
            name = quote_literal(&schema_name)
        ),
        model.shell(shell),
        format!("COMMENT ON TABLE {} IS {}", quote_table(shell), quote_literal(&names.mark())),
    ];
    for (number, part) in (0..).zip(parts) {
        if part.shards.iter().any(|s| shards.contains(&s.ordinal)) {
            statements.push(model.part(&names.part(number), shell, &bound_clause(part.bound)));
        }
    }
    for shard in layout.shards.iter().filter(|s| shards.contains(&s.ordinal)) {
        let part = (0..).zip(parts).find(|(_, part)| *part.bound == shard.bound).map(|(number, _)| names.part(number));
        let (of, bound) = match &shard.within {
            Some(within) => (part.as_ref().unwrap_or(shell), within),
            None => (shell, &shard.bound),
        };
        statements.extend(model.shard(&names.shard(shard.ordinal), of, &bound_clause(bound)));
    }
    statements.join(";\n")
}

/// Runs on each node what is made for it, on all at once; the answers in the nodes' order.
pub fn all(nodes: &mut [Node], sql: impl Fn(&Node) -> String) -> Result<Vec<Answer>> {
    for node in nodes.iter_mut() {
        let sql = sql(node);
        node.connection.send(&sql)?;
    }
    let mut waiting: Vec<usize> = (0..nodes.len()).collect();
    let mut answers: Vec<Answer> = nodes.iter().map(|_| Answer::default()).collect();
    while !waiting.is_empty() {
        let mut still = Vec::new();
        for place in waiting {
            let (Some(node), Some(answer)) = (nodes.get_mut(place), answers.get_mut(place)) else { continue };
            match node.connection.answer()? {
                Some(came) => *answer = came,
                None => still.push(place),
            }
        }
        waiting = still;
        if !waiting.is_empty() {
            Connection::wait_for_any(waiting.iter().filter_map(|place| Some(&nodes.get(*place)?.connection)))?;
        }
    }
    Ok(answers)
}
