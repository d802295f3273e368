//! One text for one value: rows as a backup writes them and the same rows as the table holds them have one checksum,
//! whatever the settings under which each was written.

use crate::pg::load::canonical::Canonical;
use crate::pg::load::{content, load_columns};
use foreshard_core::backup::checksum::{Checksum, RowHasher};
use foreshard_core::model::TableName;
use pgrx::Spi;

fn table() -> TableName {
    TableName::new("public", "sums")
}

/// The checksum of rows given as texts.
fn of_texts(rows: &[Vec<Option<String>>]) -> Checksum {
    let columns = load_columns(&table()).unwrap();
    let mut canonical: Vec<Canonical> = columns.iter().map(Canonical::new).collect();
    let (mut checksum, mut hasher) = (Checksum::default(), RowHasher::new());
    for row in rows {
        assert_eq!(row.len(), canonical.len());
        let texts: Vec<_> =
            canonical.iter_mut().zip(row).map(|(c, f)| f.as_ref().map(|f| c.of_field(f.as_bytes()))).collect();
        checksum.add(hasher.hash(texts.iter().map(Option::as_deref)));
    }
    checksum
}

fn of_table() -> Checksum {
    content(&table(), &load_columns(&table()).unwrap(), None).unwrap().checksum
}

/// The table's rows as COPY would write them under the present settings.
fn dumped() -> Vec<Vec<Option<String>>> {
    let columns = load_columns(&table()).unwrap();
    // format() calls the type's output function, as COPY does.
    let list: Vec<String> = columns
        .iter()
        .map(|c| format!("CASE WHEN {0} IS DISTINCT FROM NULL THEN format('%s', {0}) END", c.name))
        .collect();
    Spi::connect(|client| {
        let query = format!("SELECT {} FROM public.sums", list.join(", "));
        client
            .select(&query, None, &[])
            .unwrap()
            .map(|row| (1..=columns.len()).map(|i| row.get::<String>(i).unwrap()).collect())
            .collect()
    })
}

#[pgrx::pg_schema]
mod tests {
    use super::{dumped, of_table, of_texts};
    use crate::pg::ffi::Session;
    use pgrx::prelude::*;

    const ROWS: &str = "
        CREATE DOMAIN since AS timestamptz NOT NULL;
        CREATE DOMAIN later AS since;
        CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
        CREATE TYPE pair AS (a float8, b timestamptz);
        CREATE TABLE sums (a timestamptz, b timestamptz(3), c float8, d real, e bytea, f interval, g char(5), h later, i numeric(12,4),
            j jsonb, k json, l text, m timestamptz[], n mood, o pair, p tstzrange, q date, r timestamp, s timetz, t money, u uuid, v bool,
            w varchar(9), x \"char\", y inet, z xml, doubled numeric GENERATED ALWAYS AS (i * 2) STORED);
        INSERT INTO sums VALUES
            ('2024-03-31 02:30:00+01', '1883-11-18 12:03:58.123456+00', 0.1, 0.1, '\\x00ff5c', '1 year -2 mons +3 days -04:05:06.7', 'ab',
             '2024-10-27 00:30+00', 12.3, '{\"b\": 1, \"a\": [1.0, 2]}', '{\"b\" : 1}', E'tab\\there\\\\', '{2024-01-01 00:00+00,NULL}', 'it''s ok',
             '(1e-7,\"2024-06-01 12:00+00\")', '[2024-01-01 00:00+00,2024-07-01 00:00+00)', '2024-02-29', '2024-02-29 23:59:59.999999',
             '10:00:00+02', 1234.5, '00000000-0000-0000-0000-00000000000f', true, 'größe  ', 'x', '10.0.0.1/8', '<a b=\"1\"/>'),
            ('infinity', '-infinity', 'NaN', '-Infinity', '', '0', '', 'epoch', -0.0001, 'null', '1', '', '{}', 'sad', NULL, 'empty',
             '4713-01-01 BC', '0044-03-15 12:00 BC', '00:00-12', -1, NULL, false, '', NULL, '::1', ''),
            (NULL, NULL, 1e300, 1.17549435e-38, NULL, NULL, NULL, '2000-01-01', NULL, NULL, NULL, NULL, NULL, NULL, '(,)', '(,)', 'infinity', 'infinity',
             NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            ('2024-11-03 05:30+00', '2024-11-03 06:30+00', -0.0, 3.4028235e38, '\\xdeadbeef', '-1 days +00:00:01', 'abcde',
             '1900-01-01 00:00:00.000001+00', 99999999.9999, '[]', '[ ]', '\\N', '{infinity}', 'sad', '(NaN,infinity)', '[infinity,]', '9999-12-31',
             '-infinity', '23:59:59.999999+14', 0, 'ffffffff-ffff-ffff-ffff-ffffffffffff', true, 'NULL', '', '255.255.255.255', 'text')";

    /// The time zone, the formats of dates and bytes, and the digits of floats are the writer's own.
    #[pg_test]
    fn the_writers_settings_do_not_matter() {
        Spi::run(ROWS).unwrap();
        let mut sums = Vec::new();
        for reader in ["UTC", "America/New_York", "Asia/Kathmandu", "Africa/Monrovia"] {
            for writer in ["UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York"] {
                for more in [
                    "",
                    "SET LOCAL bytea_output = 'escape'",
                    "SET LOCAL intervalstyle = 'iso_8601'",
                    "SET LOCAL xmloption = document",
                ] {
                    // pg_dump sets the date style and the digits of floats; the rest is the old server's.
                    Spi::run(&format!("SET LOCAL datestyle = 'ISO, DMY'; SET LOCAL extra_float_digits = 3; SET LOCAL timezone = '{writer}'; {more}"))
                        .unwrap();
                    let rows = dumped();
                    Spi::run(&format!(
                        "SET LOCAL bytea_output = 'hex'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL xmloption = content; SET LOCAL timezone = '{reader}'"
                    ))
                    .unwrap();
                    let session = Session::begin();
                    let sum = of_texts(&rows);
                    assert_eq!(sum, of_table(), "written under {writer} {more}, read under {reader}");
                    sums.push(sum);
                    drop(session);
                }
            }
        }
        assert!(sums.iter().all(|s| s.rows == 4));
    }

    #[pg_test]
    fn any_other_value_changes_the_checksum() {
        Spi::run(ROWS).unwrap();
        let _session = Session::begin();
        let rows = dumped();
        let sum = of_texts(&rows);
        let mut seen = 0;
        for (row, fields) in rows.iter().enumerate() {
            for field in 0..fields.len() {
                let mut other = rows.clone();
                other[row][field] = match &fields[field] {
                    Some(_) => None,
                    None => continue,
                };
                assert_ne!(of_texts(&other), sum, "row {row}, column {field}");
                seen += 1;
            }
        }
        assert!(seen > 70, "{seen}");
        // Order does not matter, copies do.
        let mut other = rows.clone();
        other.reverse();
        assert_eq!(of_texts(&other), sum);
        other.push(rows[0].clone());
        assert_ne!(of_texts(&other), sum);
    }

    /// A file written by hand says one value in many ways.
    #[pg_test]
    fn a_file_of_rows_may_write_values_in_any_way() {
        Spi::run(
            "CREATE TABLE sums (a int, b numeric(10,2), c bool, d date, e timestamptz, f char(5), g varchar(3), h float8, i uuid, j bytea);
             INSERT INTO sums VALUES (5, 1.5, true, '2024-02-03', '2024-02-03 04:05:06+00', 'ab', 'abc', 100000, '0000000a-000b-000c-000d-00000000000e', '\\x61')",
        )
        .unwrap();
        Spi::run("SET LOCAL timezone = 'Europe/Berlin'").unwrap();
        let _session = Session::begin();
        for row in [
            "5|1.50|t|2024-02-03|2024-02-03 05:05:06+01|ab   |abc|100000|0000000a-000b-000c-000d-00000000000e|\\x61",
            "+5|1.5|yes|Feb 3, 2024|2024-02-03 05:05:06|ab|abc  |1e5|{0000000A000B000C000D00000000000E}|a",
            " 005 |1.499999|on|20240203|2024-02-03T04:05:06Z|ab  |abc|1e+05|0000000A-000B-000C-000D-00000000000E|\\141",
        ] {
            let row = row.split('|').map(|f| Some(f.to_owned())).collect();
            assert_eq!(of_texts(&[row]), of_table());
        }
    }

    /// A dump of a server before 12 writes floats with all their digits.
    #[pg_test]
    fn floats_of_old_servers() {
        Spi::run("CREATE TABLE sums (a float8, b real); INSERT INTO sums VALUES (0.1, 0.1), (1e22, 16777216), (123456.789, 0.3)").unwrap();
        let _session = Session::begin();
        let rows: Vec<_> =
            [["0.10000000000000001", "0.100000001"], ["1e+22", "16777216"], ["123456.78900000000", "0.300000012"]]
                .iter()
                .map(|row| row.iter().map(|f| Some((*f).to_owned())).collect())
                .collect();
        assert_eq!(of_texts(&rows), of_table());
    }
}
