//! How much does a node bear? A short bench in scratch tables in its tablespace, and what came out is kept with its date.
//!
//! [`bench`] measures in one process, [`crew`] lets several work at the same time, each of them a [`client`]. All scratch
//! tables are made in transactions that are rolled back: nothing of them can stay, whatever is killed.

mod bench;
mod client;
mod crew;
mod store;

use super::error::Result;
use super::ffi::{Session, subtransaction, unlisted};
use super::{catalog, nodes, precheck};
use bench::{Bench, Figures, MOST_BYTES};
use crew::Ground;
use foreshard_core::capacity::{OVERHEAD_SECONDS, Point, fit, from_outside};
use foreshard_core::model::node::Location;
use foreshard_core::model::words::{list, percent, thousands};
use foreshard_core::model::{CalibrationConfig, Problem};
use pgrx::pg_sys;

/// One line of the result.
#[derive(Debug)]
pub struct Measure {
    pub name: &'static str,
    pub value: Option<f64>,
    pub unit: &'static str,
    pub note: String,
}

/// What came out, as it is kept.
#[derive(Debug)]
struct Outcome {
    figures: Figures,
    reads: Option<(f64, Option<f64>)>,
    writes: Option<(f64, Option<f64>)>,
}

impl Outcome {
    /// Clients beyond which one of the two gets slower.
    fn clients(&self) -> Option<f64> {
        let peaks = [&self.reads, &self.writes].map(|of| of.and_then(|o| o.1));
        peaks.into_iter().flatten().reduce(f64::min)
    }
}

/// Measures a node, and keeps what came out.
///
/// # Errors
/// 42704 for an unknown node, 0A000 for one that is not on this server, 55006 while another calibration runs, 53100 without
/// room for the scratch tables, 25006 and 42501 where the caller may not.
pub fn calibrate(name: &str, config: &CalibrationConfig, session: &Session) -> Result<Vec<Measure>> {
    precheck::writable("calibrate a node")?;
    store::claim()?;
    let node = nodes::claim(name)?;
    let Location::Tablespace(tablespace) = &node.location else {
        return Err(Problem::new("0A000", format!("node \"{name}\" cannot be calibrated yet"))
            .detail("It is a foreign server, and this version measures tablespaces of its own server only.")
            .hint("Give it a capacity with foreshard.alter_node.")
            .into());
    };
    let Some(schema) = &session.schema else {
        return Err(Problem::new("3F000", "no schema has been selected to create in")
            .detail("The scratch tables are made where CREATE TABLE would make them.")
            .hint("Set the search_path to a schema that you may create in.")
            .into());
    };
    // Its rows, their write-ahead log, and the clients' tables.
    let room = MOST_BYTES * 4;
    if let Some(free) = node.free_bytes.filter(|free| *free < room) {
        return Err(Problem::new("53100", format!("node \"{name}\" has no room to be calibrated"))
            .detail(format!("Scratch tables take up to {room} bytes for a moment; {free} are free."))
            .hint("Free space there.")
            .into());
    }
    session.set("jit", "off");
    session.set("max_parallel_workers_per_gather", "0");
    let tablespace = Some(tablespace.as_str()).filter(|t| *t != "pg_default");
    let ground = Ground {
        schema: catalog::schema_oid(schema)?.unwrap_or(pg_sys::InvalidOid),
        tablespace: tablespace.map(catalog::tablespace_oid).transpose()?.flatten(),
    };
    let alone = !catalog::may_log_in()?;
    let (seconds, clients) = (config.seconds, config.clients);
    let bench = Bench { schema, tablespace, ground, seconds, clients, alone };
    let figures = {
        let _unlisted = unlisted();
        subtransaction(false, || bench.run())?
    };
    let best = |points: &[Point]| from_outside(points).map(|(rate, peak)| (rate.round(), peak.map(tenths)));
    let outcome = Outcome { reads: best(&figures.reads), writes: best(&figures.writes), figures };
    store::keep(name, &outcome)?;
    Ok(measures(&outcome))
}

/// Nobody knows more digits of what differs from run to run.
fn tenths(x: f64) -> f64 {
    (x * 10.0).round() / 10.0
}

/// No two processes at the same time have one name.
fn scratch_name() -> String {
    format!("foreshard_calibration_{}", std::process::id())
}

fn measures(outcome: &Outcome) -> Vec<Measure> {
    let figures = &outcome.figures;
    let line = |name, value, unit, note: String| Measure { name, value, unit, note };
    let rate = |points: &[Point]| {
        let seen: Vec<String> =
            points.iter().map(|p| format!("{} by {}", thousands(p.rate.round() as u64), p.clients)).collect();
        let law = match fit(points) {
            Ok(usl) => format!(
                "queueing {}, keeping in step {} (Universal Scalability Law, at most {} off)",
                percent(usl.sigma),
                percent(usl.kappa),
                percent(usl.off)
            ),
            Err(_) => "too few numbers of clients for a curve".to_owned(),
        };
        let fewer = figures.fewer.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
        let overhead = OVERHEAD_SECONDS * 1e6;
        format!(
            "in the server itself {}; {law}{fewer}; {overhead:.0} microseconds for each to come and go",
            list(&seen, 8)
        )
    };
    vec![
        line("point reads", outcome.reads.map(|r| r.0), "per second", rate(&figures.reads)),
        line(
            "writes",
            outcome.writes.map(|w| w.0),
            "per second",
            format!("{}; updates and inserts in turn, {}", rate(&figures.writes), figures.logged),
        ),
        line(
            "clients",
            outcome.clients(),
            "clients",
            match outcome.clients() {
                Some(_) => "beyond it reads or writes get slower".to_owned(),
                None => "no number of clients was seen beyond which it gets slower".to_owned(),
            },
        ),
        line("scan", Some(figures.scanned_mb), "MB per second", "one process, from the cache".to_owned()),
        line(
            "copy",
            Some(figures.copied_rows),
            "rows per second",
            "one process, rows of about 95 bytes, with the checksum that a restore takes, without indexes".to_owned(),
        ),
        line("copy bytes", Some(figures.copied_mb), "MB per second", "the same, in bytes of text".to_owned()),
        line(
            "planning",
            Some(figures.planning),
            "microseconds per partition",
            "the planner's own time for a statement that leaves no partition out, between 8 and 64".to_owned(),
        ),
    ]
}
