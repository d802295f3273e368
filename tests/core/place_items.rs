//! Copies, zones, wishes, moves: every rule over random instances, and the optimum where it can be counted out.
#![allow(clippy::unwrap_used)]

use foreshard_core::place::{Homes, Item, Move, Placement, Rules, Spot, imbalance, place_items};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn spot(zone: &str) -> Spot {
    Spot { room: 1.0, speed: 1.0, free_bytes: None, zone: zone.to_owned(), serves: Vec::new(), takes: true }
}

fn item(bytes: f64, load: f64) -> Item {
    Item { bytes, load, ..Item::default() }
}

fn at(item: Item, now: usize) -> Item {
    Item { now: Homes::from_slice(&[now]), ..item }
}

fn ok(items: &[Item], spots: &[Spot], rules: Rules) -> Placement {
    place_items(items, spots, rules).unwrap()
}

fn refused(items: &[Item], spots: &[Spot], rules: Rules) -> Vec<(String, String)> {
    let problems = place_items(items, spots, rules).unwrap_err();
    problems.into_iter().map(|p| (p.sqlstate, p.message)).collect()
}

const TWO: Rules = Rules { copies: 2, tolerance: 0.05, start: 0.0, move_price: 1.0 };

#[test]
fn bytes_and_load_are_balanced_together() {
    // By bytes alone, or by load alone, both large ones could share a spot with nothing else.
    let items = [item(10.0, 1.0), item(10.0, 1.0), item(1.0, 10.0), item(1.0, 10.0)];
    let placed = ok(&items, &[spot(""), spot("")], Rules::default());
    assert_eq!((placed.ratio, placed.lower_bound), (1.0, 1.0));
}

#[test]
fn copies_of_an_item_are_in_different_zones() {
    let spots = [spot("east"), spot("east"), spot("west"), spot("west")];
    let items = vec![item(1.0, 1.0); 8];
    let placed = ok(&items, &spots, TWO);
    for homes in &placed.homes {
        assert_eq!(homes.iter().map(|s| *s < 2).collect::<BTreeSet<_>>().len(), 2, "{homes:?}");
    }
    assert_eq!(placed.ratio, 1.0);
}

#[test]
fn a_large_zone_holds_one_copy_of_everything_and_no_more() {
    // One zone has three quarters of the room, but can use half of it: the others are 2 times as full as the mean.
    let spots = [spot("large"), spot("large"), spot("large"), spot("small")];
    let placed = ok(&vec![item(1.0, 1.0); 12], &spots, TWO);
    assert_eq!((placed.lower_bound, placed.ratio), (2.0, 2.0));
}

#[test]
fn more_copies_than_zones_are_refused() {
    let spots = [spot("a"), spot("a")];
    let found = refused(&[item(1.0, 1.0)], &spots, TWO);
    assert_eq!(found, [("22023".to_owned(), "2 copies of shard 0 do not find as many zones".to_owned())]);
}

#[test]
fn impossible_amounts_are_refused_together() {
    let items = [item(f64::NAN, 1.0), item(1.0, -1.0)];
    let spots = [Spot { room: -1.0, ..spot("") }];
    let states: Vec<String> = refused(&items, &spots, Rules::default()).into_iter().map(|p| p.1).collect();
    assert_eq!(
        states,
        [
            "shard 0 has an impossible size or load",
            "shard 1 has an impossible size or load",
            "a node has an impossible capacity"
        ]
    );
}

#[test]
fn without_a_spot_nothing_is_placed() {
    for spots in [vec![], vec![Spot { takes: false, ..spot("") }], vec![Spot { room: 0.0, ..spot("") }]] {
        assert_eq!(refused(&[item(1.0, 1.0)], &spots, Rules::default())[0].0, "55000");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let small = Spot { free_bytes: Some(5.0), ..spot("") };
    let found = refused(&[item(3.0, 1.0), item(3.0, 1.0), item(3.0, 1.0)], &[small.clone(), small], Rules::default());
    assert_eq!(found[0].0, "53100");
}

#[test]
fn a_full_spot_takes_no_more_however_idle_it_is() {
    let full = Spot { free_bytes: Some(1.0), ..spot("") };
    let placed = ok(&[item(3.0, 1.0), item(3.0, 1.0)], &[full, spot("")], Rules::default());
    assert!(placed.homes.iter().all(|h| h.as_slice() == [1]));
}

#[test]
fn wishes_are_followed() {
    let only = Item { only: vec![2], ..item(1.0, 1.0) };
    let never = Item { never: vec![0, 2], ..item(1.0, 1.0) };
    let placed = ok(&[only, never], &[spot(""), spot(""), spot("")], Rules::default());
    assert_eq!(placed.homes, [Homes::from_slice(&[2]), Homes::from_slice(&[1])]);
}

#[test]
fn shards_go_to_the_applications_that_use_them() {
    let near = |name: &str| Spot { serves: vec![name.to_owned()], ..spot("") };
    let by = |name: &str| Item { used_by: vec![(name.to_owned(), 1.0)], ..item(1.0, 1.0) };
    let items = [by("shop"), by("desk"), by("desk"), by("shop"), by("shop"), by("desk")];
    let placed = ok(&items, &[near("desk"), near("shop")], Rules::default());
    assert_eq!((placed.near, placed.ratio), (1.0, 1.0));
    // Balance goes before nearness: all are used by the shop, and half of them fit.
    let all: Vec<Item> = (0..6).map(|_| by("shop")).collect();
    let placed = ok(&all, &[near("desk"), near("shop")], Rules::default());
    assert_eq!((placed.near, placed.ratio), (0.5, 1.0));
}

#[test]
fn a_move_towards_an_application_has_to_pay() {
    let near = |name: &str| Spot { serves: vec![name.to_owned()], ..spot("") };
    let spots = [near("desk"), near("shop")];
    // The two change places for a half of the load, or for next to none of it.
    let items = |share: f64| {
        let by = |name: &str, now: usize| at(Item { used_by: vec![(name.to_owned(), share)], ..item(1.0, 1.0) }, now);
        (0..20).map(|i| if i % 2 == 0 { by("shop", 1) } else { by("shop", 0) }).collect::<Vec<_>>()
    };
    let wide = Rules { tolerance: 2.0, ..Rules::default() };
    assert_eq!(ok(&items(0.5), &spots, Rules { move_price: 1.0, ..wide }).moves, []);
    let moved = ok(&items(0.5), &spots, Rules { move_price: 0.1, ..wide });
    assert_eq!((moved.moves.len(), moved.near), (10, 1.0));
    assert!(moved.moves.iter().all(|m| m.to == 1 && m.because.contains("nearer")));
}

#[test]
fn a_drained_node_is_emptied_and_nothing_else_moves() {
    let spots = [spot(""), spot(""), Spot { takes: false, ..spot("") }];
    let items: Vec<Item> = (0..12).map(|i| at(item(1.0, 1.0), i % 3)).collect();
    let placed = ok(&items, &spots, Rules::default());
    assert_eq!(placed.moves.len(), 4);
    assert!(placed.moves.iter().all(|m| m.from == 2 && m.because == "It may not stay where it is."));
    assert!((placed.ratio - 1.0).abs() < 1e-9);
}

#[test]
fn an_even_placement_stays_as_it_is() {
    // 4 % beside the mean is not worth a byte.
    let items: Vec<Item> = (0..50).map(|i| at(item(1.0, 1.0), usize::from(i >= 26))).collect();
    assert_eq!(ok(&items, &[spot(""), spot("")], Rules::default()).moves, []);
}

#[test]
fn what_is_even_is_left_alone_until_it_has_become_uneven() {
    let rules = Rules { start: 0.25, ..Rules::default() };
    let spots = [spot(""), spot(""), spot("")];
    let shards = |first: f64| {
        let sizes = [first, first, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1];
        let places = [0, 0, 1, 1, 2, 2, 0, 1, 2];
        sizes.into_iter().zip(places).map(|(size, now)| at(item(size, size), now)).collect::<Vec<Item>>()
    };
    assert_ne!(ok(&shards(1.2), &spots, Rules::default()).moves, [], "more than is tolerated where something moves");
    assert_eq!(ok(&shards(1.2), &spots, rules).moves, [], "the shards that stayed have dead rows");
    assert_ne!(ok(&shards(2.0), &spots, rules).moves, []);
    // An empty node is not even, however many there are; a node that takes none any more is left.
    let more: Vec<Spot> = (0..4).map(|_| spot("")).collect();
    assert_ne!(ok(&shards(1.0), &more, rules).moves, []);
    let drained = [spot(""), spot(""), Spot { takes: false, ..spot("") }];
    assert_eq!(ok(&shards(1.0), &drained, rules).moves.len(), 3);
}

#[test]
fn a_new_node_takes_its_share_and_no_more() {
    for nodes in [1, 2, 5, 10, 31] {
        let mut items: Vec<Item> =
            (0..nodes * 40).map(|i| item(1.0 + (i * 7919 % 13) as f64, 1.0 + (i * 31 % 5) as f64)).collect();
        let before = ok(&items, &vec![spot(""); nodes], Rules::default());
        items.iter_mut().zip(before.homes).for_each(|(item, homes)| item.now = homes);
        let spots = vec![spot(""); nodes + 1];
        let placed = ok(&items, &spots, Rules::default());
        assert!(placed.ratio <= 1.05 * placed.lower_bound + 1e-9, "{nodes}: {}", placed.ratio);
        assert!(placed.moved <= 1.0 / (nodes + 1) as f64 + 0.05, "{nodes}: {}", placed.moved);
        let new: f64 = items.iter().zip(&placed.homes).filter(|i| i.1[0] == nodes).map(|i| i.0.load).sum();
        let all: f64 = items.iter().map(|i| i.load).sum();
        assert!(new / all >= 0.8 / (nodes + 1) as f64, "{nodes}: {}", new / all);
    }
}

/// The smallest ratio of all placements of one copy each.
fn optimum(items: &[Item], spots: &[Spot]) -> f64 {
    let mut best = f64::INFINITY;
    let mut homes = vec![Homes::from_slice(&[0]); items.len()];
    for code in 0..spots.len().pow(items.len() as u32) {
        let mut rest = code;
        for home in &mut homes {
            home[0] = rest % spots.len();
            rest /= spots.len();
        }
        best = best.min(imbalance(items, spots, &homes, Rules::default()).ratio);
    }
    best
}

/// Largest first onto the least full, and nothing after it.
fn greedy(items: &[Item], spots: &[Spot]) -> f64 {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| items[*b].load.total_cmp(&items[*a].load).then(a.cmp(b)));
    let mut held = vec![0.0; spots.len()];
    for i in order {
        let to = (0..spots.len()).min_by(|a, b| f64::total_cmp(&held[*a], &held[*b])).unwrap();
        held[to] += items[i].load;
    }
    let mean: f64 = held.iter().sum::<f64>() / spots.len() as f64;
    held.iter().copied().fold(0.0, f64::max) / mean
}

fn instance() -> impl Strategy<Value = (Vec<Item>, Vec<Spot>, Rules)> {
    let spot = (0..3usize, 0.5..2.0f64, prop::bool::weighted(0.9)).prop_map(|(zone, room, takes)| Spot {
        room,
        speed: room,
        takes,
        ..spot(["a", "b", ""][zone])
    });
    let spots = prop::collection::vec(spot, 1..8);
    let item = (0.0..10.0f64, 0.0..10.0f64, prop::collection::vec(0..8usize, 0..3), prop::option::of(0..8usize))
        .prop_map(|(bytes, load, never, now)| Item { never, now: now.into_iter().collect(), ..item(bytes, load) });
    (prop::collection::vec(item, 0..40), spots, 1..3usize)
        .prop_map(|(items, spots, copies)| (items, spots, Rules { copies, ..Rules::default() }))
}

/// Replays the moves from where the copies were; the fullest spot may not get fuller on the way.
fn replay(items: &[Item], spots: &[Spot], moves: &[Move]) -> Vec<f64> {
    let mut homes: Vec<Homes> = items.iter().map(|i| i.now.clone()).collect();
    let mut ratios = vec![imbalance(items, spots, &homes, Rules::default()).ratio];
    for m in moves {
        let home = homes[m.item].iter_mut().find(|h| **h == m.from).unwrap();
        *home = m.to;
        ratios.push(imbalance(items, spots, &homes, Rules::default()).ratio);
    }
    ratios
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_rule_is_kept((items, spots, rules) in instance()) {
        let Ok(placed) = place_items(&items, &spots, rules) else { return Ok(()) };
        prop_assert_eq!(placed.homes.len(), items.len());
        for (item, homes) in items.iter().zip(&placed.homes) {
            prop_assert_eq!(homes.len(), rules.copies);
            prop_assert!(homes.iter().all(|s| spots[*s].takes && !item.never.contains(s)));
            let zones: BTreeSet<String> =
                homes.iter().map(|s| if spots[*s].zone.is_empty() { s.to_string() } else { spots[*s].zone.clone() }).collect();
            prop_assert_eq!(zones.len(), rules.copies);
        }
        let found = imbalance(&items, &spots, &placed.homes, rules);
        prop_assert!((found.ratio - placed.ratio).abs() < 1e-9 || items.is_empty());
        prop_assert!(placed.ratio >= placed.lower_bound - 1e-9 || items.iter().all(|i| i.bytes == 0.0 || i.load == 0.0));
        prop_assert!((0.0..=1.0 + 1e-9).contains(&placed.moved));
        prop_assert_eq!(&place_items(&items, &spots, rules).unwrap(), &placed);
    }

    #[test]
    fn no_move_makes_the_fullest_spot_fuller(
        sizes in prop::collection::vec((0.1..10.0f64, 0.1..10.0f64, 0..4usize), 1..60), n in 4..7usize,
    ) {
        let items: Vec<Item> = sizes.iter().map(|(b, l, now)| at(item(*b, *l), *now)).collect();
        let spots = vec![spot(""); n];
        let placed = ok(&items, &spots, Rules::default());
        let ratios = replay(&items, &spots, &placed.moves);
        prop_assert!((ratios.last().unwrap() - placed.ratio).abs() < 1e-9);
        prop_assert!(placed.ratio <= ratios[0] + 1e-9);
        prop_assert!(placed.moves.iter().all(|m| m.from != m.to));
    }

    #[test]
    fn the_bound_is_one_and_small_instances_come_near_the_optimum(
        sizes in prop::collection::vec((0.1..10.0f64, 0.1..10.0f64), 1..7), n in 1..4usize,
    ) {
        let items: Vec<Item> = sizes.iter().map(|(b, l)| item(*b, *l)).collect();
        let spots = vec![spot(""); n];
        let best = optimum(&items, &spots);
        let placed = ok(&items, &spots, Rules::default());
        prop_assert!(placed.lower_bound <= best + 1e-9);
        prop_assert!(placed.ratio <= best * 1.0001, "{} against {best}", placed.ratio);
    }

    #[test]
    fn never_worse_than_largest_first(loads in prop::collection::vec(0.1..10.0f64, 1..120), n in 1..9usize) {
        let items: Vec<Item> = loads.iter().map(|l| item(*l, *l)).collect();
        let spots = vec![spot(""); n];
        prop_assert!(ok(&items, &spots, Rules::default()).ratio <= greedy(&items, &spots) + 1e-9);
    }

    #[test]
    fn many_small_items_are_even(seed in 0..1000u64, n in 2..20usize) {
        let items: Vec<Item> = (0..n as u64 * 40)
            .map(|i| item(1.0 + (i * 7919 + seed) as f64 % 17.0, 1.0 + (i * 104_729 + seed) as f64 % 11.0))
            .collect();
        let placed = ok(&items, &vec![spot(""); n], Rules::default());
        prop_assert!(placed.ratio <= 1.05, "{}", placed.ratio);
    }
}

#[test]
fn what_nobody_uses_does_not_crowd_out_what_is_used() {
    let mut items = vec![item(1.0, 1.0); 6];
    for at in [1, 3] {
        items[at].used_by = vec![("eu".to_owned(), 1.0)];
    }
    let mut spots = [spot(""), spot("")];
    spots[0].serves = vec!["eu".to_owned()];
    let placed = ok(&items, &spots, Rules::default());
    assert_eq!((placed.near, placed.ratio), (1.0, 1.0), "{:?}", placed.homes);
}

#[test]
fn what_is_hardly_used_comes_near_by_a_swap_when_there_is_no_room() {
    // The near spot is full of what came first.
    let mut items = vec![item(1.0, 1.0); 8];
    items[7].used_by = vec![("eu".to_owned(), 0.01)];
    let mut spots = vec![spot(""), spot("")];
    spots[0].serves = vec!["eu".to_owned()];
    let placed = ok(&items, &spots, Rules::default());
    assert_eq!((placed.near, placed.ratio, placed.homes[7][0]), (1.0, 1.0, 0));
    // Of two that both want to be there the one that is used more stays.
    let mut items = vec![item(1.0, 1.0); 2];
    items[0].used_by = vec![("eu".to_owned(), 0.2)];
    items[1].used_by = vec![("eu".to_owned(), 0.9)];
    let placed = ok(&items, &spots, Rules::default());
    assert_eq!(placed.homes[1][0], 0);
}
