//! What the config says of values and nodes, turned into wishes of shards: which of them holds a value is known by the
//! same rules by which rows are routed.

use super::PlanInput;
use crate::key::Subject;
use crate::model::config::KeyValue;
use crate::model::plan::Note;
use crate::model::words::list;
use crate::model::{Layout, Problem};
use crate::route::Router;

/// Wishes by the shard's place in the layout.
pub(super) struct Whereabouts {
    used_by: Vec<Vec<(String, f64)>>,
    only: Vec<Vec<usize>>,
    notes: Vec<Note>,
}

impl Whereabouts {
    /// # Errors
    /// 22023 for an application that no node serves, for a pin to a node that is not there, and for a pinned value that
    /// cannot be found.
    pub(super) fn new(spread: &Layout, subject: &Subject<'_>, input: &PlanInput<'_>) -> Result<Self, Vec<Problem>> {
        let count = spread.shards.len();
        let home = |name: &str| input.nodes.iter().position(|n| n.name == name && n.active && n.capacity > 0.0);
        let fixed = spread.shards.iter().map(|s| home(&s.node).into_iter().collect()).collect();
        let mut out = Self { used_by: vec![Vec::new(); count], only: fixed, notes: Vec::new() };
        let finder = Finder::new(spread, subject);
        let mut problems = out.near(&finder, input);
        problems.extend(out.pinned(&finder, input));
        if problems.is_empty() { Ok(out) } else { Err(problems) }
    }

    pub(super) fn used_by(&mut self, shard: usize) -> Vec<(String, f64)> {
        self.used_by.get_mut(shard).map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn only(&mut self, shard: usize) -> Vec<usize> {
        self.only.get_mut(shard).map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn notes(self) -> Vec<Note> {
        self.notes
    }

    fn near(&mut self, finder: &Finder<'_>, input: &PlanInput<'_>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let affinity = || input.config.affinity.iter().flatten();
        for wish in affinity() {
            if !input.nodes.iter().any(|n| n.active && n.serves.contains(&wish.application)) {
                problems.push(
                    Problem::new("22023", format!("no node serves the application \"{}\"", wish.application))
                        .detail(
                            "The config names it in \"affinity\", and shards can only be near a node that serves it.",
                        )
                        .hint("Tell it with foreshard.alter_node(name, serves => …), or leave it out."),
                );
            }
        }
        // Rows of the values that somebody named, by shard: where nothing is known of the others, they are all there is.
        let mut named = vec![0.0; self.used_by.len()];
        let mut seen: Vec<&KeyValue> = Vec::new();
        for value in affinity().flat_map(|w| w.values.iter().flatten()) {
            if !seen.contains(&value)
                && let Some(sum) = finder.shard_of(value).and_then(|at| named.get_mut(at))
            {
                *sum += finder.rows_of(value);
            }
            seen.push(value);
        }
        for wish in affinity() {
            let part = wish.share.unwrap_or(1.0);
            let Some(values) = &wish.values else {
                self.used_by.iter_mut().for_each(|u| u.push((wish.application.clone(), part)));
                continue;
            };
            let mut lost = Vec::new();
            for value in values {
                let Some(at) = finder.shard_of(value) else {
                    lost.push(shown(value));
                    continue;
                };
                let all = finder.rows_in(at).unwrap_or(0.0).max(named.get(at).copied().unwrap_or(0.0));
                let share = if all > 0.0 { part * finder.rows_of(value) / all } else { 0.0 };
                let Some(users) = self.used_by.get_mut(at) else { continue };
                match users.iter_mut().find(|u| u.0 == wish.application) {
                    Some(known) => known.1 += share,
                    None => users.push((wish.application.clone(), share)),
                }
            }
            if !lost.is_empty() {
                self.notes.push(Note {
                    kind: "affinity".to_owned(),
                    object: wish.application.clone(),
                    what: format!("is not followed for {}", list(&lost, 4)),
                    because: finder.because(),
                    remedy: None,
                });
            }
        }
        // Several applications together bring no more than all of the load.
        for users in &mut self.used_by {
            let sum: f64 = users.iter().map(|u| u.1).sum();
            users.iter_mut().filter(|_| sum > 1.0).for_each(|u| u.1 /= sum);
        }
        problems
    }

    fn pinned(&mut self, finder: &Finder<'_>, input: &PlanInput<'_>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut pins: Vec<Option<Vec<usize>>> = vec![None; self.only.len()];
        for pin in input.config.pin.iter().flatten() {
            let position = |name: &String| input.nodes.iter().position(|n| n.name == *name);
            let known: Vec<usize> = pin.nodes.iter().filter_map(position).collect();
            let unknown: Vec<&String> = pin.nodes.iter().filter(|n| position(n).is_none()).collect();
            if !unknown.is_empty() {
                let names: Vec<&str> = input.nodes.iter().map(|n| n.name.as_str()).collect();
                problems.push(
                    Problem::new(
                        "22023",
                        format!("values are pinned to {}, which takes no shards of this table", list(&unknown, 4)),
                    )
                    .detail(format!("The nodes of this plan are {}.", list(&names, 10)))
                    .hint("Name one of these in \"pin\", or add it to \"nodes\"."),
                );
                continue;
            }
            for value in &pin.values {
                let Some(only) = finder.shard_of(value).and_then(|at| pins.get_mut(at)) else {
                    problems.push(
                        Problem::new("22023", format!("the value {} cannot be pinned to a node", shown(value)))
                            .detail(format!("Which shard holds it is not known: {}.", finder.because()))
                            .hint("Leave it out of \"pin\", or use another key or method."),
                    );
                    continue;
                };
                let both = only.take().map_or(known.clone(), |o| o.into_iter().filter(|n| known.contains(n)).collect());
                if both.is_empty() {
                    problems.push(
                        Problem::new(
                            "22023",
                            format!("the shard of the value {} is pinned to different nodes", shown(value)),
                        )
                        .detail("Values of one shard are on one node.")
                        .hint("Pin them to a node in common, or ask for more shards."),
                    );
                }
                *only = Some(both);
            }
        }
        for (only, pin) in self.only.iter_mut().zip(pins) {
            if let Some(pin) = pin {
                *only = pin;
            }
        }
        problems
    }
}

fn shown(value: &KeyValue) -> String {
    value.0.as_ref().map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"))
}

/// Finds the shard of a value.
struct Finder<'a> {
    layout: &'a Layout,
    subject: &'a Subject<'a>,
    router: Option<Router>,
}

impl<'a> Finder<'a> {
    fn new(layout: &'a Layout, subject: &'a Subject<'a>) -> Self {
        let types: Vec<&str> =
            layout.key.iter().filter_map(|c| subject.table.column(c)).map(|c| c.type_name.as_str()).collect();
        let router = if layout.key.len() == 1 { Router::new(layout, &types) } else { None };
        Self { layout, subject, router }
    }

    fn shard_of(&self, value: &KeyValue) -> Option<usize> {
        let ordinal = self.router.as_ref()?.shard_of(&[value.0.as_deref().map(str::as_bytes)])?;
        self.layout.shards.iter().position(|s| s.ordinal == ordinal)
    }

    /// Why a shard was not found.
    fn because(&self) -> String {
        match (&self.router, self.layout.key.len()) {
            (Some(_), _) => "it is no value of the key's type, or no shard takes it".to_owned(),
            (None, 1) => "only the server knows the order of such values".to_owned(),
            (None, _) => format!("the shard depends on all of {}", list(&self.layout.key, 4)),
        }
    }

    /// Rows with a value: counted, or as many as a value has on average.
    fn rows_of(&self, value: &KeyValue) -> f64 {
        let column = self.layout.key.first().and_then(|c| self.subject.profile?.column(c));
        let Some((column, profile)) = column.zip(self.subject.profile) else { return 1.0 };
        match &value.0 {
            None => column.nulls as f64,
            Some(text) => match column.heavy.iter().find(|h| h.value == *text) {
                Some(heavy) => heavy.count as f64,
                None if column.distinct_exact && column.distinct == column.heavy.len() as u64 => 0.0,
                None => profile.rows as f64 / column.distinct.max(1) as f64,
            },
        }
    }

    fn rows_in(&self, shard: usize) -> Option<f64> {
        Some(self.layout.shards.get(shard)?.share * self.subject.profile?.rows as f64)
    }
}
