//! What may be done to a table by itself, and when: the guard rails. Each that stands in the way says so.

use super::table::CEILING;
use crate::model::config::read_fields;
use crate::model::moves::Auto;
use crate::model::moves::Proposal;
use crate::model::words::{bytes, counted, figure, percent};
use crate::model::{Problem, Span};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a user may say of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    pub auto_reshard: Auto,
    /// `22:00-06:00`, by the server's time zone: moves begin in it only.
    pub window: Option<String>,
    pub moves_per_day: u32,
    pub bytes_per_day: u64,
    /// Rest of a shard after something was done to it.
    pub cool_down: Span,
    /// Share of a disk that stays free.
    pub free_disk: f64,
    /// How far copies may be behind.
    pub max_lag: Span,
    /// A transaction older than that is waited for.
    pub long_transaction: Span,
    /// Use of a server, one that was calibrated, beyond which no copy is begun there.
    pub load_ceiling: f64,
    /// How far ahead a move must have paid for itself.
    pub horizon: Span,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            auto_reshard: Auto::On,
            window: None,
            // Assumed, all of them: little enough that nobody is surprised, enough to follow a load that changes by the day.
            moves_per_day: 48,
            bytes_per_day: 500 << 30,
            cool_down: Span(3_600),
            free_disk: 0.1,
            max_lag: Span(30),
            long_transaction: Span(600),
            load_ceiling: 0.9,
            horizon: Span(86_400),
        }
    }
}

/// Seconds of a day.
const DAY: i64 = 86_400;

impl Policy {
    /// Reads a policy, every problem of it at once.
    pub fn read(document: &Value) -> Result<Self, Vec<Problem>> {
        let policy: Self = read_fields(document, "{\"auto_reshard\": \"advise\", \"window\": \"22:00-06:00\"}")?;
        let mut problems = Vec::new();
        let mut wrong = |field: &str, detail: &str| {
            let problem = Problem::new("22023", format!("policy field \"{field}\" is out of range"));
            problems.push(problem.detail(detail));
        };
        if policy.window.as_deref().is_some_and(|w| window(w).is_none()) {
            wrong("window", "A window is two times of a day, such as 22:00-06:00.");
        }
        for (field, share) in [("free_disk", policy.free_disk), ("load_ceiling", policy.load_ceiling)] {
            if !(0.0..=1.0).contains(&share) {
                wrong(field, "It is a share, between 0 and 1.");
            }
        }
        for (field, span) in [
            ("cool_down", policy.cool_down),
            ("max_lag", policy.max_lag),
            ("long_transaction", policy.long_transaction),
        ] {
            if span.0 < 0 {
                wrong(field, "It is no time in the past.");
            }
        }
        if !(3_600..=14 * DAY).contains(&policy.horizon.0) {
            wrong("horizon", "It is between an hour and two weeks.");
        }
        if problems.is_empty() { Ok(policy) } else { Err(problems) }
    }
}

/// Beginning and end, in seconds of the day.
fn window(text: &str) -> Option<(i64, i64)> {
    let time = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
        ((0..=24).contains(&hour) && (0..60).contains(&minute)).then_some(hour * 3_600 + minute * 60)
    };
    let (from, to) = text.split_once('-')?;
    Some((time(from)?, time(to)?))
}

/// How things are when something is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Circumstances {
    /// Seconds since midnight, in the server's time zone.
    pub second_of_day: i64,
    pub moves_today: u32,
    pub bytes_today: f64,
    /// A job works on the table.
    pub job: Option<i64>,
    /// Free bytes of the disk that the copy goes to, and all of it.
    pub disk: Option<(f64, f64)>,
    pub lag_seconds: Option<f64>,
    pub oldest_transaction_seconds: f64,
    /// Use of the servers that a copy would be made from and to, where they were calibrated.
    pub used: Option<f64>,
    /// The quietest slot before the overload, and now, as shares of what the server bears.
    pub quietest: Option<(usize, f64)>,
    pub used_now: f64,
}

/// Why nothing is done yet; none where it can be.
pub fn obstacles(policy: &Policy, proposal: &Proposal, how: &Circumstances, slot_seconds: f64) -> Vec<String> {
    let mut found = Vec::new();
    let mut unless = |fine: bool, why: String| {
        if !fine {
            found.push(why);
        }
    };
    if let Some(job) = how.job {
        unless(false, format!("job {job} works on the table"));
    }
    if let Some((text, (from, to))) = policy.window.as_deref().and_then(|text| Some((text, window(text)?))) {
        let now = how.second_of_day;
        let inside = if from <= to { (from..to).contains(&now) } else { now >= from || now < to };
        unless(inside, format!("it is outside of the window {text}"));
    } else if let (Some((slot, use_then)), true) = (how.quietest, proposal.ahead > 0) {
        // Without a window the quietest time before the peak is one.
        let now = how.used_now <= use_then * QUIET || slot == 0;
        unless(
            now,
            format!("in {} minutes it will be quieter, and early enough", figure(slot as f64 * slot_seconds / 60.0)),
        );
    }
    unless(
        how.moves_today < policy.moves_per_day,
        format!("the {} a day are used up", counted(policy.moves_per_day.into(), "move")),
    );
    unless(
        how.bytes_today + proposal.bytes <= policy.bytes_per_day as f64,
        format!(
            "{} would be more than the {} a day",
            bytes(how.bytes_today + proposal.bytes),
            bytes(policy.bytes_per_day as f64)
        ),
    );
    if let Some((free, all)) = how.disk {
        let left = (free - proposal.bytes) / all.max(1.0);
        unless(
            left >= policy.free_disk,
            format!("it would leave {} of the disk free, less than {}", percent(left), percent(policy.free_disk)),
        );
    }
    if let Some(lag) = how.lag_seconds {
        unless(lag <= policy.max_lag.0 as f64, format!("copies are {} s behind", figure(lag)));
    }
    unless(
        how.oldest_transaction_seconds <= policy.long_transaction.0 as f64,
        format!("a transaction is {} s old, and would be waited for", figure(how.oldest_transaction_seconds)),
    );
    if let Some(used) = how.used {
        unless(
            used <= policy.load_ceiling.max(CEILING.0),
            format!("the server is at {}, and a copy would add to that", percent(used)),
        );
    }
    found
}

/// A load is as quiet as another up to this factor. Assumed.
const QUIET: f64 = 1.15;
