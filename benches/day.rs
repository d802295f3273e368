//! A simulated day of a hundred shards on ten servers: the health and decision code as it runs in the monitor, its clock a counter.
//!
//! A real trace of requests is the table's load, second by second; a hot spot wanders over the shards in the course of the day, as users of
//! one time zone after the other do, and now and then a shard becomes hot that nobody foresaw. Every ten seconds the monitor looks, every
//! minute it decides; a move takes its time and adds to the load of both servers. The same day is lived three times, after a day to settle: without doing
//! anything, with what is seen now for all that is expected, and with forecasts of every shard's own history.
//!
//! cargo run --release -p foreshard-core --example day -- /path/to/traces/*.csv      MOVES=96: moves a day that the policy lets be made, at most
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a bench")]

#[path = "day/world.rs"]
mod world;

use world::{Day, How, SECONDS};

fn main() {
    for path in std::env::args().skip(1) {
        let Some(trace) = world::read(&path) else {
            println!("{path}: no trace");
            continue;
        };
        println!("{path}");
        let mut day = Day::of(&trace);
        if let Some(moves) = std::env::var("MOVES").ok().and_then(|moves| moves.parse().ok()) {
            day.policy.moves_per_day = moves;
        }
        let mut reacted = None;
        for how in [How::Nothing, How::React, How::Forecast] {
            let lived = day.live(how, -SECONDS, SECONDS);
            println!(
                "  {:9} overload beyond 70 %: {:>8.0} node-s ({:.0} where a shard became hot unforeseen), beyond 100 %: {:>7.0}; moves {:>3} ({:.0} GB), inverse pairs {}; hot shards told after {:?} s at most, bursts told {}",
                how.name(),
                lived.overload,
                lived.unforeseen,
                lived.beyond_capacity,
                lived.moves,
                lived.bytes / 1e9,
                lived.inverse,
                lived.slowest,
                lived.bursts_told
            );
            match how {
                How::React => reacted = Some(lived),
                How::Forecast => {
                    let reacted = reacted.as_ref().unwrap();
                    println!(
                        "  overload avoided beside reacting: {:.0} % (beyond 70 %), {:.0} % (beyond 100 %)",
                        100.0 * (1.0 - lived.overload / reacted.overload.max(1e-9)),
                        100.0 * (1.0 - lived.beyond_capacity / reacted.beyond_capacity.max(1e-9))
                    );
                }
                How::Nothing => {}
            }
        }
    }
}
