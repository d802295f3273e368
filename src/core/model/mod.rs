//! The nouns of the project as plain data: what the other rooms take and return.

pub mod calibration;
pub mod config;
pub mod history;
pub mod interrupts;
pub mod layout;
pub mod load;
pub mod node;
pub mod outlook;
pub mod placement;
pub mod plan;
pub mod problem;
pub mod profile;
pub mod quals;
pub mod replay;
pub mod schema;
pub mod span;
pub mod statement;
pub mod words;
pub mod workload;

pub use calibration::CalibrationConfig;
pub use config::Config;
pub use history::{ForecastConfig, HistoryConfig, NamedColumns};
pub use interrupts::Interrupts;
pub use load::{LoadHistory, Measured, Metric};
pub use node::Node;
pub use outlook::Outlook;
pub use plan::{Bound, Candidate, KeyColumns, Layout, Method, Plan, Shard};
pub use problem::Problem;
pub use profile::{ColumnProfile, TableProfile};
pub use quals::Qual;
pub use replay::ReplayConfig;
pub use schema::{Column, ForeignKey, Schema, Table, TableName, UniqueKey};
pub use span::Span;
pub use statement::{Expr, FromItem, Query, StatementKind};
pub use workload::{Workload, WorkloadProfile};
