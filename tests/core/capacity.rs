//! What nodes bear: the Universal Scalability Law from few points, and nodes beside each other.

use super::planner_world::nodes;
use foreshard_core::capacity::{OVERHEAD_SECONDS, Point, Usl, bears, capacity, fit, from_outside, relative};
use foreshard_core::model::node::{Location, NodeCapacity};
use foreshard_core::model::{CalibrationConfig, Node};
use proptest::prelude::*;
use serde_json::json;

fn curve(lambda: f64, sigma: f64, kappa: f64, clients: &[f64]) -> Vec<Point> {
    let usl = Usl { lambda, sigma, kappa, off: 0.0 };
    clients.iter().map(|n| Point { clients: *n, rate: usl.rate(*n) }).collect()
}

fn points(pairs: &[(f64, f64)]) -> Vec<Point> {
    pairs.iter().map(|(clients, rate)| Point { clients: *clients, rate: *rate }).collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs().max(1e-3)
}

#[test]
fn the_coefficients_of_a_known_curve_are_found() {
    // Queueing and keeping in step; queueing only; neither.
    for (sigma, kappa) in [(0.05, 0.002), (0.2, 0.0), (0.0, 0.01), (0.0, 0.0)] {
        let found = fit(&curve(12_000.0, sigma, kappa, &[1.0, 2.0, 4.0, 8.0])).unwrap();
        assert!(near(found.lambda, 12_000.0) && near(found.sigma, sigma) && near(found.kappa, kappa), "{found:?}");
        assert!(found.off < 1e-6);
    }
}

#[test]
fn the_peak_is_where_the_curve_says() {
    let found = fit(&curve(1_000.0, 0.02, 0.0005, &[1.0, 4.0, 16.0, 64.0])).unwrap();
    let peak = found.peak().unwrap();
    assert!(near(peak, (0.98_f64 / 0.0005).sqrt()));
    assert!(found.rate(peak) > found.rate(peak - 1.0) && found.rate(peak) > found.rate(peak + 1.0));
    let queueing = fit(&curve(1_000.0, 0.1, 0.0, &[1.0, 2.0, 4.0])).unwrap();
    assert_eq!(queueing.peak(), None);
}

#[test]
fn at_the_peak_the_curve_is_level() {
    // Gunther gives the peak in closed form: there the derivative is zero.
    let usl = Usl { lambda: 1.0, sigma: 0.05, kappa: 6e-6, off: 0.0 };
    let peak = usl.peak().unwrap();
    let slope = (usl.rate(peak + 1e-3) - usl.rate(peak - 1e-3)) / 2e-3;
    assert!(slope.abs() < 1e-6, "{slope}");
}

#[test]
fn coefficients_are_never_negative() {
    // More than twice as much by two clients: caches that warm each other.
    let found = fit(&points(&[(1.0, 100.0), (2.0, 230.0), (4.0, 500.0)])).unwrap();
    assert!(found.sigma >= 0.0 && found.kappa >= 0.0 && found.lambda > 0.0);
    // Falls from the start: nothing is gained by a second client.
    let found = fit(&points(&[(1.0, 100.0), (2.0, 60.0), (4.0, 25.0)])).unwrap();
    assert_eq!(found.peak(), Some(1.0));
}

#[test]
fn what_cannot_be_fitted_is_refused_with_its_reason() {
    let refused = |pairs: &[(f64, f64)]| fit(&points(pairs)).unwrap_err().detail.unwrap();
    assert!(refused(&[]).contains("0 different numbers"));
    assert!(refused(&[(1.0, 10.0), (2.0, 19.0), (2.0, 18.0)]).contains("2 different numbers"));
    for bad in [0.0, -5.0, f64::NAN, f64::INFINITY] {
        assert!(refused(&[(1.0, 10.0), (2.0, bad), (4.0, 30.0)]).contains("no measurement"), "{bad}");
        assert!(refused(&[(1.0, 10.0), (bad, 19.0), (4.0, 30.0)]).contains("no measurement"), "{bad}");
    }
    assert!(refused(&[(1.0, 10.0), (0.5, 19.0), (4.0, 30.0)]).contains("no measurement"));
    assert!(refused(&[(1.0, 1.0), (2.0, 970_365.0), (4.0, 179_055.0)]).contains("next to nothing"));
}

#[test]
fn statements_from_outside_take_their_time_to_come() {
    // One client: 20 µs in the server and 40 to come and go.
    let (rate, _) = from_outside(&points(&[(1.0, 50_000.0)])).unwrap();
    assert!(near(rate, 1e6 / 60.0), "{rate}");
    // Two processors: twice as many, however many clients.
    let two = points(&[(1.0, 50_000.0), (2.0, 100_000.0), (4.0, 100_000.0), (8.0, 100_000.0)]);
    let (rate, _) = from_outside(&two).unwrap();
    let (inside, _) = capacity(&two).unwrap();
    let at_once = inside / 50_000.0;
    assert!(near(rate, at_once / (20e-6 + OVERHEAD_SECONDS)) && at_once > 1.8, "{rate}");
    // What waits for a disk hardly notices.
    let (rate, _) = from_outside(&points(&[(1.0, 100.0)])).unwrap();
    assert!(rate > 99.0 && rate < 100.0);
    assert_eq!(from_outside(&[]), None);
}

#[test]
fn a_peak_is_one_only_if_the_rate_was_seen_to_fall() {
    // The curve through these points has its peak at 5 clients, but 8 did still more.
    let (_, clients) =
        capacity(&points(&[(1.0, 61_313.0), (2.0, 112_126.0), (4.0, 118_896.0), (8.0, 127_204.0)])).unwrap();
    assert_eq!(clients, None);
}

#[test]
fn capacity_is_the_peak_as_far_as_it_was_measured() {
    let seen = curve(1_000.0, 0.05, 0.02, &[1.0, 2.0, 4.0, 8.0, 16.0]);
    let (rate, clients) = capacity(&seen).unwrap();
    assert!(near(clients.unwrap(), (0.95_f64 / 0.02).sqrt()) && rate > 0.0);
    // The same curve, of which only the climb was measured: no peak is foretold from it.
    let climb = curve(1_000.0, 0.05, 0.02, &[1.0, 2.0, 4.0]);
    let (rate, clients) = capacity(&climb).unwrap();
    assert!(clients.is_none() && near(rate, climb[2].rate));
    assert_eq!(capacity(&points(&[(1.0, 700.0)])), Some((700.0, None)));
    assert_eq!(capacity(&[]), None);
    assert_eq!(capacity(&points(&[(1.0, 0.0), (2.0, f64::NAN)])), None);
}

proptest! {
    /// The reported optimum is no worse than any legal curve near it or at random.
    #[test]
    fn no_legal_curve_is_nearer(
        rates in prop::collection::vec(1.0..1e6f64, 3..7),
        other in (1.0..1e6f64, 0.0..2.0f64, 0.0..1.0f64),
        nudge in (0.99..1.01f64, -0.01..0.01f64, -0.01..0.01f64),
    ) {
        let seen: Vec<Point> =
            rates.iter().enumerate().map(|(i, r)| Point { clients: f64::from(1 << i), rate: *r }).collect();
        // One client did next to nothing: refused.
        let Ok(found) = fit(&seen) else { return Ok(()) };
        let distance = |lambda: f64, sigma: f64, kappa: f64| -> f64 {
            let usl = Usl { lambda, sigma, kappa, off: 0.0 };
            seen.iter().map(|p| (p.rate / usl.rate(p.clients) - 1.0).powi(2)).sum()
        };
        let best = distance(found.lambda, found.sigma, found.kappa);
        prop_assert!(best <= distance(other.0, other.1, other.2) + 1e-6);
        let (l, s, k) = (found.lambda * nudge.0, (found.sigma + nudge.1).max(0.0), (found.kappa + nudge.2).max(0.0));
        prop_assert!(best <= distance(l, s, k) + 1e-6);
        prop_assert!(found.sigma >= 0.0 && found.kappa >= 0.0 && found.lambda > 0.0);
    }

    #[test]
    fn nothing_makes_it_panic(pairs in prop::collection::vec((any::<f64>(), any::<f64>()), 0..8)) {
        let seen = points(&pairs);
        if let Ok(usl) = fit(&seen) {
            prop_assert!(usl.lambda.is_finite() && usl.sigma >= 0.0 && usl.kappa >= 0.0);
        }
        if let Some((rate, _)) = capacity(&seen) {
            prop_assert!(rate > 0.0);
        }
    }
}

/// Nodes on servers of their own; one called like a server and a number is on that server.
fn measured(names: &[&str], rates: &[Option<(f64, f64)>]) -> Vec<Node> {
    let mut nodes = nodes(names);
    for (node, rate) in nodes.iter_mut().zip(rates) {
        let server = node.name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        node.location = Location::Server(server);
        node.measured = rate.map(|(reads, writes)| NodeCapacity {
            reads_per_second: Some(reads),
            writes_per_second: Some(writes),
            ..NodeCapacity::default()
        });
    }
    nodes
}

#[test]
fn measured_servers_count_by_what_the_load_asks_of_them() {
    let nodes = measured(&["a", "b"], &[Some((30_000.0, 1_000.0)), Some((10_000.0, 1_000.0))]);
    assert_eq!(relative(&nodes, 0.0).capacities, [1.5, 0.5]);
    // Of writes they bear the same.
    assert_eq!(relative(&nodes, 1.0).capacities, [1.0, 1.0]);
    // Half and half: 1 / (0.5 / 30000 + 0.5 / 1000) = 1935 against 1818.
    assert_eq!(relative(&nodes, 0.5).capacities, [1.0, 1.0]);
}

#[test]
fn nodes_of_one_server_share_it_whatever_was_measured_of_each() {
    let nodes = measured(
        &["a1", "a2", "b"],
        &[Some((10_000.0, 1_000.0)), Some((30_000.0, 3_000.0)), Some((80_000.0, 8_000.0))],
    );
    // Server a bears 20,000, server b 80,000: 1 and 1 and 8 parts of ten.
    assert_eq!(relative(&nodes, 0.0).capacities, [0.3, 0.3, 2.4]);
    // Measured of one of them is measured of the server.
    let mut unmeasured = nodes.clone();
    unmeasured[0].measured = None;
    // 30,000 and 80,000: 15, 15 and 80 parts.
    assert_eq!(relative(&unmeasured, 0.0).capacities, [0.41, 0.41, 2.18]);
    let mut tablespaces = nodes;
    for node in &mut tablespaces {
        node.location = Location::Tablespace(node.name.clone());
    }
    let found = relative(&tablespaces, 0.0);
    assert_eq!(found.capacities, [1.0; 3]);
    assert!(found.because.contains("of one server"), "{}", found.because);
}

#[test]
fn what_was_declared_counts_before_what_was_measured() {
    let mut nodes = measured(&["a", "b"], &[Some((30_000.0, 3_000.0)), Some((10_000.0, 1_000.0))]);
    nodes[1].capacity = 2.0;
    let found = relative(&nodes, 0.0);
    assert_eq!(found.capacities, [1.0, 2.0]);
    assert!(found.because.contains("declared"));
}

#[test]
fn one_server_that_was_not_measured_makes_all_alike() {
    let nodes = measured(&["a", "b", "c"], &[Some((30_000.0, 3_000.0)), None, Some((10_000.0, 1_000.0))]);
    let found = relative(&nodes, 0.0);
    assert_eq!(found.capacities, [1.0; 3]);
    assert!(found.because.contains("nothing was measured of b"), "{}", found.because);
    let odd = measured(&["a", "b"], &[Some((f64::NAN, 3_000.0)), Some((0.0, -1.0))]);
    assert_eq!(relative(&odd, 0.0).capacities, [1.0; 2]);
}

#[test]
fn a_drained_node_takes_nothing_whatever_it_bears() {
    let mut nodes = measured(&["a", "b", "c"], &[Some((9e9, 9e9)), Some((3e4, 3e3)), Some((1e4, 1e3))]);
    nodes[0].active = false;
    assert_eq!(relative(&nodes, 0.0).capacities, [0.0, 1.5, 0.5]);
    assert!(relative(&[], 0.0).capacities.is_empty());
}

#[test]
fn a_node_that_was_never_calibrated_bears_the_defaults() {
    let mut node = nodes(&["a"]).remove(0);
    assert!(bears(&node).reads_per_second.unwrap() > bears(&node).writes_per_second.unwrap());
    node.measured = Some(NodeCapacity { writes_per_second: Some(7.0), ..NodeCapacity::default() });
    assert_eq!(bears(&node).writes_per_second, Some(7.0));
}

#[test]
fn the_config_of_a_calibration_is_checked_at_once() {
    assert_eq!(CalibrationConfig::read(&json!({})).unwrap(), CalibrationConfig::default());
    assert!(CalibrationConfig::read(&json!({"seconds": 0.5, "clients": 1})).is_ok());
    for bad in [json!({"seconds": 0}), json!({"seconds": -1}), json!({"seconds": 1e9}), json!({"clients": 0})] {
        assert_eq!(CalibrationConfig::read(&bad).unwrap_err().len(), 1, "{bad}");
    }
    assert_eq!(CalibrationConfig::read(&json!({"seconds": 0, "clients": 1000})).unwrap_err().len(), 2);
    assert!(CalibrationConfig::read(&json!({"second": 1})).is_err() && CalibrationConfig::read(&json!([])).is_err());
}
