//! What the config asks for and cannot have, all of it at once.

use super::PlanInput;
use super::levels::{can_be_parts, method_within};
use crate::count::PERIODS;
use crate::key::split;
use crate::model::config::{UniquePolicy, WithinConfig};
use crate::model::node::Location;
use crate::model::words::{counted, list};
use crate::model::{Column, Config, Method, Problem, Table};

pub(super) fn forced(input: &PlanInput<'_>, table: &Table) -> Vec<Problem> {
    let config = input.config;
    let mut problems = Vec::new();
    if let Some(method) = config.method.filter(|m| !m.shards()) {
        if config.shard_key.is_some() {
            problems.push(
                Problem::new("22023", format!("method {} has no shard key", method.name()))
                    .detail("The config gives both \"method\" and \"shard_key\".")
                    .hint("Leave out one of the two."),
            );
        }
        if config.shard_count.is_some_and(|n| n > 1) {
            problems.push(
                Problem::new("22023", format!("method {} has no shards", method.name()))
                    .detail("The config gives both \"method\" and a \"shard_count\" above 1.")
                    .hint("Leave out one of the two."),
            );
        }
    }
    let each = config.within.as_ref().and_then(|w| w.shard_count);
    if let Some(key) = &config.shard_key {
        let count = match &config.within {
            None => config.shard_count,
            Some(_) => config.shard_count.zip(each).and_then(|(all, each)| all.checked_div(each)),
        };
        problems.extend(of_key(input, table, key, config.method, count));
    }
    if let Some(within) = &config.within {
        problems.extend(second_level(config, within));
        problems.extend(of_key(input, table, &within.shard_key, Some(method_within(config, within)), each));
    }
    let key: Vec<String> =
        config.shard_key.iter().chain(config.within.iter().map(|w| &w.shard_key)).flatten().cloned().collect();
    if config.unique == UniquePolicy::Refuse && config.method.is_none_or(Method::shards) && !key.is_empty() {
        let lost: Vec<&str> = table
            .unique_keys
            .iter()
            .filter(|k| !key.iter().all(|c| k.columns.contains(c)))
            .map(|k| k.name.as_str())
            .collect();
        if !lost.is_empty() {
            problems.push(
                Problem::new("0A000", "unique constraints cannot be enforced across shards")
                    .detail(format!("{} of {} would not contain the shard key {}.", list(&lost, 4), table.name, list(&key, 4)))
                    .hint("Choose a key that every unique constraint contains, or set \"unique\" to \"widen\" or \"per_shard\"."),
            );
        }
    }
    problems.extend(replicas(input));
    problems
}

/// Copies need nodes that do not fail together.
fn replicas(input: &PlanInput<'_>) -> Option<Problem> {
    let copies = input.config.replicas.filter(|n| *n > 0)?;
    let wanted = copies + 1;
    let mut zones: Vec<&str> = input.nodes.iter().map(|n| n.zone.as_str()).collect();
    zones.sort_unstable();
    // Nodes without a zone are zones of their own.
    zones.dedup_by(|a, b| a == b && !a.is_empty());
    if wanted as usize > zones.len() {
        return Some(
            Problem::new("22023", format!("a shard and its replicas need {wanted} zones"))
                .detail(format!("The nodes are in {}.", counted(zones.len() as u64, "zone")))
                .hint("Ask for fewer, or register nodes in other zones."),
        );
    }
    let here: Vec<&str> = (input.nodes.iter().filter(|n| matches!(n.location, Location::Tablespace(_))))
        .map(|n| n.name.as_str())
        .collect();
    if here.is_empty() {
        return None;
    }
    Some(
        Problem::new("0A000", "shards on this server cannot have replicas")
            .detail(format!(
                "Tablespaces of this server: {}. A copy in another one would be lost with the first, and what is here is not published.",
                list(&here, 10)
            ))
            .hint("Name nodes on other servers in \"nodes\", or leave out \"replicas\" and give this server a standby."),
    )
}

/// What two levels cannot be together.
fn second_level(config: &Config, within: &WithinConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    for method in config.method.into_iter().chain(within.method).filter(|m| !m.shards()) {
        problems.push(
            Problem::new("22023", format!("method {} has no second level", method.name()))
                .detail("The config gives \"within\", by which parts of a sharded table are cut once more.")
                .hint("Use hash, range or list for both levels, or leave out \"within\"."),
        );
    }
    for column in within.shard_key.iter().filter(|c| config.shard_key.iter().flatten().any(|k| k == *c)) {
        problems.push(
            Problem::new("42P16", format!("column \"{column}\" is in the keys of both levels"))
                .detail("The second level would cut again by what the first has cut by.")
                .hint("Name other columns in one of the two."),
        );
    }
    if let Some(count) = config.shard_count.filter(|n| within.shard_count.is_none() && !can_be_parts(*n)) {
        problems.push(
            Problem::new("22023", format!("{count} shards cannot be made of two levels"))
                .detail(format!("It is no product of two numbers of which one is between 2 and {PERIODS}."))
                .hint("Name another \"shard_count\", or give \"within\" a \"shard_count\" of its own."),
        );
    }
    problems
}

/// A key of either level.
fn of_key(
    input: &PlanInput<'_>,
    table: &Table,
    key: &[String],
    method: Option<Method>,
    count: Option<u32>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut columns = Vec::new();
    for (i, name) in key.iter().enumerate() {
        if key.iter().take(i).any(|other| other == name) {
            problems.push(
                Problem::new("42P16", format!("column \"{name}\" appears twice in the shard key"))
                    .hint("Name it once."),
            );
            continue;
        }
        match table.column(name) {
            Some(column) => columns.push(column),
            None => problems.push(unknown(table, name)),
        }
    }
    for column in columns.iter().filter(|c| c.generated) {
        problems.push(
            Problem::new("42P16", format!("generated column \"{}\" cannot be in the shard key", column.name))
                .detail("PostgreSQL does not partition by a generated column.")
                .hint("Use the columns from which it is generated."),
        );
    }
    match method {
        Some(method) => problems.extend(by_method(input, key, &columns, method, count)),
        None => {
            let hashable = columns.iter().all(|c| c.hashable);
            let usable = hashable || (columns.len() == 1 && columns.iter().all(|c| c.orderable));
            if !usable {
                problems.push(
                    Problem::new("42P16", format!("no method can partition by {}", list(key, 4)))
                        .detail("Its type has neither a hash nor a btree operator class.")
                        .hint("Choose another column as the shard key."),
                );
            }
        }
    }
    problems
}

fn by_method(
    input: &PlanInput<'_>,
    key: &[String],
    columns: &[&Column],
    method: Method,
    count: Option<u32>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !method.shards() {
        return problems;
    }
    for column in columns {
        let missing = match method {
            Method::Hash if !column.hashable => "hash",
            Method::Range | Method::List if !column.orderable => "btree",
            _ => continue,
        };
        problems.push(
            Problem::new("42P16", format!("column \"{}\" cannot be partitioned by {}", column.name, method.name()))
                .detail(format!("Its type {} has no {missing} operator class.", column.type_name))
                .hint("Choose another column or another method."),
        );
    }
    if method == Method::Hash || !problems.is_empty() {
        return problems;
    }
    if key.len() > 1 {
        let sqlstate = if method == Method::List { "42P16" } else { "0A000" };
        problems.push(
            Problem::new(sqlstate, format!("a shard key by {} has one column", method.name()))
                .detail(format!("The config names {}.", key.len()))
                .hint("Name one column, or use method hash."),
        );
        return problems;
    }
    problems.extend(columns.first().filter(|c| !c.generated).and_then(|c| values(input, c, method, count)));
    problems
}

/// Range and list are cut from the data: what the profile must give for that.
fn values(input: &PlanInput<'_>, column: &Column, method: Method, count: Option<u32>) -> Option<Problem> {
    let name = &column.name;
    let profile = input.profile.and_then(|p| p.column(name));
    let unknown = || {
        Problem::new(
            "22023",
            format!("values of column \"{name}\" are not known well enough for method {}", method.name()),
        )
        .hint("Leave \"profile\" on, or use method hash, which needs no values.")
    };
    let Some(profile) = profile else {
        return Some(unknown().detail("The backup was not profiled, and bounds are cut from its values."));
    };
    if method == Method::Range && profile.nulls > 0 {
        return Some(
            Problem::new("22023", format!("column \"{name}\" has NULLs, which no range takes"))
                .detail(format!("{} of its rows have none.", profile.nulls))
                .hint("Use method hash or list, or another column."),
        );
    }
    let Some(pieces) = split::pieces(method, profile, &column.type_name) else {
        return Some(unknown().detail("It has no value or only one, or its type has no order that the text shows."));
    };
    let asked = count.filter(|n| *n > pieces || (method == Method::List && *n < 2))?;
    Some(
        Problem::new("22023", format!("{asked} shards by {} cannot be made of column \"{name}\"", method.name()))
            .detail(match method {
                Method::List => {
                    format!("A list has between 2 and {pieces} shards here: its known values and one for all others.")
                }
                _ => format!("It has {} distinct values, which make at most {pieces} ranges.", profile.distinct),
            })
            .hint("Ask for another number of shards, or use method hash."),
    )
}

fn unknown(table: &Table, name: &str) -> Problem {
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    Problem::new("42703", format!("column \"{name}\" of the shard key does not exist"))
        .detail(format!("Table {} has the columns {}.", table.name, list(&names, 20)))
        .hint("Names are as in the backup, case included.")
}
