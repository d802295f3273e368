//! The nouns of the project as plain data: what the other rooms take and return.

pub mod calibration;
pub mod config;
pub mod interrupts;
pub mod layout;
pub mod node;
pub mod placement;
pub mod plan;
pub mod problem;
pub mod profile;
pub mod quals;
pub mod replay;
pub mod schema;
pub mod statement;
pub mod words;
pub mod workload;

pub use calibration::CalibrationConfig;
pub use config::Config;
pub use interrupts::Interrupts;
pub use node::Node;
pub use plan::{Bound, Candidate, KeyColumns, Layout, Method, Plan, Shard};
pub use problem::Problem;
pub use profile::{ColumnProfile, TableProfile};
pub use quals::Qual;
pub use replay::ReplayConfig;
pub use schema::{Column, ForeignKey, Schema, Table, TableName, UniqueKey};
pub use statement::{Expr, FromItem, Query, StatementKind};
pub use workload::{Workload, WorkloadProfile};
