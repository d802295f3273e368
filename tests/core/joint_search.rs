//! The search against every design there is.

use foreshard_core::model::Interrupts;
use foreshard_core::plan::search::Costs;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The least cost over all designs, by trying each.
pub(crate) fn brute_force(costs: &Costs) -> f64 {
    let mut design = vec![0; costs.own.len()];
    let mut best = f64::INFINITY;
    loop {
        best = best.min(costs.of(&design));
        let Some(at) = (0..design.len()).find(|&i| design[i] + 1 < costs.own[i].len()) else { return best };
        design[at] += 1;
        design[..at].fill(0);
    }
}

fn costs() -> impl Strategy<Value = Costs> {
    prop::collection::vec(1_usize..=4, 1..=6).prop_flat_map(|sizes| {
        let own: Vec<_> = sizes.iter().map(|n| prop::collection::vec(0.0..2.0_f64, *n)).collect();
        let pairs: Vec<_> = (0..sizes.len())
            .flat_map(|a| (a + 1..sizes.len()).map(move |b| (a, b)))
            .map(|(a, b)| {
                let table = prop::collection::vec(prop_oneof![Just(0.0), -1.0..1.0_f64], sizes[a] * sizes[b]);
                (Just((a, b)), prop::option::weighted(0.6, table))
            })
            .collect();
        (own, pairs).prop_map(|(own, pairs)| Costs {
            own,
            pairs: pairs.into_iter().filter_map(|(k, t)| t.map(|t| (k, t))).collect::<BTreeMap<_, _>>(),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_search_finds_what_trying_all_designs_finds(costs in costs()) {
        let found = costs.minimize(&[], 1_000_000);
        prop_assert!((found.cost - brute_force(&costs)).abs() < 1e-6);
        prop_assert!(found.exact() && (costs.of(&found.design) - found.cost).abs() < 1e-9);
    }

    #[test]
    fn without_time_to_search_the_bound_still_holds(costs in costs()) {
        let found = costs.minimize(&[], 0);
        let best = brute_force(&costs);
        prop_assert!(found.lower_bound <= best + 1e-6 && best <= found.cost + 1e-6);
    }

    #[test]
    fn an_outline_has_a_design_and_a_bound_for_every_first_choice(costs in costs()) {
        let outline = costs.outline(Interrupts::default(), &[vec![0; costs.own.len()]]);
        prop_assert_eq!(outline.len(), costs.own[0].len());
        for (value, found) in outline.iter().enumerate() {
            let (rest, constant) = costs.given_first(value);
            let best = brute_force(&rest) + constant;
            prop_assert_eq!(found.design[0], value);
            prop_assert!((costs.of(&found.design) - found.cost).abs() < 1e-9);
            prop_assert!(found.lower_bound <= best + 1e-6 && best <= found.cost + 1e-6);
        }
    }

    #[test]
    fn fixing_the_first_choice_leaves_the_rest_as_it_was(costs in costs()) {
        for value in 0..costs.own[0].len() {
            let (rest, constant) = costs.given_first(value);
            let found = rest.minimize(&[], 1_000_000);
            let design: Vec<usize> = std::iter::once(value).chain(found.design).collect();
            prop_assert!((costs.of(&design) - found.cost - constant).abs() < 1e-9);
        }
    }
}
