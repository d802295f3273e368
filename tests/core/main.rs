mod workload_build;
mod workload_families;
mod workload_hostile;
mod workload_log;
mod workload_predicates;
mod workload_scopes;
mod workload_tpc;
