//! From a plan to the restored table: create, load, verify, indexes and the rest, the ledger; all in the caller's
//! transaction. What comes before is the same road as planning, in [`super::prepare`].

use super::create::{Builder, Phase};
use super::error::Result;
use super::ffi::Session;
use super::finish::Work;
use super::prepare::prepare;
use super::remote::Staging;
use super::request::Request;
use super::unfinished::{self, Progress};
use super::{archive, claim, progress};
use foreshard_core::model::config::OnFailure;
use foreshard_core::model::plan::Note;
use foreshard_core::model::{Plan, TableName};
use std::time::Instant;

/// What a restore did.
#[derive(Debug)]
pub struct Outcome {
    pub job_id: i64,
    pub plan_id: i64,
    pub plan: Plan,
    pub rows: u64,
    pub seconds: f64,
    /// Why it is not finished, and what was kept.
    pub failure: Option<Note>,
}

/// The whole road.
pub fn restore(request: &Request, session: &Session) -> Result<Outcome> {
    let begun = Instant::now();
    claim::take(&request.target)?;
    let _shown = progress::begin(&request.target.to_string(), &request.backup);
    archive::lock(&request.backup, session.schema.as_deref())?;
    let resumed = request.resume.map(|job| unfinished::open(job, &request.target)).transpose()?;
    let prepared = prepare(request, session)?;
    let blueprint = prepared.blueprint()?;
    let builder = Builder::new(&blueprint);
    let plan = &prepared.plan;
    let shards: Vec<TableName> = plan.layout.shards.iter().map(|s| blueprint.shard_name(s.ordinal)).collect();
    let whole = [request.target.clone()];
    let leaves = if plan.layout.method.shards() { shards.as_slice() } else { &whole };
    progress::phase(progress::Phase::Creating);
    let keep = request.config.on_failure == OnFailure::Keep;
    let identity = if keep { prepared.backup.identity()? } else { None };
    let mut staging = None;
    let mut done = match &resumed {
        Some(resumed) => {
            resumed.must_be_backup(identity.as_deref())?;
            resumed.take_up(session, &request.target)?;
            progress::expect(plan.text_bytes.unwrap_or_default());
            resumed.progress.clone()
        }
        None => {
            for note in &plan.notes {
                pgrx::notice!("{} {} {}: {}", note.kind, note.object, note.what, note.because);
            }
            staging = Staging::begin(&blueprint, &plan.layout, request.config.synchronous)?;
            builder.run(Phase::BeforeLoad)?;
            if keep {
                // Who goes on with it finds them there.
                builder.run(Phase::Checks)?;
                Progress::new(leaves, identity)?
            } else {
                Progress::default()
            }
        }
    };
    let work = Work {
        request,
        session,
        prepared: &prepared,
        blueprint: &blueprint,
        builder: &builder,
        shards: &shards,
        leaves,
        keep,
        resumed: resumed.as_ref().map(|r| r.job),
    };
    let (job_id, failure) = match work.finish(staging, &mut done) {
        Ok(job) => (job, None),
        Err(error) if keep && error.is_outside() => {
            let kept = unfinished::keep(request, &blueprint, prepared.plan_id, work.resumed, &done, error)?;
            (kept.job, Some(kept.note))
        }
        Err(error) => return Err(error),
    };
    Ok(Outcome {
        job_id,
        plan_id: prepared.plan_id,
        plan: plan.clone(),
        rows: done.reached.rows,
        seconds: begun.elapsed().as_secs_f64(),
        failure,
    })
}
