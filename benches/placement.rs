//! How long placements take and how even they are: `cargo run --release -p foreshard-core --example placement`.
//!
//! Shards of skewed sizes and unrelated loads on nodes of two sizes in four zones; then one node more. One line an instance. In
//! the last ones every shard is used by one of sixteen applications, each of which every sixteenth node serves.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use foreshard_core::place::{Item, Rules, Spot, place_items};
use std::time::Instant;

/// A fixed sequence of numbers of 0..1 (Knuth's MMIX generator, upper bits).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn spots(count: usize) -> Vec<Spot> {
    let spot = |at: usize| Spot {
        room: if at % 8 < 4 { 1.0 } else { 2.0 },
        speed: if at % 8 < 4 { 1.0 } else { 2.0 },
        zone: format!("zone{}", at % 4),
        takes: true,
        serves: vec![format!("application{}", at % 16)],
        ..Spot::default()
    };
    (0..count).map(spot).collect()
}

fn main() {
    println!(
        "| shards | copies | nodes | used | s | max/mean | bound | near | with a node more: s | max/mean | bytes moved | 1/(N+1) |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (count, copies, nodes, used) in [
        (100, 1, 8, false),
        (1000, 1, 16, false),
        (8000, 1, 64, false),
        (8000, 2, 64, false),
        (8000, 3, 64, false),
        (8000, 1, 64, true),
        (8000, 3, 64, true),
    ] {
        let mut numbers = Numbers(20_250_101);
        let rules = Rules { copies, ..Rules::default() };
        let size = |numbers: &mut Numbers| 1.0 / (0.02 + numbers.next());
        let mut items: Vec<Item> = (0..count)
            .map(|_| Item { bytes: size(&mut numbers), load: size(&mut numbers), ..Item::default() })
            .collect();
        for (at, item) in items.iter_mut().enumerate().filter(|_| used) {
            item.used_by = vec![(format!("application{}", at % 16), 0.8)];
        }
        let start = Instant::now();
        let placed = place_items(&items, &spots(nodes), rules).unwrap();
        let first = start.elapsed().as_secs_f64();
        items.iter_mut().zip(&placed.homes).for_each(|(item, homes)| item.now = homes.clone());
        let start = Instant::now();
        let again = place_items(&items, &spots(nodes + 1), rules).unwrap();
        let second = start.elapsed().as_secs_f64();
        println!(
            "| {count} | {copies} | {nodes} | {used} | {first:.3} | {:.4} | {:.4} | {:.3} | {second:.3} | {:.4} | {:.2} % | {:.2} % |",
            placed.ratio,
            placed.lower_bound,
            placed.near,
            again.ratio,
            again.moved.max(0.0) * 100.0,
            100.0 / (nodes + 1) as f64
        );
    }
}
