//! Which nodes answer, and since when: what was asked of other servers into `foreshard._node_states`. Told in the log when it changes.

use super::measure::Shard;
use super::remote::{Asked, STANDBYS, Said, WAITS};
use crate::pg::error::Result;
use foreshard_core::health::{Followers, Position};
use foreshard_core::model::node::{Location, Node};
use pgrx::JsonB;
use pgrx::prelude::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What was told of each node last: None that it answers.
#[derive(Debug, Default)]
pub struct States {
    told: BTreeMap<String, Option<String>>,
    /// When a fail-over was tried last, and what was said of it.
    fail_overs: BTreeMap<String, (Instant, String)>,
    /// What follows each node; what follows this server under no name.
    followers: BTreeMap<String, Followers>,
    /// How many seconds the copies of what each node has are behind, where there are any.
    lags: BTreeMap<String, f64>,
    began: Option<Instant>,
}

/// Nodes that are other servers and have no shards: name and server.
pub fn without_shards(nodes: &[Node], shards: &[Shard]) -> Vec<(String, String)> {
    let server = |node: &Node| match &node.location {
        Location::Server(server) if !shards.iter().any(|s| s.node == node.name) => {
            Some((node.name.clone(), server.clone()))
        }
        _ => None,
    };
    nodes.iter().filter_map(server).collect()
}

impl States {
    /// A fail-over of the node has not been tried for that long.
    pub fn may_try(&self, node: &str, pause: Duration) -> bool {
        self.fail_overs.get(node).is_none_or(|(tried, _)| tried.elapsed() >= pause)
    }

    /// A fail-over was tried. Whether that was not said of the node before.
    pub fn tried(&mut self, node: &str, said: &str) -> bool {
        let before = self.fail_overs.insert(node.to_owned(), (Instant::now(), said.to_owned()));
        before.is_none_or(|(_, before)| before != said)
    }

    /// A node that is asked as several roles answers when it answers one of them. Without a mapping for the one who asks about a node that has no
    /// shards, nothing is known of it.
    pub fn store(&mut self, asked: &[Asked]) -> Result<()> {
        let mut states: BTreeMap<&str, (Option<String>, Option<Said>)> = BTreeMap::new();
        for one in asked {
            match &one.answer {
                Ok(said) => {
                    states.insert(&one.node, (None, Some(said.clone())));
                }
                Err(problem) if problem.sqlstate == "42704" || problem.sqlstate == "42501" => {}
                Err(problem) => {
                    let detail = problem.detail.as_deref().map(|d| format!(": {d}")).unwrap_or_default();
                    states.entry(&one.node).or_insert((Some(format!("{}{detail}", problem.message)), None));
                }
            }
        }
        self.told.retain(|node, _| states.contains_key(node.as_str()));
        self.lags.clear();
        for (node, (trouble, said)) in states {
            let known = self.told.insert(node.to_owned(), trouble.clone());
            match &trouble {
                Some(trouble) if !matches!(known, Some(Some(_))) => {
                    pgrx::log!("foreshard: node \"{node}\" does not answer: {trouble}");
                }
                None if known.is_some_and(|k| k.is_some()) => pgrx::log!("foreshard: node \"{node}\" answers again"),
                _ => {}
            }
            let lag = said.as_ref().and_then(|said| self.follow(node, &said.followers));
            self.lags.extend(lag.map(|lag| (node.to_owned(), lag)));
            Spi::run_with_args(
                "INSERT INTO foreshard._node_states AS s (node, answers, since, asked_at, message, waits, lag_seconds)
                 SELECT $1, $2, pg_catalog.now(), pg_catalog.now(), $3, $4, $5 WHERE EXISTS (SELECT FROM foreshard._nodes n WHERE n.name = $1)
                 ON CONFLICT (node) DO UPDATE SET answers = EXCLUDED.answers, asked_at = EXCLUDED.asked_at, message = EXCLUDED.message,
                     waits = EXCLUDED.waits, lag_seconds = EXCLUDED.lag_seconds, since = CASE WHEN s.answers = EXCLUDED.answers THEN s.since ELSE EXCLUDED.since END",
                &[node.into(), trouble.is_none().into(), trouble.into(), said.map(|s| JsonB(s.waits)).into(), lag.into()],
            )?;
        }
        self.store_own()
    }

    /// Nodes that are tablespaces of this server answer as long as there is somebody to ask.
    fn store_own(&mut self) -> Result<()> {
        let waits: Option<JsonB> = Spi::get_one(&format!("SELECT ({WAITS})"))?;
        let standbys: Option<JsonB> = Spi::get_one(&format!("SELECT ({STANDBYS})"))?;
        let standbys = standbys.and_then(|JsonB(said)| serde_json::from_value(said).ok()).unwrap_or_default();
        let lag = self.follow("", &standbys);
        self.lags.extend(lag.map(|lag| (String::new(), lag)));
        Ok(Spi::run_with_args(
            "INSERT INTO foreshard._node_states AS s (node, answers, since, asked_at, waits, lag_seconds)
             SELECT name, true, pg_catalog.now(), pg_catalog.now(), $1, $2 FROM foreshard._nodes WHERE tablespace IS NOT NULL
             ON CONFLICT (node) DO UPDATE SET answers = true, asked_at = EXCLUDED.asked_at, message = NULL, waits = EXCLUDED.waits,
                 lag_seconds = EXCLUDED.lag_seconds, since = CASE WHEN s.answers THEN s.since ELSE EXCLUDED.since END",
            &[waits.into(), lag.into()],
        )?)
    }

    /// Seconds that copies of what is at a location are behind, where there are any.
    pub fn lag(&self, location: &Location, node: &str) -> Option<f64> {
        let name = if matches!(location, Location::Server(_)) { node } else { "" };
        self.lags.get(name).copied()
    }

    fn follow(&mut self, node: &str, said: &BTreeMap<String, (u64, u64)>) -> Option<f64> {
        let now = self.began.get_or_insert_with(Instant::now).elapsed().as_secs_f64();
        let position = |(written, confirmed): &(u64, u64)| Position { written: *written, confirmed: *confirmed };
        let positions = said.iter().map(|(name, at)| (name.clone(), position(at))).collect();
        self.followers.entry(node.to_owned()).or_default().look(now, &positions)
    }
}
