//! B-tree indexes as PostgreSQL stores them, built from keys that fit one or two machine words.
//!
//! A CREATE INDEX of the server forms, sorts and copies a tuple for each row. Keys of integers, dates, points in time and UUIDs can be
//! sorted as plain words in a thread, and the pages laid out at once: [`Keys`] says how a row's columns become a word that sorts as
//! the server's operators do, [`build`] makes the pages. What an index has beyond that (expressions, texts, other orders) is the server's
//! to build.
//!
//! The layout is that of PostgreSQL 13 to 18 (`nbtree.h`, version 4 with posting lists), on machines as in [`crate::heap`].

mod build;
mod keys;
mod page;

pub use build::{Duplicate, build};
pub use keys::{Entries, Key, Keys};
