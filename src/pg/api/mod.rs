//! The functions that SQL calls: arguments in, rows out, problems raised. No logic.
//!
//! Their SQL definitions, comments and privileges are in sql/: what a user sees is written once, by hand.

mod nodes;
mod replay;
mod restore;
mod verify;
