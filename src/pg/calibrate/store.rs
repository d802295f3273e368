//! What was measured, kept with its date, for this server alone.

use super::Outcome;
use crate::pg::error::Result;
use foreshard_core::capacity::{Point, fit};
use foreshard_core::model::Problem;
use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::{Value, json};

/// Two calibrations at once would measure each other.
///
/// # Errors
/// 55006 while another transaction has one.
pub fn claim() -> Result<()> {
    let taken: Option<bool> = Spi::get_one(
        "SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('foreshard: calibration', 0))",
    )?;
    if taken == Some(true) {
        return Ok(());
    }
    Err(Problem::new("55006", "another calibration is running")
        .detail("Two at once would measure each other.")
        .hint("Wait for the end of its transaction.")
        .into())
}

pub fn keep(node: &str, outcome: &Outcome) -> Result<()> {
    let figures = &outcome.figures;
    let details = json!({ "reads": points(&figures.reads), "writes": points(&figures.writes) });
    Spi::run_with_args(
        "INSERT INTO foreshard._calibrations AS c (node, calibrated_at, calibrated_by, server_version, system_identifier,
             reads_per_second, writes_per_second, scan_mb_per_second, copy_rows_per_second, copy_mb_per_second,
             planning_us_per_partition, clients, details)
         SELECT $1, pg_catalog.clock_timestamp(), current_user, pg_catalog.current_setting('server_version'),
                s.system_identifier, $2, $3, $4, $5, $6, $7, $8, $9
         FROM pg_catalog.pg_control_system() s
         ON CONFLICT (node) DO UPDATE SET
             (calibrated_at, calibrated_by, server_version, system_identifier, reads_per_second, writes_per_second,
              scan_mb_per_second, copy_rows_per_second, copy_mb_per_second, planning_us_per_partition, clients, details)
           = (excluded.calibrated_at, excluded.calibrated_by, excluded.server_version, excluded.system_identifier,
              excluded.reads_per_second, excluded.writes_per_second, excluded.scan_mb_per_second,
              excluded.copy_rows_per_second, excluded.copy_mb_per_second, excluded.planning_us_per_partition,
              excluded.clients, excluded.details)",
        &[
            node.into(),
            outcome.reads.map(|r| r.0).into(),
            outcome.writes.map(|w| w.0).into(),
            figures.scanned_mb.into(),
            figures.copied_rows.into(),
            figures.copied_mb.into(),
            figures.planning.into(),
            outcome.clients().into(),
            JsonB(details).into(),
        ],
    )?;
    Ok(())
}

/// The rates as they were seen, and the curve through them where there is one.
fn points(points: &[Point]) -> Value {
    let seen: Vec<Value> = points.iter().map(|p| json!({"clients": p.clients, "per_second": p.rate.round()})).collect();
    let law = fit(points).ok();
    let law = law.map(|l| json!({"lambda": l.lambda, "sigma": l.sigma, "kappa": l.kappa, "off": l.off}));
    json!({ "seen": seen, "law": law })
}
