//! How the shape of a table changes while it is written to: which shards take the place of which ([`cut`]), and the steps that lead
//! there, with what undoes each.
//!
//! One list of steps serves every operation: old leaves in, new leaves out. Each step is a transaction of its own, or several that can be
//! repeated, and what it reaches is committed with the name of the next one. So whoever finds the list half done, after a crash as
//! after a cancel, goes on from that name or undoes what comes before it. The last step before which all can be undone is the switch.

pub mod cut;

pub use cut::{Piece, isolate, merge, moved, split_hash, split_list, split_range};

use serde::{Deserialize, Serialize};

/// One step of a change of shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Create,
    Capture,
    Copy,
    Index,
    CatchUp,
    Verify,
    Switch,
    Drop,
}

/// What is told of a step, and what undoes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    pub step: Step,
    /// In a plan, a view, a message.
    pub name: &'static str,
    /// For whoever watches: "copying the rows".
    pub doing: &'static str,
    /// None where there is nothing to undo, or no way back.
    pub undo: Option<&'static str>,
}

/// In their order.
pub const STEPS: [Description; 8] = [
    Description {
        step: Step::Create,
        name: "create",
        doing: "creating the new shards",
        undo: Some("drop the new shards, the log and its functions"),
    },
    Description {
        step: Step::Capture,
        name: "capture",
        doing: "beginning to log changes",
        undo: Some("drop the triggers of the old shards"),
    },
    Description { step: Step::Copy, name: "copy", doing: "copying the rows", undo: None },
    Description { step: Step::Index, name: "index", doing: "building indexes and keys", undo: None },
    Description { step: Step::CatchUp, name: "catch_up", doing: "applying the changes", undo: None },
    Description { step: Step::Verify, name: "verify", doing: "comparing the rows", undo: None },
    Description { step: Step::Switch, name: "switch", doing: "switching to the new shards", undo: None },
    Description { step: Step::Drop, name: "drop", doing: "dropping the old shards", undo: None },
];

impl Step {
    pub fn describe(self) -> Description {
        let [first, ..] = STEPS;
        STEPS.into_iter().find(|d| d.step == self).unwrap_or(first)
    }

    pub fn of(name: &str) -> Option<Self> {
        STEPS.iter().find(|d| d.name == name).map(|d| d.step)
    }

    /// None after the last one.
    pub fn next(self) -> Option<Self> {
        STEPS.iter().map(|d| d.step).find(|step| *step > self)
    }

    /// The old shards still serve, and all can be undone.
    pub fn can_be_undone(self) -> bool {
        self <= Self::Switch
    }

    /// What has to be undone when this step is the next one to be done, in the order in which it is undone.
    pub fn undo(self) -> impl Iterator<Item = Description> {
        STEPS.into_iter().rev().filter(move |d| d.step < self && d.undo.is_some())
    }
}
