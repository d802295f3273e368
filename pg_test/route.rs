//! The pure crate's routing against this server: thousands of generated values of every type that it says it knows.

use foreshard_core::model::plan::{Bound, Layout, Method, Shard};
use foreshard_core::route::{HashType, Router, remainder, row_hash};
use pgrx::Spi;

/// Values of each type.
const VALUES: i32 = 2_000;
/// Prime and larger than any real number of shards, so that no two hashes agree by chance.
const MODULUS: u32 = 1_021;

/// For each type an expression that makes the value number `i`; `x` is a pseudo-random bigint, small as often as large.
const TYPES: &[(&str, &str)] = &[
    ("smallint", "(x % 32768)::smallint"),
    ("integer", "(x % 2147483648)::integer"),
    ("bigint", "x"),
    ("boolean", "i % 2 = 0"),
    ("oid", "(x & 4294967295)::oid"),
    ("real", "CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN 'Infinity' ELSE (x / 7.0)::text END::real"),
    (
        "double precision",
        "CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN '-Infinity' ELSE (x / 7e9)::text END::float8",
    ),
    (
        "numeric",
        "CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0.00' WHEN 2 THEN 'Infinity' ELSE (x::numeric / (10::numeric ^ (i % 30)))::text END::numeric",
    ),
    ("numeric(20,4)", "(x % 1000000000000) / 10000.0"),
    (
        "text",
        "left(repeat(md5(i::text), 3), i % 97) || CASE i % 5 WHEN 0 THEN 'ä€😀' WHEN 1 THEN E' \\t\\n' ELSE '' END",
    ),
    ("character varying(40)", "left(md5(i::text), i % 33)"),
    ("character(12)", "left(md5(i::text), i % 13)"),
    ("name", "left(md5(i::text), i % 33)"),
    ("\"char\"", "chr(1 + i % 127)::\"char\""),
    ("uuid", "md5(i::text)::uuid"),
    ("bytea", "decode(left(md5(i::text), 2 * (i % 17)), 'hex')"),
    ("date", "CASE i % 50 WHEN 0 THEN 'infinity'::date ELSE '2000-01-01'::date + (x % 1500000)::int END"),
    (
        "timestamp without time zone",
        "CASE i % 50 WHEN 0 THEN '-infinity' ELSE '2000-01-01'::timestamp + (x % 100000000000000000) * interval '1 us' END",
    ),
    ("timestamp(3) without time zone", "'2024-01-01'::timestamp + (x % 100000000000000) * interval '1 us'"),
    (
        "timestamp with time zone",
        "CASE i % 50 WHEN 0 THEN 'infinity' ELSE '2000-01-01 00:00+00'::timestamptz + (x % 100000000000000000) * interval '1 us' END",
    ),
];

fn expression(type_name: &str) -> &'static str {
    TYPES.iter().find(|(name, _)| *name == type_name).map(|(_, e)| *e).expect("a type of the list")
}

/// Fills `sample (i, k0, k1, …)`; every tenth value of each column is NULL, another tenth in each.
fn sample(types: &[&str]) {
    let list = |f: &dyn Fn(usize, &str) -> String| {
        types.iter().enumerate().map(|(c, t)| f(c, t)).collect::<Vec<_>>().join(", ")
    };
    let columns = list(&|c, t| format!("k{c} {t}"));
    let values = list(&|c, t| {
        format!(
            "(SELECT CASE WHEN n % 10 <> {c} THEN {} END FROM (SELECT n * 7919 + {c} AS i) v, LATERAL \
             (SELECT ('x' || substr(md5('{c}:' || i), 1, 16))::bit(64)::bigint >> ((i * 37) % 64) AS x) w)",
            expression(t)
        )
    });
    Spi::run(&format!(
        "DROP TABLE IF EXISTS sample; CREATE TABLE sample (i int, {columns});
         INSERT INTO sample SELECT n, {values} FROM generate_series(1, {VALUES}) n"
    ))
    .unwrap();
}

/// Column `c` of the sample as COPY writes it, in the order of `i`.
fn texts(column: usize) -> Vec<Option<String>> {
    Spi::get_one::<Vec<Option<String>>>(&format!(
        "SELECT array_agg(CASE WHEN k{column} IS NOT NULL THEN format('%s', k{column}) END ORDER BY i) FROM sample"
    ))
    .unwrap()
    .unwrap()
}

/// The keys of the sample, row by row.
fn rows(columns: usize) -> Vec<Vec<Option<String>>> {
    let columns: Vec<_> = (0..columns).map(texts).collect();
    (0..VALUES as usize).map(|row| columns.iter().map(|c| c[row].clone()).collect()).collect()
}

fn key(row: &[Option<String>]) -> Vec<Option<&[u8]>> {
    row.iter().map(|text| text.as_deref().map(str::as_bytes)).collect()
}

/// Rows whose remainder the server does not confirm.
fn unconfirmed(types: &[&str]) -> Vec<String> {
    sample(types);
    let names: Vec<String> = (0..types.len()).map(|c| format!("k{c}")).collect();
    let columns: Vec<String> = types.iter().enumerate().map(|(c, t)| format!("k{c} {t}")).collect();
    Spi::run(&format!(
        "DROP TABLE IF EXISTS hashed; CREATE TABLE hashed ({}) PARTITION BY HASH ({})",
        columns.join(", "),
        names.join(", ")
    ))
    .unwrap();
    let hash_types: Vec<HashType> = types.iter().map(|t| HashType::of_type(t).expect("a known type")).collect();
    let remainders: Vec<i32> = rows(types.len())
        .iter()
        .map(|row| {
            let hash = row_hash(hash_types.iter().copied().zip(key(row)))
                .unwrap_or_else(|| panic!("{types:?}: {row:?} is not read"));
            i32::try_from(remainder(hash, MODULUS).unwrap()).unwrap()
        })
        .collect();
    let answer = Spi::get_one_with_args::<Vec<Option<String>>>(
        &format!(
            "SELECT array_agg(s::text) FROM sample s JOIN unnest($1) WITH ORDINALITY u (r, i) USING (i)
             WHERE NOT satisfies_hash_partition('hashed'::regclass, {MODULUS}, r, {})",
            names.iter().map(|n| format!("s.{n}")).collect::<Vec<_>>().join(", ")
        ),
        &[remainders.into()],
    );
    answer.unwrap().unwrap_or_default().into_iter().flatten().collect()
}

/// The partition that the server chose for each row of the sample, by its ordinal.
fn servers_choice(method: &str, types: &[&str], bounds: &[String]) -> Vec<u32> {
    let names: Vec<String> = (0..types.len()).map(|c| format!("k{c}")).collect();
    let columns: Vec<String> = types.iter().enumerate().map(|(c, t)| format!("k{c} {t}")).collect();
    Spi::run(&format!(
        "DROP TABLE IF EXISTS routed; CREATE TABLE routed (i int, {}) PARTITION BY {method} ({})",
        columns.join(", "),
        names.join(", ")
    ))
    .unwrap();
    for (ordinal, bound) in bounds.iter().enumerate() {
        Spi::run(&format!("CREATE TABLE routed_{ordinal} PARTITION OF routed {bound}")).unwrap();
    }
    Spi::run("INSERT INTO routed SELECT * FROM sample").unwrap();
    let found =
        Spi::get_one::<Vec<i32>>("SELECT array_agg(substr(tableoid::regclass::text, 8)::int ORDER BY i) FROM routed");
    found.unwrap().unwrap().into_iter().map(|o| u32::try_from(o).unwrap()).collect()
}

fn layout(method: Method, columns: usize, bounds: Vec<Bound>) -> Layout {
    let shard = |(ordinal, bound)| Shard::new(ordinal, bound, "here");
    Layout {
        method,
        key: (0..columns).map(|i| format!("k{i}")).collect(),
        within: None,
        shards: (0..).zip(bounds).map(shard).collect(),
    }
}

/// The router's choice for each row of the sample.
fn routers_choice(layout: &Layout, types: &[&str]) -> Vec<u32> {
    let router = Router::new(layout, types).expect("a router");
    rows(types.len())
        .iter()
        .map(|row| router.shard_of(&key(row)).unwrap_or_else(|| panic!("{types:?}: {row:?} is not routed")))
        .collect()
}

/// Both must choose alike, and use at least three partitions: else nothing was compared.
fn assert_alike(what: &str, router: &[u32], server: &[u32]) {
    let differs: Vec<usize> = (0..server.len()).filter(|i| router[*i] != server[*i]).collect();
    assert!(differs.is_empty(), "{what}: {} rows differ, the first is {}", differs.len(), differs[0]);
    let mut used = server.to_vec();
    used.sort_unstable();
    used.dedup();
    assert!(used.len() >= 3, "{what}: {used:?}");
}

#[pgrx::pg_schema]
mod tests {
    use super::{MODULUS, TYPES, assert_alike, layout, routers_choice, sample, servers_choice, unconfirmed};
    use crate::pg::ffi::{Session, quote_literal};
    use foreshard_core::model::plan::{Bound, Method};
    use pgrx::prelude::*;

    fn begin() {
        // Texts as a restore sees them; the tests' own names are found in public.
        Spi::run("SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'")
            .unwrap();
    }

    #[pg_test]
    fn every_type_hashes_as_the_server_hashes_it() {
        begin();
        for (type_name, _) in TYPES {
            assert_eq!(unconfirmed(&[type_name]), Vec::<String>::new(), "{type_name}");
        }
        // Were a wrong remainder accepted, nothing above would be proved.
        let all = Spi::get_one::<bool>(&format!(
            "SELECT bool_and(satisfies_hash_partition('hashed'::regclass, {MODULUS}, 0, k0)) FROM sample"
        ));
        assert_eq!(all, Ok(Some(false)));
    }

    #[pg_test]
    fn keys_of_many_columns_hash_as_the_server_hashes_them() {
        begin();
        for types in [
            &["integer", "integer"] as &[&str],
            &["bigint", "text"],
            &["text", "bigint"],
            &["uuid", "timestamp with time zone", "smallint"],
            &["numeric", "date", "character(12)", "boolean"],
            &["\"char\"", "bytea", "double precision", "name", "real"],
        ] {
            assert_eq!(unconfirmed(types), Vec::<String>::new(), "{types:?}");
        }
    }

    #[pg_test]
    fn time_zones_do_not_move_rows() {
        begin();
        for zone in ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Europe/Amsterdam"] {
            Spi::run(&format!("SET LOCAL timezone = '{zone}'")).unwrap();
            assert_eq!(unconfirmed(&["timestamp with time zone"]), Vec::<String>::new(), "{zone}");
        }
    }

    #[pg_test]
    fn hash_layouts_route_as_the_server_routes() {
        begin();
        for types in [&["bigint"] as &[&str], &["text", "integer"]] {
            sample(types);
            // As after a split: remainder 1 of 3 became 1 and 4 of 6.
            let parts = [(3, 0), (3, 2), (6, 1), (6, 4)];
            let bounds: Vec<String> =
                parts.iter().map(|(m, r)| format!("FOR VALUES WITH (MODULUS {m}, REMAINDER {r})")).collect();
            let ours = parts.iter().map(|(m, r)| Bound::Hash { modulus: *m, remainder: *r }).collect();
            let server = servers_choice("HASH", types, &bounds);
            assert_alike(
                &format!("{types:?}"),
                &routers_choice(&layout(Method::Hash, types.len(), ours), types),
                &server,
            );
        }
    }

    /// Bounds are values of the sample itself, so that many rows lie on them.
    #[pg_test]
    fn range_layouts_route_as_the_server_routes() {
        begin();
        for type_name in [
            "smallint",
            "integer",
            "bigint",
            "oid",
            "real",
            "double precision",
            "numeric",
            "numeric(20,4)",
            "uuid",
            "bytea",
            "date",
            "timestamp without time zone",
            "timestamp(3) without time zone",
            "timestamp with time zone",
            "\"char\"",
        ] {
            sample(&[type_name]);
            let cuts = Spi::get_one::<Vec<String>>(
                "SELECT array_agg(format('%s', v) ORDER BY v) FROM (SELECT DISTINCT k0 AS v FROM sample WHERE i IN (5, 77, 333, 1201, 1999)) q",
            )
            .unwrap()
            .unwrap();
            assert!(cuts.len() >= 3, "{type_name}: {cuts:?}");
            let ends: Vec<Option<&String>> = std::iter::once(None).chain(cuts.iter().map(Some)).chain([None]).collect();
            let text = |end: Option<&String>, open: &str| end.map_or(open.to_owned(), |e| quote_literal(e));
            let mut bounds: Vec<String> = ends
                .windows(2)
                .map(|w| format!("FOR VALUES FROM ({}) TO ({})", text(w[0], "MINVALUE"), text(w[1], "MAXVALUE")))
                .collect();
            bounds.push("DEFAULT".to_owned());
            let one = |end: Option<&String>| end.map(|e| vec![e.clone()]);
            let mut ours: Vec<Bound> =
                ends.windows(2).map(|w| Bound::Range { from: one(w[0]), to: one(w[1]) }).collect();
            ours.push(Bound::Default);
            let server = servers_choice("RANGE", &[type_name], &bounds);
            assert_alike(type_name, &routers_choice(&layout(Method::Range, 1, ours), &[type_name]), &server);
        }
    }

    #[pg_test]
    fn ranges_over_two_columns_route_as_the_server_routes() {
        begin();
        let types = ["smallint", "date"];
        sample(&types);
        let cuts = [["-5", "2024-01-01"], ["0", "1999-12-31"], ["0", "2010-06-01"], ["700", "-infinity"]];
        let sql = |cut: &[&str; 2]| format!("'{}', '{}'", cut[0], cut[1]);
        let ours = |cut: &[&str; 2]| Some(cut.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>());
        let mut bounds = vec![format!("FOR VALUES FROM (MINVALUE, MINVALUE) TO ({})", sql(&cuts[0]))];
        let mut layout_bounds = vec![Bound::Range { from: None, to: ours(&cuts[0]) }];
        for pair in cuts.windows(2) {
            bounds.push(format!("FOR VALUES FROM ({}) TO ({})", sql(&pair[0]), sql(&pair[1])));
            layout_bounds.push(Bound::Range { from: ours(&pair[0]), to: ours(&pair[1]) });
        }
        bounds.push(format!("FOR VALUES FROM ({}) TO (MAXVALUE, MAXVALUE)", sql(&cuts[3])));
        layout_bounds.push(Bound::Range { from: ours(&cuts[3]), to: None });
        bounds.push("DEFAULT".to_owned());
        layout_bounds.push(Bound::Default);
        let server = servers_choice("RANGE", &types, &bounds);
        assert_alike("two columns", &routers_choice(&layout(Method::Range, 2, layout_bounds), &types), &server);
    }

    #[pg_test]
    fn list_layouts_route_as_the_server_routes() {
        begin();
        for type_name in [
            "boolean",
            "smallint",
            "bigint",
            "text",
            "character(12)",
            "\"char\"",
            "numeric(20,4)",
            "date",
            "uuid",
            "real",
        ] {
            sample(&[type_name]);
            let values = Spi::get_one::<Vec<String>>(
                "SELECT array_agg(format('%s', v)) FROM (SELECT DISTINCT k0 AS v FROM sample WHERE i % 10 <> 0 AND k0 IS NOT NULL ORDER BY 1 LIMIT 40) q",
            )
            .unwrap()
            .unwrap();
            let half = values.len() / 2;
            let groups = [&values[..half], &values[half..]];
            let mut bounds: Vec<String> = groups
                .iter()
                .map(|g| {
                    format!("FOR VALUES IN ({})", g.iter().map(|v| quote_literal(v)).collect::<Vec<_>>().join(", "))
                })
                .collect();
            bounds.push("FOR VALUES IN (NULL)".to_owned());
            bounds.push("DEFAULT".to_owned());
            let mut ours: Vec<Bound> =
                groups.iter().map(|g| Bound::List { values: g.iter().cloned().map(Some).collect() }).collect();
            ours.push(Bound::List { values: vec![None] });
            ours.push(Bound::Default);
            let server = servers_choice("LIST", &[type_name], &bounds);
            assert_alike(type_name, &routers_choice(&layout(Method::List, 1, ours), &[type_name]), &server);
        }
    }

    /// What the session pins is what routing needs.
    #[pg_test]
    fn a_session_writes_texts_that_are_routed() {
        Spi::run(
            "SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL bytea_output = 'escape'; SET LOCAL extra_float_digits = -15",
        )
        .unwrap();
        let session = Session::begin();
        session.set("search_path", "public");
        for type_name in ["date", "timestamp without time zone", "bytea", "double precision", "real"] {
            assert_eq!(unconfirmed(&[type_name]), Vec::<String>::new(), "{type_name}");
        }
    }
}
