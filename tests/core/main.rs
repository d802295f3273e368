//! Plain tests of the pure crate, one module per area.

mod architecture;
mod backup_checksum;
mod backup_format;
mod backup_profile;
mod backup_rows;
mod backup_script;
mod count;
mod joint_corpus;
mod joint_search;
mod key_split;
mod place;
mod place_items;
mod plan_choices;
mod plan_confidence;
mod plan_overrides;
mod plan_tpcc;
mod planner_world;
mod route_golden;
mod route_router;
mod workload_build;
mod workload_families;
mod workload_hostile;
mod workload_log;
mod workload_predicates;
mod workload_scopes;
mod workload_tpc;
