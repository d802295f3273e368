//! What the functions that change a table's shape do before the work begins: find, check, plan, write down.

use super::subject::{Judged, Shard, Subject, judge, of_shard, of_table};
use super::task::{Kind, New, Part, Task, working_name};
use super::{dissolve, records};
use crate::pg::create::shard_name;
use crate::pg::error::Result;
use crate::pg::ffi::{quote_ident, quote_table};
use crate::pg::{catalog, claim, nodes, precheck, settings};
use foreshard_core::model::node::Location;
use foreshard_core::model::{Bound, Node, Problem, ReshardConfig};
use foreshard_core::steps::{self, Piece};
use pgrx::pg_sys;
use pgrx::prelude::*;
use serde_json::Value;

/// Cuts a shard into several.
pub fn split(shard: pg_sys::Oid, document: &Value) -> Result<i64> {
    let config = ReshardConfig::read(document, &["parts", "at", "values", "nodes", "keep", "verify"])?;
    let (subject, shard) = of_shard(shard)?;
    let unfit = |field: &str| {
        Problem::new("22023", format!("config field \"{field}\" says nothing of a shard that is cut like this one"))
    };
    let pieces = match shard.place() {
        Bound::Hash { modulus, remainder } => {
            if config.at.is_some() || config.values.is_some() {
                return Err(unfit(if config.at.is_some() { "at" } else { "values" }).into());
            }
            steps::split_hash(*modulus, *remainder, config.parts.unwrap_or(2))?
        }
        Bound::Range { from, to } => {
            if config.values.is_some() {
                return Err(unfit("values").into());
            }
            let at = match &config.at {
                Some(at) => at.clone(),
                None => quantiles(&shard, config.parts.unwrap_or(2))?,
            };
            let at: Vec<Vec<String>> = at.into_iter().map(|value| vec![value]).collect();
            steps::split_range(from.clone(), to.clone(), &at)?
        }
        Bound::List { values } => {
            if config.at.is_some() || config.parts.is_some() {
                return Err(unfit(if config.at.is_some() { "at" } else { "parts" }).into());
            }
            let own = match &config.values {
                Some(own) => own.clone(),
                None => half(&shard, values)?,
            };
            steps::split_list(values, &own)?
        }
        Bound::Default => {
            return Err(Problem::new("22023", "a DEFAULT partition cannot be split")
                .detail("Its rows belong to no bound.")
                .hint("Isolate a value of it by foreshard.isolate_value, or create partitions for its values.")
                .into());
        }
    };
    let message = format!("splitting {} into {}", quote_table(&shard.name), pieces.len());
    one(Kind::Split, &subject, &[shard], &pieces, &config, &message)
}

/// Puts shards together.
pub fn merge(shards: &[pg_sys::Oid], document: &Value) -> Result<i64> {
    let config = ReshardConfig::read(document, &["nodes", "keep", "verify"])?;
    let mut found: Vec<Shard> = Vec::new();
    let mut subject: Option<Subject> = None;
    for oid in shards {
        let (of, shard) = of_shard(*oid)?;
        if found.iter().any(|s| s.oid == shard.oid) {
            return Err(Problem::new("22023", format!("shard {} is named twice", quote_table(&shard.name))).into());
        }
        found.push(shard);
        subject = Some(of);
    }
    let subject = subject.ok_or_else(|| Problem::new("22023", "merging takes two shards or more"))?;
    let places: Vec<Bound> = found.iter().map(|s| s.place().clone()).collect();
    let names: Vec<String> = found.iter().map(|s| quote_table(&s.name)).collect();
    let message = format!("merging {}", names.join(", "));
    if dissolve::is_whole_part(&subject, &found)? {
        let whole = found.first().map(|s| Piece::from(s.bound.clone()));
        return one(Kind::Merge, &subject, &found, whole.as_slice(), &config, &message);
    }
    one(Kind::Merge, &subject, &found, &[steps::merge(&places)?], &config, &message)
}

/// Moves a shard to a node.
pub fn move_to(shard: pg_sys::Oid, node: &str, document: &Value) -> Result<i64> {
    let config = ReshardConfig::read(document, &["keep", "verify"])?;
    let config = ReshardConfig { nodes: Some(vec![node.to_owned()]), ..config };
    let (subject, shard) = of_shard(shard)?;
    if shard.node == node {
        return Err(
            Problem::new("22023", format!("shard {} is on node \"{node}\" already", quote_table(&shard.name))).into()
        );
    }
    if shard.foreign {
        return away(&subject, &shard, node, &config);
    }
    let pieces = steps::moved(shard.place());
    let message = format!("moving {} to node {node}", quote_table(&shard.name));
    one(Kind::Move, &subject, &[shard], &pieces, &config, &message)
}

/// Moves a shard of another server to a further one.
fn away(subject: &Subject, shard: &Shard, node: &str, config: &ReshardConfig) -> Result<i64> {
    precheck::writable("change the shape of a table")?;
    free(subject)?;
    let found = nodes::registered()?.into_iter().find(|n| n.name == node);
    let to = match found {
        Some(to) if !to.active => {
            return Err(Problem::new("55000", format!("node \"{node}\" takes no shards"))
                .detail("It is being drained.")
                .into());
        }
        Some(to) if matches!(to.location, Location::Server(_)) => to,
        Some(_) => {
            return Err(Problem::new("0A000", format!("node \"{node}\" is a tablespace of this server"))
                .detail("Shards of other servers are moved to other servers only.")
                .into());
        }
        None => return Err(Problem::new("42704", format!("node \"{node}\" does not exist")).into()),
    };
    let message = format!("moving {} to node {node}", quote_table(&shard.name));
    let job = records::begin(Kind::Move.name(), &subject.table.to_string(), &message)?;
    records::add(job, &[(super::elsewhere::plan(subject, shard, &to, config, (job, 1))?, shard.bytes)])?;
    Ok(job)
}

/// Gives a value a shard of its own.
pub fn isolate(relation: pg_sys::Oid, value: &str, document: &Value) -> Result<i64> {
    let config = ReshardConfig::read(document, &["nodes", "keep", "verify"])?;
    let subject = of_table(relation)?;
    let (shard, column) = home(&subject, value)?;
    // As the server writes it, which bounds are written in too.
    let value = &canonical(&shard, &column, value)?;
    let after = next_value(&shard, &column, value)?;
    let pieces = steps::isolate(shard.place(), value, after.as_deref())?;
    let message = format!("isolating {column} = {value} of {}", quote_table(&subject.table));
    one(Kind::Isolate, &subject, &[shard], &pieces, &config, &message)
}

/// A job of one task.
fn one(
    kind: Kind,
    subject: &Subject,
    shards: &[Shard],
    pieces: &[Piece],
    config: &ReshardConfig,
    message: &str,
) -> Result<i64> {
    precheck::writable("change the shape of a table")?;
    free(subject)?;
    let judged = judge(subject, shards)?;
    let homes = homes(config, shards, pieces.len())?;
    let job = records::begin(kind.name(), &subject.table.to_string(), message)?;
    let task = plan(kind, subject, shards, pieces, config, judged, &homes, (job, 1))?;
    let task = if kind == Kind::Merge && dissolve::is_whole_part(subject, shards)? {
        dissolve::dissolving(task, shards)?
    } else {
        task
    };
    records::add(job, &[(task, shards.iter().map(|s| s.bytes).sum())])?;
    Ok(job)
}

/// Nobody else changes the table, and nobody will before this transaction ends.
///
/// # Errors
/// 55006 when somebody does.
pub fn free(subject: &Subject) -> Result<()> {
    if let Some(job) = records::running(Some(subject.relation))?.first() {
        return Err(Problem::new(
            "55006",
            format!("table {} is being changed by job {job}", quote_table(&subject.table)),
        )
        .hint(format!(
            "Wait for it with SELECT foreshard.wait_job({job}), or end it with SELECT foreshard.cancel_job({job})."
        ))
        .into());
    }
    claim::take(&subject.table)
}

/// The nodes of the new shards.
pub fn homes(config: &ReshardConfig, shards: &[Shard], count: usize) -> Result<Vec<Node>> {
    let registered = nodes::registered()?;
    let own = shards.first().map_or(String::new(), |s| s.node.clone());
    let wanted = config.nodes.clone().unwrap_or_else(|| vec![own]);
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for name in &wanted {
        match registered.iter().find(|n| n.name == *name) {
            Some(Node { location: Location::Server(_), .. }) => problems.push(
                Problem::new("0A000", format!("node \"{name}\" is another server"))
                    .detail("This version changes the shape of shards of this server only."),
            ),
            Some(node) if !node.active && config.nodes.is_some() => problems.push(
                Problem::new("55000", format!("node \"{name}\" takes no shards"))
                    .detail("It is being drained.")
                    .hint("Activate it with foreshard.alter_node(name, active => true)."),
            ),
            Some(node) => found.push(node.clone()),
            None => match nodes::unregistered(name)? {
                Some(node) => found.push(node),
                None => problems.push(
                    Problem::new("42704", format!("node \"{name}\" does not exist"))
                        .hint("SELECT * FROM foreshard.nodes lists them."),
                ),
            },
        }
    }
    let bytes: u64 = shards.iter().map(|s| u64::try_from(s.bytes).unwrap_or(0)).sum();
    let needed = bytes / u64::try_from(wanted.len().max(1)).unwrap_or(1);
    for node in &found {
        if let Some(free) = node.free_bytes.filter(|free| *free < needed) {
            problems.push(
                Problem::new("53100", format!("node \"{}\" has no room for the new shards", node.name))
                    .detail(format!("They take up to {needed} bytes beside the old ones; {free} are free."))
                    .hint("Free space there, or name another node."),
            );
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    Ok(found.iter().cycle().take(count).cloned().collect())
}

/// The task with the names of all that it makes.
#[allow(clippy::too_many_arguments)]
pub fn plan(
    kind: Kind,
    subject: &Subject,
    shards: &[Shard],
    pieces: &[Piece],
    config: &ReshardConfig,
    judged: Judged,
    homes: &[Node],
    (job, number): (i64, i32),
) -> Result<Task> {
    let first = shards.first().ok_or_else(|| Problem::new("22023", "no shard is named"))?;
    let mut ordinal = subject.shards.iter().map(|s| s.ordinal).max().unwrap_or(-1);
    let mut new = Vec::new();
    for (piece, node) in pieces.iter().zip(homes) {
        let name = loop {
            ordinal += 1;
            let name = shard_name(&subject.table, u32::try_from(ordinal).unwrap_or(0));
            if catalog::relation_kind(&name)?.is_none() {
                break name;
            }
        };
        // In the ledger the first level comes first, whichever of the two is cut.
        let (bound, within) = match (&first.within, &piece.within) {
            (Some(_), None) => (first.bound.clone(), Some(piece.bound.clone())),
            (None, within) => (piece.bound.clone(), within.clone()),
            (Some(_), Some(_)) => {
                return Err(Problem::new("0A000", "a shard of two levels cannot be cut by a third")
                    .detail("Its value can be isolated where the inner level is a list or a range.")
                    .into());
            }
        };
        let tablespace = match &node.location {
            Location::Tablespace(name) => Some(name.clone()).filter(|n| n != "pg_default"),
            Location::Server(_) => None,
        };
        let place = piece.within.clone().unwrap_or_else(|| piece.bound.clone());
        new.push(New { name, ordinal, node: node.name.clone(), tablespace, bound, within, place });
    }
    let part = match pieces.first() {
        Some(Piece { bound, within: Some(_) }) => Some(Part {
            name: working_name(&subject.table, "p", job, number),
            place: bound.clone(),
            column: key_column(first)?,
        }),
        _ => None,
    };
    Ok(Task {
        kind,
        table: subject.table.clone(),
        relation: subject.relation.to_u32(),
        owner: subject.owner.to_u32(),
        parent: first.parent.to_u32(),
        cut: judged.cut,
        old: shards.iter().map(Shard::old).collect(),
        new,
        part,
        dissolved: None,
        shell: working_name(&subject.table, "shell", job, number),
        log: working_name(&subject.table, "log", job, number),
        key: judged.key,
        columns: judged.columns,
        definition: judged.definition,
        keep: config.keep.unwrap_or_else(settings::keep_old_shards),
        verify: config.verify.unwrap_or(true),
        max_lock_ms: settings::max_lock_ms(),
        copy_share: settings::copy_share(),
        away: None,
    })
}

/// The single column that a shard's parent is cut by.
fn key_column(shard: &Shard) -> Result<String> {
    let columns: Vec<String> = Spi::get_one_with_args(
        "SELECT ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_partitioned_table p
             JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs::pg_catalog.int2[]) WHERE p.partrelid = $1)",
        &[shard.parent.into()],
    )?
    .unwrap_or_default();
    match columns.as_slice() {
        [column] => Ok(column.clone()),
        _ => Err(Problem::new("0A000", "the shard key is not a single column")
            .detail("Values are isolated, and ranges cut, by one column.")
            .into()),
    }
}

/// Where a range is cut so that the parts have equally many rows: counted, not estimated.
fn quantiles(shard: &Shard, parts: u32) -> Result<Vec<String>> {
    if !(2..=steps::cut::MOST_PARTS).contains(&parts) {
        return Err(Problem::new("22023", format!("a range cannot be split into {parts} parts"))
            .hint(format!("Between 2 and {} can be made at once.", steps::cut::MOST_PARTS))
            .into());
    }
    let column = quote_ident(&key_column(shard)?);
    let shares: Vec<f64> = (1..parts).map(|n| f64::from(n) / f64::from(parts)).collect();
    let from = quote_table(&shard.name);
    let found: Vec<String> = Spi::get_one_with_args(
        &format!(
            "SELECT ARRAY(SELECT v::pg_catalog.text FROM (SELECT DISTINCT v FROM pg_catalog.unnest(
                 (SELECT percentile_disc($1) WITHIN GROUP (ORDER BY {column}) FROM ONLY {from})) AS v
                 WHERE v > (SELECT pg_catalog.min({column}) FROM ONLY {from})) AS d ORDER BY v)"
        ),
        &[shares.into()],
    )?
    .unwrap_or_default();
    if found.is_empty() {
        return Err(Problem::new("22023", format!("shard {from} cannot be cut by its rows"))
            .detail("It has no two values of the key.")
            .hint("Say where: {\"at\": [\"…\"]}.")
            .into());
    }
    Ok(found)
}

/// Values of a list with about half of the rows: the most frequent first, each to where fewer rows are.
fn half(shard: &Shard, values: &[Option<String>]) -> Result<Vec<Option<String>>> {
    let column = quote_ident(&key_column(shard)?);
    let mut sums = (0_i64, 0_i64);
    let mut own = Vec::new();
    let counted: Vec<(Option<String>, i64)> = Spi::connect(|client| {
        let query = format!(
            "SELECT {column}::pg_catalog.text, pg_catalog.count(*) FROM ONLY {} GROUP BY 1 ORDER BY 2 DESC, 1",
            quote_table(&shard.name)
        );
        let rows = client.select(&query, None, &[])?;
        rows.map(|row| Ok((row.get(1)?, row.get(2)?.unwrap_or(0))))
            .collect::<std::result::Result<_, pgrx::spi::Error>>()
    })?;
    let unseen = values.iter().filter(|v| !counted.iter().any(|c| c.0 == **v)).map(|v| (v.clone(), 0));
    for (value, rows) in counted.iter().filter(|c| values.contains(&c.0)).cloned().chain(unseen) {
        if sums.0 <= sums.1 && own.len() + 1 < values.len() && sums != (0, 0) {
            sums.0 += rows;
            own.push(value);
        } else {
            sums.1 += rows;
        }
    }
    Ok(own)
}

/// The shard in which a value's rows are, and the column that the table is cut by there.
fn home(subject: &Subject, value: &str) -> Result<(Shard, String)> {
    let mut refused = None;
    for shard in &subject.shards {
        let column = match key_column(shard) {
            Ok(column) => column,
            Err(error) => {
                refused = Some(error);
                continue;
            }
        };
        let Some(bound) = catalog::partition_constraint(shard.oid)? else { continue };
        let holds: Option<bool> = Spi::get_one_with_args(
            &format!(
                "SELECT EXISTS (SELECT FROM (SELECT (pg_catalog.jsonb_populate_record(NULL::{}, pg_catalog.jsonb_build_object($1, $2))).*) AS r WHERE {bound})",
                quote_table(&shard.name)
            ),
            &[column.clone().into(), value.into()],
        )?;
        if holds == Some(true) {
            return Ok((shard.clone(), column));
        }
    }
    Err(refused.unwrap_or_else(|| {
        Problem::new("22023", format!("value {value} belongs to no shard of {}", quote_table(&subject.table)))
            .hint("Give a value of the shard key.")
            .into()
    }))
}

fn canonical(shard: &Shard, column: &str, value: &str) -> Result<String> {
    let row = format!(
        "pg_catalog.jsonb_populate_record(NULL::{}, pg_catalog.jsonb_build_object($1, $2))",
        quote_table(&shard.name)
    );
    let text: Option<String> = Spi::get_one_with_args(
        &format!("SELECT ({row}).{}::pg_catalog.text", quote_ident(column)),
        &[column.into(), value.into()],
    )?;
    text.ok_or_else(|| Problem::new("22023", "NULL cannot be isolated").into())
}

/// The least value that is greater, for the types that have one.
fn next_value(shard: &Shard, column: &str, value: &str) -> Result<Option<String>> {
    if !matches!(shard.place(), Bound::Range { .. }) {
        return Ok(None);
    }
    let kind: Option<String> = Spi::get_one_with_args(
        "SELECT atttypid::pg_catalog.regtype::pg_catalog.text FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attname = $2",
        &[shard.oid.into(), column.into()],
    )?;
    match kind.as_deref() {
        Some(kind @ ("smallint" | "integer" | "bigint" | "date")) => Ok(Spi::get_one_with_args(
            &format!("SELECT ($1::pg_catalog.text::{kind} + 1)::pg_catalog.text"),
            &[value.into()],
        )?),
        _ => Ok(None),
    }
}
