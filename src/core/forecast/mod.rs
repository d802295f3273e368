//! Load history to forecast: a series of what was measured becomes, for every slot ahead, what to expect and an interval.
//!
//! Raw samples ([`regularise`]) or copies of counters ([`Copies`], [`rates`]) become a [`Series`] on an even grid. A [`Forecaster`] is
//! fitted to its [`History`]: `members` are simple ways to forecast that read the same `features` of an origin (levels, the
//! same slot of days and weeks before), with `regression` and `decomposition` fitted to them. The `backtest` lets all of them
//! forecast from `origins` of the past for a few numbers of steps ahead (an `anchor` each); their `weights` follow from the
//! errors, and the errors of the average that remain (`residuals`) are the intervals. A [`PeakRule`] says the same of the
//! highest load of a window. Sizes go another way: they add up, and [`Growth`] goes on. An [`outlook`] is what a plan takes of
//! all this. Everything is relative to the mean load: units and dates do not matter.

mod anchor;
mod backtest;
mod copies;
mod counters;
mod decomposition;
mod features;
mod fit;
mod grid;
mod growth;
mod history;
mod least_squares;
mod members;
mod origins;
mod outcome;
mod outlook;
mod peak;
mod regression;
mod residuals;
mod samples;
mod scale;
mod series;
mod weights;

pub use copies::{Copies, Counts};
pub use counters::{CounterCopy, Rates, concurrency, rates};
pub use fit::{Forecaster, Step};
pub use growth::Growth;
pub use history::History;
pub use least_squares::LeastSquares;
pub use members::Member;
pub use outcome::{Evidence, Forecast, MemberEvidence};
pub use outlook::{Ahead, LEVEL, ahead, by_littles_law, outlook};
pub use peak::PeakRule;
pub use samples::{Regular, Repairs, regularise};
pub use series::{DAY_SECONDS, Series};
