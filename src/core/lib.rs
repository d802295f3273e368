//! The thinking half of foreshard.
//!
//! Bytes of a backup, statements of a query log, the definition of a schema and a list of nodes come in as plain data;
//! a plan with its reasons goes out. There is no server here, no clock, no random number and no I/O, so that the same
//! inputs give the same plan, byte for byte, and every decision can be tested in seconds.
//!
//! The rooms, in the order in which a restore walks through them:
//! [`model`] (the nouns), [`backup`] (bytes to rows and statistics), [`workload`] (statements to access patterns),
//! [`key`] (candidates), [`forecast`] (load to come), [`capacity`] (what nodes bear), [`health`] (what a watched load means), [`count`] (number of shards),
//! [`route`] (which row goes where), [`heap`] (rows as they are stored), [`statistics`] (what ANALYZE stores of them), [`place`] (which shard goes where), [`plan`]
//! (all of it together, explained), [`steps`] (how the shape of a table changes later) and [`report`] (pictures of it).
#![forbid(unsafe_code)]

pub mod backup;
pub mod btree;
pub mod capacity;
pub mod count;
pub mod forecast;
pub mod health;
pub mod heap;
pub mod key;
pub mod model;
pub mod place;
pub mod plan;
pub mod report;
pub mod route;
pub mod statistics;
pub mod steps;
pub mod workload;
