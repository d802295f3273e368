//! Statement trees of any shape: they are analysed and planned without a panic, and the order of the log makes no difference.
#![no_main]

mod trees;

use arbitrary::Unstructured;
use foreshard_core::model::node::Location;
use foreshard_core::model::workload::LogEntry;
use foreshard_core::model::{Config, Interrupts, Node, Plan, Problem, Schema, TableName};
use foreshard_core::plan::{PlanInput, explain, plan};
use foreshard_core::workload::{AnalyzeOptions, analyze, borrow};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fn planned(schema: &Schema, log: &[LogEntry], config: &Config, target: &TableName) -> Result<Plan, Vec<Problem>> {
    let workload = analyze(schema, log, &AnalyzeOptions::default());
    let lent = borrow(&workload, schema, target);
    let node = |name: &str| Node {
        name: name.to_owned(),
        location: Location::Tablespace(name.to_owned()),
        capacity: 1.0,
        zone: String::new(),
        serves: Vec::new(),
        active: true,
        free_bytes: None,
        measured: None,
    };
    plan(&PlanInput {
        target: target.clone(),
        source: target.clone(),
        schema,
        workload: lent.as_ref().map_or(&workload, |l| &l.2),
        likeness: lent.as_ref().map(|l| l.1),
        profile: None,
        sizes: &BTreeMap::new(),
        placed: &[],
        nodes: &["a", "b"].map(node),
        config,
        outlook: None,
        notes: Vec::new(),
        basis: "query log".to_owned(),
        interrupts: Interrupts::default(),
    })
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok((schema, mut log)) = trees::world(&mut input) else { return };
    let config = Config::default();
    for target in schema.tables.iter().map(|t| &t.name).take(2) {
        let one = planned(&schema, &log, &config, target);
        log.reverse();
        let other = planned(&schema, &log, &config, target);
        assert_eq!(one, other, "the order of the log does not matter");
        if let Ok(plan) = &one {
            let stored = serde_json::to_string(plan).expect("a plan can be written");
            assert_eq!(serde_json::from_str::<Plan>(&stored).as_ref().ok(), Some(plan), "a plan is read as it was written");
            assert!(explain(plan).lines().count() <= 45);
            let cost = plan.candidates.iter().map(|c| c.cost);
            assert!(cost.clone().all(f64::is_finite), "{:?}", cost.collect::<Vec<_>>());
        }
    }
});
