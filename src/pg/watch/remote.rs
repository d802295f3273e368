//! One look at the shards of other servers: all nodes are asked at the same time, each once, and whoever has not answered when patience
//! ends does not answer. Connections stay open from look to look.
//!
//! A node is asked as the owner of the shards' tables is known there: what the monitor may see is what their owner may.

use super::measure::{BYTES, COUNTED, INDEXES, LOCKED, Look, NUMBERS, Shard};
use crate::pg::error::{Error, Result};
use crate::pg::ffi::{self, ActingAs};
use crate::pg::remote::link::ours;
use crate::pg::remote::{Address, Answer, Connection, Opening, session};
use foreshard_core::model::Problem;
use pgrx::pg_sys;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// For all nodes together: a look must end before the next one is due, and before DROP DATABASE gives up. Assumed.
const PATIENCE: Duration = Duration::from_secs(3);
/// A node gives up a look by itself after this many milliseconds, so that one that is busy is not asked twice at a time.
const THERE: u32 = 2_500;

/// Who is asked as whom: server and role.
type Key = (String, u32);

/// The connections that are open.
#[derive(Debug, Default)]
pub struct Remote {
    open: BTreeMap<Key, Connection>,
}

/// What came of asking one node.
#[derive(Debug)]
pub struct Asked {
    pub node: String,
    /// What it says of itself; or why it did not answer.
    pub answer: std::result::Result<Said, Problem>,
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Said {
    /// What its sessions wait for, by kind.
    pub waits: serde_json::Value,
    /// Where its write-ahead log is, and how much of that each of its copies has.
    pub followers: BTreeMap<String, (u64, u64)>,
}

/// A node that is being asked.
#[derive(Debug)]
enum State {
    Opening(Opening),
    /// The first statements of a session are under way.
    Greeting(Connection),
    Asking(Connection),
    Answered(Connection, Answer),
    Failed(Error),
}

struct Question {
    key: Key,
    node: String,
    /// Of the shards that it is about, their places among all.
    shards: Vec<usize>,
    sql: String,
    state: State,
}

impl Remote {
    /// Fills in the looks of shards on other servers. `idle` are nodes with their servers that have no shards: they are only asked
    /// whether they are there.
    pub fn look(&mut self, shards: &mut [Shard], idle: &[(String, String)], sized: bool) -> Result<Vec<Asked>> {
        let mut questions = self.questions(shards, idle, sized);
        let deadline = Instant::now() + PATIENCE;
        while questions.iter().any(Question::is_open) {
            for question in &mut questions {
                question.proceed();
            }
            if Instant::now() >= deadline {
                questions.iter_mut().filter(|q| q.is_open()).for_each(Question::give_up);
            }
            if questions.iter().any(Question::is_open) {
                let opening =
                    questions.iter().filter_map(|q| if let State::Opening(o) = &q.state { Some(o) } else { None });
                let asked = questions.iter().filter_map(|q| match &q.state {
                    State::Greeting(c) | State::Asking(c) => Some(c),
                    _ => None,
                });
                Connection::wait_for_all_of(opening, asked)?;
            }
        }
        Ok(questions.into_iter().map(|q| self.take(q, shards)).collect())
    }

    fn questions(&mut self, shards: &[Shard], idle: &[(String, String)], sized: bool) -> Vec<Question> {
        let mut wanted: BTreeMap<(Key, String), Vec<usize>> = BTreeMap::new();
        for (place, shard) in shards.iter().enumerate() {
            if let Some((server, _, _)) = &shard.away {
                let key = (server.clone(), shard.owner.to_u32());
                wanted.entry((key, shard.node.clone())).or_default().push(place);
            }
        }
        for (node, server) in idle {
            wanted.entry(((server.clone(), pg_sys::Oid::INVALID.to_u32()), node.clone())).or_default();
        }
        // Connections that nobody asks over any more are closed.
        self.open.retain(|key, _| wanted.keys().any(|(known, _)| known == key));
        let mut questions = Vec::new();
        for ((key, node), places) in wanted {
            let names = places.iter().filter_map(|place| shards.get(*place)?.away.as_ref());
            let sql = question(names.map(|(_, schema, table)| (schema.as_str(), table.as_str())), sized);
            let state = match self.open.remove(&key) {
                Some(mut connection) => match connection.send(&sql) {
                    Ok(()) => State::Asking(connection),
                    // It may have been closed there meanwhile.
                    Err(_) => opening(&node, &key),
                },
                None => opening(&node, &key),
            };
            questions.push(Question { key, node, shards: places, sql, state });
        }
        questions
    }

    fn take(&mut self, question: Question, shards: &mut [Shard]) -> Asked {
        let Question { key, node, shards: places, state, .. } = question;
        let (connection, answer) = match state {
            State::Answered(connection, answer) => (connection, answer),
            State::Failed(error) => {
                let problem = error.into_problems().into_iter().next();
                let problem = problem.unwrap_or_else(|| Problem::new("08006", "it did not answer"));
                return Asked { node, answer: Err(problem) };
            }
            _ => return Asked { node, answer: Err(Problem::new("08006", "it did not answer")) },
        };
        self.open.insert(key, connection);
        let mut said = Said::default();
        for row in &answer.rows {
            let field = |i: usize| row.get(i).and_then(Option::as_deref);
            let number = |i: usize| field(i).and_then(|text| text.parse::<f64>().ok());
            match field(0).and_then(|place| place.parse::<usize>().ok()) {
                Some(place) => {
                    let numbers: Vec<f64> = (2..2 + NUMBERS).map(|i| number(i).unwrap_or_default()).collect();
                    let shard =
                        place.checked_sub(1).and_then(|place| places.get(place)).and_then(|i| shards.get_mut(*i));
                    if let Some(shard) = shard {
                        shard.look = Look::of(&numbers, number(1));
                    }
                }
                None => said = field(13).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
            }
        }
        Asked { node, answer: Ok(said) }
    }
}

/// Begins to connect as a role; an error is what a look finds.
fn opening(node: &str, (server, owner): &Key) -> State {
    let begin = || {
        let role = pg_sys::Oid::from(*owner);
        let _acting = (role != pg_sys::Oid::INVALID).then(|| ActingAs::new(role));
        Opening::begin(node, &Address::of_server(server)?)
    };
    // What the server says of a mapping that cannot be read is no reason to stop.
    ffi::subtransaction(true, begin).map_or_else(State::Failed, State::Opening)
}

impl Question {
    fn is_open(&self) -> bool {
        matches!(self.state, State::Opening(_) | State::Greeting(_) | State::Asking(_))
    }

    fn give_up(&mut self) {
        let error = match &self.state {
            State::Opening(opening) => opening.late(),
            _ => Problem::new("08006", format!("node \"{}\" does not answer", self.node)).into(),
        };
        self.state = State::Failed(error);
    }

    /// As far as it goes without waiting.
    fn proceed(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Failed(Vec::new().into()));
        self.state = self.after(state).unwrap_or_else(State::Failed);
    }

    fn after(&self, state: State) -> Result<State> {
        Ok(match state {
            State::Opening(mut opening) => {
                if !opening.proceed()? {
                    return Ok(State::Opening(opening));
                }
                let mut connection = opening.opened()?;
                connection.send(&format!("{}; SET statement_timeout = {THERE}; SET lock_timeout = 100", session()))?;
                State::Greeting(connection)
            }
            State::Greeting(mut connection) => match connection.answer()? {
                Some(_) => {
                    connection.send(&self.sql)?;
                    State::Asking(connection)
                }
                None => State::Greeting(connection),
            },
            State::Asking(mut connection) => match connection.answer()? {
                Some(answer) => State::Answered(connection, answer),
                None => State::Asking(connection),
            },
            other => other,
        })
    }
}

/// What is asked: a row for each table by its place, and one more with what the server says of itself.
fn question<'a>(names: impl Iterator<Item = (&'a str, &'a str)>, sized: bool) -> String {
    let (schemas, tables): (Vec<String>, Vec<String>) =
        names.map(|(schema, table)| (ffi::quote_literal(schema), ffi::quote_literal(table))).unzip();
    let bytes = if sized { BYTES } else { "NULL::pg_catalog.float8" };
    format!(
        "WITH {LOCKED}
         SELECT w.place, {bytes}, {COUNTED}, NULL::pg_catalog.text
         FROM unnest(ARRAY[{}]::pg_catalog.text[], ARRAY[{}]::pg_catalog.text[]) WITH ORDINALITY AS w (schema_name, table_name, place)
         JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema_name
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.table_name {INDEXES}
         UNION ALL SELECT NULL, NULL, {}, pg_catalog.jsonb_build_object('waits', ({WAITS}), 'followers', ({}))::pg_catalog.text",
        schemas.join(", "),
        tables.join(", "),
        ["NULL"; NUMBERS].join(", "),
        followers(),
    )
}

/// What the sessions of a server that are at work wait for.
pub(super) const WAITS: &str = "
    SELECT coalesce(pg_catalog.jsonb_object_agg(kind, sessions), '{}') FROM (
        SELECT coalesce(a.wait_event_type, 'CPU') AS kind, pg_catalog.count(*) AS sessions FROM pg_catalog.pg_stat_activity a
        WHERE a.state = 'active' AND a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid() GROUP BY 1) AS w";

/// How far the copies of shards are that follow the server of a node: positions in its write-ahead log, in bytes.
fn followers() -> String {
    format!(
        "SELECT coalesce(pg_catalog.jsonb_object_agg(s.slot_name, pg_catalog.jsonb_build_array(
             pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), '0/0'), pg_catalog.pg_wal_lsn_diff(s.confirmed_flush_lsn, '0/0'))), '{{}}')
         FROM pg_catalog.pg_replication_slots s
         WHERE s.database = pg_catalog.current_database() AND s.confirmed_flush_lsn IS NOT NULL AND NOT pg_catalog.pg_is_in_recovery()
           AND pg_catalog.starts_with(s.slot_name::pg_catalog.text, {})",
        ffi::quote_literal(&ours())
    )
}

/// The same of this server: its standbys, and whatever else has its log sent.
pub(super) const STANDBYS: &str = "
    SELECT coalesce(pg_catalog.jsonb_object_agg(r.pid, pg_catalog.jsonb_build_array(
        pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), '0/0'), pg_catalog.pg_wal_lsn_diff(r.flush_lsn, '0/0'))), '{}')
    FROM pg_catalog.pg_stat_replication r WHERE r.flush_lsn IS NOT NULL AND NOT pg_catalog.pg_is_in_recovery()";
