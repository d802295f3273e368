//! Successive looks at pg_stat_statements: what the statements on each table were counted in between.

use crate::forecast::Counts;
use std::collections::BTreeMap;

/// What each statement was counted when it was looked at last.
#[derive(Debug, Default)]
pub struct StatementCounts<K> {
    seen: Option<BTreeMap<K, Counts>>,
}

impl<K: Ord + Clone> StatementCounts<K> {
    /// Takes a look; gives what every statement was counted since the last one, None for the first. A statement that is new has counted
    /// from zero, as has one whose counters fell (a reset) and one that was evicted and came back: it is forgotten where a look does not
    /// show it.
    pub fn look(&mut self, now: impl IntoIterator<Item = (K, Counts)>) -> Option<Vec<(K, Counts)>> {
        let now: BTreeMap<K, Counts> = now.into_iter().collect();
        let grown = self.seen.as_ref().map(|before| {
            let since = |(key, counts): (&K, &Counts)| {
                let grown = counts.since(before.get(key));
                (grown.calls > 0.0 || grown.total_milliseconds > 0.0).then(|| (key.clone(), grown))
            };
            now.iter().filter_map(since).collect()
        });
        self.seen = Some(now);
        grown
    }
}
