//! Rows of COPY text and CSV, and their profile: any bytes, in any format, are cut the same whatever the chunks they come in.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use foreshard_core::backup::profile::{Profiler, ValueOrder};
use foreshard_core::backup::rows::{RowFormat, RowReader};
use foreshard_core::model::config::{BackupFormat, CopyOptions};
use foreshard_core::model::TableProfile;
use libfuzzer_sys::fuzz_target;

type Rows = Vec<Vec<Option<Vec<u8>>>>;

#[derive(Debug, Arbitrary)]
struct Options {
    csv: bool,
    header: bool,
    delimiter: Option<char>,
    quote: Option<char>,
    escape: Option<char>,
    null: Option<String>,
    columns: Option<u8>,
    chunk: u8,
}

fn read(format: &RowFormat, columns: Option<usize>, bytes: &[u8], chunk: usize) -> (Rows, Result<(), String>, TableProfile) {
    let orders = [ValueOrder::Integer, ValueOrder::Decimal, ValueOrder::Float, ValueOrder::Date, ValueOrder::Timestamp, ValueOrder::Text];
    let columns_of = orders.map(|order| (format!("{order:?}"), order));
    let (mut rows, mut profiler) = (Rows::new(), Profiler::new(&columns_of));
    let mut reader = RowReader::new(format.clone(), columns);
    let mut take = |row: foreshard_core::backup::rows::Row<'_>| {
        // Every value is looked at in every order.
        for field in row.fields() {
            profiler.row([field; 6]);
        }
        rows.push(row.fields().map(|f| f.map(<[u8]>::to_vec)).collect());
    };
    let mut outcome = Ok(());
    for part in bytes.chunks(chunk.max(1)) {
        if outcome.is_ok() {
            outcome = reader.push(part, &mut take);
        }
    }
    let outcome = outcome.and_then(|()| reader.finish(&mut take)).map_err(|e| e.problem().message);
    (rows, outcome, profiler.finish())
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok(options) = Options::arbitrary(&mut input) else { return };
    let copy = CopyOptions {
        header: options.header,
        delimiter: options.delimiter.map(String::from),
        quote: options.quote.map(String::from),
        escape: options.escape.map(String::from),
        null: options.null,
        ..CopyOptions::default()
    };
    let Ok(format) = RowFormat::of(if options.csv { BackupFormat::Csv } else { BackupFormat::Text }, &copy) else { return };
    let (columns, rest) = (options.columns.map(usize::from), input.take_rest());
    let whole = read(&format, columns, rest, usize::MAX);
    assert_eq!(whole, read(&format, columns, rest, usize::from(options.chunk)));
});
