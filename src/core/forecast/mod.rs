//! Load history to forecast: a series of what was measured becomes, for every slot ahead, what to expect and an interval.

mod backtest;
mod features;
mod fit;
mod history;
mod least_squares;
mod members;
mod regression;
mod residuals;
mod series;
mod weights;

pub use fit::{Forecaster, Step};
pub use history::History;
pub use least_squares::LeastSquares;
pub use members::Member;
pub use series::{DAY_SECONDS, Series};
