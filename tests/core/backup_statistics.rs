//! The profile of a live table from its server's statistics.

use foreshard_core::backup::profile::ValueOrder;
use foreshard_core::backup::profile::statistics::{ColumnStatistics, Statistics};
use foreshard_core::model::config::Profiling;
use foreshard_core::model::profile::{PairProfile, ProfileKind};

fn column(name: &str, n_distinct: f64) -> ColumnStatistics {
    ColumnStatistics { name: name.to_owned(), n_distinct, avg_width: 4.0, ..ColumnStatistics::default() }
}

fn table(columns: Vec<ColumnStatistics>) -> Statistics {
    Statistics {
        rows: 1_000_000,
        bytes: 100 << 20,
        pages: (12_800, 12_800),
        modified: Some(0),
        columns,
        pairs: Vec::new(),
    }
}

fn bounds(from: u32, to: u32) -> Vec<String> {
    (0..=100).map(|n| (from + (to - from) / 100 * n).to_string()).collect()
}

#[test]
fn counts_are_of_all_rows() {
    let key = ColumnStatistics { histogram: bounds(1, 1_000_001), correlation: 1.0, ..column("id", -1.0) };
    let customer = ColumnStatistics {
        null_frac: 0.1,
        most_common: vec![("7".to_owned(), 0.25), ("8".to_owned(), 0.05)],
        histogram: bounds(100, 20_100),
        correlation: 0.01,
        ..column("customer", 20_000.0)
    };
    let state = ColumnStatistics {
        most_common: vec![("new".to_owned(), 0.75), ("paid".to_owned(), 0.25)],
        ..column("state", 2.0)
    };
    let orders = [("id", ValueOrder::Integer), ("customer", ValueOrder::Integer), ("state", ValueOrder::Text)];
    let orders = orders.map(|(name, order)| (name.to_owned(), order));
    let found = table(vec![state, key, customer]).profile(&orders);
    assert!(found.untold.is_empty(), "{:?}", found.untold);
    let profile = found.profile;
    let [id, customer, state] = profile.columns.as_slice() else { panic!("three columns") };
    assert_eq!(
        (id.name.as_str(), id.distinct, id.distinct_exact, id.nulls, id.monotonicity),
        ("id", 1_000_000, false, 0, 1.0)
    );
    assert_eq!((customer.distinct, customer.nulls), (20_000, 100_000));
    let hot: Vec<(&str, u64)> = customer.heavy.iter().map(|h| (h.value.as_str(), h.count)).collect();
    assert_eq!(hot, [("7", 250_000), ("8", 50_000)]);
    assert_eq!((state.distinct, state.distinct_exact, state.heavy.len()), (2, true, 2));
    // A third of the values that are not NULL are the two common ones, which are below all others.
    let at = |share: f64| customer.quantiles[(share * 128.0).round() as usize].parse::<u32>().unwrap();
    assert_eq!((at(0.0), at(0.25), at(0.30)), (7, 7, 8));
    let middle = (0.5 - 0.3 / 0.9) / (0.6 / 0.9) * 20_000.0 + 100.0;
    assert!((f64::from(at(0.5)) - middle).abs() < 400.0, "{} {middle}", at(0.5));
    assert_eq!(customer.quantiles.last().map(String::as_str), Some("20100"));
}

#[test]
fn what_statistics_do_not_tell_is_named() {
    let short = ColumnStatistics { histogram: vec!["1".to_owned(), "9".to_owned()], ..column("short", 500.0) };
    let orders = ["short", "unknown", "absent", "shapeless", "empty"]
        .map(|name| (name.to_owned(), if name == "shapeless" { ValueOrder::None } else { ValueOrder::Integer }));
    let empty = ColumnStatistics { null_frac: 1.0, ..column("empty", 0.0) };
    let found = table(vec![short, column("unknown", 0.0), column("shapeless", -0.5), empty]).profile(&orders);
    assert_eq!(found.untold, ["short", "unknown", "absent"]);
    assert!(found.profile.columns.iter().all(|c| c.quantiles.is_empty()));
    assert_eq!(found.profile.column("shapeless").unwrap().distinct, 500_000);
}

#[test]
fn all_values_of_a_small_table_are_known() {
    let id = ColumnStatistics { histogram: ["1", "2", "10"].map(str::to_owned).to_vec(), ..column("id", -1.0) };
    let found = Statistics { rows: 3, ..table(vec![id]) }.profile(&[("id".to_owned(), ValueOrder::Integer)]);
    let id = found.profile.column("id").unwrap();
    assert!(found.untold.is_empty() && id.distinct_exact);
    assert_eq!((id.distinct, id.heavy.len(), id.heavy[2].count), (3, 3, 1));
    assert_eq!(id.quantiles, ["1", "2", "10"]);
}

#[test]
fn statistics_age() {
    let told = |change: fn(&mut Statistics)| {
        let mut statistics = table(vec![column("id", -1.0)]);
        change(&mut statistics);
        statistics.fresh()
    };
    assert_eq!(
        told(|_| ()).unwrap(),
        "No row was read: the statistics of the table are fresh, with 0 rows changed since."
    );
    assert!(told(|s| s.modified = Some(100_050)).is_ok());
    assert_eq!(
        told(|s| s.modified = Some(100_051)).unwrap_err(),
        "10 % of its rows have changed since it was analysed."
    );
    assert!(told(|s| s.modified = None).is_err());
    assert!(told(|s| s.columns.clear()).is_err());
    assert!(told(|s| s.rows = 0).is_err());
    assert_eq!(told(|s| s.pages.1 = 20_000).unwrap_err(), "Its size has changed since it was analysed.");
    let stale = Statistics { modified: None, ..table(vec![column("id", -1.0)]) };
    let told = stale.told(Profiling::Statistics);
    assert_eq!((told.kind, told.share), (ProfileKind::Statistics, 0.0));
    assert!(
        told.because
            .starts_with("No row was read: the config asks for the statistics of the table. The server does not count")
    );
}

#[test]
fn columns_together() {
    let pairs = vec![PairProfile { columns: vec!["a".to_owned(), "b".to_owned()], distinct: 12 }];
    let profile = Statistics { pairs, ..table(vec![column("a", 4.0)]) }.profile(&[]).profile;
    let named = |names: &[&str]| profile.distinct_together(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    assert_eq!((named(&["b", "a"]), named(&["a", "c"]), named(&["a"])), (Some(12), None, None));
}
