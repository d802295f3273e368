//! Moves of shards between other servers: a copy by logical replication takes the shard's place.
//!
//! Each step can be repeated, and holds no transaction here while it waits for the nodes, but for the switch, which has its time. What is made
//! there has names that the job's record tells before anything is made: as long as the job is under way no sweep takes it away, and
//! afterwards any does. The table here is never locked, only the shard's own entry, when the copy has come after it.

use super::facts;
use super::records;
use super::subject::{Shard, Subject};
use super::switch::{self, Held};
use super::task::{Away, Kind, Task, working_name};
use super::transaction::{outside, transaction};
use crate::pg::error::Result;
use crate::pg::ffi::{self, Session, quote_literal, quote_table};
use crate::pg::remote::fit::{self, Needs};
use crate::pg::remote::held::at_once;
use crate::pg::remote::link::{self, Link, drop_publication, drop_subscription};
use crate::pg::remote::{Answer, Connection, Names, describe, digest, drop_schema, drop_shard, make, repoint};
use crate::pg::replica::record::{address_for_others, server_of};
use crate::pg::replica::states::{heard, open};
use crate::pg::settings;
use crate::pg::worker::process::Isolation;
use foreshard_core::model::{Node, Problem, ReshardConfig, TableName};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// # Errors
/// 0A000 for a shard with copies, one that cannot be copied, or a node of this server; what [`fit::unfit`] says.
pub fn plan(
    subject: &Subject,
    shard: &Shard,
    to: &Node,
    config: &ReshardConfig,
    (job, number): (i64, i32),
) -> Result<Task> {
    let copies: Option<bool> = Spi::get_one_with_args(
        "SELECT EXISTS (SELECT FROM foreshard._replicas WHERE shard = $1::pg_catalog.regclass)",
        &[shard.oid.into()],
    )?;
    if copies == Some(true) {
        return Err(Problem::new("0A000", format!("shard {} has copies on other nodes", quote_table(&shard.name)))
            .detail("This version does not move such shards.")
            .into());
    }
    let there = place(shard.oid)?;
    let (mut source, mut target) = (open(&shard.node)?, open(&to.name)?);
    let mut problems = fit::unfit(&mut source, Needs { out: 1, ..Needs::default() })?;
    problems.extend(fit::unfit(&mut target, Needs { into: 1, ..Needs::default() })?);
    if problems.is_empty() {
        problems.extend(link::unreachable(&mut target, &shard.node, &address_for_others(&shard.node)?)?);
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    describe(&mut source, &there)?;
    // Its transaction is the one that records the job. Of a table with several shards under way, each has a link of its own.
    let link = Link::new(&there, &shard.node, &to.name, vec![there.clone()])?;
    Ok(Task {
        kind: Kind::Move,
        table: subject.table.clone(),
        relation: subject.relation.to_u32(),
        parent: shard.parent.to_u32(),
        owner: subject.owner.to_u32(),
        cut: String::new(),
        old: vec![shard.old()],
        new: Vec::new(),
        part: None,
        dissolved: None,
        shell: working_name(&subject.table, "shell", job, number),
        log: working_name(&subject.table, "log", job, number),
        key: Vec::new(),
        columns: Vec::new(),
        definition: facts::definition(shard.oid)?,
        keep: config.keep.unwrap_or_else(settings::keep_old_shards),
        verify: config.verify.unwrap_or(true),
        max_lock_ms: settings::max_lock_ms(),
        copy_share: settings::copy_share(),
        away: Some(Away {
            from: link.from,
            to: link.to,
            there,
            link: link.name,
            mark: Names::new(&subject.table)?.mark(),
        }),
    })
}

/// What a shard is called on its node.
fn place(shard: pg_sys::Oid) -> Result<TableName> {
    let option = |name: &str| {
        Spi::get_one_with_args::<String>(
            "SELECT (SELECT option_value FROM pg_catalog.pg_foreign_table f, pg_catalog.pg_options_to_table(f.ftoptions)
                     WHERE f.ftrelid = $1 AND option_name = $2)",
            &[shard.into(), name.into()],
        )
    };
    Ok(TableName::new(option("schema_name")?.unwrap_or_default(), option("table_name")?.unwrap_or_default()))
}

/// The shard lives on that node.
fn is_on(task: &Task, node: &str) -> Result<bool> {
    let Some(old) = task.old.first() else { return Ok(false) };
    let found: Option<bool> = Spi::get_one_with_args(
        "SELECT EXISTS (SELECT FROM foreshard._shards WHERE shard = $1::pg_catalog.regclass AND node = $2)",
        &[old.relation().into(), node.into()],
    )?;
    Ok(found == Some(true))
}

/// Makes the empty copy, in a transaction of the caller's.
///
/// # Errors
/// 55000 where the table or the shard's place is not what it was, 55P03 for a lock on the node that is not to be had.
pub fn create(task: &Task, away: &Away) -> Result<()> {
    switch::unchanged(task)?;
    here(task, away)?;
    // What was kept when the shard moved away from there, and what an attempt has left.
    records::replaced(&away.to, &away.there)?;
    let (mut source, mut target) = (open(&away.from)?, open(&away.to)?);
    let levels = describe(&mut source, &away.there)?;
    target.query(&drop_shard(&away.there, task.max_lock_ms))?;
    make(&mut target, &levels, &away.mark, task.max_lock_ms)
}

fn here(task: &Task, away: &Away) -> Result<()> {
    if is_on(task, &away.from)? {
        return Ok(());
    }
    Err(Problem::new("55000", format!("the shard is not on node \"{}\" any more", away.from)).into())
}

/// Both nodes, outside of a transaction or in one.
pub struct Pair {
    source: Connection,
    target: Connection,
    /// Has the shard locked, until it is closed.
    locker: Connection,
    ask: fn(&mut Connection, &str) -> Result<Answer>,
}

fn ask(connection: &mut Connection, sql: &str) -> Result<Answer> {
    outside(|| connection.query(sql))
}

impl Pair {
    /// For waits that may be long.
    pub fn open(away: &Away) -> Result<Self> {
        transaction(Isolation::ReadCommitted, |_| {
            Ok(Self { source: open(&away.from)?, target: open(&away.to)?, locker: open(&away.from)?, ask })
        })
    }

    /// For a transaction here, whose own means end a wait.
    pub fn within(self) -> Self {
        Self { ask: Connection::query, ..self }
    }

    /// The publication and its slot, from which on changes are kept for the copy.
    pub fn capture(&mut self, away: &Away) -> Result<()> {
        let (link, name) = (away.link(), quote_literal(&away.link));
        let published = format!("SELECT FROM pg_catalog.pg_publication WHERE pubname = {name}");
        if (self.ask)(&mut self.source, &published)?.rows.is_empty() {
            (self.ask)(&mut self.source, &link.publication())?;
        }
        // Waits for all transactions that are under way there.
        let slot = format!(
            "SELECT {} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = {name})",
            link.slot()
        );
        (self.ask)(&mut self.source, &slot).map(drop)
    }

    /// The subscription, until it has copied the rows. `address`: of the source, for the target.
    pub fn copy(&mut self, away: &Away, address: &str) -> Result<()> {
        let of = format!(
            "FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
             LEFT JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid WHERE s.subname = {}",
            quote_literal(&away.link)
        );
        if (self.ask)(&mut self.target, &format!("SELECT {of}"))?.rows.is_empty() {
            (self.ask)(&mut self.target, &away.link().subscription(address, true, true))?;
        }
        until(self.ask, &mut self.target, &format!("SELECT pg_catalog.bool_and(r.srsubstate = 'r') {of}"), None)
    }

    pub fn analyze(&mut self, away: &Away) -> Result<()> {
        (self.ask)(&mut self.target, &format!("ANALYZE {}", quote_table(&away.there))).map(drop)
    }

    /// The copy has all that is committed by now, and nobody at its node has a snapshot from before that.
    pub fn catch_up(&mut self, away: &Away, end: Option<Instant>) -> Result<()> {
        self.arrived(away, end)?;
        // Transactions of postgres_fdw keep the snapshot that they have begun with on a node.
        let now = (self.ask)(&mut self.target, "SELECT pg_catalog.clock_timestamp()")?;
        let nobody = format!(
            "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend'
                 AND pid <> pg_catalog.pg_backend_pid() AND backend_xmin IS NOT NULL AND xact_start <= {}::pg_catalog.timestamptz)",
            quote_literal(now.first(0).unwrap_or_default())
        );
        until(self.ask, &mut self.target, &nobody, end)
    }

    fn arrived(&mut self, away: &Away, end: Option<Instant>) -> Result<()> {
        // A commit, so that all before it is on disk, and sent.
        (self.ask)(&mut self.source, "SELECT pg_catalog.pg_logical_emit_message(true, 'foreshard', '')")?;
        let written = (self.ask)(&mut self.source, "SELECT pg_catalog.pg_current_wal_flush_lsn()")?;
        let confirmed = format!(
            "SELECT CASE WHEN wal_status <> 'lost' THEN confirmed_flush_lsn >= {}::pg_catalog.pg_lsn END
             FROM pg_catalog.pg_replication_slots WHERE slot_name = {}",
            quote_literal(written.first(0).unwrap_or_default()),
            quote_literal(&away.link)
        );
        until(self.ask, &mut self.source, &confirmed, end)
    }

    /// Nobody writes to the shard from now on, until [`Self::release`], or the end of the connection.
    fn lock(&mut self, task: &Task, away: &Away) -> Result<()> {
        let lock = format!(
            "BEGIN; SET LOCAL lock_timeout = '{}ms'; LOCK TABLE ONLY {} IN SHARE MODE",
            task.max_lock_ms,
            quote_table(&away.there)
        );
        (self.ask)(&mut self.locker, &lock).map(drop)
    }

    fn release(&mut self) -> Result<()> {
        (self.ask)(&mut self.locker, "ROLLBACK").map(drop)
    }

    /// Compares the shard and its copy as of one moment, for which alone writers wait; gives the number of rows.
    ///
    /// # Errors
    /// 55000 where they differ, 55P03 where the moment does not come in time.
    pub fn verify(&mut self, task: &Task, away: &Away) -> Result<u64> {
        self.lock(task, away)?;
        self.arrived(away, Some(end(task)))?;
        for connection in [&mut self.source, &mut self.target] {
            (self.ask)(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_catalog.pg_current_snapshot()")?;
        }
        self.release()?;
        let sql = digest::ask(std::slice::from_ref(&away.there), true);
        let mut asked = [(&mut self.source, sql.clone()), (&mut self.target, sql)];
        let told: Vec<_> = outside(|| at_once(&mut asked))?.iter().map(digest::answered).collect();
        match told.as_slice() {
            [shard, copy] if shard == copy => Ok(shard.first().map_or(0, |digest| digest.rows)),
            _ => {
                Err(Problem::new("55000", format!("the copy of {} is not what the shard is", quote_table(&away.there)))
                    .detail(format!("The rows on node \"{}\" differ from those on node \"{}\".", away.to, away.from))
                    .hint("Does anybody write to the nodes past this server?")
                    .into())
            }
        }
    }

    /// One attempt to let the copy take the shard's place when the caller's transaction commits; only then are the connections to be closed.
    ///
    /// # Errors
    /// 55P03 when it takes too long, 55000 where the table was changed, and what the nodes say.
    pub fn switch(&mut self, task: &Task, away: &Away, session: &Session, held: &mut Held) -> Result<()> {
        let Some(old) = task.old.first() else { return Ok(()) };
        let server = server_of(&away.to)?.0;
        let end = end(task);
        session.set("lock_timeout", &format!("{}ms", task.max_lock_ms));
        here(task, away)?;
        // LOCK TABLE is not for foreign tables; what changes them locks them.
        repoint(old.relation(), &away.to, &server, &away.there)?;
        held.begin();
        switch::unchanged(task)?;
        self.lock(task, away)?;
        self.catch_up(away, Some(end))?;
        // The old place is dropped next: a crash here must not bring it back.
        ffi::force_sync_commit();
        Ok(())
    }
}

fn end(task: &Task) -> Instant {
    Instant::now() + Duration::from_millis(task.max_lock_ms.into())
}

/// Waits until a node says true, but no longer than that.
fn until(
    ask: fn(&mut Connection, &str) -> Result<Answer>,
    connection: &mut Connection,
    question: &str,
    end: Option<Instant>,
) -> Result<()> {
    loop {
        match ask(connection, question)?.first(0) {
            Some("t") => return Ok(()),
            Some(_) => {}
            None => {
                return Err(Problem::new(
                    "55000",
                    format!("the copy does not follow its shard any more: node \"{}\" has lost it", connection.node()),
                )
                .detail("Its subscription or its slot is not there, or the slot keeps no WAL any more.")
                .into());
            }
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Err(Problem::new("55P03", "the copy has not come after its shard in time").into());
        }
        // The wait is the node's, and ends with a cancel here.
        ask(connection, "SELECT pg_catalog.pg_sleep(0.02)")?;
    }
}

/// How the target reaches the source.
pub fn address(away: &Away) -> Result<String> {
    transaction(Isolation::ReadCommitted, |_| address_for_others(&away.from))
}

/// After the switch: nothing follows any more.
pub fn drop_link(away: &Away) -> Result<()> {
    open(&away.to)?.query(&drop_subscription(&away.link))?;
    open(&away.from)?.query(&drop_publication(&away.link)).map(drop)
}

/// The old place goes, and what it was a part of with the last one; not where the shard has moved back to it.
pub fn drop_old(task: &Task, away: &Away) -> Result<()> {
    if is_on(task, &away.from)? {
        return Ok(());
    }
    let mut source = open(&away.from)?;
    source.query(&drop_shard(&away.there, task.max_lock_ms))?;
    source.query(&drop_schema()).map(drop)
}

/// Takes back all that was made. What a node does not hear now is left to a sweep, which finds that no job names it.
///
/// # Errors
/// 55P03 for a lock that is not to be had, 57014 for a cancel.
pub fn undo(task: &Task, away: &Away) -> Result<()> {
    if is_on(task, &away.to)? {
        return Ok(());
    }
    match take_back(task, away) {
        Err(error) if error.is("55P03") || error.is("40P01") || error.is("57014") => Err(error),
        Err(error) => {
            for problem in error.into_problems() {
                pgrx::log!(
                    "what was made to move {} is left for sweep_nodes: {}",
                    quote_table(&away.there),
                    problem.message
                );
            }
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn take_back(task: &Task, away: &Away) -> Result<()> {
    let mut target = open(&away.to)?;
    let Some(mut source) = heard(open(&away.from))? else {
        // Its slots would stay for ever, those of a copy under way under names that nobody knows.
        let disable = format!(
            "DO $$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_subscription WHERE subname = {}) THEN ALTER SUBSCRIPTION {} DISABLE; END IF; END $$",
            quote_literal(&away.link),
            ffi::quote_ident(&away.link)
        );
        return target.query(&disable).map(drop);
    };
    target.query(&drop_subscription(&away.link))?;
    source.query(&drop_publication(&away.link))?;
    target.query(&drop_shard(&away.there, task.max_lock_ms))?;
    target.query(&drop_schema()).map(drop)
}
