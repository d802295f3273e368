//! Shards onto nodes.

use foreshard_core::model::Node;
use foreshard_core::model::node::Location;
use foreshard_core::place::{Homes, Imbalance, Item, Rules, Spot, place_items};
use proptest::prelude::*;

fn node(name: &str, capacity: f64, active: bool) -> Node {
    Node {
        name: name.to_owned(),
        location: Location::Tablespace("pg_default".to_owned()),
        capacity,
        zone: String::new(),
        serves: Vec::new(),
        active,
        free_bytes: None,
        measured: None,
    }
}

/// The index into `nodes` for each of `shares`; empty when no node is left.
fn place(shares: &[f64], nodes: &[Node]) -> Vec<usize> {
    let items: Vec<Item> = shares.iter().map(|s| Item { bytes: *s, load: *s, ..Item::default() }).collect();
    let spots: Vec<Spot> = nodes.iter().map(Spot::from).collect();
    let placed = place_items(&items, &spots, Rules::default());
    placed.map(|p| p.homes.iter().filter_map(|h| h.first().copied()).collect()).unwrap_or_default()
}

fn imbalance(shares: &[f64], nodes: &[Node], placement: &[usize]) -> Imbalance {
    let items: Vec<Item> = shares.iter().map(|s| Item { bytes: *s, load: *s, ..Item::default() }).collect();
    let spots: Vec<Spot> = nodes.iter().map(Spot::from).collect();
    let homes: Vec<Homes> = placement.iter().map(|at| Homes::from_slice(&[*at])).collect();
    foreshard_core::place::imbalance(&items, &spots, &homes, Rules::default())
}

#[test]
fn equal_shards_go_round_in_the_order_of_the_nodes() {
    let nodes = [node("b", 1.0, true), node("a", 1.0, true)];
    assert_eq!(place(&[0.25; 4], &nodes), [0, 1, 0, 1]);
}

#[test]
fn the_largest_shard_goes_first() {
    let nodes = [node("a", 1.0, true), node("b", 1.0, true)];
    assert_eq!(place(&[0.1, 0.2, 0.3, 0.4], &nodes), [0, 1, 1, 0]);
    let even = imbalance(&[0.1, 0.2, 0.3, 0.4], &nodes, &[0, 1, 1, 0]);
    assert!((even.ratio - 1.0).abs() < 1e-12);
}

#[test]
fn a_node_of_twice_the_capacity_takes_twice_as_many() {
    let nodes = [node("small", 1.0, true), node("large", 2.0, true)];
    let at = place(&[1.0 / 6.0; 6], &nodes);
    assert_eq!(at.iter().filter(|n| **n == 1).count(), 4);
}

#[test]
fn a_drained_node_and_one_without_capacity_take_nothing() {
    let nodes = [node("drained", 1.0, false), node("none", 0.0, true), node("a", 1.0, true)];
    assert_eq!(place(&[0.5, 0.5], &nodes), [2, 2]);
    assert!(place(&[0.5, 0.5], &nodes[..2]).is_empty());
}

#[test]
fn one_huge_shard_cannot_be_balanced_and_the_bound_says_so() {
    let nodes = [node("a", 1.0, true), node("b", 1.0, true)];
    let shares = [0.9, 0.1];
    let found = imbalance(&shares, &nodes, &place(&shares, &nodes));
    assert!((found.ratio - 1.8).abs() < 1e-12 && (found.lower_bound - 1.8).abs() < 1e-12);
}

proptest! {
    #[test]
    fn never_worse_than_four_thirds_on_equal_nodes(shares in prop::collection::vec(0.0..1.0f64, 1..60), n in 1..6usize) {
        let nodes: Vec<Node> = (0..n).map(|i| node(&format!("n{i}"), 1.0, true)).collect();
        let at = place(&shares, &nodes);
        prop_assert_eq!(at.len(), shares.len());
        prop_assert!(at.iter().all(|i| *i < n));
        let found = imbalance(&shares, &nodes, &at);
        // The optimum is at least the bound; LPT is within 4/3 of the optimum, and the last shard placed bounds it above.
        let total: f64 = shares.iter().sum();
        let largest = shares.iter().copied().fold(0.0, f64::max);
        prop_assert!(total == 0.0 || found.ratio <= 1.0 + largest * n as f64 / total + 1e-9);
        prop_assert!(found.ratio >= found.lower_bound - 1e-9);
    }

    #[test]
    fn the_same_input_gives_the_same_placement(shares in prop::collection::vec(0.0..1.0f64, 0..40)) {
        let nodes = [node("a", 1.0, true), node("b", 0.5, true), node("c", 2.0, true)];
        prop_assert_eq!(place(&shares, &nodes), place(&shares, &nodes));
    }
}
