//! What a node says of the content of its tables: the number of their rows, and a sum of hashes that does not depend on their order.
//!
//! The node's own hash of each row's text, twice with different seeds, summed as numbers: to compare a copy with its shard without
//! fetching either. Sessions write texts alike ([`super::libpq::TEXTS`]).

use super::libpq::Answer;
use crate::pg::ffi::{quote_literal, quote_table};
use foreshard_core::model::TableName;

/// Rows and their sum, by table as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    pub table: String,
    pub rows: u64,
    pub sum: String,
}

/// Asks for the digests of tables, or only for the number of rows.
pub fn ask(tables: &[TableName], summed: bool) -> String {
    let one = |table: &TableName| {
        let sum = match summed {
            true => {
                "coalesce(pg_catalog.sum(pg_catalog.hashtextextended(t::pg_catalog.text, 0)::pg_catalog.numeric) || ' '
                 || pg_catalog.sum(pg_catalog.hashtextextended(t::pg_catalog.text, 1)::pg_catalog.numeric), '')"
            }
            false => "''",
        };
        format!(
            "SELECT {}, pg_catalog.count(*), {sum} FROM ONLY {} AS t",
            quote_literal(&table.name),
            quote_table(table)
        )
    };
    match tables {
        [] => "SELECT".to_owned(),
        _ => tables.iter().map(one).collect::<Vec<_>>().join(" UNION ALL "),
    }
}

pub fn answered(answer: &Answer) -> Vec<Digest> {
    let digest = |row: &Vec<Option<String>>| match row.as_slice() {
        [Some(table), Some(rows), Some(sum)] => {
            Some(Digest { table: table.clone(), rows: rows.parse().ok()?, sum: sum.clone() })
        }
        _ => None,
    };
    answer.rows.iter().filter_map(digest).collect()
}
