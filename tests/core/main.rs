//! Plain tests of the pure crate, one module per area.

mod count;
mod key_split;
mod place;
mod plan_choices;
mod plan_overrides;
mod plan_tpcc;
mod planner_world;
