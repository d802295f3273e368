//! How fast the rows of a backup are read and looked at for their profile:
//! `pg_restore -f - -t wide FILE | cargo run --release -p foreshard-core --example profile [all|rows|script]`.
//!
//! `script` only finds the sections of the script, `rows` splits their rows as well, `all` looks at the values too; the columns are
//! those of the tables of benches/restore.sh. Prints megabytes a second, and the distinct values.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use foreshard_core::backup::profile::{Profiler, ValueOrder};
use foreshard_core::backup::rows::{RowFormat, RowReader};
use foreshard_core::backup::script::{Piece, ScriptReader};
use foreshard_core::model::config::{BackupFormat, CopyOptions};
use std::time::Instant;

fn main() {
    let depth = std::env::args().nth(1).unwrap_or_else(|| "all".to_owned());
    let mut script = ScriptReader::new(std::io::stdin().lock());
    let begun = Instant::now();
    while let Some(piece) = script.next_piece().unwrap() {
        let Piece::CopyIn(text) = piece else { continue };
        let text = String::from_utf8(text.to_vec()).unwrap();
        let columns = text[text.find('(').unwrap() + 1..text.find(')').unwrap()].split(", ");
        let order = |name: &str| match name {
            "aid" | "bid" | "abalance" | "id" | "customer" => ValueOrder::Integer,
            "touched" | "created" => ValueOrder::Timestamp,
            _ => ValueOrder::Text,
        };
        let columns: Vec<(String, ValueOrder)> = columns.map(|c| (c.to_owned(), order(c))).collect();
        let mut profiler = Profiler::new(&columns);
        let format = RowFormat::of(BackupFormat::Text, &CopyOptions::default()).unwrap();
        let mut reader = RowReader::new(format, Some(columns.len()));
        let mut bytes = 0;
        while let Some(lines) = script.read_rows().unwrap() {
            bytes += lines.len();
            match depth.as_str() {
                "script" => {}
                "rows" => reader.push(lines, |_| {}).unwrap(),
                _ => reader.push(lines, |row| profiler.row(row.fields())).unwrap(),
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let megabytes = bytes as f64 / 1_048_576.0;
        println!("{depth}: {megabytes:.0} MB, {seconds:.2} s, {:.0} MB/s", megabytes / seconds);
        println!("{:?}", profiler.finish().columns.iter().map(|c| (&c.name, c.distinct)).collect::<Vec<_>>());
    }
}
