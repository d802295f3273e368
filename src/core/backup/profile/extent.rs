//! How many rows are read for a profile.
//!
//! Every row read before planning is read again by the load. So a large table is read up to a bound, if the backup tells how
//! much is left, and what was not read is told from what was ([`super::beyond`]). Where the choice stands on values that the first
//! rows do not show, all rows are read after all.

use crate::model::config::Profiling;
use crate::model::profile::{ProfileKind, Profiled};
use crate::model::words::{bytes, list, percent};
use crate::model::{Config, Method, Plan};

/// Text read of a large table. Measured with benches/profile.rs: 0.2 to 0.5 s of a release build; and with rows of a kilobyte,
/// what a thousandth of them have is still met 64 times.
pub const SAMPLE_BYTES: u64 = 64 << 20;
/// Share of the rows up to which sparing the rest is worth knowing less. Assumed: no less than half of the reading.
const WORTH_STOPPING: f64 = 0.5;

/// What a pass over the rows came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pass {
    /// All rows, before the bound.
    Short,
    /// All rows: at the bound nobody knew how much was left.
    Unmeasured,
    /// All rows: at the bound it had come to this share of them.
    Nearly(f64),
    /// This share of the rows, above 0 and below 1.
    Stopped(f64),
}

impl Pass {
    /// What a pass does that has come to the bound, and to this share of the rows.
    pub fn at_bound(asked: Profiling, share: Option<f64>) -> Self {
        let most = if asked == Profiling::Sample { 1.0 } else { WORTH_STOPPING };
        match share.filter(|share| share.is_finite()) {
            Some(share) if share > 0.0 && share < 1.0 && share <= most => Self::Stopped(share),
            Some(share) => Self::Nearly(share.clamp(0.0, 1.0)),
            None => Self::Unmeasured,
        }
    }

    /// For the plan. `needed` is why all rows had to be read.
    pub fn told(self, asked: Profiling, needed: Option<String>) -> Profiled {
        let bound = bytes(SAMPLE_BYTES as f64);
        let whole = |because| Profiled { kind: ProfileKind::Whole, share: 1.0, because };
        let sample = |share, because| Profiled { kind: ProfileKind::Sample, share, because };
        match (self, asked, needed) {
            (_, _, Some(needed)) => whole(needed),
            (_, Profiling::Whole, None) => whole("The config asks for all rows.".to_owned()),
            (Self::Short, ..) => whole(format!("They have no more than {bound} of text.")),
            (Self::Unmeasured, ..) => whole("The backup does not tell how many there are.".to_owned()),
            (Self::Nearly(share), ..) => whole(format!("The first {bound} were {} of them already.", percent(share))),
            (Self::Stopped(share), Profiling::Sample, None) => {
                sample(share, format!("The config asks for the first {bound} alone."))
            }
            (Self::Stopped(share), ..) => {
                sample(share, format!("The first {bound} tell enough for this layout, and the load reads all rows."))
            }
        }
    }
}

/// Of a backup whose rows were not read at all.
pub fn not_read() -> Profiled {
    Profiled { kind: ProfileKind::None, share: 0.0, because: "The config switches it off.".to_owned() }
}

/// Why all rows are needed, whatever they are: the config's layout asks for it, or they are in several `parts`, partitions or
/// files, of which the first may have other values than the rest.
pub fn needed_by(config: &Config, parts: usize) -> Option<String> {
    let cut = |method: Option<Method>| matches!(method, Some(Method::Range | Method::List));
    if cut(config.method) || config.within.is_some() {
        return Some("The layout that the config asks for is cut by values.".to_owned());
    }
    (parts > 1).then(|| format!("They are in {parts} parts, of which the first may be unlike the others."))
}

/// Why a plan that was made by a sample needs all rows. `untold` are the columns of [`super::Sampled`].
pub fn needed_after(plan: &Plan, untold: &[String]) -> Option<String> {
    let layout = &plan.layout;
    let levels = [Some((layout.method, &layout.key)), layout.within.as_ref().map(|w| (w.method, &w.key))];
    let mut levels = levels.into_iter().flatten();
    if let Some((method, key)) = levels.find(|(method, _)| matches!(method, Method::Range | Method::List)) {
        return Some(format!("A {} of {} is cut by all its values.", method.name(), list(key, 3)));
    }
    let weighed = plan.candidates.iter().flat_map(|c| c.columns());
    let mut columns: Vec<String> = weighed.filter(|c| untold.contains(c)).collect();
    columns.sort();
    columns.dedup();
    (!columns.is_empty())
        .then(|| format!("The first rows show too few values of {}, which may be a key.", list(&columns, 3)))
}
