//! The acting half: everything that knows PostgreSQL. Thin adapters around the pure crate.

pub mod api;
mod archive;
mod catalog;
mod claim;
mod compat;
mod create;
mod definition;
mod error;
mod ffi;
mod ledger;
mod load;
mod nodes;
mod parse;
mod precheck;
mod querylog;
mod restore;
pub mod settings;
mod tree;
