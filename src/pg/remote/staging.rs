//! The shards of one restore on other servers, from their creation to their publication.
//!
//! On each node all is made in one transaction of that node. It is committed there when the rows are in and indexed, but nothing here
//! refers to it before this transaction commits: that is the moment at which the whole table is there, on all nodes at once. When this
//! transaction fails instead, the tables are dropped again; and when it is killed before it can do that, they carry its number, and
//! whoever connects to the node next finds that it failed ([`super::leftovers`]).

use super::digest::{self, Digest};
use super::feed::{Copies, Feed, Form};
use super::fit::{self, Needs};
use super::held;
use super::leftovers::sweep;
use super::libpq::{Answer, Connection, TEXTS, Took};
use super::link::{self, Link};
use super::model::Model;
use super::names::Names;
use super::server::Address;
use crate::pg::create::{Blueprint, bound_clause};
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_literal, quote_table};
use foreshard_core::model::layout::Part;
use foreshard_core::model::{Layout, Problem, TableName};

/// A node in use by a restore.
#[derive(Debug)]
pub struct Node {
    pub connection: Connection,
    /// The shards that live there.
    shards: Vec<u32>,
    /// The shards that it has copies of.
    copies: Vec<u32>,
    feed: Feed,
}

impl Node {
    fn tables(&self) -> impl Iterator<Item = &u32> {
        self.shards.iter().chain(&self.copies)
    }
}

/// Shards that are being made on other servers.
#[derive(Debug)]
pub struct Staging {
    names: Names,
    model: Model,
    key: Vec<String>,
    nodes: Vec<Node>,
    /// The places in `nodes` that the same rows go to: that of the shards first, then those of their copies.
    groups: Vec<Vec<usize>>,
    /// The place in `groups` of each shard, by its ordinal; None for one that lives here.
    places: Vec<Option<u32>>,
    /// Further copies of each shard.
    copies: u64,
    takes: Copies,
}

impl Staging {
    /// Connects to the nodes that the layout needs, and makes empty shards there. None where all shards live here.
    pub fn begin(blueprint: &Blueprint<'_>, layout: &Layout, synchronous: bool) -> Result<Option<Self>> {
        let Some(names) = blueprint.remote.clone() else { return Ok(None) };
        let model = Model::of(blueprint)?;
        let mut nodes: Vec<Node> = Vec::new();
        let (mut groups, mut places): (Vec<Vec<usize>>, _) = (Vec::new(), Vec::new());
        for shard in &layout.shards {
            let mut group = Vec::new();
            for (copy, name) in std::iter::once(&shard.node).chain(&shard.copies).enumerate() {
                let Some(server) = blueprint.server(name) else { continue };
                let place = match nodes.iter().position(|n| n.connection.node() == name) {
                    Some(place) => place,
                    None => {
                        let mut connection = Connection::open(name, &Address::of_server(server)?)?;
                        sweep(&mut connection)?;
                        nodes.push(Node { connection, shards: Vec::new(), copies: Vec::new(), feed: Feed::default() });
                        nodes.len() - 1
                    }
                };
                if let Some(node) = nodes.get_mut(place) {
                    if copy == 0 { &mut node.shards } else { &mut node.copies }.push(shard.ordinal);
                }
                group.push(place);
            }
            if group.is_empty() {
                places.push(None);
                continue;
            }
            let known = groups.iter().position(|g| *g == group).unwrap_or_else(|| {
                groups.push(group);
                groups.len() - 1
            });
            places.push(u32::try_from(known).ok());
        }
        let copies = layout.shards.iter().map(|s| s.copies.len() as u64).max().unwrap_or(0);
        let key = layout.columns().cloned().collect();
        let mut staging = Self { names, model, key, nodes, groups, places, copies, takes: Copies::default() };
        if copies > 0 {
            let links = staging.links()?;
            staging.try_links(&links, synchronous, crate::pg::replica::record::address_for_others)?;
            if staging.model.unlogged() {
                return Err(Problem::new("0A000", "an unlogged table has no replicas")
                    .detail("Copies follow what is logged.")
                    .hint("Leave out \"replicas\", or make the table a logged one before its backup is taken.")
                    .into());
            }
        }
        let parts = if layout.within.is_some() { layout.parts() } else { Vec::new() };
        let Self { names, model, nodes, .. } = &mut staging;
        all(nodes, |node| create(names, model, layout, &parts, &node.tables().copied().collect::<Vec<_>>()))?;
        Ok(Some(staging))
    }

    /// Where each shard lives, by its ordinal: the node's number, or None for here.
    pub fn places(&self) -> &[Option<u32>] {
        &self.places
    }

    /// How many places there are.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// From now on [`Self::put`] takes rows, with the columns that those of each form have.
    pub fn begin_copy(&mut self, text: &[String], binary: &[String]) -> Result<()> {
        self.takes = Copies::of(&self.names.shell, text, binary)?;
        Ok(())
    }

    /// Rows of the shards of one place.
    pub fn put(&mut self, place: u32, form: Form, rows: &[u8]) -> Result<()> {
        let group = usize::try_from(place).ok().and_then(|place| self.groups.get(place)).filter(|_| !rows.is_empty());
        for place in group.into_iter().flatten() {
            if let Some(node) = self.nodes.get_mut(*place) {
                node.feed.put(&mut node.connection, &self.takes, form, rows)?;
            }
        }
        Ok(())
    }

    /// How many rows the nodes took since [`Self::begin_copy`], copies apart.
    pub fn end_copy(&mut self) -> Result<u64> {
        let rows = self.nodes.iter_mut().map(|node| node.feed.end(&mut node.connection)).sum::<Result<u64>>()?;
        let each = self.copies + 1;
        match rows % each {
            0 => Ok(rows / each),
            _ => Err(Problem::new("XX001", "shards and their copies took different numbers of rows")
                .detail(format!("They took {rows} rows in all, which are to be there {each} times."))
                .into()),
        }
    }

    /// From now on [`Self::take`] gives the rows that the nodes have, as COPY text with these columns.
    pub fn begin_reading(&mut self, columns: &[String]) -> Result<()> {
        let columns: Vec<String> = columns.iter().map(|c| quote_ident(c)).collect();
        let shell = quote_table(&self.names.shell);
        let session: String = TEXTS.iter().map(|(name, value)| format!("SET LOCAL {name} = '{value}'; ")).collect();
        let Self { names, nodes, .. } = self;
        all(nodes, |node| {
            let columns = columns.join(", ");
            let shard = |ordinal: &u32| format!("SELECT {columns} FROM ONLY {}", quote_table(&names.shard(*ordinal)));
            let rows = match (node.copies.as_slice(), node.shards.as_slice()) {
                ([], _) => format!("SELECT {columns} FROM {shell}"),
                (_, []) => format!("SELECT {columns} FROM {shell} WHERE false"),
                (_, shards) => shards.iter().map(shard).collect::<Vec<_>>().join(" UNION ALL "),
            };
            format!("{session}COPY ({rows}) TO STDOUT")
        })
        .map(drop)
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
    pub fn finish(mut self, summed: bool) -> Result<()> {
        let Self { names, model, key, nodes, copies, .. } = &mut self;
        let shell = names.shell.clone();
        all(nodes, |node| {
            let shards: Vec<TableName> = node.tables().map(|ordinal| names.shard(*ordinal)).collect();
            let mut statements = model.indexes(key, &shell, &shards);
            if *copies > 0 && !model.has_primary_key() {
                // A copy finds the row that was changed by its key, or by all that it was.
                let whole = |shard: &TableName| format!("ALTER TABLE {} REPLICA IDENTITY FULL", quote_table(shard));
                statements.extend(shards.iter().map(whole));
            }
            statements.push(format!("ANALYZE {}", quote_table(&shell)));
            statements.join(";\n")
        })?;
        if *copies > 0 {
            self.compare(summed)?;
        }
        held::commit(self.nodes, &shell)
    }

    /// Every copy has what its shard has.
    ///
    /// # Errors
    /// XX001
    fn compare(&mut self, summed: bool) -> Result<()> {
        let Self { names, nodes, .. } = self;
        let answers = all(nodes, |node| {
            digest::ask(&node.tables().map(|ordinal| names.shard(*ordinal)).collect::<Vec<_>>(), summed)
        })?;
        let found: Vec<(usize, Digest)> = answers
            .iter()
            .enumerate()
            .flat_map(|(at, a)| digest::answered(a).into_iter().map(move |d| (at, d)))
            .collect();
        for (_, copy) in &found {
            if let Some((_, other)) = found.iter().find(|(_, d)| d.table == copy.table && d != copy) {
                return Err(Problem::new("XX001", "a copy differs from its shard")
                    .detail(format!("Of {} there are {} rows and {}.", copy.table, copy.rows, other.rows))
                    .hint("Nothing was kept. Check the memory and disks of the nodes, and restore again.")
                    .into());
            }
        }
        Ok(())
    }

    /// What will tie the copies to their shards.
    pub fn links(&self) -> Result<Vec<Link>> {
        let mut pairs: Vec<(usize, usize, Vec<TableName>)> = Vec::new();
        for (ordinal, place) in (0..).zip(&self.places) {
            let group = place.and_then(|p| self.groups.get(usize::try_from(p).ok()?));
            let Some((from, to)) = group.and_then(|g| g.split_first()) else { continue };
            for to in to {
                let table = self.names.shard(ordinal);
                match pairs.iter_mut().find(|p| (p.0, p.1) == (*from, *to)) {
                    Some(pair) => pair.2.push(table),
                    None => pairs.push((*from, *to, vec![table])),
                }
            }
        }
        let name = |at: usize| self.nodes.get(at).map(|n| n.connection.node().to_owned()).unwrap_or_default();
        pairs
            .into_iter()
            .map(|(from, to, tables)| Link::new(&self.names.target, &name(from), &name(to), tables))
            .collect()
    }

    /// Whether the nodes can have the links, all problems at once; `address` tells how others reach a node.
    ///
    /// # Errors
    /// What [`fit::unfit`] says; 08001 where a node does not reach another one.
    pub fn try_links(
        &mut self,
        links: &[Link],
        synchronous: bool,
        address: impl Fn(&str) -> Result<String>,
    ) -> Result<()> {
        let mut problems = Vec::new();
        for node in &mut self.nodes {
            let name = node.connection.node().to_owned();
            let count = |of: &dyn Fn(&&Link) -> bool| links.iter().filter(of).count() as i64;
            let needs = Needs { out: count(&|l| l.from == name), into: count(&|l| l.to == name), synchronous };
            problems.extend(fit::unfit(&mut node.connection, needs)?);
        }
        if problems.is_empty() {
            for link in links {
                let Some(node) = self.nodes.iter_mut().find(|n| n.connection.node() == link.to) else { continue };
                problems.extend(link::unreachable(&mut node.connection, &link.from, &address(&link.from)?)?);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
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
    let texts: Vec<String> = nodes.iter().map(sql).collect();
    held::at_once(&mut nodes.iter_mut().map(|n| &mut n.connection).zip(texts).collect::<Vec<_>>())
}
