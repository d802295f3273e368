//! The acting half: everything that knows PostgreSQL. Thin adapters around the pure crate.

pub mod api;
mod archive;
mod calibrate;
pub mod catalog;
mod claim;
mod compat;
mod create;
pub mod definition;
pub mod error;
pub mod ffi;
mod history;
mod ledger;
pub mod load;
mod look;
mod nodes;
pub mod parse;
mod precheck;
mod prepare;
mod progress;
pub mod quals;
pub mod querylog;
pub mod replay;
mod request;
mod restore;
pub mod settings;
mod threads;
mod tree;
