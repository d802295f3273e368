mod workload_build;
mod workload_predicates;
mod workload_scopes;
