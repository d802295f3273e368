//! One design on the bench: its tables in the server, and statements measured on them.

use super::designs::Design;
use super::redirect::{redirect, statement};
use super::sources::{self, Sources};
use super::statements::Replayed;
use super::tables::{self, Standing};
use super::values::{Known, Picker, Pool};
use super::{execute, guard};
use crate::pg::definition::Definitions;
use crate::pg::error::Result;
use crate::pg::ffi::{cstring, subtransaction};
use crate::pg::timeout;
use crate::pg::tree::{self, Node};
use foreshard_core::backup::script::replace_parameters;
use foreshard_core::key::Families;
use foreshard_core::model::replay::ReplayMode;
use foreshard_core::model::{Problem, ReplayConfig, Schema, TableName};
use pgrx::pg_sys;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::rc::Rc;

/// What the runs of a statement met.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Shards of the table touched, mean over the runs; None where the server does not count, or a plan cannot tell.
    pub shards: Option<f64>,
    /// Median of planning and execution.
    pub ms: f64,
    pub runs: u32,
}

/// Values in order, by table and column.
type Sorted = BTreeMap<(TableName, usize), Rc<Vec<String>>>;

pub struct Bench<'a> {
    schema: &'a Schema,
    pools: &'a BTreeMap<TableName, Pool>,
    families: &'a Families,
    key_families: &'a BTreeSet<usize>,
    config: &'a ReplayConfig,
    standing: BTreeMap<TableName, Standing>,
    by_oid: BTreeMap<u32, TableName>,
    sorted: RefCell<Sorted>,
    /// The server counts what is touched.
    counts: bool,
}

/// Longest text that is replayed, in bytes: applications' statements are far below, and the parser's time is bounded.
const MAX_TEXT: usize = 100_000;

impl<'a> Bench<'a> {
    pub fn build(
        design: &Design,
        definitions: &Definitions,
        schema: &'a Schema,
        pools: &'a BTreeMap<TableName, Pool>,
        families: &'a Families,
        key_families: &'a BTreeSet<usize>,
        config: &'a ReplayConfig,
    ) -> Result<Self> {
        let mut standing = BTreeMap::new();
        for (number, (name, pool)) in pools.iter().enumerate() {
            let Some(definition) = definitions.tables.get(name) else { continue };
            standing.insert(name.clone(), tables::build(definition, pool, design, number)?);
        }
        let by_oid = standing.iter().map(|(name, s)| (s.oid, name.clone())).collect();
        let (sorted, counts) = (RefCell::default(), tables::server_counts()?);
        Ok(Self { schema, pools, families, key_families, config, standing, by_oid, sorted, counts })
    }

    /// # Errors
    /// Only those that end the whole call; what is wrong with the statement is the inner error, in words.
    pub fn measure(&self, replayed: &Replayed, target: &TableName) -> Result<std::result::Result<Measure, String>> {
        let Some(target) = self.standing.get(target) else {
            return Err(Problem::new("XX000", "the table is not in the sample").into());
        };
        // What the server refuses beyond all judgement is a reason as well.
        let outcome =
            timeout::contained(|| subtransaction(false, || execute::apart(|| Ok(self.all_runs(replayed, target)))));
        Ok(outcome.unwrap_or_else(|error| Err(execute::said(execute::first(error)))))
    }

    fn all_runs(&self, replayed: &Replayed, target: &Standing) -> std::result::Result<Measure, String> {
        let text = replayed.text.as_str();
        if text.is_empty() {
            return Err("the log does not have its text".to_owned());
        }
        if text.len() > MAX_TEXT {
            return Err(format!("its text is longer than {MAX_TEXT} bytes"));
        }
        let source = cstring(text);
        let analyzed = execute::analyze(&|| self.parse(text), &source)?;
        let tables: BTreeSet<u32> = self.by_oid.keys().copied().collect();
        guard::check(analyzed.query, &tables)?;
        let sources = sources::find(analyzed.query, analyzed.types.len(), &self.by_oid);
        let query = guard::only(execute::rewrite(analyzed.query))?;
        guard::check(query, &tables)?;
        self.runs(replayed.id, query, &source, &analyzed.types, &sources, target)
    }

    fn parse<'t>(&self, text: &str) -> std::result::Result<Node<'t>, String> {
        // What is no SQL with parameters in it (`interval $1`) is some with constants.
        let parsed = tree::raw(text).map(|nodes| (nodes, false));
        let repaired = |first| tree::raw(&replace_parameters(text)).map(|nodes| (nodes, true)).map_err(|_| first);
        let (nodes, repaired) = parsed.or_else(repaired).map_err(execute::said)?;
        let [one] = nodes.as_slice() else { return Err("its text is not one statement".to_owned()) };
        let one = statement(*one);
        redirect(one, repaired, &|schema, name| {
            let name = match schema {
                Some(schema) => TableName::new(schema, name),
                None => self.schema.find_unqualified(name)?.name.clone(),
            };
            self.standing.get(&name).map(|s| s.name.clone())
        })?;
        Ok(one)
    }

    fn runs(
        &self,
        statement: i64,
        query: Node<'_>,
        text: &CStr,
        types: &[pg_sys::Oid],
        sources: &Sources,
        target: &Standing,
    ) -> std::result::Result<Measure, String> {
        let reason = |error| execute::said(execute::first(error));
        let whole = self.config.mode == ReplayMode::Run;
        let (mut touched, mut times) = (Vec::new(), Vec::new());
        for run in 0..self.config.runs {
            let picker = Picker { pools: self.pools, known: self, seed: self.config.seed, statement, run };
            let values = picker.values(sources, types)?;
            // Looking for values has read the tables too.
            let before = tables::touches(target).map_err(reason)?;
            let ran = timeout::within(self.config.timeout, || {
                subtransaction(false, || execute::apart(|| Ok(execute::run(query, text, types, &values, whole))))
            });
            let Some(ran) = ran.map_err(reason)? else {
                return Err(format!("it took longer than {} ms", self.config.timeout));
            };
            times.push(ran.ms);
            if whole {
                let after = tables::touches(target).map_err(reason)?;
                touched.push(after.iter().zip(&before).filter(|(a, b)| a != b).count());
            } else if !ran.inserts {
                // Where rows will go is known only when they come.
                let opened: BTreeSet<usize> =
                    ran.opened.iter().filter_map(|oid| target.leaves.get(oid)).copied().collect();
                touched.push(opened.len());
            }
        }
        let counted = !touched.is_empty() && (!whole || self.counts);
        let mean = || touched.iter().sum::<usize>() as f64 / touched.len() as f64;
        Ok(Measure { shards: counted.then(mean), ms: median(times), runs: self.config.runs })
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = |at: usize| times.get(at).copied().unwrap_or(0.0);
    (middle(times.len().saturating_sub(1) / 2) + middle(times.len() / 2)) / 2.0
}

impl Known for Bench<'_> {
    fn sorted(&self, table: &TableName, column: usize) -> Rc<Vec<String>> {
        let key = (table.clone(), column);
        if let Some(known) = self.sorted.borrow().get(&key) {
            return Rc::clone(known);
        }
        let name = self.schema.get(table).and_then(|t| t.columns.get(column)).map(|c| c.name.as_str());
        let values = match (self.standing.get(table), name) {
            (Some(standing), Some(name)) => subtransaction(true, || tables::sorted(&standing.name, name)),
            _ => Ok(Vec::new()),
        };
        let values = Rc::new(values.unwrap_or_default());
        self.sorted.borrow_mut().insert(key, Rc::clone(&values));
        values
    }

    fn family(&self, table: &TableName, column: usize) -> Option<usize> {
        let name = &self.schema.get(table)?.columns.get(column)?.name;
        self.families.of(table, name).filter(|f| self.key_families.contains(f))
    }
}
